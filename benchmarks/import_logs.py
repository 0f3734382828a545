"""How fast transcripts are imported, in MB per CPU second of the importing process, and in how much memory.

    python -m benchmarks.import_logs           200 MB of sessions and one transcript of 300 MB, about a minute
    python -m benchmarks.import_logs --full    1 GB of sessions and one transcript of 2 GB

The sessions are the real Claude Code ones under new ids (benchmarks/corpus.py). One process reads, segments, redacts and
writes them into an embedded PostgreSQL, whose own CPU time is told beside it. The baseline is `orjson.loads` of the same
lines in the same process. Because all copies say the same words, caches that are keyed by them answer more often than they would
on sessions that differ; `cold` therefore is the first pass over the real files alone, by which nothing was cached.
`stages` is what each stage adds (the best of three warm passes over the real files), `profile` where the time of an import goes. MB
are 10^6 bytes.
"""

from __future__ import annotations

import argparse
import gc
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import orjson

from benchmarks.common import cpu_seconds, machine, peak_mb, postgres, scratch_directory, shared_data, show, store
from benchmarks.corpus import real_sessions, write_one_session, write_sessions

TARGET_MB_PER_CPU_S = 50
AIM_MB_PER_CPU_S = 100
TARGET_PEAK_MB = 500
_PROFILED_BYTES = 60_000_000


def drained(items: Iterator[object]) -> int:
    """Reads to the end; how many there were."""
    return sum(1 for _ in items)


def decode_lines(files: list[Path]) -> None:
    """The baseline: every line of every file as JSON."""
    loads = orjson.loads
    for path in files:
        with path.open("rb") as lines:
            for line in lines:
                try:
                    loads(line)
                except orjson.JSONDecodeError:
                    continue


def import_corpus(url: str, corpus: Path) -> dict[str, Any]:
    """What one process needs to import everything under `corpus` (a folder or a file)."""
    from debug_loop_pipeline.importers.registry import files_under
    from debug_loop_pipeline.steps.importing import import_files

    before = peak_mb()
    with store(url, corpus.parent / "data") as context:
        wall, cpu = time.perf_counter(), time.process_time()
        summary = import_files(context, files_under(corpus))
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    size = summary.reading.bytes
    return {
        "mb": round(size / 1e6, 1),
        "files": summary.files,
        "attempts": summary.attempts,
        "rejected": summary.rejected,
        "problems": summary.reading.problem_count,
        "cpu_s": round(cpu, 2),
        "wall_s": round(wall, 2),
        "mb_per_cpu_s": round(size / 1e6 / cpu, 1),
        "attempts_per_cpu_s": round(summary.attempts / cpu),
        "mb_before": before,
        "peak_mb": peak_mb(),
    }


def stages(files: list[Path]) -> dict[str, Any]:
    """CPU seconds per 100 MB that each stage adds to those before it, without a database; first of all in a cold process."""
    from debug_loop_pipeline.client.redaction import redact_events
    from debug_loop_pipeline.effects.execution_store import _inbox_row
    from debug_loop_pipeline.importers.base import ImportReport
    from debug_loop_pipeline.importers.registry import detect
    from debug_loop_pipeline.importers.segmenter import SegmenterOptions, segment
    from debug_loop_pipeline.steps.importing import attempts_of, batched, file_sha256

    size = sum(path.stat().st_size for path in files) / 1e6
    importers = {path: detect(path) for path in files}

    def read() -> None:
        for path, importer in importers.items():
            for trajectory in importer.read(path, ImportReport()):
                drained(trajectory.steps)

    def segmented() -> None:
        for path, importer in importers.items():
            for trajectory in importer.read(path, ImportReport()):
                drained(segment(trajectory, SegmenterOptions()))

    def attempts() -> Iterator[Any]:
        for path, importer in importers.items():
            yield from attempts_of(importer, path, ImportReport(), "0" * 64)

    def redacted() -> Iterator[Any]:
        for batch in batched(attempts(), 200):
            yield from redact_events(batch)

    works: list[tuple[str, Callable[[], object]]] = [
        ("hash the file", lambda: [file_sha256(path) for path in files]),
        ("read and decode", read),
        ("segment", segmented),
        ("redact what is cut", lambda: drained(attempts())),
        ("redact events", lambda: drained(redacted())),
        ("rows", lambda: drained(map(_inbox_row, redacted()))),
    ]
    cold = cpu_seconds(works[-1][1])
    added: dict[str, float] = {}
    before = 0.0
    for name, work in works:
        spent = min(cpu_seconds(work) for _ in range(3))
        alone = name == "hash the file"
        added[name] = round(100 * (spent - (0.0 if alone else before)) / size, 3)
        before = before if alone else spent
    return {
        "mb": round(size, 1),
        "cold_mb_per_cpu_s": round(size / cold, 1),
        "warm_mb_per_cpu_s": round(size / before, 1),
        "added_s_per_100_mb": added,
    }


