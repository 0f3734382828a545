"""Contributions in PostgreSQL: told, waiting, decided, each once (DOMAIN 4.3).

Here: their rows, and what was decided before. Not here: the facts they are judged by (`contribution_facts`), the rules
(`compute/economy/contribution_decision`), which contributions there are (`steps/contributions`), the accounts (`token_ledger`).

Whoever writes here holds the decider's lock, so there is one sequence of decisions, and what is decided is never touched again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Connection, text

from debug_loop_pipeline.compute.code.stf_similarity import Fingerprint, Hashes
from debug_loop_pipeline.compute.event_traces import traces_of_contribution
from debug_loop_pipeline.compute.novelty_score import pack_shingles, unpack_shingles
from debug_loop_pipeline.effects.bulk_write import copy_rows, stage_and_upsert
from debug_loop_pipeline.effects.contribution_facts import UNDECIDED
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.forgotten_store import forgotten
from debug_loop_pipeline.effects.postgres import Database, advisory_lock
from debug_loop_pipeline.models.contribution import (
    AttemptFacts,
    CodeSpan,
    Contribution,
    ContributionDecision,
    ContributionKind,
    DecisionStatus,
    SubjectFacts,
)

COLUMNS = (
    "contribution_id",
    "kind",
    "peer_id",
    "attempt_id",
    "occurred_at",
    "attempt_day",
    "subject",
    "path",
    "function_name",
    "span_ordinal",
    "start_line",
    "end_line",
    "code",
    "language",
    "quality_score",
    "complexity_score",
    "used_by_peer_id",
    "external_id",
    "origin",
)
"""What is told of a contribution; the other columns are its decision."""

_LOCK = "contribution-decider"
_LOAD_ROWS = 20_000
_FIX_ATTEMPTS = 100
"""Attempts by which a fix that was decided is known."""


def lock_decider(connection: Connection) -> None:
    """Wait until no other process takes contributions in or decides; held until the transaction ends."""
    advisory_lock(connection, _LOCK)


@dataclass(frozen=True, slots=True)
class Undecided:
    """A contribution that can be decided now, with the facts it is judged by."""

    contribution: Contribution
    attempt: AttemptFacts
    subject: SubjectFacts | None
    stf_hash: str | None = None
    """Of a golden state: its function."""
    family: str = ""
    """What is rewarded once: the subject; of a golden state the cluster of its function, or every copy would be one more; of a reuse
    the work in the task that used it."""


@dataclass(frozen=True, slots=True)
class DecidedRow:
    """One decision as it is written."""

    decision: ContributionDecision
    sequence: int
    inputs: Mapping[str, Any]
    """What it was decided by, beside what the decision itself holds."""
    transaction_id: UUID | None
    paid_as: UUID | None
    """Of a fix: the contribution that was decided for the same work under another name."""
    fingerprint: tuple[str, str, Fingerprint] | None
    """(language, STF hash, fingerprint) of code that later code is compared with."""


@dataclass(slots=True)
class RewardedBefore:
    """What was rewarded before, counted; the decider adds its own as it goes."""

    attempt_days: dict[tuple[str, date], int]
    decision_day: dict[str, int]
    families: set[tuple[ContributionKind, str]]
    golden_reuse: dict[str, tuple[int, int]]
    """Golden state -> (reuses paid, millitokens)."""
    renamed: dict[str, list[UUID]]
    """Fix -> contributions that were decided for changes that are now changes of this fix, and of none that they are known as; in order."""

    paid_as: dict[UUID, UUID] = field(default_factory=dict)
    """Fix contribution -> the one that was decided for it under another name."""

    def take_renamed(self, fix: Contribution) -> None:
        """Finds the contribution that was decided for a fix under another name. Each of them stands for one fix."""
        free = [paid for paid in self.renamed.get(fix.subject, ()) if paid not in self.paid_as.values()]
        if free:
            self.paid_as[fix.contribution_id] = free[0]
            self.families.add((fix.kind, fix.subject))


class ContributionStore:
    """Reads and writes of `contributions` and `contribution_fingerprints`, on one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # -- told ----------------------------------------------------------------------------------------------------

    def replace_pending(
        self, connection: Connection, attempts: Sequence[UUID], contributions: Sequence[Contribution]
    ) -> int:
        """Makes what waits of these attempts' own telling be these contributions; how many rows moved.

        What has been decided stays as it is, whatever is told of it now.
        """
        told = {c.contribution_id for c in contributions}
        gone = connection.execute(
            text(
                "delete from contributions where attempt_id = any(:attempts) and status = 'pending' and origin = 'pipeline'"
                " and not contribution_id = any(:told)"
            ),
            {"attempts": list(attempts), "told": list(told)},
        ).rowcount
        return gone + self.add(connection, contributions)

    def add(self, connection: Connection, contributions: Iterable[Contribution], *, origin: str = "pipeline") -> int:
        """Takes contributions in; those known and waiting are told anew, decided ones stay. How many rows moved.

        Of what others tell (on the topic) what was forgotten stays out; the pipeline's own rest on attempts that are there.
        """
        contributions = list(contributions)
        if origin == "topic":
            gone = forgotten(connection, [traces_of_contribution(c) for c in contributions])
            contributions = [c for c, out in zip(contributions, gone, strict=True) if not out]
        by_id = {c.contribution_id: c for c in contributions}
        decided = (
            connection.execute(
                text(
                    "select contribution_id from contributions where contribution_id = any(:ids) and status <> 'pending'"
                ),
                {"ids": list(by_id)},
            )
            .scalars()
            .all()
        )
        for contribution_id in decided:
            del by_id[contribution_id]
        rows = [_row(c, origin) for c in by_id.values()]
        # What the pipeline knows of its own attempts is not overwritten by what somebody tells on a topic.
        update = [column for column in COLUMNS if column not in ("contribution_id", "origin")]
        counts = stage_and_upsert(
            connection,
            "contributions",
            COLUMNS,
            rows,
            key=("contribution_id",),
            update=update if origin == "pipeline" else None,
        )
        return counts.inserted + counts.updated

    # -- judged --------------------------------------------------------------------------------------------------

    def undecided(
        self,
        connection: Connection,
        last: date,
        limit: int,
        *,
        but: Sequence[UUID] = (),
        only: Sequence[UUID] | None = None,
    ) -> list[Undecided]:
        """The next contributions that can be decided, in the order of decisions.

        Args:
            connection: of the decider.
            last: attempts that ended after this UTC day wait.
            limit: how many at most.
            but: ids that are left out.
            only: ids to choose from; None for all.
        """
        rows = fetch_rows(
            self._database,
            UNDECIDED,
            {"last": last, "limit": limit, "but": list(but), "only": None if only is None else list(only)},
            connection,
        )
        return [_undecided(row) for row in rows]

    def decided_spans(
        self, connection: Connection, attempts: Sequence[UUID]
    ) -> dict[UUID, list[tuple[CodeSpan, Hashes]]]:
        """Attempt -> the spans of its code that were decided, with their shingles."""
        rows = fetch_rows(
            self._database,
            "select c.attempt_id, c.path, c.function_name, c.span_ordinal, c.start_line, c.end_line,"
            " f.shingles from contributions c join contribution_fingerprints f using (contribution_id)"
            " where c.attempt_id = any(:attempts) order by f.sequence",
            {"attempts": list(attempts)},
            connection,
        )
        found: dict[UUID, list[tuple[CodeSpan, Hashes]]] = defaultdict(list)
        for row in rows:
            found[row["attempt_id"]].append((_span(row), unpack_shingles(row["shingles"])))
        return found

    def functions(self, connection: Connection, attempts: Sequence[UUID]) -> dict[UUID, list[tuple[str, str]]]:
        """Attempt -> (code, language) of each function that was lifted out of what it wrote."""
        query = "select attempt_id, code, language from attempt_stfs where attempt_id = any(:ids) order by attempt_id, position"
        found: dict[UUID, list[tuple[str, str]]] = defaultdict(list)
        for row in fetch_rows(self._database, query, {"ids": list(attempts)}, connection) if attempts else ():
            found[row["attempt_id"]].append((row["code"], row["language"]))
        return found

    def fingerprints(self, connection: Connection, after: int) -> Iterable[tuple[int, str, Hashes]]:
        """(sequence, STF hash, shingles) of code decided after a place in the sequence, in order."""
        while True:
            rows = connection.execute(_FINGERPRINTS, {"after": after, "limit": _LOAD_ROWS}).all()
            for row in rows:
                yield row.sequence, row.stf_hash, unpack_shingles(row.shingles)
            if len(rows) < _LOAD_ROWS:
                return
            after = rows[-1].sequence

    def rewarded_before(
        self, connection: Connection, undecided: Sequence[Undecided], decided_on: date
    ) -> RewardedBefore:
        """What was rewarded before and bounds what these contributions earn on a UTC day."""
        params: dict[str, Any] = {
            "peers": sorted({u.contribution.peer_id for u in undecided}),
            "days": sorted({day_of(u.attempt.completed_at) for u in undecided}),
            "subjects": sorted({u.contribution.subject for u in undecided}),
            "families": sorted({u.family for u in undecided}),
            "users": sorted({u.contribution.attempt_id for u in undecided if u.contribution.kind.is_reuse}),
            "from": datetime(decided_on.year, decided_on.month, decided_on.day, tzinfo=UTC),
        }
        by_day = connection.execute(_BY_ATTEMPT_DAY, params).all()
        today = connection.execute(_BY_DECISION_DAY, params).all()
        reuse = connection.execute(_BY_GOLDEN_STATE, params).all()
        families = connection.execute(_BY_FAMILY, params).all()
        fixes = sorted({u.contribution.subject for u in undecided if u.contribution.kind is ContributionKind.FIX})
        renamed: dict[str, list[UUID]] = defaultdict(list)
        for row in connection.execute(_RENAMED_FIXES, {"fixes": fixes}) if fixes else ():
            renamed[row.subject].append(row.contribution_id)
        return RewardedBefore(
            {(row.peer_id, row.attempt_day): row.rewarded for row in by_day},
            {row.peer_id: row.rewarded for row in today},
            {(ContributionKind(row.kind), row.family) for row in families},
            {row.subject: (row.rewarded, int(row.amount)) for row in reuse},
            renamed,
        )

    # -- decided -------------------------------------------------------------------------------------------------

    def last_sequence(self, connection: Connection) -> int:
        """Place of the last decision in the one sequence; 0 before the first."""
        return int(connection.execute(text("select coalesce(max(sequence), 0) from contributions")).scalar_one())

    def write_decisions(self, connection: Connection, rows: Sequence[DecidedRow]) -> None:
        """Writes decisions, final ones all of them, and the fingerprints of what later code is compared with."""
        connection.execute(
            _WRITE_DECISIONS,
            {
                "ids": [str(r.decision.contribution_id) for r in rows],
                "statuses": [r.decision.status.value for r in rows],
                "sequences": [r.sequence for r in rows],
                "decisions": [_json(r.decision.model_dump(mode="json") | {"inputs": r.inputs}) for r in rows],
                "amounts": [r.decision.reward.amount if r.decision.reward else 0 for r in rows],
                "transactions": [None if r.transaction_id is None else str(r.transaction_id) for r in rows],
                "paid_as": [None if r.paid_as is None else str(r.paid_as) for r in rows],
                "days": [r.decision.attempt_day for r in rows],
                "times": [r.decision.decided_at for r in rows],
            },
        )
        worth = (DecisionStatus.REWARDED, DecisionStatus.RATE_LIMITED)
        connection.execute(
            _NOTE_FIX_ATTEMPTS,
            {"ids": [str(r.decision.contribution_id) for r in rows if r.decision.status in worth]},
        )
        copy_rows(
            connection,
            "contribution_fingerprints",
            ("contribution_id", "sequence", "language", "stf_hash", "tokens", "shingles"),
            [
                (
                    r.decision.contribution_id,
                    r.sequence,
                    language,
                    stf_hash,
                    fingerprint.tokens,
                    pack_shingles(fingerprint.shingles),
                )
                for r in rows
                if r.fingerprint is not None
                for language, stf_hash, fingerprint in (r.fingerprint,)
            ],
        )


