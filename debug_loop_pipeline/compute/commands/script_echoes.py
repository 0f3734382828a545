"""What a script ran, as the output of its runner says it: the second identity of a goal (DOMAIN 1 "goal").

Belongs here: the banners and echoes of runners (`> app@1.0.0 test`, `$ vitest run`, the recipe line that make prints) and which goals stand
in the commands that they name. What follows for covering is `goals`; nothing is concluded from the name of a script.
"""

# ruff: noqa: SIM905 - a list of words reads as words

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from debug_loop_pipeline.compute.commands.error_cutting import CutError, without_ansi, without_task_prefixes
from debug_loop_pipeline.compute.commands.goals import ROOTED_RUNNERS, Goal, GoalRun
from debug_loop_pipeline.compute.commands.meanings import Meaning, Place
from debug_loop_pipeline.compute.commands.runner_words import failed_scripts
from debug_loop_pipeline.compute.commands.shell_status import Ran, Told, commands_of
from debug_loop_pipeline.compute.commands.summary_families import error_tools
from debug_loop_pipeline.compute.commands.toolbox import GoalKind, find_tool, starts_a_tool

MeaningOf = Callable[[Ran, str], Meaning]
"""What a command means that ran in the run's directory: `command_meaning.meaning_of` for a task that has written nothing."""

_MAX_ECHOES = 24
_MAX_RUNS = 24
_MAX_LINE = 2_000
_MAX_PLAIN = 200
_LINES_KNOWN = 512
_MANAGERS = ("npm run ", "yarn run ", "pnpm run ", "bun run ")
_PRINTS_RECIPES = ("make", "just")
_NAME_WHAT_FAILED = (*_MANAGERS, *_PRINTS_RECIPES, "mise run ", "task ")
_FAILED_ELSEWHERE = re.compile(r"^(?:\w*make\[\d+\]: |npm (?:ERR!|error) workspace )", re.MULTILINE)
"""What failed is of another directory or package."""
_EVERYWHERE = ("turbo ", "nx ", "lerna ", "moon ")
"""They run tasks of many packages at once: what stands earlier in the output has not passed for that."""
_ECHOING = (
    *_MANAGERS,
    *_PRINTS_RECIPES,
    *_EVERYWHERE,
    "task",
    "go-task",
    "mise",
    "tox",
    "nox",
    "poe",
    "composer",
    "deno task",
    "pixi",
    "hatch",
)

_NPM = re.compile(r"> (?P<package>(?:@[\w.-]+/)?[\w.-]+)@\S* (?P<script>[\w:.-]+)(?: (?P<place>/\S.*))?")
_NPM_NAMELESS = re.compile(r"> (?P<script>[\w:.-]+)")
_NX = re.compile(r"> nx run (?P<package>[\w@/.-]+):(?P<script>[\w:.-]+).*")
_SECOND_LINE = re.compile(r"> (?P<line>\S.*)")
_ONE_LINE = re.compile(
    r"task: \[(?P<task>[^\]]+)\] (?P<task_line>.+)|\[(?P<mise>[^\]\s]+)\] \$ (?P<mise_line>.+)"
    r"|(?P<place>[\w@./-]+) (?P<recursive>[\w:.-]+) ?\$ (?P<recursive_line>.+)|\$ (?P<shell>.+)"
    r"|[\w.,-]+(?: run-test)?: commands\[\d+\](?: (?P<tox_place>/\S*))?(?:>| \|) (?P<tox>.+)"
    r"|(?P<tox_env>[\w.,-]+): exit -?\d+ \([\d.]+ seconds\) (?P<tox_dir>/\S*?)> (?P<tox_failed>.+) pid=\d+|nox > (?P<nox>.+)|Poe => (?P<poe>.+)"
    r"|Task (?P<deno>[\w:.-]+) (?P<deno_line>.+)|.{0,4}Pixi task \((?P<pixi>[\w:.-]+)[^)]*\)[^:]*: (?P<pixi_line>.+)"
    r"|cmd \[\d+\] \| (?P<hatch>.+)"
)
_HEADS = ("task: [", "nox > ", "Poe => ", "Task ", "cmd [")
_ENTERS = re.compile(r"\w*make(?:\[\d+\])?: (?P<what>Entering|Leaving) directory [`'](?P<place>[^']+)'")
_PLAIN = re.compile(r"(?:[A-Za-z_]\w*=\S* )*(?P<program>[\w@./+-]+)(?: |$)")
_STARTS_A_LINE = frozenset(
    "cd env time npx bunx npm pnpm yarn bun uv uvx poetry pipenv pdm hatch python python3 make just task mise docker bundle nx turbo".split()
)
_SENTENCE = re.compile(r"\w[.:!?,…]+$|[()<>]| v\d+\.\d+")
_PLAIN_WORD = re.compile(r"[a-z0-9_]+")
_OF_A_REPORT = frozenset(
    "a all an and are as at be been but by can cannot complete completed could did does done error errors exited fail failed fails failing failure "
    "failures fine finished for found from had has have in into is it its ms must needs new no not now of ok on only or out passed passes "
    "passing reported reports require required requires returned running s says seconds should skipped so started still succeeded success "
    "successful successfully than that the then they this to took up using warning warnings was were will with without would you your".split()
)
_NAMES_ITSELF = re.compile(r"[-./]|::")


