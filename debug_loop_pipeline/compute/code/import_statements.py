"""Which names a file imports, and the statement that imports each (DOMAIN 3.3).

Here: reading import statements of the four languages into one statement per name. Not here: which names a function
needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from tree_sitter import Node

from debug_loop_pipeline.compute.code.source_tree import SourceTree

_GO_VERSION = re.compile(r"(?:/v\d+|\.v\d+)$")


def imported_names(source: SourceTree, nodes: Iterable[Node]) -> dict[str, tuple[str, ...]]:
    """The names that import statements bind.

    Args:
        source: the parsed file.
        nodes: its import statements.

    Returns:
        Name -> the statements, each for this name alone, that bind it, in the order of the file.
    """
    read = {"python": _python, "go": _go}.get(source.spec.name, _script)
    found: dict[str, dict[str, None]] = {}
    for node in nodes:
        for name, statement in read(source, node):
            found.setdefault(name, {})[statement] = None
    return {name: tuple(statements) for name, statements in found.items()}


def _python(source: SourceTree, node: Node) -> Iterator[tuple[str, str]]:
    module = node.child_by_field_name("module_name")
    before = f"from {source.text(module)} import" if module is not None else "import"
    for name in node.children_by_field_name("name"):
        text = source.text(name)
        alias = name.child_by_field_name("alias")
        bound = source.text(alias) if alias is not None else text if module is not None else text.split(".", 1)[0]
        yield bound, f"{before} {text}"


def _go(source: SourceTree, node: Node) -> Iterator[tuple[str, str]]:
    path_node, name_node = node.child_by_field_name("path"), node.child_by_field_name("name")
    if path_node is None:
        return
    path = source.text(path_node)
    if name_node is not None:
        name = source.text(name_node)
        if name not in ("_", "."):
            yield name, f"import {name} {path}"
        return
    # A package may be called other than its folder; these are the customs by which folders are named after packages.
    last = _GO_VERSION.sub("", path.strip('"`')).rsplit("/", 1)[-1]
    for name in dict.fromkeys((last, last.removeprefix("go-"), last.removesuffix("-go"), last.replace("-", ""))):
        yield name, f"import {path}"


def _script(source: SourceTree, node: Node) -> Iterator[tuple[str, str]]:
    if node.type != "import_statement":
        for name in _declared(source, node):
            yield name, source.text(node)
        return
    origin_node = node.child_by_field_name("source")
    clause = next((child for child in node.named_children if child.type == "import_clause"), None)
    if origin_node is None or clause is None:
        for name in _declared(source, node):
            yield name, source.text(node)
        return
    origin = source.text(origin_node)
    keyword = "import type" if any(child.type == "type" for child in node.children) else "import"
    for part in clause.named_children:
        if part.type == "identifier":
            yield source.text(part), f"{keyword} {source.text(part)} from {origin}"
        elif part.type == "namespace_import":
            text = source.text(part)
            yield text.rsplit(" ", 1)[-1], f"{keyword} {text} from {origin}"
        for specifier in part.named_children if part.type == "named_imports" else ():
            bound = specifier.child_by_field_name("alias") or specifier.child_by_field_name("name")
            if bound is not None:
                yield source.text(bound), f"{keyword} {{ {source.text(specifier)} }} from {origin}"


def _declared(source: SourceTree, node: Node) -> Iterator[str]:
    """Names that `const x = require(...)`, `const { a, b: c } = require(...)` or `import x = require(...)` declare."""
    for declarator in node.named_children:
        target = declarator.child_by_field_name("name") or declarator.named_child(0)
        if target is None or target.type == "string":
            continue
        if target.type == "identifier":
            yield source.text(target)
        for part in target.named_children if target.type == "object_pattern" else ():
            value = part.child_by_field_name("value") or part.child_by_field_name("left") or part
            yield source.text(value)
