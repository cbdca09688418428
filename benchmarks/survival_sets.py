"""RIS's survival estimators beside their peers on public data sets, five folds, one seed, one run.

The sets are shipped inside scikit-survival and lifelines: nothing is downloaded. Those of the package SurvSet (GPL,
so no dependency of RIS) take part where it is installed. Scores are Antolini's C and the integrated Brier score between
the 5th and 95th percentile of the test times, the same functions for every model.
"""

import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from lifelines import datasets as lifelines_sets
from lifelines.exceptions import ConvergenceError
from sklearn.model_selection import StratifiedKFold
from sksurv import datasets
from sksurv.ensemble import GradientBoostingSurvivalAnalysis, RandomSurvivalForest

from ris_assets.errors import RisError
from ris_assets.evaluation.survival_scores import (
    Censoring,
    antolini_concordance,
    integrated_brier_score,
)
from ris_assets.models import BoostedHazard, LinearHazard
from ris_assets.models.survival_api import as_outcome

Array = np.ndarray
FOLDS, SEED, TIMES = 5, 0, 60
SURVSET, MAX_ROWS, MAX_COLUMNS = "survset", 6000, 600
"""`survset:NAME` is one of its sets, at most so many rows of it; `survset` all whose covariates stand still, without
those of more columns and those that are there already."""
Load = Callable[[], tuple[pd.DataFrame, Array]]


def _of_lifelines(name: str, time: str, event: str) -> Load:
    """A set as scikit-survival gives them; of two codes of an event the higher is one."""

    def load_it() -> tuple[pd.DataFrame, Array]:
        frame = getattr(lifelines_sets, f"load_{name}")()
        happened = (frame[event] > frame[event].min()).to_numpy()
        outcome = as_outcome(happened, frame[time].to_numpy(dtype=float))
        return frame.drop(columns=[time, event]), outcome

    return load_it


SETS: dict[str, Load] = {
    "flchain": datasets.load_flchain,
    "gbsg2": datasets.load_gbsg2,
    "whas500": datasets.load_whas500,
    "veterans": datasets.load_veterans_lung_cancer,
    "aids": datasets.load_aids,
    "breast_cancer": datasets.load_breast_cancer,
    "rossi": _of_lifelines("rossi", "week", "arrest"),
    "lung": _of_lifelines("lung", "time", "status"),
    "kidney_transplant": _of_lifelines("kidney_transplant", "time", "death"),
    "larynx": _of_lifelines("larynx", "time", "death"),
    "leukemia": _of_lifelines("leukemia", "t", "status"),
    "lymphoma": _of_lifelines("lymphoma", "Time", "Censor"),
    "psychiatric_patients": _of_lifelines("psychiatric_patients", "T", "C"),
    "regression_dataset": _of_lifelines("regression_dataset", "T", "E"),
    "waltons": _of_lifelines("waltons", "T", "E"),
}
TWICE = ("GBSG2", "whas500", "veteran", "flchain", "actg", "cancer")
"""Names in SurvSet of sets that are here under others."""


def _of_survset(name: str) -> tuple[pd.DataFrame, Array]:
    """A set of the package SurvSet."""
    frame = _survset().load_dataset(name)["df"]
    if len(frame) > MAX_ROWS:
        frame = frame.sample(MAX_ROWS, random_state=SEED)
    outcome = as_outcome(frame["event"].to_numpy(dtype=bool), frame["time"].to_numpy(dtype=float))
    covariates = frame.filter(regex="^(num|fac)_")
    words = covariates.filter(regex="^fac_").columns
    return covariates.astype(dict.fromkeys(words, "string")).astype(
        dict.fromkeys(words, "category")
    ), outcome


def _survset() -> Any:
    try:
        from SurvSet.data import SurvLoader
    except ImportError:
        raise RisError(
            "these sets are in a package of their own: pip install SurvSet==0.2.11"
        ) from None
    return SurvLoader()


def names_of(asked: list[str]) -> list[str]:
    """Sets by name, `survset` resolved.

    Raises:
        RisError: there is no such set.
    """
    found = []
    for name in asked:
        if name == SURVSET:
            about = _survset().df_ds
            is_taken = (
                ~about["is_td"]
                & (about["n_ohe"] + about["n_num"] <= MAX_COLUMNS)
                & ~about["ds"].isin(TWICE)
            )
            found += [f"{SURVSET}:{one}" for one in about.loc[is_taken, "ds"]]
        elif name in SETS or name.startswith(f"{SURVSET}:"):
            found.append(name)
        else:
            raise RisError(f"no data set {name!r}; there are {', '.join(SETS)}, and {SURVSET}")
    return found


