"""What the checks decide, apart from Dagster: row rules as SQL, shares with thresholds, recomputed samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from debug_loop_pipeline.compute.code.source_tree import SourceError
from debug_loop_pipeline.compute.stf_hash import stf_hash
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.report_store import latest_effect
from debug_loop_pipeline.effects.schema_columns import table_columns
from debug_loop_pipeline.reducers.golden_state_manager import LEGAL_TRANSITIONS
from debug_loop_pipeline.settings import get_settings
from debug_loop_pipeline.steps.error_success_mappings import refolded_mappings

_OFFENDERS = 10
_SAMPLE = 500
_SCAN_BYTES = 32_000_000
"""Read per table at most: an event may have megabytes."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found. `passed` None: there are not enough rows to tell."""

    passed: bool | None
    numbers: dict[str, Any] = field(default_factory=dict)
    offenders: list[dict[str, Any]] = field(default_factory=list)


def violations(database: Database, table: str, condition: str, key: str) -> Finding:
    """Rows of a table for which a rule does not hold; none may be there."""
    counting = f"select count(*) as rows, count(*) filter (where {condition}) as bad from {table}"
    counts = fetch_rows(database, counting)[0]
    offenders = []
    if counts["bad"]:
        offenders = fetch_rows(database, f"select {key} from {table} where {condition} limit :n", {"n": _OFFENDERS})
    return Finding(counts["bad"] == 0, {"rows": counts["rows"], "violations": counts["bad"]}, offenders)


def schema_as_migrated(database: Database, table: str) -> Finding:
    """Whether a table has the columns, types and nullability that the migrations give it."""
    rows = fetch_rows(
        database,
        "select attname as name, format_type(atttypid, atttypmod) as type, not attnotnull as nullable from pg_attribute"
        " where attrelid = to_regclass(:table) and attnum > 0 and not attisdropped",
        {"table": table},
    )
    have = {row["name"]: _column(row["type"], row["nullable"]) for row in rows}
    want = {name: _column(_TYPE_NAMES.get(kind, kind), nullable) for name, kind, nullable in table_columns()[table]}
    wrong = [
        {"column": name, "in_database": have.get(name, "missing"), "migrated": want.get(name, "unknown")}
        for name in sorted(have.keys() | want.keys())
        if have.get(name) != want.get(name)
    ]
    return Finding(not wrong, {"columns": len(have)}, wrong)


_TYPE_NAMES = {"timestamptz": "timestamp with time zone"}
"""How PostgreSQL spells types that the migrations abbreviate."""


def _column(kind: str, nullable: bool) -> str:
    return kind.replace(", ", ",") + ("" if nullable else " not null")


def share(database: Database, query: str, limit: float, least_rows: int = 20) -> Finding:
    """A share (columns `part` and `whole`) that should not exceed `limit`; too few rows say nothing."""
    row = fetch_rows(database, query)[0]
    part, whole = int(row["part"]), int(row["whole"])
    numbers = {"part": part, "whole": whole, "limit": limit}
    if whole < least_rows:
        return Finding(None, numbers | {"status": "not enough data", "least_rows": least_rows})
    return Finding(part / whole <= limit, numbers | {"share": round(part / whole, 4)})


def hashes_recomputed(database: Database) -> Finding:
    """Whether stored functions hash to their key, on a sample that moves with the hash and so covers all in time."""
    rows = fetch_rows(
        database,
        "select stf_hash, language, code from debug_transform_functions order by md5(stf_hash || current_date::text) limit :n",
        {"n": _SAMPLE},
    )
    wrong = [{"stf_hash": row["stf_hash"]} for row in rows if _hash_of(row["code"], row["language"]) != row["stf_hash"]]
    return Finding(not wrong, {"sampled": len(rows), "violations": len(wrong)}, wrong[:_OFFENDERS])


def _hash_of(code: str, language: str) -> str | None:
    try:
        return stf_hash(code, language)
    except SourceError:  # code that has no hash is not the code that was hashed
        return None


def mappings_refolded(database: Database) -> Finding:
    """Whether stored mappings are what their events fold to: state, counts and confidence, on a sample."""
    wrong, sampled = refolded_mappings(database, get_settings().mapping, _SAMPLE)
    return Finding(not wrong, {"sampled": sampled, "violations": len(wrong)}, wrong[:_OFFENDERS])


def effect_not_harmful(database: Database) -> Finding:
    """Whether the newest effect is no harm, neither fewer tasks that succeed nor more attempts until they do.

    An interval of the difference that lies on the wrong side of 0 fails; too few tasks say nothing.
    """
    rows = {row["measure"]: row for row in latest_effect(database)}
    succeeded, attempts = rows.get("succeeded"), rows.get("attempts")
    numbers: dict[str, Any] = {"day": str(succeeded["day"])} if succeeded else {}
    for row in filter(None, (succeeded, attempts)):
        numbers |= {f"{row['measure']}_{name}": row[name] for name in _EFFECT_SHOWN if row[name] is not None}
    harms = [
        row[bound] * sign > 0
        for row, bound, sign in ((succeeded, "difference_high", -1), (attempts, "difference_low", 1))
        if row and row["difference"] is not None
    ]
    if any(harms):
        return Finding(False, numbers)
    if len(harms) < 2:
        return Finding(None, numbers | {"status": "not enough data"})
    return Finding(True, numbers)


_EFFECT_SHOWN = (
    "tasks_treatment",
    "tasks_holdout",
    "treatment",
    "holdout",
    "difference_low",
    "difference_high",
    "p_value",
)


def golden_transitions_legal(database: Database) -> Finding:
    """Whether every recorded golden transition is one that the state machine knows."""
    rows = fetch_rows(
        database,
        "select from_state, action, to_state, count(*) as events from golden_events group by 1, 2, 3 order by 1, 2, 3",
    )
    wrong = [row for row in rows if (row["from_state"], row["action"], row["to_state"]) not in LEGAL_TRANSITIONS]
    return Finding(not wrong, {"events": sum(row["events"] for row in rows)}, wrong)


_STORED_TEXTS: Sequence[tuple[str, str, str]] = (
    ("execution_inbox", "event::text", "received_at"),
    ("attempt_errors", "message", "at"),
    ("debug_transform_functions", "code", "updated_at"),
    ("resolutions", "example_diff || template", "example_at"),
    ("execution_rejects", "payload || reason", "rejected_at"),
    ("debug_execution_attempts", "user_request", "updated_at"),
)


def secrets_scan(database: Database) -> Finding:
    """Whether the newest stored texts hold anything that the redaction would have taken out. Tells where, never what."""
    from debug_loop_pipeline.client.redaction import find_secrets  # its tables are built when it is imported

    found: list[dict[str, Any]] = []
    scanned = scanned_bytes = 0
    for table, text, order in _STORED_TEXTS:
        newest = f"select {text} as text from {table} order by {order} desc limit :n"
        rows = fetch_rows(
            database,
            f"select text, so_far from (select text, sum(octet_length(text)) over (rows unbounded preceding) as so_far from ({newest}) t) s"
            " where so_far - octet_length(text) < :bytes",
            {"n": _SAMPLE, "bytes": _SCAN_BYTES},
        )
        scanned += len(rows)
        scanned_bytes += max((int(row["so_far"]) for row in rows), default=0)
        for row in rows:
            kinds = sorted({kind for kind, _, _ in find_secrets(row["text"])})
            if kinds:
                found.append({"table": table, "kinds": ", ".join(kinds)})
    numbers = {"texts_scanned": scanned, "bytes_scanned": scanned_bytes, "violations": len(found)}
    return Finding(not found, numbers, found[:_OFFENDERS])
