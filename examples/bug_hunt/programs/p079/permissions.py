"""Which rights a role has."""

ROLES = {
    "reader": {"read"},
    "writer": {"read", "write"},
    "admin": {"read", "write", "grant"},
}


def rights(roles):
    """Rights of a user by the roles of the directory's export."""
    found = set()
    for role in roles:
        found |= ROLES[role]
    return sorted(found)


def may(roles, right):
    """Whether one of the roles grants a right."""
    return right in rights(roles)
