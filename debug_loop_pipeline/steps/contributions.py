"""Step `contributions`: what peers gave that may earn tokens, told once each (DOMAIN 4.3).

Here: functions that attempts wrote, fixes whose mapping became confident, approved golden states, and reuse of any of them by
others. Not here: whether and what they earn (`token_rewards`), contributions that others tell (`contribution_intake`).

Functions belong to their attempt: what still waits of a changed attempt is told anew, what was decided stays. The others follow
from folds that span days, so the step looks for those that are not told yet, whatever day they lie on.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection

from debug_loop_pipeline.compute.economy.transaction_id import contribution_id
from debug_loop_pipeline.effects.contribution_facts import FIXED_IN, SHOWN_BEFORE
from debug_loop_pipeline.effects.contribution_store import ContributionStore, lock_decider
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.step_store import PendingAttempt, RowChanges
from debug_loop_pipeline.models.contribution import CodeSpan, Contribution, ContributionKind
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps import versions
from debug_loop_pipeline.steps.framework import CHUNK, Span, StepContext, StepReport, chunks
from debug_loop_pipeline.steps.setting_versions import version_under

STEP = "contributions"
CODE_VERSION = f"contributions=1;{versions.STF_QUALITY}"
"""Another extractor tells what still waits anew; the identity of a contribution does not depend on it."""
UPSTREAM = "stf_quality"

_PATH_CHARS = 4_096
_NAME_CHARS = 1_000


def versions_under(settings: Settings) -> tuple[str, str]:
    """The code versions under some settings: the step's own, and that of the step before it."""
    return version_under(settings, STEP, CODE_VERSION), version_under(settings, UPSTREAM, versions.STF_QUALITY)


def run(context: StepContext, span: Span) -> StepReport:
    """Takes in what the attempts of these days gave, and what folds over all days have come to say since."""
    started = time.perf_counter()
    version, upstream = versions_under(context.settings)
    report = StepReport(STEP, version)
    pending = context.store.pending(
        STEP, span.first, span.last, version, upstream=(UPSTREAM, upstream), full_refresh=False
    )
    moved = 0
    for chunk in chunks(pending, CHUNK):
        with context.database.transaction(STEP) as connection:
            lock_decider(connection)
            moved += _take_in_functions(context, connection, chunk)
            context.store.record_progress(connection, STEP, version, chunk, {})
        report.attempts += len(chunk)
        context.log(f"{STEP}: {report.attempts} of {len(pending)} attempts")
    told: Counter[str] = Counter()
    for kind, query in _UNTOLD.items():
        found = list(_untold(context, kind, query, span))
        for some in chunks(found, CHUNK):
            with context.database.transaction(STEP) as connection:
                lock_decider(connection)
                told[kind] += ContributionStore(context.database).add(connection, some)
    report.keys = sum(told.values())
    report.rows["contributions"] = RowChanges(inserted=moved + report.keys)
    report.details = {f"new_{kind}": count for kind, count in told.items() if count}
    report.seconds = time.perf_counter() - started
    return report


def contributions_of_functions(rows: Sequence[dict[str, Any]]) -> list[Contribution]:
    """A contribution per extracted function. `rows` come by (attempt, path, start line, position)."""
    ordinals: Counter[tuple[Any, str, str]] = Counter()
    found: list[Contribution] = []
    for row in rows:
        path, function = row["path"][:_PATH_CHARS], _qualified(row["owner"], row["name"])
        key = (row["attempt_id"], path, function)
        span = CodeSpan(
            path=path,
            function=function,
            ordinal=ordinals[key],
            start_line=row["start_line"],
            end_line=row["end_line"],
        )
        ordinals[key] += 1
        found.append(
            Contribution(
                contribution_id=contribution_id(
                    ContributionKind.STF, row["peer_id"], row["attempt_id"], row["stf_hash"], span
                ),
                kind=ContributionKind.STF,
                peer_id=row["peer_id"],
                attempt_id=row["attempt_id"],
                occurred_at=row["completed_at"],
                subject=row["stf_hash"],
                span=span,
                code=row["code"],
                language=row["language"],
                quality_score=row["quality_score"],
                complexity_score=row["complexity_score"],
            )
        )
    return found


def _take_in_functions(context: StepContext, connection: Connection, chunk: Sequence[PendingAttempt]) -> int:
    ids = [pending.attempt_id for pending in chunk]
    rows = fetch_rows(context.database, _FUNCTIONS, {"ids": ids}, connection)
    told = contributions_of_functions(rows)
    return ContributionStore(context.database).replace_pending(connection, ids, told)


def _untold(context: StepContext, kind: str, query: str, span: Span) -> Iterator[Contribution]:
    for row in fetch_rows(context.database, query, {"last": span.last}):
        made = ContributionKind(kind.partition("_of_")[0])
        yield Contribution(
            contribution_id=contribution_id(made, row["peer_id"], row["attempt_id"], row["subject"]),
            kind=made,
            peer_id=row["peer_id"],
            attempt_id=row["attempt_id"],
            occurred_at=row["occurred_at"],
            subject=row["subject"],
            quality_score=row["quality_score"],
            used_by_peer_id=row["used_by_peer_id"],
        )


