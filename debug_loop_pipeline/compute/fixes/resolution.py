"""From the parts of a change to resolutions: template, id, kind, example diff, the agent's words (DOMAIN 3.8)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import unified_diff
from functools import lru_cache

from debug_loop_pipeline.compute.code.code_tokens import language_of
from debug_loop_pipeline.compute.fixes.templates import command_template, edit_template
from debug_loop_pipeline.models.execution import Command, Edit
from debug_loop_pipeline.models.mapping import Resolution, ResolutionKind

MAX_TEMPLATE = 4_000
"""Characters of a template that are kept; its id is of the whole."""
_MAX_SHOWN = 8_000
_CUT = "\n… (cut)"


@dataclass(frozen=True, slots=True)
class ResolutionLimits:
    """How much of a change becomes resolutions of its own, and how much of it is kept with them (DOMAIN 3.8).

    credited_parts: a change of more parts is credited only as a whole. diff_bytes: of UTF-8.
    """

    credited_parts: int = 8
    diff_bytes: int = 2_048
    said_chars: int = 200


DEFAULT_LIMITS = ResolutionLimits()


@dataclass(frozen=True, slots=True)
class ChangePart:
    """One part of a change: a hunk, a mutating command, or the reuse of an STF.

    content: the file around a hunk, where known. files: what a command says it changes.
    """

    step: int
    tool_call_id: str | None = None
    edit: Edit | None = None
    command: Command | None = None
    stf_id: str | None = None
    content: str | None = None

    @property
    def kind(self) -> ResolutionKind:
        """What it is."""
        if self.edit is not None:
            return ResolutionKind.EDIT
        return ResolutionKind.COMMAND if self.command is not None else ResolutionKind.STF

    @property
    def files(self) -> tuple[str, ...]:
        """Files it is known to change."""
        if self.edit is not None:
            return (self.edit.path,)
        return self.command.files_modified if self.command is not None else ()

    @property
    def said(self) -> str | None:
        """The agent's own words before it."""
        source = self.edit or self.command
        return source.said if source is not None else None

    def template(self, subjects: Sequence[str]) -> str:
        """Its template for an error with these subjects."""
        if self.edit is not None:
            edit = self.edit
            return _edit_template(edit.before, edit.after, edit.path, edit.language, tuple(subjects), self.content)
        if self.command is not None:
            return command_template(self.command.command, subjects=subjects)
        return f"stf {self.stf_id}"

    @property
    def language(self) -> str | None:
        """Language of the edited file."""
        return language_of(self.edit.path, self.edit.language) if self.edit is not None else None


@lru_cache(maxsize=64)
def _edit_template(
    before: str | None,
    after: str | None,
    path: str,
    language: str | None,
    subjects: tuple[str, ...],
    content: str | None,
) -> str:
    return edit_template(before, after, path=path, language=language, subjects=subjects, content=content)


def resolution_id(kind: ResolutionKind, template: str) -> str:
    """SHA-256 hex that identifies a resolution."""
    return hashlib.sha256(f"{kind}\0{template}".encode("utf-8", "replace")).hexdigest()


def resolutions(
    credited: Sequence[ChangePart],
    whole: Sequence[ChangePart],
    subjects: Sequence[str],
    limits: ResolutionLimits = DEFAULT_LIMITS,
) -> list[Resolution]:
    """Resolutions of the credited parts, one per part up to `limits.credited_parts`, else one for all of them.

    Args:
        credited: the parts that get the credit, in order.
        whole: the whole change they belong to, for the example.
        subjects: the error's VALUE, VAR and PATH slots in order.
        limits: how many parts, and how much of the example and the words.
    """
    # The example is cut at its end: what mended the error comes first.
    mended = set(map(id, credited))
    diff = example_diff([*credited, *(part for part in whole if id(part) not in mended)], limits.diff_bytes)
    if len(credited) <= limits.credited_parts:
        made = [
            _resolution(
                part.kind, part.template(subjects), part.language, diff, _said(part, limits), stf_id=part.stf_id
            )
            for part in credited
        ]
        return list({resolution.resolution_id: resolution for resolution in reversed(made)}.values())[::-1]
    kinds = {part.kind for part in credited}
    kind = ResolutionKind.EDIT if ResolutionKind.EDIT in kinds else min(kinds)
    languages = {part.language for part in credited if part.language}
    template = "\n@\n".join(dict.fromkeys(part.template(subjects) for part in credited))
    said = next((_said(part, limits) for part in credited if part.said), None)
    language = next(iter(languages)) if len(languages) == 1 else None
    return [_resolution(kind, template, language, diff, said, parts=len(credited))]


def _said(part: ChangePart, limits: ResolutionLimits) -> str | None:
    return part.said[: limits.said_chars] if part.said else None


def _resolution(
    kind: ResolutionKind,
    template: str,
    language: str | None,
    diff: str,
    said: str | None,
    *,
    parts: int = 1,
    stf_id: str | None = None,
) -> Resolution:
    return Resolution(
        resolution_id=resolution_id(kind, template),
        kind=kind,
        template=template if len(template) <= MAX_TEMPLATE else template[:MAX_TEMPLATE] + _CUT,
        language=language,
        example_diff=diff,
        said=said,
        parts=parts,
        stf_id=stf_id,
    )


def example_diff(parts: Sequence[ChangePart], max_bytes: int) -> str:
    """A change as people read it, at most `max_bytes` of UTF-8: hunks as a diff, commands behind `$`."""
    lines: list[str] = []
    size = 0
    path = None
    for part in parts:
        if part.edit is not None:
            if part.edit.path != path:
                path = part.edit.path
                lines.append(f"--- {path}")
            lines += _hunk(part.edit)
        elif part.command is not None:
            path = None
            lines.append(f"$ {part.command.command[:_MAX_SHOWN]}")
        else:
            lines.append(f"# reused STF {part.stf_id}")
        size = sum(len(line) for line in lines)
        if size > _MAX_SHOWN:
            break
    text = "\n".join(lines).encode("utf-8", "replace")
    if len(text) <= max_bytes:
        return text.decode("utf-8")
    return text[: max(0, max_bytes - len(_CUT.encode()))].decode("utf-8", "ignore") + _CUT


def _hunk(edit: Edit) -> list[str]:
    if edit.after is None:
        return ["(deleted)"]
    old, new = ((text or "")[:_MAX_SHOWN].splitlines() for text in (edit.before, edit.after))
    return [line for line in unified_diff(old, new, n=1, lineterm="") if not line.startswith(("---", "+++"))]
