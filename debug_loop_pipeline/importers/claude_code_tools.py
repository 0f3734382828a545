"""What Claude Code's tool calls and results mean: kinds, edits, exit codes, denials, background (LOG_FORMATS 2).

Pure functions over one decoded block; reading files and ordering steps is `claude_code`'s.
"""

from __future__ import annotations

import re
from typing import Any

from debug_loop_pipeline.models.trajectory import FileEdit, ToolCall, ToolKind, ToolResult

_KINDS = {
    "Bash": ToolKind.SHELL,
    "PowerShell": ToolKind.SHELL,
    "Edit": ToolKind.EDIT,
    "Write": ToolKind.EDIT,
    "MultiEdit": ToolKind.EDIT,
    "NotebookEdit": ToolKind.EDIT,
    "Read": ToolKind.READ,
    "NotebookRead": ToolKind.READ,
    "Grep": ToolKind.SEARCH,
    "Glob": ToolKind.SEARCH,
    "LS": ToolKind.SEARCH,
    "Task": ToolKind.SUBAGENT,
    "Agent": ToolKind.SUBAGENT,
}

_CANCELLED = (
    "The user doesn't want to proceed",
    "The user doesn't want to take this action",
    "[Request interrupted by user",
    "Sibling tool call errored",
    "Cancelled: parallel tool call",
    "User rejected tool use",
    "Claude requested permissions to",
    "Interrupted by user",
)
_DENIED = re.compile(
    r"(?:Error: )?(?:Permission (?:to (?:use|read|edit|write) .{1,200}?|for this (?:action|tool use)) (?:has been |was )?denied"
    r"|This (?:\w+ )?command (?:requires approval|contains multiple operations\. The following parts? requires? approval)"
    r"|.{1,500}? was blocked\. For security, Claude Code may only "
    r"|\S{1,100} is temporarily unavailable, so auto mode cannot determine the safety of "
    r"|(?:Hook )?PreToolUse:\S{1,100} (?:denied this tool|hook (?:error:|blocking error|returned blocking error)))",
    re.DOTALL,
)
"""By a rule, the mode, the classifier or a hook, in versions that do not tell so beside the text."""
_EXIT_CODE = re.compile(r"(?:Error: )?Exit code (-?\d+)(?:\n|$)")
_TIMED_OUT = re.compile(r"Command timed out after \d")
_TIME_LIMIT_EXIT_CODES = (124, 137, 143)
_BACKGROUND = re.compile(
    r"Command (?:running in background with ID: |was (?:manually )?backgrounded [^\n]{0,80}?\bID: "
    r"|did not complete within [^\n]{1,80}? moved to the background \(ID: )([\w-]+)"
)
"""Started there, sent there by the user, or put there at its time limit."""
_STATUS = re.compile(r"<status>(\w+)</status>")
_NOTIFICATION = re.compile(r"<task-notification>(.*?)(?:</task-notification>|\Z)", re.DOTALL)
_TASK_ID = re.compile(r"<task-id>([^<]+)</task-id>")
_TASK_EXIT_CODE = re.compile(r"(?:<exit_code>|<summary>[^<]*\bexit code )(-?\d+)")
_STREAMS = re.compile(r"<(stdout|stderr|output)>\n?(.*?)\n?</\1>", re.DOTALL)
_OUTPUT_FILE = re.compile(r"[/\\]tasks[/\\]([\w-]+)\.output$")
_PRINTED_FILE = re.compile(
    r"(?:^|[;&\n]\s*|\bdo\s+)(?:cat|tail)\s[^;&|<>\n]*[/\\]tasks[/\\]([\w-]+)\.output['\"]?\s*(?:2>\s*/dev/null\s*)?(?:\|\||$)"
)
_TAIL = re.compile(r"(?:^|[;&\n]\s*|\bdo\s+)tail\s")
_GONE_WRONG = re.compile(r"(?i)(?<!\b0 )(?<!\bno )(?:fail|error|panic|traceback|warning)")
_REMINDER = re.compile(r"\s*<system-reminder>.*?</system-reminder>\s*", re.DOTALL)
_LINE_NUMBER = re.compile(r"^ *\d+(?:\t|→)", re.MULTILINE)
_EXITED = re.compile(r"(?:^|\n)\[exited with code (-?\d+)\]\s*\Z")
_RUNNING = frozenset({"running", "pending"})


