"""Reading untrusted source text into a syntax tree, within bounds (DOMAIN 3.1, 3.3).

Here: parsing and its guards, and the walks that all units share. Code is parsed, never imported, executed or evaluated.
What is too large, too deep or malformed raises a `SourceError`, which the caller turns into one error record.

The bounds are counts, never seconds, so that the same text has the same fate everywhere. The parser itself recurses in
C over nested ambiguity and overflows a thread's stack beyond some 60,000 levels; the bracket guard keeps it far below.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from tree_sitter import Node, Parser, Query, QueryCursor, Tree

from debug_loop_pipeline.compute.code.languages import CompiledGrammar, Grammar, LanguageSpec, compiled

MAX_BYTES = 400_000
MAX_DEPTH = 3_000
MAX_BRACKET_DEPTH = 1_000
MAX_PARTS = 50_000
"""Most children of one node: queries take time that grows with the square of them."""

_BASE_STEPS = 500
_STEPS_PER_BYTE = 0.06
_STEPS_PER_BYTE_WITH_ERRORS = 0.04
"""Progress calls of the parser: the densest code takes 0.05 per byte, exploding ambiguity or error recovery more."""

_READ_BYTES = 1_024
_BASE_READS = 2_000
_READS_PER_BLOCK = 200
"""Blocks the lexer fetches per block of text: code takes 2 (templates 70), a lexer that looks ahead over and over thousands."""

_BRACKETS = np.zeros(256, dtype=np.int8)
_BRACKETS[list(b"([{")] = 1
_BRACKETS[list(b")]}")] = -1


class SourceError(ValueError):
    """A source text that is not analysed. `kind` is stable, the message is for people."""

    kind = "source"


class SourceTooLargeError(SourceError):
    """More bytes than the limit."""

    kind = "too_large"


class SourceTooDeepError(SourceError):
    """Nested deeper than the limit."""

    kind = "too_deep"


class SourceMalformedError(SourceError):
    """Not text of any program: NUL, lone surrogates, or so ambiguous that the parser gave up."""

    kind = "malformed"


@dataclass(frozen=True, slots=True)
class SourceTree:
    """A parsed piece of code. Offsets are bytes of `code`, which holds the wrapper when one was needed."""

    spec: LanguageSpec
    grammar: CompiledGrammar
    code: bytes
    tree: Tree
    start: int
    """Where the caller's text begins in `code`."""
    end: int

    @property
    def root(self) -> Node:
        """The root node, wrapper included."""
        return self.tree.root_node

    @property
    def has_error(self) -> bool:
        """Whether any part could not be read."""
        return self.root.has_error

    def text(self, node: Node) -> str:
        """The source text of a node."""
        return self.code[node.start_byte : node.end_byte].decode("utf-8")

    def tops(self) -> list[Node]:
        """The topmost nodes of the caller's text, in order, without the wrapper."""
        nodes = [self.root]
        while nodes and nodes[0].start_byte < self.start:
            inner = [child for node in nodes for child in node.children]
            nodes = [n for n in inner if n.end_byte > self.start and n.start_byte < self.end]
        return nodes


def parse_source(
    code: str,
    spec: LanguageSpec,
    *,
    standalone: bool = False,
    max_bytes: int = MAX_BYTES,
    max_depth: int = MAX_DEPTH,
) -> SourceTree:
    """Parse a text, tolerantly.

    Args:
        code: the text. A byte order mark is dropped, line ends are read as the languages read them.
        spec: its language.
        standalone: the text is one definition out of a file, so try the language's wrappers (a method is no program).
        max_bytes: most UTF-8 bytes.
        max_depth: deepest nesting of the tree.

    Returns:
        The tree of the first grammar and wrapper that reads the text without an error, else of the first.

    Raises:
        SourceError: the text is outside the bounds.
    """
    content = _encoded(code, max_bytes)
    first: SourceTree | None = None
    for before, after in spec.wrappers if standalone else spec.wrappers[:1]:
        for grammar in spec.grammars:
            found = _parse_with(content, spec, grammar, before.encode(), after.encode(), max_depth)
            if not found.has_error:
                return found
            first = first or found
    assert first is not None, "every language has a grammar"
    return first


