"""Does what was learned help? Half of each family teaches, the other half is repaired with the manifest at hand.

The referee: it knows the families, the agent does not. Every candidate of a program in the second half is run once by the real pytest;
since a program and its tests are deterministic, each order's number of tries follows exactly from these outcomes.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from random import Random
from typing import Any, Self

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
from examples.bug_hunt.runner import WORKERS, PytestRunner

SEED = 1
RANDOM_ORDERS = 200
SOURCE = "bug-hunt"
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Chance:
    """How an order with chance in it does over many draws: the share of them that passes at once, within three, and the mean of tries."""

    first: float
    third: float
    tries: float

    @classmethod
    def of(cls, tries: Sequence[int]) -> Self:
        """From the tries of each draw."""
        return cls(_share(tries, 1), _share(tries, 3), statistics.mean(tries))


@dataclass(frozen=True, slots=True)
class Trial:
    """One program of the second half.

    tries: repairs that were tried with the manifest, the one that helped included; one more than there are where none did. random,
    by_place: orders without memory, where they were measured.
    """

    program: str
    family: str
    unique_signature: bool
    signature: str | None
    candidates: int
    known_fixes: int
    tries: int
    random: Chance | None = None
    by_place: Chance | None = None


@dataclass(frozen=True, slots=True)
class Learned:
    """What the first half left behind."""

    tasks: int
    solved: int
    attempts: int
    random: Chance
    """How the random order did."""
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
        random=Chance.of([outcome.tries for outcome in outcomes]),
        mappings=mappings,
    )


def manifest_adviser(database: Database, settings: Settings) -> Callable[[str, str, str], Manifest]:
    """Asks the store with what the failing tests printed."""

    def advise(task: str, request: str, error: str) -> Manifest:
        return build_manifest(database, settings, None, error=error)

    return advise


def evaluate(
    context: StepContext,
    *,
    seed: int = SEED,
    workers: int = WORKERS,
    runner: PytestRunner | None = None,
    compare: bool = True,
    say: Say = lambda text: None,
) -> dict[str, Any]:
    """Learns on one half of each family and measures on the other.

    Args:
        context: an empty store.
        seed: draws the halves and every order.
        workers: runs of pytest at once, where no runner is given.
        runner: runs the tests; by default one of its own.
        compare: measure orders without memory too: every candidate is then run once, not only those that the manifest leads to.
        say: told what is going on.
    """
    if runner is None:
        with PytestRunner(workers) as own:
            return evaluate(context, seed=seed, runner=own, compare=compare, say=say)
    programs = load_programs()
    first, _ = halves(seed)
    say(f"learning from {len(first)} programs, in random order")
    learned = learn(context, [programs[name] for name in first], seed, runner)
    say(f"{learned.solved} of {learned.tasks} repaired in {learned.attempts} attempts; {learned.mappings} fixes known")
    return {"learned": asdict(learned), **evaluate_second(context, runner, seed=seed, compare=compare, say=say)}


def evaluate_second(
    context: StepContext,
    runner: PytestRunner,
    *,
    seed: int = SEED,
    compare: bool = True,
    say: Say = lambda text: None,
) -> dict[str, Any]:
    """Measures on the second half of each family, in a store that has learned from the first. Arguments as for `evaluate`."""
    programs, (_, second) = load_programs(), halves(seed)
    adviser = manifest_adviser(context.database, context.settings)
    say(f"repairing {len(second)} other programs with the manifest at hand")
    with ThreadPoolExecutor(runner.workers) as pool:
        outcomes = list(pool.map(lambda name: Outcomes(programs[name], runner), second))
        if compare:
            say("running all their other candidates, to compare")
            measure(outcomes, pool)

        def trial(one: Outcomes) -> Trial:
            return _trial(one, adviser(one.program.id, one.program.request, one.first.output), seed, compare)

        trials = list(pool.map(trial, outcomes))
    return {"seed": seed, **summary(trials), "programs": [asdict(one) for one in trials]}


class Outcomes:
    """What the tests of a program say: as it is, and with each candidate, which is run once when it is first asked for."""

    def __init__(self, program: Program, runner: PytestRunner) -> None:
        self.program = program
        self.first = runner.run(program.files, program.test)
        self._runner = runner
        self._passed: dict[tuple[tuple[str, str], ...], bool] = {}

    def passed(self, candidate: Candidate) -> bool:
        """Whether the tests pass with a candidate."""
        key = tuple(sorted(candidate.changed.items()))
        if key not in self._passed:
            files = {**self.program.files, **candidate.changed}
            self._passed[key] = self._runner.run(files, self.program.test).passed
        return self._passed[key]


def measure(outcomes: Sequence[Outcomes], pool: ThreadPoolExecutor) -> None:
    """Runs every candidate of some programs."""
    jobs = [(one, candidate) for one in outcomes for candidate in candidates(one.program.modules)]
    list(pool.map(lambda job: job[0].passed(job[1]), jobs))


def _trial(outcomes: Outcomes, manifest: Manifest, seed: int, compare: bool) -> Trial:
    program = outcomes.program
    family = next(family for family in load_families().values() if program.id in family.programs)
    menu = candidates(program.modules)
    order = plan(program, outcomes.first, Advice.of(manifest), Random(f"{seed}/{program.id}/order"))
    by_chance: list[int] = []
    nearest: list[int] = []
    if compare:
        helps = [outcomes.passed(candidate) for candidate in menu]
        near = distances(menu, outcomes.first.output, program.modules)
        for n in range(RANDOM_ORDERS):
            draw = Random(f"{seed}/{program.id}/{n}")
            by_chance.append(_tries(helps[i] for i in draw.sample(range(len(menu)), len(menu))))
            nearest.append(_tries(helps[i] for i in by_place(near, draw)))
    return Trial(
        program=program.id,
        family=family.name,
        unique_signature=family.shares is None,
        signature=manifest.error_pattern,
        candidates=len(menu),
        known_fixes=len(manifest.fixes),
        tries=_tries(outcomes.passed(candidate) for candidate in order),
        random=Chance.of(by_chance) if compare else None,
        by_place=Chance.of(nearest) if compare else None,
    )


def _tries(helps: Iterable[bool]) -> int:
    """How many repairs are tried until one helps; one more than there are where none does."""
    tried = 0
    for helped in helps:
        tried += 1
        if helped:
            return tried
    return tried + 1


def _share(tries: Sequence[int], most: int) -> float:
    return sum(n <= most for n in tries) / len(tries)


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
    tries = [trial.tries for trial in trials]
    row: dict[str, Any] = {"programs": len(trials), "manifest": asdict(Chance.of(tries))}
    for name, found in (("by_place", [t.by_place for t in trials]), ("random", [t.random for t in trials])):
        known = [chance for chance in found if chance is not None]
        if known:
            row[name] = {
                "first": statistics.mean(chance.first for chance in known),
                "third": statistics.mean(chance.third for chance in known),
                "tries": statistics.mean(chance.tries for chance in known),
            }
    return row
