"""When an auction closes."""

from datetime import UTC, datetime


def closes_in(lot):
    """Whole hours until a lot closes, 0 once it is closed."""
    end = datetime.fromisoformat(lot["end"]).replace(tzinfo=UTC)
    left = (end - datetime.now()).total_seconds()
    return max(0, int(left // 3600))


def open_lots(lots):
    """Names of the lots on which one can still bid."""
    return [lot["name"] for lot in lots if closes_in(lot) > 0]
