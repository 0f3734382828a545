"""Extraction: which functions are lifted out, whole, described, ranked."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debug_loop_pipeline.compute.debug_stf_extractor import (
    ExtractionOptions,
    ExtractionResult,
    confidence_of,
    extract_stfs,
)
from debug_loop_pipeline.models.execution import CodeBlob, Edit
from debug_loop_pipeline.models.stf import StfCandidate, StfKind

PYTHON = '''
import os.path, json as j
from typing import Any
from .x import (y, z as w)

LIMIT = 3


class Loader(Base):
    @cached
    async def load(self, path: str, *args, limit=10, **kw) -> Any:
        """Load it.

        More text
          here.
        """
        if not path:
            raise ValueError("path")
        text = """raw
    keep"""
        try:
            return j.loads(open(os.path.join(path, text)).read())[LIMIT:limit]
        except OSError as err:
            w(err)
            return [one for one in args if (n := one)]


def outer(a: int) -> int:
    """Count."""
    def inner(b: int) -> int:
        """Inner."""
        b += 1
        b += 2
        return b
    return inner(a)
'''

TYPESCRIPT = """
import D, { E as F, type G } from "./x";
const fs = require("fs");
/**
 * Fetch it.
 * @param a thing
 */
export const fetchIt = async (a: G, { b, c = 1 }: Opts = {}, ...rest: number[]): Promise<User | null> => {
  if (!a) return null;
  try {
    return D.parse(await F(a, b, c, rest.length));
  } catch (e) {
    throw new Error(`x ${e}`);
  }
};
export default class Svc {
  /** Doc */
  @Log()
  async run(id: string): Promise<void> {
    for (const x of this.items) {
      await fs.write(x, id);
    }
  }
}
"""

JAVASCRIPT = """
const util = require('util');

/** Say it.
 * @param {string} word
 * @returns {string}
 */
exports.say = function (word) {
  const seen = new Map();
  return util.format(word, seen);
};

(function () {
  /** Half it. */
  function half(n) {
    try {
      return n / 2;
    } catch { return 0; }
  }
  module.exports = { half, /** Twice. @param {number} n */ twice(n) {
    const two = 2;
    helper(two);
    return n * two;
  } };
})();
"""

GO = """package p

import (
	"fmt"
	yaml "gopkg.in/yaml.v3"
)

