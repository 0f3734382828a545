"""Counts the words of documents."""

import codecs
from collections import Counter


def count(document: bytes) -> Counter:
    """How often each word occurs, without regard to case."""
    text = codecs.decode(document, "ascii")
    return Counter(text.lower().split())


def most_frequent(documents: list[bytes]) -> str:
    """The most frequent word of all documents."""
    total = Counter()
    for document in documents:
        total.update(count(document))
    return total.most_common(1)[0][0]
