"""One attempt while it is read: what the segmenter gathers, and the execution event that it becomes.

Belongs here: the fields of an event and how status and evidence follow from what happened. Where an attempt begins and ends is the
segmenter's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import repeat
from operator import attrgetter
from uuid import UUID

from debug_loop_pipeline.compute.commands.verdicts import Judged
from debug_loop_pipeline.models.base import EvidenceTier, Origin, Status, Verdict
from debug_loop_pipeline.models.execution import (
    CheckRun,
    CodeBlob,
    Command,
    Edit,
    ExecutionContext,
    ExecutionError,
    ExecutionEvent,
    ExecutionSource,
    UsageRecord,
    Verification,
)
from debug_loop_pipeline.models.trajectory import FileEdit, Trajectory, Usage
from debug_loop_pipeline.models.unchecked import unchecked

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_FRAGMENTS = 200
_MAX_BLOBS = 400


@dataclass(slots=True)
class TaskState:
    """What the attempts of one task in one run share."""

    correlation_id: UUID
    request: str
    parent_correlation_id: UUID | None = None
    last_attempt_id: UUID | None = None


@dataclass(slots=True)
class Session:
    """The session that had an attempt first: the run's own, or the one that the run copied it from."""

    session_id: str
    run_key: str
    started_at: datetime | None


@dataclass(slots=True)
class Where:
    """Place and versions of the work, as of a step."""

    cwd: str | None = None
    branch: str | None = None
    pull_request: str | None = None


@dataclass(slots=True)
class Attempt:
    """A stretch of a run: open while it is read, sealed by a verifying command, finished as an event."""

    task: TaskState
    session: Session
    first_ref: str
    started_at: datetime | None
    ended_at: datetime | None
    where: Where
    first_step: int
    first_call: str | None = None
    parent_id: UUID | None = None
    id: UUID | None = None
    """Known once it has a call, or is finished."""
    tools: list[str] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    verifications: list[Verification] = field(default_factory=list)
    errors: list[ExecutionError] = field(default_factory=list)
    errors_not_kept: int = 0
    code: dict[str, str] = field(default_factory=dict)
    fragments: dict[str, list[str]] = field(default_factory=dict)
    files: dict[str, None] = field(default_factory=dict)
    usage: dict[tuple[str, str], Usage] = field(default_factory=dict)
    approach: str | None = None
    model: str | None = None
    unanswered: int = 0
    sealed: bool = False
    stopped: bool = False
    """The user denied or interrupted the last thing it did."""
    timed_out: bool = False
    infrastructure: bool = False
    """Its last error was the service's or the agent program's."""
    clean_end: bool = True
    """The last call that was answered did not fail."""

    @property
    def did_something(self) -> bool:
        """Whether it holds a tool call, not only words."""
        return self.first_call is not None

    def add_usage(self, usage: Usage) -> None:
        """Keeps the copy with the largest total of each response."""
        key = (usage.message_id, usage.request_id)
        known = self.usage.get(key)
        if known is None or usage.total > known.total:
            self.usage[key] = usage

    def write(self, edit: FileEdit, content: str | None) -> None:
        """A file as it stands now: the last version wins; pieces only where no whole version is known."""
        self.files[edit.path] = None
        if content is not None:
            if edit.path in self.code or len(self.code) < _MAX_BLOBS:
                self.code[edit.path] = content
        elif edit.after and edit.path not in self.code:
            pieces = self.fragments.setdefault(edit.path, [])
            if len(pieces) < _MAX_FRAGMENTS:
                pieces.append(edit.after)
        elif edit.after is None:
            self.code.pop(edit.path, None)
            self.fragments.pop(edit.path, None)
        elif edit.path in self.code:
            self._patch(edit)

    def _patch(self, edit: FileEdit) -> None:
        """An edit whose whole file is not told, on a version that is known."""
        known = self.code[edit.path]
        if edit.before and known.count(edit.before) == 1:
            self.code[edit.path] = known.replace(edit.before, edit.after or "")
        else:
            del self.code[edit.path]
            self.fragments[edit.path] = [edit.after or ""]

    def fold(self, words: Attempt) -> None:
        """Takes in closing words (an attempt without a call): their tokens are this attempt's."""
        for usage in words.usage.values():
            self.add_usage(usage)
        self.errors += words.errors
        self.model = self.model or words.model


