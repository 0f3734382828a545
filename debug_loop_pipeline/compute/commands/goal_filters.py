"""Options that choose among tests (`-run 'A|B'`, `-t name`) or add to what is built (`-tags x`): which call takes in which.

Belongs here: names and expressions in such options. What goals cover by tool, target and place is `goals`.
"""

from __future__ import annotations

import re

_TAGS = ("-tags ", "--build-tags ")
"""Options that add files to what Go builds: a call without them leaves out what a call with them takes in."""


def tags_of(filters: tuple[str, ...]) -> frozenset[str]:
    """The build tags that a call names."""
    named = (text.split(" ", 1)[1] for text in filters if text.startswith(_TAGS))
    return frozenset(tag for tags in named for tag in re.split(r"[,\s]+", tags.strip("'\"")))


def without_tags(filters: tuple[str, ...]) -> tuple[str, ...]:
    """What chooses among the tests or findings."""
    return tuple(text for text in filters if not text.startswith(_TAGS))


def filters_cover(wider: tuple[str, ...], narrower: tuple[str, ...], *, ignore_names: bool = False) -> bool:
    """Whether a call with the options `wider` runs all that one with `narrower` does. ignore_names: only the tags count."""
    if not tags_of(narrower) <= tags_of(wider):
        return False
    return ignore_names or _names_cover(without_tags(wider), without_tags(narrower))


def _names_cover(wider: tuple[str, ...], narrower: tuple[str, ...]) -> bool:
    if not wider or set(wider) == set(narrower):
        return True
    if len(wider) == len(narrower) and all(map(_same_or_below, wider, narrower)):
        return True
    if len(wider) == len(narrower) == 1:
        flag_a, _, expr_a = wider[0].partition(" ")
        flag_b, _, expr_b = narrower[0].partition(" ")
        if flag_a == flag_b and expr_a:
            picked, asked = _alternatives(expr_a), _alternatives(expr_b)
            return all(text in picked or (flag_a in _FINDS_ANYWHERE and _picked(text, picked)) for text in asked)
    return False


def _same_or_below(text: str, other: str) -> bool:
    """Whether an argument of a script is the other's, or the folder that it is in: `tests/`, `tests/a.test.ts`."""
    return text == other or (text.endswith("/") and other.startswith(text))


_FINDS_ANYWHERE = frozenset({"-run", "-t", "--testNamePattern"})
"""Filters that pick every test in whose name the text is found."""
_GROUP = re.compile(r"(?P<before>[^()|\\]*)\((?:\?:)?(?P<inside>[^()\\]+)\)(?P<after>[^()|\\?*+{]*)")
_PLAIN = re.compile(r"(?P<start>\^?)(?P<name>\w+)(?P<end>\$?)")


def _alternatives(expression: str) -> tuple[str, ...]:
    """What a filter picks by one name or another: `A|B`, `^(A|B)$`, `Test(A|B)`."""
    group = _GROUP.fullmatch(expression)
    if group is not None:
        return tuple(f"{group['before']}{text}{group['after']}" for text in group["inside"].split("|"))
    return (expression,) if re.search(r"[()]", expression) else tuple(expression.split("|"))


def _picked(text: str, picked: tuple[str, ...]) -> bool:
    """Whether each test that the name `text` picks is picked by a part of that name too (`-run TestAdd`, `-run TestAdd_Twice`)."""
    asked = _PLAIN.fullmatch(text)
    parts = map(_PLAIN.fullmatch, picked)
    return asked is not None and any(part is not None and _inside(part, asked) for part in parts)


def _inside(part: re.Match[str], asked: re.Match[str]) -> bool:
    """Whether a name that is found in another's place is found wherever that one is; `^` and `$` tie both to the same end."""
    if part["start"] and part["end"]:
        return False  # the same name, or none
    if part["start"]:
        return bool(asked["start"]) and asked["name"].startswith(part["name"])
    if part["end"]:
        return bool(asked["end"]) and asked["name"].endswith(part["name"])
    return part["name"] in asked["name"]


def aimed_at_test(filters: tuple[str, ...], test: str) -> tuple[str, ...]:
    """The options with only those names that pick `test`, where they are names and some do; else as they are."""
    chosen = without_tags(filters)
    if len(chosen) != 1:
        return filters
    flag, _, expression = chosen[0].partition(" ")
    if flag not in _FINDS_ANYWHERE:
        return filters
    alternatives = _alternatives(expression)
    if len(alternatives) < 2 or not all(map(_PLAIN.fullmatch, alternatives)):
        return filters
    name = test.split("/", 1)[0] if flag == "-run" else test
    own = [text for text in alternatives if re.search(text, name)]
    tags = tuple(text for text in filters if text not in chosen)
    return (f"{flag} {'|'.join(own)}", *tags) if own else filters
