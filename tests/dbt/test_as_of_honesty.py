"""A snapshot of D is the same on D and for ever after, whatever becomes known later."""

from datetime import date
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from tests.dbt.futures import GO_LIVE, crowd, every_future
from tests.dbt.marts import Marts
from tests.dbt.members import hand_written, hasan
from tests.dbt.raw_rows import RawRows

THEN, LATER = "2024-05-05", "2024-05-12"
ALMATY = ZoneInfo("Asia/Almaty")


def studio() -> RawRows:
    """The hand-written members, one whose booking is closed by hand, and a crowd that everything happens to.

    Of a booking the document tells from the beginning that it is called off when its class is over.
    """
    raw = hand_written(ALMATY)
    for version, known_at in (("booked", "2024-05-01 10:00"), ("attended", "2024-05-03 20:00")):
        raw.booking("hasan", "2024-05-03 19:00", version, known_at=known_at, booking_id="by-hand",
                    booked_at="2024-05-01 10:00")  # fmt: skip
    raw.member("void")
    raw.hero_pass("void-1", "2024-04-20 10:00", "2024-04-21", "2024-05-20")
    raw.booking("void", "2024-05-04 19:00", booking_id="unsaid", booked_at="2024-05-01 10:00")
    raw.booking("void", "2024-05-03 07:00", "late_cancelled", booking_id="foretold",
                booked_at="2024-05-01 10:00", known_at="2024-05-01 10:00",
                cancelled_at="2024-05-08 12:00")  # fmt: skip
    friends(raw)
    crowd(raw)
    return raw


def friends(raw: RawRows) -> None:
    """Kai and Lea train together with coach c1, and leave a trace of every kind."""
    raw.member("kai", friend_ids=["lea", "hasan", "anna"], clan_id="owls")
    raw.member("lea", friend_ids=["kai"])
    for name in ("kai", "lea"):
        raw.hero_pass(f"{name}-1", "2024-03-30 10:00", "2024-04-01", "2024-06-29", product="quarter",
                      price=60_000.0, freeze_days_allowed=14)  # fmt: skip
        for day in ("2024-04-10", "2024-04-24", "2024-05-02"):
            raw.booking(name, f"{day} 19:00", coach_id="c1", class_type="power", stations_done=10,
                        stations_planned=12, booking_id=f"{name} {day}")  # fmt: skip
    for day, weight, score in (("2024-04-03", 80.0, 50.0), ("2024-05-01", 79.0, 55.0)):
        raw.add("body_measurements", user_id="kai", measured_at=f"{day} 18:00", weight_kg=weight)
        raw.add("assessments", user_id="kai", assessed_at=f"{day} 18:30", kind="plank", score=score)
        raw.add("station_results", user_id="kai", booking_id="any", performed_at=f"{day} 19:10",
                station="row", weight_kg=weight / 2, reps=10, has_heart_rate=True,
                heart_rate_mean=130.0)  # fmt: skip
    raw.add("social_actions", user_id="kai", acted_at="2024-04-05 12:00", kind="clan_joined")
    raw.add("payments", user_id="kai", paid_at="2024-05-01 09:00", status="failed", amount=1.0)
    raw.add("support_tickets", user_id="kai", opened_at="2024-05-02 09:00", tone=-0.5)


