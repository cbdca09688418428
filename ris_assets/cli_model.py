"""`ris model`: who is champion, and back to the one before."""

import click
from rich.console import Console
from rich.table import Table

from ris_assets.errors import RisError

NAMES = {"renewal": "ris_renewal", "survival": "ris_survival"}


@click.group()
def model() -> None:
    """The registered models: see who scores, go back to the one before."""


@model.command("list")
def list_versions() -> None:
    """Versions of every model, what the gate said, and who is champion."""
    from ris_assets import tracking

    _activate()
    found = {name: tracking.versions(name) for name in NAMES.values()}
    if not any(found.values()):
        raise RisError("No model has been trained yet: `ris train`, or `ris run --train`, does.")
    table = Table("model", "version", "family", "fitted through", "decision", "")
    for name, versions in found.items():
        champion = tracking.champion_version(name)
        for version, tags in versions:
            table.add_row(
                name,
                str(version),
                tags.get("family", ""),
                tags.get("fitted_through", ""),
                tags.get("decision", ""),
                "champion" if version == champion else "",
            )
    console = Console()
    console.print(table)
    for name, versions in found.items():
        for version, tags in versions:
            console.print(
                f"{name} {version}: {tags.get('gate', '')}", markup=False, highlight=False
            )


@model.command()
@click.argument("which", type=click.Choice([*NAMES, "all"]), default="renewal")
def rollback(which: str) -> None:
    """Make the champion before the champion again. The next scores name its version.

    A model that has none before it stays, and is named; where no model goes back the command fails.
    """
    from ris_assets import tracking

    _activate()
    names, stay = list(NAMES.values()) if which == "all" else [NAMES[which]], []
    for name in names:
        try:
            was, now = tracking.rollback(name)
        except RisError as error:
            stay.append(str(error))
        else:
            click.echo(f"{name}: version {now} is champion again, {was} no longer is.")
    if len(stay) == len(names):
        raise RisError(" ".join(stay))
    for reason in stay:
        click.echo(reason)


def _activate() -> None:
    from ris_assets.launcher import prepare
    from ris_assets.resources.mlflow import MlflowResource

    prepare()
    MlflowResource().activate()