// Load reads it. It may
// fail.
func (s *Server[T]) Load(ctx context.Context, a, b int, opts ...Option) (n *Node, err error) {
	if a < 0 {
		return nil, fmt.Errorf("bad %d", a)
	}
	x, err := s.get(ctx, a, b)
	if err != nil {
		return nil, err
	}
	return yaml.Unmarshal(x, T{A: b})
}
"""


def extract(code: str, path: str, **options: object) -> ExtractionResult:
    return extract_stfs([CodeBlob(path=path, content=code)], ExtractionOptions(**options))  # type: ignore[arg-type]


def named(result: ExtractionResult) -> dict[str, StfCandidate]:
    return {one.name: one for one in result.candidates}


def test_a_python_method_is_taken_whole_with_what_it_needs() -> None:
    load = named(extract(PYTHON, "a/b.py"))["load"]
    assert load.code.startswith("@cached\nasync def load(self")
    assert '\n    """Load it.\n\n    More text\n      here.\n    """\n' in load.code
    assert '\n    text = """raw\n    keep"""\n' in load.code, "the inside of a literal is a value, no layout"
    assert (load.kind, load.owner, load.is_async, load.start_line, load.end_line) == (
        StfKind.METHOD,
        "Loader",
        True,
        10,
        25,
    )
    assert [(one.name, one.type, one.default) for one in load.parameters] == [
        ("self", None, None),
        ("path", "str", None),
        ("*args", None, None),
        ("limit", None, "10"),
        ("**kw", None, None),
    ]
    assert load.return_type == "Any"
    assert load.docstring_summary == "Load it."
    assert load.imports == ("from typing import Any", "import json as j", "import os.path", "from .x import z as w")
    assert load.free_names == ("cached", "LIMIT")
    assert not load.self_contained
    assert load.complexity == 5
    assert load.confidence == 1.0
    assert load.is_primary


def test_a_nested_function_belongs_to_the_one_around_it() -> None:
    result = extract(PYTHON, "a/b.py")
    assert set(named(result)) == {"load", "outer"}
    assert named(result)["outer"].self_contained


def test_a_typescript_arrow_and_a_decorated_method_are_functions() -> None:
    found = named(extract(TYPESCRIPT, "src/a.tsx"))
    fetch, run = found["fetchIt"], found["run"]
    assert fetch.code.startswith("/**\n * Fetch it.\n * @param a thing\n */\nconst fetchIt = async (a: G")
    assert fetch.code.endswith("};") or fetch.code.endswith("}")
    assert [one.name for one in fetch.parameters] == ["a", "{ b, c = 1 }", "...rest"]
    assert fetch.parameters[1].default == "{}"
    assert fetch.return_type == "Promise<User | null>"
    assert fetch.imports == (
        'import { type G } from "./x"',
        'import D from "./x"',
        'import { E as F } from "./x"',
    )
    assert fetch.free_names == ("Opts", "User")
    assert (fetch.start_line, fetch.lines, fetch.confidence) == (4, 8, 0.85)
    assert run.code.startswith("/** Doc */\n@Log()\nasync run(id: string)")
    assert (run.owner, run.kind) == ("Svc", StfKind.METHOD)
    assert run.imports == ('const fs = require("fs");',)


def test_javascript_functions_are_found_under_every_form_of_name() -> None:
    found = named(extract(JAVASCRIPT, "lib/a.js", min_lines=4, min_confidence=0.3))
    assert set(found) == {"say", "half", "twice"}
    assert found["say"].imports == ("const util = require('util');",)
    assert found["say"].has_type_hints, "JSDoc types are type hints"
    assert found["say"].docstring_summary == "Say it."
    assert found["half"].has_error_handling
    assert found["twice"].free_names == ("helper",)


def test_a_go_method_names_its_receiver_and_its_errors_count_as_handled() -> None:
    (load,) = extract(GO, "m.go").candidates
    assert load.code.startswith("// Load reads it. It may\n// fail.\nfunc (s *Server[T]) Load(")
    assert (load.owner, load.kind) == ("Server", StfKind.METHOD)
    assert [(one.name, one.type) for one in load.parameters] == [
        ("ctx", "context.Context"),
        ("a", "int"),
        ("b", "int"),
        ("opts", "...Option"),
    ]
    assert load.return_type == "(n *Node, err error)"
    assert load.imports == ('import "fmt"', 'import yaml "gopkg.in/yaml.v3"')
    assert load.free_names == ("Server", "context", "Option", "Node")
    assert load.docstring_summary == "Load reads it. It may fail."
    assert load.confidence == 1.0


BODY = "    a = 1\n    b = 2\n    c = 3\n    return a, b, c\n"
NOT_STFS = [
    ("trivial", "x.py", 'def f(a: int) -> int:\n    """Say\n\n    much.\n    """\n'),
    ("trivial", "x.py", 'def f(a: int) -> int:\n    """Say\n\n    much.\n    """\n    # later\n    pass\n'),
    ("trivial", "x.py", 'def f(a: int) -> int:\n    """Say\n\n    much.\n    """\n    ...\n'),
    ("trivial", "x.py", 'def f(a: int):\n    """Say\n\n    much."""\n    raise NotImplementedError("later")\n'),
    ("trivial", "x.ts", 'function f(a: A): B {\n\n\n\n  throw new Error("Not implemented");\n}'),
    ("trivial", "x.js", "/** Say. */\nfunction f(a) {\n\n\n\n  // nothing\n}"),
    ("trivial", "x.go", '// F is.\nfunc F() int {\n\n\n\n\tpanic("not implemented")\n}'),
    ("test", "x.py", f'def test_it() -> None:\n    """Doc."""\n{BODY}'),
    ("test", "x.py", f'class TestA:\n  def helper(self) -> int:\n    """Doc."""\n{BODY}'),
    ("test", "x.py", f'class A(unittest.TestCase):\n  def helper(self) -> int:\n    """Doc."""\n{BODY}'),
    ("test", "x.py", f'@pytest.fixture\ndef rows() -> int:\n    """Doc."""\n{BODY}'),
    ("test", "x.ts", 'describe("a", () => {\n  function f(a: A): B {\n    b();\n    c();\n    d();\n  }\n});'),
    (
        "test",
        "x.js",
        "it.each([1])('a', () => {\n  /** Doc. */\n  const f = (a) => {\n    b();\n    c();\n    d();\n  };\n});",
    ),
    ("test", "x_test.go", "func TestF(t *testing.T) {\n\ta()\n\tb()\n\tc()\n\td()\n}"),
    ("test", "x_test.go", "func BenchmarkF(b *testing.B) {\n\ta()\n\tb()\n\tc()\n\td()\n}"),
    ("test", "x_test.go", "func FuzzF(f *testing.F) {\n\ta()\n\tb()\n\tc()\n\td()\n}"),
    ("syntax error", "x.py", f'def f(a: int) -> int:\n    """Doc."""\n    if a > = 1: pass\n{BODY}'),
    ("syntax error", "x.py", f'def f(a: int) -> int:\n    """Doc."""\n    print a\n{BODY}'),
    ("syntax error", "x.go", "// F is.\nfunc F(a int) int {\n\tb()\n\tc(\n\td()\n\treturn ]\n}"),
    ("too short", "x.py", 'def f(a: int) -> int:\n    """Doc."""\n    return a\n'),
    ("too long", "x.py", "def f(a: int) -> int:\n" + "    a += 1\n" * 500),
    ("low confidence", "x.py", f"def f():\n{BODY}"),
]


@pytest.mark.parametrize(("reason", "path", "code"), NOT_STFS)
def test_what_is_no_stf_is_counted_by_its_reason(reason: str, path: str, code: str) -> None:
    result = extract(code, path)
    assert (result.candidates, dict(result.skipped), result.errors) == ((), {reason: 1}, ())


def test_a_broken_function_does_not_take_its_neighbours_with_it() -> None:
    code = f'def bad(:\n    return\n\n\ndef good(a: int) -> int:\n    """Doc."""\n{BODY}'
    assert "good" in named(extract(code, "x.py"))


def test_names_like_test_words_are_no_tests() -> None:
    code = f'def testify(a: int) -> int:\n    """Doc."""\n{BODY}'
    assert set(named(extract(code, "x.py"))) == {"testify"}
    assert extract("// Tested is.\nfunc Testable(a int) {\n\ta()\n\tb()\n\tc()\n}", "x.go").candidates


def test_confidence_is_the_formula() -> None:
    for function, doc, types, errors, lines in itertools.product((0, 1), (0, 1), (0, 1), (0, 1), (9, 10, 100, 101)):
        expected = 0.30 * function + 0.20 * doc + 0.20 * types + 0.15 * errors + 0.15 * (10 <= lines <= 100)
        found = confidence_of(
            is_function=bool(function),
            has_doc=bool(doc),
            has_types=bool(types),
            handles_errors=bool(errors),
            lines=lines,
        )
        assert found == pytest.approx(expected)


def test_the_best_is_primary_and_ties_go_by_path_and_line() -> None:
    one = f'def first(a: int) -> int:\n    """Doc."""\n{BODY}\n\ndef second(a: int) -> int:\n    """Doc."""\n{BODY}'
    blobs = [
        CodeBlob(path="b.py", content=one),
        CodeBlob(path="a.py", content=one),
        CodeBlob(path="c.py", content=PYTHON),
    ]
    for order in itertools.permutations(blobs):
        result = extract_stfs(order)
        assert [(x.path, x.name) for x in result.candidates] == [
            ("c.py", "load"),
            ("a.py", "first"),
            ("a.py", "second"),
            ("b.py", "first"),
            ("b.py", "second"),
            ("c.py", "outer"),
        ]
        assert [x.is_primary for x in result.candidates] == [True] + [False] * 5
        assert result == extract_stfs(blobs)


def test_only_functions_with_an_edited_line_are_an_edits_work() -> None:
    first = f'def first(a: int) -> int:\n    """Doc."""\n{BODY}'
    second = first.replace("first", "second").replace("c = 3", "c = 4")
    blob = CodeBlob(path="m.py", content=first + "\n\n" + second)
    edit = Edit(path="m.py", before="    b = 2\n    c = 3\n", after="    b = 2\n    c = 4\n")
    result = extract_stfs([blob], edits=[edit])
    assert [one.name for one in result.candidates] == ["second"]
    assert result.skipped == {"not edited": 1}
    elsewhere = Edit(path="other.py", before="", after="    c = 4\n")
    overwritten = Edit(path="m.py", before="", after="    c = 5\n")
    for edits in ([], [elsewhere], [overwritten]):
        assert len(extract_stfs([blob], edits=edits).candidates) == 2


def test_a_deleted_line_counts_as_work_on_the_function_it_left() -> None:
    code = f'def f(a: int) -> int:\n    """Doc."""\n{BODY}\n\ndef g(a: int) -> int:\n    """Doc."""\n    d = 5\n{BODY}'
    edit = Edit(path="m.py", before="    d = 5\n    e = 6\n    a = 1\n", after="    d = 5\n    a = 1\n")
    assert [one.name for one in extract_stfs([CodeBlob(path="m.py", content=code)], edits=[edit]).candidates] == ["g"]


def test_redacted_code_is_flagged() -> None:
    code = f'def f(a: int) -> int:\n    """Doc."""\n    key = "<REDACTED:api_key>"\n{BODY}'
    (found,) = extract(code, "x.py").candidates
    assert found.redacted
    assert not extract(PYTHON, "x.py").candidates[0].redacted


def test_classes_and_files_without_functions_are_candidates_when_asked_for() -> None:
    both = named(extract(PYTHON, "a/b.py", classes=True))
    assert both["Loader"].kind is StfKind.CLASS
    assert {"load", "outer"} <= set(both)
    script = '"""Build\nthe\nthing.\n"""\n' + "a = 1\n" * 10
    assert not extract(script, "tools/build.py").candidates
    (whole,) = extract(script, "tools/build.py", functions_required=False, min_confidence=0.3).candidates
    assert (whole.name, whole.kind, whole.confidence) == ("build", StfKind.MODULE, 0.35)


def test_files_of_other_languages_are_counted_not_refused() -> None:
    result = extract_stfs([CodeBlob(path="a.rs", content="fn f() {}"), CodeBlob(path="b.md", content="# x")])
    assert (result.candidates, result.errors, result.skipped) == ((), (), {"other language": 2})


def test_a_plain_blob_without_a_path_is_python() -> None:
    assert extract_stfs([CodeBlob(content=PYTHON)]).primary is not None


FREE = [
    ("python", "def f(a):\n    global b\n    b = a\n    return [c for c in d if e.f(g=c)]", ("b", "d", "e")),
    ("python", "def f(a):\n    def g(h):\n        return h\n    return h", ("h",)),
    (
        "python",
        "def f(*, a: T = k, **r) -> 'U':\n    import x.y as z\n    with o as (p, q): z(p, q, r)",
        ("T", "k", "o"),
    ),
    (
        "python",
        "def f(x):\n    match x:\n        case {'k': v, **w}: return v, w\n        case C(a=b) as d: return b, d",
        ("C",),
    ),
    (
        "python",
        "def f(x):\n    try:\n        y, *z = x\n    except E as e:\n        return e\n    return y, z, len(z)",
        ("E",),
    ),
    ("python", "def f(n):\n    return f(n - 1)", ()),
    (
        "javascript",
        "function f({a, b: [c]}, ...d) { for (const e of d) a(e, c, g, Math.max(h)); try {} catch (i) { i(f) } }",
        ("g", "h"),
    ),
    ("javascript", "const f = a => <div id={a}><Comp.x b={c}/></div>", ("Comp", "c")),
    (
        "typescript",
        "function f<T>(a: T, b: Map<K, V[]>): x.Y { const c = {a, d: e}; return c as Z }",
        ("K", "V", "x", "e", "Z"),
    ),
    (
        "go",
        "func f(a int) (b *T, err error) { c, ok := m[a]; for i := range c { g(i, S{F: ok}) }; return }",
        ("T", "m", "g", "S"),
    ),
]


@pytest.mark.parametrize(("language", "code", "free"), FREE)
def test_free_names_are_those_nothing_explains(language: str, code: str, free: tuple[str, ...]) -> None:
    options = ExtractionOptions(min_lines=1, min_confidence=0.0)
    (found,) = extract_stfs([CodeBlob(language=language, content=code)], options).candidates
    assert found.free_names == free
    assert found.self_contained is (not free)


@given(st.permutations(["a", "b", "c", "d"]), st.integers(0, 4))
def test_the_candidates_of_a_file_do_not_depend_on_its_neighbours(names: list[str], blank: int) -> None:
    parts = [f'def {name}(x: int) -> int:\n    """Doc."""\n{BODY}' for name in names]
    together = extract(("\n" * blank).join(parts), "m.py")
    alone = {name: extract(part, "m.py").candidates[0] for name, part in zip(names, parts, strict=True)}
    assert {one.name: one.code for one in together.candidates} == {name: one.code for name, one in alone.items()}
