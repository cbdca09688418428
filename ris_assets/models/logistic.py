"""Logistic regression for renewal: the baseline that the others have to beat."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import polars as pl

from ris_assets.models.protocol import Array, Fold, Range
from ris_assets.models.scaling import signed_log

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

FILE = "logistic.skops"
PENALTY = 14.0
FARTHEST = 5.0
"""Standard deviations beyond which a value counts as one there. A column that hardly varied when the model was fitted
decided everything when it began to: with 10,000 members the log loss out of time was 0.504 without this bound."""
MOST_ROWS = 100_000
"""Rows to fit on, of more evenly chosen ones: the solver copies its nine hundred columns at 24 bytes a value."""
TRUSTED = ["numpy.clip", "numpy.dtype"]
"""What skops may build besides scikit-learn's own types: the bound, and the dtype that the imputer saw."""


class LogisticRenewal:
    """Mean imputation with indicators, scaling, logistic regression with an L1 penalty.

    Each column is read twice, as it is and as sign(x) log(1 + |x|): what matters of counts, days
    and money is rather their ratio, and the last days before a pass ends differ more than the
    first.
    """

    family: ClassVar[str] = "logistic"

    SPACE: ClassVar[Mapping[str, Range]] = {"penalty": Range(3, 60, is_log=True)}

    def __init__(
        self, settings: Mapping[str, float] | None = None, pipeline: "Pipeline | None" = None
    ) -> None:
        """`penalty` weighs the sum of absolute coefficients against the log loss summed over passes."""
        self.settings = dict(settings or {})
        self.penalty = float(self.settings.get("penalty", PENALTY))
        self.pipeline = pipeline

    def fit(self, training: Fold) -> Self:
        """Fit the pipeline."""
        from sklearn.impute import SimpleImputer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import FunctionTransformer, StandardScaler

        self.pipeline = make_pipeline(
            SimpleImputer(strategy="mean", add_indicator=True, keep_empty_features=True),
            StandardScaler(),
            FunctionTransformer(np.clip, kw_args={"a_min": -FARTHEST, "a_max": FARTHEST}),
            LogisticRegression(
                C=1 / self.penalty, l1_ratio=1.0, solver="liblinear", random_state=1, max_iter=200
            ),
        )
        rows = len(training.target)
        kept = np.linspace(0, rows - 1, MOST_ROWS).astype(int) if rows > MOST_ROWS else slice(None)
        weights = {"logisticregression__sample_weight": training.weight[kept]}
        self.pipeline.fit(_doubled(training.matrix[kept]), training.target[kept], **weights)
        return self

    def predict(self, matrix: Array) -> Array:
        """Probabilities, one a row."""
        return self._fitted.predict_proba(_doubled(matrix))[:, 1]

    def importance(self) -> Array:
        """Absolute coefficients of scaled columns, both readings and missing-indicators added."""
        return self._by_column(np.abs(self._fitted[-1].coef_))[0]

    def contributions(self, matrix: Array) -> Array:
        """(rows, columns): what each column adds to the log odds, beside its mean in training."""
        pipeline = self._fitted
        return self._by_column(pipeline[:-1].transform(_doubled(matrix)) * pipeline[-1].coef_)

    def coefficients(self, names: Sequence[str]) -> pl.DataFrame:
        """What the log odds of renewing gain when a column rises by a standard deviation, the largest first.

        Args:
            names: of the matrix columns.

        Returns:
            (column, reading, coefficient, odds_ratio, sign). A column is read as its value, as the log of it, and as
            missing or not; what the penalty has set to 0 is left out.
        """
        imputer, weights = self._fitted[0], self._fitted[-1].coef_[0]
        # Both readings of a column are missing at once: their indicators are one column, found twice.
        absent = [names[place % len(names)] for place in imputer.indicator_.features_]
        read = ["value"] * len(names) + ["log"] * len(names) + ["missing"] * len(absent)
        coefficient = pl.col("coefficient")
        return (
            pl.DataFrame(
                {"column": [*names, *names, *absent], "reading": read, "coefficient": weights}
            )
            .group_by("column", "reading")
            .agg(coefficient.sum())
            .filter(coefficient != 0)
            .sort(coefficient.abs(), "column", "reading", descending=[True, False, False])
            .with_columns(
                coefficient.exp().alias("odds_ratio"),
                pl.when(coefficient > 0).then(pl.lit("+")).otherwise(pl.lit("-")).alias("sign"),
            )
        )

    def _by_column(self, parts: Array) -> Array:
        """(rows, columns): both readings of a column and its missing-indicators added up."""
        imputer = self._fitted[0]
        read = imputer.n_features_in_
        totals = parts[:, :read].copy()
        for place, column in enumerate(imputer.indicator_.features_):
            totals[:, column] += parts[:, read + place]
        return totals[:, : read // 2] + totals[:, read // 2 :]

    def params(self) -> dict[str, float | int | str]:
        """Settings worth logging."""
        return {"penalty": self.penalty}

    def save(self, folder: Path) -> None:
        """Write the pipeline in skops format."""
        import skops.io

        skops.io.dump(self._fitted, folder / FILE)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the pipeline; skops builds only types that it trusts."""
        import skops.io

        pipeline = skops.io.load(folder / FILE, trusted=TRUSTED)
        return cls({"penalty": 1 / pipeline[-1].C}, pipeline)

    @property
    def _fitted(self) -> "Pipeline":
        if self.pipeline is None:
            raise ValueError("the logistic model is not fitted yet")
        return self.pipeline


def _doubled(matrix: Array) -> Array:
    """The matrix beside its signed logarithm."""
    return np.hstack([matrix, signed_log(matrix)])
