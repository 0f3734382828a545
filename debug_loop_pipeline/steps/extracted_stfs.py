"""Step `extracted_stfs`: reusable functions in the code of attempts that did not fail."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from debug_loop_pipeline.compute.code.source_tree import SourceError
from debug_loop_pipeline.compute.debug_stf_extractor import ExtractionOptions, extract_stfs
from debug_loop_pipeline.compute.event_errors import event_error_patterns
from debug_loop_pipeline.compute.outcome import outcome
from debug_loop_pipeline.compute.stf_hash import stf_hash
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.step_store import PendingAttempt, Table
from debug_loop_pipeline.models.base import Outcome
from debug_loop_pipeline.models.execution import ExecutionEvent
from debug_loop_pipeline.models.stf import StfCandidate
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps import versions
from debug_loop_pipeline.steps.framework import Derived, StepContext

STFS = Table(
    "attempt_stfs",
    (
        "attempt_id",
        "position",
        "day",
        "stf_hash",
        "language",
        "path",
        "name",
        "code",
        "start_line",
        "end_line",
        "is_primary",
        "confidence",
        "details",
    ),
    ("attempt_id", "position"),
)

_PROBLEM_CHARS = 1_000
_DETAILS = {
    "kind",
    "owner",
    "lines",
    "parameters",
    "return_type",
    "complexity",
    "docstring_summary",
    "imports",
    "free_names",
    "self_contained",
    "is_async",
    "has_docstring",
    "has_type_hints",
    "has_error_handling",
    "redacted",
}


def extraction_options(settings: Settings) -> ExtractionOptions:
    """The extraction options of the settings."""
    extraction = settings.extraction
    return ExtractionOptions(
        min_lines=extraction.min_lines,
        max_lines=extraction.max_lines,
        functions_required=extraction.functions_required,
        classes=extraction.classes,
        min_confidence=extraction.min_confidence,
    )


class ExtractedStfsStep:
    """One row per function; a source that cannot be parsed is a problem of its attempt and nothing more."""

    name = "extracted_stfs"
    code_version = versions.EXTRACTED_STFS
    # The registry, which this marks, reads the attempt's row.
    upstream: tuple[str, str] | None = ("execution_attempts", versions.EXECUTION_ATTEMPTS)

    def derive(self, context: StepContext, chunk: Sequence[PendingAttempt], connection: Connection) -> Derived:
        """Rows of `attempt_stfs`; hashes that came or went are marked for the registry."""
        ids = [p.attempt_id for p in chunk]
        before = fetch_rows(
            context.database,
            "select distinct stf_hash, day from attempt_stfs where attempt_id = any(:ids)",
            {"ids": ids},
            connection,
        )
        options = extraction_options(context.settings)
        rows: list[tuple[Any, ...]] = []
        problems: dict[UUID, str] = {}
        for event in context.executions.events_of_attempts(ids, connection):
            if not event.code_written or not _teaches(event):
                continue
            extracted = extract_stfs(event.code_written, options, edits=event.edits)
            of_event, unhashed = _rows(event, extracted.candidates)
            rows += of_event
            told = [f"{error.path}: {error.message}" for error in extracted.errors] + unhashed
            if told:
                problems[event.attempt_id] = "; ".join(told)[:_PROBLEM_CHARS]
        keys: list[tuple[str, date]] = [(row["stf_hash"], row["day"]) for row in before]
        keys += [(row[3], row[2]) for row in rows]
        return Derived({STFS: rows}, problems, {"stf_registry": keys})


def _teaches(event: ExecutionEvent) -> bool:
    return outcome(event, [pattern.origin for pattern in event_error_patterns(event)]) is not Outcome.FAILED


def _rows(event: ExecutionEvent, candidates: Sequence[StfCandidate]) -> tuple[list[tuple[Any, ...]], list[str]]:
    rows: list[tuple[Any, ...]] = []
    problems: list[str] = []
    for candidate in candidates:
        try:
            hashed = stf_hash(candidate.code, candidate.language)
        except SourceError as error:  # whole, the file could be parsed; alone, this piece of it cannot
            problems.append(f"{candidate.path}: {candidate.name}: {error}")
            continue
        rows.append(
            (
                event.attempt_id,
                len(rows),
                event.started_at.date(),
                hashed,
                candidate.language,
                candidate.path,
                candidate.name,
                candidate.code,
                candidate.start_line,
                candidate.end_line,
                candidate.is_primary,
                candidate.confidence,
                candidate.model_dump(mode="json", include=_DETAILS),
            )
        )
    return rows, problems