def _qualified(owner: str | None, name: str) -> str:
    return (f"{owner}.{name}" if owner else name)[:_NAME_CHARS]


_FUNCTIONS = """
select s.attempt_id, a.peer_id, a.completed_at, s.stf_hash, s.language, s.path, s.name, s.details ->> 'owner' as owner, s.code,
       s.start_line, s.end_line, q.quality_score, q.complexity as complexity_score
from attempt_stfs s
join attempt_stf_quality q using (attempt_id, position, stf_hash)
join debug_execution_attempts a using (attempt_id)
where s.attempt_id = any(:ids)
order by s.attempt_id, s.path, s.start_line, s.position
"""

_FIXES = f"""
select w.peer_id, w.attempt_id, m.confident_at as occurred_at,
       m.signature || ':' || m.resolution_id as subject, null as quality_score, null as used_by_peer_id
from debug_error_success_mappings m
{FIXED_IN}
where m.confident_at is not null and m.state <> 'deprecated' and w.day <= :last
"""

_GOLDEN_STATES = """
select g.peer_id, g.attempt_id, coalesce(g.decided_at, g.nominated_at) as occurred_at, g.golden_state_id as subject,
       g.quality_score, null as used_by_peer_id
from debug_golden_states g
join debug_execution_attempts a using (attempt_id)
where g.state = 'approved' and a.day <= :last
"""

_GOLDEN_REUSE = """
select g.peer_id, a.attempt_id, a.correlation_id, a.completed_at as occurred_at, g.golden_state_id as subject, null as quality_score,
       a.peer_id as used_by_peer_id
from golden_events e
join debug_golden_states g using (golden_state_id)
join debug_execution_attempts a on a.attempt_id = (e.details ->> 'attempt_id')::uuid
where e.action = 'record_reuse' and a.day <= :last
"""

_FUNCTION_REUSE = """
select f.peer_id, a.attempt_id, a.correlation_id, a.completed_at as occurred_at, f.stf_hash as subject, null as quality_score,
       a.peer_id as used_by_peer_id, u.cluster_id
from stf_uses u
join debug_execution_attempts a using (attempt_id)
cross join lateral (
    select f.* from debug_transform_functions f where f.cluster_id = u.cluster_id
    order by f.stf_hash <> u.cluster_id, f.stf_hash limit 1
) f
where f.first_attempt_id <> a.attempt_id and a.day <= :last
"""
"""Owed to whoever wrote the earliest member of the cluster, which it is named by: a renamed copy takes no reuse from its model."""

_FIX_REUSE = f"""
select distinct w.peer_id, e.attempt_id, a.correlation_id, a.completed_at as occurred_at, m.signature || ':' || m.resolution_id as subject,
       null as quality_score, a.peer_id as used_by_peer_id
from recommendations r
cross join debug_error_success_mappings m
{FIXED_IN}
join mapping_events e
    on e.signature = m.signature and e.resolution_id = m.resolution_id and e.outcome = 'success'
join debug_execution_attempts a on a.attempt_id = e.attempt_id
where {SHOWN_BEFORE} and a.attempt_id <> w.attempt_id and a.day <= :last
"""


def _not_told(query: str, kind: str) -> str:
    return (
        f"select u.* from ({query}) u where not exists (select from contributions c where c.kind = '{kind}'"
        " and c.subject = u.subject and c.peer_id = u.peer_id)"
    )


def _use_not_told(query: str, kind: str, same: str = "c.subject = u.subject") -> str:
    # A use is one of a work in a task, whichever attempt began it: once it is decided it is not told again under another attempt.
    return (
        f"select u.* from ({query}) u where not exists (select from debug_execution_attempts t join contributions c using (attempt_id)"
        f" where t.correlation_id = u.correlation_id and c.kind = '{kind}' and (c.status <> 'pending' or c.attempt_id = u.attempt_id)"
        f" and {same})"
    )


_SAME_FUNCTION = """
c.subject not like '%:%' and not exists (
    select from debug_transform_functions o where o.stf_hash = c.subject and o.cluster_id <> u.cluster_id
)
"""
"""What was told of a function that is not known any more, as after another normaliser, may be this one: it is not told again."""

_UNTOLD = {
    "fix": _not_told(_FIXES, "fix"),
    "golden_state": _not_told(_GOLDEN_STATES, "golden_state"),
    "golden_reuse": _use_not_told(_GOLDEN_REUSE, "golden_reuse"),
    "reuse_of_functions": _use_not_told(_FUNCTION_REUSE, "reuse", _SAME_FUNCTION),
    "reuse_of_fixes": _use_not_told(_FIX_REUSE, "reuse"),
}
"""Kind -> query of those that no contribution tells yet."""


def anything_untold(context: StepContext, last: date) -> bool:
    """Whether `run` up to a day would find fixes, golden states or reuse that no contribution tells."""
    return any(
        fetch_rows(context.database, f"select exists ({query}) as untold", {"last": last})[0]["untold"]
        for query in _UNTOLD.values()
    )
