"""Changes to a JSON text that leave every other character as it is: people's settings are theirs.

Here: finding values in a text, adding and taking out members and items. Not here: what is changed (`hook_settings`).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Child:
    """A member of an object or an item of an array, as positions in the text."""

    key: str | int
    start: int
    """Of the member (its key) or item."""
    value_start: int
    end: int
    value: Any


def parse(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is none.
    """
    return _DECODER.decode(text)


def root(text: str) -> int:
    """Where the one value of a text starts."""
    return _after_space(text, 1 if text.startswith("\ufeff") else 0)


def children(text: str, start: int) -> list[Child]:
    """The members or items of the object or array that starts at `start`; of equal keys the last one holds."""
    closing = "}" if text[start] == "{" else "]"
    found: list[Child] = []
    at = _after_space(text, start + 1)
    while text[at] != closing:
        if text[at] == ",":
            at = _after_space(text, at + 1)
        begin = at
        key: str | int = len(found)
        if closing == "}":
            key, at = _DECODER.raw_decode(text, at)
            at = _after_space(text, _after_space(text, at) + 1)
        value, end = _DECODER.raw_decode(text, at)
        found.append(Child(key, begin, at, end, value))
        at = _after_space(text, end)
    return found


def child(text: str, start: int, key: str) -> Child | None:
    """The member `key` of the object at `start`."""
    return next((found for found in reversed(children(text, start)) if found.key == key), None)


def append(text: str, start: int, value: Any, key: str | None = None) -> str:
    """The text with a further member (with `key`) or item at the end of the object or array at `start`.

    It is written the way its neighbours are: on lines of their own with their indentation, or on one line.
    """
    around = children(text, start)
    step = indentation(text)
    if around:
        last = around[-1]
        before = text[_line_start(text, last.start) : last.start]
        if before.strip(" \t"):  # on one line with others
            return f"{text[: last.end]}, {_written(value, key, '', None)}{text[last.end :]}"
        newline = _newline(text)
        return f"{text[: last.end]},{newline}{before}{_written(value, key, before, step, newline)}{text[last.end :]}"
    own = re.match(r"[ \t]*", text[_line_start(text, start) :])
    outer = own[0] if own else ""
    newline, end = _newline(text), _after_space(text, start + 1)
    inner = outer + step
    return (
        f"{text[: start + 1]}{newline}{inner}{_written(value, key, inner, step, newline)}{newline}{outer}{text[end:]}"
    )


def remove(text: str, start: int, gone: Child) -> str:
    """The text without one member or item of the object or array at `start`, its comma and its line."""
    around = children(text, start)
    place = next(i for i, found in enumerate(around) if found.start == gone.start)
    if len(around) == 1:
        end = _after_space(text, gone.end)
        return f"{text[: start + 1]}{text[end:]}"
    if place + 1 < len(around):
        return text[: gone.start] + text[around[place + 1].start :]
    return text[: around[place - 1].end] + text[gone.end :]


def replace(text: str, old: Child, value: Any) -> str:
    """The text with another value in a member's or item's place."""
    before = re.match(r"[ \t]*", text[_line_start(text, old.start) :])
    outer = before[0] if before else ""
    one_line = "\n" not in text[old.value_start : old.end]
    written = _written(value, None, outer, None if one_line else indentation(text), _newline(text))
    return text[: old.value_start] + written + text[old.end :]


def indentation(text: str) -> str:
    """One step of the text's indentation; two blanks where it has none."""
    found = re.search(r"[\[{][ \t]*\r?\n([ \t]+)\S", text)
    return found[1] if found else "  "


def _written(value: Any, key: str | None, outer: str, step: str | None, newline: str = "\n") -> str:
    text = json.dumps(value, ensure_ascii=False, indent=step)
    text = text.replace("\n", f"{newline}{outer}")
    return text if key is None else f"{json.dumps(key, ensure_ascii=False)}: {text}"


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    assert match is not None
    return match.end()


def _line_start(text: str, at: int) -> int:
    return text.rfind("\n", 0, at) + 1
