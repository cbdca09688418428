"""Scores of probabilities by hand and against scikit-learn."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn import metrics as peers
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from ris_assets.evaluation.metrics import (
    binary_metrics,
    expected_calibration_error,
    log_loss,
    log_losses,
    reliability,
)
from ris_assets.evaluation.probability_scores import (
    Costs,
    bootstrap,
    brier_parts,
    calibration_line,
    confusion_at,
    expected_value,
    lift_table,
)


@pytest.fixture
def known():
    """Probabilities that are true, and what happened."""
    rng = np.random.default_rng(11)
    p = rng.beta(2, 5, size=4000)
    return (rng.random(4000) < p).astype(float), p


def test_true_probabilities_lie_on_the_line(known):
    outcome, p = known
    line = calibration_line(outcome, p)
    assert line.slope == pytest.approx(1, abs=0.1)
    assert line.in_the_large == pytest.approx(0, abs=0.1)


def test_the_line_is_that_of_scikit_learn(known):
    outcome, p = known
    z = 0.3 + 0.5 * np.log(p / (1 - p))
    said = 1 / (1 + np.exp(-z))
    peer = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(z[:, None], outcome)
    line = calibration_line(outcome, said)
    assert line.slope == pytest.approx(peer.coef_[0, 0], abs=1e-4)
    assert line.intercept == pytest.approx(peer.intercept_[0], abs=1e-4)
    assert line.slope == pytest.approx(2, abs=0.2)


def test_too_extreme_and_too_high_are_told_apart(known):
    outcome, p = known
    z = np.log(p / (1 - p))
    assert calibration_line(outcome, 1 / (1 + np.exp(-2 * z))).slope == pytest.approx(0.5, abs=0.06)
    assert calibration_line(outcome, 1 / (1 + np.exp(-z - 1))).in_the_large == pytest.approx(
        -1, abs=0.1
    )
    assert np.isnan(calibration_line(np.ones(5), np.full(5, 0.5)).slope)


def test_briers_parts_add_up_by_hand():
    outcome, said = np.array([1, 0, 1, 1.0]), np.array([0.25, 0.25, 0.75, 0.75])
    parts = brier_parts(outcome, said, bins=2)
    assert parts.brier == pytest.approx((0.5625 + 0.0625 + 0.0625 + 0.0625) / 4)
    assert parts.reliability == pytest.approx(0.0625)
    assert parts.resolution == pytest.approx(0.0625)
    assert parts.uncertainty == pytest.approx(0.1875)
    assert parts.within == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("bins", [None, 11, 15])
def test_each_distinct_prediction_is_a_bin_where_there_are_bins_enough(bins):
    """However rare: the first of eleven levels is said of about one row in 3,000."""
    rng = np.random.default_rng(0)
    levels = np.arange(11) / 10
    said = rng.choice(levels, 3000, p=np.append(1 / 3000, np.full(10, 2999 / 30000)))
    outcome = (rng.random(3000) < 0.2 + 0.5 * said).astype(float)
    seen = np.array([outcome[said == level].mean() for level in levels])
    share = np.array([(said == level).mean() for level in levels])
    parts = brier_parts(outcome, said, bins=bins)
    assert parts.reliability == pytest.approx(share @ (levels - seen) ** 2)
    assert parts.resolution == pytest.approx(share @ (seen - outcome.mean()) ** 2)
    assert parts.within == pytest.approx(0, abs=1e-12)
    table = reliability(outcome, said, bins=bins or 11)
    assert table["predicted_share"].to_list() == pytest.approx(levels)
    assert table["observed_share"].to_list() == pytest.approx(seen)


def test_many_distinct_predictions_share_ten_bins(known):
    outcome, p = known
    assert brier_parts(outcome, p) == brier_parts(outcome, p, bins=10)
    assert brier_parts(outcome, p).within != pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("score", [reliability, brier_parts, lift_table])
def test_there_is_no_score_over_no_bins(score):
    with pytest.raises(ValueError, match="bins must be 1 or more, not 0"):
        score([0, 1], [0.2, 0.7], bins=0)


def test_lift_and_gain_by_hand():
    outcome = np.array([1, 1, 1, 0, 0, 0, 1, 0, 0, 0.0])
    table = lift_table(outcome, np.arange(10, 0, -1), bins=5)
    assert table["observed_share"].to_list() == [1.0, 0.5, 0.0, 0.5, 0.0]
    assert table["lift"].to_list() == pytest.approx([2.5, 1.25, 0, 1.25, 0])
    assert table["gain"].to_list() == pytest.approx([0.5, 0.75, 0.75, 1.0, 1.0])


def test_the_order_of_rows_is_no_lift():
    outcome = np.array([1.0] * 200 + [0.0] * 800)
    table = lift_table(outcome, np.full(1000, 0.2))
    assert table["lift"].to_list() == pytest.approx([1.0] * 10)
    assert table["gain"].to_list() == pytest.approx(np.arange(1, 11) / 10)


def test_rows_without_weight_are_as_if_they_were_not_there():
    outcome, said, weight = np.array([0, 1, 0.0]), np.array([0.1, 0.5, 0.9]), np.array([1, 1, 0.0])
    without = binary_metrics(outcome[:2], said[:2])
    assert binary_metrics(outcome, said, weight) == pytest.approx(without)
    assert brier_parts(outcome, said, weight) == brier_parts(outcome[:2], said[:2])
    assert lift_table(outcome, said, weight).equals(lift_table(outcome[:2], said[:2]))


SCORES = {
    "binary_metrics": lambda y, p, w: binary_metrics(y, p, w)["log_loss"],
    "log_loss": log_loss,
    "log_losses": lambda y, p, w: log_losses(y, p).sum(),
    "expected_calibration_error": expected_calibration_error,
    "reliability": lambda y, p, w: reliability(y, p, w)["observed_share"].sum(),
    "calibration_line": lambda y, p, w: calibration_line(y, p, w).slope,
    "brier_parts": lambda y, p, w: brier_parts(y, p, w).resolution,
    "lift_table": lambda y, p, w: lift_table(y, p, w)["gain"].sum(),
    "confusion_at": lambda y, p, w: confusion_at(y, p, 0.5, w)["f1"],
    "expected_value": lambda y, p, w: expected_value(y, p, 0.5, Costs(), w),
    "bootstrap": lambda y, p, w: bootstrap(lambda a, b: (a * b).mean(), y, p, rounds=20).high,
}
OF_ANY_NUMBERS = {"lift_table", "confusion_at", "expected_value", "bootstrap"}
OUTCOME, SAID = [0, 1, 1, 0, 1, 0], [0.2, 0.7, 0.4, 0.6, 0.9, 0.1]


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize(
    "kind", [list, tuple, pl.Series, lambda v: pd.Series(v, index=range(9, 9 - len(v), -1))]
)
def test_a_column_of_any_kind_is_scored_alike(name, kind):
    columns = OUTCOME, SAID, [1.0] * 6
    found = SCORES[name](*map(kind, columns))
    assert found == pytest.approx(SCORES[name](*map(np.array, columns)))


@pytest.mark.parametrize("name", sorted(SCORES.keys() - {"bootstrap"}))
@pytest.mark.parametrize("outcome", [[0.0, 1.0], [1.0, 1.0]])
def test_a_prediction_that_is_missing_is_an_error(name, outcome):
    with pytest.raises(ValueError, match="1 are missing"):
        SCORES[name](outcome, [0.2, np.nan], [1.0, 1.0])


@pytest.mark.parametrize("name", sorted(SCORES.keys() - OF_ANY_NUMBERS))
@pytest.mark.parametrize("wrong", [1.7, -0.3])
def test_a_prediction_beyond_one_is_an_error_with_its_value(name, wrong):
    with pytest.raises(ValueError, match=f"from 0 to 1, one is {wrong}"):
        SCORES[name]([0, 1], [0.2, wrong], [1, 1])
    # What rounding leaves is none.
    assert np.isfinite(log_loss([0, 1], [-1e-16, 1 + 2e-16]))


@pytest.mark.parametrize("name", sorted(SCORES.keys() - {"bootstrap", "log_losses"}))
@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (([0, 1, 1], [0.2, 0.7], [1, 1]), "outcomes has shape"),
        (([0, 1], [[0.2], [0.7]], [1, 1]), "predictions has shape"),
        (([0, 1], [0.2, 0.7], [1, 1, 1]), "weights has shape"),
        (([0, 1], [0.2, 0.7], [1, -1]), "weights must be at least 0, one is -1"),
        (([0, 1], [0.2, 0.7], [0, 0]), "no row with a weight"),
        (([0, 2], [0.2, 0.7], [1, 1]), "outcomes must be from 0 to 1, one is 2"),
        (([], [], []), "no row"),
    ],
)
def test_columns_that_do_not_fit_are_named(name, columns, said):
    with pytest.raises(ValueError, match=said):
        SCORES[name](*columns)


def test_rows_and_owners_of_a_bootstrap_are_as_many():
    with pytest.raises(ValueError, match="all as many"):
        bootstrap(lambda v: v.mean(), [1.0, 2.0, 3.0], groups=["a", "b"])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"groups": ["a", None, "b"]}, "each row must have a group, 1 are missing"),
        ({"groups": [1.0, np.nan, np.nan]}, "each row must have a group, 2 are missing"),
        ({"level": 1.5}, "level must be between 0 and 1, it is 1.5"),
        ({"level": 95}, "level must be between 0 and 1, it is 95"),
    ],
)
def test_a_bootstrap_that_cannot_be_is_refused(given, said):
    with pytest.raises(ValueError, match=said):
        bootstrap(np.mean, [1.0, 2.0, 3.0], **given)
    with pytest.raises(ValueError, match="no array"):
        bootstrap(np.mean)


def test_a_threshold_that_is_missing_calls_nobody_by_mistake():
    with pytest.raises(ValueError, match="threshold must be a number, it is nan"):
        confusion_at([0, 1], [0.2, 0.7], np.nan)
    with pytest.raises(ValueError, match="threshold must be a number, it is nan"):
        expected_value([0, 1], [0.2, 0.7], np.nan, Costs())


def test_binary_metrics_are_of_yes_or_no():
    with pytest.raises(ValueError, match=r"outcomes must be 0 or 1, one is 0\.5"):
        binary_metrics([0, 0.5, 1], [0.1, 0.5, 0.9])


@pytest.mark.parametrize("said", [[0.1, 0.2, 0.6, 0.9], [0.9, 0.6, 0.2, 0.1], [0.1, 0.5, 0.5, 0.9]])
def test_predictions_without_an_error_have_no_slope(said):
    """The steeper the likelier: where Newton's method stops would say nothing."""
    line = calibration_line([0, 0, 1, 1], said)
    assert np.isnan([line.slope, line.intercept]).all() and np.isfinite(line.in_the_large)
    beyond = [0, 0, 1, 1, 0, 0], [*said, 0.05, 0.95]
    assert np.isfinite(calibration_line(*beyond).slope)
    assert np.isnan(calibration_line(*beyond, [1, 1, 1, 1, 0, 0]).slope)


