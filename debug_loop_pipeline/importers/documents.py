"""Reading whole JSON documents and the small values in them, as tolerant as the line reader is of lines.

Formats that are one object per file (trajectories, session files) cannot be streamed; they are read whole, up to a
limit. Not here: what a document means, and files of one object a line (`jsonl_lines`).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, TypeVar

import orjson

from debug_loop_pipeline.importers.base import ImportReport

T = TypeVar("T")

MAX_DOCUMENT_BYTES = 512 << 20
"""A larger document is reported and passed over: parsing costs several times its size."""

_TIME_FORMATS = ("%Y-%m-%d %H:%M:%S,%f", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d %H:%M:%S")
_MILLISECONDS_FROM = 1e11
"""Numbers above are milliseconds since the epoch, below seconds (the year 5138)."""


def read_text(path: Path, report: ImportReport, limit: int = MAX_DOCUMENT_BYTES) -> str | None:
    """The text of a file: UTF-8 or UTF-16, wrong bytes and NUL as U+FFFD. None where it is too large (reported).

    Raises:
        OSError: the file cannot be read.
    """
    size = path.stat().st_size
    if size > limit:
        report.problem(path, None, f"document of {size >> 20} MB, more than {limit >> 20} MB")
        return None
    data = path.read_bytes()
    report.advance(len(data))
    return decode(data)


def decode(data: bytes) -> str:
    """Text of bytes that may be UTF-16, have a byte order mark, wrong bytes or NULs."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = data.decode("utf-16", "replace")
    else:
        text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    return text.strip("\x00").replace("\x00", "\ufffd") if "\x00" in text else text


def load_document(path: Path, report: ImportReport) -> Any:
    """The JSON value a file holds; None where it holds none (reported with the line).

    Raises:
        OSError: the file cannot be read.
    """
    text = read_text(path, report)
    if text is None:
        return None
    report.lines += text.count("\n") + 1
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    except ValueError:
        pass
    try:
        return without_surrogates(json.loads(text, strict=False))
    except json.JSONDecodeError as error:
        report.problem(path, error.lineno, f"invalid JSON: {error.msg}")
    except (ValueError, RecursionError) as error:
        report.problem(path, None, f"cannot be parsed: {error}")
    return None


def beside(read: Callable[[Path, ImportReport], T], path: Path, report: ImportReport) -> T | None:
    """What `read` gives of a file that lies beside a transcript. None where it cannot be read (reported): the transcript counts without it."""
    try:
        return read(path, report)
    except OSError as error:
        report.unreadable(path, error)
        return None


def without_surrogates(value: Any) -> Any:
    """Lone surrogates (a text cut in the middle of a character) become U+FFFD: nothing after could encode them."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {without_surrogates(key): without_surrogates(item) for key, item in value.items()}
    return value


def file_time(path: Path) -> datetime | None:
    """When the file was last changed."""
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return None


def parse_time(value: Any) -> datetime | None:
    """A time out of an ISO text, a log's text, or seconds or milliseconds since 1970. Without an offset it is taken
    for UTC.
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        if not math.isfinite(value) or value <= 0:
            return None
        seconds = value / 1000 if value > _MILLISECONDS_FROM else value
        try:
            return datetime.fromtimestamp(seconds, UTC)
        except (ValueError, OverflowError, OSError):
            return None
    if not isinstance(value, str):
        return None
    text = value.strip()
    try:
        return _aware(datetime.fromisoformat(text))
    except ValueError:
        pass
    for form in _TIME_FORMATS:
        try:
            return _aware(datetime.strptime(text, form).replace(tzinfo=UTC))
        except ValueError:
            continue
    return None


def _aware(moment: datetime) -> datetime | None:
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        return None


def text_of(content: Any) -> str:
    """The text of a message's content: a string, blocks with a `text`, or a list of either; images and the like are
    left out.
    """
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(part for part in (text_of(item) for item in content) if part)
    if isinstance(content, dict):
        inner = content.get("text")
        return inner if isinstance(inner, str) else text_of(content.get("content"))
    return ""


def count_of(value: Any) -> int:
    """A token count: a whole number of at least 0, else 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return 0
    return max(0, int(value))


def cost_text(value: Any) -> str | None:
    """A cost in dollars as decimal text; None where it is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return str(amount) if amount.is_finite() and amount >= 0 else None


def mapping(value: Any) -> dict[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def listing(value: Any) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def string(value: Any) -> str | None:
    """The value if it is a text with something in it."""
    return value if isinstance(value, str) and value else None


def fingerprint(*parts: Any) -> str:
    """16 hexadecimal digits that identify the parts (JSON values), for runs that their format gives no id."""
    try:
        text = json.dumps(parts, sort_keys=True, default=str)
    except (TypeError, ValueError, RecursionError):  # keys of several types, as a Python literal may have
        text = repr(parts)
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:16]
