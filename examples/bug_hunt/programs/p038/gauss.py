"""Sums that a teacher set."""


def sum_to(n):
    """The sum of the numbers from 1 to n."""
    return sum(range(1, n))


def is_triangular(number):
    """Whether a number is such a sum."""
    n, total = 0, 0
    while total < number:
        n += 1
        total += n
    return total == number
