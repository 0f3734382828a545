"""DOMAIN 3.8 "Credit", sentence by sentence, on small tasks made by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debug_loop_pipeline.compute.fixes.credit import credit_task
from debug_loop_pipeline.compute.fixes.explain import explain_session
from debug_loop_pipeline.compute.fixes.task_attempts import task_attempts
from debug_loop_pipeline.models.base import EvidenceTier, Origin, Status, Verdict
from debug_loop_pipeline.models.execution import CodeBlob, Edit, ExecutionError, ExecutionEvent
from debug_loop_pipeline.models.mapping import MappingOutcome
from tests.unit.credit_events import Task, fixes, outcomes, tries

ROOT = Path(__file__).parents[2]
KEY = "KeyError: 'a'"
NAME = "NameError: name 'x' is not defined"
OTHER = "ValueError: no"


def test_an_error_gone_after_a_change_and_passed_is_resolved_by_that_change():
    credit = Task().verify("v1", KEY).edit(call="e1").verify("v2").credit()
    assert fixes(credit) == [("v1", "v2", "v2", ("e1",))]
    assert tries(credit) == []
    (event,) = credit.mapping_events
    assert event.outcome is MappingOutcome.SUCCESS
    assert event.evidence is EvidenceTier.MEASURED
    assert event.details.tool_call_ids == ("e1",)
    assert event.details.said == "so"
    assert event.details.slots[0].value == "a"
    assert "-a = 1" in event.details.example_diff


def test_the_change_is_what_lies_between_the_error_and_its_going_not_what_follows():
    credit = (
        Task()
        .edit(call="before")
        .verify("v1", KEY, NAME)
        .edit(call="e1")
        .verify("v2", NAME)
        .edit(call="e2")
        .verify("v3")
        .credit()
    )
    assert fixes(credit) == [("v1", "v2", "v3", ("e1",)), ("v2", "v3", "v3", ("e2",))]
    # The other error was still there after e1.
    assert tries(credit) == [("v2", ("e1",))]


def test_without_a_later_pass_nothing_is_resolved():
    assert fixes(Task().verify("v1", KEY, NAME).edit().verify("v2", NAME).credit()) == []


def test_still_there_after_a_change_is_a_failed_try_known_or_not():
    credit = (
        Task().verify("v1", KEY).edit(call="e1").verify("v2", KEY).edit(after="a = 3", call="e2").verify("v3").credit()
    )
    assert tries(credit) == [("v2", ("e1",))]
    assert fixes(credit) == [("v2", "v3", "v3", ("e2",))]
    assert outcomes(credit) == [("failure", "- 1\n+ 2"), ("success", "- 1\n+ 3")]


def test_one_success_per_task_signature_and_resolution():
    credit = Task().verify("v1", "KeyError: 'a'", "KeyError: 'b'").edit(call="e1").verify("v2").credit()
    assert len(credit.fixes) == 2
    assert outcomes(credit) == [("success", "- 1\n+ 2")]


def test_one_failure_per_task_signature_and_resolution():
    task = Task().verify("v1", KEY)
    for n in range(3):
        task.edit(call=f"e{n}").verify(f"w{n}", KEY)
    assert outcomes(task.credit()) == [("failure", "- 1\n+ 2")]


def test_where_one_resolution_has_both_in_a_task_the_success_counts():
    credit = Task().verify("v1", KEY).edit().verify("v2", KEY).edit(before="b = 1", after="b = 2").verify("v3").credit()
    assert outcomes(credit) == [("success", "- 1\n+ 2")]


def test_back_before_the_pass_blames_the_change_that_had_removed_it_and_no_other():
    credit = (
        Task()
        .verify("v1", KEY, NAME)
        .edit(call="e1")
        .verify("v2", NAME)
        .edit(after="a = 3", call="e2")
        .verify("v3", KEY, NAME)
        .edit(after="a = 4", call="e3")
        .verify("v4")
        .credit()
    )
    key_tries = [t for t in credit.failed_tries if t.error.pattern.error_type == "KeyError"]
    assert [(t.came_back, [p.tool_call_id for p in t.changes]) for t in key_tries] == [(True, ["e1"])]
    assert [f for f in fixes(credit) if f[0] == "v3"] == [("v3", "v4", "v4", ("e3",)), ("v3", "v4", "v4", ("e3",))]
    by_key = [e for e in credit.mapping_events if e.signature == key_tries[0].error.signature]
    assert [(e.outcome.value, e.details.tool_call_ids) for e in by_key] == [("failure", ("e1",)), ("success", ("e3",))]


def test_where_the_error_came_back_the_failure_counts_also_against_a_later_success_of_the_same_resolution():
    credit = (
        Task()
        .verify("v1", KEY, NAME)
        .edit(call="e1")
        .verify("v2", NAME)
        .edit(after="a = 3", call="e2")
        .verify("v3", KEY, NAME)
        .edit(call="e3")
        .verify("v4")
        .credit()
    )
    signature = next(f.error.signature for f in credit.fixes if f.error.pattern.error_type == "KeyError")
    assert [e.outcome.value for e in credit.mapping_events if e.signature == signature] == ["failure"]


def test_back_after_the_pass_is_a_new_error_and_the_first_success_stays():
    task = Task().verify("v1", KEY).edit(call="e1").verify("v2").edit(after="a = 3").verify("v3", KEY)
    credit = task.edit(after="a = 9", call="e3").verify("v4").credit()
    assert fixes(credit) == [("v1", "v2", "v2", ("e1",)), ("v3", "v4", "v4", ("e3",))]
    assert {outcome for outcome, _ in outcomes(credit)} == {"success"}


@pytest.mark.parametrize("verdict", [Verdict.UNCLEAR, Verdict.CANCELLED])
def test_unclear_and_cancelled_results_are_skipped(verdict):
    credit = (
        Task().verify("v1", KEY).edit(call="e1").verify("v2", verdict=verdict).edit(call="e2").verify("v3").credit()
    )
    assert fixes(credit) == [("v1", "v3", "v3", ("e1", "e2"))]


def test_infrastructure_results_are_skipped():
    limit = ExecutionError(message="HTTP 429 Too Many Requests", origin=Origin.RATE_LIMIT)
    credit = Task().verify("v1", KEY).edit(call="e1").verify("v2", limit).verify("v3").credit()
    assert fixes(credit) == [("v1", "v3", "v3", ("e1",))]
    assert fixes(Task().verify("v1", limit).edit().verify("v2").credit()) == []


def test_a_verification_that_did_not_get_as_far_shows_nothing_gone():
    credit = (
        Task()
        .verify("v1", KEY)
        .edit(call="e1")
        .verify("v2", "SyntaxError: invalid syntax", reached=False)
        .edit(call="e2")
        .verify("v3")
        .credit()
    )
    assert ("v1", "v3", "v3", ("e1", "e2")) in fixes(credit)
    assert ("v2", "v3", "v3", ("e2",)) in fixes(credit)


def test_a_build_error_is_gone_when_the_build_fails_for_another_reason():
    credit = (
        Task()
        .verify("v1", "undefined: x", tool="go test", reached=False)
        .edit(path="a.go", call="e1")
        .verify("v2", "declared and not used: y", tool="go test", reached=False)
        .edit(path="a.go", call="e2")
        .verify("v3", tool="go test")
        .credit()
    )
    assert fixes(credit) == [("v1", "v2", "v3", ("e1",)), ("v2", "v3", "v3", ("e2",))]


def test_what_a_broken_build_hides_is_not_gone():
    fails = ExecutionError(message="got 1, want 2", test="TestA", path="a_test.go", tool="go test")
    other = ExecutionError(message="got 5, want 6", test="TestB", path="b_test.go", tool="go test")
    broken = ExecutionError(message="undefined: x", path="pkg/a.go", tool="go build")
    only = Task().verify("v1", KEY, tool="run").edit(call="e1").verify("v2", "SyntaxError: invalid syntax", tool="run")
    assert ("v1", "v3", "v3", ("e1", "e2")) in fixes(only.edit(call="e2").verify("v3", tool="run").credit())
    some = (
        Task().verify("v1", fails, tool="go test").edit("a.go", call="e1").verify("v2", broken, other, tool="go test")
    )
    assert ("v1", "v3", "v3", ("e1", "e2")) in fixes(some.edit("a.go", call="e2").verify("v3", tool="go test").credit())


def test_more_errors_than_were_kept_show_nothing_gone():
    credit = (
        Task().verify("v1", KEY).edit(call="e1").verify("v2", NAME, not_kept=3).edit(call="e2").verify("v3").credit()
    )
    assert ("v1", "v3", "v3", ("e1", "e2")) in fixes(credit)


def test_a_rerun_without_a_change_is_the_same_state():
    again = Task().verify("v1", KEY).verify("v2", KEY).edit(call="e1").verify("v3").credit()
    assert fixes(again) == [("v2", "v3", "v3", ("e1",))]
    assert tries(again) == []
    chance = Task().verify("v1", KEY).verify("v2").edit().verify("v3").credit()
    assert fixes(chance) == []


def test_a_rerun_that_shows_less_keeps_a_located_error_and_drops_a_bare_one():
    located = Task().verify("v1", KEY, NAME).verify("v2", NAME).edit(call="e1").verify("v3").credit()
    assert sorted(f[0] for f in fixes(located)) == ["v1", "v2"]
    bare = Task().verify("v1", "some errors were emitted").verify("v2", KEY).edit(call="e1").verify("v3").credit()
    assert fixes(bare) == [("v2", "v3", "v3", ("e1",))]


def test_a_program_that_ends_elsewhere_without_a_change_has_left_the_first_error_behind():
    """Called another way (`PYTHONPATH=. python show.py`) it gets past the import: no change is that error's fix."""
    credit = (
        Task()
        .verify("v1", "ModuleNotFoundError: No module named 'app'", tool="run", target=("python show.py",))
        .verify("v2", KEY, tool="run", target=("python show.py",))
        .edit(call="e1")
        .verify("v3", tool="run", target=("python show.py",))
        .credit()
    )
    assert fixes(credit) == [("v2", "v3", "v3", ("e1",))]


