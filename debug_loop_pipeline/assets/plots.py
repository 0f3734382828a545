"""Small plots for materialization metadata: PNG inside Markdown, at most 30 KB each."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import dagster as dg

MAX_BYTES = 30_000


def bar_plot(labels: Sequence[str], values: Sequence[float], title: str, unit: str) -> dg.MetadataValue:
    """A horizontal bar per label."""
    figure, axes = _figure(height=0.8 + 0.22 * len(labels))
    axes.barh(range(len(labels)), list(values), color="#3b6ea5")
    axes.set_yticks(range(len(labels)), [label[:40] for label in labels], fontsize=7)
    axes.invert_yaxis()
    axes.set_xlabel(unit, fontsize=7)
    return _markdown(figure, axes, title)


def histogram(values: Sequence[float], title: str, unit: str) -> dg.MetadataValue:
    """Counts of values between 0 and 1 in ten bins."""
    figure, axes = _figure(height=2.0)
    axes.hist(list(values), bins=10, range=(0.0, 1.0), color="#3b6ea5")
    axes.set_xlabel(unit, fontsize=7)
    return _markdown(figure, axes, title)


def line_plot(labels: Sequence[str], values: Sequence[float], title: str, unit: str) -> dg.MetadataValue:
    """One value per label, in order."""
    figure, axes = _figure(height=2.0)
    axes.plot(range(len(labels)), list(values), marker="o", markersize=2, linewidth=1, color="#3b6ea5")
    step = max(1, len(labels) // 8)
    axes.set_xticks(
        range(0, len(labels), step), [labels[i] for i in range(0, len(labels), step)], fontsize=6, rotation=30
    )
    axes.set_ylabel(unit, fontsize=7)
    return _markdown(figure, axes, title)


def _figure(height: float):  # type: ignore[no-untyped-def]  # matplotlib is imported only where a plot is drawn
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, height), dpi=80, layout="constrained")
    axes = figure.subplots()
    axes.tick_params(labelsize=7)
    return figure, axes


def _markdown(figure, axes, title: str) -> dg.MetadataValue:  # type: ignore[no-untyped-def]
    axes.set_title(title, fontsize=8)
    image = io.BytesIO()
    figure.savefig(image, format="png")
    content = image.getvalue()
    if len(content) > MAX_BYTES:
        return dg.MetadataValue.md(
            f"{title}: the plot has {len(content)} bytes, more than the {MAX_BYTES} that are shown"
        )
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{base64.b64encode(content).decode()})")
