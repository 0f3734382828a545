"""A TCP proxy on 127.0.0.1 that breaks connections on command, so that tests meet real network faults."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

from debug_loop_pipeline.effects.resilience import RetryPolicy

QUICK = RetryPolicy(attempts=4, timeout_s=20.0, wait_initial_s=0.01, wait_max_s=0.05, wait_jitter_s=0.01)
"""Retries as often as in production, without its waits."""


class FaultProxy:
    """Forwards to `host:port` until told otherwise. A context manager; `port` is where it listens.

    Attributes:
        connections: how many were opened towards it so far, refused ones included.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._refuse_next = 0
        self._cut_next = 0
        self._flowing = threading.Event()
        self._flowing.set()
        self._delay_s = 0.0
        self._closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._closed = True
        self._flowing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """End every open connection, now."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                _close(end)

    def refuse(self, count: int) -> None:
        """Close each of the next `count` connections as soon as it is made."""
        with self._lock:
            self._refuse_next = count

    def cut_at_next_request(self, count: int = 1) -> None:
        """End the connection instead of forwarding, the next `count` times a client sends something."""
        with self._lock:
            self._cut_next = count

    def blackhole(self, on: bool = True) -> None:
        """Keep connections open, accept new ones, and forward nothing in either direction."""
        self._flowing.clear() if on else self._flowing.set()

    def delay(self, seconds: float) -> None:
        """Hold every piece back for so long, in both directions."""
        self._delay_s = seconds

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                refused = self._refuse_next > 0
                self._refuse_next -= refused
            if refused:
                _close(client)
                continue
            try:
                server = socket.create_connection(self._target)
            except OSError:
                _close(client)
                continue
            with self._lock:
                self._pairs.append((client, server))
            for source, sink, is_request in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._pump, args=(source, sink, is_request), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, is_request: bool) -> None:
        pause = threading.Event()
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                self._flowing.wait()
                if self._delay_s:
                    pause.wait(self._delay_s)
                if is_request:
                    with self._lock:
                        cut = self._cut_next > 0
                        self._cut_next -= cut
                    if cut:
                        break
                sink.sendall(piece)
        _close(source)
        _close(sink)


def _close(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
