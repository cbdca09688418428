"""What MLflow and the UI get of hazard models."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
import numpy as np
import polars as pl

from ris_assets import tracking
from ris_assets.contracts.columns import Table
from ris_assets.contracts.tables import MODEL_BANDS, MODEL_CALIBRATION, MODEL_IMPORTANCE
from ris_assets.evaluation import hazard_report, model_plots, plots
from ris_assets.evaluation.bands import band_of, bands_told
from ris_assets.evaluation.gate import Verdict
from ris_assets.evaluation.probability_scores import Interval
from ris_assets.evaluation.split import Windows
from ris_assets.evaluation.survival import HORIZON_WEEKS, first_sunday
from ris_assets.evaluation.survival_contest import SurvivalContender, rules_told
from ris_assets.features.score_rows import renewal_columns
from ris_assets.models.hazard import CURVE_DAYS, HazardModel, rule_name
from ris_assets.models.plain_frame import CLOCK_COLUMNS, CURVE_WEEKS, DAYS_TO_END
from ris_assets.models.protocol import Array
from ris_assets.models.reconcile import reconciled
from ris_assets.models.renewal import PROBABILITIES, RenewalModel, risk_scores
from ris_assets.reports.contenders import (
    backtest_steps,
    calibration_table,
    importance_table,
    metrics_table,
    newest_told,
    taken_apart,
)
from ris_assets.reports.model_card import SURVIVAL_USE, Card
from ris_assets.tracking import Candidate

QUARTERS = {"low": 0.5, "medium": 0.8, "high": 0.95, "critical": 1.0}
"""Members in the plot of curves, by the order of what they are expected to lose: shares up to each band's end."""


@dataclass(frozen=True)
class Background:
    """What hazards are shown against.

    Attributes:
        weeks: all mature person-weeks: they tell what became of a member.
        renewal: the renewal model in office, by whose bands curves are drawn; None where there is none.
    """

    windows: Windows
    weeks: pl.DataFrame
    renewal: RenewalModel | None = None


@dataclass(frozen=True)
class Explanation:
    """What is looked into for the winner alone, as it takes time.

    Attributes:
        permutation: catalogue feature -> rise of the log loss a person-week.
        mean_abs_shap: catalogue feature -> mean size of what it adds to the log hazard; empty if not known.
        calibration: weeks ahead -> reliability bins of the share still in their spell.
        bands: what happened in each risk band, four weeks ahead.
    """

    permutation: Mapping[str, float]
    mean_abs_shap: Mapping[str, float]
    calibration: Mapping[int, pl.DataFrame]
    bands: pl.DataFrame
    intervals: Mapping[str, Interval]
    files: Mapping[str, bytes]


def explained(winner: SurvivalContender, background: Background) -> Explanation:
    """Shuffle, take apart, draw members again, hold what was said against what happened."""
    model, windows, weeks = winner.model, background.windows, background.weeks
    ahead = hazard_report.said_ahead(model, windows, weeks)
    sunday = first_sunday(model, windows, weeks)
    bins = hazard_report.calibration(ahead)
    files = {
        f"reliability_{week}w.png": plots.reliability_plot(
            found, f"{model.family}: still in their spell after {week} weeks"
        )
        for week, found in bins.items()
    }
    bounds = hazard_report.intervals(model, windows, ahead, sunday)
    rows = hazard_report.explained_weeks(windows)
    shap, plotted = taken_apart(model, rows, "the log hazard of leaving")
    permuted = hazard_report.permutation(model, rows)
    parted = hazard_report.bands(ahead)
    return Explanation(permuted, shap, bins, parted, bounds, files | plotted)


def candidate(
    contender: SurvivalContender, background: Background, tags: Mapping[str, str]
) -> Candidate:
    """A hazard model as MLflow gets it."""
    model, windows = contender.model, background.windows
    seen = windows.test.filter(pl.col("as_of_date").is_not_null())
    if not seen.height:
        seen = windows.fitting.filter(pl.col("as_of_date").is_not_null())
    params = {f"rows_{name}": rows.height for name, rows in windows.parts.items()}
    metrics = dict(contender.metrics) | {
        f"future_brier_{name.replace(' ', '_')}": score
        for name, score in rules_told(contender.rules).items()
    }
    return Candidate(
        name=tracking.SURVIVAL, family=model.family, model=model, example=seen,
        outputs=(*(f"survived_{week}w" for week in CURVE_WEEKS), "expected_weeks_left"),
        extra_columns=CLOCK_COLUMNS, required=(DAYS_TO_END,),
        params=params | model.params() | {"causes": ", ".join(model.causes.names)},
        metrics=metrics, tags=tags, files=candidate_files(contender, background, seen),
        steps=backtest_steps(contender),
    )  # fmt: skip


def candidate_files(
    contender: SurvivalContender, background: Background, seen: pl.DataFrame
) -> dict[str, bytes]:
    """Plots of every contender."""
    model = contender.model
    files = {
        "importance.png": plots.importance_plot(model.importance(), f"{model.family}: importance")
    }
    if "survived_4w_predicted" in contender.metrics:
        files["survival.png"] = horizons_plot(contender.metrics)
    sunday = first_sunday(model, background.windows, background.weeks)
    if sunday is not None:
        scores = hazard_report.brier_by_week(sunday)
        title = f"{model.family}: Brier score, week by week"
        files["brier.png"] = model_plots.brier_plot(scores, title)
    # The last weeks hold only those whose outcome is known early: a whole day is wanted.
    days = seen["as_of_date"].value_counts().sort("count", "as_of_date", descending=[True, False])
    if days.height and days["count"][0] > len(QUARTERS):
        fullest = seen.filter(pl.col("as_of_date") == days["as_of_date"][0])
        files["survival_by_band.png"] = curves_plot(model, fullest, background.renewal)
    return files


