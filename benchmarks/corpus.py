"""As much transcript as is asked for, made from the real Claude Code sessions under new ids.

Session, line, message, request and tool-call ids are replaced, each by another of its form, consistently inside one copy. All
else (texts, order, line lengths) stays as it is.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from debug_loop_pipeline.importers.registry import files_under

_UUID = rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_ID = re.compile(
    rb"(?<![\w-])(?:" + _UUID + rb"|(?:msg|toolu|req|srvtoolu)_(?:bdrk_|vrtx_)?[A-Za-z0-9]{16,40})(?![\w-])"
)
_TAIL = 12


class Session:
    """One real session, cut at its ids."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        if data and not data.endswith(b"\n"):
            data += b"\n"
        self.size = len(data)
        self.name = path.parent.name
        self._texts: list[bytes] = []
        self._ids: list[bytes] = []
        at = 0
        for match in _ID.finditer(data):
            self._texts.append(data[at : match.start()])
            self._ids.append(match[0])
            at = match.end()
        self._texts.append(data[at:])
        self.session_ids = self._values(rb'"sessionId":"$')

    def _values(self, before: bytes) -> set[bytes]:
        pattern = re.compile(before)
        return {one for text, one in zip(self._texts, self._ids, strict=False) if pattern.search(text[-40:])}

    def copy(self, number: int, session_id: bytes | None = None) -> bytes:
        """The session under new ids; `session_id` makes it a part of that session."""
        renamed: dict[bytes, bytes] = {}
        for one in self._ids:
            if one not in renamed:
                renamed[one] = _renamed(one, number)
        if session_id is not None:
            renamed |= dict.fromkeys(self.session_ids, session_id)
        parts = [b""] * (2 * len(self._ids) + 1)
        parts[0::2] = self._texts
        parts[1::2] = [renamed[one] for one in self._ids]
        return b"".join(parts)


def _renamed(one: bytes, number: int) -> bytes:
    digest = hashlib.blake2b(one, digest_size=_TAIL // 2, salt=number.to_bytes(8, "big")).hexdigest().encode()
    return one[:-_TAIL] + digest


def real_sessions(root: Path) -> list[Session]:
    """Every Claude Code session under the real data, told by content."""
    return [Session(path) for importer, path in files_under(root) if importer.name == "claude-code"]


def write_sessions(sessions: list[Session], folder: Path, size: int, first: int = 0) -> int:
    """Writes copies of the sessions, a file each, until `size` bytes are there. Returns how many bytes that are.

    `first` is the number of the first copy: the same number gives the same ids.
    """
    written = 0
    for number, session in _rounds(sessions, first):
        if written >= size:
            return written
        path = folder / f"{number:05d}-{session.name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        written += path.write_bytes(session.copy(number))
    return written


def write_one_session(sessions: list[Session], path: Path, size: int, first: int = 0) -> int:
    """Writes one session of `size` bytes: copies of all of them one behind the other. Returns its bytes."""
    written = 0
    session_id = b"00000000-0000-4000-8000-0000000000ff"
    with path.open("wb") as file:
        for number, session in _rounds(sessions, first):
            if written >= size:
                break
            written += file.write(session.copy(number, session_id))
    return written


def _rounds(sessions: list[Session], first: int) -> Iterator[tuple[int, Session]]:
    number = first
    while sessions:
        for session in sessions:
            yield number, session
        number += 1
