"""Running programs and scripts: a verification where the task wrote or built what runs, or where its name says that it tests.

Belongs here: interpreters, inline code, `go run` and its kind. Decided here: inline code (`python -c`, a here-document) verifies only
where it imports a package that the task edited; a script that is known to write files is a change.
"""

from __future__ import annotations

import hashlib
import re

from debug_loop_pipeline.compute.commands.changes import change_of, writes_files, written_files
from debug_loop_pipeline.compute.commands.goals import Goal
from debug_loop_pipeline.compute.commands.meanings import CHANGE, NEITHER, Action, Meaning, Place, placed, tool_meaning
from debug_loop_pipeline.compute.commands.script_names import ScriptRole, lies_among_tests, script_role
from debug_loop_pipeline.compute.commands.shell_status import Ran
from debug_loop_pipeline.compute.commands.task_files import TaskFiles
from debug_loop_pipeline.compute.commands.toolbox import LOOKS_ONLY, TOOLS, GoalKind, find_tool

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
    "R": (".R", ".r"),
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
_RUN_WORDS = {
    ("deno", "run"),
    ("bun", "run"),
    ("crystal", "run"),
    ("nim", "r"),
    ("zig", "run"),
    ("v", "run"),
    ("odin", "run"),
}
PROJECT_RUNS: dict[tuple[str, ...], tuple[str, ...]] = {
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
_IMPORTS = re.compile(
    r"""^\s*(?:from\s+([A-Za-z_.][\w.]*)\s+import|import\s+([A-Za-z_][\w.]*(?:\s*,\s*[A-Za-z_][\w.]*)*))"""
    r"""|(?:require|import)\(\s*['"]([^'"]+)['"]|\bfrom\s+['"]([^'"]+)['"]|^import\s+['"]([^'"]+)['"]""",
    re.MULTILINE,
)
_DATA_FILE = re.compile(r"\.(?:json[c5]?|ya?ml|toml|csv|txt|md)\Z")
"""A file that code loads to read it: what is in it is not run."""
_RUNS_TESTS = re.compile(r"\b(?:devtools::(?:test|check)|testthat::test_\w+|Pkg\.test|unittest\.main|pytest\.main)\b")
"""Inline code that asks the language's own runner for the tests."""
_INLINE_FLAGS = {"-c", "-e", "-p", "--eval", "--print", "-E", "-r"}
_DJANGO_RUNNERS = frozenset({"runtests.py"})
_DJANGO_TEST = TOOLS[("django-test",)]


def python_run(words: list[str], ran: Ran, files: TaskFiles, place: Place) -> Meaning:
    """`python` with a module, inline code, a here-document or a script."""
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
        return _inline("python -", heredoc, ran, files, place) if heredoc is not None else NEITHER
    script, args = words[at], words[at + 1 :]
    name = script.rsplit("/", 1)[-1]
    if LOOKS_ONLY.intersection(args) & {"--help", "-h", "--version"}:
        return NEITHER
    if name == "manage.py":
        return _django(args, ran, place)
    if name == "setup.py":
        found = find_tool([name, *args]) if args else None
        if found is not None:
            return placed(tool_meaning(*found), place)
    if name in _DJANGO_RUNNERS:
        return placed(tool_meaning(_DJANGO_TEST, args), place)
    return _script(" ".join(("python", script)), script, args, ran, files, place) or _changes_or_neither(words, ran)


def _django(args: list[str], ran: Ran, place: Place) -> Meaning:
    if args[:1] == ["test"]:
        return placed(tool_meaning(_DJANGO_TEST, args[1:]), place)
    if args[:1] == ["check"] or (args[:1] == ["makemigrations"] and "--check" in args):
        return placed(Meaning(Action.VERIFY, Goal(f"manage.py {args[0]}", GoalKind.LINT)), place)
    return _changes_or_neither(["manage.py", *args], ran)


def _changes_or_neither(words: list[str], ran: Ran) -> Meaning:
    change = change_of(words, ran.simple)
    return Meaning(Action.CHANGE, files=change.files, content=change.content) if change else NEITHER


def _python_module(module: str, args: list[str], words: list[str], ran: Ran, files: TaskFiles, place: Place) -> Meaning:
    if module == "django":
        return _django(args, ran, place)
    if module == "coverage" and args[:1] == ["run"]:
        rest = [a for a in args[1:] if not a.startswith("--")]
        return python_run(["python", *rest], ran, files, place)
    if module in (
        "pip",
        "venv",
        "virtualenv",
        "ensurepip",
        "http.server",
        "json.tool",
        "pdb",
        "cProfile",
        "timeit",
        "site",
        "this",
    ):
        return _changes_or_neither(words, ran)
    found = find_tool(["python", "-m", module]) if module == "build" else find_tool([module, *args])
    if found is not None:
        return placed(tool_meaning(*found), place)
    if {"--help", "-h", "--version"}.intersection(args):
        return NEITHER
    if files.edits_package(module.split(".")[0]) or files.edits_package(module.rsplit(".", 1)[-1]):
        return _run_goal(f"python -m {module}", args, place)
    role, kind = script_role(module.rsplit(".", 1)[-1])
    if role is ScriptRole.VERIFY and kind is GoalKind.TEST:
        return Meaning(Action.VERIFY, Goal(f"python -m {module}", kind, (), tuple(args[:8]), place.shown))
    return NEITHER


def _inline(program: str, code: str, ran: Ran, files: TaskFiles, place: Place) -> Meaning:
    if writes_files(code):
        return Meaning(Action.CHANGE, files=written_files(code))
    runs_tests = _RUNS_TESTS.search(code)
    if runs_tests is not None:
        return Meaning(Action.VERIFY, Goal(f"{program} {runs_tests.group()}", GoalKind.TEST, (), (), place.shown))
    if code and _imports_edited(code, files):
        digest = hashlib.sha256(code.encode("utf-8", "replace")).hexdigest()[:12]
        return _run_goal(f"{program} {digest}", [], place)
    change = change_of(["cat"], ran.simple) if ran.simple.writes() else None
    return Meaning(Action.CHANGE, files=change.files) if change and program.endswith("-") else NEITHER


def _imports_edited(code: str, files: TaskFiles) -> bool:
    if not files.edited:
        return False
    for match in _IMPORTS.finditer(code):
        text = next(g for g in match.groups() if g)
        for name in text.split(","):
            name = name.strip()
            if _DATA_FILE.search(name):
                continue
            if name.startswith((".", "/")) and "/" in name:
                stem = name.rsplit("/", 1)[-1].split(".")[0]
                if stem and files.edits_package(stem):
                    return True
            elif files.edits_package(name.strip(".").split(".")[0].split("/")[0]):
                return True
    return False


def _script(shown: str, script: str, args: list[str], ran: Ran, files: TaskFiles, place: Place) -> Meaning | None:
    """A script called by an interpreter or by its path: verification, change, or None."""
    if files.changes_files(script, ran.cwd):
        return Meaning(Action.CHANGE, files=files.files_changed_by(script, ran.cwd))
    if script.rsplit("/", 1)[-1] in _DJANGO_RUNNERS:
        return placed(tool_meaning(_DJANGO_TEST, args), place)
    edited = files.edited_path(script, ran.cwd) is not None
    if edited or files.is_built(script, ran.cwd):
        return _run_goal(shown, args, place)
    stem = script.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    role, kind = script_role(stem)
    if role is not ScriptRole.VERIFY and lies_among_tests(script):
        role, kind = ScriptRole.VERIFY, GoalKind.TEST
    if role is ScriptRole.CHANGE:
        return CHANGE
    if role is ScriptRole.VERIFY and (
        kind is not GoalKind.BUILD or script.endswith((".sh", ".bash", ".js", ".mjs", ".ts", ".py"))
    ):
        return Meaning(Action.VERIFY, Goal(shown, kind, (), tuple(a for a in args[:8]), place.shown))
    return None


def program_run(words: list[str], ran: Ran, files: TaskFiles, place: Place) -> Meaning | None:
    """Any other interpreter, a script by its path, or a program that the task built; None where it is none of them."""
    name = words[0]
    if {"--help", "-h", "--version", "-V", "help"}.intersection(words[1:3]) and "/" in name:
        return NEITHER
    if name in _INTERPRETERS:
        rest = words[1:]
        if rest and (name, rest[0]) in _RUN_WORDS:
            rest = rest[1:]
        for at, word in enumerate(rest):
            if word in _INLINE_FLAGS and name not in ("bash", "sh", "zsh", "dash") and at + 1 < len(rest):
                return _inline(f"{name} -e", rest[at + 1], ran, files, place)
            if not word.startswith("-") and (
                word.endswith(_INTERPRETERS[name]) or files.edited_path(word, ran.cwd) or files.is_built(word, ran.cwd)
            ):
                return _script(f"{name} {word}", word, rest[at + 1 :], ran, files, place)
            if not word.startswith("-") and not word.endswith((".js", ".mjs")):
                break
        if ran.simple.heredoc is not None and name in ("node", "ruby", "bun", "deno", "php", "perl"):
            return _inline(f"{name} -", ran.simple.heredoc, ran, files, place)
        if name == "java":
            return (
                _run_goal(" ".join(["java", *[w for w in rest if not w.startswith("-")][:1]]), [], place)
                if files.edits_suffix(".java", ".kt", ".scala")
                else None
            )
        return None
    if (
        "/" in name
        or name in files.built
        or (files.built and any(b.rsplit("/", 1)[-1] == name for b in files.built) and name not in ("test",))
    ):
        return _script(name, name, words[1:], ran, files, place)
    return None


def project_run(words: list[str], files: TaskFiles, place: Place) -> Meaning:
    """`go run ./cmd/x`, `cargo run -- args`: it builds and runs what the task edited, else it is only a use of the program."""
    tool = " ".join(words[:2])
    if not files.edits_suffix(*PROJECT_RUNS[(words[0], words[1])]):
        return NEITHER
    args = [w for w in words[2:] if w != "--"]
    if {"--help", "-h"}.intersection(args):
        return NEITHER
    return Meaning(Action.VERIFY, Goal(tool, GoalKind.RUN, (), tuple(args[:12]), place.shown))


def _run_goal(program: str, args: list[str], place: Place) -> Meaning:
    return Meaning(Action.VERIFY, Goal("run", GoalKind.RUN, (program,), tuple(args[:12]), place.shown))
