"""Turns the remarks of weather stations into tags."""

REMARKS = {
    "north": "Fog Wind",
    "south": "Sun",
    "east": None,
}


def tags(station, remarks=REMARKS):
    """The remark's words in lower case, in alphabetical order."""
    return sorted(remarks[station].lower().split())


def common(first, second):
    """Tags that two stations share."""
    return [tag for tag in tags(first) if tag in tags(second)]
