"""The landing schema `ris_raw`: how rows of each entity are kept, and what was refused.

Everything of one extraction (rows, tombstones, rejects, watermarks, log) commits in one transaction, so a
crash neither loses nor doubles anything. What the tables hold stands in `contracts/landing.py`.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from types import TracebackType
from zoneinfo import ZoneInfo

import polars as pl
import polars.selectors as cs
import psycopg

from ris_assets.contracts.columns import Table
from ris_assets.contracts.entities import ENTITIES, RAW_SCHEMA, Entity, Keeping
from ris_assets.contracts.landing import BOOKKEEPING_TABLES, EXTRACTION_LOG, REJECTS
from ris_assets.partitions import Window, start_of_day, studio_day
from ris_assets.resources.landing_days import DOCUMENT_OF, replace_days
from ris_assets.resources.personal import drop_forgotten
from ris_assets.resources.postgres import PostgresResource, copy_frame, copy_typed

_QUEUED_BATCHES = 2
_FEW = 0.05
"""Below this share of the landing table, rows are looked up one by one instead of joined whole."""
_MANY_ROWS = 10_000
_MICROSECONDS = pl.Datetime("us", "UTC")


def ensure_landing(postgres: PostgresResource) -> None:
    """Create the landing tables of all entities, mapped or not: absent ones stay empty."""
    landing = [table for entity in ENTITIES.values() for table in entity.tables]
    postgres.ensure_tables([*BOOKKEEPING_TABLES, *landing])
    with postgres.connect() as connection:
        _bring_up_to_date(connection)
        _index(connection)


def _index(connection: psycopg.Connection) -> None:
    """Block ranges of each table's instants, and members where they are looked up, where missing or of other columns.

    Rows come about as time goes by, so that a few bytes a megabyte of table are enough to find a day, and loading pays
    nothing for them.
    """
    wanted = {}
    for entity in ENTITIES.values():
        for table in entity.tables:
            instants = [column.name for column in table.columns if column.type == "timestamptz"]
            ranges = f"using brin ({', '.join(instants)}) with (pages_per_range='32')"
            wanted[_time_index(table)] = (table, ranges)
            if entity.is_read_by_member:
                wanted[f"{table.name}_by_member"] = (table, "using btree (user_id)")
    if wanted.keys() - _found(connection, wanted):
        # Two creators race.
        connection.execute("select pg_advisory_xact_lock(hashtext('ris.index_landing'))")
        for name in sorted(wanted.keys() - _found(connection, wanted)):
            table, definition = wanted[name]
            connection.execute(f"drop index if exists {RAW_SCHEMA}.{name}")
            connection.execute(f"create index {name} on {table.qualified} {definition}")


def _found(connection: psycopg.Connection, wanted: dict[str, tuple[Table, str]]) -> set[str]:
    """The names of those that are there as defined."""
    rows = connection.execute(
        "select indexname, indexdef from pg_indexes where schemaname = %s", [RAW_SCHEMA]
    )
    return {name for name, found in rows if name in wanted and wanted[name][1] in found.lower()}


def _time_index(table: Table) -> str:
    return f"{table.name}_in_time"


def _bring_up_to_date(connection: psycopg.Connection) -> None:
    """Tables of earlier versions: no hash is kept any more."""
    old = connection.execute(
        "select table_name from information_schema.columns"
        " where table_schema = %s and column_name = 'content_hash'",
        [RAW_SCHEMA],
    ).fetchall()
    for (name,) in old:
        connection.execute(f"alter table {RAW_SCHEMA}.{name} drop column content_hash")
        connection.execute(f"update {RAW_SCHEMA}.{name} set is_deleted = false")
        connection.execute(f"alter table {RAW_SCHEMA}.{name} alter column is_deleted set not null")


class Landing:
    """One extraction of one entity, within an open transaction.

    Rows are copied in a thread of their own, so that decoding goes on while the server writes. Into an
    empty table they go directly and its key is built at the end; otherwise they collect in `incoming`.
    """

    def __init__(
        self,
        connection: psycopg.Connection,
        entity: Entity,
        zone: ZoneInfo,
        first_day: date | None = None,
    ) -> None:
        """Lock the entity against other extractions and make room for rows.

        first_day: whose marts are yet to be made; None before the first.
        """
        self._connection = connection
        self._entity = entity
        self._zone = zone
        self._table = entity.table
        self._columns = ", ".join(f'"{c}"' for c in self._table.column_names)
        connection.execute("select pg_advisory_xact_lock(hashtext(%s))", [self._table.qualified])
        row = connection.execute("select clock_timestamp()").fetchone()
        self.started_at: datetime = (row[0] if row else datetime.now(UTC)).astimezone(UTC)
        today = studio_day(self.started_at, zone)
        is_of_last_night = first_day is None or first_day < today
        last_night = start_of_day(today, zone) - timedelta(microseconds=1)
        self.told_at = last_night if is_of_last_night else self.started_at
        """When a change without a time of its own counts as known, or one that arrives after its day has been made."""
        self._opens_at = start_of_day(first_day, zone) if first_day else None
        self.is_direct = self._is_new()
        self._writer = _BackgroundCopy(connection)
        self._collected = 0
        self._prepare()

    def __enter__(self) -> "Landing":
        """The landing itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for the writer, so that the transaction can end."""
        self._writer.close()

    def _is_new(self) -> bool:
        """Whether nothing stands of the entity, and no day of it has been read."""
        row = self._connection.execute(
            f"select exists (select from {self._table.qualified}) or exists (select from {EXTRACTION_LOG.qualified}"
            " where entity = %s and is_mapped and from_day is not null)",
            [self._entity.name],
        ).fetchone()
        return not (row and row[0])

    def _prepare(self) -> None:
        execute = self._connection.execute
        for name in ("incoming", "refused", "read_again"):
            execute(f"drop table if exists pg_temp.{name}")
        execute(f"create temp table incoming (like {self._table.qualified}) on commit drop")
        execute(
            "create temp table refused (part text, source_id text, field text, value text, reason text,"
            " is_row_kept bool, is_waiting bool, document json, user_id text) on commit drop"
        )
        execute("create temp table read_again (document text, elements text[]) on commit drop")
        if self.is_direct:
            execute(f"alter table {self._table.qualified} drop constraint {self._key_name}")

    @property
    def _key_name(self) -> str:
        return f"{self._table.name}_pkey"

    @property
    def target(self) -> str:
        """Where rows collect until the end."""
        return self._table.qualified if self.is_direct else "pg_temp.incoming"

    def add(self, rows: pl.DataFrame) -> None:
        """Collect a batch of rows: `source_id, event_at, changed_at` and the entity's fields."""
        changed = pl.col("changed_at").cast(_MICROSECONDS)
        known = pl.coalesce(changed, self._own_known_time().cast(_MICROSECONDS))
        stamped = rows.with_columns(
            self._as_known(known).alias("known_at"),
            pl.lit(False).alias("is_deleted"),
        )
        instants = cs.datetime().cast(_MICROSECONDS)
        self._collected += rows.height
        self._writer.add(
            copy_typed,
            self.target,
            stamped.select(self._table.column_names).with_columns(instants),
            [column.name for column in self._entity.fields if column.type == "jsonb"],
        )

    def _as_known(self, known: pl.Expr) -> pl.Expr:
        """No time that has not come yet, and of a table with history none of a day that has been made."""
        # A clock that runs ahead must not hide a row until it is right.
        seen = pl.min_horizontal(known, _instant(self.started_at))
        if self._opens_at is None or self.is_direct:
            return seen
        return pl.when(seen < _instant(self._opens_at)).then(_instant(self.told_at)).otherwise(seen)

    def _own_known_time(self) -> pl.Expr:
        """When a row without a change time became known."""
        if self._entity.keeping is Keeping.VERSIONS:
            return _instant(self.told_at)
        return pl.col("event_at")

    def refuse(self, rejects: pl.DataFrame) -> None:
        """Keep what did not fit: the columns of the temporary table `refused`."""
        self._writer.add(copy_frame, "pg_temp.refused", rejects)

    def note_elements(self, documents: pl.DataFrame) -> None:
        """Collect documents that have changed, with all elements that they hold: `document, elements`."""
        self._writer.add(copy_frame, "pg_temp.read_again", documents)

    def index_elements(self) -> None:
        """Make the elements of a document quick to find."""
        table = self._table
        self._connection.execute(
            f"create index if not exists {table.name}_by_document on {table.qualified} ({DOCUMENT_OF})"
        )

    def drain(self) -> None:
        """Wait until all rows are copied; the connection is free then."""
        self._writer.drain()

    def drop_forgotten(self, column: str) -> None:
        """Leave out the rows of persons who are forgotten, found by an id in this column."""
        self._writer.drain()
        dropped = drop_forgotten(self._connection, self.target, column)
        self._collected -= dropped if self.is_direct else 0

    def claimed(self, ids: pl.Series) -> pl.DataFrame:
        """Which of these business ids other documents hold that are not gone: `id, source_id`."""
        self._writer.drain()
        name, table = self._entity.id_field, self._table.qualified
        query = f"""
            select "{name}", source_id from (
                select distinct on (source_id) source_id, "{name}", is_deleted from {table}
                where source_id in (select source_id from {table} where "{name}" = any(%(ids)s))
                order by source_id, known_at desc
            ) as latest
            where not is_deleted and "{name}" = any(%(ids)s)
            union
            select "{name}", source_id from pg_temp.incoming where "{name}" = any(%(ids)s)
        """
        rows = self._connection.execute(query, {"ids": ids.to_list()}).fetchall()
        return pl.DataFrame(
            rows, schema={"id": pl.String(), "source_id": pl.String()}, orient="row"
        )

    def index_ids(self) -> None:
        """Make `claimed` fast."""
        name, table = self._entity.id_field, self._table
        self._connection.execute(
            f'create index if not exists {table.name}_by_id on {table.qualified} ("{name}")'
        )
        self._connection.execute(f'create index on pg_temp.incoming ("{name}")')

    def keep_earliest(self, prefix: str) -> None:
        """Of the collected rows of one source that tell of one business id keep the first to have happened."""
        self._writer.drain()
        dropped = self._connection.execute(
            f"""delete from {self.target} t using (
                  select ctid, row_number() over (
                    partition by "{self._entity.id_field}" order by event_at, source_id, ctid desc) as n
                  from {self.target} where starts_with(source_id, %(prefix)s)) d
                where t.ctid = d.ctid and d.n > 1""",
            {"prefix": prefix},
        ).rowcount
        self._collected -= dropped if self.is_direct else 0

    def finish_versions(self) -> int:
        """Add a version of every document that is new or differs from its latest; versions added."""
        self._writer.drain()
        if self.is_direct:
            return self._build_key()
        return self._connection.execute(self._merge(), {"told_at": self.told_at}).rowcount

    def _merge(self) -> str:
        """Rows of `incoming` that are new, changed or back again, as versions."""
        fields = [f'"{column.name}"' for column in self._entity.fields]
        new, old = (", ".join(f"{alias}.{f}" for f in ("event_at", *fields)) for alias in "fl")
        return f"""
            insert into {self._table.qualified} ({self._columns})
            select f.source_id, f.event_at,
                   case when l.known_at is null or f.known_at > l.known_at then f.known_at
                        when %(told_at)s > l.known_at then %(told_at)s
                        else clock_timestamp() end,
                   false, {", ".join(f"f.{name}" for name in fields)}
            from (select distinct on (source_id) * from pg_temp.incoming
                  order by source_id, known_at desc, ctid desc) f
            left join {self._latest("f")} on l.source_id = f.source_id
            where l.source_id is null or l.is_deleted
               or row({new}) is distinct from row({old})
            """

    def _latest(self, alias: str) -> str:
        """The latest version of each document as `l`: looked up for few rows, joined for many."""
        table = self._table.qualified
        if self._collected < _FEW * self._estimate():
            return (
                f"lateral (select * from {table} where source_id = {alias}.source_id"
                " order by known_at desc limit 1) l"
            )
        return (
            f"(select distinct on (source_id) * from {table} order by source_id, known_at desc) l"
        )

    def _estimate(self) -> float:
        row = self._connection.execute(
            "select reltuples from pg_class where oid = %s::regclass", [self._table.qualified]
        ).fetchone()
        return float(row[0]) if row else 0.0

    def bury(self, prefix: str) -> tuple[int, int]:
        """Tombstones for the documents of one source that were neither read nor refused.

        Returns how many there were, and how many documents were living before.
        """
        self._writer.drain()
        fields = ", ".join(f'"{column.name}"' for column in self._entity.fields)
        for name in ("incoming", "refused"):
            self._connection.execute(f"analyze pg_temp.{name}")
        living = (
            f"(select distinct on (source_id) * from {self._table.qualified}"
            " where starts_with(source_id, %(prefix)s) order by source_id, known_at desc) l"
            " where not is_deleted"
        )
        values = {"prefix": prefix, "told_at": self.told_at}
        row = self._connection.execute(f"select count(*) from {living}", values).fetchone()
        buried = self._connection.execute(
            f"""
            insert into {self._table.qualified} ({self._columns})
            select source_id, event_at,
                   case when %(told_at)s > known_at then %(told_at)s else clock_timestamp() end,
                   true, {fields}
            from {living}
              and not exists (select from pg_temp.incoming i where i.source_id = l.source_id)
              and not exists (select from pg_temp.refused r where r.source_id = l.source_id)
            """,
            values,
        ).rowcount
        return buried, int(row[0]) if row else 0

    def finish_days(self, window: Window, fingerprint: str) -> int:
        """Replace the window's days by the collected rows, and add late ones of days before; rows written.

        fingerprint: of the map that they were read with. What a day that was read with it did not say then is news.
        """
        self._writer.drain()
        if self.is_direct:
            return self._build_key()
        return replace_days(self._connection, self._entity, window, fingerprint, self.started_at)

    def _build_key(self) -> int:
        """Give a table filled directly its key back; rows that came twice in one read stay once."""
        table, key = self._table.qualified, ", ".join(self._table.key)
        execute = self._connection.execute
        execute("set local maintenance_work_mem = '256MB'")
        add_key = f"alter table {table} add constraint {self._key_name} primary key ({key})"
        twice = 0
        try:
            with self._connection.transaction():
                execute(add_key)
        except psycopg.errors.UniqueViolation:
            twice = execute(
                f"""delete from {table} t using (
                      select ctid, row_number() over (partition by {key} order by ctid desc) as n
                      from {table}) d
                    where t.ctid = d.ctid and d.n > 1"""
            ).rowcount
            execute(add_key)
        self._summarize()
        execute(f"analyze {table}")
        return self._collected - twice

    def store_rejects(self, fingerprint: str, is_whole: bool) -> None:
        """Move the refused rows to `ris_raw.rejects`; what has been read again and fits leaves it."""
        self._writer.drain()
        table, execute = REJECTS.qualified, self._connection.execute
        if is_whole:
            execute(f"delete from {table} where entity = %s", [self._entity.name])
        else:
            for read in (self.target, "pg_temp.refused"):
                execute(
                    f"delete from {table} t using {read} i"
                    " where t.entity = %s and t.source_id = i.source_id",
                    [self._entity.name],
                )
        execute(
            f"""insert into {table} (entity, part, source_id, field, value, reason, is_row_kept,
                  is_waiting, document, user_id, map_fingerprint, rejected_at)
                select distinct on (source_id, field) %s, part, source_id, field, value, reason,
                  is_row_kept, coalesce(is_waiting, false), document, user_id, %s, now()
                from pg_temp.refused order by source_id, field""",
            [self._entity.name, fingerprint],
        )

    def analyze(self, written: int) -> None:
        """Refresh block ranges, and after a large load the planner's statistics."""
        if self.is_direct or not written:
            return
        self._summarize()
        if written > _MANY_ROWS:
            self._connection.execute(f"analyze {self._table.qualified}")

    def _summarize(self) -> None:
        for table in self._entity.tables:
            name = f"{RAW_SCHEMA}.{_time_index(table)}"
            self._connection.execute("select brin_summarize_new_values(%s::regclass)", [name])