def test_a_shortened_message_settles_nothing_of_its_own_test_and_does_of_others():
    short = ExecutionError(message="ValueError: inva...", type="ValueError", test="test_b")
    whole = ExecutionError(message="KeyError: 'a'", type="KeyError", test="test_a")
    same = ExecutionError(message="ValueError: invalid", type="ValueError", test="test_b")
    credit = Task().verify("v1", whole, same).edit(call="e1").verify("v2", short).edit(call="e2").verify("v3").credit()
    assert ("v1", "v2", "v3", ("e1",)) in fixes(credit)
    assert fixes(credit)[0] == ("v1", "v2", "v3", ("e1",))
    assert all(gone == "v3" for failed, gone, _, _ in fixes(credit)[1:])


def test_where_tests_ran_their_crate_compiled_however_much_of_the_output_is_cut():
    missing = ExecutionError(
        message="[E0433] cannot find type `HashMap`", type="E0433", tool="rustc", path="src/lib.rs"
    )
    failing = ExecutionError(message="assertion failed", test="tests::a")
    credit = (
        Task()
        .verify("v1", missing, tool="cargo test")
        .edit(call="e1")
        .verify("v2", failing, tool="cargo test", reached=False)
        .edit(call="e2")
        .verify("v3", tool="cargo test")
        .credit()
    )
    assert ("v1", "v2", "v3", ("e1",)) in fixes(credit)


@pytest.mark.parametrize("reached", [True, False])
@pytest.mark.parametrize(("linter", "checker"), [("eslint", "tsc"), ("ruff check", "mypy"), ("flake8", "pyright")])
def test_a_broken_build_hides_nothing_that_the_script_ran_before_it(linter, checker, reached):
    lint = ExecutionError(message="'s' is never reassigned (prefer-const)", tool=linter, path="src/a.ts")
    build = ExecutionError(message="TS2345: Argument of type 'string'", type="TS2345", tool=checker, path="src/a.ts")
    for runs, gone in (((linter, checker), "v2"), ((checker, linter), "v3")):
        credit = (
            Task()
            .verify("v1", lint, tool="npm run ci", runs=runs)
            .edit(call="e1")
            .verify("v2", build, tool="npm run ci", runs=runs, reached=reached)
            .edit(call="e2")
            .verify("v3", tool="npm run ci", runs=runs)
            .credit()
        )
        assert [f[1] for f in fixes(credit) if f[0] == "v1"] == [gone]


def test_an_error_that_says_only_that_something_failed_is_a_fix_when_it_is_alone_and_teaches_nothing():
    bare = ExecutionError(message="3 failed", type="RunFailed")
    alone = Task().verify("v1", bare).edit(call="e1").verify("v2").credit()
    assert fixes(alone) == [("v1", "v2", "v2", ("e1",))]
    assert alone.mapping_events == ()
    beside = Task().verify("v1", KEY).edit(call="e1").verify("v2", bare).edit(call="e2").verify("v3").credit()
    assert fixes(beside) == [("v1", "v3", "v3", ("e1", "e2"))]


def test_where_two_runs_say_only_that_something_failed_it_may_be_the_same():
    first, then = (ExecutionError(message=text, type="RunFailed") for text in ("test failed in m/a", "2 failed"))
    assert fixes(Task().verify("v1", first).edit(call="e1").verify("v2", then).verify("v3").credit()) == []
    later = Task().verify("v1", first).edit(call="e1").verify("v2", then).edit(call="e2").verify("v3").credit()
    assert fixes(later) == [("v2", "v3", "v3", ("e2",))]


def test_a_program_that_is_not_there_is_mended_by_no_source_file():
    missing = ExecutionError(message="command not found: linty", tool="shell")

    def tried(task: Task) -> list[tuple[str, str, str, tuple[str, ...]]]:
        return fixes(task.verify("v2", tool="lint linty src").credit())

    def failed() -> Task:
        return Task().verify("v1", missing, tool="lint linty src").edit("src/a.py", call="e1")

    assert tried(failed()) == []
    assert tried(failed().command("pip install linty", call="c1")) == [("v1", "v2", "v2", ("c1",))]
    assert tried(failed().edit("package.json", call="e2")) == [("v1", "v2", "v2", ("e2",))]
    other = Task().verify("v1", missing, tool="run").edit("src/a.py", call="e1").verify("v2", tool="run")
    assert fixes(other.credit()) == [("v1", "v2", "v2", ("e1",))]


def test_a_folder_that_the_line_was_to_enter_and_is_not_there_is_mended_by_no_source_file():
    missing = ExecutionError(message="cd: app: No such file or directory", tool="shell")
    task = Task().verify("v1", missing).edit("src/a.py", call="e1").verify("v2")
    assert fixes(task.credit()) == []
    made = Task().verify("v1", missing).command("mkdir -p app", call="c1").verify("v2")
    assert fixes(made.credit()) == [("v1", "v2", "v2", ("c1",))]


def test_a_name_that_is_exported_on_is_mended_where_it_is():
    missing = ExecutionError(
        message="TS2305: Module './index' has no exported member 'Badge'.",
        type="TS2305",
        tool="tsc",
        path="src/badge.test.ts",
    )
    task = (
        Task()
        .verify("v1", missing)
        .edit("src/index.ts", before="a", after="a\nexport { Badge } from './badge';", call="e1")
    )
    assert fixes(task.edit("src/other.ts", call="e2").verify("v2").credit()) == [("v1", "v2", "v2", ("e1",))]


def test_a_name_that_is_exported_with_all_others_is_mended_where_it_is():
    barrel = Task().verify(
        "v1", ExecutionError(message="TypeError: (0 , area) is not a function", test="area of a square")
    )
    barrel = barrel.edit("src/index.ts", before="export * from './a';", after="export * from './b';", call="e1")
    assert fixes(barrel.edit("src/other.ts", call="e2").verify("v2").credit()) == [("v1", "v2", "v2", ("e1",))]


def test_a_file_to_source_that_is_not_there_is_gone_only_where_it_is_sourced_again():
    missing = ExecutionError(message=".venv/bin/activate: No such file or directory", tool="shell")
    line = "source .venv/bin/activate && pytest"

    def failed() -> Task:
        return Task().verify("v1", missing, command=line).edit("src/a.py", call="e1")

    assert fixes(failed().verify("v2", command=line).credit()) == []
    assert fixes(failed().command("pip install x", call="c1").verify("v2", command="pytest").credit()) == []
    other = failed().command("pip install x", call="c1").verify("v2", command="source /r/venv/bin/activate && pytest")
    assert fixes(other.credit()) == []
    made = failed().command("python -m venv .venv", call="c1").verify("v2", command=line)
    assert fixes(made.credit()) == [("v1", "v2", "v2", ("c1",))]


def test_a_pass_of_another_goal_credits_nothing():
    assert fixes(Task().verify("v1", KEY).edit().verify("v2", tool="ruff check").credit()) == []


def test_a_pass_of_a_narrower_goal_credits_nothing_and_a_wider_one_does():
    narrow, wide = ("tests/test_a.py",), ("tests",)
    task = Task().verify("v1", KEY, target=wide).edit(call="e1").verify("v2", target=narrow)
    assert fixes(task.credit()) == []
    assert fixes(task.verify("v3", target=wide).credit()) == [("v1", "v3", "v3", ("e1",))]
    wider = Task().verify("v1", KEY, target=narrow).edit(call="e1").verify("v2", target=wide).credit()
    assert fixes(wider) == [("v1", "v2", "v2", ("e1",))]


def test_shown_again_by_a_narrower_run_the_narrower_run_decides():
    narrow = ("tests/test_a.py",)
    credit = (
        Task().verify("v1", KEY).verify("v2", KEY, target=narrow).edit(call="e1").verify("v3", target=narrow).credit()
    )
    assert fixes(credit) == [("v2", "v3", "v3", ("e1",))]


def test_an_error_is_resolved_once_however_many_passes_follow():
    credit = Task().verify("v1", KEY).edit(call="e1").verify("v2").edit().verify("v3").verify("v4").credit()
    assert fixes(credit) == [("v1", "v2", "v2", ("e1",))]


def test_a_verdict_from_outside_covers_everything_and_is_verified():
    credit = Task().verify("v1", KEY).edit(call="e1").verify("ci", tool="ci", outside=True).credit()
    assert fixes(credit) == [("v1", "ci", "ci", ("e1",))]
    assert credit.mapping_events[0].evidence is EvidenceTier.VERIFIED


def test_the_runs_of_a_task_follow_each_other():
    first = Task(run="b", run_hour=1).verify("v1", KEY).edit(call="e1").verify("ci1", KEY, tool="ci", outside=True)
    second = Task(run="a", run_hour=2).edit(after="a = 3", call="e2").verify("ci2", tool="ci", outside=True)
    events = [*second.events, *first.events]
    credit = credit_task(task_attempts(events)[first.task])
    assert tries(credit) == [("ci1", ("e1",))]
    assert fixes(credit) == [("ci1", "ci2", "ci2", ("e2",))]


def test_the_events_time_is_that_of_the_verification_that_decided_it():
    task = Task().verify("v1", KEY, NAME).edit().verify("v2", NAME).edit(after="a = 3").verify("v3")
    events = {(e.outcome.value, e.details.failed.tool_call_id): e for e in task.credit().mapping_events}
    passed = task.events[-1]
    assert {e.occurred_at for e in events.values() if e.outcome is MappingOutcome.SUCCESS} == {passed.completed_at}
    assert events["failure", "v1"].occurred_at == task.events[1].completed_at
    assert events["failure", "v1"].attempt_id == task.events[1].attempt_id


