"""Which plugins an editor loads."""


class Registry:
    """Plugins by name."""

    def __init__(self):
        self.known = {"spell": True, "lint": True, "vim": False}

    def enabled(self, wanted, loaded=[]):
        """What is loaded once the wanted plugins have been looked up."""
        for name in wanted:
            if self.known.get(name):
                loaded.append(name)
        return loaded