def utc(moment: datetime | None) -> datetime | None:
    """An aware UTC time; a naive one is taken as UTC."""
    if moment is None:
        return None
    if moment.tzinfo is UTC:
        return moment
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def verification_of(judged: Judged, command: str, step: int, call_id: str, at: datetime | None) -> Verification:
    """The event's form of one goal's verdict."""
    goal = judged.goal
    return unchecked(
        Verification,
        command=command,
        goal=goal.text,
        goal_tool=goal.tool,
        goal_target=goal.target,
        goal_filters=goal.filters,
        goal_cwd=goal.cwd,
        goal_runners=judged.runners,
        checks=tuple(
            unchecked(
                CheckRun,
                tool=run.goal.tool,
                target=run.goal.target,
                filters=run.goal.filters,
                cwd=run.goal.cwd,
                part=run.part,
                failed=run.failed,
            )
            for run in judged.checks
        ),
        exit_code=judged.exit_code,
        passed=judged.passed,
        failed=judged.failed,
        verdict=judged.verdict,
        reached=judged.reached,
        cut=judged.cut,
        packages_ran=judged.packages.ran,
        packages_broken=judged.packages.broken,
        packages_failed=judged.packages.failed,
        outside=False,
        step=step,
        tool_call_id=call_id or None,
        at=at,
    )


def status_of(attempt: Attempt) -> tuple[Status, EvidenceTier]:
    """How an attempt ended and how well that is known (DOMAIN 1, LOG_FORMATS 1)."""
    verdicts = [v.verdict for v in attempt.verifications]
    outside = [v for v in attempt.verifications if v.outside and v.verdict in (Verdict.PASS, Verdict.FAIL)]
    if outside:
        passed = outside[-1].verdict is Verdict.PASS
        return (Status.SUCCESS if passed else Status.ERROR), EvidenceTier.VERIFIED
    if Verdict.FAIL in verdicts:
        return (Status.TIMEOUT if attempt.timed_out else Status.ERROR), EvidenceTier.MEASURED
    if Verdict.PASS in verdicts:
        return Status.SUCCESS, EvidenceTier.MEASURED
    if attempt.stopped or Verdict.CANCELLED in verdicts:
        return Status.CANCELLED, EvidenceTier.UNMEASURED
    if attempt.infrastructure:
        return Status.ERROR, EvidenceTier.OBSERVED
    seen = attempt.did_something and attempt.clean_end
    return Status.PARTIAL, EvidenceTier.OBSERVED if seen else EvidenceTier.UNMEASURED


def event_of(attempt: Attempt, attempt_id: UUID, run: Trajectory) -> ExecutionEvent:
    """The execution event of a finished attempt."""
    status, tier = status_of(attempt)
    session = attempt.session
    started = attempt.started_at or session.started_at or utc(run.file_time)
    estimated = attempt.started_at is None
    started = started or _EPOCH
    ended = max(started, attempt.ended_at or started)
    usage = tuple(attempt.usage.values())
    contents = dict(attempt.code)
    for path, pieces in attempt.fragments.items():
        contents.setdefault(path, "\n\n".join(pieces))
    return unchecked(
        ExecutionEvent,
        attempt_id=attempt_id,
        correlation_id=attempt.task.correlation_id,
        agent_name=(run.agent_name or run.format)[:200],
        user_request=attempt.task.request,
        status=status,
        started_at=started,
        execution_id=session.run_key[:400],
        run_started_at=session.started_at,
        parent_attempt_id=attempt.parent_id,
        parent_correlation_id=attempt.task.parent_correlation_id,
        peer_id=run.peer_id,
        agent_type=run.agent_type,
        session_id=session.session_id[:400],
        completed_at=ended,
        duration_ms=None if estimated else int((ended - started).total_seconds() * 1000),
        evidence_tier=tier,
        verifications=tuple(attempt.verifications),
        tools_used=tuple(attempt.tools),
        files_modified=tuple(attempt.files),
        edits=tuple(attempt.edits),
        commands=tuple(attempt.commands),
        code_written=tuple(
            unchecked(CodeBlob, path=path, language=language_name(path), content=text)
            for path, text in contents.items()
            if text
        ),
        approach_description=attempt.approach,
        model_used=attempt.model or run.model,
        provider=next((u.provider for u in usage if u.provider), None) or run.provider,
        **_summed(usage),
        usage_estimated=any(u.estimated for u in usage),
        usage=tuple(_usage_record(u) for u in usage),
        errors=tuple(attempt.errors),
        errors_not_kept=attempt.errors_not_kept,
        context=unchecked(
            ExecutionContext,
            repository=run.repository,
            branch=attempt.where.branch or run.branch,
            commit=run.commit,
            pull_request=attempt.where.pull_request,
            cwd=attempt.where.cwd or run.cwd,
        ),
        source=unchecked(
            ExecutionSource,
            importer=run.format,
            file=run.file,
            sha256=run.file_sha256,
            step=attempt.first_step,
            time_estimated=estimated,
            skipped={},
        ),
    )


