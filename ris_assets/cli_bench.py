"""`ris bench`: the benchmarks of a checkout. One call into `benchmarks/`, and a table of ratios."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from ris_assets.errors import RisError
from ris_assets.settings import REPO_ROOT

EXTRACTION_PARTS = ("dump", "server", "dlt", "memory", "increment")
WEEKLY_PARTS = ("rebuild", "increment", "rebuild-alone", "increment-alone")


def _among(parts: tuple[str, ...]) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """A callback: words parted by commas, each of them one of `parts`."""

    def words(_context: click.Context, _parameter: click.Parameter, given: str) -> list[str]:
        named = [word.strip() for word in given.split(",") if word.strip()]
        unknown = [word for word in named if word not in parts]
        if unknown or not named:
            raise click.BadParameter(
                f"{', '.join(unknown) or 'nothing'} is no part of it: {', '.join(parts)}"
            )
        return named

    return words


@click.group()
def bench() -> None:
    """Measure against peers, side by side in one run."""


@bench.command()
@click.option("--documents", default=1_000_000, show_default=True, help="Bookings.")
@click.option("--rounds", default=3, show_default=True, help="How often each side runs, in turn.")
@click.option(
    "--only",
    default=",".join(EXTRACTION_PARTS),
    show_default=True,
    callback=_among(EXTRACTION_PARTS),
    help="Parts, separated by commas.",
)
@click.option(
    "--folder", type=click.Path(path_type=Path), help="Where documents and server may lie."
)
@click.option("--out", type=click.Path(path_type=Path), help="Write the results as JSON.")
def extraction(
    documents: int, rounds: int, only: list[str], folder: Path | None, out: Path | None
) -> None:
    """Documents to landing tables, against bare decoding, find_polars_all and dlt."""
    _from_the_checkout()
    from benchmarks.extraction import run

    results = run(documents, rounds, only, folder)
    Console().print(_table(results))
    if out:
        out.write_text(json.dumps(results, indent=2))


@bench.command()
@click.option("--members", default=20_000, show_default=True, help="Members: 1,500, repeated.")
@click.option("--weeks", default=104, show_default=True, help="Weeks of history.")
@click.option(
    "--only",
    default="rebuild,increment",
    show_default=True,
    callback=_among(WEEKLY_PARTS),
    help="rebuild: weekly facts against pandas; increment: a day against all, on half of the weeks and on all;"
    " rebuild-alone: without pandas; increment-alone: on all of the weeks.",
)
@click.option(
    "--pandas-members",
    default=20_000,
    show_default=True,
    help="Members that pandas takes at once; it needs 1 GiB for about 1,100 of 104 weeks.",
)
@click.option("--folder", type=click.Path(path_type=Path), help="Where the server may lie.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the results as JSON.")
def weekly(
    members: int,
    weeks: int,
    only: list[str],
    pandas_members: int,
    folder: Path | None,
    out: Path | None,
) -> None:
    """Weekly facts with norms against pandas; a day's increment against the rebuild of everything."""
    _from_the_checkout()
    from benchmarks.weekly import run

    results = run(members, weeks, only, pandas_members, folder)
    print(json.dumps(results, indent=2))
    if out:
        out.write_text(json.dumps(results, indent=2))


@bench.command()
@click.option(
    "--sets", default="gbsg2,whas500,veterans,flchain", show_default=True, help="Data sets."
)
@click.option("--out", type=click.Path(path_type=Path), help="Write the results as JSON.")
def survival(sets: str, out: Path | None) -> None:
    """RIS's survival estimators beside Cox, survival forests and boosting, on public data sets."""
    _from_the_checkout()
    from benchmarks.survival_sets import names_of, run

    results = run(names_of(sets.split(",")))
    if out:
        out.write_text(json.dumps(results, indent=2))


@bench.command()
@click.option("--person-weeks", default="100000", show_default=True, help="Sizes, by commas.")
@click.option(
    "--limit", default=900.0, show_default=True, help="Seconds after which a side is stopped."
)
@click.option("--out", type=click.Path(path_type=Path), help="Write the results as JSON.")
def fits(person_weeks: str, limit: float, out: Path | None) -> None:
    """Fit time and memory of hazards beside lifelines' time-varying Cox and a survival forest."""
    _from_the_checkout()
    from benchmarks.hazard_fits import run

    results = run([int(size) for size in person_weeks.split(",")], limit)
    if out:
        out.write_text(json.dumps(results, indent=2))


@bench.command()
@click.option("--members", default="1500,10000", show_default=True, help="Sizes of the studio.")
@click.option("--thin", is_flag=True, help="Instead: the learning curve of small studios.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the results as JSON.")
def skill(members: str, thin: bool, out: Path | None) -> None:
    """Share of the attainable skill, on the demo studio in RIS_HOME (make a large one with `ris demo`)."""
    _from_the_checkout()
    from benchmarks.attainable_skill import learning_curve, run

    sizes = [int(size) for size in members.split(",")]
    results = learning_curve() if thin else run(sizes)
    if out:
        out.write_text(json.dumps(results, indent=2))


def _from_the_checkout() -> None:
    """Make `benchmarks` importable."""
    if not (REPO_ROOT / "benchmarks").is_dir():
        raise RisError("The benchmarks are in the checkout, not in the installed package.")
    sys.path.insert(0, str(REPO_ROOT))


def _table(results: dict[str, Any]) -> Table:
    table = Table(title="Extraction")
    for name in ("part", "side"):
        table.add_column(name)
    for name in ("ratio", "documents/s", "median", "peak MiB"):
        table.add_column(name, justify="right")
    for part, sides in results.items():
        first = next(iter(sides.values()))["best"]
        for side, found in sides.items():
            ratio = f"{first / found['best']:.2f}" if part != "increment" else ""
            if part == "increment" and side != "full":
                ratio = f"{found['seconds'] / sides['full']['seconds']:.3f}"
            table.add_row(
                part,
                side,
                ratio,
                f"{found['best']:,.0f}",
                f"{found['median']:,.0f}" if "median" in found else "",
                f"{found['peak_mib']:.0f}" if "peak_mib" in found else "",
            )
    return table
