"""Runs cut into attempts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from debug_loop_pipeline.client.redaction import redact
from debug_loop_pipeline.compute.fixes.credit import credit_task
from debug_loop_pipeline.compute.fixes.task_attempts import task_attempts
from debug_loop_pipeline.importers.segmenter import SegmenterOptions, segment
from debug_loop_pipeline.importers.tasks import LastEnding, goes_on
from debug_loop_pipeline.models.base import EvidenceTier, Origin, Status, Verdict
from debug_loop_pipeline.models.execution import Edit, ExecutionEvent
from debug_loop_pipeline.models.identity import attempt_id, correlation_id
from debug_loop_pipeline.models.trajectory import (
    ApiError,
    FileEdit,
    RunVerdict,
    Step,
    StepSource,
    ToolCall,
    ToolKind,
    ToolResult,
    Trajectory,
    Usage,
)
from debug_loop_pipeline.models.unchecked import unchecked

START = datetime(2026, 1, 1, tzinfo=UTC)


class Story:
    """Steps of a run, told one after the other."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.calls = 0

    def _step(self, source: StepSource, **fields: Any) -> Step:
        at = START + timedelta(seconds=len(self.steps))
        step = Step(f"m{len(self.steps)}", source, at, **fields)
        self.steps.append(step)
        return step

    def human(self, text: str) -> Story:
        self._step(StepSource.HUMAN, text=text)
        return self

    def says(self, text: str) -> Story:
        self._step(StepSource.AGENT, text=text)
        return self

    def call(self, *calls: ToolCall, usage: Usage | None = None) -> Story:
        self._step(StepSource.AGENT, calls=list(calls), usage=usage)
        return self

    def result(self, *results: ToolResult) -> Story:
        self._step(StepSource.TOOL, results=list(results))
        return self

    def shell(self, command: str, output: str = "", code: int = 0, **fields: Any) -> Story:
        call = self.new_call(command)
        return self.call(call).result(ToolResult(call.id, output, code != 0, code, **fields))

    def edit(
        self, path: str, before: str = "a", after: str = "b", content: str | None = None, error: bool = False
    ) -> Story:
        self.calls += 1
        call = ToolCall(f"c{self.calls}", "Edit", ToolKind.EDIT, edits=[FileEdit(path, before, after, content)])
        return self.call(call).result(ToolResult(call.id, "String to replace not found" if error else "ok", error))

    def new_call(self, command: str, name: str = "Bash") -> ToolCall:
        self.calls += 1
        return ToolCall(f"c{self.calls}", name, ToolKind.SHELL, command=command)

    def events(self, **fields: Any) -> list[ExecutionEvent]:
        return run(self.steps, **fields)


def run(steps: Iterable[Step], options: SegmenterOptions | None = None, **fields: Any) -> list[ExecutionEvent]:
    trajectory = Trajectory(
        **({"format": "test", "session_id": "s", "run_key": "s", "agent_name": "agent", "cwd": "/repo"} | fields),
        steps=iter(steps),
    )
    events = list(segment(trajectory, options))
    for event in events:
        ExecutionEvent.model_validate(event.model_dump())
    return events


FAILS = "--- FAIL: TestA (0.00s)\n    a_test.go:3: got 1, want 2\nFAIL\nFAIL\tm/a\t0.1s\n"
PASSES = "ok  \tm/a\t0.1s\n"


def test_each_verifying_command_closes_an_attempt_and_the_next_names_it_as_parent() -> None:
    first, second = (
        Story().human("fix the test").says("I will look.").shell("cat a.go", "x").shell("go test ./a", FAILS, 1).says("Now the fix.")
        .edit("/repo/a.go", "1", "2", "package a\n").shell("go test ./a", PASSES).says("Done.").events()
    )  # fmt: skip
    assert (first.status, first.evidence_tier, second.status, second.evidence_tier) == (
        Status.ERROR,
        EvidenceTier.MEASURED,
        Status.SUCCESS,
        EvidenceTier.MEASURED,
    )
    assert (first.parent_attempt_id, second.parent_attempt_id) == (None, first.attempt_id)
    assert first.attempt_id == attempt_id("test", "c1")
    assert first.correlation_id == second.correlation_id == correlation_id("test", "m0")
    assert (first.tools_used, second.tools_used) == (("Bash", "Bash"), ("Edit", "Bash"))
    (error,) = first.errors
    assert (error.message, error.test, error.verification, error.tool) == ("got 1, want 2", "TestA", 0, "go test")
    (edit,) = second.edits
    assert (edit.path, edit.language, edit.said, edit.step) == ("/repo/a.go", "go", "Now the fix.", 3)
    assert [(b.path, b.language, b.content) for b in second.code_written] == [("/repo/a.go", "go", "package a\n")]
    assert [v.step for v in (*first.verifications, *second.verifications)] == [2, 4]
    assert first.verifications[0].tool_call_id == "c2"
    assert first.user_request == "fix the test"
    assert (first.started_at, first.completed_at) == (START + timedelta(seconds=1), START + timedelta(seconds=5))


