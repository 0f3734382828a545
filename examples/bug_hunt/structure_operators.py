"""The agent's menu: repairs of functions, methods and imports. The other half of it is `operators`."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

from examples.bug_hunt.operators import Change, Operator, wrap
from examples.bug_hunt.source import Replacement, Source


def _parameters(function: ast.FunctionDef) -> list[ast.arg]:
    arguments = function.args
    found = [*arguments.posonlyargs, *arguments.args]
    return found[1:] if found and found[0].arg in ("self", "cls") else found


def _first_statement(function: ast.FunctionDef) -> ast.stmt:
    """The first statement behind the docstring; the docstring itself where there is nothing else."""
    described = ast.get_docstring(function, clean=False) is not None
    return function.body[1 if described and len(function.body) > 1 else 0]


def _insert_before(source: Source, statement: ast.stmt, *lines: str) -> Replacement:
    at = source.line_start(statement.lineno)
    indent = source.indent(statement)
    return Replacement(at, at, "".join(f"{indent}{line}\n" for line in lines))


def guard_empty(source: Source) -> Iterator[Change]:
    """Returns None at once when a parameter is empty."""
    for function in source.nodes(ast.FunctionDef):
        for parameter in _parameters(function):
            yield [_insert_before(source, _first_statement(function), f"if not {parameter.arg}:", "    return None")]


def return_self(source: Source) -> Iterator[Change]:
    """Returns the object at the end of a method that returns nothing."""
    for function in source.nodes(ast.FunctionDef):
        inside = isinstance(source.parent(function), ast.ClassDef)
        returns = any(isinstance(node, ast.Return) and node.value is not None for node in ast.walk(function))
        if inside and not returns and not function.name.startswith("__") and not function.decorator_list:
            last = function.body[-1]
            end = source.end(last)
            yield [Replacement(end, end, f"\n{source.indent(function.body[0])}return self")]


def fresh_default(source: Source) -> Iterator[Change]:
    """Makes a list or dictionary anew at each call in place of a default that all calls share."""
    for function in source.nodes(ast.FunctionDef):
        arguments = function.args
        positional = [*arguments.posonlyargs, *arguments.args]
        pairs: list[tuple[ast.arg, ast.expr | None]] = [
            *zip(positional[len(positional) - len(arguments.defaults) :], arguments.defaults, strict=True),
            *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
        ]
        for parameter, default in pairs:
            if isinstance(default, ast.List | ast.Dict):
                name, value = parameter.arg, source.segment(default)
                yield [
                    Replacement(source.start(default), source.end(default), "None"),
                    _insert_before(source, _first_statement(function), f"if {name} is None:", f"    {name} = {value}"),
                ]


def copy_assigned(source: Source) -> Iterator[Change]:
    """Keeps a copy of a list that was handed in."""
    for node in source.nodes(ast.Assign):
        if isinstance(node.targets[0], ast.Attribute) and isinstance(node.value, ast.Name):
            yield wrap(source, node.value, "list(", ")")


def move_import(source: Source) -> Iterator[Change]:
    """Imports from another module of the program where it is used, not at the top."""
    for node in source.tree.body:
        if not isinstance(node, ast.ImportFrom) or node.module not in source.neighbours:
            continue
        names = {alias.asname or alias.name for alias in node.names}
        users = [function for function in source.nodes(ast.FunctionDef) if _uses(function, names)]
        inside = {inner for function in users for inner in ast.walk(function)}
        elsewhere = any(isinstance(n, ast.Name) and n.id in names and n not in inside for n in ast.walk(source.tree))
        if users and not elsewhere:
            start = source.line_start(node.lineno)
            text = source.segment(node)
            yield [
                Replacement(start, source.end(node) + 1, ""),
                *(_insert_before(source, _first_statement(function), text) for function in users),
            ]


def _uses(function: ast.FunctionDef, names: set[str]) -> bool:
    return any(isinstance(node, ast.Name) and node.id in names for node in ast.walk(function))


def _standard_library(source: Source, replacement: str) -> Iterator[Change]:
    known = sys.stdlib_module_names | source.neighbours
    for node in source.tree.body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] not in known:
            start = source.start(node) + len("from ")
            yield [Replacement(start, start + len(node.module), replacement)]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] not in known:
                    start = source.index(alias.lineno, alias.col_offset)
                    named = "" if alias.asname else f" as {alias.name}"
                    yield [Replacement(start, start + len(alias.name), f"{replacement}{named}")]


def stdlib_json(source: Source) -> Iterator[Change]:
    """Uses `json` in place of a module that may not be there."""
    yield from _standard_library(source, "json")


def stdlib_pickle(source: Source) -> Iterator[Change]:
    """Uses `pickle` in place of a module that may not be there."""
    yield from _standard_library(source, "pickle")


def stdlib_plist(source: Source) -> Iterator[Change]:
    """Uses `plistlib` in place of a module that may not be there."""
    yield from _standard_library(source, "plistlib")


def stdlib_toml(source: Source) -> Iterator[Change]:
    """Uses `tomllib` in place of a module that may not be there."""
    yield from _standard_library(source, "tomllib")


STRUCTURE_OPERATORS: tuple[Operator, ...] = (
    guard_empty,
    return_self,
    fresh_default,
    copy_assigned,
    move_import,
    stdlib_json,
    stdlib_pickle,
    stdlib_plist,
    stdlib_toml,
)
