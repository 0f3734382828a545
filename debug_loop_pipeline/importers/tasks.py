"""When a human message opens a new task and when it goes on with the one at hand (LOG_FORMATS 1).

Belongs here: the rule on the text and on how the last attempt ended. What is done with it is `segmenter`'s.
"""

from __future__ import annotations

import re
from enum import StrEnum

_MAX_FOLLOW_UP_WORDS = 40
_GO_ON = re.compile(
    r"(?:(?:ok(?:ay)?|yes|yep|yeah|sure|please|sorry|no|nope|right|correct|thanks|thank you|great|perfect|good|cool|nice|done|hmm+|oh|ah|well|and|but|now|then|just)[\s,.!:]+)*"
    r"(?:ok(?:ay)?|yes|yep|yeah|y|sure|no|nope|please|continue|go on|go ahead|proceed|carry on|resume|keep going|do it|do that|please do|try (?:it )?again|retry|again|sounds good"
    r"|looks good|lgtm|approved?|works?(?: now)?|great|perfect|thanks|thank you|go|next|finish(?: it)?|fix (?:it|this|that|them|these)(?: please)?|weiter|ja|ok works|option \w+|[a-d1-9])[\s.!]*\Z",
    re.IGNORECASE,
)
_ABOUT_FAILURE = re.compile(
    r"\b(?:still|again|fail(?:s|ed|ing|ure)?|error|errors|broken|breaks?|wrong|didn'?t|doesn'?t|does not|not work(?:ing)?|same|crash(?:es|ed)?|bug|issue|fix|instead|try|revert|undo|continue)\b",
    re.IGNORECASE,
)
_MEND = re.compile(
    r"\b(?:fix(?:es|ed|ing)?|mend|repair|resolve|(?:still )?fail(?:s|ed|ing|ures?)?|errors?|warnings?|broken|lint(?:er|ing)?|type ?-?checks?|ci"
    r"|(?:make|get) .{0,40}(?:pass|green|compile|build))\b",
    re.IGNORECASE,
)
_NEW_GOAL = re.compile(
    r"^\s*(?:#|/(?!\w+/)|(?:new task|next task|another (?:task|thing)|now (?:let'?s|implement|add|create|build|write)|next,|let'?s (?:now |move on)|implement the following"
    r"|implement (?:a|the|an)\b|create (?:a|an) new|write (?:a|an) new|start (?:a|on)|unrelated|different topic|forget (?:that|it)|switch to)\b)",
    re.IGNORECASE,
)


class LastEnding(StrEnum):
    """How the last attempt of a task ended."""

    NONE = "none"
    PASSED = "passed"
    FAILED = "failed"
    STOPPED = "stopped"
    """Cancelled or interrupted by the user."""
    OPEN = "open"


def goes_on(text: str, ending: LastEnding, *, unsettled: bool = False) -> bool:
    """Whether the human message `text` stays in the task at hand.

    A bare go-ahead ("yes", "continue") always does. Otherwise it must be short, name no new goal, and follow an attempt that
    failed or was stopped: the user then steers the same work. Where the last attempt did well but an earlier check of the task
    still fails (`unsettled`), a message that asks to mend something is about that.
    """
    text = text.strip()
    if not text:
        return True
    if len(text) <= 200 and _GO_ON.match(text):
        return True
    if ending not in (LastEnding.FAILED, LastEnding.STOPPED) and not (unsettled and _MEND.search(text)):
        return False
    if len(text) > 600 or len(text.split()) > _MAX_FOLLOW_UP_WORDS or _NEW_GOAL.match(text):
        return False
    return "\n\n" not in text or _ABOUT_FAILURE.search(text) is not None
