"""What a command is to a task: a verification with its goal, a change, or neither; and when one goal covers another.

Belongs here: DOMAIN 1 "goal" and the rules of LOG_FORMATS 1 on commands. The verdict of a goal is `verdicts`. The tables are `toolbox`
(tools with fixed names), `script_names` (names people give), `changes` (what changes something).

Decided here and worth knowing: running a script or program is a verification where the task wrote or built it, where its name says
that it tests (`run_tests.sh`), or where inline code (`python -c`, a here-document) imports a package the task edited. A script that is
known to write files (a one-off "fix_imports.py") is a change. `--help`, `--version`, listing and watching verify nothing.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from debug_loop_pipeline.compute.changes import change_of, writes_files, written_files
from debug_loop_pipeline.compute.script_names import ScriptRole, package_script, script_role
from debug_loop_pipeline.compute.shell_status import Ran
from debug_loop_pipeline.compute.task_files import TaskFiles
from debug_loop_pipeline.compute.toolbox import LOOKS_ONLY, GoalKind, Tool, arguments, find_tool


class Action(StrEnum):
    """What a command is to the task."""

    VERIFY = "verify"
    CHANGE = "change"
    NEITHER = "neither"


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

    @property
    def text(self) -> str:
        """Canonical text, the same for the same goal."""
        parts = [] if self.tool == "run" else [self.tool]
        text = " ".join([*parts, *self.target, *self.filters])
        return f"{text} (in {self.cwd})" if self.cwd else text


@dataclass(frozen=True, slots=True)
class Meaning:
    """One command's action; the goal of a verification, the files a change names, what a build writes."""

    action: Action
    goal: Goal | None = None
    files: tuple[str, ...] = ()
    content: str | None = None
    output: str | None = None


_NEITHER = Meaning(Action.NEITHER)
_CHANGE = Meaning(Action.CHANGE)
_PYTHON = re.compile(r"(?:python|pypy)[\d.]*(?:\.exe)?|py\Z")
_INTERPRETERS = {
    "node": (".js", ".mjs", ".cjs", ".ts"),
    "nodejs": (".js",),
    "bun": (".ts", ".js", ".tsx", ".mjs"),
    "deno": (".ts", ".js"),
    "tsx": (".ts", ".tsx", ".mts", ".js"),
    "ts-node": (".ts",),
    "esno": (".ts",),
    "vite-node": (".ts",),
    "ruby": (".rb",),
    "perl": (".pl", ".pm", ".t"),
    "php": (".php",),
    "lua": (".lua",),
    "luajit": (".lua",),
    "Rscript": (".R", ".r"),
    "julia": (".jl",),
    "elixir": (".exs", ".ex"),
    "swift": (".swift",),
    "bash": (".sh", ".bash"),
    "sh": (".sh",),
    "zsh": (".sh", ".zsh"),
    "dash": (".sh",),
    "groovy": (".groovy",),
    "scala": (".scala",),
    "kotlin": (".kts",),
    "java": (".java",),
    "osascript": (".scpt", ".applescript"),
    "awk": (".awk",),
    "racket": (".rkt",),
    "ocaml": (".ml",),
    "crystal": (".cr",),
    "nim": (".nim",),
    "zig": (".zig",),
}
_RUN_WORDS = {("deno", "run"), ("bun", "run"), ("crystal", "run"), ("nim", "r"), ("zig", "run"), ("v", "run"), ("odin", "run")}
_PROJECT_RUNS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("go", "run"): (".go", "go.mod"),
    ("cargo", "run"): (".rs", "Cargo.toml"),
    ("cargo", "r"): (".rs", "Cargo.toml"),
    ("dotnet", "run"): (".cs", ".fs", ".csproj"),
    ("swift", "run"): (".swift",),
    ("zig", "run"): (".zig",),
    ("stack", "run"): (".hs",),
    ("cabal", "run"): (".hs",),
    ("mix", "run"): (".ex", ".exs"),
    ("dune", "exec"): (".ml",),
    ("gleam", "run"): (".gleam",),
    ("dart", "run"): (".dart",),
    ("sbt", "run"): (".scala",),
}
_SHELL_BUILTINS = frozenset({"source", "."})
_SCRIPT_SUFFIX = (".py", ".js", ".mjs", ".cjs", ".ts", ".tsx", ".sh", ".bash", ".rb", ".pl", ".php", ".lua", ".jl", ".R", ".exs")
_IMPORTS = re.compile(
    r"""^\s*(?:from\s+([A-Za-z_.][\w.]*)\s+import|import\s+([A-Za-z_][\w.]*(?:\s*,\s*[A-Za-z_][\w.]*)*))"""
    r"""|(?:require|import)\(\s*['"]([^'"]+)['"]|\bfrom\s+['"]([^'"]+)['"]|^import\s+['"]([^'"]+)['"]""",
    re.MULTILINE,
)
_INLINE_FLAGS = {"-c", "-e", "-p", "--eval", "--print", "-E", "-r"}
_DJANGO_RUNNERS = frozenset({"runtests.py"})


