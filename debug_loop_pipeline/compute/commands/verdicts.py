"""The verdict of each goal of a command line, out of its output and its exit code (LOG_FORMATS 1).

Belongs here: a failure summary wins over the exit code, the exit code over a pass summary; what to believe when the exit code is
hidden or the output cut. What commands mean is `command_meaning`, what an exit code says about each
is `shell_status`, which part of the output is whose is `line_output`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from debug_loop_pipeline.compute.commands.error_cutting import (
    CutError,
    cut_errors,
    has_real_errors,
    without_ansi,
    without_task_prefixes,
)
from debug_loop_pipeline.compute.commands.error_cutting.generic import cut_trailer
from debug_loop_pipeline.compute.commands.error_cutting.go import Packages, packages
from debug_loop_pipeline.compute.commands.goals import Goal, GoalRun
from debug_loop_pipeline.compute.commands.line_output import QUIET, LineOutput, script_of
from debug_loop_pipeline.compute.commands.output_clues import (
    BUILD_BROKE,
    CD_FAILED,
    CRASH,
    NO_OUTPUT,
    begins_anew,
    ends_in_dots,
    ends_in_error,
    is_complete,
    line_count,
    looks_for_errors,
    looks_for_files,
    looks_for_results,
    may_hide_errors,
    only_well_dropped,
    passed_dots,
    rejects_argument,
    reports_errors,
    shows_errors,
)
from debug_loop_pipeline.compute.commands.script_echoes import echoes_in, has_begun
from debug_loop_pipeline.compute.commands.script_runs import is_script, shown_runners
from debug_loop_pipeline.compute.commands.shell_status import Ran, Told
from debug_loop_pipeline.compute.commands.summaries import Found, Says, read_summaries
from debug_loop_pipeline.compute.commands.summary_families import (
    ALWAYS,
    FAMILIES,
    TEST_FAMILIES,
    TRAILING_RUNNERS,
    error_tools,
    test_counts,
)
from debug_loop_pipeline.compute.commands.toolbox import GoalKind, kind_of
from debug_loop_pipeline.models.base import Verdict

_EXIT_HEAD = re.compile(
    r"\A\s*(?:Exit code|exit code:?|Process exited with code|\[exit code:?)\s*(-?\d+)\]?[ \t]*(?:\n|\Z)"
)
_TIME_LIMIT = 124
"""Exit code of `timeout`."""
_TOTAL = re.compile(r"^(?:Found )?(\d{1,6}) (?:issues?|errors?)\b", re.MULTILINE)
"""How many findings golangci-lint, ruff or mypy say there are."""
_NOISY_RUNNERS = frozenset({"bun test", "jest", "vitest", "mocha"})
"""Their passing tests print errors too: only a summary or the exit code counts."""


@dataclass(frozen=True, slots=True)
class Output:
    """What came back for a command line."""

    text: str
    exit_code: int | None = None
    cancelled: bool = False
    timed_out: bool = False
    pending: bool = False
    missing: bool = False
    """No result is known."""


@dataclass(frozen=True, slots=True)
class Others:
    """What else stands in the line and may be why it failed."""

    changes_before: bool = False
    """An install, a formatter: when it fails, the goal that needed it was not reached (and has failed)."""
    commands: bool = False
    """Any other command that can fail (`git commit`): then nothing is known of a goal that shows nothing."""


@dataclass(slots=True)
class Judged:
    """One goal's verdict with its counts; `reached` False where the check did not get as far as its own result."""

    ran: Ran
    goal: Goal
    verdict: Verdict
    exit_code: int | None = None
    passed: int | None = None
    failed: int | None = None
    reached: bool = True
    errors: list[CutError] = field(default_factory=list)
    errors_not_kept: int = 0
    cut: bool = False
    """There may be errors that were not shown or not kept."""
    packages: Packages = field(default_factory=Packages)
    """Of a failed goal: Go packages that are seen to have been built, and not."""
    runners: tuple[str, ...] = ()
    """Test runners whose summaries the goal's script printed."""
    checks: tuple[GoalRun, ...] = ()
    """What it is seen to have run, where it is a script."""


