"""The goal of a verification, and when one goal covers another (DOMAIN 1).

Belongs here: what is compared. Which command has which goal is `command_meaning`.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, replace

from debug_loop_pipeline.compute.commands.goal_filters import aimed_at_test, filters_cover, tags_of, without_tags
from debug_loop_pipeline.compute.commands.jvm_tasks import gradle_runs, jvm_compiles, maven_runs
from debug_loop_pipeline.compute.commands.script_runs import is_script
from debug_loop_pipeline.compute.commands.summary_families import error_tools
from debug_loop_pipeline.compute.commands.toolbox import GoalKind


@dataclass(frozen=True, slots=True)
class Goal:
    """What a verification checks.

    tool: canonical name (`pytest`, `npm run test`, `run`); target: paths, packages or a program; filters: test filters, or the
    arguments of a program; cwd: where, relative to the run's directory where it lies inside ("" = there).
    """

    tool: str
    kind: GoalKind
    target: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    cwd: str = ""
    silent: bool = False
    prints_means_fail: bool = False
    recursive: bool = True
    runners: tuple[str, ...] = ()
    """Of a script: the test runners whose summaries it printed."""

    @property
    def text(self) -> str:
        """Canonical text, the same for the same goal."""
        parts = [] if self.tool == "run" else [self.tool]
        text = " ".join([*parts, *self.target, *self.filters])
        return f"{text} (in {self.cwd})" if self.cwd else text


@dataclass(frozen=True, slots=True)
class GoalRun:
    """One name of a check that a script ran; names with the same `part` are the same check (`npm run test`, `vitest`).

    failed: that check is why the script failed.
    """

    goal: Goal
    part: int = 0
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Checked:
    """All that a verification checked: its goal, and the checks that it is known to have run and to have got a result of."""

    goal: Goal
    runs: tuple[GoalRun, ...] = ()

    @property
    def goals(self) -> tuple[Goal, ...]:
        """The goal and its other names."""
        return (self.goal, *(run.goal for run in self.runs))

    def parts(self, *, failed: bool, tool: str | None = None) -> tuple[tuple[Goal, ...], ...]:
        """The checks it ran, each under its names; `failed`: only those that failed, of several those that `tool`'s errors are of."""
        parts: dict[int, list[Goal]] = {}
        for run in self.runs:
            if run.failed or not failed:
                parts.setdefault(run.part, []).append(run.goal)
        found = tuple(tuple(names) for names in parts.values())
        if tool is None or len(found) < 2:
            return found
        return tuple(names for names in found if tool in error_tools(names[-1].tool)) or found


_MANAGERS = re.compile(r"(?:npm|yarn|pnpm|bun) run ")
_MODULES = re.compile(r"(?<= ):?(?:[\w.-]+:)+(?=[\w.-]+)")
"""Modules in the names of Gradle's tasks: they say where."""
ROOTED_RUNNERS = frozenset({"mise", "just", "task", "rake", "moon"})
"""They look for their file upwards and run where it lies: from wherever they are called, a task is the same."""


def _tool_key(goal: Goal) -> str:
    if goal.tool == "cargo nextest run":
        return "cargo test"
    if goal.tool == "make all":
        return "make"
    if goal.tool.startswith("gradle "):
        return _MODULES.sub("", goal.tool)
    return _MANAGERS.sub("script ", goal.tool)


def speaks_for(
    wider: Checked, narrower: Checked, *, failed: bool, tool: str | None = None, ignore_filters: bool = False
) -> bool:
    """Whether a result of `wider` also speaks for `narrower`, by their goals or by what each of them ran.

    Args:
        wider: what may cover.
        narrower: what is to be covered; of a script that ran several checks all of them, or those that failed.
        failed: whether `narrower` failed.
        tool: the tool whose error of `narrower` it is about.
        ignore_filters: for errors that do not depend on which tests run.
    """
    goals = wider.goals
    # Where it is known what ran and where, that is asked, and not the names of tools alone.
    by_name = None if narrower.runs else tool
    if any(covers(goal, narrower.goal, ignore_filters=ignore_filters, error_tool=by_name) for goal in goals):
        return True
    parts = narrower.parts(failed=failed, tool=tool)
    return bool(parts) and all(
        any(
            covers(goal, name, ignore_filters=ignore_filters, error_tool=tool if is_script(names[-1].tool) else None)
            for goal in goals
            for name in names
        )
        for names in parts
    )


