"""Work that our own code fails at: told with its place in the code, and no other work waits for it.

Here: how the one bad piece among many is found. Not here: where that is kept (`StepStore`). A server that cannot be reached or a full disk is no
piece's fault, and neither is a step that fails at everything: those end the run.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from debug_loop_pipeline.client.redaction import redact
from debug_loop_pipeline.effects.faults import refuses_values
from debug_loop_pipeline.effects.resilience import EffectError

T = TypeVar("T")
MOST_FAILED = 10
"""Of one run of a step. More is a fault of the step, and the run fails with the last of them."""
_PACKAGE = Path(__file__).parents[1]
_MAX_TOLD = 300


def told(error: Exception) -> str:
    """An error with its place in our code, redacted: what it says may hold text of a transcript."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _PACKAGE in Path(frame.filename).parents]
    place = (own or frames)[-1]
    return f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}: {redact(str(error))[:_MAX_TOLD]}"


@dataclass(slots=True)
class Pieces(Generic[T]):
    """What became of the pieces of one run of a step."""

    done: int = 0
    failed: list[tuple[T, str]] = field(default_factory=list)
    """Each piece that failed, and why, in order."""
    _last: Exception | None = None

    def do(self, work: Callable[[Sequence[T]], None], pieces: Sequence[T]) -> list[tuple[T, str]]:
        """Does `work` on some pieces at once and, where that fails, on each half, down to the single ones that fail: those.

        Args:
            work: all or nothing: what it did to pieces among which one failed is as if it had not been.
            pieces: in order.

        Raises:
            Exception: what `work` raised, where no piece is at fault or more than `MOST_FAILED` were.
        """
        before = len(self.failed)
        try:
            work(pieces)
        except Exception as error:
            if not _is_a_pieces_fault(error):
                raise
            if len(pieces) > 1:
                middle = len(pieces) // 2
                self.do(work, pieces[:middle])
                self.do(work, pieces[middle:])
            elif before >= MOST_FAILED:
                raise
            else:
                self._last = error
                self.failed.append((pieces[0], told(error)))
        else:
            self.done += len(pieces)
        return self.failed[before:]

    def end(self) -> None:
        """Raises the last error where all of several pieces have failed: that is the step's fault."""
        if self._last is not None and not self.done and len(self.failed) > 1:
            raise self._last


def _is_a_pieces_fault(error: Exception) -> bool:
    if isinstance(error, EffectError | OSError | MemoryError):
        return False
    library = type(error).__module__.partition(".")[0]
    return refuses_values(error) if library in ("sqlalchemy", "psycopg2") else True
