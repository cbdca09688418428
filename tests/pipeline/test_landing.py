"""Landing in a real PostgreSQL: versions, days, refusals, and extraction twice over."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import bson
import psycopg
import pytest

from ris_assets.assets.raw import Extraction, extract
from ris_assets.contracts.entities import ENTITIES
from ris_assets.errors import RisError
from ris_assets.partitions import Window
from ris_assets.resources.landing import ensure_landing
from ris_assets.resources.mongo import DumpSource
from ris_assets.resources.postgres import PostgresResource
from tests.unit.test_extract_documents import NOON, SOURCE_MAP, A, B, C

ALMATY = ZoneInfo("Asia/Almaty")
DAY = date(2024, 1, 1)


@pytest.fixture
def postgres(embedded_postgres) -> PostgresResource:
    """An empty landing schema."""
    resource = PostgresResource(url=embedded_postgres.url("landing"))
    with psycopg.connect(embedded_postgres.url("postgres"), autocommit=True) as connection:
        connection.execute("drop database if exists landing with (force)")
        connection.execute("create database landing")
    ensure_landing(resource)
    return resource


def dump(folder: Path, **collections: list[dict]) -> DumpSource:
    for name, documents in collections.items():
        (folder / f"{name}.bson").write_bytes(b"".join(map(bson.encode, documents)))
    return DumpSource(folder)


def land(postgres, source, entity: str, window: Window | None = None):
    return extract(Extraction(ENTITIES[entity], SOURCE_MAP, source, window), postgres)


def user(user_id, **fields) -> dict:
    return {"_id": user_id, "createdAt": NOON, "updatedAt": NOON, **fields}


def booking(day: int, user_id=B) -> dict:
    at = NOON + timedelta(days=day)
    done = {"userId": user_id, "startsAt": at, "status": "done"}
    return {"_id": f"booking {day}", **done, "stations": [{"code": "row"}, {"code": "ski"}]}


def test_an_unchanged_document_adds_no_version_and_a_changed_one_adds_one(postgres, tmp_path):
    source = dump(tmp_path, users=[user(A, friends=[B]), user(B)], passes=[])
    assert land(postgres, source, "users").written == 2
    assert land(postgres, source, "users").written == 0
    later = NOON + timedelta(days=3)
    source = dump(tmp_path, users=[user(A, friends=[B, C], updatedAt=later), user(B)])
    assert land(postgres, source, "users").written == 1
    versions = postgres.read(
        "select known_at, cardinality(friend_ids) as friends from ris_raw.users"
        f" where user_id = '{A}' order by known_at"
    )
    assert versions["known_at"].to_list() == [NOON, later]
    assert versions["friends"].to_list() == [1, 2]


def test_a_change_without_a_time_is_known_at_the_end_of_the_last_whole_day(postgres, tmp_path):
    source = dump(tmp_path, users=[{"_id": A, "createdAt": NOON}], passes=[])
    land(postgres, source, "users")
    known = postgres.read("select known_at from ris_raw.users")["known_at"][0]
    midnight = datetime.now(ALMATY).replace(hour=0, minute=0, second=0, microsecond=0)
    assert known.astimezone(UTC) == (midnight - timedelta(microseconds=1)).astimezone(UTC)


def test_a_day_run_twice_replaces_its_rows_and_leaves_other_days(postgres, tmp_path):
    source = dump(tmp_path, users=[], passes=[], bookings=[booking(0), booking(1)])
    for window in (
        Window(DAY, DAY, ALMATY),
        Window(DAY + timedelta(1), DAY + timedelta(1), ALMATY),
    ):
        for _ in range(2):
            assert land(postgres, source, "station_results", window).written == 2
    assert postgres.read("select source_id from ris_raw.station_results").height == 4


def test_what_a_day_no_longer_holds_is_gone_after_its_rerun(postgres, tmp_path):
    window = Window(DAY, DAY, ALMATY)
    land(
        postgres,
        dump(tmp_path, users=[], passes=[], bookings=[booking(0)]),
        "station_results",
        window,
    )
    source = dump(tmp_path, bookings=[booking(1)])
    assert land(postgres, source, "station_results", window).written == 0
    assert postgres.read("select source_id from ris_raw.station_results").is_empty()


def test_a_refused_document_is_kept_whole_until_it_fits(postgres, tmp_path):
    source = dump(tmp_path, users=[user(A), {"_id": B, "note": "no date"}], passes=[])
    counts = land(postgres, source, "users")
    assert (counts.read, counts.written, counts.rejected) == (2, 1, 1)
    kept = postgres.read("select source_id, field, document::text from ris_raw.rejects").row(0)
    assert kept[:2] == (str(B), "registered_at")
    assert "no date" in kept[2]
    land(postgres, dump(tmp_path, users=[user(A), user(B)]), "users")
    assert postgres.read("select source_id from ris_raw.rejects").is_empty()


def test_an_optional_entity_may_be_absent_and_a_mandatory_one_may_not(postgres, tmp_path):
    source = dump(tmp_path, users=[])
    assert land(postgres, source, "station_results", Window(DAY, DAY, ALMATY)) is None
    logged = postgres.read("select is_mapped from ris_raw.extraction_log")
    assert logged["is_mapped"].to_list() == [False]
    with pytest.raises(RisError, match="mandatory entity `hero_passes`"):
        land(postgres, source, "hero_passes")


def test_a_failed_extraction_leaves_the_previous_state_whole(postgres, tmp_path):
    source = dump(tmp_path, users=[user(A)], passes=[])
    land(postgres, source, "users")
    broken = bson.encode(user(B)) + bson.encode(user(C))[:-4]
    (tmp_path / "users.bson").write_bytes(broken)
    with pytest.raises(RisError, match="truncated"):
        land(postgres, DumpSource(tmp_path), "users")
    assert postgres.read("select user_id from ris_raw.users")["user_id"].to_list() == [str(A)]
    assert postgres.read("select entity from ris_raw.extraction_log").height == 1
