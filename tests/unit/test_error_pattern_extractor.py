"""DOMAIN 3.7: what a message comes to."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from debug_loop_pipeline.compute.error_pattern_extractor import extract_error_pattern
from debug_loop_pipeline.compute.errors.error_identity import error_key, fold_temporary
from debug_loop_pipeline.compute.errors.error_pattern_rules import BARE_NAME_FORMS, HEADLINE_FORMS, PLACEHOLDER_RULES
from debug_loop_pipeline.models.base import Origin
from debug_loop_pipeline.models.errors import ErrorCategory, SlotKind

ROOT = Path(__file__).parents[2]

FIXTURES = [
    (
        "FileNotFoundError: [Errno 2] No such file or directory: '/home/user/test.py'",
        "FileNotFoundError: [Errno 2] No such file or directory: '<PATH>'",
        [("PATH", "/home/user/test.py")],
        "file_error",
    ),
    (
        "ModuleNotFoundError: No module named 'foo'",
        "ModuleNotFoundError: No module named '<VALUE>'",
        [("VALUE", "foo")],
        "import_error",
    ),
    (
        "NameError: name 'x' is not defined",
        "NameError: name '<VAR>' is not defined",
        [("VAR", "x")],
        "runtime_error",
    ),
    (
        "UnboundLocalError: cannot access local variable 'n' where it is not associated with a value",
        "UnboundLocalError: cannot access local variable '<VAR>' where it is not associated with a value",
        [("VAR", "n")],
        "runtime_error",
    ),
    (
        "TypeError: f() got an unexpected keyword argument 'y'",
        "TypeError: f() got an unexpected keyword argument '<VAR>'",
        [("VAR", "y")],
        "runtime_error",
    ),
    (
        "AttributeError: 'NoneType' object has no attribute 'split'",
        "AttributeError: 'NoneType' object has no attribute '<VALUE>'",
        [("VALUE", "split")],
        "runtime_error",
    ),
    (
        "IndexError: index 7 of <Row at 0x7f3a> in line 12 at 2026-01-31T12:00:00Z after 1.5s for "
        "123e4567-e89b-12d3-a456-426614174000",
        "IndexError: index <NUM> of <Row at <ADDR>> in line <LINE> at <TIMESTAMP> after <DURATION> for <UUID>",
        [
            ("NUM", "7"),
            ("ADDR", "0x7f3a"),
            ("LINE", "12"),
            ("TIMESTAMP", "2026-01-31T12:00:00Z"),
            ("DURATION", "1.5s"),
            ("UUID", "123e4567-e89b-12d3-a456-426614174000"),
        ],
        "runtime_error",
    ),
    (
        "src/a.ts(3,5): error TS2345: Argument of type 'string' is not assignable to parameter of type 'Order'.",
        "TS2345: Argument of type 'string' is not assignable to parameter of type '<VALUE>'.",
        [("VALUE", "Order")],
        "build_error",
    ),
    (
        "cmd/app/paths.go:149:28: undefined: regexp",
        "undefined: <VALUE>",
        [("VALUE", "regexp")],
        "build_error",
    ),
    (
        "error[E0308]: mismatched types\n --> src/main.rs:4:5",
        "E0308: mismatched types",
        [],
        "build_error",
    ),
    (
        "FAILED tests/test_x.py::test_y - assert 1 == 2",
        "AssertionError: assert <NUM> == <NUM>",
        [("NUM", "1"), ("NUM", "2")],
        "test_failure",
    ),
    (
        '--- FAIL: TestUpdate (0.00s)\n    x_test.go:12: Update() = "a", want "b"',
        'Update() = "<VALUE>", want "<VALUE>"',
        [("VALUE", "a"), ("VALUE", "b")],
        "test_failure",
    ),
    (
        "npm error code ERESOLVE\nnpm error unable to resolve dependency tree",
        "ERESOLVE: unable to resolve dependency tree",
        [],
        "unknown",
    ),
    ("bash: line 1: foo: command not found", "<VALUE>: command not found", [("VALUE", "foo")], "file_error"),
    ("a.py:3:80: E501 line too long (88 > 79)", "E501 line too long (<NUM> > <NUM>)", None, "lint_error"),
    (
        "requests.exceptions.HTTPError: 404 Client Error: Not Found for url: https://x.example/z?a=1",
        "HTTPError: 404 Client Error: Not Found for url: <URL>",
        None,
        "network_error",
    ),
    (
        "Command '['ls']' returned non-zero exit status 3.",
        "Command '['<VALUE>']' returned non-zero exit status 3.",
        None,
        None,
    ),
    ("process died with SIGSEGV, exit code 139", "process died with SIGSEGV, exit code 139", [], None),
    ("Error: connect ECONNREFUSED 127.0.0.1:5432", "Error: connect ECONNREFUSED <NUM>:<NUM>", None, "network_error"),
]


@pytest.mark.parametrize(("message", "pattern", "slots", "category"), FIXTURES, ids=[f[0][:40] for f in FIXTURES])
def test_a_message_becomes_its_pattern(message, pattern, slots, category):
    found = extract_error_pattern(message)
    assert found.pattern == pattern
    if slots is not None:
        assert [(slot.kind.value, slot.value) for slot in found.slots] == slots
    if category is not None:
        assert found.category.value == category
    assert extract_error_pattern(found.pattern).pattern == pattern


def test_the_last_line_of_a_traceback_decides_and_its_frames_make_the_stack_signature():
    trace = """Traceback (most recent call last):
  File "/app/main.py", line 3, in main
    run()
