"""The verdict of each goal of a command line, out of its output and its exit code (LOG_FORMATS 1).

Belongs here: a failure summary wins over the exit code, the exit code over a pass summary; what to believe when the exit code is
hidden or the output cut. What the commands mean is `goals`, what an exit code says about each is `shell_status`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from debug_loop_pipeline.compute.error_cutting import MAX_ERRORS, CutError, cut_errors, has_real_errors, without_ansi
from debug_loop_pipeline.compute.goals import Goal
from debug_loop_pipeline.compute.output_view import View
from debug_loop_pipeline.compute.shell_status import Ran, Told
from debug_loop_pipeline.compute.summaries import Found, Says, read_summaries
from debug_loop_pipeline.compute.summary_families import (
    ALWAYS,
    FAMILIES,
    LINT_FAMILIES,
    RUNNERS,
    STYLE_FAMILIES,
    TEST_FAMILIES,
    TRAILING_RUNNERS,
)
from debug_loop_pipeline.compute.toolbox import GoalKind
from debug_loop_pipeline.models.base import Verdict


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


_EXIT_HEAD = re.compile(
    r"\A\s*(?:Exit code|exit code:?|Process exited with code|\[exit code:?)\s*(-?\d+)\]?[ \t]*(?:\n|\Z)"
)
_NO_OUTPUT = re.compile(
    r"[(<\[](?:\w+ )*(?:no|without) (?:output|content)[)>\]]|[(<\[]\w+ completed with no output[)>\]]", re.IGNORECASE
)
_BUILD_BROKE = re.compile(
    r"\[(?:build|setup) failed\]|error: could not compile|Interrupted: \d+ errors? during collection|errors? during collection"
    r"|\(typecheck\)|Test suite failed to run|COMPILATION ERROR|Compilation failed|Execution failed for task '[^']*compile|Build FAILED\."
)
_TESTS_TOLD = re.compile(
    r"^\s*--- (?:FAIL|PASS):|^(?:FAILED|PASSED) |^test \S+ \.\.\. |^\s*(?:✓|✔|✗|✕|×|ok \d|not ok)", re.MULTILINE
)
_ERROR_WORDS = re.compile(r"error|fail|✗|✘|❌|×|panic|exception|warning", re.IGNORECASE)
_NO_ERRORS = re.compile(r"\b(?:0|no) (?:errors?|failures?|failed|warnings?|problems?|issues?|fail)\b", re.IGNORECASE)
_CD_FAILED = re.compile(r"(?:cd|pushd): .*(?:No such file|no such file|can't cd|not a directory|Not a directory)")
_CRASH = re.compile(
    r"Traceback \(most recent call last\)|^panic: |^fatal error: |Segmentation fault|core dumped|^thread '.*' panicked|Unhandled|^\s+at \S+ \(",
    re.MULTILINE,
)
_REJECTS = re.compile(
    r"unknown|invalid|unrecognized|unrecognised|unexpected|no such|not (?:a|found|supported|allowed|valid)|missing|required|did you mean|unsupported|usage",
    re.IGNORECASE,
)


def judge(goals: list[tuple[Ran, Goal]], output: Output, *, changes_before: bool = False) -> list[Judged]:
    """A verdict for each goal whose verdict the output or the exit code shows, in order of the command line.

    goals: the verifying commands of one line, with what the exit code says about each; changes_before: a change (an install, a
    formatter) stands in the line, and may be what failed. Errors are cut for goals that failed.
    """
    if not goals:
        return []
    if output.cancelled:
        return [Judged(ran, goal, Verdict.CANCELLED, reached=False) for ran, goal in goals]
    if output.pending or output.missing:
        return [Judged(ran, goal, Verdict.UNCLEAR, reached=False) for ran, goal in goals[-1:]]
    text = without_ansi(output.text)
    if _NO_OUTPUT.fullmatch(text.strip()):
        text = ""
    if output.timed_out and not any(
        found.says is Says.FAIL and found.family != "runner" for found in read_summaries(text)
    ):
        error = CutError("Command timed out", type="Timeout", tool=goals[-1][1].tool)
        ran, goal = goals[-1]
        return [Judged(ran, goal, Verdict.FAIL, output.exit_code, reached=False, errors=[error])]
    judge_all = _Judge(goals, text, output, changes_before)
    judged = judge_all.decide()
    for one in judged:
        if one.verdict is Verdict.FAIL and not one.errors:
            section = judge_all.section(one.ran)
            one.errors, one.errors_not_kept = cut_errors(
                section,
                one.goal.tool if one.goal.kind is not GoalKind.RUN else None,
                one.exit_code,
                prints_means_fail=one.goal.prints_means_fail,
            )
            one.cut = one.errors_not_kept > 0 or (_cut_off(one.ran.view, section) and not _all_told(one))
            one.reached = one.reached and not one.cut
        if output.timed_out and one.verdict is Verdict.FAIL:
            one.reached = False
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


class _Judge:
    """One command line's goals against its output."""

    def __init__(self, goals: list[tuple[Ran, Goal]], text: str, output: Output, changes_before: bool) -> None:
        self.goals = goals
        self.text = text
        self.output = output
        self.changes_before = changes_before
        self.sections = _sections(goals, text) if len(goals) > 1 else {}
        self.summaries: dict[int, list[Found]] = {}

    def section(self, ran: Ran) -> str:
        """The part of the output that is this command's, where separators that were echoed tell it; else all of it."""
        return self.sections.get(id(ran), self.text)

    def _found(self, ran: Ran) -> list[Found]:
        section = self.section(ran)
        key = id(section)
        if key not in self.summaries:
            self.summaries[key] = read_summaries(section)
        return self.summaries[key]

    def decide(self) -> list[Judged]:
        judged: list[Judged] = []
        held: list[tuple[Ran, Goal]] = []
        failed = False
        for ran, goal in self.goals:
            if ran.told is Told.SUSPECT:
                if failed:
                    continue
                verdict = self._suspect(ran, goal)
                if verdict is None:
                    held.append((ran, goal))
                    continue
                judged += [self._judged(r, g, Verdict.PASS) for r, g in held]
                held = []
                judged.append(verdict)
                failed = verdict.verdict is Verdict.FAIL
            else:
                one = self._one(ran, goal)
                if one is not None:
                    judged.append(one)
        if held and not failed:
            judged += self._unattributed(held)
        if not judged:
            ran, goal = self.goals[-1]
            judged = [self._judged(ran, goal, Verdict.UNCLEAR, reached=False)]
        return judged

    def _unattributed(self, held: list[tuple[Ran, Goal]]) -> list[Judged]:
        """The line failed and no summary tells where: the first goal whose own errors show, else the last one.

        What stands before the one that failed has passed; that is said of builds and other tools that are silent then. Not reached
        where something before it may have failed.
        """
        shown = [
            at
            for at, (ran, goal) in enumerate(held)
            if goal.kind is not GoalKind.RUN and has_real_errors(self.section(ran), goal.tool)
        ]
        at = shown[0] if shown else len(held) - 1
        judged = [self._judged(ran, goal, Verdict.PASS) for ran, goal in held[:at] if goal.silent]
        ran, goal = held[at]
        if goal.kind is GoalKind.RUN:
            return [*judged, self._run(ran, goal, [])]
        reached = not (self.changes_before or (at and not judged) or _CD_FAILED.search(self.text))
        return [*judged, self._judged(ran, goal, Verdict.FAIL, reached=reached)]

    def _suspect(self, ran: Ran, goal: Goal) -> Judged | None:
        """The verdict of a goal in a failed and-list, where the output tells it."""
        own = self._own(ran, goal)
        if goal.kind is GoalKind.RUN:
            return None
        if any(f.says is Says.FAIL for f in own):
            return self._judged(ran, goal, Verdict.FAIL)
        if any(f.says is Says.PASS for f in own):
            return self._judged(ran, goal, Verdict.PASS)
        return None

    def _own(self, ran: Ran, goal: Goal) -> list[Found]:
        """The summaries that are this goal's: of its tool's family; a script's by its kind where the line has several goals."""
        found = self._found(ran)
        families = FAMILIES.get(goal.tool)
        if families is not None:
            wanted = families | ALWAYS
            return [f for f in found if f.family in wanted]
        alone = len(self.goals) == 1 and not (self.changes_before and ran.told is Told.SUSPECT)
        if alone or id(ran) in self.sections:
            return found
        others = frozenset().union(*(FAMILIES.get(g.tool, frozenset()) for r, g in self.goals if r is not ran))
        if goal.kind is GoalKind.TEST:
            return [f for f in found if f.family in TEST_FAMILIES | ALWAYS and f.family not in others]
        if goal.kind in (GoalKind.LINT, GoalKind.TYPES, GoalKind.FORMAT):
            return [f for f in found if f.family in LINT_FAMILIES and f.family not in others]
        return [f for f in found if f.family not in TEST_FAMILIES | STYLE_FAMILIES | RUNNERS and f.family not in others]

    def _judged(self, ran: Ran, goal: Goal, verdict: Verdict, *, reached: bool = True) -> Judged:
        passed, failed = _counts(self._own(ran, goal))
        if verdict is Verdict.FAIL and goal.kind in (GoalKind.TEST, GoalKind.LINT, GoalKind.MIXED) and reached:
            section = self.section(ran)
            if _BUILD_BROKE.search(section) and ((passed is None and failed is None) or goal.kind is GoalKind.LINT):
                reached = False
        code = ran.exit_code
        if verdict is Verdict.PASS and ran.told in (Told.PASSED, Told.SUSPECT) and goal.kind is not GoalKind.RUN:
            code = 0
        return Judged(ran, goal, verdict, code, passed, failed, reached)

    def _one(self, ran: Ran, goal: Goal) -> Judged | None:
        own = self._own(ran, goal)
        fails = [f for f in own if f.says is Says.FAIL]
        passes = [f for f in own if f.says is Says.PASS]
        nothing = [f for f in own if f.says is Says.NOTHING]
        if ran.background:
            return self._judged(ran, goal, Verdict.UNCLEAR, reached=False)
        if goal.kind is GoalKind.RUN:
            return self._run(ran, goal, fails)
        if ran.told is Told.PASSED:
            return self._succeeded(ran, goal, fails, passes, nothing)
        if fails and not _contradicted(fails, ran):
            return self._judged(ran, goal, Verdict.FAIL)
        if ran.told is Told.FAILED:
            empty = nothing and not passes and not fails
            if ran.exit_code == 4 and goal.tool == "pytest":
                return self._judged(ran, goal, Verdict.FAIL, reached=False)
            if empty or (goal.tool == "pytest" and ran.exit_code == 5):
                return self._judged(ran, goal, Verdict.UNCLEAR, reached=False)
            return self._judged(ran, goal, Verdict.FAIL, reached=not _CD_FAILED.search(self.text))
        if passes:
            return self._judged(ran, goal, Verdict.PASS)
        if nothing:
            return self._judged(ran, goal, Verdict.UNCLEAR, reached=False)
        return self._hidden(ran, goal)

    def _succeeded(self, ran: Ran, goal: Goal, fails: list[Found], passes: list[Found], nothing: list[Found]) -> Judged:
        section = self.section(ran)
        if goal.prints_means_fail and ran.view.whole and len(self.goals) == 1 and section.strip():
            return self._judged(ran, goal, Verdict.FAIL)
        if fails and not _contradicted(fails, ran):
            return self._judged(ran, goal, Verdict.FAIL)
        doubtful = any(f.says is Says.DOUBT for f in self._own(ran, goal)) and not passes
        if doubtful or (nothing and not passes and goal.kind in (GoalKind.TEST, GoalKind.MIXED)):
            return self._judged(ran, goal, Verdict.UNCLEAR, reached=False)
        return self._judged(ran, goal, Verdict.PASS)

    def _run(self, ran: Ran, goal: Goal, fails: list[Found]) -> Judged:
        """A program the task wrote or built. One that turns a wrong argument down does its work, whatever it exits with."""
        section = self.section(ran)
        if ran.told is Told.PASSED:
            own = [f for f in fails if f.family in TEST_FAMILIES]
            return self._judged(ran, goal, Verdict.FAIL if own else Verdict.PASS)
        if ran.told in (Told.FAILED, Told.SUSPECT):
            if goal.filters and not _CRASH.search(section) and _rejects_argument(goal.filters, section):
                return self._judged(ran, goal, Verdict.PASS)
            return self._judged(ran, goal, Verdict.FAIL)
        if any(f.family in TEST_FAMILIES | ALWAYS for f in fails) or _CRASH.search(section) or has_real_errors(section):
            return self._judged(ran, goal, Verdict.FAIL)
        complete = _complete(ran.view, section)
        return self._judged(
            ran, goal, Verdict.PASS if complete and section.strip() else Verdict.UNCLEAR, reached=complete
        )

    def _hidden(self, ran: Ran, goal: Goal) -> Judged | None:
        """No exit code, no summary: what is left of the output decides."""
        section, view = self.section(ran), ran.view
        alone = len(self.goals) == 1 or id(ran) in self.sections
        if view.kept or (view.opaque and view.kept):
            return self._filtered(ran, goal, section)
        if view.opaque:
            return self._judged(ran, goal, Verdict.UNCLEAR, reached=False) if alone else None
        if goal.prints_means_fail:
            failed = bool(section.strip())
            return self._judged(ran, goal, Verdict.FAIL if failed else Verdict.PASS) if alone else None
        if _family_errors(section, goal) or (view.head is None and _ends_in_error(section)):
            return self._judged(ran, goal, Verdict.FAIL)
        if not alone and not goal.silent:
            return None
        complete = _complete(view, section)
        if complete and goal.kind is not GoalKind.TEST:
            return self._judged(ran, goal, Verdict.PASS)
        if complete and section.strip() and goal.tool not in FAMILIES:
            return self._judged(ran, goal, Verdict.PASS)
        ends_shown = view.tail is not None and view.head is None
        if (
            ends_shown
            and section.strip()
            and (
                goal.kind is not GoalKind.TEST
                or goal.tool.startswith(("npm run", "yarn run", "pnpm run", "make", "bun run"))
            )
        ):
            trailer = (
                goal.tool.startswith(TRAILING_RUNNERS) or goal.silent or goal.kind in (GoalKind.BUILD, GoalKind.TYPES)
            )
            if trailer and not _ERROR_WORDS.search(_NO_ERRORS.sub("", section)):
                return self._judged(ran, goal, Verdict.PASS)
        return self._judged(ran, goal, Verdict.UNCLEAR, reached=False)

    def _filtered(self, ran: Ran, goal: Goal, section: str) -> Judged:
        """`... | grep PATTERN`: a pattern that looks for errors and finds none says passed."""
        looks_for_errors = all(_looks_for_errors(pattern) for pattern in ran.view.kept)
        body = section.strip()
        if ran.view.opaque:
            counted = body.isdigit() and looks_for_errors
            verdict = (
                (Verdict.PASS if int(body) == 0 else Verdict.FAIL) if counted and len(body) < 9 else Verdict.UNCLEAR
            )
            return self._judged(ran, goal, verdict, reached=counted)
        lines = [line for line in body.split("\n") if _ERROR_WORDS.search(line) and not _NO_ERRORS.search(line)]
        if looks_for_errors and not body:
            return self._judged(ran, goal, Verdict.PASS)
        if has_real_errors(section, goal.tool) or (
            looks_for_errors and any(_REPORTS_ERROR.search(line) for line in lines)
        ):
            return self._judged(ran, goal, Verdict.FAIL)
        return self._judged(ran, goal, Verdict.UNCLEAR, reached=False)


