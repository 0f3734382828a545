"""Climbs of a hiking trail."""


def climbs(heights):
    """Metres up or down between each point and the next."""
    steps = []
    for i in range(len(heights)):
        steps.append(heights[i + 1] - heights[i])
    return steps


def total_climb(heights):
    """Metres up, all in all."""
    return sum(step for step in climbs(heights) if step > 0)