def add_what_friends_do_next(raw: RawRows) -> None:
    """Told after 5 May, much of it about days before."""
    later = {"known_at": "2024-05-08 10:00"}
    raw.member("kai", friend_ids=["lea"], clan_id="bears", **later)
    raw.booking("lea", "2024-05-02 19:00", "no_show", coach_id="c1", class_type="power",
                booking_id="lea 2024-05-02", **later)  # fmt: skip
    raw.booking("kai", "2024-05-02 19:00", coach_id="c2", class_type="stretch", stations_done=1,
                stations_planned=12, booking_id="kai 2024-05-02", **later)  # fmt: skip
    raw.booking("kai", "2024-04-24 19:00", coach_id="c1", class_type="power", is_deleted=True,
                booking_id="kai 2024-04-24", **later)  # fmt: skip
    raw.hero_pass("lea-1", "2024-03-30 10:00", "2024-04-01", "2024-06-29", product="quarter",
                  price=60_000.0, cancelled_at="2024-05-06 12:00", **later)  # fmt: skip
    raw.hero_pass("kai-1", "2024-03-30 10:00", "2024-04-01", "2024-06-29", product="quarter",
                  price=45_000.0, freeze_days_allowed=0, **later)  # fmt: skip
    raw.hero_pass("anna-7", "2024-05-07 10:00", "2024-06-24", "2024-09-21", product="quarter",
                  price=90_000.0)  # fmt: skip
    for entity, instant, values in (
        ("body_measurements", "measured_at", {"weight_kg": 60.0}),
        ("assessments", "assessed_at", {"kind": "plank", "score": 99.0}),
        (
            "station_results",
            "performed_at",
            {"booking_id": "x", "station": "row", "weight_kg": 1.0},
        ),
        ("app_sessions", "started_at", {"duration_minutes": 99.0, "has_opened_feed": True}),
        ("daily_steps", "counted_at", {"steps": 99_999}),
        ("social_actions", "acted_at", {"kind": "friend_added"}),
        ("social_actions", "acted_at", {"kind": "clan_joined"}),
        ("support_tickets", "opened_at", {"tone": 1.0}),
        ("payments", "paid_at", {"status": "failed", "amount": 1.0}),
    ):
        # One of a day that is over arrives late, one is of its day.
        raw.add(entity, user_id="kai", **{instant: "2024-05-02 08:00"}, **later, **values)
        raw.add(entity, user_id="kai", **{instant: "2024-05-07 08:00"}, **values)


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
    for measured_at, weight, known_at in (("2024-05-06 18:00", 66.0, None),
                                          ("2024-04-25 18:00", 99.0, "2024-05-09 18:00")):  # fmt: skip
        raw.add("body_measurements", user_id="anna", measured_at=measured_at, weight_kg=weight,
                known_at=known_at)  # fmt: skip
    raw.booking("hasan", "2024-05-03 19:00", "no_show", known_at="2024-05-08 10:00",
                booking_id="by-hand", booked_at="2024-05-01 10:00")  # fmt: skip
    raw.booking("void", "2024-05-04 19:00", booking_id="unsaid", booked_at="2024-05-01 10:00",
                known_at="2024-05-07 10:00", is_deleted=True)  # fmt: skip
    raw.hero_pass("void-1", "2024-04-20 10:00", "2024-04-21", "2024-05-20",
                  known_at="2024-05-08 10:00", is_deleted=True)  # fmt: skip
    raw.booking("irina", "2024-05-08 19:00")
    raw.add("app_sessions", user_id="lena", started_at="2024-05-06 00:00", duration_minutes=5.0)
    add_what_friends_do_next(raw)
    every_future(raw, since="2024-05-06 08:00")


DAY_OF = {
    "member_snapshot": "as_of_date", "user_week_metrics": "week_start", "fact_user_week": "week_start",
    "ref_calendar": "calendar_date",
}  # fmt: skip
UNTIL = {"as_of_date": THEN, "calendar_date": THEN, "week_start": "2024-04-29"}


def land(marts: Marts, horizon: str) -> None:
    """What has been extracted by the horizon; extraction began long before."""
    raw = studio()
    if horizon != THEN:
        add_the_future(raw)
    known_by(raw, horizon).write(marts.url, horizon)
    marts.execute(f"update ris_raw.extraction_log set finished_at = '{GO_LIVE}'")


def build(marts: Marts, horizon: str) -> None:
    """The marts as of the horizon, at once."""
    marts.reset()
    land(marts, horizon)
    marts.build()


def shared(marts: Marts, table: str) -> pl.DataFrame:
    """Rows of a table up to 5 May, in order."""
    day = DAY_OF[table]
    key = day if table == "ref_calendar" else f"{day}, user_id"
    return marts.read(f"select * from ris.{table} where {day} <= '{UNTIL[day]}' order by {key}")


def whole(marts: Marts) -> dict[str, set[tuple]]:
    """All rows of what a run adds to."""
    tables = ("member_snapshot", "fact_user_week", "fact_user_day", "interval_hp", "ref_calendar")
    return {table: set(marts.read(f"select * from ris.{table}").rows()) for table in tables}


def looks_ahead(marts: Marts) -> dict[tuple, int]:
    """What intervals know of the days ahead, by member, week and first day at risk."""
    weeks = marts.read(
        "select intervals.user_id, week_start, spell_starts_on + start_day::int, days_to_end_at_start"
        " from ris.interval_hp as intervals join ris.core_hp_period using (hp_id)"
        f" where week_start <= '{UNTIL['week_start']}'"
    )
    return {row[:3]: row[3] for row in weeks.iter_rows()}


@pytest.fixture(scope="module")
def studios(marts: Marts) -> dict[str, dict]:
    """What was built a week after 5 May, what on that day, and what a run of the week that followed added to it."""
    marts.timezone = str(ALMATY)
    found: dict[str, dict] = {}
    for horizon in (LATER, THEN):
        build(marts, horizon)
        found[horizon] = {table: shared(marts, table) for table in DAY_OF}
        found[horizon]["looks_ahead"] = looks_ahead(marts)
        found[horizon]["whole"] = whole(marts)
    land(marts, LATER)
    marts.run("2024-05-06", LATER)
    return {**found, "added to": {"whole": whole(marts)}}


