"""Reads Codex CLI rollouts (LOG_FORMATS 3): one file is one run.

Order, turns and token counters are this module's; what a tool did is `codex_tools`'. In code mode the model calls `exec` with a script;
what that ran stands in the ends of commands and patches (`item_completed`, `exec_command_end`, `patch_apply_end`) under ids of their own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from itertools import chain as joined
from pathlib import Path
from typing import Any

from debug_loop_pipeline.importers import codex_agents as agents
from debug_loop_pipeline.importers import codex_tools as tools
from debug_loop_pipeline.importers.base import ImportReport, TranscriptImporter, head_records
from debug_loop_pipeline.importers.codex_usage import TokenCounter
from debug_loop_pipeline.importers.documents import file_time, mapping, string, text_of
from debug_loop_pipeline.importers.jsonl_lines import moment, read_objects
from debug_loop_pipeline.models.trajectory import ApiError, Step, StepSource, ToolCall, ToolKind, ToolResult, Trajectory

_RECORD_TYPES = frozenset({"session_meta", "turn_context", "response_item", "event_msg", "compacted"})
_CALLS = frozenset({"function_call", "custom_tool_call", "local_shell_call"})
_OUTPUTS = frozenset({"function_call_output", "custom_tool_call_output"})
_ENDS = frozenset({"exec_command_end", "patch_apply_end"})
_SPAWNS = frozenset({"collab_agent_spawn_end", "sub_agent_activity"})
_SPAWN_ITEMS = frozenset({"CollabAgentToolCall", "SubAgentActivity"})
_ENDED_ITEMS = frozenset({"CommandExecution", "FileChange"})
_NEEDED_ITEMS = frozenset(kind.encode() for kind in _ENDED_ITEMS | _SPAWN_ITEMS | {"UserMessage"})
_KIND = re.compile(
    rb'\{"timestamp":"[^"]*+",(?:"ordinal":\d++,)?"type":"(?:event_msg|response_item)","payload":\{"type":"(\w++)"'
    rb'(?:,"(?:thread|turn)_id":"[^"]*+")*+(?:,"item":\{"type":"(\w++)")?'
)
_NEEDED = frozenset(
    kind.encode()
    for kind in _CALLS
    | _OUTPUTS
    | _ENDS
    | _SPAWNS
    | {
        "message",
        "user_message",
        "item_completed",
        "token_count",
        "task_started",
        "turn_started",
        "turn_aborted",
        "error",
        "stream_error",
    }
)
_INJECTED = re.compile(r"\s*(?:<[a-zA-Z_]+[ >]|# AGENTS\.md instructions|# Context from my IDE setup)")
_REQUEST_MARK = "## My request for Codex:"
_MAX_HELD = 64
"""Steps held back at most until the token counter says what they cost."""
_MAX_ANSWERED = 20_000
"""Calls that are remembered after their result; an end that comes later than that is taken for a call of its own."""

_Located = tuple[int, int, dict[str, Any]]


class CodexImporter(TranscriptImporter):
    """Codex CLI's rollout files."""

    name = "codex"

    def default_folders(self) -> list[Path]:
        """`sessions` and `archived_sessions` under `$CODEX_HOME` or `~/.codex`."""
        configured = os.environ.get("CODEX_HOME")
        root = Path(configured) if configured else Path.home() / ".codex"
        return [root / "sessions", root / "archived_sessions"]

    def sniff(self, path: Path, head: bytes) -> bool:
        """Lines of `{timestamp, type, payload}` of known types."""
        for record in head_records(head, 50):
            if isinstance(record.get("payload"), dict):
                return str(record.get("type")) in _RECORD_TYPES
        return False

    def read(self, path: Path, report: ImportReport) -> Iterator[Trajectory]:
        """The session. Its first `session_meta` is its own; later ones stand in history copied from another session.

        Raises:
            OSError: the file cannot be read.
        """
        objects = read_objects(path, report, skip=_unneeded)
        first = next(objects, None)
        if first is None:
            return
        meta = mapping(first[2].get("payload")) if first[2].get("type") == "session_meta" else {}
        trajectory = _trajectory(path, meta, first[2])
        steps = _Conversation(path, report, trajectory).steps(joined([first], objects))
        trajectory.steps = steps
        yield trajectory
        for _ in steps:
            pass


