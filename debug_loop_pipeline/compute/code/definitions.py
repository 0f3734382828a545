"""Where the functions of a source file are: their extent, name, owner and doc comment (DOMAIN 3.3).

What counts: named functions and methods outside any other, wherever the file puts them (in a class, under a condition,
inside an anonymous wrapper), so a nested function belongs to the one around it. A class is the owner of its methods,
and a definition itself only when asked for. Here: finding and cutting them out. Not here: what they are worth.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from tree_sitter import Node

from debug_loop_pipeline.compute.code.doc_comments import DocComment, doc_comment, docstring_statement, docstring_value
from debug_loop_pipeline.compute.code.source_tree import SourceTree, captures
from debug_loop_pipeline.models.stf import StfKind

_VALUE_FIELDS = ("value", "right")
_NAME_FIELDS = ("name", "left", "key")
_TEST_DECORATORS = ("fixture", "pytest.", "hookimpl")
_NEAREST = 200
"""Comments in front of a definition that are looked at."""
_CONTAINERS = ("class", "wrapper", "outer", "testcall", "function")


@dataclass(frozen=True, slots=True)
class Definition:
    """One function, method or class of a file."""

    name: str
    kind: StfKind
    owner: str | None
    node: Node
    """The node that is cut out, decorators included."""
    core: Node
    """The node that has the parameters and the body."""
    doc: str | None
    """Text of its docstring or doc comment."""
    comment: DocComment | None
    """The doc comment, where it stands outside `node`."""
    first: Node
    """Where its own text begins: `node`, or a decorator that stands beside it."""
    is_test: bool

    @property
    def body(self) -> Node | None:
        """The body, None for a declaration without one."""
        return self.core.child_by_field_name("body")


@dataclass(frozen=True, slots=True)
class FileOutline:
    """What a file defines and imports."""

    definitions: tuple[Definition, ...]
    imports: tuple[Node, ...]
    """Import statements outside functions."""


def outline(source: SourceTree, *, classes: bool = False) -> FileOutline:
    """Find the outermost functions and methods of a file, and its imports.

    Args:
        source: the parsed file.
        classes: whether classes are definitions too, beside their methods.
    """
    found = captures(source.grammar.structure, source.root)
    comments = found.get("comment", [])
    comment_ends = [comment.end_byte for comment in comments]
    decorators = {node.end_byte: node for node in found.get("decorator", ())}
    events = [
        (node.start_byte, -node.end_byte, order, role, node)
        for order, role in enumerate((*_CONTAINERS, "import"))
        for node in found.get(role, ())
    ]
    events.sort(key=lambda event: event[:3])
    stack: list[tuple[str, Node]] = []
    definitions: list[Definition] = []
    imports: list[Node] = []
    for start, _, _, role, node in events:
        while stack and stack[-1][1].end_byte <= start:
            stack.pop()
        if not any(outer == "function" for outer, _ in stack):
            if role == "import":
                imports.append(node)
            elif role == "function" or (role == "class" and classes):
                at = bisect_right(comment_ends, start)
                nearest = comments[max(0, at - _NEAREST) : at]
                definitions.append(_definition(source, role, node, stack, nearest, decorators))
        if role != "import":
            stack.append((role, node))
    return FileOutline(tuple(definitions), tuple(imports))


def definition_code(source: SourceTree, definition: Definition) -> str:
    """A definition's own text with its doc comment above it, moved to the left margin."""
    kept = _literal_lines(source, definition.node)
    own = _dedented(source, definition.first, definition.node.end_byte, kept)
    if definition.comment is None:
        return own
    return _dedented(source, definition.comment.first, definition.comment.last.end_byte, set()) + "\n" + own


def statements(body: Node | None) -> list[Node]:
    """The statements of a body, comments left out. An expression body is its own only statement."""
    if body is None:
        return []
    if "block" not in body.type and body.type not in ("statement_list", "class_body"):
        return [body]
    found: list[Node] = []
    for child in body.named_children:
        if child.type == "statement_list":
            found += (inner for inner in child.named_children if inner.type != "comment")
        elif child.type != "comment":
            found.append(child)
    return found


def node_name(source: SourceTree, node: Node) -> str:
    """The name a definition gives, empty when it gives none. Of `a.b.c = function` that is `c`."""
    for name in _NAME_FIELDS:
        field = node.child_by_field_name(name)
        if field is not None:
            return source.text(field).rsplit(".", 1)[-1].strip("\"'`[]")
    return ""


