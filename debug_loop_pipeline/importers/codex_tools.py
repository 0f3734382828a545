"""What Codex's tool calls and outputs mean: commands, patches, exit codes, commands that go on (LOG_FORMATS 3).

Pure functions over one decoded item; order and files are `codex`'.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import orjson

from debug_loop_pipeline.importers.diffs import diff_edits, envelope_edits
from debug_loop_pipeline.importers.documents import mapping
from debug_loop_pipeline.models.trajectory import FileEdit, ToolCall, ToolKind, ToolResult

_SHELLS = frozenset({"shell", "shell_command", "exec_command", "container.exec", "local_shell", "unified_exec"})
_KINDS = {
    "apply_patch": ToolKind.EDIT,
    "read_file": ToolKind.READ,
    "view_image": ToolKind.READ,
    "list_dir": ToolKind.SEARCH,
    "grep_files": ToolKind.SEARCH,
    "spawn_agent": ToolKind.SUBAGENT,
}
_INTERPRETERS = frozenset({"bash", "sh", "zsh", "powershell", "powershell.exe", "pwsh"})
_PATCH_COMMAND = re.compile(
    r"\s*(?:cd [^\n;&|]+&&\s*)?(?:apply_patch|applypatch)\b[^\n]*\n?.*?\*\*\* Begin Patch", re.DOTALL
)
_HEADER = re.compile(
    r"(?:(?:Chunk ID|Wall time|Exit code|Original token count|Total output lines): ?[^\n]*\n"
    r"|(?:Process exited with code|Process running with session ID) -?\d+\n)*+(?:Output:\n)?"
)
_EXIT_CODE = re.compile(r"^(?:Process exited with code|Exit code:?) (-?\d+)$", re.MULTILINE)
_SESSION = re.compile(r"^Process running with session ID (\d+)$", re.MULTILINE)
_ABORTED = re.compile(
    r"aborted\b|.{0,60}rejected by user|\w+ failed(?:: | for `.*?)CreateProcess \{ message: \"Rejected\(", re.DOTALL
)
"""Stopped or refused, by the person or by a policy; of a refused command the whole text may stand before that."""
_TIMED_OUT = re.compile(r"(?:command )?timed out after \d+ ?(?:milliseconds|ms|s)\b|command timed out\b")
_FAILED = re.compile(
    r"(?:exec_command|write_stdin|shell|apply_patch|execution|patch) (?:failed|error|verification failed)"
    r"|failed to (?:parse|spawn|apply|find|read)|unsupported call|tool call error|Invalid (?:patch|Context)"
)
_TIME_LIMIT_EXIT_CODE = 124
_NO_EXIT_CODE = -1
"""Written where a command never started or was stopped before its end: what it printed is all that is known."""
NOT_A_CALL = frozenset({"user_shell", "unified_exec_interaction"})
"""Sources of a command that no call started: the person's own, and what is typed into one that goes on."""


@dataclass(slots=True)
class CommandEnd:
    """What is said of a call when it ended; its output item may not say it."""

    exit_code: int | None = None
    failed: bool = False
    declined: bool = False
    timed_out: bool = False


def tool_call(item: dict[str, Any], cwd: str | None) -> ToolCall:
    """The call in a `function_call`, `custom_tool_call` or `local_shell_call` item."""
    call_id = str(item.get("call_id") or item.get("id") or "")
    if item.get("type") == "local_shell_call":
        action = item.get("action")
        given: dict[str, Any] = action if isinstance(action, dict) else {}
        return _shell_call(call_id, "local_shell", given, cwd)
    name = str(item.get("name") or "")
    if item.get("type") == "custom_tool_call":
        call = ToolCall(call_id, name, _KINDS.get(name, ToolKind.OTHER))
        if call.kind is ToolKind.EDIT:
            _set_patch(call, str(item.get("input") or ""))
        return call
    given = arguments(item)
    if name in _SHELLS:
        return _shell_call(call_id, name, given, cwd)
    if isinstance(item.get("namespace"), str):
        return ToolCall(call_id, f"{item['namespace']}.{name}", ToolKind.OTHER)
    call = ToolCall(call_id, name, _KINDS.get(name, ToolKind.OTHER))
    if call.kind is ToolKind.EDIT:
        _set_patch(call, str(given.get("input") or given.get("patch") or ""))
    elif call.kind in (ToolKind.READ, ToolKind.SEARCH):
        target = given.get("file_path") or given.get("pattern") or given.get("dir_path") or given.get("path")
        call.target = target if isinstance(target, str) else None
    return call


