"""In which order candidates are tried: by what others did about the same error, then by where the error points, then by chance.

What is known of the error is its text; what is known of a candidate is its own edits. Fixes are matched by template, made by the
same function that made the templates of the fixes.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Self

from debug_loop_pipeline.compute.fixes.resolution import ChangePart, resolutions
from debug_loop_pipeline.compute.fixes.templates import template_similarity
from debug_loop_pipeline.models.execution import Edit
from debug_loop_pipeline.models.manifest import Manifest
from examples.bug_hunt.candidates import Candidate
from examples.bug_hunt.source import parse

_FRAME = re.compile(r"^(?P<path>[\w./-]+\.py):(?P<line>\d+): ", re.MULTILINE)
_FAR = 10_000


@dataclass(frozen=True, slots=True)
class KnownFix:
    """A change that made the same error go elsewhere. strength: how sure that is, 0..1."""

    resolution_id: str
    template: str
    strength: float
    same_slots: bool


@dataclass(frozen=True, slots=True)
class Advice:
    """What an adviser knows, best first. recommendation_id: under which it noted what it said."""

    fixes: tuple[KnownFix, ...] = ()
    recommendation_id: str | None = None

    @classmethod
    def of(cls, manifest: Manifest, recommendation_id: str | None = None) -> Self:
        """The fixes of a manifest."""
        fixes = tuple(
            KnownFix(fix.resolution_id, fix.template, fix.wilson_lower_bound, fix.same_slots)
            for fix in manifest.fixes
            if fix.kind == "edit"
        )
        return cls(fixes, recommendation_id)


@dataclass(frozen=True, slots=True)
class _Scored:
    candidate: Candidate
    templates: dict[str, str]
    """Template by resolution id."""
    distance: tuple[int, int] = field(default=(2, _FAR))


def by_advice(
    candidates: Sequence[Candidate],
    subjects: Sequence[str],
    advice: Advice,
    output: str,
    files: Mapping[str, str],
    draw: Random,
) -> list[Candidate]:
    """Candidates in the order of the fixes that they are, then by nearness to one, then by chance.

    A fix may fit several places: the one nearest to where the error points comes first, and each further place counts for less, so
    that the next fix gets its turn. Where no fix fits, the place says nothing either: what the agent does without advice it does
    with advice, so that the difference is what the advice was worth.

    Args:
        candidates: what can be tried.
        subjects: the error's VALUE, VAR and PATH slots.
        advice: what is known.
        output: what the tests printed.
        files: content of the modules by name.
        draw: breaks ties.
    """
    shuffled = list(candidates)
    draw.shuffle(shuffled)
    if not advice.fixes:
        return shuffled
    scored = [
        _Scored(c, _templates(c, subjects), distance)
        for c, distance in zip(shuffled, distances(shuffled, output, files), strict=True)
    ]
    known = {fix.resolution_id for fix in advice.fixes}
    order: dict[int, tuple[float, ...]] = {}
    for fix in advice.fixes:
        fitting = [s for s in scored if fix.resolution_id in s.templates]
        fitting.sort(key=lambda s: (-len(known & s.templates.keys()) / len(s.templates), s.distance))
        for turn, one in enumerate(fitting):
            key = (0.0, float(not fix.same_slots), -fix.strength / (turn + 1), float(turn))
            order[id(one)] = min(order.get(id(one), key), key)
    for one in scored:
        if id(one) not in order:
            order[id(one)] = (1.0, -_nearness(one, advice.fixes))
    return [one.candidate for one in sorted(scored, key=lambda s: order[id(s)])]


def by_place(near: Sequence[tuple[int, int]], draw: Random) -> list[int]:
    """The order of candidates for one who knows only where the error points: their indexes by `distances`, ties by chance."""
    order = list(range(len(near)))
    draw.shuffle(order)
    return sorted(order, key=near.__getitem__)


def _templates(candidate: Candidate, subjects: Sequence[str]) -> dict[str, str]:
    parts = [
        ChangePart(
            step=n,
            edit=Edit(path=hunk.path, language="python", before=hunk.before, after=hunk.after),
            content=candidate.changed[hunk.path],
        )
        for n, hunk in enumerate(candidate.hunks)
    ]
    return {made.resolution_id: made.template for made in resolutions(parts, parts, subjects)}


def _nearness(scored: _Scored, fixes: Sequence[KnownFix]) -> float:
    """Likeness to the nearest fix: of each part, its best; their mean, by the fix's strength."""
    templates = scored.templates.values()
    return sum(max(f.strength * template_similarity(t, f.template) for f in fixes) for t in templates) / len(templates)


def distances(candidates: Sequence[Candidate], output: str, files: Mapping[str, str]) -> list[tuple[int, int]]:
    """How far each candidate is from where the error points: (0 on a line of the traceback, 1 in a function that it shows, 2
    elsewhere; lines to the nearest frame).
    """
    frames = [(match["path"], int(match["line"])) for match in _FRAME.finditer(output)]
    functions = {path: _functions(text) for path, text in files.items()}
    found: list[tuple[int, int]] = []
    for candidate in candidates:
        lines = [(hunk.path, n) for hunk in candidate.hunks for n in range(hunk.line, hunk.line + _height(hunk.before))]
        nearest = min((abs(line - n) for path, line in frames for at, n in lines if path == at), default=_FAR)
        path, first = candidate.place
        around = [name for name, start, end in functions.get(path, ()) if start <= first <= end]
        shown = any(re.search(rf"\b{re.escape(name)}\b", output) for name in around)
        found.append((0 if nearest == 0 else 1 if shown else 2, nearest))
    return found


def _height(text: str) -> int:
    return text.count("\n") + 1


def _functions(text: str) -> list[tuple[str, int, int]]:
    return [
        (node.name, node.lineno, node.end_lineno or node.lineno)
        for node in ast.walk(parse(text))
        if isinstance(node, ast.FunctionDef)
    ]
