"""Which parts of a change are credited with an error (DOMAIN 3.8 "Resolution").

Where the error names files and parts of the change are in them, those parts; else all. Before that the change is
reduced to its net: a hunk that a later rewrite of the whole file has undone is no part of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from debug_loop_pipeline.compute.resolution import ChangePart
from debug_loop_pipeline.compute.task_attempts import TaskError
from debug_loop_pipeline.models.errors import ErrorCategory, SlotKind

_PROSE = re.compile(r"\.(?:md|mdx|rst|txt|adoc)$", re.IGNORECASE)
_FIXES = re.compile(r"(?i)--fix\b|--write\b|--unsafe-fixes|[:\s-]fix\b|--apply\b")
_FORMATS = re.compile(
    r"(?i)\bfmt\b|\bformat\b|\bgofmt\b|\bgofumpt\b|\bgoimports\b|\bprettier\b|\bblack\b|\bisort\b|rustfmt"
)
_ABOUT_FORMAT = re.compile(r"(?i)format|fmt|prettier|black|isort|indent|whitespace|import order|sorted")


def credited_parts(error: TaskError, change: Sequence[ChangePart]) -> tuple[ChangePart, ...]:
    """The parts of `change` that the error's going (or staying) is put down to, in order; never empty for a change."""
    net = _net(change)
    named = _named_files(error)
    inside = [part for part in net if _in_files(part, named) or _tool_touches(part, error)]
    if inside and named:
        return tuple(inside)
    code = [part for part in net if not _is_prose(part)]
    return tuple(code or net)


def _named_files(error: TaskError) -> list[str]:
    """Files the error names: its path, its frames, its test, the paths in its message."""
    slots = [slot.value for slot in error.pattern.slots if slot.kind is SlotKind.PATH]
    return [name for name in (_segments(file) for file in (*error.files, *slots)) if name]


def _segments(path: str) -> str:
    unix = path.replace("\\", "/").strip()
    while unix.startswith("./"):
        unix = unix[2:]
    return "/" + unix.lstrip("/") if unix.strip("/.") else ""


def _in_files(part: ChangePart, named: Sequence[str]) -> bool:
    """Whether a part is in one of the files; the shorter of two paths must end the longer one."""
    own = [_segments(file) for file in part.files]
    return any(a and (a.endswith(b) or b.endswith(a)) for a in own for b in named)


def _tool_touches(part: ChangePart, error: TaskError) -> bool:
    """A fixer changes the files that its linter names, a formatter those that are ill formed; they name none."""
    if part.command is None or part.files or error.pattern.category is not ErrorCategory.LINT_ERROR:
        return False
    if _FIXES.search(part.command.command):
        return True
    about = f"{error.pattern.pattern} {error.tool or ''}"
    return bool(_FORMATS.search(part.command.command) and _ABOUT_FORMAT.search(about))


def _is_prose(part: ChangePart) -> bool:
    return bool(part.files) and all(_PROSE.search(file) for file in part.files)


def _net(change: Sequence[ChangePart]) -> list[ChangePart]:
    """The change without hunks that nothing is left of: the whole file was written anew after them, without their text."""
    rewritten: dict[str, str] = {}
    kept: list[ChangePart] = []
    for part in reversed(change):
        edit = part.edit
        undone = False
        for file in part.files:
            final = rewritten.get(file)
            if final is not None:
                undone = edit is None or not _survives(edit.before, edit.after, final)
        if not undone:
            kept.append(part)
        if edit is not None and edit.after is not None and edit.path not in rewritten and _is_whole_file(part):
            rewritten[edit.path] = edit.after
    return kept[::-1]


def _is_whole_file(part: ChangePart) -> bool:
    edit = part.edit
    assert edit is not None
    return edit.before is None and edit.after is not None


def _survives(before: str | None, after: str | None, final: str) -> bool:
    """Whether any line that a hunk brought in is in the final text."""
    old = set((before or "").splitlines())
    brought = [line.strip() for line in (after or "").splitlines() if line not in old and line.strip()]
    return not brought or any(line in final for line in brought)
