"""What MLflow and the UI get of renewal models."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
import polars as pl

from ris_assets import tracking
from ris_assets.contracts.columns import Table
from ris_assets.contracts.tables import MODEL_BANDS, MODEL_CALIBRATION, MODEL_IMPORTANCE
from ris_assets.evaluation import explain, model_plots, plots
from ris_assets.evaluation.bands import bands_told
from ris_assets.evaluation.calibration_error import calibration_error
from ris_assets.evaluation.contest import RenewalContender
from ris_assets.evaluation.gate import Verdict
from ris_assets.evaluation.probability_scores import Interval
from ris_assets.evaluation.renewal_report import intervals
from ris_assets.evaluation.split import Windows
from ris_assets.evaluation.tiers import Tier, told
from ris_assets.models.logistic import LogisticRenewal
from ris_assets.models.plain_frame import DAYS_TO_END
from ris_assets.models.renewal import PROBABILITIES, RenewalModel
from ris_assets.reports.coefficients import coefficients_plot
from ris_assets.reports.contenders import (
    backtest_steps,
    calibration_table,
    importance_table,
    metrics_table,
    newest_told,
    taken_apart,
)
from ris_assets.reports.model_card import RENEWAL_USE, Card
from ris_assets.tracking import Candidate

SHOWN_COEFFICIENTS = 15
SHOWN = (
    "test_auc",
    "test_ceiling_auc",
    "test_share_of_ceiling",
    "test_log_loss",
    "base_rate_log_loss",
    "test_ceiling_log_loss",
    "test_share_of_skill",
    "test_brier",
    "test_calibration_in_the_large",
    "test_calibration_slope",
    "test_ece",
    "at_threshold_precision",
    "at_threshold_recall",
    "at_threshold_called_share",
    "value_a_member",
    "per_pass_auc",
    "per_pass_share_of_ceiling",
    "near_end_auc",
    "near_end_ceiling_auc",
    "near_end_share_of_ceiling",
    "near_end_calibration_in_the_large",
)


@dataclass(frozen=True)
class Explanation:
    """What is looked into for the winner alone, as it takes time.

    Attributes:
        permutation: catalogue feature -> rise of the log loss.
        mean_abs_shap: catalogue feature -> mean size of what it adds to the log odds; empty if not known.
    """

    permutation: Mapping[str, float]
    mean_abs_shap: Mapping[str, float]
    intervals: Mapping[str, Interval]
    learning: pl.DataFrame
    files: Mapping[str, bytes]


def explained(winner: RenewalContender, windows: Windows) -> Explanation:
    """Shuffle, take apart, draw members again, learn from fewer of them; empty without an out-of-time window."""
    model, test = winner.model, explain.sample(windows.test)
    if not test.height or test["renewed_30d"].n_unique() < 2:
        return Explanation({}, {}, {}, pl.DataFrame(), {})
    apart = explain.explained_rows(model, test)
    shap, files = taken_apart(model, apart, "the log odds of renewing")
    learning = pl.DataFrame()
    if model.basis == "model":
        learning = explain.learning_curve(model, windows)
        base = winner.report.metrics["base_rate_log_loss"]
        files["learning_curve.png"] = model_plots.learning_plot(
            learning, base, f"{model.family}: learning curve"
        )
    permuted = explain.permutation(model, test)
    return Explanation(permuted, shap, judged_intervals(model, windows), learning, files)


def judged_intervals(model: RenewalModel, windows: Windows) -> dict[str, Interval]:
    """Intervals of the main metrics of the out-of-time window."""
    test = windows.test
    outcome = test["renewed_30d"].cast(pl.Float64).to_numpy()
    said = model.predict(test)["p_renew_30d"].to_numpy()
    error = calibration_error(outcome, said, test["user_id"].to_numpy())
    return intervals(model, windows) | {"test_ece": error}


def candidate(contender: RenewalContender, windows: Windows, tags: Mapping[str, str]) -> Candidate:
    """A renewal model as MLflow gets it."""
    model, report = contender.model, contender.report
    # A share for everyone reads nothing, but a signature needs an input; without any column a frame has no rows.
    read = tuple(model.features.columns) or (DAYS_TO_END,)
    params: dict[str, Any] = {f"rows_{name}": rows.height for name, rows in windows.parts.items()}
    params |= {"features": len(model.features.columns), "left_out": len(model.features.left_out)}
    params |= {"balance": model.balance, "calibrator": type(model.calibrator).__name__.lower()}
    return Candidate(
        name=tracking.RENEWAL, family=model.family, model=model, example=windows.test,
        extra_columns=() if model.features.columns else read,
        required=read if len(read) == 1 else (),
        outputs=PROBABILITIES, params=params | model.estimator.params(), metrics=report.metrics,
        tags=tags, files=candidate_files(contender, windows), steps=backtest_steps(contender),
        trials=tuple(
            tracking.Child(f"{model.family} trial {number}", dict(trial.settings),
                           {"log_loss": trial.log_loss, "seconds": trial.seconds, "windows": trial.windows})
            for number, trial in enumerate(contender.found.trials)
        ),
    )  # fmt: skip


def candidate_files(contender: RenewalContender, windows: Windows) -> dict[str, bytes]:
    """Plots of every contender."""
    model, report = contender.model, contender.report
    importance = model.importance()
    files = {
        "importance.png": plots.importance_plot(importance, f"{model.family}: importance"),
        "features.txt": "\n".join(model.features.columns).encode(),
    }
    coefficients = coefficients_of(model)
    if coefficients.height:
        title = f"{model.family}: coefficients"
        files["coefficients.csv"] = coefficients.write_csv().encode()
        files["coefficients.png"] = coefficients_plot(coefficients, title)
    for days, bins in report.reliability.items():
        if bins.height:
            title = f"{model.family}: renewed within {days} days"
            files[f"reliability_{days}d.png"] = plots.reliability_plot(bins, title)
    if report.lift.height:
        outcome = windows.test["renewed_30d"].cast(pl.Float64).to_numpy()
        said = model.predict(windows.test)["p_renew_30d"].to_numpy()
        files["lift.png"] = model_plots.lift_plot(
            report.lift, f"{model.family}: those lost, out of time"
        )
        if 0 < outcome.sum() < len(outcome):
            title = f"{model.family}: losses, out of time"
            files["roc_pr.png"] = model_plots.order_plot(1 - outcome, 1 - said, title)
    return files


def coefficients_of(model: RenewalModel) -> pl.DataFrame:
    """Coefficients that people can read, the largest first; empty of other families."""
    if not isinstance(model.estimator, LogisticRenewal):
        return pl.DataFrame()
    return model.estimator.coefficients(model.features.names)


def card(
    winner: RenewalContender,
    explanation: Explanation,
    verdict: Verdict,
    windows: Windows,
    tier: Tier,
    tags: Mapping[str, str],
) -> str:
    """The winner's model card."""
    model, report = winner.model, winner.report
    facts = {
        "family": model.family,
        "tier": told(tier, windows),
        "features": f"{len(model.features.columns)} columns of the feature catalogue",
        "fitted on": f"{windows.fitting.height:,} Sundays of {windows.fitting['hp_id'].n_unique():,} passes,"
        f" known by {windows.cuts.fit}",
        "judged on": f"{windows.test.height:,} Sundays of {windows.test['hp_id'].n_unique():,} passes,"
        f" {windows.cuts.fit} to {windows.cuts.as_of}",
        "settings searched": len(winner.found.trials) or "no",
        **newest_told(model, windows),
        **{name: tags[name] for name in ("snapshot_hash", "code_version")},
    }
    metrics = {name: report.metrics[name] for name in SHOWN if name in report.metrics}
    found = {}
    if report.bands.height:
        found["Risk bands"] = plots.as_table(bands_told(report.bands))
    if winner.backtest.height:
        found["Backtest"] = plots.as_table(winner.backtest)
    coefficients = coefficients_of(model)
    if coefficients.height:
        found["Coefficients per standard deviation, the largest"] = plots.as_table(
            coefficients.head(SHOWN_COEFFICIENTS)
        )
    if explanation.learning.height:
        found["Learning curve"] = plots.as_table(explanation.learning)
    return Card(
        f"Renewal model: {model.family}", RENEWAL_USE, facts, verdict.reason,
        metrics | dict(explanation.intervals), found,
    ).markdown()  # fmt: skip


