"""Splits, metrics, calibration, bands and gate."""

from dataclasses import replace
from datetime import date, timedelta
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from ris_assets.errors import RisError
from ris_assets.evaluation.bands import (
    EVEN_BANDS,
    NOBODY,
    band_limits,
    band_of,
    band_table,
    bands_told,
    wilson,
)
from ris_assets.evaluation.calibration import (
    Isotonic,
    Platt,
    calibrator_from_json,
    fit_calibrator,
    fit_platt,
    sigmoid,
)
from ris_assets.evaluation.contender import loss_of, winner_of
from ris_assets.evaluation.metrics import binary_metrics, reliability, share_of_ceiling
from ris_assets.evaluation.split import Cuts, cuts_for, refuse_too_little, split_by_time

AS_OF = date(2024, 6, 30)


def test_a_long_history_is_cut_105_and_168_days_back():
    assert cuts_for(AS_OF, date(2022, 1, 1)) == Cuts(
        AS_OF - timedelta(days=168), AS_OF - timedelta(days=105), AS_OF
    )


def test_a_short_history_is_cut_in_proportion():
    assert cuts_for(AS_OF, AS_OF - timedelta(days=210)) == Cuts(
        AS_OF - timedelta(days=84), AS_OF - timedelta(days=52), AS_OF
    )


def row(seen: date, known: date, renewed: bool | None = True) -> dict:
    return {"hp_id": f"{seen}", "as_of_date": seen, "matures_30d_on": known, "renewed_30d": renewed}


def test_a_row_enters_a_window_by_the_day_its_label_must_be_known():
    cuts = Cuts(date(2024, 1, 1), date(2024, 3, 1), AS_OF)
    rows = pl.DataFrame(
        [
            row(date(2023, 9, 1), cuts.train),
            row(date(2023, 12, 30), date(2024, 2, 1)),  # straddles: seen before, known after
            row(date(2024, 1, 2), cuts.fit),
            row(date(2024, 3, 2), AS_OF),
            row(date(2024, 6, 1), AS_OF + timedelta(days=1)),  # renewed early: known, not mature
        ]
    )
    windows = split_by_time(rows, cuts)
    seen = [part["as_of_date"].to_list() for part in windows.parts.values()]
    assert seen == [[date(2023, 9, 1)], [date(2024, 1, 2)], [date(2024, 3, 2)]]


def test_windows_of_windows_share_the_rows_of_the_first():
    rng = np.random.default_rng(5)
    seen = [date(2023, 1, 1) + timedelta(days=int(day)) for day in rng.integers(500, size=400)]
    matures = [day + timedelta(days=int(rng.integers(30, 90))) for day in seen]
    rows = pl.DataFrame({"as_of_date": seen, "matures_30d_on": matures, "place": range(400)})
    cuts = Cuts(date(2023, 8, 1), date(2023, 11, 1), date(2024, 2, 1))
    windows = split_by_time(rows, cuts)
    known, start = pl.col("matures_30d_on"), pl.col("as_of_date")
    expected = {
        "training": rows.filter(known <= cuts.train),
        "validation": rows.filter((start > cuts.train) & (known <= cuts.fit)),
        "test": rows.filter((start > cuts.fit) & (known <= cuts.as_of)),
    }
    for name, part in windows.parts.items():
        assert part.height > 20
        assert part["matures_30d_on"].is_sorted()
        assert sorted(part["place"]) == sorted(expected[name]["place"]), name
    assert sorted(windows.fitting["place"]) == sorted(rows.filter(known <= cuts.fit)["place"])
    again = split_by_time(windows.fitting, Cuts(date(2023, 5, 1), date(2023, 6, 1), cuts.train))
    # Of numbers without nulls, a view in numpy shares the memory of the frame.
    of_first = windows.fitting["place"].to_numpy()
    for part in (windows.training, again.fitting, again.training):
        assert np.shares_memory(part["place"].to_numpy(), of_first)


