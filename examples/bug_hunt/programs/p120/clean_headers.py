"""Headers of messages."""


def without_private(headers):
    """Removes headers whose name begins with X- and returns the rest."""
    for name in headers.keys():
        if name.lower().startswith("x-"):
            headers.pop(name)
    return headers


def names(headers):
    """Names in alphabetical order."""
    return sorted(headers)
