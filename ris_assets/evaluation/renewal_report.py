"""Everything that is said of a renewal model: metrics by horizon, bins, bands, ceiling."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from ris_assets.evaluation.bands import band_table, wilson
from ris_assets.evaluation.metrics import (
    area_under_roc,
    binary_metrics,
    log_loss,
    reliability,
    share_of_ceiling,
)
from ris_assets.evaluation.probability_scores import (
    DEFAULT_COSTS,
    Costs,
    Interval,
    bootstrap,
    brier_parts,
    calibration_line,
    confusion_at,
    expected_value,
    lift_table,
)
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
        lift: of those lost, by decile of risk.
    """

    metrics: dict[str, float]
    reliability: dict[int, pl.DataFrame] = field(default_factory=dict)
    bands: pl.DataFrame = field(default_factory=pl.DataFrame)
    lift: pl.DataFrame = field(default_factory=pl.DataFrame)


def report_on(
    model: RenewalModel,
    windows: Windows,
    truth: pl.DataFrame | None = None,
    costs: Costs = DEFAULT_COSTS,
) -> RenewalReport:
    """Judge a fitted model on the test window; `truth` is the simulator's, where there is one."""
    if not windows.test.height:
        return RenewalReport({})
    scored = windows.test.hstack(model.predict(windows.test))
    metrics: dict[str, float] = {}
    for name, rows in slices(scored).items():
        metrics |= _named(name, rows, 30)
    bins = {}
    for days in RENEWAL_HORIZONS:
        mature = scored.filter(pl.col(f"matures_{days}d_on") <= windows.cuts.as_of)
        if not mature.height:
            continue
        if days != RENEWAL_HORIZONS[0]:
            metrics |= _named(f"test_{days}d", once_each(mature), days)
        bins[days] = with_bounds(reliability(*_columns(mature, days)))
    metrics["base_rate_log_loss"] = base_rate_log_loss(windows)
    if truth is not None:
        metrics |= ceiling_metrics(scored, truth) | skill_metrics(scored, truth, windows)
    metrics |= calibration_metrics(scored) | cost_metrics(scored, costs)
    y, p, w = _columns(scored, 30)
    bands = band_table(model.bands, risk_scores(p), p, y, w)
    return RenewalReport(_finite(metrics), bins, bands, lift_table(1 - y, 1 - p, w))


def _finite(metrics: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if np.isfinite(value)}


def with_bounds(bins: pl.DataFrame) -> pl.DataFrame:
    """Reliability bins with the 95% Wilson interval of the share observed, in passes."""
    bounds = [
        wilson(share, passes) for share, passes in bins["observed_share", "passes"].iter_rows()
    ]
    return bins.with_columns(
        pl.Series("observed_low", [low for low, _ in bounds], pl.Float64),
        pl.Series("observed_high", [high for _, high in bounds], pl.Float64),
    )


def calibration_metrics(scored: pl.DataFrame) -> dict[str, float]:
    """Calibration line and the parts of the Brier score, every Sunday counted once."""
    y, p, _ = _columns(scored, 30)
    line, parts = calibration_line(y, p), brier_parts(y, p)
    return {
        "test_calibration_slope": line.slope,
        "test_calibration_log_odds": line.in_the_large,
        "test_brier_reliability": parts.reliability,
        "test_brier_resolution": parts.resolution,
        "test_brier_uncertainty": parts.uncertainty,
    }


def cost_metrics(scored: pl.DataFrame, costs: Costs) -> dict[str, float]:
    """What calling everyone from the threshold of the costs on would have done; the outcome is being lost."""
    y, p, w = _columns(scored, 30)
    at = confusion_at(1 - y, 1 - p, costs.threshold, w)
    return {
        "threshold": costs.threshold,
        **{f"at_threshold_{name}": value for name, value in at.items()},
        "value_a_member": expected_value(1 - y, 1 - p, costs.threshold, costs, w),
        "value_a_member_calling_all": expected_value(1 - y, 1 - p, 0.0, costs, w),
    }


def intervals(model: RenewalModel, windows: Windows, rounds: int = 200) -> dict[str, Interval]:
    """95% intervals of the main metrics on the test window, members drawn whole."""
    rows = windows.test
    if not rows.height:
        return {}
    y = rows["renewed_30d"].cast(pl.Float64).to_numpy()
    p = model.predict(rows)["p_renew_30d"].to_numpy()
    members = rows["user_id"].to_numpy()
    statistics: dict[str, Callable[..., float]] = {
        "test_auc": area_under_roc,
        "test_log_loss": lambda y, p: log_loss(y, p, np.ones(len(y))),
        "test_brier": lambda y, p: float(np.mean((p - y) ** 2)),
        "test_calibration_in_the_large": lambda y, p: float(np.mean(p - y)),
        "test_calibration_slope": lambda y, p: calibration_line(y, p).slope,
    }
    return {
        name: bootstrap(statistic, y, p, groups=members, rounds=rounds)
        for name, statistic in statistics.items()
    }


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


def with_truth(scored: pl.DataFrame, truth: pl.DataFrame) -> pl.DataFrame:
    """The rows whose true probability is known, as p_true."""
    true = truth.select(*TRUTH_KEYS, pl.col("p_renew_30d").alias("p_true"))
    return scored.join(true, TRUTH_KEYS, "inner")


def ceiling_metrics(scored: pl.DataFrame, truth: pl.DataFrame) -> dict[str, float]:
    """The best possible AUC and log loss on the same rows, and the share of the way to it."""
    known = with_truth(scored, truth)
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


def skill_metrics(scored: pl.DataFrame, truth: pl.DataFrame, windows: Windows) -> dict[str, float]:
    """How much of the attainable skill a model has: (base - model) / (base - truth), in log loss and Brier score."""
    known = with_truth(scored, truth)
    if not known.height:
        return {}
    y, p, _ = _columns(known, 30)
    rate = windows.fitting["renewed_30d"].cast(pl.Float64).to_numpy().mean()
    sides = {"base": np.full(len(y), rate), "model": p, "truth": known["p_true"].to_numpy()}
    losses = {side: log_loss(y, said, np.ones(len(y))) for side, said in sides.items()}
    briers = {side: float(np.mean((said - y) ** 2)) for side, said in sides.items()}
    return {
        "test_share_of_skill": _skill(losses),
        "test_share_of_skill_brier": _skill(briers),
        "test_ceiling_brier": briers["truth"],
    }


def _skill(of: dict[str, float]) -> float:
    attainable = of["base"] - of["truth"]
    return (of["base"] - of["model"]) / attainable if attainable > 0 else float("nan")


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
