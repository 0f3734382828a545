"""Requests for the weather."""

from stations import codes

KNOWN = frozenset(codes())


def url(code):
    """Address of a station's data."""
    if code not in KNOWN:
        raise LookupError(code)
    return f"/stations/{code}/now"
