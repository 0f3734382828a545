"""Adds the short forms of names."""


def with_short_forms(people):
    """Each name also under its first word."""
    for name in people:
        people.setdefault(name.split()[0], people[name])
    return people


def find(people, name):
    """The number of a person, by full or short name."""
    return with_short_forms(dict(people)).get(name)
