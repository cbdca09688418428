"""Discrete-time hazard of the end of a spell on person-weeks (Allison 1982), cloglog link.

P(spell ends in the week) = 1 - exp(-exposure * exp(x b)). Where the pass ends within the week the
renewal is decided at that end, however few days of the week it covers: exposure counts as 1 there.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl

from ris_assets.features.matrix import FeatureSet
from ris_assets.models.protocol import Array

MAX_WEEKS = 52
"""Expected weeks left are counted over the next 52 weeks (restricted mean survival time)."""
PENALTY = 500.0
"""Of the ridge. With the 234 columns of the demo's catalogue 50 overfits (0.0589 a person-week, 500: 0.0574)."""
CLOCK_PENALTY = 0.05
PRIOR_EVENTS = 10.0
CLOCK_FEATURES = ("days_to_end", "spell_weeks", "is_frozen")
"""Snapshot features that the week itself says better; they are not read from the snapshot."""
CLOCK = ("ends_this_week", "log_week", "is_first_pass_end", "has_no_snapshot")
MAX_LOG_HAZARD = 3.0
MAX_STEPS, CONVERGED, TINY = 40, 1e-4, 1e-300
FILE = "hazard.json"
ARRAYS = ("centre", "scale", "weights", "ahead")


@dataclass
class HazardModel:
    """Linear hazard: a scaled snapshot and the clock of the week.

    Attributes:
        centre, scale: per matrix column; a missing value stands at the centre.
        weights: intercept, clock columns, matrix columns, missing-indicators; for a week at whose
            start it is known who has renewed already.
        ahead: the same for weeks further ahead: who will have renewed by their start is not known,
            so whoever renews early counts among those at risk.
    """

    family: ClassVar[str] = "hazard"
    features: FeatureSet
    penalty: float = PENALTY
    centre: Array = field(default_factory=lambda: np.empty(0))
    scale: Array = field(default_factory=lambda: np.empty(0))
    weights: Array = field(default_factory=lambda: np.empty(0))
    ahead: Array = field(default_factory=lambda: np.empty(0))

    def fit(self, training: pl.DataFrame, validation: pl.DataFrame) -> "HazardModel":
        """Fit on `training` person-weeks; scale the hazard so that `validation` sees its events."""
        matrix = self._matrix(training)
        self.centre = np.nan_to_num(np.nanmean(matrix, axis=0, dtype=float))
        spread = np.nan_to_num(np.nanstd(matrix, axis=0, dtype=float))
        self.scale = np.where(spread > 1e-9, spread, 1.0)
        self.weights = self._fit_weights(training, matrix, validation)
        self.ahead = self._fit_weights(blind(training), matrix, blind(validation))
        return self

    def _fit_weights(
        self, training: pl.DataFrame, matrix: Array, validation: pl.DataFrame
    ) -> Array:
        """Weights from training weeks, the intercept moved to the number of validation events."""
        event = training["event"].cast(pl.Float64).to_numpy()
        design = self._design(matrix, clock_of_weeks(training))
        weights = _fit_cloglog(design, event, _offset(training), self.penalty)
        expected = self._hazard(validation, weights).sum() + PRIOR_EVENTS
        weights[0] += np.log((float(validation["event"].sum()) + PRIOR_EVENTS) / expected)
        return weights

    def predict_hazard(self, weeks: pl.DataFrame) -> Array:
        """P(the spell ends in the week) of person-weeks as `interval_hp` has them."""
        return self._hazard(weeks, self.weights)

    def _hazard(self, weeks: pl.DataFrame, weights: Array) -> Array:
        design = self._design(self._matrix(weeks), clock_of_weeks(weeks))
        return _probability(design @ weights + _offset(weeks))

    def predict_survival(self, frame: pl.DataFrame, horizons: tuple[int, ...]) -> Array:
        """P(still in the spell h weeks after the snapshot), (rows, len(horizons)).

        The member's state is held as it is, the clock goes on: spell and tenure age, the pass runs
        out, and after each renewal one of the same length follows.
        """
        fixed = self._design(self._matrix(frame), np.zeros((frame.height, len(CLOCK))))
        tenure = frame["tenure_days"].cast(pl.Float64).fill_null(0.0).to_numpy()
        start = frame["spell_weeks"].cast(pl.Float64).fill_null(0.0).to_numpy()
        alive, curve = np.ones(frame.height), []
        for step, (ends, first) in enumerate(_pass_ends(frame, max(horizons))):
            weights = self.ahead if step else self.weights
            grown = np.log1p(tenure + 7 * step) - np.log1p(tenure)
            ageing = self._weight_of("tenure_days", weights) * grown
            clock = _clock(ends, start + step, ends & first, np.zeros(frame.height))
            score = fixed @ weights + ageing + clock @ weights[1 : 1 + len(CLOCK)]
            alive = alive * (1 - _probability(score))
            curve.append(alive)
        return np.column_stack([curve[week - 1] for week in horizons])

    def expected_weeks(self, frame: pl.DataFrame) -> Array:
        """Sum of the survival curve over the next 52 weeks."""
        return self.predict_survival(frame, tuple(range(1, MAX_WEEKS + 1))).sum(axis=1)

    def importance(self) -> dict[str, float]:
        """Catalogue feature -> share of the absolute scaled weights, the clock apart."""
        columns = len(self.features.names)
        first = 1 + len(CLOCK)
        weights = np.abs(self.weights[first:])
        return self.features.by_feature(weights[:columns] + weights[columns:])

    def save(self, folder: Path) -> None:
        """Write one JSON."""
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {name: getattr(self, name).tolist() for name in ARRAYS}
        data = {"features": self.features.to_json(), "penalty": self.penalty, **arrays}
        (folder / FILE).write_text(json.dumps(data, indent=1, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "HazardModel":
        """Read what `save` wrote."""
        data: Mapping = json.loads((folder / FILE).read_text(encoding="utf-8"))
        arrays = (np.array(data[name]) for name in ARRAYS)
        return cls(FeatureSet.from_json(data["features"]), data["penalty"], *arrays)

    def _matrix(self, frame: pl.DataFrame) -> Array:
        """The encoded snapshot on a signed logarithmic scale: of counts and money the ratio tells."""
        matrix = self.features.encode(frame)
        return np.sign(matrix) * np.log1p(np.abs(matrix))

    def _design(self, matrix: Array, clock: Array) -> Array:
        """(rows, 1 + clock + 2 * columns): intercept, clock, scaled matrix, missing-indicators."""
        missing = np.isnan(matrix)
        scaled = np.where(missing, 0.0, (matrix - self.centre) / self.scale)
        return np.hstack([np.ones((len(matrix), 1)), clock, scaled, missing])

    def _weight_of(self, column: str, weights: Array) -> float:
        """Change of the log hazard when a matrix column rises by one; 0 if it is not read."""
        names = self.features.names
        if column not in names:
            return 0.0
        place = names.index(column)
        return float(weights[1 + len(CLOCK) + place] / self.scale[place])


def blind(weeks: pl.DataFrame) -> pl.DataFrame:
    """Person-weeks as if it were not known who has renewed already."""
    return weeks.with_columns(pl.lit(False).alias("is_already_renewed"))


def clock_of_weeks(weeks: pl.DataFrame) -> Array:
    """The clock columns of person-weeks."""
    ends = ends_in_week(weeks)
    first = weeks["pass_number"].fill_null(1).to_numpy() <= 1
    silent = weeks["as_of_date"].is_null().to_numpy()
    return _clock(ends, weeks["week_number"].cast(pl.Float64).to_numpy(), ends & first, silent)


def ends_in_week(weeks: pl.DataFrame) -> Array:
    """Whether, as known at its start, the pass runs out in the week and none follows."""
    left = weeks["days_to_end_at_start"].to_numpy()
    renewed = weeks["is_already_renewed"].fill_null(False).to_numpy()
    return (left >= 1) & (left <= 7) & ~renewed


def _clock(ends: Array, week: Array, first_end: Array, silent: Array) -> Array:
    """Clock columns in the order of `CLOCK`."""
    return np.column_stack([ends, np.log1p(np.maximum(week, 0)), first_end, silent]).astype(float)


def _pass_ends(frame: pl.DataFrame, weeks: int) -> list[tuple[Array, Array]]:
    """For each of the next weeks: does a pass end in it, and is that the member's first pass."""
    length = np.maximum(frame["pass_days"].cast(pl.Float64).fill_null(28.0).to_numpy(), 7.0)
    renewed = frame["is_already_renewed"].fill_null(False).to_numpy()
    left = frame["days_to_end"].cast(pl.Float64).to_numpy() + np.where(renewed, length, 0.0)
    number = frame["pass_number"].cast(pl.Float64).fill_null(1.0).to_numpy() + renewed
    steps = []
    for week in range(1, weeks + 1):
        ends = left <= 7 * week
        steps.append((ends, number <= 1))
        left, number = left + np.where(ends, length, 0.0), number + ends
    return steps


def _offset(weeks: pl.DataFrame) -> Array:
    """log(exposure), but 0 where the end of the pass lies in the week."""
    exposure = weeks["exposure"].to_numpy()
    return np.where(ends_in_week(weeks), 0.0, np.log(np.maximum(exposure, 1e-3)))


def _probability(log_hazard: Array) -> Array:
    """1 - exp(-exp(log hazard)), kept finite."""
    return -np.expm1(-np.exp(np.minimum(log_hazard, MAX_LOG_HAZARD)))


def _fit_cloglog(design: Array, event: Array, offset: Array, penalty: float) -> Array:
    """Ridge maximum likelihood of the complementary log-log model by Fisher scoring.

    The intercept is free and the clock is held by next to nothing: almost all of the hazard lies in
    the last week of a pass, and a ridge on that contrast would spread it over weeks in which nobody
    leaves.
    """
    ridge = np.full(design.shape[1], penalty)
    ridge[0], ridge[1 : 1 + len(CLOCK)] = 1e-6, CLOCK_PENALTY
    weights = np.zeros(design.shape[1])
    weights[0] = np.log(-np.log1p(-np.clip(event.mean(), 1e-4, 0.5)))
    value = _loss(design, event, offset, ridge, weights)
    for _ in range(MAX_STEPS):
        hazard = np.exp(np.minimum(design @ weights + offset, MAX_LOG_HAZARD))
        slope = hazard * (event / np.maximum(-np.expm1(-hazard), TINY) - 1)
        information = hazard**2 / np.maximum(np.expm1(hazard), TINY)
        gradient = slope @ design - ridge * weights
        curvature = (design * information[:, None]).T @ design + np.diag(ridge)
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
