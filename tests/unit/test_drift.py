"""Drift of features and of volumes, against hand-computed numbers and scipy."""

from datetime import date, timedelta
from math import log

import numpy as np
import polars as pl
import pytest
from scipy.stats import ks_2samp

from ris_assets.assets.quality import lost_days, trust
from ris_assets.evaluation.drift import feature_stats, reference_of
from ris_assets.evaluation.volume import judge_days, judge_volume
from ris_assets.features.matrix import FeatureSet

FEATURES = FeatureSet(numeric=("price", "visits"), levels={"city": ("Almaty", "Astana")})


def frame(shift: float = 0.0, rows: int = 2000, seed: int = 4) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "price": rng.normal(shift, 1, rows),
            "visits": rng.poisson(2, rows).astype(float),
            "city": rng.choice(["Almaty", "Astana"], rows),
        }
    )


def told(day: pl.DataFrame, training: pl.DataFrame | None = None) -> dict[str, tuple[str, str]]:
    """Column -> status and rule."""
    training = frame() if training is None else training
    stats = feature_stats(day, ["price", "visits", "city"], reference_of(training, FEATURES))
    return {name: (status, rule) for name, status, rule in
            stats.select("feature", "status", "rule").iter_rows()}  # fmt: skip


@pytest.mark.parametrize(
    ("shift", "status"), [(0.0, "ok"), (0.2, "ok"), (0.8, "warn"), (3.0, "warn")]
)
def test_what_has_moved_is_a_warning(shift, status):
    found = told(frame(shift, seed=5))
    assert found["price"][0] == status
    assert (found["visits"][0], found["city"][0]) == ("ok", "ok")
    assert status == "ok" or found["price"][1].startswith("PSI")


@pytest.mark.parametrize("seed", range(8))
def test_chance_in_a_small_studio_is_no_drift(seed):
    assert {status for status, _ in told(frame(rows=60, seed=seed)).values()} == {"ok"}


def test_distributions_of_fewer_than_fifty_members_are_not_compared():
    assert told(frame(5.0, rows=49))["price"] == (
        "ok",
        "fewer than 50 members, distributions not compared",
    )


@pytest.mark.parametrize(
    ("members", "gone", "stuck"),
    [(1, "ok", "ok"), (2, "ok", "ok"), (4, "fail", "ok"), (20, "fail", "fail")],
)
def test_a_dead_feature_is_broken_in_the_smallest_studio_where_chance_is_no_reason(
    members, gone, stuck
):
    day = frame(rows=members)
    empty = day.with_columns(pl.lit(None, pl.Float64).alias("price"))
    assert told(empty)["price"][0] == gone
    assert told(day.with_columns(pl.lit(2.0).alias("visits")))["visits"][0] == stuck


@pytest.mark.parametrize("members", [1, 3, 8, 15, 30, 49])
def test_chance_breaks_no_feature_of_few_members(members):
    """Half of them known in training, as of members who have bought before."""
    half = frame().with_columns(pl.when(pl.int_range(pl.len()) % 2 == 0).then("price"))
    for seed in range(20):
        day = frame(rows=members, seed=seed)
        rng = np.random.default_rng(seed)
        known = pl.Series(rng.random(members) < 0.5)
        assert told(day.with_columns(pl.when(known).then("price")), half)["price"][0] == "ok"


def test_the_stability_index_is_what_the_textbook_says():
    reference = {"shares": {"a": 0.5, "b": 0.5}, "fill_share": 1.0}
    day = pl.DataFrame({"kind": ["a"] * 80 + ["b"] * 20})
    stats = feature_stats(day, ["kind"], {"kind": reference})
    plain = (0.8 - 0.5) * log(0.8 / 0.5) + (0.2 - 0.5) * log(0.2 / 0.5)
    assert stats["psi"][0] == pytest.approx(plain)
    # The rule allows for chance: 0.25, (2 - 1) / 100, and three standard deviations.
    assert stats["rule"][0] == f"PSI {plain:.2f} > 0.39"
    assert stats["distinct_count"][0] == 2
    assert stats["mean"][0] is None


