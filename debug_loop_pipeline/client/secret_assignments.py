"""Secrets that only a word before them gives away: `api_key = "..."`, `PASSWORD=...`, `--token ...`, `;Pwd=...;`.

Here: their trigger, and how a word, its separator and its value are read. Not here: secrets with a form of their own
(`secret_structures`), whether a value is a secret (`credibility`), the words (`redaction_formats`).
"""

from __future__ import annotations

import re

from debug_loop_pipeline.client.credibility import Standing, is_credible
from debug_loop_pipeline.client.redaction_formats import ABOUT_WORDS, ATTACHED, SECRET_WORDS, Span

_LONGEST_VALUE = 4096
_Q = r"[\\\"'`]*"
_ANY_WORD = "|".join(word for words in SECRET_WORDS.values() for word in words)
_NAMED_WORDS = "|".join(f"(?P<{kind.replace('-', '_')}>{'|'.join(words)})" for kind, words in SECRET_WORDS.items())
_REST = rf"(?i:{ATTACHED})(?:[_.-][A-Za-z0-9_.-]*)?"
_CLOSE = r"[\\\"'`\]]*"
_TYPE = r"(?:&'static +)?&?(?:str|string|String|SecretStr|bytes|Optional\[str\]|str +\| +None|Final\[str\]|Final)"
_SIGNED_SEPARATOR = (
    rf"[ \t]*(?:=>|:=|===?|!==?|:[ \t]*{_TYPE}[ \t]*=|[:=>,(]|\|\||\?\?)[ \t]*|[ \t]+string[ \t]*=[ \t]*"
)
_SAID_SEPARATOR = r"[ \t]+(?:is|was)[ \t]*:?[ \t]+"
_NAME_VALUE = rf"(?i:{_ANY_WORD}){_REST}{_Q}[ \t]*,?(?:\\n|\s)*{_Q}(?i:value|defaultvalue){_Q}[ \t]*[:=][ \t]*{_Q}"
TRIGGER = (
    rf"(?i:{_ANY_WORD}){_REST}{_CLOSE}"
    rf"(?:{_SIGNED_SEPARATOR}|{_SAID_SEPARATOR})"
    r"(?:\\*[\"'`][^\s\"'`\\]{4}|[A-Za-z0-9_+/!@#^~.-][^\s\"'`\\,;(){}<>|=&\[\]]{4})"
    rf"|--[A-Za-z-]*(?i:{_ANY_WORD})[A-Za-z-]*[ \t]+{_Q}[A-Za-z0-9_+/!@#^~.][^\s\"'`\\<>]{{3}}"
    rf"|{_NAME_VALUE}[^\s\"'`\\<>]{{4}}"
)


def check(data: bytes, start: int, floor: int) -> tuple[Span | None, int]:
    """The secret after the word at `start`, or None; and where to search on.

    That is the value, where it is not credible: another secret may be in it; and `start` itself, where no word is
    there.

    Args:
        data: UTF-8.
        start: where `TRIGGER` hit.
        floor: what lies before is done with and no part of the word.
    """
    passed = _TEST_PASSED.match(data, start)
    if passed is not None:
        return None, passed.end()
    pair = _PAIR.match(data, start)
    hit = pair or (_FLAG if data[start : start + 2] == b"--" else _ASSIGNMENT).match(data, start)
    if hit is None:
        return None, start
    value_start = hit.end()
    kind = next(kind for kind in SECRET_WORDS if hit[kind.replace("-", "_")] is not None)
    key_start = start
    while key_start > max(floor, start - 64) and data[key_start - 1] in _KEY_BYTES:
        key_start -= 1
    key = data[key_start:start] + hit["key"]
    if _speaks_about(key.decode("latin-1")):
        return None, value_start
    if _is_neighbour(hit["separator"].strip(), hit["key"], data, key_start):
        return None, value_start
    if hit["quote"]:
        end = _quoted_end(data, value_start, hit["quote"])
        configured = pair is not None or hit.re is _FLAG or _ENVIRONMENT.fullmatch(key) is not None
        standing = Standing.CONFIGURED if configured else Standing.QUOTED
    elif pair is not None or hit.re is _FLAG:
        value = (_PLAIN if pair else _TO_SPACE).match(data, value_start, value_start + _LONGEST_VALUE)
        end, standing = value.end() if value else None, Standing.CONFIGURED
    else:
        end, standing = _bare(data, key_start, value_start, hit["separator"], key)
    if end is None or not is_credible(kind, data[value_start:end].decode("utf-8", "replace"), standing):
        return None, value_start
    return Span(kind, value_start, end), end


