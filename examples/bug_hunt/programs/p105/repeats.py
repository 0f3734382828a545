"""Words that somebody typed twice."""


def doubled(tokens):
    """Positions of tokens that stand there twice in a row."""
    positions = []
    index_range = range(len(tokens))
    for position in index_range:
        if tokens[position] == tokens[position + 1]:
            positions.append(position)
    return positions


def complain(text):
    """One complaint per doubled word."""
    tokens = text.split()
    return [f"{tokens[position]} at {position}" for position in doubled(tokens)]
