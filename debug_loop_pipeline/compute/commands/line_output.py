"""Whose is what in the output of a command line with several checks: parts, summaries and errors of each.

Belongs here: what separators, a `tail`, a `grep`, the last words of runners and the tools' own forms tell of where an output comes from. What
follows for the verdicts is `verdicts`.
"""

from __future__ import annotations

import re

from debug_loop_pipeline.compute.commands.error_cutting import CutError, cut_errors, has_real_errors
from debug_loop_pipeline.compute.commands.goals import Goal
from debug_loop_pipeline.compute.commands.output_clues import matches
from debug_loop_pipeline.compute.commands.runner_words import (
    banners,
    failed_scripts,
    nameless_banners,
    runs_of,
    turbo_runs,
)
from debug_loop_pipeline.compute.commands.shell_status import Ran, Told
from debug_loop_pipeline.compute.commands.summaries import Found, Says, read_summaries
from debug_loop_pipeline.compute.commands.summary_families import (
    ALWAYS,
    FAMILIES,
    KIND_FAMILIES,
    TEST_FAMILIES,
    error_tools,
)
from debug_loop_pipeline.compute.commands.toolbox import GoalKind, kind_of

_COUNT_TESTS = TEST_FAMILIES | {"counts"}
_RUNS_TESTS = frozenset({GoalKind.TEST, GoalKind.MIXED, GoalKind.RUN})
_NOT_ITS_KIND: dict[GoalKind, frozenset[GoalKind]] = {
    GoalKind.LINT: frozenset({GoalKind.TYPES, GoalKind.TEST, GoalKind.BUILD}),
    GoalKind.FORMAT: frozenset({GoalKind.TYPES, GoalKind.TEST, GoalKind.BUILD}),
    GoalKind.TYPES: frozenset({GoalKind.LINT, GoalKind.FORMAT, GoalKind.TEST}),
    GoalKind.TEST: frozenset({GoalKind.LINT, GoalKind.FORMAT, GoalKind.TYPES}),
}
"""Whose findings are not a script's of that kind where the line also has one of theirs (`npm run lint; npm run typecheck`)."""
_BARE_PATH = re.compile(r"^(?:[\w.@+-]+/)*[\w.@+-]+\.[A-Za-z]\w{0,9}$", re.MULTILINE)


