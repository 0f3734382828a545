"""Docstrings and doc comments: where they are and what they say.

Here: Python docstrings, JSDoc blocks, the comment lines above a Go declaration. Not here: whether they are good.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tree_sitter import Node

from debug_loop_pipeline.compute.code.languages import LanguageSpec
from debug_loop_pipeline.compute.code.string_values import clean_docstring, python_text

_SUMMARY_LENGTH = 300
_STAR = re.compile(r"^\s*\*+ ?")
_TAG = re.compile(r"^\s*@\w+")
_TYPED_TAG = re.compile(r"@(?:param|arg|argument|returns?|type)\s*\{")
_LITERALS = frozenset({"string", "concatenated_string"})


@dataclass(frozen=True, slots=True)
class DocComment:
    """A doc comment: one block, or the lines from `first` to `last`."""

    first: Node
    last: Node
    text: str


def docstring_statement(body: Node | None) -> Node | None:
    """The statement that is the docstring of a Python module, class or function body; None when there is none."""
    if body is None:
        return None
    for statement in body.named_children:
        if statement.type == "comment":
            continue
        if statement.type != "expression_statement" or statement.named_child_count != 1:
            return None
        literal = statement.named_child(0)
        if literal is None or literal.type not in _LITERALS:
            return None
        return statement if not any(set("bf") & set(_prefix(string)) for string in _strings(literal)) else None
    return None


def docstring_value(code: bytes, statement: Node) -> str:
    """The text of a docstring statement, as Python would read it."""
    literal = statement.named_child(0)
    return "".join(_literal_value(code, string) for string in (_strings(literal) if literal is not None else ()))


def doc_comment(spec: LanguageSpec, code: bytes, comments: Sequence[Node], start: int) -> DocComment | None:
    """The doc comment that stands directly above a definition of JavaScript, TypeScript or Go.

    Args:
        spec: the language.
        code: the source.
        comments: the comments before the definition, in order.
        start: byte offset where the definition begins.

    Returns:
        The comment, None where there is none that says anything.
    """
    first: Node | None = None
    lines: list[str] = []
    begin = start
    for comment in reversed(comments):
        between = code[comment.end_byte : begin]
        if between.strip() or between.count(b"\n") > 1:
            break
        raw = code[comment.start_byte : comment.end_byte].decode()
        if spec.name != "go":
            text = comment_text(spec, raw)
            return DocComment(comment, comment, text) if raw.startswith("/**") and text else None
        line_start = code.rfind(b"\n", 0, comment.start_byte) + 1
        if code[line_start : comment.start_byte].strip():
            break
        begin, first = comment.start_byte, comment
        text = comment_text(spec, raw)
        if not spec.directive_comment.match(text):
            lines.append(text)
    text = "\n".join(reversed(lines)).strip()
    return DocComment(first, comments[-1], text) if text and first is not None else None


def comment_text(spec: LanguageSpec, raw: str) -> str:
    """What a comment says, without its marks."""
    text = spec.comment_mark.sub("", raw)
    if raw.startswith("/*"):
        text = "\n".join(_STAR.sub("", line) for line in text.split("\n"))
    return text.strip()


def has_typed_tags(text: str) -> bool:
    """Whether a JSDoc comment declares types."""
    return bool(_TYPED_TAG.search(text))


def typed_tags(text: str) -> tuple[frozenset[str], bool]:
    """Names of the parameters a JSDoc comment types, and whether it types the result."""
    names = re.findall(r"@(?:param|arg|argument)\s*\{[^}]*\}+\s*\[?(?:\.\.\.)?([\w$]+)", text)
    return frozenset(names), bool(re.search(r"@returns?\s*\{", text))


def summary(text: str) -> str | None:
    """The first paragraph of a doc text on one line, at most 300 characters; None when it says nothing."""
    lines: list[str] = []
    for line in clean_docstring(text).split("\n"):
        if _TAG.match(line) or (lines and not line.strip()):
            break
        if line.strip():
            lines.append(line.strip())
    return " ".join(lines)[:_SUMMARY_LENGTH] or None


def _strings(literal: Node) -> list[Node]:
    return [literal] if literal.type == "string" else [n for n in literal.named_children if n.type == "string"]


def _literal_value(code: bytes, string: Node) -> str:
    opening = _opening(string)
    quote = len(opening) - len(opening.rstrip("\"'"))
    inside = code[string.start_byte + len(opening) : string.end_byte - quote].decode()
    return python_text(inside, _prefix(string))


def _prefix(string: Node) -> str:
    return _opening(string).rstrip("\"'").lower()


def _opening(string: Node) -> str:
    first = string.child(0)
    text = first.text if first is not None else None
    return text.decode() if text else ""
