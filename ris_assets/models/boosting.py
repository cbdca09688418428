"""Trees boosted by XGBoost or LightGBM behind one face: where they start, what they make likely, when they stop.

What is boosted, and with which settings, stands with each family.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ris_assets.models.protocol import Array

EngineName = Literal["xgboost", "lightgbm"]
Params = Mapping[str, Any]
"""Settings under the names of an engine."""
HELD_OUT = "held_out"
MANY_ROWS, THREADS = 50_000, 2
"""Rows from which on a second thread gains. Below, threads wait for each other where cores are shared: 22,610 rows of
13 columns took LightGBM 2 s with one thread and 16 to 39 s with two, XGBoost 2 s and 12 to 37 s, for the same trees."""


@dataclass(frozen=True)
class Rows:
    """What trees are grown on, or judged on.

    Attributes:
        features: (rows, columns), NaN where missing.
        target: (rows,).
        margin: of each row before the first tree; None starts all of them from one constant.
        weight: None weighs rows the same.
    """

    features: Array
    target: Array
    margin: Array | None = None
    weight: Array | None = None


@dataclass(frozen=True)
class Likelihood:
    """What trees make likely.

    Attributes:
        losses: (margin, target) -> negative log likelihood row by row.
        slopes: (margin, target) -> its gradient and curvature row by row; None of `POISSON`, which engines bring along.
    """

    losses: Callable[[Array, Array], Array]
    slopes: Callable[[Array, Array], tuple[Array, Array]] | None = None

    def loss(self, margin: Array, target: Array, weight: Array | None = None) -> float:
        """Mean over the rows; of no weight at all the same as of equal ones."""
        given = None if weight is None or not len(weight) else weight
        return float(np.average(self.losses(margin, target), weights=given))


def _poisson_losses(margin: Array, count: Array) -> Array:
    """Expected minus count times its logarithm."""
    return np.exp(margin) - count * margin


POISSON = Likelihood(_poisson_losses)
"""Of counts 0 and 1: what an engine adds for higher ones, another leaves out."""
LARGEST_STEP = 0.7
"""Of a Poisson margin in one leaf, which keeps rare counts from running away; what both engines advise."""


@dataclass(frozen=True)
class Trees:
    """Settings that both engines have.

    Attributes:
        least_in_leaf: sum of curvature (under Poisson: expected events) below which no leaf is made.
        column_share: drawn for each split.
        row_share: drawn for each tree.
        bins: of a column's values.
    """

    learning_rate: float
    max_depth: int
    least_in_leaf: float
    column_share: float
    row_share: float
    ridge: float
    seed: int
    threads: int
    bins: int = 256


def threads_for(rows: int) -> int:
    """How many threads so many rows are worth."""
    return THREADS if rows >= MANY_ROWS else 1


@dataclass(frozen=True)
class Aim:
    """What a training is after.

    Attributes:
        likelihood: None where the settings name the objective.
        held_out: rows to be judged on while trees are grown, if any.
        patience: trees in a row that may leave the loss there as it is.
        seen: filled by the engine: `HELD_OUT` -> name of the loss -> its value after each tree.
    """

    likelihood: Likelihood | None
    held_out: Rows | None = None
    patience: int = 0
    seen: dict[str, dict[str, list[float]]] = field(default_factory=dict)


class Engine(ABC):
    """A library that boosts. Boosters are its own objects."""

    def boost(
        self, params: Params, training: Rows, rounds: int, likelihood: Likelihood | None = None
    ) -> Any:
        """A booster of so many trees; without a likelihood `params` name the objective."""
        return self._train(params, training, rounds, Aim(likelihood))

    def race(
        self,
        params: Params,
        parts: tuple[Rows, Rows],
        rounds: int,
        likelihood: Likelihood,
        patience: int,
    ) -> tuple[Any, Array]:
        """A booster of the first part, until the loss on the second has not fallen for so many trees.

        Returns:
            The booster, at least up to its lowest loss (LightGBM drops what comes after), and the loss on the second
            part before the first tree and after each.
        """
        training, held_out = parts
        aim = Aim(likelihood, held_out, patience)
        booster = self._train(params, training, rounds, aim)
        margin = np.zeros(len(held_out.target)) if held_out.margin is None else held_out.margin
        (after,) = aim.seen[HELD_OUT].values()
        before = likelihood.loss(margin, held_out.target, held_out.weight)
        return booster, np.array([before, *after])

    @abstractmethod
    def params(self, trees: Trees) -> dict[str, Any]:
        """Settings under the engine's names."""

    @abstractmethod
    def _train(self, params: Params, rows: Rows, rounds: int, aim: Aim) -> Any:
        """A booster."""

    @abstractmethod
    def said(self, booster: Any, features: Array, threads: int) -> Array:
        """(rows,): predictions on the scale of the target."""

    @abstractmethod
    def added(self, booster: Any, features: Array, threads: int, rounds: int = 0) -> Array:
        """(rows,): what the first `rounds` trees (0: all) add to the margin."""

    @abstractmethod
    def gain(self, booster: Any) -> Array:
        """(columns,): total gain."""

    @abstractmethod
    def contributions(self, booster: Any, features: Array) -> Array:
        """(rows, columns): what each column adds to the margin beside the mean (TreeSHAP)."""

    @abstractmethod
    def rounds(self, booster: Any) -> int:
        """Trees of a booster."""

    @abstractmethod
    def load(self, path: Path, threads: int) -> Any:
        """Read what `save` wrote."""

    def save(self, booster: Any, path: Path) -> None:
        """Write in the engine's own format."""
        booster.save_model(path)


