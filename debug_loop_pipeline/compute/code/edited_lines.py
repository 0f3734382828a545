"""Which lines of a file an attempt's edits wrote (DOMAIN 3.3: a function written by an edit is taken whole).

Here: finding the new text of an edit in the file as it stands after all of them. Not here: what is done with the lines.
"""

from __future__ import annotations

from collections.abc import Sequence

from debug_loop_pipeline.models.execution import Edit

_MOST_PLACES = 50


def edited_rows(content: str, edits: Sequence[Edit]) -> frozenset[int] | None:
    """Rows (0-based) of `content` that edits wrote.

    Text that occurs in several places counts in each of them (at most 50). An edit whose text is no longer there was
    overwritten by a later one and counts nowhere.

    Args:
        content: the file after the attempt, with line feeds only.
        edits: the edits of this file.

    Returns:
        The rows; None when no edit can be placed, so that nothing is known.
    """
    rows: set[int] = set()
    placed = False
    for edit in edits:
        after = (edit.after or "").replace("\r\n", "\n")
        if not after.strip():
            continue
        first, last = _changed_part((edit.before or "").replace("\r\n", "\n"), after)
        at = content.find(after)
        for _ in range(_MOST_PLACES):
            if at < 0:
                break
            placed = True
            row = content.count("\n", 0, at)
            rows.update(range(row + first, row + last + 1))
            at = content.find(after, at + 1)
    return frozenset(rows) if placed else None


def _changed_part(before: str, after: str) -> tuple[int, int]:
    """First and last row of `after`, both inside it, without the lines it has in common with `before` at its ends."""
    old, new = before.split("\n"), after.split("\n")
    first = 0
    while first < min(len(old), len(new)) and old[first] == new[first]:
        first += 1
    common = 0
    while common < min(len(old), len(new)) - first and old[-1 - common] == new[-1 - common]:
        common += 1
    last = len(new) - 1 - common
    # A pure deletion leaves no line of its own: the line where it was stands for it.
    return (first, last) if first <= last else (max(0, min(last, len(new) - 1)), min(first, len(new) - 1))
