"""How many attempts a second go through the whole graph (`steps.run_all`), in all and by step.

    python -m benchmarks.graph           2,000 attempts over 10 days, then 100 more; about a minute
    python -m benchmarks.graph --full    20,000 attempts on 10 days, then 100,000 on one day and 100 more

Attempts are made by hand: tasks of one to four attempts that fail at one of 60 forms of error with values of their own and end
in a pass, with a real function of Python's standard library as the code that was written. One process, an embedded
PostgreSQL. The baseline of `hundred_more` is a hundred on an empty day of the same store: DOMAIN section 5 wants at most 1.5
times that where the day holds 100,000. A hundred in a store that holds next to nothing is told beside it.
"""

from __future__ import annotations

import argparse
import random
import sysconfig
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from operator import itemgetter
from pathlib import Path
from statistics import median
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from benchmarks.common import Server, machine, peak_mb, postgres, scratch_directory, show, store
from debug_loop_pipeline.compute.debug_stf_extractor import extract_stfs
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.models.execution import CodeBlob, ExecutionEvent
from debug_loop_pipeline.steps.framework import Span, StepContext
from debug_loop_pipeline.steps.importing import batched
from debug_loop_pipeline.steps.ingestion import ingest_events
from debug_loop_pipeline.steps.run_all import run_all

START = datetime(2026, 3, 1, tzinfo=UTC)
_ROUNDS = 5
MODELS = ("claude-sonnet-4-5", "gpt-5", "gemini-2.5-pro")
VERBS = ["fix", "repair", "extend", "rewrite", "test", "speed", "document", "port"]
THINGS = ["parser", "loader", "cache", "client", "report", "router", "schema", "worker", "queue", "exporter"]
ERRORS = (
    "KeyError: '{0}'",
    "AttributeError: 'NoneType' object has no attribute '{0}'",
    "ModuleNotFoundError: No module named '{0}'",
    "TypeError: {0}() got an unexpected keyword argument '{1}'",
    "ValueError: invalid literal for int() with base 10: '{0}'",
    "FileNotFoundError: [Errno 2] No such file or directory: '/srv/{0}/{1}.json'",
)


def functions(seed: int) -> list[str]:
    """Functions of the standard library that the extractor takes, shuffled."""
    paths = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    blobs = [CodeBlob(path=path.name, content=path.read_text(encoding="utf-8")) for path in paths[:120]]
    found = [candidate.code for blob in blobs for candidate in extract_stfs([blob]).candidates]
    random.Random(seed).shuffle(found)
    return found


class Attempts:
    """Draws tasks of attempts; the same seed draws the same."""

    def __init__(self, codes: list[str], seed: int, days: int) -> None:
        self._codes, self._random, self._seed, self._days = codes, random.Random(seed), seed, days

    def __iter__(self) -> Iterator[ExecutionEvent]:
        task = 0
        while True:
            length = self._random.randint(1, 4)
            error = ERRORS[task % len(ERRORS)]
            form = task % 10
            text = f"{error} in step {THINGS[form]}".format(f"value_{task}", f"other_{self._random.randrange(500)}")
            at = START + timedelta(minutes=self._random.randrange(self._days * 24 * 60 - 60))
            for number in range(length):
                yield self._attempt(task, number, number + 1 == length, text, at + timedelta(minutes=5 * number))
            task += 1

    def _attempt(self, task: int, number: int, passes: bool, error: str, at: datetime) -> ExecutionEvent:
        name = f"{self._seed}-{task}-{number}"
        goal = f"pytest tests/test_{THINGS[task % 10]}_{task % 97}.py"
        step = number * 10
        edit = {
            "path": f"src/{THINGS[task % 10]}.py",
            "language": "python",
            "before": f'return row["{VERBS[task % 8]}"]',
            "after": f'return row.get("{VERBS[task % 8]}", {self._random.randrange(6)})',
            "said": "The key may be missing.",
            "step": step + 1,
            "tool_call_id": f"edit-{name}",
        }
        values: dict[str, Any] = {
            "attempt_id": uuid5(NAMESPACE_URL, name),
            "correlation_id": uuid5(NAMESPACE_URL, f"{self._seed}-{task}"),
            "execution_id": f"run-{self._seed}-{task}",
            "session_id": f"session-{self._seed}-{task}",
            "agent_name": "benchmark",
            "user_request": f"{VERBS[task % 8].title()} the {THINGS[task % 10]} of module {task % 300}: {error}",
            "status": "success" if passes else "error",
            "started_at": at,
            "completed_at": at + timedelta(minutes=4),
            "verifications": [
                {
                    "command": goal,
                    "goal": goal,
                    "goal_tool": "pytest",
                    "goal_target": [goal.split()[1]],
                    "verdict": "pass" if passes else "fail",
                    "exit_code": 0 if passes else 1,
                    "step": step + 5,
                    "tool_call_id": f"verify-{name}",
                    "at": at + timedelta(minutes=4),
                }
            ],
            "tools_used": ["Edit", "Bash"],
            "edits": [edit],
            "model_used": MODELS[task % 3],
            "provider": ("anthropic", "openai", "google")[task % 3],
            "usage": [
                {"message_id": f"m-{name}", "request_id": "r", "at": at, "tokens_input": 5_000, "tokens_output": 900}
            ],
            "context": {"repository": f"example/{task % 7}", "commit": "0" * 40},
        }
        if passes:
            code = self._codes[self._random.randrange(len(self._codes))]
            values["code_written"] = [{"path": edit["path"], "language": "python", "content": code}]
        else:
            values["errors"] = [{"message": error, "type": error.split(":")[0], "verification": 0, "step": step + 5}]
        return ExecutionEvent.model_validate(values)