class Xgboost(Engine):
    """XGBoost's histogram trees. How many threads predict, the booster knows."""

    def params(self, trees: Trees) -> dict[str, Any]:
        """Settings under XGBoost's names."""
        return {
            "tree_method": "hist", "learning_rate": trees.learning_rate,
            "max_depth": trees.max_depth, "min_child_weight": trees.least_in_leaf,
            "colsample_bynode": trees.column_share, "subsample": trees.row_share,
            "lambda": trees.ridge, "max_bin": trees.bins, "seed": trees.seed,
            "nthread": trees.threads,
        }  # fmt: skip

    def _train(self, params: Params, rows: Rows, rounds: int, aim: Aim) -> Any:
        import xgboost

        bins = params.get("max_bin", 256)
        data = xgboost.QuantileDMatrix(**self._data(params, rows), max_bin=bins)
        own, how = self._objective(aim.likelihood)
        if aim.held_out is not None:
            held_out = xgboost.DMatrix(**self._data(params, aim.held_out))
            how |= {"evals": [(held_out, HELD_OUT)], "evals_result": aim.seen,
                    "early_stopping_rounds": aim.patience}  # fmt: skip
        return xgboost.train({**params, **own}, data, rounds, verbose_eval=False, **how)

    def _data(self, params: Params, rows: Rows) -> dict[str, Any]:
        return {
            "data": rows.features, "label": rows.target, "weight": rows.weight,
            "base_margin": rows.margin, "nthread": params.get("nthread"),
        }  # fmt: skip

    def _objective(self, likelihood: Likelihood | None) -> tuple[dict[str, Any], dict[str, Any]]:
        """Further settings, and further arguments of the training."""
        if likelihood is None:
            return {}, {}
        slopes = likelihood.slopes
        if slopes is None:
            name = {"objective": "count:poisson", "eval_metric": "poisson-nloglik"}
            return {**name, "max_delta_step": LARGEST_STEP}, {}
        return {"base_score": 0.0, "disable_default_eval_metric": True}, {
            "obj": lambda margin, rows: slopes(margin, rows.get_label()),
            "custom_metric": lambda margin, rows: (
                "nll",
                likelihood.loss(margin, rows.get_label(), rows.get_weight()),
            ),
        }

    def said(self, booster: Any, features: Array, threads: int) -> Array:
        """Predictions."""
        return booster.inplace_predict(features, missing=np.nan).astype(float)

    def added(self, booster: Any, features: Array, threads: int, rounds: int = 0) -> Array:
        """Margins from zero."""
        found = booster.inplace_predict(
            features, iteration_range=(0, min(rounds, booster.num_boosted_rounds())),
            predict_type="margin", base_margin=np.zeros(len(features)), missing=np.nan,
        )  # fmt: skip
        return found.astype(float)

    def gain(self, booster: Any) -> Array:
        """Total gain; a column in no split has none."""
        found = booster.get_score(importance_type="total_gain")
        return np.array([found.get(f"f{i}", 0.0) for i in range(booster.num_features())])

    def contributions(self, booster: Any, features: Array) -> Array:
        """TreeSHAP."""
        import xgboost

        rows = xgboost.DMatrix(features, missing=np.nan)
        return booster.predict(rows, pred_contribs=True)[:, :-1].astype(float)

    def rounds(self, booster: Any) -> int:
        """Trees of a booster."""
        return booster.num_boosted_rounds()

    def load(self, path: Path, threads: int) -> Any:
        """Read UBJSON or JSON, by the name's ending."""
        import xgboost

        return xgboost.Booster({"nthread": threads}, model_file=path)


