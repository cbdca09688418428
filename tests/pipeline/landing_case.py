"""A landing schema of its own and a dump folder to fill it from: what the extraction tests share."""

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import bson
import polars as pl
import psycopg

from ris_assets.contracts.entities import ENTITIES
from ris_assets.extract.source_map import SourceMap
from ris_assets.ingest.entity import Counts, Ingestion, ingest
from ris_assets.partitions import Window
from ris_assets.resources.embedded_postgres import EmbeddedPostgres
from ris_assets.resources.landing import ensure_landing
from ris_assets.resources.mongo import DumpSource
from ris_assets.resources.personal import ensure_personal
from ris_assets.resources.postgres import PostgresResource

ALMATY = ZoneInfo("Asia/Almaty")
DAY = date(2024, 1, 1)
NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


def fresh_database(server: EmbeddedPostgres, name: str = "landing") -> PostgresResource:
    """An empty landing schema in a database of its own: a copy of one that is made once a server."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"drop database if exists {name} with (force)")
        if not connection.execute("select from pg_database where datname = 'empty'").rowcount:
            connection.execute("create database empty")
            empty = PostgresResource(url=server.url("empty"))
            ensure_landing(empty)
            ensure_personal(empty)
        connection.execute(f"create database {name} template empty")
    return PostgresResource(url=server.url(name))


def write_dump(folder: Path, **collections: list[dict]) -> None:
    """Replace collections of a dump folder."""
    folder.mkdir(exist_ok=True)
    for name, documents in collections.items():
        (folder / f"{name}.bson").write_bytes(b"".join(map(bson.encode, documents)))


@dataclass
class Case:
    """A database, a folder and a map."""

    postgres: PostgresResource
    folder: Path
    source_map: SourceMap
    warnings: list[str] = field(default_factory=list)

    def dump(self, **collections: list[dict]) -> None:
        write_dump(self.folder, **collections)

    @contextmanager
    def open_dump(self):
        yield DumpSource(self.folder)

    def land(self, entity: str, *days: date, source=None, **options) -> Counts | None:
        """Extract one entity; `days` are the first and last of a window."""
        window = Window(days[0], days[-1], ALMATY) if days else None
        return ingest(
            Ingestion(
                ENTITIES[entity],
                self.source_map,
                source or self.open_dump,
                self.postgres,
                ALMATY,
                window,
                warn=self.warnings.append,
                **options,
            )
        )

    def rows(self, query: str) -> list[tuple]:
        with psycopg.connect(self.postgres.libpq_url) as connection:
            return connection.execute(query).fetchall()

    def frame(self, query: str) -> pl.DataFrame:
        return self.postgres.read(query)
