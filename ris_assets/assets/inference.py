"""Inference stage: what goes with leaving, as hazard ratios and as survival by segment. Nothing scores by it."""

from typing import Any

import dagster as dg
import polars as pl

from ris_assets import tracking
from ris_assets.contracts.tables import MODEL_HAZARD_RATIOS, SURVIVAL_BY_SEGMENT
from ris_assets.evaluation import model_plots, plots
from ris_assets.evaluation.inference import Inference, infer, segments_of
from ris_assets.evaluation.split import MAX_ROWS
from ris_assets.resources.mlflow import MlflowResource
from ris_assets.resources.postgres import PostgresResource
from ris_assets.resources.snapshots import Snapshots

BY = "city"


@dg.asset(
    group_name="training",
    deps=[["ris", "member_snapshot"], ["ris", "interval_hp"], ["survival_model"]],
    kinds={"python", "mlflow", "postgres"},
    description="Hazard ratios of leaving (Cox, by city with pooling) and Kaplan-Meier curves by segment",
)
def survival_inference(
    context: dg.AssetExecutionContext, postgres: PostgresResource, mlflow: MlflowResource
) -> dg.MaterializeResult:
    """Ask the champion hazard's features how they go with leaving, and replace both tables."""
    snapshots = Snapshots(postgres)
    as_of = snapshots.horizon()
    mlflow.activate()
    champion = tracking.load_champion(tracking.SURVIVAL)
    weeks = snapshots.person_weeks(as_of, MAX_ROWS)
    importance = list(champion.model.importance())
    first = snapshots.first_of_spells(segments_of(weeks))
    found = infer(weeks, champion.model.features, importance, BY, first)
    for column, reason in found.refused.items():
        context.log.warning(f"{column} is left out: {reason}")
    stamped = pl.lit(as_of).alias("as_of_date")
    for table, frame in (
        (MODEL_HAZARD_RATIOS, found.ratios),
        (SURVIVAL_BY_SEGMENT, _with_tests(found)),
    ):
        postgres.ensure_table(table)
        if frame.height:
            rows = frame.with_columns(stamped).select(table.column_names)
            postgres.replace(table, rows, "true")
    files = pictures(found)
    experiment = mlflow.ensure_experiment(tracking.SURVIVAL, tracking.ABOUT[tracking.SURVIVAL])
    tracking.log_run(f"inference as of {as_of}", experiment, {"trained_through": str(as_of)}, files)
    return dg.MaterializeResult(metadata=metadata(found, files))


def _with_tests(found: Inference) -> pl.DataFrame:
    """Curves with the log-rank p-value of their kind."""
    if not found.curves.height:
        return found.curves
    p_values = {kind: test.p_value for kind, test in found.tests.items()}
    log_rank_p = pl.col("segment_kind").replace_strict(p_values, return_dtype=pl.Float64)
    return found.curves.with_columns(log_rank_p.alias("log_rank_p"))


def pictures(found: Inference) -> dict[str, bytes]:
    """The forest plot, and the curves of every kind of segment."""
    files = {}
    whole = found.ratios.filter(pl.col("segment") == "")
    if whole.height:
        table = whole.select(
            "feature",
            ratio="hazard_ratio_per_sd",
            low="hr_per_sd_low",
            high="hr_per_sd_high",
        ).sort("ratio", descending=True)
        files["hazard_ratios.png"] = model_plots.forest_plot(
            table, "When a pass runs out, who leaves"
        )
    for kind, test in found.tests.items():
        curves = found.curves.filter(pl.col("segment_kind") == kind)
        title = f"Survival by {kind}, log-rank p = {test.p_value:.2g}"
        files[f"survival_by_{kind}.png"] = model_plots.segment_plot(curves, title)
    return files


def metadata(found: Inference, files: dict[str, bytes]) -> dict[str, Any]:
    """What the UI shows."""
    whole = found.ratios.filter(pl.col("segment") == "").drop("segment", "events", "pooled")
    shown: dict[str, Any] = {
        "dagster/row_count": found.ratios.height + found.curves.height,
        "left_out": "; ".join(f"{c}: {why}" for c, why in found.refused.items()) or "none",
        "notes": "; ".join(found.notes) or "none",
    }
    if whole.height:
        shown["hazard_ratios"] = dg.MetadataValue.md(plots.as_table(whole))
    for name, image in files.items():
        label = name.removesuffix(".png")
        shown[f"{label}_plot"] = dg.MetadataValue.md(plots.as_markdown(image, label))
    return shown
