"""The package's source as syntax trees: modules, what they import, and what they hold together.

Here: reading and asking. Not here: rules (`check_*`). Nothing is imported or run, so a copy with a broken rule can be read too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

PACKAGE = "debug_loop_pipeline"


@dataclass(frozen=True, slots=True)
class Import:
    """One name that a module imports: `module` is all of it for `import module`, else it has the attribute `name`."""

    module: str
    name: str | None
    bound: str
    """The name it has in the importing module."""
    line: int

    @property
    def full(self) -> str:
        """Dotted name of what is imported."""
        return self.module if self.name is None else f"{self.module}.{self.name}"


@dataclass
class Module:
    """One source file."""

    name: str
    path: Path
    tree: ast.Module = field(repr=False)

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of its tree."""
        return tuple(ast.walk(self.tree))

    @cached_property
    def calls(self) -> tuple[ast.Call, ...]:
        """Every call in it."""
        return tuple(node for node in self.nodes if isinstance(node, ast.Call))

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        """What it imports anywhere, but for type checkers only."""
        return tuple(_imports(self.tree, self.name))

    @cached_property
    def bound(self) -> dict[str, str]:
        """Imported name -> dotted name of what it means."""
        return {found.bound: found.full for found in self.imports if "." not in found.bound}

    def resolve(self, node: ast.expr) -> str | None:
        """The dotted name an expression means, where it begins at an import (`np.random.seed` -> `numpy.random.seed`)."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return None
        head = self.bound.get(node.id, node.id)
        return ".".join([head, *reversed(parts)])

    def definition(self, name: str) -> ast.FunctionDef | ast.ClassDef | None:
        """The function or class of that name on the module's own level."""
        for node in self.tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
                return node
        return None


class Source:
    """The source of the package, or of a copy of it.

    Args:
        root: the folder that holds the package's folder.
        extra: modules beside it, name -> file: those of a generated unit.
    """

    def __init__(self, root: Path, extra: dict[str, Path] | None = None) -> None:
        self.root = root
        self._extra = extra or {}
        self._modules: dict[str, Module | None] = {}

    def module(self, name: str) -> Module | None:
        """A module, or None where there is none of that name.

        Raises:
            SyntaxError: it is no Python.
        """
        if name not in self._modules:
            path = self._path(name)
            self._modules[name] = (
                None
                if path is None
                else Module(name, path, ast.parse(path.read_text(encoding="utf-8"), filename=str(path)))
            )
        return self._modules[name]

    def closure(self, name: str, rooms: tuple[str, ...], stop: frozenset[str] = frozenset()) -> list[Module]:
        """The module and every module it imports, directly or not, inside these rooms of the package, by name.

        Args:
            name: of the module.
            rooms: `compute`, `effects`, ...
            stop: modules that are neither told nor followed.
        """
        found: dict[str, Module] = {}
        waiting = [name]
        while waiting:
            module = self.module(waiting.pop())
            if module is None or module.name in found or module.name in stop:
                continue
            found[module.name] = module
            for imported in module.imports:
                names = (imported.full, imported.module)
                waiting += [name for name in names if name in self._extra or _room(name) in rooms]
        return [found[key] for key in sorted(found)]

    def folder(self, room: str) -> list[Module]:
        """Every module of a room."""
        base = self.root / PACKAGE / room
        names = [
            ".".join((PACKAGE, room, *path.relative_to(base).with_suffix("").parts)).removesuffix(".__init__")
            for path in sorted(base.rglob("*.py"))
        ]
        return [module for name in names if (module := self.module(name)) is not None]

    def _path(self, name: str) -> Path | None:
        if name in self._extra:
            return self._extra[name]
        base = self.root.joinpath(*name.split("."))
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if path.is_file():
                return path
        return None


def _room(name: str) -> str:
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[0] == PACKAGE else ""


def _imports(tree: ast.AST, module: str) -> Iterator[Import]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, None, alias.asname or alias.name, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, module)
            for alias in node.names:
                yield Import(base, alias.name, alias.asname or alias.name, node.lineno)
        else:
            yield from _imports(node, module)


def _base(node: ast.ImportFrom, module: str) -> str:
    if not node.level:
        return node.module or ""
    parts = module.split(".")[: -node.level]
    return ".".join([*parts, node.module] if node.module else parts)
