"""`debug-loop up | down | status | doctor`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from debug_loop_pipeline.cli.output import JsonOption, hide_password, print_json, print_table
from debug_loop_pipeline.settings import Settings, get_settings, libpq_url, load_settings, read_servers_state

app = typer.Typer(add_completion=False, no_args_is_help=True)

SecretsOption = Annotated[bool, typer.Option("--secrets", help="Show passwords in the addresses.")]


class Broker(StrEnum):
    """Which Kafka broker to start."""

    AUTO = "auto"
    APACHE = "apache"
    TANSU = "tansu"
    NONE = "none"


@app.command()
def up(
    kafka: Annotated[Broker, typer.Option(help="Broker; auto: Apache Kafka where it can be started.")] = Broker.AUTO,
    json: JsonOption = False,
    secrets: SecretsOption = False,
) -> None:
    """Start the embedded servers that no setting replaces, migrate the database, write Dagster's home."""
    from debug_loop_pipeline.cli.runtime import start
    from debug_loop_pipeline.embedded.kafka import find_jars, why_no_apache

    runtime = start(kafka.value)
    _show(runtime.settings, json=json, secrets=secrets)
    broker = read_servers_state(runtime.settings.data_dir).running.get("kafka")
    if not json and broker is not None and broker.kind == "tansu":
        reason = why_no_apache(find_jars(runtime.settings.kafka_jars))
        typer.echo(
            "The broker is Tansu, in memory only" + (f"; for Apache Kafka: {reason}." if reason else ", as asked for.")
        )


@app.command()
def down(
    purge: Annotated[bool, typer.Option("--purge", help="Remove all data too: everything that was learned.")] = False,
    json: JsonOption = False,
) -> None:
    """Stop the embedded servers; their data stay unless told otherwise."""
    from debug_loop_pipeline.embedded.supervisor import Supervisor

    data_dir = load_settings().data_dir
    if purge:
        Supervisor(data_dir).purge()
        if json:
            print_json({"removed": data_dir})
        else:
            typer.echo(f"removed: {data_dir}")
        return
    stopped = Supervisor(data_dir).down()
    if json:
        print_json({"stopped": stopped})
    else:
        typer.echo(f"stopped: {', '.join(sorted(stopped))}" if stopped else f"nothing runs under {data_dir}")


@app.command()
def status(json: JsonOption = False, secrets: SecretsOption = False) -> None:
    """Show the servers and where they answer. Ends with 1 when one that was started or is set does not."""
    rows = _show(get_settings(), json=json, secrets=secrets)
    if any(row["state"] in ("dead", "unhealthy", "unreachable") for row in rows):
        raise typer.Exit(1)


@app.command()
def doctor(json: JsonOption = False) -> None:
    """Check this installation and say what to do. Ends with 1 when something has to be done."""
    from rich.text import Text

    from debug_loop_pipeline.cli.doctor import examine

    findings = examine(load_settings())
    if json:
        print_json([finding._asdict() for finding in findings])
    else:
        colours = {"ok": "green", "note": "yellow", "problem": "red"}
        print_table(
            ("check", "", "found", "what to do"),
            [(f.check, Text(f.level, colours[f.level]), f.found, f.advice) for f in findings],
        )
    if any(finding.level == "problem" for finding in findings):
        raise typer.Exit(1)


def _rows(settings: Settings, *, secrets: bool) -> list[dict[str, Any]]:
    from debug_loop_pipeline.cli.doctor import SERVER_FIELDS, ask_external
    from debug_loop_pipeline.embedded.supervisor import Supervisor

    configured = load_settings()
    supervisor = Supervisor(settings.data_dir, kafka_jars=settings.kafka_jars)
    known = {server.name: server for server in supervisor.status()}
    rows: list[dict[str, Any]] = []
    for name, field in SERVER_FIELDS.items():
        address = getattr(settings, field)
        if address is not None and name == "postgres":
            address = libpq_url(address)  # as psql and other programs want it
        if address is not None and not secrets:
            address = hide_password(address)
        external = getattr(configured, field)
        row: dict[str, Any] = {"name": name, "kind": None, "state": "stopped", "address": address}
        server = known.get(name)
        if external is not None:
            asked = ask_external(name, external)
            row |= {"state": "external"} if asked.level == "ok" else {"state": "unreachable", "detail": asked.found}
        elif server is not None:
            row |= {
                "kind": server.kind,
                "state": server.state,
                "version": server.version,
                "pid": server.pid,
                "port": server.port,
                "data": server.data,
                "log": server.log,
                "detail": server.detail,
            }
        rows.append(row)
    return rows


def _show(settings: Settings, *, json: bool, secrets: bool) -> list[dict[str, Any]]:
    from debug_loop_pipeline.cli.consume import is_consumed

    rows = _rows(settings, secrets=secrets)
    consumed = is_consumed(settings.data_dir)
    if json:
        told = {"data_dir": settings.data_dir, "dagster_home": settings.dagster_home, "servers": rows}
        print_json(told | {"consume": "running" if consumed else "stopped"})
    else:
        print_table(
            ("server", "kind", "state", "address", "pid", "data"),
            [
                (
                    row["name"],
                    f"{row['kind'] or ''} {row.get('version') or ''}".strip(),
                    row["state"],
                    row["address"],
                    row.get("pid"),
                    row.get("data") or ("in memory" if row["kind"] == "tansu" else None),
                )
                for row in rows
            ],
        )
        typer.echo(f"debug-loop consume: {'running' if consumed else 'stopped'}")
        for row in rows:
            if row.get("detail"):
                typer.echo(f"{row['name']}: {row['detail']}")
    return rows
