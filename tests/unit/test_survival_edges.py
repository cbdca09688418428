"""The public survival estimators at the edges: conventions of their peers, odd columns, times and settings."""

import pickle
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sksurv.metrics import (
    as_concordance_index_ipcw_scorer,
    as_cumulative_dynamic_auc_scorer,
    as_integrated_brier_score_scorer,
    concordance_index_censored,
)
from sksurv.nonparametric import kaplan_meier_estimator
from sksurv.util import Surv

from ris_assets.evaluation.survival_scores import antolini_concordance, kaplan_meier
from ris_assets.models import BoostedHazard, LinearHazard
from ris_assets.models.boosted_hazard import DEEP, SHALLOW, _rates
from ris_assets.models.survival_api import MAX_TIMES
from ris_assets.models.time_grid import Exposure, Outcomes, StepFunction, TimeGrid

FAMILIES = [
    pytest.param(LinearHazard(), id="linear"),
    pytest.param(BoostedHazard(rounds=20), id="xgboost"),
    pytest.param(BoostedHazard("lightgbm", rounds=20), id="lightgbm"),
]


def simulated(count=300, columns=3, seed=0):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(count, columns))
    life, until = rng.exponential(10 * np.exp(-matrix[:, 0])), rng.exponential(15, count)
    return matrix, life <= until, np.minimum(life, until)


@pytest.mark.parametrize("family", FAMILIES)
def test_curves_reach_to_the_last_time_seen(family):
    """Asked at any time of the data, as the peers' are: flat after the last event."""
    matrix, event, time = simulated()
    event[np.argmax(time)] = False
    model = clone(family).fit(matrix, Surv.from_arrays(event, time))
    assert model.unique_times_ == pytest.approx(np.unique(time))
    assert model.event_times_ == pytest.approx(np.unique(time[event]))
    survival = model.predict_survival_function(matrix[:2])[0]
    assert survival.domain == (0.0, time.max())
    assert survival(time.max()) == survival(time[event].max())
    assert (survival.x == model.unique_times_).all() and len(survival.y) == len(survival.x)
    hazard = model.predict_cumulative_hazard_function(matrix[:2])[0]
    assert hazard(0.0) == 0.0 and survival(0.0) == 1.0
    assert np.exp(-hazard(time)) == pytest.approx(survival(time))


def test_many_times_are_thinned():
    matrix, event, time = simulated(3000)
    model = LinearHazard(penalty=1.0).fit(matrix, Surv.from_arrays(event, time))
    assert len(model.unique_times_) <= MAX_TIMES + 1
    assert model.unique_times_[-1] == time.max()
    assert len(model.event_times_) == event.sum()


def test_a_step_function_by_hand():
    curve = StepFunction(np.array([1.0, 3.0]), np.array([0.8, 0.5]))
    assert curve([0, 0.9, 1, 2.9, 3]) == pytest.approx([1, 1, 0.8, 0.8, 0.5])
    assert curve(2) == 0.8
    assert curve == curve and curve != StepFunction(curve.x, curve.y)
    with pytest.raises(ValueError, match="within"):
        curve(np.nan)


@pytest.mark.parametrize("family", FAMILIES)
def test_names_fields_and_whole_times(family):
    matrix, event, time = simulated()
    frame = pd.DataFrame(matrix, columns=["a", "b", "c"])
    days = Surv.from_arrays(event, np.ceil(time).astype(int), name_event="died", name_time="days")
    model = clone(family).fit(frame, days)
    assert list(model.feature_names_in_) == ["a", "b", "c"] and model.n_features_in_ == 3
    columns = pl.DataFrame({name: matrix[:, place] for place, name in enumerate("abc")})
    assert (model.predict(columns) == model.predict(frame)).all()
    theirs = concordance_index_censored(event, np.ceil(time), model.predict(frame))[0]
    assert model.score(frame, days) == pytest.approx(theirs)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[["c", "b", "a"]])


