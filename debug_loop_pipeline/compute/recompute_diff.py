"""What moved when facts were derived again by other code (DOMAIN 3.13). Pure bookkeeping over rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import orjson

_SAMPLES = 10
_GROUPING = {"attempt_errors": "signature", "attempt_stfs": "stf_hash"}
"""Tables whose rows form groups, and the column that names the group."""
_SAMPLE_TEXT = 200


@dataclass(slots=True)
class RecomputeDiff:
    """Collects differences chunk by chunk."""

    versions: set[str] = field(default_factory=set)
    """The earlier code versions that were met."""
    _counts: dict[str, dict[str, int]] = field(default_factory=dict)
    _samples: list[dict[str, Any]] = field(default_factory=list)
    _groups: dict[str, tuple[dict[str, set[str]], dict[str, set[str]]]] = field(default_factory=dict)

    def compare(
        self,
        table: str,
        columns: Sequence[str],
        key: Sequence[str],
        before: Sequence[Mapping[str, Any]],
        after: Sequence[Sequence[Any]],
    ) -> None:
        """Adds one chunk: rows as they stood (mappings) and as they are derived now (in column order)."""
        old = {tuple(str(row[k]) for k in key): row for row in before}
        new_rows = [dict(zip(columns, row, strict=True)) for row in after]
        new = {tuple(str(row[k]) for k in key): row for row in new_rows}
        counts = self._counts.setdefault(table, {"added": 0, "removed": 0, "changed": 0, "same": 0})
        for row_key in sorted(old.keys() | new.keys()):
            was, now = old.get(row_key), new.get(row_key)
            if was is None:
                counts["added"] += 1
            elif now is None:
                counts["removed"] += 1
            else:
                moved = {c: (was[c], now[c]) for c in columns if not _same(was[c], now[c])}
                counts["changed" if moved else "same"] += 1
                if moved and len(self._samples) < _SAMPLES:
                    self._samples.append(
                        {
                            "table": table,
                            "key": list(row_key),
                            "columns": {c: [_cut(a), _cut(b)] for c, (a, b) in moved.items()},
                        }
                    )
                group = _GROUPING.get(table)
                if group is not None:
                    went, came = self._groups.setdefault(table, (defaultdict(set), defaultdict(set)))
                    went[str(was[group])].add(str(now[group]))
                    came[str(now[group])].add(str(was[group]))

    def add(self, other: RecomputeDiff) -> None:
        """Takes in what another one has collected."""
        self.versions |= other.versions
        for table, counts in other._counts.items():
            mine = self._counts.setdefault(table, dict.fromkeys(counts, 0))
            for kind, count in counts.items():
                mine[kind] += count
        self._samples += other._samples[: _SAMPLES - len(self._samples)]
        for table, directions in other._groups.items():
            known = self._groups.setdefault(table, (defaultdict(set), defaultdict(set)))
            for target, source in zip(known, directions, strict=True):
                for name, names in source.items():
                    target[name] |= names

    def report(self) -> dict[str, Any]:
        """Counts per table, groups split and merged, and samples of changed rows."""
        groups = {
            table: {
                "split": sum(len(targets) > 1 for targets in went.values()),
                "merged": sum(len(sources) > 1 for sources in came.values()),
                "renamed": sum(targets != {name} for name, targets in went.items()),
            }
            for table, (went, came) in sorted(self._groups.items())
        }
        return {"tables": dict(sorted(self._counts.items())), "groups": groups, "samples": self._samples}


def _same(stored: Any, derived: Any) -> bool:
    """Whether a value read back equals the one that was to be written. JSON comes back as a structure, its keys in another order."""
    if isinstance(stored, (dict, list)) and isinstance(derived, str):
        return bool(stored == orjson.loads(derived))
    if isinstance(stored, dict) and isinstance(derived, Mapping):
        return bool(stored == orjson.loads(orjson.dumps(derived)))
    if isinstance(stored, (list, tuple)) and isinstance(derived, (list, tuple)):
        return list(stored) == list(derived)
    if stored is None or derived is None or isinstance(stored, (bool, int, float, Decimal)):
        return bool(stored == derived)
    return str(stored) == str(derived)


def _cut(value: Any) -> Any:
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)[:_SAMPLE_TEXT]
