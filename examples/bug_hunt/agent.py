"""The agent: runs the tests, tries one repair after the other on the real source, and logs each attempt.

It sees the program, the tests' output and what an adviser tells it. It knows no family and no operator's name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

from debug_loop_pipeline.models.manifest import Manifest
from examples.bug_hunt.candidates import Candidate, candidates
from examples.bug_hunt.corpus import Program
from examples.bug_hunt.events import TaskLog, judged, pattern_of_cut
from examples.bug_hunt.ranking import Advice, by_advice
from examples.bug_hunt.runner import WORKERS, PytestRunner, RunResult

Adviser = Callable[[str, str, str], Manifest | Advice | None]
"""(task id, request, output of the failing tests) -> what is known about it."""
OnEvent = Callable[[dict[str, Any]], None]

BUDGET = 30
"""Repairs that are tried before a program is given up."""
FORTNIGHT = 14


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a task ended. tries: repairs that were tried, the one that helped included."""

    program: str
    task: str
    solved: bool
    tries: int
    advised: bool


def hunt(
    programs: Iterable[Program],
    *,
    seed: int,
    adviser: Adviser | None = None,
    on_event: OnEvent | None = None,
    now: datetime | None = None,
    days: int = FORTNIGHT,
    budget: int = BUDGET,
    workers: int = WORKERS,
    runner: PytestRunner | None = None,
) -> list[Outcome]:
    """Repairs programs, several at once.

    Args:
        programs: what to repair.
        seed: draws the order of repairs that nothing speaks for, and what `TaskLog` makes up.
        adviser: asked once a task, after its tests failed; called from several threads.
        on_event: gets each execution event as soon as its attempt has ended; called from several threads.
        now: the end of the days over which tasks are spread; by default the last midnight, so that a second hunt on one day tells the
            same.
        days: over how many days the tasks are spread; 0 puts them into the present.
        budget: repairs tried a program.
        workers: programs at once, where no runner is given.
        runner: runs the tests; by default one of its own.

    Returns:
        One outcome per program, in the order of the programs.
    """
    if runner is None:
        with PytestRunner(workers) as own:
            return hunt(
                programs,
                seed=seed,
                adviser=adviser,
                on_event=on_event,
                now=now,
                days=days,
                budget=budget,
                runner=own,
            )

    def one(program: Program) -> Outcome:
        end = now or (last_midnight() if days else datetime.now(UTC))
        log = TaskLog(program, seed, end, days)
        return _repair(program, log, runner, adviser, on_event or _ignore, budget)

    with ThreadPoolExecutor(runner.workers) as pool:
        return list(pool.map(one, programs))


def last_midnight() -> datetime:
    """The beginning of this day, UTC."""
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _ignore(event: dict[str, Any]) -> None:
    """Nobody listens."""


def _repair(
    program: Program, log: TaskLog, runner: PytestRunner, adviser: Adviser | None, on_event: OnEvent, budget: int
) -> Outcome:
    first = runner.run(program.files, program.test)
    verdict = judged(program.test, first)
    on_event(log.event(first, verdict))
    task = str(log.correlation)
    advice = _advice(adviser(task, program.request, first.output) if adviser is not None else None)
    log.recommendation_id = advice.recommendation_id
    if first.passed:
        return Outcome(program.id, task, True, 0, bool(advice.fixes))
    order = plan(program, first, advice, Random(f"{log.seed}/{program.id}/order"))
    for number, candidate in enumerate(order[:budget], 1):
        # The files hold the last try, which is taken back first; the result is the program with this one change.
        result = runner.run({**program.files, **candidate.changed}, program.test)
        on_event(log.event(result, judged(program.test, result), candidate))
        if result.passed:
            return Outcome(program.id, task, True, number, bool(advice.fixes))
    return Outcome(program.id, task, False, min(budget, len(order)), bool(advice.fixes))


def plan(program: Program, first: RunResult, advice: Advice, draw: Random) -> list[Candidate]:
    """The repairs of a program in the order in which they are tried, given what its failing tests printed."""
    errors = judged(program.test, first).errors
    subjects = pattern_of_cut(errors[0]).subjects if errors else ()
    return by_advice(candidates(program.modules), subjects, advice, first.output, program.modules, draw)


def _advice(said: Manifest | Advice | None) -> Advice:
    if said is None:
        return Advice()
    return Advice.of(said) if isinstance(said, Manifest) else said
