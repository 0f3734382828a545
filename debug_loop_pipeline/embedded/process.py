"""Server processes: started detached, told apart from others that got their pid, stopped by pid only."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from debug_loop_pipeline.embedded.account import Account
from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.models.servers import RunningServer

_POLL_SECONDS = 0.02
_LOG_ROTATE_BYTES = 10_000_000
_PORT_TAKEN = re.compile(r"address already in use|could not bind|failed to bind|bind failed|AddrInUse", re.IGNORECASE)


class ServerError(DebugLoopError):
    """A server could not be started or stopped; the message says why and what to do."""


class PortTakenError(ServerError):
    """Somebody else took the port between our choosing it and the server binding it."""


@dataclass(frozen=True)
class Launch:
    """How to start one server."""

    argv: Sequence[str]
    cwd: Path
    environment: Mapping[str, str]
    account: Account | None = None


def start_mark(pid: int) -> str | None:
    """When a process started, exact enough to tell it from a later one with the same pid; None when there is none."""
    try:
        # Kernel ticks since boot are exact; psutil's wall-clock time moves when the clock is set.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}:{fields[19]}"
    except (OSError, IndexError):
        pass
    try:
        return f"{psutil.Process(pid).create_time():.1f}"
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None


def is_running(pid: int, mark: str) -> bool:
    """Whether exactly this process still runs. One that ended and was not reaped does not."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    if start_mark(pid) != mark:
        return False
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def spawn(launch: Launch, log: Path) -> subprocess.Popen[bytes]:
    """Start a server in a session of its own, its output appended to `log`.

    Raises:
        ServerError: The program cannot be executed.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > _LOG_ROTATE_BYTES:
        log.replace(log.with_suffix(".log.1"))
    account = launch.account
    try:
        with log.open("ab") as output:
            return subprocess.Popen(
                list(launch.argv),
                cwd=launch.cwd,
                env=dict(launch.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=0o077,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            )
    except OSError as err:
        raise ServerError(f"cannot execute {launch.argv[0]}: {err}") from err


def listens_on(pid: int, port: int) -> bool:
    """Whether this process, not merely some process, listens on the TCP port.

    True also where the system does not let us look, so a probe must follow.
    """
    try:
        connections = psutil.Process(pid).net_connections(kind="tcp")
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
    return any(c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in connections)


def wait_until_ready(server: RunningServer, probe: Callable[[int], str], *, log_start: int, seconds: float) -> str:
    """Wait until the process listens on its port and answers the probe.

    Args:
        server: The process, its port and its log.
        probe: Gets the port and returns the version, or raises OSError while the server does not answer yet.
        log_start: Size of the log before this start, so that old lines are not shown.
        seconds: Longest wait.

    Returns:
        What the probe returned.

    Raises:
        PortTakenError: The server ended because its port was taken.
        ServerError: It ended for another reason, or did not answer in time.
    """
    deadline = time.monotonic() + seconds
    trouble = "it does not listen"
    while time.monotonic() < deadline:
        if not is_running(server.pid, server.start_mark):
            end = tail(server.log, start=log_start)
            kind = PortTakenError if _PORT_TAKEN.search(end) else ServerError
            raise kind(f"{server.name} ended while starting. The end of {server.log}:\n{end}\n{hint(end)}")
        if listens_on(server.pid, server.port):
            try:
                return probe(server.port)
            except OSError as err:
                trouble = str(err)
        time.sleep(_POLL_SECONDS)
    end = tail(server.log, start=log_start)
    raise ServerError(
        f"{server.name} was not ready within {seconds:.0f} s ({trouble}). The end of {server.log}:\n{end}\n{hint(end)}"
    )


def signal_process(pid: int, mark: str, number: signal.Signals) -> bool:
    """Signal exactly this process; False when it no longer runs."""
    try:
        # A pidfd pins the process: between the check and the signal the pid cannot come to mean another one.
        descriptor = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
    except (ProcessLookupError, OSError):
        return False
    try:
        if not is_running(pid, mark):
            return False
        if descriptor is None:
            os.kill(pid, number)
        else:
            signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        if descriptor is not None:
            os.close(descriptor)
    return True


def wait_until_gone(pid: int, mark: str, seconds: float) -> bool:
    """Wait for exactly this process to end; False when it still runs."""
    deadline = time.monotonic() + seconds
    while is_running(pid, mark):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def stop(pid: int, mark: str, number: signal.Signals, *, seconds: float = 20.0) -> None:
    """End a process politely, then with SIGKILL.

    Raises:
        ServerError: It survives SIGKILL (stuck in the kernel).
    """
    if not signal_process(pid, mark, number) or wait_until_gone(pid, mark, seconds):
        return
    signal_process(pid, mark, signal.SIGKILL)
    if not wait_until_gone(pid, mark, 5.0):
        raise ServerError(f"process {pid} does not end, not even on SIGKILL")


def stop_stray(pid_file: Path, program: str, directory: Path, number: signal.Signals) -> None:
    """End a server of ours that the state file does not know, because its starter died before writing it down.

    It is ours when the process in the pid file is that program and works in that directory. A pid file of a process
    that is gone, or whose pid now means another one, is removed.
    """
    try:
        pid = int(pid_file.read_text(encoding="utf-8", errors="replace").split()[0])
        process = psutil.Process(pid)
        ours = process.name() == program and Path(process.cwd()) == directory.resolve()
    except (FileNotFoundError, ValueError, IndexError):
        return
    except psutil.AccessDenied:
        return  # cannot be told: the server's own lock decides
    except psutil.NoSuchProcess:
        ours = False
    mark = start_mark(pid) if ours else None
    if mark is not None:
        stop(pid, mark, number)
    pid_file.unlink(missing_ok=True)


def tail(log: Path, *, lines: int = 15, start: int = 0) -> str:
    """The last lines of a log, of what was written from byte `start` on."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(min(size, max(start, size - 16_384)))
            text = file.read().decode("utf-8", errors="replace")
    except OSError as err:
        return f"(log not readable: {err})"
    return "\n".join(text.rstrip().splitlines()[-lines:]) or "(the log is empty)"


_HINTS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"no space left on device", re.IGNORECASE),
        "The disk (or /dev/shm) is full: make room, or set DEBUG_LOOP_DATA_DIR to a directory on another disk.",
    ),
    (
        re.compile(r"permission denied|operation not permitted|AccessDenied", re.IGNORECASE),
        "The data directory belongs to another user: start as its owner, or set DEBUG_LOOP_DATA_DIR to another one.",
    ),
    (
        re.compile(r"incompatible with server|different version|can't handle RDB format", re.IGNORECASE),
        "The data were written by another version: install that version to read them, or move the directory away.",
    ),
    (
        re.compile(
            r"cannot allocate memory|insufficient memory|OutOfMemory|could not reserve enough space", re.IGNORECASE
        ),
        "There is not enough memory: stop other programs, or use an external server.",
    ),
    (
        re.compile(r"UnsupportedClassVersionError", re.IGNORECASE),
        "This Java is too old: Apache Kafka 4 needs Java 17 or newer first on PATH or in JAVA_HOME.",
    ),
    (
        re.compile(r"error while loading shared libraries|GLIBC_", re.IGNORECASE),
        "This system's C library is too old for the wheel: use an external server instead.",
    ),
)


def hint(text: str) -> str:
    """What to do about a failure that is recognised in a log, or where to look."""
    for pattern, advice in _HINTS:
        if pattern.search(text):
            return advice
    return "`debug-loop doctor` checks the usual causes."
