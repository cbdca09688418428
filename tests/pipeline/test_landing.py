"""Landing in a real PostgreSQL: versions, tombstones, days, refusals, and extraction again and again."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import bson
import dagster as dg
import psycopg
import pytest

from ris_assets.assets import raw
from ris_assets.contracts.columns import Column, Table
from ris_assets.errors import RisError
from ris_assets.extract.source_map import SourceMap
from ris_assets.ingest.anew import forget_extractions, read_with_another_map
from ris_assets.partitions import PARTITION, RANGE_END, RANGE_START
from ris_assets.resources.mongo import MongoResource
from ris_assets.windows import first_day_to_make
from tests.pipeline.landing_case import ALMATY, DAY, NOON, Case, fresh_database

HERO_PASSES = dg.AssetKey(["ris_raw", "hero_passes"])
PASSES = {
    "collection": "passes",
    "fields": {
        "hp_id": "_id", "user_id": "user", "purchased_at": "at", "starts_at": "at", "ends_at": "to",
    },
}  # fmt: skip
USERS = {
    "collection": "users",
    "changed_at": "updatedAt",
    "fields": {
        "user_id": "_id", "registered_at": "createdAt", "friend_ids": "friends", "city": "city",
        "sex": {"path": "sex", "values": {"M": "male", "F": "female"}},
    },
}  # fmt: skip
BOOKINGS = {
    "collection": "visits",
    "changed_at": "updatedAt",
    "fields": {
        "booking_id": "no", "user_id": "userId", "booked_at": "at", "starts_at": "at",
        "status": {"value": "attended"},
    },
}  # fmt: skip
SETS = {
    "collection": "visits",
    "filter": {"status": "done"},
    "explode": "stations",
    "fields": {
        "booking_id": "no", "user_id": "userId", "performed_at": "at", "station": "stations.code",
    },
}  # fmt: skip
STEPS = {
    "collection": "steps",
    "fields": {
        "steps_id": "_id",
        "user_id": {"parent": {"entity": "bookings", "key": "visit", "field": "user_id"}},
        "counted_at": "at",
        "steps": "n",
    },
}


def source_map(**changes) -> SourceMap:
    entities = {
        "users": USERS, "hero_passes": PASSES, "bookings": BOOKINGS, "station_results": SETS,
        "daily_steps": STEPS,
    }  # fmt: skip
    return SourceMap.model_validate({"entities": {**entities, **changes}})


@pytest.fixture
def case(embedded_postgres, tmp_path) -> Case:
    return Case(fresh_database(embedded_postgres), tmp_path, source_map())


def user(user_id, days: float = 0, **fields) -> dict:
    at = NOON + timedelta(days=days)
    return {"_id": user_id, "createdAt": NOON, "updatedAt": at, **fields}


def visit(number: int, day: int = 0, **fields) -> dict:
    at = NOON + timedelta(days=day)
    done = {"no": f"v{number}", "userId": "u", "at": at, "updatedAt": at, "status": "done"}
    return {"_id": number, **done, "stations": [{"code": "row"}, {"code": "ski"}], **fields}


def test_an_unchanged_document_adds_no_version_and_a_changed_one_adds_one(case):
    case.dump(users=[user("a", friends=["b"]), user("b")], passes=[])
    assert case.land("users").written == 2
    assert case.land("users").written == 0
    case.dump(users=[user("a", 3, friends=["b", "c"]), user("b")])
    assert case.land("users").written == 1
    versions = case.rows(
        "select known_at, cardinality(friend_ids) from ris_raw.users where user_id = 'a' order by 1"
    )
    assert versions == [(NOON, 1), (NOON + timedelta(days=3), 2)]


def test_a_change_without_a_time_belongs_to_the_night_or_to_the_day_whose_run_is_yet_to_come(case):
    users = {name: value for name, value in USERS.items() if name != "changed_at"}
    case.source_map = source_map(users=users)
    today = datetime.now(ALMATY).replace(hour=0, minute=0, second=0, microsecond=0)
    case.dump(users=[user("a", city="north"), user("b")], passes=[])
    case.land("users")
    with case.postgres.connect() as connection:
        connection.execute("update ris_raw.users set known_at = known_at - interval '1 day'")
    case.dump(users=[user("a", city="south"), user("b")])
    case.land("users", first_day=today.date() - timedelta(days=1))
    case.dump(users=[user("a", city="west")])
    case.land("users", first_day=today.date())
    known = case.rows("select known_at, city, is_deleted from ris_raw.users order by source_id, 1")
    night = (today - timedelta(microseconds=1)).astimezone(UTC)
    (_, _, _), (south, *_), (west, *_), (_, _, _), (gone, _, is_deleted) = known
    assert is_deleted
    assert south == night
    assert min(west, gone) >= today


def test_only_what_changed_since_the_watermark_less_the_overlap_is_considered(case):
    old, late = user("old", 1), user("late", 10 - 0.02)
    case.dump(users=[old, late, user("new", 10)], passes=[])
    first = case.land("users")
    assert (first.considered, first.watermark_after) == (3, NOON + timedelta(days=10))
    case.dump(users=[{**old, "city": "unseen"}, {**late, "city": "seen"}, user("new", 11)])
    second = case.land("users")
    assert (second.considered, second.written) == (2, 1)
    assert second.watermark_before == NOON + timedelta(days=10)
    assert second.watermark_after == NOON + timedelta(days=11)
    assert case.rows("select city from ris_raw.users where city is not null") == [("seen",)]


def test_what_came_late_or_changed_without_a_new_change_time_is_found_when_everything_is_read(case):
    case.dump(users=[user("a"), user("b", 10)], passes=[])
    case.land("users")
    case.dump(users=[user("a", city="south"), user("b", 10), user("late", 1)])
    assert case.land("users", reconcile_days=7).written == 0
    assert case.land("users", reconcile_days=0).written == 2
    assert case.land("users", reconcile_days=7).considered == 1


def test_a_version_counts_from_no_day_that_has_been_made_without_it(case):
    case.dump(users=[user("a"), user("b", 10)], passes=[])
    case.land("users")
    changed = [user("a", 4, city="south"), user("b", 12, city="south"), user("late", 1)]
    case.dump(users=changed)
    case.land("users", reconcile_days=0, first_day=(NOON + timedelta(days=12)).date())
    night = datetime.now(ALMATY).replace(hour=0, minute=0, second=0, microsecond=0)
    night -= timedelta(microseconds=1)
    known = case.rows(
        f"select user_id, known_at from ris_raw.users where known_at > '{NOON + timedelta(11)}' order by 1"
    )
    assert known == [("a", night), ("b", NOON + timedelta(days=12)), ("late", night)]


@pytest.mark.parametrize(
    ("tags", "first_day"),
    [
        ({}, DAY + timedelta(days=1)),
        ({PARTITION: "2023-12-31"}, DAY + timedelta(days=1)),
        ({PARTITION: "2024-01-02"}, DAY + timedelta(days=1)),
        ({PARTITION: "2024-01-01"}, DAY),
        ({RANGE_START: "2023-12-30", RANGE_END: "2024-01-05"}, DAY),
    ],
)
def test_a_day_is_to_be_made_that_no_run_has_built_or_that_the_run_builds_again(
    case, tags, first_day
):
    found = []

    @dg.asset
    def made(context: dg.AssetExecutionContext) -> None:
        found.append(first_day_to_make(context, case.postgres))

    assert dg.materialize([made], tags=tags).success
    with case.postgres.connect() as connection:
        connection.execute("create schema ris")
        connection.execute(f"create table ris.member_snapshot as select date '{DAY}' as as_of_date")
    assert dg.materialize([made], tags=tags).success
    assert found == [None, first_day]


def test_a_clock_that_runs_ahead_hides_no_change_that_follows(case):
    ahead = {**user("a"), "updatedAt": datetime(2199, 1, 1, tzinfo=UTC)}
    case.dump(users=[ahead], passes=[])
    case.land("users")
    assert case.rows("select known_at < now() from ris_raw.users") == [(True,)]
    now = datetime.now(UTC)
    case.dump(users=[ahead, {**user("b"), "updatedAt": now}])
    assert case.land("users").written == 1


def test_a_document_that_is_gone_becomes_a_tombstone_and_may_come_back(case):
    case.dump(users=[user("a"), user("b")], passes=[])
    case.land("users")
    case.dump(users=[user("a")])
    assert case.land("users", reconcile_days=7).deleted == 0
    assert case.land("users", reconcile_days=0).deleted == 1
    assert case.land("users", reconcile_days=0).deleted == 0
    case.dump(users=[user("a"), user("b")])
    assert case.land("users", reconcile_days=0).written == 1
    history = case.rows(
        "select is_deleted from ris_raw.users where user_id = 'b' order by known_at"
    )
    assert history == [(False,), (True,), (False,)]


def test_a_source_that_is_nearly_empty_buries_nothing_unless_told(case):
    case.dump(users=[user(n) for n in range(300)], passes=[])
    case.land("users")
    case.dump(users=[user(0)])
    with pytest.raises(RisError, match="299 of 300 documents of `users` are gone"):
        case.land("users", reconcile_days=0)
    assert case.rows("select count(*) from ris_raw.users") == [(300,)]
    assert case.land("users", reconcile_days=0, deleted_share=1).deleted == 299


def test_without_a_change_time_everything_is_compared_and_what_is_gone_is_buried(case):
    hero_pass = {"_id": 1, "user": "u", "at": NOON, "to": NOON + timedelta(days=30)}
    other = {**hero_pass, "_id": 2}
    case.dump(users=[], passes=[hero_pass, other])
    assert case.land("hero_passes").written == 2
    assert case.land("hero_passes").written == 0
    case.dump(passes=[{**hero_pass, "user": "v"}])
    counts = case.land("hero_passes")
    assert (counts.written, counts.deleted) == (1, 1)
    midnight = datetime.now(ALMATY).replace(hour=0, minute=0, second=0, microsecond=0)
    assert case.rows("select max(known_at) < now(), min(known_at) from ris_raw.hero_passes") == [
        (True, midnight - timedelta(microseconds=1))
    ]


def test_a_pass_that_renews_itself_loses_the_periods_after_an_end_that_becomes_known(case):
    fields = {**PASSES["fields"], "ends_at": "over"}
    case.source_map = source_map(
        hero_passes={**PASSES, "changed_at": "at", "repeat": {"months": 1}, "fields": fields}
    )
    going_on = {"_id": "s", "user": "u", "at": NOON}
    case.dump(passes=[going_on])
    assert case.land("hero_passes").written > 30
    assert case.land("hero_passes").written == 0
    case.dump(passes=[going_on | {"over": NOON + timedelta(days=40)}])
    case.land("hero_passes")
    living = case.rows("""
        select hp_id, ends_at, cancelled_at from (
            select distinct on (source_id) * from ris_raw.hero_passes order by source_id, known_at desc
        ) as latest
        where not is_deleted order by hp_id
    """)
    last = NOON + timedelta(days=40) - timedelta(milliseconds=1)
    assert living == [
        ("s", datetime(2024, 2, 1, 12, tzinfo=UTC), last),
        ("s:2", datetime(2024, 3, 1, 13, tzinfo=UTC), last),
    ]


@pytest.mark.parametrize(("last", "told"), [("2024-01-02", True), ("2024-01-10", False)])
def test_a_run_past_the_last_day_that_is_told_warns_where_passes_renew_themselves(
    case, monkeypatch, last, told
):
    case.source_map = source_map(hero_passes={**PASSES, "repeat": {"months": 1}})
    monkeypatch.setattr(raw, "source_map_in_use", lambda: case.source_map)
    case.dump(users=[], passes=[{"_id": "s", "user": "u", "at": NOON + timedelta(days=1)}])
    asset = next(a for a in raw.raw_assets if getattr(a, "key", None) == HERO_PASSES)
    resources = {"mongo": MongoResource(url=f"file:{case.folder}"), "postgres": case.postgres}
    found = dg.materialize([asset], tags={PARTITION: last}, resources=resources)
    (check,) = found.get_asset_check_evaluations()
    assert check.passed is told
    assert told or "nothing later than 2024-01-02" in check.description


def test_an_event_whose_day_is_reckoned_lands_on_that_day(case):
    at = {"path": "at", "minus": {"days": 9}}
    case.source_map = source_map(
        bookings=BOOKINGS, daily_steps={**STEPS, "fields": {**STEPS["fields"], "counted_at": at}}
    )
    case.dump(visits=[visit(1)], steps=[{"_id": 1, "visit": "v1", "at": NOON, "n": 7}])
    case.land("bookings")
    assert case.land("daily_steps", DAY).written == 0
    assert case.land("daily_steps", DAY - timedelta(days=9)).written == 1


def test_what_a_wrong_map_has_read_can_be_forgotten(case):
    case.dump(users=[user("a", city="x", home="y")])
    case.land("users")
    right = {**USERS, "fields": {**USERS["fields"], "city": "home"}}
    case.source_map = source_map(users=right)
    assert read_with_another_map(case.postgres, case.source_map) == ["users"]
    case.land("users")
    versions = "select city from ris_raw.users order by known_at"
    assert case.rows(versions) == [("x",), ("y",)]
    assert forget_extractions(case.postgres, ["users"]) == {"users": 2}
    case.land("users")
    assert case.rows(versions) == [("y",)]
    assert case.rows("select count(*) from ris_raw.extraction_log where entity = 'users'") == [(1,)]
    assert read_with_another_map(case.postgres, case.source_map) == []


def test_a_refused_document_is_not_taken_for_a_deleted_one(case):
    case.dump(users=[user("a")], passes=[])
    case.land("users")
    case.dump(users=[{"_id": "a", "updatedAt": NOON}])
    counts = case.land("users", reconcile_days=0)
    assert (counts.rejected, counts.deleted) == (1, 0)


def test_a_day_run_twice_replaces_its_rows_and_leaves_other_days(case):
    case.dump(users=[], passes=[], visits=[visit(0), visit(1, day=1)])
    for day in (DAY, DAY + timedelta(days=1)):
        for _ in range(2):
            case.land("station_results", day)
    assert len(case.rows("select source_id from ris_raw.station_results")) == 4
    case.dump(visits=[visit(1, day=1)])
    case.land("station_results", DAY)
    assert len(case.rows("select source_id from ris_raw.station_results")) == 2


NEXT = datetime(2024, 1, 2, tzinfo=ALMATY).astimezone(UTC)
"""When the second day begins."""
END = NEXT - timedelta(microseconds=1)
"""Of the first day."""
STANDING = "select event_at, station, known_at from ris_raw.station_results order by 1, 2"
SUPERSEDED = (
    "select event_at, station, known_at, known_until from ris_raw.station_results_superseded"
    " order by 1, 2, 3"
)


def sled(number: int, day: int = 0) -> dict:
    return visit(number, day, stations=[{"code": "sled"}])


def test_what_an_event_said_before_it_changed_stays_known_until_then(case):
    case.dump(users=[], passes=[], visits=[visit(0, stations=[{"code": "row"}])])
    for day in (0, 1, 2):
        case.land("station_results", DAY + timedelta(days=day))
    case.dump(visits=[sled(0)])
    for _ in range(2):
        case.land("station_results", DAY)
    # Two more days had been read by then: it counts from the one after them.
    since = NEXT + timedelta(days=2)
    assert case.rows(STANDING) == [(NOON, "sled", since)]
    assert case.rows(SUPERSEDED) == [(NOON, "row", NOON, since)]
    assert case.land("station_results", DAY + timedelta(days=3)).written == 0
    case.dump(visits=[visit(0, stations=[{"code": "ski"}])])
    case.land("station_results", DAY)
    fourth = NEXT + timedelta(days=3)
    assert case.rows(STANDING) == [(NOON, "ski", fourth)]
    assert case.rows(SUPERSEDED) == [(NOON, "row", NOON, since), (NOON, "sled", since, fourth)]


def test_an_event_changed_by_the_next_night_is_another_from_that_day_on(case):
    case.dump(users=[], passes=[], visits=[visit(0, stations=[{"code": "row"}])])
    case.land("station_results", DAY)
    case.dump(visits=[sled(0)])
    case.land("station_results", DAY + timedelta(days=1))
    since = END + timedelta(days=1)
    assert case.rows(STANDING) == [(NOON, "sled", since)]
    assert case.rows(SUPERSEDED) == [(NOON, "row", NOON, since)]


def test_of_days_read_again_with_the_last_news_count_from_that(case):
    case.dump(users=[], passes=[], visits=[visit(0, stations=[{"code": "row"}])])
    for day in (0, 1, 2):
        case.land("station_results", DAY + timedelta(days=day))
    case.dump(visits=[sled(0)])
    case.land("station_results", DAY, DAY + timedelta(days=2))
    since = END + timedelta(days=2)
    assert case.rows(STANDING) == [(NOON, "sled", since)]
    assert case.rows(SUPERSEDED) == [(NOON, "row", NOON, since)]


def test_what_a_late_look_finds_counts_from_the_next_day_too(case):
    case.dump(users=[], passes=[], visits=[visit(0)])
    for day in (0, 1, 2):
        case.land("station_results", DAY + timedelta(days=day))
    case.dump(visits=[visit(0), sled(1)])
    case.land("station_results", DAY + timedelta(days=1))
    known = case.rows("select known_at from ris_raw.station_results where station = 'sled'")
    assert known == [(NEXT + timedelta(days=2),)]


def test_a_day_read_again_in_its_own_night_is_known_as_it_was_read_last(case):
    case.dump(users=[], passes=[], visits=[visit(0, stations=[{"code": "row"}]), visit(1)])
    case.land("station_results", DAY)
    case.dump(visits=[sled(0)])
    case.land("station_results", DAY)
    assert case.rows(STANDING) == [(NOON, "sled", NOON)]
    assert case.rows(SUPERSEDED) == []


def test_an_event_that_is_gone_was_known_until_then_and_may_come_back(case):
    case.dump(users=[], passes=[], visits=[visit(0, stations=[{"code": "row"}])])
    for day in (0, 1):
        case.land("station_results", DAY + timedelta(days=day))
    case.dump(visits=[])
    case.land("station_results", DAY)
    gone = NEXT + timedelta(days=1)
    assert case.rows(STANDING) == []
    assert case.rows(SUPERSEDED) == [(NOON, "row", NOON, gone)]
    case.land("station_results", DAY + timedelta(days=2))
    case.dump(visits=[visit(0, stations=[{"code": "row"}])])
    case.land("station_results", DAY)
    assert case.rows(STANDING) == [(NOON, "row", NEXT + timedelta(days=2))]
    assert case.rows(SUPERSEDED) == [(NOON, "row", NOON, gone)]


def elements(*stations: tuple[str, int], changed: int, number: int = 0) -> dict:
    """A visit whose sets lie on several days, changed on one."""
    held = [{"id": code, "at": NOON + timedelta(days=day), "code": code} for code, day in stations]
    return visit(number, changed, stations=held)


@pytest.mark.parametrize(
    "kept", [[("row", 0)], []], ids=["one of its elements is left", "none is left"]
)
def test_an_element_that_is_gone_from_a_document_that_changed_was_known_until_then(case, kept):
    fields = {**SETS["fields"], "result_id": "stations.id", "performed_at": "stations.at"}
    case.source_map = source_map(
        station_results={**SETS, "changed_at": "updatedAt", "fields": fields}
    )
    other = elements(("sled", 0), changed=0, number=1)
    days = ("row", 0), ("ski", 0), ("bike", 1)
    case.dump(users=[], passes=[], visits=[elements(*days, changed=0), other])
    for day in (0, 1, 2):
        case.land("station_results", DAY + timedelta(days=day))
    assert len(case.rows(STANDING)) == 4
    case.dump(visits=[elements(*kept, changed=6), other])
    for _ in range(2):
        case.land("station_results", DAY + timedelta(days=6))
    since = END + timedelta(days=6)
    lost = sorted({"row", "ski", "bike"} - {code for code, _ in kept})
    at = dict(days)
    assert case.rows("select station, known_until from ris_raw.station_results_superseded order by 1") == [
        (code, since) for code in sorted(lost)
    ]  # fmt: skip
    left = [(NOON + timedelta(days=at[code]), code) for code in ("row",) if kept]
    assert [row[:2] for row in case.rows(STANDING)] == [*left, (NOON, "sled")]


@pytest.mark.parametrize(
    "change", [{"stations": "?"}, {"status": "open"}, {"updatedAt": NOON}],
    ids=["what is no array", "what does not count any more", "what has not changed"],
)  # fmt: skip
def test_an_element_is_not_taken_for_gone_for(case, change):
    case.source_map = source_map(station_results={**SETS, "changed_at": "updatedAt"})
    case.dump(users=[], passes=[], visits=[visit(0)])
    case.land("station_results", DAY)
    case.dump(visits=[visit(0, 6, at=NOON, stations=[], **{}) | change])
    case.land("station_results", DAY + timedelta(days=6))
    assert len(case.rows(STANDING)) == 2


def test_a_mended_map_says_what_was_known_from_the_first(case):
    case.dump(users=[], passes=[], visits=[visit(0, stations=[{"code": "row", "name": "ski"}])])
    for day in (0, 1):
        case.land("station_results", DAY + timedelta(days=day))
    case.dump(visits=[sled(0)])
    case.land("station_results", DAY)
    by_name = {**SETS, "fields": {**SETS["fields"], "station": "stations.name"}}
    case.source_map = source_map(station_results=by_name)
    case.dump(visits=[visit(0, stations=[{"code": "row", "name": "ski"}])])
    known_at = case.rows(STANDING)[0][2]
    case.land("station_results", DAY)
    assert case.rows(STANDING) == [(NOON, "ski", known_at)]
    assert case.rows(SUPERSEDED) == []


def test_an_event_that_arrives_late_is_known_from_then_on(case):
    on_time, late = visit(0), visit(1, stations=[{"code": "sled"}])
    case.dump(users=[], passes=[], visits=[on_time])
    case.land("station_results", DAY)
    case.dump(visits=[on_time, late])
    case.land("station_results", DAY + timedelta(days=1))
    known = dict(case.rows("select station, known_at from ris_raw.station_results"))
    assert known["row"] == NOON
    ends = datetime(2024, 1, 3, tzinfo=ALMATY).astimezone(UTC)
    assert known["sled"] == ends - timedelta(microseconds=1)


def test_a_day_read_once_more_leaves_events_known_as_they_were_and_takes_others_for_late(case):
    case.dump(users=[], passes=[], visits=[visit(0)])
    case.land("station_results", DAY)
    case.land("station_results", DAY + timedelta(days=1))
    known_at = "select known_at from ris_raw.station_results where station = '{}'"
    on_time = case.rows(known_at.format("row"))
    case.dump(visits=[visit(0), visit(1, stations=[{"code": "sled"}])])
    case.land("station_results", DAY)
    assert case.rows(known_at.format("row")) == on_time == [(NOON,)]
    # Two days have been read; the run of the third is the next that makes a day.
    assert case.rows(known_at.format("sled")) == [(NEXT + timedelta(days=1),)]


def test_an_event_changed_since_is_known_from_its_own_day(case):
    with_change_times = {"station_results": {**SETS, "changed_at": "updatedAt"}}
    case = replace(case, source_map=source_map(**with_change_times))
    case.dump(users=[], passes=[], visits=[visit(0)])
    case.land("station_results", DAY)
    before = case.rows("select known_at from ris_raw.station_results")
    case.dump(visits=[visit(0, updatedAt=NOON + timedelta(days=30))])
    case.land("station_results", DAY)
    assert case.rows("select known_at from ris_raw.station_results") == before


def test_what_has_changed_in_a_day_is_read_with_it_however_long_ago_it_happened(case):
    case = replace(case, source_map=source_map(station_results={**SETS, "changed_at": "updatedAt"}))
    changed_on = DAY + timedelta(days=30)
    changed_at = NOON + timedelta(days=30)
    visits = [visit(0, stations=[{"code": "row"}]), visit(1, day=40)]
    case.dump(users=[], passes=[], visits=visits)
    case.land("station_results", DAY, DAY + timedelta(days=29))
    ahead = visit(1, day=40, updatedAt=changed_at)
    case.dump(visits=[{**sled(0), "updatedAt": changed_at}, sled(2), ahead])
    case.land("station_results", changed_on)
    end = END + timedelta(days=30)
    assert case.rows(STANDING) == [(NOON, "sled", end)]
    assert case.rows(SUPERSEDED) == [(NOON, "row", NOON, end)]


def test_an_event_that_moved_to_another_day_is_not_kept_twice(case):
    case.dump(users=[], passes=[], visits=[visit(0)])
    case.land("station_results", DAY)
    case.dump(visits=[visit(0, day=5)])
    case.land("station_results", DAY + timedelta(days=5))
    days = case.rows("select distinct event_at from ris_raw.station_results")
    assert days == [(NOON + timedelta(days=5),)]
    was = case.rows("select event_at, station, known_at, known_until - event_at from"
                    " ris_raw.station_results_superseded")  # fmt: skip
    assert was == [(NOON, station, NOON, timedelta(days=5)) for station in ("row", "ski")]


def test_a_document_read_twice_in_one_go_stays_once(case):
    case.dump(users=[user("a"), user("b"), user("a")], passes=[], visits=[visit(0), visit(0)])
    assert case.land("users").written == 2
    assert case.land("station_results", DAY).written == 2


def test_a_refused_document_is_kept_whole_until_it_fits(case):
    case.dump(users=[user("a"), {"_id": "b", "note": "no date"}], passes=[])
    counts = case.land("users")
    assert (counts.considered, counts.written, counts.rejected) == (2, 1, 1)
    kept = case.rows("select source_id, field, document::text, user_id from ris_raw.rejects")
    assert kept[0][:2] == ("b", "registered_at")
    assert "no date" in kept[0][2]
    assert kept[0][3] == "b"
    case.dump(users=[user("a"), user("b", 1)])
    case.land("users")
    assert case.rows("select source_id from ris_raw.rejects") == []


def test_a_document_without_an_identity_is_refused_by_the_digest_of_its_bytes(case):
    case.dump(users=[{"createdAt": NOON}, {}], passes=[])
    counts = case.land("users")
    assert (counts.considered, counts.rejected) == (2, 2)
    ids = case.rows("select distinct source_id from ris_raw.rejects where field = '_id'")
    assert len(ids) == 2 and all(source_id.startswith("~") for (source_id,) in ids)


def test_refusals_are_tried_again_when_the_map_changes(case):
    case.dump(users=[user("a", sex="W")], passes=[], visits=[visit(0, at="soon")])
    case.land("users")
    case.land("station_results", DAY)
    assert len(case.rows("select distinct entity from ris_raw.rejects")) == 2
    users = {
        **USERS,
        "fields": {**USERS["fields"], "sex": {"path": "sex", "values": {"W": "female"}}},
    }
    sets = {**SETS, "fields": {**SETS["fields"], "performed_at": "updatedAt"}}
    case.source_map = source_map(users=users, station_results=sets)
    case.dump(visits=[])
    case.land("users")
    case.land("station_results", DAY + timedelta(days=1))
    assert case.rows("select sex from ris_raw.users where sex is not null") == [("female",)]
    assert len(case.rows("select source_id from ris_raw.station_results")) == 2
    assert case.rows("select source_id from ris_raw.rejects") == []


def test_a_row_waits_for_its_parent(case):
    step = {"_id": 1, "visit": "v7", "at": NOON, "n": 9000}
    case.dump(users=[], passes=[], visits=[visit(6)], steps=[step])
    case.land("bookings")
    assert case.land("daily_steps", DAY).rejected == 1
    assert case.rows("select reason, is_waiting from ris_raw.rejects where field = 'user_id'") == [
        ("no row of `bookings` with this id gives it", True)
    ]
    case.dump(visits=[visit(6), visit(7)], steps=[])
    case.land("bookings")
    case.land("daily_steps", DAY + timedelta(days=1))
    assert case.rows("select user_id, steps from ris_raw.daily_steps") == [("u", 9000)]
    assert case.rows("select source_id from ris_raw.rejects") == []


def test_of_two_documents_with_one_business_id_the_first_keeps_it(case):
    case.dump(users=[], passes=[], visits=[visit(0), visit(1, no="v0"), visit(2)])
    assert case.land("bookings").rejected == 1
    assert case.rows("select source_id, reason from ris_raw.rejects") == [
        ("1", "another document has this id already")
    ]
    case.dump(visits=[visit(0), visit(1, no="v0"), visit(2), visit(3, day=1, no="v2")])
    assert case.land("bookings").rejected == 2
    held = case.rows("select booking_id, source_id from ris_raw.bookings order by 1")
    assert held == [("v0", "0"), ("v2", "2")]
    case.dump(visits=[visit(1, no="v0"), visit(2), visit(3, day=1, no="v2")])
    case.land("bookings", reconcile_days=0)
    case.land("bookings")
    taken_over = case.rows("select source_id from ris_raw.bookings where booking_id = 'v0'")
    assert ("1",) in taken_over


@pytest.mark.parametrize(("personal", "value"), [({}, "v0"), ({"number": "no"}, None)])
def test_an_id_held_by_another_document_is_not_shown_where_it_is_personal(case, personal, value):
    case.source_map = source_map(bookings={**BOOKINGS, "personal": personal})
    case.dump(users=[], passes=[], visits=[visit(0), visit(1, no="v0")])
    case.land("bookings")
    assert case.rows("select value from ris_raw.rejects") == [(value,)]


LIVING_USERS = """
    select user_id, registered_at from (
        select distinct on (source_id) * from ris_raw.users order by source_id, known_at desc
    ) as latest
    where not is_deleted order by user_id
