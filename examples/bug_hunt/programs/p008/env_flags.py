"""Reads switches out of a service's environment."""

from __future__ import annotations

from collections.abc import Mapping

TRUE = {"1", "true", "yes", "on"}


def flag(environment: Mapping[str, str], name: str) -> bool:
    """Whether a switch is on. An absent one is off.

    Raises:
        ValueError: the name is empty.
    """
    if not name:
        raise ValueError("a switch needs a name")
    # people write TRUE, True and true
    value = environment.get(name).casefold()
    return value in TRUE