def test_two_missing_constants_of_one_signature_are_told_apart():
    inf, nan = (f"AttributeError: module 'np' has no attribute '{n}'" for n in ("Inf", "NaN"))
    credit = (
        Task()
        .verify("v1", inf, nan)
        .edit(before="np.Inf", after="np.inf", call="e1")
        .verify("v2", nan)
        .edit(before="np.NaN", after="np.nan", call="e2")
        .verify("v3")
        .credit()
    )
    assert fixes(credit) == [("v1", "v2", "v3", ("e1",)), ("v2", "v3", "v3", ("e2",))]


def test_the_same_error_of_two_tests_is_two_errors():
    a, b = (ExecutionError(message=KEY, test=f"tests/t.py::{n}") for n in ("a", "b"))
    credit = (
        Task().verify("v1", a, b).edit(call="e1").verify("v2", b).edit(after="a = 3", call="e2").verify("v3").credit()
    )
    assert [f[:2] for f in fixes(credit)] == [("v1", "v2"), ("v2", "v3")]


def test_parts_in_the_files_that_the_error_names_are_credited_else_all():
    error = ExecutionError(message=KEY, path="src/app.py")
    named = Task().verify("v1", error).edit("/repo/src/app.py", call="in").edit("src/other.py", call="out").verify("v2")
    assert fixes(named.credit())[0][3] == ("in",)
    nowhere = Task().verify("v1", error).edit("lib/x.py", call="one").edit("lib/y.py", call="two").verify("v2")
    assert fixes(nowhere.credit())[0][3] == ("one", "two")


def test_a_part_elsewhere_that_defines_what_the_error_misses_is_credited_too():
    error = ExecutionError(message="undefined: loadPool", path="src/listen.go", tool="go build")
    task = Task().verify("v1", error).edit("src/listen.go", call="in").edit("src/other.go", call="out")
    task = task.edit("src/pool.go", before="", after="func loadPool(path string) *Pool {", call="definition")
    heredoc = "cat > src/pool2.go <<'EOF'\nfunc loadPool(path string) *Pool {\nEOF"
    assert fixes(task.verify("v2").credit())[0][3] == ("in", "definition")
    written = Task().verify("v1", error).edit("src/listen.go", call="in").command(heredoc, call="written").verify("v2")
    assert fixes(written.credit())[0][3] == ("in", "written")
    present = ExecutionError(message="loadPool: too many arguments", path="src/listen.go", tool="go build")
    other = Task().verify("v1", present).edit("src/listen.go", call="in")
    other = other.edit("src/pool.go", before="", after="func loadPool(path string) *Pool {", call="definition")
    assert fixes(other.verify("v2").credit())[0][3] == ("in",)


def test_an_install_is_credited_with_an_import_beside_the_parts_in_the_files_that_the_error_names():
    error = ExecutionError(message="ModuleNotFoundError: No module named 'yaml'", path="src/app.py")
    task = Task().verify("v1", error).edit("src/app.py", call="in").command("pip install pyyaml", call="install")
    assert fixes(task.command("make gen", call="other").verify("v2").credit())[0][3] == ("in", "install")


def test_what_changed_after_a_narrower_run_had_not_shown_the_error_any_more_did_not_fix_it():
    error = ExecutionError(message="assert 1 == 2", test="tests/test_x.py::test_a", tool="pytest")
    task = Task().verify("v1", error).edit("tests/test_x.py", before="a = 1", after="a = 3", call="fix")
    task = task.verify("narrow", target=("tests/test_x.py::test_a",))
    task = task.edit("tests/test_x.py", before="b = 1", after="b = 3", call="later").verify("v2")
    assert fixes(task.credit()) == [("v1", "v2", "v2", ("fix",))]
    other = Task().verify("v1", error).edit("tests/test_x.py", before="a = 1", after="a = 3", call="fix")
    other = other.verify("else", target=("tests/test_y.py",))
    other = other.edit("tests/test_x.py", before="b = 1", after="b = 3", call="later").verify("v2")
    assert fixes(other.credit())[0][3] == ("fix", "later")


def failing(name: str) -> ExecutionError:
    return ExecutionError(message=f"assert 1 == 2 in {name}", test=f"tests/test_x.py::{name}", tool="pytest")


def test_a_run_that_stops_at_the_first_failing_test_shows_nothing_gone_that_it_did_not_come_to():
    a, b, c = failing("test_a"), failing("test_b"), failing("test_c")
    task = Task().verify("v1", a, b, c).edit(call="e1").verify("v2", b, command="pytest -xq").edit(call="e2")
    found = {fix[0:2] + fix[3:] for fix in fixes(task.verify("v3").credit())}
    # The run came past test_a, which was shown before test_b, and not as far as test_c.
    assert found == {("v1", "v2", ("e1",)), ("v2", "v3", ("e2",)), ("v1", "v3", ("e1", "e2"))}


@pytest.mark.parametrize(
    ("command", "passed", "gone_at"),
    [("pytest -x", 9, "v2"), ("pytest -x", 2, "v3"), ("pytest --maxfail=3", 2, "v2"), ("pytest -rx", 2, "v2")],
)
def test_a_run_that_stops_early_got_further_where_more_tests_have_passed(command: str, passed: int, gone_at: str):
    task = Task().verify("v1", failing("test_a"), command=command, counts=(4, 1)).edit(call="e1")
    task = task.verify("v2", failing("test_b"), command=command, counts=(passed, 1)).edit(call="e2").verify("v3")
    assert [fix[1] for fix in fixes(task.credit()) if fix[0] == "v1"] == [gone_at]


def test_what_kept_all_tests_from_running_is_gone_where_one_of_them_fails():
    missing = ExecutionError(message="Failed to spawn: `pytest`", tool="uv")
    task = Task().verify("v1", missing, command="pytest -x").edit("pyproject.toml", call="e1")
    task = task.verify("v2", failing("test_a"), command="pytest -x").edit(call="e2").verify("v3", command="pytest -x")
    assert {fix[:2] for fix in fixes(task.credit())} == {("v1", "v2"), ("v2", "v3")}


@pytest.mark.parametrize(
    ("place", "credited"),
    [("/repo/src/app/core.py", ("define",)), ("/venv/lib/python3.12/site-packages/app/core.py", ("define", "install"))],
)
def test_an_install_brings_no_name_into_a_module_of_the_project(place: str, credited: tuple[str, ...]) -> None:
    error = ExecutionError(message=f"ImportError: cannot import name 'total' from 'app.core' ({place})", tool="pytest")
    task = Task().verify("v1", error).edit("src/app/core.py", "x = 1", "def total():\n    return 1", call="define")
    task = task.command("pip install -e . -q", call="install").verify("v2")
    assert [fix[3:] for fix in fixes(task.credit())] == [(credited,)]


@pytest.mark.parametrize(
    ("before", "after", "credited"),
    [
        ("def test_b():\n    assert g(1)", "def test_b():\n    assert g(2)", ("own",)),
        ("    assert f(0)\n\ndef test_b():", "    assert f(9)\n\ndef test_b():", ("own", "other")),
        ("def test_a():\n    x = 1", "def test_a():\n    x = 2", ("own", "other")),
        ("    assert g(1)", "    assert g(2)", ("own", "other")),
    ],
)
def test_a_hunk_inside_another_test_is_not_credited_beside_one_that_may_be_in_the_failing_one(
    before: str, after: str, credited: tuple[str, ...]
) -> None:
    path = "tests/test_x.py"
    task = Task().verify("v1", failing("test_a")).edit(path, "    assert f(1)", "    assert f(2)", call="own")
    task = task.edit(path, before, after, call="other").verify("v2")
    assert [fix[3:] for fix in fixes(task.credit())] == [(credited,)]


@pytest.mark.parametrize(
    ("test", "line"),
    [
        ("TestA/sub", "func TestB(t *testing.T) {"),
        ("adds › one", "it('subtracts', () => {"),
        ("testAdd", "public function testSub(): void"),
    ],
)
def test_tests_of_other_languages_are_told_apart_as_well(test: str, line: str) -> None:
    error = ExecutionError(message="assert 1 == 2", test=test, path="a.test.x", tool="x")
    task = Task().verify("v1", error).edit("a.test.x", "f(1)", "f(2)", call="own")
    task = task.edit("a.test.x", f"{line}\n  g(1)", f"{line}\n  g(2)", call="other").verify("v2")
    assert [fix[3:] for fix in fixes(task.credit())] == [(("own",),)]


def test_an_error_without_a_place_is_fixed_beside_one_that_has_a_place():
    header = ExecutionError(message="x.h: No such file or directory", path="src/main.c", tool="cc")
    link = ExecutionError(message="undefined reference to begin", tool="ld")
    task = Task().verify("v1", header).edit("src/main.c", call="one").verify("v2", link)
    assert fixes(task.edit("src/main.c", before="b = 1", after="b = 2", call="two").verify("v3").credit()) == [
        ("v1", "v2", "v3", ("one",)),
        ("v2", "v3", "v3", ("two",)),
    ]


def test_frames_and_the_failing_test_name_files_too():
    trace = f'Traceback (most recent call last):\n  File "/r/lib/deep.py", line 3, in f\n    g()\n{KEY}'
    framed = Task().verify("v1", trace).edit("lib/deep.py", call="in").edit("lib/other.py", call="out").verify("v2")
    assert fixes(framed.credit())[0][3] == ("in",)
    error = ExecutionError(message=KEY, test="tests/test_x.py::test_a")
    tested = Task().verify("v1", error).edit("tests/test_x.py", call="in").edit("lib/other.py", call="out").verify("v2")
    assert fixes(tested.credit())[0][3] == ("in",)


def test_a_failing_test_names_the_file_that_it_tests():
    error = ExecutionError(message="got 1, want 2", test="TestA", path="pkg/parse_test.go", tool="go test")
    task = Task().verify("v1", error).edit("pkg/parse.go", call="code").edit("pkg/other.go", call="other")
    assert fixes(task.edit("pkg/parse_test.go", call="test").verify("v2").credit())[0][3] == ("code", "test")


