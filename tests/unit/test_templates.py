"""DOMAIN 3.8 "Resolution": what a change's template says and what it leaves out."""

from __future__ import annotations

import pytest

from debug_loop_pipeline.compute.code.code_tokens import bound_names, enclosing_function, language_of, tokenise
from debug_loop_pipeline.compute.fixes.resolution import (
    DEFAULT_LIMITS,
    ChangePart,
    example_diff,
    resolution_id,
    resolutions,
)
from debug_loop_pipeline.compute.fixes.templates import (
    COMMENTED,
    DELETED,
    REFORMATTED,
    command_template,
    edit_template,
    template_similarity,
)
from debug_loop_pipeline.models.execution import Command, Edit
from debug_loop_pipeline.models.mapping import ResolutionKind


def test_only_what_was_removed_and_added_is_in_a_template():
    assert edit_template("def f():\n    return go(1, 2)", "def f():\n    return go(1, 3)", path="a.py") == "- 2\n+ 3"


def test_a_token_equal_to_a_slot_becomes_its_number_the_lowest_of_equal_ones():
    assert edit_template("np.Inf", "np.inf", path="a.py", subjects=("np.Inf", "np.inf")) == "- <SLOT 1>\n+ <SLOT 2>"
    assert edit_template("d['k']", 'd.get("k")', path="a.py", subjects=("k", "k")).count("<SLOT 1>") == 0  # it stayed
    assert edit_template("", "import os", path="a.py", subjects=("x", "os", "os")) == "+ import <SLOT 2>"


def test_names_bound_in_the_hunk_or_its_function_are_folded_and_called_names_stay():
    one = edit_template("def f(rows):\n    return rows[0]", "def f(rows):\n    return head(rows)", path="a.py")
    other = edit_template("def g(xs):\n    return xs[0]", "def g(xs):\n    return head(xs)", path="a.py")
    assert one == other
    assert "head" in one
    assert one != edit_template("def g(xs):\n    return xs[0]", "def g(xs):\n    return tail(xs)", path="a.py")


def test_layout_comments_and_deleted_files_have_templates_of_their_own():
    assert edit_template('{"a":    1}', '{"a": 1}', path="a.go") == REFORMATTED
    assert edit_template("f() // one", "f() // two", path="a.ts") == COMMENTED
    assert edit_template("x", None, path="a.ts") == DELETED


def test_a_comment_that_steers_a_tool_is_a_change():
    assert edit_template("f()", "f() //nolint:ireturn // why", path="a.go") == "+ //nolint:ireturn // why"
    assert edit_template("import x", "import x  # noqa: F401", path="a.py") == "+ # noqa: F401"


def test_indentation_is_a_change_where_it_is_syntax():
    before, after = "for x in y:\n    f()\n    g()", "for x in y:\n    f()\ng()"
    assert edit_template(before, after, path="a.py") == "+ <DEDENT>"
    assert edit_template("{\n  f()\n}", "{\nf()\n}", path="a.ts") == REFORMATTED


def test_quotes_do_not_matter_where_the_value_is_the_same():
    assert edit_template("g(1)", "g('a')", path="a.py") == edit_template("g(1)", 'g("a")', path="a.py")


def test_a_huge_hunk_is_a_replacement_as_a_whole():
    before, after = (" ".join(f"x{i}" for i in range(n, n + 2_000)) for n in (0, 5_000))
    assert edit_template(before, after, path="a.js").startswith("- x0 x1")


@pytest.mark.parametrize(
    ("command", "subjects", "template"),
    [
        ("pip install foo", ("foo",), "pip install <SLOT 1>"),
        ("cd /repo && pip install foo==1.2 2>&1 | tail -5", ("foo",), "pip install <SLOT 1>==1.2"),
        ("npm i @octokit/rest", ("@octokit/rest",), "npm i <SLOT 1>"),
        ("FOO=1 sudo apt-get install -y libx", (), "apt-get install -y libx"),
        ("rm -rf /tmp/cache/x && bun install", (), "rm -rf <PATH> && bun install"),
        ("bun run lint:fix; echo done", (), "bun run lint:fix"),
        ("cat > conf.toml <<'EOF'\na = 1\nEOF", (), "cat > conf.toml"),
    ],
)
def test_a_commands_template_says_what_it_does(command, subjects, template):
    assert command_template(command, subjects=subjects) == template


def test_equal_parts_are_one_resolution_and_ids_tell_kinds_apart():
    parts = [ChangePart(i, f"c{i}", edit=Edit(path=f"{i}.py", before="a", after="b")) for i in range(3)]
    (one,) = resolutions(parts, parts, ())
    assert one.resolution_id == resolution_id(ResolutionKind.EDIT, one.template)
    assert resolution_id(ResolutionKind.COMMAND, one.template) != one.resolution_id
    assert one.language == "python"


def test_the_example_is_a_diff_of_at_most_two_kilobytes():
    parts = [
        ChangePart(1, edit=Edit(path="a.py", before="x = 1\ny = 2", after="x = 1\ny = 3")),
        ChangePart(2, command=Command(command="pip install b", mutating=True)),
    ]
    assert example_diff(parts, DEFAULT_LIMITS.diff_bytes).splitlines() == [
        "--- a.py",
        "@@ -1,2 +1,2 @@",
        " x = 1",
        "-y = 2",
        "+y = 3",
        "$ pip install b",
    ]
    long = [ChangePart(1, edit=Edit(path="a.py", before="", after="ä" * 5_000))]
    assert len(example_diff(long, DEFAULT_LIMITS.diff_bytes).encode()) <= 2_048


