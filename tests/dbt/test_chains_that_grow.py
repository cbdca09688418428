"""Sundays of history, whose passes are chained once for many of them, are those that are asked for one by one."""

from zoneinfo import ZoneInfo

import pytest

from tests.dbt.marts import EVER, Marts
from tests.dbt.test_exposure_oracle import HORIZON, Studio, unique

ALMATY = ZoneInfo("Asia/Almaty")
WENT_LIVE = "2024-02-01"
SUNDAYS = ("2024-02-18", "2024-03-10", "2024-04-07", "2024-04-14", "2024-05-12", "2024-06-09")


@pytest.fixture(scope="module")
def history(marts: Marts) -> Marts:
    """A studio at random, and members of whom something is told late, as one run over all history makes it."""
    studio = Studio(ALMATY, seed=11)
    for number in range(250):
        studio.member(f"m{number}")
    raw = studio.raw
    for name in ("gap", "off", "ahead"):
        raw.member(name)
    # The last was bought in time, which is told in April.
    raw.hero_pass("gap-1", "2024-01-01 10:00", "2024-01-01", "2024-01-31")
    raw.hero_pass("gap-2", "2024-04-01 10:00", "2024-04-01", "2024-04-30")
    raw.hero_pass(
        "gap-3", "2024-02-10 10:00", "2024-05-01", "2024-05-31", known_at="2024-04-18 12:00"
    )
    raw.hero_pass("off-1", "2024-04-01 10:00", "2024-04-01", "2024-04-30")
    freeze = ("off-1", "2024-04-04 10:00", "2024-04-05", "2024-04-14")
    raw.freeze(*freeze, freeze_id="off")
    raw.freeze(*freeze, freeze_id="off", known_at="2024-04-23 12:00", is_deleted=True)
    # April's was bought on 22 March.
    raw.hero_pass("ahead-1", "2024-02-01 10:00", "2024-02-01", "2024-02-29")
    raw.hero_pass("ahead-2", "2024-03-01 10:00", "2024-03-01", "2024-03-31")
    raw.hero_pass("ahead-3", "2024-03-22 10:00", "2024-04-01", "2024-04-30")
    raw.hero_pass("ahead-4", "2024-05-01 10:00", "2024-05-01", "2024-05-31")
    for entity in ("hero_passes", "freezes"):
        raw.rows[entity] = unique(raw.rows[entity])
    marts.timezone = str(ALMATY)
    marts.reset()
    raw.write(marts.url, HORIZON.isoformat())
    marts.execute(f"update ris_raw.extraction_log set finished_at = '{WENT_LIVE}'")
    marts.succeed("seed")
    marts.run(*EVER)
    return marts


def test_a_chain_of_many_sundays_says_of_each_what_was_known_then(history: Marts):
    spells = [
        history.snapshot("gap", day)["spell_id"]
        for day in ("2024-04-07", "2024-04-14", "2024-04-21", "2024-05-12")
    ]
    assert spells == ["gap:2", "gap:2", "gap:1", "gap:1"]
    days = ("2024-04-14", "2024-04-21", "2024-04-28")
    assert [history.snapshot("off", day)["days_to_end"] for day in days] == [26, 19, 2]
    days = ("2024-03-17", "2024-03-24", "2024-03-31", "2024-04-07")
    ahead = [history.snapshot("ahead", day) for day in days]
    assert [row["is_already_renewed"] for row in ahead] == [False, True, True, False]
    assert [row["pass_number"] for row in ahead] == [2, 2, 2, 3]
    assert [row["spent_so_far"] for row in ahead] == [60_000, 60_000, 60_000, 90_000]


def test_a_sunday_asked_for_alone_is_that_of_all_history(history: Marts):
    of_sundays = f"select * from ris.member_snapshot where as_of_date in {SUNDAYS} order by as_of_date, user_id"
    before = history.read(of_sundays)
    assert before.height > 400
    for sunday in SUNDAYS:
        history.run_only("member_snapshot", sunday, sunday)
    assert history.read(of_sundays).rows() == before.rows()
