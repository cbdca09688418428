"""The three databases (marts, Dagster, MLflow) of the one PostgreSQL in use: the user's, or the embedded one."""

from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from ris_assets.errors import RisError
from ris_assets.resources.embedded_postgres import EmbeddedPostgres
from ris_assets.settings import Settings

MARTS = "ris"
_SUFFIXES = {"dagster": "_dagster", "mlflow": "_mlflow"}


@dataclass(frozen=True)
class Databases:
    """libpq URLs (`postgresql://...`), passwords included: never log them."""

    marts: str
    dagster: str
    mlflow: str

    def __repr__(self) -> str:
        """Without passwords."""
        return "Databases(...)"


@lru_cache(maxsize=4)
def databases(settings: Settings) -> Databases:
    """Where the databases are; starts the embedded server and creates what is missing.

    Raises:
        RisError: the server cannot be reached, or a database cannot be created.
    """
    if settings.postgres_url is None:
        server = EmbeddedPostgres(settings.home)
        server.start()
        found = Databases(
            *(server.url(name) for name in (MARTS, f"{MARTS}_dagster", f"{MARTS}_mlflow"))
        )
        _create_missing(server.url("postgres"), found)
        return found
    found = Databases(
        settings.postgres_url,
        settings.dagster_postgres_url or _sibling(settings.postgres_url, _SUFFIXES["dagster"]),
        settings.mlflow_postgres_url or _sibling(settings.postgres_url, _SUFFIXES["mlflow"]),
    )
    _create_missing(found.marts, found)
    return found


def sqlalchemy_url(url: str) -> str:
    """A libpq URL as SQLAlchemy needs it: the driver named, or it picks one that Dagster breaks on."""
    return "postgresql+psycopg2://" + url.split("://", 1)[1]


def _sibling(url: str, suffix: str) -> str:
    """The URL of the database beside, whose name ends in `suffix`."""
    parts = urlsplit(url)
    name = parts.path.strip("/") or MARTS
    return urlunsplit(parts._replace(path=f"/{name}{suffix}"))


def _create_missing(entry: str, found: Databases) -> None:
    """Create the databases that do not exist, by way of one that does."""
    try:
        with psycopg.connect(entry, autocommit=True, connect_timeout=10) as connection:
            present = {name for (name,) in connection.execute("select datname from pg_database")}
            for url in (found.marts, found.dagster, found.mlflow):
                name = conninfo_to_dict(url)["dbname"]
                if name not in present and _same_server(url, entry):
                    connection.execute(
                        sql.SQL("create database {}").format(sql.Identifier(str(name)))
                    )
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[0]
        raise RisError(f"PostgreSQL cannot be reached: {reason}. Check RIS_POSTGRES_URL.") from None
    except psycopg.errors.InsufficientPrivilege as error:
        raise RisError(
            f"A database is missing and may not be created ({error}): create it, or set"
            " RIS_DAGSTER_POSTGRES_URL and RIS_MLFLOW_POSTGRES_URL."
        ) from None


def _same_server(url: str, entry: str) -> bool:
    one, other = conninfo_to_dict(url), conninfo_to_dict(entry)
    return (one.get("host"), one.get("port")) == (other.get("host"), other.get("port"))
