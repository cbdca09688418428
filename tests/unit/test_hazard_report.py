"""What is looked into for a hazard says the same as its metrics, and more."""

import numpy as np
import pytest

from ris_assets.evaluation import hazard_report, survival_contest
from ris_assets.evaluation.survival import first_sunday, survival_metrics
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
    found = hazard_report.permutation(model, windows)
    assert max(found, key=found.get) == "visits"
    assert found["visits"] > 0.001
    assert set(found) <= set(model.importance())


def test_without_a_window_out_of_time_there_is_nothing_to_look_into(judged):
    model, windows, weeks = judged
    early = weeks.filter(weeks["week_start"] <= windows.cuts.fit)
    empty = survival_contest.Windows(
        windows.cuts, windows.training, windows.validation, windows.test.clear(), windows.fitting
    )
    assert hazard_report.said_ahead(model, empty, early) == {}
    assert first_sunday(model, empty, early) is None
    assert hazard_report.intervals(model, empty, {}, None) == {}
    assert hazard_report.permutation(model, empty) == {}
