"""The curve and the renewal model say one thing."""

import numpy as np
import polars as pl
import pytest

from ris_assets.models.reconcile import first_open_end, reconciled, survival_at_days


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


def test_the_first_end_is_the_week_in_which_the_pass_runs_out():
    frame = snapshot([0, 7, 8, 27, 400, 3], [False] * 5 + [True])
    # Sunday evening: 7 days left is the end of the next week, 8 the one after it.
    assert first_open_end(frame, 52).tolist() == [0, 0, 1, 3, -1, -1]


def test_at_the_end_of_the_pass_the_curve_has_what_the_renewal_model_says():
    curve = np.array([[0.99, 0.98, 0.70, 0.69, 0.50]])
    found = reconciled(curve, snapshot([15]), np.array([0.4]))
    assert found[0] == pytest.approx([0.99, 0.98, 0.40, 0.69 * 4 / 7, 0.50 * 4 / 7])


def test_a_curve_that_falls_too_early_is_lifted():
    curve = np.array([[0.80, 0.60, 0.30, 0.20]])
    found = reconciled(curve, snapshot([20]), np.array([0.9]))
    assert found[0] == pytest.approx([0.9, 0.9, 0.9, 0.6])


def test_who_has_renewed_keeps_the_curve():
    curve = np.array([[0.9, 0.8, 0.7]])
    assert np.array_equal(reconciled(curve, snapshot([3], [True]), np.array([0.1])), curve)


def test_whatever_the_two_say_the_result_is_a_survival_curve():
    rng = np.random.default_rng(1)
    curve = np.cumprod(rng.uniform(0.5, 1, (500, 52)), axis=1)
    frame = snapshot(rng.integers(0, 120, 500).tolist(), (rng.random(500) < 0.2).tolist())
    said = rng.random(500)
    found = reconciled(curve, frame, said)
    assert found.min() >= 0
    assert found.max() <= 1
    assert (np.diff(found, axis=1) <= 1e-12).all()
    end = first_open_end(frame, 52)
    known = end >= 0
    assert found[np.flatnonzero(known), end[known]] == pytest.approx(said[known])
    lost = 1 - survival_at_days(found, frame, (7, 30, 60, 90))
    assert (np.diff(lost, axis=1) >= -1e-12).all()


def test_between_weeks_the_hazard_is_constant():
    later = snapshot([400])
    curve = np.array([[0.8, 0.4, 0.4]])
    assert survival_at_days(curve, later, (7, 14))[0] == pytest.approx([0.8, 0.4])
    # Half-way through the second week: half of its fall, on the logarithm.
    curve = np.array([[1.0, 0.25]])
    assert survival_at_days(curve, later, (10,))[0] == pytest.approx([0.25 ** (3 / 7)])


def test_nobody_is_lost_before_the_pass_ends_and_all_are_who_do_not_renew_once_it_has():
    left = [28, 29, 30, 31, 35, 36]
    curve = np.tile(np.linspace(0.99, 0.5, 10), (len(left), 1))
    found = reconciled(curve, snapshot(left), np.full(len(left), 0.3))
    alive = survival_at_days(found, snapshot(left), (30,))[:, 0]
    assert alive[1:3] == pytest.approx([0.3, 0.3])
    assert alive[3:5] == pytest.approx(found[3:5, 3])
    # In the weeks around it the curve falls as everywhere.
    assert found[0, 4] < alive[0] < found[0, 3] == pytest.approx(0.3)
    assert found[5, 4] < alive[5] < found[5, 3]
    # Who has renewed is not lost at this end.
    renewed = snapshot(left, [True] * len(left))
    assert survival_at_days(curve, renewed, (30,)) == pytest.approx(
        survival_at_days(curve, snapshot([400] * len(left)), (30,))
    )