def judge(goals: list[tuple[Ran, Goal]], output: Output, others: Others | None = None) -> list[Judged]:
    """A verdict for each goal whose verdict the output or the exit code shows, in order of the command line.

    `goals` are the verifying commands of one line, with what the exit code says about each. Errors are cut for goals that failed.
    """
    if not goals:
        return []
    if output.cancelled:
        return [Judged(ran, goal, Verdict.CANCELLED, reached=False) for ran, goal in goals]
    if output.pending or output.missing:
        return [Judged(ran, goal, Verdict.UNCLEAR, reached=False) for ran, goal in goals[-1:]]
    scripts = dict.fromkeys(script_of(goal) for _, goal in goals if goal.tool.startswith(_MONOREPO_RUNNERS))
    text = without_task_prefixes(without_ansi(output.text), scripts)
    if NO_OUTPUT.fullmatch(text.strip()):
        text = ""
    timed_out = output.timed_out or _hit_time_limit(goals)
    if timed_out and not any(f.says is Says.FAIL and f.family != "runner" for f in read_summaries(text)):
        ran, goal = goals[-1]
        error = CutError("Command timed out", type="Timeout", tool=goal.tool)
        return [Judged(ran, goal, Verdict.FAIL, output.exit_code, reached=False, errors=[error])]
    others = others or Others()
    line = LineOutput(goals, text, changes_before=others.changes_before)
    judged = _Decision(line, others).decide()
    for one in judged:
        if one.verdict is Verdict.FAIL:
            _with_errors(one, line)
            one.reached = one.reached and not timed_out
    return judged


def call_verdict(verdicts: list[Verdict]) -> Verdict | None:
    """The one verdict of a call with several goals: failed if any failed, else passed if any passed."""
    for verdict in (Verdict.FAIL, Verdict.PASS, Verdict.UNCLEAR, Verdict.CANCELLED):
        if verdict in verdicts:
            return verdict
    return None


def exit_code_in(text: str) -> tuple[int | None, str]:
    """The exit code that a tool writes at the head of its output, and the output behind it."""
    match = _EXIT_HEAD.match(text)
    return (int(match.group(1)), text[match.end() :]) if match else (None, text)


def _hit_time_limit(goals: list[tuple[Ran, Goal]]) -> bool:
    return any(
        ran.exit_code == _TIME_LIMIT and any(w.endswith("timeout") for w in ran.simple.words[:4]) for ran, _ in goals
    )


def _with_errors(one: Judged, line: LineOutput) -> None:
    """Cuts the errors of a failed goal out of its part of the output; of several goals only its own where they can be told."""
    section = line.section(one.ran)
    tool = one.goal.tool if one.goal.kind is not GoalKind.RUN else None
    one.errors, one.errors_not_kept = cut_errors(
        section, tool, one.exit_code, prints_means_fail=one.goal.prints_means_fail
    )
    if not line.alone(one.ran):
        own = line.own_errors(one.ran, one.goal, one.errors) or line.not_others(one.ran, one.errors)
        one.errors = own or cut_trailer(section, one.exit_code)
        for error in one.errors:
            error.tool = error.tool or tool
    hidden = may_hide_errors(one.ran.view, line.between_marks(one.ran), one.goal.tool) and not _all_told(one, section)
    one.cut = one.errors_not_kept > 0 or hidden
    one.reached = one.reached and not one.cut
    one.packages = packages(section)


