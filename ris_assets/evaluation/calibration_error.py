"""The interval of the expected calibration error."""

import numpy as np
from numpy.typing import ArrayLike

from ris_assets.evaluation.metrics import probabilities, reliability, weighed
from ris_assets.evaluation.probability_scores import Interval, known_groups

Array = np.ndarray
ROUNDS = 1000
LEVEL = 0.95


def calibration_error(
    outcome: ArrayLike, predicted: ArrayLike, members: ArrayLike, seed: int = 0
) -> Interval:
    """The error over ten bins, every row counted once, and its 95% interval, members drawn whole.

    A mean of distances grows with every noise, so the percentiles of draws lie above the error, and above 0 of
    probabilities that are right. The lower end is the error less what the gaps of draws are apart from those seen: by
    the triangle inequality no true error is farther below. The upper end is the percentile.

    Raises:
        ValueError: columns that `weighed` refuses, or a member that is missing.
    """
    y, p, _ = weighed(outcome, probabilities(predicted))
    owners = known_groups(members)
    if owners.shape != y.shape:
        raise ValueError(f"members has shape {owners.shape}, must have {y.shape}")
    gaps, rows = _gaps(y, p, owners)
    seen = gaps.sum(axis=0) / rows.sum()
    value = float(np.abs(seen).sum())
    rng, count = np.random.default_rng(seed), len(rows)
    errors, apart = np.empty(ROUNDS), np.empty(ROUNDS)
    for place in range(ROUNDS):
        times = rng.multinomial(count, np.full(count, 1 / count))
        drawn = times @ gaps / (times @ rows)
        errors[place], apart[place] = np.abs(drawn).sum(), np.abs(drawn - seen).sum()
    tail = (1 + LEVEL) / 2
    low, high = value - float(np.quantile(apart, tail)), float(np.quantile(errors, tail))
    return Interval(value, max(0.0, low), max(value, high))


def _gaps(outcome: Array, predicted: Array, members: Array) -> tuple[Array, Array]:
    """(members, bins): predicted less observed, added up over rows; and the rows of each member."""
    sizes = reliability(outcome, predicted, np.ones(len(outcome)))["rows_count"].to_numpy()
    _, member = np.unique(members, return_inverse=True)
    order = np.argsort(predicted, kind="stable")
    gaps = np.zeros((member.max() + 1, len(sizes)))
    places = member[order], np.repeat(np.arange(len(sizes)), sizes)
    np.add.at(gaps, places, (predicted - outcome)[order])
    return gaps, np.bincount(member)
