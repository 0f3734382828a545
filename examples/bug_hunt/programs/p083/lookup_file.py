"""Extensions of telephones, from a text file of the building."""


def extensions(lines):
    """Numbers by name."""
    found = {}
    for line in lines:
        name, number = line.split(":")
        found[name.strip()] = int(number)
    return found


def dial(lines, name):
    """The number to dial for a name that somebody typed."""
    table = extensions(lines)
    return f"0-{table[name]}"