_REPORTS_ERROR = re.compile(
    r"\berror\b\s*(?:TS\d+|\[|:)|^\s*(?:error|fail(?:ed|ure)?)\b|\bERR!|\bFAILED\b|\b[1-9]\d* (?:errors?|failed|failures?)\b",
    re.IGNORECASE,
)
_ERROR_LINE = re.compile(r"\s*(?:error|fatal|Error|FATAL|ERROR|\w+Error)(?:\[\w+\])?: \S")
_PROBES = (
    "error TS2345: Argument",
    "src/a.ts:1:2: error: something",
    "Error: something went wrong",
    "error: cannot find value",
)


def _looks_for_errors(pattern: str) -> bool:
    """Whether a `grep` pattern would let the usual error lines through: it names errors, and no file or feature beside them."""
    if not re.search(r"err|fail|warn", pattern, re.IGNORECASE):
        return False
    alternatives = re.split(r"\\?\|", pattern.strip("()"))
    try:
        return any(
            re.search(a.replace("\\", "\\") or "^$", probe, re.IGNORECASE) for a in alternatives for probe in _PROBES
        )
    except re.error:
        return "error" in pattern.lower()


def _contradicted(fails: list[Found], ran: Ran) -> bool:
    """Lines that only look like a failure when the command is known to have exited with 0."""
    return ran.told is Told.PASSED and all(
        f.family in ("tap", "counts", "missing", "terraform", "tsc", "ruff") for f in fails
    )


