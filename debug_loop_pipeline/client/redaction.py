"""Secrets out of text, before it leaves the process that saw it (DOMAIN 3.1): `<REDACTED:kind>` in their place.

Here: the functions for callers, and how what was found is cut out. Not here: what is searched (`secret_structures`,
`secret_assignments`, `redaction_formats`) and what makes a value credible (`credibility`).

One pass of RE2 over the bytes, without groups, so that it is one automaton that reads each byte once: beginnings of
known formats, structures, words with a value behind. Only what it points at is looked at in Python. Redacting again
changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from enum import Enum
from functools import cache
from operator import itemgetter
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, Union, get_args, get_origin
from uuid import UUID

import re2

from debug_loop_pipeline.client import secret_assignments, secret_structures
from debug_loop_pipeline.client.redaction_formats import Span
from debug_loop_pipeline.text import clean_text

if TYPE_CHECKING:
    from debug_loop_pipeline.models.execution import ExecutionEvent

__all__ = ["clean_text", "find_secrets", "redact", "redact_event", "redact_events"]

E = TypeVar("E", bound="ExecutionEvent | dict[str, Any]")
_MAX_ROUNDS = 4
_NEAR = 200  # bytes
_SEARCHED_TOGETHER = 1 << 20  # bytes
_BETWEEN_EVENTS = b"\n\n\x00\n\n"  # ends a value, a word before it and the space between them
_TEXTLESS = (NoneType, bool, int, float, datetime, UUID, Enum)


def redact(text: str) -> str:
    """`text` with every secret as `<REDACTED:kind>`; `text` itself where there is none. Never fails, whatever it
    holds.
    """
    for _ in range(_MAX_ROUNDS):  # a second round sees what stands together only now; nearly always it finds nothing
        data = text.encode("utf-8", "surrogatepass")
        spans = _find(data)
        if not spans:
            return text
        text = _replace(data, spans).decode("utf-8", "surrogatepass")
    return text


def find_secrets(text: str) -> list[tuple[str, int, int]]:
    """(kind, start, end) of every secret in `text`, in order, as positions of characters. Empty for redacted text."""
    data = text.encode("utf-8", "surrogatepass")
    found: list[tuple[str, int, int]] = []
    at_byte = at_character = 0
    for kind, start, end in _find(data):
        first = at_character + len(data[at_byte:start].decode("utf-8", "surrogatepass"))
        at_character = first + len(data[start:end].decode("utf-8", "surrogatepass"))
        at_byte = end
        found.append((kind, first, at_character))
    return found


def redact_event(event: E) -> E:
    """`event` with every text in it redacted, at any depth; `event` itself where there is no secret.

    In mappings the key is context for its value: `{"password": "..."}` is an assignment.
    """
    texts: list[str] = []
    _collect(event, texts)
    # One search over all texts: nothing but white space that ends a value stands between them.
    if not _find("\n\n".join(texts).encode("utf-8", "surrogatepass")):
        return event
    if isinstance(event, dict):
        return _redact_deep(event)  # type: ignore[no-any-return]
    return type(event).model_validate(_redact_deep(event.model_dump()))


def redact_events(events: Iterable[E]) -> list[E]:
    """`redact_event` of each; the texts of many are searched at once, and only events with a find are looked at alone."""
    redacted: list[E] = []
    parts: list[bytes] = []
    size = 0
    for event in events:
        texts: list[str] = []
        _collect(event, texts)
        parts.append("\n\n".join(texts).encode("utf-8", "surrogatepass"))
        size += len(parts[-1])
        redacted.append(event)
        if size > _SEARCHED_TOGETHER:
            _redact_found(redacted, parts)
            size = 0
    _redact_found(redacted, parts)
    return redacted


def _redact_found(events: list[E], parts: list[bytes]) -> None:
    """Redacts those of the last events in whose texts (`parts`, emptied) a secret is."""
    spans = _find(_BETWEEN_EVENTS.join(parts))
    if spans:
        start = 0
        for index, part in enumerate(parts, len(events) - len(parts)):
            end = start + len(part)
            if any(span.start < end and start < span.end for span in spans):
                events[index] = redact_event(events[index])
            start = end + len(_BETWEEN_EVENTS)
    parts.clear()


def _find(data: bytes) -> list[Span]:
    """Every secret in UTF-8 `data`, in order, without overlap."""
    search = _finder().search
    spans: list[Span] = []
    position = 0
    while (hit := search(data, position)) is not None:
        start = hit.start()
        span, resume = secret_assignments.check(data, start, position)
        if resume > start:
            span = span and _named_by_format(data, span)
        else:  # no word is there, so it is a form
            span = secret_structures.check(data, start)
            # What lies between a trigger and a secret far behind it is searched as well.
            resume = span.end if span is not None and span.start - start < _NEAR else start + 1
        if span is not None:
            spans.append(span)
        position = max(resume, start + 1)
    return _without_overlap(spans) if len(spans) > 1 else spans


def _named_by_format(data: bytes, span: Span) -> Span:
    """An assigned value that is of a known format bears the format's name."""
    form = secret_structures.check(data, span.start)
    return span if form is None or form.start != span.start else form._replace(end=max(span.end, form.end))


