"""Finds out which project a ticket belongs to."""


def prefix(ticket):
    """The part in front of the dash, empty where there is no key yet."""
    key = ticket["key"]
    return key.split("-")[0]


def by_project(tickets):
    """How many tickets each project has."""
    counts = {}
    for ticket in tickets:
        name = prefix(ticket)
        counts[name] = counts.get(name, 0) + 1
    return counts
