"""Sends messages."""

from templates import fill


def footer(language):
    """Last line of every message."""
    return {"en": "\n-- Bye", "de": "\n-- Gruss"}[language]


def invite(name, day):
    """An invitation."""
    text = "Hello {name}, see you on {day}."
    return fill(text, name=name, day=day)
