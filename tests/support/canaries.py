"""Secrets that are put through every door, and the look for what is left of them. All are drawn from a seed: no file holds one."""

from __future__ import annotations

import ast
import base64
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import cycle
from pathlib import Path
from typing import Any

from tests.support.secret_recipes import fill, private_key

_RECIPES = Path(__file__).parents[1] / "data" / "redaction"
COUNT = 50
_FROM_CONTEXT = {"password": 10, "generated": 6}
_PIECE = 14
"""So much of a secret in a row is a leak, whatever became of the rest."""


@dataclass(frozen=True)
class Canary:
    """A secret, and a text that it stands in as agents, people and programs write it."""

    kind: str
    secret: str
    text: str

    @cached_property
    def pieces(self) -> tuple[bytes, ...]:
        """What gives the secret away: its beginning, middle and end, as they are and as JSON writes them."""
        if "\n" in self.secret:
            lines = [line for line in self.secret.split("\n")[1:-2] if line]
            parts = [line[:40] for line in lines]
        else:
            size = min(_PIECE, len(self.secret))
            parts = [self.secret[at : at + size] for at in {0, (len(self.secret) - size) // 2, len(self.secret) - size}]
        written = {form for part in parts for form in (part, json.dumps(part)[1:-1])}
        return tuple(sorted(form.encode() for form in written))


def canaries(seed: int = 20_260_401) -> tuple[Canary, ...]:
    """Fifty of as many kinds as there are: known formats, passwords in URLs and connection strings, keys, headers, cookies."""
    rng = random.Random(seed)
    forms = json.loads((_RECIPES / "forms.json").read_text(encoding="utf-8"))
    by_context = json.loads((_RECIPES / "contexts.json").read_text(encoding="utf-8"))
    found = []
    for kind, count in _FROM_CONTEXT.items():
        contexts = rng.sample(by_context[f"{kind} contexts"], count)
        for context in contexts:
            secret = fill(rng.choice(by_context[kind]), rng)
            found.append(Canary(f"{kind} in {context}", secret, context.replace("{secret}", secret)))
    key = private_key(rng)
    found.append(Canary("private key", key, key))
    credentials = base64.b64encode(f"user:{fill('{Word}{digits:4}{sign}{alnum:6}', rng)}".encode()).decode()
    found.append(Canary("basic authorization", credentials, f"Authorization: Basic {credentials}"))
    for kind in rng.sample(sorted(forms["forms"]), COUNT - len(found)):
        secret = fill(rng.choice(forms["forms"][kind]), rng)
        found.append(Canary(kind, secret, rng.choice(forms["contexts"]).replace("{secret}", secret)))
    return tuple(found)


def leaks(told: Sequence[Canary], places: Iterable[tuple[str, bytes]]) -> list[str]:
    """Where something is left of a canary: `place: kind`."""
    return [
        f"{place}: {canary.kind}"
        for place, data in places
        for canary in told
        if any(piece in data for piece in canary.pieces)
    ]


def salted(document: Any, told: Iterator[Canary]) -> Any:
    """The document with a canary after every text in it that people, agents or tools wrote; JSON in a text is opened."""
    if isinstance(document, dict):
        return {key: salted(value, told) for key, value in document.items()}
    if isinstance(document, list):
        return [salted(value, told) for value in document]
    if not isinstance(document, str):
        return document
    if document[:1] in ("{", "["):
        try:
            return json.dumps(salted(json.loads(document), told))
        except ValueError:
            pass
    is_prose = len(document) > 8 and (" " in document or "\n" in document)
    return f"{document}\n{next(told).text}" if is_prose else document


def salted_file(text: str, told: Sequence[Canary]) -> str:
    """A transcript of any format with all canaries in it, in turn, as often as it has texts."""
    turn = cycle(told)
    try:
        return json.dumps(salted(json.loads(text), turn))
    except ValueError:
        pass
    try:
        return "".join(f"{json.dumps(salted(json.loads(line), turn))}\n" for line in text.splitlines() if line.strip())
    except ValueError:
        pass
    try:
        return repr(salted(ast.literal_eval(text), turn))
    except (ValueError, SyntaxError):
        pass
    lines = text.splitlines()
    step = max(1, len(lines) // (2 * len(told)))
    # Not before the title, by which the format is told.
    return (
        "\n".join(f"{line}\n{next(turn).text}" if n % step == 0 and n else line for n, line in enumerate(lines)) + "\n"
    )