def numbered(*sessions: str | None) -> list[Step]:
    """A failing test in each of the sessions that the steps are of, its call named as in each other one."""
    story = Story()
    for session in sessions:
        story.calls = -1
        at = len(story.steps)
        call = ToolCall("bash:0", "Bash", ToolKind.SHELL, command="go test ./a")
        story.call(call).result(ToolResult("bash:0", FAILS, True, 1))
        for step in story.steps[at:]:
            step.session = session
    return story.steps


def test_calls_that_are_numbered_in_each_session_are_of_different_attempts() -> None:
    (one,), (other,) = (run(numbered(None), session_id=name, run_key=name) for name in ("s-1", "s-2"))
    assert one.attempt_id != other.attempt_id
    first, again, third = run(numbered(None, None, None), session_id="s-1", run_key="s-1")
    assert first.attempt_id == one.attempt_id
    assert len({first.attempt_id, again.attempt_id, third.attempt_id}) == 3


def test_what_was_copied_is_the_sessions_that_had_it_first_and_the_same_there() -> None:
    copied, own = run(numbered("s-1", None), session_id="s-2", run_key="s-2")
    (there,) = run(numbered(None), session_id="s-1", run_key="s-1")
    assert copied.model_dump(exclude={"correlation_id"}) == there.model_dump(exclude={"correlation_id"})
    assert (own.session_id, own.execution_id, own.run_started_at) == ("s-2", "s-2", own.started_at)
    assert own.parent_attempt_id == copied.attempt_id


def test_work_that_was_open_where_a_copy_ends_is_not_the_copys_to_go_on_with() -> None:
    story = Story().human("fix the test").says("I look.").shell("cat a.go", "x")
    for step in story.steps:
        step.session = "s-1"
    before = list(story.steps)
    story.says("Now I try.").shell("go test ./a", FAILS, 1).says("So it is.")
    one, own = run(story.steps, session_id="s-2", run_key="s-2")
    for step in before:
        step.session = None
    assert [one] == run(before, session_id="s-1", run_key="s-1")
    assert (own.session_id, own.approach_description, own.status) == ("s-2", "Now I try.", Status.ERROR)
    for step in before:
        step.session = "s-1"
    talk = Story().says("No more of it.").steps
    one, words = run([*before, *talk], session_id="s-2", run_key="s-2")
    assert (one.session_id, words.session_id, words.tools_used) == ("s-1", "s-2", ())


def test_a_result_that_comes_behind_the_copy_is_its_calls_and_parts_nothing() -> None:
    story = Story().human("fix the test")
    late = story.new_call("go test ./a")
    story.call(late)
    for step in story.steps:
        step.session = "s-1"
    story.edit("/repo/a.go").result(ToolResult(late.id, FAILS, True, 1)).edit("/repo/b.go")
    story.steps[-3].session = "s-1"
    copied, own = run(story.steps, session_id="s-2", run_key="s-2")
    assert (copied.session_id, copied.status) == ("s-1", Status.ERROR)
    assert (own.session_id, len(own.edits)) == ("s-2", 2)


def test_the_first_attempt_of_a_retry_names_the_last_of_the_run_before_it() -> None:
    before = UUID("00000000-0000-4000-8000-000000000001")
    first, second = Story().shell("go test ./a", FAILS, 1).shell("go test ./a", PASSES).events(parent_attempt_id=before)
    assert (first.parent_attempt_id, second.parent_attempt_id) == (before, first.attempt_id)
    other = Story().human("a").shell("go test ./a", PASSES).human("## Something else").shell("go test ./a", PASSES)
    assert [event.parent_attempt_id for event in other.events(parent_attempt_id=before)] == [before, None]


def test_closing_words_belong_to_the_attempt_before_them() -> None:
    story = Story().human("go").shell("go test", PASSES)
    story.call(usage=Usage("m9", "", "model", None, START, tokens_output=7))
    (event,) = story.events()
    assert event.tokens_output == 7


