"""`debug-loop consume`: the service that takes in what agents tell, and keeps the ledger where the economy is on, until Ctrl-C."""

from __future__ import annotations

import fcntl
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from debug_loop_pipeline.cli.output import print_json

if TYPE_CHECKING:
    from debug_loop_pipeline.settings import Settings

app = typer.Typer(add_completion=False)
_LOCK = "consume.lock"


@app.command()
def consume(
    seconds: Annotated[float | None, typer.Option(help="End after this long; by default at Ctrl-C.", min=0.1)] = None,
) -> None:
    """Take in what agents tell through Kafka and the spools of those that ended; publish and fold the ledger where there is one."""
    from debug_loop_pipeline.settings import get_settings

    settings = get_settings()
    ended = threading.Event()
    previous = {number: signal.signal(number, lambda *_: ended.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with ExitStack() as services:
            services.enter_context(_noted(settings.data_dir))
            told = [services.enter_context(executions_consumed(settings))]
            if settings.economy_enabled:
                told.append(services.enter_context(_ledger(settings)))
            typer.echo("consuming; Ctrl-C ends it", err=True)
            ended.wait(seconds)
        print_json({name: value for report in told for name, value in report.items()})
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def is_consumed(data_dir: Path) -> bool:
    """Whether a consumer service runs on this data directory. One on another machine is not seen."""
    try:
        with (data_dir / _LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@contextmanager
def _noted(data_dir: Path) -> Iterator[None]:
    """Holds a lock that several may share, for `is_consumed`."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (data_dir / _LOCK).open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


@contextmanager
def executions_consumed(settings: Settings) -> Iterator[dict[str, Any]]:
    """Executions into the inbox, and orphaned spools onto the topic; yields what is filled in at the end."""
    from debug_loop_pipeline.client.relay import RelayThread
    from debug_loop_pipeline.client.spool import SPOOL
    from debug_loop_pipeline.effects.execution_consumer import ExecutionConsumer
    from debug_loop_pipeline.effects.kafka import Kafka
    from debug_loop_pipeline.effects.postgres import Database
    from debug_loop_pipeline.effects.resilience import breaker_under
    from debug_loop_pipeline.steps.execution_service import ExecutionService
    from debug_loop_pipeline.steps.framework import StepContext

    limits = settings.resilience
    servers = settings.require_kafka_bootstrap_servers()
    timeout_ms = int(limits.statement_timeout_seconds * 1000)
    database = Database(
        settings.require_postgres_url(), 2, timeout_ms, "debug-loop-consume", breaker=breaker_under(limits)
    )
    kafka = Kafka(servers, timeout_s=limits.kafka_timeout_seconds, breaker=breaker_under(limits))
    service = ExecutionService(StepContext(database, settings), ExecutionConsumer(database, kafka))
    relay = RelayThread(settings.data_dir / SPOOL, lambda: servers, settings.logger)
    told: dict[str, Any] = {}
    service.start()
    try:
        yield told
    finally:
        service.stop()
        relay.close(wait_s=5.0)
        kafka.close()
        database.close()
        told["executions"] = {
            "messages": service.report.messages,
            "events": service.report.events,
            "changed_attempts": service.report.changed_attempts,
            "forgotten": service.report.forgotten,
            "rejects": service.report.rejects,
            "failures": service.passes.failures,
        }
        told["spools"] = {
            "published": relay.counts.published,
            "republished": relay.counts.republished,
            "damaged_lines": relay.counts.damaged,
            "set_aside": relay.counts.set_aside,
            "failures": relay.counts.failures,
        }


@contextmanager
def _ledger(settings: Settings) -> Iterator[dict[str, Any]]:
    """The ledger's relay, fold and sweep; yields what is filled in at the end."""
    from debug_loop_pipeline.steps.ledger import open_ledger
    from debug_loop_pipeline.steps.ledger_service import LedgerService

    told: dict[str, Any] = {}
    with open_ledger(settings, "debug-loop-consume") as ledger:
        service = LedgerService(ledger, sweep_every_s=settings.economy.hold_sweep_seconds)
        service.start()
        try:
            yield told
        finally:
            service.stop()
            report = service.counts.report
            told["ledger"] = {
                "published": report.published,
                "folded": report.folded,
                "repeated": report.repeated,
                "quarantined": report.quarantined,
                "requeued": report.requeued,
                "expired_holds": service.counts.swept,
                "failures": service.passes.failures,
            }
