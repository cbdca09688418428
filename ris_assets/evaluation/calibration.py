"""Calibrators: from a model's raw probability to one that happens as often as it says.

Fitted on the validation window, kept inside the model, stored as JSON.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ris_assets.evaluation.metrics import TINY, complete

ISOTONIC_PASSES = 20_000
"""Measured over ten windows of 300 to 10,000 members: with 1,000 passes to learn it from, an isotonic line costs 0.003
of the log loss out of time, with 200 it costs 0.02."""
PLATT_PENALTY = 100.0
"""Pull towards the prior line, as if level and slope were known to +-0.1 (1 / sqrt(100)) beforehand. The families are
calibrated as they come, and a season moves the level of a window: over the same ten windows 15 costs 0.002 of the log
loss, 100 a tenth of that, and what is wrong by far is still mended."""
Array = np.ndarray


class Calibrator(Protocol):
    """A monotone map of probabilities."""

    def apply(self, predicted: Array) -> Array:
        """Calibrated probabilities."""

    def to_json(self) -> dict:
        """Plain data, read back by `calibrator_from_json`."""


@dataclass(frozen=True)
class Platt:
    """sigmoid(intercept + slope * logit(p)) (Platt 1999, on the logit); slope is kept positive."""

    intercept: float = 0.0
    slope: float = 1.0

    def apply(self, predicted: Array) -> Array:
        """Calibrated probabilities."""
        return sigmoid(self.intercept + self.slope * logit(predicted))

    def to_json(self) -> dict:
        """Plain data."""
        return {"kind": "platt", "intercept": self.intercept, "slope": self.slope}


@dataclass(frozen=True)
class Isotonic:
    """A rising step-free line through (x, y) (Zadrozny and Elkan 2002), flat beyond its ends."""

    x: tuple[float, ...]
    y: tuple[float, ...]

    def apply(self, predicted: Array) -> Array:
        """Calibrated probabilities."""
        return np.interp(predicted, self.x, self.y)

    def to_json(self) -> dict:
        """Plain data."""
        return {"kind": "isotonic", "x": list(self.x), "y": list(self.y)}


def fit_calibrator(outcome: Array, predicted: Array, weight: Array) -> Calibrator:
    """Isotonic when the weight, in passes, bears it; else Platt, which two numbers describe."""
    if weight.sum() >= ISOTONIC_PASSES:
        return _fit_isotonic(outcome, predicted, weight)
    return fit_platt(outcome, predicted, weight)


def fit_platt(
    outcome: Array,
    predicted: Array,
    weight: Array,
    prior: Platt = Platt(),
    penalty: float = PLATT_PENALTY,
) -> Platt:
    """Logistic line on the logit, drawn towards `prior` (already calibrated) by few passes.

    Raises:
        ValueError: a number is missing.
    """
    from scipy.optimize import minimize

    outcome, weight = complete(outcome, "outcomes"), complete(weight, "weights")
    score = logit(complete(predicted, "predictions"))
    centre = float(np.average(score, weights=weight))
    design = np.column_stack([np.ones(len(score)), score - centre])
    start = np.array([prior.intercept + prior.slope * centre, prior.slope])

    def loss(line: Array) -> tuple[float, Array]:
        z, pull = design @ line, line - start
        value = weight @ (np.logaddexp(0.0, z) - outcome * z) + 0.5 * penalty * pull @ pull
        return float(value), (weight * (sigmoid(z) - outcome)) @ design + penalty * pull

    level, slope = minimize(loss, start, jac=True, method="BFGS").x
    slope = max(float(slope), 0.0)
    return Platt(float(level) - slope * centre, slope)


def _fit_isotonic(outcome: Array, predicted: Array, weight: Array) -> Isotonic:
    """Isotonic line, kept off 0 and 1 by what one more pass could have shown."""
    from sklearn.isotonic import IsotonicRegression

    edge = 1 / (weight.sum() + 2)
    model = IsotonicRegression(y_min=edge, y_max=1 - edge, out_of_bounds="clip")
    model.fit(predicted, outcome, sample_weight=weight)
    return Isotonic(tuple(map(float, model.X_thresholds_)), tuple(map(float, model.y_thresholds_)))


def calibrator_from_json(data: Mapping) -> Calibrator:
    """The calibrator that `to_json` wrote."""
    if data["kind"] == "platt":
        return Platt(data["intercept"], data["slope"])
    return Isotonic(tuple(data["x"]), tuple(data["y"]))


def logit(probability: Array) -> Array:
    """log(p / (1 - p)), p kept 1e-6 away from 0 and 1."""
    p = np.clip(np.asarray(probability, dtype=float), TINY, 1 - TINY)
    return np.log(p) - np.log1p(-p)


def sigmoid(score: Array) -> Array:
    """1 / (1 + exp(-score))."""
    return 0.5 * (1 + np.tanh(0.5 * np.asarray(score, dtype=float)))
