"""Fixtures of the tests that kill and restore servers of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from debug_loop_pipeline.effects import schema
from debug_loop_pipeline.embedded.kafka import find_jars, why_no_apache
from debug_loop_pipeline.embedded.supervisor import Supervisor
from debug_loop_pipeline.models.servers import STATE_FILE, ServersState
from debug_loop_pipeline.settings import get_settings
from tests.support.ledger_workers import Servers
from tests.support.own_servers import Broker, quiet_ports


@pytest.fixture(params=["apache", "tansu"])
def broker(request: pytest.FixtureRequest) -> Broker:
    reason = why_no_apache(find_jars(get_settings().kafka_jars))
    if request.param == "apache" and reason is not None:
        if os.environ.get("DEBUG_LOOP_REQUIRE_APACHE_KAFKA"):
            pytest.fail(f"Apache Kafka is required here: {reason}")
        pytest.skip(reason)
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def stack(short_directory: Path, broker: Broker) -> Iterator[tuple[Supervisor, Servers]]:
    """Servers of this test's own: it kills them."""
    servers = Supervisor(short_directory, durable=False)
    ports = dict(zip(("postgres", "valkey", "kafka", "kafka_controller"), quiet_ports(4), strict=True))
    (short_directory / STATE_FILE).write_text(ServersState(ports=ports).model_dump_json(), encoding="utf-8")
    try:
        there = servers.up(broker)
        assert there.postgres_url is not None
        assert there.kafka_bootstrap_servers is not None
        assert there.valkey_url is not None
        schema.upgrade(there.postgres_url)
        yield servers, Servers(there.postgres_url, there.kafka_bootstrap_servers, there.valkey_url)
    finally:
        servers.down()
