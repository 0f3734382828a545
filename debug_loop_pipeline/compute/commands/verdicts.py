"""The verdict of each goal of a command line, out of its output and its exit code (LOG_FORMATS 1).

Belongs here: a failure summary wins over the exit code, the exit code over a pass summary; what to believe when the exit code is
hidden or the output cut. What commands mean is `command_meaning`, what an exit code says about each is `shell_status`.
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
from debug_loop_pipeline.compute.commands.error_cutting.go import Packages, packages
from debug_loop_pipeline.compute.commands.goals import Goal, GoalRun
from debug_loop_pipeline.compute.commands.output_clues import (
    BUILD_BROKE,
    CD_FAILED,
    CRASH,
    NO_OUTPUT,
    ends_in_dots,
    ends_in_error,
    failed_scripts,
    is_complete,
    line_count,
    looks_for_errors,
    looks_for_files,
    looks_for_results,
    matches,
    may_hide_errors,
    only_well_dropped,
    passed_dots,
    rejects_argument,
    reports_errors,
    runs_of,
    shows_errors,
    turbo_runs,
)
from debug_loop_pipeline.compute.commands.script_echoes import has_begun
from debug_loop_pipeline.compute.commands.script_runs import is_script, shown_runners
from debug_loop_pipeline.compute.commands.shell_status import Ran, Told
from debug_loop_pipeline.compute.commands.summaries import Found, Says, read_summaries
from debug_loop_pipeline.compute.commands.summary_families import (
    ALWAYS,
    FAMILIES,
    KIND_FAMILIES,
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
    scripts = dict.fromkeys(_script(goal) for _, goal in goals if goal.tool.startswith(_MONOREPO_RUNNERS))
    text = without_task_prefixes(without_ansi(output.text), scripts)
    if NO_OUTPUT.fullmatch(text.strip()):
        text = ""
    timed_out = output.timed_out or _hit_time_limit(goals)
    if timed_out and not any(f.says is Says.FAIL and f.family != "runner" for f in read_summaries(text)):
        ran, goal = goals[-1]
        error = CutError("Command timed out", type="Timeout", tool=goal.tool)
        return [Judged(ran, goal, Verdict.FAIL, output.exit_code, reached=False, errors=[error])]
    line = _Line(goals, text, others or Others())
    judged = line.decide()
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


def _with_errors(one: Judged, line: _Line) -> None:
    """Cuts the errors of a failed goal out of its part of the output; of several goals only its own where they can be told."""
    section = line.section(one.ran)
    tool = one.goal.tool if one.goal.kind is not GoalKind.RUN else None
    one.errors, one.errors_not_kept = cut_errors(
        section, tool, one.exit_code, prints_means_fail=one.goal.prints_means_fail
    )
    if not line.alone(one.ran):
        one.errors = line.own_errors(one.ran, one.goal, one.errors) or one.errors
    hidden = may_hide_errors(one.ran.view, line.between_marks(one.ran), one.goal.tool) and not _all_told(one)
    one.cut = one.errors_not_kept > 0 or hidden
    one.reached = one.reached and not one.cut
    one.packages = packages(section)


def _all_told(one: Judged) -> bool:
    """Whether the summary counts no more failing tests than are seen."""
    tests = {error.test for error in one.errors if error.test}
    return one.failed is not None and 0 < one.failed <= len(tests)


class _Line:
    """One command line's goals against its output."""

    def __init__(self, goals: list[tuple[Ran, Goal]], text: str, others: Others) -> None:
        self.goals = goals
        self.text = text
        self.others = others
        self.sections, self.shared = _sections(goals, text) if len(goals) > 1 else ({}, frozenset[int]())
        self.filtered = {id(ran): left for ran, _ in goals if (left := self._left_by_grep(ran)) is not None}
        self.end: str | None = None
        """What the `tail` at the end of the line left of the output."""
        self.summaries: dict[int, list[Found]] = {}
        self.given_up = failed_scripts(text)
        """Names of the scripts and tasks that a runner says have failed."""

    def section(self, ran: Ran) -> str:
        """The part of the output that is this command's, as far as separators that were echoed, or a `tail` at the end of the line, tell it."""
        if not ran.ends or id(ran) in self.sections:
            return self.between_marks(ran)
        if self.end is None:
            self.end = _last_lines(self.text, ran)
        return self.end

    def between_marks(self, ran: Ran) -> str:
        """The part of the output that separators that were echoed, and its own `grep`, give to this command; else all of it."""
        if id(ran) in self.filtered:
            return self.filtered[id(ran)]
        return self.sections.get(id(ran), self.text)

    def _left_by_grep(self, ran: Ran) -> str | None:
        """Of a line with several goals only what `check 2>&1 | grep PATTERN` can have printed; None where that is not known."""
        view = ran.view
        merged = any(r.fd == 2 and r.op == ">&" and r.target == "1" for r in ran.simple.redirections)
        if len(self.goals) < 2 or not view.kept or view.around or view.opaque or not merged:
            return None
        lines = self.sections.get(id(ran), self.text).split("\n")
        return "\n".join(line for line in lines if all(matches(pattern, (line,)) for pattern in view.kept))

    def alone(self, ran: Ran) -> bool:
        """Whether the section of the output is this goal's only."""
        return len(self.goals) == 1 or (id(ran) in self.sections and id(ran) not in self.shared)

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
        judged = self._with_silent_listers(judged)
        return judged or [self._not_reached(*self.goals[-1])]

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
        if not silent or not passed or self.others.commands or _DID_NOT_RUN.search(self.text):
            return judged
        if has_real_errors(self.text):
            return judged
        known |= {id(ran): self._judged(ran, goal, Verdict.PASS) for ran, goal in silent}
        return [known[id(ran)] for ran, _ in self.goals if id(ran) in known]

    def _listed_nothing(self, ran: Ran) -> bool:
        seen = ran.told is Told.HIDDEN and ran.view.whole and not ran.background
        return seen and not self._printed(ran, self.section(ran))

    def _stopped_before(self, ran: Ran, goal: Goal) -> bool:
        """Whether the line failed before it came to this command.

        A summary that can only be its own says that it ran: in that shell a pipe does fail with its first command.
        """
        if ran.told is Told.UNREACHED and len(self.goals) == 1 and self._own(ran, goal):
            return False
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
        return next((at for at, (_, goal) in enumerate(self.goals) if self._gave_up(goal)), None)

    def _gave_up(self, goal: Goal) -> bool:
        """Whether a runner names this goal's script as one that failed."""
        return _script(goal) in self.given_up

    def _alone_gave_up(self, goal: Goal) -> bool:
        """Whether it is the only one of the line that a runner may mean with a name of what failed."""
        return self._gave_up(goal) and sum(_script(other) == _script(goal) for _, other in self.goals) == 1

    def _last_begun(self) -> int:
        """The last goal of a failed and-list whose script has begun: those before it have passed."""
        suspects = [at for at, (ran, _) in enumerate(self.goals) if ran.told is Told.SUSPECT]
        return max((at for at in suspects[1:] if has_begun(self.goals[at][1], self.text)), default=0)

    def _suspect(self, ran: Ran, goal: Goal, named: int | None, begun: int) -> Judged | None:
        """The verdict of a goal in a failed and-list, where the output tells it."""
        at = next(i for i, (r, _) in enumerate(self.goals) if r is ran)
        if named is not None and at <= named:
            return self._judged(ran, goal, Verdict.FAIL if at == named else Verdict.PASS)
        if at < begun:
            return self._judged(ran, goal, Verdict.PASS)
        if goal.kind is GoalKind.RUN:
            return None
        own = self._own(ran, goal)
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
            at for at, (ran, goal) in enumerate(held) if goal.kind is not GoalKind.RUN and self._has_errors(ran, goal)
        ]
        at = shown[0] if shown else len(held) - 1
        judged = [self._judged(ran, goal, Verdict.PASS) for ran, goal in held[:at] if goal.silent]
        ran, goal = held[at]
        if not shown and self.others.commands:
            return [*judged, self._judged(ran, goal, Verdict.UNCLEAR, reached=False)]
        if goal.kind is GoalKind.RUN:
            return [*judged, self._run(ran, goal, [])]
        not_reached = self.others.changes_before or (at and not judged) or CD_FAILED.search(self.text)
        reached = not not_reached or self._names_places(ran, goal)
        return [*judged, self._judged(ran, goal, Verdict.FAIL, reached=reached)]

    def _names_places(self, ran: Ran, goal: Goal) -> bool:
        """Whether findings stand there in the form of this very tool: then it ran, whatever else of the line may have failed."""
        return any(
            error.path and error.tool == goal.tool and error.type != "invalid-syntax"
            for error in cut_errors(self.section(ran), None)[0]
        )

    def _has_errors(self, ran: Ran, goal: Goal) -> bool:
        """Whether errors of this goal's own show; of a line with several goals those of its tool."""
        section = self.section(ran)
        if self.alone(ran):
            return has_real_errors(section, goal.tool)
        if not error_tools(goal.tool) and not has_real_errors(section, goal.tool):
            return False
        return bool(self.own_errors(ran, goal, cut_errors(section, None)[0]))

    def own_errors(self, ran: Ran, goal: Goal, errors: list[CutError]) -> list[CutError]:
        """Of the errors of a line with several goals those of this goal's tool; where its errors have no name of their own,
        those that are no other goal's, and no failing tests where it runs none.
        """
        wanted = error_tools(goal.tool)
        if wanted:
            return [error for error in errors if error.tool in wanted]
        others = frozenset[str]().union(*(error_tools(g.tool) for r, g in self.goals if r is not ran))
        if any(g.kind is GoalKind.RUN for r, g in self.goals if r is not ran):
            # A file that is missing is what the program was asked for.
            others |= {"shell"}
        runs_tests = goal.kind in _RUNS_TESTS
        elsewhere = _NOT_ITS_KIND.get(goal.kind, frozenset()) & {g.kind for r, g in self.goals if r is not ran}
        return [
            error
            for error in errors
            if error.tool not in others and (runs_tests or error.test is None) and kind_of(error.tool) not in elsewhere
        ]

    def _found(self, ran: Ran) -> list[Found]:
        section = self.section(ran)
        key = id(section)
        if key not in self.summaries:
            self.summaries[key] = read_summaries(section)
        return self.summaries[key]

    def _own(self, ran: Ran, goal: Goal) -> list[Found]:
        """The summaries that are this goal's: of its tool's family; a script's by its kind where the line has several goals."""
        found = self._found(ran) if self.alone(ran) else self._without_others_tests(ran, goal)
        families = FAMILIES.get(goal.tool)
        if families is not None:
            wanted = families | ALWAYS
            return [f for f in found if f.family in wanted]
        mixed = self.others.changes_before and ran.told is Told.SUSPECT
        if self.alone(ran) and not mixed:
            return found
        if len(self.goals) > 1 and ran is self.goals[-1][0] and len({g.tool.split(" ")[0] for _, g in self.goals}) == 1:
            # The end of the output is the last one's, and so is what their common runner says there.
            trailer = [f for f in found if f.family == "runner"]
            if trailer and (self._gave_up(goal) or not any(self._gave_up(g) for _, g in self.goals)):
                return trailer
        elsewhere = frozenset().union(*(FAMILIES.get(g.tool, frozenset()) for r, g in self.goals if r is not ran))
        kinds = {g.kind for r, g in self.goals if r is not ran}
        for kind in kinds - {goal.kind}:
            if kind is GoalKind.TYPES:
                elsewhere |= KIND_FAMILIES[GoalKind.TYPES]
        return [f for f in found if f.family in KIND_FAMILIES[goal.kind] and f.family not in elsewhere]

    def _without_others_tests(self, ran: Ran, goal: Goal) -> list[Found]:
        """Of a line with several goals the summaries without those of tests that this goal does not run but another does, and without bare
        counts (`1 failed, 4 passed`) where a summary that is known stands there: they are in it.
        """
        found = self._found(ran)
        others = [g for r, g in self.goals if r is not ran]
        if goal.kind not in _RUNS_TESTS and any(g.kind in _RUNS_TESTS for g in others):
            found = [f for f in found if f.family not in _COUNT_TESTS or (f.passed is None and f.failed is None)]
        known = FAMILIES.get(goal.tool, frozenset()).union(*(FAMILIES.get(g.tool, frozenset()) for g in others))
        if any(f.family in known for f in found):
            found = [f for f in found if f.family != "counts"]
        return found

    def _judged(self, ran: Ran, goal: Goal, verdict: Verdict, *, reached: bool = True) -> Judged:
        own = self._own(ran, goal)
        passed, failed = test_counts(own)
        if verdict is Verdict.FAIL and reached and goal.kind in (GoalKind.TEST, GoalKind.LINT, GoalKind.MIXED):
            nothing_ran = (passed is None and failed is None) or goal.kind is GoalKind.LINT
            reached = not (nothing_ran and BUILD_BROKE.search(self.section(ran)))
        if passed is None and failed is None and goal.tool == "pytest" and is_complete(ran.view, self.section(ran)):
            passed = passed_dots(self.section(ran))
        code = ran.exit_code
        if verdict is Verdict.PASS and ran.told in (Told.PASSED, Told.SUSPECT) and goal.kind is not GoalKind.RUN:
            code = 0
        runners = shown_runners(goal.tool, own)
        return Judged(ran, goal, verdict, code, passed, failed, reached, runners=runners)

    def _unclear(self, ran: Ran, goal: Goal) -> Judged:
        return self._judged(ran, goal, Verdict.UNCLEAR, reached=False)

    def _one(self, ran: Ran, goal: Goal) -> Judged | None:
        own = self._own(ran, goal)
        says = {f.says for f in own}
        if ran.background:
            return self._unclear(ran, goal)
        if goal.kind is GoalKind.RUN:
            return self._run(ran, goal, own)
        if ran.told is Told.PASSED:
            return self._succeeded(ran, goal, own)
        if Says.FAIL in says or (ran.told is Told.HIDDEN and self._alone_gave_up(goal)):
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
        if view.opaque and not view.kept and not self.section(ran).strip():
            return self._judged(ran, goal, Verdict.FAIL)
        return self._judged(ran, goal, Verdict.FAIL, reached=not CD_FAILED.search(self.text))

    def _succeeded(self, ran: Ran, goal: Goal, own: list[Found]) -> Judged:
        section = self.section(ran)
        if goal.prints_means_fail and ran.view.whole and self._printed(ran, section):
            return self._judged(ran, goal, Verdict.FAIL)
        if any(f.says is Says.FAIL and f.family not in _DOUBTED_AT_ZERO for f in own):
            return self._judged(ran, goal, Verdict.FAIL)
        passed = any(f.says is Says.PASS for f in own)
        doubtful = any(f.says is Says.DOUBT for f in own)
        nothing = any(f.says is Says.NOTHING for f in own) and goal.kind in (GoalKind.TEST, GoalKind.MIXED)
        if not passed and (doubtful or nothing):
            return self._unclear(ran, goal)
        return self._judged(ran, goal, Verdict.PASS)

    def _printed(self, ran: Ran, section: str) -> bool:
        """Whether a formatter that lists or shows what it would change printed anything; of a line of goals, a bare path."""
        return bool(section.strip()) if self.alone(ran) else _BARE_PATH.search(section) is not None

    def _run(self, ran: Ran, goal: Goal, own: list[Found]) -> Judged:
        """A program the task wrote or built. One that turns a wrong argument down does its work, whatever it exits with."""
        section = self.section(ran)
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
        section, view = self.section(ran), ran.view
        alone = self.alone(ran)
        if view.kept:
            return self._filtered(ran, goal, section)
        if view.opaque:
            return self._unclear(ran, goal) if alone else None
        if goal.prints_means_fail:
            if alone:
                return self._judged(ran, goal, Verdict.FAIL if section.strip() else Verdict.PASS)
            # `gofmt -l . ; go vet ./...`: of what the line printed, only a bare path is surely its own.
            listed = view.whole and not self.others.commands and self._printed(ran, section)
            return self._judged(ran, goal, Verdict.FAIL) if listed else None
        noisy = goal.tool in _NOISY_RUNNERS
        if section and (
            (not noisy and self._has_errors(ran, goal)) or (alone and view.head is None and ends_in_error(section))
        ):
            return self._judged(ran, goal, Verdict.FAIL)
        others_passed = all(r.told is Told.PASSED for r, _ in self.goals if r is not ran)
        last = ran is self.goals[-1][0]
        if not alone and not goal.silent and not others_passed:
            # The end of the output is the last one's.
            well = last and not self.others.commands and self._end_looks_well(ran, goal, section)
            return self._judged(ran, goal, Verdict.PASS) if well else None
        if goal.tool == "pytest" and alone and ends_in_dots(ran.words, section):
            return self._judged(ran, goal, Verdict.PASS)
        if not section.strip() and alone and only_well_dropped(view):
            return self._judged(ran, goal, Verdict.PASS)
        if is_complete(view, section):
            tells_nothing = goal.kind is GoalKind.TEST and (not section.strip() or goal.tool in FAMILIES)
            return self._unclear(ran, goal) if tells_nothing else self._judged(ran, goal, Verdict.PASS)
        if self._end_looks_well(ran, goal, section):
            return self._judged(ran, goal, Verdict.PASS)
        return self._unclear(ran, goal)

    def _end_looks_well(self, ran: Ran, goal: Goal, section: str) -> bool:
        """`| tail`: the end is there, and of a tool that ends with its failures no failure is in it."""
        if ran.view.tail is None or ran.view.head is not None or not section.strip() or shows_errors(section):
            return False
        if goal.kind is GoalKind.TEST:
            return goal.tool not in FAMILIES and goal.tool.startswith(TRAILING_RUNNERS)
        return goal.tool.startswith(TRAILING_RUNNERS) or goal.silent or goal.kind in (GoalKind.BUILD, GoalKind.TYPES)

    def _filtered(self, ran: Ran, goal: Goal, section: str) -> Judged:
        """`... | grep PATTERN`: a pattern that looks for errors and finds none says passed."""
        view, body = ran.view, section.strip()
        finds = goal.kind in (GoalKind.TYPES, GoalKind.LINT) and not is_script(goal.tool)
        errors_shown = all(looks_for_errors(p) or (finds and looks_for_files(p)) for p in view.kept)
        if view.opaque:
            if not (errors_shown and body.isdigit() and len(body) < 9):
                return self._unclear(ran, goal)
            return self._judged(ran, goal, Verdict.PASS if int(body) == 0 else Verdict.FAIL)
        if has_real_errors(section, goal.tool) or (errors_shown and reports_errors(section)):
            return self._judged(ran, goal, Verdict.FAIL)
        results_shown = any(looks_for_results(pattern) for pattern in view.kept)
        seen_whole = view.head is None or line_count(section) < view.head
        if errors_shown and seen_whole and not results_shown:
            return self._judged(ran, goal, Verdict.PASS)
        return self._unclear(ran, goal)