def test_work_without_a_verification_is_one_partial_attempt() -> None:
    (event,) = Story().human("look around").shell("ls").shell("cat x").events()
    assert (event.status, event.evidence_tier, event.verifications) == (Status.PARTIAL, EvidenceTier.OBSERVED, ())
    (talk,) = Story().human("what is x?").says("It is y.").events()
    assert (talk.status, talk.evidence_tier) == (Status.PARTIAL, EvidenceTier.UNMEASURED)


def test_a_failing_call_that_verifies_nothing_is_an_error_inside_the_attempt() -> None:
    (event,) = (
        Story()
        .human("go")
        .shell("cat nope", "cat: nope: No such file or directory\n", 1)
        .edit("/repo/a.go", error=True)
        .shell("go vet ./...")
        .events()
    )
    assert [(e.verification, e.message, e.tool) for e in event.errors] == [
        (None, "cat: nope: No such file or directory", "shell"),
        (None, "String to replace not found", "Edit"),
    ]
    assert event.edits == ()
    assert event.status is Status.SUCCESS


def test_a_search_that_finds_nothing_is_no_error() -> None:
    (event,) = Story().human("go").shell("grep -rn foo .", "", 1).events()
    assert (event.errors, event.evidence_tier) == ((), EvidenceTier.OBSERVED)


def test_commands_keep_what_they_change_and_what_was_said() -> None:
    (event,) = (
        Story()
        .human("go")
        .says("x" * 300)
        .shell("sed -i 's/a/b/' a.py")
        .shell("ls")
        .shell("cat > t.py <<'EOF'\nprint(1)\nEOF")
        .events()
    )
    assert [(c.mutating, c.files_modified, len(c.said or ""), c.exit_code) for c in event.commands] == [
        (True, ("a.py",), 200, 0),
        (False, (), 0, 0),
        (True, ("t.py",), 0, 0),
    ]
    assert [(b.path, b.content) for b in event.code_written] == [("t.py", "print(1)\n")]
    assert set(event.files_modified) == {"a.py", "t.py"}


@pytest.mark.parametrize(
    ("output", "exit_code", "timed_out", "changes"),
    [
        ("This command waits for an approval", None, False, False),
        ("", None, False, False),
        ("reading a.py\nsed: no space left on device", None, False, True),
        ("sed: no space left on device", 1, False, True),
        ("Exit code 1\nsed: no space left on device", None, False, True),
        ("Command timed out after 60s", None, True, True),
    ],
)
def test_a_failed_command_of_which_neither_exit_code_nor_output_is_seen_changed_nothing(
    output: str, exit_code: int | None, timed_out: bool, changes: bool
) -> None:
    story = Story().human("mend it")
    call = story.new_call("sed -i s/a/b/ a.py")
    story.call(call).result(ToolResult(call.id, output, is_error=True, exit_code=exit_code, timed_out=timed_out))
    (event,) = story.events()
    assert [command.mutating for command in event.commands] == [changes]
    assert [list(command.files_modified) for command in event.commands] == [["a.py"] if changes else []]
    assert list(event.files_modified) == (["a.py"] if changes else [])


def test_running_the_script_that_was_written_verifies() -> None:
    story = (
        Story()
        .human("go")
        .edit("/repo/show.py", "", "print(1)", "print(1)")
        .shell("python show.py", "1\n")
        .shell("python other.py", "1\n")
    )
    first, second = story.events()
    assert [v.goal for v in first.verifications] == ["python show.py"]
    assert second.verifications == ()


def test_a_script_that_had_failed_inside_another_has_passed_with_it_until_what_defines_them_is_edited() -> None:
    failed = "a.c:1:1: warning\nmake: *** [Makefile:4: lint] Error 1\n"
    story = Story().human("go").shell("make check 2>&1 | tail -2", failed)
    story.shell("make lint", "ruff check .\nAll checks passed!\n").shell("make check > log 2>&1; echo rc=$?", "rc=0\n")
    story.edit("/repo/Makefile", "lint:", "lint: fmt")
    events = story.shell("make check > log 2>&1; echo rc=$?", "rc=0\n").events()
    named = [[(c.tool, c.failed) for v in one.verifications for c in v.checks] for one in events]
    inside = [("make lint", False), ("ruff check", False)]
    assert named == [[("make lint", True)], inside[1:], inside, []]