def forget_contributions(connection: Connection, attempts: Sequence[UUID], peer: str | None = None) -> int:
    """Takes the text of contributions away: what waits goes, what was decided keeps its amount alone. How many rows that were.

    Args:
        connection: of the decider.
        attempts: whose contributions are meant.
        peer: whose contributions are meant too, whatever attempt they name.
    """
    params = {"attempts": list(attempts), "peer": peer}
    return sum(connection.execute(text(statement), params).rowcount for statement in _FORGET)


def day_of(at: datetime) -> date:
    """The UTC day of a time."""
    return at.astimezone(UTC).date()


_OF_THEM = "(attempt_id = any(:attempts) or peer_id = cast(:peer as text))"

_FORGET = (
    f"delete from contributions where {_OF_THEM} and status = 'pending'",
    f"update contributions set code = null, path = null, function_name = null where {_OF_THEM}"
    " and (code is not null or path is not null or function_name is not null)",
)


def _row(contribution: Contribution, origin: str) -> tuple[Any, ...]:
    span = contribution.span
    return (
        contribution.contribution_id,
        contribution.kind.value,
        contribution.peer_id,
        contribution.attempt_id,
        contribution.occurred_at,
        day_of(contribution.occurred_at),
        contribution.subject,
        span.path if span else None,
        span.function if span else None,
        span.ordinal if span else None,
        span.start_line if span else None,
        span.end_line if span else None,
        contribution.code,
        contribution.language,
        contribution.quality_score,
        contribution.complexity_score,
        contribution.used_by_peer_id,
        contribution.external_id,
        origin,
    )


