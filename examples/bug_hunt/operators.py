"""The agent's menu: repairs of values where they are used. The other half of it is `structure_operators`.

An operator yields candidate changes at every place of a module where it applies, knowing nothing of the error. Its name is for
the menu and the tests only: no event carries it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator

from examples.bug_hunt.source import Replacement, Source, called_name

Change = list[Replacement]
Operator = Callable[[Source], Iterable[Change]]

_CONVERSIONS = frozenset("str int float list dict set tuple sorted len sum max min bytes bool range repr".split())
_TEXT_METHODS = frozenset(dir(str))
_ENCODINGS = frozenset({"ascii", "latin-1", "cp1252", "utf-8", "utf-16"})


def wrap(source: Source, node: ast.expr, before: str, after: str) -> Change:
    """Puts text in front of an expression and behind it."""
    start, end = source.start(node), source.end(node)
    return [Replacement(start, start, before), Replacement(end, end, after)]


def behind(source: Source, node: ast.expr, text: str) -> Change:
    """Puts text behind an expression."""
    end = source.end(node)
    return [Replacement(end, end, text)]


def last_argument(source: Source, call: ast.Call, text: str) -> Change:
    """Adds an argument at the end of a call."""
    end = source.end(call) - 1
    return [Replacement(end, end, f", {text}" if call.args or call.keywords else text)]


def _may_be_missing(source: Source, node: ast.expr) -> bool:
    if isinstance(node, ast.Name):
        return not (node.id in ("self", "cls", "super") or node.id in source.imported or node.id[0].isupper())
    if isinstance(node, ast.Call):
        name = called_name(node) or ""
        return not (name in _CONVERSIONS or name[:1].isupper())
    if isinstance(node, ast.Attribute):
        return not (isinstance(node.value, ast.Name) and node.value.id in source.imported)
    return isinstance(node, ast.Subscript)


def text_default(source: Source) -> Iterator[Change]:
    """Takes an empty text where the receiver of a text's method is missing."""
    for node in source.nodes(ast.Attribute):
        parent = source.parent(node)
        of_text = isinstance(parent, ast.Call) and parent.func is node and node.attr in _TEXT_METHODS
        if of_text and _may_be_missing(source, node.value):
            yield wrap(source, node.value, "(", ' or "")')


def _iterated(source: Source) -> Iterator[ast.expr]:
    loops: list[ast.For | ast.comprehension] = [*source.nodes(ast.For), *source.nodes(ast.comprehension)]
    for loop in loops:
        if isinstance(loop.iter, ast.Name | ast.Attribute | ast.Subscript):
            yield loop.iter


def list_default(source: Source) -> Iterator[Change]:
    """Takes an empty list where what is iterated over is missing."""
    for node in _iterated(source):
        yield behind(source, node, " or []")


def iterate_items(source: Source) -> Iterator[Change]:
    """Iterates over keys and values."""
    for node in _iterated(source):
        if not isinstance(node, ast.Subscript):
            yield behind(source, node, ".items()")


def _loops_over(source: Source) -> Iterator[ast.expr]:
    for loop in source.nodes(ast.For):
        if called_name(loop.iter) not in (*_CONVERSIONS, "enumerate", "zip", "map", "reversed"):
            yield loop.iter


def iterate_over_copy(source: Source) -> Iterator[Change]:
    """Iterates over a copy."""
    for node in _loops_over(source):
        yield wrap(source, node, "list(", ")")


def _looked_up(source: Source) -> Iterator[ast.Subscript]:
    """Subscripts that may look up a key: not slices, and no counters or whole numbers in the brackets."""
    for node in source.nodes(ast.Subscript):
        inside = node.slice
        counts = isinstance(inside, ast.Name) and inside.id in source.counters
        number = isinstance(inside, ast.UnaryOp | ast.BinOp) or (
            isinstance(inside, ast.Constant) and isinstance(inside.value, int)
        )
        if isinstance(node.ctx, ast.Load) and not (isinstance(inside, ast.Slice | ast.Tuple) or counts or number):
            yield node


def _get(source: Source, node: ast.Subscript, default: str) -> Change:
    return [
        Replacement(source.end(node.value), source.start(node.slice), ".get("),
        Replacement(source.end(node.slice), source.end(node), f", {default})"),
    ]


def get_default_zero(source: Source) -> Iterator[Change]:
    """Takes 0 for a missing key."""
    for node in _looked_up(source):
        yield _get(source, node, "0")


def get_default_text(source: Source) -> Iterator[Change]:
    """Takes an empty text for a missing key."""
    for node in _looked_up(source):
        yield _get(source, node, '""')


