"""The report as one self-contained HTML file: tables and charts, no script, nothing loaded from elsewhere."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from html import escape
from typing import Any

from debug_loop_pipeline.cli.report_tables import report_tables
from debug_loop_pipeline.text import shorten

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #1c2733; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.1rem; margin-top: 2.2rem; }
.table { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: 13px; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #dde3ea; vertical-align: top; }
td { white-space: pre-wrap; overflow-wrap: break-word; } th { background: #f4f6f9; }
.charts { display: flex; flex-wrap: wrap; gap: 1.5rem; } figure { margin: 0; } svg { max-width: 100%; height: auto; }
.note { color: #5b6875; }
"""
_BLUE, _RED, _GREEN = "#3b6ea5", "#b5483a", "#3d8f5f"


def render_html(found: dict[str, Any], by: str = "model") -> str:
    """The whole page, with cost by one of `report_store.COSTS_BY`."""
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>debug loop report</title>",
        f"<style>{_STYLE}</style></head><body><h1>What was learned</h1>",
        f"<p class='note'>Written {datetime.now(UTC):%Y-%m-%d %H:%M} UTC. The commands in the titles show where numbers come from.</p>",
        "<div class='charts'>",
        *(f"<figure>{svg}</figure>" for svg in _charts(found)),
        "</div>",
    ]
    for title, columns, rows in report_tables(found, by):
        parts.append(f"<h2>{escape(title)}</h2>{_table(columns, rows)}")
    return "".join([*parts, "</body></html>\n"])


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    if not rows:
        return "<p class='note'>nothing yet</p>"
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape('' if c is None else str(c))}</td>" for c in row) + "</tr>" for row in rows
    )
    return f"<div class='table'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _charts(found: dict[str, Any]) -> list[str]:
    days = found["attempts_by_day"]
    charts = []
    if days:
        labels = _day_labels([row["day"] for row in days])
        succeeded, failed = [r["succeeded"] for r in days], [r["failed"] for r in days]
        rest = [r["attempts"] - r["succeeded"] - r["failed"] for r in days]
        series = [("succeeded", succeeded, _GREEN), ("failed", failed, _RED), ("other", rest, "#b9c2cc")]
        charts.append(_stacked(labels, series, "attempts per day with attempts"))
    priced = [row for row in found["cost_by_day"] if row["cost_usd"] is not None]
    if priced:
        values = [float(row["cost_usd"]) for row in priced]
        charts.append(
            _stacked(
                _day_labels([r["day"] for r in priced]), [("USD", values, _BLUE)], "cost per day with attempts, USD"
            )
        )
    errors = found["top_errors"]
    if errors:
        charts.append(
            _bars(
                [shorten(r["pattern"], 45) for r in errors],
                [r["errors"] for r in errors],
                "most frequent errors, occurrences",
            )
        )
    return charts


def _day_labels(days: Sequence[date]) -> list[str]:
    """Days as the axis names them: with the year where there is more than one."""
    form = "%m-%d" if len({day.year for day in days}) == 1 else "%Y-%m-%d"
    return [f"{day:{form}}" for day in days]


def _stacked(labels: Sequence[str], series: Sequence[tuple[str, Sequence[float], str]], title: str) -> str:
    figure, axes = _figure(4.6, 2.6)
    bottom = [0.0] * len(labels)
    for name, values, colour in series:
        axes.bar(range(len(labels)), values, bottom=bottom, label=name, color=colour)
        bottom = [b + v for b, v in zip(bottom, values, strict=True)]
    step = max(1, len(labels) // 8)
    axes.set_xticks(range(0, len(labels), step), labels[::step], fontsize=7, rotation=30, ha="right")
    if len(series) > 1:
        axes.legend(fontsize=7, frameon=False)
    return _svg(figure, axes, title)


def _bars(labels: Sequence[str], values: Sequence[float], title: str) -> str:
    figure, axes = _figure(6.4, 0.9 + 0.24 * len(labels))
    axes.barh(range(len(labels)), list(values), color=_BLUE)
    axes.set_yticks(range(len(labels)), [label.replace("$", r"\$") for label in labels], fontsize=7)
    axes.invert_yaxis()
    return _svg(figure, axes, title)


def _figure(width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _svg(figure: Any, axes: Any, title: str) -> str:
    axes.set_title(title, fontsize=9)
    target = io.StringIO()
    figure.savefig(target, format="svg", metadata={"Date": None})
    return re.sub(r"^.*?(?=<svg)", "", target.getvalue(), flags=re.DOTALL)