def _script(goal: Goal) -> str:
    return goal.tool.split(" ")[-1]


_MONOREPO_RUNNERS = ("npm run ", "pnpm run ", "yarn run ", "bun run ", "turbo ")
_COUNT_TESTS = TEST_FAMILIES | {"counts"}
_RUNS_TESTS = frozenset({GoalKind.TEST, GoalKind.MIXED, GoalKind.RUN})
_NOT_ITS_KIND: dict[GoalKind, frozenset[GoalKind]] = {
    GoalKind.LINT: frozenset({GoalKind.TYPES, GoalKind.TEST, GoalKind.BUILD}),
    GoalKind.FORMAT: frozenset({GoalKind.TYPES, GoalKind.TEST, GoalKind.BUILD}),
    GoalKind.TYPES: frozenset({GoalKind.LINT, GoalKind.FORMAT, GoalKind.TEST}),
    GoalKind.TEST: frozenset({GoalKind.LINT, GoalKind.FORMAT}),
}
"""Whose findings are not a script's of that kind where the line also has one of theirs (`npm run lint; npm run typecheck`)."""
_BARE_PATH = re.compile(r"^(?:[\w.@+-]+/)*[\w.@+-]+\.[A-Za-z]\w{0,9}$", re.MULTILINE)
_DID_NOT_RUN = re.compile(r"(?i)no such file|not found|permission denied")
_DOUBTED_AT_ZERO = frozenset({"tap", "counts", "missing", "terraform", "tsc", "ruff", "ty"})
"""Families whose lines may be printed by something else: no failure where the command is known to have exited with 0."""