def test_a_failing_test_names_the_file_that_its_suite_is_called_after():
    error = ExecutionError(message="got 1, want 2", test="area > of a square", path="src/shapes.test.ts", tool="vitest")
    task = Task().verify("v1", error).edit("src/area.ts", call="suite").edit("src/shapes.ts", call="file")
    assert fixes(task.edit("src/of.ts", call="other").verify("v2").credit())[0][3] == ("suite", "file")


def test_a_compiler_that_dislikes_a_call_in_a_test_does_not_name_the_file_that_it_tests():
    error = ExecutionError(
        message="TS2554: Expected 3 arguments, but got 2.", type="TS2554", path="src/list.test.ts", tool="tsc"
    )
    task = Task().verify("v1", error).edit("src/list.ts", call="one").edit("src/item.ts", call="two")
    assert fixes(task.verify("v2").credit())[0][3] == ("one", "two")


def test_a_test_that_says_no_in_other_words_is_still_failing():
    first, second = (ExecutionError(message=f"got {m}, want nothing", test="TestA") for m in ("1", "an error"))
    credit = (
        Task()
        .verify("v1", first)
        .edit(call="e1")
        .verify("v2", second)
        .edit(after="a = 3", call="e2")
        .verify("v3")
        .credit()
    )
    assert tries(credit) == [("v2", ("e1",))]
    assert fixes(credit) == [("v2", "v3", "v3", ("e2",))]


_WHY = ExecutionError(
    message="KeyError: 'a name that goes on'", type="KeyError", test="test_a", tool="pytest", stacktrace="x"
)
_BEGUN = ExecutionError(message="KeyError: 'a na...", type="KeyError", test="test_a", tool="pytest")
_ONLY_FAILS = ExecutionError(message="test failed", test="test_a", tool="pytest")


@pytest.mark.parametrize("first", [_WHY, _BEGUN, _ONLY_FAILS])
@pytest.mark.parametrize("second", [_WHY, _BEGUN, _ONLY_FAILS])
def test_a_test_of_which_only_that_it_failed_is_seen_has_one_error(first: ExecutionError, second: ExecutionError):
    task = Task().verify("v1", first).edit(call="e1").verify("v2", second).edit(after="a = 3", call="e2").verify("v3")
    assert fixes(task.credit()) == [("v2", "v3", "v3", ("e2",))]
    # Why a test failed of which no more was seen is not known: what was changed then may have mended that.
    unknown_before = first is _ONLY_FAILS and second is not first
    assert tries(task.credit()) == ([] if unknown_before else [("v2", ("e1",))])
    looked = Task().verify("v1", first).verify("v2", second).edit(call="e1").verify("v3")
    assert fixes(looked.credit()) == [("v2", "v3", "v3", ("e1",))]
    assert not tries(looked.credit())


def test_a_test_that_fails_beside_another_is_not_taken_for_it():
    other = _ONLY_FAILS.model_copy(update={"test": "test_b"})
    task = Task().verify("v1", _WHY).edit(call="e1").verify("v2", other).edit(after="a = 3", call="e2").verify("v3")
    assert fixes(task.credit()) == [("v1", "v2", "v3", ("e1",)), ("v2", "v3", "v3", ("e2",))]


def test_what_was_mended_before_does_not_explain_that_something_failed_later():
    core = ExecutionError(message="mismatched types", type="E0308", tool="rustc", path="core/src/lib.rs")
    bare = ExecutionError(message="could not compile `cli`", type="RunFailed", tool="cargo build")
    task = Task().verify("v1", core, tool="cargo check").edit("core/src/lib.rs", call="e1")
    task = (
        task.verify("v2", bare, tool="cargo check").edit("cli/src/main.rs", call="e2").verify("v3", tool="cargo check")
    )
    assert [(fix[0], fix[3]) for fix in fixes(task.credit())] == [("v1", ("e1",)), ("v2", ("e2",))]


def test_an_exception_that_stops_a_test_goes_and_leaves_its_assertion():
    first = ExecutionError(message=KEY, test="tests/t.py::a")
    second = ExecutionError(message="AssertionError: assert 1 == 2", test="tests/t.py::a")
    credit = (
        Task()
        .verify("v1", first)
        .edit(call="e1")
        .verify("v2", second)
        .edit(after="a = 3", call="e2")
        .verify("v3")
        .credit()
    )
    assert fixes(credit) == [("v1", "v2", "v3", ("e1",)), ("v2", "v3", "v3", ("e2",))]


def test_what_a_test_asserts_is_not_gone_while_an_exception_stops_it():
    first = ExecutionError(message="AssertionError: assert 1 == 2", test="tests/t.py::a")
    second = ExecutionError(message=KEY, test="tests/t.py::a")
    task = Task().verify("v1", first).edit(call="e1").verify("v2", second).edit(after="a = 3", call="e2").verify("v3")
    assert ("v1", "v2") not in [fix[:2] for fix in fixes(task.credit())]


def panicked(message: str, test: str = "takes_none") -> ExecutionError:
    return ExecutionError(message=message, type="panic", test=test, tool="cargo test", path="tests/basket.rs")


def test_a_test_in_rust_that_asserts_something_else_is_still_failing_and_may_be_mended_in_the_code():
    first = panicked("assertion `left == right` failed left: Full right: Empty")
    second = panicked("assertion failed: basket.is_open()")
    task = Task().verify("v1", first, tool="cargo test").edit("tests/basket.rs", call="t1").verify("v2", second)
    task = task.edit("src/basket.rs", call="code").edit("tests/basket.rs", "b = 1", "b = 2", call="t2").verify("v3")
    assert fixes(task.credit()) == [("v2", "v3", "v3", ("code", "t2"))]
    assert tries(task.credit()) == [("v2", ("t1",))]


def test_a_panic_that_is_no_assertion_of_a_test_is_told_apart_by_what_it_says():
    first = panicked("called `Option::unwrap()` on a `None` value")
    second = panicked("assertion `left == right` failed left: 0 right: 1")
    task = Task().verify("v1", first).edit("tests/basket.rs", call="e1").verify("v2", second)
    task = task.edit("tests/basket.rs", "b = 1", "b = 2", call="e2").verify("v3")
    assert fixes(task.credit()) == [("v1", "v2", "v3", ("e1",)), ("v2", "v3", "v3", ("e2",))]


def test_where_only_other_tests_were_touched_in_its_file_a_test_was_mended_elsewhere():
    task = Task().verify("v1", failing("test_a")).edit("src/shelf.py", call="code").edit("docs/shelf.md", call="doc")
    other = "def test_b():\n    assert g({})"
    task = task.edit("tests/test_x.py", other.format(1), other.format(2), call="other").verify("v2")
    assert [fix[3:] for fix in fixes(task.credit())] == [(("code",),)]
    alone = (
        Task().verify("v1", failing("test_a")).edit("tests/test_x.py", other.format(1), other.format(2), call="other")
    )
    assert [fix[3:] for fix in fixes(alone.verify("v2").credit())] == [(("other",),)]


@pytest.mark.parametrize(
    ("before", "after", "credited"),
    [
        ("    x = f()", "    x = f()\n    assert x > 0", ("code",)),
        ("    assert (\n        a\n    )", "    assert (\n        b\n    )\n    assert (\n        a\n    )", ("code",)),
        ("    x = f()", "    x = f()\n    y = g(x)\n    assert y", ("code", "test")),
        ("    assert x == 1", "    assert x == 2", ("code", "test")),
        ("    x = f()\n    assert x", "    x = f()", ("code", "test")),
        ("    await page.goto(u)", "    await page.goto(u)\n    expect(page).to_have_title(t)", ("code", "test")),
    ],
)
def test_a_test_does_not_pass_for_being_asked_more(before: str, after: str, credited: tuple[str, ...]) -> None:
    task = Task().verify("v1", failing("test_a")).edit("src/shelf.py", call="code")
    task = task.edit("tests/test_x.py", before, after, call="test").verify("v2")
    assert [fix[3:] for fix in fixes(task.credit())] == [(credited,)]


def test_up_to_eight_parts_are_credited_one_by_one_and_more_as_a_whole():
    def changed(n: int):
        task = Task().verify("v1", KEY)
        for i in range(n):
            task.edit(f"f{i}.py", before=f"a = {i}", after=f"a = {i + 100}", call=f"e{i}")
        return task.verify("v2").credit()

    assert len(changed(8).mapping_events) == 8
    (whole,) = changed(9).mapping_events
    assert len(whole.details.tool_call_ids) == 9
    assert changed(9).resolutions[0].parts == 9


def test_a_mutating_command_is_a_change_with_its_slot():
    error = "ModuleNotFoundError: No module named 'yaml'"
    credit = Task().verify("v1", error).command("cd /r && pip install yaml 2>&1 | tail -3", "c1").verify("v2").credit()
    assert outcomes(credit) == [("success", "pip install <SLOT 1>")]


def test_a_fixer_counts_as_being_in_the_files_that_the_linter_names():
    error = ExecutionError(message="Formatter would have printed something else", path="src/a.ts", tool="biome")
    credit = (
        Task()
        .verify("v1", error, tool="biome")
        .edit("src/b.ts")
        .command("bun run lint:fix", "fix")
        .verify("v2", tool="biome")
        .credit()
    )
    assert fixes(credit)[0][3] == ("fix",)


def test_a_hunk_that_later_hunks_undid_is_no_part_of_the_change():
    error = ExecutionError(message=KEY, path="app.py")
    task = (
        Task()
        .verify("v1", error)
        .edit(after="a = lost", call="lost")
        .edit(before="a = lost", after="a = 7", call="kept")
    )
    assert fixes(task.verify("v2").credit())[0][3] == ("kept",)