def meaning_of(ran: Ran, files: TaskFiles, base: str = "") -> Meaning:
    """What the command `ran` is to a task that has written and built `files`; `base` is the directory of the run."""
    words = ran.words
    if not words:
        change = change_of([], ran.simple)
        return Meaning(Action.CHANGE, files=change.files, content=change.content) if change else _NEITHER
    if "/" in words[0] and not words[0].startswith("@"):
        words = [_program_name(words[0], ran, files), *words[1:]]
    elif words[0].startswith("@"):
        words = [_PACKAGE_PROGRAMS.get(words[0], words[0].rsplit("/", 1)[-1]), *words[1:]]
    elif words[0].endswith((".cmd", ".exe")):
        words = [words[0][:-4], *words[1:]]
    place = _Place(ran.cwd, base)
    if _PYTHON.fullmatch(words[0]):
        return _python(words, ran, files, place)
    known = _known(tuple(words[:64]))
    if known is not None:
        return known if known.goal is None else _placed(known, place)
    if (words[0], words[1] if len(words) > 1 else "") in _PROJECT_RUNS:
        return _project_run(words, files, place)
    change = change_of(words, ran.simple)
    meaning = _program_run(words, ran, files, place) if change is None else None
    if meaning is not None:
        return meaning
    return Meaning(Action.CHANGE, files=change.files, content=change.content) if change else _NEITHER


_PACKAGE_PROGRAMS = {
    "@biomejs/biome": "biome",
    "@playwright/test": "playwright",
    "@angular/cli": "ng",
    "@nestjs/cli": "nest",
    "@vue/cli-service": "vue-cli-service",
    "@redocly/cli": "redocly",
    "@arethetypeswrong/cli": "attw",
    "@swc/cli": "swc",
    "@babel/cli": "babel",
    "@tauri-apps/cli": "tauri",
    "@vscode/test-cli": "vscode-test",
    "@stoplight/spectral-cli": "spectral",
    "@typescript/native-preview": "tsgo",
}


@dataclass(frozen=True, slots=True)
class _Place:
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


def _program_name(path: str, ran: Ran, files: TaskFiles) -> str:
    """A known tool called by its path (`./node_modules/.bin/jest`, `./gradlew`, `.venv/bin/pytest`) by its name; others as they are."""
    name = path.rsplit("/", 1)[-1]
    if files.edited_path(path, ran.cwd) is not None or files.is_built(path, ran.cwd) and "node_modules" not in path and "venv" not in path:
        return path
    if find_tool([name]) is not None or _PYTHON.fullmatch(name) or name in ("gradlew", "mvnw", "rails", "rake", "node", "go", "cargo", "npm", "npx", "artisan", "console", "golangci-lint", "bazel", "dotnet", "bun", "deno", "ruff", "playwright"):
        return name
    return path


