"""The interval of the calibration error holds 0 where probabilities are right."""

import numpy as np
import polars as pl
import pytest

from ris_assets.evaluation.calibration import logit, sigmoid
from ris_assets.evaluation.calibration_error import calibration_error
from ris_assets.evaluation.metrics import expected_calibration_error


def drawn(seed: int, slope: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Outcomes of 600 rows of 200 members, and what is said of them."""
    rng = np.random.default_rng(seed)
    true = rng.beta(2, 2, 600)
    outcome = (rng.random(600) < true).astype(float)
    return outcome, sigmoid(slope * logit(true)), np.arange(600) // 3


def test_of_right_probabilities_the_interval_holds_nothing_wrong():
    found = [calibration_error(*drawn(seed)) for seed in range(20)]
    assert sum(one.low == 0 for one in found) >= 19
    assert all(one.low <= one.value < one.high for one in found)


def test_the_error_is_that_of_the_report():
    outcome, said, members = drawn(1, slope=2.0)
    said = said.round(1)
    value = expected_calibration_error(outcome, said, np.ones(len(said)))
    assert calibration_error(outcome, said, members).value == pytest.approx(value)


@pytest.mark.parametrize("kind", [list, pl.Series])
def test_columns_may_be_of_any_kind(kind):
    columns = drawn(1)
    assert calibration_error(*map(kind, columns)) == calibration_error(*columns)


@pytest.mark.parametrize(
    ("members", "said"),
    [([1, 2], r"members has shape \(2,\)"), ([1, None, 2], "must have a group, 1 are missing")],
)
def test_members_that_do_not_fit_are_named(members, said):
    with pytest.raises(ValueError, match=said):
        calibration_error([0, 1, 1], [0.2, 0.7, 0.4], members)


def test_of_bold_probabilities_it_does_not():
    found = [calibration_error(*drawn(seed, slope=3.0)) for seed in range(5)]
    assert all(one.low > 0.02 for one in found)
