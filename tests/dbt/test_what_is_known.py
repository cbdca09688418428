"""What a source tells late, in part or not at all: readings, ties, prices, fields. Worked out by hand.

The last extracted day is Sunday 2024-06-30; all documents were there when RIS went live after it.
"""

from datetime import date
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from ris_assets.features.matrix import choose_features
from ris_assets.resources.postgres import PostgresResource
from ris_assets.resources.snapshots import Snapshots
from tests.dbt.marts import Marts
from tests.dbt.members import days_of
from tests.dbt.raw_rows import RawRows

ALMATY = ZoneInfo("Asia/Almaty")
HORIZON = "2024-06-30"
MAPPED = {
    "app_sessions": ["user_id", "session_id", "started_at", "has_opened_feed"],
    "station_results": ["result_id", "booking_id", "user_id", "performed_at", "station"],
    "bookings": ["booking_id", "user_id", "booked_at", "starts_at", "status"],
    "payments": ["payment_id", "user_id", "paid_at", "amount", "hp_id"],
}
"""What this studio's map has of some entities; of the others it has everything."""


@pytest.fixture(scope="module")
def known(marts: Marts) -> Marts:
    """The marts of a studio whose map leaves fields out."""
    raw = RawRows(ALMATY)
    for write in (
        factors,
        ties,
        readings,
        newcomer,
        spenders,
        friends_who_book,
        leaves_traces,
        history,
    ):
        write(raw)
    marts.timezone = str(ALMATY)
    marts.reset()
    raw.write(marts.url, HORIZON)
    for entity, fields in MAPPED.items():
        marts.execute(
            f"update ris_raw.extraction_log set mapped_fields = '{{{','.join(fields)}}}'"
            f" where entity = '{entity}'"
        )
    marts.execute(
        "update ris_raw.extraction_log set recorded_since = '2024-06-05' where entity = 'support_tickets'"
    )
    marts.build()
    return marts


def factors(raw: RawRows) -> None:
    """Fay pays by card from 20 June on; until then by check. A number may be a text.

    Eve's pass renews itself until 18 June; those of the others say nothing of it.
    """
    raw.member("fay", factors='{"payment": "check", "lines": "2", "code": "x"}')
    raw.member("fay", known_at="2024-06-20 12:00",
               factors='{"payment": "card", "lines": "3.5", "code": "7"}')  # fmt: skip
    raw.member("max", factors='{"payment": null, "lines": null, "code": "y"}')
    for name in ("fay", "max"):
        raw.hero_pass(f"{name}-1", "2024-04-01 10:00", "2024-04-01", "2024-08-30")
    for known_at, factors in (
        ("2024-04-01 10:00", '{"auto_renew": "1", "place": "gym"}'),
        ("2024-06-18 09:00", '{"auto_renew": "0", "place": "gym"}'),
    ):
        raw.hero_pass("eve-1", "2024-04-01 10:00", "2024-04-01", "2024-08-30",
                      known_at=known_at, factors=factors)  # fmt: skip
    raw.member("eve", factors='{"code": "z"}')


def test_factors_of_the_business_are_features_as_known_on_the_day(known):
    snapshots = Snapshots(PostgresResource(url=known.url))
    catalog = snapshots.catalog()
    own = catalog.filter(pl.col("feature").str.starts_with("factor_"))
    assert own.select("label_en", "source_entity").rows() == [
        ("auto renew", "hero_passes"), ("code", "users"), ("lines", "users"), ("payment", "users"),
        ("place", "hero_passes"),
    ]  # fmt: skip
    rows = snapshots.on_days(date(2024, 6, 16), date(2024, 6, 23))
    found = rows.filter(
        pl.col("user_id") == "fay",
        pl.col("as_of_date").is_in([date(2024, 6, 16), date(2024, 6, 23)]),
    )
    assert found.select("factor_payment", "factor_lines", "factor_code").rows() == [
        ("check", 2.0, "x"), ("card", 3.5, "7"),
    ]  # fmt: skip
    chosen = choose_features(rows, catalog)
    assert chosen.levels["factor_payment"] == ("card", "check")
    assert "factor_lines" in chosen.numeric
    spell = rows.filter(pl.col("user_id") == "fay")["spell_id"][0]
    first = snapshots.first_of_spells(["product", "factor_payment"])
    assert first.filter(pl.col("spell_id") == spell)["factor_payment"].to_list() == ["check"]


