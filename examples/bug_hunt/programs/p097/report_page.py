"""Puts the sections of a report together."""


class Page:
    """A page under construction."""

    def __init__(self):
        self._lines = []

    def title(self, text):
        """A title with a rule under it."""
        self._lines.extend([text, "=" * len(text)])

    def line(self, text):
        """A line of text."""
        self._lines.append(text)
        return self

    def render(self):
        """The page as text."""
        return "\n".join(self._lines)
