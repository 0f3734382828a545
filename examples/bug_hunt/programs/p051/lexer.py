"""Splits expressions into tokens."""

import re

from parser_core import operators

TOKEN = re.compile(rf"\d+|[{re.escape(operators())}]")


def tokens(text):
    """Numbers and operators."""
    return TOKEN.findall(text)
