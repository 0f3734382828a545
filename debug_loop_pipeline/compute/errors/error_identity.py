"""When two errors of one task are the same error (DOMAIN 3.7, last sentence of the signatures)."""

from __future__ import annotations

import re

from debug_loop_pipeline.models.errors import SUBJECT_SLOTS, ErrorCategory, ErrorPattern, SlotKind

_ASSERTION_TYPES = frozenset(
    {"AssertionError", "AssertionFailedError", "AssertionException", "ComparisonFailure", "Failed", "FailedAssertion"}
)

ErrorKey = tuple[str, tuple[str, ...], str]
"""(signature, what it is about, failing test or ""); of an assertion ("assertion", (), test)."""

_TEMP_ROOT = re.compile(r"(?:^|(?<=/))(?:private/)?(?:tmp|temp|T|Temp)/")
_RANDOM_SEGMENT = re.compile(
    r"(?:tmp\w{6,}|pytest-\d+|.*[-_.]?(?=[A-Za-z0-9_]*\d)(?=[A-Za-z0-9_]*[A-Za-z])[A-Za-z0-9_]{6,}"
    r"|.*[-_.](?=[a-z]*[A-Z])(?=[A-Z]*[a-z])[A-Za-z0-9]{6}|.*\d{3,})"
)


def fold_temporary(path: str) -> str:
    """`path` with the segments that a temporary directory draws at random replaced by `*`."""
    unix = path.replace("\\", "/")
    match = _TEMP_ROOT.search(unix)
    if match is None:
        return path
    folded = [
        "*" if _RANDOM_SEGMENT.fullmatch(part) and "." not in part else part for part in unix[match.end() :].split("/")
    ]
    return "<TMP>/" + "/".join(folded)


def error_key(pattern: ErrorPattern, *, signature: str | None = None, test: str | None = None) -> ErrorKey:
    """What tells `pattern` from other errors of its task.

    A test that still says no is still failing, whatever it says this time: an assertion is told apart by its test alone.
    An exception that stops a test is told apart by what it is, too: it may go and leave another failure of the test.

    Args:
        pattern: the error.
        signature: its group, where a person merged or split groups; else the pattern's own.
        test: the failing test, where the source names one; else the one that the message names.
    """
    failing = test or pattern.test or ""
    if failing and _is_assertion(pattern):
        return "assertion", (), failing
    subjects = tuple(
        fold_temporary(slot.value) if slot.kind is SlotKind.PATH else slot.value
        for slot in pattern.slots
        if slot.kind in SUBJECT_SLOTS
    )
    return signature or pattern.signature, subjects, failing


def _is_assertion(pattern: ErrorPattern) -> bool:
    """Whether a test says no by itself, as opposed to an exception or a compiler that stops it."""
    if pattern.error_type in _ASSERTION_TYPES:
        return True
    if pattern.category is not ErrorCategory.TEST_FAILURE:
        return False
    # In Rust an assertion panics as anything else does; what it says tells it.
    asserts = pattern.error_type == "panic" and pattern.pattern.startswith("panic: assertion ")
    return asserts or pattern.error_type is None or pattern.error_type == "Error"
