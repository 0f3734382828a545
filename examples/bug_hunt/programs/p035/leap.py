"""Leap years."""


def is_leap(year):
    """Whether a year has 366 days."""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def leap_years(first, last):
    """How many leap years there are from one year to another, both included."""
    return len([year for year in range(first, last) if is_leap(year)])