def test_what_a_rewrite_of_the_whole_file_undid_is_no_part_of_the_change():
    error = ExecutionError(message=KEY, path="app.py")
    task = Task().verify("v1", error).edit(after="a = lost", call="lost").edit(after="kept = 1", call="kept")
    whole = Edit(path="app.py", before=None, after="kept = 1\nx = 2\n", step=task.step + 1, tool_call_id="whole")
    task._edits.append(whole)
    task.step += 1
    assert fixes(task.verify("v2").credit())[0][3] == ("kept", "whole")


@pytest.mark.parametrize(
    ("path", "after", "message", "credited"),
    [
        ("app.go", "// a is about b", "undefined: b", False),
        ("app.go", "//nolint:ireturn // the factory needs it", "error is unwrapped (wrapcheck)", False),
        ("app.go", "//nolint:wrapcheck // the caller does", "error is unwrapped (wrapcheck)", True),
        ("app.go", "//nolint", "error is unwrapped (wrapcheck)", True),
        ("app.go", "// Run runs.", "exported function Run should have comment (revive)", True),
        ("app.ts", "// @ts-expect-error the types are old", "error TS2345: no", True),
        ("app.ts", "// eslint-disable-next-line no-console, no-alert", "Unexpected alert  no-alert", True),
        ("app.ts", "// eslint-disable-next-line no-console", "Unexpected alert  no-alert", False),
        ("app.py", "# noqa: F401", "F401 `os` imported but unused", True),
        ("app.py", "#include", "KeyError: 'a'", False),
        ("app.c", "#include <stdio.h>", "implicit declaration of function 'printf'", True),
        ("app.ts", " * a is about b", "undefined: b", False),
        ("app.ts", "/**\n * a is about b\n */", "undefined: b", False),
        ("app.ts", "\t * a is about b", "undefined: b", False),
        ("app.ts", "* (r1 - r0);", "undefined: b", True),
        ("app.ts", "    * (r1 - r0);", "undefined: b", True),
    ],
)
def test_a_comment_is_credited_only_where_it_is_about_the_error(path: str, after: str, message: str, credited: bool):
    error = ExecutionError(message=message, path=path)
    task = Task().verify("v1", error).edit(path=path, before="", after=after, call="says")
    task.edit(path=path, before="a()", after="b()", call="does")
    assert fixes(task.verify("v2").credit())[0][3] == (("says", "does") if credited else ("does",))


def test_building_what_a_build_reads_is_the_change_where_nothing_else_changed():
    """The types of another package of the repository were those of its last build."""
    error = ExecutionError(
        message="error TS2353: 'linkUrl' does not exist in type 'Theme'.", tool="tsc", path="src/a.ts"
    )
    build = "npm run build"
    stale = Task().verify("v1", error, tool=build, target=("[app]",)).verify("b1", tool=build, target=("[ui]",))
    assert fixes(stale.verify("v2", tool=build, target=("[app]",)).credit()) == [("v1", "v2", "v2", ("b1",))]
    tested = (
        Task().verify("v1", error, tool=build, target=("[app]",)).verify("t1", tool="npm run test", target=("[ui]",))
    )
    assert fixes(tested.verify("v2", tool=build, target=("[app]",)).credit()) == []
    flaky = Task().verify("v1", KEY).verify("b1", tool=build)
    assert fixes(flaky.verify("v2").credit()) == []


def test_a_look_at_the_code_without_the_change_says_nothing_about_the_change():
    credit = (
        Task()
        .verify("v1", KEY)
        .edit(call="e1")
        .command("git stash", "aside")
        .verify("before", KEY)
        .command("git stash pop", "back")
        .verify("v2")
        .credit()
    )
    assert fixes(credit) == [("v1", "v2", "v2", ("e1",))]
    assert tries(credit) == []


def test_a_look_without_the_change_in_one_call_is_no_fix_of_what_the_change_broke():
    task = Task().verify("v1", KEY).command("git stash && pytest; git stash pop", "look")
    task.step -= 1
    credit = task.verify("look").edit(call="e1").verify("v2").credit()
    assert fixes(credit) == [("v1", "v2", "v2", ("e1",))]


def test_work_that_is_never_brought_back_was_taken_back():
    assert fixes(Task().verify("v1", KEY).command("git stash", "away").verify("v2").credit()) == [
        ("v1", "v2", "v2", ("away",))
    ]
    assert fixes(
        Task().verify("v1", KEY).command("git stash && git pull && git stash pop", "pull").verify("v2").credit()
    ) == [("v1", "v2", "v2", ("pull",))]


@pytest.mark.parametrize(("others", "credited"), [(1, ("test", "o0")), (3, ("test", "o0", "o1", "o2")), (4, ("test",))])
def test_a_test_that_says_no_may_have_been_right(others: int, credited: tuple[str, ...]):
    """The test was touched too: the code beside it is credited where it is not the rest of a larger work."""
    error = ExecutionError(
        type="AssertionError", message="AssertionError: 1 == 2", test="test_a", path="tests/test_a.py"
    )
    task = Task().verify("v1", error).edit(path="tests/test_a.py", call="test")
    for n in range(others):
        task.edit(path=f"shop/m{n}.py", call=f"o{n}")
    assert fixes(task.edit(path="README.md", call="prose").verify("v2").credit())[0][3] == credited


def test_what_a_test_that_is_a_script_raises_may_be_mended_in_the_program_it_calls():
    error = ExecutionError(
        type="JSONDecodeError", message="Expecting ',' delimiter", tool="python", path="tests/open/02_rows.py"
    )
    task = Task().verify("v1", error).edit(path="tests/open/02_rows.py", call="test").edit(path="/r/tmp/look.py")
    assert fixes(task.edit(path="src/main.rs", call="code").verify("v2").credit())[0][3] == ("test", "code")


@pytest.mark.parametrize(
    ("own", "other", "credited"),
    [
        ("shop/cart_test.go", "shop/price/price_test.go", ("test", "code")),
        ("shop/cart_test.go", "shop/helpers_test.go", ("test", "other", "code")),
        ("tests/test_cart.py", "tests/test_price.py", ("test", "code")),
        ("tests/test_cart.py", "tests/conftest.py", ("test", "other", "code")),
        ("src/cart.test.ts", "src/price.spec.ts", ("test", "code")),
        ("src/cart.test.ts", "src/testing/price.ts", ("test", "other", "code")),
    ],
)
def test_a_test_file_that_the_failing_test_does_not_load_has_not_mended_it(
    own: str, other: str, credited: tuple[str, ...]
):
    error = ExecutionError(message="got 1, want 2", test="TestCart", path=own.rsplit("/", 1)[-1], tool="go test")
    task = Task().verify("v1", error).edit(path=f"/r/{own}", call="test").edit(path=f"/r/{other}", call="other")
    assert fixes(task.edit(path="/r/shop/tax.go", call="code").verify("v2").credit())[0][3] == credited


@pytest.mark.parametrize(
    ("command", "gone"),
    [
        ("tsc | head -20", ["src/cart.ts", "src/old/x.ts"]),
        ("tsc | grep -v node_modules", ["src/cart.ts", "src/old/x.ts"]),
        ("tsc | grep 'error TS'", ["src/cart.ts", "src/old/x.ts"]),
        ("tsc | grep -v src/old | head", ["src/cart.ts"]),
        ("tsc | grep -E 'cart|price' || echo clean", ["src/cart.ts"]),
        ("tsc | grep error | grep -v 'old/'", ["src/cart.ts"]),
        ("tsc | head; eslint . | grep -v cart", ["src/cart.ts", "src/old/x.ts"]),
        ("tsc | grep \"'Cart'\"", ["src/cart.ts"]),
    ],
)
def test_an_error_that_grep_would_have_taken_off_is_not_gone(command: str, gone: list[str]):
    shown = [
        ExecutionError(message="error TS2304: Cannot find name 'Cart'.", tool="tsc", path="src/cart.ts"),
        ExecutionError(message="error TS2322: no", tool="tsc", path="src/old/x.ts"),
    ]
    task = Task().verify("v1", *shown, tool="tsc").edit(path="src/cart.ts").verify("v2", tool="tsc", command=command)
    assert sorted(fix.error.files[0] for fix in task.credit().fixes) == gone


@pytest.mark.parametrize(
    ("tool", "goal", "message", "path", "command", "gone"),
    [
        ("kotlinc", "gradle test", "Unresolved reference 'x'.", "/r/A.kt", "./gradlew test 2>&1 | grep '^e:'", True),
        ("kotlinc", "gradle test", "Unresolved reference 'x'.", "/r/A.kt", "./gradlew test 2>&1 | grep BUILD", True),
        ("kotlinc", "gradle test", "Unresolved reference 'x'.", "/r/A.kt", "./gradlew test 2>&1 | grep BUILD | head -3", False),
        ("kotlinc", "gradle test", "Unresolved reference 'x'.", "/r/A.kt", "./gradlew test 2>&1 | grep B.kt", False),
        ("rustc", "cargo build", "[E0308] mismatched types", "src/a.rs", "cargo build 2>&1 | grep -A5 'error\\['", True),
        ("rustc", "cargo build", "[E0308] mismatched types", "src/a.rs", "cargo build 2>&1 | grep -e '--> src/b'", False),
        ("javac", "mvn compile", "cannot find symbol", "/r/A.java", "mvn -q compile | grep '^\\[ERROR\\]'", True),
    ],
)  # fmt: skip
def test_grep_leaves_an_error_in_the_form_that_its_compiler_gives_it(
    tool: str, goal: str, message: str, path: str, command: str, gone: bool
):
    shown = ExecutionError(message=message, tool=tool, path=path)
    task = Task().verify("v1", shown, tool=goal).edit(path=path).verify("v2", tool=goal, command=command)
    assert bool(task.credit().fixes) is gone


def test_where_the_tests_are_counted_it_does_not_matter_what_grep_took_off():
    error = ExecutionError(message="got 1, want 2", test="TestCart", path="cart_test.go", tool="go test")
    task = Task().verify("v1", error, tool="go test").edit(path="cart.go")
    task.verify("v2", tool="go test", command="go test ./... | grep price", counts=(9, 0))
    assert len(task.credit().fixes) == 1


