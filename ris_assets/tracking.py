"""What MLflow keeps: candidate runs, registered models, the champion. No statistics live here.

The tracking and registry addresses are set before by `resources/mlflow.py`.
"""

import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

import polars as pl
import polars.selectors as cs

from ris_assets.errors import RisError
from ris_assets.evaluation.gate import Verdict
from ris_assets.features.matrix import FeatureSet
from ris_assets.models.plain_frame import plain_columns

RENEWAL, SURVIVAL = "ris_renewal", "ris_survival"
TASKS = {
    RENEWAL: "Whether a pass is renewed within 30, 60 and 90 days of its end.",
    SURVIVAL: "How long members stay, week by week.",
}
"""What each registered model says."""
ABOUT = {name: f"{task} A run a training, one below it a family." for name, task in TASKS.items()}
"""What each experiment is for."""
CHAMPION, CHALLENGER = "champion", "challenger"
MAX_DESCRIPTION = 5000
FOLLOWS = "follows"
"""Tag of a champion: the version that was champion before it."""
ENTRY_FILES = {RENEWAL: "logged_renewal.py", SURVIVAL: "logged_survival.py"}
PACKAGES = (
    "numpy",
    "polars",
    "scikit-learn",
    "skops",
    "scipy",
    "xgboost-cpu",
    "xgboost",
    "lightgbm",
    "mlflow",
)


class Loggable(Protocol):
    """A fitted model that can be written as native files."""

    features: FeatureSet

    def save(self, folder: Path) -> None:
        """Write native files."""


@dataclass(frozen=True)
class Child:
    """A run below a candidate's: one set of settings that was tried."""

    name: str
    params: Mapping[str, Any]
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Candidate:
    """A fitted model and what is to be told of it.

    Attributes:
        example: a few snapshot rows, for the signature.
        outputs: columns that the logged model predicts, all numbers.
        extra_columns: columns that the model reads besides its features, all numbers.
        required: input columns that a frame must have; any other may be left out.
        files: name -> PNG or text, logged beside the model.
        steps: metric -> values one after the other (backtest windows).
        trials: settings tried, each a run below this one.
    """

    name: str
    family: str
    model: Loggable
    example: pl.DataFrame
    outputs: tuple[str, ...]
    extra_columns: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    steps: Mapping[str, Sequence[float]] = field(default_factory=dict)
    trials: tuple[Child, ...] = ()


UNREADABLE = (TypeError, KeyError, ValueError, ImportError, AttributeError, FileNotFoundError)
"""What reading files of another version of RIS ends in."""


class UnreadableChampionError(RisError):
    """The champion's files do not fit this version of RIS."""


@dataclass(frozen=True)
class Logged:
    """Where MLflow put a candidate."""

    run_id: str
    model_uri: str


@dataclass(frozen=True)
class Champion:
    """A registered model as loaded: the model, and where it comes from."""

    model: Any
    name: str
    version: int
    tags: Mapping[str, str]

    @property
    def fitted_through(self) -> date:
        """The last day that any of its numbers has seen; what tells later days by more is dated inside the model."""
        return date.fromisoformat(self.tags["fitted_through"])


@contextmanager
def import_path_kept() -> Iterator[None]:
    """MLflow puts the code of each model that it loads in front of the import path, for good: not in this process."""
    before = list(sys.path)
    try:
        yield
    finally:
        sys.path[:] = before


@contextmanager
def training_run(title: str, experiment_id: str, tags: Mapping[str, str]) -> Iterator[str]:
    """One MLflow run around all candidates of a training; yields its id."""
    import mlflow

    mlflow.set_experiment(experiment_id=experiment_id)
    with mlflow.start_run(run_name=title, tags=dict(tags)) as run:
        yield run.info.run_id


