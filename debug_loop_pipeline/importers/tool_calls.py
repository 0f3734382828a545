"""What a tool call does, told by its name and arguments: the vocabulary that many agents share (shells, string
editors, patches).

Not here: names that mean something in one format only; its importer knows those.
"""

from __future__ import annotations

import shlex
from typing import Any

import orjson

from debug_loop_pipeline.importers.diffs import patch_edits
from debug_loop_pipeline.importers.documents import listing, mapping, string
from debug_loop_pipeline.models.trajectory import FileEdit, ToolCall, ToolKind

_SHELLS = frozenset(
    {
        "bash",
        "shell",
        "sh",
        "execute_bash",
        "run_shell_command",
        "run_terminal_command",
        "run_terminal_cmd",
        "terminal",
        "exec",
        "exec_command",
        "run_command",
        "execute_command",
        "local_shell",
        "local_shell_call",
        "powershell",
        "bash_command",
        "run_in_terminal",
        "run",
        "execute",
        "cmd",
        "shell_command",
        "cmdrun",
    }
)
_EDITORS = frozenset(
    {
        "edit",
        "write",
        "create",
        "replace",
        "insert",
        "write_file",
        "edit_file",
        "create_file",
        "file_edit",
        "file_write",
        "multiedit",
        "multi_edit",
        "apply_patch",
        "applypatch",
        "str_replace",
        "insert_text",
        "notebookedit",
        "notebook_edit",
        "patch",
        "search_replace",
        "write_to_file",
        "replace_in_file",
        "smart_edit",
        "delete_file",
        "replace_string_in_file",
        "multi_replace_string_in_file",
        "insert_edit_into_file",
        "edit_by_replace",
        "str_replace_editor",
        "str_replace_based_edit_tool",
        "editor",
        "file_editor",
    }
)
_READERS = frozenset(
    {
        "read",
        "read_file",
        "view",
        "open",
        "cat",
        "read_many_files",
        "view_file",
        "readfile",
        "open_file",
        "goto",
        "scroll_down",
        "scroll_up",
        "notebookread",
        "web_fetch",
    }
)
_SEARCHERS = frozenset(
    {
        "grep",
        "glob",
        "search",
        "find",
        "ls",
        "rg",
        "list",
        "list_directory",
        "list_dir",
        "find_file",
        "search_file",
        "search_dir",
        "search_file_content",
        "codebase_search",
        "file_search",
        "grep_search",
        "google_web_search",
        "web_search",
        "websearch",
        "search_files",
        "list_files",
    }
)
_SUBAGENTS = frozenset(
    {
        "task",
        "agent",
        "delegate",
        "spawn_agent",
        "delegate_to_agent",
        "subagent",
        "codebase_investigator",
        "runsubagent",
    }
)

_PATH_KEYS = (
    "path",
    "file_path",
    "filePath",
    "absolute_path",
    "filename",
    "file_name",
    "target_file",
    "file",
    "notebook_path",
)
_WHOLE_KEYS = ("file_text", "content", "contents", "file_content", "text")
_BEFORE_KEYS = ("old_str", "old_string", "oldText", "old_text", "oldString", "search", "to_replace")
_AFTER_KEYS = (
    "new_str",
    "new_string",
    "newText",
    "new_text",
    "newString",
    "replace",
    "new_content",
    "insert_text",
    "new_source",
    "text",
)
_PATCH_KEYS = ("patch", "input", "diff", "patchText")
_TARGET_KEYS = (*_PATH_KEYS, "pattern", "query", "search_term", "dir", "dir_path", "directory", "url")


def arguments_of(raw: Any) -> dict[str, Any]:
    """Arguments of a function call: an object, or one as JSON text. A text that is none comes back as `{"input":
    text}`.
    """
    if isinstance(raw, str):
        try:
            raw = orjson.loads(raw)
        except orjson.JSONDecodeError:
            return {"input": raw}
    return mapping(raw)


