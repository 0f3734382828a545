"""SWE-agent's own commands: what each does, and what its windowed editor changed.

The editor names lines (`edit 4:6`) or the stretch between two cursors, not the text they held: that is read off the
window shown before. Not
here: the layout of trajectory files.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from typing import Any

from debug_loop_pipeline.importers.documents import string
from debug_loop_pipeline.importers.tool_calls import kind_of, tool_call
from debug_loop_pipeline.models.trajectory import FileEdit, ToolCall, ToolKind, ToolResult

_READS = frozenset({"open", "goto", "scroll_up", "scroll_down", "filemap"})
_SEARCHES = frozenset({"find_file", "search_file", "search_dir"})
_EDITS = frozenset({"edit", "insert", "create"})
_OTHERS = frozenset({"submit", "set_cursors", "exit_forfeit", "exit_error", "disassemble", "decompile", "skip"})
_STRING_EDITOR = "str_replace_editor"

_HEADER = re.compile(r"^\[File: (?P<path>.+?)\r? \((?P<total>\d+) lines total\)\]", re.MULTILINE)
_NUMBERED = re.compile(r"^(\d+):(.*)$")
_LINE_RANGE = re.compile(r"^edit\s+(\d+):(\d+)(?:[ \t]+\S+)?[ \t]*\n?(.*)$", re.DOTALL)
_END_OF_EDIT = re.compile(r"\n?^end_of_edit\s*\Z", re.MULTILINE)
_NOT_APPLIED = re.compile(
    r"proposed edit has introduced new syntax error|changes have NOT been applied|edit was not applied"
    r"|This is how your edit would",
    re.IGNORECASE,
)
_EDITED = (
    "[File:",
    "File updated",
    "Text replaced",
    "Replaced ",
    "The file ",
    "File created",
    "Here's the result",
    "Inserted",
)
_TIMED_OUT = re.compile(r"^\s*EXECUTION TIMED OUT|was cancelled because it took more than|CommandTimeout", re.MULTILINE)
_CRASHED = re.compile(r"COMMAND FAILED TO EXECUTE|TERMINAL CRASHED|EXECUTION FAILED", re.IGNORECASE)


@dataclass(slots=True)
class Window:
    """What the editor last showed: numbered lines of a file, how many it has, and the lines between the cursors."""

    path: str
    total: int
    lines: dict[int, str] = field(default_factory=dict)
    selected: tuple[int, int] | None = None

    def text(self, first: int, last: int) -> str | None:
        """The text of lines first to last; None where one of them was not shown."""
        if any(number not in self.lines for number in range(first, last + 1)):
            return None
        return "".join(f"{self.lines[number]}\n" for number in range(first, last + 1))

    def whole(self) -> str | None:
        """The file's content, where all of it was shown."""
        return self.text(1, self.total) if self.total == len(self.lines) else None


