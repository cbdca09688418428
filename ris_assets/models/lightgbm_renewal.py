"""LightGBM for renewal: few leaves, native missing values, a fixed number of rounds."""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from ris_assets.models.protocol import Array, Fold

if TYPE_CHECKING:
    import lightgbm

FILE = "lightgbm.txt"
ROUNDS = 350
PARAMS: dict[str, float | int | str] = {
    "objective": "binary",
    "learning_rate": 0.03,
    "num_leaves": 8,
    "max_depth": 3,
    "min_sum_hessian_in_leaf": 4.0,
    "min_data_in_leaf": 20,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "feature_fraction": 0.5,
    "lambda_l2": 10.0,
    "max_bin": 127,
    "seed": 7,
    "num_threads": 2,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}


class LightgbmRenewal:
    """Boosted trees on the encoded matrix."""

    family: ClassVar[str] = "lightgbm"

    def __init__(self, booster: "lightgbm.Booster | None" = None) -> None:
        """An unfitted model, or one around a booster that was read back."""
        self.booster = booster

    def fit(self, training: Fold) -> Self:
        """Boost."""
        import lightgbm

        rows = lightgbm.Dataset(training.matrix, label=training.target, weight=training.weight)
        self.booster = lightgbm.train(PARAMS, rows, ROUNDS)
        return self

    def predict(self, matrix: Array) -> Array:
        """Probabilities, one a row."""
        return np.asarray(self._fitted.predict(matrix), dtype=float)

    def importance(self) -> Array:
        """Total gain of each matrix column."""
        return np.asarray(self._fitted.feature_importance("gain"), dtype=float)

    def params(self) -> dict[str, float | int | str]:
        """Settings worth logging."""
        return PARAMS | {"rounds": self._fitted.num_trees()}

    def save(self, folder: Path) -> None:
        """Write the booster as text."""
        self._fitted.save_model(folder / FILE)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the booster."""
        import lightgbm

        return cls(lightgbm.Booster(model_file=folder / FILE))

    @property
    def _fitted(self) -> "lightgbm.Booster":
        if self.booster is None:
            raise ValueError("the LightGBM model is not fitted yet")
        return self.booster
