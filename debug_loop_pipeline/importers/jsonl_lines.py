"""Reads files of one JSON object a line as agents leave them: glued, truncated, with NUL bytes, badly encoded.

A bad line costs at most itself; memory does not grow with the file. Not here: what the objects mean.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from debug_loop_pipeline.importers.base import ImportReport
from debug_loop_pipeline.importers.documents import parse_time, without_surrogates

CHUNK_BYTES = 1 << 20

MAX_LINE_BYTES = 64 << 20
"""A longer line is passed over: decoding it would cost several times its size in memory."""

_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_BLANK = b" \t\r\n\x00\xef\xbb\xbf"
_DECODER = json.JSONDecoder(strict=False)


def moment(value: object) -> datetime | None:
    """`parse_time`, quicker for the form that nearly every line of these formats has."""
    try:
        at = datetime.fromisoformat(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return parse_time(value)
    return at if at.tzinfo is UTC else parse_time(value)


def split_lines(path: Path, report: ImportReport, most_bytes: int | None = None) -> Iterator[tuple[int, int, bytes]]:
    """Lines of a file as (1-based number, byte offset, bytes without the line feed); UTF-16 files are read as UTF-8.

    Args:
        path: the file.
        report: counts bytes, and gets every line that is too long.
        most_bytes: no more than about so much is read; a line that is not at its end by then is left out.

    Raises:
        OSError: the file cannot be read.
    """
    number = 0
    offset = 0
    size = 0
    rest: list[bytes] = []
    rest_size = 0
    with path.open("rb", buffering=0) as file:
        recode: codecs.IncrementalDecoder | None = None
        first = True
        while chunk := file.read(CHUNK_BYTES):
            report.advance(len(chunk))
            size += len(chunk)
            if most_bytes is not None and size > most_bytes:
                return
            if first:
                first = False
                if chunk.startswith(_UTF_16):
                    recode = codecs.getincrementaldecoder("utf-16")("replace")
            if recode is not None:
                chunk = recode.decode(chunk).encode("utf-8", "replace")
            end = chunk.find(b"\n")
            if end < 0:
                rest_size += len(chunk)
                if rest_size <= MAX_LINE_BYTES:
                    rest.append(chunk)
                else:
                    rest.clear()
                continue
            start = 0
            if rest_size > MAX_LINE_BYTES:
                number += 1
                report.problem(path, number, f"line of more than {MAX_LINE_BYTES >> 20} MB")
                offset += rest_size + end + 1
                start = end + 1
                end = chunk.find(b"\n", start)
            elif rest:
                rest.append(chunk[:end])
                line = b"".join(rest)
                number += 1
                yield number, offset, line
                offset += len(line) + 1
                start = end + 1
                end = chunk.find(b"\n", start)
            rest.clear()
            # Not `split`: it looks at every byte by itself.
            while end >= 0:
                number += 1
                yield number, offset, chunk[start:end]
                offset += end - start + 1
                start = end + 1
                end = chunk.find(b"\n", start)
            rest_size = len(chunk) - start
            if rest_size:
                rest.append(chunk[start:])
        if rest_size > MAX_LINE_BYTES:
            report.problem(path, number + 1, f"line of more than {MAX_LINE_BYTES >> 20} MB")
        elif rest:
            yield number + 1, offset, b"".join(rest)


def read_objects(
    path: Path,
    report: ImportReport,
    skip: Callable[[bytes], str | None] | None = None,
    most_bytes: int | None = None,
    bare: Callable[[bytes], bytes] | None = None,
) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """The JSON objects of a file as (1-based line, byte offset of the line, object); several where a line has several.

    Args:
        path: the file.
        report: counts lines and bytes, and gets every line that is lost, wholly or in part.
        skip: tells from a line's bytes, without parsing it, why it is not wanted (counted under that reason), or None.
        most_bytes: as in `split_lines`.
        bare: takes off of a line what stands before its object, where the format has that.

    Raises:
        OSError: the file cannot be read.
    """
    loads = orjson.loads
    counted = 0
    try:
        for number, offset, line in split_lines(path, report, most_bytes):
            counted += 1
            if skip is not None:
                reason = skip(line)
                if reason is not None:
                    report.skipped[reason] += 1
                    continue
            if bare is not None:
                line = bare(line)
            try:
                value = loads(line)
            except orjson.JSONDecodeError:
                for value in recover_objects(line, path, number, report):
                    yield number, offset, value
                continue
            if isinstance(value, dict):
                yield number, offset, value
            else:
                report.skip("not an object")
    finally:
        report.lines += counted


def read_objects_at(path: Path, spans: Sequence[int]) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """The objects of single lines, as `read_objects` told them apart.

    Args:
        path: the file.
        spans: line number and byte offset of each wanted line, one after the other.

    Raises:
        OSError: the file cannot be read.
    """
    quiet = ImportReport()
    if _is_utf_16(path):
        # What was counted are the bytes of the recoded text.
        wanted = frozenset(spans[1::2])
        yield from (located for located in read_objects(path, quiet) if located[1] in wanted)
        return
    with path.open("rb") as file:
        last = -1
        for index in range(0, len(spans), 2):
            number, offset = spans[index], spans[index + 1]
            if offset == last:
                continue
            last = offset
            file.seek(offset)
            line = file.readline(MAX_LINE_BYTES + 1)
            try:
                value = orjson.loads(line)
            except orjson.JSONDecodeError:
                for value in recover_objects(line, path, number, quiet):
                    yield number, offset, value
                continue
            if isinstance(value, dict):
                yield number, offset, value


def _is_utf_16(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) in _UTF_16


def recover_objects(line: bytes, path: Path, number: int, report: ImportReport) -> list[dict[str, Any]]:
    """What can be read out of a line that is not plain JSON; what is lost of it is reported.

    NUL bytes at its ends go, others and invalid UTF-8 become U+FFFD, raw control characters are taken as they stand,
    glued objects are taken apart. An object that is cut off is lost, one glued behind it is not.
    """
    stripped = line.strip(_BLANK)
    if not stripped:
        return []
    text = stripped.decode("utf-8", "replace").replace("\x00", "\ufffd")
    found: list[dict[str, Any]] = []
    lost: str | None = None
    at = 0
    while at < len(text):
        try:
            value, at = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            lost = _reason(error, text)
            at = _next_object(text, at + 1)
            continue
        if isinstance(value, dict):
            found.append(without_surrogates(value))
        else:
            lost = "text outside of an object"
        while at < len(text) and text[at] in " \t\r,\ufffd":
            at += 1
    if len(found) > 1:
        report.skip("glued objects taken apart")
    if lost is not None:
        report.problem(path, number, lost)
    return found


def _reason(error: Exception, text: str) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, json.JSONDecodeError):
        if error.pos >= len(text) or error.msg.startswith("Unterminated string"):
            return "truncated line"
        return f"invalid JSON: {error.msg} at character {error.pos}"
    return "invalid JSON"


def _next_object(text: str, at: int) -> int:
    """Where a record glued behind a broken one begins: a line's first keys are known, an inner object's are not."""
    starts = [found for mark in _RECORD_STARTS if (found := text.find(mark, at)) >= 0]
    return min(starts, default=len(text))


_RECORD_STARTS = (
    '{"parentUuid":',
    '{"timestamp":"',
    '{"type":"summary"',
    '{"type":"session_meta"',
)
"""How the records of line formats begin; inner objects of theirs never do."""
