"""Small plots for materialization metadata: PNG inside Markdown, at most 30 KB each as they are stored."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from debug_loop_pipeline.text import shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_BYTES = 30_000
"""Of the Markdown, base64 included: so much goes into the event log with every materialization that shows the plot."""

_COLOUR = "#3b6ea5"
_LABEL_CHARS = 34


def bar_plot(labels: Sequence[str], values: Sequence[float], title: str, unit: str) -> dg.MarkdownMetadataValue:
    """A horizontal bar per label."""
    figure, axes = _figure(height=0.8 + 0.22 * len(labels), left=0.46)
    axes.barh(range(len(labels)), list(values), color=_COLOUR)
    axes.set_yticks(range(len(labels)), [_plain(label) for label in labels], fontsize=7)
    axes.invert_yaxis()
    axes.set_xlabel(unit, fontsize=7)
    return _markdown(figure, axes, title)


def histogram(counts: Sequence[int], title: str, unit: str) -> dg.MarkdownMetadataValue:
    """Counts of values between 0 and 1 in bins of equal width, the lowest first."""
    figure, axes = _figure(height=2.0)
    width = 1 / len(counts)
    axes.bar([i * width for i in range(len(counts))], list(counts), width * 0.9, align="edge", color=_COLOUR)
    axes.set_xlim(0, 1)
    axes.set_xlabel(unit, fontsize=7)
    return _markdown(figure, axes, title)


def line_plot(labels: Sequence[str], values: Sequence[float], title: str, unit: str) -> dg.MarkdownMetadataValue:
    """One value per label, in order."""
    figure, axes = _figure(height=2.0)
    axes.plot(range(len(labels)), list(values), marker="o", markersize=2, linewidth=1, color=_COLOUR)
    step = max(1, -(-len(labels) // 8))
    axes.set_xticks(
        range(0, len(labels), step), [labels[i] for i in range(0, len(labels), step)], fontsize=6, rotation=30
    )
    axes.set_ylim(bottom=0)
    axes.set_ylabel(unit, fontsize=7)
    return _markdown(figure, axes, title)


def curve_plot(points: Sequence[tuple[float, float]], title: str, x_unit: str, y_unit: str) -> dg.MarkdownMetadataValue:
    """A curve of shares, (0, 0) to (1, 1), beside the diagonal."""
    figure, axes = _figure(height=2.6)
    axes.plot([0, 1], [0, 1], linewidth=0.6, linestyle="--", color="grey")
    axes.plot([x for x, _ in points], [y for _, y in points], linewidth=1, color=_COLOUR)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xlabel(f"share of {x_unit}", fontsize=7)
    axes.set_ylabel(f"share of {y_unit}", fontsize=7)
    return _markdown(figure, axes, title)


def interval_plot(
    labels: Sequence[str], estimates: Sequence[tuple[float, float, float]], title: str, unit: str
) -> dg.MarkdownMetadataValue:
    """A point with its interval (value, low, high) per label."""
    figure, axes = _figure(height=0.8 + 0.35 * len(labels), left=0.2)
    values = [value for value, _, _ in estimates]
    below, above = [v - low for v, low, _ in estimates], [high - v for v, _, high in estimates]
    axes.errorbar(values, range(len(labels)), xerr=(below, above), fmt="o", markersize=4, capsize=3, color=_COLOUR)
    axes.set_yticks(range(len(labels)), [_plain(label) for label in labels], fontsize=7)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel(unit, fontsize=7)
    return _markdown(figure, axes, title)


def _plain(label: str) -> str:
    """The beginning of a text as it stands: a dollar sign would begin a formula, and a line break another line."""
    return shorten(label, _LABEL_CHARS).replace("$", r"\$")


def _figure(height: float, left: float = 0.13) -> tuple[Figure, Axes]:
    """A figure of so many inches; `left` is the share of its width that tick labels get."""
    from matplotlib.figure import Figure  # 0.3 s, and only a run that draws needs it

    figure = Figure(figsize=(4.6, height), dpi=80)
    # Margins by hand, in inches: a layout engine draws everything twice.
    figure.subplots_adjust(left=left, right=0.97, bottom=0.5 / height, top=1 - 0.25 / height)
    axes = figure.subplots()
    axes.tick_params(labelsize=7)
    return figure, axes


def _markdown(figure: Figure, axes: Axes, title: str) -> dg.MarkdownMetadataValue:
    axes.set_title(title, fontsize=8)
    image = io.BytesIO()
    figure.savefig(image, format="png")
    markdown = f"![{title}](data:image/png;base64,{base64.b64encode(image.getvalue()).decode()})"
    if len(markdown) > MAX_BYTES:
        markdown = f"{title}: the plot has {len(markdown)} bytes, more than the {MAX_BYTES} that are kept"
    return dg.MetadataValue.md(markdown)
