"""What anyone would say of a spell: the share lost where a pass runs out, and in the weeks between.

The curves that score while no hazard is better: of all members, or by how many weeks in a row they have come.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl

from ris_assets.models.hazard import HazardModel, Scores
from ris_assets.models.protocol import Array
from ris_assets.models.rule_renewal import EDGES, FEATURE, PRIOR_PASSES, streak_bins
from ris_assets.models.week_clock import CLOCK, blind, ends_in_week, log_exposure

ENDS = CLOCK.index("ends_this_week")


@dataclass
class BaseRateWeeks(HazardModel):
    """One hazard for the weeks in which a pass runs out, one for those between, the same for everyone.

    Attributes:
        hazards: (2, 2, bins): of a week at whose start it is known who has renewed already, and of weeks further
            ahead; between ends and at them.
    """

    family: ClassVar[str] = "hazard_base_rate"
    BINS: ClassVar[int] = 1
    hazards: Array = field(default_factory=lambda: np.empty(0))

    def fit(self, training: pl.DataFrame, validation: pl.DataFrame) -> Self:
        """Count in `training`, which may hold `validation` as well."""
        bins = self._bins(training)
        sides = training, blind(training)
        self.hazards = np.stack([_hazards(weeks, bins, self.BINS) for weeks in sides])
        return self

    def scores(self, frame: pl.DataFrame) -> Scores:
        """Log hazards of members, for any clock."""
        bins = self._bins(frame)

        def score(clock: Array, step: int) -> Array:
            ends = clock[:, ENDS].astype(int)
            return np.log(self.hazards[min(step, 1), ends, bins])

        return score

    def importance(self) -> dict[str, float]:
        """The columns that part members: none, or the one."""
        return self.features.by_feature(np.ones(len(self.features.names)))

    def _bins(self, frame: pl.DataFrame) -> Array:
        """(rows,): into which share each member falls."""
        return np.zeros(frame.height, dtype=int)

    def _to_json(self, folder: Path) -> dict[str, Any]:
        return {"hazards": self.hazards.tolist()}

    def _from_json(self, data: Mapping, folder: Path) -> None:
        self.hazards = np.array(data["hazards"])


@dataclass
class RuleWeeks(BaseRateWeeks):
    """Where a pass runs out the share by weeks in a row, drawn towards that of all; unknown is a bin of its own."""

    family: ClassVar[str] = "hazard_rule"
    BINS: ClassVar[int] = len(EDGES) + 2

    def _bins(self, frame: pl.DataFrame) -> Array:
        return streak_bins(frame[FEATURE].cast(pl.Float64).fill_null(np.nan).to_numpy())


def _hazards(weeks: pl.DataFrame, bins: Array, size: int) -> Array:
    """(2, bins): events a week at risk, between ends and at them, there each bin drawn towards the share of all."""
    event = weeks["event"].cast(pl.Float64).to_numpy()
    exposure, ends = np.exp(log_exposure(weeks)), ends_in_week(weeks)
    # Half an event in a week more: the share is never none, and never all.
    between = (event[~ends].sum() + 0.5) / (exposure[~ends].sum() + 1)
    share = (event[ends].sum() + 0.5) / (ends.sum() + 1)
    hits = np.bincount(bins[ends], weights=event[ends], minlength=size) + PRIOR_PASSES * share
    shares = hits / (np.bincount(bins[ends], minlength=size) + PRIOR_PASSES)
    return np.stack([np.full(size, between), -np.log1p(-shares)])
