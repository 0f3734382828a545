"""Which programs verify something, and how their arguments name it.

The facts are rows of `data/verification_tools.toml`; here they become `Tool` objects and are looked up. What a command means in a
task is `goals`; scripts and tasks that people name themselves are `script_names`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files
from typing import Any


class GoalKind(StrEnum):
    """What a verification is about."""

    TEST = "test"
    BUILD = "build"
    LINT = "lint"
    TYPES = "types"
    FORMAT = "format"
    RUN = "run"
    MIXED = "mixed"


@dataclass(frozen=True, slots=True)
class Tool:
    """One way to verify; the fields are explained at the head of the data file."""

    name: str
    kind: GoalKind
    filters: frozenset[str] = frozenset()
    values: frozenset[str] = frozenset()
    fix: frozenset[str] = frozenset()
    check: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    narrows: frozenset[str] = frozenset()
    positional: str = "target"
    silent: bool = False
    prints_means_fail: bool = False
    recursive: bool = True

    @property
    def option_values(self) -> frozenset[str]:
        """Every option that is followed by a value."""
        return self.filters | self.values | self.scopes


def _tool(row: dict[str, Any], program: str) -> Tool:
    values: dict[str, Any] = {"name": row.get("name", program), "kind": GoalKind(row["kind"])}
    values |= {
        key: frozenset(row[key]) for key in ("filters", "values", "fix", "check", "scopes", "narrows") if key in row
    }
    values |= {key: row[key] for key in ("positional", "silent", "prints_means_fail", "recursive") if key in row}
    return Tool(**values)


def _load() -> dict[tuple[str, ...], Tool]:
    text = files("debug_loop_pipeline.compute").joinpath("data/verification_tools.toml").read_text(encoding="utf-8")
    return {
        tuple(program.split()): _tool(row, program)
        for row in tomllib.loads(text)["tools"]
        for program in row["programs"]
    }


TOOLS: dict[tuple[str, ...], Tool] = _load()
"""Words that start a tool -> the tool."""

_LONGEST = max(len(words) for words in TOOLS)
_LONGEST_OF: dict[str, int] = {}
for _words in TOOLS:
    _LONGEST_OF[_words[0]] = max(_LONGEST_OF.get(_words[0], 0), len(_words))

_HELP = frozenset({"--help", "-h", "-help", "help", "--version", "-version", "version", "-V"})
_LISTS_ONLY = frozenset(
    {
        "--collect-only", "--co", "--listTests", "--list-tests", "--showConfig", "--print-config", "--show-config", "--init",
        "--fixtures", "--markers", "--watch", "--watchAll", "--ui", "--env-info", "--list", "--show-settings",
    }
)  # fmt: skip
LOOKS_ONLY: frozenset[str] = _HELP | _LISTS_ONLY
"""Options with which a program tells about itself, lists, or never ends: nothing is verified."""


_SCRIPTS = (".js", ".mjs", ".cjs", ".ts", ".mts")


def find_tool(words: list[str]) -> tuple[Tool, list[str]] | None:
    """The tool that `words` run and the arguments behind the words that start it; the longest row wins.

    Options may stand between the words of a row (`go -C dir test`, `cargo +nightly test`).
    """
    longest = _LONGEST_OF.get(words[0])
    if longest is None:
        return None
    for length in range(min(longest, len(words)), 1, -1):
        tool = TOOLS.get(tuple(words[:length]))
        if tool is not None:
            return tool, words[length:]
    if longest > 1:
        at = 1
        while at < len(words) and words[at][:1] in "-+":
            at += 2 if words[at] in ("-C", "--cwd", "--manifest-path", "-p", "--project", "--dir") else 1
        if 1 < at < len(words):
            tool = TOOLS.get((words[0], words[at]))
            if tool is not None:
                return tool, [*words[1:at], *words[at + 1 :]]
    if words[0] == "node" and "--test" in words:
        # `node --import tsx --test`: other options of node may stand before it, whatever their values are.
        at = words.index("--test")
        if not any(word.endswith(_SCRIPTS) and words[n][:1] != "-" for n, word in enumerate(words[1:at])):
            return TOOLS[("node", "--test")], words[at + 1 :]
    tool = TOOLS.get((words[0],))
    return (tool, words[1:]) if tool is not None else None


@lru_cache(maxsize=256)
def kind_of(tool: str | None) -> GoalKind | None:
    """What a tool checks, by the name that its findings are filed under; None where that is not known."""
    found = find_tool(tool.split(" ")) if tool else None
    return found[0].kind if found is not None else None


def starts_a_tool(name: str) -> bool:
    """Whether any tool's words begin with this program."""
    return name in _LONGEST_OF


def arguments(tool: Tool, args: list[str]) -> tuple[list[str], list[str], set[str]]:
    """Targets, filters (`-k expr` as one text each) and the set of options in `args`."""
    targets: list[str] = []
    filters: list[str] = []
    options: set[str] = set()
    values = tool.option_values
    at = 0
    while at < len(args):
        arg = args[at]
        at += 1
        if arg == "--":
            if tool.positional != "target":
                continue  # `cargo test -- --skip slow`: what it hands on are filters too
            if tool.kind is not GoalKind.BUILD:
                targets += [a for a in args[at:] if not a.startswith("-")]
            break
        if arg in ("true", "false"):
            continue
        if not arg.startswith("-") or arg == "-":
            if tool.positional == "filter":
                filters.append(arg)
            elif tool.positional == "target":
                targets.append(arg)
            continue
        flag, equals, value = arg.partition("=")
        if value not in ("false", "0"):
            options.add(flag)
        if flag in tool.narrows:
            filters.append(flag)
        if equals:
            pass
        elif flag in values and at < len(args) and not (flag in tool.scopes and args[at].startswith("-")):
            value = args[at]
            at += 1
        else:
            continue
        if flag in tool.filters:
            filters.append(f"{flag} {value}")
        elif flag in tool.scopes:
            targets.append(value)
    return targets, filters, options
