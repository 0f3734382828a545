"""Removes dead ends from a maze."""


def prune(maze):
    """Removes places that lead nowhere, until there is none."""
    changed = True
    while changed:
        changed = False
        for place, ways in maze.items():
            if len(ways) < 2:
                del maze[place]
                for other in ways:
                    maze[other].discard(place)
                changed = True
    return maze
