"""Collects the tags of a blog post."""

import re


def tags(text, found=[]):
    """The words behind a hash sign, in order, after those already found."""
    for word in re.findall(r"#(\w+)", text):
        if word not in found:
            found.append(word)
    return found


def linked(text):
    """Tags as links."""
    return [f"/tags/{tag}" for tag in tags(text, [])]
