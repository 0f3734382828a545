"""Writes Dagster's home in the data directory: `dagster.yaml` and `workspace.yaml`."""

from __future__ import annotations

import json
import os
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from debug_loop_pipeline.embedded.postgres import create_database
from debug_loop_pipeline.settings import Settings

_DEFAULT_LAUNCHER = {"module": "dagster", "class": "DefaultRunLauncher"}


def write_dagster_home(settings: Settings, *, celery: bool = False) -> Path:
    """Write `dagster.yaml` for the running servers; what Dagster keeps beside it is left alone.

    Args:
        settings: with the addresses of the servers.
        celery: runs are done by Celery workers over Valkey, not by the code server.

    Returns:
        The home, for DAGSTER_HOME.
    """
    home = settings.dagster_home
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    template = Template((files("debug_loop_pipeline.cli") / "dagster.yaml.template").read_text(encoding="utf-8"))
    # A JSON string is a YAML string, whatever is in the path or the password.
    content = template.substitute(
        postgres_url=json.dumps(settings.require_dagster_postgres_url()),
        storage_directory=json.dumps(str(home / "storage")),
        compute_log_directory=json.dumps(str(home / "compute-logs")),
        run_launcher=json.dumps(_celery_launcher(settings) if celery else _DEFAULT_LAUNCHER),
    )
    _replace(home / "dagster.yaml", content)
    return home


def use_dagster_home(settings: Settings) -> None:
    """Make what follows in this process use the data directory's Dagster instance; its home and its database are made where
    there is none yet: on a server of one's own nothing may have been started before.

    Raises:
        DebugLoopError: the database is not there and cannot be made.
    """
    if not (settings.dagster_home / "dagster.yaml").is_file():
        write_dagster_home(settings)
    create_database(settings.require_dagster_postgres_url())
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)


def write_workspace(home: Path, socket: Path) -> Path:
    """Write a workspace of the one code server that listens on a Unix socket.

    Returns:
        The file.
    """
    path = home / "workspace.yaml"
    location = {"socket": str(socket), "location_name": "debug_loop_pipeline"}
    _replace(path, json.dumps({"load_from": [{"grpc_server": location}]}, indent=2))
    return path


def _celery_launcher(settings: Settings) -> dict[str, Any]:
    return {
        "module": "debug_loop_pipeline.processes.celery_launcher",
        "class": "ValkeyRunLauncher",
        "config": {"valkey_url": settings.require_valkey_url()},
    }


def _replace(path: Path, content: str) -> None:
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.touch(mode=0o600)  # it holds the database's password
    scratch.write_text(content, encoding="utf-8")
    scratch.replace(path)