"""


def by_day(collection: str = "passes", **users) -> dict:
    """Documents of users, two a batch: the days on which they happened, in the order in which they lie."""
    return {
        collection: [
            {
                "_id": f"{name}{n}",
                "user": name,
                "at": NOON + timedelta(days=day),
                "is": "x" * (9 << 20),
            }
            for name, days in users.items()
            for n, day in enumerate(days)
        ]
    }


def test_of_several_documents_that_tell_of_one_person_the_earliest_stands_and_none_is_refused(case):
    fields = {"user_id": "user", "registered_at": "at"}
    case.source_map = source_map(users={"collection": "passes", "distinct": True, "fields": fields})
    for days, stands in (((9, 8, 0), 0), ((9,), 9), ((9, 8, 3), 3)):
        case.dump(**by_day(a=days, b=[5]))
        assert case.land("users").rejected == 0
        at = [("a", NOON + timedelta(days=stands)), ("b", NOON + timedelta(days=5))]
        assert case.rows(LIVING_USERS) == at


def test_who_stands_in_the_collection_of_persons_keeps_it_from_what_only_tells_of_persons(case):
    fields = {"user_id": "user", "registered_at": "at"}
    told = {"collection": "passes", "distinct": True, "fields": fields}
    case.source_map = source_map(users=[USERS, told])
    case.dump(users=[user("a")], **by_day(a=[-9, -8], b=[5, 6, 4]))
    for _ in range(2):
        assert case.land("users").rejected == 0
        assert case.rows(LIVING_USERS) == [("a", NOON), ("b", NOON + timedelta(days=4))]


def test_several_collections_feed_one_entity_and_their_ids_do_not_meet(case):
    clients = {**USERS, "collection": "clients"}
    case.source_map = source_map(users=[USERS, clients])
    case.dump(users=[user("a"), user("b")], clients=[user("c"), user("a")], passes=[])
    counts = case.land("users")
    assert (counts.written, counts.rejected) == (3, 1)
    assert case.rows("select source_id from ris_raw.users order by 1") == [
        ("clients/c",), ("users/a",), ("users/b",)
    ]  # fmt: skip
    case.dump(users=[user("a")])
    assert case.land("users", reconcile_days=0).deleted == 1


def test_personal_details_live_in_their_own_table_and_are_masked_in_refusals(case):
    users = {**USERS, "personal": {"name": "fio", "phone": "contacts.phone"}}
    case.source_map = source_map(users=users)
    person = {"fio": "Aigerim S.", "contacts": [{"phone": "+77010000000"}]}
    case.dump(users=[user("a", **person), {"_id": "b", **person}], passes=[])
    case.land("users")
    details = case.rows("select source_id, field, value from ris_personal.details order by 1, 2")
    assert ("a", "name", "Aigerim S.") in details and ("b", "name", "Aigerim S.") in details
    everything = case.rows(
        "select r::text from ris_raw.rejects r union all select u::text from ris_raw.users u"
    )
    assert everything and not any("Aigerim" in text or "+7701" in text for (text,) in everything)


def test_an_optional_entity_may_be_absent_and_a_mandatory_one_may_not(case):
    case.dump(users=[])
    assert case.land("station_results", DAY) is None
    assert case.rows("select is_mapped from ris_raw.extraction_log") == [(False,)]
    with pytest.raises(RisError, match="mandatory entity `hero_passes`"):
        case.land("hero_passes")


def test_the_log_notes_which_fields_are_mapped(case):
    case.dump(users=[user("a")], passes=[])
    case.land("users")
    mapped = {name for part in case.source_map.entities["users"].sources for name in part.fields}
    assert case.rows("select mapped_fields from ris_raw.extraction_log") == [(sorted(mapped),)]


def test_a_failed_extraction_leaves_the_previous_state_whole(case):
    case.dump(users=[user("a")], passes=[])
    case.land("users")
    broken = bson.encode(user("b")) + bson.encode(user("c"))[:-4]
    (case.folder / "users.bson").write_bytes(broken)
    with pytest.raises(RisError, match="truncated"):
        case.land("users")
    assert case.rows("select user_id from ris_raw.users") == [("a",)]
    assert len(case.rows("select entity from ris_raw.extraction_log")) == 1


def test_a_failed_first_load_leaves_an_empty_table_with_its_key(case):
    (case.folder / "passes.bson").write_bytes(b"")
    (case.folder / "users.bson").write_bytes(bson.encode(user("a")) + b"\x40\x00\x00\x00")
    with pytest.raises(RisError):
        case.land("users")
    keys = "select count(*) from pg_constraint where conname = 'users_pkey'"
    assert case.rows(keys) == [(1,)]
    assert case.rows("select count(*) from ris_raw.users") == [(0,)]


def test_drift_of_the_source_is_noted(case):
    case.dump(users=[user(n, city="Almaty", age=3) for n in range(40)], passes=[])
    case.land("users")
    case.dump(users=[user(n, 1, age="three", team="x") for n in range(40)])
    case.land("users")
    found = case.rows(
        "select path, status, change from ris_raw.field_profile where status <> 'same'"
    )
    assert sorted(found) == [
        ("age", "retyped", "number until now, now also str"),
        ("city", "vanished", "had a value in 100.0 % of documents"),
        ("team", "new", "not there before: str"),
    ]


def check_of(name: str, entity: str):
    from ris_assets.checks import checks

    return next(
        one
        for one in checks()
        for key in one.check_keys
        if key.name == name and key.asset_key.path[-1] == entity
    )


def test_the_check_on_refusals_knows_the_maps_limit_and_tells_reasons_without_values(case):
    people = [user(n) for n in range(9)] + [{"_id": "secret id", "updatedAt": NOON}]
    case.dump(users=people, passes=[])
    for limit, passes in ((0.05, False), (0.2, True)):
        case.source_map = source_map(users={**USERS, "reject_limit": limit})
        case.land("users")
        result = check_of("rejected_share", "users")(postgres=case.postgres)
        assert result.passed is passes
        assert result.metadata["share"].value == pytest.approx(0.1)
        told = "1 rows are held" if passes else "1 of 10 rows were refused, the map allows 5.0%"
        assert result.description.startswith(told)
        reasons = result.metadata["reasons"].md_str
        assert "| registered_at | missing | row refused | 1 |" in reasons
        assert "secret" not in reasons


def test_refusals_that_stop_a_day_stop_its_rerun_until_they_are_mended(case):
    case.dump(users=[*(user(n) for n in range(19)), user(19, 0.5)], passes=[])
    case.land("users")
    check = check_of("rejected_share", "users")
    assert check(postgres=case.postgres).passed
    broken = [{"_id": n, "updatedAt": NOON + timedelta(days=1)} for n in range(2)]
    unchanged, last = [user(n) for n in range(2, 19)], user(19, 2)
    for considered in (3, 1):
        case.dump(users=[*broken, *unchanged, last])
        assert case.land("users").considered == considered
        result = check(postgres=case.postgres)
        assert not result.passed
        assert result.description.startswith("2 of 3 rows were refused, the map allows 1.0%")
        assert "the scores of the days before stay in place" in result.description
    with psycopg.connect(case.postgres.libpq_url) as connection:
        earlier = "finished_at = finished_at - interval '1 day'"
        connection.execute(f"update ris_raw.extraction_log set {earlier}")
    case.dump(users=[*broken, *unchanged, user(19, 3)])
    case.land("users")
    later = check(postgres=case.postgres)
    assert later.passed and later.description.startswith("2 rows are held back, of whatever day")
    case.dump(users=[user(0, 4), user(1, 4), *unchanged, last])
    case.land("users")
    mended = check(postgres=case.postgres)
    assert mended.passed and mended.description is None


def test_a_pass_that_ends_before_it_starts_is_kept_listed_and_warned_of(case):
    gone = {"user": "a", "at": NOON, "to": NOON - timedelta(days=1)}
    case.dump(users=[], passes=[{"_id": 1, **gone}, {"_id": 2, **gone, "to": NOON + timedelta(1)}])
    counts = case.land("hero_passes")
    assert (counts.written, counts.rejected, counts.bare) == (2, 0, 1)
    listed = case.rows("select source_id, field, value, is_row_kept from ris_raw.rejects")
    assert listed == [("1", "ends_at", "2024-01-01T12:00:00Z to 2023-12-31T12:00:00Z", True)]
    assert [told.split(":")[0] for told in case.warnings] == [
        "1 of 2 rows of `hero_passes` do not end after they start and cover nothing"
    ]
    result = check_of("rejected_share", "hero_passes")(postgres=case.postgres)
    assert result.passed and "| kept as it is | 1 |" in result.metadata["reasons"].md_str


def test_the_check_on_drift_warns_with_a_table(case):
    case.dump(users=[user(n) for n in range(30)], passes=[])
    case.land("users")
    drift = check_of("schema_drift", "users")
    assert drift(postgres=case.postgres).passed
    case.dump(users=[user(n, 1, team="x") for n in range(30)])
    case.land("users")
    result = drift(postgres=case.postgres)
    assert not result.passed
    assert result.severity.value == "WARN"
    assert "| users | `team` | new | not there before: str |" in result.metadata["changes"].md_str


def test_the_check_on_volume_begins_with_the_first_day_and_counts_no_tombstone(case):
    """One person a day for ten days; of the last day, two, of whom the source takes one back."""
    people = [{**user(n), "createdAt": NOON - timedelta(days=9 - n)} for n in range(10)]
    case.dump(users=[*people, user("gone")], passes=[])
    case.land("users")
    last = case.rows(f"select (timestamptz '{NOON}' at time zone 'Asia/Almaty')::date")[0][0]
    with psycopg.connect(case.postgres.libpq_url) as connection:
        connection.execute("update ris_raw.extraction_log set through_day = %s", [last])

    def told() -> tuple[int, str]:
        found = check_of("volume", "users")(postgres=case.postgres).metadata
        return found["documents"].value, found["rule"].value

    assert told() == (2, "fewer than 4 weeks to compare with")
    case.dump(users=people)
    assert case.land("users", reconcile_days=0).deleted == 1
    with psycopg.connect(case.postgres.libpq_url) as connection:
        connection.execute("update ris_raw.extraction_log set through_day = %s", [last])
    assert told() == (1, "fewer than 4 weeks to compare with")


def test_the_check_on_volume_tells_since_when_an_entity_is_silent_until_the_map_lacks_it(case):
    """One person a day for forty days, nobody for the two hundred after."""
    people = [{**user(n), "createdAt": NOON + timedelta(days=n)} for n in range(40)]
    case.dump(users=people, passes=[])
    case.land("users")

    def log(change: str) -> None:
        with psycopg.connect(case.postgres.libpq_url) as connection:
            connection.execute(f"update ris_raw.extraction_log set {change}")

    log("through_day = '2024-08-27'")
    silent = check_of("volume", "users")(postgres=case.postgres)
    assert not silent.passed
    assert silent.metadata["rule"].value == "nothing since 2024-02-09, before that 1 a day"
    log("is_mapped = false")
    assert check_of("volume", "users")(postgres=case.postgres).passed


def test_a_landing_schema_of_an_earlier_version_is_brought_up_to_date(case):
    from ris_assets.resources.landing import ensure_landing

    case.dump(users=[user("a")], passes=[])
    case.land("users")
    with psycopg.connect(case.postgres.libpq_url) as connection:
        for change in (
            "add column content_hash text not null default ''",
            "drop column is_deleted",
        ):
            connection.execute(f"alter table ris_raw.users {change}")
        connection.execute("alter table ris_raw.rejects alter column document type jsonb")
        connection.execute("alter table ris_raw.extraction_log drop column rows_considered")
        connection.execute("drop index ris_raw.bookings_in_time")
        connection.execute(
            "create index bookings_in_time on ris_raw.bookings using brin (known_at)"
        )
    ensure_landing(case.postgres)
    ((ranges,),) = case.rows("select indexdef from pg_indexes where indexname = 'bookings_in_time'")
    assert "cancelled_at" in ranges
    assert case.land("users", reconcile_days=0).written == 0
    assert case.rows("select is_deleted from ris_raw.users") == [(False,)]


OF_BEFORE = """
    create schema if not exists ris_stg;
    create table ris_raw.kinds (id varchar(9) primary key, "n" int, share real, whole float8);
    insert into ris_raw.kinds values ('a', 7, 0.5, 1);
    create view ris_stg.kinds as select n, share from ris_raw.kinds;
    create view ris_stg.more as select n + 1 as n from ris_stg.kinds;
