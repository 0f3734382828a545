"""The function registry as the matcher reads it: all of it in a stream for an epoch, and what changed since for its tail.

Not here: when either is read (match_epoch_store.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, RowMapping, text

from debug_loop_pipeline.compute.matching.text_embedding import TextEmbedder, TextVectors
from debug_loop_pipeline.compute.matching.tfidf_index import TfidfEpoch
from debug_loop_pipeline.compute.matching.words import document_text
from debug_loop_pipeline.compute.stf_matcher import MatchIndex, StfColumns, epoch_digest
from debug_loop_pipeline.models.matching import MatchCandidate

_STREAM_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class RegistryVersion:
    """Changes whenever what can be matched changes."""

    approved: int
    changed: int
    """Rows changed since the epoch was read."""
    changed_at: datetime | None
    """When the last one was."""
    suppressions: int
    suppressed_at: datetime | None


@dataclass(frozen=True, slots=True)
class RegistryChanges:
    """What differs from an epoch."""

    changed: list[MatchCandidate]
    """Approved functions that are new or may have changed."""
    withdrawn: list[str]
    """Functions that are gone, no longer approved, or suppressed."""
    departed: int
    """Those of the epoch that are gone or no longer approved."""


def match_candidate(row: RowMapping) -> MatchCandidate:
    """A registry row as the matcher sees it."""
    used = row["success_count"] + row["failure_count"]
    return MatchCandidate(
        stf_id=row["stf_hash"],
        problem_signature=row["problem_signature"],
        name=row["name"],
        description=row["description"] or "",
        category=row["category"],
        quality=row["quality_score"],
        usage_count=row["usage_count"],
        success_rate=row["success_count"] / used if used else 0.0,
        attempt_id=row["first_attempt_id"],
        completed_at=row["first_completed_at"],
    )


def read_epoch(
    connection: Connection, embedder: TextEmbedder | None, *, not_after: datetime | None = None
) -> tuple[MatchIndex, datetime]:
    """An epoch of every approved function, and since when the registry may hold changes that it does not.

    Rows come in a stream: beside the index itself, memory is bounded.

    Args:
        connection: in a transaction.
        embedder: makes the vectors for `hybrid`; None for an index without.
        not_after: leaves rows out that changed after this.
    """
    # Before the rows: a transaction that writes and is not visible to them began after the oldest one that ran then.
    since: datetime = connection.execute(text(_SINCE)).scalar_one()
    query = f"{_ROWS} where f.approval = 'approved'" + (" and f.updated_at <= :at" if not_after else "")
    parts: list[StfColumns] = []
    vectors: list[TextVectors] = []

    def documents() -> Iterator[str]:
        rows = connection.execute(
            text(f"{query} order by f.stf_hash"),
            {"at": not_after} if not_after else {},
            execution_options={"stream_results": True, "yield_per": _STREAM_ROWS},
        )
        for block in rows.mappings().partitions(_STREAM_ROWS):
            candidates = [match_candidate(row) for row in block]
            texts = [document_text(c.problem_signature, c.name, c.description) for c in candidates]
            parts.append(StfColumns.of(candidates, texts))
            if embedder is not None:
                vectors.append(embedder.embed(texts))
            yield from texts

    epoch = TfidfEpoch.fit(documents())
    parts = parts or [StfColumns.of((), ())]
    columns = StfColumns(
        **{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(StfColumns)}
    )
    if not np.all(columns.ids[:-1] < columns.ids[1:]):
        raise ValueError("the database does not sort STF hashes by their bytes")
    embedded = TextVectors.joined(vectors or [embedder.embed(())]) if embedder is not None else None
    return MatchIndex.of_epoch(epoch, columns, epoch_digest(columns, embedder), embedder, embedded), since


def read_version(connection: Connection, since: datetime) -> RegistryVersion:
    """The version of the registry beside an epoch that was read at `since`."""
    return RegistryVersion(*connection.execute(text(_VERSION), {"since": since}).one())


def read_changes(
    connection: Connection, ids: NDArray[np.bytes_], since: datetime, version: RegistryVersion
) -> RegistryChanges:
    """What differs from an epoch.

    Args:
        connection: in a transaction in which the registry stands still.
        ids: ids of the epoch's functions, ascending, as in `StfColumns.ids`.
        since: as `read_epoch` told.
        version: as `read_version` told in this transaction.
    """
    rows = connection.execute(text(f"{_ROWS} where f.updated_at >= :since"), {"since": since}).mappings().all()
    changed = [match_candidate(row) for row in rows if row["approval"] == "approved"]
    refused = [row["stf_hash"] for row in rows if row["approval"] != "approved"]
    touched = _known(ids, [row["stf_hash"] for row in rows])
    gone: list[str] = []
    if len(ids) - touched + len(changed) != version.approved:
        approved = connection.execute(
            text("select stf_hash from debug_transform_functions where approval = 'approved'")
        )
        there = {*approved.scalars(), *refused}
        gone = [key for key in map(bytes.decode, ids.tolist()) if key not in there]
    suppressed = connection.execute(text(_SUPPRESSED)).scalars().all() if version.suppressions else []
    return RegistryChanges(changed, [*refused, *gone, *suppressed], len(gone) + _known(ids, refused))


def _known(ids: NDArray[np.bytes_], keys: Sequence[str]) -> int:
    """How many of the keys the epoch holds. Its ids ascend: a search costs less than any set of a million of them."""
    if not keys or not len(ids):
        return 0
    wanted = np.array([key.encode() for key in keys], dtype=np.bytes_)
    places = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    return int(np.count_nonzero(ids[places] == wanted))


# A row's updated_at is the start of the transaction that wrote it, so one that commits late changes the past: what is read
# later goes back to the oldest transaction that ran at the time (those of other accounts do not show their start).
_SINCE = """
select least(min(case when state is null then clock_timestamp() - interval '1 hour' else xact_start end), clock_timestamp())
       - interval '1 second'
from pg_stat_activity
where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()
"""

_ROWS = """
select f.stf_hash, f.problem_signature, f.name, f.description, f.category, f.quality_score, f.usage_count, f.success_count,
       f.failure_count, f.first_attempt_id, f.first_completed_at, f.approval
from debug_transform_functions f
"""

_VERSION = """
select (select count(*) from debug_transform_functions where approval = 'approved'),
       (select count(*) from debug_transform_functions where updated_at >= :since),
       (select max(updated_at) from debug_transform_functions where updated_at >= :since),
       (select count(*) from suppressions),
       (select max(decided_at) from suppressions)
"""

_SUPPRESSED = """
select f.stf_hash from debug_transform_functions f
where f.approval = 'approved' and not exists (select from v_recommended_stfs v where v.stf_hash = f.stf_hash)
"""