class Lightgbm(Engine):
    """LightGBM's trees, deterministic."""

    def params(self, trees: Trees) -> dict[str, Any]:
        """Settings under LightGBM's names."""
        return {
            "learning_rate": trees.learning_rate, "max_depth": trees.max_depth,
            "num_leaves": 2**trees.max_depth, "min_sum_hessian_in_leaf": trees.least_in_leaf,
            "min_data_in_leaf": 1, "feature_fraction_bynode": trees.column_share,
            "bagging_fraction": trees.row_share, "bagging_freq": 1, "lambda_l2": trees.ridge,
            "max_bin": trees.bins - 1, "seed": trees.seed, "num_threads": trees.threads,
            "verbosity": -1, "deterministic": True, "force_row_wise": True,
        }  # fmt: skip

    def _train(self, params: Params, rows: Rows, rounds: int, aim: Aim) -> Any:
        import lightgbm

        data = lightgbm.Dataset(**self._data(rows))
        how: dict[str, Any] = {}
        if aim.held_out is not None:
            stop = lightgbm.early_stopping(aim.patience, verbose=False)
            how = {"valid_sets": [data.create_valid(**self._data(aim.held_out))],
                   "valid_names": [HELD_OUT], "feval": self._loss(aim.likelihood),
                   "callbacks": [stop, lightgbm.record_evaluation(aim.seen)]}  # fmt: skip
        return lightgbm.train({**params, **self._objective(aim.likelihood)}, data, rounds, **how)

    def _data(self, rows: Rows) -> dict[str, Any]:
        return {
            "data": rows.features, "label": rows.target, "weight": rows.weight,
            "init_score": rows.margin,
        }  # fmt: skip

    def _objective(self, likelihood: Likelihood | None) -> dict[str, Any]:
        """Further settings."""
        if likelihood is None:
            return {}
        slopes = likelihood.slopes
        if slopes is None:
            step = {"boost_from_average": False, "poisson_max_delta_step": LARGEST_STEP}
            return {"objective": "poisson", "metric": "poisson", **step}
        return {
            "objective": lambda margin, rows: slopes(margin, rows.get_label()),
            "metric": "none",
        }

    def _loss(self, likelihood: Likelihood | None) -> Callable[..., Any] | None:
        """None where the engine has it itself."""
        if likelihood is None or likelihood.slopes is None:
            return None
        return lambda margin, rows: (
            "nll",
            likelihood.loss(margin, rows.get_label(), rows.get_weight()),
            False,
        )

    def said(self, booster: Any, features: Array, threads: int) -> Array:
        """Predictions."""
        return np.asarray(booster.predict(features, num_threads=threads), dtype=float)

    def added(self, booster: Any, features: Array, threads: int, rounds: int = 0) -> Array:
        """Margins from zero."""
        found = booster.predict(
            features, raw_score=True, num_iteration=rounds or -1, num_threads=threads
        )
        return np.asarray(found, dtype=float)

    def gain(self, booster: Any) -> Array:
        """Total gain."""
        return np.asarray(booster.feature_importance("gain"), dtype=float)

    def contributions(self, booster: Any, features: Array) -> Array:
        """TreeSHAP."""
        return np.asarray(booster.predict(features, pred_contrib=True), dtype=float)[:, :-1]

    def rounds(self, booster: Any) -> int:
        """Trees of a booster."""
        return booster.num_trees()

    def load(self, path: Path, threads: int) -> Any:
        """Read text; predictions are told their threads themselves."""
        import lightgbm

        return lightgbm.Booster(model_file=path)


ENGINES: dict[EngineName, Engine] = {"xgboost": Xgboost(), "lightgbm": Lightgbm()}
