"""Of many pieces of work the bad ones are found, and the others done."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg2
import pytest
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from debug_loop_pipeline.effects.resilience import EffectUnavailableError
from debug_loop_pipeline.steps.failures import MOST_FAILED, in_pieces, told


class Work:
    """All or nothing, as a transaction is."""

    def __init__(self, bad: dict[int, Exception]) -> None:
        self.bad = bad
        self.done: list[int] = []
        self.calls = 0

    def __call__(self, pieces: Sequence[int]) -> None:
        self.calls += 1
        for piece in pieces:
            if piece in self.bad:
                raise self.bad[piece]
        self.done += pieces


def test_the_bad_pieces_are_found_and_the_others_done_in_order() -> None:
    work = Work({3: KeyError("three"), 77: ValueError("seventy-seven")})
    failed: list[tuple[int, str]] = []
    in_pieces(work, range(100), failed)
    assert [piece for piece, _ in failed] == [3, 77]
    assert work.done == [piece for piece in range(100) if piece not in (3, 77)]
    assert work.calls < 40


def test_work_that_does_not_fail_is_done_at_once() -> None:
    work = Work({})
    in_pieces(work, range(1_000), [])
    assert work.calls == 1


def test_a_step_that_fails_at_everything_fails() -> None:
    work = Work({piece: KeyError(str(piece)) for piece in range(500)})
    failed: list[tuple[int, str]] = []
    with pytest.raises(KeyError):
        in_pieces(work, range(500), failed)
    assert len(failed) == MOST_FAILED
    assert work.calls < 100


@pytest.mark.parametrize(
    "error",
    [
        EffectUnavailableError("postgres is gone", system="postgres", operation="x", attempts=1),
        OperationalError("select", {}, psycopg2.OperationalError("server closed the connection")),
        ProgrammingError("select", {}, psycopg2.errors.UndefinedTable("no such table")),
        MemoryError(),
    ],
)
def test_what_is_no_pieces_fault_ends_the_work_at_once(error: Exception) -> None:
    work = Work({7: error})
    failed: list[tuple[int, str]] = []
    with pytest.raises(type(error)):
        in_pieces(work, range(20), failed)
    assert (failed, work.calls) == ([], 1)


@pytest.mark.parametrize(
    "error",
    [
        IntegrityError("insert", {}, psycopg2.errors.CheckViolation("confidence")),
        psycopg2.errors.NumericValueOutOfRange("integer out of range"),
        RecursionError(),
    ],
)
def test_values_that_the_server_refuses_are_the_fault_of_their_piece(error: Exception) -> None:
    failed: list[tuple[int, str]] = []
    in_pieces(Work({7: error}), range(20), failed)
    assert [piece for piece, _ in failed] == [7]


def test_an_error_is_told_by_its_place_in_our_code_and_without_secrets() -> None:
    secret = "ghp_" + "wK3nZ8pQ5vX1rT7mB2cL" + "9dF4gH6jS0aYeUoP"
    failed: list[tuple[int, str]] = []
    in_pieces(Work({0: ValueError(f"not a number: {secret}")}), [0], failed)
    why = failed[0][1]
    assert why.startswith("ValueError at failures.py:")
    assert secret not in why
    assert "<REDACTED:" in why


def test_an_error_from_elsewhere_is_told_by_its_last_place() -> None:
    with pytest.raises(ValueError, match="invalid literal") as caught:
        int("x")
    assert told(caught.value).startswith("ValueError at test_failures.py:")
