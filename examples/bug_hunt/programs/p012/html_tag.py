"""Writes one HTML element."""


class Tag:
    """An element with classes and attributes."""

    def __init__(self, name):
        self.name = name
        self.classes = []
        self.attributes = {}

    def css(self, value):
        """Adds a class."""
        self.classes.append(value)
        return self

    def attr(self, key, value):
        """Sets an attribute."""
        self.attributes[key] = value

    def open(self):
        """The start tag."""
        attributes = dict(self.attributes)
        if self.classes:
            attributes["class"] = " ".join(self.classes)
        text = "".join(f' {key}="{value}"' for key, value in sorted(attributes.items()))
        return f"<{self.name}{text}>"
