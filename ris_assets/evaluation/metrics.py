"""Numbers that say how good probabilities are. All of them weighted, none of them plotted."""

import numpy as np
import polars as pl
from sklearn.metrics import average_precision_score, roc_auc_score

BINS = 10
TINY = 1e-6
Array = np.ndarray


def binary_metrics(
    outcome: Array, predicted: Array, weight: Array | None = None
) -> dict[str, float]:
    """Discrimination and calibration of probabilities against outcomes 0/1.

    Returns:
        auc and average_precision (nan with one class only), log_loss, brier, ece (expected
        calibration error over ten bins of equal weight), mean_predicted, observed,
        calibration_in_the_large (mean_predicted - observed), rows, weight.
    """
    y, p = np.asarray(outcome, dtype=float), np.asarray(predicted, dtype=float)
    w = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=float)
    y, p, w = y[w > 0], p[w > 0], w[w > 0]
    both = len(np.unique(y)) == 2
    expected, observed = float(np.average(p, weights=w)), float(np.average(y, weights=w))
    return {
        "auc": float(roc_auc_score(y, p, sample_weight=w)) if both else float("nan"),
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


def complete(values: Array, what: str) -> Array:
    """Values as numbers.

    Raises:
        ValueError: one is missing: order, squares and thresholds would take it for a number.
    """
    numbers = np.asarray(values, dtype=float)
    if np.isnan(numbers).any():
        raise ValueError(f"{what} must be numbers, {int(np.isnan(numbers).sum())} are missing")
    return numbers


def log_loss(outcome: Array, predicted: Array, weight: Array) -> float:
    """Weighted mean negative log likelihood; probabilities are kept 1e-6 away from 0 and 1."""
    return float(np.average(log_losses(outcome, predicted), weights=weight))


def log_losses(outcome: Array, predicted: Array) -> Array:
    """Negative log likelihood of each row, the mean of which is `log_loss`."""
    p = np.clip(predicted, TINY, 1 - TINY)
    return -(outcome * np.log(p) + (1 - outcome) * np.log1p(-p))


def expected_calibration_error(outcome: Array, predicted: Array, weight: Array) -> float:
    """Mean distance of predicted and observed over the bins of `reliability`."""
    bins = reliability(outcome, predicted, weight)
    gap = (bins["predicted_share"] - bins["observed_share"]).abs()
    return float(np.average(gap.to_numpy(), weights=bins["passes"].to_numpy()))


def reliability(outcome: Array, predicted: Array, weight: Array, bins: int = BINS) -> pl.DataFrame:
    """Reliability bins of equal weight: bin, predicted_share, observed_share, passes, rows_count.

    Equal predictions share a bin, so there may be fewer than `bins`.
    """
    rows = pl.DataFrame(
        {"y": outcome, "p": predicted, "w": weight}, schema_overrides={"y": pl.Float64}
    ).filter(pl.col("w") > 0)
    by_value = rows.group_by("p").agg(pl.col("w").sum()).sort("p")
    middle = (pl.col("w").cum_sum() - pl.col("w") / 2) / pl.col("w").sum()
    binned = by_value.select("p", (middle * bins).floor().cast(pl.Int32).alias("bin"))
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


def share_of_ceiling(auc: float, ceiling: float) -> float:
    """How far from 0.5 to the best possible AUC a model has come; nan without a ceiling."""
    return (auc - 0.5) / (ceiling - 0.5) if ceiling > 0.5 else float("nan")
