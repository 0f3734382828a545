"""What a warehouse has in stock."""


def stock_value(stock, prices):
    """Value of all articles; what has no price counts nothing."""
    total = 0
    for article, count in stock.items():
        total += count * prices[article]
    return total


def shortage(stock, wanted):
    """Articles of which too few are there."""
    return sorted(article for article, count in wanted.items() if stock.get(article, 0) < count)
