"""What a fix looked like for the very error that it is shown for.

A resolution is shared by every error that the same change has mended, and its example is the first of all; beside another error it would
show files that have nothing to do with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database

LOOKED_AT = 20
"""Of so many events of a mapping the one with the shortest change is shown, in which the least is beside the point."""


def with_own_examples(database: Database, mappings: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of mappings (`mapping_id`, `example_diff`, `said`) with the example and words of one of their own successes.

    Of the first of them the one with the shortest diff, in which the least is beside the point; where none has one they stay as they are.
    """
    rows = list(mappings)
    ids = [row["mapping_id"] for row in rows]
    found = fetch_rows(database, _SHORTEST, {"ids": ids, "n": LOOKED_AT}) if ids else []
    own = {row["mapping_id"]: {"example_diff": row["example_diff"], "said": row["said"]} for row in found}
    return [row | own.get(row["mapping_id"], {}) for row in rows]


_SHORTEST = """
select m.mapping_id, shown.example_diff, shown.said
from debug_error_success_mappings m
cross join lateral (
    select first.example_diff, first.said
    from (
        select e.details ->> 'example_diff' as example_diff, e.details ->> 'said' as said, e.occurred_at, e.attempt_id
        from mapping_events e
        where e.signature = m.signature and e.resolution_id = m.resolution_id
          and (e.outcome = 'success' or m.success_count = 0)
        order by e.occurred_at, e.attempt_id
        limit :n
    ) first
    where first.example_diff <> ''
    order by length(first.example_diff), first.occurred_at, first.attempt_id
    limit 1
) shown
where m.mapping_id = any(:ids)
"""
