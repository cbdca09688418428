"""After a trial follows what usually follows trials, not another trial."""

import json
from itertools import product

import numpy as np
import polars as pl
import pytest

from ris_assets.models.next_pass import NextPass
from ris_assets.models.passes_ahead import PassesAhead, weeks_in_spell

MONTH_AFTER_TRIAL = NextPass([30], {7: [1.0], 30: [1.0]})


def person_weeks(*spells: tuple[int, list[int]]) -> pl.DataFrame:
    """Some spells of each kind; a kind is the days of its passes, each seen on one eve."""
    rows = [
        {
            "spell_id": f"{kind}.{n}:1",
            "week_start": week,
            "pass_number": week + 1,
            "pass_days": days,
        }
        for kind, (count, passes) in enumerate(spells)
        for n in range(count)
        for week, days in enumerate(passes)
    ]
    return pl.DataFrame(rows)


def snapshot(**columns: list) -> pl.DataFrame:
    rows = len(columns["days_to_end"])
    return pl.DataFrame(
        {"is_already_renewed": [False] * rows, "pass_number": [1] * rows, **columns}
    )


def alive(
    frame: pl.DataFrame,
    following: NextPass,
    weeks: int,
    between: float = 0.0,
    at_end: float = 0.5,
    at_first_end: float = 0.5,
) -> np.ndarray:
    """(rows, weeks): the share still there, everybody alike."""
    passes, found = PassesAhead(frame, weeks, following), []
    for _ in range(weeks):
        passes.go_on(*(np.full(frame.height, p) for p in (between, at_end, at_first_end)))
        found.append(passes.alive)
    return np.column_stack(found)


