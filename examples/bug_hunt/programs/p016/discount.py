"""Prices after a discount."""


def discounted(price, percent):
    """Price in euros and cents after a discount."""
    return price * (1 - percent / 100)


def cheapest(prices, percent):
    """The lowest price after the discount."""
    return min(discounted(price, percent) for price in prices)
