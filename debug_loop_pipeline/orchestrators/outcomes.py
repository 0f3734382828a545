"""How the steps of an orchestrator ended, and how each is run so that a failing one is reported and costs itself only."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """One step of one loop. `status` is done, failed or skipped; `error` says why."""

    step: str
    status: str
    milliseconds: float
    error: str | None = None


@dataclass(slots=True)
class Outcomes:
    """How the steps of one run of an orchestrator ended, in order; what it gave is added by each orchestrator's own result."""

    outcomes: list[StepOutcome] = field(default_factory=list, kw_only=True)

    @property
    def complete(self) -> bool:
        """Every step was done."""
        return all(outcome.status == "done" for outcome in self.outcomes)

    @property
    def failed(self) -> list[StepOutcome]:
        """The steps that failed."""
        return [outcome for outcome in self.outcomes if outcome.status == "failed"]


def run_step(
    name: str,
    work: Callable[[], Any],
    outcomes: list[StepOutcome],
    *,
    needed: Collection[str],
    within: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> None:
    """Runs a step, `within` a context, and notes its outcome; after a failure of a needed one it is skipped. Never raises."""
    ended = next((o for o in outcomes if o.status == "failed" and o.step in needed), None)
    if ended is not None:
        outcomes.append(StepOutcome(name, "skipped", 0.0, f"{ended.step} failed"))
        return
    started = time.perf_counter()
    try:
        with within():
            work()
    except Exception as error:
        outcomes.append(StepOutcome(name, "failed", milliseconds_since(started), reason(error)))
    else:
        outcomes.append(StepOutcome(name, "done", milliseconds_since(started)))


def reason(error: Exception) -> str:
    """What an outcome says of an error."""
    return f"{type(error).__name__}: {error}"


def milliseconds_since(started: float) -> float:
    """Since a moment of `perf_counter`."""
    return (time.perf_counter() - started) * 1000
