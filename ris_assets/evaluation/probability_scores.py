"""What probabilities of a yes or no are worth, beyond one number: calibration line, Brier's parts, lift, intervals."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from ris_assets.evaluation.calibration import logit, sigmoid
from ris_assets.evaluation.metrics import (
    BINS,
    check_bins,
    count_missing,
    probabilities,
    reliability,
    weighed,
)

Array = np.ndarray
BENT_FROM = 1000
"""Rows from which a calibration line may bend: on 300 a sound model in a season of its own bends once in forty."""
FEW_VALUES = 20
"""Distinct predictions up to which each is a bin: a rule's levels or rounded shares, not a model's numbers."""


@dataclass(frozen=True)
class Interval:
    """An estimate and the bounds within which resampling puts it."""

    value: float
    low: float
    high: float


def bootstrap(
    statistic: Callable[..., float],
    *arrays: ArrayLike,
    groups: ArrayLike | None = None,
    rounds: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Percentile interval (Efron 1979) of a statistic, whole groups drawn with replacement.

    Args:
        statistic: of the arrays, row by row the same subjects.
        groups: who a row belongs to: rows of one member are not independent. Each row alone by default.
        rounds: of resampling; those in which the statistic is nan are left out.
        level: share of the rounds within the interval.

    Returns:
        The statistic of all rows, and its interval (nan without a single usable round).

    Raises:
        ValueError: there is no array, arrays and groups are not of one length, or empty, a group is missing, or the
            level is not between 0 and 1.
    """
    if not arrays:
        raise ValueError("there is no array to draw rows from")
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, it is {level:g}")
    rng = np.random.default_rng(seed)
    columns = [np.asarray(array) for array in arrays]
    owners = np.arange(len(columns[0])) if groups is None else known_groups(groups)
    lengths = {len(one) for one in (*columns, owners)}
    if len(lengths) > 1 or not max(lengths):
        raise ValueError(f"arrays and groups must have rows, all as many: {sorted(lengths)}")
    rows = _rows_by_group(owners)
    drawn = []
    for _ in range(rounds):
        picked = np.concatenate([rows[i] for i in rng.integers(len(rows), size=len(rows))])
        drawn.append(statistic(*(array[picked] for array in columns)))
    usable = np.asarray(drawn, dtype=float)
    usable = usable[~np.isnan(usable)]
    tail = (1 - level) / 2
    low, high = np.quantile(usable, [tail, 1 - tail]) if len(usable) else (np.nan, np.nan)
    return Interval(float(statistic(*columns)), float(low), float(high))


def known_groups(groups: ArrayLike) -> Array:
    """Groups as an array.

    Raises:
        ValueError: one is missing: whether such rows are of one member or of many cannot be said.
    """
    found = np.asarray(groups)
    if missing := count_missing(found):
        raise ValueError(f"each row must have a group, {missing} are missing")
    return found


def _rows_by_group(groups: Array) -> list[Array]:
    _, place = np.unique(groups, return_inverse=True)
    order = np.argsort(place, kind="stable")
    return np.split(order, np.cumsum(np.bincount(place))[:-1])


@dataclass(frozen=True)
class CalibrationLine:
    """log odds of the outcome = intercept + slope * log odds predicted (Cox 1958).

    Attributes:
        in_the_large: the intercept with the slope held at 1: 0 where as many happen as are predicted.
        intercept, slope: of the free line; slope 1 is right, below 1 the predictions are too extreme.
    """

    in_the_large: float
    intercept: float
    slope: float


def calibration_line(
    outcome: ArrayLike, predicted: ArrayLike, weight: ArrayLike | None = None
) -> CalibrationLine:
    """The line by maximum likelihood.

    Returns:
        nan where the outcomes are all the same; a slope and an intercept of nan where predictions are all the same, or
        part the outcomes without an error: the steeper the line, the likelier.

    Raises:
        ValueError: a prediction is missing or no probability.
    """
    y, p, w = weighed(outcome, probabilities(predicted), weight)
    score = logit(p)
    if len(np.unique(y[w > 0])) < 2:
        return CalibrationLine(float("nan"), float("nan"), float("nan"))
    large = _logistic(np.ones((len(y), 1)), y, w, score)[0]
    if np.ptp(score) < 1e-9 or _parts(score[w > 0], y[w > 0]):
        return CalibrationLine(float(large), float("nan"), float("nan"))
    intercept, slope = _logistic(np.column_stack([np.ones(len(y)), score]), y, w, np.zeros(len(y)))
    return CalibrationLine(float(large), float(intercept), float(slope))


