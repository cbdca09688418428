"""Events whose documents change, move or vanish after they were read: known as they were until then.

Ten members leave traces of every kind in the week up to Sunday 2024-06-30. From the 26th on each document may say
something else, be gone, or be back. The studio is held against two others, in which nothing ever changed: the one
said from the beginning what this one said at first, the other what it says at last.
"""

import random
from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from ris_assets.contracts.entities import ENTITIES, Keeping
from tests.dbt.futures import GO_LIVE, Clock, changed
from tests.dbt.marts import Marts
from tests.dbt.raw_rows import RawRows, Row

ALMATY = ZoneInfo("Asia/Almaty")
MEMBERS = [f"m{number}" for number in range(10)]
FIRST, EVE, LAST = date(2024, 6, 24), date(2024, 6, 25), date(2024, 6, 30)
KEPT = ("user_id", "hp_id", "booking_id", "target_user_id", "station", "type", "metadata")
"""What stays as it is: whose it is, and what is asked of the first document that said so."""
EVENTS = [entity for entity in ENTITIES.values() if entity.keeping is Keeping.EVENTS]


def studio() -> RawRows:
    """All traces as they were first told."""
    raw = RawRows(ALMATY)
    for name in MEMBERS:
        raw.member(name, clan_id="owls")
        raw.hero_pass(f"{name}-1", "2024-04-01 10:00", "2024-04-01", "2024-08-30")
        for day in (date(2024, 4, 2), *(FIRST + timedelta(days=number) for number in range(6))):
            _traces(raw, name, day)
    return raw


def _traces(raw: RawRows, name: str, day: date) -> None:
    at = {"user_id": name}
    raw.add("station_results", **at, booking_id="any", performed_at=f"{day} 18:10", station="row",
            weight_kg=30.0, reps=10, has_heart_rate=True, heart_rate_mean=120.0)  # fmt: skip
    raw.add("body_measurements", **at, measured_at=f"{day} 17:00", weight_kg=70.0 + day.day,
            fat_share=0.3, muscle_kg=30.0)  # fmt: skip
    for kind in ("plank", "run"):
        raw.add("assessments", **at, assessed_at=f"{day} 17:30", kind=kind, score=50.0 + day.day)
    for hour in ("08", "20"):
        raw.add("app_sessions", **at, started_at=f"{day} {hour}:00", duration_minutes=5.0,
                has_opened_feed=True, has_opened_leaderboard=False)  # fmt: skip
        raw.add("daily_steps", **at, counted_at=f"{day} {hour}:00", steps=7_000)
    raw.add("social_actions", **at, acted_at=f"{day} 21:00", kind="like")
    raw.add("support_tickets", **at, opened_at=f"{day} 09:00", topic="billing", tone=0.1)
    raw.add("payments", **at, hp_id=f"{name}-1", paid_at=f"{day} 09:30", status="failed")
    raw.add("app_events", **at, occurred_at=f"{day} 08:01", type="opened")


def turn(raw: RawRows) -> None:
    """From the 26th on: of each entity a third of the documents say something else, are gone, are back again."""
    for entity in EVENTS:
        chance, clock = random.Random(entity.name), Clock(raw, "2024-06-26 00:01")
        last = {row["source_id"]: dict(row) for row in raw.rows[entity.name]}
        columns = [
            column for column in entity.fields if column.name not in (entity.id_field, *KEPT)
        ]
        for step in range(len(last)):
            clock.now += timedelta(hours=120 / len(last)) - timedelta(minutes=1)
            known = [row for row in last.values() if row["known_at"] < clock.now]
            row = chance.choice(known)
            if row["event_at"] < raw.at(f"{FIRST}"):
                continue
            if row["is_deleted"] or chance.random() < 0.2:
                row["is_deleted"] = not row["is_deleted"]
            else:
                column = chance.choice(columns)
                row[column.name] = changed(row.get(column.name), column, step % 3)
            row |= {"event_at": row[entity.event_field], "known_at": clock.tick()}
            raw.rows[entity.name].append(dict(row))