@lru_cache(maxsize=4096)
def _known(words: tuple[str, ...]) -> Meaning | None:
    """The meaning of tools and scripts with a name of their own; None where the words are no such thing."""
    args = list(words)
    name = args[0]
    if name == "go" and args[1:2] == ["tool"] and len(args) > 2:
        args = args[2:]
        name = args[0]
    if name in ("rails", "rake") and len(args) > 1 and args[1].startswith("test"):
        args = ["rails", "test", *args[2:]]
    if name == "artisan" or (name == "php" and args[1:2] and args[1].endswith("artisan")):
        args = ["artisan", *args[(1 if name == "artisan" else 2) :]]
    if name == "php" and len(args) > 1 and args[1].rsplit("/", 1)[-1] in ("phpunit", "phpstan", "pest", "psalm", "phpcs"):
        args = [args[1].rsplit("/", 1)[-1], *args[2:]]
    if name == "node" and len(args) > 1 and "node_modules" in args[1]:
        args = [args[1].rsplit("/", 1)[-1].removesuffix(".js"), *args[2:]]
    if name == "cmake" and "--build" in args:
        args = ["cmake", "--build", *[a for a in args[1:] if a != "--build"]]
    if name == "xcodebuild":
        verbs = [a for a in args[1:] if a in ("test", "build", "analyze", "build-for-testing")]
        args = ["xcodebuild", *(verbs[-1:] or ["build"]), *[a for a in args[1:] if a not in verbs]]
    found = find_tool(args)
    if found is not None:
        return _tool_meaning(*found)
    script = package_script(args)
    if script is None:
        return None
    role, kind = script_role(script.script)
    if role is ScriptRole.NEITHER:
        return _NEITHER
    if role is ScriptRole.CHANGE or {"--fix", "--write", "-u", "--updateSnapshot", "--update-snapshots"}.intersection(script.args):
        return _CHANGE
    if LOOKS_ONLY.intersection(script.args) - {"version", "help", "-h", "-V"}:
        return _NEITHER
    targets, filters = _passed_on(script.args)
    if script.where and not script.where.startswith((".", "/")):
        targets = (f"[{script.where}]", *targets)
    cwd = script.where if script.where.startswith((".", "/")) or (script.where and script.tool.startswith("make")) else ""
    return Meaning(Action.VERIFY, Goal(script.tool, kind, targets, filters, cwd))


_PASSED_FILTERS = frozenset("-t -k -m -g -run --grep --testNamePattern --test-name-pattern --filter --tests --name -e --spec --only --project".split())


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
        elif not arg.startswith("-"):
            targets.append(arg)
    return tuple(targets), tuple(filters)


def _tool_meaning(tool: Tool, args: list[str]) -> Meaning:
    targets, filters, options = arguments(tool, args)
    if options & LOOKS_ONLY and not (tool.kind is GoalKind.TYPES and options & {"--watch"} == set() and "--init" not in options and not options & {"--help", "--version", "-h", "--showConfig"}):
        return _NEITHER
    if args[:1] in (["--help"], ["help"], ["version"], ["linters"], ["list"], ["config"], ["cache"], ["init"], ["--list"]):
        return _NEITHER
    if options & tool.fix:
        return _CHANGE
    if tool.check and not (options & tool.check or tool.check.intersection(args)):
        return _NEITHER if tool.fix else _CHANGE
    if tool.name in ("jest", "vitest") and options & {"-u", "--updateSnapshot", "--update"}:
        return _CHANGE
    output = _output_of(tool, args)
    targets = [t for t in targets if t not in tool.check]
    if tool.name == "cc":
        if not targets:
            return _NEITHER
        output = output or ("a.out" if not {"-c", "-E", "-S", "-fsyntax-only"} & options else None)
    cwd = _directory_option(tool, args)
    goal = Goal(tool.name, tool.kind, tuple(targets), tuple(filters), cwd, tool.silent, tool.prints_means_fail, tool.recursive)
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
    flags = {"go test": "-C", "go build": "-C", "go vet": "-C", "ninja": "-C", "ctest": "--test-dir", "meson test": "-C"}
    flag = flags.get(tool.name)
    if flag in args[:-1]:
        return args[args.index(flag) + 1]
    return ""