def test_factors_of_a_pass_are_features_of_whoever_is_on_it_as_known_on_the_day(known):
    snapshots = Snapshots(PostgresResource(url=known.url))
    of_pass = ("factor_auto_renew", "factor_place", "factor_code")
    rows = snapshots.on_days(date(2024, 6, 16), date(2024, 6, 23))
    found = rows.filter(
        pl.col("user_id") == "eve",
        pl.col("as_of_date").is_in([date(2024, 6, 16), date(2024, 6, 23)]),
    )
    assert found.select(of_pass).rows() == [(1.0, "gym", "z"), (0.0, "gym", "z")]
    others = rows.filter(pl.col("user_id").is_in(["fay", "max"]))
    assert others["factor_place"].null_count() == others.height > 0
    weeks = snapshots.person_weeks(HORIZON, 10**6).filter(pl.col("user_id") == "eve")
    assert weeks.filter(pl.col("as_of_date") == date(2024, 5, 12))["factor_place"].to_list() == [
        "gym"
    ]
    assert known.read("select factors ->> 'auto_renew' as now from ris.core_hp_period"
                      " where hp_id = 'eve-1'")["now"].to_list() == ["0"]  # fmt: skip
    listed = known.read(
        "select feature, value_count, is_number from ris.meta_factor order by feature"
    )
    assert listed.rows() == [
        ("factor_auto_renew", 1, True), ("factor_code", 3, False), ("factor_lines", 1, True),
        ("factor_payment", 1, False), ("factor_place", 1, False),
    ]  # fmt: skip


def ties(raw: RawRows) -> None:
    """Cla joins her clan on 18 June and adds Oth on the 19th; Sue was her friend before anybody counted.

    Her list names Oth twice, and herself.
    """
    raw.member("cla", clan_id="owls", friend_ids=["oth", "sue", "oth", "cla"])
    raw.member("oth", friend_ids=["cla"])
    raw.member("sue")
    for name in ("cla", "oth", "sue"):
        raw.hero_pass(f"{name}-1", "2024-04-01 10:00", "2024-04-01", "2024-08-30")
    at = {"user_id": "cla"}
    raw.add("social_actions", **at, acted_at="2024-06-18 12:00", kind="clan_joined")
    raw.add("social_actions", **at, acted_at="2024-06-19 12:00", kind="friend_added",
            target_user_id="oth")  # fmt: skip


def readings(raw: RawRows) -> None:
    """Lat's reading of 10 May is entered on 10 June; of Bod only the fat is measured at last."""
    raw.member("lat")
    raw.member("bod", weight_kg=80.0)
    for name in ("lat", "bod"):
        raw.hero_pass(f"{name}-1", "2024-05-01 10:00", "2024-05-01", "2024-07-30")
    for day, weight, known_at in (
        ("2024-05-05", 75.0, None),
        ("2024-05-20", 70.0, None),
        ("2024-05-10", 73.0, "2024-06-10 10:00"),
    ):
        raw.add("body_measurements", user_id="lat", measured_at=f"{day} 10:00", weight_kg=weight,
                known_at=known_at)  # fmt: skip
        raw.add("assessments", user_id="lat", assessed_at=f"{day} 11:00", kind="plank",
                score=weight, known_at=known_at)  # fmt: skip
    for day, weight, fat in (
        ("2024-05-05", 75.0, 0.25),
        ("2024-05-15", 74.0, 0.25),
        ("2024-06-15", None, 0.5),
    ):
        raw.add("body_measurements", user_id="bod", measured_at=f"{day} 10:00", weight_kg=weight,
                fat_share=fat)  # fmt: skip


def newcomer(raw: RawRows) -> None:
    """Soc came two weeks ago, has five friends and likes something every day."""
    raw.member("soc", registered_at="2024-06-16 12:00",
               friend_ids=["cla", "oth", "sue", "lat", "bod"])  # fmt: skip
    raw.hero_pass("soc-1", "2024-06-17 10:00", "2024-06-17", "2024-08-30")
    for day in days_of("2024-06-17", HORIZON, (0, 1, 2, 3, 4, 5, 6)):
        raw.add("social_actions", user_id="soc", acted_at=f"{day} 20:00", kind="like")


def spenders(raw: RawRows) -> None:
    """Half of Ref's money was given back; what Gif paid is not known; Par pays for Kid."""
    for name in ("ref", "gif", "par", "kid", "non"):
        raw.member(name)
    raw.hero_pass("ref-1", "2024-05-01 10:00", "2024-05-01", "2024-05-30", price=20_000.0,
                  payment_status="refunded", cancelled_at="2024-05-02 10:00")  # fmt: skip
    raw.hero_pass("ref-2", "2024-06-01 10:00", "2024-06-01", "2024-07-30", price=30_000.0)
    raw.hero_pass("gif-1", "2024-05-01 10:00", "2024-05-01", "2024-07-30", price=None)
    raw.hero_pass("par-1", "2024-05-01 10:00", "2024-05-01", "2024-07-30", price=50_000.0)
    raw.hero_pass("kid-1", "2024-05-01 10:00", "2024-05-01", "2024-07-30", price=10_000.0,
                  buyer_id="par")  # fmt: skip


