"""The verb of `ris` that gets to know a source: `explore`. One call into the package."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ris_assets.cli_runs import bar
from ris_assets.extract.profiling.explore import Bounds
from ris_assets.extract.profiling.report import count_text, size_text

if TYPE_CHECKING:
    from ris_assets.extract.profiling.write import Explored

FILE = click.Path(path_type=Path)


@click.command()
@click.option(
    "--sample",
    default=Bounds.documents,
    show_default=True,
    type=click.IntRange(1),
    help="Documents looked at in each collection, at most.",
)
@click.option(
    "--seconds",
    default=Bounds.seconds,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="Time for each collection, at most.",
)
@click.option("--out", type=FILE, help="Folder of the reports; default: schemas in RIS_HOME.")
@click.option("--draft", type=FILE, help="File of the drafted source map; default: in the folder.")
def explore(sample: int, seconds: float, out: Path | None, draft: Path | None) -> None:
    """Profile the document source and draft a source map.

    Writes collections, fields, types, fill, examples (personal ones masked) and references as JSON, HTML
    and markdown, and a first guess at a source map. Only reads from the source.
    """
    from ris_assets.extract.profiling.write import explore_and_write
    from ris_assets.resources.mongo import MongoResource
    from ris_assets.settings import get_settings

    console = Console()
    settings = get_settings()
    with MongoResource().open() as source, bar(console, "Explore the source") as advance:
        found = explore_and_write(
            source,
            out or settings.home / "schemas",
            settings.timezone,
            draft,
            Bounds(sample, seconds),
            advance,
        )
    console.print(_collections(found))
    console.print(_guesses(found))
    for path in found.paths:
        console.print(f"  {path}", markup=False, highlight=False, soft_wrap=True)


def _collections(found: "Explored") -> Table:
    table = Table(title="Collections")
    table.add_column("collection")
    for name in ("documents", "size", "looked at", "paths"):
        table.add_column(name, justify="right")
    table.add_column("drafted as")
    for one in found.profile.collections:
        drafted = [
            g.entity for g in found.mapped if g.frame and g.frame.collection.name == one.name
        ]
        table.add_row(
            escape(one.name),
            count_text(one.documents),
            size_text(one.size_bytes),
            f"{one.sampled:,}",
            f"{len(one.fields) + one.further_paths:,}",
            f"[yellow]{escape(one.problem)}[/]" if one.problem else ", ".join(drafted),
        )
    return table


def _guesses(found: "Explored") -> Table:
    table = Table(title="Drafted source map")
    for name in ("entity", "where"):
        table.add_column(name)
    table.add_column("confidence", justify="right")
    table.add_column("not found, and needed")
    for guess in found.guesses:
        if guess.frame:
            style = "" if guess.is_active else "dim"
            confidence = f"{guess.confidence:.2f}"
            where, missing = escape(guess.frame.place), ", ".join(guess.missing)
            table.add_row(guess.entity, where, confidence, missing, style=style)
    return table
