"""The meaning of tools and scripts with a name of their own: verification with its goal, change, or neither.

Belongs here: commands that the tables know (`toolbox`, `script_names`). Programs that mean something because the task wrote or built
them are `program_runs`; `command_meaning` puts both together.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

from debug_loop_pipeline.compute.commands.goals import Goal
from debug_loop_pipeline.compute.commands.script_names import ScriptRole, fixes_lint, package_script, script_role
from debug_loop_pipeline.compute.commands.toolbox import LOOKS_ONLY, GoalKind, Tool, arguments, find_tool


class Action(StrEnum):
    """What a command is to the task."""

    VERIFY = "verify"
    CHANGE = "change"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True)
class Meaning:
    """One command's action; the goal of a verification, the files a change names, what a build writes.

    checks: what a linter's fixer checks: it tells what it could not mend, and fails.
    """

    action: Action
    goal: Goal | None = None
    files: tuple[str, ...] = ()
    content: str | None = None
    output: str | None = None
    checks: Goal | None = None


NEITHER = Meaning(Action.NEITHER)
CHANGE = Meaning(Action.CHANGE)
CONFIGURES = frozenset({"cmake"})
"""Goal tools that make a build ready (`cmake -B build`, `meson setup`): a change as long as nothing is wrong with it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command ran: absolute or unknown `cwd`, and the run's own directory."""

    cwd: str
    base: str

    @property
    def shown(self) -> str:
        """`cwd` relative to `base` where it lies inside, "" where it is the same."""
        if not self.cwd or self.cwd == self.base:
            return ""
        if self.base and self.cwd.startswith(self.base.rstrip("/") + "/"):
            return self.cwd[len(self.base.rstrip("/")) + 1 :]
        return self.cwd


@lru_cache(maxsize=4096)
def known_meaning(words: tuple[str, ...]) -> Meaning | None:
    """The meaning of tools and scripts with a name of their own; None where the words are no such thing."""
    args = list(words)
    name = args[0]
    if name == "go" and args[1:2] == ["tool"] and len(args) > 2:
        args = args[2:]
        name = args[0]
    if name == "gotestsum":
        args = [arg for arg in args if arg != "--"]  # What stands behind it are the arguments of `go test`.
    if name in ("rails", "rake") and len(args) > 1 and args[1].startswith("test"):
        args = ["rails", "test", *args[2:]]
    if name == "artisan" or (name == "php" and args[1:2] and args[1].endswith("artisan")):
        args = ["artisan", *args[(1 if name == "artisan" else 2) :]]
    if (
        name == "php"
        and len(args) > 1
        and args[1].rsplit("/", 1)[-1] in ("phpunit", "phpstan", "pest", "psalm", "phpcs")
    ):
        args = [args[1].rsplit("/", 1)[-1], *args[2:]]
    if name == "node" and len(args) > 1 and "node_modules" in args[1]:
        args = [args[1].rsplit("/", 1)[-1].removesuffix(".js"), *args[2:]]
    if name == "cmake" and "--build" in args:
        args = ["cmake", "--build", *[a for a in args[1:] if a != "--build"]]
    if name == "xcodebuild":
        if _XCODE_TELLS.intersection(args) or ("clean" in args and not _XCODE_ACTIONS.intersection(args)):
            return NEITHER
        args = [word for a in args for word in (a.split(":", 1) if _XCODE_PICKS.match(a) else [a])]
        verbs = [a for a in args[1:] if a in _XCODE_ACTIONS or a == "clean"]
        args = ["xcodebuild", *(verbs[-1:] or ["build"]), *[a for a in args[1:] if a not in verbs]]
    found = find_tool(args) or _through_package_manager(args)
    if found is not None:
        return tool_meaning(*found)
    script = package_script(args)
    if script is None:
        return None
    role, kind = script_role(script.script)
    if role is ScriptRole.NEITHER:
        return NEITHER
    fixes = "--fix" in script.args and kind is GoalKind.LINT
    if role is ScriptRole.CHANGE or {"--fix", "--write", "-u", "--updateSnapshot", "--update-snapshots"}.intersection(
        script.args
    ):
        linted = fixes or (role is ScriptRole.CHANGE and fixes_lint(script.script))
        if not linted or (script.where and not script.tool.startswith("nx ")):
            return CHANGE
        return Meaning(
            Action.CHANGE, checks=Goal(script.tool, GoalKind.LINT, (f"[{script.where}]",) if script.where else ())
        )
    if LOOKS_ONLY.intersection(script.args) - {"version", "help", "-h", "-V"}:
        return NEITHER
    targets, filters = _passed_on(script.args)
    if script.where and not script.where.startswith((".", "/")):
        targets = (f"[{script.where}]", *targets)
    cwd = (
        script.where if script.where.startswith((".", "/")) or (script.where and script.tool.startswith("make")) else ""
    )
    return Meaning(Action.VERIFY, Goal(script.tool, kind, targets, filters, cwd))


_XCODE_ACTIONS = frozenset({"test", "build", "analyze", "build-for-testing"})
_XCODE_PICKS = re.compile(r"-(?:only|skip)-testing:")
_XCODE_TELLS = frozenset(
    [
        "-list",
        "-version",
        "-showsdks",
        "-showBuildSettings",
        "-showdestinations",
        "-showTestPlans",
        "-resolvePackageDependencies",
        "-runFirstLaunch",
    ]
)
_BINARY_RUNNERS = frozenset({"yarn", "pnpm", "bun"})
_COMMON_SCRIPT_NAMES = frozenset({"lint", "build", "test", "check", "format"})