_WORDS = re.compile(r"[\w:.-]+")


@dataclass(frozen=True, slots=True)
class Echo:
    """One command that a runner says it runs: of which script and package, and where, as far as it says so."""

    line: str
    script: str | None = None
    package: str | None = None
    place: str | None = None
    nameless: bool = False
    """Yarn and bun print `$ line` and no name."""
    environment: str | None = None
    """Tox's, where it says which command of which has failed."""

    @property
    def whole(self) -> bool:
        """Whether it is all of its script, and not one of several recipe lines."""
        return self.nameless or self.script is not None


@dataclass(frozen=True, slots=True)
class _Leaf:
    """One check that ran, under all its names; the outermost script first, what ran in the end last."""

    names: tuple[Goal, ...]


def may_echo(goal: Goal) -> bool:
    """Whether the tool of a goal is a runner that says what it runs."""
    return goal.tool.startswith(_ECHOING)


def echoes_in(output: str, goal: Goal, others: Sequence[Goal] = ()) -> tuple[Echo, ...]:
    """What the runner of `goal` says that it runs; `others` are the goals of the same command line, whose scripts are not its own."""
    text = without_task_prefixes(without_ansi(output))
    found: list[Echo] = []
    for echo in _scan(text.split("\n"), goal):
        found.append(echo)
        if len(found) >= _MAX_ECHOES:
            break
    if not others:
        return tuple(found)
    own, foreign = _script(goal), {_script(other) for other in others}
    if own in foreign:
        return ()
    start = next((at for at, echo in enumerate(found) if echo.script == own), len(found))
    end = next((at for at, echo in enumerate(found) if at > start and echo.script in foreign), len(found))
    return tuple(found[start:end])


def names_all(echo: Echo, goal: Goal) -> bool:
    """Whether the first echo of an output is the line of the script of `goal` itself; of one without a name only where nothing was cut off."""
    return echo.script == _script(goal) or (echo.nameless and goal.tool.startswith(("yarn run ", "bun run ")))


def has_begun(goal: Goal, output: str) -> bool:
    """Whether the runner says that the script of `goal` itself has begun, called by the command line and not by another script."""
    if not may_echo(goal):
        return False
    echoes = echoes_in(output, goal)
    name = _script(goal)
    at = next((at for at, echo in enumerate(echoes) if echo.script == name), None)
    return at is not None and not any(name in _WORDS.findall(echo.line) for echo in echoes[:at])