def log_candidate(candidate: Candidate) -> Logged:
    """Log a candidate as a nested run: params, metrics, files, and the model as native files."""
    import mlflow

    with mlflow.start_run(run_name=candidate.family, nested=True, tags=dict(candidate.tags)) as run:
        mlflow.log_params(dict(candidate.params))
        mlflow.log_metrics(dict(candidate.metrics))
        for name, values in candidate.steps.items():
            for step, value in enumerate(values):
                mlflow.log_metric(name, value, step=step)
        for name, content in candidate.files.items():
            _log_bytes(name, content)
        for trial in candidate.trials:
            with mlflow.start_run(run_name=trial.name, nested=True, tags={"kind": "trial"}):
                mlflow.log_params(dict(trial.params))
                mlflow.log_metrics(dict(trial.metrics))
        _log_dataset(candidate)
        example = typical_input(model_input(candidate)).to_pandas()
        with tempfile.TemporaryDirectory() as folder, import_path_kept():
            candidate.model.save(Path(folder) / "model")
            info = mlflow.pyfunc.log_model(
                name=candidate.name,
                python_model=str(Path(__file__).parent / "models" / ENTRY_FILES[candidate.name]),
                artifacts={"model": str(Path(folder) / "model")},
                signature=_signature(candidate),
                input_example=example,
                pip_requirements=requirements(),
                code_paths=[str(Path(__file__).parent)],
                metadata={"columns": column_kinds(candidate)},
            )
    return Logged(run.info.run_id, info.model_uri)


def _log_dataset(candidate: Candidate) -> None:
    """Which rows: their hash and columns, and one made-up row to show the types. No member's row."""
    import mlflow

    shown = typical_input(model_input(candidate)).to_pandas()
    digest = candidate.tags.get("snapshot_hash", "")[:36] or None
    name = f"{candidate.name} snapshots through {candidate.tags.get('trained_through', '?')}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of integer columns, which these are not
        dataset = mlflow.data.from_pandas(shown, source="postgresql", name=name, digest=digest)  # type: ignore[attr-defined]
        mlflow.log_input(dataset, context="training")


def log_run(
    title: str, experiment_id: str, tags: Mapping[str, str], files: Mapping[str, bytes]
) -> str:
    """A run that holds files and no model; its id."""
    with training_run(title, experiment_id, tags) as run_id:
        for name, content in files.items():
            _log_bytes(name, content)
    return run_id


def log_card(name: str, version: int, run_id: str, text: str) -> None:
    """Put a model card beside the run, and on the version as its description."""
    import mlflow

    client = mlflow.MlflowClient()
    client.log_text(run_id, text, "model_card.md")
    client.update_model_version(name, str(version), description=text[:MAX_DESCRIPTION])


def typical_input(frame: pl.DataFrame) -> pl.DataFrame:
    """One made-up row: medians and the commonest words. No member's own row leaves the database."""
    return frame.select(
        cs.numeric().median(),
        cs.string().drop_nulls().mode().sort().first(),
    ).select(frame.columns)


def model_input(candidate: Candidate) -> pl.DataFrame:
    """The example's columns that the model reads, numbers as float64, text as text."""
    return plain_columns(candidate.example, candidate.model.features, candidate.extra_columns)


def _signature(candidate: Candidate) -> Any:
    """Which columns go in, and what comes out.

    Of inputs MLflow is told no type, as with one it would refuse whole numbers, booleans and categories where it
    says number or text; `column_kinds` tells people.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import AnyType

    inputs = [
        ColSpec(AnyType(), name, required=name in candidate.required)
        for name in model_input(candidate).columns
    ]
    outputs = [ColSpec(DataType.double, name) for name in candidate.outputs]
    return ModelSignature(inputs=Schema([*inputs]), outputs=Schema([*outputs]))


def column_kinds(candidate: Candidate) -> dict[str, str]:
    """Input column -> number (a boolean is one) or text, as the logged model's metadata has it."""
    schema = model_input(candidate).schema
    return {name: "text" if kind == pl.String else "number" for name, kind in schema.items()}


def _log_bytes(name: str, content: bytes) -> None:
    """A small file of the run."""
    import mlflow

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Path(name).name
        path.write_bytes(content)
        mlflow.log_artifact(str(path), str(Path(name).parent) if "/" in name else None)


def requirements() -> list[str]:
    """The packages that a logged model needs, pinned to what is installed here."""
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package}=={version(package)}")
        except PackageNotFoundError:
            continue
    return found


def register(candidate: Candidate, logged: Logged, verdict: Verdict) -> int:
    """Make the logged model a version of its registered name; champion if the gate says so."""
    import mlflow
    from mlflow.utils.logging_utils import disable_logging

    disable_logging()  # logging the model has turned it on again
    client = mlflow.MlflowClient()
    tags = {
        **candidate.tags,
        "family": candidate.family,
        "gate": verdict.reason,
        "decision": verdict.decision,
    }
    found = mlflow.register_model(logged.model_uri, candidate.name, tags=tags)
    client.update_registered_model(candidate.name, TASKS[candidate.name])
    if verdict.is_promoted:
        _crown(candidate.name, int(found.version))
    else:
        client.set_registered_model_alias(candidate.name, CHALLENGER, found.version)
    return int(found.version)


