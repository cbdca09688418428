"""Both engines keep the same promises: where trees start, what they add, what is told of them."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from sklearn.base import clone

from ris_assets.models.boosted_weeks import WEEKS
from ris_assets.models.boosting import ENGINES, POISSON, Rows, Trees
from ris_assets.models.forest_renewal import ForestRenewal
from ris_assets.models.forest_shap import as_booster, forest_shares
from ris_assets.models.protocol import Fold

TREES = Trees(
    learning_rate=0.1, max_depth=2, least_in_leaf=1.0, column_share=1.0, row_share=0.8, ridge=1.0,
    seed=3, threads=1,
)  # fmt: skip
LIKELIHOODS = [pytest.param(POISSON, id="poisson"), pytest.param(WEEKS, id="weeks")]


def rows(seed: int) -> Rows:
    """Events at a log rate of the first of three columns, gaps in the second; started from the mean."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(800, 3)).astype(np.float32)
    features[rng.random(800) < 0.2, 1] = np.nan
    event = (rng.random(800) < np.exp(features[:, 0] - 2).clip(max=1)).astype(float)
    return Rows(features, event, np.full(800, -1.6))


@pytest.fixture(params=list(ENGINES))
def engine(request):
    return ENGINES[request.param]


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_losses_are_those_of_the_margins(engine, likelihood):
    """The first without a tree, the last with all of them; in between they fall."""
    training, held_out = rows(0), rows(1)
    booster, losses = engine.race(
        engine.params(TREES), (training, held_out), 40, likelihood, patience=40
    )
    assert np.argmin(losses) <= engine.rounds(booster) < len(losses)
    assert losses.min() < losses[0]
    for count in (1, 5, engine.rounds(booster)):
        added = engine.added(booster, held_out.features, threads=1, rounds=count)
        expected = likelihood.loss(held_out.margin + added, held_out.target)
        assert losses[count] == pytest.approx(expected, rel=1e-5)
    assert losses[0] == likelihood.loss(held_out.margin, held_out.target)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_held_out_losses_are_weighed(engine, likelihood):
    """Held-out rows of weight 0 are as good as absent, before the first tree and after."""
    held_out = rows(1)
    heavy = np.arange(800) % 3 > 0
    weighed = replace(held_out, weight=heavy.astype(float))
    kept = Rows(held_out.features[heavy], held_out.target[heavy], held_out.margin[heavy])
    losses, expected = (
        engine.race(engine.params(TREES), (rows(0), part), 5, likelihood, patience=5)[1]
        for part in (weighed, kept)
    )
    assert losses == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_what_is_told_of_trees_survives_their_file(engine, likelihood, tmp_path):
    booster = engine.boost(engine.params(TREES), rows(0), 20, likelihood)
    features = rows(1).features
    added = engine.added(booster, features, threads=1)
    assert np.argmax(engine.gain(booster)) == 0 and len(engine.gain(booster)) == 3
    parts = engine.contributions(booster, features)
    assert parts.shape == features.shape
    assert np.ptp(added - parts.sum(axis=1)) < 1e-5  # all but the mean
    engine.save(booster, tmp_path / "booster.ubj")
    back = engine.load(tmp_path / "booster.ubj", threads=1)
    assert (engine.added(back, features, threads=1) == added).all()
    assert engine.rounds(back) == 20


@pytest.fixture(scope="module")
def forest():
    """A small forest on columns with gaps, coarse values and a constant, and rows to ask it about."""
    rng = np.random.default_rng(2)
    matrix = rng.normal(size=(600, 4)).astype(np.float32)
    matrix[:, 1] = rng.integers(0, 3, 600)
    matrix[rng.random(600) < 0.3, 2] = np.nan
    matrix[:, 3] = 1.0
    score = matrix[:, 0] + matrix[:, 1] * np.isnan(matrix[:, 2])
    target = (rng.random(600) < 1 / (1 + np.exp(-score))).astype(float)
    model = ForestRenewal({"leaf_share": 0.02}).fit(Fold(matrix, target, rng.uniform(0.5, 1, 600)))
    return model, matrix


def test_a_forest_is_the_same_as_a_booster(forest):
    model, matrix = forest
    # Also where a value is a threshold itself, and where there was no gap in training.
    tree = model.forest.estimators_[0].tree_
    asked = np.vstack([matrix, matrix[:1] * np.nan, np.tile(tree.threshold[:50, None], 4)])
    asked = asked.astype(np.float32)
    parts = forest_shares(model.forest, asked)
    assert parts.sum(axis=1) == pytest.approx(model.predict(asked), abs=1e-5)
    assert len(as_booster(model.forest).get_dump()) == len(model.forest.estimators_)


def test_the_parts_of_a_forest_are_shapley_values(forest):
    """Of one tree against the definition: a column's mean gain over all orders in which columns become known."""
    model, matrix = forest
    one = model.forest.estimators_[3].tree_
    small = clone(model.forest)
    small.estimators_, small.n_features_in_ = model.forest.estimators_[3:4], 4
    row = matrix[7]

    def known(columns, node=0):
        """Value of the tree where only these columns are known: both sides by their weight elsewhere."""
        left, right = one.children_left[node], one.children_right[node]
        if left < 0:
            return one.value[node, 0, 1] / one.value[node, 0].sum()
        if one.feature[node] in columns:
            value = row[one.feature[node]]
            goes = one.missing_go_to_left[node] if np.isnan(value) else value <= one.threshold[node]
            return known(columns, left if goes else right)
        weights = one.weighted_n_node_samples[[left, right]]
        return np.average([known(columns, left), known(columns, right)], weights=weights)

    orders = list(permutations(range(4)))
    expected = np.zeros(4)
    for order in orders:
        for place, column in enumerate(order):
            gain = known(order[: place + 1]) - known(order[:place])
            expected[column] += gain / len(orders)
    found = forest_shares(small, row[None, :])[0]
    assert found == pytest.approx([*expected, known(())], abs=1e-5)


def test_log_odds_of_a_forest_are_the_mean_and_its_parts(forest):
    model, matrix = forest
    parts = model.contributions(matrix)
    said = model.predict(matrix)
    gap = np.log(said / (1 - said)) - parts.sum(axis=1)
    assert np.ptp(gap) < 1e-3
    assert np.abs(parts).mean(axis=0)[0] > 0.3 and not parts[:, 3].any()