def test_a_bin_that_is_empty_on_one_side_counts_as_one_in_ten_thousand():
    reference = {"shares": {"a": 0.5, "b": 0.5}, "fill_share": 1.0}
    stats = feature_stats(pl.DataFrame({"kind": ["a"] * 100}), ["kind"], {"kind": reference})
    expected = 0.5 * log(2) + (1e-4 - 0.5) * log(1e-4 / 0.5)
    assert stats["psi"][0] == pytest.approx(expected)


@pytest.mark.parametrize("shift", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("column", ["price", "visits"])
def test_the_distance_of_distributions_is_that_of_scipy(shift, column):
    training, day = frame(), frame(shift, rows=400, seed=6).with_columns(pl.col("visits") + shift)
    stats = feature_stats(day, [column], reference_of(training, FEATURES))
    # The reference knows percentiles only.
    expected = ks_2samp(training[column], day[column]).statistic
    assert stats["ks"][0] == pytest.approx(expected, abs=0.012)


def test_what_is_gone_or_became_one_value_is_broken():
    day = frame()
    gone = day.with_columns(pl.lit(None, pl.Float64).alias("price"))
    assert told(gone)["price"] == ("fail", "filled 0%, in training 100%")
    thinner = day.with_columns(
        pl.when(pl.int_range(pl.len()) % 10 < 7).then("price").alias("price")
    )
    assert told(thinner)["price"] == ("warn", "filled 70%, in training 100%")
    stuck = day.with_columns(pl.lit(2.0).alias("visits"))
    assert told(stuck)["visits"] == ("fail", "one value for all members, in training many")


def test_what_was_never_filled_or_never_read_is_not_missed():
    training = frame().with_columns(pl.lit(None, pl.Float64).alias("price"))
    assert told(training, training)["price"][0] == "ok"
    stats = feature_stats(frame(), ["price"], {})
    assert stats.select("status", "rule", "psi").row(0) == (
        "ok",
        "the champion does not read it",
        None,
    )


def test_a_season_may_be_one_value_a_day_within_those_of_training():
    days = [date(2024, 1, 7) + timedelta(weeks=week) for week in range(20)]
    training = pl.concat(
        frame(rows=100, seed=week).with_columns(
            pl.lit(day).alias("as_of_date"), pl.lit(week / 10).alias("visits")
        )
        for week, day in enumerate(days)
    )
    same, beyond = (frame().with_columns(pl.lit(value).alias("visits")) for value in (1.05, 3.0))
    assert told(same, training)["visits"] == ("ok", "goes by the day, within the days of training")
    assert told(beyond, training)["visits"][0] == "warn"


@pytest.mark.parametrize(
    ("members", "rule"), [(1, "as in training"), (2, "goes by the day, nobody has a value")]
)
def test_a_day_on_which_nobody_has_a_value_is_not_outside_the_days_of_training(members, rule):
    """A value a day of so few members: who is the only one of a day says nothing of the day."""
    first = pl.int_range(pl.len()) < members
    training = pl.concat(
        frame(rows=100, seed=week).with_columns(
            pl.lit(date(2024, 1, 7) + timedelta(weeks=week)).alias("as_of_date"),
            pl.when(first).then(week / 10).alias("visits"),
        )
        for week in range(20)
    )
    nobody = frame().with_columns(pl.lit(None, pl.Float64).alias("visits"))
    assert told(nobody, training)["visits"] == ("ok", rule)


def test_a_factor_of_numbers_that_has_a_text_by_now_is_compared_by_its_numbers():
    training = pl.DataFrame({"factor_floor": [float(n % 9) for n in range(90)]})
    reference = reference_of(training, FeatureSet(("factor_floor",)))
    day = training.select(pl.col("factor_floor").cast(pl.String))
    day = pl.concat([day, pl.DataFrame({"factor_floor": ["cellar"]})])
    row = feature_stats(day, ["factor_floor"], reference).row(0, named=True)
    assert (row["status"], row["fill_share"], row["distinct_count"]) == ("ok", 1.0, 10)
    assert row["psi"] < 0.1


def test_statistics_are_those_of_the_filled_values():
    day = pl.DataFrame({"price": [1.0, 2.0, 3.0, 4.0, None]})
    row = feature_stats(day, ["price"], {}).row(0, named=True)
    assert (row["members"], row["fill_share"], row["distinct_count"]) == (5, 0.8, 4)
    assert (row["mean"], row["p25"], row["p50"], row["p75"]) == (2.5, 1.75, 2.5, 3.25)


@pytest.mark.parametrize(
    ("counts", "today", "status"),
    [
        ([100, 110, 90, 105, 95, 100, 102, 98], 104, "ok"),
        ([100, 110, 90, 105, 95, 100, 102, 98], 45, "warn"),
        ([100, 110, 90, 105, 95, 100, 102, 98], 0, "fail"),
        ([4, 5, 3, 6, 4], 0, "ok"),  # few: a day without is chance
        ([100, 110, 90], 0, "ok"),  # too little history
        ([0] * 8, 30, "warn"),
        ([0, 0, 0, 0, 0, 50, 52, 49], 50, "ok"),  # three weeks of data are too few
        ([0, 0, 0, 0, 0, 50, 52, 49], 0, "ok"),
        ([0, 0, 50, 52, 49, 51, 48, 50], 20, "warn"),
        ([50, 0, 0, 0, 0, 0, 0, 0], 50, "warn"),
        ([100] * 8, 139, "ok"),  # within four sigmas of a Poisson count
        ([100] * 8, 141, "warn"),
    ],
)
def test_a_day_is_compared_with_its_weekday(counts, today, status):
    assert judge_volume(counts, today)[0] == status


DAILY, WEEKLY, SELDOM = [30] * 63, [40, 0, 0, 0, 0, 0, 0] * 9, ([1] + [0] * 29) * 2 + [1]


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ([*DAILY, *[0] * 50], ("fail", "nothing since 2025-11-15, before that 30 a day")),
        ([*DAILY, *[0] * 500], ("fail", "nothing since 2024-08-22, before that 30 a day")),
        ([*[2] * 63, *[0] * 8], ("warn", "nothing since 2025-12-27, before that 2 a day")),
        ([*[2] * 63, *[0] * 7], ("ok", "0, usually 2")),
        ([*WEEKLY, *[0] * 7], ("ok", "0, usually 0")),
        ([*WEEKLY, *[0] * 16], ("warn", "nothing since 2025-12-13, before that 6.32 a day")),
        ([*SELDOM, *[0] * 80], ("ok", "0, usually 0")),
        ([*[30] * 20, *[0] * 100], ("ok", "0, usually 0")),  # less than four weeks
        ([*DAILY, *[0] * 50, 30], ("warn", "30 is 30.0 sigmas from 0")),
    ],
)
def test_what_has_fallen_silent_stays_so_however_long_it_is(counts, told):
    assert judge_days(counts, date(2026, 1, 4)) == told


SUNDAY = date(2026, 1, 4)


@pytest.mark.parametrize(
    ("filled", "first", "last", "lost"),
    [
        ([0, 1], 1, 1, []),
        ([0], 1, 1, [1]),  # nobody, and yesterday there were members
        ([-5], 1, 1, [1]),  # the days between were not run
        ([], 1, 1, []),  # a studio without members yet
        ([-8], 1, 1, []),
        ([-7, 7], -6, 7, [0]),  # a Sunday is always kept, the other days of a long run are not
        ([-7, 0, 7], -6, 7, []),
    ],
)
def test_a_day_without_the_members_of_the_week_before_is_lost(filled, first, last, lost):
    def day(number: int) -> date:
        return SUNDAY + timedelta(days=number)

    assert lost_days({day(one) for one in filled}, day(first), day(last)) == [*map(day, lost)]


def test_a_lost_day_is_not_trusted():
    empty = feature_stats(frame().clear(), [], {})
    assert trust(empty).passed
    result = trust(empty, [SUNDAY])
    assert not result.passed
    assert "2026-01-04 (no member, some in the week before)" in result.description