def _speaks_about(key: str) -> bool:
    """Whether an identifier says something about a secret instead of holding it: `token_type`, `secretName`,
    `tokens`.
    """
    parts = _PARTS.findall(key)
    last = parts[-1].lower() if parts else ""
    if _ABOUT.fullmatch(last):
        return not key.lower().endswith(("access_key_id", "session_id", "sessionid", "session-id"))
    return last in ("tokens", "secrets")


def _is_neighbour(sign: bytes, key: bytes, data: bytes, key_start: int) -> bool:
    """Whether the word only stands beside the value: `password.encode("latin1")`, `["pass", "arg1"]`."""
    if sign == b"(":
        return b"." in key
    return sign == b"," and _CALL_BEFORE.search(data, max(0, key_start - 8), key_start) is None


def _quoted_end(data: bytes, start: int, quote: bytes) -> int | None:
    """Where the literal that began with `quote` ends; None where it does not on its line."""
    line = _LINE_REST.match(data, start, start + _LONGEST_VALUE)
    end = data.find(quote, start, line.end() if line else start)
    return end if end > start else None


def _bare(data: bytes, key_start: int, value_start: int, separator: bytes, key: bytes) -> tuple[int | None, Standing]:
    """End and standing of a value without quotes; the end is None where it is code."""
    nothing = None, Standing.BARE
    sign = separator.strip()
    if sign in _ONLY_QUOTED:
        return nothing
    environment = separator == b"=" and _ENVIRONMENT.fullmatch(key) is not None
    value = (_TO_STOP if environment else _SIMPLE).match(data, value_start, value_start + _LONGEST_VALUE)
    if value is None:
        return nothing
    end = value.end()
    following = data[end : end + 1]
    if environment:
        return end, Standing.CONFIGURED
    if sign == b">":  # <password>...</password>
        is_element = data[key_start - 1 : key_start] in (b"<", b":") and data[end : end + 2] == b"</"
        return (end, Standing.QUOTED) if is_element else nothing
    if following in (b"(", b"[", b"{") or _CODE.fullmatch(value[0]):
        return nothing
    before = data[max(0, key_start - 1) : key_start]
    if separator == b"=" and (following in (b";", b"&") or before in (b";", b"?", b"&")):
        return end, Standing.CONFIGURED
    is_setting = separator == b"=" or (sign == b":" and separator != b":")
    if is_setting and following in (b"", b"\n", b"\r", b" ", b"\\", b'"', b"'", b"`"):
        return end, Standing.QUOTED
    return end, Standing.BARE


def _bytes(pattern: str) -> re.Pattern[bytes]:
    return re.compile(pattern.encode())


_TEST_PASSED = _bytes(r"PASS: (?:Test|Benchmark|Example|Fuzz)\S* \(\d")  # Go's lines, the most common hit of all
_ONLY_QUOTED = frozenset({b"", b",", b"(", b"==", b"===", b"!=", b"!==", b"||", b"??"})
_KEY_BYTES = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")
_QUOTE = r"(?P<quote>\\*[\"'`]|)"
_ASSIGNMENT = _bytes(
    rf"(?P<key>(?i:{_NAMED_WORDS}){_REST}){_CLOSE}(?P<separator>{_SIGNED_SEPARATOR}|{_SAID_SEPARATOR}){_QUOTE}"
)
_FLAG = _bytes(rf"--(?P<key>[A-Za-z-]*(?i:{_NAMED_WORDS})[A-Za-z-]*)(?P<separator>[ \t]+){_QUOTE}")
_PAIR = _bytes(
    rf"(?P<key>(?i:{_NAMED_WORDS}){_REST})(?P<separator>{_Q}[ \t]*,?(?:\\n|\s)*{_Q}(?i:value|defaultvalue){_Q}"
    rf"[ \t]*[:=][ \t]*){_QUOTE}"
)
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_CALL_BEFORE = _bytes(rf"\([ \t]*{_Q}$")  # set("API_KEY", "..."), not the neighbours of a list
_ABOUT = re.compile(ABOUT_WORDS)
_LINE_REST = _bytes(r"[^\n\r]*")
_TO_SPACE = _bytes(r"[^\s\"'`<>\\]+")
_TO_STOP = _bytes(r"[^\s\"'`<>\\;&|]*[^\s\"'`<>\\;&|,)\]}]")
_SIMPLE = _bytes(r"[^\s\"'`<>\\;&|,()\[\]{}]+")
_PLAIN = _bytes(r"[A-Za-z0-9_+/=.@#%^*!~-]+(?![^\s,}\\])")
_CODE = _bytes(r"[A-Za-z_$][A-Za-z0-9_$]*(?:(?:\.|->|::|\?\.)[A-Za-z_$][A-Za-z0-9_$]*)+")
_ENVIRONMENT = _bytes(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|(?:PASSWORD|PASSWD|PASS|SECRET|TOKEN|APIKEY)[0-9]?")
