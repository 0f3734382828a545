"""Groups the addresses of a mailing list by their domain."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Member:
    """One member of the list; not everyone left an address."""

    name: str
    email: str | None = None


def domains(members: list[Member]) -> dict[str, list[str]]:
    """Names by domain; people without an address are under the empty one."""
    found: dict[str, list[str]] = {}
    for member in members:
        domain = member.email.rpartition("@")[2]
        found.setdefault(domain, []).append(member.name)
    return found