def tool_call(block: dict[str, Any], cwd: str | None) -> ToolCall:
    """The call in a `tool_use` block."""
    name = str(block.get("name") or "")
    call = ToolCall(str(block.get("id") or ""), name, _KINDS.get(name, ToolKind.OTHER))
    given = block.get("input")
    if not isinstance(given, dict):
        return call
    if call.kind is ToolKind.SHELL:
        call.command = _text(given.get("command"))
        call.cwd = cwd
        timeout = given.get("timeout")
        if isinstance(timeout, int | float):
            call.timeout_s = timeout / 1000
    elif call.kind is ToolKind.EDIT:
        call.edits = _called_edits(name, given)
        call.target = call.edits[0].path if call.edits else None
    elif call.kind is ToolKind.READ:
        call.target = _text(given.get("file_path")) or _text(given.get("notebook_path"))
    elif call.kind is ToolKind.SEARCH:
        call.target = _text(given.get("pattern")) or _text(given.get("path"))
    elif call.kind is ToolKind.SUBAGENT:
        call.target = _text(given.get("subagent_type"))
    return call


def background_task_read(block: dict[str, Any]) -> str | None:
    """The id of the background command whose output a `tool_use` block asks for: by a tool of its own, or out of the command's file."""
    given = block.get("input")
    if not isinstance(given, dict):
        return None
    if block.get("name") in ("Read", "Bash"):
        if given.get("offset") or given.get("limit"):
            return None  # a part of it does not tell what the rest says
        place = _text(given.get("file_path")) or _text(given.get("command")) or ""
        if ".output" not in place:
            return None
        named = (_OUTPUT_FILE if block["name"] == "Read" else _PRINTED_FILE).search(place)
        return named[1] if named is not None else None
    if block.get("name") not in ("BashOutput", "TaskOutput", "AgentOutputTool"):
        return None
    return _text(given.get("bash_id")) or _text(given.get("task_id"))


def tool_result(block: dict[str, Any], call: ToolCall | None, details: object, denial: str | None = None) -> ToolResult:
    """The result in a `tool_result` block.

    Args:
        block: the block.
        call: the call that it answers, where it was seen.
        details: the line's `toolUseResult`: an object on success, a string on failure, or None.
        denial: the line's `toolDenialKind`: who kept the call from running, or stopped it.
    """
    output = content_text(block.get("content"))
    failed = block.get("is_error") is True or denial is not None
    if output.startswith("<tool_use_error>"):
        failed = True
        output = output.removeprefix("<tool_use_error>").removesuffix("</tool_use_error>")
    result = ToolResult(str(block.get("tool_use_id") or ""), output, failed)
    if failed:
        _judge_failure(result, call, denial)
        return result
    details = details if isinstance(details, dict) else {}
    if call is None:
        return result
    if call.kind is ToolKind.SHELL:
        _judge_shell(result, details)
    elif call.kind is ToolKind.EDIT:
        result.edits = _made_edits(call, details)
    return result


def background_task_started(result: ToolResult, details: object) -> str | None:
    """The id under which a shell command goes on in the background after this result, if it does."""
    if isinstance(details, dict):
        task = details.get("backgroundTaskId")
        if isinstance(task, str) and task:
            return task
    said = _BACKGROUND.match(result.output)
    return said[1] if said is not None else None


def notifications(text: str) -> list[tuple[str, str]]:
    """Id of the background task, and text, of each notification that a message consists of; none of any other message."""
    if not text.lstrip().startswith("<task-notification>"):
        return []
    bodies = [match[1] for match in _NOTIFICATION.finditer(text)]
    return [(task[1], body) for body in bodies if (task := _TASK_ID.search(body)) is not None]


def background_task_end(call_id: str, report: str, reader: ToolCall | None = None) -> ToolResult | None:
    """How a background command ended, told by a notification or the text of the `reader` of its output; None while it runs."""
    status = _STATUS.search(report)
    if status is None:
        ended = _file_end(call_id, report)
        return None if ended is not None and not _tells_all(reader, ended, ended.output) else ended
    if status[1] in _RUNNING:
        return None
    code = _TASK_EXIT_CODE.search(report)
    result = ToolResult(call_id, "\n".join(match[2] for match in _STREAMS.finditer(report) if match[2]))
    if code is not None:
        result.exit_code = int(code[1])
        result.is_error = result.exit_code != 0
    elif status[1] in ("failed", "error"):
        result.is_error = True
    result.cancelled = status[1] in ("killed", "stopped", "cancelled")
    return result