def _definition(
    source: SourceTree,
    role: str,
    node: Node,
    stack: Sequence[tuple[str, Node]],
    comments: Sequence[Node],
    decorators: dict[int, Node],
) -> Definition:
    core = _core(node)
    cut = core if node.type in ("pair", "export_statement") else node
    outermost = node
    for outer_role, outer in reversed(stack):
        if outer_role not in ("wrapper", "outer") or not _only_child(outer, outermost):
            break
        outermost = outer
        if outer_role == "wrapper":
            cut = outer
    beside = _first_decorator(source, outermost, decorators)
    owner_node = next((outer for outer_role, outer in reversed(stack) if outer_role == "class"), None)
    owner = _receiver(source, node) or (node_name(source, owner_node) or None if owner_node is not None else None)
    name = node_name(source, node) or "default"
    is_method = owner is not None or node.type == "method_definition"
    kind = StfKind.CLASS if role == "class" else StfKind.METHOD if is_method else StfKind.FUNCTION
    doc, comment = _doc(source, core, comments, (beside or outermost).start_byte)
    return Definition(
        name=name,
        kind=kind,
        owner=owner,
        node=cut,
        core=core,
        doc=doc,
        comment=comment,
        first=beside or cut,
        is_test=_is_test(source, name, cut, owner_node if role != "class" else node, stack),
    )


def _core(node: Node) -> Node:
    if node.child_by_field_name("body") is not None:
        return node
    for name in _VALUE_FIELDS:
        value = node.child_by_field_name(name)
        if value is not None and value.child_by_field_name("body") is not None:
            return value
    return node


def _only_child(outer: Node, inner: Node) -> bool:
    """Whether `outer` is there for `inner` alone (`const a = ..., b = ...` is not)."""
    same = [child for child in outer.named_children if child.type == inner.type]
    return len(same) == 1 and same[0].id == inner.id


def _first_decorator(source: SourceTree, node: Node, decorators: dict[int, Node]) -> Node | None:
    """The first of the decorators that stand directly in front of a node."""
    first: Node | None = None
    gap = node.start_byte
    while decorators:
        while gap > 0 and source.code[gap - 1 : gap].isspace():
            gap -= 1
        if gap not in decorators:
            break
        first = decorators[gap]
        gap = first.start_byte
    return first


def _receiver(source: SourceTree, node: Node) -> str | None:
    """The type a Go method belongs to."""
    receiver = node.child_by_field_name("receiver")
    if receiver is None:
        return None
    kind = source.text(receiver).strip("() \n\t").rsplit(" ", 1)[-1]
    return kind.lstrip("*").split("[", 1)[0] or None


def _doc(source: SourceTree, core: Node, comments: Sequence[Node], begin: int) -> tuple[str | None, DocComment | None]:
    if source.spec.name == "python":
        statement = docstring_statement(core.child_by_field_name("body"))
        return (docstring_value(source.code, statement).strip() or None if statement else None), None
    found = doc_comment(source.spec, source.code, comments, begin)
    return (found.text, found) if found is not None else (None, None)


def _is_test(source: SourceTree, name: str, cut: Node, owner: Node | None, stack: Sequence[tuple[str, Node]]) -> bool:
    spec = source.spec
    if spec.test_name.match(name) or any(role == "testcall" for role, _ in stack):
        return True
    if owner is not None:
        names = [node_name(source, owner)]
        bases = owner.child_by_field_name("superclasses")
        if bases is not None:
            names += [source.text(base).rsplit(".", 1)[-1] for base in bases.named_children]
        if any(spec.test_owner.search(one) for one in names):
            return True
    texts = [source.text(child) for child in cut.named_children if child.type == "decorator"]
    return any(mark in text for text in texts for mark in _TEST_DECORATORS)


def _literal_lines(source: SourceTree, node: Node) -> set[int]:
    """Rows that begin inside a literal, where indentation is part of a value. Docstrings move with their function."""
    rows: set[int] = set()
    pending = [node]
    while pending:
        current = pending.pop()
        if current.start_point[0] == current.end_point[0]:
            continue
        if "string" in current.type:
            rows.update(range(current.start_point[0] + 1, current.end_point[0] + 1))
        elif not (current.type == "expression_statement" and source.spec.name == "python" and _is_text(current)):
            pending += current.children
    return rows


def _is_text(statement: Node) -> bool:
    only = statement.named_child(0) if statement.named_child_count == 1 else None
    return only is not None and only.type == "string"


def _dedented(source: SourceTree, first: Node, end: int, kept: set[int]) -> str:
    """Text from `first` to `end`, its lines moved left by the indentation of the first, as far as they have it."""
    start, row = first.start_byte, first.start_point[0]
    line_start = source.code.rfind(b"\n", 0, start) + 1
    margin = source.code[line_start:start].decode()
    lines = source.code[start:end].decode().split("\n")
    if margin.strip() or not margin:
        return "\n".join(lines)
    return "\n".join(
        line if number == 0 or row + number in kept else _without(line, margin) for number, line in enumerate(lines)
    )


def _without(line: str, margin: str) -> str:
    if line.startswith(margin):
        return line[len(margin) :]
    return line.lstrip() if not line.strip() else line
