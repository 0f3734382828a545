"""Intervals cover, p-values are calibrated, and too little data says so."""

from __future__ import annotations

import random
import time

import pytest

from debug_loop_pipeline.compute.serving.recommendation_effect import ArmedTask, recommendation_effect, repositories_of
from debug_loop_pipeline.models.recommendation import Arm

T, H = Arm.TREATMENT, Arm.HOLDOUT


def tasks(treated: list[float], held_out: list[float], repositories: int = 0) -> list[ArmedTask]:
    made = [(T, v) for v in treated] + [(H, v) for v in held_out]
    return [
        ArmedTask(f"s{n}", arm, f"repo{n % repositories}" if repositories else None, value)
        for n, (arm, value) in enumerate(made)
    ]


def test_below_the_least_number_of_tasks_an_arm_nothing_is_said() -> None:
    few = tasks([1.0] * 19, [5.0] * 200)
    assert recommendation_effect(few, min_tasks=20, seed=1) is None
    assert recommendation_effect([], min_tasks=20, seed=1) is None
    assert recommendation_effect(tasks([1.0] * 20, [5.0] * 20), min_tasks=20, seed=1) is not None


def test_a_clear_difference_is_seen_in_both_arms_and_between_them() -> None:
    draw = random.Random(1)
    found = recommendation_effect(
        tasks([draw.choice([1, 1, 2]) for _ in range(32)], [draw.randint(1, 12) for _ in range(32)], repositories=64),
        min_tasks=20,
        seed=1,
    )
    assert found is not None
    assert found.resampled == "repositories"
    assert found.treatment.low <= found.treatment.value <= found.treatment.high < found.holdout.low
    assert found.difference.high < 0
    assert found.relative is not None
    assert found.relative.high < -0.4
    assert found.p_value < 0.001


def test_the_seed_decides_and_the_order_does_not() -> None:
    made = tasks([1, 2, 3, 4, 5] * 5, [2, 3, 4, 5, 6] * 5, repositories=12)
    one = recommendation_effect(made, min_tasks=20, seed=7)
    assert one == recommendation_effect(list(reversed(made)), min_tasks=20, seed=7)
    assert one != recommendation_effect(made, min_tasks=20, seed=8)


def test_repositories_are_resampled_from_ten_on() -> None:
    for repositories, resampled in ((9, "tasks"), (10, "repositories"), (0, "tasks")):
        made = tasks([1.0] * 30, [2.0] * 30, repositories)
        found = recommendation_effect(made, min_tasks=20, seed=1)
        assert found is not None
        assert (found.resampled, repositories_of(made)) == (resampled, repositories)


def test_tasks_of_one_repository_that_are_alike_widen_the_interval() -> None:
    draw = random.Random(3)
    base = {n: draw.gauss(10, 5) for n in range(12)}
    alike = [ArmedTask(f"s{n}", T if n % 2 else H, f"r{n % 12}", base[n % 12]) for n in range(240)]
    apart = [ArmedTask(task.drawn_by, task.arm, f"r{n}", task.value) for n, task in enumerate(alike)]
    clustered, loose = (recommendation_effect(made, min_tasks=20, seed=1) for made in (alike, apart))
    assert clustered is not None
    assert loose is not None
    assert clustered.treatment.high - clustered.treatment.low > 2 * (loose.treatment.high - loose.treatment.low)


def test_tasks_of_one_session_change_arms_together() -> None:
    """Two sessions an arm of which one is slow: 40 tasks are no 40 draws."""
    made = [ArmedTask(f"s{n % 4}", T if n % 4 < 2 else H, None, 9.0 if n % 4 == 3 else 1.0) for n in range(80)]
    found = recommendation_effect(made, min_tasks=20, seed=1)
    assert found is not None
    assert found.p_value > 0.3


def test_without_a_difference_the_p_value_is_one_and_without_a_holdout_mean_there_is_no_share() -> None:
    found = recommendation_effect(tasks([0.0] * 25, [0.0] * 25), min_tasks=20, seed=1)
    assert found is not None
    assert (found.p_value, found.relative, found.difference.value) == (1.0, None, 0.0)


def test_where_nothing_helps_five_in_a_hundred_are_significant_and_the_interval_holds_zero() -> None:
    draw = random.Random(5)
    significant = covered = 0
    runs = 200
    for n in range(runs):
        made = tasks([draw.expovariate(0.2) for _ in range(30)], [draw.expovariate(0.2) for _ in range(30)], 60)
        found = recommendation_effect(made, min_tasks=20, seed=n)
        assert found is not None
        significant += found.p_value < 0.05
        covered += found.difference.low <= 0 <= found.difference.high
    assert 0.01 * runs <= significant <= 0.10 * runs
    assert covered >= 0.89 * runs


@pytest.mark.parametrize("size", [64, 20_000])
def test_it_takes_no_longer_than_a_compute_unit_may(size: int) -> None:
    draw = random.Random(size)
    made = [ArmedTask(f"s{n}", draw.choice([T, H]), f"r{n % 500}", draw.random()) for n in range(size)]
    took = []
    for _ in range(3):
        began = time.process_time()
        assert recommendation_effect(made, min_tasks=20, seed=1) is not None
        took.append(time.process_time() - began)
    assert min(took) < (0.1 if size == 64 else 1.0)
