"""Survival scores against scikit-survival and by hand."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sksurv import metrics as peers

from ris_assets.evaluation.survival_scores import (
    Censoring,
    antolini_concordance,
    brier_scores,
    integrated_brier_score,
    kaplan_meier,
    time_dependent_auc,
)


@pytest.fixture
def studio():
    """Outcomes with ties and censoring, and curves that know something."""
    rng = np.random.default_rng(3)
    score = rng.normal(size=400)
    time = np.ceil(rng.exponential(np.exp(-score)) * 20) + 1
    censored = np.ceil(rng.exponential(30, size=400)) + 1
    event = time <= censored
    time = np.minimum(time, censored)
    times = np.linspace(2, 30, 15)
    survival = np.exp(-np.exp(score)[:, None] * times[None, :] / 25)
    return event, time, score, survival, times


def structured(event, time):
    return np.array(list(zip(event, time, strict=True)), dtype=[("event", bool), ("time", float)])


def test_brier_scores_are_those_of_scikit_survival(studio):
    event, time, _score, survival, times = studio
    y, censoring = structured(event, time), Censoring.of(event, time)
    _, expected = peers.brier_score(y, y, survival, times)
    assert brier_scores(censoring, event, time, survival, times) == pytest.approx(expected)
    found = integrated_brier_score(censoring, event, time, survival, times)
    assert found == pytest.approx(peers.integrated_brier_score(y, y, survival, times))


def test_censoring_is_taken_from_training(studio):
    event, time, _score, survival, times = studio
    train, test = slice(0, 250), slice(250, 400)
    y = structured(event, time)
    _, expected = peers.brier_score(y[train], y[test], survival[test], times)
    censoring = Censoring.of(event[train], time[train])
    found = brier_scores(censoring, event[test], time[test], survival[test], times)
    assert found == pytest.approx(expected)


def test_time_dependent_auc_is_that_of_scikit_survival(studio):
    event, time, score, _survival, times = studio
    y = structured(event, time)
    expected, _ = peers.cumulative_dynamic_auc(y, y, score, times)
    found = time_dependent_auc(Censoring.of(event, time), event, time, score, times)
    assert found == pytest.approx(expected)


def test_proportional_hazards_make_antolinis_c_harrells(studio):
    event, time, score, _survival, _times = studio
    moments = np.unique(time)
    survival = np.exp(-np.exp(score)[:, None] * moments[None, :] / 25)
    harrell = peers.concordance_index_censored(event, time, score)[0]
    found = antolini_concordance(event, time, survival, moments)
    assert found == pytest.approx(harrell, abs=2e-3)


def test_antolinis_c_reads_curves_where_they_cross():
    """The first to go is lower at its own time and higher later: concordant, whatever comes after."""
    event, time = np.array([True, True]), np.array([1.0, 2.0])
    times = np.array([1.0, 2.0])
    survival = np.array([[0.4, 0.39], [0.5, 0.1]])
    assert antolini_concordance(event, time, survival, times) == 1.0
    assert antolini_concordance(event, time, survival[::-1], times) == 0.0
    level = np.full((2, 2), 0.5)
    assert antolini_concordance(event, time, level, times) == 0.5
    assert np.isnan(antolini_concordance(~event, time, level, times))


def test_brier_score_by_hand():
    """Gone at 1, censored at 2, there at 4; at 3 the first and the last are known, G(3) = 1/2."""
    event, time = np.array([True, False, False]), np.array([1.0, 2.0, 4.0])
    censoring = Censoring.of(event, time)
    assert censoring.at(np.array([1.0, 2.0, 3.0])) == pytest.approx([1.0, 0.5, 0.5])
    survival = np.array([[0.2], [0.9], [0.6]])
    found = brier_scores(censoring, event, time, survival, np.array([3.0]))
    assert found[0] == pytest.approx((0.2**2 + 0.4**2 / 0.5) / 3)
    with pytest.raises(ValueError, match="nobody was observed"):
        brier_scores(censoring, event, time, survival, np.array([5.0]))


def test_kaplan_meier_by_hand():
    event, time = np.array([True, False, True, False]), np.array([1.0, 2.0, 3.0, 3.0])
    found = kaplan_meier(event, time, np.array([0.5, 1.0, 2.5, 3.0]))
    assert found == pytest.approx([1.0, 0.75, 0.75, 0.375])


def test_events_as_whole_numbers_score_like_booleans(studio):
    event, time, score, survival, times = studio
    whole, censoring = event.astype(int), Censoring.of(event, time)
    assert (Censoring.of(whole, time).observed == censoring.observed).all()
    assert (
        brier_scores(censoring, whole, time, survival, times)
        == brier_scores(censoring, event, time, survival, times)
    ).all()
    assert time_dependent_auc(censoring, whole, time, score, times) == pytest.approx(
        time_dependent_auc(censoring, event, time, score, times)
    )
    with pytest.raises(ValueError, match="True or False"):
        Censoring.of(np.array([0, 1, 2]), np.array([1.0, 2.0, 3.0]))


def test_what_is_missing_has_no_score(studio):
    event, time, score, survival, times = studio
    censoring = Censoring.of(event, time)
    with pytest.raises(ValueError, match="missing"):
        time_dependent_auc(censoring, event, time, np.where(time < 3, np.nan, score), times)
    with pytest.raises(ValueError, match="missing"):
        antolini_concordance(event, time, np.full_like(survival, np.nan), times)


SCORES = {
    "antolini": lambda e, t, s, at: antolini_concordance(e, t, s, at),
    "brier": lambda e, t, s, at: brier_scores(Censoring.of(e, t), e, t, s, at).sum(),
    "ibs": lambda e, t, s, at: integrated_brier_score(Censoring.of(e, t), e, t, s, at),
    "auc": lambda e, t, s, at: time_dependent_auc(Censoring.of(e, t), e, t, s, at).sum(),
}
EVENT, TIME, AT = [1, 0, 1, 1, 0, 1], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.5, 3.0, 4.5]
CURVES = np.sort(np.random.default_rng(0).random((6, 3)), axis=1)[:, ::-1].tolist()


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize(
    "kind", [list, pl.Series, lambda v: pd.Series(v, index=range(9, 9 - len(v), -1))]
)
def test_a_column_of_any_kind_is_scored_alike(name, kind):
    expected = SCORES[name](*map(np.array, (EVENT, TIME, CURVES, AT)))
    assert SCORES[name](kind(EVENT), kind(TIME), CURVES, kind(AT)) == pytest.approx(expected)
    assert kaplan_meier(kind(EVENT), kind(TIME), kind(AT)) == pytest.approx([5 / 6, 5 / 8, 5 / 12])


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"at": AT[::-1]}, "times must rise: 3 comes after a later one"),
        ({"at": []}, "no time to score at"),
        ({"at": AT[:2]}, r"6 subjects at 2 times must have shape \(6, 2\), not \(6, 3\)"),
        ({"curves": np.array(CURVES)[:, :1]}, r"must have shape \(6, 3\), not \(6, 1\)"),
        ({"curves": CURVES[:5]}, r"must have shape \(6, 3\), not \(5, 3\)"),
        ({"curves": np.where(np.eye(6, 3) > 0, np.nan, CURVES)}, "3 are missing"),
        ({"time": [1.0, 2.0, np.nan, 4.0, 5.0, 6.0]}, "time must be finite"),
        ({"time": TIME[:5]}, "time has shape"),
        ({"event": [EVENT]}, "event has shape"),
    ],
)
def test_what_does_not_fit_is_named_and_not_scored(name, given, said):
    columns = {"event": EVENT, "time": TIME, "curves": CURVES, "at": AT} | given
    with pytest.raises(ValueError, match=said):
        SCORES[name](*columns.values())


@pytest.mark.parametrize("name", [*SCORES, "kaplan_meier"])
def test_of_nobody_there_is_no_score(name):
    score = SCORES.get(name, lambda e, t, s, at: kaplan_meier(e, t, at))
    with pytest.raises(ValueError, match="there is no subject"):
        score([], [], np.zeros((0, 3)), AT)
    with pytest.raises(ValueError, match="there is no subject"):
        brier_scores(Censoring.of(EVENT, TIME), [], [], np.zeros((0, 3)), AT)


@pytest.mark.parametrize("name", ["antolini", "brier", "ibs"])
def test_a_curve_beyond_one_is_an_error_with_its_value(name):
    with pytest.raises(ValueError, match=r"curves must be from 0 to 1, one is 1\.5"):
        SCORES[name](EVENT, TIME, np.full((6, 3), 1.5), AT)
