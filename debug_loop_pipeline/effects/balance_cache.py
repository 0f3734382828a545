"""BalanceCacheEffect: balances in Valkey, read through to PostgreSQL (DOMAIN 4.5).

Here: the packed value, who may write it when, the ledger's epoch. Not here: any decision; none is taken from a cache.

An older value never replaces a newer one. Two kinds of writer, two rules, both kept by the server in one script:

- the fold *renews*: it writes over an older version and never makes a value that is not there, because a fold that was
  slow to get here could bring back an old one after an eviction;
- a reader that missed *fills*: with the lease it drew when it missed, before it asked PostgreSQL. Every renewal takes the
  lease away, whether it found a value or not, so what was read before the renewal is not stored after it.

Valkey being down slows reads and breaks nothing: they go to PostgreSQL. Renewals that it missed are made up for by
`refresh_since` (the fold's driver keeps account of them), and end with the value's time to live in any case.
"""

from __future__ import annotations

import secrets
import struct
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import redis
from sqlalchemy import Connection, text

from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.resilience import CircuitOpenError, EffectUnavailableError, Retry
from debug_loop_pipeline.effects.token_ledger import read_balances
from debug_loop_pipeline.effects.valkey import Valkey
from debug_loop_pipeline.models.token import Balance

TTL_S = 3_600
_UNKNOWN_TTL_S = 60  # of a peer without any transaction: whoever asks for names at random shall not fill the cache
_LEASE_MS = 10_000
_EPOCH_S = 5.0
_SCAN = 1_000
_DOWN = (EffectUnavailableError, CircuitOpenError)
_VERSION_DIGITS = 20
_PACKED = struct.Struct(f">{_VERSION_DIGITS}sqqqqq16s")
_EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NO_ID = bytes(16)


@dataclass(slots=True)
class CacheCounts:
    """What reads met since the process started."""

    hits: int = 0
    misses: int = 0
    unavailable: int = 0
    """Reads that went to PostgreSQL because Valkey did not answer."""

    @property
    def hit_rate(self) -> float | None:
        """Hits among all reads; None before the first."""
        reads = self.hits + self.misses + self.unavailable
        return self.hits / reads if reads else None


