"""The hash of code: blind to formatting, sensitive to everything else, the same everywhere."""

from __future__ import annotations

import ast
import json
import random
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from debug_loop_pipeline.compute.stf_hash import stf_hash
from tests.support.golden_hashes import GOLDEN_HASHES, expected_hashes, hashes_elsewhere

# A program is a tree of tuples: it can be written in many layouts, and changed in one place.
Tree = tuple[Any, ...]
NAMES = st.sampled_from(["a", "b", "total", "rows", "x1"])
OPERATORS = ["+", "-", "*", "==", "<", "and", "or", "not in"]
TEXTS = st.text(alphabet="ab'\"\\\n{}# \tñ€\x00", max_size=6)
LEAVES = st.one_of(
    NAMES.map(lambda name: ("name", name)),
    st.integers(0, 3000).map(lambda value: ("int", value)),
    TEXTS.map(lambda value: ("text", value)),
)


def _expressions(inner: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    several = st.lists(inner, min_size=1, max_size=3).map(tuple)
    return st.one_of(
        st.tuples(st.just("binary"), st.sampled_from(OPERATORS), inner, inner),
        st.tuples(st.just("call"), NAMES, several),
        st.tuples(st.just("list"), several),
        st.tuples(st.just("tuple"), several),
    )


EXPRESSIONS = st.recursive(LEAVES, _expressions, max_leaves=6)


def _statements(inner: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    body = st.lists(inner, min_size=1, max_size=3).map(tuple)
    return st.one_of(
        st.tuples(st.just("if"), EXPRESSIONS, body, body | st.just(())),
        st.tuples(st.just("for"), NAMES, EXPRESSIONS, body),
    )


SIMPLE = st.one_of(
    st.tuples(st.just("assign"), NAMES, EXPRESSIONS), st.tuples(st.just("return"), EXPRESSIONS), st.just(("pass",))
)
PROGRAMS = st.lists(st.recursive(SIMPLE, _statements, max_leaves=6), min_size=1, max_size=4).map(tuple)


class Layout:
    """Writes a tree as a Python function, every choice that is layout taken at random."""

    def __init__(self, seed: int | None) -> None:
        self.random = random.Random(seed)
        self.plain = seed is None

    def either(self, *choices: str) -> str:
        return choices[0] if self.plain else self.random.choice(choices)

    def function(self, program: Tree) -> str:
        indent = self.either("    ", "  ", "\t")
        head = self.either("def f(a, b):", "def f(a,b,):", "def f( a, b ) :  # why", "def f(\n  a,\n  # one\n  b,\n):")
        return head + "\n" + self.body(program, indent, indent)

    def body(self, statements: Tree, margin: str, indent: str) -> str:
        out, joining = "", False
        for statement in statements:
            simple = statement[0] in ("assign", "return", "pass")
            if joining and simple:
                out += self.either(" ", "")
            else:
                out += ("\n" if out else "") + self.either("", "", "\n", f"{margin}# note\n", "# far left\n") + margin
            out += self.statement(statement, margin, indent)
            joining = simple and self.either("", "", ";") == ";"
            out += ";" if joining else self.either("", "  # note") if simple else ""
        return out

    def statement(self, node: Tree, margin: str, indent: str) -> str:
        kind = node[0]
        if kind == "pass":
            return "pass"
        if kind == "assign":
            return f"{node[1]}{self.either(' = ', '=', '  =  ')}{self.expression(node[2])}"
        if kind == "return":
            return f"return {self.expression(node[1])}"
        inner = margin + indent
        if kind == "for":
            head = f"for {node[1]} in {self.expression(node[2])}:"
            return head + "\n" + self.body(node[3], inner, indent)
        text = f"if {self.expression(node[1])}:\n" + self.body(node[2], inner, indent)
        if node[3]:
            # A pass in front, for an else that is only an if is what ast.unparse writes as elif.
            text += f"\n{margin}else:\n{inner}pass\n" + self.body(node[3], inner, indent)
        return text

    def expression(self, node: Tree) -> str:
        text = self.bare(node)
        return self.either(text, text, f"({text})", f"(\n  {text}  # wrapped\n)")

    def bare(self, node: Tree) -> str:
        kind = node[0]
        if kind == "name":
            return str(node[1])
        if kind == "int":
            return self.either(str(node[1]), f"{node[1]:_}", hex(node[1]), hex(node[1]).upper().replace("X", "x"))
        if kind == "text":
            return self.literal(node[1])
        if kind == "binary":
            return f"(({self.expression(node[2])}) {node[1]} ({self.expression(node[3])}))"
        items = self.either(", ", ",", " ,\n ").join(self.expression(item) for item in node[-1])
        comma = self.either("", ",")
        if kind == "call":
            return f"{node[1]}({items}{comma})"
        return f"[{items}{comma}]" if kind == "list" else f"({items},)"

    def literal(self, value: str) -> str:
        escaped = value.encode("unicode_escape").decode()
        double = '"' + escaped.replace('"', '\\"') + '"'
        triple = "'''" + escaped.replace("'", "\\'") + "'''"
        hexed = "u'" + "".join(f"\\u{ord(c):04x}" for c in value) + "'"
        halves = f"({value[:1]!a} {value[1:]!a})"
        return self.either(ascii(value), repr(value).replace("\x00", "\\x00"), double, triple, hexed, halves)


def meaning(source: str) -> str:
    """Python's own reading of a source; that a literal was written with `u` is none of it."""
    return ast.dump(ast.parse(source)).replace(", kind='u'", "")


def mutants(node: Any) -> Iterator[Any]:
    """Every program that differs in one leaf, one operator or one statement's place."""
    if not isinstance(node, tuple) or not node:
        return
    if node[0] == "name":
        yield ("name", node[1] + "_other")
    elif node[0] == "int":
        yield ("int", node[1] + 1)
    elif node[0] == "text":
        yield ("text", node[1] + "!")
        yield ("text", " " + node[1])
    elif node[0] == "binary":
        yield (node[0], next(op for op in OPERATORS if op != node[1]), *node[2:])
        yield (node[0], node[1], ("binary", node[1], node[2], node[3]), node[3])
    elif node[0] == "list":
        yield ("tuple", node[1])
    elif node[0] == "for" and len(node[3]) > 1:
        yield ("if", node[2], node[3], ())
    for position, child in enumerate(node):
        for other in mutants(child):
            yield (*node[:position], other, *node[position + 1 :])
    for position, child in enumerate(node):
        if isinstance(child, tuple) and child and child[0] == "for" and len(child[3]) > 1:
            moved = (*child[:3], child[3][:-1])
            yield (*node[:position], moved, child[3][-1], *node[position + 1 :])


@settings(max_examples=100, deadline=None)
@given(PROGRAMS, st.integers(0, 10**6))
def test_layout_never_changes_the_hash_of_python(program: Tree, seed: int) -> None:
    plain, other = Layout(None).function(program), Layout(seed).function(program)
    assert meaning(plain) == meaning(other), "the two layouts are meant to be one program"
    assert stf_hash(plain, "python") == stf_hash(other, "python")


@settings(max_examples=100, deadline=None)
@given(PROGRAMS)
def test_what_the_python_compiler_writes_back_has_the_hash_of_its_source(program: Tree) -> None:
    source = Layout(None).function(program)
    assert stf_hash(ast.unparse(ast.parse(source)), "python") == stf_hash(source, "python")


@settings(max_examples=100, deadline=None)
@given(PROGRAMS, st.data())
def test_any_change_of_a_leaf_or_of_the_block_structure_changes_the_hash(program: Tree, data: st.DataObject) -> None:
    changed = list(mutants(program))
    if not changed:
        return
    other = data.draw(st.sampled_from(changed))
    a, b = Layout(None).function(program), Layout(None).function(other)
    if meaning(a) != meaning(b):
        assert stf_hash(a, "python") != stf_hash(b, "python")


SAME = [
    ("python", "x = 'it''s'", 'x = "its"'),
    ("python", r"x = r'\d'", r"x = '\\d'"),
    ("python", r"x = r'\\'", r"x = '\\\\'"),
    ("python", "x = u'a'", "x = 'a'"),
    ("python", "x = b'a' B'b'", 'x = b"ab"'),
    ("python", "x = f'a{b}' 'c'", 'x = f"a{ b }c"'),
    ("python", "x = F'{a!r:>{w}}'", 'x = f"{a!r:>{w}}"'),
    ("python", "x = 1_000 + 0XfF + 1E3", "x = 1000 + 255 + 1000.0"),
    ("python", "sum(i for i in x)", "sum((i for i in x))"),
    ("python", "for a, b in c: pass", "for (a, b) in (c):\n  pass"),
    ("python", "class A(): x = 1", "class A:\n    x = 1"),
    ("python", "from a import (b, c,)", "from a import b, c"),
    ("python", "x[(a, b)] = 1", "x[a, b] = 1"),
    ("python", "with (a as b, c): pass", "with a as b, c:\n  pass"),
    ("python", 'def f():\n  """A\n\n     b\n  """\n  return 1', "def f():\n\t'''A\n\n\t   b'''\n\treturn 1"),
    ("javascript", "const f = x => { return 'a' }", 'const f = (x) => {\n  return "a";\n};'),
    ("javascript", "f({'a': 1, b: [1, 2,],})", "f({ a: 1, b: [1, 2] });"),
    ("javascript", "x = (a + b); // why", "x = /* so */ a + b"),
    ("javascript", "x = (a.b).c", "x = a.b.c"),
    ("javascript", "f = x => ({x})", "f = (x) => ((/* new */ { x }))"),
    ("javascript", "n = 0XFF + 1.50 + .5", "n = 0xff + 1.5 + 0.5"),
    ("javascript", "a = <p>\n  one\n  two\n</p>", "a = (<p>one two</p>)"),
    ("javascript", "run(a) { return this.b(a) }", "run( a ) {\n  return this.b(a);\n}"),
    ("typescript", "interface A { a: string, b: B[] }", "interface A {\n  a: string;\n  b: (B)[];\n}"),
    ("typescript", "const f = async <T,>(x: T) => x", "const f = async <T,>(x: T) => (x);"),
    ("go", 'func f() { x := `a"`; y := 1_000 }', 'func f() {\n\tx := "a\\""\n\ty := 1000\n}'),
    ("go", "func f() int { return (a + b) }", "func f() int {\n\t// sum\n\treturn a + b\n}"),
    ("go", "var x = T{A: 1, B: 2}", "var x = T{\n\tA: 1,\n\tB: 2,\n}"),
]

DIFFERENT = [
    ("python", "x = 'a'", "x = b'a'"),
    ("python", r"x = '\n'", r"x = r'\n'"),
    ("python", "x = f'{a}'", "x = '{a}'"),
    ("python", "x = f'{a=}'", "x = f'{a = }'"),
    ("python", "x = f'{a!r}'", "x = f'{a!s}'"),
    ("python", "x = f'{a:>3}'", "x = f'{a:> 3}'"),
    ("python", "x = f'a{b}'", "x = f'{b}a'"),
    ("python", "x = 'a', 'b'", "x = 'a' 'b'"),
    ("python", "x = 1", "x = 1.0"),
    ("python", "x = (1,)", "x = (1)"),
    ("python", "return ()", "return"),
    ("python", "x[a,]", "x[a]"),
    ("python", "x = ''", "x = None"),
    ("python", "a < b < c", "(a < b) < c"),
    ("python", "a - (b - c)", "a - b - c"),
    ("python", "assert a, b", "assert (a, b)"),
    ("python", "if a:\n  b\n  c", "if a:\n  b\nc"),
    ("python", "if a:\n  pass\nelse:\n  if b: c", "if a:\n  pass\nelif b: c"),
    ("python", "async def f(): pass", "def f(): pass"),
    ("python", "{a: b}", "{a, b}"),
    ("python", "x is not y", "x is (not y)"),
    ("python", "def f():\n  '''a'''\n  return 1", "def f():\n  '''b'''\n  return 1"),
    ("javascript", "x = `a b`", "x = `a  b`"),
    ("javascript", "x = `a${b}`", "x = `a${b} `"),
    ("javascript", "x = [a,,]", "x = [a]"),
    ("javascript", "x = (a?.b).c", "x = a?.b.c"),
    ("javascript", "for (;a;) b()", "for (;;a) b()"),
    ("javascript", "while (a) b()", "while (a); b()"),
    ("javascript", "x = /a b/", "x = /ab/"),
    ("javascript", "x = '1'", "x = 1"),
    ("javascript", "a = <p>a b</p>", "a = <p>ab</p>"),
    ("javascript", r"x = '\1'", "x = '1'"),
    ("javascript", "f = x => ({x})", "f = x => {x}"),
    ("javascript", "f = async () => ({})", "f = async () => {}"),
    ("typescript", "f = (x: A) => ({x})", "f = (x: A) => {x}"),
    ("typescript", "type T = (new () => A) | B", "type T = new () => A | B"),
    ("typescript", "type T = (abstract new () => A) & B", "type T = abstract new () => A & B"),
    ("typescript", "let a: string", "let a: number"),
    ("typescript", "let a: (A | B)[]", "let a: A | B[]"),
    ("go", "switch f(); { }", "switch f() { }"),
    ("go", "x := 'a'", 'x := "a"'),
    ("go", r'x := "\xff"', r'x := "ÿ"'),
    ("go", "x = a", "x := a"),
]


@pytest.mark.parametrize(("language", "a", "b"), SAME)
def test_two_spellings_of_one_meaning_have_one_hash(language: str, a: str, b: str) -> None:
    assert stf_hash(a, language) == stf_hash(b, language)


@pytest.mark.parametrize(("language", "a", "b"), DIFFERENT)
def test_two_meanings_have_two_hashes(language: str, a: str, b: str) -> None:
    assert stf_hash(a, language) != stf_hash(b, language)


def test_the_language_is_part_of_the_hash() -> None:
    assert stf_hash("x", "javascript") != stf_hash("x", "python")
    assert stf_hash("const x = 1", "ts") == stf_hash("const x = 1", "typescript")


def test_docstrings_count_unless_asked_off() -> None:
    bare = "def f():\n    return 1"
    told = 'def f():\n    """Say one."""\n    return 1'
    assert stf_hash(bare, "python") != stf_hash(told, "python")
    assert stf_hash(bare, "python", docstrings=False) == stf_hash(told, "python", docstrings=False)
    kept = 'def f():\n    x = """Say one."""\n    return 1'
    assert stf_hash(kept, "python", docstrings=False) != stf_hash(bare, "python", docstrings=False)


def test_code_nested_a_thousand_levels_is_hashed_without_recursion() -> None:
    deep = "x = " + "-" * 1500 + "1"
    assert stf_hash(deep, "python") != stf_hash(deep[:4] + deep[5:], "python")


def test_the_hashes_of_known_snippets_are_those_of_every_python_version() -> None:
    for snippet in json.loads(GOLDEN_HASHES.read_text(encoding="utf-8")):
        assert stf_hash(snippet["code"], snippet["language"]) == snippet["hash"], snippet["code"]


@pytest.mark.parametrize("hash_seed", ["0", "4711"])
def test_the_hash_is_the_same_in_other_processes(hash_seed: str) -> None:
    assert hashes_elsewhere(sys.executable, hash_seed) == (sys.version_info[:2], expected_hashes())
