"""The three servers. Addresses come from the settings unless one is configured here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field, PrivateAttr

from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.resilience import breaker_under
from debug_loop_pipeline.settings import Settings, get_settings
from debug_loop_pipeline.steps.framework import StepContext

if TYPE_CHECKING:
    from debug_loop_pipeline.effects.valkey import Valkey


class PostgresResource(dg.ConfigurableResource[None]):
    """The pipeline's database, one pooled engine per process."""

    url: str | None = Field(
        default=None, description="PostgreSQL URL; unset: DEBUG_LOOP_POSTGRES_URL or the embedded server."
    )

    _database: Database | None = PrivateAttr(default=None)

    def settings(self) -> Settings:
        """The process's settings."""
        return get_settings()

    def database(self) -> Database:
        """The database, connected at first use.

        Raises:
            MissingServerError: no address is known.
        """
        if self._database is None:
            settings = self.settings()
            limits = settings.resilience
            self._database = Database(
                self.url or settings.require_postgres_url(),
                limits.postgres_pool_size,
                int(limits.statement_timeout_seconds * 1000),
                "debug-loop-dagster",
                breaker=breaker_under(limits),
            )
        return self._database

    def steps(self, context: dg.AssetExecutionContext) -> StepContext:
        """What a step works with, logging to the run."""
        return StepContext(self.database(), self.settings(), context.log.info)

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Closes the pooled connections."""
        if self._database is not None:
            self._database.close()
            self._database = None


class ValkeyResource(dg.ConfigurableResource[None]):
    """The cache."""

    url: str | None = Field(
        default=None, description="redis:// URL; unset: DEBUG_LOOP_VALKEY_URL or the embedded server."
    )

    def client(self) -> Valkey:
        """The cache's client, connected at first use.

        Raises:
            MissingServerError: no address is known.
        """
        from debug_loop_pipeline.effects.valkey import Valkey  # 0.2 s, and few runs ask for it

        settings = get_settings()
        return Valkey(self.url or settings.require_valkey_url(), breaker=breaker_under(settings.resilience))


class KafkaResource(dg.ConfigurableResource[None]):
    """The broker."""

    bootstrap_servers: str | None = Field(
        default=None, description="host:port list; unset: DEBUG_LOOP_KAFKA_BOOTSTRAP_SERVERS or the embedded broker."
    )

    def address(self) -> str:
        """The brokers to ask first.

        Raises:
            MissingServerError: no address is known.
        """
        return self.bootstrap_servers or get_settings().require_kafka_bootstrap_servers()

    def is_known(self) -> bool:
        """Whether there is an address."""
        return self.bootstrap_servers is not None or get_settings().kafka_bootstrap_servers is not None
