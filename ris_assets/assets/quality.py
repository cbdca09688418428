"""Quality stage: whether what a day's scores would be made of can be trusted.

It stands between the snapshots and the scores: where a check fails, the day is not scored and the scores of the
days before stay in place.
"""

from collections.abc import Collection, Sequence
from datetime import date, timedelta
from typing import Any

import dagster as dg
import polars as pl

from ris_assets import tracking
from ris_assets.contracts.tables import DQ_FEATURE_STATS
from ris_assets.evaluation.drift import Limits, feature_stats
from ris_assets.evaluation.plots import as_markdown, as_table, drift_plot
from ris_assets.features.matrix import catalog_columns
from ris_assets.partitions import daily_partitions, scored_days, window_of
from ris_assets.resources.mlflow import MlflowResource
from ris_assets.resources.postgres import PostgresResource
from ris_assets.resources.snapshots import SUNDAY, Snapshots
from ris_assets.tracking import Champion

SHOWN, NAMED = 20, 3
WEEK = timedelta(days=7)
TRUSTED = "features_can_be_trusted"


@dg.asset(
    group_name="scores",
    deps=[["ris", "member_snapshot"], ["renewal_models"]],
    partitions_def=daily_partitions(),
    backfill_policy=dg.BackfillPolicy.single_run(),
    kinds={"python", "postgres"},
    description="How each feature is filled, and how far it has moved since the champion learned",
    check_specs=[
        dg.AssetCheckSpec(
            TRUSTED,
            asset="dq_feature_stats",
            blocking=True,
            description="No feature that the champion reads is gone or broken, and no day is without the members of"
            " the week before. Else the days of the run are not scored: the scores of the days before stay in place.",
        )
    ],
)
def dq_feature_stats(
    context: dg.AssetExecutionContext, postgres: PostgresResource, mlflow: MlflowResource
) -> dg.MaterializeResult:
    """Statistics of every catalogue feature on the window's days, and whether they can be trusted."""
    first, last = scored_days(window_of(context))
    mlflow.activate()
    champion = tracking.load_champion(tracking.RENEWAL)
    snapshots = Snapshots(postgres)
    snapshot = snapshots.on_days(first, last)
    lost = lost_days(snapshots.filled_days(first - WEEK, last), first, last)
    columns = [name for name in catalog_columns(snapshots.catalog()) if name in snapshot.columns]
    stats = daily_stats(snapshot, columns, champion)
    postgres.ensure_table(DQ_FEATURE_STATS)
    rows = stats.select(DQ_FEATURE_STATS.column_names)
    between = "as_of_date between %s and %s"
    written = postgres.replace(DQ_FEATURE_STATS, rows, between, [first, last])
    return dg.MaterializeResult(
        metadata={"dagster/row_count": written, **stats_metadata(stats)},
        check_results=[trust(stats, lost)],
    )


def daily_stats(snapshot: pl.DataFrame, columns: list[str], champion: Champion) -> pl.DataFrame:
    """Statistics of each day apart, one frame; no rows where there is no snapshot."""
    empty = feature_stats(snapshot.clear(), [], {}).with_columns(
        pl.lit(None, pl.Date).alias("as_of_date")
    )
    days = snapshot.partition_by("as_of_date", maintain_order=True)
    return pl.concat([
        empty,
        *(
            feature_stats(day, columns, champion.model.reference).with_columns(
                pl.lit(day["as_of_date"][0]).alias("as_of_date")
            )
            for day in days
        ),
    ])  # fmt: skip


def lost_days(filled: Collection[date], first: date, last: date) -> list[date]:
    """Days of a run without a member, where the week before had some: a studio does not lose all at once.

    Of the days of a run only Sundays and the last are sure to be kept.

    Args:
        filled: the days with members, from a week before `first` to `last`.
    """
    days = [first + timedelta(days=step) for step in range((last - first).days + 1)]
    return [
        day
        for day in days
        if (day == last or day.isoweekday() == SUNDAY)
        and day not in filled
        and any(day - WEEK <= before < day for before in filled)
    ]


def trust(stats: pl.DataFrame, lost: Sequence[date] = ()) -> dg.AssetCheckResult:
    """Fails where a feature is broken on a day of the run, or a day has lost its members, and says which and why."""
    broken = stats.filter(pl.col("status") == "fail")
    named = [f"{feature} ({rule})" for feature, rule in
             broken.select("feature", "rule").unique("feature", maintain_order=True).iter_rows()]  # fmt: skip
    named = [*(f"{day} (no member, some in the week before)" for day in lost), *named]
    words = (
        f"{', '.join(named[:NAMED])}{' and others' if named[NAMED:] else ''}: these days are not scored, the scores of"
        " the days before stay in place. Look at the extraction of what it is made of, then run the days again."
    )
    return dg.AssetCheckResult(
        check_name=TRUSTED,
        passed=not named,
        severity=dg.AssetCheckSeverity.ERROR,
        description=words if named else None,
        metadata={
            "broken": dg.MetadataValue.md(
                as_table(broken.select("as_of_date", "feature", "rule").head(SHOWN))
                if broken.height
                else "None."
            ),
            "days_without_members": dg.MetadataValue.md(", ".join(map(str, lost)) or "None."),
        },
    )


def stats_metadata(stats: pl.DataFrame) -> dict[str, Any]:
    """What the UI shows: how many features are how, and those of the last day that have moved most."""
    counts = stats.group_by("status").len("features").sort("status")
    metadata: dict[str, Any] = {"status": dg.MetadataValue.md(as_table(counts))}
    last = stats.filter(pl.col("as_of_date") == pl.col("as_of_date").max())
    wrong = last.filter(pl.col("status") != "ok").select(
        "feature", "fill_share", "mean", "psi", "ks", "status", "rule"
    )
    if wrong.height:
        metadata["not_ok"] = dg.MetadataValue.md(as_table(wrong.head(SHOWN)))
    moved = last.filter(pl.col("psi").is_not_null()).sort("psi", descending=True).head(SHOWN)
    if moved.height:
        plot = drift_plot(moved, Limits().psi, f"{moved['as_of_date'][0]} against training")
        metadata["moved_most"] = dg.MetadataValue.md(as_markdown(plot, "drift"))
    return metadata