def told_from_the_beginning(raw: RawRows, pick: Callable[[list[Row]], Row]) -> RawRows:
    """One version of each document, known on its day."""
    plain = RawRows(ALMATY, defaultdict(list, raw.rows))
    for entity in EVENTS:
        versions = defaultdict(list)
        for row in raw.rows[entity.name]:
            versions[row["source_id"]].append(row)
        picked = [pick(rows) for rows in versions.values()]
        plain.rows[entity.name] = [
            {**row, "known_at": row["event_at"]} for row in picked if not row["is_deleted"]
        ]
    return plain


def land(marts: Marts, raw: RawRows, day: date) -> None:
    """What has been told by the end of a day; a document that has moved to a day ahead is not there."""
    end = raw.at(f"{day + timedelta(days=1)}")
    told = {
        name: [
            {**row, "is_deleted": row["is_deleted"] or row["event_at"] >= end}
            for row in rows
            if row["known_at"] < end
        ]
        for name, rows in raw.rows.items()
    }
    RawRows(ALMATY, defaultdict(list, told)).write(marts.url, f"{day}")
    marts.execute(f"update ris_raw.extraction_log set finished_at = '{GO_LIVE}'")


def made(marts: Marts, raw: RawRows, day: date = LAST) -> None:
    marts.reset()
    land(marts, raw, day)
    marts.make()


def metrics(marts: Marts, day: date) -> pl.DataFrame:
    """What a day's snapshot says of its week, and the last readings."""
    names = marts.read(
        "select feature from ris.meta_feature_catalog where feature_group = 'external' and is_active"
    )["feature"]
    return marts.read(
        f"select user_id, weight_kg, fat_share, {', '.join(names)} from ris.member_snapshot"
        f" where as_of_date = '{day}' order by user_id"
    )


def tables(marts: Marts) -> dict[str, set[tuple]]:
    """What a run of a day adds to, or makes anew."""
    names = (
        "ris.member_snapshot", "ris.fact_user_day", "ris.fact_user_week", "ris.core_hp_period",
        "ris_int.int_body_readings_known", "ris_int.int_scores_known", "ris_int.int_first_lifts",
    )  # fmt: skip
    return {name: set(marts.read(f"select * from {name}").rows()) for name in names}


@pytest.fixture(scope="module")
def found(marts: Marts) -> dict:
    """Snapshots of all three studios, and all tables as made day by day and at once."""
    marts.timezone = str(ALMATY)
    raw = studio()
    turn(raw)
    found: dict = {}
    for name, pick in (("first", lambda rows: rows[0]), ("last", lambda rows: rows[-1])):
        made(marts, told_from_the_beginning(raw, pick))
        found[name] = {day: metrics(marts, day) for day in (EVE, LAST)}
    marts.reset()
    land(marts, raw, LAST)
    marts.build()
    found["turned"] = {day: metrics(marts, day) for day in (EVE, LAST)}
    found["at once"] = tables(marts)
    made(marts, raw, EVE)
    for number in range(1, (LAST - EVE).days + 1):
        day = EVE + timedelta(days=number)
        land(marts, raw, day)
        marts.run(f"{day}", f"{day}")
    found["day by day"] = tables(marts)
    return found


def test_before_it_was_told_nothing_is_other_than_it_was(found):
    assert found["turned"][EVE].height == len(MEMBERS)
    assert_frame_equal(found["turned"][EVE], found["first"][EVE])


def test_once_it_was_told_all_is_as_if_it_had_always_been_so(found):
    last = found["last"][LAST]
    assert_frame_equal(found["turned"][LAST], last)
    told = [name for name in last.columns if not last[name].equals(found["first"][LAST][name])]
    assert {
        "weight_kg", "weight_change_kg", "muscle_change_kg", "assessments", "assessment_change",
        "app_sessions", "app_minutes", "feed_opens", "leaderboard_opens", "steps", "social_actions",
        "social_posts", "tickets", "ticket_tone", "failed_payments", "set_weight_kg", "effort",
        "heart_rate_share", "station_weight_progress", "weight_entries",
    } <= set(told)  # fmt: skip


def test_days_one_by_one_make_what_one_run_over_all_makes(found):
    differing = {
        name: len(rows ^ found["at once"][name]) for name, rows in found["day by day"].items()
    }
    assert differing == dict.fromkeys(differing, 0)
