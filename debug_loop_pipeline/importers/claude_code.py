"""Reads Claude Code sessions (LOG_FORMATS 2): one run a file, and one for every sub-agent whose lines it carries.

Order, files and memory are this module's; what a line says is `claude_code_lines`', what a tool did
`claude_code_tools`', who started a sub-agent `claude_code_agents`'.
"""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Callable, Iterable, Iterator
from itertools import chain as joined
from pathlib import Path
from typing import Any

from debug_loop_pipeline.importers import claude_code_agents as agents
from debug_loop_pipeline.importers import claude_code_lines as lines
from debug_loop_pipeline.importers import claude_code_tools as tools
from debug_loop_pipeline.importers.base import ImportReport, TranscriptImporter, head_records
from debug_loop_pipeline.importers.documents import file_time, string
from debug_loop_pipeline.importers.jsonl_lines import moment, read_objects, read_objects_at
from debug_loop_pipeline.models.trajectory import Step, StepSource, ToolCall, ToolKind, ToolResult, Trajectory, Usage

_CONVERSATION = frozenset({"user", "assistant", "system"})
_SILENT = frozenset({"thinking", "redacted_thinking"})
"""Blocks that need no step of their own where the response has others."""
_SYNTHETIC = "<synthetic>"
"""The model of lines that the program wrote itself: a failed request, an empty turn."""
_MAX_HELD = 64
"""Steps held back at most until the response that they belong to is known to be complete."""
_ACTS = frozenset({ToolKind.SHELL, ToolKind.EDIT})
_OUTPUT_PART_BYTES = 512 << 10
"""Of an output in a file of its own so much is read from its start, and so much from its end."""
_OUTPUT_FILE = re.compile(r"tool-results[/\\]([\w.-]+)")

_Located = tuple[int, int, dict[str, Any]]
"""Line number, byte offset of the line, object."""


class ClaudeCodeImporter(TranscriptImporter):
    """Claude Code's session files."""

    name = "claude-code"

    def default_folders(self) -> list[Path]:
        """`projects` under `$CLAUDE_CONFIG_DIR` or `~/.claude`."""
        configured = os.environ.get("CLAUDE_CONFIG_DIR")
        root = Path(configured) if configured else Path.home() / ".claude"
        return [root / "projects"]

    def sniff(self, path: Path, head: bytes) -> bool:
        """A line with `uuid`, `parentUuid` and `sessionId`."""
        return any(
            "parentUuid" in record and "sessionId" in record and "uuid" in record for record in head_records(head, 200)
        )

    def read(self, path: Path, report: ImportReport) -> Iterator[Trajectory]:
        """The session, then its sub-agents' inline sidechains in the order in which they began.

        A response's usage is attached to the last step of its run of lines. Where the same response comes again later
        in the file with a larger total, a further step carries it: per (message_id, request_id) the largest counts.

        Raises:
            OSError: the file cannot be read.
        """
        return _SessionFile(path, report).trajectories()


