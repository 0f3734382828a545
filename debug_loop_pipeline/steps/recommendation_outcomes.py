"""What became of what was served, and what of it was reused: two folds, one inside the other (DOMAIN 3.12).

A task's outcome and what it was offered are recomputed from all its attempts and servings (`recommendation_outcomes`, `reuse_offers`);
the uses of the clusters concerned are then folded anew from all tasks (`stf_uses`, and the counts of each function). Golden states take
their reuse from both. That a served fix was tried in vain needs nothing here: credit registers it like every change that did not help.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from itertools import chain
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from debug_loop_pipeline.compute.code.source_tree import SourceError
from debug_loop_pipeline.compute.code.stf_similarity import Fingerprint, fingerprint, similarity
from debug_loop_pipeline.compute.debug_stf_extractor import extract_stfs
from debug_loop_pipeline.compute.serving.recommendation_outcome import (
    JoinedBy,
    Serving,
    TaskOutcome,
    TaskStep,
    steps_after,
    task_of,
    task_outcome,
    use_of,
)
from debug_loop_pipeline.compute.stf_hash import stf_hash
from debug_loop_pipeline.effects import recommendation_outcome_store as reads
from debug_loop_pipeline.effects.debug_stf_storage import DebugSTFStorageEffect, UsageCounts
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.recommendation_store import SERVED
from debug_loop_pipeline.effects.step_store import RowChanges, Table
from debug_loop_pipeline.models.base import Outcome
from debug_loop_pipeline.models.recommendation import Arm
from debug_loop_pipeline.steps import versions
from debug_loop_pipeline.steps.extracted_stfs import extraction_options
from debug_loop_pipeline.steps.framework import Span, StepContext, StepReport, keys_by, run_fold

FOLD = "recommendation_outcomes"
USES_FOLD = "stf_uses"

OUTCOMES = Table(
    "recommendation_outcomes",
    (
        "correlation_id",
        "day",
        "arm",
        "drawn_by",
        "recommendation_id",
        "joined_by",
        "session_id",
        "repository",
        "served_at",
        "recommendations",
        "succeeded",
        "attempts",
        "cost_usd",
    ),
    ("correlation_id",),
    scope="correlation_id",
)
OFFERS = Table(
    "reuse_offers",
    ("correlation_id", "subject_kind", "subject_id", "how", "attempt_id", "at"),
    ("correlation_id", "subject_kind", "subject_id", "how"),
    scope="correlation_id",
)
USES = Table(
    "stf_uses",
    ("cluster_id", "correlation_id", "attempt_id", "recognised_by", "outcome", "peer_id", "at"),
    ("cluster_id", "correlation_id"),
    scope="cluster_id",
)

_Offer = tuple[UUID, str, str, str, UUID | None, datetime]
_FAILED = frozenset({Outcome.FAILED})


def run(
    context: StepContext, span: Span, *, full_refresh: bool = False, only_keys: Sequence[str] | None = None
) -> StepReport:
    """Folds the tasks that were touched on these days or served anything until their end, then the clusters those tasks used."""
    if only_keys is None:
        _mark_served(context, span)
    report = run_fold(
        context,
        FOLD,
        versions.RECOMMENDATION_OUTCOMES,
        span,
        refold_tasks,
        keys_by(_TASKS_OF_DAYS),
        full_refresh=full_refresh,
        only_keys=only_keys,
    )
    uses = run_fold(
        context,
        USES_FOLD,
        versions.RECOMMENDATION_OUTCOMES,
        span,
        refold_clusters,
        keys_by("select distinct cluster_id as key from stf_uses where (at at time zone 'UTC')::date = any(:days)"),
        only_keys=None if only_keys is None else context.store.noted(USES_FOLD),
    )
    report.add_rows(uses.rows)
    report.keys += uses.keys
    report.seconds += uses.seconds
    return report


def _mark_served(context: StepContext, span: Span) -> None:
    """Marks the tasks of what was served. It may have been served after the last attempt of its day, so earlier days count too."""
    marks = context.store.marks(SERVED, date.min, span.last)
    if not marks:
        return
    with context.database.transaction() as connection:
        ids = [UUID(key) for key in marks]
        tasks = reads.tasks_of_recommendations(context.database, connection, ids)
        context.store.mark(connection, FOLD, [(str(task), span.first) for task in tasks])
        context.store.clear_marks(connection, SERVED, marks, marks.ids())


def refold_tasks(context: StepContext, connection: Connection, tasks: list[str], span: Span) -> dict[str, RowChanges]:
    """Recomputes how some tasks went and what they were offered."""
    database, ids = context.database, [UUID(task) for task in tasks]
    touched = _touched(context, connection, ids)
    servings = reads.servings_of_tasks(database, connection, ids)
    steps = reads.steps_of_tasks(database, connection, ids, servings)
    served = _served_in(ids, servings, steps)
    own: defaultdict[UUID, list[TaskStep]] = defaultdict(list)
    for step in steps:
        own[step.correlation_id].append(step)
    outcomes = [found for task in ids if (found := task_outcome(task, served[task], own[task])) is not None]
    offers = [offer for task in ids if own[task] for offer in _shown(task, served[task])]
    offers += _reported(context, connection, ids)
    offers += _written_in_vain(context, connection, offers, own, served)
    rows = [_outcome_row(found) for found in outcomes]
    changes = {
        OUTCOMES.name: context.store.replace(connection, OUTCOMES, rows, ids),
        OFFERS.name: context.store.replace(connection, OFFERS, _earliest(offers), ids),
    }
    marks: defaultdict[str, list[tuple[str, date]]] = defaultdict(list)
    for fold, key in {*touched, *_touched(context, connection, ids)}:
        marks[fold].append((key, span.first))
    for fold, keys in sorted(marks.items()):
        context.store.mark(connection, fold, keys)
    return changes


def _touched(context: StepContext, connection: Connection, tasks: Sequence[UUID]) -> list[tuple[str, str]]:
    """(fold, key) of what rests on some tasks as they stand: clusters and golden states they were offered, days they began on."""
    rows = fetch_rows(context.database, _TOUCHED, {"tasks": list(tasks)}, connection)
    return [(row["fold"], row["key"]) for row in rows]


def _served_in(
    tasks: Iterable[UUID], servings: Sequence[Serving], steps: Sequence[TaskStep]
) -> dict[UUID, dict[Serving, JoinedBy]]:
    """What was served in each task, and what ties it to it."""
    by_session: defaultdict[str | None, list[TaskStep]] = defaultdict(list)
    by_name: defaultdict[str | None, list[TaskStep]] = defaultdict(list)
    for step in steps:
        by_session[step.session_id].append(step)
        by_name[step.recommendation_id].append(step)
    served: dict[UUID, dict[Serving, JoinedBy]] = {task: {} for task in tasks}
    for serving in servings:
        joined = task_of(serving, [*by_name[str(serving.recommendation_id)], *by_session[serving.session_id]])
        if joined is not None and joined[0] in served:
            served[joined[0]][serving] = joined[1]
    return served


def _shown(task: UUID, served: Iterable[Serving]) -> list[_Offer]:
    """What a task was shown; what was held out was not."""
    return [
        (task, kind, subject, "shown", None, serving.served_at)
        for serving in served
        if serving.arm is not Arm.HOLDOUT
        for kind, subjects in (("stf", serving.stf_hashes), ("golden_state", serving.golden_state_ids))
        for subject in subjects
    ]


def _reported(context: StepContext, connection: Connection, tasks: Sequence[UUID]) -> list[_Offer]:
    return [
        (row["correlation_id"], kind, subject, "reported", row["attempt_id"], row["completed_at"])
        for row in reads.reports_of_tasks(context.database, connection, tasks)
        for kind, subjects in (("stf", row["stf_ids"]), ("golden_state", row["golden_state_ids"]))
        for subject in subjects
    ]


def _written_in_vain(
    context: StepContext,
    connection: Connection,
    offers: Sequence[_Offer],
    own: dict[UUID, list[TaskStep]],
    served: dict[UUID, dict[Serving, JoinedBy]],
) -> list[_Offer]:
    """Shown functions in the code of attempts that failed. Such code is not lifted out, so it is compared here."""
    shown: defaultdict[UUID, set[str]] = defaultdict(set)
    for task, kind, subject, how, _, _ in offers:
        if (kind, how) == ("stf", "shown"):
            shown[task].add(subject)
    failed = {
        step.attempt_id: step
        for task in shown
        for serving in served[task]
        for step in steps_after(serving, own[task])
        if step.outcome in _FAILED
    }
    if not failed:
        return []
    known = {
        row["stf_hash"]: _fingerprint(row["code"], row["language"])
        for row in fetch_rows(
            context.database,
            "select stf_hash, code, language from debug_transform_functions where stf_hash = any(:hashes)",
            {"hashes": sorted(set().union(*shown.values()))},
            connection,
        )
    }
    options, limits = extraction_options(context.settings), context.settings.extraction
    found: list[_Offer] = []
    parts = context.executions.events_of_attempts_in_parts(sorted(failed), connection)
    for event in chain.from_iterable(parts):
        step = failed[event.attempt_id]
        for candidate in extract_stfs(event.code_written, options, edits=event.edits).candidates:
            hashed, made = _hash(candidate.code, candidate.language), _fingerprint(candidate.code, candidate.language)
            for subject in shown[step.correlation_id]:
                its = known.get(subject)
                alike = (
                    made is not None
                    and its is not None
                    and min(made.tokens, its.tokens) >= limits.cluster_min_tokens
                    and similarity(made.shingles, its.shingles) >= limits.cluster_similarity
                )
                if hashed == subject or alike:
                    found.append((step.correlation_id, "stf", subject, "written", step.attempt_id, step.completed_at))
    return found


def _hash(code: str, language: str) -> str | None:
    try:
        return stf_hash(code, language)
    except SourceError:
        return None


def _fingerprint(code: str, language: str) -> Fingerprint | None:
    try:
        return fingerprint(code, language)
    except SourceError:
        return None


def _earliest(offers: Iterable[_Offer]) -> list[_Offer]:
    """Of each offer the earliest."""
    found: dict[tuple[UUID, str, str, str], _Offer] = {}
    for offer in sorted(offers, key=lambda offer: (offer[5], str(offer[4]))):
        found.setdefault(offer[:4], offer)
    return list(found.values())


def _outcome_row(found: TaskOutcome) -> tuple[Any, ...]:
    first = found.first
    return (
        found.correlation_id,
        first.served_at.date(),
        first.arm.value,
        first.drawn_by,
        first.recommendation_id,
        found.joined_by.value,
        first.session_id,
        found.repository,
        first.served_at,
        found.recommendations,
        found.succeeded,
        found.attempts,
        found.cost_usd,
    )


def refold_clusters(
    context: StepContext, connection: Connection, clusters: list[str], span: Span
) -> dict[str, RowChanges]:
    """Recomputes which tasks used some clusters, and how often each of their functions was reused and how that went."""
    database = context.database
    members: defaultdict[str, list[str]] = defaultdict(list)
    cluster_of: dict[str, str] = {}
    for row in fetch_rows(
        database,
        "select stf_hash, cluster_id from debug_transform_functions where cluster_id = any(:clusters) order by 1",
        {"clusters": clusters},
        connection,
    ):
        members[row["cluster_id"]].append(row["stf_hash"])
        cluster_of[row["stf_hash"]] = row["cluster_id"]
    uses = _uses(context, connection, cluster_of)
    counts: dict[str, UsageCounts] = {}
    for cluster, hashes in members.items():
        outcomes = [use[4] for use in uses if use[0] == cluster]
        counted = UsageCounts(len(outcomes), outcomes.count("succeeded"), outcomes.count("failed"))
        counts |= dict.fromkeys(hashes, counted)
    changes = {USES.name: context.store.replace(connection, USES, uses, clusters)}
    moved = DebugSTFStorageEffect(database).update_usage(connection, counts) if counts else 0
    changes["debug_transform_functions"] = RowChanges(updated=moved)
    golden = fetch_rows(
        database,
        "select golden_state_id from debug_golden_states where stf_hash = any(:hashes)",
        {"hashes": sorted(cluster_of)},
        connection,
    )
    context.store.mark(connection, "golden_states", [(row["golden_state_id"], span.first) for row in golden])
    return changes


def _uses(context: StepContext, connection: Connection, cluster_of: dict[str, str]) -> list[tuple[Any, ...]]:
    """Rows of `stf_uses` of the clusters of some functions."""
    shown: dict[tuple[str, UUID], datetime] = {}
    reported: defaultdict[tuple[str, UUID], set[UUID]] = defaultdict(set)
    written: defaultdict[tuple[str, UUID], set[UUID]] = defaultdict(set)
    for offer in fetch_rows(
        context.database,
        "select * from reuse_offers where subject_kind = 'stf' and subject_id = any(:hashes)",
        {"hashes": sorted(cluster_of)},
        connection,
    ):
        key = (cluster_of[offer["subject_id"]], offer["correlation_id"])
        if offer["how"] == "shown":
            shown[key] = min(offer["at"], shown.get(key, offer["at"]))
        else:
            (reported if offer["how"] == "reported" else written)[key].add(offer["attempt_id"])
    keys = sorted({*shown, *reported, *written})
    tasks = sorted({task for _, task in keys})
    for row in fetch_rows(context.database, _WRITTEN, {"tasks": tasks, "hashes": sorted(cluster_of)}, connection):
        written[cluster_of[row["stf_hash"]], row["correlation_id"]].add(row["attempt_id"])
    steps: defaultdict[UUID, list[TaskStep]] = defaultdict(list)
    for step in reads.steps_of_tasks(context.database, connection, tasks):
        steps[step.correlation_id].append(step)
    rows: list[tuple[Any, ...]] = []
    for key in keys:
        cluster, task = key
        use = use_of(steps[task], shown_at=shown.get(key), reported=reported[key], written=written[key])
        if use is not None:
            by, step = ("report" if use.reported else "code"), use.step
            rows.append((cluster, task, step.attempt_id, by, use.outcome.value, step.peer_id, step.completed_at))
    return rows


_WRITTEN = """
select distinct s.stf_hash, s.attempt_id, a.correlation_id
from debug_execution_attempts a
join attempt_stfs s using (attempt_id)
where a.correlation_id = any(:tasks) and s.stf_hash = any(:hashes)
"""

_TASKS_OF_DAYS = """
select correlation_id::text as key from recommendation_outcomes where day = any(:days)
union
select correlation_id::text from reuse_offers where (at at time zone 'UTC')::date = any(:days)
union
select correlation_id::text from recommendations
where correlation_id is not null and (served_at at time zone 'UTC')::date = any(:days)
union
select a.correlation_id::text from recommendations r join debug_execution_attempts a using (session_id)
where (r.served_at at time zone 'UTC')::date = any(:days)
"""

_TOUCHED = """
select 'stf_uses' as fold, f.cluster_id as key
from reuse_offers o join debug_transform_functions f on f.stf_hash = o.subject_id
where o.subject_kind = 'stf' and o.correlation_id = any(:tasks)
union
select 'stf_uses', cluster_id from stf_uses where correlation_id = any(:tasks)
union
select 'golden_states', g.golden_state_id
from reuse_offers o join debug_golden_states g on g.golden_state_id = o.subject_id
where o.subject_kind = 'golden_state' and o.correlation_id = any(:tasks)
union
select 'recommendation_effect', day::text from recommendation_outcomes where correlation_id = any(:tasks)
"""
