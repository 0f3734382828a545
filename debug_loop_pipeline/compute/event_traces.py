"""By what an event can be forgotten: its attempt, session, repository and peer, and the ids under which that is remembered (DOMAIN 3.14)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import orjson

from debug_loop_pipeline.models.contribution import Contribution
from debug_loop_pipeline.models.execution import ExecutionEvent

_NAMESPACE = uuid5(NAMESPACE_URL, "urn:debug-loop-pipeline:forgotten")
_FIELD = re.compile(r'"(attempt_id|session_id|started_at|repository|peer_id|agent_name)"\s*:\s*("(?:[^"\\]|\\.)*")')


class Subject(StrEnum):
    """What can be forgotten."""

    SESSION = "session"
    REPOSITORY = "repository"
    PEER = "peer"


@dataclass(frozen=True, slots=True)
class Traces:
    """What an event, or the payload of one that was refused, can be forgotten by."""

    attempt_id: UUID | None
    began: datetime | None
    subjects: Mapping[Subject, str]

    def ids(self) -> list[UUID]:
        """The ids under which it may have been forgotten."""
        named = [subject_id(kind, name) for kind, name in self.subjects.items()]
        return named if self.attempt_id is None else [self.attempt_id, *named]


@lru_cache(10_000)
def subject_id(kind: Subject, name: str) -> UUID:
    """The id under which a session, repository or peer is remembered as forgotten: the name itself is not kept."""
    return uuid5(_NAMESPACE, f"{kind.value}:{name}")


def peer_of(event: ExecutionEvent, default: str | None) -> str:
    """Whose account an attempt belongs to (DOMAIN 4.1): what the event says, else the setting, else the agent's name."""
    peer: str = _peer(event.peer_id, default, event.agent_name)
    return peer


def traces_of(event: ExecutionEvent, default_peer: str | None) -> Traces:
    """Of an event that is taken in."""
    named = {
        Subject.SESSION: event.session_id,
        Subject.REPOSITORY: event.context.repository,
        Subject.PEER: peer_of(event, default_peer),
    }
    return Traces(event.attempt_id, event.started_at, {kind: name for kind, name in named.items() if name})


def traces_of_contribution(contribution: Contribution) -> Traces:
    """Of what another peer tells of its attempt."""
    return Traces(contribution.attempt_id, contribution.occurred_at, {Subject.PEER: contribution.peer_id})


def traces_of_payload(payload: str, default_peer: str | None) -> Traces:
    """Of what was refused: whatever JSON it is, or its beginning where it was cut off. Nothing in it need be valid.

    What does not even say when it began is not taken for the default peer's: anything could be.
    """
    try:
        told = orjson.loads(payload)
    except orjson.JSONDecodeError:
        told = {name: _text(value) for name, value in reversed(_FIELD.findall(payload))}
        told["context"] = {"repository": told.get("repository")}
    if not isinstance(told, dict):
        return Traces(None, None, {})
    context, began = told.get("context"), _time(told.get("started_at"))
    named = {
        Subject.SESSION: told.get("session_id"),
        Subject.REPOSITORY: context.get("repository") if isinstance(context, dict) else None,
        Subject.PEER: _peer(told.get("peer_id"), default_peer if began else None, told.get("agent_name")),
    }
    return Traces(
        _uuid(told.get("attempt_id")),
        began,
        {kind: name for kind, name in named.items() if isinstance(name, str) and name},
    )


def _peer(told: Any, default: str | None, agent: Any) -> Any:
    return told or default or agent


def _text(quoted: str) -> Any:
    try:
        return orjson.loads(quoted)
    except orjson.JSONDecodeError:
        return None


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _time(value: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return at if at is not None and at.tzinfo is not None else None