"""


def kinds(of_whole: str = "float8") -> Table:
    columns = (("id", "text"), ("n", "int8"), ("share", "float8"), ("whole", of_whole))
    described = tuple(Column(name, kind, "A column") for name, kind in columns)
    return Table("ris_raw", "kinds", "A table of an earlier version", ("id",), described)


def types_of_kinds(case) -> list[str]:
    return [kind for (kind,) in case.rows(
        "select format_type(atttypid, atttypmod) from pg_attribute"
        " where attrelid = 'ris_raw.kinds'::regclass and attnum > 0 order by attnum"
    )]  # fmt: skip


def test_a_type_of_an_earlier_version_is_widened_with_its_rows_and_under_its_views(case):
    with psycopg.connect(case.postgres.libpq_url) as connection:
        connection.execute(OF_BEFORE)
    case.postgres.ensure_table(kinds())
    assert types_of_kinds(case) == ["text", "bigint", "double precision", "double precision"]
    assert case.rows("select * from ris_raw.kinds") == [("a", 7, 0.5, 1.0)]
    assert case.rows("select n from ris_stg.more") == [(8,)]


@pytest.mark.parametrize(
    ("change", "of_whole", "told"),
    [
        ("", "int8", 'alter column "whole" type bigint using "whole"::bigint'),
        ("create view public.mine as select n from ris_raw.kinds", "float8", "public.mine"),
    ],
)
def test_a_type_that_cannot_be_widened_by_itself_is_told_and_nothing_is_changed(
    case, change, of_whole, told
):
    with psycopg.connect(case.postgres.libpq_url) as connection:
        connection.execute(OF_BEFORE + change)
    before = types_of_kinds(case)
    with pytest.raises(RisError, match=re.escape(told)):
        case.postgres.ensure_table(kinds(of_whole))
    assert types_of_kinds(case) == before
    assert case.rows("select * from ris_raw.kinds") == [("a", 7, 0.5, 1.0)]
