"""The execution event: one finished attempt (DOMAIN 3.1). The input contract of the whole pipeline."""

from __future__ import annotations

from typing import Any, Literal, Self
from uuid import UUID

from pydantic import Field, field_validator, model_validator

from debug_loop_pipeline.models.base import EvidenceTier, FrozenModel, Origin, Status, UtcDatetime, Verdict


class CheckRun(FrozenModel):
    """One name of a check that a script is seen to have run: `npm run test` ran `vitest`. Names with one `part` are one check."""

    tool: str
    target: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    cwd: str = ""
    part: int = Field(default=0, ge=0)
    failed: bool = False
    """It is why the script failed."""


class Verification(FrozenModel):
    """One verdict on one goal. A compound command has several."""

    command: str
    goal: str
    """Canonical text of what is checked; `goal_tool`, `goal_target`, `goal_filters`, `goal_cwd` are its parts."""
    goal_tool: str = ""
    goal_target: tuple[str, ...] = ()
    goal_filters: tuple[str, ...] = ()
    goal_cwd: str = ""
    goal_runners: tuple[str, ...] = ()
    """Test runners whose summaries a script (`npm run test`) printed."""
    checks: tuple[CheckRun, ...] = ()
    """What the output says that a script ran, as far as it got to a result: the same check by other names."""
    exit_code: int | None = None
    passed: int | None = Field(default=None, ge=0)
    failed: int | None = Field(default=None, ge=0)
    verdict: Verdict
    reached: bool = True
    """False where the check did not get as far as its own result (the build failed before the tests ran, output cut)."""
    cut: bool = False
    """There may be errors that its output does not show (`head`, `tail`, more than are kept)."""
    packages_ran: tuple[str, ...] = ()
    """Of a failed check: Go packages whose tests are seen to have run, so that they were built, whatever the output hides."""
    packages_broken: tuple[str, ...] = ()
    """Of a failed check: Go packages that could not be built."""
    packages_failed: tuple[str, ...] = ()
    """Of a failed check: those of `packages_ran` that have a failing test."""
    outside: bool = False
    """A verdict on the run from outside (CI, evaluation): covers everything, evidence `verified`."""
    step: int = Field(ge=0)
    """Order inside the run."""
    tool_call_id: str | None = None
    at: UtcDatetime | None = None


class Edit(FrozenModel):
    """One hunk of an edit that was carried out."""

    path: str
    language: str | None = None
    before: str | None = None
    after: str | None = None
    said: str | None = None
    """The agent's own words before it, at most 200 characters."""
    step: int = Field(default=0, ge=0)
    tool_call_id: str | None = None


class Command(FrozenModel):
    """One shell command that was run."""

    command: str
    exit_code: int | None = None
    mutating: bool = False
    """Changes the work tree or environment (install, migrate, generate, fix): may be a resolution."""
    said: str | None = None
    step: int = Field(default=0, ge=0)
    tool_call_id: str | None = None
    files_modified: tuple[str, ...] = ()
    """Files a mutating command names itself."""


class CodeBlob(FrozenModel):
    """A file as it stood after the attempt wrote it."""

    path: str = ""
    language: str = "python"
    content: str


class ExecutionError(FrozenModel):
    """One error as the source showed it."""

    type: str | None = None
    message: str
    stacktrace: str | None = None
    tool: str | None = None
    """Runner, compiler or linter that said it."""
    test: str | None = None
    package: str | None = None
    """Import path of the Go package that the test is in, where the output tells."""
    path: str | None = None
    line: int | None = None
    exit_code: int | None = None
    origin: Origin | None = None
    """None: to be told from the text."""
    step: int = Field(default=0, ge=0)
    verification: int | None = Field(default=None, ge=0)
    """Index into `verifications` of the one that showed it; None for an error inside the attempt."""
    tool_call_id: str | None = None


class UsageRecord(FrozenModel):
    """Tokens of one API response; counted once per (message_id, request_id) over all files."""

    message_id: str
    request_id: str = ""
    model: str | None = None
    provider: str | None = None
    at: UtcDatetime | None = None
    tokens_input: int = Field(default=0, ge=0)
    tokens_cache_read: int = Field(default=0, ge=0)
    tokens_cache_write_5m: int = Field(default=0, ge=0)
    tokens_cache_write_1h: int = Field(default=0, ge=0)
    tokens_output: int = Field(default=0, ge=0)
    tokens_reasoning: int = Field(default=0, ge=0)
    estimated: bool = False


