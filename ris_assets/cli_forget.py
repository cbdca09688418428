"""`ris forget`: erase a person. One call into the package, after a look at what it will take."""

import click
from rich.console import Console
from rich.table import Table

from ris_assets.errors import RisError


@click.command()
@click.argument("user")
@click.option("--yes", is_flag=True, help="Do not ask.")
def forget(user: str, yes: bool) -> None:
    """Erase a person from every table, artifact and file, for good.

    USER is the person's id as it stands in `ris.core_user`. Shows first what will be erased. The source
    itself is not changed; the person does not come back with the next extraction.
    """
    from ris_assets.forget import Erased
    from ris_assets.forget import forget as erase
    from ris_assets.resources.postgres import WAITING, PostgresResource
    from ris_assets.settings import get_settings

    console, settings, postgres = Console(), get_settings(), PostgresResource()
    found: Erased = erase(postgres, settings.home, user, only_look=True)
    if found.is_nothing:
        raise RisError(f"Nothing is known of {user}: is it an id of `ris.core_user`?")
    console.print(_table(found))
    if not yes:
        click.confirm("Erase all of this? It cannot be undone", abort=True)
    # A run that has read the person already would write rows of them afterwards.
    with postgres.alone(lambda: console.print(WAITING)):
        erased = erase(postgres, settings.home, user)
    console.print(
        f"Erased: {sum(erased.rows.values()):,} rows of {len(erased.rows)} tables, {len(erased.files)} files."
        " Models trained with the person's data stay until they are trained again: ris train."
    )


def _table(found: object) -> Table:
    from ris_assets.forget import Erased

    assert isinstance(found, Erased)
    table = Table(title="What will be erased")
    table.add_column("table or file")
    table.add_column("rows", justify="right")
    for name, rows in sorted(found.rows.items()):
        table.add_row(name, f"{rows:,}")
    for name in found.files:
        table.add_row(name, "")
    return table