def _parts(score: Array, y: Array) -> bool:
    """Whether all that happened lies on one side of all that did not."""
    happened, did_not = score[y > 0], score[y < 1]
    return bool(happened.min() >= did_not.max() or happened.max() <= did_not.min())


def recalibrated(outcome: ArrayLike, predicted: ArrayLike) -> Array:
    """What would have been right to say in place of each prediction: the likeliest line through log odds.

    From `BENT_FROM` rows on it bends at a third and two thirds of them: predictions may fit in level and slope and be
    wrong at both ends.
    """
    y, p, w = weighed(outcome, probabilities(predicted))
    if y.min() == y.max():
        return y
    score = logit(p)
    bends = np.quantile(score, [1 / 3, 2 / 3]) if len(y) >= BENT_FROM else []
    bent = [np.maximum(score - bend, 0.0) for bend in bends]
    told = [column for column in (score, *bent) if np.ptp(column) > 1e-9]
    design = np.column_stack([np.ones(len(y)), *told])
    return sigmoid(design @ _logistic(design, y, w, np.zeros(len(y))))


def _logistic(design: Array, y: Array, w: Array, offset: Array) -> Array:
    """Unpenalised logistic regression by Newton's method with halved steps."""
    beta = np.zeros(design.shape[1])

    def loss(at: Array) -> float:
        z = design @ at + offset
        return float(w @ (np.logaddexp(0.0, z) - y * z))

    value = loss(beta)
    for _ in range(100):
        p = sigmoid(design @ beta + offset)
        curvature = (design * (w * p * (1 - p))[:, None]).T @ design
        curvature[np.diag_indices_from(curvature)] += 1e-10
        step = np.linalg.solve(curvature, design.T @ (w * (y - p)))
        for halving in range(30):
            moved = beta + step * 0.5**halving
            if loss(moved) <= value:
                break
        gained, beta = value - loss(moved), moved
        value -= gained
        if gained < 1e-12 * max(1.0, abs(value)):
            break
    return beta


@dataclass(frozen=True)
class BrierParts:
    """brier = reliability - resolution + uncertainty + within (Murphy 1973, Stephenson et al. 2008).

    Attributes:
        reliability: mean squared distance of predicted and observed share over bins; 0 is best.
        resolution: variance of the observed shares between bins; more is better.
        uncertainty: variance of the outcome.
        within: what the spread of predictions within bins adds; 0 where equal predictions make the bins.
    """

    brier: float
    reliability: float
    resolution: float
    uncertainty: float
    within: float


def brier_parts(
    outcome: ArrayLike,
    predicted: ArrayLike,
    weight: ArrayLike | None = None,
    bins: int | None = None,
) -> BrierParts:
    """The Brier score and its parts, over the bins of `reliability`.

    Args:
        bins: by default one for each distinct prediction, as Murphy has it, and ten of equal weight where those are
            more than `FEW_VALUES`.

    Raises:
        ValueError: fewer than one bin, or columns that `weighed` refuses.
    """
    y, p, w = weighed(outcome, probabilities(predicted), weight)
    if bins is None:
        bins = FEW_VALUES if len(np.unique(p[w > 0])) <= FEW_VALUES else BINS
    brier = float(np.average((p - y) ** 2, weights=w))
    base = float(np.average(y, weights=w))
    table = reliability(y, p, w, bins)
    share = table["passes"].to_numpy() / w.sum()
    seen, said = table["observed_share"].to_numpy(), table["predicted_share"].to_numpy()
    parts = float(share @ (said - seen) ** 2), float(share @ (seen - base) ** 2), base * (1 - base)
    return BrierParts(brier, *parts, brier - (parts[0] - parts[1] + parts[2]))


