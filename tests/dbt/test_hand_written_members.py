"""What becomes of the hand-written members, worked out by hand, in two time zones."""

from datetime import date

import pytest

from tests.dbt.marts import Marts
from tests.dbt.members import HORIZON

CORRECTED_ENDS = {
    "anna-1": "2024-02-04",
    "boris-1": "2024-03-08",  # seven frozen days
    "clara-1": "2024-03-12",  # freezes of 7 and 7 days that share 3
    "dmitri-1": "2024-04-04",  # only the five frozen days after the start
    "elena-1": "2024-03-11",  # 7 days, 3 more in the extension, the rest after the end
    "farid-1": "2024-05-21",  # 9 bought days are left after the horizon
    "galina-1": "2024-04-30",  # called off before it began
    "hasan-1": "2024-05-30",
    "jan-1": "2024-03-20",  # cancelled
    "max-1": "2024-03-15",
}

# pass: days to renewal, renewed within 30, 60, 90 days, how it ended
OUTCOMES = {
    "anna-1": (-1, True, True, True, "renewed"),
    "anna-5": (None, None, None, None, "open"),
    "boris-1": (2, True, True, True, "renewed"),
    "boris-2": (None, False, None, None, "lapsed"),
    "clara-1": (None, False, False, None, "lapsed"),
    "dmitri-1": (30, True, True, True, "renewed"),
    "elena-1": (31, False, True, True, "lapsed"),
    "elena-2": (None, None, None, None, "open"),
    "galina-1": (None, None, None, None, "open"),
    "irina-1": (-20, True, True, True, "renewed"),
    "jan-1": (None, False, None, None, "lapsed"),
    "kira-1": (None, False, None, None, "payment_failed"),
    "lena-1": (1, True, True, True, "renewed"),
    "lena-2": (50, False, True, True, "lapsed"),
    "nina-1": (None, None, None, None, "open"),
    "oleg-1": (None, False, None, None, "lapsed"),
    "oleg-2": (-34, True, True, True, "renewed"),  # goes on in the longer one, bought on 15 January
}

# member, Monday: days at risk, event
WEEKS_AT_RISK = {
    ("boris", "2024-01-29"): (4, False),  # the pass begins on Thursday
    ("boris", "2024-02-05"): (5, False),  # frozen from Saturday on
    ("boris", "2024-02-12"): (2, False),  # frozen through Friday
    ("boris", "2024-03-04"): (5, False),  # ends on Friday, renewed on Sunday
    ("boris", "2024-04-08"): (2, True),
    ("clara", "2024-03-11"): (2, True),
    ("dmitri", "2024-04-01"): (4, False),  # renewed on day 30: the spell goes on
    ("elena", "2024-03-11"): (1, True),  # renewed on day 31: too late
    ("elena", "2024-05-06"): (5, None),  # ended two days ago: nobody knows yet
    ("farid", "2024-04-29"): (7, False),
    ("hasan", "2024-05-06"): (7, False),  # censored
    ("oleg", "2024-02-12"): (7, False),  # the guest week
    ("oleg", "2024-03-25"): (7, True),
}


@pytest.mark.parametrize(("hp_id", "day"), CORRECTED_ENDS.items())
def test_the_corrected_end_is_the_day_on_which_the_last_bought_day_is_used(
    members: Marts, hp_id: str, day: str
):
    found = members.row(f"select hp_end_corrected from ris.core_hp_period where hp_id = '{hp_id}'")
    assert found["hp_end_corrected"] == date.fromisoformat(day)


@pytest.mark.parametrize(("hp_id", "expected"), OUTCOMES.items())
def test_a_label_is_known_when_the_renewal_happened_or_its_time_is_over(
    members: Marts, hp_id: str, expected: tuple
):
    found = members.row(
        "select days_to_renewal, renewed_30d, renewed_60d, renewed_90d, how_ended"
        f" from ris.label_hp join ris.core_hp_period using (hp_id) where hp_id = '{hp_id}'"
    )
    assert tuple(found.values()) == expected


def test_a_pass_that_was_never_paid_has_no_label_and_covers_nothing(members: Marts):
    assert members.read("select * from ris.label_hp where hp_id = 'kira-2'").is_empty()
    unpaid = members.row("select * from ris.core_hp_period where hp_id = 'kira-2'")
    assert (unpaid["has_coverage"], unpaid["how_ended"]) == (False, "payment_failed")
    assert unpaid["hp_end_corrected"] is None


@pytest.mark.parametrize(("week", "expected"), WEEKS_AT_RISK.items())
def test_a_week_counts_the_days_at_risk(members: Marts, week: tuple, expected: tuple):
    user_id, monday = week
    found = members.row(
        "select exposure, event from ris.interval_hp"
        f" where user_id = '{user_id}' and week_start = '{monday}'"
    )
    assert (found["exposure"], found["event"]) == (pytest.approx(expected[0] / 7), expected[1])


