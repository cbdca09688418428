"""The base rate as a model: what scores while no challenger is better."""

import json
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from ris_assets.models.protocol import Array, Fold

FILE = "base_rate.json"
PRIOR_PASSES = 2.0
"""Weight of an even chance before anything is known (Laplace's rule of succession)."""


class BaseRateRenewal:
    """The share of passes that were renewed before, said of everyone, with its credible interval."""

    family: ClassVar[str] = "base_rate"

    def __init__(self, share: float = 0.5, columns: int = 0, passes: float = 0.0) -> None:
        """A share that was read back, how many columns the matrix has, how many independent passes it rests on."""
        self.share = share
        self.columns = columns
        self.passes = passes

    def fit(self, training: Fold) -> Self:
        """Count; of passes by the same members no more than there are members (`Fold.independent`)."""
        self.passes, whole = training.independent(), float(training.weight.sum())
        seen = float(training.target @ training.weight) / whole if whole else 0.0
        self.share = (self.passes * seen + PRIOR_PASSES / 2) / (self.passes + PRIOR_PASSES)
        self.columns = training.matrix.shape[1]
        return self

    def predict(self, matrix: Array) -> Array:
        """The share, once a row."""
        return np.full(len(matrix), self.share)

    def interval(self, matrix: Array, level: float = 0.95) -> tuple[Array, Array]:
        """Bounds of the share (beta posterior), once a row."""
        from scipy.stats import beta

        whole = self.passes + PRIOR_PASSES
        tail = (1 - level) / 2
        bounds = beta.ppf([tail, 1 - tail], whole * self.share, whole * (1 - self.share))
        return np.full(len(matrix), bounds[0]), np.full(len(matrix), bounds[1])

    def importance(self) -> Array:
        """No column matters."""
        return np.zeros(self.columns)

    def params(self) -> dict[str, float | int | str]:
        """Settings worth logging."""
        return {"share": self.share, "passes": self.passes}

    def save(self, folder: Path) -> None:
        """Write one JSON."""
        data = {"share": self.share, "columns": self.columns, "passes": self.passes}
        (folder / FILE).write_text(json.dumps(data), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        return cls(**json.loads((folder / FILE).read_text(encoding="utf-8")))
