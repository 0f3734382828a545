"""Size limits of an event: text over one is cut and marked, errors over theirs are counted (DOMAIN 3.1, 3.7).

Applied after redaction, so no secret is cut in half. An event within its limits, or limited before, stays as it is but for long texts' marks.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from operator import attrgetter

from debug_loop_pipeline.models.execution import (
    CodeBlob,
    Command,
    Edit,
    ExecutionContext,
    ExecutionError,
    ExecutionEvent,
    UsageRecord,
    Verification,
)
from debug_loop_pipeline.settings import TextLimits
from debug_loop_pipeline.text import NAME_CHARS, cut, cut_name


def limit_event(event: ExecutionEvent, limits: TextLimits) -> ExecutionEvent:
    """The event with every text within its limit and every verification with at most so many errors; the same object where nothing is over."""
    if _names_over(event):
        event = _with_short_names(event)
    if len(event.errors) > limits.errors_per_verification:
        event = _with_few_errors(event, limits.errors_per_verification)
    if _texts_over(event, limits.field_chars, limits.code_chars):
        event = _with_short_texts(event, limits.field_chars, limits.code_chars)
    return event


def _with_short_texts(event: ExecutionEvent, field: int, code: int) -> ExecutionEvent:
    def short(text: str | None, limit: int = field) -> str | None:
        return None if text is None else cut(text, limit)

    def edit(e: Edit) -> Edit:
        return e.model_copy(update={"before": short(e.before, code), "after": short(e.after, code)})

    def command(c: Command) -> Command:
        return c.model_copy(update={"command": short(c.command)})

    def verification(v: Verification) -> Verification:
        return v.model_copy(update={"command": short(v.command), "goal": short(v.goal)})

    def error(e: ExecutionError) -> ExecutionError:
        return e.model_copy(update={"message": short(e.message), "stacktrace": short(e.stacktrace)})

    def blob(b: CodeBlob) -> CodeBlob:
        return b.model_copy(update={"content": short(b.content, code)})

    return event.model_copy(
        update={
            "user_request": short(event.user_request),
            "approach_description": short(event.approach_description),
            "edits": tuple(map(edit, event.edits)),
            "commands": tuple(map(command, event.commands)),
            "verifications": tuple(map(verification, event.verifications)),
            "errors": tuple(map(error, event.errors)),
            "code_written": tuple(map(blob, event.code_written)),
        }
    )


def _texts_over(event: ExecutionEvent, field: int, code: int) -> bool:
    texts = (event.user_request, event.approach_description, *(c.command for c in event.commands))
    return (
        any(text is not None and len(text) > field for text in texts)
        or any(len(v.command) > field or len(v.goal) > field for v in event.verifications)
        or any(len(e.message) > field or len(e.stacktrace or "") > field for e in event.errors)
        or any(len(e.before or "") > code or len(e.after or "") > code for e in event.edits)
        or any(len(b.content) > code for b in event.code_written)
    )


# -- ids, names and paths ------------------------------------------------------------------------------------------

_OWN = ("recommendation_id", "model_used", "provider")
_LISTS = ("stf_ids", "golden_state_ids", "hold_ids", "tools_used", "files_modified")
_OF_FILES = ("edits", "code_written", "errors")
_PLACES = tuple(ExecutionContext.model_fields)
_USAGE = ("message_id", "request_id", "model", "provider")
# Every event comes by here: getters in C instead of generators.
_own, _lists, _of_files = attrgetter(*_OWN), attrgetter(*_LISTS), attrgetter(*_OF_FILES)
_places, _usage = attrgetter(*_PLACES), attrgetter(*_USAGE)


def _names_over(event: ExecutionEvent) -> bool:
    names: list[str | None] = [*_own(event), *_places(event.context)]
    for listed in _lists(event):
        names += listed
    for record in event.usage:
        names += _usage(record)
    for written in _of_files(event):
        names += [one.path for one in written]
    return max(map(len, filter(None, names)), default=0) > NAME_CHARS


def _with_short_names(event: ExecutionEvent) -> ExecutionEvent:
    def short(name: str | None) -> str | None:
        return None if name is None else cut_name(name)

    def record(u: UsageRecord) -> UsageRecord:
        return u.model_copy(update={name: short(getattr(u, name)) for name in _USAGE})

    update: dict[str, object] = {name: tuple(map(short, getattr(event, name))) for name in _LISTS}
    update |= {name: short(getattr(event, name)) for name in _OWN}
    update["context"] = event.context.model_copy(update={name: short(getattr(event.context, name)) for name in _PLACES})
    update["usage"] = tuple(map(record, event.usage))
    for name in _OF_FILES:
        update[name] = tuple(w.model_copy(update={"path": short(w.path)}) for w in getattr(event, name))
    return event.model_copy(update=update)


# -- errors --------------------------------------------------------------------------------------------------------


def _with_few_errors(event: ExecutionEvent, limit: int) -> ExecutionEvent:
    """Of each verification that shows more than `limit` errors the first distinct ones; the others are counted."""
    told = Counter(error.verification for error in event.errors)
    seen: dict[int, set[object]] = defaultdict(set)
    kept: list[ExecutionError] = []
    for error in event.errors:
        shown_by = error.verification
        if shown_by is None or told[shown_by] <= limit:
            kept.append(error)
            continue
        identity = (error.type, error.message, error.tool, error.test, error.path, error.line)
        if identity not in seen[shown_by]:
            seen[shown_by].add(identity)
            if len(seen[shown_by]) <= limit:
                kept.append(error)
    over = {shown_by: len(distinct) - limit for shown_by, distinct in seen.items() if len(distinct) > limit}
    if len(kept) == len(event.errors):
        return event
    verifications = (
        v.model_copy(update={"cut": True}) if place in over else v for place, v in enumerate(event.verifications)
    )
    return event.model_copy(
        update={
            "errors": tuple(kept),
            "errors_not_kept": event.errors_not_kept + sum(over.values()),
            "verifications": tuple(verifications),
        }
    )
