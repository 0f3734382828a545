"""Adds up what a table ordered."""

PRICES = {"soup": 5, "fish": 14, "cake": 4}


def bill(order):
    """The sum of dishes that are separated by commas."""
    total = 0
    for dish in order.split(","):
        total += PRICES[dish]
    return total


def split_bill(order, guests):
    """What each guest pays, rounded up."""
    return -(-bill(order) // guests)
