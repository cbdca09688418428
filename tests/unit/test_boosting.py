"""Both engines keep the same promises: where trees start, what they add, what is told of them."""

import numpy as np
import pytest

from ris_assets.models.boosted_weeks import WEEKS
from ris_assets.models.boosting import ENGINES, POISSON, Rows, Trees

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
        added = engine.predict(booster, held_out.features, rounds=count, is_margin=True)
        expected = likelihood.loss(held_out.margin + added, held_out.target)
        assert losses[count] == pytest.approx(expected, rel=1e-5)
    assert losses[0] == likelihood.loss(held_out.margin, held_out.target)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_what_is_told_of_trees_survives_their_file(engine, likelihood, tmp_path):
    booster = engine.boost(engine.params(TREES), rows(0), 20, likelihood)
    features = rows(1).features
    added = engine.predict(booster, features, is_margin=True)
    assert np.argmax(engine.gain(booster)) == 0 and len(engine.gain(booster)) == 3
    parts = engine.contributions(booster, features)
    assert parts.shape == features.shape
    assert np.ptp(added - parts.sum(axis=1)) < 1e-5  # all but the mean
    engine.save(booster, tmp_path / "booster.ubj")
    back = engine.load(tmp_path / "booster.ubj", threads=1)
    assert (engine.predict(back, features, is_margin=True) == added).all()
    assert engine.rounds(back) == 20
