"""Categories by keyword: one request, one category, whatever the order of words or ties."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debug_loop_pipeline.compute.matching.problem_category import KeywordTable, problem_category
from debug_loop_pipeline.compute.matching.problem_signature import problem_signature
from debug_loop_pipeline.models.problem import ProblemCategory


@pytest.mark.parametrize(
    ("request_text", "category"),
    [
        ("Convert the CSV export into a dataframe and aggregate by month", "data_transformation"),
        ("Call the billing REST API and handle webhook retries", "api_integration"),
        ("The upload directory is not created before we write to file", "file_io"),
        ("Add a SQLAlchemy migration that makes the foreign key nullable", "database"),
        ("Fix the failing unit tests in the parser", "testing"),
        ("Read the timeout from an environment variable instead of the config", "configuration"),
        ("Bump the dependency to 2.1, pip cannot install it", "dependency"),
        ("The Docker build fails in the CI pipeline", "build"),
        ("Rename the helper and clean up dead code", "refactoring"),
        ("Login crashes with TypeError: undefined is not a function", "bug_fix"),
        ("Write a README and docstrings for the public functions", "documentation"),
        ("There is a race condition between two goroutines", "concurrency"),
        ("Search is slow, reduce its latency", "performance"),
        ("Prevent SQL injection in the login query", "security"),
        ("yes please", "other"),
        ("", "other"),
    ],
)
def test_a_plain_request_has_the_category_a_reader_would_give(request_text: str, category: str) -> None:
    assert problem_category(problem_signature(request_text)).value == category
    assert problem_category(request_text).value == category


TABLE = KeywordTable.parse('[testing]\n"unit test" = 3\n"shared" = 2\n[build]\n"compil*" = 3\n"shared" = 2\n')


def test_weights_of_the_keywords_found_add_up_each_counted_once() -> None:
    assert TABLE.scores("Unit tests, unit test; SHARED compiler compiled") == {
        ProblemCategory.TESTING: 5,
        ProblemCategory.BUILD: 5,
    }


def test_a_beginning_needs_the_whole_beginning_and_a_phrase_its_words_in_a_row() -> None:
    assert TABLE.scores("compi test unit") == {}
    assert TABLE.scores("recompile") == {}


def test_a_tie_falls_to_the_first_category_of_the_enumeration() -> None:
    assert problem_category("bug readme") is ProblemCategory.BUG_FIX
    assert problem_category("readme bug") is ProblemCategory.BUG_FIX


def test_a_single_hint_is_no_category() -> None:
    assert problem_category("the file") is ProblemCategory.OTHER


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[cooking]\n"boil" = 1', "cooking"),
        ('[testing]\n"test" = 0', "weight"),
        ('[testing]\n"a b c d" = 1', "lower-case words"),
        ('[testing]\n"Test" = 1', "lower-case words"),
        ('[testing]\n"te*" = 1', "before"),
        ('[testing]\n"unit te*" = 1', "before"),
    ],
)
def test_a_table_that_says_nothing_sensible_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        KeywordTable.parse(text)


@given(st.text())
def test_every_text_has_a_category(text: str) -> None:
    assert problem_category(text) in ProblemCategory


def test_the_longest_signature_is_categorised_well_within_the_limit() -> None:
    text = "transformation configuration " * 70
    problem_category(text)
    started = time.process_time()
    problem_category(text)
    assert time.process_time() - started < 1.0


def test_another_hash_seed_gives_the_same_category() -> None:
    script = (
        "from debug_loop_pipeline.compute.matching.problem_category import problem_category as c\n"
        "print([c(t).value for t in ('fix slow test', 'bug readme', 'api file schema test', 'rename thread secret')])"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", script], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(runs) == 1
