"""Linear hazard of person-weeks: a scaled snapshot and the clock of the week, cloglog link, ridge."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import numpy as np
import polars as pl

from ris_assets.models.cloglog import fit_cloglog
from ris_assets.models.hazard import HazardModel, Scores
from ris_assets.models.protocol import Array
from ris_assets.models.scaling import centre_and_scale, signed_log
from ris_assets.models.week_clock import (
    CLOCK,
    blind,
    clock_of_weeks,
    log_exposure,
    probability_of,
)

PENALTY = 500.0
"""Of the ridge. With the 234 columns of the demo's catalogue 50 overfits (0.0589 a person-week, 500: 0.0574)."""
CLOCK_PENALTY = 0.05
FARTHEST = 5.0
"""Standard deviations beyond which a value counts as one there: a column that hardly varied in a young studio's weeks
would else decide everything when it begins to."""
PRIOR_EVENTS = 50.0
"""By which the level of the newest weeks is drawn towards that of all: they are few, and of one season. Measured on
three demo studios of 1,500 members at five cuts each: the level in the months that followed was missed by 6.0 % with
10, by 5.6 % with 50, by 5.1 % where the newest weeks counted for nothing, which no studio that changes could do with.
"""
ARRAYS = ("centre", "scale", "weights", "ahead")
AGE = CLOCK.index("log_week")
FIRST = 1 + len(CLOCK)
"""Where the matrix columns begin among the weights."""
PRIOR_CLOCK = ((0, 2, 0, 0), (0, 2, 0, 1), (1, 1.5, 1, 0), (1, 1.5, 1, 1), (1, 3, 0, 0))
PRIOR_SHARES = (0.002, 0.002, 0.4, 0.4, 0.3)
"""Made-up weeks that a model of few members starts from: ends_this_week, log_week, is_first_pass_end,
has_no_snapshot, and the share that leaves in such a week."""


