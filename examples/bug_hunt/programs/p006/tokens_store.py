"""Stores the tokens of people who are logged in."""

from login import token_length

LENGTH = token_length()


def make_token(name, counter):
    """A token of the agreed length."""
    return f"{name}{counter}".ljust(LENGTH, "x")[:LENGTH]
