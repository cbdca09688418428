"""What MLflow and the UI get of hazard models."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import numpy as np
import polars as pl

from ris_assets import tracking
from ris_assets.evaluation import model_plots, plots
from ris_assets.evaluation.gate import Verdict
from ris_assets.evaluation.split import Windows
from ris_assets.evaluation.survival import HORIZON_WEEKS
from ris_assets.evaluation.survival_contest import SurvivalContender, rules_told
from ris_assets.models.hazard import MAX_WEEKS, rule_name
from ris_assets.models.plain_frame import CLOCK_COLUMNS, CURVE_WEEKS, DAYS_TO_END
from ris_assets.reports.contenders import backtest_steps, metrics_table
from ris_assets.reports.model_card import SURVIVAL_USE, Card
from ris_assets.tracking import Candidate

QUARTERS = {"low": 0.5, "medium": 0.8, "high": 0.95, "critical": 1.0}
"""Members in the plot of curves, by the order of what they are expected to lose: shares up to each band's end."""


def candidate(contender: SurvivalContender, windows: Windows, tags: Mapping[str, str]) -> Candidate:
    """A hazard model as MLflow gets it."""
    model = contender.model
    seen = windows.test.filter(pl.col("as_of_date").is_not_null())
    if not seen.height:
        seen = windows.fitting.filter(pl.col("as_of_date").is_not_null())
    params = {f"rows_{name}": rows.height for name, rows in windows.parts.items()}
    metrics = dict(contender.metrics) | {
        f"future_{place}_brier": score for place, score in enumerate(contender.rules.values())
    }
    return Candidate(
        name=tracking.SURVIVAL, family=model.family, model=model, example=seen,
        outputs=(*(f"survived_{week}w" for week in CURVE_WEEKS), "expected_weeks_left"),
        extra_columns=CLOCK_COLUMNS, required=(DAYS_TO_END,),
        params=params | model.params() | {"causes": ", ".join(model.causes.names)},
        metrics=metrics, tags=tags, files=candidate_files(contender, seen),
        steps=backtest_steps(contender),
    )  # fmt: skip


def candidate_files(contender: SurvivalContender, seen: pl.DataFrame) -> dict[str, bytes]:
    """Plots of every contender."""
    model = contender.model
    files = {
        "importance.png": plots.importance_plot(model.importance(), f"{model.family}: importance")
    }
    if "survived_4w_predicted" in contender.metrics:
        files["survival.png"] = horizons_plot(contender.metrics)
        files["brier.png"] = model_plots.brier_plot(
            brier_table(contender.metrics), f"{model.family}: Brier score"
        )
    # The last weeks hold only those whose outcome is known early: a whole day is wanted.
    days = seen["as_of_date"].value_counts().sort("count", "as_of_date", descending=[True, False])
    if days.height and days["count"][0] > len(QUARTERS):
        fullest = seen.filter(pl.col("as_of_date") == days["as_of_date"][0])
        files["survival_by_band.png"] = curves_plot(contender, fullest)
    return files


def curves_plot(contender: SurvivalContender, day: pl.DataFrame) -> bytes:
    """Mean curves of a day's members, from those who are expected to stay longest to those who are not."""
    curve = contender.model.predict_survival(day, tuple(range(1, MAX_WEEKS + 1)))
    order = np.argsort(-curve.sum(axis=1), kind="stable")
    ends = [round(share * len(order)) for share in QUARTERS.values()]
    parts = np.split(order, ends[:-1])
    named = {band: rows for band, rows in zip(QUARTERS, parts, strict=True) if len(rows)}
    return model_plots.band_curves_plot(
        {band: curve[rows].mean(axis=0) for band, rows in named.items()},
        {band: len(rows) for band, rows in named.items()},
        f"{contender.model.family}: members of {day['as_of_date'][0]} by weeks expected",
    )


def brier_table(metrics: Mapping[str, float]) -> pl.DataFrame:
    """Brier scores by weeks ahead, model and base rate."""
    weeks = [week for week in HORIZON_WEEKS if f"brier_{week}w" in metrics]
    return pl.DataFrame(
        {
            "weeks": weeks,
            "model": [metrics[f"brier_{week}w"] for week in weeks],
            "base_rate": [metrics[f"brier_{week}w_base_rate"] for week in weeks],
        }
    )


def horizons_plot(metrics: Mapping[str, float]) -> bytes:
    """Predicted and observed share still in their spell, by horizon."""
    sides = {
        side: {week: metrics[f"survived_{week}w_{side}"] for week in HORIZON_WEEKS
               if f"survived_{week}w_{side}" in metrics}
        for side in ("predicted", "observed")
    }  # fmt: skip
    return plots.horizon_plot(sides["predicted"], sides["observed"], "Spells still going on")


def card(
    winner: SurvivalContender, verdict: Verdict, windows: Windows, tags: Mapping[str, str]
) -> str:
    """The winner's model card."""
    model = winner.model
    facts = {
        "family": model.family,
        "features": f"{len(model.features.columns)} columns of the feature catalogue",
        "weeks ahead": rule_name(model.half_life),
        "ends": ", ".join(model.causes.names),
        "fitted on": f"{windows.fitting.height:,} person-weeks of {windows.fitting['spell_id'].n_unique():,}"
        f" spells, known by {windows.cuts.fit}",
        "judged on": f"{windows.test.height:,} person-weeks, {windows.cuts.fit} to {windows.cuts.as_of}",
        **{name: tags[name] for name in ("snapshot_hash", "code_version")},
    }
    found = {}
    if winner.rules:
        lines = [f"| {name} | {score:.5f} |" for name, score in rules_told(winner.rules).items()]
        found["Rules for the weeks ahead, mean Brier score in the backtest"] = "\n".join(
            ["| rule | score |", "|---|---|", *lines]
        )
    if winner.backtest.height:
        found["Backtest"] = plots.as_table(winner.backtest)
    return Card(
        f"Survival model: {model.family}",
        SURVIVAL_USE,
        facts,
        verdict.reason,
        winner.metrics,
        found,
    ).markdown()


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
