"""From the spool to the topic of executions: in order, by an idempotent producer, and again where the broker came back empty.

Here: when what is published, and the thread that does it in an agent's process and in `debug-loop consume`. Not here: files
(`spool`), how a broker is asked (`broker`, imported when there is something to publish).
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from debug_loop_pipeline.client.spool import Record, Spool, orphans
from debug_loop_pipeline.models.logger_options import LoggerOptions
from debug_loop_pipeline.models.topics import EXECUTIONS

if TYPE_CHECKING:
    from debug_loop_pipeline.client.broker import Broker

_TIMEOUT_S = 10.0
_PAUSE_S = (0.2, 5.0)
_SETTLED_S = 600.0
_STATE_FILE = "servers.json"


_log = logging.getLogger("debug_loop_pipeline.client")


class Unpublishable(Exception):
    """The broker did not confirm; what was not confirmed stays where it is."""


@dataclass(slots=True)
class RelayCounts:
    """What a relay did."""

    published: int = 0
    republished: int = 0
    """Spools sent again from their beginning, because the broker came back without them."""
    damaged: int = 0
    set_aside: int = 0
    """Events that the broker refuses for their size (`Spool.set_aside`)."""
    failures: int = 0
    last_error: str = ""


class Relay:
    """Publishes spools to one broker. One thread at a time.

    Args:
        servers: tells where the broker is now; None where none is known.
        timeout_s: longest request.
    """

    def __init__(self, servers: Callable[[], str | None], timeout_s: float = _TIMEOUT_S) -> None:
        self._servers = servers
        self._timeout_s = timeout_s
        self._broker: Broker | None = None
        self._producer: Any = None
        self._topic_id = ""
        self._confirmed: dict[int, int] = {}
        """Partition -> the furthest that the topic `_topic_id` was confirmed to reach."""
        self.moved = False
        """The topic is another one than before: what was published to that one is to be verified. The caller says when it was."""
        self.shorter = False
        """The topic ends before what it confirmed: each spool's own confirmations are to be looked at, likewise."""
        self.counts = RelayCounts()

    def drain(self, spool: Spool) -> None:
        """Publish everything that the broker does not have.

        Raises:
            Unpublishable: not all of it was confirmed.
        """
        if not spool.unpublished():
            return
        self._guarded(lambda: self._drain(spool))

    def look(self) -> None:
        """See whether the broker still has what it confirmed; `moved` and `shorter` say so.

        Raises:
            Unpublishable: it does not answer.
        """
        self._guarded(self._look)

    def verify(self, spool: Spool) -> None:
        """Publish a spool again where the broker does not have what it confirmed.

        Raises:
            Unpublishable: not all of it was confirmed.
        """
        if spool.cursor.topic_id is not None and spool.holds_anything():
            self._guarded(lambda: self._verify(spool))

    def disconnect(self) -> None:
        """Let the broker go; the next call looks for it anew."""
        producer, self._producer, self._broker = self._producer, None, None
        if producer is not None:
            producer.close(timeout=0)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            self.disconnect()
            self.counts.failures += 1
            self.counts.last_error = f"{type(error).__name__}: {error}"
            raise Unpublishable(self.counts.last_error) from error

    def _drain(self, spool: Spool) -> None:
        producer = self._connect()
        if spool.cursor.topic_id not in (None, self._topic_id):
            self._begin_again(spool)
        from debug_loop_pipeline.client.broker import TOO_LARGE, partition_of

        while True:
            read = spool.read()
            self.counts.damaged += read.damaged
            if read.end == spool.cursor.position:
                return
            sent: list[tuple[Record, Any]] = []
            refused: list[Record] = []
            for record in read.records:
                topic, key, partition = EXECUTIONS.name, record.key.encode(), partition_of(record.key)
                try:
                    sent.append((record, producer.send(topic, value=record.body, key=key, partition=partition)))
                except TOO_LARGE:  # for the client; the broker's own limit shows in the answer
                    refused.append(record)
            producer.flush(timeout=self._timeout_s)
            acknowledged: dict[int, int] = {}
            for record, future in sent:
                if not future.is_done:
                    raise TimeoutError(f"{EXECUTIONS.name}: not confirmed in {self._timeout_s:g} s")
                if isinstance(future.exception, TOO_LARGE):
                    refused.append(record)
                    continue
                if future.exception is not None:
                    raise future.exception
                told = future.value
                acknowledged[told.partition] = max(acknowledged.get(told.partition, 0), told.offset + 1)
            self._set_aside(spool, refused)
            spool.advance(read.end, self._topic_id, acknowledged)
            self._confirm(acknowledged)
            self.counts.published += len(read.records) - len(refused)

    def _set_aside(self, spool: Spool, refused: Sequence[Record]) -> None:
        for record in refused:
            file = spool.set_aside(record)
            self.counts.set_aside += 1
            _log.warning("%s takes no event of %d bytes: it is in %s", EXECUTIONS.name, len(record.body), file)

    def _look(self) -> None:
        self._connect()
        assert self._broker is not None
        if self._broker.topic_id(EXECUTIONS) != self._topic_id:  # it restarted while we were connected
            self.disconnect()
            self._connect()
        elif self._confirmed and self._broker.lost(EXECUTIONS, self._confirmed):
            self._confirmed.clear()
            self.shorter = True

    def _verify(self, spool: Spool) -> None:
        self._connect()
        assert self._broker is not None
        cursor = spool.cursor
        if cursor.topic_id != self._topic_id or (self.shorter and self._broker.lost(EXECUTIONS, cursor.acknowledged)):
            self._begin_again(spool)
            self._drain(spool)
        else:
            self._confirm(cursor.acknowledged)

    def _confirm(self, acknowledged: Mapping[int, int]) -> None:
        for partition, offset in acknowledged.items():
            self._confirmed[partition] = max(self._confirmed.get(partition, 0), offset)

    def _begin_again(self, spool: Spool) -> None:
        spool.rewind()
        self.counts.republished += 1

    def _connect(self) -> Any:
        if self._producer is None:
            from debug_loop_pipeline.client.broker import Broker

            servers = self._servers()
            if servers is None:
                raise ConnectionError("no Kafka broker is configured or running")
            self._broker = Broker(servers, self._timeout_s)
            topic_id = self._broker.ensure([EXECUTIONS])[EXECUTIONS.name]
            if topic_id != self._topic_id:
                self.moved = self.moved or bool(self._topic_id)
                self._topic_id = topic_id
                self._confirmed.clear()
            self._producer = self._broker.producer("debug-loop-logger")
        return self._producer