def _through_package_manager(args: list[str]) -> tuple[Tool, list[str]] | None:
    """`pnpm vitest run`, `yarn eslint .`: package managers run a binary of the project by its name."""
    if args[0] not in _BINARY_RUNNERS:
        return None
    at = 1
    while at < len(args) and (args[at].startswith("-") or args[at] == "workspace"):
        at += 2 if args[at] in ("-F", "--filter", "-C", "--cwd", "--dir", "workspace") else 1
    if at >= len(args) or args[at] in _COMMON_SCRIPT_NAMES:
        return None
    return find_tool(args[at:])


_PASSED_FILTERS = frozenset(
    [
        "-t",
        "-k",
        "-m",
        "-g",
        "-run",
        "--grep",
        "--testNamePattern",
        "--test-name-pattern",
        "--testPathPattern",
        "--testPathPatterns",
        "--testFile",
        "--test-file",
        "--testFiles",
        "--filter",
        "--tests",
        "--name",
        "-e",
        "--spec",
        "--only",
        "--project",
    ]
)


def _passed_on(args: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    targets: list[str] = []
    filters: list[str] = []
    at = 0
    while at < len(args):
        arg = args[at]
        at += 1
        flag, equals, value = arg.partition("=")
        if flag in _PASSED_FILTERS:
            if not equals and at < len(args):
                value = args[at]
                at += 1
            filters.append(f"{flag} {value}")
        elif "=" in arg and not arg.startswith(("-", "/", ".")):
            filters.append(arg)
        elif not arg.startswith("-"):
            targets.append(arg)
    return tuple(targets), tuple(filters)


_FIXES_ONLY = frozenset({"--fix-only", "--add-noqa", "--fix-dry-run"})
"""Options with which a fixer tells nothing of what is left."""
_LOOKS_FIRST = (["help"], ["version"], ["linters"], ["list"], ["config"], ["cache"], ["init"])


def tool_meaning(tool: Tool, args: list[str]) -> Meaning:
    """What a known tool does with these arguments: check, fix, or only tell about itself."""
    targets, filters, options = arguments(tool, args)
    if options & LOOKS_ONLY or args[:1] in _LOOKS_FIRST:
        return NEITHER
    if options & tool.fix:
        if tool.kind is not GoalKind.LINT or options & _FIXES_ONLY:
            return CHANGE
        checked = Goal(tool.name, tool.kind, tuple(t for t in targets if t not in tool.check), tuple(filters))
        return Meaning(Action.CHANGE, checks=checked)
    if tool.check and not (options & tool.check or tool.check.intersection(args)):
        return NEITHER if tool.fix else CHANGE
    if tool.name in ("jest", "vitest") and options & {"-u", "--updateSnapshot", "--update"}:
        return CHANGE
    output = _output_of(tool, args)
    targets = [t for t in targets if t not in tool.check]
    if tool.name == "cc":
        if not targets:
            return NEITHER
        output = output or ("a.out" if not {"-c", "-E", "-S", "-fsyntax-only"} & options else None)
    cwd = _directory_option(tool, args)
    goal = Goal(
        tool.name, tool.kind, tuple(targets), tuple(filters), cwd, tool.silent, tool.prints_means_fail, tool.recursive
    )
    return Meaning(Action.VERIFY, goal, output=output)


def _output_of(tool: Tool, args: list[str]) -> str | None:
    """The program that a build writes: `-o X`, or what the tool names by itself."""
    if tool.kind is not GoalKind.BUILD:
        return None
    for at, arg in enumerate(args[:-1]):
        if arg in ("-o", "--outfile", "--output", "-Fe"):
            return args[at + 1]
    if tool.name == "go build":
        targets = [a for a in args if not a.startswith("-")]
        last = posixpath.basename(posixpath.normpath(targets[0])) if targets else ""
        return last.removesuffix(".go") if last not in ("", ".", "...") else None
    return None


def _directory_option(tool: Tool, args: list[str]) -> str:
    flags = {
        "go test": "-C",
        "go build": "-C",
        "go vet": "-C",
        "ninja": "-C",
        "ctest": "--test-dir",
        "meson test": "-C",
    }
    if tool.name.startswith("cargo ") and "--manifest-path" in args[:-1]:
        return posixpath.dirname(args[args.index("--manifest-path") + 1])
    flag = flags.get(tool.name)
    if flag in args[:-1]:
        return args[args.index(flag) + 1]
    return ""


def placed(meaning: Meaning, place: Place) -> Meaning:
    """A meaning with the directory that the command ran in as part of its goal, where it has one."""
    if meaning.checks is not None:
        return replace(meaning, checks=placed(Meaning(Action.VERIFY, meaning.checks), place).goal)
    goal = meaning.goal
    if goal is None:
        return meaning
    cwd = place.shown
    if goal.cwd:
        cwd = Place(posixpath.normpath(posixpath.join(place.cwd or place.base, goal.cwd)), place.base).shown
    if cwd == goal.cwd:
        return meaning
    moved = replace(goal, cwd=cwd if cwd != "." else "")
    return Meaning(Action.VERIFY, moved, meaning.files, meaning.content, meaning.output)