def test_windows_say_whether_what_is_fitted_tells_of_what_is_judged():
    cuts = Cuts(date(2024, 1, 1), date(2024, 3, 1), AS_OF)
    before = row(date(2023, 9, 1), cuts.train)
    later = row(date(2024, 4, 1), date(2024, 5, 1))
    windows = split_by_time(pl.DataFrame([before, later]), cuts)
    assert not windows.tell_of_test()
    assert not split_by_time(pl.DataFrame([before]), cuts).tell_of_test()
    assert replace(windows, fitting=windows.test).tell_of_test()
    assert replace(windows, training=windows.test).tell_of_test()


def test_too_little_data_is_said_in_one_sentence():
    windows = split_by_time(pl.DataFrame([row(date(2023, 9, 1), date(2023, 10, 1))]), cuts_for(
        AS_OF, date(2022, 1, 1)
    ))  # fmt: skip
    with pytest.raises(RisError, match="training window holds 1 passes"):
        refuse_too_little(windows)


def test_metrics_of_a_small_case_by_hand():
    found = binary_metrics(
        np.array([1, 0, 1]), np.array([0.8, 0.4, 0.3]), np.array([1.0, 2.0, 1.0])
    )
    assert found["auc"] == pytest.approx(0.5)
    assert found["brier"] == pytest.approx((0.04 + 2 * 0.16 + 0.49) / 4)
    assert found["log_loss"] == pytest.approx(-(np.log(0.8) + 2 * np.log(0.6) + np.log(0.3)) / 4)
    assert found["calibration_in_the_large"] == pytest.approx(1.9 / 4 - 0.5)


def test_reliability_bins_hold_equal_weight_and_equal_predictions_stay_together():
    predicted = np.repeat([0.1, 0.5, 0.9], [50, 25, 25])
    bins = reliability(predicted > 0.4, predicted, np.ones(100), bins=4)
    assert bins["passes"].sum() == 100
    assert bins["predicted_share"].to_list() == pytest.approx([0.1, 0.5, 0.9])
    assert bins["observed_share"].to_list() == [0, 1, 1]


@pytest.mark.parametrize(("ceiling", "share"), [(0.8, 0.5), (0.5, np.nan)])
def test_the_share_of_the_ceiling_is_counted_from_a_coin(ceiling, share):
    assert share_of_ceiling(0.65, ceiling) == pytest.approx(share, nan_ok=True)


@pytest.mark.parametrize(("passes", "kind"), [(30_000, Isotonic), (4000, Platt)])
def test_calibration_mends_what_is_said_too_boldly(passes, kind):
    rng = np.random.default_rng(1)
    score = rng.normal(0.5, 1, passes)
    outcome = (rng.random(passes) < sigmoid(score)).astype(float)
    bold = sigmoid(3 * score + 1)
    calibrator = fit_calibrator(outcome, bold, np.ones(passes))
    assert isinstance(calibrator, kind)
    assert np.abs(calibrator.apply(bold) - sigmoid(score)).mean() < 0.04
    assert calibrator_from_json(calibrator.to_json()) == calibrator
    assert np.all(np.diff(calibrator.apply(np.linspace(0, 1, 50))) >= 0)


def test_few_passes_leave_a_model_almost_as_it_is():
    line = fit_platt(np.array([1.0, 1.0]), np.array([0.6, 0.5]), np.ones(2))
    assert line.slope == pytest.approx(1, abs=0.1)
    assert 0 < line.intercept < 0.5


@pytest.mark.parametrize("missing", range(3))
def test_no_line_is_drawn_through_what_is_missing(missing):
    columns = [np.array([0.0, 1.0]), np.array([0.4, 0.5]), np.ones(2)]
    columns[missing] = np.array([np.nan, 0.5])
    with pytest.raises(ValueError, match="1 are missing"):
        fit_platt(*columns)


