"""STFs: a function lifted out of an attempt, and how well it is written (DOMAIN 3.3, 3.5).

Here: what the extractor and the scorer hand on. Not here: rows of the registry, clusters, approvals, usage.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from debug_loop_pipeline.models.base import FrozenModel


class StfKind(StrEnum):
    """What was lifted out."""

    FUNCTION = "function"
    METHOD = "method"
    CLASS = "class"
    MODULE = "module"


class StfParameter(FrozenModel):
    """One parameter as it is written. A Python `*args` keeps its stars, a destructured one its pattern."""

    name: str
    type: str | None = None
    default: str | None = None


class StfCandidate(FrozenModel):
    """One reusable function found in the code an attempt wrote."""

    name: str
    kind: StfKind = StfKind.FUNCTION
    owner: str | None = None
    """Class or receiver type of a method."""
    language: str
    path: str = ""
    code: str
    """The whole definition with decorators and the doc comment above it, moved to the left margin."""
    start_line: int = Field(ge=1)
    """1-based line of the file where `code` begins."""
    end_line: int = Field(ge=1)
    lines: int = Field(ge=1)
    """Lines of the definition itself, a doc comment above it not counted."""
    confidence: float = Field(ge=0.0, le=1.0)
    is_primary: bool = False
    """The best of its attempt; the others are alternatives."""
    parameters: tuple[StfParameter, ...] = ()
    return_type: str | None = None
    complexity: int = Field(default=1, ge=1)
    """Cyclomatic complexity, nested functions included."""
    docstring_summary: str | None = None
    imports: tuple[str, ...] = ()
    """Statements, one per imported name, that the code needs."""
    free_names: tuple[str, ...] = ()
    """Names that neither the code, its imports nor the language explain."""
    self_contained: bool = True
    """No free names. A method still needs its owner."""
    is_async: bool = False
    has_docstring: bool = False
    has_type_hints: bool = False
    has_error_handling: bool = False
    redacted: bool = False
    """Contains `<REDACTED`: never to be approved."""


class CodeScores(FrozenModel):
    """The four code dimensions of quality (DOMAIN 3.5), a function of (code, language, scorer version) alone."""

    completeness: float = Field(ge=0.0, le=1.0)
    documentation: float = Field(ge=0.0, le=1.0)
    onex_compliance: float = Field(ge=0.0, le=1.0)
    complexity: float = Field(ge=0.0, le=1.0)
    cyclomatic: int = Field(ge=1)
    docstring_summary: str | None = None
    reasons: tuple[str, ...] = ()
    """Names of the criteria that were met, for people who ask why."""


class QualityTier(StrEnum):
    """Tiers of `quality_score`."""

    EXCELLENT = "excellent"
    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"


class StfQuality(FrozenModel):
    """Five dimensions, each 0..1, their weighted sum and its tier (DOMAIN 3.5)."""

    completeness: float = Field(ge=0.0, le=1.0)
    documentation: float = Field(ge=0.0, le=1.0)
    onex_compliance: float = Field(ge=0.0, le=1.0)
    metadata: float = Field(ge=0.0, le=1.0)
    complexity: float = Field(ge=0.0, le=1.0)
    quality_score: float = Field(ge=0.0, le=1.0)
    tier: QualityTier