class BalanceCacheEffect:
    """Balances of peers, from Valkey where they are there. Thread-safe.

    Args:
        valkey: the cache.
        database: what it is a cache of.
        ttl_s: how long a value stays.
        clock: monotonic seconds.
    """

    def __init__(
        self, valkey: Valkey, database: Database, *, ttl_s: int = TTL_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._valkey = valkey
        self._database = database
        self.ttl_s = ttl_s
        self._clock = clock
        self._lock = threading.Lock()
        self._epoch: tuple[str, float] | None = None
        self.counts = CacheCounts()

    # -- read ----------------------------------------------------------------------------------------------------

    def get(self, peer_id: str) -> Balance:
        """A peer's balance; the zero balance where it has no transaction.

        Raises:
            EffectUnavailableError, CircuitOpenError: not in the cache, and PostgreSQL is not reached.
        """
        epoch = self.epoch()
        key = value_key(epoch, peer_id)
        try:
            value = self._valkey.run("balance.get", lambda client: client.get(key))
        except _DOWN:
            self.counts.unavailable += 1
            return self._stored([peer_id])[peer_id]
        if isinstance(value, bytes):
            self.counts.hits += 1
            return unpack(peer_id, value)
        return self._missed(epoch, [peer_id])[peer_id]

    def get_many(self, peers: Iterable[str]) -> dict[str, Balance]:
        """Balances of several peers in one round trip; raises as `get` does."""
        names = list(dict.fromkeys(peers))
        if not names:
            return {}
        epoch = self.epoch()
        keys = [value_key(epoch, peer) for peer in names]
        try:
            values = self._valkey.run("balance.mget", lambda client: client.mget(keys))
        except _DOWN:
            self.counts.unavailable += len(names)
            return self._stored(names)
        found = _unpacked(names, values)
        self.counts.hits += len(found)
        missing = [peer for peer in names if peer not in found]
        if missing:
            found.update(self._missed(epoch, missing))
        return {peer: found[peer] for peer in names}

    def _missed(self, epoch: str, peers: Sequence[str]) -> dict[str, Balance]:
        """Fill what is missing: the lease first, then the database, then the value if the lease still holds."""
        self.counts.misses += len(peers)
        try:
            lease = self.draw_lease(epoch, peers)
        except _DOWN:
            return self._stored(peers)
        stored = self._stored(peers)
        self.fill(epoch, lease, stored)
        return stored

    def fill(self, epoch: str, lease: bytes, balances: Mapping[str, Balance]) -> int:
        """Store what was read after `lease` was drawn, where nothing was renewed since; how many were stored."""
        arguments: list[bytes | int] = [lease]
        for balance in balances.values():
            arguments += [pack(balance), self.ttl_s if balance.version else min(_UNKNOWN_TTL_S, self.ttl_s)]
        try:
            return self._script("balance.fill", _FILL, epoch, list(balances), arguments)
        except _DOWN:
            return 0

    def draw_lease(self, epoch: str, peers: Sequence[str]) -> bytes:
        """A lease to fill these peers' values with; an older one of another reader ends."""
        lease = secrets.token_bytes(12)
        self._script("balance.lease", _LEASE, epoch, peers, [lease, _LEASE_MS])
        return lease

    def _stored(self, peers: Sequence[str]) -> dict[str, Balance]:
        found = read_balances(self._database, "token_balances", peers)
        return {peer: found.get(peer) or Balance(peer_id=peer) for peer in peers}

    # -- renew ---------------------------------------------------------------------------------------------------

    def renew(self, balances: Mapping[str, Balance]) -> int:
        """Write what the fold has just committed over older values; how many were there and older.

        Raises:
            EffectUnavailableError, CircuitOpenError: Valkey is not reached: `refresh` these peers when it is back.
        """
        if not balances:
            return 0
        arguments: list[bytes | int] = [self.ttl_s, *map(pack, balances.values())]
        return self._script("balance.renew", _RENEW, self.epoch(), list(balances), arguments)

    def refresh(self, peers: Sequence[str]) -> int:
        """Renew these peers from PostgreSQL; how many values were older."""
        return sum(self.renew(self._stored(part)) for part in _parts(sorted(set(peers))))

    def refresh_since(self, since: datetime) -> int:
        """Renew every balance folded since then: what a driver that died between commit and renewal left behind."""

        def read(connection: Connection) -> list[str]:
            rows = connection.execute(text("select peer_id from token_balances where folded_at >= :at"), {"at": since})
            return list(rows.scalars())

        return self.refresh(self._database.run("folded_since", read, retry=Retry.ALWAYS))

    # -- epoch ---------------------------------------------------------------------------------------------------

    def epoch(self) -> str:
        """The ledger's epoch, asked for anew every few seconds. Without PostgreSQL the last one known stays."""
        known = self._epoch
        if known is not None and self._clock() - known[1] < _EPOCH_S:
            return known[0]
        with self._lock:
            try:
                epoch = read_epoch(self._database)
            except _DOWN:
                if known is None:
                    raise
                epoch = known[0]
            self._epoch = (epoch, self._clock())
            return epoch

    def begin_epoch(self, reason: str) -> str:
        """Make every cached value invalid: the ledger was rebuilt or restored, and its versions begin anew."""
        epoch = begin_epoch(self._database, reason)
        with self._lock:
            self._epoch = (epoch, self._clock())
        return epoch

    def ahead_of_database(self) -> list[str]:
        """Peers whose cached version the database has not reached: it was restored from an older copy.

        Values are read before the database, which is never behind them otherwise.
        """
        ahead: list[str] = []
        for part in _parts(self.cached()):
            values = self._cached_values(part)
            stored = self._stored(list(values))
            ahead += [peer for peer, value in values.items() if value.version > stored[peer].version]
        return ahead

    def cached(self) -> list[str]:
        """The peers that have a value in this epoch."""
        prefix = value_key(self.epoch(), "")

        def scan(client: redis.Redis) -> list[str]:
            keys = client.scan_iter(match=_glob(prefix) + "*", count=_SCAN)
            return sorted({key.decode().removeprefix(prefix) for key in keys})

        return self._valkey.run("balance.scan", scan, retry=Retry.ALWAYS)

    def cached_values(self, peers: Sequence[str]) -> dict[str, Balance]:
        """The values that are there, of these peers; nothing is filled."""
        found: dict[str, Balance] = {}
        for part in _parts(peers):
            found.update(self._cached_values(part))
        return found

    def _cached_values(self, peers: Sequence[str]) -> dict[str, Balance]:
        keys = [value_key(self.epoch(), peer) for peer in peers]
        values = self._valkey.run("balance.mget", lambda client: client.mget(keys), retry=Retry.ALWAYS)
        return _unpacked(peers, values)

    def _script(
        self, operation: str, script: str, epoch: str, peers: Sequence[str], arguments: Sequence[bytes | int]
    ) -> int:
        keys = [key for peer in peers for key in (value_key(epoch, peer), f"token:lease:{epoch}:{peer}")]

        def run(client: redis.Redis) -> int:
            return int(client.register_script(script)(keys=keys, args=list(arguments)))

        return self._valkey.run(operation, run, retry=Retry.ALWAYS)


def value_key(epoch: str, peer_id: str) -> str:
    """Key of a peer's balance."""
    return f"token:balance:{epoch}:{peer_id}"


def pack(balance: Balance) -> bytes:
    """A balance as the bytes that are cached. The version comes first, in digits that sort as it does."""
    at = 0 if balance.last_updated is None else (balance.last_updated - _EPOCH_START) // _MICROSECOND
    return _PACKED.pack(
        b"%0*d" % (_VERSION_DIGITS, balance.version),
        balance.balance,
        balance.held,
        balance.lifetime_earned,
        balance.lifetime_spent,
        at,
        _NO_ID if balance.last_transaction_id is None else balance.last_transaction_id.bytes,
    )


def unpack(peer_id: str, value: bytes) -> Balance:
    """The balance in cached bytes.

    Raises:
        ValueError: they are none.
    """
    try:
        version, balance, held, earned, spent, at, last = _PACKED.unpack(value)
    except struct.error as error:
        raise ValueError(f"the cached balance of {peer_id} is not one: {error}; delete its key") from error
    known = last != _NO_ID
    # Packed from a validated balance; validating it again would cost as much as reading it.
    return Balance.model_construct(
        peer_id=peer_id,
        balance=balance,
        held=held,
        lifetime_earned=earned,
        lifetime_spent=spent,
        last_transaction_id=UUID(bytes=last) if known else None,
        version=int(version),
        last_updated=_EPOCH_START + timedelta(microseconds=at) if known else None,
    )


def read_epoch(database: Database) -> str:
    """The epoch that cached balances must name."""
    return database.run(
        "read_epoch", lambda c: str(c.execute(text("select epoch from ledger_epoch")).scalar_one()), retry=Retry.ALWAYS
    )


def begin_epoch(database: Database, reason: str) -> str:
    """Begin another epoch; its name."""
    epoch = secrets.token_hex(8)

    def work(connection: Connection) -> str:
        connection.execute(
            text("update ledger_epoch set epoch = :epoch, reason = :reason, began_at = now()"),
            {"epoch": epoch, "reason": reason},
        )
        return epoch

    return database.run("begin_epoch", work, retry=Retry.ALWAYS)


def _unpacked(peers: Sequence[str], values: Sequence[bytes | str | None]) -> dict[str, Balance]:
    pairs = zip(peers, values, strict=True)
    return {peer: unpack(peer, value) for peer, value in pairs if isinstance(value, bytes)}


def _parts(peers: Sequence[str]) -> Iterable[Sequence[str]]:
    for start in range(0, len(peers), _SCAN):
        yield peers[start : start + _SCAN]


def _glob(prefix: str) -> str:
    return "".join(f"\\{c}" if c in "*?[]\\" else c for c in prefix)


# KEYS: value, lease, value, lease, ... In Lua "a" < "b" compares bytes of digits, so the longer history is the greater.
_LEASE = """
for i = 1, #KEYS, 2 do redis.call('SET', KEYS[i + 1], ARGV[1], 'PX', ARGV[2]) end
return #KEYS / 2
"""

_FILL = f"""
local stored = 0
for i = 1, #KEYS, 2 do
  if redis.call('GET', KEYS[i + 1]) == ARGV[1] then
    local value = ARGV[i + 1]
    local known = redis.call('GET', KEYS[i])
    if not known or string.sub(known, 1, {_VERSION_DIGITS}) < string.sub(value, 1, {_VERSION_DIGITS}) then
      redis.call('SET', KEYS[i], value, 'EX', ARGV[i + 2])
      stored = stored + 1
    end
    redis.call('DEL', KEYS[i + 1])
  end
end
return stored
"""

_RENEW = f"""
local renewed = 0
for i = 1, #KEYS, 2 do
  local value = ARGV[(i + 1) / 2 + 1]
  local known = redis.call('GET', KEYS[i])
  if known and string.sub(known, 1, {_VERSION_DIGITS}) < string.sub(value, 1, {_VERSION_DIGITS}) then
    redis.call('SET', KEYS[i], value, 'EX', ARGV[1])
    renewed = renewed + 1
  end
  redis.call('DEL', KEYS[i + 1])
end
return renewed
"""
