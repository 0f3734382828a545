"""Fills recipes of secrets (`tests/data/redaction`) with seeded randomness, so that no file holds anything that looks like one."""

from __future__ import annotations

import base64
import json
import random
import re
import string
import uuid

_ALPHABETS = {
    "alnum": string.ascii_letters + string.digits,
    "alpha": string.ascii_letters,
    "lower": string.ascii_lowercase + string.digits,
    "digits": string.digits,
    "hex": "0123456789abcdef",
    "base32": string.ascii_uppercase + "234567",
    "base64": string.ascii_letters + string.digits + "+/",
    "base64url": string.ascii_letters + string.digits + "-_",
}
_WORDS = (
    "correct",
    "horse",
    "battery",
    "staple",
    "orange",
    "window",
    "river",
    "mountain",
    "copper",
    "velvet",
    "meadow",
)
_FIELD = re.compile(r"\{(\w+)(?::([^{}]*))?\}")


def fill(recipe: str, rng: random.Random) -> str:
    """`recipe` with each `{alphabet:length}`, `{uuid}`, `{jwt}`, `{word}`, `{Word}`, `{sign}` and `{fix:text}` filled in."""

    def one(field: re.Match[str]) -> str:
        name, argument = field[1], field[2]
        if name == "fix":
            return argument
        if name == "uuid":
            return str(uuid.UUID(int=rng.getrandbits(128), version=4))
        if name == "jwt":
            return _jwt(rng)
        if name in ("word", "Word"):
            word = rng.choice(_WORDS)
            return word.capitalize() if name == "Word" else word
        if name == "sign":
            return rng.choice("!#%^*+=?")
        return _text(_ALPHABETS[name], int(argument), rng)

    return _FIELD.sub(one, recipe)


def _text(alphabet: str, length: int, rng: random.Random) -> str:
    # The ends of a generated key are letters or digits here, so that a text around it cannot be part of it.
    inner = "".join(rng.choices(alphabet, k=length))
    solid = [c for c in alphabet if c.isalnum()]
    return rng.choice(solid) + inner[1:-1] + rng.choice(solid) if length > 1 else rng.choice(solid)


def _jwt(rng: random.Random) -> str:
    def part(value: dict[str, str]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    claims = {"sub": str(rng.getrandbits(40)), "jti": _text(_ALPHABETS["alnum"], 12, rng)}
    return f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}.{_text(_ALPHABETS['base64url'], 43, rng)}"


def private_key(rng: random.Random, name: str = "RSA PRIVATE KEY", lines: int = 12) -> str:
    """A PEM block that holds nothing."""
    body = "\n".join("".join(rng.choices(_ALPHABETS["base64"], k=64)) for _ in range(lines))
    dashes = "-" * 5
    return f"{dashes}BEGIN {name}{dashes}\n{body}\n{'A' * 20}==\n{dashes}END {name}{dashes}"
