"""Everything that is said of a renewal model: metrics by horizon, bins, bands, ceiling."""

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from ris_assets.evaluation.bands import band_table
from ris_assets.evaluation.metrics import binary_metrics, log_loss, reliability, share_of_ceiling
from ris_assets.evaluation.split import Windows
from ris_assets.models.protocol import RENEWAL_HORIZONS
from ris_assets.models.renewal import RenewalModel, risk_scores

NEAR_END_DAYS = 6
TRUTH_KEYS = ["hp_id", "as_of_date"]


@dataclass(frozen=True)
class RenewalReport:
    """What a model did on its out-of-time window.

    Attributes:
        metrics: flat, ready for MLflow: test_auc, near_end_auc, test_60d_log_loss, ... `test`
            counts every Sunday's score once, as the outcome ledger does; `per_pass` weighs a pass
            as one; `near_end` takes the last Sunday of each pass.
        reliability: horizon -> bins.
        bands: what happened in each band.
    """

    metrics: dict[str, float]
    reliability: dict[int, pl.DataFrame] = field(default_factory=dict)
    bands: pl.DataFrame = field(default_factory=pl.DataFrame)


def report_on(
    model: RenewalModel, windows: Windows, truth: pl.DataFrame | None = None
) -> RenewalReport:
    """Judge a fitted model on the test window; `truth` is the simulator's, where there is one."""
    scored = windows.test.hstack(model.predict(windows.test))
    metrics: dict[str, float] = {}
    for name, rows in slices(scored).items():
        metrics |= _named(name, rows, 30)
    bins = {}
    for days in RENEWAL_HORIZONS:
        mature = scored.filter(pl.col(f"matures_{days}d_on") <= windows.cuts.as_of)
        if days != RENEWAL_HORIZONS[0]:
            metrics |= _named(f"test_{days}d", once_each(mature), days)
        bins[days] = reliability(*_columns(mature, days))
    metrics["base_rate_log_loss"] = base_rate_log_loss(windows)
    if truth is not None:
        metrics |= ceiling_metrics(scored, truth)
    y, p, w = _columns(scored, 30)
    return RenewalReport(metrics, bins, band_table(model.bands, risk_scores(p), p, y, w))


def slices(scored: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The ways in which test rows are counted: see `RenewalReport.metrics`."""
    last = pl.col("days_to_end") <= NEAR_END_DAYS
    return {
        "test": once_each(scored),
        "per_pass": scored,
        "near_end": once_each(scored.filter(last)),
    }


def once_each(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with weight 1."""
    return rows.with_columns(pl.lit(1.0).alias("weight"))


def base_rate_log_loss(windows: Windows) -> float:
    """Log loss on the test window of saying what share renewed before to everyone."""
    before = windows.fitting["renewed_30d"].cast(pl.Float64).to_numpy()
    outcome = windows.test["renewed_30d"].cast(pl.Float64).to_numpy()
    rate = np.full(len(outcome), before.mean())
    return log_loss(outcome, rate, np.ones(len(outcome)))


def ceiling_metrics(scored: pl.DataFrame, truth: pl.DataFrame) -> dict[str, float]:
    """The best possible AUC and log loss on the same rows, and the share of the way to it."""
    known = scored.join(
        truth.select(*TRUTH_KEYS, pl.col("p_renew_30d").alias("p_true")), TRUTH_KEYS, "inner"
    )
    metrics: dict[str, float] = {"ceiling_rows_share": known.height / max(scored.height, 1)}
    for name, rows in slices(known).items():
        if not rows.height:
            continue
        y, p, w = _columns(rows, 30)
        best = binary_metrics(y, rows["p_true"].to_numpy(), w)
        metrics[f"{name}_ceiling_auc"] = best["auc"]
        metrics[f"{name}_ceiling_log_loss"] = best["log_loss"]
        share = share_of_ceiling(binary_metrics(y, p, w)["auc"], best["auc"])
        metrics[f"{name}_share_of_ceiling"] = share
    return metrics


def _named(prefix: str, scored: pl.DataFrame, days: int) -> dict[str, float]:
    """Metrics of one slice and horizon, flat; nothing for an empty slice."""
    if not scored.height:
        return {}
    found = binary_metrics(*_columns(scored, days))
    return {f"{prefix}_{name}": value for name, value in found.items() if not np.isnan(value)}


def _columns(scored: pl.DataFrame, days: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Outcome, prediction, weight."""
    outcome = scored[f"renewed_{days}d"].cast(pl.Float64).to_numpy()
    return outcome, scored[f"p_renew_{days}d"].to_numpy(), scored["weight"].to_numpy()
