"""What `explain` prints about a session: verifications, fixes and failed tries by their tool calls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from debug_loop_pipeline.compute.fixes.credit import credit_task
from debug_loop_pipeline.compute.fixes.lessons import FailedTry, Fix, TaskCredit, tool_call_ids
from debug_loop_pipeline.compute.fixes.task_attempts import SignatureOf, TaskAttempt, TaskVerification, task_attempts
from debug_loop_pipeline.models.base import Verdict
from debug_loop_pipeline.models.execution import ExecutionEvent

_VERDICT_ORDER = (Verdict.FAIL, Verdict.PASS, Verdict.UNCLEAR, Verdict.CANCELLED)
"""Of several verdicts in one tool call the first of these is the call's."""


def explain_sessions(
    events: Iterable[ExecutionEvent], *, signature_of: SignatureOf | None = None
) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Per session what verified what, which error was gone where, and what is credited.

    Args:
        events: the holding revision of each attempt of whole tasks (a task may span sessions).
        signature_of: the group of an error; by default its own signature.

    Returns:
        {session id: {"verifications": [{tool_use_id, verdict, goal, errors}], "fixes": [{failed, gone_at, passed,
        signature, pattern, changes}], "failed_tries": [{signature, pattern, changes, failed_again}]}}; a fix stands
        with the session that showed it gone, a failed try with the one that showed the error again.
    """
    verifications: dict[str, list[TaskVerification]] = defaultdict(list)
    fixes: dict[str, list[Fix]] = defaultdict(list)
    failed_tries: dict[str, list[FailedTry]] = defaultdict(list)
    for attempts in task_attempts(events, signature_of=signature_of).values():
        credit = credit_task(attempts)
        _collect(attempts, credit, verifications, fixes, failed_tries)
    return {
        session: {
            "verifications": _verifications(verifications[session]),
            "fixes": _merged(_fix(fix) for fix in fixes[session]),
            "failed_tries": _merged(_failed_try(tried) for tried in failed_tries[session]),
        }
        for session in sorted(verifications)
    }


def explain_session(
    session_id: str, events: Iterable[ExecutionEvent], *, signature_of: SignatureOf | None = None
) -> dict[str, list[dict[str, Any]]]:
    """One session of `explain_sessions`; empty lists for a session without a verification."""
    empty: dict[str, list[dict[str, Any]]] = {"verifications": [], "fixes": [], "failed_tries": []}
    return explain_sessions(events, signature_of=signature_of).get(session_id, empty)


def _collect(
    attempts: Sequence[TaskAttempt],
    credit: TaskCredit,
    verifications: dict[str, list[TaskVerification]],
    fixes: dict[str, list[Fix]],
    failed_tries: dict[str, list[FailedTry]],
) -> None:
    for attempt in attempts:
        for verification in attempt.verifications:
            verifications[verification.session_id or ""].append(verification)
    for fix in credit.fixes:
        fixes[fix.gone_at.session_id or ""].append(fix)
    for tried in credit.failed_tries:
        failed_tries[tried.failed_again.session_id or ""].append(tried)


def _call(verification: TaskVerification) -> str:
    """The tool call; for a verification without one (a verdict from outside) its place in its attempt."""
    return verification.ref.tool_call_id or f"{verification.ref.attempt_id}:{verification.ref.index}"


def _verifications(found: Sequence[TaskVerification]) -> list[dict[str, Any]]:
    """One entry per tool call: a compound command has one verdict, failed where one of its goals failed."""
    by_call: dict[str, list[TaskVerification]] = defaultdict(list)
    for verification in sorted(found, key=lambda v: (v.at, str(v.ref.attempt_id), v.ref.step, v.ref.index)):
        by_call[_call(verification)].append(verification)
    return [
        {
            "tool_use_id": call,
            "verdict": min((v.verification.verdict for v in of_call), key=_VERDICT_ORDER.index).value,
            "goal": " && ".join(dict.fromkeys(v.ref.goal for v in of_call)),
            "errors": [
                {
                    "signature": error.signature,
                    "pattern": error.pattern.pattern,
                    "category": error.pattern.category.value,
                    "test": error.key[2] or None,
                    "files": list(error.files),
                }
                for v in of_call
                for error in v.errors
            ],
        }
        for call, of_call in by_call.items()
    ]


def _fix(fix: Fix) -> dict[str, Any]:
    return {
        "failed": _call(fix.failed),
        "gone_at": _call(fix.gone_at),
        "passed": _call(fix.passed),
        "signature": fix.error.signature,
        "pattern": fix.error.pattern.pattern,
        "changes": list(tool_call_ids(fix.changes)),
    }


def _failed_try(tried: FailedTry) -> dict[str, Any]:
    return {
        "failed_again": _call(tried.failed_again),
        "signature": tried.error.signature,
        "pattern": tried.error.pattern.pattern,
        "changes": list(tool_call_ids(tried.changes)),
    }


def _merged(entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Errors of one signature that went, or stayed, together are one entry; their changes are put together."""
    merged: dict[tuple[str, ...], dict[str, Any]] = {}
    for entry in entries:
        key = tuple(str(value) for name, value in entry.items() if name not in ("changes", "pattern"))
        known = merged.setdefault(key, entry)
        known["changes"] = list(dict.fromkeys((*known["changes"], *entry["changes"])))
    return list(merged.values())