def background_task_output(ended: ToolResult, shown: ToolResult, reader: ToolCall) -> str | None:
    """What a background command that has `ended` printed, where the result of the `reader` of its output shows all that counts."""
    told = background_task_end(ended.call_id, shown.output, reader)
    if told is not None:
        return told.output
    text = _file_text(shown.output)
    return None if shown.is_error or _STATUS.search(text) or not _tells_all(reader, ended, text) else text


def _tells_all(reader: ToolCall | None, ended: ToolResult, text: str) -> bool:
    """Whether a reading of an output is enough: of what went wrong the last lines do not tell all, and what they leave out would seem to be gone."""
    part = reader is not None and _TAIL.search(reader.command or "") is not None
    return not part or not (ended.is_error or _GONE_WRONG.search(text))


def _file_text(shown: str) -> str:
    """The content of a file as it was shown, without what was put in for the model."""
    text = _REMINDER.sub("", shown) if "<system-reminder>" in shown else shown
    return _LINE_NUMBER.sub("", text) if _LINE_NUMBER.match(text) else text


def _file_end(call_id: str, report: str) -> ToolResult | None:
    """The end of a background command, told by the last line of the file that holds its output."""
    text = _file_text(report)
    ended = _EXITED.search(text)
    if ended is None:
        return None
    code = int(ended[1])
    return ToolResult(call_id, text[: ended.start()].rstrip("\n"), code != 0, exit_code=code)


