"""Replaces the variable parts of an error message by placeholders, in one left-to-right pass (DOMAIN 3.7).

Here: one line in, pattern and slots out. Not here: which line of an output matters (`error_pattern_extractor`), the tables
(`error_pattern_rules`).
"""

from __future__ import annotations

import re

from debug_loop_pipeline.compute.errors.error_pattern_rules import (
    BARE_NAME_FORMS,
    BUILTIN_TYPES,
    CODE_IN_QUOTES,
    PATH_CONTEXT,
    PATH_LIKE,
    PLACEHOLDER_RULES,
    POSITION,
    QUOTE_GROUPS,
    VARIABLE_CONTEXT,
)
from debug_loop_pipeline.models.errors import Slot, SlotKind

MAX_HEADLINE = 2_000
"""Characters of a line that are read."""

_SCANNER = re.compile(
    # No rule begins inside a word: those places are left at once.
    r"(?:(?<!\w)|(?!\w))(?:" + "|".join(f"(?P<r{i}>{rule.regex})" for i, rule in enumerate(PLACEHOLDER_RULES)) + ")"
)
_NESTED_QUOTE = re.compile(r"""['"`].*['"`]""")
_TYPE_EXPRESSION = re.compile(r"[A-Za-z_][\w-]*")
_TYPE_EXPRESSION_SHAPE = re.compile(r"[\w\s|&\[\],.<>*?-]+")


def normalise(headline: str) -> tuple[str, tuple[Slot, ...]]:
    """Replace the variable parts of one message; slots in the order of their placeholders."""
    text = " ".join(headline[:MAX_HEADLINE].split()).removesuffix(" (typecheck)")
    for form in BARE_NAME_FORMS:
        match = form.regex.match(text)
        if match:
            return _with_bare_names(text, match)
    out: list[str] = []
    slots: list[Slot] = []
    _replace(text, out, slots, depth=0)
    return "".join(out), tuple(slots)


def _with_bare_names(text: str, match: re.Match[str]) -> tuple[str, tuple[Slot, ...]]:
    out: list[str] = []
    slots: list[Slot] = []
    end = 0
    for group in sorted((g for g in match.re.groupindex if match[g] is not None), key=match.start):
        _replace(text[end : match.start(group)], out, slots, depth=0)
        kind = SlotKind(group.rstrip("0123456789"))
        out.append(f"<{kind}>")
        slots.append(Slot(kind=kind, value=match[group]))
        end = match.end(group)
    _replace(text[end:], out, slots, depth=0)
    return "".join(out), tuple(slots)


def _replace(text: str, out: list[str], slots: list[Slot], *, depth: int) -> None:
    position = 0
    for match in _SCANNER.finditer(text):
        if match.start() < position:
            continue
        out.append(text[position : match.start()])
        position = match.end()
        rule = PLACEHOLDER_RULES[int((match.lastgroup or "r0")[1:])] if match.lastgroup not in QUOTE_GROUPS else None
        quoted = next((g for g in QUOTE_GROUPS if match[g] is not None), None)
        if quoted is not None:
            inside = match[quoted]
            before, after = (
                match.group()[: match.start(quoted) - match.start()],
                match.group()[match.end(quoted) - match.start() :],
            )
            out.append(before)
            _replace_quoted(inside, text[: match.start()], out, slots, depth=depth)
            out.append(after)
        elif rule is None or rule.kind is None:
            out.append(match.group())
            if match.group() == "<PATH>":
                position = _position(text, position, out, slots)
        else:
            out.append(f"<{rule.kind}>")
            slots.append(Slot(kind=rule.kind, value=match.group()))
            if rule.kind is SlotKind.PATH:
                position = _position(text, position, out, slots)
    out.append(text[position:])


def _position(text: str, position: int, out: list[str], slots: list[Slot]) -> int:
    match = POSITION.match(text, position)
    if match is None:
        return position
    out.append(":<LINE>")
    slots.append(Slot(kind=SlotKind.LINE, value=match[1] or match[2]))
    return match.end()


def _replace_quoted(inside: str, before: str, out: list[str], slots: list[Slot], *, depth: int) -> None:
    if CODE_IN_QUOTES.fullmatch(inside) or _is_builtin_type(inside):
        out.append(inside)
        return
    if depth == 0 and " " in inside and _NESTED_QUOTE.search(inside):
        _replace(inside, out, slots, depth=1)
        return
    tail = before[-60:]
    if VARIABLE_CONTEXT.search(tail):
        kind = SlotKind.VAR
    elif PATH_LIKE.fullmatch(inside) or (PATH_CONTEXT.search(tail) and inside and " " not in inside):
        kind = SlotKind.PATH
    else:
        kind = SlotKind.VALUE
    out.append(f"<{kind}>")
    slots.append(Slot(kind=kind, value=inside))


def _is_builtin_type(text: str) -> bool:
    if text in BUILTIN_TYPES:
        return True
    names = _TYPE_EXPRESSION.findall(text) if _TYPE_EXPRESSION_SHAPE.fullmatch(text) else []
    return bool(names) and not any(c.isdigit() for c in text) and all(name in BUILTIN_TYPES for name in names)
