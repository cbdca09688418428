"""What every estimator must offer, so that the rest of RIS need not know which family it is."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol, Self

import numpy as np
import polars as pl

Array = np.ndarray
RENEWAL_HORIZONS = (30, 60, 90)
"""Days after the end of a pass within which a renewal counts."""


@dataclass(frozen=True)
class Fold:
    """Encoded rows: matrix (rows, columns) float32 with NaN, target 0/1, weight."""

    matrix: Array
    target: Array
    weight: Array


class RenewalEstimator(Protocol):
    """P(renewal within 30 days) from an encoded matrix; uncalibrated."""

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


class SurvivalEstimator(Protocol):
    """How long a spell goes on, from snapshot rows."""

    family: ClassVar[str]

    def predict_survival(self, frame: pl.DataFrame, horizons: tuple[int, ...]) -> Array:
        """P(still in the spell after h weeks), (rows, len(horizons)), not rising along a row."""
