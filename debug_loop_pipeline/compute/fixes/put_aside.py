"""What ran while a task's own work was put aside (`git stash` .. `git stash pop`)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from debug_loop_pipeline.compute.fixes.resolution import ChangePart
from debug_loop_pipeline.compute.fixes.task_attempts import TaskAttempt

_STASH_PUSH = re.compile(r"\bgit\s+(?:-C\s+\S+\s+)?stash(?:\s+(?:push|save)\b|\s+-|\s*(?:$|[;&|\n>2]))")
_STASH_POP = re.compile(r"\bgit\s+(?:-C\s+\S+\s+)?stash\s+(?:pop|apply)\b")
_CHANGES_MORE = re.compile(
    r"\bgit\s+(?:pull|merge|rebase|reset|cherry-pick|apply|revert)\b|\bsed\s+-i"
    r"|\b(?:npm|pnpm|yarn|bun|uv|poetry|pip3?|cargo|go)\s+(?:install|i|ci|add|get|sync)\b"
)


@dataclass(slots=True)
class Aside:
    """What ran while the work of a task was put aside (`git stash` .. `git stash pop`): it speaks for the code without it.

    Where the work is never brought back, the stash is a change like another.
    """

    verifications: set[tuple[UUID, int]] = field(default_factory=set)
    steps: set[int] = field(default_factory=set)
    """Steps of the commands that put aside and brought back."""
    since: list[tuple[UUID, int]] | None = None
    put: int = 0

    def command(self, part: ChangePart) -> None:
        """A command that puts aside, brings back, or both."""
        assert part.command is not None
        if _STASH_POP.search(part.command.command):
            if self.since is not None:
                self.verifications.update(self.since)
                self.steps |= {self.put, part.step}
                self.since = None
        elif self.since is None:
            self.since, self.put = [], part.step


def put_aside(attempts: Sequence[TaskAttempt]) -> Aside:
    """What ran while the work was put aside."""
    aside = Aside()
    for attempt in attempts:
        stashes = [part for part in attempt.changes if is_stash(part)]
        for verification in attempt.verifications:
            ref = (verification.ref.attempt_id, verification.ref.index)
            while stashes and stashes[0].step < verification.ref.step:
                aside.command(stashes.pop(0))
            if stashes and stashes[0].step == verification.ref.step:
                command = stashes[0].command
                if command is not None and _STASH_PUSH.search(command.command) and _STASH_POP.search(command.command):
                    aside.verifications.add(ref)
                    aside.steps.add(stashes[0].step)
                else:
                    aside.command(stashes.pop(0))
            if aside.since is not None:
                aside.since.append(ref)
        for part in stashes:
            aside.command(part)
    return aside


def is_stash(part: ChangePart) -> bool:
    """Whether a part only puts the work aside or brings it back."""
    if part.command is None or _CHANGES_MORE.search(part.command.command):
        return False
    return any(regex.search(part.command.command) for regex in (_STASH_PUSH, _STASH_POP))
