"""How a feature is filled on a day, and how far it has moved from what the model was trained on."""

from collections.abc import Mapping
from math import log

import polars as pl

from ris_assets.features.matrix import FeatureSet

BINS = 10
PSI_SHIFTING, PSI_DRIFTED = 0.10, 0.25
SPARSE_SHARE = 0.05
FLOOR = 1e-4
STATISTICS = ("mean", "sd", "p25", "p50", "p75")


def reference_of(training: pl.DataFrame, features: FeatureSet) -> dict[str, dict]:
    """What training rows looked like: column -> its bins, their shares, its mean and sd."""
    return {
        **{column: _numeric_reference(training[column]) for column in features.numeric},
        **{column: _text_reference(training[column]) for column in features.levels},
    }


def _numeric_reference(values: pl.Series) -> dict:
    """Decile edges of the filled values and the share of rows in each bin, nulls apart."""
    numbers = values.cast(pl.Float64)
    quantiles = [numbers.quantile(i / BINS, "nearest") for i in range(1, BINS)]
    edges = sorted({float(edge) for edge in quantiles if edge is not None})
    reference = {"edges": edges, "mean": numbers.mean(), "sd": numbers.std()}
    return reference | {"shares": _numeric_shares(numbers, edges)}


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
    return {"shares": dict(sorted(counts.iter_rows()))}


def feature_stats(
    frame: pl.DataFrame, columns: list[str], reference: Mapping[str, dict]
) -> pl.DataFrame:
    """One row a column: feature, members, fill_share, mean, sd, quartiles, psi, status."""
    rows = [_stats(frame[column], reference.get(column)) for column in columns]
    schema = {"feature": pl.String, "members": pl.Int64, "fill_share": pl.Float64}
    schema |= dict.fromkeys([*STATISTICS, "psi"], pl.Float64) | {"status": pl.String}
    return pl.DataFrame(rows, schema=schema)


def _stats(values: pl.Series, reference: Mapping | None) -> dict:
    """The row of one column."""
    filled = 1 - values.null_count() / max(len(values), 1) if len(values) else 0.0
    psi = _psi(values, reference) if reference and len(values) else None
    row = {"feature": values.name, "members": len(values), "fill_share": filled, "psi": psi}
    row["status"] = _status(filled, psi)
    return row if values.dtype == pl.String else row | _moments(values.cast(pl.Float64))


def _moments(numbers: pl.Series) -> dict:
    """Mean, standard deviation and quartiles."""
    quartiles = {f"p{q}": numbers.quantile(q / 100, "linear") for q in (25, 50, 75)}
    return {"mean": numbers.mean(), "sd": numbers.std(), **quartiles}


def _psi(values: pl.Series, reference: Mapping) -> float:
    """Population stability index: sum (now - then) ln(now / then) over the bins of training."""
    then = reference["shares"]
    if isinstance(then, Mapping):
        found = _text_reference(values)["shares"]
        pairs = [(found.get(key, 0.0), then.get(key, 0.0)) for key in sorted({*found, *then})]
    else:
        now = _numeric_shares(values.cast(pl.Float64), reference["edges"])
        pairs = list(zip(now, then, strict=True))
    floored = [(max(a, FLOOR), max(b, FLOOR)) for a, b in pairs]
    return sum((a - b) * log(a / b) for a, b in floored)


def _status(filled: float, psi: float | None) -> str:
    """What to make of a column: the first of these that holds."""
    if filled == 0:
        return "empty"
    if psi is None:
        return "no_reference"
    if psi >= PSI_DRIFTED:
        return "drifted"
    if psi >= PSI_SHIFTING:
        return "shifting"
    return "sparse" if filled < SPARSE_SHARE else "ok"