def test_parallel_calls_with_results_out_of_order_each_close_their_attempt() -> None:
    story = Story().human("go")
    a, b, c = story.new_call("go test ./a"), story.new_call("go vet ./..."), story.new_call("ls")
    story.call(a, b, c).result(ToolResult(c.id, "x", False)).result(ToolResult(b.id, "", False, 0)).result(
        ToolResult(a.id, FAILS, True, 1)
    )
    events = story.events()
    assert [[v.goal for v in e.verifications] for e in events] == [["go test ./a"], ["go vet ./..."], []]
    assert [e.status for e in events] == [Status.ERROR, Status.SUCCESS, Status.PARTIAL]
    assert [e.parent_attempt_id for e in events] == [None, events[0].attempt_id, events[1].attempt_id]


def test_a_result_that_never_comes_leaves_the_goal_unclear_and_loses_nothing() -> None:
    story = Story().human("go")
    lost = story.new_call("go test ./a")
    events = story.call(lost).shell("go test ./a", PASSES).events()
    assert [[v.verdict for v in e.verifications] for e in events] == [[Verdict.UNCLEAR], [Verdict.PASS]]
    assert [len(e.commands) for e in events] == [1, 1]


def test_a_background_command_is_judged_by_its_late_result() -> None:
    story = Story().human("go")
    late = story.new_call("go test ./a")
    story.call(late).result(ToolResult(late.id, "running in background", False, pending=True)).shell("ls")
    story.result(ToolResult(late.id, FAILS, True, 1))
    events = story.events()
    assert [v.verdict for v in events[0].verifications] == [Verdict.FAIL]
    assert sum(len(e.commands) for e in events) == 2


def test_denials_and_interrupts_are_cancelled_and_no_error() -> None:
    denied = Story().human("go")
    call = denied.new_call("go test ./a")
    denied.call(call).result(ToolResult(call.id, "The user doesn't want to proceed", True, cancelled=True))
    (event,) = denied.events()
    assert (event.status, event.errors, event.verifications[0].verdict) == (Status.CANCELLED, (), Verdict.CANCELLED)
    stopped = Story().human("go").shell("ls")
    stopped._step(StepSource.SYSTEM, interrupted=True)
    assert stopped.events()[0].status is Status.CANCELLED


@pytest.mark.parametrize(
    ("kind", "message", "origin"),
    [
        ("rate_limit_error", "429", Origin.RATE_LIMIT),
        ("authentication_error", "invalid x-api-key", Origin.AUTH),
        (None, "Overloaded", Origin.TRANSIENT),
        (None, "credit balance is too low", Origin.QUOTA),
        (None, "You have exhausted your capacity on this model.", Origin.QUOTA),
        (None, "boom", Origin.INTERNAL),
    ],
)
def test_failures_of_the_service_are_not_the_agents(kind: str | None, message: str, origin: Origin) -> None:
    story = Story().human("go").shell("ls")
    story._step(StepSource.SYSTEM, api_error=ApiError(message, kind))
    (event,) = story.events()
    assert (event.status, event.errors[0].origin, event.errors[0].verification) == (Status.ERROR, origin, None)


def test_a_verdict_from_outside_closes_the_last_attempt_as_verified() -> None:
    story = Story().human("go").shell("go test", PASSES).edit("/repo/a.go")
    failed = RunVerdict(False, "report.json", ["t.py::a"], "FAILED t.py::a - ValueError: bad\n")
    events = story.events(verdict=failed)
    assert [(e.status, e.evidence_tier) for e in events] == [
        (Status.SUCCESS, EvidenceTier.MEASURED),
        (Status.ERROR, EvidenceTier.VERIFIED),
    ]
    (outside,) = events[1].verifications
    assert (outside.outside, outside.verdict, outside.reached) == (True, Verdict.FAIL, True)
    assert [(e.message, e.verification) for e in events[1].errors] == [("ValueError: bad", 0)]
    (passed,) = Story().human("go").shell("ls").events(verdict=RunVerdict(True, "ci"))
    assert (passed.status, passed.evidence_tier) == (Status.SUCCESS, EvidenceTier.VERIFIED)


def test_a_timed_out_check_is_a_timeout() -> None:
    story = Story().human("go")
    call = story.new_call("go test ./a")
    (event,) = story.call(call).result(ToolResult(call.id, "Command timed out", True, timed_out=True)).events()
    assert (event.status, event.errors[0].type, event.verifications[0].reached) == (Status.TIMEOUT, "Timeout", False)


