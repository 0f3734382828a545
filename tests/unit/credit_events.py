"""Hand-made execution events for the tests of credit: one attempt per call of `run`, steps counted through."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from debug_loop_pipeline.compute.fixes.credit import credit_task
from debug_loop_pipeline.compute.fixes.lessons import TaskCredit
from debug_loop_pipeline.compute.fixes.task_attempts import task_attempts
from debug_loop_pipeline.models.base import EvidenceTier, Status, Verdict
from debug_loop_pipeline.models.execution import CheckRun, Command, Edit, ExecutionError, ExecutionEvent, Verification

START = datetime(2026, 1, 1, tzinfo=UTC)


class Task:
    """Builds the attempts of one task."""

    def __init__(self, number: int = 1, run: str = "run", run_hour: int = 0) -> None:
        self.task = UUID(int=number)
        self.run_id = run
        self.run_start = START + timedelta(hours=run_hour)
        self.events: list[ExecutionEvent] = []
        self.step = 0
        self._edits: list[Edit] = []
        self._commands: list[Command] = []

    def edit(self, path: str = "app.py", before: str = "a = 1", after: str = "a = 2", call: str | None = None) -> Task:
        self.step += 1
        name = call or f"edit{self.step}"
        self._edits.append(Edit(path=path, before=before, after=after, step=self.step, tool_call_id=name, said="so"))
        return self

    def command(self, command: str, call: str | None = None) -> Task:
        self.step += 1
        name = call or f"cmd{self.step}"
        self._commands.append(Command(command=command, mutating=True, step=self.step, tool_call_id=name))
        return self

    def verify(
        self,
        call: str,
        *errors: str | ExecutionError,
        tool: str = "pytest",
        target: tuple[str, ...] = (),
        verdict: Verdict | None = None,
        reached: bool = True,
        outside: bool = False,
        tier: EvidenceTier | None = None,
        not_kept: int = 0,
        runs: tuple[str, ...] = (),
        ran: tuple[str, ...] = (),
        broken: tuple[str, ...] = (),
        command: str | None = None,
        counts: tuple[int | None, int | None] = (None, None),
        failing: tuple[str, ...] = (),
    ) -> Task:
        self.step += 1
        shown = tuple(
            (error if isinstance(error, ExecutionError) else ExecutionError(message=error)).model_copy(
                update={"verification": 0, "step": self.step}
            )
            for error in errors
        )
        said = verdict or (Verdict.FAIL if errors else Verdict.PASS)
        at = self.run_start + timedelta(minutes=self.step)
        number = len(self.events) + 1000 * self.task.int + 100 * self.run_start.hour
        self.events.append(
            ExecutionEvent(
                attempt_id=UUID(int=number),
                correlation_id=self.task,
                agent_name="agent",
                user_request="mend it",
                status=Status.SUCCESS if said is Verdict.PASS else Status.ERROR,
                started_at=at - timedelta(seconds=30),
                completed_at=at,
                execution_id=self.run_id,
                run_started_at=self.run_start,
                session_id="session",
                evidence_tier=tier,
                edits=tuple(self._edits),
                commands=tuple(self._commands),
                errors=shown,
                errors_not_kept=not_kept,
                verifications=(
                    Verification(
                        command=command or tool,
                        passed=counts[0],
                        failed=counts[1],
                        goal=" ".join((tool, *target)),
                        goal_tool=tool,
                        goal_target=target,
                        checks=tuple(CheckRun(tool=name, part=part) for part, name in enumerate(runs)),
                        packages_ran=ran,
                        packages_broken=broken,
                        packages_failed=failing,
                        verdict=said,
                        reached=reached,
                        outside=outside,
                        step=self.step,
                        tool_call_id=call,
                    ),
                ),
            )
        )
        self._edits, self._commands = [], []
        return self

    def credit(self) -> TaskCredit:
        return credit_task(task_attempts(self.events)[self.task])


def fixes(credit: TaskCredit) -> list[tuple[str | None, str | None, str | None, tuple[str | None, ...]]]:
    """(failed, gone at, passed, changes) of each fix, by tool calls."""
    return [
        (
            fix.failed.ref.tool_call_id,
            fix.gone_at.ref.tool_call_id,
            fix.passed.ref.tool_call_id,
            tuple(part.tool_call_id for part in fix.changes),
        )
        for fix in credit.fixes
    ]


def tries(credit: TaskCredit) -> list[tuple[str | None, tuple[str | None, ...]]]:
    """(failed again, changes) of each failed try."""
    return [
        (tried.failed_again.ref.tool_call_id, tuple(part.tool_call_id for part in tried.changes))
        for tried in credit.failed_tries
    ]


def outcomes(credit: TaskCredit) -> list[tuple[str, str]]:
    """(outcome, template) of each mapping event."""
    templates = {resolution.resolution_id: resolution.template for resolution in credit.resolutions}
    return [(event.outcome.value, templates[event.resolution_id]) for event in credit.mapping_events]