def test_reuse_of_an_stf_is_a_resolution():
    (reuse,) = resolutions([ChangePart(1, stf_id="abc")], [], ())
    assert (reuse.kind, reuse.stf_id, reuse.template) == (ResolutionKind.STF, "abc", "stf abc")


@pytest.mark.parametrize(
    ("code", "language", "bound"),
    [
        (
            "x = np.Inf\nfor i, v in items:\n    with open(p) as fh:\n        y += f(end=1)",
            "python",
            {"x", "i", "v", "fh", "y"},
        ),
        ("def f(self, a, b=1, *args, **kw): return [k for k in a.items()]", "python", {"a", "b", "args", "kw", "k"}),
        ("const {a, b} = foo(c, (x, y) => x + y); for (const z of xs) {}", "typescript", {"a", "b", "x", "y", "z"}),
        (
            "func (s *Store) Get(id string, n int) { if v, err := s.find(id); err != nil {} }",
            "go",
            {"s", "id", "n", "v", "err"},
        ),
        ("fn f<'a>(x: &'a str, y: char) { let mut z = 'c'; }", "rust", {"x", "y", "z"}),
        ("timeout=5,", "python", set()),
        ("import numpy as np", "python", set()),
    ],
)
def test_bound_names(code, language, bound):
    assert bound_names(tokenise(code, language), language) == bound


def test_the_function_around_a_hunk_is_found_by_its_header():
    content = "def a(x):\n    pass\n\ndef f(row):\n    y = 1\n    return row\n"
    assert enclosing_function(content, "    return row") == "def f(row):\n    y = 1\n    return row"
    assert enclosing_function(content, "not there") is None


def test_the_language_is_what_the_source_says_or_the_name():
    assert language_of("a/b.tsx") == "typescript"
    assert language_of("a/Makefile") is None
    assert language_of("x.txt", "Python") == "python"


def test_near_templates_are_nearer_than_others():
    guard = edit_template("", "if x is None:\n    return 0", path="a.py")
    other = edit_template("", "if y is None:\n    return []", path="b.py")
    call = edit_template("f(1)", "f(1, encoding='utf-8')", path="a.py")
    assert template_similarity(guard, guard) == 1.0
    assert template_similarity(guard, other) > template_similarity(guard, call)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("open(path)", 'open(path, encoding="utf-8")'), ("open(name)", "open(name, encoding='utf-8')")),
        (("datetime.now()", "datetime.now(timezone.utc)"), ("datetime.now()", "datetime.now( timezone.utc )")),
        (("for i in range(n):", "for i in range(n - 1):"), ("for k in range(m):", "for k in range(m - 1):")),
        (("if a == 0.3:", "if math.isclose(a, 0.3):"), ("if b == 0.3:", "if math.isclose(b, 0.3):")),
    ],
)
def test_the_same_repair_of_different_code_is_one_template(one, other):
    contents = [f"def f(path, name, n, m, a, b):\n    {after}\n" for _, after in (one, other)]
    made = [
        edit_template(f"    {before}\n", f"    {after}\n", path="x.py", content=content)
        for (before, after), content in zip((one, other), contents, strict=True)
    ]
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("before", "after", "template"),
    [
        ("x.strip()", '(x or "").strip()', '+ (\n+ or "" )'),
        ('r.get("k").strip()', '(r.get("k") or "").strip()', '+ (\n+ or "" )'),
        ("return go(1)", "return round(go(1), 2)", "+ round (\n+ , 2 )"),
        ("return 1", "return round(1, 2)", "+ round (\n+ , 2 )"),
    ],
)
def test_what_is_put_around_an_expression_does_not_depend_on_how_that_ends(before, after, template):
    assert edit_template(before, after, path="a.py") == template


@pytest.mark.parametrize("context", ["", "if b:", "x = 1", "if not a:"])
def test_inserted_lines_are_the_same_however_the_hunk_was_cut(context):
    guard = "if a is None:\n    return 0"
    above = edit_template(context, f"{guard}\n{context}", path="a.py")
    below = edit_template("y = 2", f"y = 2\n{guard}", path="a.py")
    between = edit_template("y = 2\nif b:\n    z()", f"y = 2\n{guard}\nif b:\n    z()", path="a.py")
    assert above == below == between == edit_template("", guard, path="a.py")


def test_lines_that_go_are_the_same_however_the_hunk_was_cut():
    assert (
        edit_template("import a\nimport b\nimport c", "import a\nimport c", path="a.py")
        == edit_template("import a\nimport b", "import a", path="a.py")
        == edit_template("import b", "", path="a.py")
        == "- import b"
    )


def test_expressions_inside_strings_are_code():
    plain = edit_template("t[name]", "t[name.strip()]", path="a.py")
    assert edit_template('f"0-{t[name]:>4} {{x}}"', 'f"0-{t[name.strip()]:>4} {{x}}"', path="a.py") == plain
    assert edit_template("`a ${f(x)} b`", "`a ${g(x)} b`", path="a.ts") == "- f\n+ g"
    assert edit_template('f"{x!r}"', 'f"{x!s}"', path="a.py") == '- f"{!r}"\n+ f"{!s}"'
    assert edit_template('f"{a != b}"', 'f"{a == b}"', path="a.py") == "- !=\n+ =="


def test_a_string_whose_braces_do_not_match_is_one_token():
    assert edit_template('f"{a"', 'f"{b"', path="a.py") == '- f"{a"\n+ f"{b"'
    assert [t.text for t in tokenise("f'{x'", "python")] == ['f"{x"']


def test_names_in_strings_are_folded_like_others():
    one = edit_template("", 'for key in rows:\n    print(f"{key}!")', path="a.py")
    other = edit_template("", 'for k in rows:\n    print(f"{k}!")', path="a.py")
    assert one == other
