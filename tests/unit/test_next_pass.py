"""After a trial follows what usually follows trials, not another trial."""

import json

import numpy as np
import polars as pl
import pytest

from ris_assets.models.next_pass import NextPass
from ris_assets.models.week_clock import pass_ends


def person_weeks(*spells: tuple[int, list[int]]) -> pl.DataFrame:
    """Some spells of each kind; a kind is the days of its passes, each seen on one eve."""
    rows = [
        {"spell_id": f"{kind}.{n}:1", "week_start": week, "pass_number": week + 1, "pass_days": days}
        for kind, (count, passes) in enumerate(spells)
        for n in range(count)
        for week, days in enumerate(passes)
    ]
    return pl.DataFrame(rows)


def ends_of(frame: pl.DataFrame, following: NextPass, weeks: int) -> list[list[int]]:
    """The weeks, counted from 1, in which passes of each row end."""
    ends = np.column_stack([ends for ends, _ in pass_ends(frame, weeks, following)])
    return [(np.flatnonzero(row) + 1).tolist() for row in ends]


def snapshot(**columns: list) -> pl.DataFrame:
    return pl.DataFrame({"is_already_renewed": [False], "pass_number": [1], **columns})


def test_what_follows_is_the_median_of_what_followed_within_a_spell():
    weeks = person_weeks((12, [7, 30, 30]), (9, [7, 90]), (30, [90, 90]))
    assert NextPass.fit(weeks.sample(fraction=1, shuffle=True, seed=1)).days == {7: 30}


def test_of_few_and_of_the_same_length_nothing_is_said():
    assert NextPass.fit(person_weeks((19, [7, 30]), (40, [30, 30]))).days == {}
    assert NextPass.fit(person_weeks((40, [7]), (40, [30]))).days == {}
    assert NextPass.fit(person_weeks((20, [7, 30]))).days == {7: 30}


def test_weeks_without_a_snapshot_or_between_which_passes_are_lacking_say_nothing():
    skipped = person_weeks((40, [7, 30])).with_columns(pass_number=pl.col("pass_number") * 2)
    assert NextPass.fit(skipped).days == {}
    first = person_weeks((40, [7, 7, 30])).with_columns(
        pass_number=pl.when(pl.col("week_start") > 0).then("pass_number"),
        pass_days=pl.when(pl.col("week_start") > 0).then("pass_days"),
    )
    assert NextPass.fit(first).days == {7: 30}


def test_a_trial_ends_once_and_then_each_pass_of_a_month():
    trial = snapshot(days_to_end=[3], pass_days=[7])
    assert ends_of(trial, NextPass(), 6) == [[1, 2, 3, 4, 5, 6]]
    # 3 days, then 33, 63 and 93: the 5th, 9th and 14th week.
    assert ends_of(trial, NextPass({7: 30}), 14) == [[1, 5, 9, 14]]


def test_who_has_bought_what_follows_a_trial_is_asked_again_at_its_end():
    bought = snapshot(days_to_end=[3], pass_days=[7], is_already_renewed=[True])
    steps = pass_ends(bought, 9, NextPass({7: 30}))
    assert ends_of(bought, NextPass({7: 30}), 9) == [[5, 9]]
    assert not any(is_first for _, (is_first,) in steps)


@pytest.mark.parametrize("days", [{}, {7: 30, 14: 90}])
def test_it_is_kept_in_json(days):
    found = NextPass(days)
    assert NextPass.from_json(json.loads(json.dumps(found.to_json()))) == found
