"""Splits the costs of a trip."""


def share(costs, people):
    """What each one pays, in euros and cents."""
    amount = 0.0
    for cost in costs:
        amount += cost
    return amount / people


def owes(costs, people, paid):
    """Whether somebody who paid `paid` still owes something."""
    return paid < share(costs, people)
