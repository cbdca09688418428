"""Risk bands: where each begins on the risk score, and what happened to the members in it."""

from collections.abc import Mapping
from itertools import combinations, pairwise
from math import sqrt

import numpy as np
import polars as pl

Array = np.ndarray
BANDS = ("low", "medium", "high", "critical")
EVEN_BANDS = {"low": 0.0, "medium": 25.0, "high": 50.0, "critical": 75.0}
"""Where nothing is known to cut by."""
CANDIDATES = 40
BAND_FROM_QUANTILE = {"medium": 0.50, "high": 0.80}
"""Where no cut separates: a band begins where this share of the weight scores below it."""
NOBODY = 100.1
"""Above every risk score: where a band begins that nobody can be in."""
LEAST_SHARE = 0.03
"""Of all weight in a band."""
APART = 1.96
"""Standard errors by which the shares lost in neighbouring bands differ."""


def band_limits(risk: Array, lost: Array, weight: Array) -> dict[str, float]:
    """Band -> risk score at which it begins: cut where the shares that were lost separate best.

    Of all cuts that leave every band enough weight and neighbours apart beyond chance, the likeliest; as many bands
    as there can be. Three are low, medium and high, two low and high: nobody is called critical for whom nothing
    sets them apart. Where no cut separates there are low, medium and high by order alone.

    Args:
        risk: scores 0-100, a decimal.
        lost: 1 where the member did not renew.
        weight: of each row, in passes.
    """
    if not len(risk):
        return dict(EVEN_BANDS)
    cuts = np.unique(np.round(np.quantile(risk, np.linspace(0, 1, CANDIDATES + 1)[1:-1]), 1))
    cuts = cuts[cuts > risk.min()]
    sums = _Sums.of(risk, lost, weight, cuts)
    for count in (3, 2, 1):
        best = sums.best(count)
        if best is not None:
            return _named([float(cut) for cut in best])
    return _by_quantile(risk, weight)


def _named(cuts: list[float]) -> dict[str, float]:
    """Limits of the bands; one that is missing begins where the next one does, or above every score."""
    if len(cuts) == 1:
        cuts = [cuts[0], cuts[0]]
    return dict(zip(BANDS, [0.0, *cuts, NOBODY], strict=False))


def _by_quantile(risk: Array, weight: Array) -> dict[str, float]:
    """Half, 30 and 20% of the weight; who scores no more than the lowest is low."""
    order = np.argsort(risk, kind="stable")
    position = np.cumsum(weight[order]) / weight.sum()
    limits, below = {"low": 0.0}, float(risk.min())
    for band, quantile in BAND_FROM_QUANTILE.items():
        cut = float(np.ceil(10 * risk[order][np.searchsorted(position, quantile)]) / 10)
        limits[band] = below = cut if cut > below else NOBODY
    return limits | {"critical": NOBODY}


class _Sums:
    """Weight and losses below each candidate cut, from which any banding is judged at once."""

    def __init__(self, cuts: Array, weight: Array, lost: Array) -> None:
        self.cuts, self.weight, self.lost = cuts, weight, lost

    @classmethod
    def of(cls, risk: Array, lost: Array, weight: Array, cuts: Array) -> "_Sums":
        """Sums of rows whose score is below each cut; all rows last."""
        place = np.searchsorted(cuts, risk, side="right")
        size = len(cuts) + 1
        below = np.cumsum(np.bincount(place, weights=weight, minlength=size))
        gone = np.cumsum(np.bincount(place, weights=weight * lost, minlength=size))
        return cls(cuts, below, gone)

    def best(self, count: int) -> list[float] | None:
        """The likeliest allowed choice of so many cuts, None where there is none."""
        if len(self.cuts) < count:
            return None
        chosen = np.array(list(combinations(range(len(self.cuts)), count)))
        last = np.full((len(chosen), 1), len(self.cuts))
        bounds = np.hstack([chosen, last])
        weight = np.diff(self.weight[bounds], axis=1, prepend=0.0)
        lost = np.diff(self.lost[bounds], axis=1, prepend=0.0)
        safe = np.maximum(weight, 1e-9)
        share = np.clip((lost + 0.5) / (safe + 1), 1e-6, 1 - 1e-6)
        error = np.sqrt(share * (1 - share) / safe)
        apart = np.diff(share, axis=1) / np.hypot(error[:, 1:], error[:, :-1])
        allowed = (weight >= LEAST_SHARE * self.weight[-1]).all(axis=1) & (apart >= APART).all(
            axis=1
        )
        if not allowed.any():
            return None
        likelihood = (lost * np.log(share) + (weight - lost) * np.log1p(-share)).sum(axis=1)
        best = int(np.argmax(np.where(allowed, likelihood, -np.inf)))
        return [float(self.cuts[place]) for place in chosen[best]]


def band_of(risk: pl.Expr, limits: Mapping[str, float]) -> pl.Expr:
    """The band of a risk score; null where there is none."""
    bands = list(limits)
    expression = pl.lit(bands[0])
    for band in bands[1:]:
        expression = pl.when(risk >= limits[band]).then(pl.lit(band)).otherwise(expression)
    return pl.when(risk.is_not_nan()).then(expression)


def band_table(
    limits: Mapping[str, float], risk: Array, predicted: Array, outcome: Array, weight: Array
) -> pl.DataFrame:
    """What happened in each band: limits, expected and observed share with its interval, passes, lift of the loss.

    A band that nobody can be in has no limits.
    """
    edges = [*limits.values(), NOBODY]
    lost = 1 - float(np.average(outcome, weights=weight)) if len(outcome) else 0.0
    rows = []
    for band, (low, high) in zip(limits, pairwise(edges), strict=True):
        inside = (risk >= low) & (risk < high)
        passes = float(weight[inside].sum())
        row: dict[str, object] = {"risk_band": band, "passes": passes}
        if low < high:
            row |= {"from_score": low, "to_score": round(high, 1)}
        if passes:
            observed = float(np.average(outcome[inside], weights=weight[inside]))
            row["expected_share"] = float(np.average(predicted[inside], weights=weight[inside]))
            row["observed_share"] = observed
            row["observed_low"], row["observed_high"] = wilson(observed, passes)
            row["lift"] = (1 - observed) / lost if lost else None
        rows.append(row)
    numbers = ["expected_share", "observed_share", "observed_low", "observed_high", "lift"]
    schema = {"risk_band": pl.String, "from_score": pl.Float64, "to_score": pl.Float64}
    return pl.DataFrame(rows, schema=schema | dict.fromkeys([*numbers, "passes"], pl.Float64))


def bands_told(table: pl.DataFrame) -> pl.DataFrame:
    """The table for people: the scores of each band in one column, which says where nobody can be in it."""
    last = (10 * pl.col("to_score") - 1).round(0) / 10
    scores = pl.format("{} - {}", "from_score", last).fill_null("nobody has such a score")
    return table.select(
        "risk_band", scores.alias("risk_score"), pl.exclude("risk_band", "from_score", "to_score")
    )


def wilson(share: float, count: float, z: float = 1.96) -> tuple[float, float]:
    """Wilson (1927) interval of a share seen in `count` trials."""
    spread = z * sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    middle, scale = share + z**2 / (2 * count), 1 + z**2 / count
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)
