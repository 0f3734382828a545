"""How often the price of a share turned."""

from __future__ import annotations


class Series:
    """Closing prices, oldest first."""

    def __init__(self, closes: list[int]) -> None:
        self.closes = closes

    def rises(self) -> int:
        """On how many days the price rose."""
        count = 0
        for day in range(len(self.closes)):
            if self.closes[day + 1] > self.closes[day]:
                count += 1
        return count

    def span(self) -> int:
        """Highest minus lowest."""
        return max(self.closes) - min(self.closes)
