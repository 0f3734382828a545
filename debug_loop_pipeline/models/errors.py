"""What one error message comes to: pattern, slots, type, category, origin and signatures (DOMAIN 3.7)."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from debug_loop_pipeline.models.base import FrozenModel, Origin


class ErrorCategory(StrEnum):
    """What kind of trouble an error is."""

    FILE_ERROR = "file_error"
    IMPORT_ERROR = "import_error"
    SYNTAX_ERROR = "syntax_error"
    RUNTIME_ERROR = "runtime_error"
    PERMISSION_ERROR = "permission_error"
    NETWORK_ERROR = "network_error"
    TIMEOUT_ERROR = "timeout_error"
    TEST_FAILURE = "test_failure"
    BUILD_ERROR = "build_error"
    LINT_ERROR = "lint_error"
    UNKNOWN = "unknown"


class SlotKind(StrEnum):
    """Name of a placeholder, as it stands in a pattern between `<` and `>`."""

    VALUE = "VALUE"
    VAR = "VAR"
    PATH = "PATH"
    LINE = "LINE"
    ADDR = "ADDR"
    UUID = "UUID"
    TIMESTAMP = "TIMESTAMP"
    DURATION = "DURATION"
    NUM = "NUM"
    URL = "URL"
    HASH = "HASH"
    TEST = "TEST"


SUBJECT_SLOTS = frozenset({SlotKind.VALUE, SlotKind.VAR, SlotKind.PATH})
"""The kinds that say what an error is about: they tell errors of one signature apart and reach into templates."""


class Slot(FrozenModel):
    """One value that a placeholder replaced."""

    kind: SlotKind
    value: str


class ErrorPattern(FrozenModel):
    """An error message with its variable parts replaced.

    signature: SHA-256 hex of `pattern`, which begins with the error type where one is known. stack_signature: SHA-256
    hex over the type and the innermost in-app functions, None without a usable stack.
    """

    pattern: str
    slots: tuple[Slot, ...] = ()
    error_type: str | None = None
    category: ErrorCategory
    origin: Origin
    signature: str = Field(pattern=r"^[0-9a-f]{64}$")
    stack_signature: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    confidence: float = Field(ge=0.0, le=1.0)
    files: tuple[str, ...] = ()
    """Files that the message and the in-app frames name, innermost first."""
    test: str | None = None
    """The failing test that the message itself names: context, never part of the pattern."""

    @property
    def subjects(self) -> tuple[str, ...]:
        """The VALUE, VAR and PATH slots in order: the numbering of `<SLOT n>` in templates, from 1."""
        return tuple(slot.value for slot in self.slots if slot.kind in SUBJECT_SLOTS)
