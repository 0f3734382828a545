"""How many error lines a second are normalised, beside Drain3 on the same lines.

    python -m benchmarks.normalise

The lines are all distinct ones of the errors in the real transcripts, of every format. `normalise` replaces what varies in a line;
`extract_error_pattern` also finds the line that matters in a whole message, its type, category, origin, files and
signatures. Drain3 mines templates: plain, and with masks for what our placeholders stand for. Rates are of CPU seconds, all in one
process. Hashing and scoring code: benchmarks/compute_code.py.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from drain3 import TemplateMiner
from drain3.masking import MaskingInstruction
from drain3.template_miner_config import TemplateMinerConfig

from benchmarks.common import cpu_seconds, machine, shared_data, show
from debug_loop_pipeline.compute.error_pattern_extractor import extract_error_pattern
from debug_loop_pipeline.compute.errors.error_normaliser import normalise
from debug_loop_pipeline.importers.base import ImportReport
from debug_loop_pipeline.importers.registry import files_under
from debug_loop_pipeline.models.execution import ExecutionError
from debug_loop_pipeline.steps.importing import attempts_of

_LEAST_CPU_S = 2.0
_MASKS = (
    (r"(?<!\w)(?:[A-Za-z]:)?(?:[\w.@+-]*[/\\])+[\w.@+-]+", "PATH"),
    (r"0x[0-9a-fA-F]+", "ADDR"),
    (r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", "UUID"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*", "TIMESTAMP"),
    (r"'[^']*'|\"[^\"]*\"", "VALUE"),
    (r"(?<!\w)\d+(?:\.\d+)?(?!\w)", "NUM"),
)


def real_errors() -> list[ExecutionError]:
    """Every error of every real transcript that has a trajectory."""
    found: list[ExecutionError] = []
    for importer, path in files_under(shared_data()):
        if hasattr(importer, "read"):
            for event in attempts_of(importer, path, ImportReport()):
                found += event.errors
    return found


def rate(work: Callable[[Any], object], items: Sequence[Any]) -> dict[str, float]:
    """Items and MB per CPU second, over as many rounds as make the figure steady; the fastest round counts."""
    size = sum(len(str(item)) for item in items) / 1e6
    spent, fastest = 0.0, float("inf")
    while spent < _LEAST_CPU_S:
        seconds = cpu_seconds(lambda: [work(item) for item in items])
        spent, fastest = spent + seconds, min(fastest, seconds)
    return {"per_cpu_s": round(len(items) / fastest), "mb_per_cpu_s": round(size / fastest, 2)}


def drain(lines: Sequence[str], masked: bool) -> tuple[dict[str, float], int]:
    """Drain3's rate on the lines, and how many templates it makes of them."""
    config = TemplateMinerConfig()
    config.profiling_enabled = False
    if masked:
        config.masking_instructions = [MaskingInstruction(pattern, name) for pattern, name in _MASKS]
    miner = TemplateMiner(config=config)
    measured = rate(miner.add_log_message, lines)
    return measured, len(miner.drain.clusters)


def pattern_of(error: ExecutionError) -> object:
    return extract_error_pattern(
        error.message,
        error_type=error.type,
        stacktrace=error.stacktrace,
        tool=error.tool,
        test=error.test,
        path=error.path,
    )


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    errors = list(dict.fromkeys(real_errors()))
    lines = list(dict.fromkeys(line for error in errors for line in error.message.splitlines() if line.strip()))
    plain, plain_templates = drain(lines, masked=False)
    masked, masked_templates = drain(lines, masked=True)
    ours = rate(normalise, lines)
    patterns = {normalise(line)[0] for line in lines}
    signatures = Counter(extract_error_pattern(error.message, error_type=error.type).signature for error in errors)
    show(
        {
            "benchmark": "normalise",
            "machine": machine(),
            "errors": len(errors),
            "lines": len(lines),
            "line_mb": round(sum(map(len, lines)) / 1e6, 3),
            "normalise_line": ours | {"patterns": len(patterns)},
            "drain3_plain": plain | {"templates": plain_templates},
            "drain3_masked": masked | {"templates": masked_templates},
            "normalise_over_drain3_plain": round(ours["per_cpu_s"] / plain["per_cpu_s"], 2),
            "normalise_over_drain3_masked": round(ours["per_cpu_s"] / masked["per_cpu_s"], 2),
            "extract_error_pattern": rate(pattern_of, errors) | {"signatures": len(signatures)},
        }
    )


if __name__ == "__main__":
    main()