class _SessionFile:
    """One file while it is read."""

    def __init__(self, path: Path, report: ImportReport) -> None:
        self.path = path
        self.report = report
        self.file_time = file_time(path)
        self.session_id = ""
        self.own_agent: str | None = None
        self.sidechains: dict[str, array[int]] = {}
        self.sidechain_of: dict[int, str] = {}
        self.prompt_calls: dict[str, str] = {}
        self.agent_calls: dict[str, str] = {}

    def trajectories(self) -> Iterator[Trajectory]:
        objects = read_objects(self.path, self.report, skip=lines.unneeded_type)
        before: list[_Located] = []
        for located in objects:
            before.append(located)
            if str(located[2].get("type")) in _CONVERSATION and "message" in located[2]:
                break
        else:
            for _, _, record in before:
                self.report.skip(f"type {str(record.get('type'))[:40]}")
            return
        first = before[-1][2]
        self.session_id = agents.own_session_id(self.path, first)
        if first.get("isSidechain") is True:
            self.own_agent = str(first.get("agentId") or self.path.stem.removeprefix("agent-"))
            main = self._agent_trajectory(self.own_agent, first, None)
        else:
            main = self._trajectory(first)
        session = None if self.own_agent is not None else self.session_id
        steps = _Conversation(self, self._is_of_other, session).steps(joined(before, objects))
        main.steps = steps
        yield main
        for _ in steps:
            pass
        for chain, spans in self.sidechains.items():
            numbered = read_objects_at(self.path, spans)
            head = next(numbered, None)
            if head is None:
                continue
            trajectory = self._agent_trajectory(chain, head[2], self.agent_calls.get(chain))
            # A glued line may hold another run's object as well.
            own = (item for item in joined([head], numbered) if item[2].get("isSidechain") is True)
            trajectory.steps = steps = _Conversation(self, None).steps(own)
            yield trajectory
            for _ in steps:
                pass

    def _trajectory(self, first: dict[str, Any]) -> Trajectory:
        return Trajectory(
            format=ClaudeCodeImporter.name,
            session_id=self.session_id,
            run_key=self.session_id,
            steps=iter(()),
            agent_name="claude-code",
            agent_version=string(first.get("version")),
            started_at=moment(first.get("timestamp")),
            cwd=string(first.get("cwd")),
            branch=string(first.get("gitBranch")),
            file=str(self.path),
            file_time=self.file_time,
        )

    def _agent_trajectory(self, agent_id: str, first: dict[str, Any], call: str | None) -> Trajectory:
        parent = lines.session_of(first) or self.session_id
        trajectory = self._trajectory(first)
        message = first.get("message")
        prompt = tools.content_text(message.get("content")) if isinstance(message, dict) else ""
        trajectory.request = prompt or None
        trajectory.session_id = trajectory.run_key = agents.run_key(parent, agent_id)
        trajectory.parent_session_id = parent
        trajectory.agent_type = "subagent"
        trajectory.parent_call_id = call or self.prompt_calls.get(agents.prompt_key(prompt))
        if trajectory.parent_call_id is None:
            start = agents.start_of(self.path, parent, agent_id, prompt)
            if start is not None:
                trajectory.parent_session_id, trajectory.parent_call_id = start.session_id, start.call_id
                trajectory.parent_file = start.file
        return trajectory

    def _is_of_other(self, number: int, offset: int, record: dict[str, Any]) -> bool:
        """Whether a sidechain line is of another run than the file's; then where it stands is kept for that one."""
        chain = self._sidechain(record)
        if chain == self.own_agent:
            return False
        self.sidechains.setdefault(chain, array("Q")).extend((number, offset))
        return True

    def _sidechain(self, record: dict[str, Any]) -> str:
        """Which sidechain a line is of: its agent's id or, in old versions, the id of the chain's first line."""
        agent = record.get("agentId")
        if isinstance(agent, str) and agent:
            return agent
        if self.own_agent is not None:
            return self.own_agent
        uuid = str(record.get("uuid"))
        chain = self.sidechain_of.get(hash(str(record.get("parentUuid"))), uuid)
        self.sidechain_of[hash(uuid)] = chain
        return chain


