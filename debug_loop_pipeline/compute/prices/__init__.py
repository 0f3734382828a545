"""Where prices come from, and which model a name means."""
