"""The public survival estimators: conventions, what they recover, and what peers say on the same data."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sksurv.linear_model import CoxPHSurvivalAnalysis

from ris_assets.models import BoostedHazard, LinearHazard

BETA = np.array([0.8, -0.5, 0.0])
QUICK = {"rounds": 60, "learning_rate": 0.1}
FAMILIES = [
    pytest.param(LinearHazard(), id="linear"),
    pytest.param(BoostedHazard(**QUICK), id="xgboost"),
    pytest.param(BoostedHazard("lightgbm", **QUICK), id="lightgbm"),
]


def outcome(event, time):
    return np.array(list(zip(event, time, strict=True)), dtype=[("event", bool), ("time", float)])


def simulated(count=1500, seed=0):
    """Exponential lives with known weights, censored at random: X, y and the rate of each."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(count, 3))
    rate = 0.05 * np.exp(matrix @ BETA)
    life, until = rng.exponential(1 / rate), rng.exponential(30, size=count)
    return matrix, outcome(life <= until, np.minimum(life, until)), rate


@pytest.mark.parametrize("family", FAMILIES)
def test_curves_are_those_of_the_simulator(family):
    matrix, y, _ = simulated()
    unseen, _, rate = simulated(400, seed=1)
    model = clone(family).fit(matrix, y)
    times = np.array([2.0, 5.0, 10.0, 20.0])
    truth = np.exp(-rate[:, None] * times)
    assert np.abs(model.predict_survival(unseen, times) - truth).mean() < 0.03
    assert np.corrcoef(model.predict(unseen), np.log(rate))[0, 1] > 0.97


@pytest.mark.parametrize("family", FAMILIES)
def test_the_unfinished_interval_counts(family):
    """Half of the subjects are censored early in life: leaving out what they lived would double the hazard."""
    rng = np.random.default_rng(5)
    life, until = rng.exponential(10, 3000), rng.uniform(0, 4, 3000)
    y = outcome(life <= until, np.minimum(life, until))
    model = clone(family).fit(rng.normal(size=(3000, 2)), y)
    level = model.predict_survival(rng.normal(size=(200, 2)), [3.0]).mean()
    assert level == pytest.approx(np.exp(-0.3), abs=0.02)


def test_the_linear_family_is_cox():
    matrix, y, _ = simulated()
    peer = CoxPHSurvivalAnalysis(ties="breslow").fit(matrix, y)
    model = LinearHazard(intervals=2000, penalty=1e-6, clip=0.0).fit(matrix, y)
    assert model.coef_ == pytest.approx(peer.coef_, abs=2e-3)
    times = model.unique_times_[::50]
    theirs = np.array([f(times) for f in peer.predict_survival_function(matrix[:20])])
    assert model.predict_survival(matrix[:20], times) == pytest.approx(theirs, abs=0.01)


def test_trees_find_what_a_line_cannot():
    rng = np.random.default_rng(2)
    matrix = rng.normal(size=(3000, 2))
    rate = 0.05 * np.exp(1.5 * (np.abs(matrix[:, 0]) > 1))
    life, until = rng.exponential(1 / rate), rng.exponential(30, size=3000)
    y = outcome(life <= until, np.minimum(life, until))
    linear = LinearHazard().fit(matrix[:2000], y[:2000])
    for engine in ("xgboost", "lightgbm"):
        boosted = BoostedHazard(engine, **QUICK).fit(matrix[:2000], y[:2000])
        assert boosted.score(matrix[2000:], y[2000:]) > linear.score(matrix[2000:], y[2000:]) + 0.1


def test_where_trees_have_nothing_to_add_the_line_stands():
    rng = np.random.default_rng(9)
    life = rng.exponential(10, 300)
    model = BoostedHazard().fit(rng.normal(size=(300, 20)), outcome(np.ones(300, bool), life))
    assert model.rounds_ <= 5
    assert np.ptp(model.predict_survival(rng.normal(size=(100, 20)), [5.0])) < 0.2


@pytest.mark.parametrize("family", FAMILIES)
def test_conventions(family):
    matrix, y, _ = simulated(300)
    model = clone(family)
    assert clone(model).get_params() == model.get_params()
    model.fit(matrix, y)
    functions = model.predict_survival_function(matrix[:3])
    values = model.predict_survival_function(matrix[:3], return_array=True)
    assert [f(model.unique_times_[4]) for f in functions] == pytest.approx(values[:, 4])
    assert functions[0](0.0) == 1.0
    assert (np.diff(values, axis=1) <= 0).all()
    assert ((values > 0) & (values <= 1)).all()
    hazards = model.predict_cumulative_hazard_function(matrix[:3], return_array=True)
    assert np.exp(-hazards) == pytest.approx(values)
    with pytest.raises(ValueError, match="within"):
        functions[0](model.unique_times_[-1] + 1)
    again = clone(family).fit(matrix, y)
    assert (again.predict(matrix) == model.predict(matrix)).all()