def _instant(at: datetime) -> pl.Expr:
    return pl.lit(at, _MICROSECONDS)


class _BackgroundCopy:
    """COPY in a thread of its own, at most a few batches behind; errors surface at the next call."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ris-copy")
        self._pending: deque[Future[int]] = deque()

    def add(
        self, copy: Callable[..., int], table: str, frame: pl.DataFrame, *rest: Sequence[str]
    ) -> None:
        """Copy a frame behind those before it."""
        if frame.is_empty():
            return
        while len(self._pending) >= _QUEUED_BATCHES:
            self._pending.popleft().result()
        self._pending.append(self._thread.submit(copy, self._connection, table, frame, *rest))

    def drain(self) -> None:
        """Wait until everything is copied; the connection is free then."""
        while self._pending:
            self._pending.popleft().result()

    def close(self) -> None:
        """Let the copy in progress end, and drop the rest."""
        self._thread.shutdown(wait=True, cancel_futures=True)


def insert_row(
    connection: psycopg.Connection, table: Table, values: dict[str, object], replace: bool = False
) -> None:
    """Insert one row of a bookkeeping table, replacing the one with its key if asked."""
    names = list(values)
    columns, marks = ", ".join(names), ", ".join(f"%({n})s" for n in names)
    tail = ""
    if replace:
        news = ", ".join(f"{n} = excluded.{n}" for n in names if n not in table.key)
        tail = f" on conflict ({', '.join(table.key)}) do update set {news}"
    connection.execute(
        f"insert into {table.qualified} ({columns}) values ({marks}){tail}", dict(values)
    )


def parent_index(connection: psycopg.Connection, entities: Iterable[str]) -> None:
    """Index the identities of entities whose rows others look up."""
    for name in sorted(entities):
        entity = ENTITIES[name]
        connection.execute(
            f"create index if not exists {name}_by_id on {entity.table.qualified}"
            f' ("{entity.id_field}")'
        )


def parent_values(
    connection: psycopg.Connection, entity: Entity, field: str, keys: pl.Series
) -> pl.DataFrame:
    """The latest value of a field of parent rows by identity: `key, value`."""
    rows = connection.execute(
        f'select distinct on ("{entity.id_field}") "{entity.id_field}", "{field}"'
        f' from {entity.table.qualified} where "{entity.id_field}" = any(%s)'
        f' order by "{entity.id_field}", known_at desc',
        [keys.to_list()],
    ).fetchall()
    return pl.DataFrame(rows, schema=["key", "value"], orient="row", infer_schema_length=None).cast(
        {"key": pl.String()}
    )