def friends_who_book(raw: RawRows) -> None:
    """Ja and Jb book three classes together, of which they attend one together; Ja books one alone."""
    raw.member("ja", friend_ids=["jb"])
    raw.member("jb", friend_ids=["ja"])
    for name in ("ja", "jb"):
        raw.hero_pass(f"{name}-1", "2024-05-01 10:00", "2024-05-01", "2024-07-30")
        raw.booking(name, "2024-06-26 19:00")
        raw.booking(name, "2024-06-27 19:00", "cancelled")
    raw.booking("ja", "2024-06-25 19:00")
    raw.booking("jb", "2024-06-25 19:00", "no_show")
    raw.booking("ja", "2024-06-28 19:00")
    raw.booking("jb", "2024-06-28 19:00", is_deleted=True, known_at="2024-06-28 12:00",
                booking_id="gone")  # fmt: skip


def leaves_traces(raw: RawRows) -> None:
    """Fld leaves a trace of every kind of which the map has but some fields."""
    raw.member("fld")
    raw.hero_pass("fld-1", "2024-05-01 10:00", "2024-05-01", "2024-07-30")
    raw.booking("fld", "2024-06-25 19:00")
    at = {"user_id": "fld"}
    raw.add("app_sessions", **at, started_at="2024-06-25 08:00", has_opened_feed=True)
    raw.add("station_results", **at, booking_id="b", performed_at="2024-06-25 19:10", station="row")
    raw.add("payments", **at, paid_at="2024-06-25 08:00", amount=1.0)


def history(raw: RawRows) -> None:
    """Zoe's pass, frozen on 25 April and no longer after the 27th, is told in its last state: refunded on 8 May."""
    raw.member("zoe", known_at="2024-05-10 12:00")
    raw.hero_pass("zoe-1", "2024-03-31 10:00", "2024-04-01", "2024-05-30",
                  known_at="2024-05-08 12:00", cancelled_at="2024-05-08 12:00",
                  payment_status="refunded")  # fmt: skip
    raw.freeze("zoe-1", "2024-04-20 10:00", "2024-04-25", "2024-05-04",
               known_at="2024-05-09 10:00", cancelled_at="2024-04-27 10:00")  # fmt: skip
    raw.booking("zoe", "2024-05-07 19:00", known_at="2024-05-08 12:00")


def person(known: Marts, user_id: str) -> dict:
    return known.row(f"select * from ris.core_user where user_id = '{user_id}'")


@pytest.mark.parametrize(
    ("day", "expected"),
    {
        "2024-06-16": (False, None, 1, 1),
        "2024-06-18": (True, 0, 1, 1),
        "2024-06-19": (True, 1, 2, 2),
        "2024-06-30": (True, 12, 2, 2),
    }.items(),
)
def test_history_knows_clan_and_friends_from_the_days_of_their_own_events(
    known: Marts, day: str, expected: tuple
):
    row = known.snapshot("cla", day)
    assert row is not None
    names = ("is_in_clan", "clan_days", "friend_count", "active_friend_count")
    assert tuple(row[name] for name in names) == expected


def test_history_loaded_at_once_is_cut_by_its_own_instants(known: Marts):
    """Go-live: every document arrives once, in its last state, and tells its past itself."""
    asked, called_off = known.snapshot("zoe", "2024-04-21"), known.snapshot("zoe", "2024-05-05")
    assert asked is not None
    assert called_off is not None
    assert asked["hp_end_corrected"] == date(2024, 6, 9)  # ten days of freeze to come
    assert called_off["hp_end_corrected"] == date(2024, 6, 2)  # 25 to 27 April
    assert called_off["visits"] == 0.0
    assert known.snapshot("lat", "2024-05-12") is not None
    assert known.snapshot("zoe", "2024-05-12") is None


def test_a_friend_added_is_added_on_both_sides(known: Marts):
    assert known.snapshot("oth", "2024-06-16")["friend_count"] == 0
    assert known.snapshot("oth", "2024-06-19")["friend_count"] == 1


@pytest.mark.parametrize(
    ("day", "expected"),
    {"2024-05-12": None, "2024-06-09": -5.0, "2024-06-16": -3.0, "2024-06-30": -3.0}.items(),
)
def test_a_reading_entered_late_is_the_one_before(known: Marts, day: str, expected: float | None):
    row = known.snapshot("lat", day)
    assert row is not None
    assert (row["weight_change_kg"], row["assessment_change"]) == (expected, expected)
    assert row["weight_kg"] == (75.0 if day == "2024-05-12" else 70.0)


