"""Energy that a house used and made."""


def balance(months):
    """Made minus used, over all months; old meters do not report what was made."""
    made = 0
    used = 0
    for month in months:
        used += month["used"]
        made += month["made"]
    return made - used


def worst(months):
    """The month in which most was used."""
    return max(months, key=lambda month: month["used"])["name"]
