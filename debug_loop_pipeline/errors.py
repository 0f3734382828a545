"""The base of failures that a person can act on."""

from __future__ import annotations


class DebugLoopError(RuntimeError):
    """What went wrong and what to do, in the message. The command line prints it without a traceback."""