_COMPILED_BY = {
    "go build": frozenset({"go test", "go vet", "golangci-lint run"}),
    "go vet": frozenset({"go test"}),
    "cargo check": frozenset({"cargo test", "cargo nextest run", "cargo build", "cargo clippy", "cargo run"}),
    "cargo clippy": frozenset({"cargo test", "cargo nextest run", "cargo build", "cargo check", "cargo run"}),
    "cargo build": frozenset({"cargo test", "cargo nextest run", "cargo run"}),
    "dotnet build": frozenset({"dotnet test"}),
    "dotnet test": frozenset({"dotnet build"}),
    "swift build": frozenset({"swift test"}),
    "xcodebuild build": frozenset({"xcodebuild test", "xcodebuild build-for-testing", "xcodebuild analyze"}),
    "xcodebuild test": frozenset({"xcodebuild build-for-testing"}),
    "mix compile": frozenset({"mix test"}),
}
"""Tools that compile -> others of the same compiler that compile the same packages, tests with them, before their own work."""
_COMPILED_WITHOUT_LINKING = {"cargo build": frozenset({"cargo check", "cargo clippy"})}
"""Also those that only check, for an error that is none of the linker."""
_COMPILED_WITHOUT_TESTS = {
    "go vet": frozenset({"go build"}),
    "go test": frozenset({"go build", "go vet"}),
    "swift test": frozenset({"swift build"}),
    "xcodebuild test": frozenset({"xcodebuild build"}),
    "mix test": frozenset({"mix compile", "mix test"}),
}
"""Also those that compile no tests, for an error that is in none."""
_BUILD_CONDITIONS = re.compile(
    r"\b(?:GOOS|GOARCH|CGO_ENABLED|RUSTFLAGS)=\S+|(?<=\s)(?:-tags|--features|-F|--target|--cfg|-scheme|-sdk)[ =]\S+"
    r"|--(?:all-features|no-default-features|benches)\b"
)
_ALL_TARGETS = re.compile(r"--(?:all-targets|tests|examples)\b|\bcargo (?:\S+ )?(?:test|nextest)\b")
_NARROW_RUN = re.compile(r"\bcargo (?:run|r)\b.*?\s(?:--bin|--example|-p|--package|--manifest-path)\b")

_WORKSPACE = re.compile(r"\s--(?:workspace|all)(?=\s|$)")


def compiles_again(
    wider: Checked,
    narrower: Checked,
    wider_line: str,
    narrower_line: str,
    *,
    in_tests: bool = True,
    linked: bool = True,
) -> bool:
    """Whether `wider` compiled all that `narrower` did, with the same compiler: an error of the build of one is one of the other.

    The command lines tell under which conditions (platform, tags, features): they must be the same. in_tests: whether the error may be in tests;
    linked: whether it may be the linker's.
    """
    if sorted(_BUILD_CONDITIONS.findall(wider_line)) != sorted(_BUILD_CONDITIONS.findall(narrower_line)):
        return False
    if "--all-targets" in narrower_line and not _ALL_TARGETS.search(wider_line):
        return False
    if _NARROW_RUN.search(wider_line):
        return False
    if _WORKSPACE.search(narrower_line) and not _WORKSPACE.search(wider_line):
        return False
    parts = narrower.parts(failed=True) or ((narrower.goal,),)
    return all(
        any(
            _compiled_by(goal.tool, name.tool, in_tests=in_tests, linked=linked)
            and (_targets_cover(goal, name) or (goal.tool == "mix test" and not in_tests))
            for goal in wider.goals
            for name in names
        )
        for names in parts
    )


