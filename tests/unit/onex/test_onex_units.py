"""Units through their operations give what the call itself gives; machines make what their tables say."""

from __future__ import annotations

import pytest

from debug_loop_pipeline.compute.stf_hash import stf_hash
from debug_loop_pipeline.compute.stf_matcher import MatchIndex, match_stfs
from debug_loop_pipeline.models.mapping import MappingState
from debug_loop_pipeline.models.matching import MatchCandidate, MatchOptions, MatchQuery
from debug_loop_pipeline.onex.exploration import explore_golden
from debug_loop_pipeline.onex.registry import UNITS, unit_named
from debug_loop_pipeline.onex.units import Kind, Unit, UnknownOperationError
from debug_loop_pipeline.reducers import golden_state_manager
from debug_loop_pipeline.reducers.machine import UndeclaredTransitionError, transition

CODE = "def add(a: int, b: int) -> int:\n    return a + b\n"


def test_a_request_may_be_a_model_or_what_its_json_says() -> None:
    unit = unit_named("NodeSTFHashCompute")
    request = unit.parse({"code": CODE, "language": "python"})
    assert unit.parse(request) is request
    assert unit.run(None, request).model_dump() == {"stf_hash": stf_hash(CODE, "python")}


def test_the_matcher_gives_what_the_call_gives() -> None:
    candidates = tuple(
        MatchCandidate(stf_id=f"{n:064x}", problem_signature=f"sort a list of {word}", quality=0.9)
        for n, word in enumerate(("numbers", "names", "dates"))
    )
    query, options = MatchQuery(problem_signature="sort a list of names"), MatchOptions(min_similarity=0.1)
    unit = unit_named("STFMatcherCompute")
    answer = unit.run(None, unit.parse({"query": query, "candidates": candidates, "options": options}))
    assert answer.model_dump()["matches"] == tuple(
        match.model_dump() for match in match_stfs(query, MatchIndex.build(candidates), options)
    )


def test_the_operation_is_told_by_its_name_in_the_request() -> None:
    unit = unit_named("TokenSpendOrchestrator")
    hold = "00000000-0000-0000-0000-000000000001"
    request = unit.parse({"operation": "release", "hold_id": hold})
    assert unit.operation(request).name == "release"


def test_a_request_of_another_unit_is_refused() -> None:
    other = unit_named("STFHashCompute").parse({"code": CODE, "language": "python"})
    with pytest.raises(UnknownOperationError, match="ScoreStf, not HashStf"):
        unit_named("STFQualityCompute").operation(other)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_every_operation_has_a_name_and_models_of_its_own(unit: Unit) -> None:
    assert len({operation.name for operation in unit.operations}) == len(unit.operations)
    assert len({operation.request for operation in unit.operations}) == len(unit.operations)
    for operation in unit.operations:
        assert operation.request.__doc__
        assert operation.answer.__doc__


@pytest.mark.parametrize("unit", [u for u in UNITS if u.kind is Kind.REDUCER], ids=lambda unit: unit.name)
def test_a_machine_makes_only_transitions_of_its_table_and_reaches_every_state(unit: Unit) -> None:
    machine = unit.machine
    assert machine is not None
    made = machine.explore()
    assert made <= machine.transitions
    assert {machine.initial.value, *(after for _, _, after in made)} == {state.value for state in machine.states}


def test_the_table_of_golden_states_is_exactly_what_the_machine_does() -> None:
    assert explore_golden() == golden_state_manager.LEGAL_TRANSITIONS


def test_a_transition_that_the_table_does_not_have_is_an_error() -> None:
    table = frozenset({("new", "register_success", "tracking")})
    assert transition(table, MappingState.NEW, "register_success", MappingState.TRACKING).changed
    with pytest.raises(UndeclaredTransitionError, match="led from new to confident"):
        transition(table, MappingState.NEW, "register_success", MappingState.CONFIDENT)