def _all_told(one: Judged, section: str) -> bool:
    """Whether the summary counts no more failing tests, or findings of a linter, than are seen."""
    if one.goal.kind in (GoalKind.LINT, GoalKind.TYPES) and not is_script(one.goal.tool):
        totals = _TOTAL.findall(section)
        return len(totals) == 1 and 0 < int(totals[0]) <= len(one.errors)
    tests = {error.test for error in one.errors if error.test}
    # Of the first of them only the head may be cut off.
    headless = any(error.tool == "unittest" and not error.test for error in one.errors)
    return one.failed is not None and 0 < one.failed <= len(tests) + headless


class _Decision:
    """The verdicts of one command line's goals, out of its output."""

    def __init__(self, line: LineOutput, others: Others) -> None:
        self.line = line
        self.goals = line.goals
        self.others = others

    def decide(self) -> list[Judged]:
        """The verdicts, goal by goal; in a failed and-list what comes behind the failure was not reached and has none."""
        judged: list[Judged] = []
        held: list[tuple[Ran, Goal]] = []
        named = self._named_failure()
        begun = self._last_begun()
        failed = False
        for ran, goal in self.goals:
            if self._stopped_before(ran, goal):
                continue
            if ran.told is not Told.SUSPECT:
                one = self._one(ran, goal)
                judged += [one] if one is not None else []
                continue
            if failed:
                continue
            verdict = self._suspect(ran, goal, named, begun)
            if verdict is None:
                held.append((ran, goal))
                continue
            judged += [self._judged(r, g, Verdict.PASS) for r, g in held]
            held = []
            judged.append(verdict)
            failed = verdict.verdict is Verdict.FAIL
        if held and not failed:
            judged += self._unattributed(held)
        elif not failed and not (self.others.commands or self.others.changes_before):
            self._contradict(judged)
        judged = self._with_silent_listers(self._in_order(judged))
        return judged or [self._not_reached(*self.goals[-1])]

    def _in_order(self, judged: list[Judged]) -> list[Judged]:
        """What and-lists tell whose exit codes are hidden (`(a && b) | tail`, `a && b || echo no`): what stands before a check that is
        known to have run has passed, what stands behind one that failed did not run.
        """
        known = {id(one.ran): one for one in judged}
        told = {id(one.ran) for one in judged if self.line.own(one.ran, one.goal)}
        for ran, goal in reversed(self.goals):
            one = known.get(id(ran))
            behind = [
                r for r, _ in self.goals if ran.told is Told.HIDDEN and r.told is Told.HIDDEN and _follows(r, ran)
            ]
            if (one is None or one.verdict is Verdict.UNCLEAR) and any(id(r) in told for r in behind):
                known[id(ran)] = self._judged(ran, goal, Verdict.PASS)
        failed = [one.ran for one in known.values() if one.verdict is Verdict.FAIL]
        for ran, goal in self.goals:
            unsure = id(ran) in known and id(ran) not in told and ran.told in (Told.HIDDEN, Told.FAILED)
            if unsure and any(_follows(ran, one) for one in failed) and not self.line.has_errors(ran, goal):
                del known[id(ran)]
        return [known[id(ran)] for ran, _ in self.goals if id(ran) in known]

    def _with_silent_listers(self, judged: list[Judged]) -> list[Judged]:
        """With formatters that list what they would change and listed nothing, in a line whose other checks have all passed.

        Nothing says that of `gofmt -l . ; go test ./...`: a list would stand in the output, and so would why it did not get that far.
        """
        known = {id(one.ran): one for one in judged}
        silent = [
            (ran, goal)
            for ran, goal in self.goals
            if goal.prints_means_fail and id(ran) not in known and self._listed_nothing(ran)
        ]
        passed = judged and all(one.verdict is Verdict.PASS for one in judged)
        if not silent or not passed or self.others.commands or _DID_NOT_RUN.search(self.line.text):
            return judged
        if has_real_errors(self.line.text):
            return judged
        known |= {id(ran): self._judged(ran, goal, Verdict.PASS) for ran, goal in silent}
        return [known[id(ran)] for ran, _ in self.goals if id(ran) in known]

    def _listed_nothing(self, ran: Ran) -> bool:
        seen = ran.told is Told.HIDDEN and ran.view.whole and not ran.background
        return seen and not self.line.printed(ran, self.line.section(ran))

    def _stopped_before(self, ran: Ran, goal: Goal) -> bool:
        """Whether the line failed before it came to this command.

        A summary that can only be its own says that it ran: in that shell a pipe does fail with its first command.
        """
        if ran.told is Told.UNREACHED and len(self.goals) == 1 and self.line.own(ran, goal):
            return False
        if not self.line.has_begun(ran):
            return True
        return ran.told is Told.UNREACHED or any(earlier.told is Told.FAILED for earlier in ran.before)

    def _not_reached(self, ran: Ran, goal: Goal) -> Judged:
        """No goal of the line has a verdict: what made ready for it failed, and so did it; of anything else nothing is known."""
        failed = self._stopped_before(ran, goal) and self.others.changes_before and not self.others.commands
        return self._judged(ran, goal, Verdict.FAIL if failed else Verdict.UNCLEAR, reached=False)

    @staticmethod
    def _contradict(judged: list[Judged]) -> None:
        """An and-list that failed though each goal's summary says passed: the exit code wins, and the last that ran has it."""
        last = next((one for one in reversed(judged) if one.ran.told is Told.SUSPECT), None)
        if last is not None:
            last.verdict, last.exit_code, last.reached = Verdict.FAIL, last.ran.exit_code, True

    def _named_failure(self) -> int | None:
        """Which goal a runner names as the script that failed."""
        if not any(ran.told is Told.SUSPECT for ran, _ in self.goals):
            return None
        return next((at for at, (_, goal) in enumerate(self.goals) if self.line.gave_up(goal)), None)

    def _last_begun(self) -> int:
        """The last goal of a failed and-list whose script has begun: those before it have passed."""
        suspects = [at for at, (ran, _) in enumerate(self.goals) if ran.told is Told.SUSPECT]
        return max((at for at in suspects[1:] if has_begun(self.goals[at][1], self.line.text)), default=0)

    def _suspect(self, ran: Ran, goal: Goal, named: int | None, begun: int) -> Judged | None:
        """The verdict of a goal in a failed and-list, where the output tells it."""
        at = next(i for i, (r, _) in enumerate(self.goals) if r is ran)
        if named is not None and at <= named:
            return self._judged(ran, goal, Verdict.FAIL if at == named else Verdict.PASS)
        if at < begun:
            return self._judged(ran, goal, Verdict.PASS)
        if goal.kind is GoalKind.RUN:
            return None
        own = self.line.own(ran, goal)
        if any(f.says is Says.FAIL for f in own):
            return self._judged(ran, goal, Verdict.FAIL)
        if any(f.says is Says.PASS for f in own):
            return self._judged(ran, goal, Verdict.PASS)
        return None

    def _unattributed(self, held: list[tuple[Ran, Goal]]) -> list[Judged]:
        """The line failed and no summary tells where: the first goal whose own errors show, else the last one.

        What stands before the one that failed has passed; that is said of builds and other tools that are silent then. Not reached
        where a change before it may have failed; unclear where any other command may have.
        """
        shown = [
            at
            for at, (ran, goal) in enumerate(held)
            if goal.kind is not GoalKind.RUN and self.line.has_errors(ran, goal)
        ]
        at = shown[0] if shown else len(held) - 1
        judged = [self._judged(ran, goal, Verdict.PASS) for ran, goal in held[:at] if goal.silent]
        ran, goal = held[at]
        if not shown and self.others.commands:
            return [*judged, self._judged(ran, goal, Verdict.UNCLEAR, reached=False)]
        if goal.kind is GoalKind.RUN:
            return [*judged, self._run(ran, goal, [])]
        not_reached = self.others.changes_before or (at and not judged) or CD_FAILED.search(self.line.text)
        reached = not not_reached or self.line.names_places(ran, goal)
        return [*judged, self._judged(ran, goal, Verdict.FAIL, reached=reached)]

    def _judged(self, ran: Ran, goal: Goal, verdict: Verdict, *, reached: bool = True) -> Judged:
        own = self.line.own(ran, goal)
        passed, failed = test_counts(own)
        if verdict is Verdict.FAIL and reached and goal.kind in (GoalKind.TEST, GoalKind.LINT, GoalKind.MIXED):
            nothing_ran = (passed is None and failed is None) or goal.kind is GoalKind.LINT
            reached = not (nothing_ran and BUILD_BROKE.search(self.line.section(ran)))
        if (
            passed is None
            and failed is None
            and goal.tool == "pytest"
            and is_complete(ran.view, self.line.section(ran))
        ):
            passed = passed_dots(self.line.section(ran))
        code = ran.exit_code
        if verdict is Verdict.PASS and ran.told in (Told.PASSED, Told.SUSPECT) and goal.kind is not GoalKind.RUN:
            code = 0
        runners = shown_runners(goal.tool, own)
        return Judged(ran, goal, verdict, code, passed, failed, reached, runners=runners)

    def _unclear(self, ran: Ran, goal: Goal) -> Judged:
        return self._judged(ran, goal, Verdict.UNCLEAR, reached=False)

    def _one(self, ran: Ran, goal: Goal) -> Judged | None:
        own = self.line.own(ran, goal)
        says = {f.says for f in own}
        if ran.background:
            return self._unclear(ran, goal)
        if goal.kind is GoalKind.RUN:
            return self._run(ran, goal, own)
        if ran.told is Told.PASSED:
            return self._succeeded(ran, goal, own)
        if Says.FAIL in says or (ran.told is Told.HIDDEN and self.line.alone_gave_up(goal)):
            return self._judged(ran, goal, Verdict.FAIL)
        if ran.told is Told.FAILED:
            return self._failed(ran, goal, says)
        if Says.PASS in says:
            return self._judged(ran, goal, Verdict.PASS)
        if says & {Says.NOTHING, Says.DOUBT}:
            return self._unclear(ran, goal)
        return self._hidden(ran, goal)

    def _failed(self, ran: Ran, goal: Goal, says: set[Says]) -> Judged:
        if goal.tool == "pytest" and ran.exit_code == 4:
            return self._judged(ran, goal, Verdict.FAIL, reached=False)
        if says == {Says.NOTHING} or (goal.tool == "pytest" and ran.exit_code == 5):
            return self._unclear(ran, goal)
        view = ran.view
        if view.opaque and not view.kept and not self.line.section(ran).strip():
            return self._judged(ran, goal, Verdict.FAIL)
        return self._judged(ran, goal, Verdict.FAIL, reached=not CD_FAILED.search(self.line.text))

    def _succeeded(self, ran: Ran, goal: Goal, own: list[Found]) -> Judged:
        section = self.line.section(ran)
        if goal.prints_means_fail and ran.view.whole and self.line.printed(ran, section):
            return self._judged(ran, goal, Verdict.FAIL)
        if any(f.says is Says.FAIL and f.family not in _DOUBTED_AT_ZERO for f in own):
            return self._judged(ran, goal, Verdict.FAIL)
        passed = any(f.says is Says.PASS for f in own)
        doubtful = any(f.says is Says.DOUBT for f in own)
        nothing = any(f.says is Says.NOTHING for f in own) and goal.kind in (GoalKind.TEST, GoalKind.MIXED)
        if not passed and (doubtful or nothing):
            return self._unclear(ran, goal)
        return self._judged(ran, goal, Verdict.PASS)

    def _run(self, ran: Ran, goal: Goal, own: list[Found]) -> Judged:
        """A program the task wrote or built. One that turns a wrong argument down does its work, whatever it exits with."""
        section = self.line.section(ran)
        fails = {f.family for f in own if f.says is Says.FAIL}
        if ran.told is Told.PASSED:
            return self._judged(ran, goal, Verdict.FAIL if fails & TEST_FAMILIES else Verdict.PASS)
        if ran.told in (Told.FAILED, Told.SUSPECT):
            refused = goal.filters and not CRASH.search(section) and rejects_argument(goal.filters, section)
            return self._judged(ran, goal, Verdict.PASS if refused else Verdict.FAIL)
        if fails & (TEST_FAMILIES | ALWAYS) or CRASH.search(section) or has_real_errors(section):
            return self._judged(ran, goal, Verdict.FAIL)
        complete = is_complete(ran.view, section)
        passed = complete and section.strip()
        return self._judged(ran, goal, Verdict.PASS if passed else Verdict.UNCLEAR, reached=complete)

    def _hidden(self, ran: Ran, goal: Goal) -> Judged | None:
        """No exit code, no summary: what is left of the output decides."""
        section, view = self.line.section(ran), ran.view
        alone = self.line.alone(ran)
        if view.kept:
            return self._filtered(ran, goal, section)
        if view.opaque:
            return self._unclear(ran, goal) if alone else None
        if goal.prints_means_fail:
            if alone:
                return self._judged(ran, goal, Verdict.FAIL if section.strip() else Verdict.PASS)
            # `gofmt -l . ; go vet ./...`: of what the line printed, only a bare path is surely its own.
            listed = view.whole and not self.others.commands and self.line.printed(ran, section)
            return self._judged(ran, goal, Verdict.FAIL) if listed else None
        noisy = goal.tool in _NOISY_RUNNERS
        if section and (
            (not noisy and self.line.has_errors(ran, goal)) or (alone and view.head is None and ends_in_error(section))
        ):
            return self._judged(ran, goal, Verdict.FAIL)
        if not alone and self._ran_silently(ran, goal, section):
            return self._judged(ran, goal, Verdict.PASS)
        others_passed = all(r.told is Told.PASSED for r, _ in self.goals if r is not ran)
        last = ran is self.goals[-1][0]
        if not alone and not goal.silent and not others_passed:
            # The end of the output is the last one's.
            well = last and not self.others.commands and self._end_looks_well(ran, goal, section)
            return self._judged(ran, goal, Verdict.PASS) if well or self._would_show_at_its_end(ran, goal) else None
        if goal.tool == "pytest" and alone and ends_in_dots(ran.words, section):
            return self._judged(ran, goal, Verdict.PASS)
        if not section.strip() and alone and only_well_dropped(view):
            return self._judged(ran, goal, Verdict.PASS)
        if is_complete(view, section):
            tells_nothing = goal.kind is GoalKind.TEST and (not section.strip() or goal.tool in FAMILIES)
            tells_nothing = tells_nothing and (bool(section.strip()) or not _quiet(ran, goal))
            return self._unclear(ran, goal) if tells_nothing else self._judged(ran, goal, Verdict.PASS)
        if self._end_looks_well(ran, goal, section):
            return self._judged(ran, goal, Verdict.PASS)
        return self._unclear(ran, goal)

    def _ran_silently(self, ran: Ran, goal: Goal, section: str) -> bool:
        """Whether a check that prints nothing when all is well, or a script of that kind whose banner is seen, was left with no error of its
        own, though others printed theirs behind it.
        """
        view = ran.view
        if view.head is not None or view.kept or view.opaque or _DID_NOT_RUN.search(section):
            return False
        kind = goal.kind in (GoalKind.TYPES, GoalKind.LINT)
        if is_script(goal.tool):
            kind = kind or (goal.kind is GoalKind.BUILD and _only_checks_types(goal, section))
            told = begins_anew(section) or (view.whole and not QUIET.isdisjoint(ran.words))
            return kind and told and not self.line.gave_up(goal)
        return kind and goal.silent and bool(error_tools(goal.tool))

    def _end_looks_well(self, ran: Ran, goal: Goal, section: str) -> bool:
        """`| tail`: the end is there, and of a tool that ends with its failures no failure is in it."""
        if ran.view.tail is None or ran.view.head is not None or not section.strip() or shows_errors(section):
            return False
        if goal.kind is GoalKind.TEST:
            return goal.tool not in FAMILIES and goal.tool.startswith(TRAILING_RUNNERS)
        return goal.tool.startswith(TRAILING_RUNNERS) or goal.silent or goal.kind in (GoalKind.BUILD, GoalKind.TYPES)

    def _would_show_at_its_end(self, ran: Ran, goal: Goal) -> bool:
        """Whether a failure would stand in the output, whose ever the rest of it is: its last lines are there, and no word of failure is."""
        view = ran.view
        ends = view.whole or (view.tail is not None and view.tail > 1 and view.head is None)
        if not ends or not goal.tool.startswith(TRAILING_RUNNERS) or self.others.commands or not self.line.text.strip():
            return False
        return not shows_errors(self.line.text)

    def _filtered(self, ran: Ran, goal: Goal, section: str) -> Judged:
        """`... | grep PATTERN`: a pattern that looks for errors and finds none says passed."""
        view, body = ran.view, section.strip()
        finds = goal.kind in (GoalKind.TYPES, GoalKind.LINT) and not is_script(goal.tool)
        errors_shown = all(looks_for_errors(p, goal.tool) or (finds and looks_for_files(p)) for p in view.kept)
        if view.opaque:
            if not self.line.alone(ran):
                # Of a line that counts once, the one line that is a number.
                numbers = [line.strip() for line in body.split("\n") if line.strip().isdigit()]
                counts = sum(r.view.opaque and bool(r.view.kept) for r, _ in self.goals)
                body = numbers[0] if len(numbers) == counts == 1 else ""
            if not (errors_shown and body.isdigit() and len(body) < 9):
                return self._unclear(ran, goal)
            return self._judged(ran, goal, Verdict.PASS if int(body) == 0 else Verdict.FAIL)
        if not self.line.alone(ran) and self.line.only_others_errors(ran, goal):
            section = ""
        if has_real_errors(section, goal.tool) or (errors_shown and reports_errors(section)):
            return self._judged(ran, goal, Verdict.FAIL)
        results_shown = any(looks_for_results(pattern) for pattern in view.kept)
        seen_whole = view.head is None or line_count(section) < view.head
        if errors_shown and seen_whole and not results_shown:
            return self._judged(ran, goal, Verdict.PASS)
        return self._unclear(ran, goal)


