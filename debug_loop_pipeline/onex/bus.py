"""Our Kafka under omnibase-core's protocols for publishing and for the life of an event bus (extra `onex`).

`OnexEventBus` is a `ProtocolEventBusPublisher` and a `ProtocolEventBusLifecycle`. It is no `ProtocolEventBusSubscriber`: that one
reads by consumer groups, and here a reader's position is kept in PostgreSQL, in the transaction of what it did.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import orjson
from pydantic import BaseModel

from debug_loop_pipeline.effects.kafka import Kafka, Message, Topic, partition_of
from debug_loop_pipeline.effects.resilience import CircuitOpenError, EffectUnavailableError

_COMMANDS = "onex.commands"


class OnexEventBus:
    """Publishes to Kafka; a topic that is missing is made, with ten partitions.

    Args:
        kafka: the broker's client.
        environment: whose nodes `broadcast_to_environment` means where none is named.
    """

    def __init__(self, kafka: Kafka, environment: str = "local") -> None:
        self._kafka = kafka
        self._environment = environment

    async def publish(self, topic: str, key: bytes | None, value: bytes, headers: Any | None = None) -> None:
        """Publish a message and wait until the broker has it.

        Raises:
            ValueError: with headers; our messages are JSON that says all of it.
            EffectUnavailableError, CircuitOpenError: the broker did not confirm it.
        """
        if headers is not None:
            raise ValueError("messages have no headers here: put what they say into the value")
        partition = 0 if key is None else partition_of(key.decode())
        await asyncio.to_thread(self._kafka.publish, Topic(topic), [Message(partition, key, value)])

    async def publish_envelope(self, envelope: Any, topic: str) -> None:
        """Publish an envelope's payload as JSON; as `publish`."""
        payload = await envelope.get_payload()
        value = payload.model_dump_json().encode() if isinstance(payload, BaseModel) else orjson.dumps(payload)
        await self.publish(topic, None, value)

    async def broadcast_to_environment(
        self, command: str, payload: dict[str, Any], target_environment: str | None = None
    ) -> None:
        """Publish a command to `onex.commands.{environment}`; as `publish`."""
        await self._command(target_environment or self._environment, command, payload)

    async def send_to_group(self, command: str, payload: dict[str, Any], target_group: str) -> None:
        """Publish a command to `onex.commands.{group}`; as `publish`."""
        await self._command(target_group, command, payload)

    async def start(self) -> None:
        """Nothing: the first message connects."""

    async def shutdown(self) -> None:
        """Send what is on its way and let the connections go."""
        await asyncio.to_thread(self._kafka.close)

    async def close(self) -> None:
        """As `shutdown`; again does nothing."""
        await self.shutdown()

    async def health_check(self) -> dict[str, Any]:
        """Whether the broker answers, and how fast."""
        started = time.perf_counter()
        try:
            await asyncio.to_thread(self._kafka.topic_id, Topic(_COMMANDS))
        except (EffectUnavailableError, CircuitOpenError) as error:
            return {"healthy": False, "connected": False, "broker_available": False, "error": str(error)}
        latency_ms = (time.perf_counter() - started) * 1000
        return {"healthy": True, "connected": True, "broker_available": True, "latency_ms": latency_ms}

    async def _command(self, target: str, command: str, payload: dict[str, Any]) -> None:
        await self.publish(f"{_COMMANDS}.{target}", None, orjson.dumps({"command": command, "payload": payload}))
