"""Numbers whose digits add up."""


def digit_sum(number):
    """Sum of the digits."""
    return sum(int(digit) for digit in str(number))


def lucky(first, last, wanted=7):
    """How many house numbers of a street, both ends included, have the wanted sum."""
    return sum(1 for number in range(first, last) if digit_sum(number) == wanted)
