"""How fast the code units are: extraction, scoring, hashing, similarity; beside tree-sitter's own parse of the same text.

Usage: python benchmarks/compute_code.py [--files N]. The text is Python's standard library, the functions those that the
extractor finds in it. Prints JSON; rates are of CPU seconds of one process.
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import sysconfig
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from tree_sitter import Parser

from debug_loop_pipeline.compute.code.languages import PYTHON, compiled
from debug_loop_pipeline.compute.code.stf_similarity import bands, fingerprint, minhash, similarity
from debug_loop_pipeline.compute.debug_stf_extractor import extract_stfs
from debug_loop_pipeline.compute.stf_hash import stf_hash
from debug_loop_pipeline.compute.stf_quality import score_code
from debug_loop_pipeline.models.execution import CodeBlob

T = TypeVar("T")


def measured(work: Callable[[T], object], items: Sequence[T], size: int, baseline: float | None) -> dict[str, float]:
    """Rates of one unit over items, with the longest single call."""
    longest, begin = 0.0, time.process_time()
    for item in items:
        start = time.perf_counter()
        work(item)
        longest = max(longest, time.perf_counter() - start)
    seconds = time.process_time() - begin
    rates = {
        "per_second": round(len(items) / seconds, 1),
        "mb_per_second": round(size / 1e6 / seconds, 2),
        "longest_ms": round(longest * 1000, 2),
    }
    if baseline is not None:
        rates["of_parse_alone"] = round(rates["mb_per_second"] / baseline, 3)
    return rates


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--files", type=int, default=80)
    options = arguments.parse_args()
    paths = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))[: options.files]
    blobs = [CodeBlob(path=path.name, content=path.read_text(encoding="utf-8")) for path in paths]
    size = sum(len(blob.content.encode()) for blob in blobs)
    language = compiled(PYTHON.grammars[0]).language
    parse = measured(lambda blob: Parser(language).parse(blob.content.encode()), blobs, size, None)
    baseline = parse["mb_per_second"]
    extract = measured(lambda blob: extract_stfs([blob]), blobs, size, baseline)
    codes = [candidate.code for blob in blobs for candidate in extract_stfs([blob]).candidates]
    code_size = sum(len(code.encode()) for code in codes)
    prints = [fingerprint(code, "python") for code in codes]
    pairs = [(a.shingles, b.shingles) for a, b in itertools.pairwise(prints)]
    print(
        json.dumps(
            {
                "machine": {"python": platform.python_version(), "machine": platform.machine()},
                "input": {"files": len(blobs), "bytes": size, "functions": len(codes), "function_bytes": code_size},
                "parse_alone": parse,
                "parse_functions": measured(
                    lambda code: Parser(language).parse(code.encode()), codes, code_size, baseline
                ),
                "extract": extract,
                "score": measured(lambda code: score_code(code, "python"), codes, code_size, baseline),
                "hash": measured(lambda code: stf_hash(code, "python"), codes, code_size, baseline),
                "fingerprint": measured(lambda code: fingerprint(code, "python"), codes, code_size, baseline),
                "minhash_bands": measured(lambda one: bands(minhash(one.shingles)), prints, code_size, None),
                "similarity": measured(lambda pair: similarity(*pair), pairs, code_size, None),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
