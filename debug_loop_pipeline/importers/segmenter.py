"""Cuts a run into execution attempts (LOG_FORMATS 1): the one place that knows what an attempt is.

Belongs here: the walk over a run's steps, the pairing of calls with results, where attempts and tasks begin and end. Which message
opens a task is `tasks`, the event's fields are `attempt`; what commands mean and what outputs say are the compute units.

Memory: the open attempt, at most `_WINDOW` sealed ones that wait for late results, and bounded state of the task.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from debug_loop_pipeline.compute.commands.command_meaning import meaning_of
from debug_loop_pipeline.compute.commands.error_cutting import MAX_MESSAGE
from debug_loop_pipeline.compute.commands.goals import Checked, speaks_for
from debug_loop_pipeline.compute.commands.meanings import CONFIGURES, Action, Meaning
from debug_loop_pipeline.compute.commands.shell_status import Ran, commands_of
from debug_loop_pipeline.compute.commands.task_files import TaskFiles
from debug_loop_pipeline.compute.commands.toolbox import GoalKind
from debug_loop_pipeline.compute.fixes.task_attempts import checked
from debug_loop_pipeline.importers.attempt import (
    Attempt,
    Session,
    TaskState,
    Where,
    event_of,
    infrastructure_origin,
    status_of,
    utc,
)
from debug_loop_pipeline.importers.call_results import ResultRecorder, WaitingCall
from debug_loop_pipeline.importers.tasks import LastEnding, goes_on
from debug_loop_pipeline.models.base import Status, Verdict
from debug_loop_pipeline.models.execution import ExecutionError, ExecutionEvent, Verification
from debug_loop_pipeline.models.identity import attempt_id, correlation_id, in_session
from debug_loop_pipeline.models.trajectory import (
    ApiError,
    RunVerdict,
    Step,
    StepSource,
    ToolCall,
    ToolKind,
    ToolResult,
    Trajectory,
)
from debug_loop_pipeline.models.unchecked import unchecked

_WINDOW = 16
"""Sealed attempts that may wait for results; the oldest is finished without them."""
_MAX_APPROACH = 1_000
_MAX_REQUEST = 20_000
_MAX_FAILING = 32
_LINTED = frozenset({GoalKind.LINT, GoalKind.FORMAT, GoalKind.MIXED})
"""Kinds of checks that a linter's fixer may be meant to mend; a script's kind is not known."""
_MAX_CALLS = 20_000
"""Calls whose result may still come; older ones are forgotten."""


@dataclass(slots=True)
class SegmenterOptions:
    """redact: applied to every text before it is cut; subagent_tasks: (session, call id or sub-agent's session) -> task that started it,
    filled by parents and read by their children when the same mapping is passed to both.
    """

    redact: Callable[[str], str] | None = None
    subagent_tasks: dict[tuple[str, str], UUID] | None = None


def segment(trajectory: Trajectory, options: SegmenterOptions | None = None) -> Iterator[ExecutionEvent]:
    """The attempts of one run, in order, each as soon as nothing more can come to it.

    Every tool call is in exactly one attempt (`tools_used`), and so is every token (`usage`).
    """
    return _Run(trajectory, options or SegmenterOptions()).events()


class _Run:
    def __init__(self, trajectory: Trajectory, options: SegmenterOptions) -> None:
        self.run = trajectory
        self.options = options
        self.recorder = ResultRecorder(options.redact)
        self.base = trajectory.cwd or ""
        self.where = Where(trajectory.cwd, trajectory.branch)
        self.copied: str | None = None
        """The session that the steps at hand were copied from; None where they are the run's own."""
        self.session = Session(trajectory.session_id, trajectory.run_key, utc(trajectory.started_at))
        self.sessions: dict[str | None, Session] = {None: self.session}
        self.numbered: Counter[str] = Counter()
        """How often an id that means nothing without its session began an attempt."""
        self.time: datetime | None = None
        self.task: TaskState | None = None
        self.files = TaskFiles()
        self.open: Attempt | None = None
        self.window: deque[Attempt] = deque()
        self.waiting: dict[str, WaitingCall] = {}
        self.usage_home: dict[tuple[str, str], Attempt] = {}
        self.step = 0
        self.said: str | None = None
        self.ending = LastEnding.NONE
        self.failing: list[Checked] = []
        """Goals of the task that failed and that nothing has passed since."""
        self.misconfigured = False
        """Whether configuring a build of the task failed the last time."""
        self.unmended: list[Checked] = []
        """Of the goals that failed those of fixers: what they could not mend."""
        self.to_mend: list[Checked] = []
        """Of the goals that failed those that showed what a linter's fixer may be meant to mend."""

    def events(self) -> Iterator[ExecutionEvent]:
        """Walks the steps; yields attempts as they are finished."""
        window = self.window
        for step in self.run.steps:
            if step.session != self.copied and step.source is not StepSource.TOOL:
                self._change_session(step)
            self._place(step)
            if step.source is StepSource.AGENT:
                self._agent(step)
            elif step.source is StepSource.HUMAN and step.text and not step.text.isspace():
                yield from self._human(step)
            if step.usage is not None:
                self._usage(step)
            if step.calls:
                for number, call in enumerate(step.calls):
                    self._call(call, step, number)
            if step.results:
                for result in step.results:
                    self._result(result)
                self.said = None
            if step.api_error is not None:
                self._api_error(step.api_error, step)
            if step.interrupted:
                self._interrupted()
            if step.started is not None:
                self._started(step.started)
            while len(window) > 1 and (len(window) > _WINDOW or not window[0].unanswered):
                yield self._finished(window.popleft())
        if self.run.verdict is not None:
            self._outside(self.run.verdict)
        yield from self._end_task()

    # steps

    def _place(self, step: Step) -> None:
        if step.timestamp is not None:
            self.time = utc(step.timestamp)
            if self.session.started_at is None:
                self.session.started_at = self.time
        where = self.where
        if step.cwd != where.cwd or step.branch != where.branch or step.pull_request != where.pull_request:
            self.where = Where(
                step.cwd or where.cwd, step.branch or where.branch, step.pull_request or where.pull_request
            )
            if not self.base and step.cwd:
                self.base = step.cwd

    def _change_session(self, step: Step) -> None:
        """From here on the steps are of another session. What was open ends with its own, as it does where that one is read.

        Results do not change it: they are their call's, and may come late.
        """
        self._end_attempt()
        name = self.copied = step.session
        if name is not None and name not in self.sessions:
            self.sessions[name] = Session(name, name, None)
            if self.time is None and self.task is None:
                # What was copied stands first: the run's own part begins behind it.
                self.sessions[name].started_at, self.session.started_at = self.session.started_at, None
        self.session = self.sessions[name]

    def _human(self, step: Step) -> Iterator[ExecutionEvent]:
        same = self.task is not None and (
            self.run.problem_id is not None
            or self.run.parent_session_id is not None
            or goes_on(step.text, self.ending, unsettled=bool(self.failing))
        )
        if same:
            return
        yield from self._end_task()
        self._begin_task(step.ref, step.text)

    def _agent(self, step: Step) -> None:
        attempt = self._current(step)
        if step.model:
            attempt.model = step.model
        if step.text and (text := step.text.strip()):
            self.said = text
            if attempt.approach is None:
                attempt.approach = self.recorder.limited(text, _MAX_APPROACH)
        attempt.ended_at = self.time

    def _begin_task(self, ref: str, text: str) -> None:
        run = self.run
        key = run.problem_id or ref
        parent: UUID | None = None
        if run.parent_correlation_id:
            parent = UUID(run.parent_correlation_id)
        elif run.parent_session_id and run.parent_call_id and self.options.subagent_tasks is not None:
            parent = self.options.subagent_tasks.get((run.parent_session_id, run.parent_call_id))
        request = run.request or text
        task = correlation_id(run.format, key)
        # A sub-agent that was given the whole conversation works on the task that started it.
        parent = None if parent == task else parent
        before = run.parent_attempt_id if self.task is None else None
        self.task = TaskState(task, self.recorder.limited(request, _MAX_REQUEST), parent, before)
        self.files = TaskFiles()
        self.ending = LastEnding.NONE
        self.failing = []
        self.misconfigured = False
        self.unmended = []
        self.to_mend = []

    def _current(self, step: Step) -> Attempt:
        """The open attempt; a new one where none is."""
        if self.open is None:
            if self.task is None:
                self._begin_task(self.session.run_key, "")
            assert self.task is not None
            self.open = Attempt(
                self.task,
                self.session,
                step.ref,
                self.time,
                self.time,
                self.where,
                self.step,
                parent_id=self.task.last_attempt_id,
            )
        return self.open

    def _usage(self, step: Step) -> None:
        """Tokens go to the attempt at hand, or to the one that has an earlier copy of the same response."""
        usage = step.usage
        assert usage is not None
        key = (usage.message_id, usage.request_id)
        home = self.usage_home.get(key)
        if home is None:
            home = self.open or (self.window[-1] if self.window else self._current(step))
            self.usage_home[key] = home
        home.add_usage(usage)
        if usage.model and home.model is None:
            home.model = usage.model

    # calls and results

    def _call(self, call: ToolCall, step: Step, number: int) -> None:
        attempt = self._current(step)
        call_id = call.id or f"{step.ref}#{number}"
        self.step += 1
        if attempt.first_call is None:
            attempt.first_call = call_id
            attempt.first_step = self.step
        attempt.tools.append(call.name)
        attempt.ended_at = self.time
        waiting = WaitingCall(
            call, call_id, attempt, self.step, self.said, call.cwd or self.where.cwd or self.base, self.files
        )
        waiting.base = self.base
        attempt.unanswered += 1
        if call_id in self.waiting:
            self.waiting[call_id].attempt.unanswered -= 1
        elif len(self.waiting) >= _MAX_CALLS:
            self.waiting.pop(next(iter(self.waiting))).attempt.unanswered -= 1
        self.waiting[call_id] = waiting
        if call.kind is ToolKind.SHELL and call.command:
            if self.options.redact is not None:
                # Before anything is read out of it: the end of a URL does not tell any more that a password is in it.
                call.command = self.options.redact(call.command)
            self._shell_call(waiting)
        elif call.kind is ToolKind.SUBAGENT:
            self._started(call_id)

    def _started(self, subagent: str) -> None:
        if self.options.subagent_tasks is not None and self.task is not None:
            self.options.subagent_tasks[(self.session.session_id, subagent)] = self.task.correlation_id

    def _shell_call(self, waiting: WaitingCall) -> None:
        command = waiting.call.command
        assert command is not None
        for other in self.waiting.values():
            if other.call.kind is ToolKind.EDIT and other.attempt is waiting.attempt:
                for edit in other.call.edits:
                    self.files.record_edit(edit.path, edit.content)
        ran = commands_of(command, waiting.cwd)
        if not self.base:
            self.base = next(
                (r.words[1] for r in ran if r.words[:1] == ["cd"] and r.words[1:] and r.words[1].startswith("/")), ""
            )
            if self.base and ran and not ran[0].cwd:
                ran = commands_of(command, self.base)
                waiting.cwd = self.base
        waiting.last_program = ran[-1].name if ran else ""
        waiting.mean([self._meaning(one) for one in ran])
        if waiting.verifies:
            self._seal(waiting.attempt)

    def _meaning(self, ran: Ran) -> Meaning:
        meaning = meaning_of(ran, self.files, self.base)
        if meaning.action is Action.CHANGE:
            for path in meaning.files:
                self.files.record_edit(
                    f"{ran.cwd}/{path}" if ran.cwd and not path.startswith(("/", "~", "$")) else path, meaning.content
                )
        elif meaning.goal is not None and meaning.goal.kind is GoalKind.BUILD:
            self.files.record_build(meaning.output)
        return meaning

    def _seal(self, attempt: Attempt) -> None:
        attempt.sealed = True
        attempt.task.last_attempt_id = self._id_of(attempt)
        self.window.append(attempt)
        self.open = None

    def _result(self, result: ToolResult) -> None:
        waiting = self.waiting.get(result.call_id)
        if waiting is None:
            return
        attempt = waiting.attempt
        if result.pending:
            if waiting.call.kind is ToolKind.SHELL and waiting.call.command and not waiting.verifies:
                self.recorder.commands(waiting, None)
            return
        del self.waiting[waiting.call_id]
        attempt.unanswered -= 1
        attempt.ended_at = self.time
        attempt.stopped = result.cancelled
        kind = waiting.call.kind
        if kind is ToolKind.SHELL and waiting.call.command:
            if waiting.as_check is not None:
                self._late_check(waiting, waiting.as_check, result)
            self.recorder.shell_result(waiting, result, self.time)
            if waiting.verifies:
                self.files.record_linked(result.output)
                self.ending = _ending(attempt)
                self._settle(waiting)
        elif result.cancelled:
            pass
        elif result.is_error:
            self.recorder.failed_call(waiting, result, None)
        elif kind is ToolKind.EDIT or result.edits or waiting.call.edits:
            self.recorder.edited(waiting, result.edits if result.edits is not None else waiting.call.edits)
            attempt.clean_end = True
        else:
            attempt.clean_end = True

    def _late_check(self, waiting: WaitingCall, meanings: list[Meaning], result: ToolResult) -> None:
        """Configuring a build, or a linter's fixer, verifies where it fails, and where it passes after that; then it closes its attempt late.

        After a check of lint that failed a fixer is what mends it, and the check run again tells what is left.
        """
        if waiting.fixes and self.to_mend:
            return
        verdict = self.recorder.late_verdict(waiting, result)
        tools = {meaning.goal.tool for meaning in meanings if meaning.goal is not None}
        failed_before = any(one.goal.tool in tools for one in self.unmended) if waiting.fixes else self.misconfigured
        if verdict is Verdict.FAIL or (verdict is Verdict.PASS and failed_before):
            waiting.meanings = meanings
            if self.open is waiting.attempt:
                self._seal(waiting.attempt)

    def _settle(self, waiting: WaitingCall) -> None:
        """Keeps the goals of the task that still fail."""
        for told in waiting.attempt.verifications:
            if (
                told.tool_call_id == waiting.call_id
                and told.goal_tool in CONFIGURES
                and told.verdict is not Verdict.UNCLEAR
            ):
                self.misconfigured = told.verdict is Verdict.FAIL
        for index, told in enumerate(waiting.attempt.verifications):
            if told.tool_call_id != waiting.call_id or told.verdict not in (Verdict.PASS, Verdict.FAIL):
                continue
            seen = checked(told)
            self.failing = [other for other in self.failing if not speaks_for(seen, other, failed=True)]
            if told.verdict is Verdict.FAIL and len(self.failing) < _MAX_FAILING:
                self.failing.append(seen)
                if waiting.fixes:
                    self.unmended.append(seen)
                elif seen.goal.kind in _LINTED and not _found_no_program(waiting.attempt, index):
                    self.to_mend.append(seen)
        self.unmended = [one for one in self.unmended if one in self.failing]
        self.to_mend = [one for one in self.to_mend if one in self.failing]

    # the run's ends

    def _api_error(self, error: ApiError, step: Step) -> None:
        attempt = self.open or (self.window[-1] if self.window else self._current(step))
        if attempt.sealed:
            attempt = self._current(step)
        attempt.infrastructure = True
        attempt.clean_end = False
        attempt.ended_at = self.time
        attempt.errors.append(
            unchecked(
                ExecutionError,
                type=error.kind,
                message=self.recorder.limited(error.message or error.kind or "service error", MAX_MESSAGE),
                origin=infrastructure_origin(error.kind, error.message),
                step=self.step,
            )
        )

    def _interrupted(self) -> None:
        if self.open is not None:
            self.open.stopped = True
        self.ending = LastEnding.STOPPED

    def _outside(self, verdict: RunVerdict) -> None:
        """A verdict on the run closes its last attempt."""
        attempt = self.open if self.open is not None and self.open.did_something else None
        if attempt is None:
            attempt = self.window[-1] if self.window else self._current(Step(self.run.run_key, StepSource.SYSTEM))
        said = {True: Verdict.PASS, False: Verdict.FAIL, None: Verdict.UNCLEAR}[verdict.passed]
        at = utc(verdict.at)
        index = len(attempt.verifications)
        attempt.verifications.append(
            unchecked(
                Verification,
                command=verdict.source,
                goal=verdict.source,
                goal_tool=verdict.source,
                verdict=said,
                outside=True,
                step=self.step + 1,
                at=at,
            )
        )
        if said is Verdict.FAIL:
            self.recorder.outside_errors(attempt, verdict, index, self.step + 1)

    def _end_attempt(self) -> None:
        """Ends what is open; closing words without a call go to the attempt before them."""
        last = self.open
        self.open = None
        if last is None:
            return
        before = self.window[-1] if self.window else None
        if not last.did_something and before is not None and before.session is last.session and not last.verifications:
            before.fold(last)
        else:
            self._seal(last)

    def _end_task(self) -> Iterator[ExecutionEvent]:
        """Finishes what is open."""
        self._end_attempt()
        self._unanswered()
        while self.window:
            yield self._finished(self.window.popleft())
        self.waiting.clear()
        self.usage_home.clear()
        self.said = None

    def _unanswered(self) -> None:
        """Calls whose result never came: their goals are unclear, their commands are kept."""
        for waiting in list(self.waiting.values()):
            if waiting.attempt.unanswered and waiting.call.kind is ToolKind.SHELL and waiting.call.command:
                self.recorder.without_result(waiting, self.time)

    def _finished(self, attempt: Attempt) -> ExecutionEvent:
        if attempt.unanswered:
            for call_id, waiting in list(self.waiting.items()):
                if waiting.attempt is attempt:
                    if waiting.call.kind is ToolKind.SHELL and waiting.call.command and waiting.told_at is None:
                        self.recorder.without_result(waiting, self.time)
                    del self.waiting[call_id]
        for key in attempt.usage:
            self.usage_home.pop(key, None)
        return event_of(attempt, self._id_of(attempt), self.run)

    def _id_of(self, attempt: Attempt) -> UUID:
        if attempt.id is None:
            first = attempt.first_call or attempt.first_ref
            name = in_session(first, attempt.session.run_key)
            if name is not first:
                # A counter begins anew inside a session as well, where the agent compacts it.
                again = self.numbered[name]
                self.numbered[name] += 1
                name = f"{name}\x1f{again}" if again else name
            attempt.id = attempt_id(self.run.format, name)
        return attempt.id


def _found_no_program(attempt: Attempt, index: int) -> bool:
    """Whether all that a verification showed is that the shell did not find what it was to run."""
    shown = [error for error in attempt.errors if error.verification == index]
    return bool(shown) and all(error.tool == "shell" for error in shown)


def _ending(attempt: Attempt) -> LastEnding:
    status, _ = status_of(attempt)
    if status in (Status.ERROR, Status.TIMEOUT):
        return LastEnding.FAILED
    if status is Status.SUCCESS:
        return LastEnding.PASSED
    return LastEnding.STOPPED if status is Status.CANCELLED else LastEnding.OPEN
