"""Risk bands: where each begins on the risk score, and what happened to the members in it."""

from collections.abc import Mapping
from itertools import pairwise
from math import sqrt

import numpy as np
import polars as pl

Array = np.ndarray
BAND_FROM_QUANTILE = {"low": 0.0, "medium": 0.50, "high": 0.80, "critical": 0.95}
"""A band begins where this share of the validation window scores below it."""


def band_limits(risk: Array, weight: Array) -> dict[str, float]:
    """Band -> risk score at which it begins, rising strictly in steps of at least 0.1."""
    order = np.argsort(risk, kind="stable")
    position = np.cumsum(weight[order]) / weight.sum()
    limits = {"low": 0.0}
    for band, quantile in list(BAND_FROM_QUANTILE.items())[1:]:
        cut = float(risk[order][np.searchsorted(position, quantile)])
        limits[band] = round(max(cut, max(limits.values()) + 0.1), 1)
    return limits


def band_of(risk: pl.Expr, limits: Mapping[str, float]) -> pl.Expr:
    """The band of a risk score."""
    bands = list(limits)
    expression = pl.lit(bands[0])
    for band in bands[1:]:
        expression = pl.when(risk >= limits[band]).then(pl.lit(band)).otherwise(expression)
    return expression


def band_table(
    limits: Mapping[str, float], risk: Array, predicted: Array, outcome: Array, weight: Array
) -> pl.DataFrame:
    """What happened in each band: limits, expected and observed share with its interval, passes."""
    edges = [*limits.values(), 100.0 + 0.1]
    rows = []
    for band, (low, high) in zip(limits, pairwise(edges), strict=True):
        inside = (risk >= low) & (risk < high)
        passes = float(weight[inside].sum())
        row = {"risk_band": band, "from_score": low, "to_score": round(high, 1), "passes": passes}
        if passes:
            observed = float(np.average(outcome[inside], weights=weight[inside]))
            row["expected_share"] = float(np.average(predicted[inside], weights=weight[inside]))
            row["observed_share"] = observed
            row["observed_low"], row["observed_high"] = wilson(observed, passes)
        rows.append(row)
    numbers = ["expected_share", "observed_share", "observed_low", "observed_high"]
    schema = {"risk_band": pl.String, "from_score": pl.Float64, "to_score": pl.Float64}
    return pl.DataFrame(rows, schema=schema | dict.fromkeys([*numbers, "passes"], pl.Float64))


def wilson(share: float, count: float, z: float = 1.96) -> tuple[float, float]:
    """Wilson (1927) interval of a share seen in `count` trials."""
    spread = z * sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    middle, scale = share + z**2 / (2 * count), 1 + z**2 / count
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)
