"""The versions of the matcher and of its index, apart from their code, which loads SciPy: every command asks for versions, few match."""

from __future__ import annotations

INDEX_VERSION = 1
"""Raised when words or their weights change: an epoch of another version is not comparable."""

MATCHER_VERSION = 1
"""Raised when the same epoch gives other matches."""
