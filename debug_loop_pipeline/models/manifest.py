"""What is handed to an agent (DOMAIN 3.11)."""

from __future__ import annotations

from decimal import Decimal

from debug_loop_pipeline.models.base import FrozenModel, UtcDatetime


class ManifestFunction(FrozenModel):
    """A function that solved a similar problem."""

    stf_hash: str
    name: str
    language: str
    code: str
    description: str | None = None
    similarity: float
    quality: float
    composite: float
    success_rate: float | None = None
    """None where it was never reused."""
    peer_id: str
    repository: str | None = None


class ManifestFix(FrozenModel):
    """A change that made this error go."""

    mapping_id: str
    resolution_id: str
    kind: str
    template: str
    example_diff: str
    """Empty where no example may be shown: the template is what remains."""
    said: str | None = None
    success_count: int
    failure_count: int
    wilson_lower_bound: float
    state: str
    same_slots: bool
    """It was seen with the very values of this error; False = "seen with other values"."""
    seen_values: tuple[tuple[str, ...], ...] = ()
    peer_id: str | None = None
    """Whose example it is."""


class ManifestFailure(FrozenModel):
    """A change that was tried for this error and did not help."""

    mapping_id: str
    kind: str
    template: str
    example_diff: str
    failure_count: int
    success_count: int
    peer_id: str | None = None


class ManifestGoldenState(FrozenModel):
    """A proven solution of a similar problem."""

    golden_state_id: str
    user_request: str
    name: str
    language: str
    quality: float
    evidence_tier: str
    reuse_count: int
    similarity: float
    peer_id: str


class StuckSignal(FrozenModel):
    """The task that asks has shown this error again and again without progress."""

    error_signature: str
    error_pattern: str
    times: int
    since: UtcDatetime


class CostAdvice(FrozenModel):
    """What similar attempts cost, and the cheapest model that succeeded on them."""

    attempts: int
    average_cost_usd: Decimal | None
    cheapest_model: str | None = None
    cheapest_model_cost_usd: Decimal | None = None


class Manifest(FrozenModel):
    """The answer to a request, an error, or both. Empty lists say nothing rather than something doubtful."""

    request: str | None = None
    problem_signature: str | None = None
    category: str | None = None
    error_signature: str | None = None
    error_pattern: str | None = None
    functions: tuple[ManifestFunction, ...] = ()
    fixes: tuple[ManifestFix, ...] = ()
    tried_and_failed: tuple[ManifestFailure, ...] = ()
    golden_states: tuple[ManifestGoldenState, ...] = ()
    cost: CostAdvice | None = None
    stuck: StuckSignal | None = None

    @property
    def empty(self) -> bool:
        """Nothing worth an agent's attention was found."""
        return not (self.stuck or self.functions or self.fixes or self.tried_and_failed or self.golden_states)
