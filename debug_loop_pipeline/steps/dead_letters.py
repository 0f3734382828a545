"""What a dead letter is on its topic: why a message was not taken, where it was, and its redacted bytes (DOMAIN 3.1, 4.2)."""

from __future__ import annotations

import orjson

from debug_loop_pipeline.client.redaction import redact
from debug_loop_pipeline.compute.economy.transaction_id import content_digest
from debug_loop_pipeline.effects.kafka import Message, partition_of

KEPT_CHARS = 20_000
"""Of a message that was not taken."""


def position_of(message: Message) -> str:
    """Where a message was read: `partition:offset`."""
    return f"{message.partition}:{message.offset}"


def redacted_payload(message: Message) -> str:
    """The content of a message as it may be kept."""
    return redact((message.value or b"").decode("utf-8", "replace"))[:KEPT_CHARS]


def dead_letter(message: Message, reason: str) -> Message:
    """The message for the dead-letter topic, under the key of what it speaks of."""
    told = {
        "reason": reason,
        "position": position_of(message),
        "sha256": content_digest(message.value or b""),
        "payload": redacted_payload(message),
    }
    key = redact(message.key.decode("utf-8", "replace")) if message.key else position_of(message)
    return Message(partition_of(key), key.encode(), orjson.dumps(told))
