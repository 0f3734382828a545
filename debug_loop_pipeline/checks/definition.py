"""How a rule becomes a Dagster check.

Here: names, severities, what a finding shows. Not here: what must hold (`rules`, and the table of each part).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import dagster as dg

from debug_loop_pipeline.assets.tables import table_sample
from debug_loop_pipeline.checks.rules import Finding, schema_as_migrated
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.resources.servers import PostgresResource

_AFTER_THE_ASSETS = {"dagster/priority": "-1"}
"""A step that holds nothing back runs when no asset of the run is left to do: the rows are there half a run earlier."""


@dataclass(frozen=True, slots=True)
class Check:
    """A rule about the rows of an asset as they stand."""

    asset: str
    name: str
    description: str
    decide: Callable[[Database], Finding]
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR
    blocking: bool = False
    """Whether what is downstream waits for it in the same run."""

    @property
    def key(self) -> dg.AssetCheckKey:
        """The check as Dagster knows it."""
        return dg.AssetCheckKey(dg.AssetKey(self.asset), self.name)

    def result(self, database: Database) -> dg.AssetCheckResult:
        """Looks at the rows. Raises what the database raises: a check that cannot run neither passes nor fails."""
        return shown(self.decide(database), self.severity, self.key)


def shown(
    finding: Finding, severity: dg.AssetCheckSeverity, key: dg.AssetCheckKey | None = None
) -> dg.AssetCheckResult:
    """A finding as Dagster shows it; `key` where one step looks at several checks."""
    metadata = dict(finding.numbers)
    if finding.offenders:
        metadata["offenders"] = table_sample(finding.offenders)
    return dg.AssetCheckResult(
        passed=bool(finding.passed),
        asset_key=None if key is None else key.asset_key,
        check_name=None if key is None else key.name,
        # Not enough rows to tell: a warning that says so. Dagster has no third state.
        severity=dg.AssetCheckSeverity.WARN if finding.passed is None else severity,
        metadata=metadata,
    )


def schema_check(asset: str, tables: Sequence[str]) -> Check:
    """The check that an asset's tables are as they were migrated."""

    def decide(database: Database) -> Finding:
        findings = [(table, schema_as_migrated(database, table)) for table in tables]
        offenders = [{"table": table, **row} for table, finding in findings for row in finding.offenders]
        return Finding(not offenders, {table: finding.numbers["columns"] for table, finding in findings}, offenders)

    return Check(asset, f"{asset}_schema", "The tables have the columns that the migrations give them.", decide)


def checks_of_assets(checks: Iterable[Check]) -> list[dg.AssetChecksDefinition]:
    """The checks as Dagster steps: those of an asset that block in one, the others in another.

    One step per check would take longer than the checks: each step reads the partitions of the asset it looks at.
    """
    ordered = sorted(checks, key=lambda check: (check.asset, check.blocking))
    return [
        _step(f"{asset}_{'gate' if blocking else 'checks'}", list(group), blocking=blocking)
        for (asset, blocking), group in groupby(ordered, key=lambda check: (check.asset, check.blocking))
    ]


def _step(name: str, checks: Sequence[Check], *, blocking: bool) -> dg.AssetChecksDefinition:
    specs = [
        dg.AssetCheckSpec(check.name, asset=check.asset, description=check.description, blocking=check.blocking)
        for check in checks
    ]

    @dg.multi_asset_check(name=name, specs=specs, can_subset=True, op_tags={} if blocking else _AFTER_THE_ASSETS)
    def step(context: dg.AssetCheckExecutionContext, postgres: PostgresResource) -> Iterator[dg.AssetCheckResult]:
        errors: list[Exception] = []
        for check in checks:
            if check.key not in context.selected_asset_check_keys:
                continue
            try:
                result = check.result(postgres.database())
            except (
                Exception
            ) as error:  # the other rules still say what they find; then the step fails with all of these
                error.add_note(f"while checking {check.asset}: {check.name}")
                errors.append(error)
                continue
            yield result
        if errors:
            raise ExceptionGroup("checks that could not run", errors)

    return step