def _compiled_by(tool: str, other: str, *, in_tests: bool, linked: bool) -> bool:
    return (
        tool in _COMPILED_BY.get(other, ())
        or jvm_compiles(tool, other, in_tests=in_tests)
        or (not in_tests and tool in _COMPILED_WITHOUT_TESTS.get(other, ()))
        or (not linked and tool in _COMPILED_WITHOUT_LINKING.get(other, ()))
    )


def covers(wider: Goal, narrower: Goal, *, ignore_filters: bool = False, error_tool: str | None = None) -> bool:
    """Whether a result of `wider` also speaks for `narrower`: same tool, targets that contain the other's, no narrower filter.

    ignore_filters: for errors that do not depend on which tests run (a build that failed). error_tool: under which name the error in
    question is filed, where the answer is wanted for one error.
    """
    same_tool = _same_tool(wider, narrower, error_tool)
    if not same_tool and not _wider_tasks(wider, narrower):
        return False
    if wider.kind is GoalKind.RUN:
        # The arguments of a program, in their order.
        chosen = wider.filters == narrower.filters
    else:
        chosen = filters_cover(wider.filters, narrower.filters, ignore_names=ignore_filters)
    return chosen and _targets_cover(wider, narrower)


def _same_tool(goal: Goal, shown: Goal, error_tool: str | None) -> bool:
    """Whether both use one tool, by its name or through a script: `npm run test` that was seen to run vitest, and vitest.

    What a tool finds wrong inside a script (its errors bear its name) it answers for by itself; a compiler does not, since it may leave
    out what the script compiles too (the tests).
    """
    if _tool_key(goal) == _tool_key(shown) or _tool_key(shown) in goal.runners:
        return True
    if shown.runners == (goal.tool,):
        return True
    through_script = is_script(shown.tool) and not is_script(goal.tool) and goal.kind is not GoalKind.BUILD
    return through_script and error_tool is not None and error_tool in error_tools(goal.tool)


def names_packages(wider: Goal, narrower: Goal, failed: tuple[str, ...]) -> bool:
    """Whether a call of `go test` names all that another named, with `/...` or without, and by itself each package that failed there.

    `./a ./b` after `./a/... ./b/...`: the packages below them had nothing to say.
    """
    if not failed or not (wider.tool == narrower.tool == "go test" and narrower.target):
        return False
    mine = {_joined(target, wider.cwd).removesuffix("/...") for target in wider.target}
    theirs = {_joined(target, narrower.cwd).removesuffix("/...") for target in narrower.target}
    return (
        theirs <= mine
        and filters_cover(wider.filters, narrower.filters)
        and all(any(f"/{package}".endswith(f"/{name}") for name in mine) for package in failed)
    )


_KINDS_OF_TARGETS = {
    "--lib": re.compile(r"/src/(?!main\.rs|bin/).*\.rs$"),
    "--bins": re.compile(r"/src/(?:main\.rs|bin/.*\.rs)$"),
    "--tests": re.compile(r"/(?:src|tests)/.*\.rs$"),
    "--examples": re.compile(r"/examples/.*\.rs$"),
    "--benches": re.compile(r"/benches/.*\.rs$"),
}
"""Cargo's options for a kind of targets, and the files that are in them."""


def checks_again(goal: Goal, shown: Goal, test: str, files: tuple[str, ...], *, error_tool: str | None = None) -> bool:
    """Whether a result of `goal`, which need not cover `shown`, is known to speak for one test or file that `shown` found wrong.

    Same tool, each filter of its own picks the test, and a target of its own is one of the files or holds it.
    """
    if not _same_tool(goal, shown, error_tool) or goal.kind is GoalKind.RUN or not (goal.filters or goal.target):
        return False
    if not tags_of(shown.filters) <= tags_of(goal.filters):
        return False
    picked = [text for text in without_tags(goal.filters) if text not in shown.filters]
    kinds = [_KINDS_OF_TARGETS[text] for text in picked if text in _KINDS_OF_TARGETS]
    if kinds and not any(kind.search("/" + file) for kind in kinds for file in files):
        return False
    picked = [text for text in picked if text not in _KINDS_OF_TARGETS]
    if picked and not (test and all(_picks(text, test) for text in picked)):
        return False
    targets = [target for target in goal.target if target not in shown.target]
    placed = [file for file in files if "/" in file]
    if not targets or (picked and not placed):
        return bool(picked or targets or kinds)
    if goal.tool in _NAME_MODULES and any(_holds(_as_path(t, goal), _as_path(test, goal)) for t in targets):
        return True
    return any(_holds(_located(target, goal), file) for target in targets for file in (*placed, test))


