"""What the match index costs beside a real registry: fitting an epoch, opening its files, following changes.

    python -m benchmarks.match_epochs           50,000 functions, half a minute
    python -m benchmarks.match_epochs --full    1,000,000 functions

The registry is filled with the synthetic requests of benchmarks/matcher.py. `begin` reads it in a stream, fits and saves an epoch;
`open` maps it in another process and reads what changed; `follow` is the same question again in a process that keeps the index
(what a resident server asks before it answers), with the registry unchanged and then changed in several ways. The baseline is the
number of functions read as rows, and nothing done with them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import text

from benchmarks.common import machine, peak_mb, postgres, scratch_directory, show, store
from benchmarks.matcher import Corpus, real_requests
from debug_loop_pipeline.effects.match_epoch_store import MatchEpochStore, epochs_folder
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.steps.framework import StepContext

_CHUNK = 20_000
_CHANGED = 100

_FILL = """
insert into debug_transform_functions (stf_hash, language, name, code, description, problem_signature, category, details,
       quality_score, quality_tier, quality, confidence, evidence_tier, approval, contains_redaction, occurrences, first_attempt_id,
       first_completed_at, last_completed_at, peer_id)
select encode(sha256(cast(number as text)::bytea), 'hex'), 'python', 'f' || number, repeat('x', 600), null, request, 'other', '{}',
       0.8, 'good', '{}', 0.7, 'measured', 'approved', false, 1, gen_random_uuid(), now(), now(), 'peer-' || number % 50
from unnest(cast(:numbers as bigint[]), cast(:requests as text[])) as t (number, request)
"""


def fill(database: Database, requests: list[str], first: int = 0) -> None:
    """Functions with these requests."""
    for start in range(0, len(requests), _CHUNK):
        part = requests[start : start + _CHUNK]
        with database.transaction() as connection:
            numbers = list(range(first + start, first + start + len(part)))
            connection.execute(text(_FILL), {"numbers": numbers, "requests": part})


def seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return round(time.perf_counter() - started, 4)


def milliseconds(work: Callable[[], Any], times: int = 9) -> float:
    """The median of several calls."""
    return round(sorted(seconds(work) for _ in range(times))[times // 2] * 1000, 2)


def begin(context: StepContext) -> dict[str, Any]:
    before = peak_mb()
    index = MatchEpochStore(context.database, context.settings)
    spent = seconds(lambda: index.current(force_new=True))
    size = sum(path.stat().st_size for path in epochs_folder(context.settings).rglob("*.npy"))
    return {"begin_s": spent, "files_mb": round(size / 1e6, 1), "mb_before": before, "peak_mb": peak_mb()}


def read_only(context: StepContext) -> dict[str, Any]:
    def rows() -> None:
        with context.database.transaction() as connection:
            streamed = connection.execute(
                text(
                    "select stf_hash, problem_signature, name, category from debug_transform_functions order by stf_hash"
                ),
                execution_options={"stream_results": True, "yield_per": _CHUNK},
            )
            for _ in islice(streamed, None):
                pass

    return {"read_rows_s": seconds(rows)}


def follow(context: StepContext, count: int, requests: list[str]) -> dict[str, Any]:
    opened = milliseconds(lambda: MatchEpochStore(context.database, context.settings).current())
    index = MatchEpochStore(context.database, context.settings)
    number = index.current().epoch
    report = {"open_ms": opened, "unchanged_ms": milliseconds(index.current)}

    def after(name: str, change: Callable[[], Any]) -> None:
        change()
        report[f"after_{name}_ms"] = round(seconds(index.current) * 1000, 2)

    def run(statement: str) -> None:
        with context.database.transaction() as connection:
            connection.execute(text(statement))

    after("functions_added", lambda: fill(context.database, requests[:_CHANGED], count))
    after(
        "functions_changed",
        lambda: run(
            "update debug_transform_functions set quality_score = 0.9"
            f" where stf_hash in (select stf_hash from debug_transform_functions order by stf_hash limit {_CHANGED})"
        ),
    )
    after("a_suppression", lambda: run("insert into suppressions values ('peer', 'peer-7', 'benchmark', 'benchmark')"))
    run("delete from suppressions")
    after(
        "a_deletion",
        lambda: run(
            "delete from debug_transform_functions where stf_hash = (select min(stf_hash) from debug_transform_functions)"
        ),
    )
    report["same_epoch"] = index.current().epoch == number
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="1,000,000 functions")
    parser.add_argument("--functions", type=int, default=50_000)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.measure:
        url, directory = chosen.measure
        with store(url, Path(directory)) as context:
            show(begin(context))
        return
    count = 1_000_000 if chosen.full else chosen.functions
    corpus = Corpus(real_requests(), 7)
    with scratch_directory() as directory, postgres(directory) as server, store(server.url, directory) as context:
        topics = corpus.topics(count)
        filled = 0
        while filled < count:
            asked = corpus.requests(min(200_000, count - filled), topics)[0]
            fill(context.database, asked, filled)
            filled += len(asked)
        with context.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("vacuum analyze debug_transform_functions"))
        time.sleep(2)  # else the last rows count as changed while the epoch was read
        command = [sys.executable, "-m", "benchmarks.match_epochs", "--measure", server.url, str(directory)]
        begun = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
        report = {"benchmark": "match_epochs", "machine": machine(), "functions": count}
        show(report | begun | read_only(context) | follow(context, count, corpus.requests(_CHANGED, topics)[0]))


if __name__ == "__main__":
    main()