def test_a_new_request_is_a_new_task_and_a_go_ahead_is_not() -> None:
    story = Story().human("add a feature").shell("go test", FAILS, 1).human("try again please").shell("go test", PASSES)
    story.human("Now write documentation for the whole module").shell("ls")
    events = story.events()
    assert len({e.correlation_id for e in events}) == 2
    assert [e.user_request for e in events] == [
        "add a feature",
        "add a feature",
        "Now write documentation for the whole module",
    ]
    assert events[2].parent_attempt_id is None


@pytest.mark.parametrize(
    ("text", "ending", "stays"),
    [
        ("yes", LastEnding.PASSED, True),
        ("ok, continue", LastEnding.NONE, True),
        ("sorry, continue", LastEnding.STOPPED, True),
        ("it still fails", LastEnding.FAILED, True),
        ("it still fails", LastEnding.PASSED, False),
        ("make the dialog a bit wider", LastEnding.FAILED, True),
        ("make the dialog a bit wider", LastEnding.PASSED, False),
        ("Implement the following plan:\n\n# Plan", LastEnding.FAILED, False),
        ("word " * 60, LastEnding.FAILED, False),
        ("commit", LastEnding.PASSED, False),
    ],
)
def test_which_message_goes_on_with_a_task(text: str, ending: LastEnding, stays: bool) -> None:
    assert goes_on(text, ending) is stays


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        ("we need to fix the sources of the tests, they lack the themes", True),
        ("make the other tests pass too", True),
        ("now add a dark theme", False),
        ("Now implement the retries: fix the limit at 3", False),
        ("fix " + "word " * 60, False),
    ],
)
def test_a_message_about_mending_goes_on_where_an_earlier_check_still_fails(text: str, stays: bool) -> None:
    assert goes_on(text, LastEnding.PASSED, unsettled=True) is stays
    assert not goes_on(text, LastEnding.PASSED)


def test_a_check_that_still_fails_keeps_its_task_open_for_who_mends_it() -> None:
    story = Story().human("add a theme").shell("go test ./a", FAILS, 1).shell("go build ./...")
    story.human("ok, then fix the tests of package a").edit("/repo/a_test.go").shell("go test ./a", PASSES)
    assert len({e.correlation_id for e in story.events()}) == 1
    settled = (
        Story().human("add a theme").shell("go test ./a", FAILS, 1).edit("/repo/a.go").shell("go test ./...", PASSES)
    )
    settled.human("fix the colour of the links").edit("/repo/b.go")
    assert len({e.correlation_id for e in settled.events()}) == 2


def test_a_benchmark_problem_is_one_task_over_its_runs() -> None:
    one = (
        Story()
        .human("solve it")
        .shell("pytest", "1 failed in 0.1s\n", 1)
        .human("more text")
        .events(problem_id="p-1", run_key="a")
    )
    two = Story().human("solve it").shell("pytest", "1 passed in 0.1s\n").events(problem_id="p-1", run_key="b")
    assert {e.correlation_id for e in (*one, *two)} == {correlation_id("test", "p-1")}
    assert {e.execution_id for e in (*one, *two)} == {"a", "b"}


def test_a_sub_agent_is_a_child_task_of_the_call_that_started_it() -> None:
    story = Story().human("go")
    story.calls += 1
    story.call(ToolCall("c1", "Task", ToolKind.SUBAGENT)).result(ToolResult("c1", "done", False))
    shared: dict[tuple[str, str], Any] = {}
    (parent,) = run(story.steps, SegmenterOptions(subagent_tasks=shared))
    child_story = Story().says("I begin").human("explore").shell("ls")
    child_story.steps = child_story.steps[1:]
    (child,) = run(
        child_story.steps,
        SegmenterOptions(subagent_tasks=shared),
        session_id="s/agent",
        run_key="s/agent",
        parent_session_id="s",
        parent_call_id="c1",
    )
    assert child.parent_correlation_id == parent.correlation_id
    (told,) = child_story.events(parent_correlation_id=str(parent.correlation_id))
    assert told.parent_correlation_id == parent.correlation_id


def test_a_sub_agent_that_repeats_the_conversation_of_its_start_is_no_child_of_itself() -> None:
    story = Story().human("go").call(ToolCall("c1", "spawn_agent", ToolKind.SUBAGENT))
    shared: dict[tuple[str, str], Any] = {}
    (parent,) = run(story.steps, SegmenterOptions(subagent_tasks=shared))
    (child,) = run(
        Story().human("go").shell("ls").steps,
        SegmenterOptions(subagent_tasks=shared),
        session_id="a",
        run_key="a",
        parent_session_id="s",
        parent_call_id="c1",
    )
    assert (child.correlation_id, child.parent_correlation_id) == (parent.correlation_id, None)


