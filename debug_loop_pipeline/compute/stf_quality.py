"""STFQualityCompute: how well a function is written (DOMAIN 3.5).

Five dimensions, each 0..1. Four follow from the code alone and may be cached by (code, language, SCORER_VERSION);
metadata is of the occurrence. Whether the code works is not said here.
"""

from __future__ import annotations

from dataclasses import dataclass

from debug_loop_pipeline.compute.code.code_features import code_features
from debug_loop_pipeline.compute.code.definitions import Definition, outline
from debug_loop_pipeline.compute.code.doc_comments import docstring_statement, docstring_value, summary
from debug_loop_pipeline.compute.code.languages import language_named
from debug_loop_pipeline.compute.code.source_tree import SourceTree, parse_source
from debug_loop_pipeline.models.stf import CodeScores, QualityTier, StfKind, StfQuality

SCORER_VERSION = "1"

WEIGHTS = {
    "completeness": 0.30,
    "documentation": 0.25,
    "onex_compliance": 0.20,
    "metadata": 0.15,
    "complexity": 0.10,
}


@dataclass(frozen=True, slots=True)
class TierLimits:
    """The least quality of each tier; poor is below (DOMAIN 3.5)."""

    excellent: float = 0.9
    good: float = 0.7
    fair: float = 0.5


DEFAULT_TIERS = TierLimits()

_COMPLEXITY_STEPS = ((5, 1.0), (10, 0.8), (15, 0.6), (20, 0.4))
_COMPLEXITY_BEYOND = 0.2


@dataclass(frozen=True, slots=True)
class QualityInputs:
    """What is known about one occurrence of an STF."""

    version_known: bool
    """A version or commit."""
    description: str | None
    """Docstring summary or request; the code's own docstring counts without it."""
    author_known: bool
    """An agent or a peer."""


def score_code(code: str, language: str) -> CodeScores:
    """Score the four dimensions that follow from the code.

    The first function or class of `code` is the one that is scored; without any, the code as a whole.

    Raises:
        SourceError: the code is too large, too deep or malformed.
        UnsupportedLanguageError: no grammar for the language.
    """
    source = parse_source(code, language_named(language), standalone=True)
    definition = _main_definition(source)
    features = code_features(source, definition)
    is_function = definition.kind is not StfKind.MODULE and not features.trivial and not definition.node.has_error
    criteria: dict[str, tuple[tuple[str, float, bool], ...]] = {
        "completeness": (
            ("real_body", 0.4, is_function),
            ("error_handling", 0.3, features.handles_errors),
            ("edge_cases", 0.3, features.guards),
        ),
        "documentation": (
            ("docstring", 0.4, definition.doc is not None),
            ("type_hints", 0.3, features.fully_typed),
            ("comments", 0.3, features.commented),
        ),
        "onex_compliance": (
            ("typed_models", 0.3, features.uses_models),
            ("naming", 0.3, features.well_named),
            ("validates_inputs", 0.4, features.validates),
        ),
    }
    scores = {name: round(sum(worth for _, worth, met in parts if met), 4) for name, parts in criteria.items()}
    return CodeScores(
        completeness=scores["completeness"],
        documentation=scores["documentation"],
        onex_compliance=scores["onex_compliance"],
        complexity=complexity_score(features.cyclomatic),
        cyclomatic=features.cyclomatic,
        docstring_summary=summary(definition.doc) if definition.doc else None,
        reasons=tuple(reason for parts in criteria.values() for reason, _, met in parts if met),
    )


def quality(scores: CodeScores, inputs: QualityInputs, tiers: TierLimits = DEFAULT_TIERS) -> StfQuality:
    """Add what is known of the occurrence, weigh and name the tier."""
    described = bool((inputs.description or scores.docstring_summary or "").strip())
    dimensions = {
        "completeness": scores.completeness,
        "documentation": scores.documentation,
        "onex_compliance": scores.onex_compliance,
        "metadata": round(0.3 * inputs.version_known + 0.4 * described + 0.3 * inputs.author_known, 4),
        "complexity": scores.complexity,
    }
    score = round(sum(WEIGHTS[name] * value for name, value in dimensions.items()), 4)
    return StfQuality(**dimensions, quality_score=score, tier=tier_of(score, tiers))


def complexity_score(cyclomatic: int) -> float:
    """1.0 for a cyclomatic complexity up to 5, 0.8 up to 10, 0.6 up to 15, 0.4 up to 20, else 0.2."""
    return next((score for most, score in _COMPLEXITY_STEPS if cyclomatic <= most), _COMPLEXITY_BEYOND)


def tier_of(score: float, tiers: TierLimits = DEFAULT_TIERS) -> QualityTier:
    """Excellent >= 0.9, good >= 0.7, fair >= 0.5, poor below."""
    if score >= tiers.excellent:
        return QualityTier.EXCELLENT
    if score >= tiers.good:
        return QualityTier.GOOD
    return QualityTier.FAIR if score >= tiers.fair else QualityTier.POOR


def _main_definition(source: SourceTree) -> Definition:
    found = outline(source, classes=True).definitions
    real = [one for one in found if one.kind is not StfKind.CLASS or one.name != "_"]
    if real:
        return real[0]
    root = source.root
    statement = docstring_statement(root) if source.spec.name == "python" else None
    return Definition(
        name="default",
        kind=StfKind.MODULE,
        owner=None,
        node=root,
        core=root,
        doc=docstring_value(source.code, statement).strip() or None if statement is not None else None,
        comment=None,
        first=root,
        is_test=False,
    )
