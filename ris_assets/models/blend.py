"""The blend: logistic regression and boosted trees, averaged on the logit. They err differently."""

from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from ris_assets.evaluation.calibration import logit, sigmoid
from ris_assets.models.logistic import LogisticRenewal
from ris_assets.models.protocol import Array, Explained, Fold, RenewalEstimator
from ris_assets.models.xgboost_renewal import XgboostRenewal


class BlendRenewal:
    """Equal parts of both families."""

    family: ClassVar[str] = "blend"

    def __init__(self, parts: tuple[RenewalEstimator, ...] | None = None) -> None:
        """Unfitted parts, or parts that were read back."""
        self.parts = parts or (LogisticRenewal(), XgboostRenewal())

    def fit(self, training: Fold) -> Self:
        """Fit every part on the same rows."""
        for part in self.parts:
            part.fit(training)
        return self

    def predict(self, matrix: Array) -> Array:
        """Probabilities, one a row."""
        return sigmoid(np.mean([logit(part.predict(matrix)) for part in self.parts], axis=0))

    def importance(self) -> Array:
        """Mean of the parts' shares."""
        weights = [part.importance() for part in self.parts]
        return np.mean([weight / (weight.sum() or 1.0) for weight in weights], axis=0)

    def contributions(self, matrix: Array) -> Array:
        """(rows, columns): mean of the parts' contributions to the log odds."""
        parts = [part.contributions(matrix) for part in self.parts if isinstance(part, Explained)]
        return np.mean(parts, axis=0)

    def params(self) -> dict[str, float | int | str]:
        """Settings of the parts, each under its family's name."""
        return {
            f"{part.family}_{name}": value
            for part in self.parts
            for name, value in part.params().items()
        }

    def save(self, folder: Path) -> None:
        """Write every part beside the others: their file names differ."""
        for part in self.parts:
            part.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read every part."""
        return cls((LogisticRenewal.load(folder), XgboostRenewal.load(folder)))