KeyError: 'inner'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/app/main.py", line 9, in <module>
    main()
  File "/app/work.py", line 5, in run
    load()
  File "/usr/lib/python3.11/site-packages/lib/x.py", line 2, in load
    raise ValueError
app.errors.LoadError: bad value 'x'
"""
    found = extract_error_pattern(trace)
    assert found.pattern == "LoadError: bad value '<VALUE>'"
    assert found.error_type == "LoadError"
    assert found.files == ("/app/work.py", "/app/main.py")
    assert found.confidence == 0.9
    moved = trace.replace("line 5", "line 50").replace("/app", "/srv").replace("'x'", "'y'")
    assert extract_error_pattern(moved).stack_signature == found.stack_signature
    other = extract_error_pattern(trace.replace("in run", "in walk"))
    assert other.stack_signature != found.stack_signature
    assert other.signature == found.signature


def test_confidence_counts_type_stack_and_context():
    assert extract_error_pattern("something odd").confidence == 0.5
    assert extract_error_pattern("ValueError: odd").confidence == 0.8
    assert extract_error_pattern("ValueError: odd", tool="pytest").confidence == 0.9
    stack = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    g()\nValueError: odd'
    assert extract_error_pattern("ValueError: odd", stacktrace=stack, context="pytest -x").confidence == 1.0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ValueError: 'a'", "KeyError: 'a'"),
        ("a.go:1:1: undefined: x", "a.go:1:1: declared and not used: x"),
        ("string `a` has 3 occurrences (goconst)", "string `a` has 3 occurrences (dupword)"),
        ("a.py:1:1: E501 line too long", "a.py:1:1: W291 trailing whitespace"),
        ("a.ts(1,1): error TS2345: no", "a.ts(1,1): error TS2322: no"),
        ("OSError: [Errno 2] x", "OSError: [Errno 13] x"),
        ("request failed with status code 404", "request failed with status code 500"),
        ("exit status 1", "exit status 2"),
        ("killed by SIGKILL", "killed by SIGTERM"),
        ("AttributeError: 'NoneType' object has no attribute 'x'", "AttributeError: 'str' object has no attribute 'x'"),
    ],
)
def test_errors_that_differ_in_kind_differ_in_signature(one, other):
    assert extract_error_pattern(one).signature != extract_error_pattern(other).signature


def test_a_given_type_is_part_of_the_pattern():
    value, key = (extract_error_pattern("bad thing", error_type=t) for t in ("ValueError", "builtins.KeyError"))
    assert value.pattern == "ValueError: bad thing"
    assert key.pattern == "KeyError: bad thing"
    assert extract_error_pattern("ValueError: bad thing", error_type="ValueError").signature == value.signature


@pytest.mark.parametrize(
    ("message", "error_type", "raw"),
    [
        ("string `a` has 3 occurrences (goconst)", "goconst", "x.go:1:2: string `a` has 3 occurrences (goconst)"),
        ("F831 duplicate argument 'x'", "F831", "a.py:1:1: F831 duplicate argument 'y'"),
        ("no settings", "ImproperlyConfigured", "django.core.exceptions.ImproperlyConfigured: no settings"),
        ("Unable to import 'x' (import-error)", "E0401", "a.py:1:0: E0401: Unable to import 'y' (import-error)"),
        ("expected ValueError", "ValueError", "ValueError: expected ValueError"),
        ("Type 'X' is not assignable", "TS2322", "a.ts(1,2): error TS2322: Type 'Y' is not assignable"),
    ],
)
def test_an_error_as_cut_and_as_pasted_is_one_group(message, error_type, raw):
    assert extract_error_pattern(message, error_type=error_type).signature == extract_error_pattern(raw).signature


def test_two_tools_that_say_nothing_but_their_exit_status_differ():
    one, other = (extract_error_pattern("", tool=tool, exit_code=1) for tool in ("eslint", "make"))
    assert one.signature != other.signature


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("cmd/a.go:12:5: undefined: foo", "undefined: bar"),
        (
            "AttributeError: `np.Inf` was removed in the NumPy 2.0 release. Use `np.inf` instead.",
            "E       AttributeError: `np.NaN` was removed in the NumPy 2.0 release. Use `np.nan` instead.",
        ),
        (
            "FileNotFoundError: [Errno 2] No such file or directory: 'data'",
            "FileNotFoundError: [Errno 2] No such file or directory: '/x/y.csv'",
        ),
        ("FAILED tests/a.py::test_a - KeyError: 'x'", "ERROR tests/b.py::test_b - KeyError: 'y'"),
        (
            "--- FAIL: TestA (0.1s)\n    a_test.go:3: got 1, want 2",
            "--- FAIL: TestB (2.00s)\n    b_test.go:9: got 5, want 7",
        ),
        ("\x1b[31merror\x1b[0m: unknown flag '--a'", "error: unknown flag '--b'"),
    ],
)
def test_one_cause_told_in_other_words_of_the_same_tool_is_one_group(one, other):
    assert extract_error_pattern(one).signature == extract_error_pattern(other).signature


def test_origin_is_told_from_the_text_unless_the_source_knows_it():
    assert extract_error_pattern("HTTP 429 Too Many Requests").origin is Origin.RATE_LIMIT
    assert extract_error_pattern("Your credit balance is too low").origin is Origin.QUOTA
    assert extract_error_pattern("You have exhausted your daily quota on this model.").origin is Origin.QUOTA
    assert extract_error_pattern("AuthenticationError: invalid x-api-key").origin is Origin.AUTH
    assert extract_error_pattern("API Error: 529 overloaded_error").origin is Origin.TRANSIENT
    assert extract_error_pattern("AssertionError: assert 429 == 200", test="t").origin is Origin.AGENT_ACTION
    assert extract_error_pattern("ValueError: x", origin=Origin.CONFIG).origin is Origin.CONFIG


def test_the_tests_name_is_context_and_never_pattern():
    found = extract_error_pattern("FAILED tests/test_a.py::TestB::test_c[1-x] - ValueError: no")
    assert found.test == "tests/test_a.py::TestB::test_c[1-x]"
    assert found.files == ("tests/test_a.py",)
    assert "test_c" not in found.pattern


def test_two_missing_constants_are_two_errors_of_one_signature():
    inf, nan = (extract_error_pattern(f"AttributeError: `np.{n}` was removed.") for n in ("Inf", "NaN"))
    assert inf.signature == nan.signature
    assert error_key(inf) != error_key(nan)
    assert error_key(inf, test="a") != error_key(inf, test="b")


def test_a_test_that_fails_with_another_value_is_the_same_error():
    first, second = (extract_error_pattern(f"AssertionError: assert '{v}' == 'z'") for v in "ab")
    assert error_key(first, test="t") == error_key(second, test="t")


def test_temporary_directories_do_not_tell_errors_apart():
    one, other = (
        extract_error_pattern(f"Cannot read file '/tmp/{d}/src/a.ts'") for d in ("tmpab12cd_x", "tmpzz91kq_y")
    )
    assert error_key(one) == error_key(other)
    assert fold_temporary("/home/u/src/a.ts") == "/home/u/src/a.ts"
    assert fold_temporary("/x/tmp/clones/run-UUDzya/a.ts") == fold_temporary("/y/tmp/clones/run-mOlIgX/a.ts")


def test_every_rule_recognises_its_own_example():
    for rule in PLACEHOLDER_RULES:
        found = extract_error_pattern(f"x {rule.example} y").pattern
        if rule.kind is None:
            assert rule.example in found, rule.name
        else:
            assert f"<{rule.kind}>" in found, rule.name
    for form in HEADLINE_FORMS:
        assert form.regex.search(form.example), form.name
    for bare in BARE_NAME_FORMS:
        assert bare.regex.search(bare.example), bare.example
        assert set(bare.regex.groupindex) <= {f"{kind}{n}" for kind in SlotKind for n in ("", "2", "3")}


_PIECES = st.sampled_from(
    r"""