@pytest.mark.parametrize("said", [(0, 0), (1, 0), (1e-9, 1e-9), (0.3, 0.6)])
def test_what_was_called_impossible_costs_as_much_as_scikit_learn_says(said):
    assert log_loss([1, 0], said) == pytest.approx(peers.log_loss([1, 0], said))


def test_confusion_is_that_of_scikit_learn(known):
    outcome, p = known
    found = confusion_at(outcome, p, 0.4)
    called = p >= 0.4
    peers = {"accuracy": accuracy_score, "precision": precision_score, "recall": recall_score,
             "f1": f1_score}  # fmt: skip
    for name, peer in peers.items():
        assert found[name] == pytest.approx(peer(outcome, called)), name
    assert np.isnan(confusion_at(outcome, p, 2.0)["precision"])


def test_the_threshold_of_the_costs_is_the_best_of_true_probabilities(known):
    outcome, p = known
    costs = Costs(contact=2.0, saved=50.0, success=0.1)
    assert costs.threshold == pytest.approx(0.4)
    value = {t: expected_value(p, p, t, costs) for t in np.arange(0, 1, 0.05).round(2)}
    assert max(value, key=value.__getitem__) == pytest.approx(0.4)
    # Nobody called costs nothing; everybody called brings 5 for each who would leave, less 2 each.
    assert expected_value(outcome, p, 1.1, costs) == 0
    assert expected_value(outcome, p, 0.0, costs) == pytest.approx(5 * outcome.mean() - 2)


