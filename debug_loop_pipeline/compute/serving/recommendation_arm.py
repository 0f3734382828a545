"""Which arm of the held-out experiment a session is in (DOMAIN 3.12). Pure."""

from __future__ import annotations

import hashlib

from debug_loop_pipeline.models.recommendation import Arm

_DRAW_BYTES = 8


def arm_of(salt: str, holdout_share: float, session_id: str | None, correlation_id: str | None) -> Arm:
    """The arm, by a hash of the salt and the session, or the task where there is no session: the same at every call.

    Args:
        salt: another one draws anew.
        holdout_share: 0..1.
        session_id: the agent's session.
        correlation_id: the task.
    """
    drawn_by = session_id or correlation_id
    if not drawn_by:
        return Arm.NONE
    digest = hashlib.sha256(f"{salt}\x1f{drawn_by}".encode("utf-8", "surrogatepass")).digest()
    draw = int.from_bytes(digest[:_DRAW_BYTES], "big") / 2 ** (8 * _DRAW_BYTES)
    return Arm.HOLDOUT if draw < holdout_share else Arm.TREATMENT