def key_strip(source: Source) -> Iterator[Change]:
    """Removes white space around a key."""
    for node in _looked_up(source):
        if not isinstance(node.slice, ast.Constant):
            yield behind(source, node.slice, ".strip()")


def key_lower(source: Source) -> Iterator[Change]:
    """Looks a key up in lower case."""
    for node in _looked_up(source):
        if not isinstance(node.slice, ast.Constant):
            yield behind(source, node.slice, ".lower()")


def float_round(source: Source) -> Iterator[Change]:
    """Rounds what is returned to two decimals."""
    for node in source.nodes(ast.Return):
        if isinstance(node.value, ast.BinOp | ast.Call | ast.Name | ast.Attribute | ast.Subscript):
            yield wrap(source, node.value, "round(", ", 2)")


def _results(source: Source) -> Iterator[ast.expr]:
    for node in source.nodes(ast.Return):
        if isinstance(node.value, ast.Call | ast.Name | ast.Attribute | ast.Subscript):
            yield node.value


def result_or_zero(source: Source) -> Iterator[Change]:
    """Returns 0 in place of nothing."""
    for node in _results(source):
        yield behind(source, node, " or 0")


def result_or_empty(source: Source) -> Iterator[Change]:
    """Returns an empty list in place of nothing."""
    for node in _results(source):
        yield behind(source, node, " or []")


def condition_negated(source: Source) -> Iterator[Change]:
    """Turns a condition round."""
    for node in source.nodes(ast.If):
        yield wrap(source, node.test, "not (", ")")


def absolute_difference(source: Source) -> Iterator[Change]:
    """Leaves the sign of a difference out."""
    for node in source.nodes(ast.BinOp):
        if isinstance(node.op, ast.Sub) and not isinstance(node.right, ast.Constant):
            yield wrap(source, node, "abs(", ")")


def _right_operands(source: Source, *kinds: type[ast.operator]) -> Iterator[ast.expr]:
    for node in source.nodes(ast.BinOp):
        if isinstance(node.op, kinds) and not isinstance(node.right, ast.Constant | ast.JoinedStr):
            yield node.right


def nonzero_divisor(source: Source) -> Iterator[Change]:
    """Divides by one instead of zero."""
    for node in _right_operands(source, ast.Div, ast.FloorDiv, ast.Mod):
        yield wrap(source, node, "(", " or 1)")


def text_operand(source: Source) -> Iterator[Change]:
    """Turns the second operand of `+` into text."""
    for node in _right_operands(source, ast.Add):
        yield wrap(source, node, "str(", ")")


def number_operand(source: Source) -> Iterator[Change]:
    """Turns the second operand of arithmetic into a number."""
    for node in _right_operands(source, ast.Add, ast.Sub, ast.Mult):
        if isinstance(node, ast.Name | ast.Subscript):
            yield wrap(source, node, "int(", ")")


def _stops(source: Source) -> Iterator[ast.expr]:
    for node in source.nodes(ast.Call):
        if called_name(node) == "range" and node.args:
            yield node.args[0] if len(node.args) == 1 else node.args[1]


def range_shorter(source: Source) -> Iterator[Change]:
    """Ends a range one earlier."""
    for node in _stops(source):
        yield behind(source, node, " - 1")


def range_later(source: Source) -> Iterator[Change]:
    """Begins a range one later."""
    for node in source.nodes(ast.Call):
        if called_name(node) == "range" and len(node.args) > 1:
            yield behind(source, node.args[0], " + 1")
        elif called_name(node) == "range" and node.args:
            yield wrap(source, node.args[0], "1, ", "")


def range_longer(source: Source) -> Iterator[Change]:
    """Ends a range one later."""
    for node in _stops(source):
        yield behind(source, node, " + 1")


def index_previous(source: Source) -> Iterator[Change]:
    """Takes the element before."""
    for node in source.nodes(ast.Subscript):
        inside = node.slice
        if isinstance(inside, ast.BinOp) and isinstance(inside.op, ast.Add) and isinstance(inside.right, ast.Constant):
            yield [Replacement(source.end(inside.left), source.end(inside), "")]
        elif isinstance(inside, ast.Name) and inside.id in source.counters:
            yield behind(source, inside, " - 1")


_OTHER_BOUND = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}


def boundary(source: Source) -> Iterator[Change]:
    """Lets a comparison include its boundary, or exclude it."""
    for node in source.nodes(ast.Compare):
        if len(node.ops) == 1 and isinstance(node.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE):
            end = source.end(node.left)
            sign = re.search(r"[<>]=?", source.text[end : source.start(node.comparators[0])])
            if sign is not None:
                yield [Replacement(end + sign.start(), end + sign.end(), _OTHER_BOUND[sign.group()])]


