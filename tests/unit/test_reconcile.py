"""The curve and the renewal model say one thing."""

import numpy as np
import polars as pl
import pytest

from ris_assets.models.reconcile import first_open_end, reconciled


def snapshot(days_to_end: list[int], renewed: list[bool] | None = None) -> pl.DataFrame:
    count = len(days_to_end)
    return pl.DataFrame(
        {
            "days_to_end": days_to_end,
            "pass_days": [28] * count,
            "pass_number": [2] * count,
            "is_already_renewed": renewed or [False] * count,
        }
    )


def test_the_first_end_is_the_day_on_which_the_pass_runs_out():
    frame = snapshot([0, 1, 8, 364, 365, 3], [False] * 5 + [True])
    assert first_open_end(frame, 364).tolist() == [0, 0, 7, 363, -1, -1]


def test_at_the_end_of_the_pass_the_curve_has_what_the_renewal_model_says():
    curve = np.array([[0.99, 0.98, 0.70, 0.69, 0.50]])
    found = reconciled(curve, snapshot([3]), np.array([0.4]))
    assert found[0] == pytest.approx([0.99, 0.98, 0.40, 0.69 * 4 / 7, 0.50 * 4 / 7])


def test_a_curve_that_falls_too_early_is_lifted():
    curve = np.array([[0.80, 0.60, 0.30, 0.20]])
    found = reconciled(curve, snapshot([3]), np.array([0.9]))
    assert found[0] == pytest.approx([0.9, 0.9, 0.9, 0.6])


def test_who_has_renewed_keeps_the_curve():
    curve = np.array([[0.9, 0.8, 0.7]])
    assert np.array_equal(reconciled(curve, snapshot([3], [True]), np.array([0.1])), curve)


def test_whatever_the_two_say_the_result_is_a_survival_curve():
    rng = np.random.default_rng(1)
    curve = np.cumprod(rng.uniform(0.5, 1, (500, 52)), axis=1)
    frame = snapshot(rng.integers(0, 90, 500).tolist(), (rng.random(500) < 0.2).tolist())
    said = rng.random(500)
    found = reconciled(curve, frame, said)
    assert found.min() >= 0
    assert found.max() <= 1
    assert (np.diff(found, axis=1) <= 1e-12).all()
    end = first_open_end(frame, 52)
    assert (end < 0).any()
    known = end >= 0
    assert found[np.flatnonzero(known), end[known]] == pytest.approx(said[known])
