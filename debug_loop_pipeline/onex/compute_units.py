"""The compute units of Part 1: requests, answers and calls."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, Field

from debug_loop_pipeline.compute import debug_stf_extractor as extractor
from debug_loop_pipeline.compute import stf_matcher as matcher
from debug_loop_pipeline.compute import stf_quality as scorer
from debug_loop_pipeline.compute.cost_tracker import COST_TRACKER_VERSION, PriceBook, track_cost
from debug_loop_pipeline.compute.error_pattern_extractor import extract_error_pattern
from debug_loop_pipeline.compute.errors.error_pattern_rules import RULES_VERSION
from debug_loop_pipeline.compute.matching.versions import MATCHER_VERSION
from debug_loop_pipeline.compute.stf_hash import HASH_VERSION, stf_hash
from debug_loop_pipeline.effects.embedding_model import load_embedder
from debug_loop_pipeline.models.base import FrozenModel, Origin
from debug_loop_pipeline.models.cost import ExecutionCost, ModelPrice
from debug_loop_pipeline.models.errors import ErrorPattern
from debug_loop_pipeline.models.execution import CodeBlob, Edit, ExecutionEvent
from debug_loop_pipeline.models.matching import Match, MatchCandidate, MatchOptions, MatchQuery
from debug_loop_pipeline.models.stf import StfCandidate, StfQuality
from debug_loop_pipeline.onex.units import Kind, Operation, Performance, Unit

COMPUTE_TARGET = Performance(p95_ms=100)


class ExtractStfs(FrozenModel):
    """The files an attempt wrote, as they stood after it."""

    blobs: tuple[CodeBlob, ...]
    edits: tuple[Edit, ...] = ()
    options: extractor.ExtractionOptions = Field(default_factory=extractor.ExtractionOptions)


class ExtractedStfs(FrozenModel):
    """Candidates, best first; what could not be read; what was passed over, by reason."""

    candidates: tuple[StfCandidate, ...]
    errors: tuple[extractor.ExtractionError, ...]
    skipped: Mapping[str, int]


class ScoreStf(FrozenModel):
    """A function and what is known of the occurrence that is scored."""

    code: str
    language: str
    occurrence: scorer.QualityInputs


class MatchStfs(FrozenModel):
    """A problem and the functions to choose from."""

    query: MatchQuery
    candidates: tuple[MatchCandidate, ...]
    options: MatchOptions = Field(default_factory=MatchOptions)


class MatchedStfs(FrozenModel):
    """The best functions, best first."""

    matches: tuple[Match, ...]


class HashStf(FrozenModel):
    """A piece of code."""

    code: str
    language: str
    docstrings: bool = True


class HashedStf(FrozenModel):
    """Its identity."""

    stf_hash: str = Field(pattern=r"^[0-9a-f]{64}$")


class ExtractErrorPattern(FrozenModel):
    """An error as a tool printed it, and what else is known of it."""

    message: str
    error_type: str | None = None
    stacktrace: str | None = None
    tool: str | None = None
    test: str | None = None
    path: str | None = None
    exit_code: int | None = None
    origin: Origin | None = None
    context: str | None = None


class TrackCost(FrozenModel):
    """An attempt and the rows of the price catalog."""

    event: ExecutionEvent
    prices: tuple[ModelPrice, ...]


def _extract(_: None, request: ExtractStfs) -> ExtractedStfs:
    found = extractor.extract_stfs(request.blobs, request.options, edits=request.edits)
    return ExtractedStfs(candidates=found.candidates, errors=found.errors, skipped=found.skipped)


def _score(_: None, request: ScoreStf) -> StfQuality:
    return scorer.quality(scorer.score_code(request.code, request.language), request.occurrence)


def _match(_: None, request: MatchStfs) -> MatchedStfs:
    embedder = load_embedder() if request.options.algorithm == "hybrid" else None
    index = matcher.MatchIndex.build(request.candidates, embedder)
    return MatchedStfs(matches=matcher.match_stfs(request.query, index, request.options))


def _hash(_: None, request: HashStf) -> HashedStf:
    return HashedStf(stf_hash=stf_hash(request.code, request.language, request.docstrings))


def _error_pattern(_: None, request: ExtractErrorPattern) -> ErrorPattern:
    return extract_error_pattern(**{name: getattr(request, name) for name in ExtractErrorPattern.model_fields})


def _cost(_: None, request: TrackCost) -> ExecutionCost:
    return track_cost(request.event, PriceBook(request.prices))


def compute_unit(
    name: str,
    entry: str,
    version: str,
    purpose: str,
    operations: tuple[Operation, ...],
    *,
    request: type[BaseModel] | None = None,
    answer: type[BaseModel] | None = None,
    weights: Mapping[str, float] | None = None,
) -> Unit:
    """A compute unit; `entry` is `module.function` inside `compute`.

    Args:
        name: without `Node`.
        entry: the function that is the unit.
        version: of its code, as the unit itself counts: `major` or `major.minor`.
        purpose: one sentence.
        operations: what it does.
        request: the union of requests, where there are several.
        answer: the union of answers, where there are several.
        weights: of its factors; without any it has one.
    """
    module, _, function = entry.rpartition(".")
    return Unit(
        name=name,
        kind=Kind.COMPUTE,
        purpose=purpose,
        module=f"debug_loop_pipeline.compute.{module}",
        entry=function,
        version=f"{version}.0.0" if "." not in version else f"{version}.0",
        performance=COMPUTE_TARGET,
        operations=operations,
        request=request or operations[0].request,
        answer=answer or operations[0].answer,
        weights=weights or {module: 1.0},
    )


COMPUTE_UNITS = (
    compute_unit(
        "DebugSTFExtractorCompute",
        "debug_stf_extractor.extract_stfs",
        extractor.EXTRACTOR_VERSION,
        "Finds the reusable functions (STFs) in the code an attempt wrote, with metadata and confidence.",
        (Operation("extract", ExtractStfs, ExtractedStfs, _extract),),
        weights={
            "function_definition": extractor.WEIGHT_FUNCTION,
            "docstring": extractor.WEIGHT_DOCSTRING,
            "type_hints": extractor.WEIGHT_TYPES,
            "error_handling": extractor.WEIGHT_ERRORS,
            "length": extractor.WEIGHT_LENGTH,
        },
    ),
    compute_unit(
        "STFQualityCompute",
        "stf_quality.score_code",
        scorer.SCORER_VERSION,
        "Scores how well a function is written, in five dimensions.",
        (Operation("score", ScoreStf, StfQuality, _score),),
        weights=scorer.WEIGHTS,
    ),
    compute_unit(
        "STFMatcherCompute",
        "stf_matcher.match_stfs",
        str(MATCHER_VERSION),
        "Finds the functions that solved the most similar problems.",
        (Operation("match", MatchStfs, MatchedStfs, _match),),
        weights={"similarity": MatchOptions().similarity_weight, "quality": MatchOptions().quality_weight},
    ),
    compute_unit(
        "STFHashCompute",
        "stf_hash.stf_hash",
        HASH_VERSION,
        "Gives a piece of code its identity: the SHA-256 of its normalised tokens.",
        (Operation("hash", HashStf, HashedStf, _hash),),
    ),
    compute_unit(
        "ErrorPatternExtractorCompute",
        "error_pattern_extractor.extract_error_pattern",
        str(RULES_VERSION),
        "Turns an error text into pattern, slots, type, category, origin and signature.",
        (Operation("extract", ExtractErrorPattern, ErrorPattern, _error_pattern),),
    ),
    compute_unit(
        "CostTrackerCompute",
        "cost_tracker.track_cost",
        str(COST_TRACKER_VERSION),
        "Prices an attempt's tokens at the prices in force when it started.",
        (Operation("track", TrackCost, ExecutionCost, _cost),),
    ),
)