class _Conversation:
    """Turns the lines of one chain into steps, in order."""

    def __init__(
        self,
        file: _SessionFile,
        is_of_other: Callable[[int, int, dict[str, Any]], bool] | None,
        own: str | None = None,
    ) -> None:
        self.file = file
        self.is_of_other = is_of_other
        self.own = own
        """The session of the chain, where its lines may be copies of another's."""
        self.copied: str | None = None
        self.report = file.report
        self.seen: set[int] = set()
        self.calls: dict[str, ToolCall] = {}
        self.background: dict[str, str] = {}
        self.unread: dict[str, Step] = {}
        """Ends of background commands whose output, in a file of its own, the agent may still read."""
        self.went_on = False
        """Whether the agent did something else instead."""
        self.readers: dict[str, str] = {}
        self.emitted: dict[int, int] = {}
        self.held: list[Step] = []
        self.open_key: tuple[str, str] | None = None
        self.open_step: Step | None = None
        self.open_silent: tuple[dict[str, Any], int] | None = None
        self.open_usage: Usage | None = None
        self.open_given: dict[str, Any] | None = None
        self.pull_request: str | None = None

    def steps(self, objects: Iterable[_Located]) -> Iterator[Step]:
        """The steps of the chain.

        Steps from the first line of a response on are held back until another response, a prompt or `_MAX_HELD` steps
        show that it is complete, so that its usage comes once and with its last copy.
        """
        seen = self.seen
        is_of_other = self.is_of_other
        for number, offset, record in objects:
            if record.get("isSidechain") is True and is_of_other is not None and is_of_other(number, offset, record):
                continue
            uuid = record.get("uuid")
            if type(uuid) is str:
                mark = hash(uuid)
                if mark in seen:
                    self.report.skip("duplicate line")
                    continue
                seen.add(mark)
            try:
                ready = self._read_line(record, number)
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                self.report.problem(self.file.path, number, f"unexpected shape: {type(error).__name__}: {error}")
                continue
            if ready:
                yield from ready
        yield from self._close()
        yield from self._unread_ends()

    def _read_line(self, record: dict[str, Any], number: int) -> list[Step]:
        """Takes a line in; returns the steps that are ready."""
        kind = record.get("type")
        if kind == "assistant":
            return self._assistant(record, number)
        if kind == "user":
            made = self._user(record)
        elif kind == "attachment":
            made = self._attachment(record)
        elif kind == "pr-link":
            self.pull_request = string(record.get("prUrl"))
            made = [self._step(record, StepSource.SYSTEM, str(self.pull_request))]
        else:
            error = lines.system_error(record) if kind == "system" else None
            if error is None:
                self.report.skip(f"type {str(kind)[:40]}")
                return []
            made = [self._step(record, StepSource.SYSTEM, str(record.get("uuid")))]
            made[0].api_error = error
        for step in made:
            step.line = number
        prompted = kind == "user" and any(step.source is StepSource.HUMAN for step in made)
        if self.unread and (prompted or self.went_on):
            made = self._unread_ends() + made
        if self.open_key is None:
            return made
        self.held += made
        return self._close() if prompted or len(self.held) > _MAX_HELD else []

    def _assistant(self, record: dict[str, Any], number: int) -> list[Step]:
        message = record["message"]
        model = message.get("model")
        usage = message.get("usage")
        ref = str(message.get("id") or record.get("uuid"))
        if model == _SYNTHETIC or not isinstance(usage, dict):
            step = self._agent_step(record, number, ref, message)
            if model == _SYNTHETIC:
                step.api_error = lines.synthetic_error(record, message)
            return [*self._close(), step]
        key = (ref, string(record.get("requestId")) or "")
        content = message.get("content")
        silent = isinstance(content, list) and len(content) == 1 and content[0].get("type") in _SILENT
        told = None if silent else self._agent_step(record, number, ref, message)
        known = key == self.open_key and usage == self.open_given
        counted = None if known else lines.usage_of(record, usage, key, string(model))
        ready: list[Step] = []
        if key != self.open_key:
            ready = self._close()
            self.open_key = key
        if counted is not None and (self.open_usage is None or counted.total > self.open_usage.total):
            self.open_usage, self.open_given = counted, usage
        if told is None:
            self.open_silent = record, number
        else:
            self.open_step = told
            self.held.append(told)
        return ready

    def _agent_step(self, record: dict[str, Any], number: int, ref: str, message: dict[str, Any]) -> Step:
        step = self._step(record, StepSource.AGENT, ref)
        step.line = number
        model = string(message.get("model"))
        step.model = None if model == _SYNTHETIC else model
        content = message.get("content")
        if not isinstance(content, list):
            step.text = tools.content_text(content)
            return step
        for block in content:
            kind = block.get("type")
            if kind == "text":
                step.text = f"{step.text}\n{block['text']}" if step.text else str(block["text"])
            elif kind == "tool_use":
                step.calls.append(self._call(block, step.cwd))
        return step

    def _close(self) -> list[Step]:
        """Ends the open response and returns what was held; usage goes to its last step, unless it was told before."""
        if self.open_key is None:
            return []
        if self.open_step is None and self.open_silent is not None:
            record, number = self.open_silent
            self.open_step = self._agent_step(record, number, self.open_key[0], record["message"])
            self.held.append(self.open_step)
        if self.open_usage is not None and self.open_step is not None:
            mark = hash(self.open_key)
            total = self.open_usage.total
            if total > self.emitted.get(mark, -1):
                self.open_usage.at = self.open_step.timestamp
                self.open_step.usage = self.open_usage
                self.emitted[mark] = total
        self.open_key = self.open_step = self.open_silent = self.open_usage = self.open_given = None
        held, self.held = self.held, []
        return held

    def _step(self, record: dict[str, Any], source: StepSource, ref: str) -> Step:
        cwd = record.get("cwd")
        branch = record.get("gitBranch")
        step = Step(ref, source, moment(record.get("timestamp")))
        step.cwd = cwd if type(cwd) is str else None
        step.branch = branch if branch and type(branch) is str else None
        step.pull_request = self.pull_request
        if self.own is not None:
            if "uuid" in record:
                told = lines.session_of(record)
                self.copied = None if told == self.own else told
            step.session = self.copied
        return step

    def _call(self, block: dict[str, Any], cwd: str | None) -> ToolCall:
        call = tools.tool_call(block, cwd)
        self.calls[call.id] = call
        task = tools.background_task_read(block)
        if task is not None:
            self.readers[call.id] = task
        elif call.kind in _ACTS:
            self.went_on |= bool(self.unread) and ".output" not in (call.command or "")
        elif call.kind is ToolKind.SUBAGENT:
            self.file.prompt_calls[agents.prompt_key(str(block["input"].get("prompt")))] = call.id
        return call

    def _user(self, record: dict[str, Any]) -> list[Step]:
        content = record["message"].get("content")
        results: list[ToolResult] = []
        if isinstance(content, list):
            blocks = [block for block in content if isinstance(block, dict) and block.get("type") == "tool_result"]
            # One object describes one result; on a line with several it cannot be told whose it is.
            details, denial = None, None
            if len(blocks) == 1:
                details, denial = record.get("toolUseResult"), string(record.get("toolDenialKind"))
            for block in blocks:
                results += self._results(block, details, denial)
        if results:
            step = self._step(record, StepSource.TOOL, results[0].call_id)
            step.results = results
            return [step]
        return self._prompt(record, content)

    def _prompt(self, record: dict[str, Any], content: object) -> list[Step]:
        ref = str(record.get("uuid"))
        text = "" if lines.is_injected(record) else lines.prompt_text(content)
        made: list[Step] = []
        if lines.is_interrupt(content):
            made.append(self._step(record, StepSource.SYSTEM, ref))
            made[0].interrupted = True
        if text:
            made.append(self._step(record, StepSource.HUMAN, ref))
            made[-1].text = text
        return made or self._notified(record, tools.content_text(content), "not a person's message")

    def _attachment(self, record: dict[str, Any]) -> list[Step]:
        given = record.get("attachment")
        text = ""
        if isinstance(given, dict) and given.get("commandMode") == "task-notification":
            text = tools.content_text(given.get("prompt"))
        return self._notified(record, text, "type attachment")

    def _results(self, block: dict[str, Any], details: object, denial: str | None) -> list[ToolResult]:
        call = self.calls.pop(str(block.get("tool_use_id")), None)
        result = tools.tool_result(block, call, details, denial)
        if result.output.startswith("<persisted-output>"):
            result.output = self._whole_output(result.output, details)
        if call is None:
            return [result]
        if result.pending:
            task = tools.background_task_started(result, details)
            if task is not None:
                self.background[task] = call.id
        elif call.kind is ToolKind.SUBAGENT:
            agent = agents.agent_of(details, result.output)
            if agent is not None:
                self.file.agent_calls[agent] = call.id
        task = self.readers.pop(call.id, None)
        if task is None:
            return [result]
        if task in self.background:
            ended = tools.background_task_end(self.background[task], result.output, call)
            if ended is not None:
                del self.background[task]
                return [result, ended]
        elif task in self.unread:
            [ended] = self.unread[task].results
            printed = tools.background_task_output(ended, result, call)
            if printed is not None:
                del self.unread[task]
                ended.output = printed
                return [result, ended]
        return [result]

    def _notified(self, record: dict[str, Any], text: str, otherwise: str) -> list[Step]:
        """The ends of background commands, told by notifications; what is no notification of any is skipped as `otherwise`.

        A notification names the file that holds the output; an end waits until that is read, or the agent goes on
        without.
        """
        made: list[Step] = []
        known = False
        for task, report in tools.notifications(text):
            call_id = self.background.get(task)
            ended = tools.background_task_end(call_id, report) if call_id is not None else None
            if ended is None:
                continue
            del self.background[task]
            known = True
            step = self._step(record, StepSource.TOOL, str(record.get("uuid")))
            step.results.append(ended)
            if ended.output or ended.cancelled:
                made.append(step)
            else:
                self.unread[task] = step
        if not known:
            self.report.skip(otherwise)
        return made

    def _unread_ends(self) -> list[Step]:
        """Ends of background commands whose output was not read."""
        ended = list(self.unread.values())
        self.unread.clear()
        self.went_on = False
        return ended

    def _whole_output(self, shown: str, details: object) -> str:
        """An output that was too large for the line: both ends of its own file where that is there, else as shown.

        Only the file's name is taken from the transcript, never its folder: the text in it is not to be trusted with
        paths.
        """
        name = _OUTPUT_FILE.search(shown)
        session = self.copied or self.file.session_id
        if name is not None and agents.is_plain_name(session):
            folder = self.file.path.parent
            for place in (folder / session, folder.parent, folder):
                try:
                    return _both_ends(place / "tool-results" / name[1])
                except OSError:
                    continue
        stdout = details.get("stdout") if isinstance(details, dict) else None
        return stdout if isinstance(stdout, str) and len(stdout) > len(shown) else shown


def _both_ends(path: Path) -> str:
    """A text file, or its first and last `_OUTPUT_PART_BYTES` where it is larger."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size <= 2 * _OUTPUT_PART_BYTES:
            return file.read().decode("utf-8", "replace")
        first = file.read(_OUTPUT_PART_BYTES)
        file.seek(size - _OUTPUT_PART_BYTES)
        last = file.read(_OUTPUT_PART_BYTES)
    left_out = size - 2 * _OUTPUT_PART_BYTES
    return f"{first.decode('utf-8', 'replace')}\n[{left_out} bytes left out]\n{last.decode('utf-8', 'replace')}"
