"""Describes the stages through which a data set goes."""


class Stages:
    """Names and settings of the stages."""

    def __init__(self):
        self.stages = []
        self.workers = 1

    def stage(self, name, **settings):
        """Adds a stage."""
        self.stages.append((name, settings))
        return self

    def parallel(self, workers):
        """How many workers each stage gets."""
        self.workers = workers

    def plan(self):
        """One line per stage."""
        return [f"{name} x{self.workers}" for name, _ in self.stages]
