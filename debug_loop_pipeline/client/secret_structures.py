"""Secrets that their own form or the structure around them gives away: known formats, PEM blocks, URLs, headers,
cookies, commands.

Here: their triggers, and the check of what they point at. Not here: values after a word (`secret_assignments`), the
table of formats (`redaction_formats`).

A trigger is what the automaton looks for: cheap, and rare in ordinary text. Its check reads the surroundings with
Python's `re` and answers the span of the secret, or None.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from debug_loop_pipeline.client.credibility import is_placeholder, is_random
from debug_loop_pipeline.client.redaction_formats import FORMATS, Format, Span

_ALNUM = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_Q = r"[\\\"'`]*"  # quotes, escaped as often as the text was nested in JSON
# Between the lines of a block: escapes, quotes, signs of a diff, line numbers.
_BREAK = r"(?:\\+[nrt]|[\s\"'`+,|>.:→-]|[0-9]{1,5}[→:\t|])"
_TRIGGER_REPEATS = 10
_LONGEST_TOKEN = 4_096
_LONGEST_ESCAPE = 24
_LONGEST_BLOCK = 20_000
_PATTERN_PIECES = re.compile(r"\\.|\[[^\]]*\]|.", re.DOTALL)
_REPEAT = re.compile(r"\{([0-9]+)(?:,[0-9]*)?\}")
_EXAMPLE = re.compile(rb"(?i)EXAMPLE|x{5}|(.)\1{7}|0123456789ab|1234567890ab?$")


class Structure(NamedTuple):
    """The bytes it can begin with, a trigger (RE2 over bytes), and the check of what begins where it hit."""

    leads: bytes
    trigger: str
    check: Callable[[bytes, int], Span | None]


def check(data: bytes, start: int) -> Span | None:
    """The secret of the structure or known format that begins at `start`, where a trigger hit."""
    first = data[start]
    for structure in STRUCTURES:
        if first in structure.leads and (span := structure.check(data, start)) is not None:
            return span
    for form in _formats_by_first_byte().get(first, ()):
        if not form.before and _touches_left(data, start):
            continue
        pattern = _compiled(form.pattern)
        hit = pattern.match(data, start, start + _LONGEST_TOKEN)
        if hit is None:
            continue
        if hit.end() == start + _LONGEST_TOKEN:
            hit = pattern.match(data, start) or hit
        span = _known_format(form.kind, form.before, data, start, hit.end())
        if span is not None:
            return span
    return None


def triggers() -> list[str]:
    """Of every structure and known format, RE2 over bytes."""
    return [*(structure.trigger for structure in STRUCTURES), *(format_trigger(form.pattern) for form in FORMATS)]


@cache
def _formats_by_first_byte() -> dict[int, list[Format]]:
    found: dict[int, list[Format]] = {}
    for form in FORMATS:
        for first in _first_bytes(form.pattern):
            found.setdefault(first, []).append(form)
    return found


def _first_bytes(pattern: str) -> set[int]:
    """What a pattern that begins with literals can begin with."""
    firsts: set[int] = set()
    for alternative in _alternatives(pattern):
        if alternative.startswith("(?:"):
            firsts |= _first_bytes(alternative[3 : alternative.index(")")])
        else:
            firsts.add(ord(alternative.removeprefix("\\")[0]))
    return firsts


def format_trigger(pattern: str) -> str:
    """The beginning of a format's pattern, as much as is rare in ordinary text.

    Counted repeats make an automaton large (a state for every count), so each alternative ends at its first long one.
    """
    return "|".join(map(_shortened, _alternatives(pattern)))


def _alternatives(pattern: str) -> list[str]:
    """The parts between the `|` that stand in no group and no class."""
    parts = [""]
    depth = 0
    for piece in _PATTERN_PIECES.findall(pattern):
        if piece == "|" and depth == 0:
            parts.append("")
            continue
        depth += (piece == "(") - (piece == ")")
        parts[-1] += piece
    return parts


def _shortened(alternative: str) -> str:
    for repeat in _REPEAT.finditer(alternative):
        head = alternative[: repeat.start()]
        if int(repeat[1]) >= _TRIGGER_REPEATS and head.count("(") == head.count(")"):
            return f"{head}{{{_TRIGGER_REPEATS}}}"
    return alternative


def _known_format(kind: str, before: str, data: bytes, start: int, end: int) -> Span | None:
    if before:
        prefix = _compiled(f"(?:{before})$").search(data[max(0, start - 128) : start])
        if prefix is None:
            return None
        start -= len(prefix[0])
    if _touches_left(data, start) or (end < len(data) and data[end] in _ALNUM):
        return None
    value = data[start:end]
    if _EXAMPLE.search(value) or len(set(value[-16:])) < 5:
        return None
    return Span(kind, start, end)


def _touches_left(data: bytes, start: int) -> bool:
    """Whether the byte before belongs to the same word; the end of an escape (`%3D`, a backslash and n, a colour) does not."""
    if start == 0 or data[start - 1] not in _ALNUM:
        return False
    if _TERMINAL_ESCAPE.search(data, max(0, start - _LONGEST_ESCAPE), start):
        return False
    if start >= 2 and data[start - 2 : start - 1] == b"\\" and data[start - 1] in b"nrtbf":
        return False
    return not (start >= 3 and data[start - 3 : start - 2] == b"%")


def _pem(data: bytes, start: int) -> Span | None:
    """From BEGIN to END, or as far as the block goes where it was cut; the marker alone (in code that looks for it)
    is none.
    """
    head = _PEM_HEAD.match(data, start, start + _LONGEST_BLOCK)
    if head is None:
        return None
    end = _PEM_END.search(data, head.end(), head.end() + _LONGEST_BLOCK)
    if end is not None:
        return Span("private-key", start, end.end())
    rest = _PEM_REST.match(data, head.end(), head.end() + _LONGEST_BLOCK)
    return Span("private-key", start, head.end() if rest is None else rest.end())


def _encoded_pem(data: bytes, start: int) -> Span | None:
    run = _BASE64_RUN.match(data, start)
    if run is None:
        return None
    head = run[0][:80]
    try:
        marker = base64.b64decode(head[: len(head) // 4 * 4])
    except binascii.Error:
        return None
    return Span("private-key", start, run.end()) if b"PRIVATE KEY" in marker else None


def _url(data: bytes, start: int) -> Span | None:
    """`scheme://user:password@host`."""
    hit = _URL.match(data, start) or _URL_SLASH.match(data, start)
    if hit is None:
        return None
    user, password = hit["user"], hit["password"]
    port = re.match(rb"[0-9]{1,5}(?![0-9A-Za-z])", password)
    if user.startswith(b"[") or (port is not None and len(port[0]) < len(password)):
        return None  # an IPv6 address, or a port and a path with an @ in it
    text = _text(password)
    if _URL_PLACEHOLDER.fullmatch(text) or len(set(text)) < 2:
        return None
    return Span("url-password", *hit.span("password"))


def _url_user(data: bytes, start: int) -> Span | None:
    """`https://token@host`."""
    hit = _URL_USER.match(data, start)
    if hit is None or not is_random(_text(hit["user"])):
        return None
    return Span("url-token", *hit.span("user"))


def _oracle(data: bytes, start: int) -> Span | None:
    hit = _ORACLE.match(data, start)
    return None if hit is None or is_placeholder(_text(hit[1])) else Span("url-password", *hit.span(1))


def _authorization(data: bytes, start: int) -> Span | None:
    """`Authorization: Bearer ...` and its like, or `Bearer ...` alone."""
    hit = _AUTHORIZATION.match(data, start) or _BEARER.match(data, start)
    if hit is None:
        return None
    scheme, value = hit["scheme"] or b"", hit["value"]
    text = _text(value)
    if is_placeholder(text):
        return None
    if scheme.lower().startswith(b"basic"):
        believed = _is_basic(value)
        kind = "basic-auth"
    else:
        mixed = any(c.isdigit() for c in text) and any(c.isalpha() for c in text)
        believed = is_random(text) or (bool(scheme) and mixed and len(text) >= (8 if hit.re is _AUTHORIZATION else 24))
        kind = "authorization"
    return Span(kind, *hit.span("value")) if believed else None


def _is_basic(value: bytes) -> bool:
    try:
        return b":" in base64.b64decode(value + b"=" * (-len(value) % 4))
    except binascii.Error:
        return False


def _cookie(data: bytes, start: int) -> Span | None:
    """All of a cookie header: which of its values are sessions is nobody's guess."""
    hit = _COOKIE.match(data, start)
    if hit is None:
        return None
    values = [_text(pair.partition(b"=")[2].strip()) for pair in hit["pairs"].split(b";", 30)]
    if not any(len(v) >= 8 and not is_placeholder(v) and (is_random(v) or any(map(str.isdigit, v))) for v in values):
        return None
    return Span("cookie", *hit.span("pairs"))