class Editor:
    """Follows the open file through a run."""

    def __init__(self) -> None:
        self.window: Window | None = None

    def call(self, call_id: str, action: str, function: tuple[str, dict[str, Any]] | None, cwd: str | None) -> ToolCall:
        """The call that an action is. `function` is the model's own function call, where the log has it."""
        word = action.split(None, 1)[0] if action.strip() else ""
        name = function[0] if function else word
        if word == _STRING_EDITOR or name == _STRING_EDITOR:
            arguments = function[1] if function and function[0] == _STRING_EDITOR else _string_editor_arguments(action)
            return tool_call(call_id, _STRING_EDITOR, arguments, cwd)
        if word in _EDITS:
            edits = self._requested(word, action, function[1] if function else {})
            target = edits[0].path if edits else (self.window.path if self.window else None)
            return ToolCall(call_id, word, ToolKind.EDIT, cwd=cwd, target=target, edits=edits)
        if word in _READS or word in _SEARCHES:
            kind = ToolKind.READ if word in _READS else ToolKind.SEARCH
            return ToolCall(call_id, word, kind, cwd=cwd, target=" ".join(_words(action)[1:]) or None)
        foreign = function is not None and name not in ("bash", word)
        if word in _OTHERS or (foreign and function and kind_of(name, function[1]) is ToolKind.OTHER):
            return ToolCall(call_id, name or word, ToolKind.OTHER, cwd=cwd)
        return ToolCall(call_id, "bash", ToolKind.SHELL, command=action.strip("\n"), cwd=cwd)

    def result(self, call: ToolCall, observation: str, open_file: str | None, cwd: str | None) -> ToolResult:
        """What came back for a call; edits are given their file, and its content where the window shows all of it."""
        result = ToolResult(call.id, observation, timed_out=bool(_TIMED_OUT.search(observation)))
        failed = bool(_NOT_APPLIED.search(observation))
        if call.kind is ToolKind.EDIT:
            applied = not failed and any(mark in observation for mark in _EDITED)
            result.is_error = not applied
        elif result.timed_out or _CRASHED.search(observation):
            result.is_error = True
        if call.name != _STRING_EDITOR and call.kind is not ToolKind.SHELL and not failed:
            shown = _window_in(observation, open_file, cwd)
            if shown is not None:
                self.window = shown
        if call.kind is ToolKind.EDIT and not result.is_error and call.name in _EDITS and call.edits:
            path = self.window.path if self.window else call.edits[0].path
            content = self.window.whole() if self.window else None
            result.edits = [FileEdit(path or edit.path, edit.before, edit.after, content) for edit in call.edits]
            call.target = path
        return result

    def _requested(self, word: str, action: str, arguments: dict[str, Any]) -> list[FileEdit]:
        path = self.window.path if self.window else ""
        if word == "create":
            words = _words(action)
            return [FileEdit(words[1] if len(words) > 1 else path, "", "", "")]
        if word == "insert":
            words = _words(action)
            text = words[1] if len(words) > 1 else string(arguments.get("text")) or ""
            return [FileEdit(path, "", f"{text}\n")] if text else []
        ranged = _LINE_RANGE.match(action)
        if ranged:
            first, last = int(ranged[1]), int(ranged[2])
            return [FileEdit(path, self._held(first, last), _terminated(_END_OF_EDIT.sub("", ranged[3])))]
        if action.startswith("edit\n"):
            selected = self.window.selected if self.window else None
            before = self._held(*selected) if selected else None
            return [FileEdit(path, before, _terminated(_END_OF_EDIT.sub("", action[5:])))]
        words = _words(action)
        if len(words) >= 3:
            return [FileEdit(path, words[1], words[2])]
        if "search" in arguments:
            return [FileEdit(path, string(arguments["search"]) or "", string(arguments.get("replace")) or "")]
        if len(words) == 2 and self.window and self.window.lines:
            shown = self.window.lines
            return [FileEdit(path, self._held(min(shown), max(shown)), _terminated(words[1]))]
        return []

    def _held(self, first: int, last: int) -> str | None:
        """What lines first to last held; "" for the one empty line of a new file."""
        if self.window is None:
            return None
        text = self.window.text(first, min(last, self.window.total))
        return "" if text == "\n" and self.window.total == 1 else text


def _terminated(text: str) -> str:
    return f"{text}\n" if text and not text.endswith("\n") else text


def _words(action: str) -> list[str]:
    try:
        return shlex.split(action)
    except ValueError:
        return action.split()


def _string_editor_arguments(action: str) -> dict[str, Any]:
    """Arguments of `str_replace_editor command path --name value ...` as it stands on the command line."""
    words = _words(action)[1:]
    positions = [word for word in words[:2] if not word.startswith("--")]
    arguments: dict[str, Any] = dict(zip(("command", "path"), positions, strict=False))
    at = len(positions)
    while at + 1 < len(words):
        if words[at].startswith("--"):
            arguments[words[at][2:]] = words[at + 1]
            at += 1
        at += 1
    return arguments


def _window_in(observation: str, open_file: str | None, cwd: str | None) -> Window | None:
    """The window shown in an observation, with its file's full path."""
    header = _HEADER.search(observation)
    if header is None:
        return None
    window = Window(_resolved(header["path"], open_file, cwd), int(header["total"]))
    inside = False
    begin: int | None = None
    number = 0
    for line in observation[header.end() :].lstrip("\r\n").splitlines():
        if "START CURSOR" in line:
            inside, begin = True, number + 1
        elif "END CURSOR" in line:
            if inside and begin is not None:
                window.selected = (min(window.lines.keys() - range(begin), default=begin), number)
            inside = False
        elif numbered := _NUMBERED.match(line):
            number = int(numbered[1])
            window.lines[number] = numbered[2]
        elif not line.startswith("("):
            break
    return window


def _resolved(path: str, open_file: str | None, cwd: str | None) -> str:
    if path.startswith("/"):
        return path
    if open_file and open_file.endswith("/" + path.removeprefix("./")):
        return open_file
    return f"{cwd.rstrip('/')}/{path}" if cwd else path
