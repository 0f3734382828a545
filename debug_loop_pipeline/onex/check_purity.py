"""Purity of compute units and reducers: no I/O, clock, randomness or state that outlives a call, not even through others.

Static: the unit's module and every module of the pure rooms that it reaches are read. What is not known to be pure counts as
impure; reading one's own package data is code, not I/O.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from debug_loop_pipeline.onex.findings import Finding, Rule, at
from debug_loop_pipeline.onex.source import PACKAGE, Module, Source
from debug_loop_pipeline.onex.units import Unit

Breach = tuple[Rule, str, str]
PURE_ROOMS = ("compute", "reducers", "models", "text", "errors")

KNOWN_PURE = frozenset(
    [
        "__future__",
        "abc",
        "array",
        "ast",
        "base64",
        "binascii",
        "bisect",
        "calendar",
        "collections",
        "collections.abc",
        "contextlib",
        "copy",
        "csv",
        "dataclasses",
        "datetime",
        "decimal",
        "difflib",
        "enum",
        "fractions",
        "functools",
        "hashlib",
        "heapq",
        "html",
        "importlib.metadata",
        "importlib.resources",
        "itertools",
        "json",
        "keyword",
        "math",
        "operator",
        "pathlib",
        "posixpath",
        "re",
        "shlex",
        "statistics",
        "string",
        "struct",
        "textwrap",
        "tokenize",
        "tomllib",
        "types",
        "typing",
        "unicodedata",
        "urllib.parse",
        "uuid",
        "zlib",
        "zoneinfo",
        "genai_prices",
        "genai_prices.data",
        "numpy",
        "numpy.typing",
        "orjson",
        "pydantic",
        "scipy",
        "tree_sitter",
        "tree_sitter_go",
        "tree_sitter_javascript",
        "tree_sitter_python",
        "tree_sitter_typescript",
    ]
)
"""Modules that a pure unit may import; the calls below are excepted."""

_PURE_PREFIXES = tuple(f"{PACKAGE}.{room}" for room in PURE_ROOMS)

PURE_SETTINGS = frozenset(
    f"{PACKAGE}.settings.{name}" for name in ("EconomySettings", "ExtractionSettings", "MatchingSettings", "TextLimits")
)
"""Groups of settings as values; reading the environment is another matter."""

_IMPURE_NAMES = frozenset(
    [
        "datetime.datetime.now",
        "datetime.datetime.utcnow",
        "datetime.datetime.today",
        "datetime.date.today",
        "uuid.uuid1",
        "uuid.uuid4",
        "uuid.getnode",
        "pathlib.Path",
        "pathlib.PosixPath",
        "pathlib.WindowsPath",
        "zoneinfo.reset_tzpath",
    ]
)
_IMPURE_PREFIXES = ("numpy.random.", "numpy.load", "numpy.save", "numpy.fromfile", "numpy.memmap", "numpy.loadtxt")
_IMPURE_BUILTINS = frozenset({"open", "print", "input", "exec", "eval", "__import__", "breakpoint", "hash", "id"})
_CONTAINERS = frozenset({"list", "dict", "set", "bytearray", "defaultdict", "Counter", "deque", "OrderedDict", "array"})
_MUTATORS = frozenset(
    [
        "append",
        "extend",
        "insert",
        "remove",
        "pop",
        "popitem",
        "clear",
        "add",
        "discard",
        "update",
        "setdefault",
        "sort",
        "reverse",
        "appendleft",
        "extendleft",
        "popleft",
        "intersection_update",
        "difference_update",
        "symmetric_difference_update",
    ]
)


class Purity:
    """Judges modules, each once however many units reach it."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._judged: dict[str, tuple[Breach, ...]] = {}

    def check(self, unit: Unit) -> Iterator[Finding]:
        """Every breach of purity in a unit, its own module first."""
        modules = self._source.closure(unit.module, PURE_ROOMS)
        for module in sorted(modules, key=lambda found: (found.name != unit.module, found.name)):
            if module.name not in self._judged:
                self._judged[module.name] = tuple(self._breaches(module))
            yield from (Finding(unit.name, rule, what, where) for rule, what, where in self._judged[module.name])

    def _breaches(self, module: Module) -> Iterator[Breach]:
        yield from self._imports(module)
        yield from _impure_uses(module)
        yield from _kept_state(module)

    def _imports(self, module: Module) -> Iterator[Breach]:
        for imported in module.imports:
            if imported.module in KNOWN_PURE or imported.full in KNOWN_PURE or imported.full in PURE_SETTINGS:
                continue
            if imported.module.split(".")[0] == PACKAGE:
                if imported.full.startswith(_PURE_PREFIXES):
                    continue
            elif self._source.module(imported.module) is not None:
                continue
            what = f"imports {imported.full}, which is not known to be pure"
            yield Rule.PURE_IMPORT, what, at(module, imported.line)


def _impure_uses(module: Module) -> Iterator[Breach]:
    for node in module.nodes:
        if isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Load):
            name = module.resolve(node)
            if name is None:
                continue
            if name in _IMPURE_NAMES or name.startswith(_IMPURE_PREFIXES):
                yield Rule.PURE_CALL, f"uses {name}", at(module, node)
            elif isinstance(node, ast.Name) and name in _IMPURE_BUILTINS and not _bound(module, name):
                yield Rule.PURE_CALL, f"uses {name}()", at(module, node)


def _bound(module: Module, name: str) -> bool:
    """Whether the module gives a builtin's name another meaning anywhere."""
    for node in module.nodes:
        if isinstance(node, ast.arg) and node.arg == name:
            return True
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store):
            return True
        if isinstance(node, ast.FunctionDef) and node.name == name and node in module.tree.body:
            return True
    return False


def _kept_state(module: Module) -> Iterator[Breach]:
    own, containers = _module_names(module)
    for function in _functions(module):
        local = _locals(function)
        for node in ast.walk(function):
            if isinstance(node, ast.Global):
                yield Rule.PURE_GLOBAL, f"assigns the module's {', '.join(node.names)}", at(module, node)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _MUTATORS:
                name = _name(node.func.value)
                if name in containers - local:
                    yield Rule.PURE_GLOBAL, f"changes the module's {name}", at(module, node)
            elif isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
                name = _name(node.value)
                if name in own - local:
                    yield Rule.PURE_GLOBAL, f"changes the module's {name}", at(module, node)


def _functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The outermost functions and methods; what is inside one is read with it."""
    waiting: list[ast.stmt] = list(module.tree.body)
    for node in waiting:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
        elif isinstance(node, ast.ClassDef):
            waiting += node.body


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _module_names(module: Module) -> tuple[set[str], set[str]]:
    """(names the module binds itself, those of them that hold a list, dict, set or the like)."""
    names: set[str] = set()
    containers: set[str] = set()
    for node in module.tree.body:
        if isinstance(node, ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            bound = {part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)}
            names |= bound
            if node.value is not None and _is_container(node.value):
                containers |= bound
    return names, containers


def _is_container(value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        called = value.func.attr if isinstance(value.func, ast.Attribute) else _name(value.func)
        return called in _CONTAINERS
    return isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp)


def _locals(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """Parameters and names that a function binds itself."""
    found = {part.arg for part in ast.walk(function) if isinstance(part, ast.arg)}
    found |= {part.id for part in ast.walk(function) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
    return found
