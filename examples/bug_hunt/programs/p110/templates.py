"""Templates of messages."""

from mailer import footer

FOOTER = footer("en")


def fill(template, **values):
    """A template with its values and the footer."""
    return template.format(**values) + FOOTER
