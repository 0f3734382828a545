"""Metrics as lines."""

from jsonlib import dumps


def line(name, value, **labels):
    """One metric."""
    return f"{name} {dumps(labels)} {value}"


def lines(metrics):
    """All metrics, by name."""
    return [line(name, value) for name, value in sorted(metrics.items())]
