"""Clusters of near-duplicate functions, kept up to date around the hashes that changed (DOMAIN 3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, text

from debug_loop_pipeline.compute.code.stf_clusters import ClusterMember, cluster_stfs
from debug_loop_pipeline.compute.code.stf_similarity import Fingerprint, fingerprint, similarity
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.recommendation_outcome_store import clusters_in_use
from debug_loop_pipeline.effects.step_store import RowChanges, Table
from debug_loop_pipeline.steps.framework import StepContext

BANDS = Table("stf_bands", ("band_key", "language", "stf_hash"), ("band_key", "language", "stf_hash"), scope="stf_hash")
CLUSTERS = Table(
    "stf_clusters", ("cluster_id", "language", "members", "occurrences", "tasks"), ("cluster_id",), scope="cluster_id"
)


def recluster(context: StepContext, connection: Connection, hashes: Sequence[str], day: date) -> dict[str, RowChanges]:
    """Recomputes every cluster that one of `hashes` is in, was in, or comes near; where they were reused, marks that under a day.

    Candidates come from the MinHash bands, the exact Jaccard similarity decides, clusters are connected components.
    """
    limits = context.settings.extraction
    present = fetch_rows(
        context.database,
        "select stf_hash, language, code, tokens, cluster_id from debug_transform_functions where stf_hash = any(:hashes)",
        {"hashes": list(hashes)},
        connection,
    )
    prints = {row["stf_hash"]: _fingerprint(row["code"], row["language"]) for row in present}
    band_rows = [
        (key, row["language"], row["stf_hash"])
        for row in present
        if prints[row["stf_hash"]].tokens >= limits.cluster_min_tokens
        for key in prints[row["stf_hash"]].bands
    ]
    changes = {BANDS.name: context.store.replace(connection, BANDS, band_rows, hashes)}
    near = fetch_rows(context.database, _NEIGHBOURS, {"hashes": list(hashes)}, connection)
    members = {row["stf_hash"]: row for row in near}
    for stf_hash, row in members.items():
        if stf_hash not in prints:
            prints[stf_hash] = _fingerprint(row["code"], row["language"])
    edges = [
        (pair["one"], pair["other"])
        for pair in fetch_rows(context.database, _PAIRS, {"hashes": sorted(members)}, connection)
        if similarity(prints[pair["one"]].shingles, prints[pair["other"]].shingles) >= limits.cluster_similarity
    ]
    found = cluster_stfs([ClusterMember(row["first_completed_at"], row["stf_hash"]) for row in members.values()], edges)
    cluster_of = {member: cluster.cluster_id for cluster in found for member in cluster.members}
    connection.execute(
        text(
            "update debug_transform_functions f set cluster_id = t.cluster_id, tokens = t.tokens"
            " from unnest(cast(:hashes as text[]), cast(:clusters as text[]), cast(:tokens as int[])) as t(stf_hash, cluster_id, tokens)"
            " where f.stf_hash = t.stf_hash and (f.cluster_id, f.tokens) is distinct from (t.cluster_id, t.tokens)"
        ),
        {
            "hashes": sorted(members),
            "clusters": [cluster_of[m] for m in sorted(members)],
            "tokens": [prints[m].tokens for m in sorted(members)],
        },
    )
    old_ids = {row["cluster_id"] for row in near if row["cluster_id"]} | set(cluster_of.values())
    in_use = clusters_in_use(context.database, connection, sorted(members), sorted(old_ids))
    context.store.mark(connection, "stf_uses", [(cluster, day) for cluster in in_use])
    changes[CLUSTERS.name] = context.store.replace(
        connection, CLUSTERS, _cluster_rows(context, connection, sorted(old_ids)), sorted(old_ids | set(hashes))
    )
    return changes


@lru_cache(maxsize=20_000)
def _fingerprint(code: str, language: str) -> Fingerprint:
    return fingerprint(code, language)


def _cluster_rows(context: StepContext, connection: Connection, cluster_ids: list[str]) -> list[tuple[Any, ...]]:
    rows = fetch_rows(context.database, _CLUSTER_COUNTS, {"ids": cluster_ids}, connection)
    return [tuple(row[column] for column in CLUSTERS.columns) for row in rows]


_NEIGHBOURS = """
with touched as (select unnest(cast(:hashes as text[])) as stf_hash),
close as (
    select stf_hash from touched
    union
    select o.stf_hash
    from touched t join stf_bands b using (stf_hash)
    join stf_bands o on o.band_key = b.band_key and o.language = b.language
),
-- a cluster loses its name when its earliest member goes, so clusters named after a touched hash count too
clusters as (
    select cluster_id from debug_transform_functions where stf_hash in (select stf_hash from close)
    union
    select stf_hash from touched
)
select stf_hash, language, code, cluster_id, first_completed_at
from debug_transform_functions
where stf_hash in (select stf_hash from close) or cluster_id in (select cluster_id from clusters where cluster_id <> '')
order by stf_hash
"""

_PAIRS = """
select distinct a.stf_hash as one, b.stf_hash as other
from stf_bands a
join stf_bands b on b.band_key = a.band_key and b.language = a.language and b.stf_hash > a.stf_hash
where a.stf_hash = any(:hashes) and b.stf_hash = any(:hashes)
order by 1, 2
"""

_CLUSTER_COUNTS = """
select f.cluster_id, min(f.language) as language, count(distinct f.stf_hash) as members, count(*) as occurrences,
       count(distinct a.correlation_id) as tasks
from debug_transform_functions f
join attempt_stfs s using (stf_hash)
join debug_execution_attempts a using (attempt_id)
where f.cluster_id = any(:ids)
group by f.cluster_id
order by f.cluster_id
"""