def test_a_week_without_a_day_at_risk_is_absent(members: Marts):
    weeks = members.read("select week_start from ris.interval_hp where user_id = 'farid'")
    assert date(2024, 5, 6) not in weeks["week_start"].to_list()


def test_days_to_the_end_are_those_known_on_the_eve_of_the_week(members: Marts):
    weeks = members.read(
        "select week_start::text, days_to_end_at_start from ris.interval_hp where user_id = 'boris'"
    )
    known = dict(weeks.iter_rows())
    # Before the freeze was asked for, the pass was to end on 1 March. First week: from its start.
    assert known["2024-01-29"] == 29
    assert known["2024-02-05"] == 26
    # On 11 February the freeze is known and the end is 8 March.
    assert known["2024-02-12"] == 26
    assert known["2024-03-11"] == 29


def test_spells_break_after_thirty_days_of_grace(members: Marts):
    spells = members.read(
        "select hp_id, spell_id, gap_days from ris.core_hp_period"
        " where user_id in ('dmitri', 'elena', 'lena') order by hp_id"
    )
    assert spells.rows() == [
        ("dmitri-1", "dmitri:1", 30),
        ("dmitri-2", "dmitri:1", None),
        ("elena-1", "elena:1", 30),
        ("elena-2", "elena:2", None),
        ("lena-1", "lena:1", 0),
        ("lena-2", "lena:1", 49),
        ("lena-3", "lena:2", None),
    ]


def test_a_member_who_never_came_stays_and_has_weeks_of_zero(members: Marts):
    weeks = members.read(
        "select week_start, visits, attended_share, days_since_last_visit from ris.fact_user_week"
        " where user_id = 'hasan' order by week_start"
    )
    assert weeks["visits"].to_list() == [0.0] * 6
    assert weeks["attended_share"].null_count() == 6
    assert weeks["days_since_last_visit"].to_list() == [6.0, 13.0, 20.0, 27.0, 34.0, 41.0]
    row = members.snapshot("hasan", HORIZON)
    assert row is not None
    assert (row["visits"], row["visits_ewma"], row["visits_delta"]) == (0.0, 0.0, 0.0)


def test_every_active_member_has_one_snapshot_row(members: Marts):
    found = members.read(f"select user_id from ris.member_snapshot where as_of_date = '{HORIZON}'")
    active = {"anna", "dmitri", "farid", "hasan", "irina", "lena", "mira", "nina"}
    assert sorted(found["user_id"]) == sorted(active)


def test_a_week_holds_its_metrics_norms_and_deltas(members: Marts):
    week = members.week("anna", "2024-05-06")
    expected = {
        "visits": 1.0,
        "attended_share": 0.25,
        "cancelled_share": 0.5,
        "no_show_share": 0.25,
        "days_since_last_visit": 6.0,
        "station_weight_progress": 0.175,
        "app_minutes": 14.75,
        "steps": 9_000.0,
        "social_actions": 1.0,
        "tickets": 1.0,
        "visits_ewma": 3.0,
        "visits_p25": 3.0,
        "visits_delta": -2.0,
    }
    assert {name: week[name] for name in expected} == pytest.approx(expected)


def test_minutes_of_visits_whose_length_nobody_knows_are_null_and_of_no_visit_zero(members: Marts):
    weeks = [members.week("farid", monday) for monday in ("2024-04-15", "2024-04-22", "2024-04-29")]
    found = [(week["app_sessions"], week["app_minutes"]) for week in weeks]
    assert found == [(1.0, None), (2.0, 0.0), (0.0, 0.0)]


def test_the_snapshot_of_a_sunday_is_the_week_it_ends(members: Marts):
    week, row = members.week("anna", "2024-05-06"), members.snapshot("anna", HORIZON)
    assert row is not None
    shared = [name for name in week if name not in ("user_id", "week_start", "season")]
    assert {name: row[name] for name in shared} == {name: week[name] for name in shared}


def test_a_day_inside_a_week_looks_back_seven_days(members: Marts):
    row = members.snapshot("anna", "2024-05-08")
    assert row is not None
    # 3 and 6 May attended, 8 May missed; the classes of 9 and 10 May lie ahead.
    assert (row["visits"], row["no_show_share"]) == (2.0, pytest.approx(1 / 3))
    assert (row["days_since_last_visit"], row["visits_ewma"]) == (2.0, pytest.approx(3.0))