def test_ids_do_not_depend_on_where_the_run_was_read() -> None:
    story = Story().human("go").shell("go test", PASSES)
    assert [e.attempt_id for e in story.events(file="/a/x.jsonl")] == [
        e.attempt_id for e in story.events(file="/b/y.jsonl")
    ]


def test_missing_times_come_from_the_run_then_from_the_file() -> None:
    steps = [
        Step("m0", StepSource.HUMAN, text="go"),
        Step("m1", StepSource.AGENT, calls=[ToolCall("c1", "Bash", ToolKind.SHELL, command="ls")]),
    ]
    (event,) = run(steps, started_at=START)
    assert (event.started_at, event.source.time_estimated, event.duration_ms) == (START, True, None)
    (by_file,) = run(steps, file_time=START)
    assert (by_file.started_at, by_file.source.time_estimated) == (START, True)
    (told,) = Story().human("go").shell("ls").events()
    assert not told.source.time_estimated


def test_the_last_version_of_a_file_wins_and_pieces_stand_in_where_none_is_known() -> None:
    (event,) = (
        Story().human("go").edit("/repo/a.py", "", "x = 1\n", "x = 1\n").edit("/repo/a.py", "1", "2", None).edit("/repo/b.py", "p", "def f(): pass", None)
        .edit("/repo/b.py", "q", "def g(): pass", None).events()
    )  # fmt: skip
    assert {b.path: b.content for b in event.code_written} == {
        "/repo/a.py": "x = 2\n",
        "/repo/b.py": "def f(): pass\n\ndef g(): pass",
    }


def test_text_is_redacted_before_it_is_cut() -> None:
    secret = "SECRET" * 10
    story = (
        Story()
        .human("a" * 19_990 + secret)
        .says("b" * 190 + secret)
        .shell("cat x", "c" * 10 + f"\nerror: token {secret}\n", 1)
    )
    story.shell("go test ./a", f"--- FAIL: TestA (0.00s)\n    a_test.go:3: got {secret}\nFAIL\n", 1)
    (event,) = run(story.steps, SegmenterOptions(redact=lambda text: text.replace(secret, "<REDACTED:x>")))
    cut = [
        event.user_request,
        *(c.said or "" for c in event.commands),
        *(e.message for e in event.errors),
        *(e.stacktrace or "" for e in event.errors),
    ]
    assert not any("SECRET" in text for text in cut)
    assert event.errors[-1].message == "got <REDACTED:x>"


def test_a_command_is_redacted_before_anything_is_read_out_of_it_and_still_understood() -> None:
    address = "smtp://mailer:meadow616!@smtp.internal:587"
    story = Story().human("send it").shell(f"{address}\nfoo", "not found", 127)
    story.shell("API_TOKEN=uO0O4ERe29psD7iPkak8pNvF go test ./a", FAILS, 1)
    events = run(story.steps, SegmenterOptions(redact=redact))
    told = "".join(event.model_dump_json() for event in events)
    assert "meadow616" not in told
    assert "uO0O4ERe" not in told
    assert events[-1].verifications[-1].verdict is Verdict.FAIL


def test_usage_counts_once_with_its_largest_copy() -> None:
    story = Story().human("go")
    for tokens in (3, 9, 5):
        story.call(usage=Usage("m", "r", "model-x", None, START, tokens_input=10, tokens_output=tokens))
    (event,) = story.events()
    assert (event.tokens_input, event.tokens_output, len(event.usage), event.model_used) == (10, 9, 1, "model-x")


def test_a_late_copy_of_a_response_stays_with_the_attempt_that_has_it() -> None:
    story = Story().human("go")
    call = story.new_call("go test ./a")
    story.call(call, usage=Usage("m", "r", None, None, None, tokens_output=1)).call(
        usage=Usage("m", "r", None, None, None, tokens_output=8)
    )
    story.result(ToolResult(call.id, PASSES, False, 0)).shell("ls")
    events = story.events()
    assert [e.tokens_output for e in events] == [8, 0]


def test_models_made_without_checks_equal_checked_ones() -> None:
    values = {"path": "a.py", "before": "x", "after": "y", "step": 3}
    assert unchecked(Edit, **values) == Edit(**values)
    assert unchecked(Edit, **values).model_dump() == Edit(**values).model_dump()


