"""Python values as PostgreSQL's input text, a column at a time.

Here: the text of a value of a given column type, and COPY's escapes around it. Not here: who sends it (`bulk_write`).
Working on whole columns keeps the common types (text, integers, booleans) inside C: about 0.1 us a value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import partial
from typing import Any
from uuid import UUID

import orjson

from debug_loop_pipeline.text import clean_text

NULL = b"\\N"
_ESCAPES = ((b"\\", b"\\\\"), (b"\t", b"\\t"), (b"\n", b"\\n"), (b"\r", b"\\r"))
_JSON_TYPES = frozenset({"json", "jsonb"})
_FLAT_ARRAYS = frozenset({"text[]", "character varying[]", "integer[]", "bigint[]", "smallint[]", "uuid[]"})
_JSON_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
_JSON_SURROGATE = re.compile(rb"\\u[dD][89abABcdefCDEF]")


def encode_json(value: object) -> bytes:
    """`value` as JSON that jsonb accepts: NUL and lone surrogates as U+FFFD, Decimal as text, sets sorted; bytes are
    JSON already.

    Raises:
        TypeError: a type that JSON has no form for.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        encoded = bytes(value)
        if b"\\u" not in encoded:
            return encoded
        if _JSON_SURROGATE.search(encoded):
            encoded = encode_json(json.loads(encoded))
    else:
        try:
            encoded = orjson.dumps(value, default=_json_default, option=orjson.OPT_NON_STR_KEYS)
        except TypeError:
            # Lone surrogates, and integers of more than 64 bits, which the standard library's encoder knows how to
            # write.
            encoded = json.dumps(
                _clean_deep(value), default=_json_default, ensure_ascii=False, allow_nan=False
            ).encode()
    return _JSON_NUL.sub(rb"\1\\ufffd", encoded) if b"\\u0000" in encoded else encoded


def encode_column(values: Sequence[Any], pg_type: str, column: str) -> list[str | None]:
    """The input text of each value, None for NULL, without COPY's escapes.

    Args:
        values: of one column.
        pg_type: as `format_type` names it (`text`, `jsonb`, `text[]`, `timestamp with time zone`).
        column: for the error message.

    Raises:
        TypeError, ValueError: a value that has no form in this type; the message names the column.
    """
    kinds = set(map(type, values))
    nullable = type(None) in kinds
    kinds.discard(type(None))
    if not kinds:
        return [None] * len(values)
    try:
        if len(kinds) == 1 and (whole := _whole_column(kinds.pop(), pg_type)) is not None:
            if not nullable:
                return whole(values)
            present = iter(whole([value for value in values if value is not None]))
            return [None if value is None else next(present) for value in values]
        encode = _encoder(pg_type)
        return [None if value is None else encode(value) for value in values]
    except (TypeError, ValueError) as error:
        raise type(error)(f"column {column} ({pg_type}): {error}") from error


def _whole_column(kind: type, pg_type: str) -> Callable[[Sequence[Any]], list[str | None]] | None:
    """The fast way for a column of one Python type without None, where there is one."""
    if pg_type in _JSON_TYPES:
        return _json_column if kind in (dict, list, str) else None
    if pg_type in _FLAT_ARRAYS:
        return _flat_array_column if kind in (list, tuple) else None
    if kind is datetime:
        return _aware_column if _needs_offset(pg_type) else None
    if pg_type.endswith("[]") or kind not in _SIMPLE:
        return None
    if kind in _COLUMNS:
        return _COLUMNS[kind]
    return partial(_map, _SIMPLE[kind])


def _map(convert: Callable[[Any], str], values: Sequence[Any]) -> list[str | None]:
    return list(map(convert, values))


def _json_column(values: Sequence[Any]) -> list[str | None]:
    try:
        lines = b"\n".join([orjson.dumps(value, _json_default, orjson.OPT_NON_STR_KEYS) for value in values])
    except TypeError:
        lines = b"\\u0000"
    if b"\\u0000" in lines:
        return [encode_json(value).decode() for value in values]
    return list(lines.decode().split("\n"))  # orjson writes no line break of its own


def _flat_array_column(values: Sequence[Any]) -> list[str | None]:
    """Arrays, by their JSON form, which is PostgreSQL's but for the brackets where nothing is escaped or nested."""
    try:
        encoded = orjson.dumps(values)
    except TypeError:
        encoded = b"\\"
    if b"\\" in encoded or b"{" in encoded or encoded.count(b"[") != len(values) + 1:
        return [_array(value, _scalar) for value in values]
    return ["{" + items + "}" for items in encoded.decode()[2:-2].split("],[")]


