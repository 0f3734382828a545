"""Shopping baskets."""


def put(item, items=[]):
    """Adds an item to a basket, a new one where none is given."""
    items.append(item)
    return items


def weight(items, grams):
    """What the basket weighs."""
    return sum(grams[item] for item in items)
