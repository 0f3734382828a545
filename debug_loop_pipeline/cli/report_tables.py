"""The report as tables of text, for the screen and for HTML alike."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

from debug_loop_pipeline.effects.report_store import effect_rows
from debug_loop_pipeline.text import shorten

_SHORT = 100


def change_in_short(kind: str, template: str, example_diff: str) -> str:
    """A change on a few lines: the command, or the first lines an example took away and added."""
    if kind == "command":
        return shorten(template, _SHORT)
    lines = [line for line in example_diff.splitlines() if line[:1] in "+-" and not line.startswith(("---", "+++"))]
    gone = [line for line in lines if line.startswith("-") and line[1:].strip()][:1]
    came = [line for line in lines if line.startswith("+") and line[1:].strip()][:2]
    if not gone and not came:
        return shorten(template, _SHORT)
    # What they are indented alike goes; where only the indentation changed, it is the change.
    told = dedent("\n".join(line[1:].rstrip() for line in (*gone, *came))).splitlines()
    return "\n".join(
        shorten(f"{line[0]} {text}", _SHORT, keep_spaces=True) for line, text in zip((*gone, *came), told, strict=True)
    )


Table = tuple[str, tuple[str, ...], list[tuple[Any, ...]]]


def report_tables(found: dict[str, Any], by: str = "model") -> list[Table]:
    """(title, columns, rows) of each table; a title names the command that shows where its numbers come from.

    Args:
        found: `report_store.overview`.
        by: one of `report_store.COSTS_BY`.
    """
    counts = found["mapping_counts"][0]
    return [
        (
            "attempts by outcome and evidence",
            ("outcome", "evidence", "attempts"),
            [(r["outcome"], r["evidence_tier"], r["attempts"]) for r in found["attempts"]],
        ),
        (
            "who worked (debug-loop explain --session ID)",
            ("agent", "source", "attempts", "tasks"),
            [(r["agent_name"], r["importer"], r["attempts"], r["tasks"]) for r in found["agents"]],
        ),
        (
            "top errors (debug-loop errors show SIGNATURE)",
            ("signature", "category", "pattern", "errors", "tasks", "USD", "fixes"),
            [
                (
                    r["signature"][:12],
                    r["category"],
                    shorten(r["pattern"], 100),
                    r["errors"],
                    r["tasks"],
                    "" if r["cost_usd"] is None else f"{r['cost_usd']:.4f}",
                    r["fixes"],
                )
                for r in found["top_errors"]
            ],
        ),
        (
            f"fixes learned: {counts['with_a_success']} error→success mappings for {counts['signatures']} signatures,"
            f" {counts['confident']} confident (debug-loop explain --mapping ID)",
            ("mapping", "error", "change", "worked", "failed", "lower bound", "state"),
            [
                (
                    r["mapping_id"][:12],
                    shorten(r["pattern"], 60),
                    change_in_short(r["kind"], r["template"], r["example_diff"]),
                    r["success_count"],
                    r["failure_count"],
                    f"{r['wilson_lower_bound']:.2f}",
                    r["state"],
                )
                for r in found["fixes"]
            ],
        ),
        (
            "does what is served help? both arms with 95 % intervals (debug-loop effect)",
            ("measure", "tasks served / held out", "served", "held out", "change", "p"),
            [tuple(row.values()) for row in effect_rows(found["effect"])],
        ),
        (
            "stuck: one error again and again without progress (debug-loop errors show SIGNATURE)",
            ("signature", "pattern", "loops", "tasks", "repetitions", "USD"),
            [
                (
                    r["signature"][:12],
                    shorten(r["pattern"] or "", 100),
                    r["loops"],
                    r["tasks"],
                    r["repetitions"],
                    f"{r['cost_usd']:.4f}",
                )
                for r in found["stuck"]
            ],
        ),
        (
            "functions by tier (debug-loop stf list)",
            ("tier", "approval", "functions", "clusters"),
            [(r["quality_tier"], r["approval"], r["functions"], r["clusters"]) for r in found["functions_by_tier"]],
        ),
        (
            "golden states (debug-loop golden list)",
            ("state", "golden states"),
            [(r["state"], r["golden_states"]) for r in found["golden"]],
        ),
        _cost_table(found[f"cost_by_{by}"], by),
    ]


def _cost_table(rows: list[dict[str, Any]], by: str) -> Table:
    in_repository = ("repository",) if by in ("branch", "pull_request") else ()
    return (
        f"cost by {by.replace('_', ' ')} (debug-loop report --by; prices: debug-loop model list)",
        (*in_repository, by.replace("_", " "), "attempts", "tasks", "USD", "unpriced attempts", "tokens estimated"),
        [
            (
                *(r[column] for column in in_repository),
                r[by],
                r["attempts"],
                r["tasks"],
                "" if r["cost_usd"] is None else f"{r['cost_usd']:.4f}",
                r["unpriced"],
                "yes" if r["estimated"] else "no",
            )
            for r in rows
        ],
    )
