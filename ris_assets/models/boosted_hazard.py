"""Boosted hazard: trees on top of the linear one, over time intervals with partial exposure.

What the trees add is learned as Poisson counts (XGBoost or LightGBM), starting from the linear log hazard: where
there is nothing to add, cross-validation stops them at once and the linear model stands.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from ris_assets.models.boosting import ENGINES, POISSON, EngineName, Rows, Trees, threads_for
from ris_assets.models.linear_hazard import LinearHazard, standardised
from ris_assets.models.survival_api import (
    Array,
    RandomState,
    SurvivalEstimator,
    as_outcome,
    check_setting,
    folds_by_event,
    is_random_state,
    not_negative,
    optional,
    seed_of,
    whole,
)
from ris_assets.models.time_grid import Exposure, Outcomes, TimeGrid

TINY = 1e-12
MANY_EVENTS = 2000
"""From so many on fewer folds and larger steps: on 10^5 simulated person-weeks a quarter of the time, the integrated
Brier score the same within 0.0005."""
SLOW, FAST, FOLDS, FEW_FOLDS = 0.05, 0.1, 5, 3
SHALLOW, DEEP = 3, 5
LEAST_WIDE, SUBJECTS_A_COLUMN = 500, 10
"""Trees look at so many columns at least, and at one for so many subjects: histograms of thousands cost minutes."""
STARTS = ("linear", "baseline")


class BoostedHazard(SurvivalEstimator):
    """log hazard(t | x) = linear(x, t) + trees(x, t).

    Args:
        engine: "xgboost" or "lightgbm".
        intervals: of time, for the trees; the baseline parts moments that many events share from the time before.
        start: what the trees start from: "linear", or "baseline" alone.
        rounds: most trees; cross-validation chooses how many.
        learning_rate, max_depth, min_events, column_share, row_share, penalty: of the trees; `min_events` is the
            least expected number of events in a leaf. A rate of None is 0.05, and 0.1 from `MANY_EVENTS` events on.
            A depth of None is 3, or 5 where held-out likelihood is better with it.
        max_columns: most that the trees look at; of more, those that by themselves tell most in the training part of
            their fold. None is one for ten subjects, but 500. The linear hazard looks at all.
        folds, patience: of the choice of rounds. Folds of None are 5, and 3 from `MANY_EVENTS` events on.
        random_state: of folds and trees.
        n_jobs: threads of the engine, -1 as many as there are cores. None is 1, and 2 from `boosting.MANY_ROWS`
            subject-intervals on.

    Attributes:
        rounds_: trees in use of each booster.
        rate_, depth_, threads_, seed_: in use.
        periods_: the intervals of the trees; those of `grid_` lie within them.
        boosters_: one a fold; what they add is averaged.
        columns_: of each booster, the columns that it looks at.
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
        max_columns: int | None = None,
        folds: int | None = None,
        patience: int = 25,
        random_state: RandomState = 0,
        n_jobs: int | None = None,
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
        self.max_columns = max_columns
        self.folds = folds
        self.patience = patience
        self.random_state = random_state
        self.n_jobs = n_jobs

    def _check_settings(self) -> None:
        check_setting(self, "engine", lambda it: it in ENGINES, "'xgboost' or 'lightgbm'")
        check_setting(self, "start", lambda it: it in STARTS, "'linear' or 'baseline'")
        check_setting(self, "rounds", whole(0), "0 or more, whole")
        check_setting(self, "intervals patience", whole(1), "1 or more, whole")
        check_setting(
            self, "max_depth max_columns", optional(whole(1)), "None, or 1 or more, whole"
        )
        check_setting(self, "folds", optional(whole(2)), "None, or 2 or more, whole")
        check_setting(self, "n_jobs", _is_threads, "None, -1, or 1 and more, whole")
        check_setting(self, "column_share row_share", _is_share, "above 0, at most 1")
        check_setting(self, "learning_rate", optional(_is_share), "None, or above 0, at most 1")
        check_setting(self, "min_events penalty", not_negative, "finite and not negative")
        check_setting(
            self, "random_state", is_random_state, "None, a RandomState or a seed from 0 on"
        )

    def _fit(self, matrix: Array, outcomes: Outcomes) -> None:
        self.seed_ = seed_of(self.random_state)
        self.periods_ = TimeGrid.of_events(outcomes, self.intervals)
        self.grid_ = self.periods_.parted(outcomes)
        self.linear_ = self._linear(matrix, outcomes)
        trees, self.rounds_ = self._boosters(matrix, outcomes)
        self.boosters_ = [one.booster for one in trees]
        self.columns_ = [one.columns for one in trees]
        self.baseline_ = self._baseline(outcomes, np.exp(self._scores(matrix)))

    def _params(self) -> dict[str, Any]:
        trees = Trees(
            learning_rate=self.rate_, max_depth=self.depth_, least_in_leaf=self.min_events,
            column_share=self.column_share, row_share=self.row_share, ridge=self.penalty,
            seed=self.seed_, threads=self.threads_,
        )  # fmt: skip
        return ENGINES[self.engine].params(trees)

    def _linear(self, matrix: Array, outcomes: Outcomes) -> LinearHazard | None:
        if self.start != "linear":
            return None
        y = as_outcome(outcomes.event, outcomes.time)
        return LinearHazard(random_state=self.seed_).fit(matrix, y, outcomes.weight)

    def _baseline(self, outcomes: Outcomes, relative: Array) -> Array:
        """Events a unit of time in each interval of the grid, relative to (subjects, periods) hazards."""
        return _rates(self.grid_, outcomes, relative)[np.arange(self.grid_.count), self._period()]

    def _period(self) -> Array:
        """(intervals,): the period of the trees that each interval of the grid lies in."""
        return self.periods_.interval_of(self.grid_.edges[1:])

    def _boosters(self, matrix: Array, outcomes: Outcomes) -> tuple[list["_Booster"], int]:
        """A booster of each fold's training part, and at how many trees held-out likelihood is best."""
        event = outcomes.event
        many = event.sum() >= MANY_EVENTS
        self.rate_ = self.learning_rate or (FAST if many else SLOW)
        self.depth_ = self.max_depth or SHALLOW
        at_risk = np.count_nonzero(self.periods_.exposure(outcomes.time) > 0)
        self.threads_ = self.n_jobs or threads_for(int(at_risk))
        folds = self.folds or (FEW_FOLDS if many else FOLDS)
        if event.sum() < 4 * folds or not self.rounds:
            return [], 0
        parts = [
            self._part(matrix, outcomes, training, held_out)
            for training, held_out in folds_by_event(event, folds, self.seed_)
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
        self, matrix: Array, outcomes: Outcomes, training: Array, held_out: Array
    ) -> Callable[[], tuple["_Booster", Array]]:
        """What boosts a fold's training part from a linear fit of it, with loss on the held-out part."""
        own, left = outcomes.those(training), outcomes.those(held_out)
        columns = self._telling(matrix[training], own)
        linear = self._linear(matrix[training], own)
        score = np.zeros(len(matrix)) if linear is None else linear.predict(matrix)
        alike = np.repeat(np.exp(score[training])[:, None], self.periods_.count, axis=1)
        baseline = self._baseline(own, alike)

        def boosted() -> tuple[_Booster, Array]:
            booster, curve = ENGINES[self.engine].race(
                self._params(),
                (self._rows(matrix[training][:, columns], own, score[training], baseline),
                 self._rows(matrix[held_out][:, columns], left, score[held_out], baseline)),
                self.rounds, POISSON, self.patience,
            )  # fmt: skip
            return _Booster(booster, columns), curve

        return boosted

    def _telling(self, matrix: Array, outcomes: Outcomes) -> Array:
        """The columns that the trees look at: all, or those with the largest scores in a test of each alone.

        A score is the correlation with who had the event beyond what was to be expected of everyone (Fan and Lv 2008
        call it sure independence screening).
        """
        count = matrix.shape[1]
        most = self.max_columns or max(LEAST_WIDE, len(matrix) // SUBJECTS_A_COLUMN)
        if count <= most:
            return np.arange(count)
        rates = _rates(self.grid_, outcomes, np.ones((len(matrix), 1)))[:, 0]
        expected = Exposure(self.grid_, self.grid_.at_risk(outcomes)).along(rates)
        surprise = outcomes.weight * (outcomes.event - expected)
        score = np.abs(surprise @ standardised(matrix, outcomes.weight))
        return np.sort(np.argsort(-score, kind="stable")[:most])

    def _rows(self, matrix: Array, outcomes: Outcomes, score: Array, baseline: Array) -> Rows:
        """Subject-periods at risk: features and period, events, log of the expected number."""
        event, time = outcomes.event, outcomes.time
        at_risk = self.grid_.at_risk(outcomes)
        subject, period = np.nonzero(self.periods_.exposure(at_risk) > 0)
        count = np.zeros((len(matrix), self.periods_.count))
        count[np.nonzero(event)[0], self.periods_.interval_of(time[event])] = 1.0
        margin = score[subject] + np.log(
            np.maximum(self._expected(at_risk, baseline)[subject, period], TINY)
        )
        features = np.column_stack([_narrow(matrix)[subject], period.astype(np.float32)])
        return Rows(features, count[subject, period], margin, outcomes.weight[subject])

    def _expected(self, time: Array, baseline: Array) -> Array:
        """(subjects, periods): cumulative baseline hazard of times at risk in each."""
        ends, reached = (
            Exposure(self.grid_, at).along(baseline) for at in (self.periods_.edges, time)
        )
        return TimeGrid(ends).exposure(reached)

    def _scores(self, matrix: Array) -> Array:
        """(rows, periods): log hazard relative to the baseline."""
        count = self.periods_.count
        linear = np.zeros(len(matrix)) if self.linear_ is None else self.linear_.predict(matrix)
        added = np.zeros((len(matrix), count))
        if self.rounds_:
            narrow = _narrow(matrix)
            for booster, columns in zip(self.boosters_, self.columns_, strict=True):
                seen = narrow[:, columns]
                for period in range(count):
                    place = np.full((len(narrow), 1), period, dtype=np.float32)
                    added[:, period] += self._added(booster, np.hstack([seen, place]))
            added /= len(self.boosters_)
        return linear[:, None] + added

    def _added(self, booster: Any, features: Array) -> Array:
        """What the trees of a booster add to the log hazard."""
        return ENGINES[self.engine].added(booster, features, self.threads_, self.rounds_)

    def _hazard(self, matrix: Array) -> Array:
        relative = np.exp(np.clip(self._scores(matrix), -30, 30))
        return relative[:, self._period()] * self.baseline_

    def _risk(self, matrix: Array) -> Array:
        """Log of the cumulative hazard at the end of the grid."""
        return np.log((self._hazard(matrix) * np.diff(self.grid_.edges)).sum(axis=1) + TINY)


@dataclass(frozen=True)
class _Booster:
    """Trees of one fold and the columns of the matrix that they look at."""

    booster: Any
    columns: Array


@dataclass(frozen=True)
class _Race:
    """Boosters of the folds and how they did.

    Attributes:
        boosters: one a fold.
        curves: of each, held-out loss before the first tree and after each.
    """

    boosters: list[_Booster]
    curves: list[Array]

    @classmethod
    def of(
        cls,
        parts: list[Callable[[], tuple[_Booster, Array]]],
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


def _is_threads(value: int | None) -> bool:
    return value in (None, -1) or whole(1)(value)


def _is_share(value: float) -> bool:
    return 0 < value <= 1


def _narrow(matrix: Array) -> Array:
    """As the engines keep numbers, none of them infinite."""
    limit = float(np.finfo(np.float32).max)
    return np.clip(matrix, -limit, limit).astype(np.float32)


def _rates(grid: TimeGrid, outcomes: Outcomes, relative: Array) -> Array:
    """(intervals, columns): events a unit of time at risk, each subject's time weighed by a column of relative hazards.

    A tenth of a subject with the mean rate beside those of each interval: one without time at risk has the mean.
    """
    exposure = Exposure(grid, grid.at_risk(outcomes))
    at_risk = exposure.totals(outcomes.weight[:, None] * relative)
    made_up = 0.1 * exposure.width[:, None]
    deaths = grid.events(outcomes)[:, None]
    usual = np.maximum(deaths.sum(), 0.1) / at_risk.sum(axis=0)
    return (deaths + made_up * usual) / (at_risk + made_up)
