"""Starts, probes and stops the embedded servers of one data directory together.

One lock per data directory keeps two starters apart; copies in other directories share nothing. What runs is written to
the state file as soon as it is started, so that a starter that dies leaves nothing unknown.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from debug_loop_pipeline.embedded import kafka as kafka_servers
from debug_loop_pipeline.embedded import process
from debug_loop_pipeline.embedded.account import OWNER_FILE, server_account
from debug_loop_pipeline.embedded.base import EmbeddedServer
from debug_loop_pipeline.embedded.postgres import Installation, PostgresServer, choose_home, socket_directory_of
from debug_loop_pipeline.embedded.process import PortTakenError, ServerError
from debug_loop_pipeline.embedded.valkey import ValkeyServer
from debug_loop_pipeline.models.servers import (
    SERVER_NAMES,
    STATE_FILE,
    RunningServer,
    ServerAddresses,
    ServerName,
    ServersState,
)
from debug_loop_pipeline.settings import load_settings, read_servers_state

KafkaChoice = Literal["auto", "apache", "tansu", "none"]

_LOCK = "servers.lock"
_OURS = re.compile(
    r"postgres|valkey|kafka|tansu|dagster|logs|spool|match_epochs|bug_hunt\.jsonl|\.?servers\.json.*|(servers|consume|serve|take-in)\.lock|serve\.sock"
)
"""What we put into a data directory: a person may have named one that holds other things too."""
_PORT_ATTEMPTS = 5
_LOCK_SECONDS = 180.0
_STOP_SIGNALS = {"postgres": signal.SIGINT, "valkey": signal.SIGTERM, "kafka": signal.SIGTERM}


@dataclass(frozen=True)
class ServerStatus:
    """What is known about one server now."""

    name: ServerName
    kind: str
    state: Literal["running", "unhealthy", "dead"]
    """dead: it was started and ended without being stopped."""
    pid: int
    port: int
    log: Path
    data: Path | None
    version: str | None
    detail: str | None
    """Why it is not running well."""


class Supervisor:
    """The embedded servers under one data directory."""

    def __init__(
        self,
        data_dir: Path,
        *,
        kafka_jars: Path | None = None,
        durable: bool = True,
        shared_bases: Sequence[Path] | None = None,
    ) -> None:
        """Describe the servers; nothing is touched yet.

        Args:
            data_dir: Home of data, logs and state.
            kafka_jars: Directory with Apache Kafka's jars. None: the setting, then `.kafka` of the project.
            durable: False trades safety at a power failure for speed (tests).
            shared_bases: Where PostgreSQL's data may lie when we are root and its account cannot reach `data_dir`.
        """
        self.data_dir = data_dir.expanduser().absolute()
        self.durable = durable
        self._kafka_jars = kafka_jars
        self._shared_bases = shared_bases
        self._state_lock = threading.Lock()
        self._children: list[object] = []  # a dropped Popen handle warns about its running child

    def up(self, kafka: KafkaChoice = "auto", *, postgres: bool = True, valkey: bool = True) -> ServerAddresses:
        """Start what is wanted and does not run, all at once; what runs and answers is left alone.

        Args:
            kafka: Which broker; `auto` takes the running one, else Apache Kafka where it can be started, else Tansu.
            postgres: Whether PostgreSQL is wanted.
            valkey: Whether Valkey is wanted.

        Raises:
            ServerError: A server did not start; the message has the end of its log. The others are left running.
        """
        self._make_data_dir()
        with self._exclusive():
            wanted: list[Callable[[], EmbeddedServer]] = []
            if postgres:
                wanted.append(self._postgres)
            if valkey:
                wanted.append(self._valkey)
            if kafka != "none":
                wanted.append(lambda: self._kafka(kafka))
            with ThreadPoolExecutor(max_workers=max(1, len(wanted))) as pool:
                futures = [pool.submit(self._ensure, make) for make in wanted]
            failures = [error for future in futures if (error := future.exception()) is not None]
            for error in failures:
                if not isinstance(error, (ServerError, OSError, LookupError)):
                    raise error
            if failures:
                raise ServerError("\n\n".join(str(error) for error in failures)) from failures[0]
            names = {future.result() for future in futures}
        return self._addresses(names)

    def down(self, names: Collection[ServerName] = SERVER_NAMES) -> list[ServerName]:
        """Stop the servers that were started here, all at once.

        Args:
            names: Which ones; all by default.

        Returns:
            The names of those that ran.

        Raises:
            ServerError: One does not end.
        """
        if not self.data_dir.is_dir():
            return []
        with self._exclusive():
            running = {name: server for name, server in self._read_state().running.items() if name in names}
            with ThreadPoolExecutor(max_workers=max(1, len(running))) as pool:
                stopped = list(pool.map(self._stop, running.values()))
            return [server.name for server, was_running in zip(running.values(), stopped, strict=True) if was_running]

    def purge(self) -> None:
        """Stop the servers and remove everything they and Dagster keep, wherever it lies, and the directory with it.

        Raises:
            ServerError: A server does not end, or the directory is not one of ours, or something else lies in it, which stays.
        """
        if not self.data_dir.is_dir():
            return
        if not (self.data_dir / _LOCK).exists():
            raise ServerError(f"{self.data_dir} was not made by `debug-loop up`: remove it by hand")
        self.down()
        home = self._read_state().postgres_home
        if home is not None and (home.parent / OWNER_FILE).exists():
            shutil.rmtree(home.parent)
        others = []
        for entry in sorted(self.data_dir.iterdir(), key=lambda path: path.name == _LOCK):
            if not _OURS.fullmatch(entry.name):
                others.append(entry.name)
            elif entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        if others:
            raise ServerError(
                f"all data are removed, but {self.data_dir} stays: it has what is none of ours ({', '.join(others)})"
            )
        self.data_dir.rmdir()

    def status(self) -> list[ServerStatus]:
        """The state of every server that was started here and not stopped."""
        return [self._status(server) for server in self._read_state().running.values()]

    def ended(self) -> list[RunningServer]:
        """Those that were started here, not stopped, and are gone all the same. Asks no server, so it may be asked often."""
        return [
            server
            for server in self._read_state().running.values()
            if not process.is_running(server.pid, server.start_mark)
        ]

    def addresses(self) -> ServerAddresses:
        """The addresses of what was started here and not stopped."""
        return self._addresses(set(self._read_state().running))

    # -- one server ----------------------------------------------------------------------------------------------

    def _ensure(self, make: Callable[[], EmbeddedServer]) -> ServerName:
        server = make()
        known = self._read_state().running.get(server.name)
        if known is not None:
            if known.kind == server.kind and process.is_running(known.pid, known.start_mark):
                try:
                    process.wait_until_ready(known, server.probe, log_start=_size(known.log), seconds=5.0)
                    return server.name
                except ServerError:
                    self._stop(known, seconds=5.0)  # it hangs: no use in waiting long for it to end by itself
            else:
                self._stop(known)
        server.prepare()
        for attempt in range(_PORT_ATTEMPTS):
            try:
                self._start(server, keep_ports=attempt == 0)
                return server.name
            except PortTakenError:
                if attempt == _PORT_ATTEMPTS - 1:
                    raise
        raise AssertionError("unreachable")

    def _start(self, server: EmbeddedServer, *, keep_ports: bool) -> None:
        used = self._read_state().ports if keep_ports else {}
        ports = _free_ports(server.ports, used)
        log = self.data_dir / "logs" / f"{server.name}.log"
        log_start = _size(log)
        launch = server.launch(ports)
        child = process.spawn(launch, log)
        self._children.append(child)
        mark = process.start_mark(child.pid)
        if mark is None:
            raise ServerError(f"{server.name} ended at once. The end of {log}:\n{process.tail(log, start=log_start)}")
        port = ports[server.ports[0]]
        running = RunningServer(
            name=server.name,
            kind=server.kind,
            pid=child.pid,
            start_mark=mark,
            port=port,
            address=server.address(port),
            log=log,
            data=server.data,
        )
        self._record(running, ports)
        try:
            process.wait_until_ready(running, server.probe, log_start=log_start, seconds=server.ready_seconds)
            server.settle(port)
        except BaseException:
            self._stop(running)
            raise

    def _stop(self, server: RunningServer, *, seconds: float = 20.0) -> bool:
        ran = process.is_running(server.pid, server.start_mark)
        process.stop(server.pid, server.start_mark, _STOP_SIGNALS[server.name], seconds=seconds)
        if server.name == "postgres" and server.data is not None:
            # It may lie outside the data directory, where nobody else would remove it; the server has emptied it.
            with suppress(OSError):
                socket_directory_of(server.data.parent).rmdir()
        self._update(
            lambda state: state.model_copy(
                update={"running": {name: other for name, other in state.running.items() if name != server.name}}
            )
        )
        return ran

    def _status(self, server: RunningServer) -> ServerStatus:
        state: Literal["running", "unhealthy", "dead"] = "dead"
        version = detail = None
        if process.is_running(server.pid, server.start_mark):
            try:
                version = self._of(server).probe(server.port)
                state = "running"
            except (OSError, ServerError) as err:
                state, detail = "unhealthy", str(err)
        else:
            detail = f"it ended by itself; see {server.log}, and `debug-loop up` starts it again"
        return ServerStatus(
            server.name, server.kind, state, server.pid, server.port, server.log, server.data, version, detail
        )

    def _of(self, server: RunningServer) -> EmbeddedServer:
        """The description of a server that runs, good for a probe."""
        if server.name == "postgres":
            return self._postgres()
        if server.name == "valkey":
            return self._valkey()
        return self._kafka("apache" if server.kind == "apache" else "tansu")

    # -- what there is -------------------------------------------------------------------------------------------

    def _postgres(self) -> PostgresServer:
        account = server_account()
        home = choose_home(self.data_dir, account, self._read_state().postgres_home, self._shared_bases)
        if not home.is_relative_to(self.data_dir):
            self._update(lambda state: state.model_copy(update={"postgres_home": home}))
        installation = Installation.for_account(account, bases=self._shared_bases)
        return PostgresServer(home, self._password("postgres"), account, installation, durable=self.durable)

    def _valkey(self) -> ValkeyServer:
        return ValkeyServer(self.data_dir / "valkey", self._password("valkey"), durable=self.durable)

    def _kafka(self, choice: Literal["auto", "apache", "tansu"]) -> EmbeddedServer:
        jars = kafka_servers.find_jars(self._kafka_jars or load_settings().kafka_jars)
        java = kafka_servers.find_java()
        if choice == "auto":
            known = self._read_state().running.get("kafka")
            if known is not None and process.is_running(known.pid, known.start_mark):
                choice = "apache" if known.kind == "apache" else "tansu"
            else:
                choice = "tansu" if kafka_servers.why_no_apache(jars) else "apache"
        if choice == "tansu":
            return kafka_servers.TansuServer(self.data_dir / "tansu")
        reason = kafka_servers.why_no_apache(jars)
        if reason is not None or jars is None or java is None:
            raise ServerError(f"Apache Kafka cannot be started: {reason}")
        return kafka_servers.ApacheKafkaServer(self.data_dir / "kafka", jars, java, durable=self.durable)

    def _password(self, name: Literal["postgres", "valkey"]) -> str:
        field = f"{name}_password"
        fresh = secrets.token_urlsafe(24)
        state = self._update(lambda state: state if getattr(state, field) else state.model_copy(update={field: fresh}))
        return str(getattr(state, field))

    def _addresses(self, names: set[ServerName]) -> ServerAddresses:
        running = {name: server for name, server in self._read_state().running.items() if name in names}
        broker = running.get("kafka")
        return ServerAddresses(
            postgres_url=running["postgres"].address if "postgres" in running else None,
            valkey_url=running["valkey"].address if "valkey" in running else None,
            kafka_bootstrap_servers=broker.address if broker else None,
            kafka_kind=None if broker is None else "apache" if broker.kind == "apache" else "tansu",
        )

    # -- files ---------------------------------------------------------------------------------------------------

    def _make_data_dir(self) -> None:
        try:
            self.data_dir.mkdir(parents=True)
            # Others may pass through (PostgreSQL's account does, when we are root) but not look around.
            self.data_dir.chmod(0o711 if os.geteuid() == 0 else 0o700)
        except FileExistsError:
            if not self.data_dir.is_dir():
                raise ServerError(f"{self.data_dir} is a file: set DEBUG_LOOP_DATA_DIR to a directory") from None
        except OSError as err:
            raise ServerError(
                f"the data directory {self.data_dir} cannot be made ({err}): set DEBUG_LOOP_DATA_DIR to another one"
            ) from err
        (self.data_dir / "logs").mkdir(mode=0o700, exist_ok=True)

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Hold the data directory's lock. The kernel frees it when its holder dies."""
        path = self.data_dir / _LOCK
        try:
            file = path.open("a+")
        except OSError as err:
            raise ServerError(f"{path} cannot be opened ({err}): use the account that owns {self.data_dir}") from err
        with file:
            deadline = time.monotonic() + _LOCK_SECONDS
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        file.seek(0)
                        raise ServerError(
                            f"process {file.read().strip()} has held {path} for {_LOCK_SECONDS:.0f} s: wait for it, or "
                            "end it"
                        ) from None
                    time.sleep(0.05)
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    def _read_state(self) -> ServersState:
        return read_servers_state(self.data_dir)

    def _record(self, server: RunningServer, ports: dict[str, int]) -> None:
        self._update(
            lambda state: state.model_copy(
                update={"running": {**state.running, server.name: server}, "ports": {**state.ports, **ports}}
            )
        )

    def _update(self, change: Callable[[ServersState], ServersState]) -> ServersState:
        """Replace the state file atomically; the threads of one `up` take turns."""
        with self._state_lock:
            state = self._read_state()
            changed = change(state)
            if changed != state:
                descriptor, scratch = tempfile.mkstemp(prefix=f".{STATE_FILE}-", dir=self.data_dir)
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    file.write(changed.model_dump_json(indent=2))
                os.replace(scratch, self.data_dir / STATE_FILE)
            return changed


def _free_ports(names: Sequence[str], preferred: dict[str, int]) -> dict[str, int]:
    """Free loopback ports, the preferred ones where they are free. All are held until all are found."""
    ports: dict[str, int] = {}
    held: list[socket.socket] = []
    try:
        for name in names:
            for candidate in (preferred.get(name, 0), 0):
                listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
                held.append(listener)
                # As the servers do: a port whose old connections linger in TIME_WAIT counts as free.
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    listener.bind(("127.0.0.1", candidate))
                except OSError:
                    continue
                ports[name] = int(listener.getsockname()[1])
                break
            else:
                raise ServerError("no TCP port is free on 127.0.0.1")
    finally:
        for listener in held:
            listener.close()
    return ports


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
