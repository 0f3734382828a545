"""Converts amounts with a fixed table."""

RATES = {"EUR": 100, "USD": 92, "GBP": 117}


def to_euro(amount, code):
    """Amount in euro cents; codes come from forms that people fill in."""
    return amount * RATES[code]


def convert(line):
    """Converts `12 USD`."""
    amount, _, code = line.partition(" ")
    return to_euro(int(amount), code)