@dataclass
class LinearWeeks(HazardModel):
    """score = clock b + scaled snapshot b.

    Attributes:
        penalty: of the ridge on snapshot columns.
        prior_weeks: made-up weeks of each kind in `PRIOR_CLOCK`; 0 lets the data speak alone.
        oldest: week of a spell from which on it counts as in that week: the last one seen in training, or sooner
            where it is given. At 0 no spell ages.
        centre, scale: per matrix column; a missing value stands at the centre.
        weights: intercept, clock columns, matrix columns, missing-indicators; for a week at whose
            start it is known who has renewed already.
        ahead: the same for weeks further ahead: who will have renewed by their start is not known,
            so whoever renews early counts among those at risk.
    """

    family: ClassVar[str] = "hazard"
    penalty: float = PENALTY
    prior_weeks: float = 0.0
    oldest: float = np.inf
    centre: Array = field(default_factory=lambda: np.empty(0))
    scale: Array = field(default_factory=lambda: np.empty(0))
    weights: Array = field(default_factory=lambda: np.empty(0))
    ahead: Array = field(default_factory=lambda: np.empty(0))

    def fit(self, training: pl.DataFrame, validation: pl.DataFrame) -> Self:
        """Fit on `training` person-weeks; scale the hazard so that `validation` sees its events."""
        matrix = self._matrix(training)
        self.oldest = min(self.oldest, float(cast(float, training["week_number"].max() or 0)))
        self.centre, self.scale = centre_and_scale(matrix)
        self.weights = self._fit_weights(training, matrix, validation)
        self.ahead = self._fit_weights(blind(training), matrix, blind(validation), self.weights)
        return self

    def _fit_weights(
        self,
        training: pl.DataFrame,
        matrix: Array,
        validation: pl.DataFrame,
        start: Array | None = None,
    ) -> Array:
        """Weights from training weeks, the intercept moved to the number of validation events."""
        event = training["event"].cast(pl.Float64).to_numpy()
        design, offset = self._design(matrix, clock_of_weeks(training)), log_exposure(training)
        ridge = np.full(design.shape[1], self.penalty)
        # Almost all of the hazard lies in the last week of a pass: a ridge on that contrast would spread it over
        # weeks in which nobody leaves.
        ridge[0], ridge[1:FIRST] = 1e-6, CLOCK_PENALTY
        repeat = round(self.prior_weeks)
        if repeat:
            made_up = np.zeros((len(PRIOR_CLOCK), design.shape[1]))
            made_up[:, 0], made_up[:, 1:FIRST] = 1.0, self._bounded(np.array(PRIOR_CLOCK))
            design = np.vstack([design, np.repeat(made_up, repeat, axis=0)])
            event = np.concatenate([event, np.repeat(PRIOR_SHARES, repeat)])
            offset = np.concatenate([offset, np.zeros(repeat * len(PRIOR_CLOCK))])
        weights = fit_cloglog(design, event, offset, ridge, start)
        expected = self._expected(validation, weights) + PRIOR_EVENTS
        weights[0] += np.log((float(validation["event"].sum()) + PRIOR_EVENTS) / expected)
        return weights

    def _expected(self, weeks: pl.DataFrame, weights: Array) -> float:
        """Events that the weights expect in some weeks."""
        if not weeks.height:
            return 0.0
        design = self._design(self._matrix(weeks), clock_of_weeks(weeks))
        return float(probability_of(design @ weights + log_exposure(weeks)).sum())

    def scores(self, frame: pl.DataFrame) -> Scores:
        """Log hazards of members in the state of `frame`, for any clock; tenure grows as weeks go by."""
        matrix = self._matrix(frame)
        fixed = self._design(matrix, np.zeros((frame.height, len(CLOCK))))
        states = [fixed @ weights for weights in (self.weights, self.ahead)]
        tenure = _tenure(frame)

        def score(clock: Array, step: int) -> Array:
            weights = self.ahead if step else self.weights
            grown = np.log1p(tenure + 7 * step) - np.log1p(tenure)
            ageing = self._weight_of("tenure_days", weights) * grown
            return states[min(step, 1)] + ageing + self._bounded(clock) @ weights[1:FIRST]

        return score

    def importance(self) -> dict[str, float]:
        """Catalogue feature -> share of the absolute scaled weights, the clock apart."""
        columns = len(self.features.names)
        weights = np.abs(self.weights[FIRST:])
        return self.features.by_feature(weights[:columns] + weights[columns:])

    def contributions(self, weeks: pl.DataFrame) -> Array:
        """(rows, matrix columns): what value and indicator of each add to the log hazard, beside their mean."""
        design = self._design(self._matrix(weeks), np.zeros((weeks.height, len(CLOCK))))
        values, missing = np.hsplit(design[:, FIRST:] * self.weights[FIRST:], 2)
        parts = values + missing
        return parts - parts.mean(axis=0)

    def params(self) -> dict[str, Any]:
        """Settings worth logging."""
        names = ("penalty", "prior_weeks", "oldest")
        return super().params() | {name: getattr(self, name) for name in names}

    def _to_json(self, folder: Path) -> dict[str, Any]:
        arrays = {name: getattr(self, name).tolist() for name in ARRAYS}
        oldest = self.oldest if np.isfinite(self.oldest) else None
        return {"penalty": self.penalty, "prior_weeks": self.prior_weeks, "oldest": oldest} | arrays

    def _from_json(self, data: Mapping, folder: Path) -> None:
        self.penalty, self.prior_weeks = data["penalty"], data["prior_weeks"]
        oldest = data.get("oldest")
        self.oldest = np.inf if oldest is None else oldest
        for name in ARRAYS:
            setattr(self, name, np.array(data[name]))

    def _matrix(self, frame: pl.DataFrame) -> Array:
        return signed_log(self.features.encode(frame))

    def _design(self, matrix: Array, clock: Array) -> Array:
        """(rows, 1 + clock + 2 * columns): intercept, clock, scaled matrix, missing-indicators."""
        missing = np.isnan(matrix)
        scaled = np.where(missing, 0.0, (matrix - self.centre) / self.scale)
        scaled = np.clip(scaled, -FARTHEST, FARTHEST)
        return np.hstack([np.ones((len(matrix), 1)), self._bounded(clock), scaled, missing])

    def _bounded(self, clock: Array) -> Array:
        """The clock, no spell older than `oldest`: what nobody has lived yet, a slope knows nothing of."""
        bounds = np.full(clock.shape[1], np.inf)
        bounds[AGE] = np.log1p(self.oldest)
        return np.minimum(clock, bounds)

    def _weight_of(self, column: str, weights: Array) -> float:
        """Change of the log hazard when a matrix column rises by one; 0 if it is not read."""
        names = self.features.names
        if column not in names:
            return 0.0
        place = names.index(column)
        return float(weights[FIRST + place] / self.scale[place])


def _tenure(frame: pl.DataFrame) -> Array:
    return frame["tenure_days"].cast(pl.Float64).fill_null(0.0).to_numpy()
