"""Splits the columns of a record that hold two values."""


def halves(text):
    """Both halves of `a/b`."""
    first, _, second = text.partition("/")
    return first, second


def split(record):
    """Puts the halves of combined columns beside them, in place."""
    for column in record:
        if "/" in record[column]:
            first, second = halves(record[column])
            record[f"{column}_from"] = first
            record[f"{column}_to"] = second
    return record
