"""The verbs of `ris` that run jobs: `demo`, `run`, `train`. Each is one call into the package."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from ris_assets.errors import RisError

if TYPE_CHECKING:
    from ris_assets.runs import Progress as OnProgress

DAY = click.DateTime(formats=["%Y-%m-%d"])
LINE_SECONDS = 60.0
"""Between lines of progress where there is no terminal."""


@contextmanager
def bar(console: Console, title: str) -> Iterator["OnProgress"]:
    """A progress bar, as a function of steps done, steps in all, and what was done last; in a file lines instead."""
    if not console.is_terminal:
        with _lines(console, title) as tell:
            yield tell
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<28}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[last]}"),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(title, total=1, last="")

        def advance(done: int, total: int, last: str) -> None:
            progress.update(task, completed=min(done, total), total=total, last=last)

        yield advance
        total = progress.tasks[task].total
        progress.update(task, completed=total, last="")


@contextmanager
def _lines(console: Console, title: str) -> Iterator["OnProgress"]:
    """A line every `LINE_SECONDS`, and one at the end: a bar is drawn nowhere but on a terminal."""
    over, began, state = Event(), monotonic(), (0, 1, "")

    def advance(done: int, total: int, last: str) -> None:
        nonlocal state
        state = min(done, total), total, last

    def tell() -> None:
        done, total, last = state
        passed = timedelta(seconds=round(monotonic() - began))
        words = f"{title}: {done:.0f}/{total:.0f} after {passed}{last and f', {last}'}"
        console.print(words, markup=False, highlight=False, soft_wrap=True)

    def follow() -> None:
        while not over.wait(LINE_SECONDS):
            tell()

    thread = Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield advance
    finally:
        over.set()
        thread.join()
    advance(state[1], state[1], "")
    tell()


def _run(console: Console, title: str, job: str, **arguments: Any) -> None:
    from ris_assets.runs import run_job

    with bar(console, title) as advance:
        run_job(job, progress=advance, **arguments)


@click.command()
@click.option("--members", default=1500, show_default=True, help="Persons in the studio.")
@click.option("--weeks", default=78, show_default=True, help="Weeks of history.")
@click.option("--seed", default=7, show_default=True, help="Seed of the simulation.")
def demo(members: int, weeks: int, seed: int) -> None:
    """Simulate a studio and run everything on it: documents to scores."""
    from ris_assets.demo import prepare_demo
    from ris_assets.launcher import prepare
    from ris_assets.settings import get_settings
    from ris_assets.studio.config import StudioConfig
    from ris_assets.summary import print_summary

    console = Console()
    settings = get_settings()
    config = StudioConfig(members=members, weeks=weeks, seed=seed, timezone=settings.timezone)
    with bar(console, "Simulate the studio") as advance:
        studio = prepare_demo(settings, config, advance)
    prepare()
    days = (studio.first_partition, studio.last_day)
    _run(console, "Documents to snapshots", "marts", days=days)
    _run(console, "Train the models", "training")
    _run(console, "Score the days", "scores", days=days)
    print_summary(console, studio.last_day)


@click.command()
@click.option("--from", "first", type=DAY, required=True, help="First studio day, YYYY-MM-DD.")
@click.option("--to", "last", type=DAY, required=True, help="Last studio day, YYYY-MM-DD.")
@click.option("--train", is_flag=True, help="Train first, on what these days bring.")
def run(first: datetime, last: datetime, train: bool) -> None:
    """Materialize the partitions of a range of studio days."""
    _require_source()
    from ris_assets.launcher import prepare
    from ris_assets.summary import print_summary

    days = _checked(first.date(), last.date())
    console = Console()
    prepare()
    _refuse_without_history(days[0])
    _tell_of_another_map(console)
    if train:
        _run(console, "Documents to snapshots", "marts", days=days)
        _run(console, "Train the models", "training")
        _run(console, "Score the days", "scores", days=_after_training(console, days))
    else:
        _run(console, "Documents to scores", "daily", days=days)
    print_summary(console, days[1])


@click.command()
@click.option("--as-of", type=DAY, help="Learn only what was known at the end of this day.")
@click.option(
    "--search",
    default=0,
    type=click.IntRange(0),
    show_default=True,
    help="Sets of settings to try for every renewal family; below 2 the defaults are taken.",
)
@click.option(
    "--search-seconds",
    default=120.0,
    type=click.FloatRange(0, min_open=True),
    show_default=True,
    help="Seconds a family after which no new set is begun.",
)
def train(as_of: datetime | None, search: int, search_seconds: float) -> None:
    """Train the models on the snapshots there are; the better one becomes champion."""
    from ris_assets.assets.training import training_run_config
    from ris_assets.launcher import prepare
    from ris_assets.summary import print_training

    console = Console()
    prepare()
    _refuse_without_members()
    config = training_run_config(
        as_of.date() if as_of else None, search_trials=search, search_seconds=search_seconds
    )
    _run(console, "Train the models", "training", run_config=config)
    print_training(console)


def _require_source() -> None:
    """Raise RisError if there is no document source: before Dagster, dbt and a database are there to say so."""
    from ris_assets.settings import get_settings

    _ = get_settings().source_url


def _refuse_without_members() -> None:
    """Raise RisError if no day has been run that models could learn from."""
    from ris_assets.resources.postgres import PostgresResource

    if PostgresResource().row_count("ris", "member_snapshot") is None:
        raise RisError(
            "There is nothing to learn from yet: run days first, with `ris run --from ... --to ... --train`,"
            " or make a studio with `ris demo`."
        )


def _refuse_without_history(first: date) -> None:
    """Raise RisError if these days would be built as if nothing had happened before them."""
    from ris_assets.contracts.landing import EXTRACTION_LOG
    from ris_assets.partitions import BEGINNING
    from ris_assets.resources.postgres import PostgresResource
    from ris_assets.settings import get_settings

    start, postgres = get_settings().start_date, PostgresResource()
    postgres.ensure_table(EXTRACTION_LOG)
    log = postgres.read(f"select min(from_day) as earliest from {EXTRACTION_LOG.qualified}")
    if first > start and log["earliest"][0] != BEGINNING:
        raise RisError(
            f"--from {first}: no history has been loaded yet, and all of it belongs to the first partition"
            f" {start}. Begin with --from {start}, or set RIS_START_DATE={first}."
        )


def _tell_of_another_map(console: Console) -> None:
    """Say what a map that was changed since the last run does not do."""
    from ris_assets.ingest.anew import read_with_another_map
    from ris_assets.ingest.map_in_use import source_map_in_use
    from ris_assets.resources.postgres import PostgresResource

    if names := read_with_another_map(PostgresResource(), source_map_in_use()):
        console.print(
            f"The map of {', '.join(names)} has changed: what it reads differently counts from today on. If the"
            f" map before was wrong: ris reload {' '.join(names)}",
            style="yellow",
            highlight=False,
        )


def _after_training(console: Console, days: tuple[date, date]) -> tuple[date, date]:
    """The days that the models can be asked of: what they were fitted on they know beforehand."""
    from ris_assets import tracking
    from ris_assets.resources.mlflow import MlflowResource

    MlflowResource().activate()
    learned = tracking.learned_through()
    if learned is None or not days[0] <= learned < days[1]:
        return days
    console.print(
        f"Scores begin after {learned}: the models were fitted on what was known by then.",
        highlight=False,
    )
    return learned + timedelta(days=1), days[1]


def _checked(first: date, last: date) -> tuple[date, date]:
    """The range, if its days are over and have partitions."""
    from ris_assets.partitions import yesterday
    from ris_assets.settings import get_settings

    settings = get_settings()
    if last < first:
        raise RisError(f"--to {last} lies before --from {first}.")
    if last > yesterday(settings.zone):
        raise RisError(f"--to {last} is not over yet in {settings.timezone}.")
    if first < settings.start_date:
        raise RisError(
            f"--from {first} lies before the first partition {settings.start_date}, which carries all"
            " history before it (RIS_START_DATE)."
        )
    return first, last
