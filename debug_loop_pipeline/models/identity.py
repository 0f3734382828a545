"""Ids of tasks and attempts, from the source's own identifiers (DOMAIN 3.1): the same work has the same id wherever it is read.

Belongs here: the one rule that importers and the logger share. Never pass a file position.
"""

from __future__ import annotations

import re
from hashlib import sha1
from uuid import NAMESPACE_URL, UUID, uuid5

_NAMESPACE = uuid5(NAMESPACE_URL, "urn:debug-loop-pipeline")
_NAMED = sha1(_NAMESPACE.bytes, usedforsecurity=False)
_UUID_BITS = ~((0xF << 76) | (0x3 << 62))  # all but those of version and variant
_UUID5 = (5 << 76) | (0x2 << 62)
_NUMBERED = r"(?:[A-Z]*+[a-z]*+(?:[A-Z][a-z]++)*+\d{0,4}+[^0-9A-Za-z])*+\d{1,4}"
"""Words and small numbers, and a small number at the end: no form of random id is made of these alone. Compiled when it is first used,
which the logger need not wait for.
"""


def attempt_id(source_format: str, first_id: str) -> UUID:
    """UUIDv5 of the format and the id of the attempt's first tool call (or message, where it has no call), `in_session`."""
    return _uuid5(f"attempt\x1f{source_format}\x1f{first_id}")


def in_session(first_id: str, session: str | None) -> str:
    """The id as `attempt_id` is to have it: with its session where it is numbered anew in each conversation (`Bash_0`, `call_1`,
    `functions.bash:3`), unless it names the session already.
    """
    if not session or first_id.startswith(session) or re.fullmatch(_NUMBERED, first_id) is None:
        return first_id
    return f"{session}\x1f{first_id}"


def correlation_id(source_format: str, opened_by: str) -> UUID:
    """UUIDv5 of the format and the id of the human message that opened the task, or of the benchmark's problem."""
    return _uuid5(f"task\x1f{source_format}\x1f{opened_by}")


def _uuid5(name: str) -> UUID:
    """`uuid5` of the namespace, whose part of the hash is computed once."""
    digest = _NAMED.copy()
    digest.update(name.encode())
    bits = int.from_bytes(digest.digest()[:16])
    return UUID(int=bits & _UUID_BITS | _UUID5)