def content_text(content: object) -> str:
    """The text of a message's or result's content, a string or a list of blocks; images and the like give nothing."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = [
        block["text"]
        for block in content
        if isinstance(block, dict) and block.get("type") == "text" and isinstance(block.get("text"), str)
    ]
    return texts[0] if len(texts) == 1 else "\n".join(texts)


def _judge_failure(result: ToolResult, call: ToolCall | None, denial: str | None) -> None:
    """Tells denial, time limit and exit code apart in the text of a failed result."""
    output = result.output
    if call is not None and call.kind is ToolKind.EDIT:
        result.edits = []
    if denial is not None or output.startswith(_CANCELLED) or _DENIED.match(output):
        result.cancelled = True
        return
    code = _EXIT_CODE.match(output)
    if code is not None:
        result.exit_code = int(code[1])
        result.output = output = output[code.end() :]
    if _TIMED_OUT.match(output) and result.exit_code in (None, *_TIME_LIMIT_EXIT_CODES):
        result.timed_out = True
    elif "[Request interrupted by user" in output[-200:]:
        result.cancelled = True


def _judge_shell(result: ToolResult, details: dict[str, Any]) -> None:
    """A shell result without `is_error`: it succeeded, unless it was interrupted or goes on in the background."""
    if background_task_started(result, details) is not None:
        result.is_error = None
        result.pending = True
    elif _TIMED_OUT.match(result.output):
        result.is_error = True
        result.timed_out = True
    elif details.get("interrupted") is True:
        result.cancelled = True
    elif not details.get("returnCodeInterpretation"):
        result.exit_code = 0


def _called_edits(name: str, given: dict[str, Any]) -> list[FileEdit]:
    """What an editing call asks for."""
    path = _text(given.get("file_path")) or _text(given.get("notebook_path"))
    if path is None:
        return []
    if name == "Write":
        content = _text(given.get("content")) or ""
        return [FileEdit(path, None, content, content)]
    if name == "MultiEdit":
        listed = given.get("edits")
        return [
            FileEdit(path, _text(edit.get("old_string")) or "", _text(edit.get("new_string")) or "")
            for edit in (listed if isinstance(listed, list) else [])
            if isinstance(edit, dict)
        ]
    if name == "NotebookEdit":
        mode = given.get("edit_mode")
        source = "" if mode == "delete" else _text(given.get("new_source")) or ""
        return [FileEdit(path, "" if mode == "insert" else None, source)]
    return [FileEdit(path, _text(given.get("old_string")) or "", _text(given.get("new_string")) or "")]


def _made_edits(call: ToolCall, details: dict[str, Any]) -> list[FileEdit] | None:
    """What an editing call really changed, with the whole file after it where the result carries the file before it."""
    if not call.edits:
        return None
    path = _text(details.get("filePath")) or call.edits[0].path
    original = details.get("originalFile")
    if original is None:
        original = details.get("originalFileContents")
    if call.name == "Write":
        content = _text(details.get("content"))
        if content is None:
            return None
        created = details.get("type") == "create"
        return [FileEdit(path, "" if created else _text(original), content, content)]
    if call.name == "NotebookEdit" or not isinstance(original, str):
        return None
    old, new = details.get("oldString"), details.get("newString")
    everywhere = details.get("replaceAll") is True
    if isinstance(old, str) and isinstance(new, str) and details.get("userModified") is not True:
        content = _replaced(original, old, new, everywhere)
        return [FileEdit(path, old, new, content)]
    if call.name == "MultiEdit" and details.get("userModified") is not True:
        return _multi_edits(path, original, details.get("edits"), call.edits)
    content = apply_patch_lines(original, details.get("structuredPatch"))
    if content is None:
        return None
    return [*_patch_edits(path, original, content, details["structuredPatch"])]


def _replaced(original: str, old: str, new: str, everywhere: bool) -> str | None:
    if not old:
        return new if not original else None
    if old not in original:
        return None
    return original.replace(old, new) if everywhere else original.replace(old, new, 1)


def _multi_edits(path: str, original: str, listed: object, called: list[FileEdit]) -> list[FileEdit]:
    """The edits of a MultiEdit; the last one carries the file after all of them."""
    content: str | None = original
    asked = [edit for edit in listed if isinstance(edit, dict)] if isinstance(listed, list) else []
    for index, edit in enumerate(called):
        everywhere = index < len(asked) and asked[index].get("replace_all") is True
        content = None if content is None else _replaced(content, edit.before or "", edit.after or "", everywhere)
    made = [FileEdit(path, edit.before, edit.after) for edit in called]
    made[-1].content = content
    return made


def apply_patch_lines(original: str, patch: object) -> str | None:
    """The file after a `structuredPatch`: hunks {oldStart, oldLines, lines[" kept" | "-removed" | "+added"]}.

    Kept lines are taken from the file: the patch shows a tab as two spaces, which is undone at the start of added lines
    where the file indents by tabs. None where the patch does not fit the file.
    """
    if not isinstance(patch, list) or not patch:
        return None
    source = original.split("\n")
    tabs = any(line.startswith("\t") for line in source)
    made: list[str] = []
    at = 0
    for hunk in patch:
        start, length, lines = (
            (hunk.get("oldStart"), hunk.get("oldLines"), hunk.get("lines")) if isinstance(hunk, dict) else 3 * (None,)
        )
        if not isinstance(start, int) or not isinstance(length, int) or not isinstance(lines, list):
            return None
        first = start - 1 if length else start
        if first < at or first + length > len(source):
            return None
        made.extend(source[at:first])
        at = first
        for line in lines:
            mark, text = str(line)[:1], str(line)[1:]
            if mark == "+":
                made.append(_tabbed(text) if tabs else text)
            elif mark in (" ", "-"):
                if mark == " ":
                    made.append(source[at] if at < len(source) else text)
                at += 1
        at = first + length
    made.extend(source[at:])
    return "\n".join(made)


def _tabbed(text: str) -> str:
    body = text.lstrip(" ")
    spaces = len(text) - len(body)
    return "\t" * (spaces // 2) + " " * (spaces % 2) + body


def _patch_edits(path: str, original: str, content: str, patch: list[dict[str, Any]]) -> list[FileEdit]:
    """One edit per hunk of a patch that was applied; the last one carries the whole file."""
    before, after = original.split("\n"), content.split("\n")
    made: list[FileEdit] = []
    for hunk in patch:
        old, new = hunk["oldStart"] - 1, int(hunk.get("newStart") or 1) - 1
        old_end, new_end = old + hunk["oldLines"], new + int(hunk.get("newLines") or 0)
        made.append(FileEdit(path, "\n".join(before[max(old, 0) : old_end]), "\n".join(after[max(new, 0) : new_end])))
    made[-1].content = content
    return made


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