@pytest.mark.parametrize("family", FAMILIES)
def test_sparse_indicators(family):
    matrix, event, time = simulated()
    y = Surv.from_arrays(event, time)
    kinds = (np.abs(matrix) > 1).astype(float)
    dense = clone(family).fit(kinds, y).predict(kinds)
    assert (clone(family).fit(csr_matrix(kinds), y).predict(csr_matrix(kinds)) == dense).all()
    frame = pd.DataFrame({"city": (np.arange(300) % 20).astype(str), "a": matrix[:, 0]})
    encoder = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["city"]), remainder="passthrough"
    )
    assert make_pipeline(encoder, clone(family)).fit(frame, y).score(frame, y) > 0.6


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("family", FAMILIES)
def test_what_r_calls_missing_is_missing(family):
    """A signalling NaN, as `NA` comes out of R: `np.nanmin` finds no value before one."""
    matrix, event, time = simulated()
    rare = np.where(np.arange(300) % 100 == 7, 0.0, 1.0)
    known = np.column_stack([rare, matrix])
    known[::10, :2] = np.nan
    from_r = known.copy()
    from_r.view(np.uint64)[np.isnan(known)] = 0x7FF00000000007A2
    y = Surv.from_arrays(event, time)
    theirs = clone(family).fit(from_r, y).predict(from_r)
    assert (theirs == clone(family).fit(known, y).predict(known)).all()


@pytest.mark.parametrize(
    "scorer", [as_concordance_index_ipcw_scorer, as_cumulative_dynamic_auc_scorer, as_integrated_brier_score_scorer]
)  # fmt: skip
def test_peers_scorers_search_over_it(scorer):
    matrix, event, time = simulated(400)
    event, time = event & (time < 12), np.minimum(time, 12)  # theirs want no time beyond training's
    times = {} if scorer is as_concordance_index_ipcw_scorer else {"times": [1.0, 5.0, 8.0]}
    tau = {"tau": 10.0} if not times else {}
    search = GridSearchCV(
        scorer(LinearHazard(), **times, **tau), {"estimator__penalty": [1.0, 1e4]},
        cv=KFold(3, shuffle=True, random_state=0), error_score="raise",
    )  # fmt: skip
    assert np.isfinite(search.fit(matrix, Surv.from_arrays(event, time)).best_score_)


def alike(event, time):
    """Outcomes of subjects that count the same."""
    return Outcomes(np.asarray(event), np.asarray(time, dtype=float), np.ones(len(time)))