def _placed(meaning: Meaning, place: _Place) -> Meaning:
    goal = meaning.goal
    assert goal is not None
    cwd = posixpath.normpath(posixpath.join(place.shown, goal.cwd)) if goal.cwd else place.shown
    if cwd == goal.cwd:
        return meaning
    placed = Goal(goal.tool, goal.kind, goal.target, goal.filters, cwd if cwd != "." else "", goal.silent, goal.prints_means_fail, goal.recursive)
    return Meaning(Action.VERIFY, placed, meaning.files, meaning.content, meaning.output)


def _run_goal(program: str, args: list[str], place: _Place) -> Meaning:
    return Meaning(Action.VERIFY, Goal("run", GoalKind.RUN, (program,), tuple(args[:12]), place.shown))


def _python(words: list[str], ran: Ran, files: TaskFiles, place: _Place) -> Meaning:
    at = 1
    while at < len(words):
        word = words[at]
        if word == "-m" and at + 1 < len(words):
            return _python_module(words[at + 1], words[at + 2 :], words, ran, files, place)
        if word == "-c" and at + 1 < len(words):
            return _inline("python -c", words[at + 1], ran, files, place)
        if word == "-":
            return _inline("python -", ran.simple.heredoc or "", ran, files, place)
        if word in ("-X", "-W"):
            at += 2
            continue
        if not word.startswith("-"):
            break
        at += 1
    if at >= len(words):
        heredoc = ran.simple.heredoc
        return _inline("python -", heredoc, ran, files, place) if heredoc is not None else _NEITHER
    script, args = words[at], words[at + 1 :]
    name = script.rsplit("/", 1)[-1]
    if LOOKS_ONLY.intersection(args) & {"--help", "-h", "--version"}:
        return _NEITHER
    if name == "manage.py":
        return _django(args, ran, place)
    if name == "setup.py":
        found = find_tool([name, *args]) if args else None
        if found is not None:
            return _placed(_tool_meaning(*found), place)
    if name in _DJANGO_RUNNERS:
        return _placed(_tool_meaning(find_tool(["django-test"])[0], args), place)  # type: ignore[index]
    return _script(" ".join(("python", script)), script, args, ran, files, place) or _changes_or_neither(words, ran)


def _django(args: list[str], ran: Ran, place: _Place) -> Meaning:
    if args[:1] == ["test"]:
        return _placed(_tool_meaning(find_tool(["django-test"])[0], args[1:]), place)  # type: ignore[index]
    if args[:1] == ["check"] or (args[:1] == ["makemigrations"] and "--check" in args):
        return _placed(Meaning(Action.VERIFY, Goal(f"manage.py {args[0]}", GoalKind.LINT)), place)
    return _changes_or_neither(["manage.py", *args], ran)


def _changes_or_neither(words: list[str], ran: Ran) -> Meaning:
    change = change_of(words, ran.simple)
    return Meaning(Action.CHANGE, files=change.files, content=change.content) if change else _NEITHER