def aware_now(source: Source) -> Iterator[Change]:
    """Asks for the time with its zone."""
    for node in source.nodes(ast.Call):
        if called_name(node) == "now" and isinstance(node.func, ast.Attribute) and not (node.args or node.keywords):
            yield [*last_argument(source, node, "UTC"), *_needs_utc(source)]


def aware_parse(source: Source) -> Iterator[Change]:
    """Gives a time that was read its zone."""
    for node in source.nodes(ast.Call):
        if called_name(node) in ("fromisoformat", "strptime"):
            yield [*behind(source, node, ".replace(tzinfo=UTC)"), *_needs_utc(source)]


def _needs_utc(source: Source) -> Change:
    if "UTC" in source.imported:
        return []
    for node in source.tree.body:
        if isinstance(node, ast.ImportFrom) and node.module == "datetime":
            start = source.start(node) + len("from datetime import ")
            return [Replacement(start, start, "UTC, ")]
    first = next(node for node in source.tree.body if not isinstance(node, ast.Expr))
    at = source.line_start(first.lineno)
    return [Replacement(at, at, "from datetime import UTC\n")]


def _encodings(source: Source, other_than: str) -> Iterator[ast.Constant]:
    for node in source.nodes(ast.Constant):
        if (
            node.value in _ENCODINGS
            and node.value != other_than
            and isinstance(source.parent(node), ast.Call | ast.keyword)
        ):
            yield node


def encoding_utf8(source: Source) -> Iterator[Change]:
    """Reads or writes UTF-8."""
    for node in _encodings(source, "utf-8"):
        yield [Replacement(source.start(node), source.end(node), '"utf-8"')]


def encoding_latin(source: Source) -> Iterator[Change]:
    """Reads or writes Latin-1."""
    for node in _encodings(source, "latin-1"):
        yield [Replacement(source.start(node), source.end(node), '"latin-1"')]


def explicit_encoding(source: Source) -> Iterator[Change]:
    """Says the encoding of a file."""
    for node in source.nodes(ast.Call):
        known = any(keyword.arg == "encoding" for keyword in node.keywords)
        if called_name(node) in ("open", "read_text", "write_text") and not known:
            yield last_argument(source, node, 'encoding="utf-8"')


def encode_argument(source: Source) -> Iterator[Change]:
    """Hands bytes to a library."""
    for node in source.nodes(ast.Call):
        library = isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)
        if library and node.args and isinstance(node.args[0], ast.Name) and node.func.value.id in source.imported:  # type: ignore[attr-defined]
            yield behind(source, node.args[0], ".encode()")


def json_default(source: Source) -> Iterator[Change]:
    """Writes what JSON does not know as text."""
    for node in source.nodes(ast.Call):
        if called_name(node) in ("dump", "dumps") and not any(keyword.arg == "default" for keyword in node.keywords):
            yield last_argument(source, node, "default=str")


def split_once(source: Source) -> Iterator[Change]:
    """Splits at the first separator only."""
    for node in source.nodes(ast.Call):
        if called_name(node) == "split" and isinstance(node.func, ast.Attribute) and len(node.args) == 1:
            yield last_argument(source, node, "1")


def sort_by_text(source: Source) -> Iterator[Change]:
    """Sorts by the text of the elements."""
    for node in source.nodes(ast.Call):
        if called_name(node) in ("sorted", "sort") and not any(keyword.arg == "key" for keyword in node.keywords):
            yield last_argument(source, node, "key=str")


def tuple_member(source: Source) -> Iterator[Change]:
    """Adds a tuple to a set."""
    for node in source.nodes(ast.Call):
        if called_name(node) == "add" and len(node.args) == 1 and isinstance(node.args[0], ast.Name):
            yield wrap(source, node.args[0], "tuple(", ")")


VALUE_OPERATORS: tuple[Operator, ...] = (
    text_default,
    list_default,
    iterate_items,
    iterate_over_copy,
    get_default_zero,
    get_default_text,
    key_strip,
    key_lower,
    float_round,
    result_or_zero,
    result_or_empty,
    condition_negated,
    absolute_difference,
    nonzero_divisor,
    text_operand,
    number_operand,
    range_shorter,
    range_longer,
    range_later,
    index_previous,
    boundary,
    aware_now,
    aware_parse,
    encoding_utf8,
    encoding_latin,
    explicit_encoding,
    encode_argument,
    json_default,
    split_once,
    sort_by_text,
    tuple_member,
)
