"""XGBoost for renewal: shallow trees, native missing values, a fixed number of rounds."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from ris_assets.models.protocol import Array, Fold, Range

if TYPE_CHECKING:
    import xgboost

FILE = "xgboost.ubj"
ROUNDS = 350
"""Stopping by a validation window of a few hundred passes stops by chance: it cost 1.5 points of the way to
the demo studio's ceiling against this number, which is flat between 200 and 500."""
PARAMS: dict[str, float | int | str] = {
    "objective": "binary:logistic",
    "eval_metric": "logloss",
    "tree_method": "hist",
    "max_depth": 3,
    "eta": 0.03,
    "subsample": 0.7,
    "colsample_bytree": 0.5,
    "min_child_weight": 4,
    "lambda": 10.0,
    "max_bin": 128,
    "seed": 7,
    "nthread": 2,
}


class XgboostRenewal:
    """Boosted trees on the encoded matrix."""

    family: ClassVar[str] = "xgboost"
    SPACE: ClassVar[Mapping[str, Range]] = {
        "max_depth": Range(2, 5, is_whole=True),
        "eta": Range(0.01, 0.1, is_log=True),
        "rounds": Range(100, 600, is_whole=True),
        "colsample_bytree": Range(0.2, 0.8),
        "min_child_weight": Range(1, 30, is_log=True),
        "lambda": Range(1, 100, is_log=True),
    }

    def __init__(
        self,
        settings: Mapping[str, float] | None = None,
        booster: "xgboost.Booster | None" = None,
    ) -> None:
        """Settings other than `PARAMS` and `ROUNDS`; a booster that was read back."""
        self.settings = dict(settings or {})
        self.booster = booster

    def fit(self, training: Fold) -> Self:
        """Boost."""
        import xgboost

        rows = xgboost.DMatrix(training.matrix, label=training.target, weight=training.weight)
        own = PARAMS | self.settings
        self.booster = xgboost.train(own, rows, num_boost_round=int(own.pop("rounds", ROUNDS)))
        return self

    def predict(self, matrix: Array) -> Array:
        """Probabilities, one a row."""
        return self._fitted.inplace_predict(matrix, missing=np.nan).astype(float)

    def importance(self) -> Array:
        """Total gain of each matrix column."""
        gain = self._fitted.get_score(importance_type="total_gain")
        return np.array([gain.get(f"f{i}", 0.0) for i in range(self._fitted.num_features())])

    def contributions(self, matrix: Array) -> Array:
        """(rows, columns): what each column adds to the log odds (TreeSHAP)."""
        import xgboost

        rows = xgboost.DMatrix(matrix, missing=np.nan)
        return self._fitted.predict(rows, pred_contribs=True)[:, :-1].astype(float)

    def params(self) -> dict[str, float | int | str]:
        """Settings worth logging."""
        return PARAMS | self.settings | {"rounds": self._fitted.num_boosted_rounds()}

    def save(self, folder: Path) -> None:
        """Write the booster as UBJSON."""
        self._fitted.save_model(folder / FILE)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the booster."""
        import xgboost

        return cls(
            booster=xgboost.Booster({"nthread": PARAMS["nthread"]}, model_file=folder / FILE)
        )

    @property
    def _fitted(self) -> "xgboost.Booster":
        if self.booster is None:
            raise ValueError("the XGBoost model is not fitted yet")
        return self.booster
