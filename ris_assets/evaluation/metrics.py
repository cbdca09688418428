"""Numbers that say how good probabilities are. All of them weighted, none of them plotted."""

import numpy as np
import polars as pl
from numpy.typing import ArrayLike
from sklearn.metrics import average_precision_score, roc_auc_score

BINS = 10
TINY = 1e-6
"""How near to 0 and 1 log odds are taken of a probability."""
EPSILON = float(np.finfo(float).eps)
"""How near to 0 and 1 the log of a probability is taken, as scikit-learn does."""
ROUNDING = 1e-9
"""What sums and products may leave beyond 0 and 1."""
Array = np.ndarray


def binary_metrics(
    outcome: ArrayLike, predicted: ArrayLike, weight: ArrayLike | None = None
) -> dict[str, float]:
    """Discrimination and calibration of probabilities against outcomes 0/1.

    Returns:
        auc and average_precision (nan with one class only), log_loss, brier, ece (expected
        calibration error over ten bins of equal weight), mean_predicted, observed,
        calibration_in_the_large (mean_predicted - observed), rows, weight.

    Raises:
        ValueError: a number is missing or beyond its range, an outcome lies between 0 and 1, or the columns are not of
            one length.
    """
    y, p, w = weighed(outcome, probabilities(predicted), weight)
    shares = y[(y > 0) & (y < 1)]
    if len(shares):
        raise ValueError(f"outcomes must be 0 or 1, one is {shares[0]:g}")
    y, p, w = y[w > 0], p[w > 0], w[w > 0]
    both = len(np.unique(y)) == 2
    expected, observed = float(np.average(p, weights=w)), float(np.average(y, weights=w))
    return {
        "auc": area_under_roc(y, p, w),
        "average_precision": float(average_precision_score(y, p, sample_weight=w))
        if both
        else float("nan"),
        "log_loss": log_loss(y, p, w),
        "brier": float(np.average((p - y) ** 2, weights=w)),
        "ece": expected_calibration_error(y, p, w),
        "mean_predicted": expected,
        "observed": observed,
        "calibration_in_the_large": expected - observed,
        "rows": float(len(y)),
        "weight": float(w.sum()),
    }


def area_under_roc(outcome: Array, predicted: Array, weight: Array | None = None) -> float:
    """Area under the ROC curve of outcomes 0/1, all of which must be clean; nan with one class only."""
    both = len(np.unique(outcome)) == 2
    return float(roc_auc_score(outcome, predicted, sample_weight=weight)) if both else float("nan")


def complete(values: ArrayLike, what: str) -> Array:
    """Values as numbers.

    Raises:
        ValueError: one is missing: order, squares and thresholds would take it for a number.
    """
    numbers = np.asarray(values, dtype=float)
    if np.isnan(numbers).any():
        raise ValueError(f"{what} must be numbers, {int(np.isnan(numbers).sum())} are missing")
    return numbers


def probabilities(values: ArrayLike, what: str = "predictions") -> Array:
    """Values as numbers from 0 to 1, whatever their shape.

    Raises:
        ValueError: one is missing, or none of these.
    """
    numbers = complete(values, what)
    outside = numbers[(numbers < -ROUNDING) | (numbers > 1 + ROUNDING)]
    if len(outside):
        raise ValueError(f"{what} must be from 0 to 1, one is {outside[0]:g}")
    return np.clip(numbers, 0.0, 1.0)


def column(values: ArrayLike, what: str, length: int | None = None) -> Array:
    """Values as one column of finite numbers.

    Args:
        length: how many there must be; any number by default.

    Raises:
        ValueError: they are of another shape, one is missing or infinite.
    """
    numbers = np.asarray(values, dtype=float)
    if numbers.shape != (numbers.size if length is None else length,):
        wanted = "(n,)" if length is None else f"({length},)"
        raise ValueError(f"{what} has shape {numbers.shape}, must have {wanted}")
    if not np.isfinite(numbers).all():
        raise ValueError(f"{what} must be finite numbers")
    return numbers


