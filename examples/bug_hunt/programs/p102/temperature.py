"""Degrees Fahrenheit and Celsius."""

from __future__ import annotations


def to_celsius(fahrenheit: float) -> float:
    """Degrees Celsius, to two decimals."""
    degrees = (fahrenheit - 32) / 1.8
    return degrees


def to_fahrenheit(celsius: float) -> float:
    """Degrees Fahrenheit of whole degrees Celsius."""
    return celsius * 9 / 5 + 32