class RelayThread:
    """Publishes the spool of this process, and those of agents that ended, for as long as the process lives.

    Args:
        root: folder of the spools.
        servers: as for `Relay`.
        options: bounds.
        own: the spool of this process, once there is one.
    """

    def __init__(
        self,
        root: Path,
        servers: Callable[[], str | None],
        options: LoggerOptions,
        own: Callable[[], Spool | None] = lambda: None,
    ) -> None:
        self._root = root
        self._options = options
        self._own = own
        self._relay = Relay(servers)
        self._settled: set[str] = set()
        """Orphans that were published and verified a while ago: with thousands of them a look must not open each."""
        self._settled_at = -_SETTLED_S
        self._awake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="debug-loop-relay", daemon=True)
        self._thread.start()

    @property
    def counts(self) -> RelayCounts:
        """What it did so far."""
        return self._relay.counts

    def wake(self) -> None:
        """There is something new."""
        self._awake.set()

    def close(self, wait_s: float) -> None:
        """End the thread after what it is doing."""
        self._closing = True
        self._awake.set()
        self._thread.join(wait_s)

    def _run(self) -> None:
        pause, looked = _PAUSE_S[0], 0.0
        while not self._closing:
            due = time.monotonic() - looked >= self._options.look_seconds
            try:
                own = self._own()
                if own is not None:
                    self._relay.drain(own)
                if due:
                    looked = time.monotonic()
                    self._look(own)
            except Exception:  # the broker is away, or the disk is: both come back, and the counts say so
                self._wait(pause)
                pause = min(_PAUSE_S[1], pause * 2)
                continue
            pause = _PAUSE_S[0]
            self._awake.wait(max(0.0, self._options.look_seconds - (time.monotonic() - looked)))
            self._awake.clear()
        self._relay.disconnect()

    def _wait(self, seconds: float) -> None:
        """A pause that only the end cuts short."""
        until = time.monotonic() + seconds
        while not self._closing and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))

    def _look(self, own: Spool | None) -> None:
        if not self._anything(own):
            return  # and no broker is needed
        self._relay.look()
        if own is not None:
            own.trim()
            self._relay.verify(own)
        excess = 0
        relay = self._relay
        if relay.moved or relay.shorter or time.monotonic() - self._settled_at > _SETTLED_S:
            self._settled.clear()
            self._settled_at = time.monotonic()
            excess = _bytes_below(self._root) - (0 if own is None else own.size()) - self._options.spool_bytes
        trouble: Exception | None = None
        for spool in orphans(self._root, self._options, self._settled):
            try:
                self._relay.drain(spool)
                self._relay.verify(spool)
                spool.trim()
                if not spool.unpublished() and (excess > 0 or not spool.holds_anything()):
                    excess -= spool.size()
                    spool.remove()
                else:
                    self._settled.add(spool.path.name)
            except (Unpublishable, OSError) as error:  # of this one; where the broker is away, the look ends it for all
                trouble = error
                self._relay.look()
            finally:
                spool.close()
        if trouble is not None:
            raise trouble
        relay.moved = relay.shorter = False

    def _anything(self, own: Spool | None) -> bool:
        """Whether there is a spool to care for."""
        try:
            others = len(os.listdir(self._root)) > (own is not None)
        except FileNotFoundError:
            others = False
        return others or (own is not None and own.holds_anything())


def _bytes_below(root: Path) -> int:
    total = 0
    for file in root.glob("*/*"):
        with contextlib.suppress(OSError):  # another one removed it
            total += file.stat().st_size
    return total


def embedded_servers(data_dir: Path) -> str | None:
    """The embedded broker that runs on a data directory, by its state file."""
    try:
        told = json.loads((data_dir / _STATE_FILE).read_bytes())
        address = told["running"]["kafka"]["address"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return address if isinstance(address, str) else None


def configured_servers(data_dir: Path) -> str | None:
    """The broker as the environment names it, else the embedded one; asked again at each connection."""
    return os.environ.get("DEBUG_LOOP_KAFKA_BOOTSTRAP_SERVERS", "").strip() or embedded_servers(data_dir)
