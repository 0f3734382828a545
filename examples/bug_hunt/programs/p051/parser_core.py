"""Evaluates sums and differences."""

from lexer import tokens


def operators():
    """The operators that are known."""
    return "+-"


def evaluate(text):
    """Value of a sum."""
    total, sign = 0, 1
    for token in tokens(text):
        if token in operators():
            sign = 1 if token == "+" else -1
        else:
            total += sign * int(token)
    return total
