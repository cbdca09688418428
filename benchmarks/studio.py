"""A database of a simulated studio of any size: one studio is simulated and extracted, its members repeated."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg

from ris_assets.contracts.entities import ENTITIES
from ris_assets.ingest.entity import Ingestion, ingest
from ris_assets.ingest.map_in_use import DEMO_SOURCE_MAP, source_map_at
from ris_assets.resources.landing import ensure_landing
from ris_assets.resources.mongo import MongoResource
from ris_assets.resources.personal import ensure_personal
from ris_assets.resources.postgres import PostgresResource
from ris_assets.studio.config import StudioConfig
from ris_assets.studio.simulate import simulate

SIMULATED = 1_500
ZONE = "Asia/Almaty"
RAW = tuple(entity.table.qualified for entity in ENTITIES.values())
BETWEEN = (
    "ris_int.int_hero_passes_versioned", "ris_int.int_freezes_versioned",
    "ris_int.int_users_versioned", "ris_int.int_friendships_versioned",
    "ris_int.int_user_days_measured", "ris_int.int_booking_changes",
    "ris_int.int_body_readings_known", "ris_int.int_scores_known",
)  # fmt: skip
"""What the weekly facts are made of, beside what belongs to no member."""
_SHARED = {"club_id", "coach_id", "clan_id", "preferred_club_id", "preferred_coach_id", "price_key"}


def load_studio(url: str, weeks: int) -> None:
    """Simulate 1,500 members and land their documents."""
    postgres = PostgresResource(url=url)
    ensure_landing(postgres)
    ensure_personal(postgres)
    with tempfile.TemporaryDirectory() as dump:
        simulate(StudioConfig(members=SIMULATED, weeks=weeks), Path(dump))
        source = MongoResource(url=f"file:{dump}")
        for entity in ENTITIES.values():
            ingest(
                Ingestion(
                    entity, source_map_at(DEMO_SOURCE_MAP), source.open, postgres, ZoneInfo(ZONE)
                )
            )
    with psycopg.connect(url) as connection:
        # The horizon is the last whole day; the extraction was not asked for days.
        connection.execute(
            "update ris_raw.extraction_log set through_day ="
            " (select max(event_at at time zone %s)::date from ris_raw.app_sessions)",
            [ZONE],
        )


def repeat_members(url: str, members: int, tables: Sequence[str]) -> None:
    """Add copies of all members' rows under ids of their own until there are about so many members.

    Landing tables hold their rows in the order in which the events came about, as a source has written them.
    """
    copies = round(members / SIMULATED) - 1
    for table in tables:
        with psycopg.connect(url) as connection:
            connection.execute("set local work_mem = '256MB'")
            _repeat(connection, table, copies)
    with psycopg.connect(url, autocommit=True) as connection:
        for table in tables:
            connection.execute(f"vacuum (analyze) {table}")
        connection.execute("checkpoint")


def _repeat(connection: psycopg.Connection, table: str, copies: int) -> None:
    columns = connection.execute(
        "select attname, format_type(atttypid, null) from pg_attribute"
        " where attrelid = %s::regclass and attnum > 0 and not attisdropped order by attnum",
        [table],
    ).fetchall()
    picked = ", ".join(_copied(name, kind) for name, kind in columns)
    names = ", ".join(f'"{name}"' for name, _ in columns)
    connection.execute(
        f"create temp table repeated on commit drop as select {names} from {table} union all"
        f" select {picked} from {table} as t cross join generate_series(1, {copies}) as copy (number)"
    )
    order = "order by event_at" if any(name == "event_at" for name, _ in columns) else ""
    connection.execute(f"truncate {table}")
    connection.execute(f"insert into {table} ({names}) select {names} from repeated {order}")
    brin = connection.execute(
        "select indexrelid::int8 from pg_index join pg_class on pg_class.oid = indexrelid"
        " join pg_am on pg_am.oid = relam where indrelid = %s::regclass and amname = 'brin'",
        [table],
    ).fetchall()
    for (index,) in brin:
        connection.execute("select brin_summarize_new_values(%s::oid::regclass)", [index])


def _copied(name: str, kind: str) -> str:
    if kind == "text" and name.endswith("_id") and name not in _SHARED:
        return f"t.\"{name}\" || '~' || copy.number"
    if name == "friend_ids":
        return "(select array_agg(f || '~' || copy.number) from unnest(t.friend_ids) as f)"
    return f't."{name}"'
