"""What every estimator must offer, so that the rest of RIS need not know which family it is."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol, Self, runtime_checkable

import numpy as np

Array = np.ndarray
RENEWAL_HORIZONS = (30, 60, 90)
"""Days after the end of a pass within which a renewal counts."""


@dataclass(frozen=True)
class Fold:
    """Encoded rows: matrix (rows, columns) float32 with NaN, target 0/1, weight; whose each row is, where known."""

    matrix: Array
    target: Array
    weight: Array
    members: Array | None = None

    def independent(self, rows: Array | slice = slice(None)) -> float:
        """How many of the passes of some rows say something of their own: no more than there are members.

        A member's passes are alike, so that a share is not known better for their number.
        """
        passes = float(self.weight[rows].sum())
        return passes if self.members is None else min(passes, len(np.unique(self.members[rows])))


class RenewalEstimator(Protocol):
    """P(renewal within 30 days) from an encoded matrix; uncalibrated.

    A family whose settings can be searched names them in `SPACE`, name -> `Range`, and takes them as the first
    argument of its constructor.
    """

    family: ClassVar[str]

    def fit(self, training: Fold) -> Self:
        """Fit anew; the same rows give the same model."""

    def predict(self, matrix: Array) -> Array:
        """Probabilities, one a row."""

    def importance(self) -> Array:
        """How much predictions depend on each matrix column, not negative, any scale."""

    def params(self) -> dict[str, float | int | str]:
        """Settings worth logging."""

    def save(self, folder: Path) -> None:
        """Write native files, no pickle."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""


@runtime_checkable
class WithInterval(Protocol):
    """An estimator that says how sure it is."""

    def interval(self, matrix: Array) -> tuple[Array, Array]:
        """95% bounds of the probabilities."""


@runtime_checkable
class Explained(Protocol):
    """An estimator that takes its log odds apart; of no more than `MOST_EXPLAINED` rows where it names a number."""

    def contributions(self, matrix: Array) -> Array:
        """(rows, columns): what each column adds to the log odds, beside its mean."""


@dataclass(frozen=True)
class Range:
    """Where a setting may lie: bounds, on a logarithmic scale or not, whole numbers or not."""

    low: float
    high: float
    is_log: bool = False
    is_whole: bool = False