def _unneeded(line: bytes) -> str | None:
    found = _KIND.match(line)
    if found is None:
        return None
    kind, item = found.groups()
    if item is not None and item not in _NEEDED_ITEMS:
        return f"item {item.decode()}"
    return None if kind in _NEEDED else f"type {kind.decode()}"


def _trajectory(path: Path, meta: dict[str, Any], first: dict[str, Any]) -> Trajectory:
    git = mapping(meta.get("git"))
    session_id = string(meta.get("id")) or string(meta.get("session_id")) or path.stem.removeprefix("rollout-")
    trajectory = Trajectory(
        format=CodexImporter.name,
        session_id=session_id,
        run_key=session_id,
        steps=iter(()),
        agent_name="codex",
        agent_version=string(meta.get("cli_version")),
        provider=string(meta.get("model_provider")),
        started_at=moment(meta.get("timestamp")) or moment(first.get("timestamp")),
        cwd=string(meta.get("cwd")),
        repository=string(git.get("repository_url")),
        branch=string(git.get("branch")),
        commit=string(git.get("commit_hash")),
        file=str(path),
        file_time=file_time(path),
    )
    spawn = mapping(meta.get("source")).get("subagent")
    if spawn is not None or meta.get("thread_source") == "subagent":
        trajectory.agent_type = "subagent"
        parent = mapping(mapping(spawn).get("thread_spawn")).get("parent_thread_id")
        trajectory.parent_session_id = string(parent) or string(meta.get("parent_thread_id"))
        trajectory.parent_call_id = session_id
        if trajectory.parent_session_id is not None:
            trajectory.parent_file = agents.parent_file(path, trajectory.parent_session_id)
    return trajectory