def _crown(name: str, version: int) -> None:
    """Make a version the champion, and remember on it whom it followed."""
    import mlflow

    client = mlflow.MlflowClient()
    before = champion_version(name)
    if before is not None and before != version:
        client.set_model_version_tag(name, str(version), FOLLOWS, str(before))
    client.set_registered_model_alias(name, CHAMPION, str(version))


def rollback(name: str) -> tuple[int, int]:
    """Make the champion before the champion again; (version that was, version that is).

    Raises:
        RisError: there is no champion, or none before it that is still there.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    client = mlflow.MlflowClient()
    now = champion_version(name)
    if now is None:
        raise RisError(f"No champion of {name} in MLflow yet: there is nothing to roll back.")
    before = client.get_model_version(name, str(now)).tags.get(FOLLOWS)
    if before is None:
        raise RisError(f"Version {now} of {name} is the first champion: there is none before it.")
    try:
        client.get_model_version(name, before)
    except MlflowException as error:
        raise RisError(f"Version {before} of {name} is no longer in the registry.") from error
    client.set_registered_model_alias(name, CHAMPION, before)
    client.set_model_version_tag(name, str(now), "rolled_back_to", before)
    return now, int(before)


def champion_version(name: str) -> int | None:
    """Version of the champion of a registered name, None when there is none."""
    import mlflow
    from mlflow.exceptions import MlflowException

    try:
        return int(mlflow.MlflowClient().get_model_version_by_alias(name, CHAMPION).version)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def learned_through() -> date | None:
    """The last day that a champion in office was fitted on; None where there is none."""
    crowned = ((name, champion_version(name)) for name in (RENEWAL, SURVIVAL))
    tags = [dict(versions(name))[number] for name, number in crowned if number is not None]
    return max((date.fromisoformat(one["fitted_through"]) for one in tags), default=None)


def load_champion(name: str) -> Champion:
    """The champion of a registered name.

    Raises:
        RisError: none has been trained yet.
    """
    champion = find_champion(name)
    if champion is None:
        raise RisError(f"No champion of {name} in MLflow yet: train first with `ris train`.")
    return champion


def find_champion(name: str) -> Champion | None:
    """The champion of a registered name, or None when there is none."""
    import mlflow

    version = champion_version(name)
    if version is None:
        return None
    found = mlflow.MlflowClient().get_model_version(name, str(version))
    try:
        with import_path_kept():
            loaded = mlflow.pyfunc.load_model(f"models:/{name}/{found.version}")
    except UNREADABLE as error:
        raise UnreadableChampionError(
            f"version {version} of {name} was logged by another version of RIS and cannot be read"
            " any more: train again with `ris train`"
        ) from error
    return Champion(loaded.unwrap_python_model().model, name, int(found.version), found.tags)


def comparable_champion(name: str) -> Champion | None:
    """The champion to hold a challenger against; None where there is none, or none that can still be read."""
    try:
        return find_champion(name)
    except UnreadableChampionError:
        return None


def versions(name: str) -> list[tuple[int, Mapping[str, str]]]:
    """Versions of a registered name with their tags, newest first."""
    import mlflow

    found = mlflow.MlflowClient().search_model_versions(f"name = '{name}'")
    return sorted(((int(one.version), one.tags) for one in found), key=lambda one: -one[0])


def frame_hash(frame: pl.DataFrame) -> str:
    """Hash of a frame's content, row order included: did two trainings see the same rows?"""
    digest = sha256(repr(frame.schema).encode())
    for row_hash in frame.hash_rows(seed=7).to_numpy().data, len(frame).to_bytes(8, "little"):
        digest.update(row_hash)
    return digest.hexdigest()[:16]


def code_version() -> str:
    """The package's version, and the commit where the code lies in a git working tree."""
    try:
        package = version("ris-assets")
    except PackageNotFoundError:
        package = "unknown"
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    try:
        commit = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return package
    return f"{package}+{commit.stdout.strip()}"