def curves_plot(model: HazardModel, day: pl.DataFrame, renewal: RenewalModel | None) -> bytes:
    """Mean curves of a day's members by risk band, as they are scored; without a renewal model by weeks expected."""
    curve = model.predict_survival_on(day, CURVE_DAYS)
    if renewal is None:
        bands, by = by_weeks_expected(curve), "weeks expected"
    else:
        renewing = renewal_columns(day, renewal)[PROBABILITIES[0]].to_numpy()
        curve = reconciled(curve, day, renewing)
        bands, by = by_risk(renewing, renewal), "risk band"
    return model_plots.band_curves_plot(
        {band: curve[rows, 6::7].mean(axis=0) for band, rows in bands.items()},
        {band: len(rows) for band, rows in bands.items()},
        f"{model.family}: members of {day['as_of_date'][0]} by {by}",
    )


def by_risk(p_renew_30d: Array, renewal: RenewalModel) -> dict[str, Array]:
    """Band of the renewal model -> rows in it, bands with nobody left out."""
    risk = pl.Series("risk", risk_scores(p_renew_30d))
    band = risk.to_frame().select(band_of(pl.col("risk"), renewal.bands)).to_series()
    rows = {name: np.flatnonzero((band == name).fill_null(False)) for name in renewal.bands}
    return {name: found for name, found in rows.items() if len(found)}


def by_weeks_expected(curve: Array) -> dict[str, Array]:
    """Band by order -> rows in it, from those who are expected to stay longest to those who are not."""
    order = np.argsort(-curve.sum(axis=1), kind="stable")
    ends = [round(share * len(order)) for share in QUARTERS.values()]
    parts = np.split(order, ends[:-1])
    return {band: rows for band, rows in zip(QUARTERS, parts, strict=True) if len(rows)}


def horizons_plot(metrics: Mapping[str, float]) -> bytes:
    """Predicted and observed share still in their spell, by horizon."""
    sides = {
        side: {week: metrics[f"survived_{week}w_{side}"] for week in HORIZON_WEEKS
               if f"survived_{week}w_{side}" in metrics}
        for side in ("predicted", "observed")
    }  # fmt: skip
    return plots.horizon_plot(sides["predicted"], sides["observed"], "Spells still going on")


def card(
    winner: SurvivalContender,
    explanation: Explanation,
    verdict: Verdict,
    windows: Windows,
    tags: Mapping[str, str],
) -> str:
    """The winner's model card."""
    model = winner.model
    facts = {
        "family": model.family,
        "features": f"{len(model.features.columns)} columns of the feature catalogue",
        "weeks ahead": rule_name(model.half_life),
        "next pass, of so many days": model.next_pass.told(),
        "ends": ", ".join(model.causes.names),
        "fitted on": f"{windows.fitting.height:,} person-weeks of {windows.fitting['spell_id'].n_unique():,}"
        f" spells, known by {windows.cuts.fit}",
        "judged on": f"{windows.test.height:,} person-weeks, {windows.cuts.fit} to {windows.cuts.as_of}",
        **newest_told(model, windows),
        **{name: tags[name] for name in ("snapshot_hash", "code_version")},
    }
    found = {}
    if winner.rules:
        lines = [f"| {name} | {score:.5f} |" for name, score in rules_told(winner.rules).items()]
        found["Rules for the weeks ahead, mean Brier score in the backtest"] = "\n".join(
            ["| rule | score |", "|---|---|", *lines]
        )
    if explanation.bands.height:
        found["Risk bands, four weeks ahead"] = plots.as_table(bands_told(explanation.bands))
    if winner.backtest.height:
        found["Backtest"] = plots.as_table(winner.backtest)
    return Card(
        f"Survival model: {model.family}",
        SURVIVAL_USE,
        facts,
        verdict.reason,
        dict(winner.metrics) | dict(explanation.intervals),
        found,
    ).markdown()


def tables(
    winner: SurvivalContender, explanation: Explanation
) -> list[tuple[Table, pl.DataFrame | None]]:
    """What the database gets of the registered version: importances, reliability bins, bands."""
    bins = {7 * week: found for week, found in explanation.calibration.items()}
    importance = importance_table(
        winner.model.importance(), explanation.permutation, explanation.mean_abs_shap
    )
    bands = explanation.bands
    return [
        (MODEL_IMPORTANCE, importance),
        (MODEL_CALIBRATION, calibration_table(bins)),
        (MODEL_BANDS, bands if bands.height else None),
    ]


def metadata(
    contenders: Mapping[str, SurvivalContender],
    winner: SurvivalContender,
    pictures: Mapping[str, bytes],
    verdict: Verdict,
    version: int,
) -> dict[str, Any]:
    """What the UI shows of the hazard models."""
    shown: dict[str, Any] = {
        "winner": winner.model.family,
        "future_rule": rule_name(winner.model.half_life),
        "model_version": version,
        "gate": verdict.reason,
        "is_champion": verdict.is_promoted,
        "metrics": dg.MetadataValue.md(metrics_table(contenders, list(winner.metrics), decimals=5)),
    }
    for name, image in pictures.items():
        shown[name.removesuffix(".png")] = dg.MetadataValue.md(plots.as_markdown(image, name))
    return shown
