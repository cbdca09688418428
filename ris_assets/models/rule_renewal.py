"""A rule of thumb as a model: the share that renewed before, by how many weeks in a row the member has come."""

import json
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from ris_assets.models.protocol import Array, Fold

FILE = "rule.json"
FEATURE = "visit_streak_weeks"
EDGES = (0.5, 2.5, 6.5)
"""Bins of the rule of thumb, which models have to beat as well: who has come every week lately renews."""
PRIOR_PASSES = 10.0
"""Passes that the share of all counts for in each bin."""


class RuleRenewal:
    """Shares by bin of one column, drawn towards the share of all; unknown values are a bin of their own.

    Attributes:
        shares, passes: by bin: weeks in a row 0, 1-2, 3-6, 7 and more, unknown.
        independent: by bin, how many passes the interval of a share rests on (`Fold.independent`).
    """

    family: ClassVar[str] = "rule"

    def __init__(
        self,
        shares: list[float] | None = None,
        passes: list[float] | None = None,
        independent: list[float] | None = None,
    ) -> None:
        """Unfitted, or shares and weights that were read back."""
        self.shares = np.asarray([0.5] * (len(EDGES) + 2) if shares is None else shares)
        self.passes = np.asarray([0.0] * (len(EDGES) + 2) if passes is None else passes)
        self.independent = self.passes if independent is None else np.asarray(independent)

    def fit(self, training: Fold) -> Self:
        """Count by bin."""
        bins, size = streak_bins(training.matrix[:, 0]), len(EDGES) + 2
        whole = float(training.weight.sum())
        base = (float(training.target @ training.weight) + 1) / (whole + 2)
        hits = np.bincount(bins, weights=training.target * training.weight, minlength=size)
        self.passes = np.bincount(bins, weights=training.weight, minlength=size) + PRIOR_PASSES
        self.shares = (hits + PRIOR_PASSES * base) / self.passes
        seen = [training.independent(bins == place) for place in range(size)]
        self.independent = np.array(seen) + PRIOR_PASSES
        return self

    def predict(self, matrix: Array) -> Array:
        """The share of each row's bin."""
        return self.shares[streak_bins(matrix[:, 0])]

    def interval(self, matrix: Array, level: float = 0.95) -> tuple[Array, Array]:
        """Bounds of the share of each row's bin (beta posterior)."""
        from scipy.stats import beta

        tail = (1 - level) / 2
        hits, misses = self.independent * self.shares, self.independent * (1 - self.shares)
        bins = streak_bins(matrix[:, 0])
        low = beta.ppf(tail, hits + 1e-9, misses + 1e-9)
        high = beta.ppf(1 - tail, hits + 1e-9, misses + 1e-9)
        return low[bins], high[bins]

    def importance(self) -> Array:
        """The one column."""
        return np.ones(1)

    def params(self) -> dict[str, float | int | str]:
        """Settings worth logging."""
        return {"feature": FEATURE, "prior_passes": PRIOR_PASSES}

    def save(self, folder: Path) -> None:
        """Write one JSON."""
        columns = ("shares", "passes", "independent")
        data = {name: getattr(self, name).tolist() for name in columns}
        (folder / FILE).write_text(json.dumps(data), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        return cls(**json.loads((folder / FILE).read_text(encoding="utf-8")))


def streak_bins(weeks: Array) -> Array:
    """The bin of each number of weeks in a row; NaN is the last."""
    known = np.searchsorted(np.asarray(EDGES), weeks, side="right")
    return np.where(np.isnan(weeks), len(EDGES) + 1, known)
