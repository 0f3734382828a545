"""Interest on savings."""


def after_years(capital, rate, years):
    """Capital after some years, in euros and cents."""
    for _ in range(years):
        capital = capital * (1 + rate / 100)
    return capital


def doubles(rate):
    """Years until the capital has doubled."""
    years = 0
    while after_years(100.0, rate, years) < 200:
        years += 1
    return years
