"""What the commands share that record a person's decision."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import typer

from debug_loop_pipeline.cli.store import open_store, who
from debug_loop_pipeline.effects import report_store
from debug_loop_pipeline.effects.debug_stf_storage import DebugSTFStorageEffect
from debug_loop_pipeline.effects.decision_store import DecisionStore
from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.steps import golden_states, stf_registry
from debug_loop_pipeline.steps.framework import Span, StepContext

_DECIDED = """
(select signature from attempt_errors union select own_signature from attempt_errors
 union select signature from error_group_decisions) decided
"""
"""Error groups, those included that have been merged or split and hold nothing any more."""

SUBJECTS = {
    "stf": ("debug_transform_functions", "stf_hash", "function", "`debug-loop stf list`"),
    "stf_cluster": ("stf_clusters", "cluster_id", "cluster of functions", "`debug-loop stf show HASH --json`"),
    "golden_state": ("debug_golden_states", "golden_state_id", "golden state", "`debug-loop golden list`"),
    "signature": ("attempt_errors", "signature", "error group", "`debug-loop errors top`"),
    "decided_signature": (_DECIDED, "signature", "error group", "`debug-loop errors show SIGNATURE --json`"),
    "mapping": ("debug_error_success_mappings", "mapping_id", "mapping", "`debug-loop errors show SIGNATURE`"),
    "resolution": ("resolutions", "resolution_id", "change", "`debug-loop explain --mapping ID`"),
}
"""Kind of what an id names -> table, column, how people call it, and the command that shows the id."""


def resolve(store: StepContext, kind: str, prefix: str) -> str:
    """The whole id that a beginning names.

    Raises:
        DebugLoopError: none or several begin so.
    """
    table, column, what, command = SUBJECTS[kind]
    try:
        return report_store.unique_prefix(store.database, table, column, prefix, what=what)
    except LookupError as error:
        raise DebugLoopError(f"{error}; {command} shows ids") from error


def decide(kind: str, prefix: str, decision: str, reason: str) -> None:
    """Records an approval or rejection and folds its subject anew at once."""
    with open_store() as store:
        subject = resolve(store, kind, prefix)
        if kind == "stf":
            row = DebugSTFStorageEffect(store.database).retrieve(subject)
            if decision == "approve" and row["contains_redaction"]:
                raise DebugLoopError(
                    "this function holds a redacted secret and is never approved (DOMAIN 3.1); reject it instead"
                )
            days = [occurrence["completed_at"].date() for occurrence in row["occurred_in"][:1]]
        else:
            golden = report_store.golden_state(store.database, subject)
            if golden["state"] != "nominated":
                raise DebugLoopError(
                    f"action {decision} is illegal in state {golden['state']}: only a nominated golden state is decided; "
                    "`debug-loop suppress` takes an approved one out of every manifest"
                )
            days = [golden["nominated_at"].date()]
        DecisionStore(store.database).decide(kind, subject, decision, reason, who(), datetime.now(UTC), days)
        _refold(store, kind, Span(min(days), max(days)))
        state: Any = (
            DebugSTFStorageEffect(store.database).retrieve(subject)["approval"]
            if kind == "stf"
            else report_store.golden_state(store.database, subject)["state"]
        )
    typer.echo(f"{kind} {subject[:12]}: {state}")


def _refold(store: StepContext, kind: str, span: Span) -> None:
    (stf_registry if kind == "stf" else golden_states).run(store, span)
