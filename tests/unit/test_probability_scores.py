"""Scores of probabilities by hand and against scikit-learn."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from ris_assets.evaluation.metrics import binary_metrics
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


def test_a_prediction_that_is_missing_is_an_error():
    outcome, said = np.array([0.0, 1.0]), np.array([0.2, np.nan])
    for score in (calibration_line, lift_table):
        with pytest.raises(ValueError, match="missing"):
            score(outcome, said)
    with pytest.raises(ValueError, match="missing"):
        confusion_at(outcome, said, 0.5)


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
    assert Costs(saved=0).threshold == 1.0


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
