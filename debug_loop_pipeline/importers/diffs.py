"""Edits out of change texts: unified diffs, `apply_patch` envelopes and SEARCH/REPLACE blocks.

Each stretch of removed and added lines becomes one edit, without the context around it. Not here: telling whether a
change was carried out.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from debug_loop_pipeline.models.trajectory import FileEdit

MAX_COMPARED_LINES = 20_000
"""Files of more lines are not compared line by line: the comparison takes quadratic time."""

_HUNK = re.compile(r"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_ENVELOPE_FILE = re.compile(r"^\*\*\* (Add|Update|Delete) File: (.+?)\s*$")
_MOVE = re.compile(r"^\*\*\* Move to: (.+?)\s*$")


def diff_edits(text: str) -> list[FileEdit]:
    """The edits of a unified diff (git's or diff's; hunk headers may lack numbers). What is not part of a hunk is
    ignored; a deleted file has `after` None.
    """
    edits: list[FileEdit] = []
    old_path = new_path = ""
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.startswith("--- ") and at + 1 < len(lines) and lines[at + 1].startswith("+++ "):
            old_path, new_path = _diff_path(line), _diff_path(lines[at + 1])
            at += 2
            continue
        if not line.startswith("@@") or not (old_path or new_path):
            at += 1
            continue
        body, at = _hunk_body(lines, at)
        path = old_path if new_path == "/dev/null" else new_path
        whole = None
        if old_path == "/dev/null":
            whole = "".join(f"{line[1:]}\n" for line in body if line.startswith("+"))
        edits += _changes(path, body, deleted=new_path == "/dev/null", whole=whole)
    return edits


def _hunk_body(lines: list[str], at: int) -> tuple[list[str], int]:
    """The lines of the hunk whose header stands at `at`, and where it ends: by the header's counts, else at the next
    header.
    """
    hunk = _HUNK.match(lines[at])
    old_left = new_left = len(lines)
    if hunk is not None:
        old_left = int(hunk[2]) if hunk[2] is not None else 1
        new_left = int(hunk[4]) if hunk[4] is not None else 1
    at += 1
    body: list[str] = []
    while at < len(lines) and (old_left > 0 or new_left > 0):
        mark = lines[at][:1]
        if hunk is None and lines[at].startswith(("@@", "--- ", "+++ ", "diff --git ")):
            break
        if mark == "-":
            old_left -= 1
        elif mark == "+":
            new_left -= 1
        elif mark in (" ", ""):
            old_left -= 1
            new_left -= 1
        elif mark != "\\":
            break
        body.append(lines[at])
        at += 1
    return body, at


def _diff_path(line: str) -> str:
    path = line[4:].split("\t", 1)[0].strip().strip('"')
    return path[2:] if path.startswith(("a/", "b/")) else path


def _changes(path: str, body: Iterable[str], *, deleted: bool, whole: str | None) -> Iterator[FileEdit]:
    removed: list[str] = []
    added: list[str] = []
    for line in [*body, " "]:
        if line.startswith("-"):
            if added:
                yield _edit(path, removed, added, deleted, whole)
                removed, added = [], []
            removed.append(line[1:])
        elif line.startswith("+"):
            added.append(line[1:])
        elif not line.startswith("\\") and (removed or added):
            yield _edit(path, removed, added, deleted, whole)
            removed, added = [], []


def _edit(path: str, removed: list[str], added: list[str], deleted: bool, whole: str | None) -> FileEdit:
    return FileEdit(
        path=path,
        before="".join(f"{line}\n" for line in removed),
        after=None if deleted else "".join(f"{line}\n" for line in added),
        content=whole,
    )


def envelope_edits(text: str) -> list[FileEdit]:
    """The edits of an `apply_patch` envelope (`*** Begin Patch` ... `*** Update File: p` ... `@@` ... `*** End
    Patch`).
    """
    edits: list[FileEdit] = []
    action = path = ""
    body: list[str] = []

    def close() -> None:
        if not path:
            return
        if action == "Delete":
            edits.append(FileEdit(path, None, None))
        elif action == "Add":
            content = "".join(f"{line[1:]}\n" for line in body if line.startswith("+"))
            edits.append(FileEdit(path, "", content, content))
        else:
            edits.extend(_changes(path, body, deleted=False, whole=None))

    for line in text.splitlines():
        header = _ENVELOPE_FILE.match(line)
        if header:
            close()
            action, path, body = header[1], header[2], []
        elif line.startswith("*** End Patch"):
            close()
            path = ""
        elif move := _MOVE.match(line):
            edits.append(FileEdit(path, None, None))
            path = move[1]
        elif line.startswith("@@") or line.startswith("*** "):
            body.append(" ")
        else:
            body.append(line)
    close()
    return edits


def patch_edits(text: str) -> list[FileEdit]:
    """The edits of a change text of either form."""
    return envelope_edits(text) if "*** Begin Patch" in text or "*** Update File:" in text else diff_edits(text)


def changed_parts(path: str, old: str, new: str) -> list[FileEdit]:
    """The edits between two states of a whole file, one for each stretch of changed lines; the last state is each
    one's content.
    """
    before, after = old.splitlines(), new.splitlines()
    if len(before) + len(after) > MAX_COMPARED_LINES:
        return [FileEdit(path, old, new, new)]
    parts = difflib.SequenceMatcher(None, before, after).get_opcodes()
    return [FileEdit(path, _join(before[a:b]), _join(after[c:d]), new) for kind, a, b, c, d in parts if kind != "equal"]


@dataclass(frozen=True, slots=True)
class SearchReplace:
    """One SEARCH/REPLACE block; `path` is "" where none was named."""

    path: str
    search: str
    replace: str

    def edit(self) -> FileEdit:
        """The edit it asks for; an empty search makes a file or appends to it."""
        return FileEdit(self.path, self.search, self.replace)


_SEARCH = re.compile(r"^<{5,9} ?(?:SEARCH|ORIGINAL)>?\s*$")
_DIVIDER = re.compile(r"^={5,9}\s*$")
_REPLACE = re.compile(r"^>{5,9} ?(?:REPLACE|UPDATED)\s*$")
_FENCE = re.compile(r"^(?:```|~~~|<(?:source|code|pre|codeblock|sourcecode)>)")
_PATH_NOISE = " \t`*#:\"'"


def search_replace_blocks(text: str) -> list[SearchReplace]:
    """The complete SEARCH/REPLACE blocks of a message, in order. The file is named on a line before the block, or it
    is the last one's.
    """
    blocks: list[SearchReplace] = []
    lines = text.splitlines()
    path = ""
    at = 0
    while at < len(lines):
        if not _SEARCH.match(lines[at]):
            at += 1
            continue
        path = _named_before(lines, at) or path
        divider = _find(_DIVIDER, lines, at + 1)
        end = _find(_REPLACE, lines, (divider or at) + 1)
        if divider is None or end is None:
            break
        blocks.append(SearchReplace(path, _join(lines[at + 1 : divider]), _join(lines[divider + 1 : end])))
        at = end + 1
    return blocks


def _find(pattern: re.Pattern[str], lines: list[str], start: int) -> int | None:
    return next((index for index in range(start, len(lines)) if pattern.match(lines[index])), None)


def _join(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _named_before(lines: list[str], at: int) -> str:
    """A file name on one of the three lines before a block, past the fence that opens it."""
    for line in reversed(lines[max(0, at - 3) : at]):
        if _REPLACE.match(line):
            return ""
        stripped = line.strip()
        if not stripped or _FENCE.match(stripped):
            continue
        name = stripped.strip(_PATH_NOISE)
        if name and " " not in name and ("." in name or "/" in name):
            return name
        return ""
    return ""
