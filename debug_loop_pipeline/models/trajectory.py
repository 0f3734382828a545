"""What an importer reads out of a native log: a run as a stream of steps (the vocabulary of ATIF).

An importer knows a format and fills these; only the segmenter knows what an attempt is. They are slotted dataclasses, not
pydantic models, because one is made per log line and nothing of them is stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from uuid import UUID


class ToolKind(StrEnum):
    """What a tool call does, whatever the agent calls it."""

    SHELL = "shell"
    EDIT = "edit"
    READ = "read"
    SEARCH = "search"
    SUBAGENT = "subagent"
    OTHER = "other"


class StepSource(StrEnum):
    """Who a step came from."""

    HUMAN = "human"
    AGENT = "agent"
    TOOL = "tool"
    SYSTEM = "system"


@dataclass(slots=True)
class FileEdit:
    """One changed place of one file.

    before: removed text ("" for an insertion, None where the source does not tell); after: new text (None = file deleted);
    content: the whole file after the edit, where it is known.
    """

    path: str
    before: str | None
    after: str | None
    content: str | None = None


@dataclass(slots=True)
class Usage:
    """Tokens of one API response, in disjoint buckets (DOMAIN 3.10); counted once per (message_id, request_id)."""

    message_id: str
    request_id: str
    model: str | None
    provider: str | None
    at: datetime | None
    tokens_input: int = 0
    tokens_cache_read: int = 0
    tokens_cache_write_5m: int = 0
    tokens_cache_write_1h: int = 0
    tokens_output: int = 0
    tokens_reasoning: int = 0
    estimated: bool = False
    cost_usd: str | None = None
    """What the source itself says it cost (decimal text), as information; our own price is computed."""

    @property
    def total(self) -> int:
        """All tokens; reasoning is inside output."""
        return (
            self.tokens_input
            + self.tokens_cache_read
            + self.tokens_cache_write_5m
            + self.tokens_cache_write_1h
            + self.tokens_output
        )


@dataclass(slots=True)
class ToolCall:
    """One call of a tool. `command` and `cwd` for shells; `edits` for editors, as far as the call tells."""

    id: str
    name: str
    kind: ToolKind
    command: str | None = None
    cwd: str | None = None
    target: str | None = None
    """File or pattern that a read or search is about."""
    edits: list[FileEdit] = field(default_factory=list)
    timeout_s: float | None = None


@dataclass(slots=True)
class ToolResult:
    """What came back for a call."""

    call_id: str
    output: str
    is_error: bool | None = None
    """None where the source does not tell."""
    exit_code: int | None = None
    cancelled: bool = False
    """Denied or interrupted by the user, or never run (a sibling failed)."""
    timed_out: bool = False
    pending: bool = False
    """The command goes on in the background: a later result of the same call, if any, tells how it ended."""
    edits: list[FileEdit] | None = None
    """What was really changed, where the result knows better than the call; None = as the call says."""


@dataclass(slots=True)
class ApiError:
    """A failure of the model's service or of the agent program itself, not of a tool."""

    message: str
    kind: str | None = None


@dataclass(slots=True)
class Step:
    """One message of a run, in order."""

    ref: str
    """The source's own identifier of the step, never a file position."""
    source: StepSource
    timestamp: datetime | None = None
    text: str = ""
    calls: list[ToolCall] = field(default_factory=list)
    results: list[ToolResult] = field(default_factory=list)
    usage: Usage | None = None
    api_error: ApiError | None = None
    interrupted: bool = False
    """The user stopped the agent here."""
    started: str | None = None
    """Session of a sub-agent that was started here, where the source tells it; of others the call does."""
    cwd: str | None = None
    branch: str | None = None
    pull_request: str | None = None
    model: str | None = None
    session: str | None = None
    """The session that had the step first, where the run copied it from that one (a fork, a resumed session)."""
    line: int | None = None
    """1-based line or ordinal in the file, for messages to people only."""


@dataclass(slots=True)
class RunVerdict:
    """A verdict on a whole run from outside (evaluation report, CI): evidence `verified`."""

    passed: bool | None
    """None: an evaluation that says neither."""
    source: str
    failing_tests: list[str] = field(default_factory=list)
    output: str = ""
    """The evaluation's log, out of which errors are cut."""
    at: datetime | None = None


@dataclass(slots=True)
class Trajectory:
    """One run. `steps` is read once, in order, and may be far larger than memory."""

    format: str
    """Importer name, such as `claude-code`."""
    session_id: str
    run_key: str
    """What identifies this run inside its format (session id, or problem and run name); goes into ids."""
    steps: Iterator[Step]
    agent_name: str
    agent_type: str | None = None
    agent_version: str | None = None
    model: str | None = None
    provider: str | None = None
    started_at: datetime | None = None
    cwd: str | None = None
    repository: str | None = None
    branch: str | None = None
    commit: str | None = None
    request: str | None = None
    """The task's text where the format has it outside the steps."""
    problem_id: str | None = None
    """A benchmark's problem: one task however many runs work on it."""
    parent_session_id: str | None = None
    parent_call_id: str | None = None
    """A sub-agent's: the run that started it, and what that knows it by: the tool call, or the sub-agent's own session."""
    parent_file: Path | None = None
    """The transcript of the run that started it, where it was found."""
    parent_correlation_id: str | None = None
    """The task that started this sub-agent, where the importer can tell; the segmenter derives the rest."""
    retry: bool = False
    """It is a retry of the run before it in the file."""
    parent_attempt_id: UUID | None = None
    """The last attempt of the run that it retries, which its own first one names as parent."""
    verdict: RunVerdict | None = None
    """May be set until `steps` is exhausted."""
    peer_id: str | None = None
    file: str | None = None
    file_sha256: str | None = None
    """Hex digest of the file's content, where whoever imports it knows it."""
    file_time: datetime | None = None
    """Modification time of the file: the last resort for missing times."""