def _undecided(row: dict[str, Any]) -> Undecided:
    contribution = Contribution(
        contribution_id=row["contribution_id"],
        kind=row["kind"],
        peer_id=row["peer_id"],
        attempt_id=row["attempt_id"],
        occurred_at=row["occurred_at"],
        subject=row["subject"],
        span=None if row["function_name"] is None else _span(row),
        code=row["code"],
        language=row["language"],
        quality_score=row["quality_score"],
        complexity_score=row["complexity_score"],
        used_by_peer_id=row["used_by_peer_id"],
        external_id=row["external_id"],
    )
    attempt = AttemptFacts(
        attempt_id=row["attempt_id"],
        peer_id=row["attempt_peer_id"],
        evidence=row["evidence_tier"],
        outcome=row["outcome"],
        completed_at=row["completed_at"],
    )
    subject = SubjectFacts(
        owner_peer_id=row["owner"],
        ready=row["ready"],
        suppressed=row["suppressed"],
        written=row["written"] if row["kind"] == ContributionKind.STF.value else None,
        use_outcome=row["use_outcome"],
    )
    return Undecided(contribution, attempt, subject, row["golden_stf_hash"], row["family"])


def _span(row: Mapping[str, Any]) -> CodeSpan:
    return CodeSpan(
        path=row["path"] or "",
        function=row["function_name"] or "-",
        ordinal=row["span_ordinal"] or 0,
        start_line=row["start_line"] or 1,
        end_line=row["end_line"] or 1,
    )


