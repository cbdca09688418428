"""`ris forget`: erase a person from every table, file and artifact, and keep the person from coming back.

Tables are found in the database's own catalogue, not listed here, so that a table added later is covered,
too. Everything in the database happens in one transaction, which is undone when any trace is left.
"""

import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import psycopg
from psycopg import sql

from ris_assets.contracts.entities import ENTITIES
from ris_assets.errors import RisError
from ris_assets.resources.personal import (
    FORGOTTEN,
    ensure_personal,
    is_forgotten,
    remember_forgotten,
)
from ris_assets.resources.postgres import PostgresResource

USER = "user_id"
_THEIRS = {entity.id_field for entity in ENTITIES.values()} - {USER} | {"spell_id"}
"""Columns that identify something that was the person's own."""
_DISTINCTIVE = 6
"""Ids shorter than this are looked for as whole values only, never within texts: they would be found
everywhere."""
_SEARCHED = {".json", ".md", ".html", ".yaml", ".log", ".txt", ".csv", ".err", ".out"}
_REWRITTEN = {".parquet"}
_NOT_OURS = {"postgres", "demo", "venv"}
"""Folders of RIS_HOME that are the database's own, or the simulated source."""
_NO_DATA = re.compile(r"dbt/target/|mlflow/artifacts/[^/]+/models/")
"""Code, and models: names of columns and numbers, among which any id would be found one day."""
_ENDS = rb"(?<![0-9A-Za-z])(?<![0-9]\.)%s(?![0-9A-Za-z]|\.[0-9])"
"""An id by itself, not part of a longer one, of a word or of a number."""


@dataclass(frozen=True)
class Place:
    """A column of a table."""

    table: str
    column: str
    kind: str
    is_required: bool

    @property
    def name(self) -> sql.Composable:
        """The table, quoted."""
        return sql.SQL(self.table)


@dataclass
class Erased:
    """What was erased: rows by table, and files."""

    rows: dict[str, int] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)

    @property
    def is_nothing(self) -> bool:
        """Whether there was no trace at all."""
        return not self.rows and not self.files


def forget(postgres: PostgresResource, home: Path, user_id: str, only_look: bool = False) -> Erased:
    """Erase a person; with `only_look`, tell what would be erased and change nothing.

    Raises:
        RisError: a trace would be left; nothing was changed then.
    """
    ensure_personal(postgres)
    erased = Erased()
    with postgres.connect() as connection:
        is_word = not re.search(r"\d", user_id) and not is_forgotten(connection, user_id)
        eraser = _Eraser(connection, user_id, erased)
        eraser.run()
        # A word that is nobody's id stands in texts as a word.
        is_sought = bool(erased.rows) or not is_word
        if is_sought:
            eraser.prove()
        if only_look:
            connection.rollback()
    in_texts = is_sought and len(user_id) >= _DISTINCTIVE
    for path in _files_with(home, user_id, in_texts):
        erased.files.append(str(path.relative_to(home)))
        if not only_look:
            _clean(path, user_id)
    return erased