def test_a_missing_name_that_was_declared_elsewhere_is_put_down_to_its_declaration_alone():
    error = ExecutionError(
        message="error TS2339: Property 'foo' does not exist on type 'Bar'.", tool="tsc", path="src/a.ts"
    )
    task = Task().verify("v1", error).edit(path="src/log.ts", call="other")
    task.edit(path="src/types.ts", before="interface Bar {", after="interface Bar {\n  foo: string;", call="types")
    assert fixes(task.verify("v2").credit())[0][3] == ("types",)


def test_a_method_of_go_is_a_declaration_and_a_comment_in_the_file_that_lacks_it_is_none():
    error = ExecutionError(
        message="cart.Total undefined (type *Cart has no field or method Total)",
        tool="go vet",
        path="cart/cart_test.go",
    )
    task = Task().verify("v1", error, tool="go vet")
    task.edit(path="cart/cart_test.go", before="\t// Two of each.\n\tadd(2)", after="\tadd(2)", call="comment")
    task.command("python3 - <<'E'\ns += 'func (c *Cart) Total(n int) int {'\nE", call="script")
    assert fixes(task.verify("v2", tool="go vet").credit())[0][3] == ("script",)


def test_an_error_of_which_a_filter_leaves_only_the_message_is_in_the_files_that_it_was_in():
    told = ExecutionError(
        message="Unexpected any (no-explicit-any)", type="no-explicit-any", tool="eslint", path="src/a.ts"
    )
    bare = told.model_copy(update={"path": None})
    task = Task().verify("v1", told, tool="eslint").verify("v2", bare, tool="eslint")
    task.edit(path="src/a.ts", call="e1").edit(path="src/other.ts", call="e2")
    assert fixes(task.verify("v3", tool="eslint").credit()) == [("v2", "v3", "v3", ("e1",))]


def test_a_path_from_another_directory_names_the_same_file():
    """`cd packages/app && tsc` names what lies beside it `../ui/view.ts`."""
    error = ExecutionError(message="error TS2345: no", tool="tsc", path="../ui/view.ts")
    task = (
        Task().verify("v1", error).edit(path="packages/app/main.ts", call="other").edit(path="/r/packages/ui/view.ts")
    )
    assert fixes(task.verify("v2").credit())[0][3] == ("edit3",)


def test_a_hunk_of_a_file_of_which_only_pieces_are_known_undoes_no_other_hunk():
    error = ExecutionError(message=KEY, path="app.py")
    task = Task().verify("v1", error).edit(after="a = 2", call="e1").verify("other", OTHER, target=("x",))
    task.edit(before="import os", after="import os\nimport re", call="e2").verify("v2")
    events = task.events
    blob = CodeBlob(path="app.py", content="import os\nimport re")
    events[-1] = events[-1].model_copy(update={"code_written": (blob,)})
    assert fixes(task.credit())[0][3] == ("e1", "e2")


def test_two_checks_that_show_one_error_are_each_compared_with_themselves():
    """`npm run check`, then `tsc` to see more of it, then `npm run check` again."""
    credit = (
        Task()
        .verify("check1", KEY, tool="npm run check")
        .verify("tsc", KEY, tool="tsc")
        .edit(call="e1")
        .verify("check2", tool="npm run check")
        .credit()
    )
    assert fixes(credit) == [("check1", "check2", "check2", ("e1",))]


def test_an_error_that_another_check_still_showed_was_not_fixed_by_what_came_before_it():
    credit = (
        Task()
        .verify("check1", KEY, tool="npm run check")
        .edit(call="e1")
        .verify("tsc", KEY, tool="tsc")
        .edit(after="a = 3", call="e2")
        .verify("check2", tool="npm run check")
        .credit()
    )
    assert fixes(credit) == [("check1", "check2", "check2", ("e2",))]
    assert tries(credit) == [("tsc", ("e1",))]


def test_a_change_in_the_call_of_a_verification_came_before_it():
    task = Task().verify("v1", KEY)
    task.command("make fmt", "both")
    task.step -= 1
    assert fixes(task.verify("both").credit()) == [("v1", "both", "both", ("both",))]


def test_events_that_tell_only_how_an_attempt_ended_are_verifications_of_the_whole():
    def event(n: int, status: Status, **more) -> ExecutionEvent:
        return ExecutionEvent(
            attempt_id=UUID(int=n),
            correlation_id=UUID(int=1),
            agent_name="a",
            user_request="r",
            status=status,
            started_at=datetime(2026, 1, 1, n, tzinfo=UTC),
            **more,
        )

    edit = Edit(path="a.py", before="d[k]", after="d.get(k)", tool_call_id="e")
    failed = event(1, Status.ERROR, error_message="'a'", error_type="KeyError")
    passed = event(2, Status.SUCCESS, edits=(edit,), evidence_tier=EvidenceTier.MEASURED)
    quiet = passed.model_copy(update={"evidence_tier": EvidenceTier.OBSERVED})
    (attempts,) = task_attempts([passed, failed]).values()
    assert outcomes(credit_task(attempts)) == [("success", "- [\n+ . get (\n- ]\n+ )")]
    (attempts,) = task_attempts([quiet, failed]).values()
    assert credit_task(attempts).mapping_events == ()


def test_names_that_the_function_around_a_hunk_binds_are_folded():
    def solved(names: str) -> str:
        d, k = names
        edit = Edit(
            path="a.py", before=f"    return {d}[{k}] + 1", after=f"    return max({k}, {d}.get({k})) + 1", step=2
        )
        task = Task().verify("v1", KEY)
        task.step, task._edits = 2, [edit]
        task.verify("v2")
        content = f"def f({d}, {k}):\n    return max({k}, {d}.get({k})) + 1\n"
        blob = CodeBlob(path="a.py", content=content)
        task.events[-1] = task.events[-1].model_copy(update={"code_written": (blob,)})
        return task.credit().mapping_events[0].resolution_id

    assert solved("dk") == solved("mz")


def test_credit_is_per_task():
    events = [*Task(1).verify("v1", KEY).events, *Task(2).verify("v2", KEY).events]
    with pytest.raises(ValueError, match="per task"):
        credit_task([attempt for attempts in task_attempts(events).values() for attempt in attempts])
    assert credit_task([]).mapping_events == ()


def test_a_merged_group_credits_under_its_own_signature():
    task = Task().verify("v1", KEY).edit().verify("v2")
    attempts = task_attempts(task.events, signature_of=lambda pattern, error: "f" * 64)[task.task]
    assert [e.signature for e in credit_task(attempts).mapping_events] == ["f" * 64]


def test_explain_prints_what_the_scorer_reads():
    task = (
        Task()
        .verify("v1", "KeyError: 'a'", "KeyError: 'b'")
        .edit(call="e1")
        .verify("v2", "KeyError: 'a'")
        .edit(call="e2")
    )
    told = explain_session("session", task.verify("v3").events)
    assert [(v["tool_use_id"], v["verdict"]) for v in told["verifications"]] == [
        ("v1", "fail"),
        ("v2", "fail"),
        ("v3", "pass"),
    ]
    assert [(f["failed"], f["gone_at"], f["passed"], f["changes"]) for f in told["fixes"]] == [
        ("v1", "v2", "v3", ["e1"]),
        ("v2", "v3", "v3", ["e2"]),
    ]
    assert [(t["failed_again"], t["changes"]) for t in told["failed_tries"]] == [("v2", ["e1"])]
    assert explain_session("nobody", task.events)["verifications"] == []


_STEP = st.one_of(
    st.tuples(st.just("edit"), st.sampled_from(["a.py", "b.py"]), st.integers(0, 3)),
    st.tuples(st.just("verify"), st.lists(st.sampled_from([KEY, NAME, "undefined: q"]), max_size=2), st.booleans()),
)


def _told(steps) -> Task:
    task = Task()
    for i, (kind, what, value) in enumerate(steps):
        if kind == "edit":
            task.edit(what, before=f"a = {value}", after=f"a = {value + 1}", call=f"e{i}")
        else:
            task.verify(f"v{i}", *what, target=("t",) if value else ())
    return task


@given(st.lists(_STEP, max_size=14), st.randoms(use_true_random=False))
def test_credit_does_not_depend_on_the_order_in_which_events_arrive(steps, random):
    task = _told(steps)
    if not task.events:
        return
    credit = task.credit()
    shuffled = [*task.events, *task.events[:1]]
    random.shuffle(shuffled)
    assert credit_task(task_attempts(shuffled)[task.task]) == credit
    keys = [(e.signature, e.resolution_id) for e in credit.mapping_events]
    assert len(keys) == len(set(keys))
    assert {r.resolution_id for r in credit.resolutions} == {e.resolution_id for e in credit.mapping_events}
    for fix in credit.fixes:
        assert fix.passed.passed
        assert fix.changes


def test_the_same_in_another_process_under_another_hash_seed():
    code = (
        "from tests.unit.credit_events import Task;"
        "t = Task().verify('v1', \"KeyError: 'a'\", 'ValueError: 3').edit().command('pip install a').verify('v2');"
        "print('\\n'.join(e.model_dump_json() for e in t.credit().mapping_events))"
    )
    said = set()
    for seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, env=env
        )
        said.add(done.stdout)
    assert len(said) == 1


def _try(task: Task, n: int) -> Task:
    return task.edit(before="a = 1", after=f"a = {n}", call=f"try{n}")


def _undo(task: Task, n: int) -> Task:
    return task.edit(before=f"a = {n}", after="a = 1", call=f"undo{n}")


def test_taking_a_failed_try_back_is_no_part_of_the_fix_nor_of_the_next_try():
    task = _try(Task().verify("v1", KEY), 2).verify("v2", KEY)
    task = _try(_undo(task, 2), 3).verify("v3", KEY)
    credit = _try(_undo(task, 3), 4).verify("v4").credit()
    assert tries(credit) == [("v2", ("try2",)), ("v3", ("try3",))]
    assert fixes(credit) == [("v3", "v4", "v4", ("try4",))]