def _python_module(module: str, args: list[str], words: list[str], ran: Ran, files: TaskFiles, place: _Place) -> Meaning:
    if module == "django":
        return _django(args, ran, place)
    if module == "coverage" and args[:1] == ["run"]:
        rest = [a for a in args[1:] if not a.startswith("--")]
        return _python(["python", *rest], ran, files, place)
    if module in ("pip", "venv", "virtualenv", "ensurepip", "http.server", "json.tool", "pdb", "cProfile", "timeit", "site", "this"):
        return _changes_or_neither(words, ran)
    found = find_tool([module, *args])
    if found is not None:
        return _placed(_tool_meaning(*found), place)
    if {"--help", "-h", "--version"}.intersection(args):
        return _NEITHER
    if files.edits_package(module.split(".")[0]) or files.edits_package(module.rsplit(".", 1)[-1]):
        return _run_goal(f"python -m {module}", args, place)
    role, kind = script_role(module.rsplit(".", 1)[-1])
    if role is ScriptRole.VERIFY and kind is GoalKind.TEST:
        return Meaning(Action.VERIFY, Goal(f"python -m {module}", kind, (), tuple(args[:8]), place.shown))
    return _NEITHER


def _inline(program: str, code: str, ran: Ran, files: TaskFiles, place: _Place) -> Meaning:
    if writes_files(code):
        return Meaning(Action.CHANGE, files=written_files(code))
    if code and _imports_edited(code, files):
        digest = hashlib.sha256(code.encode("utf-8", "replace")).hexdigest()[:12]
        return _run_goal(f"{program} {digest}", [], place)
    change = change_of(["cat"], ran.simple) if ran.simple.writes() else None
    return Meaning(Action.CHANGE, files=change.files) if change and program.endswith("-") else _NEITHER


def _imports_edited(code: str, files: TaskFiles) -> bool:
    if not files.edited:
        return False
    for match in _IMPORTS.finditer(code):
        text = next(g for g in match.groups() if g)
        for name in text.split(","):
            name = name.strip()
            if name.startswith((".", "/")) and "/" in name:
                stem = name.rsplit("/", 1)[-1].split(".")[0]
                if stem and files.edits_package(stem):
                    return True
            elif files.edits_package(name.strip(".").split(".")[0].split("/")[0]):
                return True
    return False


def _script(shown: str, script: str, args: list[str], ran: Ran, files: TaskFiles, place: _Place) -> Meaning | None:
    """A script called by an interpreter or by its path: verification, change, or None."""
    if files.changes_files(script, ran.cwd):
        return _CHANGE
    if script.rsplit("/", 1)[-1] in _DJANGO_RUNNERS:
        return _placed(_tool_meaning(find_tool(["django-test"])[0], args), place)  # type: ignore[index]
    edited = files.edited_path(script, ran.cwd) is not None
    if edited or files.is_built(script, ran.cwd):
        return _run_goal(shown, args, place)
    stem = script.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    role, kind = script_role(stem)
    if role is ScriptRole.CHANGE:
        return _CHANGE
    if role is ScriptRole.VERIFY and (kind is not GoalKind.BUILD or script.endswith((".sh", ".bash", ".js", ".mjs", ".ts", ".py"))):
        return Meaning(Action.VERIFY, Goal(shown, kind, (), tuple(a for a in args[:8]), place.shown))
    return None


def _program_run(words: list[str], ran: Ran, files: TaskFiles, place: _Place) -> Meaning | None:
    name = words[0]
    if {"--help", "-h", "--version", "-V", "help"}.intersection(words[1:3]) and "/" in name:
        return _NEITHER
    if name in _INTERPRETERS:
        rest = words[1:]
        if rest and (name, rest[0]) in _RUN_WORDS:
            rest = rest[1:]
        for at, word in enumerate(rest):
            if word in _INLINE_FLAGS and name not in ("bash", "sh", "zsh", "dash") and at + 1 < len(rest):
                return _inline(f"{name} -e", rest[at + 1], ran, files, place)
            if not word.startswith("-") and (word.endswith(_INTERPRETERS[name]) or files.edited_path(word, ran.cwd) or files.is_built(word, ran.cwd)):
                return _script(f"{name} {word}", word, rest[at + 1 :], ran, files, place)
            if not word.startswith("-") and not word.endswith((".js", ".mjs")):
                break
        if ran.simple.heredoc is not None and name in ("node", "ruby", "bun", "deno", "php", "perl"):
            return _inline(f"{name} -", ran.simple.heredoc, ran, files, place)
        if name == "java":
            return _run_goal(" ".join(["java", *[w for w in rest if not w.startswith("-")][:1]]), [], place) if files.edits_suffix(".java", ".kt", ".scala") else None
        return None
    if "/" in name or name in files.built or (files.built and any(b.rsplit("/", 1)[-1] == name for b in files.built) and name not in ("test",)):
        return _script(name, name, words[1:], ran, files, place)
    return None