def test_in_pipelines_with_categories_and_gaps():
    matrix, y, _ = simulated(400)
    frame = pd.DataFrame(matrix, columns=["a", "b", "c"]).mask(matrix > 2)
    frame["city"] = np.where(np.arange(400) % 3, "Almaty", "Astana")
    encoder = make_column_transformer((OneHotEncoder(), ["city"]), remainder=StandardScaler())
    pipe = make_pipeline(encoder, LinearHazard(penalty=1.0))
    assert cross_val_score(pipe, frame, y, cv=3).mean() > 0.65
    search = GridSearchCV(pipe, {"linearhazard__penalty": [0.1, 10.0]}, cv=2).fit(frame, y)
    assert search.best_params_["linearhazard__penalty"] in (0.1, 10.0)


@pytest.mark.parametrize("family", FAMILIES)
def test_bad_input_is_named(family):
    matrix, y, _ = simulated(50)
    model = clone(family)
    with pytest.raises(ValueError, match="structured array"):
        model.fit(matrix, np.ones(50))
    with pytest.raises(ValueError, match="must be bool"):
        model.fit(matrix, y.astype([("event", float), ("time", float)]))
    with pytest.raises(ValueError, match="all samples are censored"):
        model.fit(matrix, outcome(np.zeros(50, bool), y["time"]))
    with pytest.raises(ValueError, match="not negative"):
        model.fit(matrix, outcome(y["event"], -y["time"]))
    with pytest.raises(ValueError, match="samples"):
        model.fit(matrix[:40], y)
    with pytest.raises(ValueError, match="features"):
        model.fit(matrix, y).predict(matrix[:, :2])
    with pytest.raises(ValueError, match="engine"):
        BoostedHazard("forest").fit(matrix, y)


@pytest.mark.parametrize("family", FAMILIES)
def test_columns_that_say_nothing_do_no_harm(family):
    matrix, y, _ = simulated(300)
    empty = np.column_stack([matrix, np.full(300, np.nan), np.ones(300), matrix[:, 0]])
    model = clone(family).fit(empty, y)
    assert np.isfinite(model.predict_survival(empty, [1.0, 5.0])).all()
    assert model.score(empty, y) > 0.65


def wide(rows, columns):
    """Columns that share much, as those of genes do, the first of which tells."""
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(rows, columns))
    matrix[:, :100] += 2 * rng.normal(size=(rows, 1))
    life, until = rng.exponential(np.exp(-0.7 * matrix[:, 0])), rng.exponential(1.5, rows)
    return matrix, outcome(life <= until, np.minimum(life, until))


def test_a_line_over_more_columns_than_rows_is_held_short():
    """Scores beyond bounds count as those, in the likelihood too: else the weakest ridge looks best of all."""
    matrix, y = wide(200, 1500)
    model = LinearHazard().fit(matrix, y)
    assert model.penalty_ > 100
    assert model.predict(matrix).std() < 2


def test_trees_look_at_the_columns_that_tell():
    """Chosen in the training part of each fold; the curves are made of what each booster looks at."""
    matrix, y = wide(150, 300)
    matrix[:, 299] = np.nan
    model = BoostedHazard(**QUICK, start="baseline", max_columns=20).fit(matrix, y)
    assert {len(columns) for columns in model.columns_} == {20}
    assert all(0 in columns and 299 not in columns for columns in model.columns_)
    before = model.predict_survival(matrix, [0.5])
    unseen = np.setdiff1d(np.arange(300), np.concatenate(model.columns_))
    matrix[:, unseen] = 0.0
    assert np.array_equal(model.predict_survival(matrix, [0.5]), before)
    assert {len(it) for it in BoostedHazard(**QUICK).fit(*wide(150, 300)).columns_} == {300}


def test_ties_and_events_at_time_zero():
    """Times in whole weeks, some at 0: a subject without time at risk says nothing of the rate."""
    matrix, y, _ = simulated(600)
    weeks = outcome(y["event"], np.floor(y["time"]))
    for family in (LinearHazard(), BoostedHazard(**QUICK)):
        model = family.fit(matrix, weeks)
        assert np.isfinite(model.predict_survival(matrix, model.unique_times_)).all()
        assert model.score(matrix, weeks) > 0.65
