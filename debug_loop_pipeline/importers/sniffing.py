"""What of a file importers tell its format by.

A sniffer sees bytes and knows nothing of files: where their start does not show a whole record (the first one is larger
than a head, broken, or glued to another), it is this module that reads on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from debug_loop_pipeline.importers.base import Importer, ImportReport, read_head
from debug_loop_pipeline.importers.jsonl_lines import read_objects

_OPENING_BYTES = 32 << 20
"""So far is read for a file's first records; no service takes a larger request, and no spool a larger event."""
_OPENING_RECORDS = 200
_LONG_TEXT = 1_000
_BLANK = b"\x00 \t\r\n"
_RECORD = re.compile(rb'(?:\A[\x00\s]*|\n[\x00\r]*)\{\s?"')
"""A line that begins with an object; a document that is spread over lines has none."""


def heads(path: Path) -> Iterator[bytes]:
    """What sniffers get to see of a file: its first bytes, then, should none know it by those, its first records.

    Raises:
        OSError: the file cannot be read.
    """
    head = read_head(path)
    if not head.strip(_BLANK):
        return
    yield head
    if _RECORD.search(head) is not None and (opening := _opening(path)):
        yield opening


def is_of(importer: Importer, path: Path) -> bool:
    """Whether a file is of the importer's format.

    Raises:
        OSError: the file cannot be read.
    """
    return any(importer.sniff(path, head) for head in heads(path))


def _opening(path: Path) -> bytes:
    """The first records of a file of one object a line, each whole but for what is long or nested in it."""
    records = read_objects(path, ImportReport(), most_bytes=_OPENING_BYTES)
    return b"\n".join(orjson.dumps(_outline(record)) for _, _, record in islice(records, _OPENING_RECORDS))


def _outline(record: dict[str, Any]) -> dict[str, Any]:
    return {
        key: type(value)()
        if isinstance(value, dict | list)
        else value[:_LONG_TEXT]
        if isinstance(value, str)
        else value
        for key, value in record.items()
    }
