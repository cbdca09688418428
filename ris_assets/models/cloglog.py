"""Complementary log-log regression: the likelihood of hazards that are constant within an interval (Allison 1982)."""

import numpy as np
from threadpoolctl import threadpool_limits

from ris_assets.models.protocol import Array
from ris_assets.models.week_clock import MAX_LOG_HAZARD

MAX_STEPS, CONVERGED, TINY = 40, 1e-4, 1e-300


def fit_cloglog(
    design: Array, event: Array, offset: Array, ridge: Array, start: Array | None = None
) -> Array:
    """Ridge maximum likelihood of P(event) = 1 - exp(-exp(offset + design b)) by Fisher scoring.

    Args:
        design: (rows, columns), the first column of ones.
        event: 0 or 1, or the share of rows alike in which it happened.
        ridge: (columns,) penalty of each coefficient.
        start: coefficients to begin from; those of a similar fit save steps.
    """
    with threadpool_limits(
        1, "blas"
    ):  # a second thread waits more than it gains where cores are shared
        return _fitted(design, event, offset, ridge, start)


def _fitted(design: Array, event: Array, offset: Array, ridge: Array, start: Array | None) -> Array:
    if start is None:
        weights = np.zeros(design.shape[1])
        weights[0] = np.log(-np.log1p(-np.clip(event.mean(), 1e-4, 0.5)))
    else:
        weights = start.copy()
    narrow = design.astype(np.float32)  # the curvature only directs the step
    value = _loss(design, event, offset, ridge, weights)
    for _ in range(MAX_STEPS):
        hazard = np.exp(np.minimum(design @ weights + offset, MAX_LOG_HAZARD))
        slope = hazard * (event / np.maximum(-np.expm1(-hazard), TINY) - 1)
        information = hazard**2 / np.maximum(np.expm1(hazard), TINY)
        gradient = slope @ design - ridge * weights
        weighted = narrow * information[:, None].astype(np.float32)
        curvature = (weighted.T @ narrow).astype(float) + np.diag(ridge)
        step = np.linalg.solve(curvature, gradient)
        weights, gained = _stepped(design, event, offset, ridge, weights, step, value)
        value -= gained
        if gained < CONVERGED:
            break
    return weights


def _stepped(
    design: Array,
    event: Array,
    offset: Array,
    ridge: Array,
    weights: Array,
    step: Array,
    value: float,
) -> tuple[Array, float]:
    """The weights after the longest halved step that lowers the loss, and by how much it does."""
    for halving in range(12):
        moved = weights + step * 0.5**halving
        gained = value - _loss(design, event, offset, ridge, moved)
        if gained > 0:
            return moved, gained
    return weights, 0.0


def _loss(design: Array, event: Array, offset: Array, ridge: Array, weights: Array) -> float:
    """Penalised negative log likelihood."""
    hazard = np.exp(np.minimum(design @ weights + offset, MAX_LOG_HAZARD))
    ended = np.log(np.maximum(-np.expm1(-hazard), TINY))
    return float(hazard @ (1 - event) - event @ ended + 0.5 * (ridge * weights) @ weights)