_RUNNERS_WORD = re.compile(r"\n+(?:Shell cwd was reset to .*)?\s*\Z")
"""What an agent's own tool adds behind an output."""


def _last_lines(text: str, ran: Ran) -> str:
    """What a command at the end of its line can have printed at most, after `2>&1 | tail -n N`."""
    if not ran.ends or ran.view.tail is None:
        return text
    lines = _RUNNERS_WORD.sub("", text).split("\n")
    return "\n".join(lines[-ran.view.tail :]) if len(lines) > ran.view.tail else text


def _sections(goals: list[tuple[Ran, Goal]], text: str) -> tuple[dict[int, str], frozenset[int]]:
    """The output between literal lines that the command line echoes between its goals: `a; echo ---; b`.

    Without them the last words of Turborepo, or of the one test runner that all of them are, where each goal ends with them. Also which goals have a part together with others.
    """
    if all(ran.marker is None for ran, _ in goals):
        tools = {goal.tool for _, goal in goals}
        runs = turbo_runs(text) or (runs_of(tools.pop(), text) if len(tools) == 1 else [])
        runs = runs if len(runs) == len(goals) else []
        return {id(ran): run for (ran, _), run in zip(goals, runs, strict=False)}, frozenset()
    lines = text.split("\n")
    starts: list[int] = []
    at = mark = 0
    for ran, _ in goals:
        if ran.mark != mark:
            # One that was not printed (`&& echo OK`) parts nothing.
            at = next((i + 1 for i in range(at, len(lines)) if lines[i].strip() == ran.marker), at)
            mark = ran.mark
        starts.append(at)
    after = [next((other for other in starts[n + 1 :] if other > start), None) for n, start in enumerate(starts)]
    ends = [end - 1 if end is not None else len(lines) for end in after]
    parts = {(start, end): "\n".join(lines[start:end]) for start, end in zip(starts, ends, strict=True)}
    if len(parts) == 1:
        return {}, frozenset()
    sections = {id(ran): parts[start, end] for (ran, _), start, end in zip(goals, starts, ends, strict=True)}
    return sections, frozenset(
        id(ran) for (ran, _), start in zip(goals, starts, strict=True) if starts.count(start) > 1
    )