class LifelinesCox:
    """lifelines' Cox regression behind the estimators' interface."""

    def fit(self, matrix: Array, outcome: Array) -> "LifelinesCox":
        """Fit with a small ridge, so that collinear columns do not stop it."""
        from lifelines import CoxPHFitter

        self.centre, spread = matrix.mean(axis=0), matrix.std(axis=0)
        self.scale = np.where(spread > 0, spread, 1.0)
        frame = self._frame(matrix).assign(event=outcome["event"], time=outcome["time"])
        self.model = CoxPHFitter(penalizer=1e-3).fit(frame, "time", "event")
        return self

    def curves(self, matrix: Array, times: Array) -> Array:
        """(subjects, times)."""
        return self.model.predict_survival_function(self._frame(matrix), times=times).to_numpy().T

    def _frame(self, matrix: Array) -> pd.DataFrame:
        return pd.DataFrame((matrix - self.centre) / self.scale)


def models() -> dict[str, Any]:
    """Everything that takes part: RIS's first."""
    return {
        "ris linear": LinearHazard(),
        "ris boosted (xgboost)": BoostedHazard(),
        "ris boosted (lightgbm)": BoostedHazard("lightgbm"),
        "lifelines cox": LifelinesCox(),
        "sksurv forest": RandomSurvivalForest(
            n_estimators=200, min_samples_leaf=10, n_jobs=2, random_state=SEED
        ),
        "sksurv boosting": GradientBoostingSurvivalAnalysis(random_state=SEED),
    }


def run(names: list[str]) -> dict[str, dict[str, dict[str, float]]]:
    """Set -> model -> mean C and IBS over the folds, their standard errors, seconds to fit."""
    warnings.simplefilter("ignore")
    results: dict[str, dict[str, dict[str, float]]] = {}
    for name in names:
        matrix, outcome = load(name)
        share = outcome["event"].mean()
        print(f"{name}: {len(matrix):,} subjects, {matrix.shape[1]} columns, {share:.0%} events")
        results[name] = {}
        for label, model in models().items():
            try:
                found = np.array(list(scores(model, matrix, outcome)))
            except ConvergenceError:
                print(f"  {label:24} does not converge", flush=True)
                continue
            mean, error = found.mean(axis=0), found.std(axis=0, ddof=1) / FOLDS**0.5
            results[name][label] = {
                "c": mean[0], "c_se": error[0], "ibs": mean[1], "ibs_se": error[1],
                "seconds": mean[2],
            }  # fmt: skip
            print(
                f"  {label:24} C {mean[0]:.4f} +- {error[0]:.4f}  IBS {mean[1]:.4f} +- {error[1]:.4f}"
                f"  {mean[2]:.1f} s",
                flush=True,
            )
    return results


def load(name: str) -> tuple[Array, Array]:
    """Numbers and a structured outcome; words become indicators, gaps stay NaN."""
    inside, _, own = name.partition(":")
    frame, outcome = _of_survset(own) if inside == SURVSET else SETS[name]()
    event, moment = (np.asarray(outcome[field]) for field in outcome.dtype.names or ())
    if name == "flchain":
        frame = frame.drop(columns="chapter")  # the cause of death
    known = moment > 0
    numbers = pd.get_dummies(frame.apply(_as_number), drop_first=True).astype(float)
    return numbers.to_numpy()[known], as_outcome(event[known].astype(bool), moment[known])


def _as_number(column: pd.Series) -> pd.Series:
    if pd.api.types.is_numeric_dtype(column):
        return column
    try:
        return column.astype(float)
    except ValueError:
        return column.astype("category")


def scores(model: Any, matrix: Array, outcome: Array) -> Iterator[tuple[float, float, float]]:
    """C, IBS and seconds of each fold."""
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED)
    for train, test in folds.split(matrix, outcome["event"]):
        fitted, unseen, seen = matrix[train], matrix[test], outcome[train]
        if not hasattr(model, "predict_survival"):
            middle = np.nanmedian(fitted, axis=0)
            fitted = np.where(np.isnan(fitted), middle, fitted)
            unseen = np.where(np.isnan(unseen), middle, unseen)
        event, moment = _within(outcome[test], seen["time"].max())
        started = time.perf_counter()
        model.fit(fitted, seen)
        seconds = time.perf_counter() - started
        own = np.unique(moment[event])
        low, high = np.quantile(moment, [0.05, 0.95])
        grid = np.linspace(low, high, TIMES)
        censoring = Censoring.of(seen["event"], seen["time"])
        yield (
            antolini_concordance(event, moment, curves(model, unseen, own), own),
            integrated_brier_score(censoring, event, moment, curves(model, unseen, grid), grid),
            seconds,
        )


def _within(outcome: Array, last: float) -> tuple[Array, Array]:
    """Nobody is followed for longer than in training: later outcomes are cut just before."""
    late = outcome["time"] >= last
    return outcome["event"] & ~late, np.where(late, last * 0.9999, outcome["time"])


def curves(model: Any, matrix: Array, times: Array) -> Array:
    """(subjects, times) of any of the models."""
    if hasattr(model, "predict_survival"):
        return model.predict_survival(matrix, times)
    if hasattr(model, "curves"):
        return model.curves(matrix, times)
    found = model.predict_survival_function(matrix)
    low, high = found[0].domain
    asked = np.clip(times, low, high)
    told = [curve(np.maximum(asked, curve.x[0])) for curve in found]
    return np.reshape(told, (len(matrix), len(times)))  # theirs is a number at one time
