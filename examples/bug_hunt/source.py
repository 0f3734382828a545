"""Source text with its syntax tree, and changes of it that keep everything else as it is written.

Here: places in a text and what becomes of them. Not here: which places are worth changing (`operators`).
"""

from __future__ import annotations

import ast
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

Node = TypeVar("Node", bound=ast.AST)
_PARSING = threading.Lock()


def parse(text: str) -> ast.Module:
    """The tree of a text, one thread at a time: before Python 3.12 two that build trees at once confuse each other's depth count.

    Raises:
        SyntaxError: it does not parse.
    """
    with _PARSING:
        return ast.parse(text)


@dataclass(frozen=True, slots=True)
class Replacement:
    """The characters from `start` to `end` become `text`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Hunk:
    """Whole lines and what they became, as an edit tool takes them. line: number of the first one, from 1."""

    path: str
    before: str
    after: str
    line: int


class Source:
    """One module: its text, its tree, and where the nodes are in the text.

    Args:
        path: name of the file.
        text: its content; it has to parse.
        neighbours: names of the program's modules.
    """

    def __init__(self, path: str, text: str, neighbours: frozenset[str] = frozenset()) -> None:
        self.path = path
        self.text = text
        self.neighbours = neighbours
        self.tree = parse(text)
        self._parents = {child: parent for parent in ast.walk(self.tree) for child in ast.iter_child_nodes(parent)}
        self._lines = text.splitlines(keepends=True)
        self._line_starts = [0]
        for line in self._lines:
            self._line_starts.append(self._line_starts[-1] + len(line))

    def nodes(self, kind: type[Node]) -> Iterator[Node]:
        """Nodes of a kind in the order of the text; annotations are left out."""
        found = [node for node in ast.walk(self.tree) if isinstance(node, kind) and node not in self._annotations]
        yield from sorted(found, key=lambda node: (getattr(node, "lineno", 0), getattr(node, "col_offset", 0)))

    def parent(self, node: ast.AST) -> ast.AST | None:
        """The node around a node."""
        return self._parents.get(node)

    def start(self, node: ast.expr | ast.stmt) -> int:
        """Index of the first character of a node."""
        return self.index(node.lineno, node.col_offset)

    def end(self, node: ast.expr | ast.stmt) -> int:
        """Index behind the last character of a node."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.index(node.end_lineno, node.end_col_offset)

    def segment(self, node: ast.expr | ast.stmt) -> str:
        """The text of a node."""
        return self.text[self.start(node) : self.end(node)]

    def line_start(self, line: int) -> int:
        """Index of the first character of a line, the first line being 1."""
        return self._line_starts[line - 1]

    def indent(self, node: ast.stmt) -> str:
        """White space in front of a statement."""
        return self._lines[node.lineno - 1][: node.col_offset]

    @cached_property
    def imported(self) -> frozenset[str]:
        """Names that imports bind."""
        return frozenset(
            alias.asname or alias.name.partition(".")[0]
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        )

    @cached_property
    def counters(self) -> frozenset[str]:
        """Loop variables that run over a range."""
        loops = [node for node in ast.walk(self.tree) if isinstance(node, ast.For | ast.comprehension)]
        return frozenset(
            loop.target.id for loop in loops if isinstance(loop.target, ast.Name) and called_name(loop.iter) == "range"
        )

    @cached_property
    def _annotations(self) -> frozenset[ast.AST]:
        roots: list[ast.expr] = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
                roots.append(node.annotation)
            elif isinstance(node, ast.FunctionDef) and node.returns is not None:
                roots.append(node.returns)
        return frozenset(inner for root in roots for inner in ast.walk(root))

    def index(self, line: int, column: int) -> int:
        """Index of a place that the tree gives as line and column."""
        # The tree counts bytes, the text characters.
        text = self._lines[line - 1]
        return self._line_starts[line - 1] + (
            column if text.isascii() else len(text.encode()[:column].decode("utf-8", "ignore"))
        )

    def apply(self, replacements: Sequence[Replacement]) -> tuple[str, list[Hunk]]:
        """The text after some replacements that do not overlap, and the edits that lead there, from top to bottom."""
        ordered = sorted(replacements, key=lambda r: (r.start, r.end))
        groups: list[tuple[int, int, list[Replacement]]] = []
        for replacement in ordered:
            first, last = self._lines_of(replacement)
            if groups and first <= groups[-1][1]:
                groups[-1] = (groups[-1][0], max(last, groups[-1][1]), [*groups[-1][2], replacement])
            else:
                groups.append((first, last, [replacement]))
        hunks: list[Hunk] = []
        text = self.text
        for first, last, group in reversed(groups):
            start, end = self._line_starts[first], self._line_starts[last + 1]
            before = after = self.text[start:end]
            for replacement in reversed(group):
                after = after[: replacement.start - start] + replacement.text + after[replacement.end - start :]
            text = text[:start] + after + text[end:]
            hunks.append(Hunk(self.path, before.removesuffix("\n"), after.removesuffix("\n"), first + 1))
        return text, hunks[::-1]

    def _lines_of(self, replacement: Replacement) -> tuple[int, int]:
        """First and last line (from 0) that a replacement touches; what is put before a line touches that line."""
        first = next(n for n, start in enumerate(self._line_starts[1:]) if replacement.start < start)
        last = first
        while self._line_starts[last + 1] < replacement.end:
            last += 1
        return first, last


def called_name(node: ast.AST | None) -> str | None:
    """Name of the function or method that a call calls."""
    if not isinstance(node, ast.Call):
        return None
    if isinstance(node.func, ast.Name):
        return node.func.id
    return node.func.attr if isinstance(node.func, ast.Attribute) else None
