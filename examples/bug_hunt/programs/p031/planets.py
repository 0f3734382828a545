"""Weights on other planets."""

from __future__ import annotations

GRAVITY = {"earth": 100, "mars": 38, "moon": 17}


def weight(kilograms: int, planet: str) -> int:
    """What a person weighs there, in kilograms, rounded down."""
    return kilograms * GRAVITY[planet] // 100


def answer(question: str) -> int:
    """Answers `70 on mars`."""
    kilograms, planet = question.split("on", 1)
    return weight(int(kilograms), planet)