def fill(context: StepContext, events: list[ExecutionEvent]) -> float:
    """Takes the events in; the seconds it took."""
    started = time.perf_counter()
    for batch in batched(events, 500):
        ingest_events(context, batch, "benchmark")
    return time.perf_counter() - started


def through(context: StepContext, server: Server, events: list[ExecutionEvent], span: Span) -> dict[str, Any]:
    """The events through ingestion and every step; seconds and rates."""
    wall, cpu, server_cpu = time.perf_counter(), time.process_time(), server.cpu_s()
    ingested = fill(context, events)
    reports = run_all(context, span)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    steps = {"ingestion": ingested} | {report.step: report.seconds for report in reports}
    return {
        "attempts": len(events),
        "wall_s": round(wall, 2),
        "cpu_s": round(cpu, 2),
        "postgres_cpu_s": round(server.cpu_s() - server_cpu, 2),
        "attempts_per_s": round(len(events) / wall, 1),
        "attempts_per_cpu_s": round(len(events) / cpu, 1),
        "ms_per_attempt_by_step": {name: round(1000 * s / len(events), 3) for name, s in steps.items()},
    }


def hundred_more(
    full: tuple[StepContext, Span],
    other: StepContext,
    server: Server,
    draw: Callable[[int, Span], list[ExecutionEvent]],
) -> dict[str, Any]:
    """A hundred attempts on the full day, on a day of the same store that is empty, and in a store with nothing else.

    In turns, so that what else the machine does is in all of them; medians of `_ROUNDS`.
    """
    context, day = full
    taken: dict[str, list[dict[str, Any]]] = {"empty_day": [], "full_day": [], "empty_store": []}
    hundreds = count(100)
    for number in range(1, _ROUNDS + 1):
        empty = Span(day.first + timedelta(days=number), day.first + timedelta(days=number))
        for name, where, span in zip(taken, (context, context, other), (empty, day, empty), strict=True):
            before = rows_read(where)
            told = through(where, server, draw(next(hundreds), span), span)
            taken[name].append(told | {"rows_read": rows_read(where) - before})

    def middle(name: str, value: Callable[[dict[str, Any]], float]) -> float:
        return round(median(map(value, taken[name])), 3)

    walls = {name: middle(name, itemgetter("wall_s")) for name in taken}
    return {
        "rounds": _ROUNDS,
        "seconds": walls,
        "ratio": round(walls["full_day"] / walls["empty_day"], 2),
        "target_ratio": 1.5,
        "ratio_to_an_empty_store": round(walls["full_day"] / walls["empty_store"], 2),
        "rows_read": {name: middle(name, itemgetter("rows_read")) for name in taken},
        "ms_per_attempt_by_step": {
            step: {name: middle(name, lambda told, step=step: told["ms_per_attempt_by_step"][step]) for name in taken}
            for step in taken["full_day"][0]["ms_per_attempt_by_step"]
        },
    }


def rows_read(context: StepContext) -> int:
    """Rows that the server has read for this database so far, by sequential and index scans."""
    context.database.engine.dispose()  # a connection that ends tells its counts
    time.sleep(0.3)
    query = "select coalesce(sum(seq_tup_read + idx_tup_fetch), 0) as rows from pg_stat_user_tables"
    return int(fetch_rows(context.database, query)[0]["rows"])


def run(total: int, on_one_day: int, days: int, seed: int) -> dict[str, Any]:
    """The whole benchmark."""
    codes = functions(seed)
    report: dict[str, Any] = {"benchmark": "graph", "machine": machine(), "functions": len(codes)}

    def draw(count: int, other_seed: int, span: Span) -> list[ExecutionEvent]:
        moved = span.first - START.date()
        return [
            e.model_copy(
                update={"started_at": e.started_at + moved, "completed_at": e.started_at + moved + timedelta(minutes=4)}
            )
            for e in islice(Attempts(codes, other_seed, 1), count)
        ]

    with scratch_directory() as directory, postgres(directory) as server, store(server.url, directory) as context:
        last = START.date() + timedelta(days=days)
        one_day = Span(START.date() - timedelta(days=30), START.date() - timedelta(days=30))
        through(context, server, draw(20, seed + 4, one_day), one_day)  # the first run pays for start-up
        report["whole_graph"] = through(
            context, server, list(islice(Attempts(codes, seed, days), total)), Span(START.date(), last)
        )
        report["one_day"] = through(context, server, draw(on_one_day, seed + 2, one_day), one_day)
        with store(server.another_database(), directory) as other:
            through(other, server, draw(20, seed + 4, one_day), one_day)
            report["hundred_more"] = {"on_a_day_that_holds": on_one_day} | hundred_more(
                (context, one_day), other, server, lambda number, span: draw(100, seed + number, span)
            )
    report["peak_mb"] = peak_mb()
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="20,000 attempts, and 100,000 on one day")
    parser.add_argument("--attempts", type=int, default=2_000)
    parser.add_argument("--one-day", type=int, default=2_000, help="attempts of the day that gets a hundred more")
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--seed", type=int, default=7)
    chosen = parser.parse_args()
    total, on_one_day = (20_000, 100_000) if chosen.full else (chosen.attempts, chosen.one_day)
    show(run(total, on_one_day, chosen.days, chosen.seed))


if __name__ == "__main__":
    main()
