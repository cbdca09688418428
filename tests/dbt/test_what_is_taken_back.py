"""What a source says and takes back, or moves ahead and back again. Worked out by hand.

The last extracted day is Sunday 2024-05-12; RIS went live long before.
"""

from zoneinfo import ZoneInfo

import pytest

from tests.dbt.marts import Marts
from tests.dbt.raw_rows import RawRows

ALMATY = ZoneInfo("Asia/Almaty")
HORIZON = "2024-05-12"
MEMBERS = ("ann", "bob", "cla", "clb", "clc", "cyd", "dan", "eve", "joy", "uma")
SPRING = ("2024-04-01 10:00", "2024-04-01", "2024-06-30")


@pytest.fixture(scope="module")
def told(marts: Marts) -> Marts:
    """The marts of members of whom much is said twice."""
    raw = RawRows(ALMATY)
    for name in MEMBERS:
        raw.member(name, clan_id="owls" if name in ("cla", "clb", "clc") else None)
        raw.hero_pass(f"{name}-1", *SPRING)
    for write in (moves_ahead_and_back, changes_clans, counts_late, ends_frozen, is_refunded):
        write(raw)
    marts.timezone = str(ALMATY)
    marts.reset()
    raw.write(marts.url, HORIZON)
    marts.execute("update ris_raw.extraction_log set finished_at = '2023-01-01 02:00+06'")
    marts.build()
    return marts


def moves_ahead_and_back(raw: RawRows) -> None:
    """Of each kind of document one whose event is said to lie ahead, and then where it first was."""
    bought, starts_on, ends_on = SPRING
    raw.hero_pass("ann-1", "2024-05-25 10:00", starts_on, ends_on, known_at="2024-04-10 10:00")
    raw.hero_pass("ann-1", bought, starts_on, ends_on, known_at="2024-04-12 10:00")
    raw.member("uma", registered_at="2024-06-01 10:00", known_at="2024-04-10 10:00")
    raw.member("uma", known_at="2024-04-12 10:00")
    for asked, ends, known_at in (
        ("2024-05-01", "2024-05-05", "2024-04-05 10:00"),
        ("2024-06-20", "2024-06-24", "2024-04-07 10:00"),
        ("2024-04-20", "2024-04-24", "2024-04-08 10:00"),
    ):
        raw.freeze("bob-1", asked, asked, ends, freeze_id="f", known_at=known_at)
    for booked, known_at in (
        ("2024-05-01", None),
        ("2024-06-01", "2024-05-04 10:00"),
        ("2024-05-01", "2024-05-05 10:00"),
    ):
        raw.booking("joy", "2024-05-03 19:00", booked_at=f"{booked} 10:00", booking_id="b",
                    known_at=known_at)  # fmt: skip


def changes_clans(raw: RawRows) -> None:
    """Both join the owls; on 20 April one is in another clan, the other back again. Neither says so in the app.

    Clc joins on 10 April; what was read of another joining on 2 May is gone on the 4th.
    """
    for name in ("cla", "clb"):
        raw.add("social_actions", user_id=name, acted_at="2024-03-05 10:00", kind="clan_joined")
    raw.member("cla", clan_id="bears", known_at="2024-04-20 10:00")
    raw.member("clb", clan_id=None, known_at="2024-04-01 10:00")
    raw.member("clb", clan_id="owls", known_at="2024-04-20 10:00")
    at = {"user_id": "clc", "kind": "clan_joined"}
    raw.add("social_actions", **at, acted_at="2024-04-10 10:00")
    joined = raw.add("social_actions", **at, acted_at="2024-05-02 10:00")
    raw.add("social_actions", **at, acted_at="2024-05-02 10:00", known_at="2024-05-04 10:00",
            action_id=joined["action_id"], is_deleted=True)  # fmt: skip


def counts_late(raw: RawRows) -> None:
    """Half of a day's steps come two days later; a visit to coach c1 was one to c2, one of Eve's to c3 none."""
    for steps, known_at in ((8_000, None), (2_000, "2024-05-09 10:00")):
        raw.add("daily_steps", user_id="ann", counted_at="2024-05-07 12:00", steps=steps,
                known_at=known_at)  # fmt: skip
    raw.booking("cyd", "2024-04-10 19:00", coach_id="c1")
    raw.booking("dan", "2024-05-08 19:00", coach_id="c1", booking_id="d")
    raw.booking("dan", "2024-05-08 19:00", coach_id="c2", booking_id="d",
                known_at="2024-05-09 10:00")  # fmt: skip
    raw.booking("dan", "2024-05-10 19:00", coach_id="c3")
    for hour, coach in (("08", "c3"), ("12", "c4"), ("18", "c3")):
        raw.booking("eve", f"2024-05-01 {hour}:00", coach_id=coach, booking_id=f"e{hour}")
    raw.booking("eve", "2024-05-01 18:00", "no_show", coach_id="c3", booking_id="e18",
                known_at="2024-05-03 10:00")  # fmt: skip