COMMANDS = [
    "cmake -B build",
    "go test ./a",
    "ls",
    "go vet ./... && go test ./a",
    "npm install",
    "cat x | head",
    "python t.py",
    "cat > t.py <<'EOF'\nx\nEOF",
    "(((",
    "",
]


MISCONFIGURED = "CMake Error at CMakeLists.txt:4 (add_library):\n  Cannot find source file:\n\n    ring.cpp\n"


def test_configuring_a_build_is_a_change_as_long_as_nothing_is_wrong_with_it() -> None:
    (event,) = Story().human("go").shell("cmake -S . -B build 2>&1 | tail -3").shell("cmake --build build").events()
    assert [(v.goal_tool, v.verdict) for v in event.verifications] == [("cmake --build", Verdict.PASS)]
    assert [c.mutating for c in event.commands] == [True, False]


def test_configuring_a_build_verifies_when_it_fails_and_when_it_passes_after_that() -> None:
    story = Story().human("go").shell("mkdir -p build && cd build && cmake ..", MISCONFIGURED, 1)
    story.edit("CMakeLists.txt").shell("cd build && cmake ..", "-- Configuring done\n").edit("ring.h")
    broken, mended, later = story.shell("cd build && cmake ..").shell("make").events()
    assert [v.verdict for v in broken.verifications] == [Verdict.FAIL]
    assert broken.errors[0].tool == "cmake"
    assert [v.verdict for v in mended.verifications] == [Verdict.PASS]
    assert not mended.commands[0].mutating
    assert [v.goal_tool for v in later.verifications] == ["make"]
    assert later.commands[0].mutating
    credit = credit_task(task_attempts([broken, mended, later])[broken.correlation_id])
    assert [[part.edit.path for part in fix.changes if part.edit] for fix in credit.fixes] == [["CMakeLists.txt"]]


def test_a_build_that_could_not_be_configured_in_a_longer_line_is_configured_again() -> None:
    story = Story().human("go").shell("cmake -B build && cmake --build build", MISCONFIGURED, 1).edit("CMakeLists.txt")
    _, mended = story.shell("cmake -B build").events()
    assert [(v.goal_tool, v.verdict) for v in mended.verifications] == [("cmake", Verdict.PASS)]


def test_calls_beside_one_that_fails_to_configure_stay_in_its_attempt() -> None:
    story = Story().human("go")
    first, second = story.new_call("cmake -B build"), story.new_call("ls")
    story.call(first, second).result(ToolResult(first.id, MISCONFIGURED, True, 1)).result(ToolResult(second.id, "a"))
    closed, after = story.shell("pytest", PASSES).events()
    assert closed.tools_used == ("Bash", "Bash")
    assert [v.verdict for v in closed.verifications] == [Verdict.FAIL]
    assert [v.goal_tool for v in after.verifications] == ["pytest"]


LEFT = "F841 Local variable `total` is assigned to but never used\n --> src/sums.py:9:5\n\nFound 3 errors (2 fixed, 1 remaining).\n"


def test_a_linters_fixer_that_passes_is_a_change() -> None:
    story = Story().human("go").shell("ruff check --fix .", "Found 2 errors (2 fixed, 0 remaining).\n")
    (event,) = story.shell("pytest", PASSES).events()
    assert [v.goal_tool for v in event.verifications] == ["pytest"]
    assert [c.mutating for c in event.commands] == [True, False]


def test_a_linters_fixer_verifies_when_it_leaves_findings_and_when_it_passes_after_that() -> None:
    line = "ruff format -q && ruff check --fix ."
    story = Story().human("go").shell(line, LEFT, 1).edit("src/sums.py")
    left, mended = story.shell(f"{line} && echo CLEAN", "CLEAN\n").events()
    assert [(v.goal_tool, v.verdict, v.reached) for v in left.verifications] == [("ruff check", Verdict.FAIL, True)]
    assert [v.verdict for v in mended.verifications] == [Verdict.PASS]
    (fix,) = credit_task(task_attempts([left, mended])[left.correlation_id]).fixes
    # The line that had left the finding, run again, is not what mended it.
    assert [part.edit.path if part.edit else part.command for part in fix.changes] == ["src/sums.py"]
    after = Story().human("go").shell("npm run lint:fix", "x", 1).edit("a.ts").shell("npm run lint:fix", "x").events()
    assert [[v.verdict for v in event.verifications] for event in after] == [[Verdict.FAIL], [Verdict.PASS]]


