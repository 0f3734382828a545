"""What the agent did, as execution events (DOMAIN 3.1): one per attempt, in the form in which transcripts arrive.

Goals, verdicts and errors are made by the functions that read real transcripts, so that both sides have the same signatures.
Measured: tests, outputs, edits. Made up from a seed, and marked so: when it happened, what it cost (from the length of the texts).
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from debug_loop_pipeline.compute.commands.command_meaning import meaning_of
from debug_loop_pipeline.compute.commands.error_cutting import CutError
from debug_loop_pipeline.compute.commands.shell_status import commands_of
from debug_loop_pipeline.compute.commands.task_files import TaskFiles
from debug_loop_pipeline.compute.commands.verdicts import Judged, Output, judge
from debug_loop_pipeline.compute.error_pattern_extractor import extract_error_pattern
from debug_loop_pipeline.models.errors import ErrorPattern
from debug_loop_pipeline.models.execution import ExecutionEvent
from debug_loop_pipeline.models.identity import attempt_id, correlation_id
from examples.bug_hunt.candidates import Candidate
from examples.bug_hunt.corpus import Program
from examples.bug_hunt.runner import RunResult, command_line
from examples.bug_hunt.source import Hunk

FORMAT = "bug-hunt"
AGENT = "bug-hunter"
CHARACTERS_PER_TOKEN = 4
_CHEAP, _EXPENSIVE = ("claude-haiku-4-5", "anthropic"), ("claude-sonnet-4-5", "anthropic")
_PEERS = tuple(f"hunter-{number:02}" for number in range(1, 13))


def judged(test: str, result: RunResult) -> Judged:
    """The verdict of a test run with its counts and the errors it showed."""
    command = command_line(test)
    ran = commands_of(command, exit_code=result.exit_code, output=result.output)
    goals = [(one, goal) for one in ran if (goal := meaning_of(one, TaskFiles()).goal) is not None]
    output = Output(result.output, exit_code=result.exit_code, timed_out=result.exit_code is None)
    return judge(goals, output)[0]


def pattern_of_cut(error: CutError) -> ErrorPattern:
    """The pattern of an error as it stands in an event."""
    return extract_error_pattern(
        error.message,
        error_type=error.type,
        stacktrace=error.stacktrace,
        tool=error.tool,
        test=error.test,
        path=error.path,
    )


@dataclass
class TaskLog:
    """Makes the events of one task.

    Args:
        program: what is repaired.
        seed: draws the model, the account and the times.
        now: the end of the time in which tasks lie.
        days: how long that time is; 0 for a task that runs now, by the clock.
    """

    program: Program
    seed: int
    now: datetime
    days: int
    attempts: int = 0
    step: int = 0
    last: UUID | None = None
    recommendation_id: str | None = None

    def __post_init__(self) -> None:
        self._draw = random.Random(f"{self.seed}/{self.program.id}/log")
        self.correlation = correlation_id(FORMAT, f"{self.seed}/{self.program.id}")
        self.session = f"{FORMAT}-{self.seed}-{self.program.id}"
        self.model, self.provider = _CHEAP if self._draw.random() < 0.7 else _EXPENSIVE
        self.peer = self._draw.choice(_PEERS)
        self.started = self.at = self.now - timedelta(seconds=int(self._draw.random() * self.days * 86_400))
        source = "\0".join(f"{name}\0{text}" for name, text in sorted(self.program.files.items()))
        self.commit = hashlib.sha1(source.encode()).hexdigest()
        self._read = len(source)
        self._standing: tuple[Hunk, ...] = ()
        self._touched: tuple[str, ...] = ()

    def event(self, result: RunResult, verdict: Judged, candidate: Candidate | None = None) -> dict[str, Any]:
        """The event of one attempt: the change, the run of the tests and what came of it.

        Args:
            result: what the tests said.
            verdict: the same, judged.
            candidate: what was changed; None where the tests were run on the program as it was.
        """
        said = _words(candidate, bool(self._standing)) if candidate is not None else None
        edits = self._edits(candidate, said) if candidate is not None and said is not None else []
        written_files = self._written(candidate)
        self.step += 1
        call = self._call("tests")
        written = sum(len(edit["before"]) + len(edit["after"]) for edit in edits) + len(said or "")
        self._read += written + len(result.output)
        started, seconds = self.at, 6 + written // 12 + self._draw.randrange(20)
        self.at = started + timedelta(seconds=seconds) if self.days else max(started, datetime.now(UTC))
        verification = {
            "command": command_line(self.program.test),
            "goal": verdict.goal.text,
            "goal_tool": verdict.goal.tool,
            "goal_target": verdict.goal.target,
            "goal_filters": verdict.goal.filters,
            "goal_cwd": verdict.goal.cwd,
            "exit_code": result.exit_code,
            "passed": verdict.passed,
            "failed": verdict.failed,
            "verdict": verdict.verdict.value,
            "reached": verdict.reached,
            "step": self.step,
            "tool_call_id": call,
            "at": self.at,
        }
        status = "success" if result.passed else "timeout" if result.exit_code is None else "error"
        data = {
            "attempt_id": attempt_id(FORMAT, f"{self.session}/{self.attempts}"),
            "correlation_id": self.correlation,
            "agent_name": AGENT,
            "agent_type": "scripted",
            "peer_id": self.peer,
            "user_request": self.program.request,
            "status": status,
            "started_at": started,
            "completed_at": self.at,
            "duration_ms": round((self.at - started).total_seconds() * 1000),
            "execution_id": self.session,
            "run_started_at": self.started,
            "parent_attempt_id": self.last,
            "session_id": self.session,
            "evidence_tier": "measured",
            "verifications": [verification],
            "tools_used": [
                *(["Edit"] * len(edits) if candidate is not None else ["Read"] * len(self.program.files)),
                "Bash",
            ],
            "files_modified": sorted(written_files),
            "edits": edits,
            "code_written": [
                {"path": path, "language": "python", "content": text} for path, text in sorted(written_files.items())
            ],
            "approach_description": said,
            "recommendation_id": self.recommendation_id,
            "model_used": self.model,
            "provider": self.provider,
            "tokens_input": self._read // CHARACTERS_PER_TOKEN,
            "tokens_output": max(1, (written + len(command_line(self.program.test))) // CHARACTERS_PER_TOKEN),
            "usage_estimated": True,
            "errors": [self._error(error, result, call) for error in verdict.errors],
            "errors_not_kept": verdict.errors_not_kept,
            "context": {
                "repository": f"bug-hunt/{self.program.id}",
                "branch": "main",
                "commit": self.commit,
                "cwd": ".",
            },
            "source": {"importer": "logger", "time_estimated": self.days > 0},
        }
        event = ExecutionEvent.model_validate(data)
        self.attempts += 1
        self.last = event.attempt_id
        return event.model_dump(mode="json", exclude_defaults=True)

    def _edits(self, candidate: Candidate, said: str) -> list[dict[str, Any]]:
        """Takes the last try back, from its last hunk to its first, then makes the new one."""
        back = [replace(hunk, before=hunk.after, after=hunk.before) for hunk in reversed(self._standing)]
        self._standing = candidate.hunks
        edits: list[dict[str, Any]] = []
        for number, hunk in enumerate([*back, *candidate.hunks]):
            self.step += 1
            edits.append(
                {
                    "path": hunk.path,
                    "language": "python",
                    "before": hunk.before,
                    "after": hunk.after,
                    "said": said,
                    "step": self.step,
                    "tool_call_id": self._call(f"edit{number}"),
                }
            )
        return edits

    def _written(self, candidate: Candidate | None) -> dict[str, str]:
        """Files that this attempt wrote, as it left them."""
        if candidate is None:
            return {}
        found = {path: self.program.modules[path] for path in self._touched} | candidate.changed
        self._touched = tuple(candidate.changed)
        return found

    def _error(self, error: CutError, result: RunResult, call: str) -> dict[str, Any]:
        return {
            "type": error.type,
            "message": error.message,
            "stacktrace": error.stacktrace,
            "tool": error.tool,
            "test": error.test,
            "path": error.path,
            "line": error.line,
            "exit_code": result.exit_code,
            "step": self.step,
            "verification": 0,
            "tool_call_id": call,
        }

    def _call(self, what: str) -> str:
        digest = hashlib.sha256(f"{self.session}/{self.attempts}/{what}".encode()).hexdigest()
        return f"call_{digest[:20]}"


def _words(candidate: Candidate, again: bool) -> str:
    """What the agent says before a change: where it is, not what it is meant to cure."""
    places: dict[str, list[int]] = {}
    for hunk in candidate.hunks:
        places.setdefault(hunk.path, []).append(hunk.line)
    told = "; ".join(f"I change {path} at {_lines(lines)} and run the tests" for path, lines in places.items())
    return f"That was not it, so I take it back. {told}" if again else told


def _lines(lines: Sequence[int]) -> str:
    return ("line " if len(lines) == 1 else "lines ") + " and ".join(map(str, lines))
