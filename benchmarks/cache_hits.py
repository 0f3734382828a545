"""Hit rates of the compute caches on a replay of the real data.

    python -m benchmarks.cache_hits

The real transcripts of every format are imported in the order of their start and computed day by day, as the sensor would ask for
them, by one process that keeps its caches: code scores, error patterns. Then every attempt asks for
functions as an agent does, by its request: once when it starts, in order of time, against the finished registry. A cache that
answers nothing twice has a hit rate of 0. The baseline is the share of questions that repeat at all.
"""

from __future__ import annotations

import argparse
from typing import Any

from benchmarks.common import machine, postgres, scratch_directory, shared_data, show, store
from debug_loop_pipeline.compute import event_errors
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.match_cache import MatchCache
from debug_loop_pipeline.effects.match_epoch_store import MatchEpochStore
from debug_loop_pipeline.importers.registry import files_under
from debug_loop_pipeline.models.matching import MatchQuery
from debug_loop_pipeline.steps.code_scores import CODE_SCORES
from debug_loop_pipeline.steps.framework import Span, StepContext
from debug_loop_pipeline.steps.importing import import_files
from debug_loop_pipeline.steps.run_all import run_all
from debug_loop_pipeline.steps.stf_matches import match_options

TARGET = 0.6


def rate(hits: int, misses: int) -> dict[str, Any]:
    asked = hits + misses
    return {"asked": asked, "hits": hits, "hit_rate": round(hits / asked, 3) if asked else None, "target": TARGET}


def replay(context: StepContext) -> dict[str, Any]:
    """Imports, computes and asks; the hit rates."""
    imported = import_files(context, files_under(shared_data()))
    days = context.executions.dirty_days()
    event_errors.pattern_of.cache_clear()
    for day in days:
        run_all(context, Span(day, day))
    errors = event_errors.pattern_of.cache_info()
    scores = rate(CODE_SCORES.hits, CODE_SCORES.misses)
    run_all(context, Span(days[0], days[-1]), full_refresh=True)
    again = rate(CODE_SCORES.hits - scores["hits"], CODE_SCORES.misses - scores["asked"] + scores["hits"])

    cache, index_store = MatchCache(), MatchEpochStore(context.database, context.settings)
    options = match_options(context.settings)
    asked = fetch_rows(
        context.database, "select problem_signature from debug_execution_attempts order by started_at, attempt_id"
    )
    found = 0
    for row in asked:
        query = MatchQuery(problem_signature=row["problem_signature"])
        found += bool(cache.match(query, index_store.current(), options))
    functions = fetch_rows(context.database, "select code from attempt_stfs")
    return {
        "attempts": imported.attempts,
        "days": len(days),
        "code_scores": scores
        | {"repeated_share": round(1 - len({row["code"] for row in functions}) / max(1, len(functions)), 3)},
        "code_scores_on_recompute": again,
        "error_patterns": rate(errors.hits, errors.misses),
        "matches": rate(cache.hits, cache.misses)
        | {
            "repeated_share": round(1 - len({row["problem_signature"] for row in asked}) / max(1, len(asked)), 3),
            "with_a_match": found,
        },
    }


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    with scratch_directory() as directory, postgres(directory) as server, store(server.url, directory) as context:
        show({"benchmark": "cache_hits", "machine": machine()} | replay(context))


if __name__ == "__main__":
    main()