def tables(
    winner: RenewalContender, explanation: Explanation
) -> list[tuple[Table, pl.DataFrame | None]]:
    """What the database gets of the registered version: importances, reliability bins, bands."""
    bands = winner.report.bands
    importance = importance_table(
        winner.model.importance(), explanation.permutation, explanation.mean_abs_shap
    )
    return [
        (MODEL_IMPORTANCE, importance),
        (MODEL_CALIBRATION, calibration_table(winner.report.reliability)),
        (MODEL_BANDS, bands if bands.height else None),
    ]


def metadata(
    contenders: Mapping[str, RenewalContender],
    winner: RenewalContender,
    pictures: Mapping[str, bytes],
    verdict: Verdict,
    version: int,
    windows: Windows,
) -> dict[str, Any]:
    """What the UI shows of the renewal models."""
    model, report = winner.model, winner.report
    sizes = {name: frame.height for name, frame in windows.parts.items()}
    cuts, rows = windows.cuts, ", ".join(f"{name} {size:,}" for name, size in sizes.items())
    shown: dict[str, Any] = {
        "dagster/row_count": sum(sizes.values()),
        "winner": model.family,
        "model_version": version,
        "gate": verdict.reason,
        "is_champion": verdict.is_promoted,
        "windows": f"rows of {rows}; trained until {cuts.train}, validated until {cuts.fit}, tested until"
        f" {cuts.as_of}",
        "features_left_out": ", ".join(model.features.left_out) or "none",
    }
    if report.metrics:
        shown["metrics"] = dg.MetadataValue.md(metrics_table(contenders, SHOWN))
        shown["bands"] = dg.MetadataValue.md(plots.as_table(bands_told(report.bands)))
    for name in (
        "reliability_30d",
        "reliability_60d",
        "reliability_90d",
        "importance",
        "coefficients",
        "roc_pr",
        "lift",
        "shap_summary",
        "shap_dependence",
        "learning_curve",
    ):
        if f"{name}.png" in pictures:
            image = plots.as_markdown(pictures[f"{name}.png"], name)
            shown[name.removesuffix("_30d")] = dg.MetadataValue.md(image)
    return shown
