"""How a feature is filled on a day, how far it has moved from what the model was trained on, and what to make of it.

The reference is taken from the training rows once and travels with the model: bins and their shares, a grid of
percentiles, how the feature was filled.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np
import polars as pl

from ris_assets.features.matrix import FeatureSet

BINS = 10
GRID = 100
FLOOR = 1e-4
"""Share that a bin counts as that is empty on one side: its logarithm would be infinite."""
OF_THE_DAY = 0.25
"""A feature of the day: less than this share of its variance lies within the days."""
STATISTICS = ("mean", "sd", "p25", "p50", "p75")
DAY = "as_of_date"
CHANCE = 1e-4
"""How seldom chance leaves so few members filled, or so many alike, that it is none."""
SURE = 0.99
"""Filled share that training can promise: one member without a value is nothing."""


@dataclass(frozen=True)
class Limits:
    """When a feature of a day is a warning, and when it cannot be trusted.

    Attributes:
        psi: population stability index from which a feature has moved.
        ks: Kolmogorov-Smirnov distance from which it has.
        fill_drop_warn: fall of the filled share against training that is noticed.
        fill_drop_fail: fall that stops the scores: more than that of what was known is gone.
        fill_known: filled share in training below which a feature is not missed.
        commonest: a feature whose commonest value had a smaller share in training never is one value for all.
        rows: with fewer members distributions are not compared, they differ by chance.
    """

    psi: float = 0.25
    ks: float = 0.3
    fill_drop_warn: float = 0.2
    fill_drop_fail: float = 0.5
    fill_known: float = 0.05
    commonest: float = 0.5
    rows: int = 50


def reference_of(training: pl.DataFrame, features: FeatureSet) -> dict[str, dict]:
    """What training rows looked like: column -> bins and shares, percentiles, mean, sd, filled share."""
    days = training[DAY] if DAY in training.columns else None
    return {
        **{column: _numeric_reference(training[column], days) for column in features.numeric},
        **{column: _text_reference(training[column]) for column in features.levels},
    }


def _numeric_reference(values: pl.Series, days: pl.Series | None) -> dict:
    """Decile edges of the filled values and the share of rows in each bin, nulls apart."""
    numbers = values.cast(pl.Float64)
    filled = np.sort(numbers.drop_nulls().to_numpy())
    edges, grid = list[float](), list[float]()
    if len(filled):
        inner = np.arange(1, BINS) / BINS
        edges = np.unique(np.quantile(filled, inner, method="nearest")).tolist()
        grid = np.quantile(filled, np.arange(GRID + 1) / GRID).tolist()
    return {
        "edges": edges,
        "mean": numbers.mean(),
        "sd": numbers.std(),
        "shares": _numeric_shares(numbers, edges),
        "grid": grid,
        "fill_share": _filled(numbers),
        "is_of_the_day": _is_of_the_day(numbers, days),
    }


def _is_of_the_day(numbers: pl.Series, days: pl.Series | None) -> bool:
    """Whether the day decides the value more than the member does, as with a season or a holiday."""
    if days is None or days.n_unique() < 2:
        return False
    frame = pl.DataFrame({"day": days, "value": numbers}).drop_nulls()
    if frame.height < 2 * frame["day"].n_unique():
        return False  # who is the only one of a day is its mean, too
    whole = frame["value"].var()
    spread = pl.col("value") - pl.col("value").mean().over("day")
    within = frame.select((spread**2).mean()).item()
    if not isinstance(whole, float) or within is None:
        return False
    return whole > 0 and within / whole < OF_THE_DAY


def _filled(values: pl.Series) -> float:
    return 1 - values.null_count() / len(values) if len(values) else 0.0


def _numeric_shares(numbers: pl.Series, edges: list[float]) -> list[float]:
    """Share of rows in each bin (.., edge], last the share of nulls."""
    filled = numbers.drop_nulls()
    bins = pl.Series("edge", edges, dtype=pl.Float64).search_sorted(filled, side="left")
    counts = dict(bins.value_counts().iter_rows())
    total = max(len(numbers), 1)
    found = [counts.get(index, 0) / total for index in range(len(edges) + 1)]
    return [*found, numbers.null_count() / total]


def _text_reference(values: pl.Series) -> dict:
    """Share of rows with each value; null is a value of its own."""
    counts = values.cast(pl.String).fill_null("").value_counts(normalize=True)
    return {"shares": dict(sorted(counts.iter_rows())), "fill_share": _filled(values)}


def feature_stats(
    frame: pl.DataFrame,
    columns: list[str],
    reference: Mapping[str, dict],
    limits: Limits | None = None,
) -> pl.DataFrame:
    """One row a column of a day's snapshot.

    Returns:
        (feature, members, fill_share, distinct_count, mean, sd, p25, p50, p75, psi, ks, status, rule):
        `status` is ok, warn or fail, `rule` the one that decided. `psi` is the plain index; the rule that
        judges it allows for what chance adds in so few rows.
    """
    limits = limits or Limits()
    rows = [_stats(frame[column], reference.get(column), limits) for column in columns]
    schema = {"feature": pl.String, "members": pl.Int64, "fill_share": pl.Float64}
    schema |= {"distinct_count": pl.Int64} | dict.fromkeys([*STATISTICS, "psi", "ks"], pl.Float64)
    return pl.DataFrame(rows, schema=schema | {"status": pl.String, "rule": pl.String})


def _stats(values: pl.Series, reference: Mapping | None, limits: Limits) -> dict:
    """The row of one column."""
    is_text = values.dtype == pl.String
    numbers = None if is_text else values.cast(pl.Float64)
    shares = _shares(values, reference) if reference and len(values) else []
    row: dict[str, Any] = {
        "feature": values.name,
        "members": len(values),
        "fill_share": _filled(values),
        "distinct_count": values.drop_nulls().n_unique(),
        "psi": _psi(shares) if shares else None,
        "ks": _ks(numbers, reference) if numbers is not None and reference else None,
    }
    row |= {} if numbers is None else _moments(numbers)
    row["status"], row["rule"] = _judged(row, reference, len(shares), limits)
    return row


def _moments(numbers: pl.Series) -> dict:
    """Mean, standard deviation and quartiles."""
    quartiles = {f"p{q}": numbers.quantile(q / 100, "linear") for q in (25, 50, 75)}
    return {"mean": numbers.mean(), "sd": numbers.std(), **quartiles}


def _shares(values: pl.Series, reference: Mapping) -> list[tuple[float, float]]:
    """The day's share and training's of each bin that either has anything in."""
    then = reference["shares"]
    if isinstance(then, Mapping):
        found = _text_reference(values)["shares"]
        pairs = [(found.get(key, 0.0), then.get(key, 0.0)) for key in sorted({*found, *then})]
    else:
        now = _numeric_shares(values.cast(pl.Float64, strict=False), reference["edges"])
        pairs = list(zip(now, then, strict=True))
    return [(now_share, then_share) for now_share, then_share in pairs if now_share or then_share]


def _psi(shares: list[tuple[float, float]]) -> float:
    """Population stability index: sum (now - then) ln(now / then), no share below `FLOOR`."""
    floored = [(max(now, FLOOR), max(then, FLOOR)) for now, then in shares]
    return sum((now - then) * log(now / then) for now, then in floored)


def _ks(numbers: pl.Series, reference: Mapping) -> float | None:
    """Largest distance of the day's distribution from training's, at the percentiles of training."""
    grid = np.asarray(reference.get("grid") or [], dtype=float)
    filled = np.sort(numbers.drop_nulls().to_numpy())
    if not len(grid) or not len(filled):
        return None
    then = np.linspace(0, 1, len(grid))
    # Of percentiles that are equal the last says how much lies at or below, the first how much below.
    points, first = np.unique(grid, return_index=True)
    last = len(grid) - 1 - np.unique(grid[::-1], return_index=True)[1]
    up_to = np.searchsorted(filled, points, side="right") / len(filled)
    below = np.searchsorted(filled, points, side="left") / len(filled)
    return float(max(np.abs(up_to - then[last]).max(), np.abs(below - then[first]).max()))


def _judged(row: Mapping, reference: Mapping | None, bins: int, limits: Limits) -> tuple[str, str]:
    """Status and the rule that decided: the first of these that holds."""
    if not reference:
        return "ok", "the champion does not read it"
    known = reference.get("fill_share") or 0.0
    drop = known - row["fill_share"] if _is_missed(row, known) else 0.0
    filled = f"filled {row['fill_share']:.0%}, in training {known:.0%}"
    if known >= limits.fill_known and drop > limits.fill_drop_fail * known:
        return "fail", filled
    if reference.get("is_of_the_day"):
        return _judged_of_the_day(row, reference)
    if _is_stuck(row, reference["shares"], known, limits):
        return "fail", "one value for all members, in training many"
    if drop > limits.fill_drop_warn:
        return "warn", filled
    if row["members"] < limits.rows:
        return "ok", f"fewer than {limits.rows} members, distributions not compared"
    return _judged_by_distance(row, bins, limits)


def _is_missed(row: Mapping, known: float) -> bool:
    """Whether so few members have a value that chance is no reason."""
    from scipy.stats import binom

    filled = round(row["fill_share"] * row["members"])
    return bool(binom.cdf(filled, row["members"], min(known, SURE)) < CHANCE)


def _is_stuck(row: Mapping, shares: Mapping | list[float], known: float, limits: Limits) -> bool:
    """Whether all that is filled is one value where training had many, of enough members to be no chance."""
    if row["distinct_count"] != 1:
        return False
    commonest = max(shares.values() if isinstance(shares, Mapping) else shares, default=1.0)
    others = round(row["fill_share"] * row["members"]) - 1
    return commonest < limits.commonest and min(commonest / (known or 1.0), 1.0) ** others < CHANCE


def _judged_by_distance(row: Mapping, bins: int, limits: Limits) -> tuple[str, str]:
    """Limit of the index: beside the set one what chance adds, (bins - 1) / members, and three deviations of it."""
    limit = limits.psi + (bins - 1 + 3 * (2 * BINS) ** 0.5) / row["members"]
    if (row["psi"] or 0) > limit:
        return "warn", f"PSI {row['psi']:.2f} > {limit:.2f}"
    if (row["ks"] or 0) > limits.ks:
        return "warn", f"KS {row['ks']:.2f} > {limits.ks}"
    return "ok", "as in training"


def _judged_of_the_day(row: Mapping, reference: Mapping) -> tuple[str, str]:
    if row["mean"] is None:
        return "ok", "goes by the day, nobody has a value"
    low, high = reference["grid"][0], reference["grid"][-1]
    if low <= row["mean"] <= high:
        return "ok", "goes by the day, within the days of training"
    return "warn", f"goes by the day, outside the days of training, {low:.3g} to {high:.3g}"
