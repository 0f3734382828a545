"""Undo for a text field."""


def record(state, history=[], limit=10):
    """Puts a state on the history and returns it, cut to the limit."""
    history.insert(0, state)
    del history[limit:]
    return history


def undo(history):
    """The state before the last one."""
    return history[1] if len(history) > 1 else history[0]
