"""A snapshot of D is the same on D and for ever after, whatever becomes known later."""

from datetime import date
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from tests.dbt.marts import Marts
from tests.dbt.members import hand_written
from tests.dbt.raw_rows import RawRows

THEN, LATER = "2024-05-05", "2024-05-12"
ALMATY = ZoneInfo("Asia/Almaty")


def studio() -> RawRows:
    """The hand-written members and one whose booking is closed by hand."""
    raw = hand_written(ALMATY)
    for version, known_at in (("booked", "2024-05-01 10:00"), ("attended", "2024-05-03 20:00")):
        raw.booking("hasan", "2024-05-03 19:00", version, known_at=known_at, booking_id="by-hand",
                    booked_at="2024-05-01 10:00")  # fmt: skip
    raw.member("void")
    raw.hero_pass("void-1", "2024-04-20 10:00", "2024-04-21", "2024-05-20")
    raw.booking("void", "2024-05-04 19:00", booking_id="unsaid", booked_at="2024-05-01 10:00")
    return raw


def add_the_future(raw: RawRows) -> None:
    """What happened after 5 May, and what was only then told of the days before."""
    raw.hero_pass("hasan-1", "2024-03-31 10:00", "2024-04-01", "2024-05-30",
                  known_at="2024-05-08 12:00", cancelled_at="2024-05-08 12:00")  # fmt: skip
    raw.hero_pass("irina-3", "2024-04-09 10:00", "2024-04-30", "2024-05-29",
                  known_at="2024-05-06 09:00", payment_status="failed")  # fmt: skip
    raw.hero_pass("anna-6", "2024-05-07 10:00", "2024-05-27", "2024-06-23")
    raw.hero_pass("elena-3", "2024-05-09 10:00", "2024-05-11", "2024-06-09")
    raw.freeze("anna-5", "2024-05-06 10:00", "2024-05-01", "2024-05-10")
    raw.freeze("farid-1", "2024-05-05 10:00", "2024-05-06", None, freeze_id="farid-open",
               known_at="2024-05-09 10:00", cancelled_at="2024-05-09 10:00")  # fmt: skip
    raw.member("anna", known_at="2024-05-06 10:00", city="Astana", height_cm=171.0, weight_kg=90.0)
    raw.add("body_measurements", user_id="anna", measured_at="2024-05-06 18:00", weight_kg=66.0)
    raw.booking("hasan", "2024-05-03 19:00", "no_show", known_at="2024-05-08 10:00",
                booking_id="by-hand", booked_at="2024-05-01 10:00")  # fmt: skip
    raw.booking("void", "2024-05-04 19:00", booking_id="unsaid", booked_at="2024-05-01 10:00",
                known_at="2024-05-07 10:00", is_deleted=True)  # fmt: skip
    raw.hero_pass("void-1", "2024-04-20 10:00", "2024-04-21", "2024-05-20",
                  known_at="2024-05-08 10:00", is_deleted=True)  # fmt: skip
    raw.booking("irina", "2024-05-08 19:00")
    raw.add("app_sessions", user_id="lena", started_at="2024-05-06 00:00", duration_minutes=5.0)


def shared(marts: Marts, table: str, day: str, until: str) -> pl.DataFrame:
    """Rows of a table up to `until`, in order."""
    return marts.read(f"select * from ris.{table} where {day} <= '{until}' order by {day}, user_id")


@pytest.fixture(scope="module")
def before_and_after(marts: Marts) -> dict[str, tuple[pl.DataFrame, pl.DataFrame]]:
    """Snapshots and weeks that end by 5 May, as built on that day and a week later."""
    marts.timezone = str(ALMATY)
    found = {}
    for horizon in (THEN, LATER):
        raw = studio()
        if horizon == LATER:
            add_the_future(raw)
        raw = known_by(raw, horizon)
        marts.reset()
        raw.write(marts.url, horizon)
        marts.build()
        found[horizon] = (
            shared(marts, "member_snapshot", "as_of_date", THEN),
            shared(marts, "user_week_metrics", "week_start", "2024-04-29"),
            shared(marts, "fact_user_week", "week_start", "2024-04-29"),
        )
    names = ("member_snapshot", "user_week_metrics", "fact_user_week")
    return {name: (found[THEN][n], found[LATER][n]) for n, name in enumerate(names)}


