"""A diary in a file of lines."""

import json
from datetime import datetime


class Diary:
    """Entries, oldest first."""

    def __init__(self, path):
        self.path = path

    def write(self, text, at):
        """Adds an entry."""
        with open(self.path, "a") as file:
            file.write(json.dumps({"at": at, "text": text}) + "\n")

    def days(self):
        """Days with entries."""
        with open(self.path) as file:
            entries = [json.loads(line) for line in file]
        return [datetime.fromisoformat(entry["at"]).date().isoformat() for entry in entries]
