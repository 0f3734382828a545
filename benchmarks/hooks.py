"""How long an agent waits: for a hook, for the socket, for the Python API, with `serve` warm, cold and absent. As JSON.

    python -m benchmarks.hooks            100,000 functions, 100,000 priced attempts
    python -m benchmarks.hooks --size N

A hook is the whole shell command of the settings, interpreter start included, run as an agent runs it. Half of the payloads are
prompts like those the registry holds (a third of their words changed), half failures of which every second one is known. `cold`: the
first second of `serve`, while the index is being opened. `said`: share of the hooks that said something. `cpu_ms`: CPU time of one hook,
shell and interpreter included; on a machine that others use too the wall clock also counts their turns. `again`: the same questions as before.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import text

from benchmarks.common import machine, postgres, scratch_directory, show, store
from benchmarks.match_epochs import fill
from benchmarks.matcher import Corpus, real_requests
from debug_loop_pipeline.effects.match_epoch_store import MatchEpochStore
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.serving.address import socket_path
from debug_loop_pipeline.serving.hook_settings import hook_command
from debug_loop_pipeline.serving.manifest_injector import ManifestInjector
from debug_loop_pipeline.serving.socket_client import ServeUnavailableError, ask
from debug_loop_pipeline.settings import RecommendationSettings, Settings
from debug_loop_pipeline.steps.ingestion import ingest_events
from debug_loop_pipeline.steps.run_all import run_dirty_days
from tests.support.events import fixed_task

KNOWN = "Exit code 1\nKeyError: 'name'"

_ATTEMPTS = """
insert into debug_execution_attempts (attempt_id, digest, day, correlation_id, peer_id, agent_name, importer, user_request,
       problem_signature, problem_hash, category, status, outcome, evidence_tier, started_at, completed_at, time_estimated, tokens_input,
       tokens_cache_read, tokens_cache_write_5m, tokens_cache_write_1h, tokens_output, usage_estimated, tools_used, files_modified,
       stf_ids, golden_state_ids)
select gen_random_uuid(), repeat('0', 64), date '2026-01-01', gen_random_uuid(), 'p', 'a', 'i', r, r, encode(sha256(r::bytea), 'hex'),
       (array['other', 'bug_fix', 'testing', 'refactoring', 'build'])[1 + n % 5], 'success', 'succeeded', 'measured', now(), now(), false,
       1, 0, 0, 0, 1, false, '{}', '{}', '{}', '{}'
from (select n, 'request ' || n as r from generate_series(1, :count) n) t
"""
_COSTS = """
insert into execution_costs (attempt_id, day, cost_usd, cost_category, unpriced_detail, model, by_model, tokens_input, tokens_cache_read,
       tokens_cache_write_5m, tokens_cache_write_1h, tokens_output, estimated)