def profiled(work: Callable[[], object], count: int = 30) -> dict[str, Any]:
    """Where the CPU time of this thread goes: samples of its stack every 2 ms or as often as the system's clock ticks.

    A tracing profiler would blame functions that are called often for its own work.
    """
    own: Counter[str] = Counter()
    within: Counter[str] = Counter()

    def sample(_signal: int, frame: FrameType | None) -> None:
        names = []
        while frame is not None:
            names.append(f"{Path(frame.f_code.co_filename).name}:{frame.f_code.co_name}")
            frame = frame.f_back
        own[names[0]] += 1
        within.update(set(names))

    before = signal.signal(signal.SIGPROF, sample)
    signal.setitimer(signal.ITIMER_PROF, 0.002, 0.002)
    try:
        work()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    total = max(1, own.total())
    return {
        "samples": own.total(),
        "own_share": {name: round(number / total, 3) for name, number in own.most_common(count)},
        "share": {name: round(number / total, 3) for name, number in within.most_common(2 * count)},
    }


def profile_import(url: str, corpus: Path) -> dict[str, Any]:
    """Where the time of a whole import goes."""
    from debug_loop_pipeline.importers.registry import files_under
    from debug_loop_pipeline.steps.importing import import_files

    with store(url, corpus.parent / "data") as context:
        return profiled(lambda: import_files(context, files_under(corpus)))


def worker(arguments: list[str]) -> Any:
    """Runs one measurement in a process of its own; its report."""
    command = [sys.executable, "-m", "benchmarks.import_logs", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout)


def measured(kind: str, corpus: Path, url: str = "") -> dict[str, Any]:
    """What a worker process does."""
    files = [path for path in sorted(corpus.rglob("*.jsonl")) if path.is_file()] if corpus.is_dir() else [corpus]
    if kind == "stages":
        return stages(files)
    if kind == "profile":
        return profile_import(url, corpus)
    report = import_corpus(url, corpus)
    gc.collect()
    sample, size = [], 0
    for path in files:
        sample.append(path)
        size += path.stat().st_size
        if size > 100e6:
            break
    seconds = cpu_seconds(lambda: decode_lines(sample))
    report["orjson_alone_mb_per_cpu_s"] = round(size / 1e6 / seconds, 1)
    report["of_orjson_alone"] = round(report["mb_per_cpu_s"] / report["orjson_alone_mb_per_cpu_s"], 3)
    return report


def run(total: int, single: int) -> dict[str, Any]:
    """The whole benchmark, with so many bytes of sessions and a transcript of so many."""
    sessions = real_sessions(shared_data())
    report: dict[str, Any] = {"benchmark": "import_logs", "machine": machine()}
    with scratch_directory() as directory, postgres(directory) as server:
        report["real"] = {"sessions": len(sessions), "mb": round(sum(s.size for s in sessions) / 1e6, 1)}
        once = directory / "once" / "sessions"
        write_sessions(sessions, once, sum(s.size for s in sessions))
        report["stages"] = worker(["--measure", "stages", str(once)])

        several = directory / "several" / "sessions"
        write_sessions(sessions, several, _PROFILED_BYTES, first=100_000)
        report["profile"] = worker(["--measure", "profile", str(several), server.url])
        _remove(several)

        corpus = directory / "many" / "sessions"
        write_sessions(sessions, corpus, total)
        before = server.cpu_s()
        imported = worker(["--measure", "import", str(corpus), server.url])
        imported["postgres_cpu_s"] = round(server.cpu_s() - before, 2)
        imported["target_mb_per_cpu_s"] = TARGET_MB_PER_CPU_S
        imported["aim_mb_per_cpu_s"] = AIM_MB_PER_CPU_S
        report["import"] = imported
        _remove(corpus)

        transcript = directory / "one" / "transcript.jsonl"
        transcript.parent.mkdir()
        write_one_session(sessions, transcript, single, first=200_000)
        report["one_transcript"] = worker(["--measure", "import", str(transcript), server.url])
        report["one_transcript"]["target_peak_mb"] = TARGET_PEAK_MB
    return report


def _remove(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="1 GB of sessions, a transcript of 2 GB")
    parser.add_argument("--mb", type=int, default=200, help="MB of sessions")
    parser.add_argument("--single-mb", type=int, default=300, help="MB of the one transcript")
    parser.add_argument("--measure", nargs="+", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.measure:
        kind, corpus, *url = chosen.measure
        show(measured(kind, Path(corpus), *url))
        return
    total, single = (1_000, 2_000) if chosen.full else (chosen.mb, chosen.single_mb)
    show(run(total * 1_000_000, single * 1_000_000))


if __name__ == "__main__":
    main()
