"""What moved when the same facts were derived again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from debug_loop_pipeline.compute.recompute_diff import RecomputeDiff

COLUMNS = ("attempt_id", "signature", "details")


def diff_of(before: Sequence[tuple[Any, ...]], after: Sequence[tuple[Any, ...]]) -> RecomputeDiff:
    diff = RecomputeDiff({"old"})
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in before]
    diff.compare("attempt_errors", COLUMNS, ("attempt_id",), rows, after)
    return diff


def test_json_is_the_same_whatever_the_order_of_its_keys_and_whether_its_lists_are_tuples() -> None:
    stored = [("a", "s", {"kind": "edit", "steps": [1, 2]})]
    derived = [("a", "s", {"steps": (1, 2), "kind": "edit"})]
    assert diff_of(stored, derived).report()["tables"]["attempt_errors"]["same"] == 1
    other = [("a", "s", {"steps": (2, 1), "kind": "edit"})]
    assert diff_of(stored, other).report()["tables"]["attempt_errors"]["changed"] == 1


def test_chunks_that_are_compared_apart_add_up_to_one_comparison() -> None:
    before = [(str(n), f"s{n % 3}", {"n": n}) for n in range(40)]
    after = [(str(n), f"t{n % 4}", {"n": n + n % 2}) for n in range(5, 45)]
    whole = diff_of(before, after).report()
    parts = RecomputeDiff()
    for first in range(0, 45, 7):
        chosen = {str(n) for n in range(first, first + 7)}
        parts.add(diff_of([r for r in before if r[0] in chosen], [r for r in after if r[0] in chosen]))
    assert parts.versions == {"old"}
    together = parts.report()
    assert (together["tables"], together["groups"]) == (whole["tables"], whole["groups"])
    assert len(together["samples"]) == len(whole["samples"]) == 10
