"""Random forest for renewal: many trees of large leaves, native missing values."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from ris_assets.evaluation.calibration import logit
from ris_assets.models.forest_shap import forest_shares
from ris_assets.models.protocol import Array, Fold, Range

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestClassifier

FILE = "forest.skops"
TREES, COLUMN_SHARE, ROW_SHARE = 200, 0.2, 0.3
THREADS = 2
LEAF_SHARE = 0.002
"""Least share of the weight in a leaf: shares of fewer passes are chance."""
TRUSTED = ["numpy.dtype", "sklearn.tree._tree.Tree"]
"""What skops may build besides scikit-learn's own types."""


class ForestRenewal:
    """Trees on the encoded matrix, their leaves' shares averaged."""

    family: ClassVar[str] = "forest"
    MOST_EXPLAINED: ClassVar[int] = 1000
    """Rows that are taken apart: of deep trees it takes eight milliseconds each."""
    SPACE: ClassVar[Mapping[str, Range]] = {
        "leaf_share": Range(0.0005, 0.01, is_log=True),
        "column_share": Range(0.05, 0.6, is_log=True),
    }

    def __init__(
        self,
        settings: Mapping[str, float] | None = None,
        forest: "RandomForestClassifier | None" = None,
    ) -> None:
        """`leaf_share` and `column_share`; a forest that was read back."""
        self.settings = {"leaf_share": LEAF_SHARE, "column_share": COLUMN_SHARE, **(settings or {})}
        self.forest = forest

    def fit(self, training: Fold) -> Self:
        """Grow."""
        from sklearn.ensemble import RandomForestClassifier

        self.forest = RandomForestClassifier(
            n_estimators=TREES, max_features=self.settings["column_share"], max_samples=ROW_SHARE,
            min_weight_fraction_leaf=self.settings["leaf_share"], random_state=7, n_jobs=THREADS,
        )  # fmt: skip
        self.forest.fit(training.matrix, training.target, sample_weight=training.weight)
        return self

    def predict(self, matrix: Array) -> Array:
        """Probabilities, one a row."""
        return self._fitted.predict_proba(matrix)[:, 1]

    def importance(self) -> Array:
        """Mean decrease of impurity by column."""
        return np.asarray(self._fitted.feature_importances_)

    def contributions(self, matrix: Array) -> Array:
        """(rows, columns): what each column adds to the log odds: TreeSHAP of the share, in a row all by one factor."""
        parts = forest_shares(self._fitted, matrix, THREADS)
        mean, moved = parts[:, -1], parts[:, :-1].sum(axis=1)
        near = np.abs(moved) < 1e-6
        rise = (logit(mean + moved) - logit(mean)) / np.where(near, 1.0, moved)
        steepness = np.where(near, 1 / (mean * (1 - mean)), rise)
        return parts[:, :-1] * steepness[:, None]

    def params(self) -> dict[str, float | int | str]:
        """Settings worth logging."""
        return {"trees": TREES, "row_share": ROW_SHARE, **self.settings}

    def save(self, folder: Path) -> None:
        """Write the forest in skops format."""
        import skops.io

        skops.io.dump(self._fitted, folder / FILE)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the forest; skops builds only types that it trusts."""
        import skops.io

        return cls(forest=skops.io.load(folder / FILE, trusted=TRUSTED))

    @property
    def _fitted(self) -> "RandomForestClassifier":
        if self.forest is None:
            raise ValueError("the forest is not fitted yet")
        return self.forest
