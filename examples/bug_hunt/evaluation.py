"""Does what was learned help? Half of each family teaches, the other half is repaired with the manifest at hand.

The referee: it knows the families, the agent does not. Every candidate of a program in the second half is run once by the real pytest;
since a program and its tests are deterministic, each order's number of tries follows exactly from these outcomes.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random
from typing import Any

from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.models.manifest import Manifest
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps.framework import Span, StepContext
from debug_loop_pipeline.steps.ingestion import RawEvent, ingest_raw
from debug_loop_pipeline.steps.manifest import build_manifest
from debug_loop_pipeline.steps.model_prices import seed as seed_prices
from debug_loop_pipeline.steps.run_all import run_all
from examples.bug_hunt.agent import hunt, plan
from examples.bug_hunt.candidates import Candidate, candidates
from examples.bug_hunt.corpus import Program, halves, load_families, load_programs
from examples.bug_hunt.ranking import Advice, by_place, distances
from examples.bug_hunt.runner import WORKERS, PytestRunner, RunResult

SEED = 1
RANDOM_ORDERS = 200
SOURCE = "bug-hunt"
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Trial:
    """One program of the second half. tries: how many repairs each way took, None where no candidate helps.

    random: mean over many random orders, and the shares of them that passed at once and within three.
    """

    program: str
    family: str
    unique_signature: bool
    candidates: int
    passing: int
    known_fixes: int
    advised: int | None
    by_place: float
    random: float
    random_first: float
    random_third: float
    place_first: float
    place_third: float
    signature: str | None

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Learned:
    """What the first half left behind."""

    tasks: int
    solved: int
    attempts: int
    mean_tries: float
    mappings: int


def learn(context: StepContext, programs: Sequence[Program], seed: int, runner: PytestRunner) -> Learned:
    """Repairs programs without memory, and takes their events through every step of the pipeline."""
    events: list[dict[str, Any]] = []
    outcomes = hunt(programs, seed=seed, on_event=events.append, runner=runner)
    seed_prices(context.database)
    events.sort(key=lambda event: (event["started_at"], event["attempt_id"]))
    report = ingest_raw(context, [RawEvent(event, event["attempt_id"]) for event in events], SOURCE)
    if report.rejects:
        raise RuntimeError(f"{len(report.rejects)} events were refused, the first one: {report.rejects[0].reason}")
    days = context.executions.dirty_days()
    run_all(context, Span(days[0], days[-1]), new_epoch=True)
    with context.database.transaction() as connection:
        mappings = connection.exec_driver_sql(
            "select count(*) from debug_error_success_mappings where success_count > 0"
        ).scalar_one()
    return Learned(
        tasks=len(outcomes),
        solved=sum(outcome.solved for outcome in outcomes),
        attempts=len(events),
        mean_tries=statistics.mean(outcome.tries for outcome in outcomes),
        mappings=mappings,
    )


def manifest_adviser(database: Database, settings: Settings) -> Callable[[str, str, str], Manifest]:
    """Asks the store with what the failing tests printed."""

    def advise(task: str, request: str, error: str) -> Manifest:
        return build_manifest(database, settings, None, error=error)

    return advise


def evaluate(
    context: StepContext, *, seed: int = SEED, workers: int = WORKERS, say: Say = lambda text: None
) -> dict[str, Any]:
    """Learns on one half of each family and measures on the other.

    Args:
        context: an empty store.
        seed: draws the halves and every order.
        workers: runs of pytest at once.
        say: told what is going on.
    """
    programs = load_programs()
    first, second = halves(seed)
    with PytestRunner(workers) as runner:
        say(f"learning from {len(first)} programs, in random order")
        learned = learn(context, [programs[name] for name in first], seed, runner)
        say(
            f"{learned.solved} of {learned.tasks} repaired in {learned.attempts} attempts; {learned.mappings} fixes known"
        )
        say(f"running every candidate of {len(second)} other programs once")
        outcomes = measure([programs[name] for name in second], runner)
    adviser = manifest_adviser(context.database, context.settings)
    manifests = {name: adviser(name, "", outcomes[name].first.output) for name in second}
    trials = [_trial(programs[name], outcomes[name], manifests[name], seed) for name in second]
    return {
        "seed": seed,
        "learned": _fields(learned),
        **summary(trials),
        "programs": [trial.as_dict() for trial in trials],
    }


@dataclass(frozen=True, slots=True)
class Outcomes:
    """A program's failing run, and whether its tests pass with each candidate."""

    first: RunResult
    passes: Mapping[tuple[tuple[str, str], ...], bool]

    def passed(self, candidate: Candidate) -> bool:
        """Whether the tests pass with a candidate."""
        return self.passes[_key(candidate)]


