"""A small builder of select statements."""


class Query:
    """Collects the parts of a statement."""

    def __init__(self, table):
        self.table = table
        self.conditions = []
        self.limit_to = None

    def where(self, condition):
        """Adds a condition."""
        self.conditions.append(condition)

    def limit(self, count):
        """At most so many rows."""
        self.limit_to = count
        return self

    def sql(self):
        """The statement."""
        text = f"select * from {self.table}"
        if self.conditions:
            text += " where " + " and ".join(self.conditions)
        return text if self.limit_to is None else f"{text} limit {self.limit_to}"
