"""Size limits of an event's text: what is over is cut and marked (DOMAIN 3.1). Applied after redaction, so no secret is cut in half."""

from __future__ import annotations

from debug_loop_pipeline.models.execution import CodeBlob, Command, Edit, ExecutionError, ExecutionEvent, Verification
from debug_loop_pipeline.settings import TextLimits
from debug_loop_pipeline.text import cut


def limit_event(event: ExecutionEvent, limits: TextLimits) -> ExecutionEvent:
    """The event with every text field within its limit; the same object where nothing is over."""
    field, code = limits.field_chars, limits.code_chars

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

    if not _over(event, field, code):
        return event
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


def _over(event: ExecutionEvent, field: int, code: int) -> bool:
    texts = (event.user_request, event.approach_description, *(c.command for c in event.commands))
    return (
        any(text is not None and len(text) > field for text in texts)
        or any(len(v.command) > field or len(v.goal) > field for v in event.verifications)
        or any(len(e.message) > field or len(e.stacktrace or "") > field for e in event.errors)
        or any(len(e.before or "") > code or len(e.after or "") > code for e in event.edits)
        or any(len(b.content) > code for b in event.code_written)
    )
