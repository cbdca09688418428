"""MLflow: where runs, models and artifacts live. Imported late, for it takes seconds."""

import os
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import dagster as dg

from ris_assets.resources.databases import databases, sqlalchemy_url
from ris_assets.settings import get_settings

_NOTE = "mlflow.note.content"


class MlflowResource(dg.ConfigurableResource[Any]):
    """The tracking store and registry. Without configuration: the MLflow database, files in RIS_HOME."""

    tracking_uri: str | None = None
    artifact_root: str | None = None

    @property
    def uri(self) -> str:
        """The tracking URI; it may hold a password."""
        return self.tracking_uri or sqlalchemy_url(databases(get_settings()).mlflow)

    @property
    def artifacts(self) -> str:
        """Where artifacts are kept, as a URI."""
        return self.artifact_root or artifact_folder().as_uri()

    def activate(self) -> ModuleType:
        """The mlflow module, pointed at this store, with telemetry off."""
        os.environ.update(mlflow_environment())
        import mlflow
        from mlflow.utils.logging_utils import disable_logging

        disable_logging()  # its notes on every model would bury the progress bars
        warnings.filterwarnings("ignore", module="mlflow")
        mlflow.set_tracking_uri(self.uri)
        mlflow.set_registry_uri(self.uri)
        return mlflow

    def ensure_experiment(self, name: str, about: str) -> str:
        """The id of an experiment whose artifacts lie in this store's folder; `about` stands above its runs."""
        mlflow = self.activate()
        found = mlflow.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        folder, tags = f"{self.artifacts}/{name}", {_NOTE: about}
        return str(mlflow.create_experiment(name, artifact_location=folder, tags=tags))


def artifact_folder() -> Path:
    """RIS_HOME/mlflow/artifacts."""
    folder = get_settings().home / "mlflow" / "artifacts"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def mlflow_environment() -> dict[str, str]:
    """Nothing is sent anywhere; no progress bars in logs."""
    return {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_LOGGING_LEVEL": "WARNING",
    }
