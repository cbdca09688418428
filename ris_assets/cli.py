"""`ris`: thin. Every verb is one call into the package, and every failure a user can cause is one sentence."""

import sys

import click

from ris_assets.cli_bench import bench
from ris_assets.cli_check import check
from ris_assets.cli_forget import forget
from ris_assets.cli_model import model
from ris_assets.cli_reload import reload
from ris_assets.cli_runs import demo, run, train
from ris_assets.cli_source import explore
from ris_assets.errors import RisError

CONTEXT = {"help_option_names": ["-h", "--help"]}
PORT = click.IntRange(1, 65_535)


class _OneSentence(click.Group):
    """Turns errors into one sentence, unless --debug asks for the traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except RisError as error:
            if ctx.params.get("debug"):
                raise
            click.secho(f"ris: {error}", fg="red", err=True)
            sys.exit(1)


@click.group(cls=_OneSentence, context_settings=CONTEXT)
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.version_option(package_name="ris-assets")
def main(debug: bool) -> None:
    """Retention Intelligence System: who is about to leave, why, and what it is worth to keep them.

    State lives in RIS_HOME (default: .ris in the checkout). Without RIS_POSTGRES_URL an embedded
    PostgreSQL is used; without RIS_MONGO_URL, the demo studio.
    """


@main.command()
@click.option(
    "--dagster-port", default=3000, type=PORT, show_default=True, help="Port of the Dagster UI."
)
@click.option(
    "--mlflow-port", default=5000, type=PORT, show_default=True, help="Port of the MLflow UI."
)
def up(dagster_port: int, mlflow_port: int) -> None:
    """Open the Dagster and MLflow pages on loopback, until Ctrl-C."""
    from ris_assets.launcher import serve

    serve(dagster_port, mlflow_port, click.echo)


@main.command()
@click.option("--delete", is_flag=True, help="Delete its databases, too: nothing brings them back.")
def down(delete: bool) -> None:
    """Stop the embedded PostgreSQL."""
    from ris_assets.resources.embedded_postgres import EmbeddedPostgres
    from ris_assets.settings import get_settings

    server = EmbeddedPostgres(get_settings().home)
    server.remove() if delete else server.stop()
    click.echo(f"The embedded PostgreSQL is {'deleted' if delete else 'stopped'}.")


@main.command()
@click.argument("database", type=click.Choice(["postgres", "mlflow"]))
def url(database: str) -> None:
    """Print the libpq URL of the marts (postgres) or of MLflow's database, for psql and the like."""
    from ris_assets.resources.databases import databases
    from ris_assets.settings import get_settings

    found = databases(get_settings())
    click.echo(found.marts if database == "postgres" else found.mlflow)


for verb in (demo, run, train, explore, check, reload, forget, bench, model):
    main.add_command(verb)

if __name__ == "__main__":
    main()
