"""Of many pieces of work the bad ones are found, and the others done."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg2
import pytest
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from debug_loop_pipeline.effects.resilience import EffectUnavailableError
from debug_loop_pipeline.steps.failures import MOST_FAILED, Pieces, told


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
    pieces = Pieces[int]()
    assert [piece for piece, _ in pieces.do(work, range(50))] == [3]
    assert [piece for piece, _ in pieces.do(work, range(50, 100))] == [77]
    pieces.end()
    assert ([piece for piece, _ in pieces.failed], pieces.done) == ([3, 77], 98)
    assert work.done == [piece for piece in range(100) if piece not in (3, 77)]
    assert work.calls < 40


def test_work_that_does_not_fail_is_done_at_once() -> None:
    work = Work({})
    pieces = Pieces[int]()
    assert pieces.do(work, range(1_000)) == []
    pieces.end()
    assert (work.calls, pieces.done) == (1, 1_000)


def test_a_step_that_fails_at_everything_fails() -> None:
    work = Work({piece: KeyError(str(piece)) for piece in range(500)})
    many = Pieces[int]()
    with pytest.raises(KeyError):
        many.do(work, range(500))
    assert len(many.failed) == MOST_FAILED
    assert work.calls < 100
    few = Pieces[int]()
    few.do(work, range(3))
    with pytest.raises(KeyError, match="2"):
        few.end()
    one = Pieces[int]()
    one.do(work, [7])
    one.end()


@pytest.mark.parametrize(
    "error",
    [
        EffectUnavailableError("postgres is gone", system="postgres", operation="x", attempts=1),
        OperationalError("select", {}, psycopg2.OperationalError("server closed the connection")),
        ProgrammingError("select", {}, psycopg2.errors.UndefinedTable("no such table")),
        OSError("no space left on device"),
        MemoryError(),
    ],
)
def test_what_is_no_pieces_fault_ends_the_work_at_once(error: Exception) -> None:
    work = Work({7: error})
    pieces = Pieces[int]()
    with pytest.raises(type(error)):
        pieces.do(work, range(20))
    assert (pieces.failed, work.calls) == ([], 1)


@pytest.mark.parametrize(
    "error",
    [
        IntegrityError("insert", {}, psycopg2.errors.CheckViolation("confidence")),
        psycopg2.errors.NumericValueOutOfRange("integer out of range"),
        RecursionError(),
    ],
)
def test_values_that_the_server_refuses_are_the_fault_of_their_piece(error: Exception) -> None:
    assert [piece for piece, _ in Pieces[int]().do(Work({7: error}), range(20))] == [7]


def test_an_error_is_told_by_its_place_in_our_code_and_without_secrets() -> None:
    secret = "ghp_" + "wK3nZ8pQ5vX1rT7mB2cL" + "9dF4gH6jS0aYeUoP"
    [(_, why)] = Pieces[int]().do(Work({0: ValueError(f"not a number: {secret}")}), [0])
    assert why.startswith("ValueError at failures.py:")
    assert secret not in why
    assert "<REDACTED:" in why


def test_an_error_from_elsewhere_is_told_by_its_last_place() -> None:
    with pytest.raises(ValueError, match="invalid literal") as caught:
        int("x")
    assert told(caught.value).startswith("ValueError at test_failures.py:")


@pytest.mark.parametrize(("state", "at_fault"), [("54000", True), ("54001", True), ("53100", False), ("57P01", False)])
def test_a_value_too_long_for_an_index_is_the_pieces_fault_though_psycopg2_calls_it_operational(
    state: str, at_fault: bool
) -> None:
    class Refused(psycopg2.OperationalError):
        pgcode = state

    error = OperationalError("insert", {}, Refused())
    pieces = Pieces[int]()
    if at_fault:
        assert [piece for piece, _ in pieces.do(Work({1: error}), [0, 1, 2])] == [1]
    else:
        with pytest.raises(OperationalError):
            pieces.do(Work({1: error}), [0, 1, 2])
