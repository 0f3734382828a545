"""OpenHands actions and observations in the common vocabulary, of the event formats of its versions.

Not here: how files wrap events (`openhands`).
"""

from __future__ import annotations

import ast
import re
from typing import Any

from debug_loop_pipeline.importers.documents import listing, mapping, string
from debug_loop_pipeline.importers.tool_calls import arguments_of, tool_call
from debug_loop_pipeline.models.trajectory import FileEdit, ToolCall, ToolKind, ToolResult

SILENT_ACTIONS = frozenset(
    {
        "null",
        "system",
        "recall",
        "change_agent_state",
        "condensation",
        "condensation_request",
        "pause",
        "resume",
        "stop",
    }
)
"""Actions that call no tool and say nothing."""

SAYING_ACTIONS = frozenset({"message", "finish", "reject", "think"})
"""Actions that are words."""

SILENT_OBSERVATIONS = frozenset({"null", "agent_state_changed", "recall", "success", "condense", "think"})

_EXIT = re.compile(r"exit code:? (-?\d+)")
_TAIL = re.compile(
    r"\r?\n?\[?(?:The command completed with exit code|Command finished with exit code|Python Interpreter:"
    r"|Current working directory:).*\]?\s*\Z",
    re.DOTALL,
)
_PROMPT = re.compile(r"\r?\n[\w.-]+@[\w.-]+:\S* [#$] *\Z")
_TIMED_OUT = re.compile(r"timed out|Command timed out|no new output after \d+ seconds", re.IGNORECASE)
_FAILED_EDIT = re.compile(
    r"\A\s*(?:ERROR|\[Your proposed edit|\[No exact match found|No replacement was performed|Invalid `)"
    r"|^Traceback \(most recent call last\)",
    re.MULTILINE,
)
_JUPYTER = re.compile(r"\s*\[Jupyter [^\]]*\]\s*|\s*\[Jupyter current working directory: .*")
_SKILL_EDITS: dict[str, tuple[str, ...]] = {
    "edit_file_by_replace": ("file_name", "to_replace", "new_content"),
    "insert_content_at_line": ("file_name", "line_number", "content"),
    "append_file": ("file_name", "content"),
    "create_file": ("filename",),
    "edit_file": ("file_name", "start", "end", "content"),
}
_SKILL_READS = frozenset({"open_file", "goto_line", "scroll_down", "scroll_up", "parse_pdf", "parse_docx"})
_SKILL_SEARCHES = frozenset({"search_dir", "search_file", "find_file"})


def call_of(call_id: str, event: dict[str, Any], cwd: str | None) -> ToolCall | None:
    """The tool call that an action is; None for words and bookkeeping."""
    action = event.get("action")
    arguments = mapping(event.get("args")) or event
    if action == "run":
        command = string(arguments.get("command")) or ""
        tool = _function_of(event)[0] or "run"
        if arguments.get("is_input") is True:
            return ToolCall(call_id, tool, ToolKind.OTHER, target=command or None, cwd=cwd)
        timeout = event.get("timeout")
        seconds = float(timeout) if isinstance(timeout, int | float) and not isinstance(timeout, bool) else None
        return ToolCall(call_id, tool, ToolKind.SHELL, command=command, cwd=cwd, timeout_s=seconds)
    if action == "run_ipython":
        return _python_call(call_id, string(arguments.get("code")) or "", cwd)
    if action in ("edit", "write", "read"):
        name, given = _function_of(event)
        wanted = given if given.get("path") else arguments
        call = tool_call(call_id, name or str(action), wanted, cwd)
        if action == "read":
            call.kind, call.edits = ToolKind.READ, []
        elif call.kind is not ToolKind.EDIT:
            call.kind = ToolKind.EDIT
        call.target = string(arguments.get("path")) or call.target
        return call
    if action == "delegate":
        return ToolCall(call_id, "delegate", ToolKind.SUBAGENT, target=string(arguments.get("agent")))
    if action in ("call_tool_mcp", "mcp"):
        return tool_call(call_id, string(arguments.get("name")) or "mcp", mapping(arguments.get("arguments")), cwd)
    if isinstance(action, str) and action not in SILENT_ACTIONS and action not in SAYING_ACTIONS:
        return ToolCall(
            call_id, action, ToolKind.OTHER, target=string(arguments.get("url")) or string(arguments.get("path"))
        )
    return None


