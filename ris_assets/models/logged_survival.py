"""Entry file of a logged survival model: MLflow runs it to build the model from its artifacts."""

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import polars as pl
from mlflow.pyfunc import PythonModel

from ris_assets.models.hazard_families import load_hazard
from ris_assets.models.plain_frame import (
    CLOCK_COLUMNS,
    CURVE_WEEKS,
    DAYS_TO_END,
    plain_columns,
)


class LoggedSurvival(PythonModel):
    """A plain frame of snapshot columns in, survival by weeks ahead and expected weeks left out."""

    def load_context(self, context: Any) -> None:
        """Read the native files."""
        self.model = load_hazard(Path(context.artifacts["model"]))

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """survived_4w .. survived_52w, expected_weeks_left, rows and index of `model_input` (pandas).

        Null where `days_to_end` is: when the pass runs out is nothing to guess.
        """
        frame = plain_columns(pl.from_pandas(model_input), self.model.features, CLOCK_COLUMNS)
        curve = self.model.predict_survival(frame, CURVE_WEEKS)
        columns = {f"survived_{week}w": curve[:, i] for i, week in enumerate(CURVE_WEEKS)}
        columns["expected_weeks_left"] = self.model.expected_weeks(frame)
        known = frame[DAYS_TO_END].is_not_null()
        told = pl.DataFrame(columns).select(pl.when(known).then(pl.all()))
        return told.to_pandas().set_index(model_input.index)


mlflow.models.set_model(LoggedSurvival())
