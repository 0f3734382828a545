"""Contributions that others tell, from the topic `contributions.v1` (DOMAIN 4.2).

Here: messages become contributions that wait for the decider, or rejects; the offset is committed with them. Not here: what the
pipeline knows of its own attempts (`contributions`), whether a claim is right (the decider asks the store, never the claim).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection

from debug_loop_pipeline.client.redaction import redact
from debug_loop_pipeline.compute.code.languages import UnsupportedLanguageError, language_named
from debug_loop_pipeline.compute.code.source_tree import SourceError
from debug_loop_pipeline.compute.debug_stf_extractor import extract_stfs
from debug_loop_pipeline.compute.economy.transaction_id import content_digest, contribution_id
from debug_loop_pipeline.compute.event_traces import traces_of_payload
from debug_loop_pipeline.compute.stf_hash import stf_hash
from debug_loop_pipeline.compute.stf_quality import QualityInputs, quality
from debug_loop_pipeline.effects.bulk_write import stage_and_upsert
from debug_loop_pipeline.effects.consumer_offsets import ConsumerOffsets
from debug_loop_pipeline.effects.contribution_store import ContributionStore, lock_decider
from debug_loop_pipeline.effects.forgotten_store import forgotten
from debug_loop_pipeline.effects.kafka import CONTRIBUTION_REJECTS, CONTRIBUTIONS, Batch, Kafka, Message
from debug_loop_pipeline.effects.resilience import Retry
from debug_loop_pipeline.models.contribution import CodeSpan, Contribution, ContributionEvent, ContributionKind
from debug_loop_pipeline.models.execution import CodeBlob
from debug_loop_pipeline.settings import QualitySettings, Settings
from debug_loop_pipeline.steps.code_scores import CODE_SCORES
from debug_loop_pipeline.steps.dead_letters import dead_letter, position_of, redacted_payload
from debug_loop_pipeline.steps.extracted_stfs import extraction_options
from debug_loop_pipeline.steps.framework import StepContext
from debug_loop_pipeline.steps.ingestion import explain_invalid

OFFSETS = ConsumerOffsets("contributions", CONTRIBUTIONS)


@dataclass(slots=True)
class Intake:
    """What taking messages in did."""

    messages: int = 0
    contributions: int = 0
    """New ones, or told anew while they waited."""
    rejects: int = 0


def take_in(context: StepContext, kafka: Kafka) -> Intake:
    """Takes in what is on the topic, from where the last call ended; each message once in effect.

    Raises:
        EffectUnavailableError, CircuitOpenError: the broker or the database is gone; what was taken in is committed.
    """
    topics = (CONTRIBUTIONS, CONTRIBUTION_REJECTS)
    topic_id = kafka.ensure_topics(topics)[CONTRIBUTIONS.name]
    positions = _follow(context, kafka, topic_id)
    reader = kafka.reader(CONTRIBUTIONS, positions)
    total = Intake()
    try:
        for batches in reader.to_the_end(kafka.end_offsets(CONTRIBUTIONS)):
            _add(total, _take_in_batches(context, kafka, batches, topic_id))
    finally:
        reader.close()
    return total


def waiting(context: StepContext, kafka: Kafka) -> int:
    """Messages on the topic that `take_in` has not read, at least: one broker counts a batch as one. 0 without a topic."""
    topic_id = kafka.topic_id(CONTRIBUTIONS)
    if topic_id is None:
        return 0
    ends = kafka.end_offsets(CONTRIBUTIONS)
    with context.database.transaction("waiting_contributions") as connection:
        read = OFFSETS.of_log(connection, topic_id)
    return sum(max(0, end - read.get(partition, 0)) for partition, end in ends.items())


def contributions_of(event: ContributionEvent, settings: Settings) -> list[Contribution]:
    """What one message tells. Scores are computed from the code; what the message says of itself is not asked for.

    Raises:
        ValueError: its code holds no function that an attempt's own code would give.
        SourceError, UnsupportedLanguageError: a function of it is not read.
    """
    if event.code is None:
        assert event.resolution is not None
        return [_of_resolution(event, event.resolution)]
    language = language_named(event.language or "python").name
    blob = CodeBlob(path=event.path, language=language, content=redact(event.code))
    found = extract_stfs([blob], extraction_options(settings))
    if not found.candidates:
        why = "; ".join(f"{error.kind}: {error.message}" for error in found.errors)
        raise ValueError(why or "the code has no function that could be reused")
    ordinals: Counter[str] = Counter()
    told = []
    for candidate in sorted(found.candidates, key=lambda c: (c.start_line, c.end_line)):
        function = f"{candidate.owner}.{candidate.name}" if candidate.owner else candidate.name
        span = CodeSpan(
            path=event.path,
            function=function[:1_000],
            ordinal=ordinals[function],
            start_line=candidate.start_line,
            end_line=candidate.end_line,
        )
        ordinals[function] += 1
        told.append(_of_code(event, candidate.code, candidate.language, span, settings.quality))
    return told


def _of_resolution(event: ContributionEvent, subject: str) -> Contribution:
    return Contribution(
        contribution_id=contribution_id(event.kind, event.peer_id, event.attempt_id, subject),
        kind=event.kind,
        peer_id=event.peer_id,
        attempt_id=event.attempt_id,
        occurred_at=event.occurred_at,
        subject=subject,
        used_by_peer_id=event.used_by_peer_id,
        external_id=event.contribution_id,
    )


def _of_code(
    event: ContributionEvent, code: str, language: str, span: CodeSpan, limits: QualitySettings
) -> Contribution:
    hashed = stf_hash(code, language)
    scored = quality(
        scores := CODE_SCORES.score(code, language, limits.cache_ttl_seconds),
        QualityInputs(version_known=False, description=scores.docstring_summary, author_known=True),
    )
    return Contribution(
        contribution_id=contribution_id(ContributionKind.STF, event.peer_id, event.attempt_id, hashed, span),
        kind=ContributionKind.STF,
        peer_id=event.peer_id,
        attempt_id=event.attempt_id,
        occurred_at=event.occurred_at,
        subject=hashed,
        span=span,
        code=code,
        language=language,
        quality_score=scored.quality_score,
        complexity_score=scored.complexity,
        external_id=event.contribution_id,
    )


def read_message(value: bytes | None, settings: Settings) -> list[Contribution] | str:
    """The contributions of a message, or why there are none: nothing a sender can write raises."""
    try:
        event = ContributionEvent.model_validate_json(value or b"")
        if event.code is not None and event.kind is not ContributionKind.STF:
            return f"code is what an stf gives; a {event.kind} names its resolution"
        if event.code is None and event.kind is ContributionKind.STF:
            return "an stf needs its code"
        return contributions_of(event, settings)
    except ValidationError as error:
        return explain_invalid(error)
    except (SourceError, UnsupportedLanguageError, ValueError) as error:
        return str(error)


def _take_in_batches(context: StepContext, kafka: Kafka, batches: Sequence[Batch], topic_id: str) -> Intake:
    parsed = {b.partition: [(m, read_message(m.value, context.settings)) for m in b.messages] for b in batches}
    refused = [(m, why) for rows in parsed.values() for m, why in rows if isinstance(why, str)]
    # Before the commit: a crash in between tells the same reject twice, never not at all.
    kafka.publish(CONTRIBUTION_REJECTS, [dead_letter(message, why) for message, why in refused])

    def once(connection: Connection) -> Intake:
        lock_decider(connection)
        current, _stale = OFFSETS.current(connection, batches, topic_id)
        done = Intake()
        for batch in current:
            told = [c for _, found in parsed[batch.partition] if not isinstance(found, str) for c in found]
            done.messages += len(batch.messages)
            done.contributions += ContributionStore(context.database).add(connection, told, origin="topic")
            rejects = [(m, why) for m, why in parsed[batch.partition] if isinstance(why, str)]
            done.rejects += len(rejects)
            rows = list({content_digest(m.value or b""): _reject(m, why) for m, why in rejects}.values())
            gone = forgotten(connection, [traces_of_payload(row[-1], None) for row in rows])
            stage_and_upsert(
                connection,
                "contribution_rejects",
                ("payload_sha256", "reason", "source", "position", "payload"),
                [row for row, out in zip(rows, gone, strict=True) if not out],
                key=("payload_sha256",),
                update=None,
            )
        OFFSETS.commit(connection, current)
        return done

    return context.database.run("take_in_contributions", once, retry=Retry.ALWAYS)


def _follow(context: StepContext, kafka: Kafka, topic_id: str) -> dict[int, int]:
    """Where to read on. Another log is read from its beginning: what is told again is known by its id."""
    beginnings = kafka.beginning_offsets(CONTRIBUTIONS)
    with context.database.transaction("contribution_offsets") as connection:
        read = OFFSETS.of_log(connection, topic_id)
    lost = kafka.lost(CONTRIBUTIONS, read)

    def once(connection: Connection) -> dict[int, int]:
        lock_decider(connection)
        return OFFSETS.follow(connection, topic_id, beginnings, lost)

    return context.database.run("follow_contributions", once, retry=Retry.ALWAYS)


def _reject(message: Message, why: str) -> tuple[Any, ...]:
    payload = redacted_payload(message)
    return (content_digest(message.value or b""), why, CONTRIBUTIONS.name, position_of(message), payload)


def _add(total: Intake, done: Intake) -> None:
    total.messages += done.messages
    total.contributions += done.contributions
    total.rejects += done.rejects
