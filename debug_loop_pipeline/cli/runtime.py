"""Makes an installation ready for a command: servers up, databases there, schema current, Dagster's home written."""

from __future__ import annotations

from dataclasses import dataclass

from debug_loop_pipeline.cli.dagster_home import write_dagster_home
from debug_loop_pipeline.effects import schema
from debug_loop_pipeline.embedded.postgres import create_database
from debug_loop_pipeline.embedded.supervisor import KafkaChoice, Supervisor
from debug_loop_pipeline.models.servers import ServerName
from debug_loop_pipeline.settings import Settings, get_settings, load_settings


@dataclass(frozen=True)
class Runtime:
    """What `start` brought up."""

    settings: Settings
    """With the addresses of the running servers."""
    supervisor: Supervisor


def make_supervisor(settings: Settings) -> Supervisor:
    """The supervisor of the data directory that is set."""
    return Supervisor(settings.data_dir, kafka_jars=settings.kafka_jars)


def running_servers(supervisor: Supervisor) -> frozenset[ServerName]:
    """The servers that run now."""
    return frozenset(server.name for server in supervisor.status() if server.state == "running")


def start(kafka: KafkaChoice = "auto") -> Runtime:
    """Start the servers that no setting replaces, migrate the database and write Dagster's home. Idempotent.

    Raises:
        DebugLoopError: A server does not start or answer.
    """
    configured = load_settings()
    supervisor = make_supervisor(configured)
    supervisor.up(
        "none" if configured.kafka_bootstrap_servers else kafka,
        postgres=configured.postgres_url is None,
        valkey=configured.valkey_url is None,
    )
    get_settings.cache_clear()
    settings = get_settings()
    prepare_databases(settings)
    write_dagster_home(settings)
    return Runtime(settings, supervisor)


def prepare_databases(settings: Settings) -> None:
    """Create the pipeline's and Dagster's database where they are missing, and migrate the pipeline's.

    Raises:
        DebugLoopError: PostgreSQL does not answer, or the user may not create a database.
    """
    url = settings.require_postgres_url()
    create_database(url)
    create_database(settings.require_dagster_postgres_url())
    schema.upgrade(url)