select attempt_id, day, 0.01, 'cheap', '', (array['m1', 'm2', 'm3'])[1 + abs(hashtext(attempt_id::text)) % 3], '[]', 1, 0, 0, 0, 1, false
from debug_execution_attempts where digest = repeat('0', 64)
"""


def percentiles(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "p50_ms": round(ordered[len(ordered) // 2] * 1000, 1),
        "p95_ms": round(ordered[int(len(ordered) * 0.95)] * 1000, 1),
        "max_ms": round(ordered[-1] * 1000, 1),
    }


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    value = work()
    return time.perf_counter() - started, value


def payloads(queries: list[str], count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for number in range(count):
        about = {"session_id": f"s-{number % 20}", "cwd": "/nowhere"}
        if number % 2:
            error = KNOWN if number % 4 == 1 else f"Exit code 1\nValueError: unheard of {number}"
            found.append(about | {"hook_event_name": "PostToolUseFailure", "error": error, "tool_name": "Bash"})
        else:
            prompt = queries[number % len(queries)]
            found.append(about | {"hook_event_name": "UserPromptSubmit", "prompt": prompt})
    return found


def hooks(command: str, asked: list[dict[str, Any]]) -> dict[str, Any]:
    spent, said = [], 0
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for payload in asked:
        data = json.dumps(payload).encode()
        seconds, done = timed(
            lambda data=data: subprocess.run(["sh", "-c", command], input=data, stdout=subprocess.PIPE, check=True)
        )
        spent.append(seconds)
        said += bool(done.stdout)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) / len(asked)
    return percentiles(spent) | {"cpu_ms": round(cpu * 1000, 1), "said": round(said / len(asked), 2)}


def start(settings: Settings) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "debug_loop_pipeline.cli.main", "serve", "--no-import"],
        env={
            "PATH": "/usr/bin:/bin",
            "DEBUG_LOOP_POSTGRES_URL": settings.require_postgres_url(),
            "DEBUG_LOOP_DATA_DIR": str(settings.data_dir),
            "DEBUG_LOOP_RECOMMENDATION__HOLDOUT_SHARE": "0",
        },
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            ask(socket_path(settings.data_dir), {"op": "ping"}, 1)
            return process
        except ServeUnavailableError:
            time.sleep(0.005)
    raise SystemExit("`serve` did not come up")


def question(payload: dict[str, Any]) -> dict[str, Any]:
    if payload["hook_event_name"] == "UserPromptSubmit":
        return {"op": "manifest", "request": payload["prompt"], "occasion": "prompt", "session_id": "s"}
    return {"op": "manifest", "error": payload["error"], "occasion": "failure", "session_id": "s"}


def measure(settings: Settings, database: Database, queries: list[str], count: int) -> dict[str, Any]:
    command = hook_command("claude-code", settings.data_dir)
    asked = payloads(queries, count)
    address = socket_path(settings.data_dir)
    report: dict[str, Any] = {}
    bare = [timed(lambda: subprocess.run([sys.executable, "-I", "-S", "-c", "0"], check=True))[0] for _ in range(20)]
    report["interpreter"] = percentiles(bare)
    report["hook_absent"] = hooks(command, asked[: count // 2])
    report["epoch_s"] = round(timed(lambda: MatchEpochStore(database, settings).current(force_new=True))[0], 2)
    began = time.perf_counter()
    process = start(settings)
    try:
        report["serve_starts_s"] = round(time.perf_counter() - began, 2)
        report["hook_cold"] = hooks(command, asked[:20])
        while ask(address, {"op": "ping"}, 5)["epoch"] is None:
            time.sleep(0.01)
        report["hook_warm"] = hooks(command, asked)
        new = payloads(queries[count:], count)
        for name, kind, of in (
            ("prompt", "UserPromptSubmit", new),
            ("prompt_again", "UserPromptSubmit", new),
            ("failure", "PostToolUseFailure", asked),
        ):
            questions = [question(one) for one in of if one["hook_event_name"] == kind]
            spent = [timed(lambda q=q: ask(address, q, 10))[0] for q in questions]
            report[f"socket_{name}"] = percentiles(spent)
    finally:
        process.terminate()
        process.wait(30)
    injector = ManifestInjector(settings=settings)
    first = timed(lambda: injector.ask(**_api(asked[0])))[0]
    report["in_process_first_ms"] = round(first * 1000, 1)
    report["in_process"] = percentiles([timed(lambda one=one: injector.ask(**_api(one)))[0] for one in asked])
    injector.close()
    return report


def _api(payload: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in question(payload).items() if key != "op"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--hooks", type=int, default=200)
    chosen = parser.parse_args()
    corpus = Corpus(real_requests(), seed=7)
    documents, sample = corpus.stfs(chosen.size)
    queries = corpus.queries(sample, 2 * chosen.hooks)
    corpus.rng.shuffle(queries)
    with scratch_directory() as directory, postgres(directory) as server, store(server.url, directory) as context:
        ingest_events(context, [event for day in range(3) for event in fixed_task(f"task-{day}", day=day)], "benchmark")
        run_dirty_days(context)
        fill(context.database, documents)
        with context.database.transaction(statement_timeout_ms=0) as connection:
            connection.execute(text(_ATTEMPTS), {"count": chosen.size})
            connection.execute(text(_COSTS))
        with context.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("analyze"))
        settings = Settings(
            data_dir=Path(directory) / "data",
            postgres_url=server.url,
            recommendation=RecommendationSettings(holdout_share=0.0),
        )
        show(
            {"machine": machine(), "functions": chosen.size, "attempts": chosen.size}
            | measure(settings, context.database, queries, chosen.hooks)
        )


if __name__ == "__main__":
    main()
