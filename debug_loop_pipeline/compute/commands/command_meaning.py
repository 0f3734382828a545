"""What a command is to a task: a verification with its goal, a change, or neither (LOG_FORMATS 1).

Belongs here: the order in which the tables and the task's own programs are asked. `--help`, `--version`, listing and watching verify
nothing, and so do reading, searching, git and installing.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import replace

from debug_loop_pipeline.compute.commands.changes import change_of
from debug_loop_pipeline.compute.commands.meanings import NEITHER, Action, Meaning, Place, known_meaning, placed
from debug_loop_pipeline.compute.commands.program_runs import PROJECT_RUNS, program_run, project_run, python_run
from debug_loop_pipeline.compute.commands.script_names import PYTHON_MANAGERS
from debug_loop_pipeline.compute.commands.shell_status import Ran
from debug_loop_pipeline.compute.commands.task_files import TaskFiles
from debug_loop_pipeline.compute.commands.toolbox import starts_a_tool
from debug_loop_pipeline.compute.commands.wrappers import pointed_at, program_name

_PYTHON = re.compile(r"(?:python|pypy)[\d.]*(?:\.exe)?|py\Z")
_HAS_DIRECTORY = re.compile(r"/|\A(?:[A-Za-z]:|\.\.?)\\")
_CALLED_BY_PATH = frozenset(
    [
        "gradlew",
        "mvnw",
        "rails",
        "rake",
        "node",
        "go",
        "cargo",
        "npm",
        "npx",
        "artisan",
        "golangci-lint",
        "bazel",
        "dotnet",
        "bun",
        "deno",
        "playwright",
    ]
)
_INSTALLED = re.compile(
    r"(?:^|/)(?:node_modules|\.(?!\.?/|build/)[\w-]+/.*bin|[\w.-]*venv[\w.-]*)/|^(?:/usr|/opt|/nix|~|\$HOME|\$\{HOME\})/"
)
"""Where tools are installed: packages, hidden directories with a `bin` (`.rustup/.../bin`), the system's and the user's own."""
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


def meaning_of(ran: Ran, files: TaskFiles, base: str = "") -> Meaning:
    """What the command `ran` is to a task that has written and built `files`; `base` is the directory of the run."""
    words = ran.words
    if not words:
        change = change_of([], ran.simple)
        return Meaning(Action.CHANGE, files=change.files, content=change.content) if change else NEITHER
    if _HAS_DIRECTORY.search(words[0]) and not words[0].startswith("@"):
        words = [_program_name(words[0], ran, files), *words[1:]]
    elif words[0].startswith("@"):
        words = [_PACKAGE_PROGRAMS.get(words[0], words[0].rsplit("/", 1)[-1]), *words[1:]]
    elif words[0].endswith((".cmd", ".exe", ".bat")):
        words = [words[0][:-4], *words[1:]]
    if words[0] == "tee" and ran.source is not None and meaning_of(ran.source, files, base).goal is not None:
        return NEITHER  # It keeps a copy of what a check says.
    place = _place(ran, base)
    if _PYTHON.fullmatch(words[0]):
        return python_run(words, ran, files, place)
    known = known_meaning(tuple(words[:64]))
    if known is not None:
        if known.goal is None:
            return placed(known, place)
        known = _of_named_files(known, ran)
        assert known.goal is not None
        here = known.goal.cwd or (known.goal.target and known.goal.target[0].startswith("["))
        return placed(known, Place(ran.cwd, base) if here else place)
    if (words[0], words[1] if len(words) > 1 else "") in PROJECT_RUNS:
        return project_run(words, files, place)
    change = change_of(words, ran.simple)
    meaning = program_run(words, ran, files, place) if change is None else None
    if meaning is not None:
        return meaning
    if change is None and ran.simple.words[0] in PYTHON_MANAGERS:
        named = known_meaning(tuple(ran.simple.words[:64]))
        if named is not None and named.goal is not None:
            return placed(named, place)
    return Meaning(Action.CHANGE, files=change.files, content=change.content) if change else NEITHER


def _of_named_files(meaning: Meaning, ran: Ran) -> Meaning:
    """`git ls-files '*.ts' | xargs eslint`: of which files is not known, and so it is no check of all of them."""
    goal = meaning.goal
    if (
        goal is None
        or goal.target
        or ran.name in ("xargs", "parallel")
        or not {"xargs", "parallel"}.intersection(ran.simple.words)
    ):
        return meaning
    return replace(meaning, goal=replace(goal, target=("(files)",)))


def _place(ran: Ran, base: str) -> Place:
    """Where a command ran: where its line stood, or where a wrapper pointed it."""
    where = pointed_at(ran.simple.words)
    return (
        Place(where if where.startswith("[") else posixpath.normpath(posixpath.join(ran.cwd, where)), base)
        if where
        else Place(ran.cwd, base)
    )


def _program_name(path: str, ran: Ran, files: TaskFiles) -> str:
    """A known tool called by its path (`./node_modules/.bin/jest`, `./gradlew`, `.venv/bin/pytest`) by its name; others as they are."""
    name = program_name(path)
    if files.edited_path(path, ran.cwd) is not None:
        return path
    if files.is_built(path, ran.cwd) and not _INSTALLED.search(path):
        return path
    known = starts_a_tool(name) or _PYTHON.fullmatch(name) is not None or name in _CALLED_BY_PATH
    return name if known else path
