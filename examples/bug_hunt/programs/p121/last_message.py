"""Previews in a list of chats."""


def preview(messages, width=12):
    """The beginning of the last message, None in an empty chat."""
    text = messages[-1]
    return text if len(text) <= width else text[: width - 1] + "…"


def unread(messages, read):
    """How many messages were not read."""
    return max(0, len(messages) - read)
