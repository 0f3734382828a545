"""`debug-loop dev`: everything that learns and answers live, over the embedded servers, in the foreground.

The Dagster UI, its daemon and one code server; the consumer service; `serve`; with `--celery` a worker that does the runs.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import psutil
import typer

from debug_loop_pipeline.cli.dagster_home import write_dagster_home, write_workspace
from debug_loop_pipeline.cli.runtime import make_supervisor, running_servers, start
from debug_loop_pipeline.cli.servers import Broker
from debug_loop_pipeline.embedded import process
from debug_loop_pipeline.embedded.supervisor import Supervisor
from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.models.servers import SERVER_NAMES
from debug_loop_pipeline.serving.address import socket_path
from debug_loop_pipeline.serving.socket_client import ServeUnavailableError, ask
from debug_loop_pipeline.settings import Settings, load_settings

app = typer.Typer(add_completion=False)

_UI_PORT = 3000
_READY_SECONDS = 180.0
_STOP_SECONDS = 20.0
_SETTLED_SECONDS = 10.0
"""A process that ends sooner after its start would end again."""
_SOCKET_PATH_LIMIT = 100
_PR_SET_PDEATHSIG = 1
_COMMANDS = "debug_loop_pipeline.cli.main"
_LIVE = {"DEBUG_LOOP_SENSOR_WAIT_SECONDS": "4"}
"""Where the environment does not say otherwise."""


class _Stopped(Exception):
    """SIGINT or SIGTERM arrived."""


@dataclass
class Child:
    """One process of ours, in a session of its own so that Ctrl-C reaches only us."""

    name: str
    module_and_arguments: tuple[str, ...]
    popen: subprocess.Popen[bytes]
    log: Path
    log_start: int
    spare: bool
    """The others work without it for a while: it is started again when it ended."""
    began: float

    @property
    def ended(self) -> bool:
        """Whether it is gone."""
        return self.popen.poll() is not None

    def check(self) -> None:
        """Raises DebugLoopError with the end of its log when it ended."""
        if self.ended:
            raise DebugLoopError(
                f"{self.name} ended by itself ({self.popen.returncode}). The end of {self.log}:\n"
                + process.tail(self.log, start=self.log_start)
            )


class Children:
    """The processes of one `dev`, stopped together in the reverse order of their start."""

    def __init__(self, logs: Path, environment: Mapping[str, str]) -> None:
        self._logs = logs
        self._environment = dict(environment)
        self._children: list[Child] = []

    def start(self, name: str, *module_and_arguments: str, spare: bool = False) -> Child:
        """Start `python -m ...`, its output in the log directory."""
        child = self._spawn(name, module_and_arguments, spare=spare)
        self._children.append(child)
        return child

    def _spawn(self, name: str, module_and_arguments: tuple[str, ...], *, spare: bool) -> Child:
        log = self._logs / f"{name}.log"
        log_start = log.stat().st_size if log.exists() else 0
        with log.open("ab") as output:
            popen = subprocess.Popen(
                [sys.executable, "-m", *module_and_arguments],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        return Child(name, module_and_arguments, popen, log, log_start, spare, time.monotonic())

    def check(self) -> None:
        """Starts again what may be; raises DebugLoopError when another one ended, or one that cannot stay up."""
        for index, child in enumerate(self._children):
            if child.spare and child.ended and time.monotonic() - child.began > _SETTLED_SECONDS:
                typer.echo(
                    f"{child.name} ended ({child.popen.returncode}) and is started again; see {child.log}", err=True
                )
                self._children[index] = self._spawn(child.name, child.module_and_arguments, spare=True)
            else:
                child.check()

    def stop(self) -> None:
        """Ask each to end, wait, and end what is left below it."""
        descendants = [process for child in self._children for process in _descendants(child.popen.pid)]
        for child in reversed(self._children):
            if child.popen.poll() is None:
                child.popen.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        for child in reversed(self._children):
            try:
                child.popen.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                typer.echo(f"{child.name} does not end by itself and is killed", err=True)
                child.popen.kill()
                child.popen.wait()
        # Code servers and run workers below them that did not end with them.
        for leftover in psutil.wait_procs(descendants, timeout=3)[1]:
            with suppress(psutil.NoSuchProcess):
                leftover.kill()
        self._children.clear()


class Servers:
    """The embedded servers while `dev` runs over them: one that ended is started again, where it can at the same port."""

    def __init__(self, supervisor: Supervisor, kafka: Broker) -> None:
        self._supervisor = supervisor
        self._kafka = kafka
        self._restarted: dict[str, float] = {}
        self._missed: set[int] = set()

    def check(self) -> None:
        """Starts again what ended; raises DebugLoopError where one does not start or cannot stay up."""
        # Seen twice: `debug-loop down` ends a server a moment before it notes that.
        ended = self._supervisor.ended()
        missed, self._missed = self._missed, {server.pid for server in ended}
        if not missed & self._missed:
            return
        now = time.monotonic()
        for server in ended:
            if now - self._restarted.get(server.name, -_SETTLED_SECONDS) < _SETTLED_SECONDS:
                raise DebugLoopError(f"{server.name} ended again. The end of {server.log}:\n{process.tail(server.log)}")
            typer.echo(f"{server.name} ended by itself and is started again; see {server.log}", err=True)
        start(self._kafka.value)
        self._restarted |= {server.name: time.monotonic() for server in ended}


@app.command()
def dev(
    kafka: Annotated[Broker, typer.Option(help="Broker; auto: Apache Kafka where it can be started.")] = Broker.AUTO,
    port: Annotated[int | None, typer.Option(help="Port of the UI. Default: 3000, or a free one.")] = None,
    celery: Annotated[
        bool, typer.Option("--celery", help="Runs by a warm Celery worker over Valkey, as on many machines.")
    ] = False,
) -> None:
    """Run the Dagster UI, its daemon and the servers until Ctrl-C."""
    if celery and find_spec("dagster_celery") is None:
        raise DebugLoopError("dagster-celery is not installed: install debug_loop_pipeline[celery]")
    supervisor = make_supervisor(load_settings())
    before = running_servers(supervisor)
    previous = {number: signal.signal(number, _stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        try:
            settings = start(kafka.value).settings
            with _alone(settings.dagster_home):
                _run(settings, port, Servers(supervisor, kafka), celery=celery)
        finally:
            for number in previous:
                signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave half of it running
            # What ran before we came is somebody else's.
            supervisor.down(set(SERVER_NAMES) - before)
    except _Stopped:
        typer.echo("stopped")
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Hold the home's lock: two daemons on one storage would do everything twice."""
    with (home / "dev.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DebugLoopError(f"another `debug-loop dev` runs on {home.parent}") from None
        yield


def _run(settings: Settings, port: int | None, servers: Servers, *, celery: bool) -> None:
    home = write_dagster_home(settings, celery=celery)
    logs = settings.data_dir / "logs"
    logs.mkdir(mode=0o700, exist_ok=True)
    code_socket = _socket_path(home)
    code_socket.unlink(missing_ok=True)
    workspace = str(write_workspace(home, code_socket))
    _create_dagster_tables(settings.require_dagster_postgres_url())
    environment = {"DAGSTER_HOME": str(home), "DEBUG_LOOP_DATA_DIR": str(settings.data_dir)}
    children = Children(logs, _LIVE | os.environ | environment)
    try:
        # With Celery the code server starts no runs, so the stock one does.
        code_server = ("dagster", "api", "grpc") if celery else ("debug_loop_pipeline.processes.code_server",)
        children.start("dagster-code", *code_server, "-s", str(code_socket), "-m", "debug_loop_pipeline.definitions")
        _wait_for_socket(code_socket, children)
        ui_port = port or _free_port()
        children.start("dagster-webserver", "dagster_webserver", "-w", workspace, "-h", "127.0.0.1", "-p", str(ui_port))
        children.start("dagster-daemon", "debug_loop_pipeline.processes.daemon", workspace)
        if settings.kafka_bootstrap_servers is not None:
            children.start("consume", _COMMANDS, "consume", spare=True)
        if not _is_served(settings.data_dir):
            children.start("serve", _COMMANDS, "serve", "--leave-to-sensor", spare=True)
        if celery:
            children.start("celery-worker", "debug_loop_pipeline.processes.celery_worker", spare=True)
        url = f"http://127.0.0.1:{ui_port}"
        _wait_for_ui(url, children)
        typer.echo(f"Dagster UI: {url}   (logs in {logs}; Ctrl-C stops all that `dev` started)")
        while True:
            children.check()
            servers.check()
            time.sleep(0.5)
    finally:
        children.stop()
        code_socket.unlink(missing_ok=True)


def _die_with_parent() -> None:
    """Where the kernel can (Linux): a `dev` that is killed takes its children with it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _is_served(data_dir: Path) -> bool:
    """Whether somebody else's `serve` answers here already."""
    try:
        return bool(ask(socket_path(data_dir), {"op": "ping"}, 2.0).get("ok"))
    except ServeUnavailableError:
        return False


def _stop(number: int, frame: object) -> None:
    raise _Stopped


def _create_dagster_tables(url: str) -> None:
    """Once and alone: three processes would otherwise create them at the same time."""
    from debug_loop_pipeline.resources.dagster_storage import PooledPostgresStorage

    PooledPostgresStorage(url)


def _socket_path(home: Path) -> Path:
    inside = home / "code.sock"
    if len(os.fsencode(inside)) <= _SOCKET_PATH_LIMIT:
        return inside
    # Too long for a socket: a private directory elsewhere, the same one every time.
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
    directory = Path(tempfile.gettempdir()) / f"debug-loop-dev-{os.getuid()}-{digest}"
    directory.mkdir(mode=0o700, exist_ok=True)
    if directory.is_symlink() or directory.stat().st_uid != os.getuid():
        raise DebugLoopError(f"{directory} belongs to another user: set TMPDIR to another directory")
    return directory / "code.sock"


def _free_port() -> int:
    for candidate in (_UI_PORT, 0):
        with closing(socket.socket()) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            return int(listener.getsockname()[1])
    raise DebugLoopError("no TCP port is free on 127.0.0.1")


def _wait_for_socket(path: Path, children: Children) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        children.check()
        with closing(socket.socket(socket.AF_UNIX)) as client:
            try:
                client.connect(str(path))
                return
            except OSError:
                time.sleep(0.05)
    raise DebugLoopError(f"the code server was not ready within {_READY_SECONDS:.0f} s")


def _wait_for_ui(url: str, children: Children) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    # Proxies of the environment are for other machines.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < deadline:
        children.check()
        try:
            with opener.open(f"{url}/server_info", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise DebugLoopError(f"the UI was not ready within {_READY_SECONDS:.0f} s")


def _descendants(pid: int) -> list[psutil.Process]:
    """Processes below a pid; psutil remembers when they started, so that none is mistaken for another later."""
    try:
        return list(psutil.Process(pid).children(recursive=True))
    except psutil.NoSuchProcess:
        return []