def _json(value: Any) -> str:
    return orjson.dumps(value, default=str).decode()


_FINGERPRINTS = text(
    "select sequence, stf_hash, shingles from contribution_fingerprints"
    " where sequence > :after order by sequence limit :limit"
)

_BY_ATTEMPT_DAY = text(
    "select peer_id, attempt_day, count(*) as rewarded from contributions"
    " where status = 'rewarded' and peer_id = any(:peers) and attempt_day = any(:days) group by 1, 2"
)

_BY_DECISION_DAY = text(
    "select peer_id, count(*) as rewarded from contributions where status = 'rewarded' and peer_id = any(:peers)"
    " and decided_at >= :from and decided_at < cast(:from as timestamptz) + interval '1 day' group by 1"
)

_BY_GOLDEN_STATE = text(
    "select subject, count(*) as rewarded, sum(amount) as amount from contributions"
    " where status = 'rewarded' and kind = 'golden_reuse' and subject = any(:subjects) group by 1"
)

_BY_FAMILY = text(
    "select distinct 'fix' as kind, subject as family from contributions"
    " where (status = 'rewarded' or paid_as is not null) and kind = 'fix' and subject = any(:subjects)"
    " union select 'golden_state', v.family from contributions c"
    " left join debug_transform_functions o on o.stf_hash = c.decision #>> '{inputs,stf_hash}'"
    " cross join lateral (select coalesce(nullif(o.cluster_id, ''), c.decision #>> '{inputs,stf_hash}', c.subject) as family) v"
    " where c.status = 'rewarded' and c.kind = 'golden_state' and v.family = any(:families)"
    " union select c.kind, coalesce(nullif(f.cluster_id, ''), c.subject) || ' in ' || a.correlation_id"
    " from debug_execution_attempts a join contributions c using (attempt_id)"
    " left join debug_transform_functions f on c.kind = 'reuse' and f.stf_hash = c.subject"
    " where c.status = 'rewarded' and c.kind in ('reuse', 'golden_reuse') and a.correlation_id in"
    " (select correlation_id from debug_execution_attempts where attempt_id = any(:users))"
)

