"""The base rate as a model: what scores while no challenger is better."""

import json
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from ris_assets.models.protocol import Array, Fold

FILE = "base_rate.json"


class BaseRateRenewal:
    """The share of passes that were renewed before, said of everyone."""

    family: ClassVar[str] = "base_rate"

    def __init__(self, share: float = 0.5, columns: int = 0) -> None:
        """A share that was read back, and how many columns the matrix has."""
        self.share = share
        self.columns = columns

    def fit(self, training: Fold) -> Self:
        """Count."""
        self.share = float(np.average(training.target, weights=training.weight))
        self.columns = training.matrix.shape[1]
        return self

    def predict(self, matrix: Array) -> Array:
        """The share, once a row."""
        return np.full(len(matrix), self.share)

    def importance(self) -> Array:
        """No column matters."""
        return np.zeros(self.columns)

    def params(self) -> dict[str, float | int | str]:
        """Settings worth logging."""
        return {"share": self.share}

    def save(self, folder: Path) -> None:
        """Write one JSON."""
        data = {"share": self.share, "columns": self.columns}
        (folder / FILE).write_text(json.dumps(data), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        return cls(**json.loads((folder / FILE).read_text(encoding="utf-8")))
