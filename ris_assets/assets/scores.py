"""Score stage: what the champion says of every active member at the end of a studio day.

A partition replaces exactly its own rows, and the same snapshot and models give the same rows.
"""

from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from ris_assets import tracking
from ris_assets.contracts.tables import MODEL_SCORES_DAILY
from ris_assets.errors import RisError
from ris_assets.evaluation.plots import as_table
from ris_assets.features.score_rows import Scorers, band_counts, most_at_risk, score_rows
from ris_assets.partitions import daily_partitions, scored_days, window_of
from ris_assets.resources.mlflow import MlflowResource
from ris_assets.resources.postgres import PostgresResource
from ris_assets.resources.snapshots import Snapshots
from ris_assets.tracking import Champion

MOST_AT_RISK = 10


class ScoresConfig(dg.Config):
    """How to score.

    Attributes:
        allow_hindsight: also score days that the champion was fitted on. Such scores flatter the
            model: they are for looking, not for judging.
    """

    allow_hindsight: bool = False


@dg.asset(
    group_name="scores",
    deps=[["ris", "member_snapshot"], ["renewal_models"], ["survival_model"], ["dq_feature_stats"]],
    partitions_def=daily_partitions(),
    backfill_policy=dg.BackfillPolicy.single_run(),
    kinds={"python", "postgres"},
    description="P(renew), risk, band, reasons and value at risk of every active member, by day",
)
def model_scores_daily(
    context: dg.AssetExecutionContext,
    config: ScoresConfig,
    postgres: PostgresResource,
    mlflow: MlflowResource,
) -> dg.MaterializeResult[Any]:
    """Score the window's snapshots with the champions and replace the window's rows."""
    first, last = scored_days(window_of(context))
    mlflow.activate()
    renewal = tracking.load_champion(tracking.RENEWAL)
    survival = tracking.load_champion(tracking.SURVIVAL)
    for champion in (renewal, survival):
        refuse_hindsight(champion, first, config.allow_hindsight)
    snapshots = Snapshots(postgres)
    snapshot = snapshots.on_days(first, last)
    refuse_unreadable(renewal, snapshot)
    scorers = Scorers(
        renewal.model, survival.model, renewal.name, renewal.version, survival.version
    )
    scores = score_rows(snapshot, snapshots.catalog(), scorers)
    rows = scores.select(MODEL_SCORES_DAILY.column_names)
    postgres.ensure_table(MODEL_SCORES_DAILY)
    between = "score_date between %s and %s"
    written = postgres.replace(MODEL_SCORES_DAILY, rows, between, [first, last])
    return dg.MaterializeResult(metadata=scores_metadata(scores, renewal, written))


def refuse_hindsight(champion: Champion, first: date, allow: bool) -> None:
    """Raise RisError if the champion was fitted on days that it is asked to score."""
    if allow or first > champion.fitted_through:
        return
    raise RisError(
        f"cannot score {first}: {champion.name} version {champion.version} was fitted on what was"
        f" known by {champion.fitted_through}, so its scores up to that day would know what came"
        " later; score later days, train as of an earlier day, or set allow_hindsight"
    )


def refuse_unreadable(champion: Champion, snapshot: pl.DataFrame) -> None:
    """Raise RisError if the snapshot lacks a column that the champion reads."""
    missing = champion.model.features.missing_in(snapshot.columns)
    if missing:
        raise RisError(
            f"{champion.name} version {champion.version} reads {', '.join(missing)}, which the"
            " feature catalogue no longer has in use: train again with `ris train`"
        )


def scores_metadata(scores: pl.DataFrame, champion: Champion, written: int) -> dict[str, Any]:
    """What the UI shows of a scored window: the last day's bands and the members most at risk."""
    metadata: dict[str, Any] = {
        "dagster/row_count": written,
        "days": scores["score_date"].n_unique(),
        "model": f"{champion.name} version {champion.version} ({champion.tags.get('family', '?')})",
        "fitted_through": str(champion.fitted_through),
    }
    if not written:
        return metadata | {"note": "no snapshot of these days: no active member, or not built yet"}
    last = scores.filter(pl.col("score_date") == pl.col("score_date").max())
    top = most_at_risk(last, MOST_AT_RISK)
    shown = top.select("p_lost_30d", "p_renew_30d", "risk_band", "days_to_end", "value_at_risk",
                       first_reason=pl.col("reasons").str.json_path_match("$[0].en"))  # fmt: skip
    return metadata | {
        "bands": dg.MetadataValue.md(as_table(band_counts(last, champion.model.bands))),
        "most_at_risk": dg.MetadataValue.md(as_table(shown)),
    }
