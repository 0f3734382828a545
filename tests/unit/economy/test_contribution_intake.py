"""What a message on `contributions.v1` tells, whatever its sender put into it."""

from __future__ import annotations

from textwrap import indent
from typing import Any
from uuid import UUID

import orjson
import pytest

from debug_loop_pipeline.models.contribution import ContributionEvent, ContributionKind
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps.contribution_intake import contributions_of, read_message
from tests.support.contributors import unlike

ATTEMPT = UUID(int=1)
CODE = unlike(1) + "\n\nclass Basket:\n" + indent(unlike(2).replace("(value", "(self, value", 1), "    ")


def event(**changes: Any) -> dict[str, Any]:
    told = {
        "contribution_id": "told-1",
        "peer_id": "ann",
        "kind": "stf",
        "attempt_id": str(ATTEMPT),
        "code": CODE,
        "occurred_at": "2026-03-01T12:00:00Z",
    }
    return {name: value for name, value in (told | changes).items() if value is not None}


def read(**changes: Any) -> Any:
    return read_message(orjson.dumps(event(**changes)), Settings())


def test_each_function_of_a_code_is_a_contribution_with_scores_of_our_own() -> None:
    told = contributions_of(ContributionEvent.model_validate(event()), Settings())
    assert [c.span.function for c in told if c.span] == ["work_1", "Basket.work_2"]
    assert {c.external_id for c in told} == {"told-1"}
    assert all(c.quality_score is not None and 0 < c.quality_score <= 1 for c in told)
    assert len({c.contribution_id for c in told}) == 2


def test_telling_it_again_gives_the_same_ids_whatever_its_own_id_says() -> None:
    first = contributions_of(ContributionEvent.model_validate(event()), Settings())
    again = contributions_of(ContributionEvent.model_validate(event(contribution_id="other")), Settings())
    assert [c.contribution_id for c in first] == [c.contribution_id for c in again]


SCRIPT = "\n".join(f"total_{n} = {n} * rate  # a line" for n in range(40))


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("", "no function"),
        (SCRIPT, "no function"),
        ("def f(a):\n    return a\n", "no function"),
        ("(" * 50_000, "too_deep"),
        ("\x00", ""),
        ("def f(a):\n    return " + "[" * 100_000, ""),
    ],
)
def test_what_an_attempts_own_code_would_not_give_is_no_contribution_from_outside_either(code: str, why: str) -> None:
    found = read(code=code)
    assert isinstance(found, str)
    assert why in found


def test_an_unknown_language_is_named() -> None:
    assert "klingon" in read(language="klingon")


def test_a_resolution_is_what_it_names() -> None:
    [told] = read(kind="fix", code=None, resolution="abc:def")
    assert (told.kind, told.subject, told.code) == (ContributionKind.FIX, "abc:def", None)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"kind": "fix"}, "names its resolution"),
        ({"code": None, "resolution": "abc:def"}, "needs its code"),
        ({"kind": "reuse", "code": None, "resolution": "abc"}, "names the peer that reused"),
        ({"code": None}, "either code or a resolution"),
        ({"peer_id": "a\x00b"}, "peer_id"),
        ({"amount": 5}, "amount"),
        ({"occurred_at": "2026-03-01T12:00:00"}, "offset"),
        ({"occurred_at": "9999-12-31T23:59:59-12:00"}, "years 1 to 9999"),
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "years 1 to 9999"),
    ],
)
def test_what_is_no_contribution_says_why(changes: dict[str, Any], why: str) -> None:
    found = read(**changes)
    assert isinstance(found, str)
    assert why in found


@pytest.mark.parametrize(
    "message", [None, b"", b"null", b"[]", b"\x00\xff", orjson.dumps(event())[:-1], b'{"peer_id":"\\ud800"}']
)
def test_bytes_that_are_no_event_say_why(message: bytes | None) -> None:
    assert isinstance(read_message(message, Settings()), str)
