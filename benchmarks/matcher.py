"""How fast the STF matcher fits and matches, as JSON.

    python benchmarks/matcher.py            10,000 and 100,000 STFs, about half a minute
    python benchmarks/matcher.py --full     and 1,000,000 (needs 3 GB)

The STFs are synthetic but shaped like real requests: lengths and commonest words come from the prompts under
../shared/data where that exists, rarer words follow a Zipf law, and half of a request's words belong to its topic, so
that similar requests exist. An STF is a request of 5 to 60 words and a description of 4 to 15. Queries are half
requests that the index holds with a third of their words changed, half new ones. Every figure beside `match` comes from
the same queries in the same process; results are compared. `hybrid` is the same by words and meaning (extra `embedding`). `match_cpu` is the same in CPU time of the thread: on a
machine that others use too, the wall clock also counts their turns.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np

from debug_loop_pipeline.compute.matching.problem_signature import problem_signature
from debug_loop_pipeline.compute.stf_matcher import MatchIndex, StfColumns, match_stfs, text_digests
from debug_loop_pipeline.effects.embedding_model import load_embedder
from debug_loop_pipeline.models.matching import MatchOptions, MatchQuery

VOCABULARY = 120_000
ZIPF_EXPONENT = 1.05
TOPIC_WORDS = 40
DOCUMENTS_PER_TOPIC = 60
DESCRIPTION_WORDS = range(4, 16)
CHUNK = 50_000


def real_requests() -> list[str]:
    root = Path(os.environ.get("DEBUG_LOOP_SHARED_DATA", "../shared/data"))
    texts = [path.read_text(errors="replace") for path in sorted(root.glob("**/prompt.txt"))]
    return [problem_signature(part) for text in texts for part in text.split("\n---\n") if part.strip()]


class Corpus:
    """Draws documents and queries; the same seed draws the same."""

    def __init__(self, requests: list[str], seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        common = [word for word, _ in Counter(" ".join(requests).split()).most_common() if word.isalpha()]
        self.words = np.array([*common, *(f"term{number}x" for number in range(VOCABULARY - len(common)))])
        chance = 1.0 / np.arange(2, VOCABULARY + 2) ** ZIPF_EXPONENT
        self.cumulative = np.cumsum(chance / chance.sum())
        lengths = [min(60, max(5, len(text.split()))) for text in requests]
        self.lengths = np.array(lengths or list(range(5, 61)))

    def ranks(self, count: int) -> np.ndarray:
        return np.searchsorted(self.cumulative, self.rng.random(count)).clip(max=VOCABULARY - 1)

    def requests(self, count: int, topics: np.ndarray) -> tuple[list[str], list[str]]:
        """Requests, and the same with a description."""
        lengths = self.rng.choice(self.lengths, count)
        ends = np.cumsum(lengths + self.rng.choice(DESCRIPTION_WORDS, count))
        total = int(ends[-1])
        topic = np.repeat(self.rng.integers(len(topics), size=count), np.diff(ends, prepend=0))
        of_topic = topics[topic, self.rng.integers(TOPIC_WORDS, size=total)]
        drawn = self.words[np.where(self.rng.random(total) < 0.5, of_topic, self.ranks(total))].tolist()
        spans = list(pairwise([0, *ends.tolist()]))
        asked = [" ".join(drawn[start : start + length]) for (start, _), length in zip(spans, lengths, strict=True)]
        return asked, [" ".join(drawn[start:end]) for start, end in spans]

    def stfs(self, count: int) -> tuple[list[str], list[str]]:
        """Documents of so many STFs, and a sample of their requests."""
        topics = self.topics(count)
        documents, sample = [], []
        for first in range(0, count, CHUNK):
            asked, described = self.requests(min(CHUNK, count - first), topics)
            documents += described
            sample += asked[:: max(1, count // 2_000)]
        return documents, sample

    def topics(self, count: int) -> np.ndarray:
        return self.ranks(max(1, count // DOCUMENTS_PER_TOPIC) * TOPIC_WORDS).reshape(-1, TOPIC_WORDS)

    def queries(self, sample: list[str], count: int) -> list[str]:
        known = [sample[number] for number in self.rng.integers(len(sample), size=count // 2)]
        changed = []
        for text in known:
            words = np.array(text.split(), dtype=object)
            swap = self.rng.random(len(words)) < 1 / 3
            words[swap] = self.words[self.ranks(int(swap.sum()))]
            changed.append(" ".join(words))
        return changed + self.requests(count - len(changed), self.topics(count))[0]

    def columns(self, documents: list[str]) -> StfColumns:
        count = len(documents)
        return StfColumns(
            ids=np.array([b"%016x" % number for number in range(count)]),
            quality=np.round(self.rng.beta(6, 3, count), 3),
            usage=self.rng.geometric(0.2, count) - 1,
            success=np.round(self.rng.random(count), 2),
            category=np.full(count, b"bug_fix"),
            completed=np.arange(count, dtype=np.int64),
            attempt=np.zeros(count, dtype="S16"),
            document=text_digests(documents),
            active=np.ones(count, dtype=bool),
        )


def milliseconds(seconds: list[float]) -> dict[str, float]:
    p50, p95, p99 = np.percentile(np.array(seconds) * 1e3, [50, 95, 99])
    return {"p50_ms": round(p50, 3), "p95_ms": round(p95, 3), "p99_ms": round(p99, 3)}


def resident_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return round(int(line.split()[1]) / 1024, 1)
    return 0.0


def full_scan(index: MatchIndex, text: str, options: MatchOptions, by_meaning: np.ndarray | None = None) -> list[bytes]:
    """Every row scored with scipy, then sorted: what the pruned search must equal."""
    columns = index.columns
    similarity = index.epoch.similarities(index.epoch.vector(text))
    if by_meaning is not None:
        similarity = np.minimum(np.round((similarity + by_meaning) / 2, 6), 1.0)
    rows = np.flatnonzero((similarity >= options.min_similarity) & (columns.quality >= options.min_quality))
    boost = np.where(columns.usage[rows] > 10, 1.1, 1.0)
    composite = np.minimum(np.round((0.6 * similarity[rows] + 0.4 * columns.quality[rows]) * boost, 6), 1.0)
    order = np.lexsort(
        (columns.ids[rows], -columns.usage[rows], -columns.quality[rows], -columns.success[rows], -composite)
    )
    return columns.ids[rows[order[: options.limit]]].tolist()


def unpruned_columns(index: MatchIndex, text: str) -> None:
    """All postings of the query's terms added up with scipy: the yardstick of MEASURED."""
    vector = index.epoch.vector(text)
    partial = index.epoch._accumulate(vector, np.ones(len(vector.positions), dtype=bool))
    rows = np.flatnonzero(partial >= 0.5)
    rows[np.argsort(-partial[rows])][:5]


