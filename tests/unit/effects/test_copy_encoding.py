"""COPY's text format: what each field becomes, with and without the short ways for whole columns."""

from __future__ import annotations

import json

import orjson
import pytest

from debug_loop_pipeline.effects.copy_encoding import copy_fields


def read(field: bytes) -> str | None:
    """The value that PostgreSQL reads out of a field."""
    if field == b"\\N":
        return None
    signs = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\"}
    text, parts, at = field.decode(), [], 0
    while at < len(text):
        escaped = text[at] == "\\"
        parts.append(signs[text[at + 1]] if escaped else text[at])
        at += 2 if escaped else 1
    return "".join(parts)


@pytest.mark.parametrize(
    "values",
    [
        ["plain", "", "tab\tline\nreturn\rback\\slash", "\\N", "\\t", "\U0001f600 é"],
        [None, "a", None],
        [None, None],
        ["nul \x00 in it", "a"],
        ["lone \ud800", "a"],
    ],
)
def test_a_text_comes_back_as_it_went_in_but_for_what_the_server_refuses(values: list[str | None]) -> None:
    fields = copy_fields(values, "text", "c")
    kept = [v and v.replace("\x00", "\ufffd").replace("\ud800", "\ufffd") for v in values]
    assert [read(field) for field in fields] == kept
    assert not any(sign in field for field in fields for sign in (b"\t", b"\n", b"\r", b"\x00"))


@pytest.mark.parametrize(
    "value",
    [
        {"a": "b"},
        {"code": "x = 'a\\n'\n\tpass\r\n", "path": "C:\\new\\table"},
        {"u": "\U0001f600 é \u2028", "escape": "\\u0000 \\ud800"},
        {"nul": "a\x00b"},
    ],
)
def test_json_that_is_encoded_already_reads_as_the_same_value(value: dict[str, str]) -> None:
    kept = {key: text.replace("\x00", "\ufffd") for key, text in value.items()}
    pretty = json.dumps(value, indent=1).encode()
    for column in ([orjson.dumps(value)], [pretty], [orjson.dumps(value), None], [value]):
        fields = copy_fields(column, "jsonb", "c")
        read_back = read(fields[0])
        assert read_back is not None
        assert json.loads(read_back) == kept
        assert not any(sign in fields[0] for sign in (b"\t", b"\n", b"\r"))
        assert [field == b"\\N" for field in fields] == [one is None for one in column]


def test_a_value_without_a_form_names_its_column() -> None:
    with pytest.raises(TypeError, match="column steps"):
        copy_fields([object()], "integer", "steps")