@pytest.mark.parametrize(("day", "weeks_ago"), [("2024-05-07", 5), ("2024-05-11", 5), (HORIZON, 6)])
def test_who_is_back_after_a_gap_has_norms_from_the_first_day_on(
    members: Marts, day: str, weeks_ago: int
):
    row = members.snapshot("mira", day)
    assert row is not None
    # The week of four visits, and eleven of two before it.
    visits = {age: 4.0 if age == weeks_ago else 2.0 for age in range(weeks_ago, weeks_ago + 12)}
    usual = {age: 0.5 ** ((age - 1) / 6) for age in visits}
    lately = {age: 0.5 ** ((age - 1) / 2.5) for age in visits if age <= 8}
    expected = {
        name: sum(weights[age] * visits[age] for age in weights) / sum(weights.values())
        for name, weights in (("visits_ewma", usual), ("visits_recent", lately))
    } | {"visits_p25": 2.0, "visits_p50": 2.0, "visits_p75": 2.0}
    assert {name: row[name] for name in expected} == pytest.approx(expected)


def test_a_week_without_a_pass_has_norms_but_no_metrics(members: Marts):
    found = members.read(
        "select week_start::text, week_start in (select week_start from ris.fact_user_week"
        " where user_id = 'mira') as has_metrics from ris.user_week_norm"
        " where user_id = 'mira' and week_start > '2024-03-25' order by 1"
    )
    assert found.rows() == [("2024-04-29", False), ("2024-05-06", True)]


def test_the_snapshot_says_who_the_member_is_and_how_the_pass_stands(members: Marts):
    row = members.snapshot("anna", HORIZON)
    assert row is not None
    expected = {
        "hp_id": "anna-5", "age_years": 33, "weight_kg": 68.0, "fat_share": 0.25,
        "body_mass_index": 68 / 1.7**2, "is_in_clan": True, "friend_count": 2, "tenure_days": 132,
        "spell_weeks": 125 / 7, "pass_number": 5, "renewals_so_far": 4, "pass_days": 28,
        "days_between_purchases_mean": 28.0, "last_renewal_lead_days": -1, "days_to_end": 14,
        "is_already_renewed": False, "is_frozen": False, "freeze_days_used": 0,
    }  # fmt: skip
    assert {name: row[name] for name in expected} == pytest.approx(expected)


def test_what_was_not_known_is_null(members: Marts):
    row = members.snapshot("hasan", HORIZON)
    assert row is not None
    unknown = (
        "age_years",
        "friend_count",
        "city",
        "season_attendance_index",
        "last_renewal_lead_days",
    )
    assert [row[name] for name in unknown] == [None] * 5
    assert row["is_in_clan"] is False  # the source knows clans: not being in one is a fact


def test_a_frozen_member_is_active_and_the_end_moves_along(members: Marts):
    row = members.snapshot("farid", HORIZON)
    assert row is not None
    assert (row["is_frozen"], row["freeze_days_used"], row["days_to_end"]) == (True, 7, 9)
    before = members.snapshot("farid", "2024-05-07")
    assert before is not None
    assert (before["freeze_days_used"], before["days_to_end"]) == (2, 9)


def test_a_snapshot_knows_a_freeze_until_it_is_called_off(members: Marts):
    asked, called_off = (
        members.snapshot("galina", "2024-04-07"),
        members.snapshot("galina", "2024-04-14"),
    )
    assert asked is not None
    assert called_off is not None
    assert (asked["days_to_end"], called_off["days_to_end"]) == (34, 16)


def test_a_snapshot_knows_the_next_pass_once_it_is_bought(members: Marts):
    before, after = members.snapshot("irina", "2024-03-03"), members.snapshot("irina", "2024-03-10")
    assert before is not None
    assert after is not None
    assert (before["is_already_renewed"], after["is_already_renewed"]) == (False, True)


def test_a_guest_day_within_the_pass_does_not_renew_it(members: Marts):
    days = members.read(
        "select distinct hp_id, is_already_renewed, pass_number from ris.member_snapshot"
        " where user_id = 'nina' and as_of_date > '2024-02-01'"
    )
    assert days.rows() == [("nina-1", False, 1)]


def test_a_visit_belongs_to_the_day_that_the_studio_has(members: Marts):
    days = members.read(
        "select activity_date, visit_count from ris.fact_user_day where user_id = 'max' and visit_count > 0"
        " order by activity_date"
    )
    assert days.rows() == [(date(2024, 2, 29), 1), (date(2024, 3, 1), 1)]


def test_the_calendar_reaches_beyond_the_horizon_and_starts_weeks_on_monday(members: Marts):
    bounds = members.row(
        "select min(calendar_date) as first, max(calendar_date) as last,"
        " bool_and(extract(isodow from week_start) = 1) as is_monday from ris.ref_calendar"
    )
    assert bounds == {"first": date(2023, 12, 7), "last": date(2025, 6, 16), "is_monday": True}
