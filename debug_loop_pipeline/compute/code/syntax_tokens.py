"""The normalised token stream of a piece of code: what its hash and its similarity see (DOMAIN 3.4).

Tokens are the leaves of the syntax tree without comments and layout, between brackets that carry the tree's shape.
Because the shape is there, what only repeats it goes: redundant parentheses, trailing commas, statement ends. Literals
stand for their values. Where a language has two spellings that a formatter may swap (an arrow's lone parameter, a
quoted key), both give one stream. `else: if` and `elif` stay two things: that is block structure.

Here: the walk and the rules that need more than a table. Not here: hashing, shingles, names, and text that is no whole
definition (`code_tokens` cuts fragments of edits without a tree).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tree_sitter import Node

from debug_loop_pipeline.compute.code.doc_comments import docstring_statement, docstring_value
from debug_loop_pipeline.compute.code.source_tree import SourceTree
from debug_loop_pipeline.compute.code.string_values import (
    clean_docstring,
    go_bytes,
    jsx_text,
    number_text,
    python_text,
    script_text,
)

OPEN = "\x01"
CLOSE = "\x02"
_VALUE = "\x03"
"""Before the value of a literal, so that no other leaf looks like one."""

_CLOSERS = frozenset({")", "]", "}", ">"})
_LAYOUT = b" \t\n\r\f\v\\;"
_SKIPPED = frozenset({"comment", "line_continuation", "html_comment", "hash_bang_line"})
_LITERALS = frozenset({"string", "concatenated_string"})
_LITERAL_PARTS = frozenset({"string_start", "string_content", "string_end"})
_DOCUMENTED = frozenset({"function_definition", "class_definition", "module"})
_STATEMENT_LISTS = frozenset(
    {"program", "statement_block", "class_body", "switch_case", "switch_default", "source_file"}
)
_CHAINS = frozenset({"member_expression", "subscript_expression", "call_expression", "non_null_expression"})
_INSIDE_COUNTS = {
    "arrow_function": frozenset({"object"}),
    "union_type": frozenset({"constructor_type"}),
    "intersection_type": frozenset({"constructor_type"}),
    "conditional_type": frozenset({"constructor_type"}),
}
"""Node -> what it holds in parentheses that count."""
_IDENTIFIER_KEY = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")


@dataclass(slots=True)
class _Frame:
    """An internal node the walk is inside of."""

    kind: str
    open_at: int
    """Index of its OPEN token; -1 for a node that leaves no brackets."""
    drop_parentheses: bool = False
    commas: int = 0
    last_comma: int = -1
    suffix: tuple[str, ...] = ()


@dataclass(slots=True)
class _Literal:
    """A Python string literal being read, adjacent ones taken together."""

    depth: int
    prefix: str = ""
    quote: str = ""
    is_bytes: bool = False
    interpolated: bool = False
    pending: list[str] = field(default_factory=list)


class _Writer:
    """Collects the tokens of the topmost nodes of one tree."""

    def __init__(self, source: SourceTree, docstrings: bool, renamed: Mapping[int, str]) -> None:
        self.code = source.code
        self.rules = source.spec.tokens
        self.kinds = source.grammar.kinds
        self.is_python = source.spec.name == "python"
        self.docstrings = docstrings
        self.renamed = renamed
        self.out: list[str] = []
        self.frames: list[_Frame] = []
        self.literals: list[_Literal] = []
        self.docstring_starts: set[int] = set()
        self.seen = 0
        """End of the text that tokens, or what was dropped, account for."""

    def write(self, top: Node) -> None:
        """Append the tokens of a node. Iterative: depth costs nothing."""
        self.seen = top.start_byte
        cursor = top.walk()
        while True:
            node = cursor.node
            assert node is not None, "a cursor always stands on a node"
            if self._enter(node) and cursor.goto_first_child():
                continue
            while not self.frames or not cursor.goto_next_sibling():
                if not self.frames:
                    return
                cursor.goto_parent()
                self._leave()

    def _enter(self, node: Node) -> bool:
        """Write a leaf, or open an internal node and ask for its children."""
        kind = self.kinds[node.kind_id] if not node.is_error else "ERROR"
        parent = self.frames[-1] if self.frames else None
        if kind in _SKIPPED:
            self._gap(node.start_byte, parent)
            self.seen = node.end_byte
            return False
        if kind and (self._whole_python(node, kind, parent) if self.is_python else self._whole(node, kind, parent)):
            self.seen = node.end_byte
            return False
        if node.child_count == 0:
            self._leaf(node, kind, parent)
            return False
        self._open(node, kind, parent)
        return True

    def _open(self, node: Node, kind: str, parent: _Frame | None) -> None:
        self._gap(node.start_byte, parent)
        self.seen = node.start_byte
        if kind in self.rules.transparent and not self._parentheses_count(node, parent):
            self.frames.append(_Frame(kind, -1, drop_parentheses=True))
            return
        frame = _Frame(kind, 0, drop_parentheses=kind in self.rules.unparenthesised)
        if self.is_python:
            if self._open_python(node, kind, parent):
                frame.open_at = -1
            if kind == "generator_expression" and parent is not None and parent.kind == "call":
                self.out += (OPEN, "(")
                frame.suffix = (")", CLOSE)
        if frame.open_at == 0:
            frame.open_at = len(self.out)
            self.out.append(OPEN)
        self.frames.append(frame)

    def _open_python(self, node: Node, kind: str, parent: _Frame | None) -> bool:
        """Prepare for literals and docstrings. True for a node that is a part of the one around it."""
        if kind in _LITERALS:
            if self.literals and self.literals[-1].depth == len(self.frames):
                return True
            self.literals.append(_Literal(len(self.frames) + 1))
        elif kind == "interpolation":
            self._write_text()
            if any(child.type == "=" for child in node.children):
                self.out.append(_VALUE + self.code[node.start_byte : node.end_byte].decode())
        elif kind == "tuple":
            after = node.next_sibling
            return (
                parent is not None
                and parent.kind == "subscript"
                and after is not None
                and after.type == "]"
                and (self.out[-1] == "[")
            )
        elif kind in _DOCUMENTED:
            statement = docstring_statement(node if kind == "module" else node.child_by_field_name("body"))
            if statement is not None:
                self.docstring_starts.add(statement.start_byte)
        return False

    def _leave(self) -> None:
        frame = self.frames[-1]
        if self.literals and self.literals[-1].depth == len(self.frames):
            self._write_text(last=True)
            self.literals.pop()
        self._drop_trailing_comma(frame)
        self.frames.pop()
        if frame.open_at < 0:
            return
        if len(self.out) - frame.open_at == 2:
            del self.out[frame.open_at]
        else:
            self.out.append(CLOSE)
        self.out += frame.suffix

    def _write_text(self, *, last: bool = False) -> None:
        """Write what was read of a literal since its last interpolation; one without any writes even nothing."""
        literal = self.literals[-1]
        text = "".join(literal.pending)
        literal.pending.clear()
        if text or (last and not literal.interpolated):
            self.out.append(_VALUE + ("b" if literal.is_bytes else "") + ascii(text))
        literal.interpolated = True

    def _leaf(self, node: Node, kind: str, parent: _Frame | None) -> None:
        start, end = node.start_byte, node.end_byte
        self._gap(start, parent)
        self.seen = end
        text = self.code[start:end].decode()
        if parent is None:
            if text and not text.isspace():
                self.out.append(self.renamed.get(start, text))
            return
        if kind and parent.kind in self.rules.raw_parts:
            self.out.append(_VALUE + text)
            return
        if not text or text.isspace() or self._is_layout(text, parent):
            return
        if start in self.renamed:
            text = self.renamed[start]
        elif kind in self.rules.number_kinds:
            text = number_text(text, self.rules.number_kinds[kind])
        elif text == ",":
            parent.commas += 1
            parent.last_comma = len(self.out)
        elif text in _CLOSERS:
            self._drop_trailing_comma(parent)
        if kind == "identifier" and parent.kind == "arrow_function" and self.out[-1] in (OPEN, "async"):
            self.out += (OPEN, "(", text, ")", CLOSE)
        else:
            self.out.append(text)

    def _is_layout(self, text: str, parent: _Frame) -> bool:
        if text in ("(", ")"):
            return parent.drop_parentheses
        if text == "," and parent.kind in self.rules.member_lists:
            return True
        return text == ";" and parent.kind not in self.rules.semicolon_kept_in

    def _drop_trailing_comma(self, frame: _Frame) -> None:
        at = len(self.out) - 1
        if frame.last_comma != at or self.out[at - 1] == ",":
            return
        if frame.commas > 1 or frame.kind not in self.rules.trailing_comma_kept_if_single:
            self.out.pop()
        frame.last_comma = -1

    def _gap(self, start: int, parent: _Frame | None) -> None:
        """Keep text that no leaf covers: a token that the grammar hides must not be lost."""
        if start <= self.seen:
            return
        hidden = self.code[self.seen : start]
        if parent is None or parent.kind not in self.rules.raw_parts:
            hidden = hidden.strip(_LAYOUT)
        if hidden:
            self.out.append(_VALUE + hidden.decode())

    def _whole(self, node: Node, kind: str, parent: _Frame | None) -> bool:
        """Write a construct that is one token, or none, whatever is inside. True when `node` was one."""
        style = self.rules.string_kinds.get(kind)
        if style is not None:
            self._gap(node.start_byte, parent)
            token = self._string_token(self.code[node.start_byte : node.end_byte].decode(), style, parent)
            if token:
                self.out.append(token)
            return True
        return kind == "empty_statement" and (parent is None or parent.kind in _STATEMENT_LISTS)

    def _whole_python(self, node: Node, kind: str, parent: _Frame | None) -> bool:
        """The same for Python, whose literals have parts."""
        if kind in _LITERAL_PARTS and self.literals:
            self._read_part(kind, self.code[node.start_byte : node.end_byte].decode())
            return True
        if kind == "format_specifier":
            self.out.append(_VALUE + self.code[node.start_byte : node.end_byte].decode())
            return True
        if kind == "expression_statement" and node.start_byte in self.docstring_starts:
            if self.docstrings:
                self.out.append(_VALUE + "doc" + ascii(clean_docstring(docstring_value(self.code, node))))
            return True
        in_class = parent is not None and parent.kind == "class_definition"
        return in_class and kind == "argument_list" and node.named_child_count == 0

    def _read_part(self, kind: str, text: str) -> None:
        literal = self.literals[-1]
        if kind == "string_start":
            letters = text.rstrip("\"'")
            literal.prefix, literal.quote = letters.lower(), text[len(letters) :]
            literal.is_bytes = "b" in literal.prefix
            return
        if kind == "string_end":
            # The grammar puts a backslash before the closing quote of a raw string into the end.
            text = text[: -len(literal.quote)] if literal.quote else ""
        if text:
            literal.pending.append(python_text(text, literal.prefix))

    def _string_token(self, literal: str, style: str, parent: _Frame | None) -> str:
        if style == "jsx_text":
            text = jsx_text(literal)
            return _VALUE + ascii(text) if text else ""
        if style == "go":
            return _VALUE + ascii(go_bytes(literal))
        if style == "go_raw":
            return _VALUE + ascii(literal[1:-1].encode())
        if style == "raw":
            return _VALUE + literal
        if parent is not None and parent.kind == "jsx_attribute":
            return _VALUE + ascii(literal[1:-1])
        value = script_text(literal)
        if value is None:
            return _VALUE + literal
        is_key = parent is not None and parent.kind == "pair" and self.out[-1] == OPEN
        return value if is_key and _IDENTIFIER_KEY.fullmatch(value) else _VALUE + ascii(value)

    def _parentheses_count(self, node: Node, parent: _Frame | None) -> bool:
        """Whether these parentheses are no layout.

        `() => ({x})` gives an object and `() => {x}` nothing. The grammar reads `new () => A | B` as a union, which it is not.
        """
        if parent is None:
            return False
        if parent.kind in _INSIDE_COUNTS and _inside(node) in _INSIDE_COUNTS[parent.kind]:
            return True
        return self._splits_chain(node, parent)

    def _splits_chain(self, node: Node, parent: _Frame) -> bool:
        """`(a?.b).c` fails where `a?.b.c` gives undefined: these parentheses are no layout."""
        if parent.kind not in _CHAINS or parent.open_at != len(self.out) - 1:
            return False
        inner = node.named_child(0) if node.named_child_count else None
        while inner is not None and inner.type in _CHAINS:
            if any(child.type in ("optional_chain", "?.") for child in inner.children):
                return True
            inner = inner.child(0)
        return False


def _inside(node: Node) -> str:
    """The kind of what stands in one or several pairs of parentheses."""
    inner = node
    while inner.type == node.type:
        found = next((child for child in inner.named_children if child.type not in _SKIPPED), None)
        if found is None:
            break
        inner = found
    return inner.type


def normalised_tokens(
    source: SourceTree, *, docstrings: bool = True, renamed: Mapping[int, str] | None = None
) -> list[str]:
    """The tokens of a piece of code, `OPEN` and `CLOSE` around what belongs together.

    Args:
        source: the parsed code; a tree with errors is read as far as it goes.
        docstrings: whether Python docstrings are tokens.
        renamed: byte offset of an identifier -> the token to write in its place.

    Returns:
        The token stream. Equal streams mean equal code up to formatting, for code that parses.
    """
    writer = _Writer(source, docstrings, renamed or {})
    for top in source.tops():
        writer.write(top)
    return writer.out


def leaf_tokens(tokens: Sequence[str]) -> list[str]:
    """The tokens without the brackets of the tree."""
    return [token for token in tokens if token != OPEN and token != CLOSE]
