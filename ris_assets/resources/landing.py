"""The landing schema `ris_raw`: how rows of each entity are kept, and what was refused.

Everything of one extraction (rows, rejects, log) commits in one transaction, so a crash neither loses
nor doubles anything.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl
import psycopg

from ris_assets.contracts.columns import Column, Table
from ris_assets.contracts.entities import ENTITIES, RAW_SCHEMA, Entity, Keeping
from ris_assets.partitions import Window, start_of_day
from ris_assets.resources.postgres import PostgresResource, copy_frame
from ris_assets.settings import get_settings

EXTRACTION_LOG = Table(
    RAW_SCHEMA,
    "extraction_log",
    "One row per extraction of an entity",
    ("entity", "finished_at"),
    (
        Column("entity", "text", "Entity", True),
        Column("from_day", "date", "First studio day of the window; null: not by day"),
        Column("through_day", "date", "Last studio day of the window; null: not by day"),
        Column("rows_read", "int8", "Documents read", True),
        Column("rows_written", "int8", "Rows or versions written", True),
        Column("rows_rejected", "int8", "Rows refused", True),
        Column("is_mapped", "bool", "The source has this entity", True),
        Column("finished_at", "timestamptz", "When the extraction committed", True),
    ),
)
REJECTS = Table(
    RAW_SCHEMA,
    "rejects",
    "What did not fit: one row per document and field, with the whole document",
    ("entity", "source_id", "field"),
    (
        Column("entity", "text", "Entity", True),
        Column("source_id", "text", "Identity of the document (and array element)", True),
        Column("field", "text", "Field that did not fit", True),
        Column("value", "text", "The value as found"),
        Column("reason", "text", "Why it does not fit", True),
        Column("is_row_kept", "bool", "The row was kept with this field null", True),
        Column("document", "jsonb", "The whole document, MongoDB extended JSON"),
        Column("rejected_at", "timestamptz", "When it was refused", True),
    ),
)
HOLIDAYS = Table(
    RAW_SCHEMA,
    "holidays",
    "Public holidays of the studio's country",
    ("calendar_date",),
    (
        Column("calendar_date", "date", "The day", True),
        Column("name", "text", "Name of the holiday", True),
    ),
)


@dataclass(frozen=True)
class Counts:
    """What one extraction did."""

    read: int = 0
    written: int = 0
    rejected: int = 0


def ensure_landing(postgres: PostgresResource) -> None:
    """Create the landing tables of all entities, mapped or not: absent ones stay empty."""
    for table in (EXTRACTION_LOG, REJECTS, HOLIDAYS, *(e.table for e in ENTITIES.values())):
        postgres.ensure_table(table)


class Landing:
    """One extraction of one entity, within an open transaction."""

    def __init__(self, connection: psycopg.Connection, entity: Entity) -> None:
        """Rows collect in a temporary table until `finish`."""
        self._connection = connection
        self._entity = entity
        self._fields = [column.name for column in entity.fields]
        columns = ", ".join(f'"{c.name}" {c.type}' for c in entity.fields)
        connection.execute("drop table if exists incoming")
        connection.execute(
            f"create temp table incoming (source_id text, event_at timestamptz,"
            f" changed_at timestamptz, {columns}) on commit drop"
        )
        if entity.keeping is Keeping.VERSIONS:
            # Read whole every time: what fits by now is no longer refused.
            connection.execute(f"delete from {REJECTS.qualified} where entity = %s", [entity.name])

    def add(self, rows: pl.DataFrame) -> None:
        """Collect a batch of rows."""
        copy_frame(self._connection, "incoming", rows)

    def refuse(self, rejects: pl.DataFrame) -> None:
        """Keep what did not fit: `source_id, field, value, reason, is_row_kept, document`."""
        if rejects.is_empty():
            return
        self._connection.execute("create temp table if not exists refused (source_id text, field text,"
                                 " value text, reason text, is_row_kept bool, document jsonb)"
                                 " on commit drop")  # fmt: skip
        copy_frame(self._connection, "refused", rejects)
        self._connection.execute(
            f"""insert into {REJECTS.qualified}
            select distinct on (source_id, field) %s, source_id, field, value, reason, is_row_kept,
                   document, now() from refused
            on conflict (entity, source_id, field) do update set value = excluded.value,
              reason = excluded.reason, is_row_kept = excluded.is_row_kept,
              document = excluded.document""",
            [self._entity.name],
        )
        self._connection.execute("truncate refused")

    def finish(self, window: Window | None) -> int:
        """Move the collected rows into the landing table; the number written."""
        if self._entity.keeping is Keeping.VERSIONS:
            return self._add_versions()
        if window is None:
            raise ValueError(f"{self._entity.name} is kept by day and needs a window")
        return self._replace_days(window.starts_at, window.ends_at)

    def _select(self, known_at: str) -> str:
        fields = ", ".join(f'i."{name}"' for name in self._fields)
        return (
            f"select distinct on (i.source_id) i.source_id, i.event_at, {known_at} as known_at,"
            f" md5(row({fields})::text) as content_hash, {fields} from incoming i"
        )

    def _replace_days(self, starts_at: datetime, ends_at: datetime) -> int:
        table = self._entity.table.qualified
        self._connection.execute(
            f"delete from {table} where event_at >= %s and event_at < %s", [starts_at, ends_at]
        )
        # A document whose event moved to another day since its last extraction moves with it.
        self._connection.execute(
            f"delete from {table} t using incoming i where t.source_id = i.source_id"
        )
        done = self._connection.execute(
            f"insert into {table} {self._select('coalesce(i.changed_at, i.event_at)')}"
        )
        return done.rowcount

    def _add_versions(self) -> int:
        """Add a version of every document that is new or differs from its latest version.

        A change without a time of its own counts as known at the end of the last whole studio day: the
        night's extraction belongs to the day before it.
        """
        table = self._entity.table.qualified
        zone = get_settings().zone
        last_night = start_of_day(datetime.now(zone).date(), zone) - timedelta(microseconds=1)
        known_at = "coalesce(i.changed_at, %s)"
        done = self._connection.execute(
            f"""
            with fresh as materialized ({self._select(known_at)}),
            latest as (
                select distinct on (source_id) source_id, known_at, content_hash
                from {table} order by source_id, known_at desc
            )
            insert into {table}
            select f.source_id, f.event_at,
                   case when l.known_at >= f.known_at then now() else f.known_at end,
                   {", ".join(f'f."{n}"' for n in ("content_hash", *self._fields))}
            from fresh f left join latest l using (source_id)
            where l.content_hash is distinct from f.content_hash
            """,
            [last_night],
        )
        return done.rowcount


def log_extraction(
    connection: psycopg.Connection,
    entity: Entity,
    window: Window | None,
    counts: Counts,
    is_mapped: bool,
) -> None:
    """Note the extraction, in the transaction of its rows."""
    days = (window.from_day, window.through_day) if window else (None, None)
    connection.execute(
        f"insert into {EXTRACTION_LOG.qualified} values"
        " (%s, %s, %s, %s, %s, %s, %s, clock_timestamp())",
        [entity.name, *days, counts.read, counts.written, counts.rejected, is_mapped],
    )
