"""Density of towns."""

from dataclasses import dataclass


@dataclass
class Town:
    """People and square kilometres; 0 where the area is not known."""

    name: str
    people: int
    area: int

    def density(self):
        """People per square kilometre, 0 for a town without people."""
        return self.people / self.area


def densest(towns):
    """Names, densest first."""
    return [town.name for town in sorted(towns, key=Town.density, reverse=True)]
