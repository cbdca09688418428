"""What is looked into for a hazard says the same as its metrics, and more."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from ris_assets.evaluation import hazard_report, survival_contest
from ris_assets.evaluation.survival import (
    first_sunday,
    scored_through,
    snapshots_after,
    survival_metrics,
)
from ris_assets.features.matrix import FeatureSet
from ris_assets.models.hazard_families import HAZARDS, RATES
from ris_assets.models.week_clock import clock_of_weeks
from ris_assets.reports.contenders import taken_apart
from tests.fakes import CATALOG, fake_studio, person_weeks


@pytest.fixture(scope="module")
def judged():
    studio = fake_studio(members=700)
    weeks = person_weeks(studio)
    windows = survival_contest.survival_windows(weeks, studio.horizon)
    found = survival_contest.fit_hazards(weeks, windows, CATALOG, families=("hazard",))
    return found["hazard"].model, windows, weeks


def test_intervals_lie_around_the_metrics_of_the_report(judged):
    model, windows, weeks = judged
    metrics = survival_metrics(model, windows, weeks)
    ahead = hazard_report.said_ahead(model, windows, weeks)
    sunday = first_sunday(model, windows, weeks)
    found = hazard_report.intervals(model, windows, ahead, sunday)
    wanted = {"person_week_log_loss", "brier_4w", "survived_4w_observed", "ibs", "antolini"}
    assert wanted | {"auc_4w"} <= set(found)
    for name, interval in found.items():
        assert interval.value == pytest.approx(metrics[name]), name
        assert interval.low < interval.value < interval.high, name
    width = found["antolini"].high - found["antolini"].low
    assert 0.01 < width < 0.2


def test_bins_hold_every_spell_once_and_agree_with_the_shares_of_all(judged):
    model, windows, weeks = judged
    ahead = hazard_report.said_ahead(model, windows, weeks)
    assert set(ahead) == {4, 8}, "12 weeks and the grace are longer than the out-of-time window"
    for horizon, bins in hazard_report.calibration(ahead).items():
        rows = ahead[horizon]
        weight = bins["passes"].to_numpy()
        assert weight.sum() == pytest.approx(rows["spell_id"].n_unique())
        observed = np.average(rows["alive"], weights=rows["weight"])
        assert np.average(bins["observed_share"], weights=weight) == pytest.approx(observed)
        assert (bins["observed_low"] <= bins["observed_share"]).all()
        assert (bins["observed_share"] <= bins["observed_high"]).all()
        assert (bins["predicted_share"].diff().drop_nulls() > 0).all()


def test_who_is_asked_does_not_go_by_who_stays():
    # A week after a pass that ran out on its eve has who stays alone; who had renewed by then has one in any case.
    eve = date(2026, 3, 1)
    weeks = pl.DataFrame(
        {
            "as_of_date": [eve, eve, eve, eve - timedelta(days=7), None],
            "days_to_end": [0, 0, 1, 1, None],
            "is_already_renewed": [False, True, False, False, None],
        }
    )
    asked = snapshots_after(eve - timedelta(days=7), weeks)
    assert asked.select("days_to_end", "is_already_renewed").rows() == [(0, True), (1, False)]


def test_bands_are_judged_on_members_by_whom_they_were_not_cut(judged):
    model, windows, weeks = judged
    rows = hazard_report.said_ahead(model, windows, weeks)[4]
    bands = hazard_report.bands({4: rows})
    members = np.unique(hazard_report.members_of(rows))
    others = rows.filter(pl.Series(np.isin(hazard_report.members_of(rows), members[1::2])))
    assert bands["passes"].sum() == pytest.approx(others["weight"].sum())
    found = bands.filter(pl.col("passes") > 0)
    assert found.height > 1
    observed = np.average(found["observed_share"], weights=found["passes"])
    assert observed == pytest.approx(np.average(others["alive"], weights=others["weight"]))
    assert (found["observed_share"].diff().drop_nulls() < 0).all()
    # Whatever becomes of those who judge, the limits stay.
    other = rows.with_columns(
        pl.when(pl.Series(np.isin(hazard_report.members_of(rows), members[1::2])))
        .then(1 - pl.col("alive"))
        .otherwise("alive")
        .alias("alive")
    )
    assert hazard_report.bands({4: other})["from_score"].equals(bands["from_score"])
    assert hazard_report.bands({}).is_empty()


def test_brier_scores_by_week_make_up_the_integrated_one(judged):
    model, windows, weeks = judged
    metrics = survival_metrics(model, windows, weeks)
    sunday = first_sunday(model, windows, weeks)
    scores = hazard_report.brier_by_week(sunday)
    at = scores["weeks"].to_numpy()
    assert at.tolist() == list(range(1, len(at) + 1))
    for side, name in (("model", "ibs"), ("base_rate", "ibs_base_rate")):
        integral = np.trapezoid(scores[side].to_numpy(), at) / (at[-1] - at[0])
        assert integral == pytest.approx(metrics[name])


def test_what_the_hazard_goes_by_is_missed_most_when_shuffled(judged):
    model, windows, _ = judged
    found = hazard_report.permutation(model, hazard_report.explained_weeks(windows))
    assert max(found, key=found.get) == "visits"
    assert found["visits"] > 0.001
    assert set(found) <= set(model.importance())


@pytest.mark.parametrize("family", ["hazard", "hazard_xgboost", "hazard_lightgbm"])
def test_parts_of_the_features_make_up_the_log_hazard(judged, family):
    """Beside a mean in the linear one; trees let some of it stand with the clock, which is no feature."""
    linear, windows, _ = judged
    rows = hazard_report.explained_weeks(windows).filter(pl.col("pass_number") > 1)
    rows = rows.with_columns(week_number=pl.lit(20), days_to_end_at_start=pl.lit(3))
    rows = rows.with_columns(is_already_renewed=pl.lit(False))
    model = linear if family == "hazard" else fitted(family, linear, windows)
    said = model.scores(rows)(clock_of_weeks(rows), 0)
    parts = model.contributions(rows)
    assert parts.shape == (rows.height, len(model.features.names))
    left = said - parts.sum(axis=1)
    assert left.std() < (1e-9 if family == "hazard" else 0.1 * said.std())
    sizes, files = taken_apart(model, rows, "the log hazard")
    assert max(sizes, key=sizes.get) == "visits"
    assert set(files) == {"shap_summary.png", "shap_dependence.png"}


def fitted(family, linear, windows):
    model = HAZARDS[family](linear.features, linear=linear)
    return model.fit(windows.fitting, windows.validation)


def test_a_rate_for_everyone_has_no_parts(judged):
    _, windows, _ = judged
    rate = RATES["hazard_base_rate"](FeatureSet(())).fit(windows.fitting, windows.validation)
    rows = hazard_report.explained_weeks(windows)
    assert taken_apart(rate, rows, "the log hazard") == ({}, {})


def test_without_a_window_out_of_time_there_is_nothing_to_look_into(judged):
    model, windows, weeks = judged
    early = weeks.filter(weeks["week_start"] <= windows.cuts.fit)
    empty = survival_contest.Windows(
        windows.cuts, windows.training, windows.validation, windows.test.clear(), windows.fitting
    )
    assert hazard_report.said_ahead(model, empty, early) == {}
    assert first_sunday(model, empty, early) is None
    assert hazard_report.intervals(model, empty, {}, None) == {}
    rows = hazard_report.explained_weeks(empty)
    assert hazard_report.permutation(model, rows) == {}
    assert taken_apart(model, rows, "the log hazard") == ({}, {})


def test_weeks_are_scored_while_half_of_those_who_stayed_are_seen_beyond():
    # A window of 15 weeks: most are known for ten, who renewed early for longer.
    seen = np.repeat([9.0, 10.0, 11.0, 13.0, 15.0], [7, 198, 19, 46, 27])
    time = np.concatenate([seen, np.arange(1.0, 12.0)])
    event = np.arange(len(time)) >= len(seen)
    assert scored_through(event, time) == 9
    assert scored_through(~np.isnan(time), time) == scored_through(np.isnan(time), time) == 0
