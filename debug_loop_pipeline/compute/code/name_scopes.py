"""Which names a piece of code binds, and which it leaves to its surroundings (DOMAIN 3.3, 3.4).

Here: resolving identifiers through function, lambda and comprehension scopes. Blocks are no scopes of their own: a name
bound anywhere in a function is the function's. Not here: what an import statement says (`import_statements`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tree_sitter import Node

from debug_loop_pipeline.compute.code.source_tree import SourceTree, captures


@dataclass(frozen=True, slots=True)
class Names:
    """The identifiers of one piece of code, resolved."""

    local: dict[int, int]
    """Byte offset of an identifier that means a name bound inside -> number of that name, in order of appearance."""
    unresolved: tuple[str, ...]
    """Names used but bound neither inside nor by the language, in order of appearance."""


@dataclass(slots=True)
class _Scope:
    end: int
    parent: int
    bound: dict[str, bool]
    """Name -> whether it is a local to fold (an imported name keeps its name)."""
    outer: set[str]
    """Names declared to belong to a scope further out."""


def resolve_names(source: SourceTree, nodes: Sequence[Node] | None = None) -> Names:
    """Resolve all identifiers of a piece of code. Its own function's name counts as bound inside.

    Args:
        source: the parsed code.
        nodes: the part of it to look at; None = all of it.
    """
    found: dict[str, list[Node]] = {}
    for top in source.tops() if nodes is None else nodes:
        for role, nodes in captures(source.grammar.names, top).items():
            found.setdefault(role, []).extend(nodes)
    scopes = [_Scope(len(source.code), 0, {}, set())]
    uses: list[tuple[int, int, str]] = []
    for start, name, role, scope in _placed(source, found, scopes):
        if role == "unbind":
            scopes[scope].outer.add(name)
        elif role == "bind.outer":
            scopes[scopes[scope].parent].bound.setdefault(name, True)
        elif role == "bind":
            scopes[scope].bound.setdefault(name, True)
        elif role == "bind.import":
            scopes[scope].bound[name] = False
        if role != "unbind":
            uses.append((start, scope, name))
    return _resolved(source, scopes, uses)


def _placed(
    source: SourceTree, found: dict[str, list[Node]], scopes: list[_Scope]
) -> Iterator[tuple[int, str, str, int]]:
    """Each identifier once as (offset, name, role, number of its scope), opening scopes on the way."""
    roles: dict[int, tuple[int, str]] = {}
    for role in ("ref", "skip", "bind", "bind.outer", "bind.import", "unbind"):
        for node in found.get(role, ()):
            roles[node.start_byte] = (node.end_byte, role)
    events = [(start, 1, end, role) for start, (end, role) in roles.items()]
    events += [(node.start_byte, 0, -node.end_byte, "") for node in found.get("scope", ())]
    events.sort()
    current = 0
    for start, is_name, end, role in events:
        while start >= scopes[current].end:
            current = scopes[current].parent
        if not is_name:
            scopes.append(_Scope(-end, current, {}, set()))
            current = len(scopes) - 1
        elif role != "skip":
            yield start, source.code[start:end].decode(), role, current


def _resolved(source: SourceTree, scopes: list[_Scope], uses: list[tuple[int, int, str]]) -> Names:
    known = source.spec.builtins
    numbers: dict[tuple[int, str], int] = {}
    local: dict[int, int] = {}
    unresolved: dict[str, None] = {}
    for start, scope, name in uses:
        home = _home(scopes, scope, name)
        if home is None:
            if name not in known:
                unresolved[name] = None
        elif scopes[home].bound[name] and name != "_":
            local[start] = numbers.setdefault((home, name), len(numbers))
    return Names(local, tuple(unresolved))


def _home(scopes: list[_Scope], scope: int, name: str) -> int | None:
    """The innermost scope around `scope` that binds `name`."""
    while True:
        if name in scopes[scope].bound and name not in scopes[scope].outer:
            return scope
        if scope == 0:
            return None
        scope = scopes[scope].parent
