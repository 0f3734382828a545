"""The code version of each step: its own unit's and those of the units it builds on (DOMAIN 3.13).

A step whose composed version differs from the one its progress was recorded with derives its attempts again.
"""

from __future__ import annotations

from debug_loop_pipeline.compute.cost_tracker import COST_TRACKER_VERSION
from debug_loop_pipeline.compute.debug_stf_extractor import EXTRACTOR_VERSION
from debug_loop_pipeline.compute.error_pattern_extractor import CODE_VERSION as ERROR_PATTERN_VERSION
from debug_loop_pipeline.compute.fixes.credit import CREDIT_VERSION
from debug_loop_pipeline.compute.fixes.templates import TEMPLATE_VERSION
from debug_loop_pipeline.compute.matching.problem_category import PROBLEM_CATEGORY_VERSION
from debug_loop_pipeline.compute.matching.problem_signature import PROBLEM_SIGNATURE_VERSION
from debug_loop_pipeline.compute.matching.versions import MATCHER_VERSION
from debug_loop_pipeline.compute.serving.recommendation_effect import EFFECT_VERSION
from debug_loop_pipeline.compute.serving.recommendation_outcome import OUTCOME_VERSION
from debug_loop_pipeline.compute.serving.stuck_loops import STUCK_VERSION
from debug_loop_pipeline.compute.stf_hash import HASH_VERSION as STF_HASH_VERSION
from debug_loop_pipeline.compute.stf_quality import SCORER_VERSION

EXECUTION_ATTEMPTS = (
    f"attempts=1;problem={PROBLEM_SIGNATURE_VERSION};category={PROBLEM_CATEGORY_VERSION};errors={ERROR_PATTERN_VERSION}"
)
ERROR_PATTERNS = f"errors={ERROR_PATTERN_VERSION}"
EXTRACTED_STFS = f"extract={EXTRACTOR_VERSION};hash={STF_HASH_VERSION}"
STF_QUALITY = f"quality={SCORER_VERSION};{EXTRACTED_STFS}"
STF_REGISTRY = f"registry=1;{STF_QUALITY}"
STF_MATCHES = f"match={MATCHER_VERSION};problem={PROBLEM_SIGNATURE_VERSION}"
EXECUTION_COSTS = f"cost={COST_TRACKER_VERSION}"
ERROR_SUCCESS_MAPPINGS = f"mappings=2;credit={CREDIT_VERSION};template={TEMPLATE_VERSION};{ERROR_PATTERNS}"
ERROR_COSTS = f"error_costs=1;{EXECUTION_COSTS};{ERROR_PATTERNS}"
GOLDEN_STATES = f"golden=3;{STF_QUALITY}"
RECOMMENDATION_OUTCOMES = f"outcomes={OUTCOME_VERSION};{STF_REGISTRY}"
RECOMMENDATION_EFFECT = f"effect={EFFECT_VERSION};{RECOMMENDATION_OUTCOMES}"
STUCK_LOOPS = f"stuck={STUCK_VERSION};{ERROR_PATTERNS}"