def alive_on(frame: pl.DataFrame, following: NextPass, days: int, **chances: float) -> np.ndarray:
    """(rows, days): the same at the end of each day."""
    weeks = -(-days // 7)
    passes, found = PassesAhead(frame, weeks, following), []
    for _ in range(weeks):
        lost = (chances.get("between", 0.0), chances.get("at_end", 0.5), chances.get("at_end", 0.5))
        passes.go_on(*(np.full(frame.height, p) for p in lost))
        found.append(passes.by_day)
        assert passes.by_day[:, -1] == pytest.approx(passes.alive)
    return np.hstack(found)[:, :days]


def falls(frame: pl.DataFrame, following: NextPass, weeks: int) -> list[int]:
    """The weeks, counted from 1, in which passes of the only row end, where every member has the same ones."""
    curve = np.hstack([[1.0], alive(frame, following, weeks)[0]])
    return (np.flatnonzero(np.diff(curve) < 0) + 1).tolist()


def test_shares_are_those_of_what_followed_within_a_spell():
    weeks = person_weeks((3, [7, 30, 30]), (1, [7, 30]), (1, [7, 90]), (30, [90, 90]))
    found = NextPass.fit(weeks.sample(fraction=1, shuffle=True, seed=1))
    assert found.lengths == [30, 90]
    # 30 was followed three times: too few to say.
    assert found.shares == {7: [0.8, 0.2], 90: [0.0, 1.0]}
    assert found.of(np.array([7, 30, 90])).tolist() == [[0.8, 0.2], [0, 0], [0, 1]]
    assert found.told() == "after 7 days: 80% 30, 20% 90; after 90 days: 100% 90"
    assert found.again().tolist() == [[1, 0], [0, 1]]


def test_of_few_nothing_is_said():
    unknown = NextPass.fit(person_weeks((4, [7, 30]), (40, [30])))
    assert unknown == NextPass([], {})
    assert unknown.told() == "as long as the one before"
    assert NextPass.fit(person_weeks((5, [7, 30]))).shares == {7: [1.0]}


def test_of_many_lengths_the_most_frequent_are_told_apart():
    kinds = [(20 + n, [7, 30 + n]) for n in range(12)]
    found = NextPass.fit(person_weeks(*kinds))
    assert found.lengths == list(range(34, 42))
    assert sum(found.shares[7]) == pytest.approx(1)


def test_weeks_without_a_snapshot_or_between_which_passes_are_lacking_say_nothing():
    skipped = person_weeks((40, [7, 30])).with_columns(pass_number=pl.col("pass_number") * 2)
    assert NextPass.fit(skipped).shares == {}
    is_seen = pl.col("week_start") > 0
    first = person_weeks((40, [7, 7, 30])).with_columns(
        pass_number=pl.when(is_seen).then("pass_number"),
        pass_days=pl.when(is_seen).then("pass_days"),
    )
    assert NextPass.fit(first).shares == {7: [1.0]}
    assert NextPass.fit(first).lengths == [30]


def test_a_trial_ends_once_and_then_each_pass_of_a_month():
    trial = snapshot(days_to_end=[3], pass_days=[7])
    assert falls(trial, NextPass(), 6) == [1, 2, 3, 4, 5, 6]
    # 3 days, then 33, 63 and 93: the 5th, 9th and 14th week.
    assert falls(trial, MONTH_AFTER_TRIAL, 14) == [1, 5, 9, 14]


def test_who_has_bought_what_follows_a_trial_is_asked_again_at_its_end():
    bought = snapshot(days_to_end=[3], pass_days=[7], is_already_renewed=[True])
    assert falls(bought, MONTH_AFTER_TRIAL, 9) == [5, 9]
    assert falls(bought, NextPass(), 3) == [2, 3]
    curve = alive(bought, MONTH_AFTER_TRIAL, 5, at_end=0.5, at_first_end=0.9)
    assert curve[0, -1] == pytest.approx(0.5)


def test_flags_may_come_as_numbers():
    bought = snapshot(days_to_end=[3, 3], pass_days=[7, 7], is_already_renewed=[True, None])
    numbers = bought.with_columns(pl.all().cast(pl.Float64))
    expected = alive(bought, MONTH_AFTER_TRIAL, 6)
    assert alive(numbers, MONTH_AFTER_TRIAL, 6) == pytest.approx(expected)
    assert expected[0, 0] > expected[1, 0]


def test_only_the_first_end_is_a_first_end():
    rows = snapshot(days_to_end=[3, 3], pass_days=[7, 7], pass_number=[1, 2])
    found = alive(rows, MONTH_AFTER_TRIAL, 5, at_end=0.5, at_first_end=0.2)
    assert found[:, -1] == pytest.approx([0.8 * 0.5, 0.5 * 0.5])
    alike = alive(rows, NextPass(), 2, at_end=0.5, at_first_end=0.2)
    assert alike[:, -1] == pytest.approx([0.8 * 0.5, 0.5 * 0.5])


def test_a_pass_that_ends_today_or_never_is_no_trouble():
    rows = snapshot(days_to_end=[0, 40_000, None], pass_days=[7, 36_500, 30])
    found = alive(rows, MONTH_AFTER_TRIAL, 4)
    assert found[:, 0] == pytest.approx([0.5, 1, 1])
    assert found[1:] == pytest.approx(np.ones((2, 4)))


def test_what_may_follow_does_so_in_its_shares():
    following = NextPass([10, 30], {10: [0.25, 0.75], 30: [0.6, 0.4]})
    row = snapshot(days_to_end=[5], pass_days=[30])
    weeks, between, at_end = 9, 0.03, 0.4
    # Every chain of passes by itself: it is lost in a week by what the week is.
    expected = np.zeros(weeks)
    for chain in product((0, 1), repeat=6):
        share, before, ends, day = 1.0, 30, [], 5
        for place in chain:
            share *= following.shares[before][place]
            before = following.lengths[place]
            ends.append((day - 1) // 7)
            day += before
        lost = [at_end if week in ends else between for week in range(weeks)]
        expected += share * np.cumprod(1 - np.array(lost))
    found = alive(row, following, weeks, between, at_end, at_end)
    assert found[0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("following", "ends"),
    [
        (NextPass(), [3, 10, 17, 24, 31, 38]),
        (MONTH_AFTER_TRIAL, [3, 33]),
        (NextPass([10, 30], {7: [0.5, 0.5], 10: [0, 1], 30: [0, 1]}), [3, 13, 33]),
    ],
)
def test_who_is_lost_at_the_end_of_a_pass_is_lost_on_its_day(following, ends):
    trial = snapshot(days_to_end=[3], pass_days=[7])
    curve = np.hstack([[1.0], alive_on(trial, following, 38)[0]])
    assert (np.flatnonzero(np.diff(curve) < 0) + 1).tolist() == ends


def test_between_the_ends_of_passes_a_week_is_lost_evenly():
    rows = snapshot(days_to_end=[400, 3], pass_days=[400, 7], is_already_renewed=[False, True])
    found = alive_on(rows, MONTH_AFTER_TRIAL, 10, between=0.2)
    assert found == pytest.approx(np.tile(0.8 ** (np.arange(1, 11) / 7), (2, 1)))


def test_weeks_expected_are_the_area_under_the_curve():
    rows = snapshot(
        days_to_end=[10, 10, 0, 0, None],
        pass_days=[400] * 5,
        is_already_renewed=[False, True, False, True, None],
    )
    curve = alive_on(rows, NextPass(), 364, at_end=0.7)
    days = [10 + 0.3 * 354, 364, 0.3 * 364, 364, 364]
    assert weeks_in_spell(curve, rows) == pytest.approx(np.array(days) / 7)


@pytest.mark.parametrize("found", [NextPass(), NextPass([30, 90], {7: [0.5, 0.5], 30: [1.0, 0.0]})])
def test_it_is_kept_in_json(found):
    kept = NextPass.from_json(json.loads(json.dumps(found.to_json())))
    assert (list(kept.lengths), kept.shares) == (list(found.lengths), found.shares)