@dataclass
class _Eraser:
    """The work in the database."""

    connection: psycopg.Connection
    user_id: str
    erased: Erased
    keys: dict[str, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.places = _places(self.connection)

    def run(self) -> None:
        places = self.places
        self._gather(places)
        for table in sorted({place.table for place in places}):
            own = [place for place in places if place.table == table]
            self._count(table, self._delete(table, own))
            for place in own:
                self._count(table, self._take_out(place))
        ids = sorted({self.user_id}.union(*self.keys.values()))
        if self.erased.rows:
            remember_forgotten(self.connection, ids)

    def _count(self, table: str, rows: int) -> None:
        if rows:
            self.erased.rows[table] = self.erased.rows.get(table, 0) + rows

    def _gather(self, places: list[Place]) -> None:
        """Ids of what was the person's: passes by person, freezes by pass, and so on until none is new."""
        self.keys = {USER: {self.user_id}}
        known = 0
        while known < (known := sum(map(len, self.keys.values()))):
            for table in sorted({place.table for place in places}):
                columns = {place.column for place in places if place.table == table}
                for wanted in sorted(columns & _THEIRS):
                    self._gather_from(table, columns - {wanted}, wanted)

    def _gather_from(self, table: str, columns: set[str], wanted: str) -> None:
        known = sorted(name for name in columns if self.keys.get(name))
        if not known:
            return
        condition, values = self._condition(known)
        query = sql.SQL("select distinct {}::text from {} where {} and {} is not null").format(
            sql.Identifier(wanted), sql.SQL(table), condition, sql.Identifier(wanted)
        )
        found = {row[0] for row in self.connection.execute(query, values)}
        self.keys[wanted] = self.keys.get(wanted, set()) | found

    def _condition(self, columns: list[str]) -> tuple[sql.Composable, list[list[str]]]:
        parts = [sql.SQL("{}::text = any(%s)").format(sql.Identifier(name)) for name in columns]
        return sql.SQL("(") + sql.SQL(" or ").join(parts) + sql.SQL(")"), [
            sorted(self.keys[name]) for name in columns
        ]

    def _delete(self, table: str, places: list[Place]) -> int:
        """Rows of the person, by any key that the table has; and refused documents that are the person's."""
        known = sorted(p.column for p in places if self.keys.get(p.column))
        deleted = 0
        if known:
            condition, values = self._condition(known)
            query = sql.SQL("delete from {} where {}").format(sql.SQL(table), condition)
            deleted += self.connection.execute(query, values).rowcount
        if {"entity", "source_id"} <= {p.column for p in places}:
            deleted += self.connection.execute(
                sql.SQL("delete from {} where entity = 'users' and source_id = %s").format(
                    sql.SQL(table)
                ),
                [self.user_id],
            ).rowcount
        return deleted

    def _take_out(self, place: Place) -> int:
        """The person taken out of rows of others: lists, references, documents."""
        table, column = sql.SQL(place.table), sql.Identifier(place.column)
        if place.kind == "ARRAY":
            removal = sql.SQL("update {0} set {1} = array_remove({1}, %s) where %s = any({1})")
            both = [self.user_id, self.user_id]
            return self.connection.execute(removal.format(table, column), both).rowcount
        if place.kind in ("json", "jsonb"):
            return self._delete_documents(place)
        if place.kind == "text" and place.column.endswith(USER) and place.column != USER:
            query = sql.SQL("update {0} set {1} = null where {1} = %s").format(table, column)
            return self.connection.execute(query, [self.user_id]).rowcount
        return 0

    def _delete_documents(self, place: Place) -> int:
        if len(self.user_id) < _DISTINCTIVE:
            return 0
        query = sql.SQL("delete from {} where position(%s in {}::text) > 0").format(
            sql.SQL(place.table), sql.Identifier(place.column)
        )
        return self.connection.execute(query, [f'"{self.user_id}"']).rowcount

    def prove(self) -> None:
        """Look everywhere for the person and what was the person's.

        Raises:
            RisError: something is left.
        """
        for place in self.places:
            if place.table == FORGOTTEN.qualified:
                continue
            column = sql.Identifier(place.column)
            ids = [[self.user_id]]
            if place.kind == "ARRAY":
                condition = sql.SQL("{}::text[] && %s").format(column)
            elif place.kind == "text":
                condition = sql.SQL("{} = any(%s)").format(column)
                ids = [sorted({self.user_id} | self.keys.get("hp_id", set()))]
                if place.column not in self.keys and len(self.user_id) < _DISTINCTIVE:
                    continue  # another kind of id may be as short
            else:
                continue
            query = sql.SQL("select count(*) from {} where {}").format(
                sql.SQL(place.table), condition
            )
            row = self.connection.execute(query, ids).fetchone()
            if row and row[0]:
                raise RisError(
                    f"{row[0]} rows of {place.table} still name the person in `{place.column}`: nothing was"
                    " erased. A table that RIS does not know refers to the person; erase it there first."
                )


def _places(connection: psycopg.Connection) -> list[Place]:
    """All columns of all tables of RIS that may hold an id."""
    rows = connection.execute(
        """
        select quote_ident(c.table_schema) || '.' || quote_ident(c.table_name), c.column_name, c.data_type,
               c.is_nullable = 'NO'
        from information_schema.columns c
        join information_schema.tables t using (table_schema, table_name)
        where c.table_schema like 'ris%' and t.table_type = 'BASE TABLE'
          and c.data_type in ('text', 'character varying', 'ARRAY', 'json', 'jsonb')
        order by 1, 2
        """
    ).fetchall()
    kinds = {"character varying": "text"}
    return [
        Place(table, name, kinds.get(kind) or kind, needed) for table, name, kind, needed in rows
    ]


def _files_with(home: Path, user_id: str, in_texts: bool) -> Iterator[Path]:
    """Files of RIS_HOME that hold the id: tables, and texts where they are to be looked into."""
    alone = re.compile(_ENDS % re.escape(user_id.encode()))
    for path in sorted(home.rglob("*")):
        inside = path.relative_to(home).parts
        if inside[0] in _NOT_OURS and path.name != "truth.parquet":
            continue
        if path.is_symlink() or not path.is_file() or not path.stat().st_size:
            continue
        if path.suffix in _REWRITTEN:
            if _parquet_has(path, user_id):
                yield path
        elif (
            in_texts
            and path.suffix in _SEARCHED
            and not _NO_DATA.match("/".join(inside))
            and _bytes_have(path, alone)
        ):
            yield path


def _parquet_has(path: Path, user_id: str) -> bool:
    frame = pl.scan_parquet(path)
    if USER not in frame.collect_schema():
        return False
    mine = frame.filter(pl.col(USER).cast(pl.String) == user_id).select(pl.len()).collect()
    return bool(mine.item())


def _bytes_have(path: Path, alone: re.Pattern[bytes]) -> bool:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as held:
        return alone.search(held) is not None


def _clean(path: Path, user_id: str) -> None:
    """Rewrite a table without the person; delete a report or a log, which can be made again."""
    if path.suffix not in _REWRITTEN:
        path.unlink()
        return
    fresh = path.with_suffix(".new")
    others = pl.read_parquet(path).filter(pl.col(USER).cast(pl.String).ne_missing(user_id))
    others.write_parquet(fresh)
    fresh.replace(path)