def tool_call(call_id: str, name: str, arguments: dict[str, Any], cwd: str | None = None) -> ToolCall:
    """A call in the common vocabulary: kind, command, target and edits as far as name and arguments tell."""
    kind = kind_of(name, arguments)
    call = ToolCall(id=call_id, name=name, kind=kind, cwd=cwd)
    if kind is ToolKind.SHELL:
        call.command = command_of(arguments)
        call.cwd = _first(arguments, ("cwd", "workdir", "working_directory", "dir_path", "directory")) or cwd
        call.timeout_s = _seconds(arguments)
    elif kind is ToolKind.EDIT:
        call.edits = edits_of(name, arguments)
        call.target = _first(arguments, _PATH_KEYS) or (call.edits[0].path if call.edits else None)
    else:
        call.target = _first(arguments, _TARGET_KEYS)
    return call


def kind_of(name: str, arguments: dict[str, Any]) -> ToolKind:
    """What kind of tool it is; a name in a namespace (`functions.bash`, `developer__shell`) counts by its last part."""
    plain = name.lower().replace("-", "_").replace(" ", "_")
    for known in (plain, plain.rsplit(".", 1)[-1], plain.rsplit("__", 1)[-1]):
        if known in _EDITORS:
            return ToolKind.READ if arguments.get("command") in ("view", "open") else ToolKind.EDIT
        if known in _SHELLS:
            return ToolKind.SHELL
        if known in _READERS:
            return ToolKind.READ
        if known in _SEARCHERS:
            return ToolKind.SEARCH
        if known in _SUBAGENTS:
            return ToolKind.SUBAGENT
    if isinstance(arguments.get("command"), str | list) and any(
        word in plain for word in ("bash", "shell", "terminal", "exec")
    ):
        return ToolKind.SHELL
    return ToolKind.OTHER


def command_of(arguments: dict[str, Any]) -> str | None:
    """The command line a shell tool was given; `["bash", "-lc", line]` is the line."""
    raw = next(
        (arguments[key] for key in ("command", "cmd", "code", "script", "input", "keystrokes") if arguments.get(key)),
        None,
    )
    if isinstance(raw, list):
        words = [str(word) for word in raw]
        if len(words) == 3 and words[0].rsplit("/", 1)[-1] in ("bash", "sh", "zsh") and words[1] in ("-c", "-lc"):
            return words[2]
        return shlex.join(words)
    return raw if isinstance(raw, str) else None


def edits_of(name: str, arguments: dict[str, Any]) -> list[FileEdit]:
    """The edits an editor tool was asked for."""
    if arguments.get("command") in ("undo_edit", "view"):
        return []
    patch = next((arguments[key] for key in _PATCH_KEYS if isinstance(arguments.get(key), str)), None)
    if patch is not None and ("*** " in patch or "@@" in patch):
        return patch_edits(patch)
    path = _first(arguments, _PATH_KEYS) or ""
    parts = listing(arguments.get("edits")) or listing(arguments.get("replacements"))
    if parts:
        found = [_replacement(_first(mapping(part), _PATH_KEYS) or path, mapping(part)) for part in parts]
        return [edit for edit in found if edit is not None and edit.path]
    if not path:
        return []
    if "delete" in name.lower():
        return [FileEdit(path, None, None)]
    replaced = _replacement(path, arguments)
    if replaced is not None:
        return [replaced]
    whole = next((arguments[key] for key in _WHOLE_KEYS if isinstance(arguments.get(key), str)), None)
    if whole is None:
        return []
    new_file = arguments.get("command") == "create" or name.lower() in ("create", "create_file")
    return [FileEdit(path, "" if new_file else None, whole, whole)]


def _replacement(path: str, arguments: dict[str, Any]) -> FileEdit | None:
    before = next((arguments[key] for key in _BEFORE_KEYS if isinstance(arguments.get(key), str)), None)
    after = next((arguments[key] for key in _AFTER_KEYS if isinstance(arguments.get(key), str)), None)
    if before is not None:
        return FileEdit(path, before, after or "")
    inserted = "insert_line" in arguments or "line_number" in arguments or arguments.get("command") == "insert"
    return FileEdit(path, "", after) if after is not None and inserted else None


def _first(arguments: dict[str, Any], keys: tuple[str, ...]) -> str | None:
    return next((text for key in keys if (text := string(arguments.get(key)))), None)


def _seconds(arguments: dict[str, Any]) -> float | None:
    for key, unit in (("timeout", None), ("timeout_s", 1.0), ("timeout_ms", 1000.0), ("initial_wait", 1.0)):
        value = arguments.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            return value / (unit or (1000.0 if value >= 1000 else 1.0))
    return None
