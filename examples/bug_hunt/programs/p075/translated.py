"""How much of a text has been translated."""


def coverage(texts, translations):
    """Per cent of the texts that have a translation; an empty book has 0."""
    done = [text for text in texts if text in translations]
    return 100 * len(done) / len(texts)


def missing(texts, translations):
    """Texts without a translation."""
    return [text for text in texts if text not in translations]