MATRIX, EVENT, TIME = simulated(120)
ODD = {
    "ties": (MATRIX, EVENT, np.ceil(TIME)),
    "events at one time": (MATRIX, EVENT, np.where(EVENT, 5.0, TIME)),
    "one event": (MATRIX, np.arange(120) == 3, TIME),
    "one feature": (MATRIX[:, :1], EVENT, TIME),
    "constant": (np.ones((120, 2)), EVENT, TIME),
    "empty": (np.full((120, 2), np.nan), EVENT, TIME),
    "tiny": (MATRIX[:8], np.arange(8) < 2, TIME[:8]),
    "one row": (MATRIX[:1], np.array([True]), np.array([2.0])),
    "wide": (simulated(40, 90)[0], EVENT[:40], TIME[:40]),
    "duplicates": (np.hstack([MATRIX, MATRIX]), EVENT, TIME),
    "the outcome itself": (np.column_stack([TIME, MATRIX]), EVENT, TIME),
    "beyond single precision": (MATRIX * 1e60, EVENT, TIME),
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("case", ODD)
def test_odd_data(family, case):
    """Curves fall from 1 and stay finite, for rows far outside and times long after too."""
    matrix, event, time = ODD[case]
    model = clone(family).fit(matrix, Surv.from_arrays(event, time))
    far = np.vstack([matrix, matrix[:1] + 1e9, matrix[:1] - 1e9, matrix[:1] * np.nan])
    curves = model.predict_survival(far, [0.0, time.max() / 2, time.max(), 9 * time.max()])
    assert np.isfinite(curves).all() and (curves[:, 0] == 1).all()
    assert (np.diff(curves, axis=1) <= 0).all() and (curves >= 0).all()
    assert (curves[:, 2] == curves[:, 3]).all()
    assert np.isfinite(model.predict(far)).all()


@pytest.mark.parametrize("unit", [1e-15, 1e-3, 1e12])
@pytest.mark.parametrize("family", FAMILIES)
def test_units_of_time_do_not_matter(family, unit):
    matrix, event, time = simulated()
    asked = np.array([1.0, 5.0, 10.0])
    plain = clone(family).fit(matrix, Surv.from_arrays(event, time))
    scaled = clone(family).fit(matrix, Surv.from_arrays(event, time * unit))
    there = scaled.predict_survival(matrix, asked * unit)
    assert there == pytest.approx(plain.predict_survival(matrix, asked), abs=5e-3)


@pytest.mark.parametrize("unit", [1e-300, 1e-165, 1e-14, 1e14, 1e155, 1e300])
def test_units_of_features_do_not_matter(unit):
    matrix, event, time = simulated()
    y = Surv.from_arrays(event, time)
    plain, scaled = LinearHazard().fit(matrix, y), LinearHazard().fit(matrix * unit, y)
    assert scaled.predict(matrix * unit) == pytest.approx(plain.predict(matrix), abs=1e-6)


def test_more_columns_than_rows_is_the_same_ridge():
    """The weights lie among the rows: as found there, the gradient of the whole ridge vanishes at them."""
    matrix, event, time = simulated(30, 200)
    time = np.ceil(time)
    model = LinearHazard(penalty=5.0, clip=0.0, intervals=500).fit(
        matrix, Surv.from_arrays(event, time)
    )
    scaled = (matrix - matrix.mean(axis=0)) / matrix.std(axis=0)
    relative = np.exp(scaled @ model.weights_)
    exposure = model.grid_.exposure(model.grid_.at_risk(alike(event, time)))
    deaths = [(event & (time == moment)).sum() for moment in model.grid_.edges[1:]]
    expected = relative * (exposure @ (deaths / (exposure.T @ relative)))
    gradient = scaled.T @ (event - expected) - 5.0 * model.weights_
    assert np.abs(gradient).max() < 1e-2 * np.abs(5.0 * model.weights_).max()
    assert model.predict(matrix) == pytest.approx(np.log(relative))


def test_rates_by_hand():
    """Three lives of 1, 3 and 4 on (0, 2] and (2, 4], the first two ended; nobody is at risk in (4, 8]."""
    grid = TimeGrid(np.array([0.0, 2.0, 4.0, 8.0]))
    outcomes = alike([True, True, False], [1, 3, 4])
    usual = 2 / 8
    expected = [(1 + 0.2 * usual) / (5 + 0.2), (1 + 0.2 * usual) / (3 + 0.2), usual]
    assert _rates(grid, outcomes, np.ones((3, 1)))[:, 0] == pytest.approx(expected)


@pytest.mark.parametrize(("effect", "depth"), [(2.0, DEEP), (0.0, SHALLOW)])
def test_deep_trees_where_they_pay(effect, depth):
    """Five conditions that hold at once need five splits; noise needs none."""
    rng = np.random.default_rng(3)
    matrix = rng.normal(size=(2500, 5))
    life = rng.exponential(np.exp(-effect * (matrix > -0.8).all(axis=1)))
    y = Surv.from_arrays(np.ones(2500, bool), life)
    assert BoostedHazard(rounds=150, folds=3).fit(matrix, y).depth_ == depth


def test_an_effect_that_turns_with_time_is_found():
    """Falling hazards on one side, rising ones on the other: shallow trees find no first split that pays."""
    rng = np.random.default_rng(12)
    side = rng.normal(size=(1500, 5))
    side[:, 0] = side[:, 0] > 0
    life = np.where(side[:, 0] > 0, rng.weibull(3, 1500), rng.weibull(0.6, 1500))
    left = rng.exponential(4, 1500)
    model = BoostedHazard().fit(side, Surv.from_arrays(life <= left, np.minimum(life, left)))
    falling, rising = model.predict_survival([[0, 0, 0, 0, 0], [1, 0, 0, 0, 0]], [0.25, 1.75])
    assert falling[0] < rising[0] - 0.07
    assert falling[1] > rising[1] + 0.04


@pytest.mark.parametrize("family", [LinearHazard, BoostedHazard])
def test_events_at_the_very_start_count(family):
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(400, 2))
    life = np.where(rng.random(400) < 0.3, 0.0, rng.exponential(size=400))
    y = Surv.from_arrays(life < 2, np.minimum(life, 2.0))
    _, alive = kaplan_meier_estimator(y["event"], y["time"])
    early = family().fit(matrix, y).predict_survival(matrix, [0.01]).mean()
    assert early == pytest.approx(alive[0], abs=0.05)


