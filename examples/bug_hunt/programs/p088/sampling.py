"""Words per sentence."""


def sentences(text):
    """Sentences without the empty ones."""
    return [part.strip() for part in text.split(".") if part.strip()]


def words_per_sentence(text):
    """Mean number of words, 0 in an empty text."""
    found = sentences(text)
    words = sum(len(sentence.split()) for sentence in found)
    return words / len(found)