def _picks(text: str, test: str) -> bool:
    """Whether a filter (`-run TestA/b`, `-k name`, `--tests *ATest*`, `TESTS=a_test.py`) picks a test by its name."""
    value = re.split(r"[ =]", text, maxsplit=1)[-1].strip("'\"")
    if not value or re.search(r"\s(?:and|or|not)\s|^not\s", value):
        return False
    parts = zip(value.split("/"), test.split("/"), strict=False) if text.startswith("-run ") else [(value, test)]
    return all(_found(part, name) for part, name in parts)


def _found(part: str, name: str) -> bool:
    try:
        return part in name or re.search(part.replace(".*", "*").replace("*", ".*"), name) is not None
    except re.error:
        return False


def _holds(target: str, file: str) -> bool:
    path = re.sub(r":\d+$", "", target.removesuffix("/...")).split("::", 1)[0]
    if path in ("", "."):
        return True
    unix = "/" + file.replace("\\", "/").removeprefix("./")
    stem = unix.rpartition(".")[0]
    return (
        unix.endswith("/" + path)
        or f"/{path.strip('/')}/" in unix
        or stem.endswith("/" + path)
        or unix.startswith(f"/{path}::")
    )


def _wider_tasks(wider: Goal, narrower: Goal) -> bool:
    """`make lint test` covers `make test`, `nx run-many -t lint test` also `nx test app`."""
    a, b = _tool_key(wider).split(), _tool_key(narrower).split()
    if a[:2] == ["nx", "run-many"] and b[0] == "nx" and len(b) > 2:
        return set(b[2:]) <= set(a[2:])
    if a[0] == b[0] == "mvn":
        return maven_runs(a[1:], b[1:])
    if a[0] == b[0] == "gradle":
        return gradle_runs(a[1:], b[1:])
    return a[0] == b[0] and a[0] in ("make", "turbo", "nox", "tox") and len(b) > 1 and set(b[1:]) < set(a[1:])


def aimed_at(shown: Checked, test: str) -> Checked:
    """What showed a failing test, as if it had been called for the names that pick that test alone: of `-run 'TestAdd|TestSub'` the one."""
    if not any(goal.filters for goal in shown.goals):
        return shown
    goal = replace(shown.goal, filters=aimed_at_test(shown.goal.filters, test))
    runs = tuple(
        replace(run, goal=replace(run.goal, filters=aimed_at_test(run.goal.filters, test))) for run in shown.runs
    )
    return Checked(goal, runs)


_TYPED = re.compile(r"\.[cm]?[jt]sx?(?: |$)")
"""Source files: with any of them named, the compiler does not read the project's settings."""


def _targets_cover(wider: Goal, narrower: Goal) -> bool:
    if wider.kind is GoalKind.RUN:
        return wider.cwd == narrower.cwd and wider.target == (narrower.target if narrower.kind is GoalKind.RUN else ())
    (cwd, targets), (other_cwd, other_targets) = _placed(wider), _placed(narrower)
    if _same_place(cwd, other_cwd) or (wider.tool.startswith("nx run-many ") and _among(other_cwd, cwd)):
        cwd = other_cwd
    if (
        wider.tool == "tsc"
        and bool(targets) != bool(other_targets)
        and _TYPED.search(" ".join(targets + other_targets))
    ):
        return False
    if not targets:
        if not cwd and wider.tool.split()[0] in ROOTED_RUNNERS:
            return True
        return not cwd or other_cwd == cwd or other_cwd.startswith(cwd + "/")
    mine = [_joined(_as_path(t, wider), cwd) for t in targets]
    theirs = [_joined(_as_path(t, narrower), other_cwd) for t in other_targets or (".",)]
    return all(any(_contains(a, b, wider.recursive) for a in mine) for b in theirs)


