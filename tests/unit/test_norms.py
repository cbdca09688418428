"""Norms by hand, at the edges, and against a slow reference."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pytest

from ris_assets.features.norms import QUARTILES, norm_names, week_norms, with_weeks_before

MONDAY = date(2024, 1, 1)


def weeks_of(values: dict[int, float | None], user: str = "u") -> pl.DataFrame:
    """A member's weeks: week number -> visits."""
    return pl.DataFrame(
        {
            "user_id": [user] * len(values),
            "week_start": [MONDAY + timedelta(weeks=week) for week in values],
            "visits": list(values.values()),
        },
        schema_overrides={"visits": pl.Float64, "week_start": pl.Date},
    )


def norm_at(values: dict[int, float | None], week: int) -> dict:
    """The norm row of one week."""
    start = MONDAY + timedelta(weeks=week)
    return week_norms(weeks_of(values), ["visits"]).filter(week_start=start).row(0, named=True)


def test_the_norm_of_a_week_is_the_weighted_mean_and_quartiles_of_the_weeks_before():
    norm = norm_at({0: 1, 1: 2, 2: 3, 3: 4, 4: 100}, 4)
    weights = [0.5 ** (age / 6) for age in range(4)]
    expected = sum(w * x for w, x in zip(weights, [4, 3, 2, 1], strict=True)) / sum(weights)
    assert norm["visits_ewma"] == pytest.approx(expected, abs=1e-12)
    assert (norm["visits_p25"], norm["visits_p50"], norm["visits_p75"]) == (1.75, 2.5, 3.25)


def test_fewer_than_four_observed_weeks_have_no_norm():
    norm = norm_at({0: 1, 1: None, 2: 3, 3: float("nan"), 4: 5, 5: 7}, 5)
    assert all(norm[f"visits_{name}"] is None for name in ("ewma", *QUARTILES))


def test_zero_is_observed_and_null_is_not():
    assert norm_at({0: 0, 1: 0, 2: 0, 3: 0, 4: 1}, 4)["visits_ewma"] == 0
    assert norm_at({0: 0, 1: 0, 2: None, 3: 0, 4: 1}, 4)["visits_ewma"] is None


def test_what_was_done_lately_fades_within_eight_weeks_and_needs_only_one():
    # Five weeks apart are two half-lives: 4 counts four times as much as 14.
    assert norm_at({0: 50, 1: None, 3: 14, 8: 4, 9: 1}, 9)["visits_recent"] == pytest.approx(6)
    assert norm_at({0: 3, 1: 9}, 1)["visits_recent"] == 3
    assert norm_at({0: 3, 9: 9}, 9)["visits_recent"] is None


def test_a_gap_counts_by_calendar_and_weights_are_renormalised():
    norm = norm_at({0: 8, 1: 4, 2: 2, 3: 6, 10: 1}, 10)
    weights = [0.5 ** (age / 6) for age in (9, 8, 7, 6)]
    expected = sum(w * x for w, x in zip(weights, [8, 4, 2, 6], strict=True)) / sum(weights)
    assert norm["visits_ewma"] == pytest.approx(expected, abs=1e-12)


def test_the_window_is_the_twenty_six_weeks_before():
    values = {0: 1000.0} | {week: 1.0 for week in range(23, 26)} | {26: 5.0, 27: 5.0}
    assert norm_at(values, 26)["visits_p75"] == pytest.approx(250.75)
    assert norm_at(values, 27)["visits_p75"] == pytest.approx(2.0)


def test_a_week_can_be_rebuilt_alone():
    weeks = random_weeks(members=7, span=60)
    whole = week_norms(weeks, ["visits", "steps"])
    week = weeks["week_start"].max() - timedelta(weeks=5)
    window = weeks.filter(pl.col("week_start").is_between(week - timedelta(weeks=26), week))
    alone = week_norms(window.reverse(), ["visits", "steps"]).filter(week_start=week)
    assert alone.sort("user_id").equals(whole.filter(week_start=week).sort("user_id"))