def _counts(found: list[Found]) -> tuple[int | None, int | None]:
    """Passed and failed tests, of the family that tells both where there is one."""
    tests = [f for f in found if f.family in TEST_FAMILIES]
    both = [f for f in tests if f.passed is not None and f.failed is not None and f.passed + f.failed]
    if both:
        return both[0].passed, both[0].failed
    passed = next((f.passed for f in tests if f.passed is not None), None)
    failures = [f.failed for f in tests if f.failed is not None]
    return passed, max(failures) if failures else None


def _complete(view: View, section: str) -> bool:
    """Whether all of the command's output is there: nothing cut it, or what cut it had nothing to cut."""
    if view.kept or view.opaque:
        return False
    limits = [limit for limit in (view.head, view.tail) if limit is not None]
    return not limits or _line_count(section) < min(limits)


def _line_count(section: str) -> int:
    return len(section.rstrip("\n").split("\n")) if section else 0


def _cut_off(view: View, section: str) -> bool:
    """Whether errors may be missing from what is seen; `grep error` leaves the errors."""
    if view.kept and not view.opaque and not view.dropped and all(_looks_for_errors(pattern) for pattern in view.kept):
        view = View(view.head, view.tail)
    return not _complete(view, section)


def _all_told(one: Judged) -> bool:
    """Whether the summary counts no more failing tests than are seen."""
    tests = {error.test for error in one.errors if error.test}
    return one.failed is not None and 0 < one.failed <= len(tests)


