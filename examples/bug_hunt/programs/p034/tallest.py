"""The tallest tree of a park."""


def tallest(trees):
    """(name, height) of the tallest tree; None in a park without trees."""
    best = trees[0]
    for tree in trees:
        if tree[1] > best[1]:
            best = tree
    return best


def mean_height(trees):
    """Mean height in whole metres, 0 without trees."""
    return sum(height for _, height in trees) // max(1, len(trees))