def test_a_change_that_only_hid_an_error_and_was_taken_back_did_not_fix_it():
    task = _try(Task().verify("v1", KEY), 2).verify("v2", NAME)
    task = _try(_undo(task, 2), 3).verify("v3", OTHER)
    credit = _try(_undo(task, 3), 4).verify("v4").credit()
    assert ("v1", "v4", "v4", ("try4",)) in fixes(credit)
    # What the tries themselves brought in went when they were taken back.
    assert ("v2", "v3", "v4", ("undo2",)) in fixes(credit)
    assert len(credit.fixes) == 3


def test_the_same_resolution_at_the_right_place_counts_after_it_was_tried_at_a_wrong_one_and_taken_back():
    def put(task: Task, line: str, call: str) -> Task:
        return task.edit(before=f"{line} = 1", after=f"{line} = 2", call=call)

    task = put(Task().verify("v1", KEY), "a", "wrong").verify("v2", NAME)
    task = put(task.edit(before="a = 2", after="a = 1", call="undo"), "b", "other").verify("v3", KEY)
    credit = put(task, "c", "right").verify("v4").credit()
    assert tries(credit) == [("v3", ("wrong",))]
    assert not credit.failed_tries[0].came_back
    assert ("success", "- 1\n+ 2") in outcomes(credit)


def test_what_is_taken_back_after_the_pass_fixed_it_all_the_same():
    task = _try(Task().verify("v1", KEY), 2).verify("v2")
    assert fixes(_undo(task, 2).credit()) == [("v1", "v2", "v2", ("try2",))]


def test_taking_back_what_came_before_the_error_is_its_fix():
    task = _try(Task(), 2).verify("v1", KEY)
    assert fixes(_undo(task, 2).verify("v2").credit()) == [("v1", "v2", "v2", ("undo2",))]


def test_a_change_that_was_taken_back_and_made_again_counts():
    task = _try(Task().verify("v1", KEY), 2).verify("v2", NAME)
    task = _try(_undo(task, 2), 2)
    assert ("v1", "v3", "v3", ("try2",)) in fixes(task.verify("v3").credit())


def test_what_was_done_in_the_file_of_another_error_is_no_try_for_this_one() -> None:
    """Two linter findings, mended one after the other: the first edit is not a try for the second."""
    one = ExecutionError(message="unused variable", tool="eslint", path="src/one.ts")
    two = ExecutionError(message="missing return", tool="eslint", path="src/two.ts")
    lint = {"tool": "eslint"}
    apart = Task().verify("v1", one, two, **lint).edit("src/one.ts", call="e1").verify("v2", two, **lint)
    assert tries(apart.credit()) == []
    own = Task().verify("v1", one, two, **lint).edit("src/two.ts", call="e1").verify("v2", one, two, **lint)
    assert tries(own.credit()) == [("v2", ("e1",))]
    third = Task().verify("v1", one, two, **lint).edit("src/three.ts", call="e1").verify("v2", two, **lint)
    assert tries(third.credit()) == [("v2", ("e1",))]


def test_an_error_that_comes_up_later_had_no_edit_aimed_at_it() -> None:
    two = ExecutionError(message="missing return", tool="eslint", path="src/two.ts")
    fresh = ExecutionError(message="unused variable", tool="eslint", path="src/three.ts")
    lint = {"tool": "eslint"}
    task = Task().verify("v1", two, **lint).edit("src/three.ts", call="e1").verify("v2", fresh, two, **lint)
    assert tries(task.credit()) == [("v2", ("e1",))]


@pytest.mark.parametrize(
    ("path", "broken", "ran", "gone"),
    [
        ("store/a.go", ("x.io/m/store",), ("x.io/m/store",), "v2"),
        ("store/a.go", ("x.io/m/store", "x.io/m/web"), ("x.io/m/store",), "v2"),
        ("store/a.go", ("x.io/m/store",), ("x.io/m/web",), "v3"),
        ("a.go", ("x.io/m", "x.io/m/web"), ("x.io/m/web",), "v3"),
        ("a.go", ("x.io/m", "x.io/m/web"), ("x.io/m", "x.io/m/web"), "v2"),
        ("base/a.go", ("x.io/m/database",), ("x.io/m/database",), "v2"),
        ("store/a.go", (), ("x.io/m/store",), "v3"),
    ],
)
def test_a_go_package_whose_tests_ran_was_built_however_much_of_the_output_is_cut(
    path: str, broken: tuple[str, ...], ran: tuple[str, ...], gone: str
):
    error = ExecutionError(message="undefined: hits", tool="go build", path=path)
    other = ExecutionError(message="want 1, got 2", tool="go test", test="TestHits", type="assertion")
    task = Task().verify("v1", error, tool="go test", broken=broken).edit(path=path, call="e1")
    task.verify("v2", other, tool="go test", reached=False, ran=ran).edit(path=path, after="a = 3", call="e2")
    assert fixes(task.verify("v3", tool="go test").credit())[0][:2] == ("v1", gone)


def test_a_mark_names_a_known_test_without_its_suite():
    def no(test: str, message: str = "Expected: 1 Received: 2") -> ExecutionError:
        return ExecutionError(message=message, tool="jest", test=test)

    def task(*tests: str) -> Task:
        return Task().verify("v1", *map(no, tests), tool="jest").edit(call="e1")

    marked = task("scale › ends", "ticks › both ends").verify("v2", no("both ends", "test failed"), tool="jest")
    assert fixes(marked.edit(after="a = 3", call="e2").verify("v3", tool="jest").credit()) == [
        ("v1", "v2", "v3", ("e1",)),
        ("v2", "v3", "v3", ("e2",)),
    ]
    unclear = task("scale › ends", "ticks › ends").verify("v2", no("ends", "test failed"), tool="jest")
    told = fixes(unclear.edit(after="a = 3", call="e2").verify("v3", tool="jest").credit())
    assert [fix[:2] for fix in told] == [("v1", "v3"), ("v1", "v3"), ("v2", "v3")]


def test_a_test_known_by_its_name_alone_is_not_gone_where_it_fails_with_a_reason():
    bare = ExecutionError(message="test failed", tool="vitest", test="cart > adds")
    told = ExecutionError(message="TypeError: x is undefined", tool="vitest", test="cart > adds")
    mark = ExecutionError(message="test failed", tool="vitest", test="adds")
    for first, second in ((bare, told), (told, bare), (mark, told), (told, mark)):
        task = Task().verify("v1", first, tool="vitest").edit(call="e1").verify("v2", second, tool="vitest")
        task = task.edit(after="a = 3", call="e2").verify("v3", tool="vitest")
        assert fixes(task.credit()) == [("v2", "v3", "v3", ("e2",))]


def test_a_shortened_message_is_the_one_of_its_test_that_begins_so():
    short = ExecutionError(message="ValueError: inva...", type="ValueError", test="test_b", tool="pytest")
    same = ExecutionError(message="ValueError: invalid", type="ValueError", test="test_b", tool="pytest")
    other = ExecutionError(message="KeyError: 'a'", type="KeyError", test="test_b", tool="pytest")
    for first, second in ((same, short), (short, same)):
        task = (
            Task().verify("v1", first).edit(call="e1").verify("v2", second).edit(after="a = 3", call="e2").verify("v3")
        )
        assert fixes(task.credit()) == [("v2", "v3", "v3", ("e2",))]
        assert tries(task.credit()) == [("v2", ("e1",))]
    for first, second in ((other, short), (short, other)):
        task = (
            Task().verify("v1", first).edit(call="e1").verify("v2", second).edit(after="a = 3", call="e2").verify("v3")
        )
        assert [fix[:2] for fix in fixes(task.credit())] == [("v1", "v2"), ("v2", "v3")]


def test_a_block_without_its_head_is_the_one_that_said_the_same():
    def error(message: str, test: str | None) -> ExecutionError:
        return ExecutionError(message=message, type=message.split(":")[0], test=test, tool="unittest")

    before = error("KeyError: 7", "a.T.test_a"), error("TypeError: no", "a.T.test_b")
    task = Task().verify("v1", *before, tool="unittest").edit(call="e1")
    task = task.verify("v2", error("KeyError: 7", None), tool="unittest").edit(after="a = 3", call="e2")
    assert [fix[:2] for fix in fixes(task.verify("v3", tool="unittest").credit())] == [("v1", "v2"), ("v2", "v3")]


def test_missing_migrations_are_mended_by_making_them():
    missing = ExecutionError(message="Migrations for 'shop': Create model Item", tool="manage.py makemigrations")
    task = Task().verify("v1", missing, tool="manage.py makemigrations").edit(call="e1")
    task = task.command("python manage.py makemigrations shop", call="made").edit("b.py", call="e2")
    assert fixes(task.verify("v2", tool="manage.py makemigrations").credit()) == [("v1", "v2", "v2", ("made",))]


@pytest.mark.parametrize(
    ("target", "passed", "found"),
    [
        ("t/", 5, True),
        ("t/", 4, False),
        ("t/test_a.py", 9, False),
        ("t/test_a.py t/test_b.py", 5, True),
        ("t/test_a.py t/test_b.py", 4, False),
        ("u/", 9, False),
    ],
)
def test_a_folder_or_files_in_which_no_fewer_tests_run_hold_them_all(target: str, passed: int, found: bool):
    error = ExecutionError(message="KeyError: 7", type="KeyError", test="t/test_a.py::test_a", path="t/test_a.py")
    task = (
        Task()
        .verify("v1", error, counts=(4, 1))
        .edit(call="e1")
        .verify("v2", target=tuple(target.split()), counts=(passed, 0))
    )
    assert [fix[:2] for fix in fixes(task.credit())] == ([("v1", "v2")] if found else [])