def _project_run(words: list[str], files: TaskFiles, place: _Place) -> Meaning:
    """`go run ./cmd/x`, `cargo run -- args`: it builds and runs what the task edited, else it is only a use of the program."""
    tool = " ".join(words[:2])
    if not files.edits_suffix(*_PROJECT_RUNS[(words[0], words[1])]):
        return _NEITHER
    args = [w for w in words[2:] if w != "--"]
    if {"--help", "-h"}.intersection(args):
        return _NEITHER
    return Meaning(Action.VERIFY, Goal(tool, GoalKind.RUN, (), tuple(args[:12]), place.shown))


_MANAGERS = re.compile(r"(?:npm|yarn|pnpm|bun) run ")


def _tool_key(goal: Goal) -> str:
    return _MANAGERS.sub("script ", goal.tool)


def covers(wider: Goal, narrower: Goal, *, ignore_filters: bool = False) -> bool:
    """Whether a result of `wider` also speaks for `narrower`: same tool, targets that contain the other's, no narrower filter.

    ignore_filters: for errors that do not depend on which tests run (a build that failed).
    """
    same_tool = _tool_key(wider) == _tool_key(narrower)
    if not same_tool and not _wider_tasks(wider, narrower):
        return False
    if not ignore_filters and not _filters_cover(wider.filters, narrower.filters):
        return False
    return _targets_cover(wider, narrower)


_ROOTED_RUNNERS = frozenset({"mise", "just", "task", "rake", "moon"})
"""They look for their file upwards and run where it lies: from wherever they are called, a task is the same."""


def _wider_tasks(wider: Goal, narrower: Goal) -> bool:
    """`make lint test` covers `make test`."""
    a, b = wider.tool.split(), narrower.tool.split()
    return a[0] == b[0] and a[0] in ("make", "gradle", "mvn", "turbo", "nox", "tox") and len(b) > 1 and set(b[1:]) < set(a[1:])


def _filters_cover(wider: tuple[str, ...], narrower: tuple[str, ...]) -> bool:
    if not wider:
        return True
    if set(wider) == set(narrower):
        return True
    if len(wider) == len(narrower) == 1:
        flag_a, _, expr_a = wider[0].partition(" ")
        flag_b, _, expr_b = narrower[0].partition(" ")
        if flag_a == flag_b and expr_a and not re.search(r"[()]", expr_a + expr_b):
            return set(expr_b.split("|")) <= set(expr_a.split("|"))
    return False


def _targets_cover(wider: Goal, narrower: Goal) -> bool:
    if wider.kind is GoalKind.RUN:
        return wider.target == narrower.target and wider.cwd == narrower.cwd
    if not wider.target:
        if wider.tool.split()[0] in _ROOTED_RUNNERS:
            return True
        return not wider.cwd or narrower.cwd == wider.cwd or narrower.cwd.startswith(wider.cwd + "/")
    if not narrower.target:
        return wider.cwd == narrower.cwd and any(t in (".", "./...", "./", "...") for t in wider.target)
    mine = [_located(t, wider) for t in wider.target]
    return all(any(_contains(a, _located(t, narrower), wider.recursive) for a in mine) for t in narrower.target)


def _located(target: str, goal: Goal) -> str:
    if target.startswith("["):
        return target
    joined = posixpath.join(goal.cwd, target) if goal.cwd else target
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