@pytest.fixture(scope="module")
def before_and_after(studios: dict[str, dict]) -> dict[str, tuple]:
    """Snapshots and weeks that end by 5 May, as built on that day and a week later."""
    return {name: (studios[THEN][name], studios[LATER][name]) for name in studios[THEN]}


def known_by(raw: RawRows, horizon: str) -> RawRows:
    """Only what had been told by the end of the horizon, be it of days ahead."""
    end = raw.at(f"{horizon} 23:59")
    for entity, rows in raw.rows.items():
        raw.rows[entity] = [r for r in rows if r["known_at"] <= end]
    return raw


@pytest.mark.parametrize("table", DAY_OF)
def test_what_becomes_known_later_leaves_the_past_bit_for_bit(before_and_after, table: str):
    before, after = before_and_after[table]
    day = DAY_OF[table]
    # Older days keep only their Sundays as time goes on.
    kept = set(before[day]) & set(after[day])
    assert len(kept) >= 15
    assert after.columns == before.columns
    before, after = (frame.filter(pl.col(day).is_in(kept)) for frame in (before, after))
    assert after.rows() == before.rows()


def test_intervals_know_of_the_days_ahead_what_was_known_before_them(before_and_after):
    before, after = before_and_after["looks_ahead"]
    kept = before.keys() & after.keys()
    assert len(kept) > 300
    assert {week: after[week] for week in kept} == {week: before[week] for week in kept}


def test_what_became_known_is_seen_from_then_on(marts: Marts, studios):
    # The tables hold what the fixture made last: the world of 12 May.
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


def test_the_traces_of_friends_are_seen_as_they_were_known(marts: Marts, before_and_after):
    marts.timezone = str(ALMATY)
    before, _ = before_and_after["member_snapshot"]
    kai = before.filter((pl.col("user_id") == "kai") & (pl.col("as_of_date") == date(2024, 5, 5)))
    expected = {
        "visits": 1.0, "joint_visit_share": 1.0, "completion_share": 10 / 12, "weight_change_kg": -1.0,
        "assessment_change": 5.0, "failed_payments": 1.0, "ticket_tone": -0.5, "price_change": 0.0,
        "active_friend_count": 3, "clan_days": 30, "freeze_days_left": 14.0, "effort": 130.0,
        "station_weight_progress": 39.5 / 40 - 1, "coach_absent_days": 3.0, "coaches": 1.0,
        "app_minutes": 0.0,
    }  # fmt: skip
    assert {name: kai[name][0] for name in expected} == pytest.approx(expected)


def test_what_a_run_adds_is_what_one_run_over_all_makes(studios):
    added, at_once = studios["added to"]["whole"], studios[LATER]["whole"]
    differing = {table: len(rows ^ at_once[table]) for table, rows in added.items()}
    assert differing == dict.fromkeys(added, 0)


def test_a_month_later_a_backfill_of_the_day_gives_the_same(marts: Marts, studios):
    of_the_day = pl.col("as_of_date") == date.fromisoformat(THEN)
    on_the_day = studios[THEN]["member_snapshot"].filter(of_the_day).sort("user_id")
    # On a fresh database the first run carries all history; then the day is run once more.
    build(marts, "2024-06-09")
    marts.run(THEN, THEN)
    backfilled = shared(marts, "member_snapshot").filter(of_the_day).sort("user_id")
    assert on_the_day.height > 6
    assert backfilled.rows() == on_the_day.rows()


def test_a_document_that_arrives_after_go_live_is_known_from_then_on(marts: Marts):
    """The first extraction ended on 1 May: a freeze that is entered on 8 May, backdated, is news of 8 May."""
    raw = RawRows(ALMATY)
    hasan(raw)
    raw.freeze(
        "hasan-1", "2024-05-02 10:00", "2024-05-03", "2024-05-09", known_at="2024-05-08 10:00"
    )
    marts.timezone = str(ALMATY)
    marts.reset()
    raw.write(marts.url, LATER)
    marts.execute("update ris_raw.extraction_log set finished_at = '2024-05-01 02:00+05'")
    marts.make()
    before, after = marts.snapshot("hasan", THEN), marts.snapshot("hasan", LATER)
    assert before is not None
    assert after is not None
    assert (before["hp_end_corrected"], before["is_frozen"]) == (date(2024, 5, 30), False)
    assert (after["hp_end_corrected"], after["freeze_days_used"]) == (date(2024, 6, 6), 7)