def weighed(
    outcome: ArrayLike, score: ArrayLike, weight: ArrayLike | None = None
) -> tuple[Array, Array, Array]:
    """Outcomes, scores and weights (1 by default) as columns of one length.

    Raises:
        ValueError: they are not, an outcome is not from 0 to 1, a weight is negative or none is more than 0.
    """
    scores = column(complete(score, "predictions"), "predictions")
    y = column(probabilities(outcome, "outcomes"), "outcomes", len(scores))
    w = np.ones(len(scores)) if weight is None else column(weight, "weights", len(scores))
    if (w < 0).any():
        raise ValueError(f"weights must be at least 0, one is {w.min():g}")
    if not w.any():
        raise ValueError("there is no row with a weight above 0")
    return y, scores, w


def log_loss(outcome: ArrayLike, predicted: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Weighted mean negative log likelihood, the logs taken as `log_losses` says."""
    y, p, w = weighed(outcome, predicted, weight)
    return float(np.average(log_losses(y, p), weights=w))


def log_losses(outcome: ArrayLike, predicted: ArrayLike) -> Array:
    """Negative log likelihood of each row, the mean of which is `log_loss`.

    The log is taken no nearer to 0 and 1 than the float next to 1 lies to it, so that what was called impossible and
    happened costs 36.
    """
    y, p = probabilities(outcome, "outcomes"), probabilities(predicted)
    if y.shape != p.shape:
        raise ValueError(f"predictions have shape {p.shape}, outcomes {y.shape}")
    p = np.clip(p, EPSILON, 1 - EPSILON)
    return -(y * np.log(p) + (1 - y) * np.log1p(-p))


def expected_calibration_error(
    outcome: ArrayLike, predicted: ArrayLike, weight: ArrayLike | None = None
) -> float:
    """Mean distance of predicted and observed over the bins of `reliability`."""
    bins = reliability(outcome, predicted, weight)
    gap = (bins["predicted_share"] - bins["observed_share"]).abs()
    return float(np.average(gap.to_numpy(), weights=bins["passes"].to_numpy()))


def reliability(
    outcome: ArrayLike, predicted: ArrayLike, weight: ArrayLike | None = None, bins: int = BINS
) -> pl.DataFrame:
    """Reliability bins of equal weight: bin, predicted_share, observed_share, passes, rows_count.

    Equal predictions share a bin, so there may be fewer than `bins`; each has one of its own where that many do.

    Raises:
        ValueError: fewer than one bin, or columns that `weighed` refuses.
    """
    check_bins(bins)
    y, p, w = weighed(outcome, probabilities(predicted), weight)
    rows = pl.DataFrame({"y": y, "p": p, "w": w}).filter(pl.col("w") > 0)
    by_value = rows.group_by("p").agg(pl.col("w").sum()).sort("p")
    middle = (pl.col("w").cum_sum() - pl.col("w") / 2) / pl.col("w").sum()
    place = (middle * bins).floor() if by_value.height > bins else pl.int_range(pl.len())
    binned = by_value.select("p", place.cast(pl.Int32).alias("bin"))
    return (
        rows.join(binned, on="p")
        .group_by("bin")
        .agg(
            ((pl.col("p") * pl.col("w")).sum() / pl.col("w").sum()).alias("predicted_share"),
            ((pl.col("y") * pl.col("w")).sum() / pl.col("w").sum()).alias("observed_share"),
            pl.col("w").sum().alias("passes"),
            pl.len().cast(pl.Int64).alias("rows_count"),
        )
        .sort("bin")
        .with_columns(pl.int_range(1, pl.len() + 1, dtype=pl.Int32).alias("bin"))
    )


def count_missing(names: ArrayLike) -> int:
    """How many names, of members or of groups, are None or NaN."""
    return sum(name is None or name != name for name in np.asarray(names).tolist())


def check_bins(bins: int) -> None:
    """One or more, or a ValueError."""
    if bins < 1:
        raise ValueError(f"bins must be 1 or more, not {bins}")


def share_of_ceiling(auc: float, ceiling: float) -> float:
    """How far from 0.5 to the best possible AUC a model has come; nan without a ceiling."""
    return (auc - 0.5) / (ceiling - 0.5) if ceiling > 0.5 else float("nan")