def test_a_reading_without_a_weight_leaves_the_weight(known: Marts):
    for row in (known.snapshot("bod", HORIZON), person(known, "bod")):
        assert row is not None
        assert (row["weight_kg"], row["fat_share"]) == (74.0, 0.5)
    week = known.week("bod", "2024-06-24")
    assert (week["weight_change_kg"], week["fat_share_change"]) == (-1.0, 0.25)


def test_a_newcomer_is_as_sociable_as_the_weeks_there_have_been_say(known: Marts):
    row = known.snapshot("soc", HORIZON)
    assert row is not None
    assert (person(known, "soc")["sociability"], row["sociability"]) == ("extravert", "extravert")


@pytest.mark.parametrize(
    ("user_id", "spent"),
    {"ref": 30_000.0, "gif": None, "par": 50_000.0, "kid": 10_000.0, "non": 0.0}.items(),
)
def test_money_spent_is_that_of_known_prices_without_what_was_given_back(
    known: Marts, user_id: str, spent: float | None
):
    assert person(known, user_id)["money_spent"] == spent


def test_what_is_given_back_was_spent_until_then(known: Marts):
    assert known.snapshot("zoe", "2024-04-21")["spent_so_far"] == 30_000.0
    assert known.snapshot("ref", HORIZON)["spent_so_far"] == 30_000.0


def test_bookings_are_joint_whatever_became_of_them(known: Marts):
    row = person(known, "ja")
    assert row["joint_booking_share"] == pytest.approx(3 / 4)
    assert row["joint_visit_share"] == pytest.approx(1 / 3)
    assert person(known, "jb")["joint_booking_share"] == pytest.approx(1.0)
    assert person(known, "fld")["joint_booking_share"] is None


def test_what_the_map_does_not_have_is_null_and_the_rest_is_counted(known: Marts):
    week = known.week("fld", "2024-06-24")
    absent = ("app_minutes", "leaderboard_opens", "achievement_opens", "heart_rate_share", "effort",
              "weight_entries", "coaches", "class_types", "completion_share", "failed_payments")  # fmt: skip
    assert {name: week[name] for name in absent} == dict.fromkeys(absent)
    counted = {"app_sessions": 1.0, "feed_opens": 1.0, "visits": 1.0, "attended_share": 1.0}
    assert {name: week[name] for name in counted} == counted
    row = person(known, "fld")
    shares = ("feed_share", "leaderboard_share", "achievement_share")
    assert tuple(row[name] for name in shares) == (1.0, None, None)
    day = known.row(
        "select * from ris.fact_user_day where user_id = 'fld' and activity_date = '2024-06-25'"
    )
    assert (day["app_minutes"], day["app_session_count"], day["failed_payment_count"]) == (
        None, 1, None,
    )  # fmt: skip


def test_what_was_not_recorded_yet_is_null_and_not_nothing(known: Marts):
    weeks = ("2024-05-27", "2024-06-03", "2024-06-10", "2024-06-24")
    assert [known.week("cla", week)["tickets"] for week in weeks] == [None, None, 0, 0]
    assert known.week("cla", "2024-05-27")["visits"] == 0
    assert known.snapshot("cla", "2024-06-09")["tickets"] is None
    assert known.snapshot("cla", "2024-06-16")["tickets"] == 0


def test_what_nobody_did_is_zero_where_the_map_has_it(known: Marts):
    week = known.week("cla", "2024-06-24")
    assert (week["feed_opens"], week["app_sessions"], week["app_minutes"]) == (0.0, 0.0, None)


def test_a_week_says_its_season(known: Marts):
    seasons = known.read(
        "select distinct week_start::text, season from ris.fact_user_week"
        " where week_start in ('2024-05-27', '2024-06-03') order by 1"
    )
    assert seasons.rows() == [("2024-05-27", "spring"), ("2024-06-03", "summer")]


def test_a_catalogue_of_an_earlier_version_gains_the_new_columns(known: Marts):
    known.execute("alter table ris.meta_feature_catalog drop column source_field")
    known.succeed("seed")
    fields = known.read(
        "select source_field from ris.meta_feature_catalog where feature = 'app_minutes'"
    )
    assert fields.rows() == [("duration_minutes",)]


def test_persons_of_whom_there_is_no_document_are_named(known: Marts):
    known.execute("update ris.member_snapshot set user_id = 'ghost' where user_id = 'sue'")
    result = known.dbt("test", "--select", "member_snapshot,test_name:relationships")
    statuses = {one.node.column_name: str(one.status) for one in result.result.results}
    assert statuses == {"user_id": "warn", "hp_id": "pass"}
