"""The topics of the pipeline, as each has to be. Standard library only: the client in an agent's process reads it too."""

from __future__ import annotations

from dataclasses import dataclass

PARTITIONS = 10
"""Of every topic of ours. Fixed: the number decides which partition a key is in."""
IN_MEMORY_CLUSTER = "debug_loop_in_memory"
"""The id of the broker that the project brings along and that keeps nothing over a restart."""
MAX_EVENT_BYTES = 8 << 20
"""Largest message on the topic of executions."""

_NEVER_MS = "-1"
_MONTH_MS = str(30 * 24 * 3_600 * 1_000)
_ENVELOPE_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it has to be."""

    name: str
    retention_ms: str = _NEVER_MS
    cleanup_policy: str = "delete"
    partitions: int = PARTITIONS
    rebuilt: bool = False
    """Its whole content is in PostgreSQL, and is published again when the topic is another one."""
    resent: bool = False
    """Who publishes to it keeps that for a day, and publishes it again when the topic is another one."""
    max_message_bytes: int | None = None
    """Where it is not the broker's own limit (1 MB)."""

    @property
    def configs(self) -> dict[str, str]:
        """Its settings on the broker."""
        configs = {
            "cleanup.policy": self.cleanup_policy,
            "retention.ms": self.retention_ms,
            "retention.bytes": "-1",
            "min.insync.replicas": "1",
        }
        if self.max_message_bytes is not None:
            configs["max.message.bytes"] = str(self.max_message_bytes + _ENVELOPE_BYTES)
        return configs


TRANSACTIONS = Topic("token.transactions.v1", rebuilt=True)
CONTRIBUTIONS = Topic("contributions.v1", retention_ms=_MONTH_MS)
CONTRIBUTION_REJECTS = Topic("contributions.dlq.v1", retention_ms=_MONTH_MS)
EXECUTIONS = Topic("agent.executions.v1", retention_ms=_MONTH_MS, resent=True, max_message_bytes=MAX_EVENT_BYTES)
EXECUTION_REJECTS = Topic("agent.executions.dlq.v1", retention_ms=_MONTH_MS)

LEDGER_TOPICS = (TRANSACTIONS, CONTRIBUTIONS, CONTRIBUTION_REJECTS)
EXECUTION_TOPICS = (EXECUTIONS, EXECUTION_REJECTS)
