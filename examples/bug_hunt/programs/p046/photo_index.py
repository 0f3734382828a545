"""An index of photos."""

import json


def index(photos):
    """Photos by name with the time they were taken."""
    return {photo["name"]: photo["taken"] for photo in photos}


def save(photos, path):
    """Writes the index to a file."""
    path.write_text(json.dumps(index(photos), indent=1))