def _family_errors(section: str, goal: Goal) -> bool:
    if (goal.kind is GoalKind.TEST and goal.tool in ("bun test", "jest", "vitest", "mocha")) or not section:
        return False
    return has_real_errors(section, goal.tool)


def _ends_in_error(section: str) -> bool:
    """Whether the last line is an error: a runner that got to its end would have printed a summary."""
    return _ERROR_LINE.match(section.rstrip().rsplit("\n", 1)[-1]) is not None


def _rejects_argument(args: tuple[str, ...], section: str) -> bool:
    """Whether the program names one of its own arguments as wrong."""
    words = [a.strip("-") for a in args if len(a.strip("-")) > 1]
    for line in section.split("\n"):
        if any(re.search(rf"(?<![\w-]){re.escape(w)}(?![\w-])", line) for w in words) and _REJECTS.search(line):
            return True
    return False


def _sections(goals: list[tuple[Ran, Goal]], text: str) -> dict[int, str]:
    """The output between literal lines that the command line echoes between its goals: `a; echo ---; b`."""
    lines = text.split("\n")
    marks: list[tuple[int, Ran]] = []
    at = 0
    for ran, _ in goals:
        marker = ran.marker
        if marker is None:
            marks.append((at, ran))
            continue
        found = next((i for i in range(at, len(lines)) if lines[i].strip() == marker), None)
        if found is None:
            return {}
        at = found + 1
        marks.append((at, ran))
    if len({start for start, _ in marks}) != len(marks):
        return {}
    ends = [*(start - 1 for start, _ in marks[1:]), len(lines)]
    return {id(ran): "\n".join(lines[start:end]) for (start, ran), end in zip(marks, ends, strict=True)}


__all__ = ["MAX_ERRORS", "Judged", "Output", "call_verdict", "exit_code_in", "judge"]
