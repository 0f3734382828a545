"""The agent: real runs, neutral events, an order that follows advice."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import pairwise
from random import Random

import pytest

from debug_loop_pipeline.compute.fixes.resolution import ChangePart, resolution_id
from debug_loop_pipeline.models.execution import Edit, ExecutionEvent
from debug_loop_pipeline.models.manifest import Manifest
from debug_loop_pipeline.models.mapping import ResolutionKind
from examples.bug_hunt.agent import hunt, plan
from examples.bug_hunt.candidates import MENU, candidates
from examples.bug_hunt.corpus import Program, halves, load_families, load_programs
from examples.bug_hunt.evaluation import SEED, Outcomes, _trial, summary
from examples.bug_hunt.events import judged
from examples.bug_hunt.experiment import LEAST_PER_ARM, arms
from examples.bug_hunt.ranking import Advice, KnownFix, by_place, distances
from examples.bug_hunt.runner import PytestRunner, RunResult

NOW = datetime(2026, 5, 15, tzinfo=UTC)
MODULE = 'def price(table, name):\n    """What it costs."""\n    return table[name]\n'
TEST = "from shop import price\n\n\ndef test_known():\n    assert price({'a': 1}, 'a') == 1\n\n\ndef test_unknown():\n    assert price({}, 'a') == 0\n"
PROGRAM = Program("p999", {"shop.py": MODULE}, "test_shop.py", TEST)


@pytest.fixture(scope="module")
def runner():
    with PytestRunner(1) as running:
        yield running


def _fix(before, after, strength=0.5, same_slots=False):
    template = ChangePart(1, edit=Edit(path="x.py", before=before, after=after)).template(())
    return KnownFix(resolution_id(ResolutionKind.EDIT, template), template, strength, same_slots)


def test_the_real_pytest_says_what_fails_and_names_no_directory_of_this_machine(runner):
    result = runner.run(PROGRAM.files, PROGRAM.test)
    assert result.exit_code == 1
    assert "KeyError: 'a'" in result.output
    assert "shop.py:3: in price" in result.output
    assert "bug-hunt-" not in result.output


def test_a_run_in_an_interpreter_of_its_own_says_the_same(runner):
    with PytestRunner(1, warm=False) as cold:
        told = [running.run(PROGRAM.files, PROGRAM.test) for running in (runner, cold)]
    assert told[0].exit_code == told[1].exit_code
    assert told[0].output.rpartition(" in ")[0] == told[1].output.rpartition(" in ")[0]


def test_a_run_that_does_not_end_is_stopped(runner, monkeypatch):
    monkeypatch.setattr("examples.bug_hunt.runner.TIMEOUT_SECONDS", 1)
    files = {"test_endless.py": "def test_endless():\n    while True:\n        pass\n"}
    assert runner.run(files, "test_endless.py").exit_code is None


def test_what_one_run_does_does_not_reach_the_next(runner):
    leaving = {
        "helper.py": "X = 1\n",
        "test_a.py": "import helper, sys\n\n\ndef test_a():\n    sys.setrecursionlimit(77_777)\n",
    }
    assert runner.run(leaving, "test_a.py").passed
    looking = {
        "test_b.py": "import sys\n\n\ndef test_b():\n    assert 'helper' not in sys.modules\n    assert sys.getrecursionlimit() != 77_777\n"
    }
    assert runner.run(looking, "test_b.py").passed


def test_a_hunt_logs_each_attempt_with_what_really_happened(runner):
    events = []
    (outcome,) = hunt([PROGRAM], seed=3, on_event=events.append, now=NOW, runner=runner)
    assert outcome.solved
    assert len(events) == outcome.tries + 1
    parsed = [ExecutionEvent.model_validate(event) for event in events]
    first, *tries = parsed
    assert first.edits == ()
    assert first.verifications[0].verdict == "fail"
    assert (first.verifications[0].passed, first.verifications[0].failed) == (1, 1)
    assert first.errors[0].type == "KeyError"
    assert first.errors[0].path == "shop.py"
    assert [event.status for event in tries] == ["error"] * (len(tries) - 1) + ["success"]
    assert tries[-1].edits[-1].after in tries[-1].code_written[0].content
    assert all(event.usage_estimated and event.source.time_estimated for event in parsed)
    assert [event.parent_attempt_id for event in tries] == [event.attempt_id for event in parsed[:-1]]
    assert all(NOW.replace(day=1) <= event.started_at < NOW for event in parsed)
    steps = [e.step for event in parsed for e in (*event.edits, *event.verifications)]
    assert steps == sorted(set(steps))


def test_the_edits_that_are_logged_lead_from_each_state_to_the_next(runner):
    program = load_programs()["p006"]
    events = []
    hunt([program], seed=2, on_event=events.append, now=NOW, runner=runner)
    files = dict(program.modules)
    for event in map(ExecutionEvent.model_validate, events):
        for edit in event.edits:
            assert edit.before in files[edit.path] or not edit.before
            if edit.before:
                files[edit.path] = files[edit.path].replace(edit.before, edit.after, 1)
            else:
                files[edit.path] = _with_line_back(files[edit.path], edit.after, program.modules[edit.path])
        for blob in event.code_written:
            assert sorted(files[blob.path].split()) == sorted(blob.content.split())


def _with_line_back(text, line, original):
    lines, at = text.split("\n"), original.split("\n").index(line)
    return "\n".join([*lines[:at], line, *lines[at:]])


def test_the_same_seed_tells_the_same_to_the_letter(runner):
    told = []
    for _ in range(2):
        events = []
        hunt([PROGRAM], seed=5, on_event=events.append, now=NOW, runner=runner)
        told.append(json.dumps(events))
    assert told[0] == told[1]
    other = []
    hunt([PROGRAM], seed=6, on_event=other.append, now=NOW, runner=runner)
    assert other[0]["attempt_id"] != json.loads(told[0])[0]["attempt_id"]


def test_a_hunt_in_the_present_tells_the_time_of_the_clock(runner):
    events = []
    began = datetime.now(UTC)
    hunt([PROGRAM], seed=3, on_event=events.append, days=0, runner=runner)
    parsed = [ExecutionEvent.model_validate(event) for event in events]
    assert began <= parsed[0].started_at
    assert parsed[-1].completed_at <= datetime.now(UTC)
    assert not any(event.source.time_estimated for event in parsed)
    assert all(a.completed_at <= b.started_at for a, b in pairwise(parsed))


def test_no_event_names_an_operator_or_a_family(runner):
    events = []
    program = load_programs()["p001"]
    hunt([program, PROGRAM], seed=1, on_event=events.append, now=NOW, runner=runner)
    text = json.dumps(events)
    for word in (*(operator.__name__ for operator in MENU), *load_families()):
        assert word not in text


def test_the_adviser_is_asked_with_what_the_tests_printed(runner):
    asked = []

    def adviser(task, request, error):
        asked.append((task, request, error))
        return Advice((_fix("d[k]", "d.get(k, 0)"),), recommendation_id="r1")

    events = []
    (outcome,) = hunt([PROGRAM], seed=3, adviser=adviser, on_event=events.append, now=NOW, runner=runner)
    assert outcome.tries == 1
    ((task, request, error),) = asked
    assert task == outcome.task
    assert request == PROGRAM.request
    assert "short test summary" in error
    assert "recommendation_id" not in events[0]
    assert events[1]["recommendation_id"] == "r1"


def test_a_budget_ends_a_hunt_that_leads_nowhere(runner):
    hopeless = Program("p998", {"shop.py": MODULE}, "test_shop.py", TEST.replace("== 0", "== 99"))
    (outcome,) = hunt([hopeless], seed=3, now=NOW, budget=2, runner=runner)
    assert not outcome.solved
    assert outcome.tries == 2


OUTPUT = "test_shop.py:9: in test_unknown\n    assert price({}, 'a') == 0\nshop.py:3: in price\n    return table[name]\nE   KeyError: 'a'\nFAILED test_shop.py::test_unknown - KeyError: 'a'\n1 failed, 1 passed in 0.01s\n"


def test_advice_comes_first_and_the_rest_by_nearness():
    order = plan(PROGRAM, RunResult(1, OUTPUT), Advice((_fix("d[k]", "d.get(k, 0)"),)), Random(1))
    assert "table.get(name, 0)" in order[0].hunks[0].after
    assert 'table.get(name, "")' in order[1].hunks[0].after
    assert len(order) == len(candidates(PROGRAM.modules))


def test_fixes_take_turns_before_one_is_tried_everywhere():
    module = "def f(d, e, k):\n    a = d[k]\n    b = e[k]\n    return a + b\n"
    program = Program("p997", {"m.py": module}, "test_m.py", "")
    output = OUTPUT.replace("shop.py:3: in price", "m.py:2: in f")
    advice = Advice((_fix("d[k]", "d.get(k, 0)", 0.6), _fix("d[k]", "d[k.strip()]", 0.5)))
    first, second, third = plan(program, RunResult(1, output), advice, Random(1))[:3]
    assert "d.get(k, 0)" in first.hunks[0].after
    assert "d[k.strip()]" in second.hunks[0].after
    assert "e.get(k, 0)" in third.hunks[0].after


def test_without_advice_the_order_is_chance_and_complete():
    menu = candidates(PROGRAM.modules)
    orders = [plan(PROGRAM, RunResult(1, OUTPUT), Advice(), Random(n)) for n in range(20)]
    assert all(sorted(order, key=str) == sorted(menu, key=str) for order in orders)
    assert len({order[0].made_by for order in orders}) > 3


def test_places_on_the_traceback_are_nearer_than_others():
    menu = candidates(PROGRAM.modules)
    near = dict(zip(map(id, menu), distances(menu, OUTPUT, PROGRAM.modules), strict=True))
    on_line = next(c for c in menu if c.place[1] == 3)
    assert near[id(on_line)] == (0, 0)
    order = by_place(distances(menu, OUTPUT, PROGRAM.modules), Random(1))
    assert sorted(order) == list(range(len(menu)))
    assert menu[order[0]].place[1] == 3


def test_verdicts_are_made_as_for_transcripts():
    verdict = judged("test_shop.py", RunResult(1, OUTPUT))
    assert verdict.goal.text == "pytest test_shop.py"
    assert (verdict.verdict, verdict.failed, verdict.passed) == ("fail", 1, 1)
    assert [error.type for error in verdict.errors] == ["KeyError"]


def test_what_is_reported_follows_from_real_runs(runner):
    names = ["p001", "p004"]
    outcomes = [Outcomes(load_programs()[name], runner) for name in names]
    trials = [_trial(one, Manifest(), seed=1, compare=True) for one in outcomes]
    for one, trial in zip(outcomes, trials, strict=True):
        helps = sum(one.passed(candidate) for candidate in candidates(one.program.modules))
        # drawn without putting back, the first hit comes after (n + 1) / (hits + 1) draws on average
        expected = (trial.candidates + 1) / (helps + 1)
        assert trial.random.tries == pytest.approx(expected, rel=0.15)
        assert trial.random.first == pytest.approx(helps / trial.candidates, abs=0.08)
    report = summary(trials)
    assert report["all"]["programs"] == 2
    assert report["all"]["random"]["tries"] == pytest.approx(sum(t.random.tries for t in trials) / 2)
    assert report["all"]["manifest"]["tries"] == sum(t.tries for t in trials) / 2


def test_the_arms_of_the_experiment_are_large_enough_before_anything_runs():
    drawn = arms()
    assert min(len(programs) for programs in drawn.values()) >= LEAST_PER_ARM
    assert sorted(name for programs in drawn.values() for name in programs) == halves(SEED)[1]