def counted_from_0(count=600):
    """Whole times from 0 on, events and censored subjects at 0 among them."""
    matrix, event, time = simulated(count)
    return matrix, event, np.floor(time / 5)


@pytest.mark.parametrize("family", FAMILIES)
def test_curves_have_fallen_at_0_where_events_are_at_0(family):
    """As Kaplan and Meier's have, and as far for each as its risk says."""
    matrix, event, time = counted_from_0()
    model = clone(family).fit(matrix, Surv.from_arrays(event, time))
    at = np.unique(time)
    curves = model.predict_survival(matrix, at)
    alive = kaplan_meier(event, time, at)
    assert alive[0] < 0.7 and curves.mean(axis=0)[:4] == pytest.approx(alive[:4], abs=0.03)
    harrell = concordance_index_censored(event, time, model.predict(matrix))[0]
    assert antolini_concordance(event, time, curves, at) == pytest.approx(harrell, abs=0.01)
    survival, hazard = (
        told(matrix[:3])[1]
        for told in (model.predict_survival_function, model.predict_cumulative_hazard_function)
    )
    assert survival(at) == pytest.approx(curves[1])
    assert hazard(at) == pytest.approx(-np.log(curves[1]))
    assert model.predict_survival(matrix[:1], [-1.0, 0.0, 0.4])[0] == pytest.approx(
        [1, curves[0, 0], curves[0, 0]]
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_a_clock_may_start_at_0_or_at_1(family):
    matrix, event, time = counted_from_0()
    from_0, from_1 = (
        clone(family).fit(matrix, Surv.from_arrays(event, time + first)) for first in (0, 1)
    )
    assert (from_0.begin_, from_1.begin_) == (0.5, 0.0)
    asked = np.arange(6.0)
    expected = from_1.predict_survival(matrix, asked + 1)
    assert from_0.predict_survival(matrix, asked) == pytest.approx(expected, abs=0.02)
    read_back = pickle.loads(pickle.dumps(from_0))
    assert (read_back.predict_survival(matrix, 0) == from_0.predict_survival(matrix, 0)).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_events_may_all_be_at_0(family):
    matrix, event, time = simulated()
    y = Surv.from_arrays(event, np.where(event, 0.0, time))
    curves = clone(family).fit(matrix, y).predict_survival(matrix, [0.0, time.max()])
    assert curves[:, 0].mean() == pytest.approx(1 - event.mean(), abs=0.05)
    assert (curves[:, 0] == curves[:, 1]).all()


def test_0_is_kept_where_many_times_are_thinned():
    matrix, event, time = simulated(3000)
    y = Surv.from_arrays(event, np.maximum(time - 1, 0))
    curves = LinearHazard(penalty=1.0).fit(matrix, y).predict_survival_function(matrix)
    assert len(curves[0].x) <= MAX_TIMES + 2
    gone = np.mean((y["time"] == 0) & event)
    assert np.mean([1 - curve(0.0) for curve in curves]) == pytest.approx(gone, abs=0.02)


@pytest.mark.parametrize("family", [LinearHazard, BoostedHazard])
def test_times_by_the_month(family):
    """Four of ten end each month: 0.6, 0.36, 0.216 ... are left, though all ends of a month share one moment."""
    rng = np.random.default_rng(0)
    matrix, life = rng.normal(size=(3000, 2)), rng.geometric(0.4, 3000).astype(float)
    model = family().fit(matrix, Surv.from_arrays(life <= 5, np.minimum(life, 5.0)))
    alive = model.predict_survival(matrix, [1, 2, 3, 4, 5]).mean(axis=0)
    assert alive == pytest.approx(0.6 ** np.arange(1, 6), abs=0.02)


def test_time_at_risk_by_hand():
    """Three events share day 4, of which the last day before is 2: two thirds of half of two days less."""
    grid = TimeGrid(np.array([0.0, 4.0]))
    outcomes = alike([True, True, True, False, True], [4, 4, 4, 4, 2])
    less = 4 - 2 / 2 * (1 - 1 / 3)
    assert grid.at_risk(outcomes) == pytest.approx([less, less, less, 4, 2])


def contracts(count, seed=0):
    """Contracts end on days 30, 60 ...: a third of those with x > 0, a tenth of others; followed for 20 to 100 days."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(count, 3))
    life = 30.0 * rng.geometric(np.where(matrix[:, 0] > 0, 1 / 3, 1 / 10))
    until = rng.uniform(20, 100, count)
    return matrix, Surv.from_arrays(life <= until, np.minimum(life, until))


@pytest.mark.parametrize("family", FAMILIES)
def test_nobody_leaves_before_the_day_on_which_contracts_end(family):
    matrix, y = contracts(1500)
    model = clone(family).fit(matrix, y)
    days, alive = kaplan_meier_estimator(y["event"], y["time"])
    asked = np.array([29.0, 29.99, 30.0, 45.0, 59.9, 60.0, 89.9, 90.0])
    expected = alive[np.searchsorted(days, asked, side="right") - 1]
    assert model.predict_survival(matrix, asked).mean(axis=0) == pytest.approx(expected, abs=0.02)
    assert model.predict_survival(matrix, [29.99]).min() > 0.999
    curves = np.array([curve(asked) for curve in model.predict_survival_function(matrix)])
    assert curves.mean(axis=0) == pytest.approx(expected, abs=0.02)


def test_moments_that_many_share_have_intervals_of_their_own():
    """Six events of day 30 follow a look on day 28, four of day 40 are too few to be more than chance."""
    outcomes = alike([True] * 12 + [False], [10] + [30] * 6 + [40] * 4 + [50, 28])
    grid = TimeGrid.of_events(outcomes, 1)
    assert grid.edges.tolist() == [0, 50]
    parted = grid.parted(outcomes)
    assert parted.edges.tolist() == [0, 28, 30, 50] and parted.shared.tolist() == [30]
    hazard = np.array([[0.01, 0.2, 0.02]])
    cumulative = parted.cumulative(hazard, np.array([14.0, 28, 29, 30, 40, 50, 60]))
    assert cumulative[0] == pytest.approx([0.14, 0.28, 0.28, 0.68, 0.88, 1.08, 1.08])


def test_times_all_by_the_month_are_their_own_intervals():
    moments = np.repeat(np.arange(1.0, 6.0), 20)
    outcomes = alike(np.arange(100) % 2 == 0, moments)
    grid = TimeGrid.of_events(outcomes, 200)
    assert grid.parted(outcomes).edges.tolist() == grid.edges.tolist() == [0, 1, 2, 3, 4, 5]


def test_products_with_exposure_are_those_of_the_matrix():
    rng = np.random.default_rng(0)
    grid, time = TimeGrid(np.array([0.0, 1.0, 1.5, 4.0])), np.append(rng.uniform(0, 6, 50), [0, 4])
    exposure, whole = Exposure(grid, time), grid.exposure(time)
    values, rates = rng.normal(size=(52, 2)), rng.normal(size=3)
    assert exposure.totals(values) == pytest.approx(whole.T @ values)
    assert exposure.totals(values[:, 0]) == pytest.approx(whole.T @ values[:, 0])
    assert exposure.along(rates) == pytest.approx(whole @ rates)


COUNTED = [
    pytest.param(LinearHazard(penalty=1.0), id="linear"),
    pytest.param(BoostedHazard(rounds=0, start="baseline"), id="baseline"),
]


@pytest.mark.parametrize("rounding", [lambda time: time, np.ceil], ids=["exact", "tied"])
@pytest.mark.parametrize("family", COUNTED)
def test_a_weight_is_so_many_of_the_kind(family, rounding):
    matrix, event, time = simulated(400)
    matrix[::9, 1] = np.nan
    y, count = Surv.from_arrays(event, rounding(time)), np.arange(400) % 4
    weighed = clone(family).fit(matrix, y, sample_weight=count)
    repeated = clone(family).fit(np.repeat(matrix, count, axis=0), np.repeat(y, count))
    asked = [1.0, 2.5, 5.0, 20.0]
    expected = repeated.predict_survival(matrix, asked)
    assert weighed.predict_survival(matrix, asked) == pytest.approx(expected, abs=1e-9)
    assert weighed.unique_times_ == pytest.approx(repeated.unique_times_)


@pytest.mark.parametrize("engine", ["xgboost", "lightgbm"])
def test_trees_learn_from_the_heavy(engine):
    """Of two halves that nothing tells apart extremes leave early in one, late in the other."""
    rng = np.random.default_rng(0)
    matrix, half = rng.normal(size=(3000, 1)), rng.random(3000) < 0.5
    extreme = np.abs(matrix[:, 0]) > 1
    y = Surv.from_arrays(np.ones(3000, bool), rng.exponential(np.where(extreme == half, 1, 9)))
    model = BoostedHazard(engine, rounds=40).fit(matrix, y, np.where(half, 9.0, 1.0))
    middle, far = model.predict_survival([[0.0], [1.5]], [3.0])
    assert far[0] < middle[0] - 0.3
    assert model.predict_survival(matrix, [1e-3]).mean() > 0.99


@pytest.mark.parametrize("family", FAMILIES)
def test_weight_0_is_an_absent_row(family):
    matrix, event, time = simulated()
    y, kept = Surv.from_arrays(event, time), np.arange(300) < 250
    without = clone(family).fit(matrix[kept], y[kept])
    odd = np.where(kept[:, None], matrix, 1e6)
    model = clone(family).fit(odd, y, sample_weight=kept.astype(float))
    assert (model.predict(matrix) == without.predict(matrix)).all()


@pytest.mark.parametrize("wrong", [-1.0, np.nan, np.inf])
def test_weights_that_mean_nothing_are_refused(wrong):
    matrix, event, time = simulated(50)
    y = Surv.from_arrays(event, time)
    with pytest.raises(ValueError, match="sample_weight must be finite and not negative"):
        LinearHazard().fit(matrix, y, sample_weight=np.append(np.ones(49), wrong))
    with pytest.raises(ValueError, match="sample_weight must be"):
        LinearHazard().fit(matrix, y, sample_weight=np.ones(49))
    with pytest.raises(ValueError, match="sample_weight is zero everywhere"):
        LinearHazard().fit(matrix, y, sample_weight=np.zeros(50))
    with pytest.raises(ValueError, match="no event"):
        LinearHazard().fit(matrix, y, sample_weight=(~event).astype(float))


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_an_outcome_may_be_a_frame_of_two_columns(frame):
    matrix, event, time = simulated()
    y = Surv.from_arrays(event, time)
    model = LinearHazard().fit(matrix, frame({"left": event, "days": time}))
    assert (model.predict(matrix) == LinearHazard().fit(matrix, y).predict(matrix)).all()
    assert model.score(matrix, frame({"left": event, "days": time})) == model.score(matrix, y)
    with pytest.raises(ValueError, match="'days', must be bool"):
        model.fit(matrix, frame({"days": time, "left": event}))
    with pytest.raises(ValueError, match="two"):
        model.fit(matrix, frame({"days": time}))


def test_booleans_may_stand_in_a_column_of_objects():
    matrix, event, time = simulated()
    column = pd.Series(event).astype(object)
    model = LinearHazard().fit(matrix, pd.DataFrame({"left": column, "days": time}))
    assert (model.coef_ == LinearHazard().fit(matrix, Surv.from_arrays(event, time)).coef_).all()


@pytest.mark.parametrize("odd", [None, np.nan, 1, "True"])
def test_what_is_no_boolean_among_them_is_named(odd):
    matrix, event, time = simulated(50)
    y = pd.DataFrame({"left": [odd, *event[1:].tolist()], "days": time}).astype({"left": object})
    with pytest.raises(ValueError, match=f"'left', must be bool, one is {odd!r}"):
        LinearHazard().fit(matrix, y)


@pytest.mark.parametrize("since", [pd.Timedelta(0), pd.Timestamp("2020-01-01")])
def test_dates_and_durations_are_no_times(since):
    matrix, event, time = simulated(50)
    y = pd.DataFrame({"left": event, "when": since + pd.to_timedelta(time, unit="D")})
    with pytest.raises(ValueError, match=r"times in 'when' must be numbers, they are \w+64"):
        LinearHazard().fit(matrix, y)


def test_random_states_of_every_kind():
    matrix, event, time = simulated()
    y = Surv.from_arrays(event, time)
    first, second, other = (
        BoostedHazard(rounds=20, random_state=np.random.RandomState(seed)).fit(matrix, y).predict(matrix)
        for seed in (1, 1, 2)
    )  # fmt: skip
    assert (first == second).all() and (first != other).any()
    assert np.isfinite(LinearHazard(random_state=None).fit(matrix, y).coef_).all()


def test_curves_at_the_end_of_a_pipeline():
    """Pipelines of scikit-learn know no curves: the steps before the estimator transform, then it is asked."""
    matrix, event, time = simulated()
    y = Surv.from_arrays(event, time)
    pipe = make_pipeline(StandardScaler(), LinearHazard(penalty=1.0)).fit(matrix, y)
    scaler = StandardScaler().fit(matrix)
    alone = LinearHazard(penalty=1.0).fit(scaler.transform(matrix), y)
    curves = pipe[-1].predict_survival(pipe[:-1].transform(matrix), [1.0, 5.0])
    assert curves == pytest.approx(alone.predict_survival(scaler.transform(matrix), [1.0, 5.0]))


def test_one_thread_for_small_data():
    """Threads of a small fit wait for each other: where cores are shared, fifty times as long."""
    matrix, event, time = simulated(100)
    y = Surv.from_arrays(event, time)
    assert BoostedHazard(rounds=0).fit(matrix, y).threads_ == 1
    assert BoostedHazard(rounds=0, n_jobs=2).fit(matrix, y).threads_ == 2


def test_no_trees_at_all():
    matrix, event, time = simulated(200)
    y = Surv.from_arrays(event, time)
    model = BoostedHazard(rounds=0).fit(matrix, y)
    assert model.rounds_ == 0
    order = np.argsort(LinearHazard().fit(matrix, y).predict(matrix))
    assert (np.argsort(model.predict(matrix)) == order).all()


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        (LinearHazard(), {"intervals": 0}),
        (LinearHazard(), {"penalty": -1.0}),
        (LinearHazard(), {"clip": 0.5}),
        (LinearHazard(), {"folds": 1}),
        (LinearHazard(), {"folds": None}),
        (LinearHazard(), {"intervals": "a"}),
        (LinearHazard(), {"intervals": 20.5}),
        (LinearHazard(), {"penalty": np.inf}),
        (LinearHazard(penalty=1.0), {"random_state": -1}),
        (LinearHazard(), {"random_state": "a"}),
        (BoostedHazard(), {"start": "forest"}),
        (BoostedHazard(), {"rounds": -1}),
        (BoostedHazard(), {"intervals": 0}),
        (BoostedHazard(), {"learning_rate": -0.1}),
        (BoostedHazard(), {"max_depth": 0}),
        (BoostedHazard(), {"row_share": 1.5}),
        (BoostedHazard(), {"folds": 1}),
        (BoostedHazard(), {"penalty": -1.0}),
        (BoostedHazard(), {"penalty": np.inf}),
        (BoostedHazard(), {"n_jobs": 0}),
        (BoostedHazard(), {"n_jobs": "all"}),
        (BoostedHazard(), {"engine": ["xgboost"]}),
        (BoostedHazard(), {"rounds": None}),
        (BoostedHazard(), {"random_state": -1}),
    ],
)
def test_settings_out_of_range_are_named(model, settings):
    matrix, event, time = simulated(50)
    name, value = next(iter(settings.items()))
    with pytest.raises(ValueError, match=f"{name} must be .*, not {re.escape(repr(value))}$"):
        clone(model).set_params(**settings).fit(matrix, Surv.from_arrays(event, time))


@pytest.mark.parametrize("family", FAMILIES)
def test_wrong_calls_are_named(family):
    matrix, event, time = simulated(60)
    y = Surv.from_arrays(event, time)
    for method in ("predict", "predict_survival_function", "predict_cumulative_hazard_function"):
        with pytest.raises(NotFittedError):
            getattr(clone(family), method)(matrix)
    with pytest.raises(NotFittedError):
        clone(family).predict_survival(matrix, [1.0])
    model = clone(family).fit(matrix, y)
    with pytest.raises(ValueError, match="NaN"):
        model.predict_survival(matrix, [1.0, np.nan])
    with pytest.raises(ValueError, match="comparable"):
        model.score(matrix[:2], Surv.from_arrays([True, False], [5.0, 4.0]))
    with pytest.raises(ValueError, match="at time 0"):
        clone(family).fit(matrix, Surv.from_arrays(event, np.zeros(60)))
    assert model.predict_survival(matrix, 2.0).shape == (60, 1)
