"""What is shown of contenders of either kind, side by side and window by window."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from ris_assets.evaluation import explain, model_plots
from ris_assets.evaluation.contender import Contender, loss_of
from ris_assets.evaluation.probability_scores import Interval
from ris_assets.evaluation.split import Windows
from ris_assets.models.hazard import HazardModel
from ris_assets.models.renewal import RenewalModel
from ris_assets.reports.model_card import number
from ris_assets.tracking import Candidate

STEPS = ("log_loss", "auc", "brier", "calibration_in_the_large")


def metrics_table(
    contenders: Mapping[str, Contender], names: Sequence[str], decimals: int = 4
) -> str:
    """Those metrics that all have, side by side, as markdown; the loss that chooses first, with so many decimals."""
    everyone = list(contenders.values())
    shown = [name for name in names if all(name in one.metrics for one in everyone)]
    losses = [f"{loss_of(one):.{decimals}f}" for one in everyone]
    rows = [[name, *(number(one.metrics[name]) for one in everyone)] for name in shown]
    lines = [["metric", *contenders], ["log loss chosen by", *losses], *rows]
    head, *body = (f"| {' | '.join(cells)} |" for cells in lines)
    return "\n".join([head, "|---" * (len(everyone) + 1) + "|", *body])


def newest_told(model: RenewalModel | HazardModel, windows: Windows) -> dict[str, str]:
    """For the card: from which day on a model that nothing has judged goes by more than it was fitted on."""
    if model.newest is None:
        return {}
    rows = f"{windows.known.height:,} rows known by then"
    return {"newest": f"scores of {model.known_by} and later days go by all {rows}"}


def backtest_steps(contender: Contender) -> dict[str, list[float]]:
    """Metrics by backtest window, the oldest first, as MLflow draws them."""
    table = contender.backtest
    shown = [name for name in STEPS if name in table.columns]
    return {f"backtest_{name}": table[name].reverse().to_list() for name in shown}


def with_findings(
    candidate: Candidate, files: Mapping[str, bytes], intervals: Mapping[str, Interval]
) -> Candidate:
    """The candidate with what was looked into for it alone: more files, and the ends of intervals as metrics."""
    ends = {
        f"{name}_{side}": value
        for name, interval in intervals.items()
        for side, value in (("low", interval.low), ("high", interval.high))
        if np.isfinite(value)
    }
    return replace(
        candidate, files={**candidate.files, **files}, metrics={**candidate.metrics, **ends}
    )


def importance_table(
    importance: Mapping[str, float],
    permutation: Mapping[str, float],
    mean_abs_shap: Mapping[str, float],
) -> pl.DataFrame:
    """Importances as `ris.model_importance` has them, most important first; null where not known."""
    columns = {
        "feature": list(importance),
        "importance": list(importance.values()),
        "permutation": [permutation.get(name) for name in importance],
        "mean_abs_shap": [mean_abs_shap.get(name) for name in importance],
    }
    schema = {"feature": pl.String} | dict.fromkeys([*columns][1:], pl.Float64)
    rank = pl.int_range(1, pl.len() + 1, dtype=pl.Int32)
    return pl.DataFrame(columns, schema=schema).with_columns(rank.alias("importance_rank"))


def taken_apart(
    model: RenewalModel | HazardModel, rows: pl.DataFrame, to: str
) -> tuple[dict[str, float], dict[str, bytes]]:
    """Catalogue feature -> mean size of what it adds, and plots of it; empty from families that cannot tell.

    Args:
        to: what features add to.
    """
    found = explain.contributions_by_feature(model, rows)
    if found is None:
        return {}, {}
    names, parts = found
    values = model_plots.matrix_of(rows, names)
    title = f"{model.family}: what the strongest features add"
    sizes = dict(zip(names, np.abs(parts).mean(axis=0).tolist(), strict=True))
    return sizes, {
        "shap_summary.png": model_plots.contributions_plot(names, parts, values, title, to),
        "shap_dependence.png": model_plots.dependence_plot(names, parts, values, title, to),
    }


def calibration_table(bins: Mapping[int, pl.DataFrame]) -> pl.DataFrame | None:
    """Horizon in days -> reliability bins, as `ris.model_calibration` has them; None without any."""
    parts = [
        frame.with_columns(pl.lit(days, pl.Int32).alias("horizon_days"))
        for days, frame in bins.items()
    ]
    return pl.concat(parts) if parts else None