class ExecutionContext(FrozenModel):
    """Where the work was done."""

    repository: str | None = None
    branch: str | None = None
    commit: str | None = None
    pull_request: str | None = None
    cwd: str | None = None


class ExecutionSource(FrozenModel):
    """Where the event was read. `file` and `sha256` are no part of its content digest: a moved file is the same work."""

    importer: str = "logger"
    file: str | None = None
    sha256: str | None = None
    step: int | None = None
    time_estimated: bool = False
    skipped: dict[str, int] = Field(default_factory=dict)


class ExecutionEvent(FrozenModel):
    """One finished attempt."""

    attempt_id: UUID
    correlation_id: UUID
    agent_name: str = Field(min_length=1, max_length=200)
    user_request: str
    status: Status
    started_at: UtcDatetime
    execution_id: str | None = Field(default=None, max_length=400)
    run_started_at: UtcDatetime | None = None
    parent_attempt_id: UUID | None = None
    parent_correlation_id: UUID | None = None
    peer_id: str | None = Field(default=None, max_length=200)
    agent_type: str | None = Field(default=None, max_length=200)
    session_id: str | None = Field(default=None, max_length=400)
    completed_at: UtcDatetime | None = None
    duration_ms: int | None = Field(default=None, ge=0)
    evidence_tier: EvidenceTier | None = None
    verifications: tuple[Verification, ...] = ()
    tools_used: tuple[str, ...] = ()
    """Name of each tool call of the attempt, in order, repeats included."""
    files_modified: tuple[str, ...] = ()
    edits: tuple[Edit, ...] = ()
    commands: tuple[Command, ...] = ()
    code_written: tuple[CodeBlob, ...] = ()
    approach_description: str | None = None
    stf_ids: tuple[str, ...] = ()
    golden_state_ids: tuple[str, ...] = ()
    hold_ids: tuple[str, ...] = ()
    recommendation_id: str | None = None
    model_used: str | None = None
    provider: str | None = None
    tokens_input: int = Field(default=0, ge=0)
    tokens_cache_read: int = Field(default=0, ge=0)
    tokens_cache_write_5m: int = Field(default=0, ge=0)
    tokens_cache_write_1h: int = Field(default=0, ge=0)
    tokens_output: int = Field(default=0, ge=0)
    tokens_reasoning: int = Field(default=0, ge=0)
    usage_estimated: bool = False
    usage: tuple[UsageRecord, ...] = ()
    """Per API response, where the source has it; the buckets above are then their sum."""
    errors: tuple[ExecutionError, ...] = ()
    errors_not_kept: int = Field(default=0, ge=0)
    """Distinct errors over the limit of 20 a verification."""
    quality_score: float | None = Field(default=None, ge=0.0, le=1.0)
    context: ExecutionContext = ExecutionContext()
    source: ExecutionSource = ExecutionSource()
    metadata: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _single_error_fields(cls, data: Any) -> Any:
        """`error_type`, `error_message`, `error_stacktrace`, `error_context` tell one error in place of `errors`."""
        if not isinstance(data, dict) or not any(k in data for k in _SINGLE_ERROR):
            return data
        rest = {k: v for k, v in data.items() if k not in _SINGLE_ERROR}
        message = data.get("error_message") or data.get("error_type")
        if message:
            error: dict[str, Any] = {"type": data.get("error_type"), "message": message}
            error["stacktrace"] = data.get("error_stacktrace")
            context = data.get("error_context")
            if isinstance(context, dict):
                error |= {k: context[k] for k in ("tool", "test", "path", "line", "exit_code") if k in context}
            told = rest.get("errors")
            if told is None or isinstance(told, list | tuple):  # else it is told that it is no list
                rest["errors"] = [*(told or ()), error]
        return rest

    @field_validator("code_written", mode="before")
    @classmethod
    def _one_python_blob(cls, value: Any) -> Any:
        """A plain string is one Python blob."""
        return ({"content": value},) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.completed_at is not None and self.completed_at < self.started_at:
            raise ValueError(f"completed_at {self.completed_at} lies before started_at {self.started_at}")
        for error in self.errors:
            if error.verification is not None and error.verification >= len(self.verifications):
                raise ValueError(f"errors.verification {error.verification} points at no verification")
        return self


_SINGLE_ERROR: tuple[Literal["error_type", "error_message", "error_stacktrace", "error_context"], ...] = (
    "error_type",
    "error_message",
    "error_stacktrace",
    "error_context",
)