def measure(programs: Sequence[Program], runner: PytestRunner) -> dict[str, Outcomes]:
    """Runs each program as it is, and once with each of its candidates."""
    jobs = [(program, candidate) for program in programs for candidate in candidates(program.modules)]
    with ThreadPoolExecutor(runner.workers) as pool:
        firsts = list(pool.map(lambda program: runner.run(program.files, program.test), programs))
        results = list(pool.map(lambda job: runner.run({**job[0].files, **job[1].changed}, job[0].test), jobs))
    passes: dict[str, dict[tuple[tuple[str, str], ...], bool]] = {program.id: {} for program in programs}
    for (program, candidate), result in zip(jobs, results, strict=True):
        passes[program.id][_key(candidate)] = result.passed
    return {program.id: Outcomes(first, passes[program.id]) for program, first in zip(programs, firsts, strict=True)}


def _key(candidate: Candidate) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(candidate.changed.items()))


def _trial(program: Program, outcomes: Outcomes, manifest: Manifest, seed: int) -> Trial:
    family = next(family for family in load_families().values() if program.id in family.programs)
    menu = candidates(program.modules)
    advised = plan(program, outcomes.first, Advice.of(manifest), Random(f"{seed}/{program.id}/order"))
    helps = [outcomes.passed(candidate) for candidate in menu]
    near = distances(menu, outcomes.first.output, program.modules)
    at_random: list[int] = []
    nearest: list[int] = []
    for n in range(RANDOM_ORDERS):
        draw = Random(f"{seed}/{program.id}/{n}")
        at_random.append(_tries([helps[i] for i in draw.sample(range(len(menu)), len(menu))]) or len(menu) + 1)
        nearest.append(_tries([helps[i] for i in by_place(near, draw)]) or len(menu) + 1)
    return Trial(
        program=program.id,
        family=family.name,
        unique_signature=family.shares is None,
        candidates=len(menu),
        passing=sum(helps),
        known_fixes=len(manifest.fixes),
        advised=_tries([outcomes.passed(candidate) for candidate in advised]),
        by_place=statistics.mean(nearest),
        random=statistics.mean(at_random),
        random_first=_share(at_random, 1),
        random_third=_share(at_random, 3),
        place_first=_share(nearest, 1),
        place_third=_share(nearest, 3),
        signature=manifest.error_pattern,
    )


def _tries(helps: Sequence[bool]) -> int | None:
    return next((n for n, helped in enumerate(helps, 1) if helped), None)


def _share(tries: Sequence[float | None], most: int) -> float:
    return sum(n is not None and n <= most for n in tries) / len(tries)


def summary(trials: Sequence[Trial]) -> dict[str, Any]:
    """The shares that pass at once and within three tries, beside orders that know less."""
    unique = [trial for trial in trials if trial.unique_signature]
    return {
        "unique_signature": _row(unique),
        "shared_signature": _row([trial for trial in trials if not trial.unique_signature]),
        "all": _row(trials),
        "families": {
            name: _row([trial for trial in trials if trial.family == name])
            for name in sorted({t.family for t in trials})
        },
    }


def _row(trials: Sequence[Trial]) -> dict[str, Any]:
    advised = [trial.advised for trial in trials]
    return {
        "programs": len(trials),
        "first_try": _share(advised, 1),
        "within_three": _share(advised, 3),
        "mean_tries": statistics.mean(t.advised or t.candidates + 1 for t in trials),
        "random_first_try": statistics.mean(t.random_first for t in trials),
        "random_within_three": statistics.mean(t.random_third for t in trials),
        "random_mean_tries": statistics.mean(t.random for t in trials),
        "place_first_try": statistics.mean(t.place_first for t in trials),
        "place_within_three": statistics.mean(t.place_third for t in trials),
        "place_mean_tries": statistics.mean(t.by_place for t in trials),
    }


def _fields(record: Learned) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__slots__}
