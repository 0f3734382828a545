"""The values of string and number literals, so that two ways to write one value compare equal (DOMAIN 3.4).

Here: reading the literals of Python, JavaScript, TypeScript and Go as text, without evaluating code. Not here: which
node is a literal (`languages`, `syntax_tokens`). What is not understood (named characters, octal escapes of old
scripts) stays as it is written, so that two values are never taken for one.
"""

from __future__ import annotations

import re

_SIMPLE = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "a": "\a"}
_PYTHON_ESCAPE = re.compile(
    r"\\(\n|[0-7]{1,3}|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|N\{[^}]*\}|.)", re.DOTALL
)
_SCRIPT_ESCAPE = re.compile(r"\\(\n|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|u\{[0-9a-fA-F]+\}|[0-7]+|.)", re.DOTALL)
_GO_ESCAPE = re.compile(r"\\([0-7]{3}|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_JSX_EDGE = re.compile(r"[ \t]*\n[ \t\n]*")


def python_text(raw: str, prefix: str) -> str:
    """The value of the inside of a Python string literal.

    Args:
        raw: the text between the quotes (for an f-string, between two interpolations).
        prefix: the letters before the quote, lower case.
    """
    if "r" not in prefix:
        is_bytes = "b" in prefix
        raw = _PYTHON_ESCAPE.sub(lambda match: _python_escape(match.group(1), is_bytes=is_bytes), raw)
    if "f" in prefix or "t" in prefix:
        raw = raw.replace("{{", "{").replace("}}", "}")
    return raw


def _python_escape(escape: str, *, is_bytes: bool) -> str:
    first = escape[0]
    if escape == "\n":
        return ""
    if first in "\\'\"":
        return escape
    if first in _SIMPLE:
        return _SIMPLE[first]
    if first in "01234567":
        return chr(int(escape, 8) & 0xFF if is_bytes else int(escape, 8))
    if first == "x" and len(escape) == 3:
        return chr(int(escape[1:], 16))
    if first in "uU" and len(escape) > 1 and not is_bytes:
        return _character(escape[1:]) or "\\" + escape
    return "\\" + escape


def script_text(literal: str) -> str | None:
    """The value of a JavaScript or TypeScript string literal with its quotes; None when it has an octal escape."""
    known = True

    def value(match: re.Match[str]) -> str:
        nonlocal known
        escape = match.group(1)
        first = escape[0]
        if escape == "\n":
            return ""
        if escape == "0":
            return "\0"
        if first in "01234567":
            known = False
            return escape
        if first in "xu" and len(escape) > 1:
            return _character(escape[1:].strip("{}")) or "\\" + escape
        return _SIMPLE[first] if first in "ntrbfv" else escape

    text = _SCRIPT_ESCAPE.sub(value, literal[1:-1])
    return text if known else None


def go_bytes(literal: str) -> bytes:
    """The value of an interpreted Go string literal with its quotes: bytes, since an escape can be half a character."""
    inside = literal[1:-1]
    parts: list[bytes] = []
    end = 0
    for match in _GO_ESCAPE.finditer(inside):
        parts += (inside[end : match.start()].encode(), _go_escape(match.group(1)))
        end = match.end()
    parts.append(inside[end:].encode())
    return b"".join(parts)


def _go_escape(escape: str) -> bytes:
    first = escape[0]
    if first in "01234567" and len(escape) == 3:
        return bytes([int(escape, 8) & 0xFF])
    if first == "x" and len(escape) == 3:
        return bytes([int(escape[1:], 16)])
    if first in "uU" and len(escape) > 1:
        character = _character(escape[1:])
        return character.encode("utf-8", "surrogatepass") if character else b"\\" + escape.encode()
    return _SIMPLE[escape].encode() if escape in _SIMPLE else escape.encode()


def _character(digits: str) -> str | None:
    code = int(digits, 16)
    return chr(code) if code <= 0x10FFFF else None


def jsx_text(raw: str) -> str:
    """What JSX renders of text between tags: line breaks with the blanks around them fold, at the edges to nothing."""
    lines = _JSX_EDGE.split(raw)
    return " ".join(part for part in lines if part)


def clean_docstring(text: str) -> str:
    """A docstring without the indentation of the code around it and without blanks at line ends."""
    lines = [line.rstrip() for line in text.expandtabs().split("\n")]
    indents = [len(line) - len(line.lstrip()) for line in lines[1:] if line]
    margin = min(indents, default=0)
    return "\n".join([lines[0].strip(), *(line[margin:] for line in lines[1:])]).strip()


def number_text(text: str, style: str) -> str:
    """A number literal in one spelling: case, digit separators and, where the value is exact, base and zeros.

    Args:
        text: the literal.
        style: `int`, `float` (Python), `script` (all numbers are floats), `text` (only the spelling of letters).
    """
    plain = text.replace("_", "").lower()
    if len(plain) > 300 or style == "text" or plain[-1] in "jnl":
        return plain
    try:
        if style == "int" or plain[:2] in ("0x", "0b", "0o"):
            value = int(plain, 0)
            return str(value) if style == "int" else repr(float(value))
        if style == "script" and plain[0] == "0" and plain[1:2].isdigit():
            return plain
        return repr(float(plain))
    except (ValueError, OverflowError):
        return plain