_BUCKETS = (
    "tokens_input",
    "tokens_cache_read",
    "tokens_cache_write_5m",
    "tokens_cache_write_1h",
    "tokens_output",
    "tokens_reasoning",
)
_buckets = attrgetter(*_BUCKETS)


def _summed(usage: tuple[Usage, ...]) -> dict[str, int]:
    """The tokens of an attempt, bucket by bucket."""
    totals = map(sum, zip(*map(_buckets, usage), strict=True)) if usage else repeat(0)
    return dict(zip(_BUCKETS, totals, strict=False))


def _usage_record(usage: Usage) -> UsageRecord:
    return unchecked(
        UsageRecord,
        message_id=usage.message_id,
        request_id=usage.request_id,
        model=usage.model,
        provider=usage.provider,
        at=utc(usage.at),
        tokens_input=usage.tokens_input,
        tokens_cache_read=usage.tokens_cache_read,
        tokens_cache_write_5m=usage.tokens_cache_write_5m,
        tokens_cache_write_1h=usage.tokens_cache_write_1h,
        tokens_output=usage.tokens_output,
        tokens_reasoning=usage.tokens_reasoning,
        estimated=usage.estimated,
    )


def infrastructure_origin(kind: str | None, message: str) -> Origin:
    """Whose fault a failure of the service is, told from its kind and text."""
    text = f"{kind or ''} {message}".lower()
    for words, origin in _ORIGINS:
        if any(word in text for word in words):
            return origin
    return Origin.INTERNAL


_ORIGINS: tuple[tuple[tuple[str, ...], Origin], ...] = (
    (("rate_limit", "rate limit", "too many requests", "429"), Origin.RATE_LIMIT),
    (("quota", "credit balance", "usage limit", "billing", "payment", "exhausted"), Origin.QUOTA),
    (("auth", "api key", "apikey", "unauthorized", "forbidden", "login", "oauth", "401", "403"), Origin.AUTH),
    (
        (
            "overloaded",
            "timeout",
            "timed out",
            "connection",
            "network",
            "unavailable",
            "econn",
            "socket",
            "529",
            "502",
            "503",
            "504",
            "stream",
        ),
        Origin.TRANSIENT,
    ),
    (
        (
            "invalid_request",
            "model not found",
            "not_found",
            "context length",
            "prompt is too long",
            "too large",
            "config",
        ),
        Origin.CONFIG,
    ),
)

_LANGUAGES = {
    "py": "python", "pyi": "python", "js": "javascript", "mjs": "javascript", "cjs": "javascript", "jsx": "javascript", "ts": "typescript",
    "mts": "typescript", "cts": "typescript", "tsx": "typescript", "go": "go", "rs": "rust", "java": "java", "kt": "kotlin", "kts": "kotlin",
    "scala": "scala", "rb": "ruby", "php": "php", "c": "c", "h": "c", "cc": "cpp", "cpp": "cpp", "cxx": "cpp", "hpp": "cpp", "cs": "csharp",
    "fs": "fsharp", "swift": "swift", "m": "objective-c", "ex": "elixir", "exs": "elixir", "erl": "erlang", "hs": "haskell", "ml": "ocaml",
    "lua": "lua", "pl": "perl", "r": "r", "jl": "julia", "dart": "dart", "zig": "zig", "nim": "nim", "clj": "clojure", "sh": "shell",
    "bash": "shell", "zsh": "shell", "sql": "sql", "html": "html", "css": "css", "scss": "scss", "vue": "vue", "svelte": "svelte",
    "json": "json", "yaml": "yaml", "yml": "yaml", "toml": "toml", "xml": "xml", "md": "markdown", "rst": "restructuredtext",
    "tf": "terraform", "proto": "protobuf", "ipynb": "jupyter", "txt": "text",
}  # fmt: skip


def language_name(path: str) -> str:
    """The language of a file by its extension, "text" where it is not known."""
    name = path.rsplit("/", 1)[-1]
    if name in ("Dockerfile", "Makefile"):
        return name.lower()
    return _LANGUAGES.get(name.rsplit(".", 1)[-1].lower(), "text") if "." in name else "text"
