"""Calories of a meal."""

TABLE = {"apple": 52, "rice": 130, "egg": 155}


def calories(meal, table=TABLE):
    """Calories of (food, grams) pairs; unknown food counts nothing."""
    return sum(table[food] * grams // 100 for food, grams in meal)


def light(meal, limit=300):
    """Whether a meal stays under a limit."""
    return calories(meal) < limit
