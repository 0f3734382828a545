"""The stored form of an event: what pydantic would write, in one order of keys."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from debug_loop_pipeline.effects.event_encoding import event_json
from debug_loop_pipeline.importers.base import ImportReport
from debug_loop_pipeline.importers.registry import files_under
from debug_loop_pipeline.importers.segmenter import segment
from debug_loop_pipeline.models.execution import Command, ExecutionEvent
from debug_loop_pipeline.models.unchecked import unchecked
from tests.support.events import attempt


def by_pydantic(event: ExecutionEvent) -> dict:
    found = orjson.loads(
        event.model_dump_json(exclude_defaults=True, exclude={"source": {"file", "sha256", "skipped"}})
    )
    for part in ("source", "context"):
        if found.get(part) == {}:
            del found[part]
    return found


def test_it_says_what_pydantic_says_and_reads_back() -> None:
    for event in (attempt("a", "t", minutes=3, failed=True), attempt("b", "t", minutes=9, failed=False)):
        stored = event_json(event)
        assert orjson.loads(stored) == by_pydantic(event)
        assert ExecutionEvent.model_validate_json(stored) == event


def test_it_says_what_pydantic_says_of_real_attempts(shared_data: Path) -> None:
    seen = 0
    for importer, path in files_under(shared_data / "claude_code_entire"):
        for trajectory in importer.read(path, ImportReport()):
            for event in segment(trajectory):
                assert orjson.loads(event_json(event)) == by_pydantic(event)
                seen += 1
    assert seen > 50


def test_the_order_of_keys_and_the_place_of_reading_do_not_matter() -> None:
    one = attempt("a", "t", minutes=3, failed=True, metadata={"x": 1, "y": {"b": 2, "a": [1]}})
    two = attempt("a", "t", minutes=3, failed=True, metadata={"y": {"a": [1], "b": 2}, "x": 1})
    moved = two.model_copy(update={"source": two.source.model_copy(update={"file": "elsewhere", "sha256": "0" * 64})})
    assert event_json(one) == event_json(two) == event_json(moved)


@pytest.mark.parametrize(
    ("field", "value"), [("tokens_input", 1 << 70), ("user_request", "cut \ud83d here"), ("metadata", {"n": 1 << 70})]
)
def test_what_the_fast_encoder_refuses_is_written_all_the_same(field: str, value: object) -> None:
    event = attempt("a", "t", minutes=3, failed=True).model_copy(update={field: value})
    read = ExecutionEvent.model_validate_json(event_json(event))
    assert getattr(read, field) == (value if not isinstance(value, str) else value.replace("\ud83d", "\ufffd"))


def test_a_value_that_has_no_form_in_json_is_an_error() -> None:
    event = attempt("a", "t", minutes=3, failed=True).model_copy(update={"metadata": {"x": object()}})
    with pytest.raises(Exception, match=r"(?i)serialize|form"):
        event_json(event)


def test_an_unchecked_model_is_written_like_a_checked_one() -> None:
    values = {"command": "pytest -q", "exit_code": 1, "step": 4, "files_modified": ("a.py",)}
    events = [
        attempt("a", "t", minutes=3, failed=True).model_copy(update={"commands": (made,)})
        for made in (unchecked(Command, **values), Command(**values))
    ]
    assert event_json(events[0]) == event_json(events[1])
