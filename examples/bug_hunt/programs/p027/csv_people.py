"""Reads people from a table with a header."""

import csv


def read_people(path):
    """Rows as dictionaries."""
    with open(path, newline="", encoding="ascii") as file:
        return list(csv.DictReader(file))


def names(path):
    """The names in the order of the file."""
    return [row["name"] for row in read_people(path)]