def ends_frozen(raw: RawRows) -> None:
    """Frozen from 26 March on, and called off on 28 April."""
    raw.member("fro")
    raw.hero_pass("fro-1", "2024-01-01 10:00", "2024-01-01", "2024-06-30",
                  cancelled_at="2024-04-28 12:00")  # fmt: skip
    raw.freeze("fro-1", "2024-03-25 10:00", "2024-03-26", "2024-05-30")


def is_refunded(raw: RawRows) -> None:
    """Given back whole; what is cancelled later lies beyond their ends, which freezes move by less than was said of
    them: one is of May, the other was put off once."""
    raw.member("ref")
    raw.hero_pass("ref-1", "2024-03-01 10:00", "2024-03-01", "2024-04-09",
                  payment_status="refunded", product="p")  # fmt: skip
    raw.add("hero_passes", hp_id="ref-c", user_id="ref", is_cancellation=True, product="p",
            purchased_at="2024-03-20 10:00", starts_at="2024-03-20", ends_at="2024-04-13")  # fmt: skip
    raw.freeze("ref-1", "2024-05-10 10:00", "2024-05-11", "2024-05-20")
    raw.member("rea")
    raw.hero_pass("rea-1", "2024-03-01 10:00", "2024-03-01", "2024-04-09",
                  payment_status="refunded", product="p")  # fmt: skip
    raw.add("hero_passes", hp_id="rea-c", user_id="rea", is_cancellation=True, product="p",
            purchased_at="2024-03-20 10:00", starts_at="2024-03-20", ends_at="2024-04-14")  # fmt: skip
    raw.freeze("rea-1", "2024-03-05 10:00", "2024-03-10", "2024-03-12", freeze_id="r")
    raw.freeze("rea-1", "2024-03-05 10:00", "2024-03-15", "2024-03-17", freeze_id="r",
               known_at="2024-03-08 10:00")  # fmt: skip


def test_one_version_is_known_at_a_time(told: Marts):
    assert told.snapshot("ann", HORIZON)["pass_number"] == 1
    assert told.snapshot("uma", HORIZON)["tenure_days"] == 132
    frozen = told.row(
        "select freeze_days, hp_end_corrected::text from ris.core_hp_period where hp_id = 'bob-1'"
    )
    assert frozen == {"freeze_days": 5, "hp_end_corrected": "2024-07-05"}
    assert told.week("joy", "2024-04-29")["visits"] == 1


@pytest.mark.parametrize("member", ["cla", "clb"])
def test_a_clan_that_has_ended_says_nothing_of_the_next(told: Marts, member: str):
    assert told.snapshot(member, HORIZON)["clan_days"] == 22


def test_a_clan_is_joined_when_it_was_last_joined_indeed(told: Marts):
    assert told.snapshot("clc", "2024-05-03")["clan_days"] == 1
    assert told.snapshot("clc", HORIZON)["clan_days"] == 32


def test_a_day_of_which_all_was_taken_back_is_none(told: Marts):
    days = told.read("select activity_date::text from ris.fact_user_day where user_id = 'clc'")
    assert days["activity_date"].to_list() == ["2024-04-10"]


def test_who_is_the_only_member_is_in_no_clan_where_others_are(told: Marts):
    assert told.snapshot("fro", "2024-02-04")["is_in_clan"] is False


def test_a_day_whose_steps_come_in_two_parts_is_one_day(told: Marts):
    assert told.week("ann", "2024-05-06")["steps"] == 10_000


def test_a_class_that_nobody_came_to_is_none_of_the_coach(told: Marts):
    assert told.week("cyd", "2024-05-06")["coach_absent_days"] == 32


def test_a_visit_that_was_none_is_not_the_last(told: Marts):
    assert told.week("eve", "2024-05-06")["coach_absent_days"] == 11


def test_a_week_matures_with_the_spell_that_it_ends(told: Marts):
    last = told.row(
        "select event, is_matured, matures_on::text from ris.interval_hp"
        " where user_id = 'fro' and week_start = '2024-03-25'"
    )
    assert last == {"event": None, "is_matured": False, "matures_on": "2024-05-28"}


@pytest.mark.parametrize("member", ["ref", "rea"])
def test_no_later_freeze_and_none_counted_twice_lets_a_refunded_pass_cover_anything(
    told: Marts, member: str
):
    assert told.read(f"select * from ris.member_snapshot where user_id = '{member}'").is_empty()
    covers = told.row(f"select has_coverage from ris.core_hp_period where hp_id = '{member}-1'")
    assert covers == {"has_coverage": False}
