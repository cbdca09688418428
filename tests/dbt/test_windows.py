"""Windows of a run: what is replaced, what stays, and that their order does not matter."""

import polars as pl
import pytest

from ris_assets.assets import norms
from tests.dbt.marts import Marts
from tests.dbt.members import make_hand_written

GROWING = {
    "fact_user_day": "activity_date, user_id",
    "user_week_metrics": "week_start, user_id",
    "user_week_norm": "week_start, user_id",
    "fact_user_week": "week_start, user_id",
    "member_snapshot": "as_of_date, user_id",
    "core_user": "user_id",
    "core_hp_period": "hp_id",
    "interval_hp": "spell_id, week_start",
}
STORED_BY = {
    "ris_int.int_booking_changes": "activity_date",
    "ris_int.int_user_days_measured": "activity_date",
    "ris_int.int_exposed_weeks": "week_start",
    "ris_int.int_week_attendance": "week_start",
    "ris_int.int_week_last_visits": "week_start",
    "ris_int.int_week_measured": "week_start",
    "ris.user_week_metrics": "week_start",
    "ris.user_week_norm": "week_start",
    "ris.interval_hp": "week_start",
}
"""What lies together in tables of which a day replaces the last rows."""
IN_A_GAP, BEFORE_LAST, LAST = "2024-05-01", "2024-05-11", "2024-05-12"
"""In the week of the first, mira has no pass: she is back a week later."""
WEEK = "2024-05-06"
"""The Monday before the last day."""
MARK = f"update ris.user_week_norm set visits_p50 = -1 where week_start >= '{WEEK}'"


@pytest.fixture(scope="module")
def stored(marts: Marts) -> dict[str, pl.Series]:
    """Days or weeks of the tables' rows, built at once, as they lie in them."""
    make_hand_written(marts)
    return {
        name: marts.read(f"select {column} from {name} order by ctid").to_series()
        for name, column in STORED_BY.items()
    }


@pytest.fixture(scope="module")
def whole(marts: Marts, stored) -> dict[str, pl.DataFrame]:
    """The tables that grow, built at once."""
    return tables(marts)


def tables(marts: Marts) -> dict[str, pl.DataFrame]:
    """The tables that grow, in order."""
    return {
        name: marts.read(f"select * from ris.{name} order by {order}")
        for name, order in GROWING.items()
    }


@pytest.mark.parametrize("name", STORED_BY)
def test_what_a_day_replaces_lies_together(stored, name: str):
    assert stored[name].n_unique() > 10
    assert stored[name].is_sorted()


def test_days_rerun_in_any_order_give_the_same_tables(marts: Marts, whole):
    for day in (LAST, BEFORE_LAST, IN_A_GAP):
        marts.run(day, day)
    for name, frame in tables(marts).items():
        assert frame.rows() == whole[name].rows(), name


@pytest.mark.parametrize(
    "sunday",
    [pytest.param("2024-05-05", id="of two weeks"), pytest.param("2024-04-21", id="of four weeks")],
)
def test_a_window_from_a_sunday_to_a_monday_has_all_weeks_that_it_touches(
    marts: Marts, whole, sunday: str
):
    marts.run(sunday, WEEK)
    for name, frame in tables(marts).items():
        assert frame.rows() == whole[name].rows(), name


def test_the_first_partition_carries_all_history(marts: Marts, whole):
    marts.execute("truncate ris.fact_user_day; truncate ris_int.int_user_days_measured")
    marts.run_only("int_user_days_measured fact_user_day", LAST, LAST, history_start=LAST)
    assert tables(marts)["fact_user_day"].rows() == whole["fact_user_day"].rows()


@pytest.mark.parametrize(
    "weeks_before",
    [pytest.param(3, id="of the norm"), pytest.param(40, id="that a streak may reach back to")],
)
def test_norms_are_made_anew_of_those_whose_weeks_have_changed(marts: Marts, whole, weeks_before):
    week = f"date_trunc('week', date '{LAST}')::date - {7 * weeks_before}"
    of_mira = f"user_id = 'mira' and week_start = {week}"
    marts.execute(
        f"create table ris_int.kept as select * from ris.user_week_metrics where {of_mira}"
    )
    marts.write_norms(LAST, LAST)
    marts.execute(MARK)
    marts.execute(f"delete from ris.user_week_metrics where {of_mira}")
    marts.execute(
        f"insert into ris.user_week_metrics (user_id, week_start, visits) values ('mira', {week}, 5)"
    )
    marts.write_norms(LAST, LAST)
    marked = "select user_id, bool_or(visits_p50 = -1) as is_left from ris.user_week_norm"
    left = dict(marts.read(f"{marked} where week_start >= '{WEEK}' group by user_id").iter_rows())
    assert len(left) > 5
    assert [user_id for user_id, is_left in left.items() if not is_left] == ["mira"]
    marts.execute(f"delete from ris.user_week_metrics where {of_mira}")
    marts.execute("insert into ris.user_week_metrics select * from ris_int.kept")
    marts.execute("drop table ris_int.kept; truncate ris_int.user_week_norm_inputs")
    marts.write_norms(LAST, LAST)
    assert tables(marts)["user_week_norm"].rows() == whole["user_week_norm"].rows()


def test_norms_are_made_anew_where_the_rule_is_another(marts: Marts, whole, monkeypatch):
    marts.write_norms(LAST, LAST)
    marts.execute(MARK)
    monkeypatch.setattr(norms, "HALF_LIFE_WEEKS", norms.HALF_LIFE_WEEKS + 1)
    marts.write_norms(LAST, LAST)
    assert tables(marts)["user_week_norm"].rows() == whole["user_week_norm"].rows()


# These two leave tables as no other test should find them, and are the last.


def test_a_window_replaces_exactly_its_rows(marts: Marts, whole):
    marts.execute("update ris.member_snapshot set city = 'marked'")
    marts.execute("update ris.fact_user_day set ticket_count = 99")
    marts.run(LAST, LAST)
    marked = marts.read("select distinct as_of_date from ris.member_snapshot where city = 'marked'")
    every = marts.read("select distinct as_of_date from ris.member_snapshot")
    fresh = set(every["as_of_date"]) - set(marked["as_of_date"])
    assert {str(day) for day in fresh} == {LAST}
    days = marts.read(
        "select distinct activity_date from ris.fact_user_day where ticket_count <> 99"
    )
    assert [str(day) for day in days["activity_date"]] == [LAST]


def test_days_older_than_five_weeks_keep_their_sundays(marts: Marts, whole):
    marts.run("2024-03-06", "2024-03-06", snapshot_keep_days=7)
    kept = marts.read(
        "select distinct as_of_date from ris.member_snapshot"
        " where extract(isodow from as_of_date) <> 7 order by 1"
    )
    # The window's own day, and the week before the newest day.
    expected = ["2024-03-06", *(f"2024-05-{day:02}" for day in range(6, 12))]
    assert [str(day) for day in kept["as_of_date"]] == expected
