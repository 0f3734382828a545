"""Samples of tables in metadata: Markdown that shows untrusted text as it stands, and cuts that are seen."""

from __future__ import annotations

from debug_loop_pipeline.assets.tables import table_sample


def test_a_long_text_ends_with_the_mark_of_a_cut() -> None:
    cells = table_sample([{"short": "KeyError", "long": "x" * 300}]).value.splitlines()[-1].strip("| ").split(" | ")
    assert cells[0] == "KeyError"
    assert (len(cells[1]), cells[1][-2:]) == (100, "x…")


def test_placeholders_and_bars_are_shown_and_not_taken_for_markup() -> None:
    assert "&lt;PATH&gt; \\| \\*" in table_sample([{"pattern": "<PATH> | *"}]).value
