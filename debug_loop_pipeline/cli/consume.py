"""`debug-loop consume`: the service that publishes the ledger and folds it into balances, until Ctrl-C."""

from __future__ import annotations

import signal
import threading
from typing import Annotated

import typer

from debug_loop_pipeline.cli.output import print_json

app = typer.Typer(add_completion=False)


@app.command()
def consume(
    seconds: Annotated[float | None, typer.Option(help="End after this long; by default at Ctrl-C.", min=0.1)] = None,
) -> None:
    """Publish the ledger and fold it into balances, milliseconds after each decision, until Ctrl-C."""
    from debug_loop_pipeline.errors import DebugLoopError
    from debug_loop_pipeline.settings import get_settings
    from debug_loop_pipeline.steps.ledger import open_ledger
    from debug_loop_pipeline.steps.ledger_service import LedgerService

    settings = get_settings()
    if not settings.economy_enabled:
        raise DebugLoopError("the token economy is off; set DEBUG_LOOP_ECONOMY_ENABLED=true to turn it on")
    ended = threading.Event()
    previous = {number: signal.signal(number, lambda *_: ended.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with open_ledger(settings, "debug-loop-consume") as ledger:
            service = LedgerService(ledger, sweep_every_s=settings.economy.hold_sweep_seconds)
            service.start()
            typer.echo("publishing and folding; Ctrl-C ends it", err=True)
            ended.wait(seconds)
            service.stop()
            report = service.counts.report
            print_json(
                {
                    "published": report.published,
                    "folded": report.folded,
                    "repeated": report.repeated,
                    "quarantined": report.quarantined,
                    "requeued": report.requeued,
                    "expired_holds": service.counts.swept,
                    "failures": service.counts.failures,
                }
            )
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