def failed_script(goal: Goal, output: str, others: Sequence[Goal] = ()) -> Goal | None:
    """The one script that the runner names in its last words as what failed, where it is not the script of `goal` itself but called by it:
    `make check` that ends with `*** [Makefile:10: lint] Error 1` has failed as `make lint`. `others`: the other goals of the command line,
    whose scripts it does not call.
    """
    if goal.tool.startswith(_OF_PROJECTS):
        tasks = _failed_tasks(output)
        if len(tasks) != 1:
            return None
        project, task = tasks.pop()
        return replace(goal, tool=f"nx run {task}", target=(f"[{project}]",))
    rooted = goal.cwd and goal.tool.split()[0] in ROOTED_RUNNERS
    if rooted or not goal.tool.startswith(_NAME_WHAT_FAILED) or _FAILED_ELSEWHERE.search(output):
        return None
    runner, _, own = goal.tool.rpartition(" ")
    named = (
        failed_scripts(without_ansi(output)) - {own, f"pre{own}", f"post{own}"} - {_script(other) for other in others}
    )
    if len(named) != 1:
        return None
    where = tuple(target for target in goal.target if target.startswith("["))
    return replace(goal, tool=f"{runner or own} {named.pop()}", target=where)


_OF_PROJECTS = ("nx run-many ", "nx affected ")
_FAILED_TASKS = re.compile(
    r"(?:^Failed tasks:|\bfailed, including the following:)\s*\n(?P<tasks>(?:[ \t]*-[ \t]+\S.*(?:\n|\Z)|[ \t]*\n)+)",
    re.MULTILINE,
)
_TASK = re.compile(r"^[ \t]*-[ \t]+(?:nx run )?(?P<project>@?[\w./-]+):(?P<task>[\w:.-]+)[ \t]*$", re.MULTILINE)


def _failed_tasks(output: str) -> set[tuple[str, str]]:
    """Project and target of each task that Nx lists as failed."""
    lists = _FAILED_TASKS.finditer(without_ansi(output))
    return {(task["project"], task["task"]) for found in lists for task in _TASK.finditer(found["tasks"])}


def goal_runs(
    goal: Goal,
    echoes: Sequence[Echo],
    errors: Sequence[CutError],
    *,
    passed: bool,
    base: str,
    meaning_of: MeaningOf,
    failed_as: Goal | None = None,
) -> tuple[GoalRun, ...]:
    """The checks that a script ran and that got to a result, each with the names it goes by.

    Args:
        goal: the script's own goal.
        echoes: what its runner said.
        errors: what it showed, where it failed: they tell which of several checks failed.
        passed: whether the script passed.
        base: the run's directory.
        meaning_of: what the commands mean.
        failed_as: `failed_script`, where it failed.
    """
    if goal.cwd and goal.tool.split()[0] in ROOTED_RUNNERS:
        return ()  # Where the file lies that defines the task, and so where it ran, is not known.
    reader = _Reader(goal, echoes, base, meaning_of)
    leaves, in_order = reader.leaves()
    failed = frozenset[int]() if passed or not leaves else _failed(leaves, errors)
    if not passed and not failed and failed_as is not None:
        return (GoalRun(failed_as, 0, True),)
    if not leaves or (not passed and not failed):
        return ()
    last = max(failed, default=len(leaves) - 1)
    kept = [at for at in range(last + 1) if passed or at in failed or in_order]
    half_way = {name for at in failed for name in leaves[at].names}
    runs = [
        GoalRun(name, at, at in failed)
        for at in kept
        for name in leaves[at].names
        if at in failed or name not in half_way
    ]
    if failed_as is not None and len(failed) == 1:
        runs.insert(0, GoalRun(failed_as, last, True))
    return tuple(runs[:_MAX_RUNS])


def _failed(leaves: Sequence[_Leaf], errors: Sequence[CutError]) -> frozenset[int]:
    """Which of several checks failed, by whose errors show; none where that is not certain."""
    if len(leaves) == 1:
        return frozenset({0})
    tools = {error.tool for error in errors if error.tool}
    by_error = [at for at, leaf in enumerate(leaves) if error_tools(leaf.names[-1].tool) & tools]
    if by_error:
        return frozenset(by_error)
    nameless = [at for at, leaf in enumerate(leaves) if not error_tools(leaf.names[-1].tool)]
    return frozenset(nameless) if len(nameless) == 1 else frozenset()


def _script(goal: Goal) -> str:
    return goal.tool.split(" ")[-1].rsplit(":", 1)[-1] if goal.tool.startswith("gradle") else goal.tool.split(" ")[-1]