def measure_hybrid(index: MatchIndex, documents: list[str], asked: list[str], scans: int) -> dict[str, object]:
    """The same queries by words and meaning: what it costs, and whether a comparison of every row finds the same."""
    embedder = load_embedder()
    started, began = time.perf_counter(), time.process_time()
    vectors = embedder.embed(documents)
    embedded, worked_on = time.perf_counter() - started, time.process_time() - began
    index = MatchIndex.of_epoch(index.epoch, index.columns, index.epoch_id, embedder, vectors)
    options = MatchOptions(algorithm="hybrid")
    spent, worked, found = [], [], []
    for text in asked:
        query = MatchQuery(problem_signature=text)
        started, began = time.perf_counter(), time.thread_time()
        found.append(match_stfs(query, index, options))
        worked.append(time.thread_time() - began)
        spent.append(time.perf_counter() - started)
    step = max(1, len(asked) // scans)
    differing = 0
    for text, matches in zip(asked[::step], found[::step], strict=True):
        by_meaning = vectors.similarities(embedder.embed([text]))
        ids = full_scan(index, text, options, by_meaning)
        differing += ids != [match.stf_id.encode() for match in matches]
    return {
        "embed_s": round(embedded, 2),
        "embed_cpu_s": round(worked_on, 2),
        "match": milliseconds(spent),
        "match_cpu": milliseconds(worked),
        "queries_with_a_match": sum(bool(matches) for matches in found),
        "scans_compared": len(asked[::step]),
        "scans_differing": differing,
        "vectors_mb": round((vectors.components.nbytes + vectors.lengths.nbytes) / 2**20, 1),
    }


def measure(corpus: Corpus, size: int, queries: int, scans: int) -> dict[str, object]:
    documents, sample_requests = corpus.stfs(size)
    columns = corpus.columns(documents)
    before = resident_mb()
    started = time.perf_counter()
    index = MatchIndex.of_columns(columns, documents)
    fitted = time.perf_counter() - started
    asked = corpus.queries(sample_requests, queries)
    options = MatchOptions()
    for text in asked[:10]:
        match_stfs(MatchQuery(problem_signature=text), index, options)
    spent, worked, found = [], [], []
    for text in asked:
        query = MatchQuery(problem_signature=text)
        started, began = time.perf_counter(), time.thread_time()
        found.append(match_stfs(query, index, options))
        worked.append(time.thread_time() - began)
        spent.append(time.perf_counter() - started)
    sample = asked[:: max(1, queries // scans)]
    scanned, unpruned, differing = [], [], 0
    for text, matches in zip(sample, found[:: max(1, queries // scans)], strict=True):
        started = time.perf_counter()
        ids = full_scan(index, text, options)
        scanned.append(time.perf_counter() - started)
        differing += ids != [match.stf_id.encode() for match in matches]
        started = time.perf_counter()
        unpruned_columns(index, text)
        unpruned.append(time.perf_counter() - started)
    epoch = index.epoch
    arrays = [value for part in (epoch, columns) for value in vars(part).values() if isinstance(value, np.ndarray)]
    match = milliseconds(spent)
    scan = milliseconds(scanned)
    resident = resident_mb()
    return {
        "stfs": size,
        "terms": len(epoch.terms),
        "postings": len(epoch.term_docs),
        "fit_s": round(fitted, 2),
        "match": match,
        "match_cpu": milliseconds(worked),
        "queries": queries,
        "queries_with_a_match": sum(bool(matches) for matches in found),
        "full_scan": scan,
        "unpruned_columns": milliseconds(unpruned),
        "full_scan_over_match_p50": round(scan["p50_ms"] / match["p50_ms"], 1),
        "full_scan_over_match_p95": round(scan["p95_ms"] / match["p95_ms"], 1),
        "scans_compared": len(sample),
        "scans_differing": differing,
        "index_mb": round(sum(array.nbytes for array in arrays) / 2**20, 1),
        "resident_growth_mb": round(resident - before, 1),
        "hybrid": measure_hybrid(index, documents, asked, scans),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="10000,100000", help="numbers of STFs, separated by commas")
    parser.add_argument("--full", action="store_true", help="add 1,000,000 STFs")
    parser.add_argument("--queries", type=int, default=400)
    parser.add_argument("--scans", type=int, default=40, help="queries also answered by a full scan")
    parser.add_argument("--seed", type=int, default=7)
    chosen = parser.parse_args()
    sizes = [int(size) for size in chosen.sizes.split(",") if size] + ([1_000_000] if chosen.full else [])
    requests = real_requests()
    report = {
        "benchmark": "matcher",
        "real_requests": len(requests),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "results": [measure(Corpus(requests, chosen.seed), size, chosen.queries, chosen.scans) for size in sizes],
        "peak_resident_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
