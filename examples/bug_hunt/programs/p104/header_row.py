"""Columns of a sheet."""


class Sheet:
    """Rows of cells; the first row names the columns."""

    def columns(self, rows):
        """Names of the columns, None for a sheet without rows."""
        return [cell.strip() for cell in rows[0]]

    def column(self, rows, name):
        """The cells of one column."""
        index = self.columns(rows).index(name)
        return [row[index] for row in rows[1:]]