class _Conversation:
    """Turns the lines of a rollout into steps, in order."""

    def __init__(self, path: Path, report: ImportReport, trajectory: Trajectory) -> None:
        self.path = path
        self.report = report
        self.trajectory = trajectory
        self.counter = TokenCounter(trajectory.session_id)
        self.turn: str | None = None
        self.cwd = trajectory.cwd
        self.model: str | None = None
        self.calls: dict[str, ToolCall] = {}
        self.answered: dict[str, None] = {}
        self.ends: dict[str, tools.CommandEnd] = {}
        self.sessions: dict[str, _Session] = {}
        self.readers: dict[str, str] = {}
        self.prompt: Step | None = None
        self.told: tuple[str, str] | None = None
        self.held: list[Step] = []
        self.scripted = False
        self.scripts = 0
        """Scripts of code mode, until it is seen that the commands they run are told."""

    def steps(self, objects: Iterable[_Located]) -> Iterator[Step]:
        """The steps of the run.

        The steps of a response are held back until the token counter, another response or a prompt follows, so that its
        usage is attached to the last thing that the agent said or called in it.
        """
        for number, _, record in objects:
            try:
                ready = self._read_line(record, number)
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                self.report.problem(self.path, number, f"unexpected shape: {type(error).__name__}: {error}")
                continue
            yield from ready
        if self.prompt is not None:
            self.held.append(self.prompt)
        yield from self._flush()
        if self.scripts:
            self.report.skip("script whose commands are not told", self.scripts)

    def _flush(self) -> list[Step]:
        held, self.held = self.held, []
        return held

    def _read_line(self, record: dict[str, Any], number: int) -> list[Step]:
        """Takes a line in; returns the steps that are ready."""
        payload = record.get("payload")
        if not isinstance(payload, dict):
            # The oldest versions wrote the items bare.
            payload, kind = record, "response_item"
        else:
            kind = str(record.get("type"))
        if kind == "response_item":
            return self._item(record, payload, number)
        if kind == "event_msg":
            return self._event(record, payload, number)
        if kind == "turn_context":
            self._start_turn(payload)
            self.cwd = string(payload.get("cwd")) or self.cwd
            self.model = string(payload.get("model")) or self.model
        elif kind == "session_meta":
            self.counter.owner = str(payload.get("id") or self.counter.owner)
        else:
            self.report.skip(f"type {kind[:40]}")
        return []

    def _start_turn(self, payload: dict[str, Any]) -> None:
        turn = string(payload.get("turn_id"))
        if turn is not None and turn != self.turn:
            self.turn = turn
            self.told = None

    def _step(self, record: dict[str, Any], source: StepSource, ref: str | None, number: int) -> Step:
        return Step(
            ref or self.turn or str(record.get("timestamp")),
            source,
            moment(record.get("timestamp")),
            cwd=self.cwd,
            branch=self.trajectory.branch,
            model=self.model if source is StepSource.AGENT else None,
            line=number,
        )

    def _item(self, record: dict[str, Any], item: dict[str, Any], number: int) -> list[Step]:
        kind = item.get("type")
        if kind == "message":
            role = item.get("role")
            text = text_of(item.get("content"))
            if role == "user":
                return self._user_item(record, text, number)
            if role == "assistant":
                step = self._step(record, StepSource.AGENT, string(item.get("id")), number)
                step.text = text
                return self._agent(step)
            self.report.skip("not a person's message")
        elif kind in _CALLS:
            call = tools.tool_call(item, self.cwd)
            self.calls[call.id] = call
            if call.name == "exec" and not self.scripted:
                self.scripts += 1
            elif call.name == "write_stdin":
                self.readers[call.id] = str(tools.arguments(item).get("session_id"))
            step = self._step(record, StepSource.AGENT, call.id, number)
            step.calls.append(call)
            return self._agent(step)
        elif kind in _OUTPUTS:
            step = self._step(record, StepSource.TOOL, string(item.get("call_id")), number)
            answered = self.calls.get(step.ref)
            step.results = self._results(item)
            if answered is not None and answered.kind is ToolKind.SUBAGENT:
                step.started = agents.agent_in_output(step.results[0].output)
            self.held.append(step)
            return self._flush() if len(self.held) > _MAX_HELD else []
        else:
            self.report.skip(f"type {str(kind)[:40]}")
        return []

    def _agent(self, step: Step) -> list[Step]:
        """Holds a step of the agent's; one that follows a result is of another response, and what was held is ready."""
        ready: list[Step] = []
        if self.prompt is not None:
            self.held.append(self.prompt)
            self.prompt = None
        if self.held and (self.held[-1].source is not StepSource.AGENT or self.held[-1].results):
            ready = self._flush()
        self.held.append(step)
        return ready

    def _user_item(self, record: dict[str, Any], text: str, number: int) -> list[Step]:
        """A message in the person's role: a prompt, unless the program put it in or an event tells it as well."""
        if not text.strip() or _INJECTED.match(text) or (self.told is not None and text.strip() == self.told[1]):
            self.report.skip("not a person's message")
            return []
        ready = self._flush()
        if self.prompt is not None:
            ready.append(self.prompt)
        self.prompt = self._step(record, StepSource.HUMAN, None, number)
        self.prompt.text = text.strip()
        return ready

    def _event(self, record: dict[str, Any], event: dict[str, Any], number: int) -> list[Step]:
        kind = event.get("type")
        if kind == "token_count":
            return self._count(record, event, number)
        if kind in ("task_started", "turn_started"):
            self._start_turn(event)
        elif kind in _ENDS:
            return self._ended(record, event, str(event.get("call_id")), number)
        elif kind in _SPAWNS:
            return self._spawned(record, event, number)
        elif kind == "item_completed":
            return self._completed(record, mapping(event.get("item")), number)
        elif kind == "user_message":
            return self._prompted(record, kind, str(event.get("message") or ""), number)
        elif kind == "turn_aborted":
            step = self._step(record, StepSource.SYSTEM, None, number)
            step.interrupted = event.get("reason") == "interrupted"
            return [*self._flush(), step] if step.interrupted else self._flush()
        elif kind in ("error", "stream_error"):
            step = self._step(record, StepSource.SYSTEM, None, number)
            info = event.get("codex_error_info")
            name = next(iter(info), None) if isinstance(info, dict) else info
            step.api_error = ApiError(str(event.get("message") or kind), None if name is None else str(name))
            self.held.append(step)
        else:
            self.report.skip(f"type {str(kind)[:40]}")
        return []

    def _completed(self, record: dict[str, Any], item: dict[str, Any], number: int) -> list[Step]:
        kind = str(item.get("type"))
        if kind in _ENDED_ITEMS:
            return self._ended(record, item, str(item.get("id")), number)
        if kind in _SPAWN_ITEMS:
            return self._spawned(record, item, number)
        if kind == "UserMessage":
            return self._prompted(record, kind, text_of(item.get("content")), number)
        self.report.skip(f"item {kind[:40]}")
        return []

    def _spawned(self, record: dict[str, Any], told: dict[str, Any], number: int) -> list[Step]:
        agent = agents.started_agent(told)
        if agent is None:
            self.report.skip("a sub-agent's doings")
            return []
        step = self._step(record, StepSource.SYSTEM, None, number)
        step.started = agent
        self.held.append(step)
        return []

    def _prompted(self, record: dict[str, Any], kind: str, text: str, number: int) -> list[Step]:
        """What the person wrote, as an event tells it; both an event and an item may."""
        if self.told is not None and self.told[0] != kind and self.told[1] == text.strip():
            self.report.skip("told twice")
            return []
        step = self._step(record, StepSource.HUMAN, None, number)
        step.text = text.rpartition(_REQUEST_MARK)[2].strip()
        self.told, self.prompt = (kind, text.strip()), None
        return [*self._flush(), step] if step.text else self._flush()

    def _ended(self, record: dict[str, Any], end: dict[str, Any], call_id: str, number: int) -> list[Step]:
        """The end of a command or a patch.

        Of a call that the model made itself it adds to the output, before that or after it (a command that went on). What the
        model did not call itself, a script of its has run (code mode): there this is call and result.
        """
        if end.get("source") in tools.NOT_A_CALL:
            self.report.skip(f"command of {end['source']}")
            return []
        if call_id in self.calls:
            self.ends[call_id] = tools.command_end(end)
            return []
        call = tools.ended_call(call_id, end, self.cwd)
        result = tools.ended_result(call, end)
        if call_id not in self.answered:
            self._answer(call_id)
            if "command" in end:
                self.scripted, self.scripts = True, 0
            step = self._step(record, StepSource.AGENT, call_id, number)
            step.calls.append(call)
        else:
            running = next((key for key, one in self.sessions.items() if one.call_id == call_id), None)
            if running is None:
                return []
            known = self.sessions.pop(running)
            result.output = result.output or known.output
            step = self._step(record, StepSource.TOOL, call_id, number)
        step.results.append(result)
        self.held.append(step)
        return self._flush() if len(self.held) > _MAX_HELD else []

    def _answer(self, call_id: str) -> None:
        if len(self.answered) >= _MAX_ANSWERED:
            del self.answered[next(iter(self.answered))]
        self.answered[call_id] = None

    def _count(self, record: dict[str, Any], event: dict[str, Any], number: int) -> list[Step]:
        at = moment(record.get("timestamp"))
        usage = self.counter.count(event.get("info"), self.turn, self.model, self.trajectory.provider, at)
        if usage is None:
            self.report.skip("token counter without news")
            return []
        for step in reversed(self.held):
            if step.source is StepSource.AGENT and step.usage is None and not step.results:
                step.usage = usage
                return self._flush()
        step = self._step(record, StepSource.AGENT, None, number)
        step.usage = usage
        return [*self._flush(), step]

    def _results(self, item: dict[str, Any]) -> list[ToolResult]:
        call_id = str(item.get("call_id"))
        call = self.calls.pop(call_id, None)
        result = tools.tool_result(item, call, self.ends.pop(call_id, None))
        if call is None:
            return [result]
        self._answer(call_id)
        session = self.readers.pop(call_id, None)
        if session is None:
            if result.pending and call.kind is ToolKind.SHELL:
                running = tools.running_session(item)
                if running is not None:
                    self.sessions[running] = _Session(call.id, result.output)
            return [result]
        result.pending = False
        known = self.sessions.get(session)
        if known is None:
            return [result]
        known.output = f"{known.output}{result.output}"[-_Session.limit :]
        if result.exit_code is None and not result.cancelled:
            return [result]
        del self.sessions[session]
        ended = ToolResult(known.call_id, known.output, result.is_error, result.exit_code, result.cancelled)
        # How the command ended is told of its own call; that it was waited for went well.
        result.is_error = result.exit_code = None
        return [result, ended]


class _Session:
    """A command that goes on, and what it printed so far (its end, where that is much)."""

    __slots__ = ("call_id", "output")
    limit = 1 << 20

    def __init__(self, call_id: str, output: str) -> None:
        self.call_id = call_id
        self.output = output
