"""Visitors who became customers."""


def conversion(row):
    """Share of the visitors of a row who bought something."""
    visitors = row["visitors"]
    return row["buyers"] / visitors


def table(rows):
    """Days with their shares, best first; days without visitors have share 0."""
    return sorted(((conversion(row), row["day"]) for row in rows), reverse=True)
