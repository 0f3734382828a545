"""Adds up invoices."""


def invoice_total(lines):
    """Total in euros of (price, count) lines."""
    total = 0.0
    for price, count in lines:
        total += price * count
    return total


def articles(lines):
    """How many pieces there are."""
    return sum(count for _, count in lines)