def result_of(call: ToolCall, event: dict[str, Any]) -> ToolResult:
    """What an observation says about its call."""
    kind = event.get("observation")
    extras = mapping(event.get("extras")) or event
    content = (string(event.get("content")) or "").replace("\r\n", "\n")
    result = ToolResult(call.id, content)
    if kind == "user_rejected":
        result.cancelled = result.is_error = True
    elif kind == "error":
        result.is_error = True
    elif call.kind is ToolKind.SHELL and kind == "run":
        code = _exit_code(event, extras)
        result.timed_out = code == -1 and bool(_TIMED_OUT.search(content[-2000:]))
        result.exit_code = None if code == -1 else code
        result.is_error = True if result.timed_out else None if result.exit_code is None else result.exit_code != 0
        result.output = _PROMPT.sub("", _TAIL.sub("", content))
    elif kind == "run_ipython":
        result.output = _JUPYTER.sub("\n", content).strip("\n")
        failed = bool(_FAILED_EDIT.search(content))
        result.is_error = failed if failed or call.kind is ToolKind.EDIT else None
    elif call.kind is ToolKind.EDIT:
        result.is_error = bool(_FAILED_EDIT.search(content))
        result.edits = None if result.is_error else _carried_out(call, extras)
    elif isinstance(extras.get("error"), bool):
        result.is_error = extras["error"]
    return result


def _exit_code(event: dict[str, Any], extras: dict[str, Any]) -> int | None:
    for value in (mapping(extras.get("metadata")).get("exit_code"), extras.get("exit_code"), event.get("exit_code")):
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    match = _EXIT.search(string(event.get("message")) or "")
    return int(match[1]) if match else None


def working_dir_of(event: dict[str, Any]) -> str | None:
    """The directory that a command's observation names."""
    return string(mapping(mapping(event.get("extras")).get("metadata")).get("working_dir"))


def _carried_out(call: ToolCall, extras: dict[str, Any]) -> list[FileEdit] | None:
    """The edits with the file's content, where the observation has its states before and after."""
    new, old = extras.get("new_content"), extras.get("old_content")
    path = call.target or string(extras.get("path")) or ""
    if not isinstance(new, str) or not path:
        return None
    if call.edits and all(edit.before is not None for edit in call.edits):
        return [FileEdit(path, edit.before, edit.after, new) for edit in call.edits]
    before = old if isinstance(old, str) else "" if extras.get("prev_exist") is False else None
    return [FileEdit(path, before, new, new)]


def _function_of(event: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
    """Name and arguments of the model's function call behind an action."""
    metadata = mapping(event.get("tool_call_metadata"))
    name = string(metadata.get("function_name"))
    for choice in listing(mapping(metadata.get("model_response")).get("choices")):
        for call in listing(mapping(mapping(choice).get("message")).get("tool_calls")):
            if mapping(call).get("id") == metadata.get("tool_call_id"):
                return name, arguments_of(mapping(mapping(call).get("function")).get("arguments"))
    return name, {}


def _python_call(call_id: str, code: str, cwd: str | None) -> ToolCall:
    """Code in the Jupyter kernel: calls of the agent's editing skills are edits, reads or searches, other code is
    run.
    """
    edits: list[FileEdit] = []
    kinds: set[ToolKind] = set()
    target: str | None = None
    try:
        statements = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        statements = []
    for statement in statements:
        call = statement.value if isinstance(statement, ast.Expr) else None
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            kinds.add(ToolKind.SHELL)
            continue
        name, values = call.func.id, _literal_arguments(call)
        if name in _SKILL_EDITS:
            kinds.add(ToolKind.EDIT)
            target = values.get(_SKILL_EDITS[name][0]) or target
            edits += _skill_edit(name, values)
        elif name in _SKILL_READS or name in _SKILL_SEARCHES:
            kinds.add(ToolKind.READ if name in _SKILL_READS else ToolKind.SEARCH)
            target = next(iter(values.values()), target)
        else:
            kinds.add(ToolKind.SHELL)
    for kind in (ToolKind.EDIT, ToolKind.READ, ToolKind.SEARCH):
        if kind in kinds and ToolKind.SHELL not in kinds:
            return ToolCall(call_id, "run_ipython", kind, target=target, edits=edits, cwd=cwd)
    command = f"python - <<'IPYTHON'\n{code}\nIPYTHON"
    return ToolCall(call_id, "run_ipython", ToolKind.SHELL, command=command, cwd=cwd)


def _literal_arguments(call: ast.Call) -> dict[str, str]:
    """Arguments of a call that are text constants, by name."""
    names = _SKILL_EDITS.get(call.func.id if isinstance(call.func, ast.Name) else "", ("path",))
    pairs = [*zip(names, call.args, strict=False), *((word.arg, word.value) for word in call.keywords if word.arg)]
    return {
        name: value.value for name, value in pairs if isinstance(value, ast.Constant) and isinstance(value.value, str)
    }


def _skill_edit(name: str, values: dict[str, str]) -> list[FileEdit]:
    path = values.get("file_name") or values.get("filename") or ""
    if not path:
        return []
    if name == "edit_file_by_replace":
        return [FileEdit(path, values.get("to_replace"), values.get("new_content", ""))]
    if name == "edit_file":
        return [FileEdit(path, None, values.get("content", ""))]
    return [FileEdit(path, "", values.get("content", ""))]
