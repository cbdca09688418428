"""Entry file of a logged survival model: MLflow runs it to build the model from its artifacts."""

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import polars as pl
from mlflow.pyfunc import PythonModel

from ris_assets.models.hazard_families import load_hazard

HORIZONS = (4, 8, 12, 26, 52)


class LoggedSurvival(PythonModel):
    """A plain frame of snapshot columns in, survival by weeks ahead and expected weeks left out."""

    def load_context(self, context: Any) -> None:
        """Read the native files."""
        self.model = load_hazard(Path(context.artifacts["model"]))

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """survived_4w .. survived_52w, expected_weeks_left, rows of `model_input` (pandas)."""
        frame = pl.from_pandas(model_input)
        curve = self.model.predict_survival(frame, HORIZONS)
        columns = {f"survived_{week}w": curve[:, i] for i, week in enumerate(HORIZONS)}
        columns["expected_weeks_left"] = self.model.expected_weeks(frame)
        return pl.DataFrame(columns).to_pandas()


mlflow.models.set_model(LoggedSurvival())
