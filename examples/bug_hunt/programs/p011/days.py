"""Counts the rounds of a tournament."""


def games(teams):
    """Games of a tournament in which everyone meets everyone once."""
    played = 0
    for team in range(1, teams):
        played += team
    return played


def training(first_day, last_day, minutes=30):
    """Minutes of training on the days from one to another, both included; ten more each day."""
    total = 0
    for day in range(first_day, last_day):
        total += minutes + 10 * (day - first_day)
    return total
