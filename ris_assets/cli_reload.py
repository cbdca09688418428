"""`ris reload`: read entities as if for the first time. One call into the package."""

import click
from rich.console import Console

from ris_assets.contracts.entities import ENTITIES


@click.command()
@click.argument("entities", nargs=-1, required=True, type=click.Choice(list(ENTITIES)))
@click.option("--yes", is_flag=True, help="Do not ask.")
def reload(entities: tuple[str, ...], yes: bool) -> None:
    """Drop what was read of ENTITIES, so that the next run reads them as if for the first time.

    For a source map that was wrong: what a mended map reads differently would count from today on. The versions
    that documents had in the past are lost, and the days must be run again from the first one.
    """
    from ris_assets.ingest.anew import forget_extractions
    from ris_assets.resources.postgres import WAITING, PostgresResource
    from ris_assets.settings import get_settings

    if not yes:
        click.confirm(f"Drop all versions of {', '.join(entities)} from ris_raw?", abort=True)
    postgres = PostgresResource()
    with postgres.alone(lambda: click.echo(WAITING)):
        dropped = forget_extractions(postgres, entities)
    for name, rows in dropped.items():
        click.echo(f"{name}: {rows:,} rows dropped")
    start = get_settings().start_date
    Console().print(f"Next: ris run --from {start} --to <yesterday> --train", markup=False)
