"""`ris check`: hold a source map against the database. One call into the package, and a table of what it finds."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from ris_assets.ingest.holding import PartHeld


@click.command()
@click.option(
    "--map", "path", type=click.Path(path_type=Path), help="The map; default: the one in use."
)
@click.option(
    "--sample",
    default=20_000,
    type=click.IntRange(0),
    show_default=True,
    help="Documents looked at per collection; 0: all.",
)
@click.option("--strict", is_flag=True, help="Let warnings fail, too.")
@click.option(
    "--json", "out", type=click.Path(path_type=Path), help="Write everything found as JSON."
)
@click.option("--schema", is_flag=True, help="Print the map's JSON Schema for editors, and stop.")
def check(path: Path | None, sample: int, strict: bool, out: Path | None, schema: bool) -> None:
    """Hold a source map against the database: exit code 1 if it would not do.

    Finds missing paths and types that do not convert, fill and ranges per field, rows that would be
    refused with examples, and rows that refer to nobody. Writes nothing to any database.
    """
    from ris_assets.extract.source_map import source_map_schema

    if schema:
        click.echo(json.dumps(source_map_schema(), indent=2, ensure_ascii=False))
        return
    console = Console()
    found = _held(console, path, sample)
    console.print(_table(found))
    errors, warnings = _print_findings(console, found)
    if out:
        out.write_text(json.dumps([asdict(part) for part in found], indent=2, default=str))
    if errors or (strict and warnings):
        sys.exit(1)


def _held(console: Console, path: Path | None, sample: int) -> list["PartHeld"]:
    from ris_assets.extract.source_map import load_source_map
    from ris_assets.ingest.holding import Holder
    from ris_assets.ingest.map_in_use import source_map_in_use
    from ris_assets.ingest.progress import listening
    from ris_assets.resources.mongo import MongoResource
    from ris_assets.settings import get_settings

    source_map = load_source_map(path) if path else source_map_in_use()
    with MongoResource().open() as source, console.status("Reading") as status:
        holder = Holder(source_map, source, get_settings().zone, sample)
        with listening(lambda text: status.update(f"Reading {text}")):
            return holder.hold()


def _table(found: list["PartHeld"]) -> Table:
    table = Table(title="The source map, held against the database")
    for name in ("entity", "collection"):
        table.add_column(name, overflow="fold")
    for name in ("looked at", "rows", "refused", "fields", "misfits", "orphans"):
        table.add_column(name, justify="right")
    for part in found:
        filled = sum(one.filled > 0 for one in part.fields)
        table.add_row(
            part.entity,
            part.collection,
            f"{part.documents:,}",
            f"{part.rows:,}",
            f"{part.refused:,}",
            f"{filled}/{len(part.fields)}",
            f"{sum(one.misfits for one in part.fields):,}",
            f"{sum(part.orphans.values()):,}",
        )
    return table


def _print_findings(console: Console, found: list["PartHeld"]) -> tuple[int, int]:
    """Print what was found; the number of errors and of warnings."""
    findings = [finding for part in found for finding in part.findings]
    for finding in sorted(findings, key=lambda f: (f.level, f.place)):
        colour = "red" if finding.level == "error" else "yellow"
        console.print(f"[{colour}]{finding.level}[/] {finding.place}: ", end="")
        console.print(finding.text, markup=False, highlight=False)
    errors = sum(finding.level == "error" for finding in findings)
    warnings = len(findings) - errors
    console.print(f"{_counted(errors, 'error')}, {_counted(warnings, 'warning')}")
    return errors, warnings


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