def test_bands_are_cut_where_the_shares_lost_separate():
    rng = np.random.default_rng(2)
    risk = np.round(rng.uniform(0, 100, 4000), 1)
    truth = np.select([risk < 30, risk < 60, risk < 90], [0.05, 0.25, 0.5], 0.85)
    limits = band_limits(risk, (rng.random(4000) < truth).astype(float), np.ones(4000))
    assert list(limits) == ["low", "medium", "high", "critical"]
    assert list(limits.values()) == pytest.approx([0, 30, 60, 90], abs=4)
    scores = pl.DataFrame({"risk": [0.0, *limits.values(), 100.0]})
    bands = scores.select(band_of(pl.col("risk"), limits))["literal"].to_list()
    assert bands == ["low", "low", "medium", "high", "critical", "critical"]


def test_nobody_is_critical_where_only_two_shares_can_be_told_apart():
    risk = np.repeat([10.0, 60.0], 60)
    lost = np.concatenate([np.arange(60) % 10 == 0, np.arange(60) % 2 == 0]).astype(float)
    limits = band_limits(risk, lost, np.ones(120))
    assert limits == {"low": 0.0, "medium": 35.0, "high": 35.0, "critical": 100.1}
    table = band_table(limits, risk, 1 - risk / 100, 1 - lost, np.ones(120))
    assert table.filter(risk_band="high")["passes"].item() == 60
    told = bands_told(table)["risk_score"].to_list()
    assert told == [
        "0.0 - 34.9",
        "nobody has such a score",
        "35.0 - 100.0",
        "nobody has such a score",
    ]
    assert table["from_score"].to_list() == [0.0, None, 35.0, None]
    # Half of them are lost, of all 30%.
    assert table.filter(risk_band="high")["lift"].item() == pytest.approx(0.5 / 0.3)


def test_bands_of_chance_keep_the_order_alone():
    rng = np.random.default_rng(3)
    risk, lost = np.round(rng.uniform(0, 100, 150), 1), (rng.random(150) < 0.3).astype(float)
    limits = band_limits(risk, lost, np.ones(150))
    assert list(limits.values()) == sorted(limits.values())
    assert limits["low"] == 0

    assert "critical" not in set(pl.select(band_of(pl.lit(pl.Series(risk)), limits)).to_series())


def test_of_one_equal_score_all_are_low():
    limits = band_limits(np.full(10, 40.0), np.zeros(10), np.ones(10))
    assert limits == {"low": 0.0, "medium": NOBODY, "high": NOBODY, "critical": NOBODY}


def test_who_has_no_score_has_no_band():
    risk = pl.lit(pl.Series([None, float("nan"), 0.0, 80.0]))
    assert pl.select(band_of(risk, EVEN_BANDS)).to_series().to_list() == [
        None,
        None,
        "low",
        "critical",
    ]


def test_an_empty_band_says_nothing():
    table = band_table({"low": 0.0, "critical": 90.0}, np.array([10.0]), np.array([0.9]),
                       np.array([1.0]), np.array([1.0]))  # fmt: skip
    empty = table.filter(risk_band="critical").row(0, named=True)
    assert empty["passes"] == 0
    assert empty["observed_share"] is None


def test_wilson_interval_of_nine_in_ten():
    assert wilson(0.9, 10) == pytest.approx((0.5958, 0.9821), abs=1e-3)


def test_the_lowest_log_loss_wins_and_ties_go_by_name():
    losses = {"xgboost": 0.5, "logistic": 0.5, "other": 0.6}
    contenders = {
        name: SimpleNamespace(
            name=name, LOSS="loss", metrics={"loss": loss}, backtest=pl.DataFrame()
        )
        for name, loss in losses.items()
    }
    assert winner_of(contenders).name == "logistic"
    # The backtest decides where there is one, each window by its rows.
    contenders["other"].backtest = pl.DataFrame({"log_loss": [0.1, 0.5], "rows": [90, 10]})
    assert loss_of(contenders["other"]) == pytest.approx(0.14)
    assert winner_of(contenders).name == "other"