def test_a_run_that_stops_at_a_test_got_past_those_before_it_and_past_its_former_error():
    before = [
        ExecutionError(message="KeyError: 'a'", type="KeyError", test=name) for name in ("test_a", "test_b", "test_c")
    ]
    now = ExecutionError(message="TypeError: no", type="TypeError", test="test_b")
    task = (
        Task()
        .verify("v1", *before)
        .edit(call="e1")
        .verify("v2", now, command="pytest -x")
        .edit(after="a = 3", call="e2")
    )
    assert [fix[:2] for fix in fixes(task.verify("v3").credit())] == [
        ("v1", "v2"),
        ("v1", "v2"),
        ("v1", "v3"),
        ("v2", "v3"),
    ]


def test_what_the_compiler_says_shows_that_cargo_came_past_the_manifest():
    """However much of the output is cut."""
    manifest = ExecutionError(message="failed to parse manifest at `/r/Cargo.toml`: no targets", tool="cargo")
    linker = ExecutionError(message="linking with `cc` failed", tool="cargo")
    rustc = ExecutionError(message="cannot find value `x`", tool="rustc", path="src/a.rs")
    for error, gone in ((manifest, "v2"), (linker, "v3")):
        task = Task().verify("v1", error, tool="cargo check").edit(path="Cargo.toml", call="e1")
        task.verify("v2", rustc, tool="cargo check", reached=False).edit(path="src/a.rs", call="e2")
        assert fixes(task.verify("v3", tool="cargo check").credit())[0][:2] == ("v1", gone)


def test_a_go_test_fails_while_a_subtest_of_it_fails():
    def no(test: str, message: str) -> ExecutionError:
        return ExecutionError(message=message, tool="go test", test=test)

    marked, inside = no("TestShop", "--- FAIL: TestShop"), no("TestShop/empty", "want 1, got 2")
    task = Task().verify("v1", marked, tool="go test").edit(call="e1").verify("v2", inside, tool="go test")
    credit = task.edit(after="a = 3", call="e2").verify("v3", tool="go test").credit()
    assert {fix[:2] for fix in fixes(credit)} == {("v2", "v3")}
    assert [tried.failed_again.ref.tool_call_id for tried in credit.failed_tries] == ["v2"]
    # The mark alone does not tell which of its subtests fails.
    back = Task().verify("v1", inside, tool="go test").edit(call="e1").verify("v2", marked, tool="go test")
    assert ("v1", "v3") in {f[:2] for f in fixes(back.edit(after="a = 3").verify("v3", tool="go test").credit())}


@pytest.mark.parametrize(
    ("failing", "ran", "again", "gone"),
    [
        (("m/a",), ("m/a",), (), "v2"),
        (("m/a",), ("m/a",), ("m/a",), "v3"),
        (("m/a", "m/c"), ("m/a",), (), "v3"),
        ((), ("m/a",), (), "v3"),
    ],
)
def test_a_go_package_that_says_ok_has_no_failing_test_whatever_does_not_build_beside_it(
    failing: tuple[str, ...], ran: tuple[str, ...], again: tuple[str, ...], gone: str
):
    test = ExecutionError(message="want 1, got 2", tool="go test", test="TestAdd")
    build = ExecutionError(message="undefined: hits", tool="go build", path="b/b.go")
    task = Task().verify("v1", test, tool="go test", ran=("m/a", "m/b"), failing=failing).edit(path="a.go", call="e1")
    task.verify("v2", build, tool="go test", ran=ran, broken=("m/b",), failing=again).edit(path="b/b.go", call="e2")
    found = {fix[:2] for fix in fixes(task.verify("v3", tool="go test").credit())}
    assert found == {("v1", gone), ("v2", "v3")}


def test_packages_of_go_are_the_same_named_with_what_lies_below_them_or_without():
    test = ExecutionError(message="want 1, got 2", tool="go test", test="TestAdd")

    def gone(target: tuple[str, ...], failing: tuple[str, ...], broken: tuple[str, ...] = ()) -> str:
        task = Task().verify("v1", test, tool="go test", target=("./a/...", "./b/..."), failing=failing, broken=broken)
        task.edit(path="a.go").verify("v2", tool="go test", target=target).verify("v3", tool="go test")
        return fixes(task.credit())[0][1]

    assert gone(("./a", "./b/", "./c"), ("m.io/x/a",)) == "v2"
    assert gone(("./a",), ("m.io/x/a",)) == "v3"
    assert gone(("./a", "./b"), ("m.io/x/a/inner",)) == "v3"
    assert gone(("./a", "./b"), ("m.io/x/a",), ("m.io/x/b/inner",)) == "v3"
    assert gone(("./a", "./b"), ()) == "v3"


def test_arguments_that_a_tool_would_not_take_are_mended_only_where_they_are_given_again():
    wrong = ExecutionError(message="named files must be .go files: ./a", tool="go test")

    def found(target: tuple[str, ...]) -> list[str]:
        task = Task().verify("v1", wrong, tool="go test", target=("./a", "x_test.go")).edit(path="a.go", call="e1")
        return [fix[1] for fix in fixes(task.verify("v2", tool="go test", target=target).credit())]

    assert found(("./...",)) == []
    assert found(("./a", "x_test.go")) == ["v2"]


@pytest.mark.parametrize(
    ("package", "seen", "gone"),
    [
        ("m/a", {"ran": ("m/c",), "failing": ("m/c",), "broken": ("m/b",)}, "v2"),
        ("m/b", {"ran": ("m/c",), "failing": ("m/c",), "broken": ("m/b",)}, "v3"),
        ("m/c", {"ran": ("m/c",), "failing": ("m/c",), "broken": ("m/b",)}, "v2"),
        ("m/c", {"ran": ("m/c",), "failing": ("m/c",), "broken": ("m/b",), "not_kept": 2}, "v3"),
        ("m/a", {"ran": ("m/a",), "broken": ("m/b",), "not_kept": 2}, "v2"),
        ("m/a", {}, "v3"),
    ],
)
def test_a_go_test_is_gone_where_its_package_had_its_say(package: str, seen: dict[str, Any], gone: str):
    test = ExecutionError(message="want 1, got 2", tool="go test", test="TestAdd", package=package)
    build = ExecutionError(message="undefined: hits", tool="go build", path="b/b.go")
    task = (
        Task()
        .verify("v1", test, tool="go test")
        .edit(path="a.go", call="e1")
        .verify("v2", build, tool="go test", **seen)
    )
    credit = task.edit(path="b/b.go", call="e2").verify("v3", tool="go test").credit()
    assert {fix[:2] for fix in fixes(credit)} == {("v1", gone), ("v2", "v3")}


def test_a_panic_of_its_package_keeps_a_go_test_from_being_seen():
    test = ExecutionError(message="want 1, got 2", tool="go test", test="TestAdd", package="m/a")

    def gone(package: str) -> str:
        panic = ExecutionError(message="panic: no", type="panic", tool="go test", test="TestAt", package=package)
        build = ExecutionError(message="undefined: hits", tool="go build", path="b/b.go")
        task = Task().verify("v1", test, tool="go test").edit(path="a.go", call="e1")
        task.verify("v2", build, panic, tool="go test", ran=("m/a",), failing=("m/a",), broken=("m/b",))
        credit = task.edit(path="b/b.go", call="e2").verify("v3", tool="go test").credit()
        return next(fix[1] for fix in fixes(credit) if fix[0] == "v1")

    assert [gone(package) for package in ("m/a", "m/c")] == ["v3", "v2"]


@pytest.mark.parametrize(("command", "gone"), [("pytest", ["v2", "v3"]), ("pytest -n 2", ["v3", "v3"])])
def test_workers_do_not_run_the_tests_in_the_order_in_which_they_are_listed(command: str, gone: list[str]):
    first, second = (ExecutionError(message="KeyError: 7", type="KeyError", test=name) for name in ("test_a", "test_b"))
    task = Task().verify("v1", first, second, command=command).edit(call="e1").verify("v2", second, command="pytest -x")
    assert [fix[1] for fix in fixes(task.edit(after="a = 3", call="e2").verify("v3").credit())] == gone


def test_a_path_that_is_not_there_is_mended_by_no_edit_but_where_it_is_called_again():
    missing = ExecutionError(message="ERROR: file or directory not found: test/unit", tool="pytest")
    task = Task().verify("v1", missing, target=("test/unit",), command="pytest test/unit").edit(call="e1")
    assert not fixes(task.verify("v2", command="pytest").credit())
    task = Task().verify("v1", missing, target=("test/unit",), command="pytest test/unit").edit(call="e1")
    again = task.verify("v2", target=("test/unit",), command="pytest test/unit")
    assert [fix[:2] for fix in fixes(again.credit())] == [("v1", "v2")]


def test_an_assertion_may_be_what_a_block_without_its_head_is_about():
    said = ExecutionError(message="AssertionError: 1 != 2", type="AssertionError", test="a.T.test_a", tool="unittest")
    now = ExecutionError(message="NameError: name 'b' is not defined", type="NameError", tool="unittest")
    task = Task().verify("v1", said, tool="unittest").edit(call="e1").verify("v2", now, tool="unittest")
    task = task.edit(after="a = 3", call="e2").verify("v3", tool="unittest")
    assert [fix[:2] for fix in fixes(task.credit())] == [("v1", "v3"), ("v2", "v3")]


def test_a_port_that_is_free_again_without_a_change_was_not_freed_by_what_follows():
    used = ExecutionError(
        message="OSError: Address already in use", type="OSError", test="t/test_a.py::test_a", path="t/test_a.py"
    )
    other = ExecutionError(message="KeyError: 7", type="KeyError", test="t/test_a.py::test_a", path="t/test_a.py")
    task = Task().verify("v1", used).verify("v2", target=("t/test_a.py",)).edit(call="e1").verify("v3", other)
    assert [fix[:2] for fix in fixes(task.edit(after="a = 3", call="e2").verify("v4").credit())] == [("v3", "v4")]
