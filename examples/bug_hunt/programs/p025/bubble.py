"""Sorts playing cards by hand."""


def one_pass(cards):
    """Swaps neighbours that are out of order; says whether it had to."""
    swapped = False
    for left in range(len(cards)):
        if cards[left] > cards[left + 1]:
            cards[left], cards[left + 1] = cards[left + 1], cards[left]
            swapped = True
    return swapped


def arrange(cards):
    """The cards in order."""
    cards = list(cards)
    while one_pass(cards):
        pass
    return cards
