"""Orders and their numbers."""

from customers import default_rank

STANDARD = default_rank("standard")


def order_number(year, count):
    """The number that is printed on an order."""
    return f"{year}-{count:04d}-{STANDARD}"
