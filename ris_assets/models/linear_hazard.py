"""Linear proportional hazards with a baseline that is constant within intervals, held by a ridge.

The baseline is maximised out, so that the fit costs as much as a Cox regression with Breslow's ties; with fine
intervals it is one. The strength of the ridge is chosen by cross-validated likelihood.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from threadpoolctl import threadpool_limits

from ris_assets.models.survival_api import (
    Array,
    RandomState,
    SurvivalEstimator,
    check_setting,
    folds_by_event,
    is_random_state,
    not_negative,
    optional,
    seed_of,
    whole,
)
from ris_assets.models.time_grid import Exposure, Outcomes, TimeGrid

MAX_STEPS, CONVERGED, MAX_SCORE = 50, 1e-7, 30.0
LEAST_SPREAD = 1e-12
PENALTIES = tuple(float(10.0**power) for power in np.arange(-1, 5.1, 0.5))


class LinearHazard(SurvivalEstimator):
    """log hazard(t | x) = baseline(t) + x b.

    Columns are scaled to unit variance, a missing value stands at the mean beside an indicator of its own.

    Args:
        clip: share of the training values on each side beyond which a value counts as the one at that quantile: a
            few extreme ones would decide a weight, and carry it beyond what was seen.
        intervals: most intervals of the baseline, those of moments that many events share aside.
        penalty: of the ridge on scaled columns; None chooses it among `PENALTIES`.
        folds: of the choice.
        random_state: of the folds.

    Attributes:
        coef_: (features,) change of the log hazard when a feature rises by one; missing ones aside.
        penalty_: the one in use.
        baseline_: (intervals,) events a unit of time at the mean of the features.
    """

    family: ClassVar[str] = "linear_hazard"

    def __init__(
        self,
        intervals: int = 200,
        penalty: float | None = None,
        clip: float = 0.02,
        folds: int = 5,
        random_state: RandomState = 0,
    ) -> None:
        """Settings; the class says what they mean."""
        self.intervals = intervals
        self.penalty = penalty
        self.clip = clip
        self.folds = folds
        self.random_state = random_state

    def _check_settings(self) -> None:
        check_setting(self, "intervals", whole(1), "1 or more, whole")
        check_setting(self, "folds", whole(2), "2 or more, whole")
        check_setting(self, "clip", lambda clip: 0 <= clip < 0.5, "within [0, 0.5)")
        check_setting(self, "penalty", optional(not_negative), "None, or finite and not negative")
        check_setting(
            self, "random_state", is_random_state, "None, a RandomState or a seed from 0 on"
        )

    def _fit(self, matrix: Array, outcomes: Outcomes) -> None:
        # A second thread gains nothing in products of tall and narrow matrices, and waits where cores are shared.
        with threadpool_limits(1, "blas"):
            self._fit_on(matrix, outcomes)

    def _fit_on(self, matrix: Array, outcomes: Outcomes) -> None:
        weight = outcomes.weight
        self.low_, self.high_ = _unless_rare(matrix, *_bounds(matrix, self.clip, weight))
        matrix = np.clip(matrix, self.low_, self.high_)
        self.centre_, spread = _moments(matrix, weight)
        self.scale_ = np.where(spread > LEAST_SPREAD * np.abs(self.centre_), spread, 1.0)
        self.gaps_ = np.isnan(matrix).any(axis=0)
        self.grid_ = TimeGrid.of_events(outcomes, self.intervals).parted(outcomes)
        design, back = _among_rows(self._design(matrix))
        self.penalty_ = self._chosen(design, outcomes) if self.penalty is None else self.penalty
        sums = _Sums.of(design, outcomes, self.grid_)
        weights, self.baseline_ = _fit_profile(sums, self.penalty_, np.zeros(design.shape[1]))
        self.weights_ = back @ weights
        self.coef_ = self.weights_[: matrix.shape[1]] / self.scale_

    def _chosen(self, design: Array, outcomes: Outcomes) -> float:
        """The penalty of the best cross-validated partial likelihood (Verweij and van Houwelingen 1993)."""
        event = outcomes.event
        if event.sum() < 2 * self.folds:
            return max(PENALTIES)
        likelihood = np.zeros(len(PENALTIES))
        everyone = _Sums.of(design, outcomes, self.grid_)
        for training, _ in folds_by_event(event, self.folds, seed_of(self.random_state)):
            sums = _Sums.of(design[training], outcomes.those(training), self.grid_)
            weights = np.zeros(design.shape[1])
            for place in range(len(PENALTIES) - 1, -1, -1):
                weights, _ = _fit_profile(sums, PENALTIES[place], weights)
                likelihood[place] += everyone.profile(weights)[0] - sums.profile(weights)[0]
        return PENALTIES[int(np.argmax(likelihood))]

    def _design(self, matrix: Array) -> Array:
        missing = np.isnan(matrix)
        clipped = np.clip(matrix, self.low_, self.high_)
        scaled = np.where(missing, 0.0, (clipped - self.centre_) / self.scale_)
        return np.hstack([scaled, missing[:, self.gaps_]])

    def _risk(self, matrix: Array) -> Array:
        return np.clip(self._design(matrix) @ self.weights_, -MAX_SCORE, MAX_SCORE)

    def _hazard(self, matrix: Array) -> Array:
        return np.exp(self._risk(matrix))[:, None] * self.baseline_


def _among_rows(design: Array) -> tuple[Array, Array]:
    """The design in no more columns than rows, and what turns weights of those into weights of its own.

    A rotation: the ridge, whose weights are sums of rows, is the same there.
    """
    rows, columns = design.shape
    if columns <= rows:
        return design, np.eye(columns)
    back = np.linalg.svd(design, full_matrices=False)[2].T
    return design @ back, back


def _unless_rare(matrix: Array, low: Array, high: Array) -> tuple[Array, Array]:
    """Bounds, but of a column with one common value (a rare yes) its whole range."""
    rare = low == high
    return (
        np.where(rare, _column(np.nanmin, matrix), low),
        np.where(rare, _column(np.nanmax, matrix), high),
    )


def _column(statistic: Callable[..., Array], matrix: Array) -> Array:
    """A statistic of the filled values of every column, 0 of an empty one."""
    filled = ~np.isnan(matrix).all(axis=0)
    found = np.zeros(matrix.shape[1])
    found[filled] = statistic(matrix[:, filled], axis=0)
    return found


def _bounds(matrix: Array, share: float, weight: Array) -> tuple[Array, Array]:
    """(columns,) each: the quantiles at a share and at one less it, each row as often as its weight says."""
    found = np.zeros((2, matrix.shape[1]))
    for place, column in enumerate(matrix.T):
        order = np.argsort(column)[: np.count_nonzero(~np.isnan(column))]
        if not len(order):
            continue
        reached = np.cumsum(weight[order])
        rank = np.array([share, 1 - share]) * max(reached[-1] - 1, 0)
        below = np.floor(rank)
        at = np.searchsorted(reached, [below, below + 1], side="right")
        least, next_ = column[order[np.minimum(at, len(order) - 1)]]
        found[:, place] = least + (rank - below) * (next_ - least)
    return found[0], found[1]


def _moments(matrix: Array, weight: Array) -> tuple[Array, Array]:
    """(columns,): mean and standard deviation of the filled values, 0 of an empty column.

    Reckoned in units of a power of two beside the largest value: squares of the largest floats would be infinite, of
    the smallest 0.
    """
    _, power = np.frexp(_column(np.nanmax, np.abs(matrix)))
    matrix = np.ldexp(matrix, -power)
    heavy = np.where(np.isnan(matrix), 0.0, weight[:, None])
    total = np.maximum(heavy.sum(axis=0), np.finfo(float).tiny)
    mean = np.nansum(matrix * (heavy / total), axis=0)
    spread = np.sqrt(np.nansum((matrix - mean) ** 2 * (heavy / total), axis=0))
    return np.ldexp(mean, power), np.ldexp(spread, power)


def standardised(matrix: Array, weight: Array) -> Array:
    """Columns with mean 0 and standard deviation 1; a missing value, and all of a constant column, at 0."""
    centre, spread = _moments(matrix, weight)
    scale = np.where(spread > LEAST_SPREAD * np.abs(centre), spread, np.inf)
    return np.where(np.isnan(matrix), 0.0, (matrix - centre) / scale)


@dataclass(frozen=True)
class _Sums:
    """What the likelihood of some subjects is made of.

    Attributes:
        design: (subjects, columns).
        weight: (subjects,).
        exposure: of (subjects, intervals).
        deaths: (intervals,) events.
        counted: (subjects,) the weight where the event counts, else 0.
        pull: (columns,) sum of the design over the events.
    """

    design: Array
    weight: Array
    exposure: Exposure
    deaths: Array
    counted: Array
    pull: Array

    @classmethod
    def of(cls, design: Array, outcomes: Outcomes, grid: TimeGrid) -> "_Sums":
        """From outcomes."""
        exposure = Exposure(grid, grid.at_risk(outcomes))
        counted = outcomes.weight * (outcomes.event & (outcomes.time <= grid.edges[-1]))
        deaths, pull = grid.events(outcomes), counted @ design
        return cls(design, outcomes.weight, exposure, deaths, counted, pull)

    def relative(self, weights: Array) -> Array:
        """(subjects,): hazard relative to the baseline, times the weight."""
        return self.weight * np.exp(self._score(weights))

    def profile(self, weights: Array) -> tuple[float, Array]:
        """Log likelihood with the baseline maximised out; risk-weighted time at risk by interval."""
        score = self._score(weights)
        at_risk = np.maximum(self.exposure.totals(self.weight * np.exp(score)), 1e-300)
        return float(self.counted @ score - self.deaths @ np.log(at_risk)), at_risk

    def _score(self, weights: Array) -> Array:
        """(subjects,): log hazard relative to the baseline, within bounds as in predictions."""
        return np.clip(self.design @ weights, -MAX_SCORE, MAX_SCORE)


def _fit_profile(sums: _Sums, penalty: float, start: Array) -> tuple[Array, Array]:
    """Weights by Newton's method on the penalised profile likelihood, and the baseline."""

    def held(at: Array) -> tuple[float, Array]:
        value, at_risk = sums.profile(at)
        return value - 0.5 * penalty * at @ at, at_risk

    design, weights = sums.design, start.copy()
    value, at_risk = held(weights)
    for _ in range(MAX_STEPS):
        relative = sums.relative(weights)
        expected = relative * (sums.exposure.along(sums.deaths / at_risk))
        means = sums.exposure.totals(relative[:, None] * design) / at_risk[:, None]
        gradient = sums.pull - design.T @ expected - penalty * weights
        curvature = (design * expected[:, None]).T @ design
        curvature -= (means * sums.deaths[:, None]).T @ means
        curvature[np.diag_indices_from(curvature)] += penalty + 1e-9
        step = np.linalg.solve(curvature, gradient)
        if gradient @ step < CONVERGED:
            break
        before = value
        for halving in range(20):
            moved = weights + step * 0.5**halving
            reached, risk_moved = held(moved)
            if reached > value:
                weights, value, at_risk = moved, reached, risk_moved
                break
        if value - before < CONVERGED:
            break
    return weights, sums.deaths / at_risk
