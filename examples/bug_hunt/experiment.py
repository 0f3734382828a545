"""The closed loop: the second half of each family is repaired live, with what the first half taught at hand or held out.

What the agent does goes through `AgentExecutionLogger` and Kafka into the store, what it is given comes from the store's own answers, and what
came of it is told by `recommendation_effect`. Seed, salt and sizes stand here, before any run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from random import Random

from debug_loop_pipeline.client.logger import AgentExecutionLogger
from debug_loop_pipeline.compute.serving.recommendation_arm import arm_of
from debug_loop_pipeline.effects.execution_consumer import ExecutionConsumer
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.kafka import Kafka
from debug_loop_pipeline.models.identity import correlation_id
from debug_loop_pipeline.models.logger_options import LoggerOptions
from debug_loop_pipeline.models.manifest import Manifest
from debug_loop_pipeline.models.recommendation import Arm
from debug_loop_pipeline.serving.library import LibraryAnswers
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps.consume_executions import consume_partition
from debug_loop_pipeline.steps.framework import StepContext
from debug_loop_pipeline.steps.manifest import build_manifest
from debug_loop_pipeline.steps.run_all import run_dirty_days
from examples.bug_hunt.agent import Outcome, hunt
from examples.bug_hunt.corpus import Program, halves, load_programs
from examples.bug_hunt.evaluation import SEED, learn
from examples.bug_hunt.events import AGENT, FORMAT
from examples.bug_hunt.ranking import Advice
from examples.bug_hunt.runner import PytestRunner

SALT = "bug-hunt"
HOLDOUT_SHARE = 0.5
LEAST_PER_ARM = 24
_BLOCK_MS = 10_000
_PUBLISH_S = 60.0

Say = Callable[[str], None]


def experiment_settings(settings: Settings) -> Settings:
    """The settings of a store with half of the tasks held out."""
    drawn = settings.recommendation.model_copy(update={"holdout_share": HOLDOUT_SHARE, "salt": SALT})
    return settings.model_copy(update={"recommendation": drawn})


def arms(seed: int = SEED) -> dict[Arm, list[str]]:
    """The programs of each arm: known before anything runs, since an arm is drawn by the task's id."""
    drawn: dict[Arm, list[str]] = {Arm.TREATMENT: [], Arm.HOLDOUT: []}
    for name in halves(seed)[1]:
        drawn[arm_of(SALT, HOLDOUT_SHARE, None, str(_task(seed, name)))].append(name)
    return drawn


def was_run(context: StepContext) -> bool:
    """Whether this store holds an experiment already. It has learned the second half then, so another one would be none."""
    rows = fetch_rows(
        context.database, "select exists (select from recommendations where agent = :agent) as run", {"agent": AGENT}
    )
    return bool(rows[0]["run"])


def run_experiment(
    context: StepContext, runner: PytestRunner, *, seed: int = SEED, placebo: bool = False, say: Say = lambda text: None
) -> list[Outcome]:
    """Learns from the first half in an empty store, repairs the second live, and computes what came of it.

    `recommendation_effect` tells the result. Arguments as for `run_live`.
    """
    programs = load_programs()
    learned = learn(context, [programs[name] for name in halves(seed)[0]], seed, runner)
    say(f"{learned.solved} of {learned.tasks} repaired without memory; {learned.mappings} fixes known")
    outcomes = run_live(context, runner, seed=seed, placebo=placebo, say=say)
    run_dirty_days(context)
    return outcomes


def run_live(
    context: StepContext, runner: PytestRunner, *, seed: int = SEED, placebo: bool = False, say: Say = lambda text: None
) -> list[Outcome]:
    """Repairs the second half of each family live and takes what was told into the inbox. Nothing is computed from it yet.

    Args:
        context: a store that has learned from the first half, and names a broker.
        runner: runs the tests.
        seed: draws the halves and every order.
        placebo: give the agent the manifest of another task.
        say: told what is going on.
    """
    programs = [load_programs()[name] for name in halves(seed)[1]]
    settings = experiment_settings(context.settings)
    given = _swapped(context, programs, runner, seed) if placebo else {}
    servers = settings.require_kafka_bootstrap_servers()
    # The agent's tasks follow each other too fast for a disk that is slow: it waits, so that none is refused.
    options = LoggerOptions(learn=False, block_ms=_BLOCK_MS)
    logger = AgentExecutionLogger(AGENT, data_dir=settings.data_dir, servers=servers, options=options)
    with closing(LibraryAnswers(settings)) as answers:

        def advise(task: str, request: str, error: str) -> Advice:
            question = {"op": "manifest", "error": error, "correlation_id": task, "agent": AGENT, "with_manifest": True}
            answer = answers.ask(question)
            if "manifest" not in answer or "recommendation_id" not in answer:
                return Advice()  # nothing is known, or it is held out
            manifest = given.get(task) or Manifest.model_validate(answer["manifest"])
            return Advice.of(manifest, answer["recommendation_id"])

        with closing(logger):
            outcomes = hunt(programs, seed=seed, adviser=advise, on_event=logger.record, days=0, runner=runner)
            logger.close(wait_s=_PUBLISH_S)
    if logger.counts.refused or logger.counts.failed or logger.unpublished:
        raise RuntimeError(f"not everything was told: {logger.counts}, unpublished: {logger.unpublished}")
    with closing(Kafka(servers)) as kafka:
        taken = consume_partition(context, ExecutionConsumer(context.database, kafka))
    say(f"{len(outcomes)} programs repaired live; {taken.events} executions came through Kafka")
    return outcomes


def _swapped(
    context: StepContext, programs: Sequence[Program], runner: PytestRunner, seed: int
) -> Mapping[str, Manifest]:
    """Task -> what is known about another task's error."""
    with ThreadPoolExecutor(runner.workers) as pool:
        outputs = list(pool.map(lambda program: runner.run(program.files, program.test).output, programs))
    known = [build_manifest(context.database, context.settings, None, error=output) for output in outputs]
    order = list(range(len(programs)))
    Random(f"{seed}/placebo").shuffle(order)
    return {
        str(_task(seed, programs[one].id)): known[other]
        for one, other in zip(order, order[1:] + order[:1], strict=True)
    }


def _task(seed: int, program: str) -> object:
    return correlation_id(FORMAT, f"{seed}/{program}")
