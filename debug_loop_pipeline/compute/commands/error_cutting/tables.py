"""Errors in tables that tools print for agents: TOON (`errors[2]{file,line,message}:`, a row of values per error), as xcsift does.

Belongs here: tables whose name says that their rows are errors or failing tests, and whose columns say what each value is.
"""

from __future__ import annotations

import csv
import re

from debug_loop_pipeline.compute.commands.error_cutting.common import GENERIC, CutError, number, one_line

_TABLE = re.compile(
    r"^(?P<of>(?:\w+_)?errors|failed_tests|test_failures|failures)\[(?P<rows>[1-9]\d{0,4})\]\{(?P<columns>[\w,]+)\}:$",
    re.MULTILINE,
)
_TELLS_NOTHING = re.compile(r"(?i)\bcommand failed\b|\bfailed with exit code\b|^fatalError$")
_FILE = re.compile(r"[./\\]")
_MAX_ROWS = 200
_MAX_ROW = 4_000


def cut(output: str) -> list[CutError]:
    """The rows that are seen of each table. Rows that only say that a command failed count where no other row is there."""
    found: list[CutError] = []
    for table in _TABLE.finditer(output):
        columns = table["columns"].split(",")
        at = table.end() + 1
        for _ in range(min(int(table["rows"]), _MAX_ROWS)):
            if output[at : at + 1] not in (" ", "\t"):
                break
            end = output.find("\n", at)
            end = len(output) if end < 0 else end
            error = _row(columns, output[at:end].strip())
            found += [error] if error is not None else []
            at = end + 1
    return [error for error in found if error.type != GENERIC] or found[-1:]


def _row(columns: list[str], text: str) -> CutError | None:
    values = next(csv.reader([text[:_MAX_ROW]], escapechar="\\", strict=False), [])
    told = {name: value for name, value in zip(columns, values, strict=False) if value not in ("", "null")}
    message = next((told[name] for name in ("message", "reason", "error", "symbol") if name in told), None)
    test = told.get("test") or told.get("name")
    if message is None and test is None:
        return None
    path = told.get("file") or told.get("path")
    if path is not None and not _FILE.search(path):
        path = None  # the program that says it: `clang`, `ld`
    nothing = path is None and test is None and message is not None and _TELLS_NOTHING.search(message)
    return CutError(
        one_line(message or "test failed"),
        type=GENERIC if nothing else None,
        test=test,
        path=path,
        line=number(told.get("line")),
    )