def _command(data: bytes, start: int) -> Span | None:
    """A password among the arguments of a command."""
    for pattern in _COMMANDS:
        hit = pattern.match(data, start, start + 600)
        if hit is not None and not is_placeholder(_text(hit["value"])):
            return Span("password", *hit.span("value"))
    return None


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _bytes(pattern: str, flags: int = 0) -> re.Pattern[bytes]:
    return re.compile(pattern.encode(), flags)


_TERMINAL_ESCAPE = _bytes(r"(?:\x1b|\\+(?:u001[bB]|x1[bB]|033|e))\[[0-9;]*[A-Za-z]\Z")
_PEM_HEAD = _bytes(
    rf"(?:-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-[0-9])"
    rf"(?:{_BREAK}|[A-Z][A-Za-z-]{{2,30}}: ?[^\n\\]{{0,200}}(?=[\n\\]))*+[A-Za-z0-9+/=]{{16}}"
)
_PEM_END = _bytes(r"-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|Private-MAC: ?[0-9a-f]+")
_PEM_REST = _bytes(rf"(?:[A-Za-z0-9/=]|{_BREAK}(?=(?:{_BREAK}){{0,60}}[A-Za-z0-9+/=]{{16}}))*+[A-Za-z0-9+/=]*")
_BASE64_RUN = _bytes(r"[A-Za-z0-9+/]+={0,2}")
_URL = _bytes(r"://(?P<user>[^\s/\"'`<>\\:@]*):(?P<password>[^\s/\"'`<>\\]{1,400})@")
_URL_SLASH = _bytes(r"://(?P<user>[^\s/\"'`<>\\:@]+):(?P<password>[^\s\"'`<>\\@]{1,400})@")
_URL_USER = _bytes(r"://(?P<user>[A-Za-z0-9_.~-]{20,400})@")
_URL_PLACEHOLDER = re.compile(
    r"(?i)\$.*|%[sdrv]?|%\w+%|%\([^)]*\)s?|[{\[(].*|[*x.\-_]+|\.{3}"
    r"|(?:my|your|db|the)?[-_]?(?:password|passwd|pass|pwd|pw)"
    r"|:?(?:password|secret)_?here|[^:]*(?:\$\{|\{\{|#\{).*"
)
_ORACLE = _bytes(r"jdbc:oracle:[a-z]+:[^\s/\"'@]+/([^\s\"'@/]+)@")
_SCHEMES = r"(?i:basic|bearer|token|apikey|api-key|digest|negotiate|ssws|bot|key|oauth|splunk|sso-key|genie-?key)"
_CREDENTIAL = r"[A-Za-z0-9_.~+/|:=-]"
_AUTHORIZATION = _bytes(
    rf"(?i:authorization){_Q}\]?[ \t]*(?:=>|[:=,])[ \t]*{_Q}"
    rf"(?P<scheme>{_SCHEMES}[ \t=]+)?(?P<value>{_CREDENTIAL}{{8,}})"
)
_BEARER = _bytes(rf"(?P<scheme>(?i:bearer|ssws))[ \t]+(?P<value>{_CREDENTIAL}{{16,}})")
_COOKIE = _bytes(rf"(?i:cookie){_Q}[ \t]*(?:=>|[:=,])[ \t]*{_Q}(?P<pairs>[A-Za-z0-9_.-]+=[^\n\r\"'`\\<>]{{8,2000}})")
_ARGUMENTS = r"[^\n|;&<>]{0,300}?"
_VALUE = r"[\\\"']*(?P<value>[^\s\"'`\\${<(][^\s\"'`\\]{3,})"
_COMMANDS = (
    _bytes(rf"(?:mysql|mysqldump|mysqladmin|mariadb) {_ARGUMENTS}(?<=\s)-p{_VALUE}"),
    _bytes(rf"sshpass {_ARGUMENTS}(?<=\s)-p ?{_VALUE}"),
    _bytes(rf"redis-cli {_ARGUMENTS}(?<=\s)(?:-a|--pass) {_VALUE}"),
    _bytes(rf"docker login {_ARGUMENTS}(?<=\s)-p {_VALUE}"),
    _bytes(
        rf"curl {_ARGUMENTS}(?<=\s)(?:-u|--user)[ =]?[\\\"']*[^\s\"':\\]+:"
        r"(?P<value>[^\s\"'`\\${<(][^\s\"'`\\]{3,})"
    ),
    _bytes(rf"openssl {_ARGUMENTS}\bpass:{_VALUE}"),
    _bytes(rf"setx [A-Za-z0-9_]*(?i:passw|secret|token|key)[A-Za-z0-9_]* {_VALUE}"),
    _bytes(rf"aws configure set [a-z_.-]*(?:secret_access_key|session_token) {_VALUE}"),
    _bytes(rf"(?i:password|identified by(?: password)?)[ \t]+(?=\\*'){_VALUE}"),  # SQL
    _bytes(
        r"variable [\\\"]*[A-Za-z0-9_-]*(?i:passw|secret|token|key)[A-Za-z0-9_-]*[\\\"]* *\{[^{}]{0,300}?\bdefault *= *"
        + _VALUE
    ),  # Terraform
    _bytes(r"(?i:login)(?:[ \t\n]|\\n)+[^\s\\]+(?:[ \t\n]|\\n)+(?i:password)[ \t]+(?P<value>[^\s\\]{4,})"),
)
_USERINFO = r"[^\s/\"'`<>\\@]"
# At most one slash, so that no two of them share more than a few bytes: the search stays linear whatever the text.
_URL_TRIGGER = rf"://[^\s/\"'`<>\\:@]*:{_USERINFO}*(?:/{_USERINFO}+)?@"
STRUCTURES = (
    Structure(b"-P", r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY|PuTTY-User-Key-File-[0-9]", _pem),
    Structure(b"L", r"LS0tLS1CRUdJTi[A-Za-z0-9+/]{40}", _encoded_pem),
    Structure(b":", _URL_TRIGGER, _url),
    Structure(b":", r"://[A-Za-z0-9_.~-]{20}[A-Za-z0-9_.~-]*@", _url_user),
    Structure(b"j", r"jdbc:oracle:[a-z]+:[^\s/\"'@]+/", _oracle),
    Structure(
        b"aAbBsS",
        rf"(?i:authorization){_Q}\]?[ \t]*(?:=>|[:=,])[ \t]*{_Q}[A-Za-z0-9_+/-]|"
        rf"(?i:bearer|ssws)[ \t]+{_CREDENTIAL}{{16}}",
        _authorization,
    ),
    Structure(b"cC", rf"(?i:cookie){_Q}[ \t]*(?:=>|[:=,])[ \t]*{_Q}[A-Za-z0-9_.-]+=[^\s;,\"'`<>\\]", _cookie),
    Structure(
        b"msrdcolLaviIpP",
        r"(?:mysql|mysqldump|mysqladmin|mariadb|sshpass|redis-cli|docker login|curl|openssl|setx|aws configure set) |"
        r"(?i:password|identified by(?: password)?)[ \t]+\\*'[^\s'\\]{4}|"
        r"variable [\\\"]*[A-Za-z0-9_-]*(?i:passw|secret|token|key)[A-Za-z0-9_-]*[\\\"]* *\{|"
        r"(?i:login)(?:[ \t\n]|\\n)+[^\s\\]+(?:[ \t\n]|\\n)+(?i:password)[ \t]",
        _command,
    ),
)


@cache
def _compiled(pattern: str) -> re.Pattern[bytes]:
    return _bytes(pattern)
