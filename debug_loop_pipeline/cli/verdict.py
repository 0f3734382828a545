"""`debug-loop verdict`: what CI, a review or a benchmark said about a commit, a pull request or a task."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from debug_loop_pipeline.cli.output import JsonOption, print_json
from debug_loop_pipeline.cli.store import open_store, who
from debug_loop_pipeline.compute.junit_report import JunitError, JunitReport, read_junit
from debug_loop_pipeline.effects.verdict_store import VerdictStore
from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.models.verdict import COMMIT_PREFIX, Verdict, VerdictKind
from debug_loop_pipeline.settings import get_settings
from debug_loop_pipeline.steps.run_all import run_dirty_days
from debug_loop_pipeline.steps.verdicts import record_verdict

app = typer.Typer(add_completion=False)


@app.command()
def verdict(
    commit: Annotated[str | None, typer.Option(help="Commit id, at least 7 digits.")] = None,
    pr: Annotated[int | None, typer.Option("--pr", min=1, help="Number of a pull request.")] = None,
    correlation: Annotated[UUID | None, typer.Option(help="Correlation id of a task.")] = None,
    repository: Annotated[str | None, typer.Option(help="owner/name, where several share a number.")] = None,
    passed: Annotated[bool | None, typer.Option("--passed/--failed", help="By default what --junit says.")] = None,
    junit: Annotated[list[Path] | None, typer.Option(help="JUnit XML; its failing tests become errors.")] = None,
    name: Annotated[str, typer.Option(help="Which check; a later verdict of the same check replaces it.")] = "ci",
    leave_to_sensor: Annotated[
        bool, typer.Option("--leave-to-sensor", help="Only record; the sensor of `debug-loop dev` computes.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Raise the evidence of attempts to `verified` by a verdict from outside; fixes follow from it."""
    kind, subject = _subject(commit, pr, correlation)
    reports = [_read(path) for path in junit or ()]
    failures = [failure for report in reports for failure in report.failures]
    if passed is None:
        if not reports:
            raise DebugLoopError("say --passed or --failed, or give a report with --junit")
        passed = not failures
    if passed and failures:
        raise DebugLoopError(
            f"--passed, but {len(failures)} tests failed in the report, the first is {failures[0].test}"
        )
    limit = get_settings().text.errors_per_verification
    with open_store() as store:
        if kind is VerdictKind.PULL_REQUEST and repository is None:
            found = VerdictStore(store.database).repositories_of_pull_request(subject)
            if len(found) > 1:
                raise DebugLoopError(f"pull request {subject} is in {', '.join(found)}: name one with --repository")
        told = Verdict(
            kind=kind,
            subject=subject,
            repository=repository,
            name=name,
            passed=passed,
            tests=sum(report.tests for report in reports) if reports else None,
            failures=tuple(failures[:limit]),
            failures_not_kept=max(0, len(failures) - limit),
            decided_at=datetime.now(UTC),
            recorded_by=who(),
        )
        applied = record_verdict(store, told)
        reports_of_steps = [] if leave_to_sensor else run_dirty_days(store)
    if json:
        print_json(
            {
                "verdict_id": told.verdict_id,
                "passed": passed,
                "failing_tests": len(failures),
                "attempts": applied.attempts,
                "changed_attempts": applied.changed_attempts,
                "computed": bool(reports_of_steps),
            }
        )
    elif applied.attempts:
        typer.echo(f"{applied.attempts} attempts are verified, {applied.changed_attempts} of them changed")
    else:
        typer.echo("kept; no attempt that it speaks of is known yet, it applies when one comes")


def _subject(commit: str | None, pr: int | None, correlation: UUID | None) -> tuple[VerdictKind, str]:
    if sum(given is not None for given in (commit, pr, correlation)) != 1:
        raise DebugLoopError("name one of --commit, --pr and --correlation")
    if commit is not None:
        if not re.fullmatch(rf"[0-9a-fA-F]{{{COMMIT_PREFIX},64}}", commit):
            raise DebugLoopError(f"{commit!r} is no commit id of at least {COMMIT_PREFIX} hex digits")
        return VerdictKind.COMMIT, commit.lower()
    if pr is not None:
        return VerdictKind.PULL_REQUEST, str(pr)
    return VerdictKind.CORRELATION, str(correlation)


def _read(path: Path) -> JunitReport:
    try:
        return read_junit(path.read_bytes())
    except OSError as error:
        raise DebugLoopError(f"{path} cannot be read: {error.strerror}") from error
    except JunitError as error:
        raise DebugLoopError(f"{path} is no JUnit report: {error}") from error
