"""LightGBM for renewal: few leaves, native missing values, a fixed number of rounds."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from ris_assets.models.protocol import Array, Fold, Range

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

    SPACE: ClassVar[Mapping[str, Range]] = {
        "num_leaves": Range(4, 24, is_whole=True),
        "max_depth": Range(2, 5, is_whole=True),
        "learning_rate": Range(0.01, 0.1, is_log=True),
        "rounds": Range(100, 600, is_whole=True),
        "feature_fraction": Range(0.2, 0.8),
        "min_sum_hessian_in_leaf": Range(1, 30, is_log=True),
        "lambda_l2": Range(1, 100, is_log=True),
    }

    def __init__(
        self,
        settings: Mapping[str, float] | None = None,
        booster: "lightgbm.Booster | None" = None,
    ) -> None:
        """Settings other than `PARAMS` and `ROUNDS`; a booster that was read back."""
        self.settings = dict(settings or {})
        self.booster = booster

    def fit(self, training: Fold) -> Self:
        """Boost."""
        import lightgbm

        rows = lightgbm.Dataset(training.matrix, label=training.target, weight=training.weight)
        own = PARAMS | self.settings
        self.booster = lightgbm.train(own, rows, int(own.pop("rounds", ROUNDS)))
        return self

    def predict(self, matrix: Array) -> Array:
        """Probabilities, one a row."""
        return np.asarray(self._fitted.predict(matrix), dtype=float)

    def importance(self) -> Array:
        """Total gain of each matrix column."""
        return np.asarray(self._fitted.feature_importance("gain"), dtype=float)

    def contributions(self, matrix: Array) -> Array:
        """(rows, columns): what each column adds to the log odds (TreeSHAP)."""
        return np.asarray(self._fitted.predict(matrix, pred_contrib=True), dtype=float)[:, :-1]

    def params(self) -> dict[str, float | int | str]:
        """Settings worth logging."""
        return PARAMS | self.settings | {"rounds": self._fitted.num_trees()}

    def save(self, folder: Path) -> None:
        """Write the booster as text."""
        self._fitted.save_model(folder / FILE)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the booster."""
        import lightgbm

        return cls(booster=lightgbm.Booster(model_file=folder / FILE))

    @property
    def _fitted(self) -> "lightgbm.Booster":
        if self.booster is None:
            raise ValueError("the LightGBM model is not fitted yet")
        return self.booster
