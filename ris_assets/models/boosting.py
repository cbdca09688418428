"""Trees boosted by XGBoost or LightGBM behind one face: where they start, what they make likely, when they stop.

What is boosted, and with which settings, stands with each family.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

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
        loss: (margin, target) -> mean negative log likelihood.
        slopes: (margin, target) -> its gradient and curvature row by row; None of `POISSON`, which engines bring along.
    """

    loss: Callable[[Array, Array], float]
    slopes: Callable[[Array, Array], tuple[Array, Array]] | None = None


def _poisson_loss(margin: Array, count: Array) -> float:
    """Expected minus count times its logarithm."""
    return float(np.mean(np.exp(margin) - count * margin))


POISSON = Likelihood(_poisson_loss)
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


class Engine(Protocol):
    """A library that boosts. Boosters are its own objects."""

    def params(self, trees: Trees) -> dict[str, Any]:
        """Settings under the engine's names."""

    def boost(
        self, params: Params, training: Rows, rounds: int, likelihood: Likelihood | None = None
    ) -> Any:
        """A booster of so many trees; without a likelihood `params` name the objective."""

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

    def predict(
        self,
        booster: Any,
        features: Array,
        *,
        rounds: int = 0,
        is_margin: bool = False,
        threads: int = 1,
    ) -> Array:
        """Of the first `rounds` trees (0: all): on the scale of the target, or what the trees alone add to a margin."""

    def gain(self, booster: Any) -> Array:
        """(columns,): total gain."""

    def contributions(self, booster: Any, features: Array) -> Array:
        """(rows, columns): what each column adds to the margin beside the mean (TreeSHAP)."""

    def rounds(self, booster: Any) -> int:
        """Trees of a booster."""

    def save(self, booster: Any, path: Path) -> None:
        """Write in the engine's own format."""

    def load(self, path: Path, threads: int) -> Any:
        """Read what `save` wrote."""


class Xgboost:
    """XGBoost's histogram trees."""

    def params(self, trees: Trees) -> dict[str, Any]:
        """Settings under XGBoost's names."""
        return {
            "tree_method": "hist", "learning_rate": trees.learning_rate,
            "max_depth": trees.max_depth, "min_child_weight": trees.least_in_leaf,
            "colsample_bynode": trees.column_share, "subsample": trees.row_share,
            "lambda": trees.ridge, "max_bin": trees.bins, "seed": trees.seed,
            "nthread": trees.threads,
        }  # fmt: skip

    def boost(
        self, params: Params, training: Rows, rounds: int, likelihood: Likelihood | None = None
    ) -> Any:
        """A booster of so many trees."""
        return self._train(params, training, rounds, likelihood)

    def race(
        self,
        params: Params,
        parts: tuple[Rows, Rows],
        rounds: int,
        likelihood: Likelihood,
        patience: int,
    ) -> tuple[Any, Array]:
        """A booster, and losses on the second part."""
        import xgboost

        training, held_out = parts
        seen: dict[str, Any] = {}
        data = xgboost.DMatrix(**self._data(params, held_out))
        booster = self._train(
            params, training, rounds, likelihood,
            evals=[(data, HELD_OUT)], early_stopping_rounds=patience, evals_result=seen,
        )  # fmt: skip
        return booster, _losses(likelihood, held_out, seen[HELD_OUT])

    def _train(
        self,
        params: Params,
        training: Rows,
        rounds: int,
        likelihood: Likelihood | None,
        **options: Any,
    ) -> Any:
        import xgboost

        bins = params.get("max_bin", 256)
        data = xgboost.QuantileDMatrix(**self._data(params, training), max_bin=bins)
        own, how = self._objective(likelihood)
        return xgboost.train({**params, **own}, data, rounds, verbose_eval=False, **how, **options)

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
                likelihood.loss(margin, rows.get_label()),
            ),
        }

    def predict(
        self,
        booster: Any,
        features: Array,
        *,
        rounds: int = 0,
        is_margin: bool = False,
        threads: int = 1,
    ) -> Array:
        """Of the first `rounds` trees; how many threads the booster knows."""
        said = booster.inplace_predict(
            features,
            iteration_range=(0, min(rounds, booster.num_boosted_rounds())),
            predict_type="margin" if is_margin else "value",
            base_margin=np.zeros(len(features)) if is_margin else None,
            missing=np.nan,
        )
        return said.astype(float)

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

    def save(self, booster: Any, path: Path) -> None:
        """Write UBJSON or JSON, by the name's ending."""
        booster.save_model(path)

    def load(self, path: Path, threads: int) -> Any:
        """Read what `save` wrote."""
        import xgboost

        return xgboost.Booster({"nthread": threads}, model_file=path)


class Lightgbm:
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

    def boost(
        self, params: Params, training: Rows, rounds: int, likelihood: Likelihood | None = None
    ) -> Any:
        """A booster of so many trees."""
        import lightgbm

        own = {**params, **self._objective(likelihood)}
        return lightgbm.train(own, lightgbm.Dataset(**self._data(training)), rounds)

    def race(
        self,
        params: Params,
        parts: tuple[Rows, Rows],
        rounds: int,
        likelihood: Likelihood,
        patience: int,
    ) -> tuple[Any, Array]:
        """A booster, and losses on the second part."""
        import lightgbm

        training, held_out = (self._data(rows) for rows in parts)
        seen: dict[str, Any] = {}
        data = lightgbm.Dataset(**training)
        booster = lightgbm.train(
            {**params, **self._objective(likelihood)}, data, rounds,
            valid_sets=[data.create_valid(**held_out)], valid_names=[HELD_OUT],
            feval=None if likelihood.slopes is None
            else lambda margin, rows: ("nll", likelihood.loss(margin, rows.get_label()), False),
            callbacks=[
                lightgbm.early_stopping(patience, verbose=False), lightgbm.record_evaluation(seen)
            ],
        )  # fmt: skip
        return booster, _losses(likelihood, parts[1], seen[HELD_OUT])

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

    def predict(
        self,
        booster: Any,
        features: Array,
        *,
        rounds: int = 0,
        is_margin: bool = False,
        threads: int = 1,
    ) -> Array:
        """Of the first `rounds` trees."""
        said = booster.predict(
            features, raw_score=is_margin, num_iteration=rounds or -1, num_threads=threads
        )
        return np.asarray(said, dtype=float)

    def gain(self, booster: Any) -> Array:
        """Total gain."""
        return np.asarray(booster.feature_importance("gain"), dtype=float)

    def contributions(self, booster: Any, features: Array) -> Array:
        """TreeSHAP."""
        return np.asarray(booster.predict(features, pred_contrib=True), dtype=float)[:, :-1]

    def rounds(self, booster: Any) -> int:
        """Trees of a booster."""
        return booster.num_trees()

    def save(self, booster: Any, path: Path) -> None:
        """Write LightGBM's text."""
        booster.save_model(path)

    def load(self, path: Path, threads: int) -> Any:
        """Read what `save` wrote; predictions are told their threads themselves."""
        import lightgbm

        return lightgbm.Booster(model_file=path)


ENGINES: dict[EngineName, Engine] = {"xgboost": Xgboost(), "lightgbm": Lightgbm()}


def _losses(likelihood: Likelihood, held_out: Rows, seen: Mapping[str, list[float]]) -> Array:
    """Before the first tree and after each."""
    margin = np.zeros(len(held_out.target)) if held_out.margin is None else held_out.margin
    (after,) = seen.values()
    return np.array([likelihood.loss(margin, held_out.target), *after])
