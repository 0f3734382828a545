"""How every command shows a result: a table for people, JSON for programs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

if TYPE_CHECKING:
    from pydantic import ValidationError

_PIPE_COLUMNS = 150
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def print_json(value: Any) -> None:
    """Print a value as JSON on standard output; what JSON does not know is printed as text, decimals without an exponent."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_as_text))


def _as_text(value: object) -> str:
    return format(value.normalize(), "f") if isinstance(value, Decimal) else str(value)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> None:
    """Print rows as a table, or that there are none. Cells are texts, never markup: they may come from untrusted logs."""
    rows = list(rows)
    if not rows:
        typer.echo(f"{title}: nothing" if title else "nothing")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text("" if cell is None else str(cell)) for cell in row))
    # A pipe has no width of its own; rich would take 80 columns and fold every cell.
    Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE_COLUMNS).print(table)


def counted(number: int, thing: str) -> str:
    """A number of things, such as `1 day` or `14 days`."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def explain_invalid(error: ValidationError) -> str:
    """What is wrong with what was given, field by field, without the values."""
    return "; ".join(
        f"{'.'.join(map(str, one['loc']))}: {one['msg'].removeprefix('Value error, ')}" for one in error.errors()
    )


def one_line(text: str) -> str:
    """A name of anybody's, with what would break a line or steer a terminal written as Python writes it."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def hide_password(url: str) -> str:
    """A URL fit for a screen or a log."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return parts._replace(netloc=f"{parts.username or ''}:***@{parts.netloc.rpartition('@')[2]}").geturl()