def test_the_week_before_a_return_is_normed_where_one_of_the_weeks_before_it_is_there():
    one = weeks_of({0: 1, 1: 2, 2: 3, 3: 4, 7: 5, 8: 6, 35: 7, 63: 8}, "a")
    weeks = with_weeks_before(pl.concat([one, weeks_of({9: 1, 64: 1}, "b")]).reverse())
    added = weeks.filter(pl.col("visits").is_null()).sort("week_start")
    # 34 looks back as far as 8; 62 would see nothing since 36, nor anybody else.
    expected = [("a", MONDAY + timedelta(weeks=week)) for week in (6, 34)]
    assert added.select("user_id", "week_start").rows() == expected
    norms = week_norms(weeks, ["visits"]).filter(week_start=MONDAY + timedelta(weeks=6))
    weights = [0.5 ** (age / 6) for age in (5, 4, 3, 2)]
    mean = sum(w * x for w, x in zip(weights, [1, 2, 3, 4], strict=True)) / sum(weights)
    assert norms["visits_ewma"].to_list() == [pytest.approx(mean, abs=1e-12)]
    assert norms["visits_p50"].to_list() == [2.5]


def test_only_the_weeks_asked_for_are_normed():
    weeks = weeks_of(dict.fromkeys(range(9), 1.0))
    first, last = MONDAY + timedelta(weeks=5), MONDAY + timedelta(weeks=7)
    norms = week_norms(weeks, ["visits"], first=first, last=last)
    assert norms["week_start"].to_list() == [first, first + timedelta(weeks=1), last]


def test_members_do_not_see_each_other():
    one, other = weeks_of({0: 1, 1: 1, 2: 1, 3: 1, 4: 1}, "a"), weeks_of({4: 9, 5: 9}, "b")
    norms = week_norms(pl.concat([other, one]), ["visits"])
    assert norms.filter(user_id="b")["visits_ewma"].null_count() == 2
    assert norms.filter(user_id="a")["visits_ewma"].to_list() == [None] * 4 + [1.0]


def test_norms_equal_a_slow_reference():
    weeks = random_weeks(members=12, span=70)
    ours = week_norms(weeks, ["visits", "steps"]).to_pandas()
    theirs = reference(weeks.to_pandas(), ["visits", "steps"])
    for column in [
        f"{metric}_{name}" for metric in ("visits", "steps") for name in norm_names(metric)
    ]:
        np.testing.assert_allclose(ours[column], theirs[column], rtol=0, atol=1e-9)


def test_no_weeks_have_no_norms():
    empty = weeks_of({})
    assert week_norms(empty, ["visits"]).columns == [
        "user_id",
        "week_start",
        *(f"visits_{name}" for name in norm_names("visits")),
    ]


@pytest.mark.parametrize("weeks", [[MONDAY, MONDAY], [MONDAY + timedelta(days=1)]])
def test_a_repeated_or_crooked_week_is_refused(weeks):
    frame = pl.DataFrame({"user_id": ["u"] * len(weeks), "week_start": weeks, "visits": 1.0})
    with pytest.raises(ValueError, match=r"week_start"):
        week_norms(frame, ["visits"])


def random_weeks(members: int, span: int) -> pl.DataFrame:
    """Shuffled weeks with gaps, nulls and members who start late."""
    rng = np.random.default_rng(3)
    rows = [
        (f"u{user}", MONDAY + timedelta(weeks=week), rng.poisson(3), rng.normal(8000, 2000))
        for user in range(members)
        for week in range(int(rng.integers(0, 30)), span)
        if rng.random() > 0.2
    ]
    frame = pl.DataFrame(rows, schema=["user_id", "week_start", "visits", "steps"], orient="row")
    hole = pl.Series(rng.random(frame.height) < 0.15)
    return frame.with_columns(
        visits=pl.when(hole).then(None).otherwise(pl.col("visits").cast(pl.Float64))
    ).sample(fraction=1.0, shuffle=True, seed=1)


def reference(weeks: pd.DataFrame, metrics: list[str]) -> pd.DataFrame:
    """Row by row, as the definition reads."""
    out = []
    for row in weeks.itertuples():
        age = (pd.Timestamp(row.week_start) - pd.to_datetime(weeks["week_start"])).dt.days / 7
        past = weeks[(weeks["user_id"] == row.user_id) & age.between(1, 26)]
        norms = {}
        for metric in metrics:
            seen = past[metric].dropna()
            weights = 0.5 ** ((age[seen.index] - 1) / 6)
            known = len(seen) >= 4
            norms[f"{metric}_ewma"] = np.average(seen, weights=weights) if known else np.nan
            for name, q in {"p25": 25, "p50": 50, "p75": 75}.items():
                norms[f"{metric}_{name}"] = np.percentile(seen, q) if known else np.nan
            late = seen[age[seen.index] <= 8]
            fading = 0.5 ** ((age[late.index] - 1) / 2.5)
            norms[f"{metric}_recent"] = np.average(late, weights=fading) if len(late) else np.nan
        out.append(norms)
    return pd.DataFrame(out)