def _aware_column(values: Sequence[Any]) -> list[str | None]:
    if {value.tzinfo for value in values} == {UTC}:  # orjson would round an offset that has seconds
        return list(orjson.dumps(values).decode()[2:-2].split('","'))
    return list(map(_aware, values))


def _uuid_column(values: Sequence[Any]) -> list[str | None]:
    return list(orjson.dumps(values).decode()[2:-2].split('","'))


def _int_column(values: Sequence[Any]) -> list[str | None]:
    try:
        return list(orjson.dumps(values).decode()[1:-1].split(","))
    except TypeError:  # more than 64 bits, into a numeric
        return list(map(str, values))


def copy_fields(values: Sequence[Any], pg_type: str, column: str) -> list[bytes]:
    r"""The fields of one column in COPY's text format: backslash, tab, newline and return escaped, NULL as `\N`.

    NUL and lone surrogates become U+FFFD. Bytes all the way for JSON that is encoded already, the bulk of what is written.

    Raises:
        TypeError, ValueError: as `encode_column`.
    """
    if pg_type in _JSON_TYPES and set(map(type, values)) == {bytes}:
        return [_escaped(encode_json(value)) for value in values]
    texts = encode_column(values, pg_type, column)
    joined = "\x00".join([text or "" for text in texts])
    if joined.count("\x00") != len(texts) - 1:
        joined = "\x00".join([(text or "").replace("\x00", "\ufffd") for text in texts])
    fields = _escaped(_utf8(joined)).split(b"\x00")
    if None in texts:
        return [NULL if text is None else field for text, field in zip(texts, fields, strict=True)]
    return fields


def _escaped(data: bytes) -> bytes:
    for character, escape in _ESCAPES:
        if character in data:
            data = data.replace(character, escape)
    return data


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def _encoder(pg_type: str) -> Callable[[Any], str]:
    if pg_type in _JSON_TYPES:
        return lambda value: encode_json(value).decode()
    if pg_type.endswith("[]"):
        element = _encoder(pg_type[:-2])
        nested = pg_type[:-2] not in _JSON_TYPES  # there a list is one JSON value
        return lambda value: _array(value, element, nested)
    if pg_type.startswith(("vector", "halfvec")):
        return lambda value: value if isinstance(value, str) else json.dumps([float(number) for number in value])
    return _aware if _needs_offset(pg_type) else _scalar


def _needs_offset(pg_type: str) -> bool:
    """timestamptz, with or without precision: an offset is required."""
    return pg_type.startswith("timestamp") and pg_type.endswith("with time zone")


def _scalar(value: Any) -> str:
    convert = _SIMPLE.get(type(value))
    if convert is not None:
        return convert(value)
    if isinstance(value, Enum):
        return _scalar(value.value)
    if isinstance(value, bytes | bytearray | memoryview):
        return "\\x" + bytes(value).hex()
    if isinstance(value, timedelta):
        return f"{value // timedelta(microseconds=1)} microseconds"
    if isinstance(value, dict | list | tuple | set | frozenset):
        raise TypeError(f"a {type(value).__name__} has no form in this type")
    item = getattr(value, "item", None)  # a numpy scalar
    if callable(item):
        return _scalar(item())
    if isinstance(value, str | int | float | Decimal | date | time | UUID):
        return str(value)
    raise TypeError(f"a {type(value).__name__} has no form in this type")


def _aware(value: Any) -> str:
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ValueError(f"{value.isoformat()} has no offset from UTC")
    return _scalar(value)


def _array(value: Any, element: Callable[[Any], str], nested: bool = True) -> str:
    if isinstance(value, str):  # written as PostgreSQL writes arrays
        return value
    fields = []
    for item in value:
        if item is None:
            fields.append("NULL")
        elif nested and isinstance(item, list | tuple):
            fields.append(_array(item, element))
        else:
            fields.append('"' + element(item).replace("\\", "\\\\").replace('"', '\\"') + '"')
    return "{" + ",".join(fields) + "}"


def _bool(value: bool) -> str:
    return "t" if value else "f"


_SIMPLE: dict[type, Callable[[Any], str]] = {
    str: str,
    int: str,
    float: repr,
    bool: _bool,
    Decimal: str,
    UUID: str,
    date: date.isoformat,
    time: time.isoformat,
    datetime: datetime.isoformat,
}


_COLUMNS: dict[type, Callable[[Sequence[Any]], list[str | None]]] = {str: list, int: _int_column, UUID: _uuid_column}


def _json_default(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=repr)
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        return dump(mode="json")
    raise TypeError(f"a {type(value).__name__} has no form in JSON")


def _clean_deep(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {clean_text(key) if isinstance(key, str) else key: _clean_deep(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean_deep(item) for item in value]
    return value