@pytest.mark.parametrize("costs", [Costs(saved=0), Costs(success=0), Costs(contact=50)])
def test_where_a_call_never_pays_nobody_is_called(costs):
    assert costs.threshold == np.inf
    assert confusion_at([1, 0], [1.0, 0.5], costs.threshold)["called_share"] == 0
    assert expected_value([1, 0], [1.0, 0.5], costs.threshold, costs) == 0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"contact": -1}, "contact must be at least 0, it is -1"),
        ({"saved": -5}, "saved must be at least 0, it is -5"),
        ({"contact": np.nan}, "contact must be at least 0"),
        ({"success": 2}, "success must be from 0 to 1, one is 2"),
    ],
)
def test_costs_that_cannot_be_are_named(wrong, said):
    with pytest.raises(ValueError, match=said):
        Costs(**wrong)


def test_members_are_resampled_whole():
    """Ten members with a hundred equal rows each know as little as ten rows do."""
    values = np.repeat([0.0, 1.0] * 5, 100)
    members = np.repeat(np.arange(10), 100)
    whole = bootstrap(lambda v: float(v.mean()), values, groups=members)
    rows = bootstrap(lambda v: float(v.mean()), values)
    assert whole.value == rows.value == 0.5
    assert whole.high - whole.low == pytest.approx(2 * 1.96 * 0.5 / 10**0.5, rel=0.2)
    assert rows.high - rows.low == pytest.approx(2 * 1.96 * 0.5 / 1000**0.5, rel=0.2)


def test_a_bootstrap_interval_covers_the_truth():
    rng = np.random.default_rng(0)
    covered = 0
    for round_number in range(60):
        sample = rng.normal(size=80)
        found = bootstrap(lambda v: float(v.mean()), sample, rounds=200, seed=round_number)
        covered += found.low <= 0 <= found.high
    assert 50 <= covered <= 60