def arguments(item: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a `function_call`, an object in a string; empty where they are malformed."""
    given = item.get("arguments")
    if isinstance(given, str):
        try:
            given = orjson.loads(given)
        except orjson.JSONDecodeError:
            return {}
    return given if isinstance(given, dict) else {}


def tool_result(item: dict[str, Any], call: ToolCall | None, end: CommandEnd | None) -> ToolResult:
    """The result in a `function_call_output` or `custom_tool_call_output` item.

    Args:
        item: the item.
        call: the call that it answers, where it was seen.
        end: what an event said about the same call.
    """
    result = ToolResult(str(item.get("call_id") or ""), "")
    text, exit_code, success = _output(item.get("output"))
    header = _HEADER.match(text)
    head = header[0] if header else ""
    if head:
        found = _EXIT_CODE.search(head)
        exit_code = int(found[1]) if found else exit_code
        result.pending = found is None and _SESSION.search(head) is not None
        text = text[len(head) :]
    if exit_code is None and _ABORTED.match(text) and "Output:" not in head:
        result.cancelled = True
    result.output = text
    if end is not None:
        exit_code = end.exit_code if exit_code is None else exit_code
        success = False if end.failed else success
        result.cancelled = result.cancelled or end.declined
        result.timed_out = end.timed_out
    result.exit_code = exit_code
    if exit_code is not None:
        result.is_error = exit_code != 0
    elif success is not None:
        result.is_error = not success
    elif result.cancelled or (not head and _FAILED.match(text)):
        result.is_error = True
    if exit_code in (None, _TIME_LIMIT_EXIT_CODE) and _TIMED_OUT.search(text, 0, 200):
        result.timed_out = result.is_error = True
    if call is not None and call.kind is ToolKind.EDIT and (result.is_error or result.cancelled):
        result.edits = []
    return result


def running_session(item: dict[str, Any]) -> str | None:
    """The session under which a command goes on after this output."""
    text, _, _ = _output(item.get("output"))
    header = _HEADER.match(text)
    found = _SESSION.search(text, 0, header.end()) if header else None
    return found[1] if found else None


def command_end(event: dict[str, Any]) -> CommandEnd:
    """What an `exec_command_end` or `patch_apply_end` event says, or an item of the same content."""
    code = event.get("exit_code")
    status = event.get("status")
    return CommandEnd(
        code if type(code) is int and code != _NO_EXIT_CODE else None,
        failed=event.get("success") is False or status == "failed",
        declined=status == "declined",
        timed_out=event.get("timed_out") is True,
    )


def ended_call(call_id: str, event: dict[str, Any], cwd: str | None) -> ToolCall:
    """The call that the end of a command or a patch is of."""
    changes = event.get("changes")
    if isinstance(changes, dict):
        edits = [edit for path, change in changes.items() for edit in _changed(path, mapping(change))]
        target = edits[0].path if edits else None
        return ToolCall(call_id, "apply_patch", ToolKind.EDIT, target=target, edits=edits)
    place = event.get("cwd")
    if isinstance(place, str) and place.startswith("file://"):
        place = unquote(place.removeprefix("file://"))
    return _shell_call(call_id, "exec_command", {"command": event.get("command"), "workdir": place}, cwd)


def ended_result(call: ToolCall, event: dict[str, Any]) -> ToolResult:
    """The result that the end of a command or a patch tells."""
    end = command_end(event)
    texts = (
        (event.get("aggregated_output"),) if event.get("aggregated_output") else map(event.get, ("stdout", "stderr"))
    )
    output = "\n".join(text for text in texts if isinstance(text, str) and text)
    result = ToolResult(call.id, output, exit_code=end.exit_code, cancelled=end.declined, timed_out=end.timed_out)
    if end.exit_code is not None:
        result.is_error = end.exit_code != 0
    elif event.get("exit_code") != _NO_EXIT_CODE:
        result.is_error = end.failed or end.declined
    elif not output:
        result.cancelled = result.is_error = True
    if call.kind is ToolKind.EDIT and result.is_error:
        result.edits = []
    return result


def _changed(path: str, change: dict[str, Any]) -> list[FileEdit]:
    kind = change.get("type")
    if kind == "delete":
        return [FileEdit(path, None, None)]
    if kind == "add":
        content = str(change.get("content") or "")
        return [FileEdit(path, "", content, content)]
    moved = change.get("move_path")
    now = moved if isinstance(moved, str) and moved else path
    edits = diff_edits(f"--- {path}\n+++ {now}\n{change.get('unified_diff') or ''}")
    return edits if now == path else [FileEdit(path, None, None), *edits]


def _shell_call(call_id: str, name: str, given: dict[str, Any], cwd: str | None) -> ToolCall:
    call = ToolCall(call_id, name, ToolKind.SHELL)
    command = given.get("command", given.get("cmd"))
    call.command = _command_text(command)
    place = given.get("workdir") or given.get("working_directory")
    call.cwd = place if isinstance(place, str) else cwd
    timeout = given.get("timeout_ms", given.get("timeout"))
    if isinstance(timeout, int | float):
        call.timeout_s = timeout / 1000
    patch = call.command
    if isinstance(command, list) and len(command) == 2 and command[0] == "apply_patch":
        patch = str(command[1])
    if patch is not None and (patch is not call.command or _PATCH_COMMAND.match(patch)):
        call.kind = ToolKind.EDIT
        _set_patch(call, patch)
    return call


def _command_text(command: object) -> str | None:
    """A command as typed: the script of `bash -lc SCRIPT`, else the words, quoted where they need it."""
    if isinstance(command, str):
        return command
    if not isinstance(command, list) or not command:
        return None
    words = [str(word) for word in command]
    if re.split(r"[/\\]", words[0])[-1] in _INTERPRETERS and len(words) >= 3 and words[-2].startswith("-"):
        return words[-1]
    return " ".join(word if re.fullmatch(r"[\w@%+=:,./-]+", word) else _quoted(word) for word in words)


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\"'\"'") + "'"


def _set_patch(call: ToolCall, patch: str) -> None:
    call.edits = envelope_edits(patch)
    call.target = call.edits[0].path if call.edits else None


def _output(output: object) -> tuple[str, int | None, bool | None]:
    """Text, exit code and success of an output: text, JSON in text, blocks, or an object."""
    success: bool | None = None
    if isinstance(output, dict):
        success = output.get("success") if isinstance(output.get("success"), bool) else None
        output = output.get("content", output.get("output"))
    if isinstance(output, list):
        texts = [str(block.get("text") or "") for block in output if isinstance(block, dict)]
        return "\n".join(text for text in texts if text), None, success
    text = output if isinstance(output, str) else ""
    if text.startswith('{"output":'):
        try:
            inner = orjson.loads(text)
        except orjson.JSONDecodeError:
            return text, None, success
        details = inner.get("metadata")
        code = details.get("exit_code") if isinstance(details, dict) else None
        return str(inner.get("output") or ""), code if type(code) is int else None, success
    return text, None, success