def _scan(lines: Sequence[str], goal: Goal) -> Iterator[Echo]:
    recipes = goal.tool.startswith(_PRINTS_RECIPES)
    composer = goal.tool.startswith("composer")
    places: list[str] = []
    first = True
    plain = 0
    at = 0
    while at < len(lines):
        line = lines[at].rstrip()
        at += 1
        if not line or len(line) > _MAX_LINE:
            continue
        if line[0] == ">":
            banner = _NX.fullmatch(line) or _NPM.fullmatch(line) or _NPM_NAMELESS.fullmatch(line)
            following = at
            while banner is not None and following < min(len(lines), at + 2) and not lines[following].strip():
                following += 1
            second = _SECOND_LINE.fullmatch(lines[following].rstrip()) if banner and following < len(lines) else None
            if banner is not None and second is not None:
                known = banner.groupdict()
                yield Echo(second["line"], known["script"], known.get("package"), known.get("place"))
                at = following + 1
                continue
            if composer and (only := _SECOND_LINE.fullmatch(line)):
                yield Echo(only["line"])
                continue
        one = _ONE_LINE.fullmatch(line) if _may_say(line) else None
        if one is not None:
            yield _named(one.groupdict())
            continue
        if recipes:
            moved = _ENTERS.match(line)
            if moved is not None:
                places = [*places, moved["place"]] if moved["what"] == "Entering" else places[:-1]
                continue
            if plain < _MAX_PLAIN and _is_recipe(line, first):
                plain += 1
                yield Echo(line, place=places[-1] if places else None)
        first = False


def _may_say(line: str) -> bool:
    """A cheap look: outputs are long, and few of their lines are a runner's."""
    return "$ " in line or line.startswith(_HEADS) or "commands[" in line or " pid=" in line or "Pixi task (" in line


def _named(groups: dict[str, str | None]) -> Echo:
    for name in ("task", "mise", "recursive", "deno", "pixi"):
        line = groups[f"{name}_line"]
        if line is not None:
            return Echo(line, groups[name], place=groups["place"] if name == "recursive" else None)
    if groups["shell"] is not None:
        return Echo(groups["shell"], nameless=True)
    line = groups["tox"] or groups["tox_failed"] or groups["nox"] or groups["poe"] or groups["hatch"] or ""
    return Echo(line, place=groups["tox_place"] or groups["tox_dir"], environment=groups["tox_env"])


def _is_recipe(line: str, first: bool) -> bool:
    """Whether a line of make's output may be a command that it prints before it runs it, and not a sentence that begins like one."""
    match = _PLAIN.match(line)
    if match is None:
        return False
    name = match["program"].rsplit("/", 1)[-1]
    if not (starts_a_tool(name) or name in _STARTS_A_LINE) or _SENTENCE.search(line):
        return False
    words = line.split()
    if first or len(words) < 3 or any(_NAMES_ITSELF.search(word) for word in words[1:]):
        return True
    # `ruff check tools`: plain words too, where nothing of a report is among them.
    return (
        all(_PLAIN_WORD.fullmatch(word) and word not in _OF_A_REPORT for word in words) and find_tool(words) is not None
    )


@lru_cache(maxsize=_LINES_KNOWN)
def _goals_of(line: str, start: str, base: str, meaning_of: MeaningOf) -> tuple[tuple[Goal, bool], ...]:
    """The goals of an echoed line, and whether each has passed where the line has; a script is run again and again, and prints the same."""
    meanings = [(meaning_of(ran, base).goal, ran.told is Told.PASSED) for ran in commands_of(line, start, 0)]
    return tuple((goal, sure) for goal, sure in meanings if goal is not None and goal.kind is not GoalKind.RUN)