_SOLUTION = re.compile(r"(?:\./)?[\w.-]+\.slnx?")
"""What `dotnet` takes by itself where nothing is named."""


_PROJECT = re.compile(r"(?:[\w@.-]+/)*[\w@-]+/?|[\w@./-]+/tsconfig\.json")
"""`tsc -p apps/api` is the compiler in that directory; another file of settings (`tsconfig.build.json`) is another check."""


def _placed(goal: Goal) -> tuple[str, tuple[str, ...]]:
    """Where a goal is checked, a directory or a `[package]`, and its targets there."""
    targets = goal.target
    if goal.tool == "tsc":
        targets = tuple(target for target in targets if target not in (".", "tsconfig.json", "./tsconfig.json"))
        if len(targets) == 1 and _PROJECT.fullmatch(targets[0]):
            return _joined(targets[0].removesuffix("/tsconfig.json").rstrip("/"), goal.cwd), ()
    elif goal.tool.startswith("dotnet "):
        targets = tuple(target for target in targets if not _SOLUTION.fullmatch(target))
    if targets and targets[0].startswith("["):
        return targets[0], targets[1:]
    if not targets and goal.tool.split()[0] in ROOTED_RUNNERS:
        return "", ()
    return goal.cwd, targets


_CHOOSES = re.compile(r"[*{}^!]|\.\.\.")


def _same_place(a: str, b: str) -> bool:
    """Whether a package and a directory, or two ways to name a package, are the same: `@app/web`, `./packages/web`, `packages/web`."""
    if a == b or not (a.startswith("[") or b.startswith("[")) or _CHOOSES.search(a + b):
        return a == b
    own, other = (text.strip("[]").replace(":", "/").strip("./") for text in (a, b))
    if own.startswith("@") and other.startswith("@"):
        return own == other
    if own.startswith("@") or other.startswith("@"):
        own, other = (text.rsplit("/", 1)[-1] for text in (own, other))
    return bool(own) and bool(other) and (f"/{own}".endswith(f"/{other}") or f"/{other}".endswith(f"/{own}"))


def _among(projects: str, named: str) -> bool:
    """Whether all of some `[projects]` are among those that are `[named,by,name]`."""
    inside = projects.strip("[]").split(",")
    return (
        projects.startswith("[") and not _CHOOSES.search(projects) and set(inside) <= set(named.strip("[]").split(","))
    )


_NAME_MODULES = frozenset({"unittest", "django-test"})
"""They are called for modules, classes and tests by dotted names, too."""


def _as_path(target: str, goal: Goal) -> str:
    """A dotted name as the path that it stands for: what holds what is the same for both."""
    if goal.tool not in _NAME_MODULES or target.startswith((".", "[", "/")):
        return target
    return target.removesuffix(".py").replace(".", "/")


def _located(target: str, goal: Goal) -> str:
    return target if target.startswith("[") else _joined(target, goal.cwd)


def _joined(target: str, cwd: str) -> str:
    joined = posixpath.join(cwd, target) if cwd else target
    recursive = joined.endswith("...")
    path = posixpath.normpath(joined.removesuffix("...") or ".")
    return f"{path}/..." if recursive else path


def _contains(a: str, b: str, recursive: bool) -> bool:
    if a == b or a in (".", "./..."):
        return recursive or a == b or a == "./..."
    if a.endswith("/..."):
        stem = a[:-4]
        inner = b.removesuffix("/...")
        return inner == stem or inner.startswith(stem + "/")
    return recursive and b.startswith((a.rstrip("/") + "/", a + "::", a + ":"))
