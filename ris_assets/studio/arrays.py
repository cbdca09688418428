"""Array types and the few index tricks that every stage of the simulator shares."""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Bytes = NDArray[np.uint8]


def offsets_within(lengths: Ints) -> Ints:
    """For runs of these lengths laid end to end: each element's position within its run."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) - np.repeat(ends - lengths, lengths)


def pick(rng: np.random.Generator, weights: Floats, count: int) -> Ints:
    """`count` draws of an index with these (unnormalised) weights."""
    limits = np.cumsum(weights) / np.sum(weights)
    return np.minimum(np.searchsorted(limits, rng.random(count), side="right"), len(weights) - 1)


def pick_rows(rng: np.random.Generator, weights: Floats) -> Ints:
    """One draw of a column for each row of an (n, k) matrix of unnormalised weights."""
    limits = np.cumsum(weights, axis=1)
    draws = rng.random(len(weights)) * limits[:, -1]
    return np.minimum((limits <= draws[:, None]).sum(axis=1), weights.shape[1] - 1)


def sigmoid(value: Floats) -> Floats:
    """The logistic function."""
    result: Floats = 1.0 / (1.0 + np.exp(-value))
    return result
