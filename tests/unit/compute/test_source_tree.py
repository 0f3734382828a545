"""Untrusted text costs an error, never a crash, and never minutes."""

from __future__ import annotations

import random
import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from debug_loop_pipeline.compute.code.languages import LANGUAGES, language_named, language_of
from debug_loop_pipeline.compute.code.source_tree import SourceError, parse_source
from debug_loop_pipeline.compute.code.stf_similarity import fingerprint
from debug_loop_pipeline.compute.debug_stf_extractor import extract_stfs
from debug_loop_pipeline.compute.stf_hash import stf_hash
from debug_loop_pipeline.compute.stf_quality import score_code
from debug_loop_pipeline.models.execution import CodeBlob

HOSTILE = [
    ("python", "(" * 100_000 + ")" * 100_000, "too_deep"),
    ("python", "x = [" + "1, " * 1_700_000 + "]", "too_large"),
    ("python", "é" * 300_000, "too_large"),
    ("python", "x = 1\n\0\n", "malformed"),
    ("python", "x = '\ud800'\n", "malformed"),
    ("python", "not " * 90_000 + "x", "too_deep"),
    ("python", "x = " + "-" * 100_000 + "1", "too_deep"),
    ("python", "\n\\" * 150_000, "malformed"),
    ("python", "await ->" * 40_000, "malformed"),
    ("python", "\n".join(" " * depth + "if x:" for depth in range(880)), None),
    ("javascript", "{a:" * 130_000, "too_deep"),
    ("javascript", "a=>" * 100_000 + "b", "too_deep"),
    ("typescript", "*</" * 100_000, "malformed"),
    ("typescript", "new `...|async " * 26_000, "too_deep"),
    ("go", "*" * 200_000, "too_large"),
    ("go", "*" * 40_000, None),
    ("javascript", "x=1\n" * 45_000, None),
    ("go", "func(" * 60_000, "too_deep"),
]


@pytest.mark.parametrize(("language", "code", "kind"), HOSTILE, ids=lambda value: repr(value)[:24])
def test_a_hostile_file_costs_one_error_record_and_little_time(language: str, code: str, kind: str | None) -> None:
    good = 'def f(a: int) -> int:\n    """Add."""\n    b = a\n    b += 1\n    return b\n'
    start = time.process_time()
    result = extract_stfs([CodeBlob(language=language, content=code), CodeBlob(path="good.py", content=good)])
    assert time.process_time() - start < 20
    assert [error.kind for error in result.errors] == ([kind] if kind else [])
    assert [one.name for one in result.candidates] == ["f"], "the other file is read all the same"


def test_an_error_names_what_is_wrong_and_the_limit() -> None:
    result = extract_stfs([CodeBlob(path="big.js", content="x" * 500_000)])
    (error,) = result.errors
    assert (error.path, error.language, error.kind) == ("big.js", "javascript", "too_large")
    assert "400,000" in error.message


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(list(LANGUAGES)), st.text(alphabet="(){}[]<>=:;,.'\"`\\\n\t #/*-+!?abdefilnrstxé0@$", max_size=200)
)
def test_any_text_is_read_or_refused_by_every_unit(language: str, text: str) -> None:
    for unit in (stf_hash, score_code, fingerprint):
        with suppress(SourceError):
            unit(text, language)
    extract_stfs([CodeBlob(language=language, content=text)])


def test_code_cut_anywhere_is_read_or_refused() -> None:
    code = "class A:\n  def f(self, a=f'x{b!r:>{w}}' 'y'):\n    '''doc'''\n    return [a, r'\\\\', (yield b)]\n" * 3
    chosen = random.Random(7)
    for _ in range(60):
        start, end = sorted((chosen.randrange(len(code)), chosen.randrange(len(code))))
        stf_hash(code[start:end], "python")
        score_code(code[start:end], "python")


def test_a_byte_order_mark_and_windows_line_ends_are_no_difference() -> None:
    code = "def f():\n    return 'a'\n"
    assert stf_hash("\ufeff" + code.replace("\n", "\r\n"), "python") == stf_hash(code, "python")


def test_a_method_is_read_although_it_is_no_program() -> None:
    source = parse_source("async run(a) { return 1 }", language_named("js"), standalone=True)
    assert not source.has_error
    assert [source.text(node) for node in source.tops()] == ["async run(a) { return 1 }"]
    assert parse_source("async run(a) { return 1 }", language_named("js")).has_error


@pytest.mark.parametrize(
    ("path", "declared", "expected"),
    [
        ("a/b.py", "", "python"),
        ("a\\b.TSX", "python", "typescript"),
        ("x.mjs", "python", "javascript"),
        ("m.go", "", "go"),
        ("README.md", "python", None),
        ("", "golang", "go"),
        ("Makefile", "", None),
    ],
)
def test_the_extension_decides_the_language_before_what_was_declared(path: str, declared: str, expected: str) -> None:
    spec = language_of(path, declared)
    assert (spec.name if spec else None) == expected
