"""Boosted hazard: trees on top of the linear one, over time intervals with partial exposure.

What the trees add is learned as Poisson counts (XGBoost or LightGBM), starting from the linear log hazard: where
there is nothing to add, cross-validation stops them at once and the linear model stands.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from ris_assets.models.boosting import ENGINES, POISSON, EngineName, Rows, Trees, threads_for
from ris_assets.models.linear_hazard import LinearHazard
from ris_assets.models.survival_api import (
    Array,
    SurvivalEstimator,
    as_outcome,
    check_setting,
    folds_by_event,
)
from ris_assets.models.time_grid import TimeGrid

TINY = 1e-12
MANY_EVENTS = 2000
"""From so many on fewer folds and larger steps: on 10^5 simulated person-weeks a quarter of the time, the integrated
Brier score the same within 0.0005."""
SLOW, FAST, FOLDS, FEW_FOLDS = 0.05, 0.1, 5, 3
SHALLOW, DEEP = 3, 5


class BoostedHazard(SurvivalEstimator):
    """log hazard(t | x) = linear(x, t) + trees(x, t).

    Args:
        engine: "xgboost" or "lightgbm".
        intervals: of time, for the trees.
        start: what the trees start from: "linear", or "baseline" alone.
        rounds: most trees; cross-validation chooses how many.
        learning_rate, max_depth, min_events, column_share, row_share, penalty: of the trees; `min_events` is the
            least expected number of events in a leaf. A rate of None is 0.05, and 0.1 from `MANY_EVENTS` events on.
            A depth of None is 3, or 5 where held-out likelihood is better with it.
        folds, patience: of the choice of rounds. Folds of None are 5, and 3 from `MANY_EVENTS` events on.
        seed: of folds and trees.
        threads: of the engine. None is 1, and 2 from `boosting.MANY_ROWS` subject-intervals on.

    Attributes:
        rounds_: trees in use of each booster.
        rate_, depth_, threads_: in use.
        boosters_: one a fold; what they add is averaged.
        linear_: the fitted linear hazard, None with start="baseline".
    """

    family: ClassVar[str] = "boosted_hazard"

    def __init__(
        self,
        engine: EngineName = "xgboost",
        intervals: int = 16,
        start: Literal["linear", "baseline"] = "linear",
        rounds: int = 500,
        learning_rate: float | None = None,
        max_depth: int | None = None,
        min_events: float = 5.0,
        column_share: float = 0.7,
        row_share: float = 0.8,
        penalty: float = 2.0,
        folds: int | None = None,
        patience: int = 25,
        seed: int = 0,
        threads: int | None = None,
    ) -> None:
        """Settings; the class says what they mean."""
        self.engine = engine
        self.intervals = intervals
        self.start = start
        self.rounds = rounds
        self.learning_rate = learning_rate
        self.max_depth = max_depth
        self.min_events = min_events
        self.column_share = column_share
        self.row_share = row_share
        self.penalty = penalty
        self.folds = folds
        self.patience = patience
        self.seed = seed
        self.threads = threads

    def _check_settings(self) -> None:
        starts = ("linear", "baseline")
        check_setting("engine", self.engine, self.engine in ENGINES, "'xgboost' or 'lightgbm'")
        check_setting("start", self.start, self.start in starts, "'linear' or 'baseline'")
        check_setting("rounds", self.rounds, self.rounds >= 0, "0 or more")
        for name, least in (("intervals", 1), ("max_depth", 1), ("folds", 2), ("patience", 1)):
            value = getattr(self, name)
            check_setting(name, value, value is None or value >= least, f"{least} or more")
        for name in ("learning_rate", "column_share", "row_share"):
            value = getattr(self, name)
            check_setting(name, value, value is None or 0 < value <= 1, "above 0, at most 1")
        for name in ("min_events", "penalty"):
            check_setting(name, getattr(self, name), getattr(self, name) >= 0, "not negative")

    def _fit(self, matrix: Array, event: Array, time: Array) -> None:
        self.grid_ = TimeGrid.of_events(event, time, self.intervals)
        self.linear_ = self._linear(matrix, event, time)
        self.boosters_, self.rounds_ = self._boosters(matrix, event, time)
        self.baseline_ = self._baseline(matrix, event, time)

    def _params(self) -> dict[str, Any]:
        trees = Trees(
            learning_rate=self.rate_, max_depth=self.depth_, least_in_leaf=self.min_events,
            column_share=self.column_share, row_share=self.row_share, ridge=self.penalty,
            seed=self.seed, threads=self.threads_,
        )  # fmt: skip
        return ENGINES[self.engine].params(trees)

    def _linear(self, matrix: Array, event: Array, time: Array) -> LinearHazard | None:
        if self.start != "linear":
            return None
        return LinearHazard(seed=self.seed).fit(matrix, as_outcome(event, time))

    def _baseline(self, matrix: Array, event: Array, time: Array) -> Array:
        """Events a unit of time in each interval, relative to the scores of the whole model."""
        return _rates(self.grid_, event, time, np.exp(self._scores(matrix)))

    def _boosters(self, matrix: Array, event: Array, time: Array) -> tuple[list[Any], int]:
        """A booster of each fold's training part, and at how many trees held-out likelihood is best."""
        many = event.sum() >= MANY_EVENTS
        self.rate_ = self.learning_rate or (FAST if many else SLOW)
        self.depth_ = self.max_depth or SHALLOW
        at_risk = np.count_nonzero(self.grid_.exposure(time) > 0)
        self.threads_ = self.threads or threads_for(int(at_risk))
        folds = self.folds or (FEW_FOLDS if many else FOLDS)
        if event.sum() < 4 * folds or not self.rounds:
            return [], 0
        parts = [
            self._part((matrix, event, time), training, held_out)
            for training, held_out in folds_by_event(event, folds, self.seed)
        ]
        found = _Race.of(parts)
        if self.max_depth is None:
            self.depth_ = DEEP
            deeper = _Race.of(parts, found)
            if deeper.loss < found.first(len(deeper.curves)).loss:
                return deeper.boosters, deeper.rounds
            self.depth_ = SHALLOW
        return found.boosters, found.rounds

    def _part(
        self, everyone: tuple[Array, Array, Array], training: Array, held_out: Array
    ) -> Callable[[], tuple[Any, Array]]:
        """What boosts a fold's training part from a linear fit of it, with loss on the held-out part."""
        matrix, event, time = everyone
        own = matrix[training], event[training], time[training]
        left = matrix[held_out], event[held_out], time[held_out]
        linear = self._linear(*own)
        score = np.zeros(len(own[0])) if linear is None else linear.predict(own[0])
        start = linear, _rates(self.grid_, *own[1:], np.exp(score)[:, None])
        return lambda: ENGINES[self.engine].race(
            self._params(), (self._rows(*own, *start), self._rows(*left, *start)),
            self.rounds, POISSON, self.patience,
        )  # fmt: skip

    def _rows(
        self,
        matrix: Array,
        event: Array,
        time: Array,
        linear: LinearHazard | None,
        baseline: Array,
    ) -> Rows:
        """Subject-intervals at risk: features and interval, events, log of the expected number."""
        exposure = self.grid_.at_risk(event, time)
        subject, interval = np.nonzero(exposure > 0)
        score = np.zeros(len(matrix)) if linear is None else linear.predict(matrix)
        count = np.zeros(exposure.shape)
        count[np.nonzero(event)[0], self.grid_.interval_of(time[event])] = 1.0
        margin = score[subject] + np.log(
            np.maximum(exposure[subject, interval] * baseline[interval], TINY)
        )
        features = np.column_stack([_narrow(matrix)[subject], interval.astype(np.float32)])
        return Rows(features, count[subject, interval], margin)

    def _scores(self, matrix: Array) -> Array:
        """(rows, intervals): log hazard relative to the baseline."""
        count = self.grid_.count
        linear = np.zeros(len(matrix)) if self.linear_ is None else self.linear_.predict(matrix)
        added = np.zeros((len(matrix), count))
        if self.rounds_:
            narrow = _narrow(matrix)
            for interval in range(count):
                place = np.full((len(narrow), 1), interval, dtype=np.float32)
                features = np.hstack([narrow, place])
                added[:, interval] = np.mean(
                    [self._added(one, features) for one in self.boosters_], axis=0
                )
        return linear[:, None] + added

    def _added(self, booster: Any, features: Array) -> Array:
        """What the trees of a booster add to the log hazard."""
        return ENGINES[self.engine].added(booster, features, self.threads_, self.rounds_)

    def _hazard(self, matrix: Array) -> Array:
        return np.exp(np.clip(self._scores(matrix), -30, 30)) * self.baseline_

    def _risk(self, matrix: Array) -> Array:
        """Log of the cumulative hazard at the end of the grid."""
        return np.log((self._hazard(matrix) * np.diff(self.grid_.edges)).sum(axis=1) + TINY)