def _without_overlap(spans: list[Span]) -> list[Span]:
    """In order of position; of two that overlap, one from the first's start to the later end."""
    spans.sort(key=lambda span: (span.start, -span.end))
    merged = spans[:1]
    for span in spans[1:]:
        last = merged[-1]
        if span.start < last.end:
            merged[-1] = last._replace(end=max(last.end, span.end))
        else:
            merged.append(span)
    return merged


@cache
def _finder() -> Any:
    """One automaton for all triggers."""
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1  # bytes: no automaton for UTF-8, no folds outside ASCII
    options.never_capture = True
    options.max_mem = 64 << 20
    options.log_errors = False
    triggers = [*secret_structures.triggers(), secret_assignments.TRIGGER]
    return re2.compile("|".join(f"(?:{trigger})" for trigger in triggers).encode(), options)


def _replace(data: bytes, spans: list[Span]) -> bytes:
    parts: list[bytes] = []
    done = 0
    for kind, start, end in spans:
        parts += (data[done:start], b"<REDACTED:", kind.encode(), b">")
        done = end
    parts.append(data[done:])
    return b"".join(parts)


def _collect(value: Any, texts: list[str]) -> None:
    """Every text in `value`, at any depth: of mappings, sequences and the fields of models."""
    if isinstance(value, str):
        texts.append(value)
    elif isinstance(value, dict):
        for key, item in value.items():
            if isinstance(key, str):
                texts.append(_as_assignment(key, item) if isinstance(item, str) else key)
            _collect(item, texts)
    elif isinstance(value, list | tuple | set | frozenset):
        _collect_all(value, texts)
    elif hasattr(value, "__pydantic_fields_set__"):
        model: Any = type(value)
        _collect_all(_fields_with_text(model)(vars(value)), texts)


def _collect_all(values: Iterable[Any], texts: list[str]) -> None:
    """`_collect` of each, the usual kinds first."""
    for value in values:
        if type(value) is str:
            texts.append(value)
        elif value:
            _collect(value, texts)


@cache
def _fields_with_text(model: Any) -> Callable[[dict[str, Any]], Iterable[Any]]:
    """Out of a model's fields those that may hold text by their type: most are numbers, times and ids."""
    names = [name for name, field in model.model_fields.items() if _may_hold_text(field.annotation)]
    return itemgetter(*names) if len(names) > 1 else lambda values: [values[name] for name in names]


def _may_hold_text(annotation: Any) -> bool:
    if get_origin(annotation) in (Union, UnionType, Annotated):
        return any(map(_may_hold_text, get_args(annotation)[: 1 if get_origin(annotation) is Annotated else None]))
    return not (isinstance(annotation, type) and issubclass(annotation, _TEXTLESS))


def _redact_deep(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {_redact_deep(key): _redact_member(key, item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return type(value)(_redact_deep(item) for item in value)
    return value


def _redact_member(key: Any, item: Any) -> Any:
    """The value of a mapping: redacted by itself, and whole where only its key says that it is a secret."""
    redacted = _redact_deep(item)
    if isinstance(key, str) and isinstance(redacted, str):
        assignment = _as_assignment(key, redacted)
        for kind, start, end in find_secrets(assignment):
            if start >= len(assignment) - len(redacted) - 1 and end - start == len(redacted):
                return f"<REDACTED:{kind}>"
    return redacted


def _as_assignment(key: str, value: str) -> str:
    return f'"{key}": "{value}"'