class LineOutput:
    """The output of one command line, and its goals in order."""

    def __init__(self, goals: list[tuple[Ran, Goal]], text: str, *, changes_before: bool) -> None:
        self.goals = goals
        self.text = text
        self._changes_before = changes_before
        self._sections, self._shared = _sections(goals, text) if len(goals) > 1 else ({}, frozenset[int]())
        self._filtered = {id(ran): left for ran, _ in goals if (left := self._left_by_grep(ran)) is not None}
        self._end: str | None = None
        """What the `tail` at the end of the line left of the output."""
        self._summaries: dict[int, list[Found]] = {}
        self._not_begun = frozenset[int]()
        if len(goals) > 1 and not self._sections:
            self._by_banners()
        self._given_up = failed_scripts(text)
        """Names of the scripts and tasks that a runner says have failed."""

    def _by_banners(self) -> None:
        """The parts that begin with the banners of scripts; a goal that prints none after one that does has part in that one's.

        Where one has begun, a later one without a banner has not, if the banner could not be cut off.
        """
        begins = banners(
            [script_of(goal) if goal.tool.startswith(_PRINT_BANNERS) else "" for _, goal in self.goals], self.text
        )
        nameless = [n for n, (_, goal) in enumerate(self.goals) if goal.tool.startswith(_NAMELESS)]
        if len(nameless) == len(begins):
            begins = nameless_banners(len(begins), self.text)
        places = [place for place in begins if place is not None]
        if not places:
            return
        lines = self.text.split("\n")
        first = begins.index(places[0])
        idle = {n for n, begin in enumerate(begins) if begin is None and n > first and self._would_begin(n, len(lines))}
        self._not_begun = frozenset(id(self.goals[n][0]) for n in idle)
        shared: set[int] = set()
        for n, (ran, _) in enumerate(self.goals):
            after = next((m for m in range(n + 1, len(begins)) if begins[m] is not None), len(begins))
            end = begins[after] if after < len(begins) else None
            begin = begins[n] if begins[n] is not None else 0 if n == 0 and after == 1 else None
            if begin is None:
                continue
            others = any(m not in idle for m in range(n + 1, after))
            if others and ran.view.tail is not None:
                end = min(begin + ran.view.tail, len(lines) if end is None else end)
            self._sections[id(ran)] = "\n".join(lines[begin:end])
            if others:
                shared.add(id(ran))
        self._shared = frozenset(shared)

    def _would_begin(self, at: int, lines: int) -> bool:
        """Whether a script would have been seen to begin."""
        ran, goal = self.goals[at]
        view = ran.view
        if not goal.tool.startswith(_PRINT_BANNERS) or _NO_BANNER.intersection(ran.words) or goal.target[:1]:
            return False
        return view.whole or (lines <= (view.tail or 0) and view.head is None and not view.kept and not view.opaque)

    def has_begun(self, ran: Ran) -> bool:
        """Whether nothing says that a script has not begun."""
        return id(ran) not in self._not_begun

    def section(self, ran: Ran) -> str:
        """The part of the output that is this command's, as far as separators that were echoed, or a `tail` at the end of the line, tell it."""
        if not ran.ends or id(ran) in self._sections:
            return self.between_marks(ran)
        if self._end is None:
            self._end = _last_lines(self.text, ran)
        return self._end

    def between_marks(self, ran: Ran) -> str:
        """The part of the output that separators that were echoed, and its own `grep`, give to this command; else all of it."""
        if id(ran) in self._filtered:
            return self._filtered[id(ran)]
        return self._sections.get(id(ran), self.text)

    def _left_by_grep(self, ran: Ran) -> str | None:
        """Only what `check 2>&1 | grep PATTERN` can have printed, not what other commands of the line did; None where that is not known."""
        view = ran.view
        merged = any(r.fd == 2 and r.op == ">&" and r.target == "1" for r in ran.simple.redirections)
        if not view.kept or view.around or view.opaque or not merged:
            return None
        lines = self._sections.get(id(ran), self.text).split("\n")
        return "\n".join(line for line in lines if all(matches(pattern, (line,)) for pattern in view.kept))

    def alone(self, ran: Ran) -> bool:
        """Whether the section of the output is this goal's only."""
        return len(self.goals) == 1 or (id(ran) in self._sections and id(ran) not in self._shared)

    def own(self, ran: Ran, goal: Goal) -> list[Found]:
        """The summaries that are this goal's: of its tool's family; a script's by its kind where the line has several goals."""
        found = self._found(ran) if self.alone(ran) else self._without_others_tests(ran, goal)
        families = FAMILIES.get(goal.tool)
        if families is not None:
            wanted = families | ALWAYS
            return [f for f in found if f.family in wanted]
        mixed = self._changes_before and ran.told is Told.SUSPECT
        if self.alone(ran) and not mixed:
            return found
        if len(self.goals) > 1 and ran is self.goals[-1][0] and len({g.tool.split(" ")[0] for _, g in self.goals}) == 1:
            # The end of the output is the last one's, and so is what their common runner says there.
            trailer = [f for f in found if f.family == "runner"]
            if trailer and (self.gave_up(goal) or not any(self.gave_up(g) for _, g in self.goals)):
                return trailer
        elsewhere = frozenset().union(*(FAMILIES.get(g.tool, frozenset()) for r, g in self.goals if r is not ran))
        kinds = {g.kind for r, g in self.goals if r is not ran}
        for kind in kinds - {goal.kind}:
            if kind is GoalKind.TYPES:
                elsewhere |= KIND_FAMILIES[GoalKind.TYPES]
        return [f for f in found if f.family in KIND_FAMILIES[goal.kind] and f.family not in elsewhere]

    def _found(self, ran: Ran) -> list[Found]:
        section = self.section(ran)
        key = id(section)
        if key not in self._summaries:
            self._summaries[key] = read_summaries(section)
        return self._summaries[key]

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

    def not_others(self, ran: Ran, errors: list[CutError]) -> list[CutError]:
        """Errors without those that only another goal of the line can have found."""
        others = frozenset[str]().union(*(error_tools(g.tool) for r, g in self.goals if r is not ran))
        return [error for error in errors if error.tool not in others]

    def only_others_errors(self, ran: Ran, goal: Goal) -> bool:
        """Whether all errors and bad totals in what may be this goal's are those of tools that are other goals' of the line."""
        section = self.section(ran)
        errors = cut_errors(section, None)[0] if has_real_errors(section) else []
        families = {found.family for found in read_summaries(section) if found.says is Says.FAIL} - ALWAYS
        if not (errors or families) or self.own_errors(ran, goal, errors):
            return False
        theirs = frozenset[str]().union(*(FAMILIES.get(g.tool, frozenset()) for r, g in self.goals if r is not ran))
        families = families.difference(*(FAMILIES.get(error.tool or "", frozenset()) for error in errors))
        return not families or (bool(families & theirs) and not families & FAMILIES.get(goal.tool, families))

    def has_errors(self, ran: Ran, goal: Goal) -> bool:
        """Whether errors of this goal's own show; of a line with several goals those of its tool."""
        section = self.section(ran)
        if self.alone(ran):
            return has_real_errors(section, goal.tool)
        if not error_tools(goal.tool) and not has_real_errors(section, goal.tool):
            return False
        return bool(self.own_errors(ran, goal, cut_errors(section, None)[0]))

    def names_places(self, ran: Ran, goal: Goal) -> bool:
        """Whether findings stand there in the form of this very tool: then it ran, whatever else of the line may have failed."""
        return any(
            error.path and error.tool == goal.tool and error.type != "invalid-syntax"
            for error in cut_errors(self.section(ran), None)[0]
        )

    def printed(self, ran: Ran, section: str) -> bool:
        """Whether a formatter that lists or shows what it would change printed anything; of a line of goals, a bare path."""
        return bool(section.strip()) if self.alone(ran) else _BARE_PATH.search(section) is not None

    def gave_up(self, goal: Goal) -> bool:
        """Whether a runner names this goal's script as one that failed."""
        return script_of(goal) in self._given_up

    def alone_gave_up(self, goal: Goal) -> bool:
        """Whether it is the only one of the line that a runner may mean with a name of what failed."""
        return self.gave_up(goal) and sum(script_of(other) == script_of(goal) for _, other in self.goals) == 1


_PRINT_BANNERS = ("npm run ", "pnpm run ")
_NAMELESS = ("yarn run ", "bun run ")
QUIET = frozenset({"-s", "--silent"})
"""Options with which a runner does not say what it runs."""
_NO_BANNER = QUIET | {"-r", "--recursive", "--workspaces", "-ws", "--filter", "--loglevel"}


def script_of(goal: Goal) -> str:
    """The script or task that a goal runs, as its runner names it."""
    return goal.tool.split(" ")[-1]


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
