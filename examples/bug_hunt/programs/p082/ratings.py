"""Stars that people gave."""


def mean_stars(stars):
    """Mean of the stars, 0 before anyone has voted."""
    return sum(stars) / len(stars)


def best(films):
    """The film with the highest mean."""
    return max(films, key=lambda film: mean_stars(films[film]))