@dataclass(frozen=True)
class _Race:
    """Boosters of the folds and how they did.

    Attributes:
        boosters: one a fold.
        curves: of each, held-out loss before the first tree and after each.
    """

    boosters: list[Any]
    curves: list[Array]

    @classmethod
    def of(
        cls,
        parts: list[Callable[[], tuple[Any, Array]]],
        rival: "_Race | None" = None,
    ) -> "_Race":
        """Fold after fold, given up once a rival is no worse on those so far."""
        race = cls([], [])
        for part in parts:
            booster, curve = part()
            race.boosters.append(booster)
            race.curves.append(curve)
            if rival is not None and race.loss >= rival.first(len(race.curves)).loss:
                break
        return race

    def first(self, count: int) -> "_Race":
        """Its first folds alone."""
        return _Race(self.boosters[:count], self.curves[:count])

    @property
    def mean(self) -> Array:
        """Over the folds, up to as many trees as all have."""
        shared = min(len(curve) for curve in self.curves)
        return np.mean([curve[:shared] for curve in self.curves], axis=0)

    @property
    def rounds(self) -> int:
        """Trees with the least mean loss."""
        return int(np.argmin(self.mean))

    @property
    def loss(self) -> float:
        """With so many trees."""
        return float(self.mean.min())


def _narrow(matrix: Array) -> Array:
    """As the engines keep numbers, none of them infinite."""
    limit = float(np.finfo(np.float32).max)
    return np.clip(matrix, -limit, limit).astype(np.float32)


def _rates(grid: TimeGrid, event: Array, time: Array, relative: Array) -> Array:
    """(intervals,): events a unit of time at risk, each subject's time weighed by its relative hazard.

    A tenth of an event at the mean rate beside those of each interval: one without time at risk has the mean.
    """
    deaths = np.bincount(grid.interval_of(time[event]), minlength=grid.count)
    at_risk = (grid.at_risk(event, time) * relative).sum(axis=0)
    usual = max(deaths.sum(), 0.1) / at_risk.sum()
    return (deaths + 0.1) / (at_risk + 0.1 / usual)
