"""Weights of paper."""


def sheet_weight(grams_per_square_metre, width, height):
    """Grams of one sheet, measured in millimetres."""
    square_metres = width * height / 1_000_000
    return grams_per_square_metre * square_metres


def parcel(sheets, grams_per_square_metre=80):
    """Whole grams of a parcel of A4 sheets."""
    return int(sheets * sheet_weight(grams_per_square_metre, 210, 297))