def captures(query: Query, node: Node) -> dict[str, list[Node]]:
    """Nodes under `node` by capture name, in source order, each once."""
    found = QueryCursor(query).captures(node)
    for name, nodes in found.items():
        if len(nodes) > 1:
            found[name] = sorted({n.id: n for n in nodes}.values(), key=_position)
    return found


def leaves(node: Node) -> Iterator[Node]:
    """The leaves under a node, in order. Iterative: depth costs nothing."""
    cursor = node.walk()
    while True:
        if not cursor.goto_first_child():
            leaf = cursor.node
            assert leaf is not None, "a cursor always stands on a node"
            yield leaf
            while not cursor.goto_next_sibling():
                if not cursor.goto_parent():
                    return


def _position(node: Node) -> tuple[int, int]:
    return node.start_byte, -node.end_byte


def _encoded(code: str, max_bytes: int) -> bytes:
    if len(code) > max_bytes:
        raise SourceTooLargeError(f"{len(code):,} characters, the limit is {max_bytes:,} bytes")
    if "\0" in code:
        raise SourceMalformedError(f"NUL at character {code.index(chr(0))}")
    code = code.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    try:
        content = code.encode("utf-8")
    except UnicodeEncodeError as err:
        raise SourceMalformedError(f"lone surrogate at character {err.start}") from err
    if len(content) > max_bytes:
        raise SourceTooLargeError(f"{len(content):,} bytes, the limit is {max_bytes:,}")
    depth = _bracket_depth(content)
    if depth > MAX_BRACKET_DEPTH:
        raise SourceTooDeepError(f"{depth:,} open brackets, the limit is {MAX_BRACKET_DEPTH:,}")
    return content


def _bracket_depth(content: bytes) -> int:
    """Most brackets open at once, counted without regard to strings: a bound, not the truth."""
    level = np.cumsum(_BRACKETS[np.frombuffer(content, dtype=np.uint8)], dtype=np.int32)
    return int((level - np.minimum.accumulate(level)).max()) if len(content) else 0


def _parse_with(
    content: bytes, spec: LanguageSpec, grammar: Grammar, before: bytes, after: bytes, max_depth: int
) -> SourceTree:
    loaded = compiled(grammar)
    code = before + content + after
    steps = reads = 0
    most_reads = _BASE_READS + _READS_PER_BLOCK * (len(code) // _READ_BYTES)

    def read(offset: int, _point: object) -> bytes:
        nonlocal reads
        reads += 1
        return code[offset : offset + _READ_BYTES]

    def give_up(offset: int, has_error: bool) -> bool:
        nonlocal steps
        steps += 1
        rate = _STEPS_PER_BYTE_WITH_ERRORS if has_error else _STEPS_PER_BYTE
        # Only here: a lexer that meets an end of text which is none can loop for ever.
        return steps > _BASE_STEPS + rate * offset or reads > most_reads

    try:
        tree = Parser(loaded.language).parse(read, encoding="utf8", progress_callback=give_up)
    except ValueError as err:
        raise SourceMalformedError(
            f"the {grammar.name} parser gave up after {steps:,} steps and {reads:,} reads"
        ) from err
    source = SourceTree(spec, loaded, code, tree, len(before), len(before) + len(content))
    _check_shape(source.root, max_depth)
    return source


def _check_shape(root: Node, max_depth: int) -> None:
    """Only a subtree with more nodes than levels are left can be too deep or too wide, so nearly all are skipped."""
    pending = [(root, 0)]
    while pending:
        node, depth = pending.pop()
        if depth > max_depth:
            raise SourceTooDeepError(f"nested deeper than {max_depth:,} levels")
        if node.child_count > MAX_PARTS:
            raise SourceTooLargeError(f"{node.child_count:,} parts side by side, the limit is {MAX_PARTS:,}")
        if node.descendant_count > min(max_depth - depth, MAX_PARTS):
            pending.extend((child, depth + 1) for child in node.children)
