"""`python -m examples.bug_hunt hunt|evaluate|experiment|live|verify`: see README.md."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from examples.bug_hunt.agent import BUDGET, hunt
from examples.bug_hunt.candidates import candidates
from examples.bug_hunt.corpus import halves, load_families, load_programs
from examples.bug_hunt.evaluation import SEED, Outcomes, evaluate, evaluate_second, measure
from examples.bug_hunt.runner import WORKERS, PytestRunner, RememberingRunner


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m examples.bug_hunt", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    hunting = commands.add_parser("hunt", help="repair programs without memory and write the execution events")
    hunting.add_argument("--out", type=Path, required=True, help="file for the events, one a line")
    hunting.add_argument("--half", choices=("learn", "test", "all"), default="learn", help="which half of each family")
    hunting.add_argument("--budget", type=int, default=BUDGET, help="repairs tried a program")
    evaluating = commands.add_parser("evaluate", help="learn on one half, measure on the other, beside random order")
    evaluating.add_argument("--json", action="store_true", help="print JSON")
    evaluating.add_argument("--database", help="URL of an empty database; by default one is started")
    trying = commands.add_parser(
        "experiment", help="the closed loop on servers of its own: learn, hunt live, compare both arms"
    )
    trying.add_argument("--placebo", action="store_true", help="give each task what is known about another one")
    trying.add_argument("--json", action="store_true", help="print JSON")
    live = commands.add_parser(
        "live", help="the same on the running store, which has learned from the first half; for the demo"
    )
    verifying = commands.add_parser("verify", help="check that each program fails, and which repairs make it pass")
    for command in (hunting, evaluating, trying, live, verifying):
        command.add_argument("--seed", type=int, default=SEED)
        command.add_argument("--workers", type=int, default=WORKERS, help="runs of pytest at once")
    options = parser.parse_args(arguments)
    run = {"hunt": _hunt, "evaluate": _evaluate, "experiment": _experiment, "live": _live, "verify": _verify}
    return run[options.command](options)


def _hunt(options: argparse.Namespace) -> int:
    learn, test = halves(options.seed)
    names = {"learn": learn, "test": test, "all": sorted(learn + test)}[options.half]
    programs = load_programs()
    events: list[dict[str, Any]] = []
    began = time.monotonic()
    outcomes = hunt(
        [programs[name] for name in names],
        seed=options.seed,
        on_event=events.append,
        budget=options.budget,
        workers=options.workers,
    )
    # In the order in which it all happened, whichever worker was faster.
    events.sort(key=lambda event: (event["started_at"], event["attempt_id"]))
    options.out.write_text("".join(json.dumps(event, ensure_ascii=False) + "\n" for event in events), encoding="utf-8")
    solved = [outcome for outcome in outcomes if outcome.solved]
    tries = sum(outcome.tries for outcome in outcomes) / max(1, len(outcomes))
    print(
        f"{len(solved)} of {len(outcomes)} programs repaired, {tries:.1f} repairs tried on average,"
        f" {len(events)} runs of pytest in {time.monotonic() - began:.1f} s; events in {options.out}"
    )
    return 0


@contextmanager
def _database(url: str | None) -> Iterator[str]:
    """URL of a migrated database: the one that is given, or one of its own for this command."""
    from debug_loop_pipeline.effects.schema import upgrade
    from debug_loop_pipeline.embedded.supervisor import Supervisor

    if url is not None:
        upgrade(url)
        yield url
        return
    with tempfile.TemporaryDirectory(prefix="bug-hunt-store-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o711)  # PostgreSQL may run under an account of its own
        servers = Supervisor(Path(directory), durable=False)
        try:
            started = servers.up("none", valkey=False).postgres_url
            assert started is not None
            upgrade(started)
            yield started
        finally:
            servers.down()


def _evaluate(options: argparse.Namespace) -> int:
    from debug_loop_pipeline.effects.postgres import Database
    from debug_loop_pipeline.settings import Settings
    from debug_loop_pipeline.steps.framework import StepContext

    with _database(options.database) as url:
        context = StepContext(Database(url), Settings())
        report = evaluate(
            context, seed=options.seed, workers=options.workers, say=lambda text: print(text, file=sys.stderr)
        )
        context.database.engine.dispose()
    if options.json:
        print(json.dumps(report, indent=1))
        return 0
    print(_table(report))
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _experiment(options: argparse.Namespace) -> int:
    from debug_loop_pipeline.effects.postgres import Database
    from debug_loop_pipeline.effects.report_store import effect_rows, latest_effect
    from debug_loop_pipeline.effects.schema import upgrade
    from debug_loop_pipeline.embedded.supervisor import Supervisor
    from debug_loop_pipeline.settings import Settings
    from debug_loop_pipeline.steps.framework import StepContext
    from examples.bug_hunt.experiment import run_experiment

    with tempfile.TemporaryDirectory(prefix="bug-hunt-store-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o711)  # PostgreSQL may run under an account of its own
        servers = Supervisor(Path(directory), durable=False)
        try:
            started = servers.up("auto", valkey=False)
            assert started.postgres_url is not None
            upgrade(started.postgres_url)
            settings = Settings(
                data_dir=Path(directory),
                postgres_url=started.postgres_url,
                kafka_bootstrap_servers=started.kafka_bootstrap_servers,
            )
            context = StepContext(Database(started.postgres_url), settings)
            with PytestRunner(options.workers) as runner:
                run_experiment(context, runner, seed=options.seed, placebo=options.placebo, say=_say)
            found = latest_effect(context.database)
            context.database.close()
        finally:
            servers.down()
    print(json.dumps(found if options.json else effect_rows(found), indent=1, default=str))
    return 0


def _live(options: argparse.Namespace) -> int:
    from debug_loop_pipeline.cli.store import open_store
    from examples.bug_hunt.experiment import run_live, was_run

    with open_store() as context, RememberingRunner(options.workers) as runner:
        if was_run(context):
            print("the experiment was run on this store before, which knows all programs since: not again")
            return 0
        run_live(context, runner, seed=options.seed, say=_say)
        # Nothing was computed from the live runs yet, so the store still knows the first half only.
        print(_table(evaluate_second(context, runner, seed=options.seed, say=_say), families=False))
    return 0


_WAYS = (("manifest", "with the manifest"), ("by_place", "near the traceback"), ("random", "random order"))


def _table(report: dict[str, Any], *, families: bool = True) -> str:
    head = f"{'':22}{'programs':>9}" + "".join(f"  {title:^26}" for _, title in _WAYS)
    columns = f"{'':22}{'':>9}" + f"  {'at once':>8}{'within 3':>9}{'tries':>9}" * len(_WAYS)
    rows = [("unique signature", "unique_signature"), ("shared signature", "shared_signature"), ("all", "all")]
    lines = [head, columns]
    for title, row in [
        *((title, report[key]) for title, key in rows),
        *(report["families"].items() if families else ()),
    ]:
        cells = [row[way] for way, _ in _WAYS]
        told = "".join(f"  {cell['first']:>8.0%}{cell['third']:>9.0%}{cell['tries']:>9.1f}" for cell in cells)
        lines.append(f"{title:22}{row['programs']:>9}{told}")
    return "\n".join(lines)


def _verify(options: argparse.Namespace) -> int:
    programs, families = load_programs(), load_families()
    wrong: list[str] = []
    if sorted(name for family in families.values() for name in family.programs) != sorted(programs):
        wrong.append("families and programs do not agree")
    with PytestRunner(options.workers) as runner, ThreadPoolExecutor(options.workers) as pool:
        outcomes = list(pool.map(lambda program: Outcomes(program, runner), programs.values()))
        measure(outcomes, pool)
    others = 0
    for one in outcomes:
        name = one.program.id
        repair = next(family.repair for family in families.values() if name in family.programs)
        menu = candidates(one.program.modules)
        helped = sorted({candidate.made_by for candidate in menu if one.passed(candidate)})
        if one.first.exit_code not in (1, 2):
            wrong.append(f"{name} does not fail")
        if repair not in helped:
            wrong.append(f"{name} is not repaired by {repair}")
        others += helped != [repair]
        print(f"{name} {one.program.name:18} {len(menu):3} candidates, helped: {', '.join(helped)}")
    print(f"{len(programs)} programs, {len(families)} families; another repair helps {others} of them too")
    for complaint in wrong:
        print(f"WRONG: {complaint}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
