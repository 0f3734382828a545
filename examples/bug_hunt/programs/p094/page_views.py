"""Page views from a server's counters."""


def merge(first, second):
    """Counters of two servers, added up."""
    return {page: first[page] + second[page] for page in first | second}


def busiest(counter):
    """The page with most views."""
    return max(counter, key=lambda page: (counter[page], page))