_FIXED_IN_OF = "(e.details #>> '{gone,attempt_id}')::uuid"

_RENAMED_FIXES = text(
    f"""
with fixes as (
    select k.subject, array_agg(distinct {_FIXED_IN_OF}) as attempts
    from unnest(cast(:fixes as text[])) as k(subject)
    join mapping_events e on e.signature = split_part(k.subject, ':', 1) and e.resolution_id = split_part(k.subject, ':', 2)
    where e.outcome = 'success'
    group by 1
)
select k.subject, p.contribution_id
from fixes k
join contributions p on p.fix_attempts && k.attempts and p.subject <> k.subject
where p.fix_attempts is not null and not exists (
    select from contributions n
    join mapping_events e on e.signature = split_part(n.subject, ':', 1) and e.resolution_id = split_part(n.subject, ':', 2)
    where (n.contribution_id = p.contribution_id or n.paid_as = p.contribution_id) and e.outcome = 'success'
      and {_FIXED_IN_OF} = any(p.fix_attempts) and {_FIXED_IN_OF} = any(k.attempts)
)
order by p.sequence
"""
)
"""Another normaliser, or a person who merges groups, gives an error and its fix other names. What was paid, or was over a limit for good, is
then known by the attempts: those that it shares with this fix are under none of its own names any more."""

_NOTE_FIX_ATTEMPTS = text(
    f"""
update contributions c set fix_attempts = array(
    select distinct attempt_id from (
        select {_FIXED_IN_OF} as attempt_id from mapping_events e
        where e.signature = split_part(c.subject, ':', 1) and e.resolution_id = split_part(c.subject, ':', 2) and e.outcome = 'success'
        order by e.occurred_at, e.attempt_id limit {_FIX_ATTEMPTS}
    ) first
)
where c.contribution_id = any(cast(:ids as uuid[])) and c.kind = 'fix'
"""
)

_WRITE_DECISIONS = text(
    "update contributions c set status = v.status, sequence = v.sequence, decision = cast(v.decision as jsonb),"
    " amount = v.amount, transaction_id = v.transaction_id, paid_as = v.paid_as, attempt_day = v.attempt_day, decided_at = v.decided_at"
    " from unnest(cast(:ids as uuid[]), cast(:statuses as text[]), cast(:sequences as bigint[]), cast(:decisions as text[]),"
    " cast(:amounts as bigint[]), cast(:transactions as uuid[]), cast(:paid_as as uuid[]), cast(:days as date[]), cast(:times as timestamptz[]))"
    " as v(id, status, sequence, decision, amount, transaction_id, paid_as, attempt_day, decided_at)"
    " where c.contribution_id = v.id and c.status = 'pending'"
)
