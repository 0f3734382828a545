"""Accounts with a balance."""

from __future__ import annotations

from audit import entry

CURRENCIES = {"home": "EUR", "abroad": "USD"}


def currency_of(place: str) -> str:
    """Currency of a place."""
    return CURRENCIES[place]


def deposit(balance: int, amount: int) -> tuple[int, str]:
    """New balance and the line for the audit trail.

    Raises:
        ValueError: the amount is not positive.
    """
    if amount <= 0:
        raise ValueError("a deposit is positive")
    # the trail is written by the caller
    return balance + amount, entry("deposit", amount)
