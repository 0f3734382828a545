"""What is over an event's limits is cut and marked, and what is within them stays as it is."""

from __future__ import annotations

import pytest

from debug_loop_pipeline.compute.event_limits import limit_event
from debug_loop_pipeline.models.execution import ExecutionEvent
from debug_loop_pipeline.settings import TextLimits
from debug_loop_pipeline.text import NAME_CHARS
from tests.support.events import attempt

LIMITS = TextLimits()
LONG = "ab" * 20_000


def with_errors(messages: list[str], more: list[str] | None = None) -> ExecutionEvent:
    told = attempt("a", "task", minutes=1, failed=True)
    check = told.verifications[0].model_dump()
    errors = [{"message": message, "verification": 0} for message in messages]
    errors += [{"message": message, "verification": 1} for message in more or ()]
    return ExecutionEvent.model_validate(told.model_dump() | {"verifications": [check, check], "errors": errors})


def test_an_event_within_its_limits_is_the_same_object() -> None:
    event = attempt("a", "task", minutes=1, failed=False)
    assert limit_event(event, LIMITS) is event


@pytest.mark.parametrize(
    "more",
    [
        {"context": {"repository": LONG, "branch": LONG, "commit": LONG, "pull_request": LONG, "cwd": LONG}},
        {"model_used": LONG, "provider": LONG, "recommendation_id": LONG},
        {"stf_ids": [LONG], "golden_state_ids": [LONG], "tools_used": [LONG], "files_modified": [LONG]},
        {"usage": [{"message_id": LONG, "request_id": LONG, "model": LONG}]},
        {"edits": [{"path": LONG}], "code_written": [{"path": LONG, "content": "x = 1"}]},
        {"errors": [{"message": "KeyError: 'a'", "path": LONG}]},
    ],
)
def test_ids_names_and_paths_are_short_enough_for_an_index(more: dict[str, object]) -> None:
    event = attempt("a", "task", minutes=1, failed=True, **more)
    limited = limit_event(event, LIMITS)
    assert LONG not in limited.model_dump_json()
    assert limit_event(limited, LIMITS) is limited, "once is enough"


def test_two_long_names_stay_two() -> None:
    limited = limit_event(
        attempt("a", "task", minutes=1, failed=True, stf_ids=[LONG + "1", LONG + "2", LONG + "1"]), LIMITS
    )
    first, second, again = limited.stf_ids
    assert first != second
    assert first == again
    assert len(first) == NAME_CHARS


def test_of_a_verification_at_most_twenty_errors_are_kept_and_the_rest_is_counted() -> None:
    messages = [f"KeyError: 'name {n}'" for n in range(60)]
    limited = limit_event(with_errors(messages, more=messages[:20]), LIMITS)
    assert [error.message for error in limited.errors] == messages[:20] * 2
    assert limited.errors_not_kept == 40
    assert [verification.cut for verification in limited.verifications] == [True, False]
    assert limit_event(limited, LIMITS) is limited


def test_an_error_that_is_told_again_and_again_is_one() -> None:
    limited = limit_event(with_errors(["KeyError: 'name'"] * 60), LIMITS)
    assert (len(limited.errors), limited.errors_not_kept) == (1, 0)
    assert not limited.verifications[0].cut
