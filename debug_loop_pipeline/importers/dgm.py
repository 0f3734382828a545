"""Reads logs of the Darwin Gödel Machine's coding agents: a Python literal list of messages beside an evaluation
report.

The text is parsed as a literal, never evaluated. The format has no ids, no times, no usage and no exit codes.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from debug_loop_pipeline.importers.base import ImportReport, TranscriptImporter
from debug_loop_pipeline.importers.diffs import changed_parts
from debug_loop_pipeline.importers.documents import (
    file_time,
    fingerprint,
    mapping,
    read_text,
    string,
    text_of,
    without_surrogates,
)
from debug_loop_pipeline.importers.swebench_report import is_instance_id, repository_of, verdict_beside
from debug_loop_pipeline.importers.tool_calls import tool_call
from debug_loop_pipeline.models.trajectory import FileEdit, Step, StepSource, ToolCall, ToolKind, ToolResult, Trajectory

MAX_LITERAL_BYTES = 64 << 20
"""A larger literal is passed over: its syntax tree takes many times its size."""

_SNIFF = re.compile(rb"\A\s*\[\s*\{\s*'(?:role|content)'\s*:")
_TOOL_USE = re.compile(
    r"<tool_use>\s*\{\s*'tool_name':\s*['\"]?(?P<name>\w+)['\"]?,\s*'tool_input':\s*(?P<input>\{.*?\})\s*\}\s*</tool_use>",
    re.DOTALL,
)
_RESULT = "Tool Result: "
_TASK = re.compile(r"<problem_description>\s*(.*?)\s*</problem_description>", re.DOTALL)
_NUMBERED = re.compile(r"^ *(\d+)\t(.*)$")
_SHOWN = "Here's the result of running `cat -n` on "
_TIMED_OUT = re.compile(r"\A(?:Error: )?(?:Timed out|timed out|Command timed out)")


class DgmImporter(TranscriptImporter):
    """Logs of DGM agents."""

    name = "dgm"

    def sniff(self, path: Path, head: bytes) -> bool:
        """A list of messages in Python's notation, not JSON's."""
        return _SNIFF.match(head) is not None

    def read(self, path: Path, report: ImportReport) -> Iterator[Trajectory]:
        """The one run of the file."""
        text = read_text(path, report, MAX_LITERAL_BYTES)
        if text is None:
            return
        report.lines += text.count("\n") + 1
        parsed = _literal(text)
        if not isinstance(parsed, list):
            report.problem(path, 1, "not a literal list of messages")
            return
        messages = [message for message in without_surrogates(parsed) if isinstance(message, dict)]
        stem = path.name.removesuffix(path.suffix)
        problem_id = next((name for name in (stem, path.parent.name) if is_instance_id(name)), None)
        run_key = f"{problem_id or 'run'}/{fingerprint(messages[:2])}"
        asked = text_of(messages[0].get("content")) if messages else ""
        task = _TASK.search(asked)
        yield Trajectory(
            format="dgm",
            session_id=run_key,
            run_key=run_key,
            steps=_steps(run_key, messages, report),
            agent_name="dgm",
            repository=repository_of(problem_id),
            request=(task[1] if task else asked).strip() or None,
            problem_id=problem_id,
            verdict=verdict_beside(path, problem_id, report),
            file=str(path),
            file_time=file_time(path),
        )


def _literal(text: str) -> Any:
    """The value of a Python literal; None where it is none, or is nested too deeply for the parser."""
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None


def _steps(run_key: str, messages: list[dict[str, Any]], report: ImportReport) -> Iterator[Step]:
    pending: ToolCall | None = None
    shown: dict[str, str] = {}
    for number, message in enumerate(messages, 1):
        text = text_of(message.get("content"))
        step = Step(f"{run_key}#{number}", StepSource.SYSTEM, text=text, line=number)
        role = message.get("role")
        if role == "assistant":
            step.source = StepSource.AGENT
            uses = list(_TOOL_USE.finditer(text))
            step.text = _TOOL_USE.sub("", text).strip()
            step.calls = [_call(f"{step.ref}.{index}", use, shown, report) for index, use in enumerate(uses)]
            pending = step.calls[-1] if step.calls else None
        elif role == "user" and text.startswith(_RESULT):
            step.source = StepSource.TOOL
            output, step.text = text.removeprefix(_RESULT), ""
            if pending is None:
                report.skip("tool result without a call")
                continue
            step.results = [_result(pending, output, shown)]
            pending = None
        elif role == "user":
            step.source = StepSource.HUMAN if number == 1 else StepSource.SYSTEM
        yield step


def _call(call_id: str, use: re.Match[str], shown: dict[str, str], report: ImportReport) -> ToolCall:
    arguments = _literal(use["input"])
    if not isinstance(arguments, dict):
        report.skip("tool input that is no literal")
    arguments = mapping(arguments)
    call = tool_call(call_id, use["name"], arguments)
    path, text = string(arguments.get("path")), arguments.get("file_text")
    if call.kind is ToolKind.EDIT and path and isinstance(text, str) and path in shown:
        call.edits = changed_parts(path, shown[path], text)
    elif call.kind is ToolKind.EDIT and path and isinstance(text, str) and not call.edits:
        call.edits = [FileEdit(path, None, text, text)]
    return call


def _result(call: ToolCall, output: str, shown: dict[str, str]) -> ToolResult:
    """What came back; keeps files that were shown or written whole, to tell what a later rewrite changes."""
    failed = output.startswith("Error") if call.kind is not ToolKind.SHELL else None
    result = ToolResult(call.id, output, is_error=failed, timed_out=bool(_TIMED_OUT.match(output)))
    if result.timed_out:
        result.is_error = True
    if call.target and not failed:
        written = [edit.content for edit in call.edits if edit.content is not None]
        content = written[-1] if written else _whole(output) if call.kind is ToolKind.READ else None
        if content is not None:
            shown[call.target] = content
    return result


def _whole(output: str) -> str | None:
    """The content of a file that was shown whole with line numbers; None where it was not."""
    if not output.startswith(_SHOWN):
        return None
    lines: list[str] = []
    for line in output.splitlines()[1:]:
        numbered = _NUMBERED.match(line)
        if numbered is None or int(numbered[1]) != len(lines) + 1:
            return None
        lines.append(numbered[2])
    return "".join(f"{line}\n" for line in lines) if lines else None