def lift_table(
    outcome: ArrayLike, score: ArrayLike, weight: ArrayLike | None = None, bins: int = 10
) -> pl.DataFrame:
    """Lift and gain by decile, the highest scores first.

    Returns:
        (decile, members, observed_share, lift, gain): lift is the observed share over that of all, gain the share
        of all outcomes found up to and with the decile. Rows are parted by weight. Those of equal scores may be parted,
        and each then has the share of them all: the order of rows is no merit.

    Raises:
        ValueError: fewer than one bin, or columns that `weighed` refuses.
    """
    check_bins(bins)
    y, scores, w = weighed(outcome, score, weight)
    rows = (
        pl.DataFrame({"y": y, "score": scores, "w": w})
        .filter(pl.col("w") > 0)
        .sort("score", descending=True)
    )
    alike = (pl.col("y") * pl.col("w")).sum().over("score") / pl.col("w").sum().over("score")
    rows = rows.with_columns(alike.alias("y"))
    middle = (pl.col("w").cum_sum() - pl.col("w") / 2) / pl.col("w").sum()
    hit, whole = (pl.col("y") * pl.col("w")).sum(), float(w @ y)
    base = whole / w.sum()
    return (
        rows.with_columns((middle * bins).floor().cast(pl.Int32).alias("decile"))
        .group_by("decile")
        .agg(pl.col("w").sum().alias("members"), hit.alias("hits"))
        .sort("decile")
        .select(
            pl.col("decile") + 1,
            "members",
            (pl.col("hits") / pl.col("members")).alias("observed_share"),
            (pl.col("hits") / pl.col("members") / base).alias("lift"),
            (pl.col("hits").cum_sum() / whole).alias("gain"),
        )
    )


@dataclass(frozen=True)
class Costs:
    """What a call costs and brings, in one currency.

    Attributes:
        contact: cost of one call, whoever is called.
        saved: value of a member who would have left and is kept.
        success: share of those who would leave that a call keeps.

    Raises:
        ValueError: a cost is negative or infinite, or the share not from 0 to 1.
    """

    contact: float = 1.0
    saved: float = 20.0
    success: float = 0.2

    def __post_init__(self) -> None:
        for name in ("contact", "saved"):
            value = getattr(self, name)
            if not 0 <= value < np.inf:
                raise ValueError(f"{name} must be at least 0, it is {value:g}")
        probabilities(self.success, "success")

    @property
    def threshold(self) -> float:
        """P(leave) from which a call pays: contact / (saved * success); infinite where it never does."""
        worth = self.saved * self.success
        return self.contact / worth if 0 < worth >= self.contact else float("inf")


DEFAULT_COSTS = Costs()


def confusion_at(
    outcome: ArrayLike, predicted: ArrayLike, threshold: float, weight: ArrayLike | None = None
) -> dict[str, float]:
    """accuracy, precision, recall, f1 and the called share when everyone from the threshold on is called.

    precision is nan where nobody is called, recall where there is nobody to find.

    Raises:
        ValueError: the threshold is nan, or columns that `weighed` refuses.
    """
    y, scores, w = weighed(outcome, predicted, weight)
    called = _called(scores, threshold)
    hit, calls, cases = float(w[called] @ y[called]), float(w[called].sum()), float(w @ y)
    right = hit + float(w[~called] @ (1 - y[~called]))
    return {
        "accuracy": right / float(w.sum()),
        "precision": hit / calls if calls else float("nan"),
        "recall": hit / cases if cases else float("nan"),
        "f1": 2 * hit / (calls + cases) if calls + cases else float("nan"),
        "called_share": calls / float(w.sum()),
    }


def expected_value(
    outcome: ArrayLike,
    predicted: ArrayLike,
    threshold: float,
    costs: Costs,
    weight: ArrayLike | None = None,
) -> float:
    """Value a member of calling everyone from the threshold on; errors as those of `confusion_at`."""
    y, scores, w = weighed(outcome, predicted, weight)
    called = _called(scores, threshold)
    gain = costs.saved * costs.success * y - costs.contact
    return float((w * called * gain).sum() / w.sum())


def _called(scores: Array, threshold: float) -> Array:
    """Who is called; a threshold of nan would look like one that nobody reaches."""
    if np.isnan(threshold):
        raise ValueError(f"threshold must be a number, it is {threshold}")
    return scores >= threshold
