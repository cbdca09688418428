"""Entry file of a logged renewal model: MLflow runs it to build the model from its artifacts."""

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import polars as pl
from mlflow.pyfunc import PythonModel

from ris_assets.models.plain_frame import DAYS_TO_END, plain_columns
from ris_assets.models.renewal import RenewalModel


class LoggedRenewal(PythonModel):
    """A plain frame of snapshot columns in, P(renew) within 30, 60 and 90 days out."""

    def load_context(self, context: Any) -> None:
        """Read the native files."""
        self.model = RenewalModel.load(Path(context.artifacts["model"]))

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """p_renew_30d, p_renew_60d, p_renew_90d, rows and index of `model_input` (pandas)."""
        frame = plain_columns(pl.from_pandas(model_input), self.model.features, (DAYS_TO_END,))
        return self.model.predict(frame).to_pandas().set_index(model_input.index)


mlflow.models.set_model(LoggedRenewal())