class _Reader:
    """Reads the goals out of the echoes; a script that a line calls and whose own echo follows is looked into."""

    def __init__(self, goal: Goal, echoes: Sequence[Echo], base: str, meaning_of: MeaningOf) -> None:
        self.goal = goal
        self.echoes = echoes
        self.base = base
        self.meaning_of = meaning_of
        self.at = 0
        self.packages = {echo.package for echo in echoes if echo.package}
        self.everywhere = goal.tool.startswith(_EVERYWHERE)

    def leaves(self) -> tuple[list[_Leaf], bool]:
        """The checks in the order of the output, and whether each ran only when those before it had passed."""
        found: list[tuple[_Leaf, bool]] = []
        own = _script(self.goal)
        in_order = not self.everywhere
        while self.at < len(self.echoes):
            echo = self.echoes[self.at]
            named = echo.script is not None
            around = not named or echo.script in (own, f"pre{own}", f"post{own}")
            in_order = in_order and (around or not self.goal.tool.startswith(_MANAGERS)) and echo.place is None
            in_order = in_order or (around and len(self.echoes) == 1)
            inner = self._take(self._place_of(echo, self._scope()))
            if echo.script == own and not self.everywhere:
                names = self._own_names(echo)
                inner = [(_Leaf((*names, *leaf.names)), certain) for leaf, certain in inner]
            elif not around and echo.place is None and self.goal.tool.startswith(_MANAGERS) and len(self.packages) < 2:
                # Called by what runs scripts by their names (`run-s types lint`): its banner names it.
                called = self._called(echo.script or "")
                inner = [(_Leaf((called, *leaf.names)), certain) for leaf, certain in inner]
            if echo.environment is not None and not self.goal.filters:
                name = replace(self.goal, filters=(f"-e {echo.environment}",))
                inner = [(_Leaf((name, *leaf.names)), certain) for leaf, certain in inner]
            found += inner
        certain = [leaf for leaf, sure in found if sure]
        return (certain or [leaf for leaf, _ in found] if len(found) == 1 else certain), in_order

    def _scope(self) -> str:
        goal = self.goal
        where = goal.target[0] if goal.target and goal.target[0].startswith("[") else ""
        return where or goal.cwd

    def _called(self, script: str) -> Goal:
        """A script of the same package."""
        where = tuple(target for target in self.goal.target if target.startswith("["))
        return replace(self.goal, tool=f"{self.goal.tool.rpartition(' ')[0]} {script}", target=where, filters=())

    def _own_names(self, echo: Echo) -> tuple[Goal, ...]:
        """The script's goal as the package and the directory of its banner place it."""
        goal = self.goal
        rest = tuple(target for target in goal.target if not target.startswith("["))
        names = []
        if echo.package and len(self.packages) == 1:
            names.append(replace(goal, target=(f"[{echo.package}]", *rest), cwd=""))
        if echo.place:
            names.append(replace(goal, target=rest, cwd=Place(posixpath.join(self.base, echo.place), self.base).shown))
        return tuple(names)

    def _place_of(self, echo: Echo, around: str) -> str:
        """Where an echoed line runs: as it says, in its package, else where the script around it runs."""
        if echo.place:
            return Place(posixpath.join(self.base, echo.place), self.base).shown
        if echo.package and (self.everywhere or len(self.packages) > 1):
            return f"[{echo.package}]"
        return around

    def _take(self, place: str) -> list[tuple[_Leaf, bool]]:
        """The checks of the echo at hand and of the scripts it calls; False beside one: its failure might not be the script's."""
        echo = self.echoes[self.at]
        self.at += 1
        found: list[tuple[_Leaf, bool]] = []
        named = place.startswith("[")
        start = self.base if named else posixpath.join(self.base, place)
        for goal, sure in _goals_of(echo.line, start, self.base, self.meaning_of):
            if named and not (goal.target and goal.target[0].startswith("[")):
                goal = replace(goal, cwd=posixpath.join(place, goal.cwd) if goal.cwd else place)
            inner = self._inside(goal)
            found += [(_Leaf((goal, *leaf.names)), sure and certain) for leaf, certain in inner] or [
                (_Leaf((goal,)), sure)
            ]
        return found

    def _inside(self, goal: Goal) -> list[tuple[_Leaf, bool]]:
        """What the script ran that is called by an echoed line, where the next echoes are its own."""
        if not may_echo(goal):
            return []
        name = _script(goal)
        found: list[tuple[_Leaf, bool]] = []
        while self.at < len(self.echoes):
            echo = self.echoes[self.at]
            own = echo.script == name or (echo.nameless and goal.tool.startswith(("yarn run ", "bun run ")))
            if not own and echo.script != f"pre{name}":
                break
            place = goal.target[0] if goal.target and goal.target[0].startswith("[") else goal.cwd
            found += self._take(self._place_of(echo, place))
            if own:
                break
        return found
