"""Hand-written raw rows: a small studio whose documents are spelled out in local time."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from ris_assets.contracts.columns import Table
from ris_assets.contracts.entities import ENTITIES, Entity, Keeping
from ris_assets.resources.landing import ensure_landing
from ris_assets.resources.postgres import PostgresResource

Row = dict[str, Any]
EVERYTHING = tuple(ENTITIES)


@dataclass
class RawRows:
    """Rows of `ris_raw` in the making. Times are local: "2024-03-01 19:00" or "2024-03-01"."""

    zone: ZoneInfo
    rows: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    ids: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def at(self, local: str | None, fold: int = 0) -> datetime | None:
        """The instant at which the studio's clocks show `local`, the second one if fold is 1."""
        if local is None:
            return None
        return datetime.fromisoformat(local).replace(tzinfo=self.zone, fold=fold).astimezone(UTC)

    def add(self, entity: str, known_at: str | None = None, **fields: Any) -> Row:
        """Add one document, or one version of it. Fields that end in _at may be local times."""
        spec = ENTITIES[entity]
        values = {name: self._instant(name, value) for name, value in fields.items()}
        values.setdefault(spec.id_field, self._next_id(entity))
        row = {
            "source_id": values[spec.id_field],
            "event_at": values[spec.event_field],
            "known_at": self.at(known_at) or values[spec.event_field],
            "is_deleted": False,
            **values,
        }
        self.rows[entity].append(row)
        return row

    def _instant(self, name: str, value: Any) -> Any:
        return self.at(value) if name.endswith("_at") and isinstance(value, str) else value

    def _next_id(self, entity: str) -> str:
        self.ids[entity] += 1
        return f"{entity}-{self.ids[entity]}"

    def member(self, user_id: str, registered_at: str = "2024-01-01 12:00", **fields: Any) -> None:
        """A member's document."""
        self.add("users", user_id=user_id, registered_at=registered_at, **fields)

    def hero_pass(
        self, hp_id: str, purchased_at: str, starts_on: str, ends_on: str, **fields: Any
    ) -> None:
        """A pass of `<member>-<n>` that covers the days from starts_on through ends_on."""
        after = date.fromisoformat(ends_on) + timedelta(days=1)
        values = {"user_id": hp_id.split("-")[0], "payment_status": "paid", "price": 30_000.0}
        self.add(
            "hero_passes", hp_id=hp_id, purchased_at=purchased_at, starts_at=starts_on,
            ends_at=after.isoformat(), **{**values, **fields},
        )  # fmt: skip

    def freeze(
        self, hp_id: str, requested_at: str, starts_on: str, ends_on: str | None, **fields: Any
    ) -> None:
        """A freeze of the days from starts_on through ends_on, open if that is None."""
        ends_at = None
        if ends_on is not None:
            ends_at = (date.fromisoformat(ends_on) + timedelta(days=1)).isoformat()
        self.add(
            "freezes", hp_id=hp_id, requested_at=requested_at, starts_at=starts_on,
            ends_at=ends_at, **fields,
        )  # fmt: skip

    def booking(
        self, user_id: str, starts_at: Any, status: str = "attended", **fields: Any
    ) -> None:
        """A booking made the day before its class; known from then, as history is."""
        begins = self.at(starts_at) if isinstance(starts_at, str) else starts_at
        values = {"booked_at": begins - timedelta(days=1)}
        if status.endswith("cancelled"):
            values["cancelled_at"] = begins - timedelta(hours=3)
        self.add(
            "bookings", user_id=user_id, starts_at=begins, status=status, **{**values, **fields}
        )

    def write(self, url: str, through_day: str, entities: Sequence[str] = EVERYTHING) -> None:
        """Replace the landing schema by these rows; `entities` are the ones that the source has."""
        ensure_landing(PostgresResource(url=url))
        with psycopg.connect(url) as connection:
            connection.execute("truncate ris_raw.extraction_log")
            for entity in ENTITIES.values():
                connection.execute(f"truncate {', '.join(t.qualified for t in entity.tables)}")
                is_mapped = entity.name in entities
                rows = self.rows[entity.name] if is_mapped else []
                if entity.keeping is Keeping.EVENTS:
                    rows, superseded = _standing(rows)
                    self._insert(connection, entity.superseded, superseded)
                self._insert(connection, entity.table, rows)
                _log(connection, entity, through_day, is_mapped)

    def _insert(self, connection: psycopg.Connection, table: Table, rows: list[Row]) -> None:
        names = table.column_names
        statement = (
            f"insert into {table.qualified} ({', '.join(names)})"
            f" values ({', '.join(['%s'] * len(names))})"
        )
        with connection.cursor() as cursor:
            cursor.executemany(statement, [[row.get(name) for name in names] for row in rows])


def _standing(rows: list[Row]) -> tuple[list[Row], list[Row]]:
    """Versions of events, as the landing keeps them: what stands, and what was known until something else was.

    A version that is deleted says from when on the document was gone.
    """
    standing: dict[str, Row] = {}
    superseded = []
    for row in sorted(rows, key=lambda row: row["known_at"]):
        if before := standing.pop(row["source_id"], None):
            superseded.append({**before, "known_until": row["known_at"]})
        if not row["is_deleted"]:
            standing[row["source_id"]] = row
    return list(standing.values()), superseded


def _log(connection: psycopg.Connection, entity: Entity, through_day: str, is_mapped: bool) -> None:
    day = through_day if entity.keeping is Keeping.EVENTS else None
    connection.execute(
        "insert into ris_raw.extraction_log (entity, from_day, through_day, rows_read, rows_written,"
        " rows_rejected, is_mapped, finished_at) values (%s, %s, %s, 0, 0, 0, %s, now())",
        [entity.name, day, day, is_mapped],
    )
