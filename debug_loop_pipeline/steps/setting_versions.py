"""Which settings the stored results of a step depend on: where they are not the defaults, they are part of its code version.

So changing such a setting recomputes what was derived under the other value (DOMAIN 3.13), and a store with the defaults keeps its versions.
"""

from __future__ import annotations

from operator import attrgetter

from debug_loop_pipeline.settings import (
    CostSettings,
    ExtractionSettings,
    GoldenSettings,
    LoopGuardSettings,
    MappingSettings,
    MatchingSettings,
    QualitySettings,
    Settings,
    TextLimits,
)

_DEFAULTS = {
    "text": TextLimits(),
    "extraction": ExtractionSettings(),
    "quality": QualitySettings(),
    "matching": MatchingSettings(),
    "mapping": MappingSettings(),
    "golden": GoldenSettings(),
    "cost": CostSettings(),
    "loop_guard": LoopGuardSettings(),
}
_EXTRACTED = (
    "extraction.min_lines",
    "extraction.max_lines",
    "extraction.functions_required",
    "extraction.classes",
    "extraction.min_confidence",
)
_SCORED = (*_EXTRACTED, "quality.excellent", "quality.good", "quality.fair")
_CLUSTERED = ("extraction.cluster_similarity", "extraction.cluster_min_tokens")
SETTINGS_OF_STEPS: dict[str, tuple[str, ...]] = {
    "execution_attempts": ("text.signature_chars",),
    "extracted_stfs": _EXTRACTED,
    "stf_quality": _SCORED,
    "contributions": _SCORED,
    "stf_registry": (*_SCORED, *_CLUSTERED, "quality.auto_approve"),
    "stf_matches": (
        "text.signature_chars",
        "matching.algorithm",
        "matching.min_quality",
        "matching.min_similarity",
        "matching.limit",
        "matching.similarity_weight",
        "matching.quality_weight",
        "matching.usage_boost",
        "matching.usage_boost_above",
    ),
    "execution_costs": ("cost.cheap_below", "cost.moderate_below"),
    "error_success_mappings": (
        *(f"mapping.{name}" for name in MappingSettings.model_fields),
        "text.diff_bytes",
        "text.said_chars",
    ),
    "golden_states": ("golden.nominate_quality", "golden.approve_quality"),
    "stuck_loops": ("loop_guard.stuck_after",),
    "recommendation_outcomes": _CLUSTERED,
}
"""Step or fold -> the settings that what it stores depends on, those of the steps it builds on included."""


def version_under(settings: Settings, step: str, version: str) -> str:
    """The code version of a step under some settings: `version`, then each setting of its that is not the default."""
    differing = [
        f"{name}={value}"
        for name in SETTINGS_OF_STEPS.get(step, ())
        if (value := attrgetter(name)(settings))
        != attrgetter(name.partition(".")[2])(_DEFAULTS[name.partition(".")[0]])
    ]
    return ";".join((version, *differing))
