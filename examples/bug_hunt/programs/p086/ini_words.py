"""Reads settings from a stream of bytes."""

import io


def settings(stream):
    """Keys and values of the lines with an equals sign."""
    found = {}
    for line in io.TextIOWrapper(stream, encoding="ascii"):
        key, sign, value = line.partition("=")
        if sign:
            found[key.strip()] = value.strip()
    return found
