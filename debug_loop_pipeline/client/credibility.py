"""Is this value, which stands after a word like `password` or `api_key`, a secret, or a name, a placeholder, a piece
of code?

Here: pure decisions about one value. Not here: how values are found (`redaction`).

What is decided, because no rule can know:

- A quoted value of letters alone is a word (`password: "required"`), not a password, except where only a value can
stand: in `KEY=value` of an environment, in a connection string, after a flag.
- A value built of the words that documentation and tests use, with at most four digits behind (`test`, `secret`,
`password123`, `my-api-key`), is none either. It protects nothing, and code that is full of it stays usable.
- Anything of letters and digits that is mixed as no name is (`x7Kp2`...), or a password with a digit or a sign in it,
is one.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from enum import StrEnum

import re2

from debug_loop_pipeline.client.redaction_formats import PLACEHOLDER_STEMS


class Standing(StrEnum):
    """How a value stands after its word."""

    BARE = "bare"
    """Without quotes in what may be code or prose: `token = abc`, `the password is abc`."""
    QUOTED = "quoted"
    """A literal: `password = "abc"`."""
    CONFIGURED = "configured"
    """Only a value can stand there: `DB_PASSWORD=abc`, `;Password=abc;`, `--password abc`."""


# RE2: a chain of words that begin alike takes Python's engine exponential time.
_PLACEHOLDER = re2.compile(rf"(?i)(?:(?:{PLACEHOLDER_STEMS})[\s_.\-]*)+[0-9]{{0,4}}!?")
_STANDS_FOR = re.compile(
    r"""(?ix)
      ^[<{(\[$%*@&?]                     # <key>, ${VAR}, {name}, [hidden], $VAR, %VAR%, ****, @file, &anchor
    | [$#]\{ | \{\{ | \$\( | %\( | <%    # templates inside a longer text
    | ^%?[a-z]?$
    | \.\.\.|…|\*\*\*
    | x{5} | (?:^|[-_])x{3} | ^[0-9.]+$
    | (?:your|my|the|some|insert|enter|replace|change)[-_ ]?(?:own|real|actual)?[-_ ]?
      (?:api|secret|password|token|key|access|auth|client|private|db|github|openai|anthropic|aws)
    | example|placeholder|redacted|changeme|dummy|not[-_ ]?(?:a[-_ ])?real|fake[-_]
    | ^(?:process|os|import|self|this|cls|env|config|settings|args|options|props|req|request|res|response|ctx|context|
        params|state|vault|secrets|var|local|data|module|each|inputs|steps|needs|github)\.
    | ^(?:!(?:secret|ref|sub|vault|getatt)|vault:|op://|ssm:|arn:|env:|file:|projects/)
    """
)
_PATH = re.compile(r"^(?:~?/|\.{1,2}/|[A-Za-z]:\\|\\\\|[a-z][a-z0-9+.-]*://)")
_PIECES = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_SWITCHES = re.compile(r"[A-Za-z](?=[0-9])|[0-9](?=[A-Za-z])")
_SPACE = re.compile(r"\s")
_DIGIT = re.compile(r"[0-9]")
_LETTER = re.compile(r"[^\W\d_]")
_SIGN = re.compile(r"[^\w./:-]")
_SIGN_INSIDE = re.compile(r"[A-Za-z0-9][!#$%^*+=@&?~][A-Za-z0-9]")
_HEX = re.compile(r"(?i)^[0-9a-f]{16,}$")
_UUID = re.compile(r"(?i)^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$")
_JUDGED = 128  # characters of a value that are looked at: as telling as more of them
_MIN_ENTROPY = 2.5  # bits per character; "aaaa1111" has 1.0, eight different characters 3.0


def entropy(value: str) -> float:
    """Shannon entropy of the characters of `value`, in bits per character."""
    total = len(value)
    return -sum(n / total * math.log2(n / total) for n in Counter(value).values()) if total else 0.0


def is_placeholder(value: str) -> bool:
    """Whether `value` stands for a secret that is elsewhere, or for none."""
    return (
        len(set(value)) <= 2
        or _STANDS_FOR.search(value) is not None
        or _PLACEHOLDER.fullmatch(value) is not None
        or _PATH.match(value) is not None
    )


def is_random(value: str) -> bool:
    """Whether letters, digits and signs are mixed as in a generated key and not as in a name, path or number."""
    if _HEX.match(value) or _UUID.match(value):
        return entropy(value) >= _MIN_ENTROPY and not value.isdigit()
    pieces = _PIECES.findall(value)
    letters = sum(len(piece) for piece in pieces if piece[0].isalpha())
    digits = sum(len(piece) for piece in pieces if piece[0].isdigit())
    if not pieces or letters == 0 or entropy(value) < _MIN_ENTROPY:
        return False
    if digits and len(_SWITCHES.findall(value)) >= 3 and len(value) >= 8:
        return True
    words = [piece for piece in pieces if piece[0].isalpha()]
    # Names are made of pieces of three to fifteen letters; a random text of both cases falls into crumbs, one of one
    # case is a lump.
    crumbs = len(value) >= 16 and len(words) >= 5 and letters / len(words) < (3.6 if len(value) >= 20 else 2.8)
    lump = max(map(len, words), default=0) >= 24
    return crumbs or lump or (digits >= 4 and len(value) >= 20 and len(pieces) >= 6)


def is_credible(kind: str, value: str, standing: Standing) -> bool:
    """Whether `value` after a word of `kind` (a key of `SECRET_WORDS`) is a secret.

    Args:
        kind: `password` wants less than the generated kinds (`token`, `secret`, `api-key`).
        value: without quotes.
        standing: how it stands there.
    """
    value = value[:_JUDGED]
    # The cheap question first: most values are decided by it.
    return (
        len(value) >= 4
        and _looks_like_one(kind, value, standing)
        and not is_placeholder(value)
        and _SPACE.search(value) is None
    )


def _looks_like_one(kind: str, value: str, standing: Standing) -> bool:
    """Whether letters, digits and signs of a value that is no placeholder make it a secret of `kind`."""
    if kind != "password" and len(value) < 8:
        return False
    has_digit = _DIGIT.search(value) is not None
    has_sign = _SIGN.search(value) is not None
    has_letter = _LETTER.search(value) is not None
    if kind != "password":
        configured = standing is Standing.CONFIGURED and has_digit and has_letter and len(value) >= 12
        return is_random(value) or configured or (standing is not Standing.BARE and has_digit and has_sign)
    if standing is Standing.CONFIGURED:
        return len(value) >= 5 or has_digit or has_sign
    if standing is Standing.QUOTED:
        pieces = _PIECES.findall(value)
        crumbs = len(value) >= 10 and len(pieces) >= 4 and len(value) / len(pieces) < 3.2
        return (has_digit and (has_letter or has_sign)) or (has_sign and has_letter) or crumbs
    signed = _SIGN_INSIDE.search(value) is not None and any(c.isupper() for c in value)
    return has_letter and (has_digit or signed) and len(value) >= 6
