"""Does what is served help? Both arms with intervals and a p-value (DOMAIN 3.12). Pure: chance comes from a seed.

Intervals are the 2.5 and 97.5 % points of a bootstrap over repositories, since tasks of one repository are alike; over the tasks of each
arm where there are fewer than 10 repositories. The p-value is that of a permutation test on the difference of the means, two-sided: what was
drawn at random was the arm of a session, so sessions change arms, with all of their tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from debug_loop_pipeline.models.recommendation import Arm

EFFECT_VERSION = "2"
MIN_REPOSITORIES = 10
BOOTSTRAPS = 2_000
PERMUTATIONS = 9_999
_WORK = 1_000_000
"""Numbers drawn per test at most, so that a large store has fewer draws and not longer ones."""
_FEWEST = 500
_BLOCK = 250
_INTERVAL = (2.5, 97.5)
_ROUNDING = 1e-12

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ArmedTask:
    """One task: what its arm was drawn by, its repository, and what was measured."""

    drawn_by: str
    arm: Arm
    repository: str | None
    value: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean, or a difference, with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Effect:
    """Both arms side by side. difference: treatment - holdout; relative: that in parts of the holdout, None where that is 0."""

    treatment: Estimate
    holdout: Estimate
    difference: Estimate
    relative: Estimate | None
    p_value: float
    resampled: str
    """repositories, or tasks."""


def repositories_of(tasks: Sequence[ArmedTask]) -> int:
    """How many repositories some tasks are of; those that name none count nothing."""
    return len({task.repository for task in tasks if task.repository is not None})


def recommendation_effect(tasks: Sequence[ArmedTask], *, min_tasks: int, seed: int) -> Effect | None:
    """The effect on one measure; None ("not enough data") below `min_tasks` tasks an arm.

    Args:
        tasks: of both arms. Their order does not matter.
        min_tasks: the least number of tasks an arm needs.
        seed: draws the resamples.
    """
    ordered = sorted(tasks, key=lambda t: (t.drawn_by, t.arm, t.repository or "", t.value))
    treated = np.array([task.arm is Arm.TREATMENT for task in ordered], dtype=bool)
    values = np.array([task.value for task in ordered], dtype=np.float64)
    if min(int(treated.sum()), int((~treated).sum())) < max(1, min_tasks):
        return None
    by_repository = repositories_of(ordered) >= MIN_REPOSITORIES
    draw = np.random.default_rng(seed)
    if by_repository:
        groups = _numbers([task.repository or f"\0{n}" for n, task in enumerate(ordered)])
        sample = _grouped(draw, groups, treated, values)
    else:
        sample = _by_arm(draw, treated, values)
    means = sample[np.isfinite(sample).all(axis=1)]  # a resample without any task of one arm says nothing
    treatment, holdout = float(values[treated].mean()), float(values[~treated].mean())
    difference = treatment - holdout
    relative = None
    if holdout:
        shares = means[means[:, 1] != 0]
        relative = _estimate(difference / holdout, (shares[:, 0] - shares[:, 1]) / shares[:, 1])
    return Effect(
        treatment=_estimate(treatment, means[:, 0]),
        holdout=_estimate(holdout, means[:, 1]),
        difference=_estimate(difference, means[:, 0] - means[:, 1]),
        relative=relative,
        p_value=_permuted(draw, _numbers([task.drawn_by for task in ordered]), treated, values, difference),
        resampled="repositories" if by_repository else "tasks",
    )


def _estimate(value: float, sample: Floats) -> Estimate:
    if not sample.size:
        return Estimate(value, value, value)
    low, high = np.percentile(sample, _INTERVAL)
    return Estimate(value, float(low), float(high))


def _numbers(names: Sequence[str]) -> NDArray[np.intp]:
    """Each name as a number, the same for equal names."""
    known = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([known[name] for name in names], dtype=np.intp)


def _sums(groups: NDArray[np.intp], weights: Floats) -> Floats:
    return np.asarray(np.bincount(groups, weights=weights, minlength=int(groups.max()) + 1), dtype=np.float64)


def _blocks(wanted: int, width: int, one: Callable[[int], Floats]) -> Floats:
    """`wanted` draws of `width` numbers each, fewer where that is much work, some at a time."""
    draws = min(wanted, max(_FEWEST, _WORK // width))
    return np.concatenate([one(min(_BLOCK, draws - begin)) for begin in range(0, draws, _BLOCK)])


def _grouped(draw: np.random.Generator, groups: NDArray[np.intp], treated: NDArray[np.bool_], values: Floats) -> Floats:
    """Means of both arms over resampled groups: (draws, 2)."""
    size = int(groups.max()) + 1
    totals = [(_sums(groups, values * arm), _sums(groups, arm.astype(np.float64))) for arm in (treated, ~treated)]

    def one(draws: int) -> Floats:
        weights = draw.multinomial(size, np.full(size, 1 / size), size=draws).astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.stack([(weights @ total) / (weights @ count) for total, count in totals], axis=1)

    return _blocks(BOOTSTRAPS, size, one)


def _by_arm(draw: np.random.Generator, treated: NDArray[np.bool_], values: Floats) -> Floats:
    """Means of both arms over resampled tasks of each: (draws, 2)."""
    arms = (values[treated], values[~treated])

    def one(draws: int) -> Floats:
        return np.stack([arm[draw.integers(0, arm.size, (draws, arm.size))].mean(axis=1) for arm in arms], axis=1)

    return _blocks(BOOTSTRAPS, values.size, one)


def _permuted(
    draw: np.random.Generator,
    units: NDArray[np.intp],
    treated: NDArray[np.bool_],
    values: Floats,
    difference: float,
) -> float:
    """Share of random assignments of the arms, among them the real one, whose difference is at least as great."""
    totals, counts = _sums(units, values), _sums(units, np.ones(values.size))
    labels = _sums(units, treated.astype(np.float64)) > 0

    def one(draws: int) -> Floats:
        drawn = draw.permuted(np.tile(labels, (draws, 1)), axis=1).astype(np.float64)
        in_arm, of_arm = drawn @ counts, drawn @ totals
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(of_arm / in_arm - (totals.sum() - of_arm) / (counts.sum() - in_arm), dtype=np.float64)

    differences = _blocks(PERMUTATIONS, labels.size, one)
    as_great = int((np.abs(differences) >= abs(difference) - _ROUNDING * max(1.0, abs(difference))).sum())
    return (1 + as_great) / (1 + differences.size)
