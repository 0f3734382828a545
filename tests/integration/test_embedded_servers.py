"""The supervisor: all servers together, side by side, from several starters, and after crashes."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import redis
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

from debug_loop_pipeline.embedded import process
from debug_loop_pipeline.embedded.postgres import socket_directory_of
from debug_loop_pipeline.embedded.supervisor import Supervisor
from debug_loop_pipeline.models.servers import STATE_FILE, ServerAddresses
from debug_loop_pipeline.settings import get_settings, read_servers_state


@pytest.fixture
def servers(short_directory: Path) -> Iterator[Supervisor]:
    supervisor = Supervisor(short_directory / "data", durable=False)
    yield supervisor
    supervisor.down()


def pids(supervisor: Supervisor) -> dict[str, int]:
    return {name: server.pid for name, server in read_servers_state(supervisor.data_dir).running.items()}


def alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_all_start_together_and_a_second_up_changes_nothing(servers: Supervisor) -> None:
    first = servers.up("tansu")
    started = pids(servers)
    assert servers.up("auto") == first
    assert pids(servers) == started
    assert {(s.name, s.state) for s in servers.status()} == {
        ("postgres", "running"),
        ("valkey", "running"),
        ("kafka", "running"),
    }


def test_down_ends_every_process_it_started_and_no_other(servers: Supervisor, short_directory: Path) -> None:
    neighbour = Supervisor(short_directory / "neighbour", durable=False)
    try:
        ours, theirs = servers.up("tansu"), neighbour.up("tansu")
        assert {ours.postgres_url, ours.valkey_url, ours.kafka_bootstrap_servers}.isdisjoint(
            {theirs.postgres_url, theirs.valkey_url, theirs.kafka_bootstrap_servers}
        )
        ended = pids(servers)
        assert sorted(servers.down()) == ["kafka", "postgres", "valkey"]
        assert not any(alive(pid) for pid in ended.values())
        assert {s.state for s in neighbour.status()} == {"running"}
        assert servers.down() == []
    finally:
        neighbour.down()


def test_a_socket_directory_outside_a_deep_home_goes_with_the_server(short_directory: Path) -> None:
    deep = Supervisor(short_directory / ("d" * 100), durable=False)
    try:
        deep.up("none", valkey=False)
        data = read_servers_state(deep.data_dir).running["postgres"].data
        assert data is not None
        sockets = socket_directory_of(data.parent)
        assert not sockets.is_relative_to(data.parent)
        assert any(sockets.iterdir())
    finally:
        deep.down()
    assert not sockets.exists()


def test_two_starters_at_once_get_the_same_servers(servers: Supervisor) -> None:
    other = Supervisor(servers.data_dir, durable=False)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda s: s.up("tansu"), (servers, other))
    assert first == second


def test_servers_outlive_the_process_that_started_them(servers: Supervisor) -> None:
    script = (
        "import sys; from pathlib import Path; from debug_loop_pipeline.embedded.supervisor import Supervisor; "
        "Supervisor(Path(sys.argv[1]), durable=False).up('none', postgres=False)"
    )
    subprocess.run([sys.executable, "-c", script, str(servers.data_dir)], check=True, cwd=Path(__file__).parents[2])
    assert [(s.name, s.state) for s in servers.status()] == [("valkey", "running")]


def test_what_died_is_seen_and_started_again(servers: Supervisor) -> None:
    url = servers.up("none", postgres=False).valkey_url
    assert url is not None
    client = redis.Redis.from_url(url)
    client.set("kept", "yes")
    client.close()
    os.kill(pids(servers)["valkey"], signal.SIGKILL)
    assert process.wait_until_gone(pids(servers)["valkey"], "never", 5)
    deadline = time.monotonic() + 5
    while servers.status()[0].state != "dead" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert servers.status()[0].state == "dead"
    assert servers.up("none", postgres=False).valkey_url == url
    client = redis.Redis.from_url(url)
    assert client.get("kept") == b"yes"
    client.close()


def test_a_hung_server_is_replaced(servers: Supervisor) -> None:
    servers.up("none", postgres=False)
    hung = pids(servers)["valkey"]
    os.kill(hung, signal.SIGSTOP)
    assert servers.status()[0].state == "unhealthy"
    servers.up("none", postgres=False)
    assert pids(servers)["valkey"] != hung
    assert not alive(hung)


def test_a_recycled_pid_is_never_killed(servers: Supervisor) -> None:
    servers.up("none", postgres=False)
    servers.down()
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        state = servers.data_dir / STATE_FILE
        content = json.loads(state.read_text(encoding="utf-8"))
        content["running"]["valkey"] = {
            "name": "valkey",
            "kind": "valkey",
            "pid": bystander.pid,
            "start_mark": "of a process long gone",
            "port": 6379,
            "address": "redis://127.0.0.1:6379/0",
            "log": str(servers.data_dir / "logs" / "valkey.log"),
        }
        state.write_text(json.dumps(content), encoding="utf-8")
        assert servers.status()[0].state == "dead"
        assert servers.down() == []
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_passwords_are_readable_by_the_owner_only(servers: Supervisor) -> None:
    addresses = servers.up("none")
    for path in (servers.data_dir / STATE_FILE, servers.data_dir / "valkey" / "valkey.conf"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    secrets = [url.split("@")[0].rpartition(":")[2] for url in (addresses.postgres_url, addresses.valkey_url) if url]
    commands = " ".join(" ".join(psutil.Process(pid).cmdline()) for pid in pids(servers).values())
    assert not any(secret in commands for secret in secrets)
    assert not any(secret in repr(addresses) for secret in secrets)
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=int(str(addresses.valkey_url).rpartition(":")[2].partition("/")[0])).ping()


def test_settings_find_the_running_servers(servers: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = servers.up("none")
    monkeypatch.setenv("DEBUG_LOOP_DATA_DIR", str(servers.data_dir))
    monkeypatch.setenv("DEBUG_LOOP_VALKEY_URL", "redis://elsewhere:6379/0")
    get_settings.cache_clear()
    try:
        settings = get_settings()
    finally:
        get_settings.cache_clear()
    assert settings.postgres_url == addresses.postgres_url
    assert settings.valkey_url == "redis://elsewhere:6379/0"
    assert settings.kafka_bootstrap_servers is None


def test_a_broker_of_each_kind_keeps_what_it_is_sent(kafka: ServerAddresses) -> None:
    admin = KafkaAdminClient(bootstrap_servers=kafka.kafka_bootstrap_servers)
    admin.create_topics([NewTopic("probe", 1, 1)])
    producer = KafkaProducer(bootstrap_servers=kafka.kafka_bootstrap_servers)
    sent = [str(number).encode() for number in range(100)]
    for value in sent:
        producer.send("probe", value, partition=0)
    producer.flush()
    consumer = KafkaConsumer(
        bootstrap_servers=kafka.kafka_bootstrap_servers, auto_offset_reset="earliest", consumer_timeout_ms=10_000
    )
    consumer.assign([TopicPartition("probe", 0)])
    received = []
    for record in consumer:
        received.append(record.value)
        if len(received) == len(sent):
            break
    for client in (admin, producer, consumer):
        client.close()
    assert received == sent


def test_apache_kafka_is_refused_with_the_reason_where_its_jars_are_not(short_directory: Path) -> None:
    supervisor = Supervisor(short_directory / "data", kafka_jars=short_directory, durable=False)
    with pytest.raises(process.ServerError, match="make kafka"):
        supervisor.up("apache", postgres=False, valkey=False)
    assert supervisor.up("auto", postgres=False, valkey=False).kafka_kind == "tansu"
    supervisor.down()