def known_by(raw: RawRows, horizon: str) -> RawRows:
    """Only what had happened, or had been told, by the end of the horizon."""
    end = raw.at(f"{horizon} 23:59")
    for entity, rows in raw.rows.items():
        raw.rows[entity] = [r for r in rows if max(r["event_at"], r["known_at"]) <= end]
    return raw


@pytest.mark.parametrize("table", ["member_snapshot", "user_week_metrics", "fact_user_week"])
def test_what_becomes_known_later_leaves_the_past_bit_for_bit(before_and_after, table: str):
    before, after = before_and_after[table]
    day = "as_of_date" if table == "member_snapshot" else "week_start"
    # Older days keep only their Sundays as time goes on.
    kept = set(before[day]) & set(after[day])
    assert len(kept) >= 15
    assert after.columns == before.columns
    before, after = (frame.filter(pl.col(day).is_in(kept)) for frame in (before, after))
    assert after.rows() == before.rows()


def test_what_became_known_is_seen_from_then_on(marts: Marts, before_and_after):
    # The tables hold what the fixture built last: the world of 12 May.
    hasan, anna = marts.snapshot("hasan", LATER), marts.snapshot("anna", LATER)
    assert hasan is None  # cancelled on 8 May
    assert anna is not None
    assert (anna["city"], anna["weight_kg"], anna["is_already_renewed"]) == ("Astana", 66.0, True)
    assert (anna["freeze_days_used"], anna["days_to_end"]) == (10, 24)
    farid = marts.snapshot("farid", LATER)
    assert farid is not None
    assert (farid["is_frozen"], farid["freeze_days_used"]) == (False, 4)


def test_a_visit_counts_until_it_is_known_to_be_a_no_show(marts: Marts, before_and_after):
    days = marts.read(
        "select visit_count, no_show_count from ris.fact_user_day"
        " where user_id = 'hasan' and activity_date = '2024-05-03'"
    )
    assert days.rows() == [(0, 1)]
    row = marts.snapshot("hasan", THEN)
    assert row is not None
    assert (row["visits"], row["no_show_share"], row["days_since_last_visit"]) == (1.0, 0.0, 2.0)


def test_what_the_source_no_longer_has_counts_until_it_was_gone(marts: Marts, before_and_after):
    days = marts.read(
        "select known_on::text, visit_count::int from ris_int.int_user_days_measured"
        " where user_id = 'void' and activity_date = '2024-05-04' order by 1"
    )
    assert days.rows() == [("2024-05-04", 1), ("2024-05-07", -1)]
    then = marts.snapshot("void", THEN)
    assert then is not None
    assert then["visits"] == 1.0
    assert marts.snapshot("void", LATER) is None
    assert marts.read("select hp_id from ris.core_hp_period where user_id = 'void'").is_empty()


def test_history_loaded_at_once_is_cut_by_its_own_instants(marts: Marts):
    """Go-live: every document arrives once, in its last state, and tells its past itself."""
    raw = studio()
    raw.hero_pass("zoe-1", "2024-03-31 10:00", "2024-04-01", "2024-05-30",
                  known_at="2024-05-08 12:00", cancelled_at="2024-05-08 12:00",
                  payment_status="refunded")  # fmt: skip
    raw.member("zoe", known_at="2024-05-10 12:00")
    raw.freeze("zoe-1", "2024-04-20 10:00", "2024-04-25", "2024-05-04",
               known_at="2024-05-09 10:00", cancelled_at="2024-04-27 10:00")  # fmt: skip
    raw.booking("zoe", "2024-05-07 19:00", known_at="2024-05-08 12:00")
    marts.timezone = str(ALMATY)
    marts.reset()
    raw.write(marts.url, LATER)
    marts.build()
    asked, called_off = marts.snapshot("zoe", "2024-04-21"), marts.snapshot("zoe", "2024-05-05")
    assert asked is not None
    assert called_off is not None
    assert asked["hp_end_corrected"] == date(2024, 6, 9)  # ten days of freeze to come
    assert called_off["hp_end_corrected"] == date(2024, 6, 2)  # 25 to 27 April
    assert called_off["visits"] == 0.0
    assert marts.snapshot("zoe", "2024-05-09") is None
