"""What employees earn in a month."""

from __future__ import annotations


def gross(employee: dict[str, int]) -> int:
    """Salary and bonus; not everyone has a bonus.

    Raises:
        ValueError: the salary is negative.
    """
    if employee["salary"] < 0:
        raise ValueError("a salary cannot be negative")
    # amounts are whole euros
    return employee["salary"] + employee["bonus"]


def payroll(employees: list[dict[str, int]]) -> int:
    """The sum over all employees."""
    return sum(gross(employee) for employee in employees)
