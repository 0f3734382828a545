"""Pairs of neighbouring words."""


def bigrams(text):
    """Each word with the next one."""
    words = text.lower().split()
    return [(words[i], words[i + 1]) for i in range(len(words))]


def follows(text, word):
    """What comes behind a word."""
    return {after for before, after in bigrams(text) if before == word}