def _only_checks_types(goal: Goal, section: str) -> bool:
    """Whether all that a script is seen to run is one checker of types, which a build may be: it names whatever it does not like."""
    found = [kind_of(echo.line) for echo in echoes_in(section, goal) if "&" not in echo.line and ";" not in echo.line]
    return found == [GoalKind.TYPES]


def _quiet(ran: Ran, goal: Goal) -> bool:
    """Whether tests that pass print nothing: the runner is told to be quiet, or always is."""
    told = goal.tool.startswith(("mvn ", "gradle ")) and not {"-q", "--quiet"}.isdisjoint(ran.words)
    return told or goal.tool == "zig build test"


def _follows(ran: Ran, earlier: Ran) -> bool:
    """Whether a command runs only where an earlier one of its and-list has passed, which no pipe of its own hides."""
    return (ran.view is earlier.view or not earlier.piped) and any(one is earlier for one in ran.before)


_MONOREPO_RUNNERS = ("npm run ", "pnpm run ", "yarn run ", "bun run ", "turbo ")
_DID_NOT_RUN = re.compile(r"(?i)no such file|not found|permission denied")
_DOUBTED_AT_ZERO = frozenset({"tap", "counts", "missing", "terraform", "tsc", "ruff", "ty", "django-migrations"})
"""Families whose lines may be printed by something else: no failure where the command is known to have exited with 0."""