ValueError: |error: |FAILED a.py::t - |--- FAIL: T (0.0s)\n|Traceback (most recent call last)\n|'|"|`|/a/b.py|a.go:1:2:
<PATH>|<VALUE>|:12:5|line 3|0x1f|12| |\n|name |E   |assert |panic: |bash: |x: command not found|undefined: y|:|(|TS2345
expect(received).toBe(1)\nExpected: 1|deadbeef1|5s|\\|no|1 validation error for X\n|AssertionError|Error|×|exit status 1
\x1b[1m|=|-3.5e4|2026-01-01|KeyError: "['a'] not in index"|Uncaught |npm ERR! code EX\nnpm ERR! y|,|.|-|>|<|utf-8|v1.2
https://a.b/c
""".strip()
    .replace("\n", "|")
    .encode()
    .decode("unicode_escape")
    .split("|")
)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.one_of(_PIECES, st.text(max_size=6)), max_size=14).map("".join),
    st.sampled_from([None, "ValueError", "x.Foo", "TS1"]),
)
def test_the_pattern_of_a_pattern_is_itself(message, error_type):
    pattern = extract_error_pattern(message, error_type=error_type).pattern
    assert extract_error_pattern(pattern).pattern == pattern


def test_the_same_in_another_process_under_another_hash_seed():
    code = (
        "from debug_loop_pipeline.compute.error_pattern_extractor import extract_error_pattern as x;"
        "from tests.unit.test_error_pattern_extractor import FIXTURES;"
        "print('\\n'.join(x(f[0]).model_dump_json() for f in FIXTURES))"
    )
    here = "\n".join(extract_error_pattern(f[0]).model_dump_json() for f in FIXTURES)
    env = {**os.environ, "PYTHONHASHSEED": "4711", "PYTHONPATH": str(ROOT)}
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, env=env)
    assert there.stdout.strip() == here


@pytest.mark.parametrize(
    "piece",
    ["a", "a/", "'a ", '"\\', "1,", " ", "\n", "`", "a.b", "A.", "E   assert 1\n", "a::", "v1.", "(", "expected "],
)
def test_a_megabyte_is_done_in_bounded_time(piece):
    text = piece * (1_000_000 // len(piece))
    start = time.process_time()
    extract_error_pattern(text)
    assert time.process_time() - start < 1.0  # the target is 0.1 s; the margin is for a busy machine


def test_categories_of_tools():
    assert extract_error_pattern("ifElseChain: rewrite", tool="golangci-lint").category is ErrorCategory.LINT_ERROR
    assert extract_error_pattern("x is not here", tool="tsc").category is ErrorCategory.BUILD_ERROR
    assert extract_error_pattern("something", test="TestX").category is ErrorCategory.TEST_FAILURE
    assert extract_error_pattern("PermissionError: [Errno 13] x").category is ErrorCategory.PERMISSION_ERROR
    assert extract_error_pattern("context deadline exceeded").category is ErrorCategory.TIMEOUT_ERROR
    assert extract_error_pattern("expected ';', found x").category is ErrorCategory.SYNTAX_ERROR
