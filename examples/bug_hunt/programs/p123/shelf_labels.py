"""Labels for the shelves of a library."""


class Book:
    """A book and the author its catalogue card names."""

    def __init__(self, title, author=None):
        self.title = title
        self.author = author

    def label(self):
        """Author in capitals, then the title."""
        head = self.author.upper()
        return f"{head}: {self.title}" if head else self.title


def shelf(books):
    """The labels in the order in which they stand on the shelf."""
    return sorted(book.label() for book in books)
