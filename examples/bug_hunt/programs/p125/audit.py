"""An audit trail of what happened to accounts."""

from __future__ import annotations

from accounts import currency_of

HOME = currency_of("home")


def entry(action: str, amount: int) -> str:
    """One line of the trail."""
    return f"{action} {amount} {HOME}"
