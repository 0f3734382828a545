"""`debug-loop onex check | contracts | export | list`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from debug_loop_pipeline.cli.output import JsonOption, print_json, print_table
from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.onex.check import Checked, Checker, package_root
from debug_loop_pipeline.onex.contracts import contracts_folder, export_nodes, write_contracts
from debug_loop_pipeline.onex.findings import Rule
from debug_loop_pipeline.onex.generated import check_generated, load_units, write_contract
from debug_loop_pipeline.onex.registry import UNITS
from debug_loop_pipeline.onex.source import Source

app = typer.Typer(add_completion=False, no_args_is_help=True, help="The units as ONEX nodes: rules and contracts.")


UnitsOption = Annotated[
    Path | None, typer.Option("--units", help="A folder of units that `debug-loop new` wrote, in place of the twenty.")
]


@app.command()
def check(units: UnitsOption = None, json: JsonOption = False) -> None:
    """Check every unit against the rules of its kind and its contract; exit code 1 where one is broken."""
    results = _checked(units)
    passed = sum(result.passed for result in results)
    if json:
        print_json(
            {
                "passed": passed,
                "units": sum(result.kind is not None for result in results),
                "findings": [finding.told() for result in results for finding in result.findings],
            }
        )
    else:
        for result in results:
            _show(result)
        typer.echo(f"{passed} of {len(results)} passed")
    if passed < len(results):
        raise typer.Exit(1)


def _checked(units: Path | None) -> list[Checked]:
    if units is None:
        return Checker(UNITS, Source(package_root())).all(contracts_folder())
    return [check_generated(generated) for generated in load_units(units)]


_NOTHING_DIFFERS = "every contract says what the code says"


def _show(result: Checked) -> None:
    if result.passed:
        typer.echo(f"pass  {result.unit}")
        return
    typer.secho(f"FAIL  {result.unit}", fg=typer.colors.RED)
    for finding in result.findings:
        typer.echo(f"      {finding.where}: {finding.what} [{finding.rule}]")
    for rule in dict.fromkeys(finding.rule for finding in result.findings):
        finding = next(found for found in result.findings if found.rule is rule)
        typer.echo(f"      {rule}: {finding.why}\n      {' ' * len(rule)}  {finding.fix}")


@app.command()
def contracts(
    units: UnitsOption = None,
    write: Annotated[bool, typer.Option("--write", help="Write what differs; without it, only tell.")] = False,
) -> None:
    """Tell which contracts differ from the code, or write them."""
    if write:
        if units is None:
            changed = write_contracts(UNITS, Source(package_root()), contracts_folder())
        else:
            changed = [generated.contract for generated in load_units(units) if write_contract(generated)]
        typer.echo("\n".join(map(str, changed)) or _NOTHING_DIFFERS)
        return
    results = _checked(units)
    differing = [finding for result in results for finding in result.findings if finding.rule is Rule.CONTRACT]
    for finding in differing:
        typer.echo(f"{finding.where}: {finding.what}")
    if differing:
        raise DebugLoopError("the contracts differ from the code; `debug-loop onex contracts --write` writes them")
    typer.echo(_NOTHING_DIFFERS)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(file_okay=False, help="Where to write; made where it is missing.")],
) -> None:
    """Write a folder per unit as omnibase-core's `onex compliance check` looks for it."""
    written = export_nodes(UNITS, Source(package_root()), folder)
    typer.echo(f"{len(written)} nodes in {folder}")


@app.command("list")
def list_(json: JsonOption = False) -> None:
    """List the units: name, kind, target, operations, purpose."""
    rows = [
        (
            unit.node_name,
            unit.kind.value,
            f"{unit.performance.p95_ms} ms",
            ", ".join(operation.name for operation in unit.operations),
            unit.purpose,
        )
        for unit in UNITS
    ]
    columns = ("node", "kind", "target", "operations", "purpose")
    if json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table(columns, rows)