def test_a_linters_fixer_after_a_check_of_lint_that_failed_is_what_mends_it() -> None:
    story = Story().human("go").shell("ruff check .", LEFT, 1).shell("ruff check --fix .", LEFT, 1).edit("src/sums.py")
    before, after = story.shell("ruff check .", "All checks passed!").events()
    assert [v.verdict for v in before.verifications] == [Verdict.FAIL]
    assert [v.verdict for v in after.verifications] == [Verdict.PASS]
    assert after.commands[0].mutating
    # A program that is not there has found nothing.
    missing = Story().human("go").shell("just lint", "sh: just: command not found", 127)
    assert len(missing.shell("ruff check --fix .", LEFT, 1).events()) == 2


@st.composite
def stories(draw: st.DrawFn) -> list[Step]:
    """Any interleaving of messages, calls and results, with results late, out of order, doubled or missing."""
    steps: list[Step] = []
    waiting: list[str] = []
    calls = 0
    for number in range(draw(st.integers(0, 40))):
        kind = draw(st.sampled_from(["human", "text", "call", "call", "result", "result", "error", "stop"]))
        usage = None
        if draw(st.booleans()):
            usage = Usage(
                f"u{draw(st.integers(0, 12))}",
                "r",
                None,
                None,
                None,
                tokens_input=draw(st.integers(0, 9)),
                tokens_output=draw(st.integers(0, 9)),
            )
        at = START + timedelta(seconds=number) if draw(st.booleans()) else None
        step = Step(f"m{number}", StepSource.AGENT, at, usage=usage)
        if kind == "human":
            step.source, step.text = (
                StepSource.HUMAN,
                draw(st.sampled_from(["go", "yes", "fix it", "write a parser for the new format", ""])),
            )
        elif kind == "text":
            step.text = "words"
        elif kind == "call":
            for _ in range(draw(st.integers(1, 3))):
                calls += 1
                shell = draw(st.booleans())
                call = ToolCall(f"c{calls}", f"tool{calls}", ToolKind.SHELL if shell else ToolKind.EDIT)
                if shell:
                    call.command = draw(st.sampled_from(COMMANDS))
                else:
                    call.edits = [
                        FileEdit(f"/repo/f{calls % 3}.py", "a", "b", draw(st.sampled_from([None, "x = 1\n"])))
                    ]
                step.calls.append(call)
                waiting.append(call.id)
        elif kind == "result" and waiting:
            at_index = draw(st.integers(0, len(waiting) - 1))
            call_id = waiting[at_index]
            pending = draw(st.booleans()) and draw(st.booleans())
            if not pending:
                waiting.pop(at_index)
            step.source = StepSource.TOOL
            step.results.append(
                ToolResult(
                    call_id,
                    draw(st.sampled_from([FAILS, PASSES, "", "error: x"])),
                    draw(st.sampled_from([True, False, None])),
                    pending=pending,
                    cancelled=draw(st.sampled_from([False, False, True])),
                )
            )
        elif kind == "error":
            step.source, step.api_error = StepSource.SYSTEM, ApiError("overloaded")
        elif kind == "stop":
            step.source, step.interrupted = StepSource.SYSTEM, True
        steps.append(step)
    return steps


@settings(max_examples=150, deadline=None)
@given(stories(), st.sampled_from([None, RunVerdict(True, "ci"), RunVerdict(False, "ci")]))
def test_every_call_and_every_token_is_in_exactly_one_attempt(steps: list[Step], verdict: RunVerdict | None) -> None:
    called = [call.name for step in steps for call in step.calls]
    largest: dict[str, Usage] = {}
    for step in steps:
        if step.usage is not None and (
            step.usage.message_id not in largest or step.usage.total > largest[step.usage.message_id].total
        ):
            largest[step.usage.message_id] = step.usage
    events = run(steps, verdict=verdict)
    assert sorted(tool for event in events for tool in event.tools_used) == sorted(called)
    told: dict[str, int] = {}
    for event in events:
        for usage in event.usage:
            told[usage.message_id] = max(told.get(usage.message_id, 0), usage.tokens_input + usage.tokens_output)
    assert told == {key: usage.total for key, usage in largest.items()}
    assert len({event.attempt_id for event in events}) == len(events)
    shells = [c for step in steps for c in step.calls if c.kind is ToolKind.SHELL and c.command]
    cancelled = {r.call_id for step in steps for r in step.results if r.cancelled}
    commands = [c.tool_call_id for event in events for c in event.commands]
    assert len(commands) == len(set(commands))
    assert {c.id for c in shells} - cancelled <= set(commands)
