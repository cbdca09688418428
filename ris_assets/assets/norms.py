"""Norm stage: what each member usually does, week by week, between the week metrics and the week facts."""

import time
from datetime import date, timedelta
from typing import Any

import dagster as dg
import polars as pl

from ris_assets.contracts.columns import Column, Table
from ris_assets.features.norms import SPAN_WEEKS, STREAKS, norm_columns, week_norms
from ris_assets.partitions import Window, daily_partitions, window_of
from ris_assets.resources.postgres import PostgresResource


def norm_table(metrics: list[str]) -> Table:
    """`ris.user_week_norm`: the norms of each metric."""
    keys = (
        Column("user_id", "text", "The member", True),
        Column("week_start", "date", "Monday of the week that the norm is for", True),
    )
    norms = tuple(
        Column(name, "float8", "Norm over the 26 weeks before the week")
        for name in norm_columns(metrics)
    )
    return Table(
        "ris",
        "user_week_norm",
        "What a member usually does, as known before the week",
        ("user_id", "week_start"),
        keys + norms,
    )


@dg.asset(
    group_name="norms",
    deps=[["ris", "user_week_metrics"], ["ris", "meta_feature_catalog"]],
    partitions_def=daily_partitions(),
    backfill_policy=dg.BackfillPolicy.single_run(),
    kinds={"polars", "postgres"},
)
def user_week_norm(
    context: dg.AssetExecutionContext, postgres: PostgresResource
) -> dg.MaterializeResult[Any]:
    """EWMA and quartiles of each weekly metric over the 26 weeks before, for the window's weeks."""
    started = time.monotonic()
    first, last = touched_weeks(window_of(context))
    metrics = active_metrics(postgres)
    table = norm_table(metrics)
    weeks = postgres.read(_weeks_sql(metrics, first, last))
    norms = week_norms(weeks, metrics).filter(pl.col("week_start") >= first)
    postgres.ensure_table(table)
    written = postgres.replace(
        table, norms.select(table.column_names), "week_start between %s and %s", [first, last]
    )
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": written,
            "weeks_read": weeks.height,
            "metrics": len(metrics),
            "members": norms["user_id"].n_unique(),
            "seconds": round(time.monotonic() - started, 2),
        }
    )


def touched_weeks(window: Window) -> tuple[date, date]:
    """First and last Monday whose norms a window needs.

    The snapshot of a day reads the norm of the week that holds the day six days before it, so the
    week before the window's first belongs to it too.
    """
    first = window.from_day - timedelta(days=6)
    return first - timedelta(days=first.weekday()), _monday(window.through_day)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def active_metrics(postgres: PostgresResource) -> list[str]:
    """Names of the weekly metrics in use, from the catalogue."""
    rows = postgres.read(
        "select feature from ris.meta_feature_catalog"
        " where feature_group = 'external' and is_active order by feature"
    )
    return rows["feature"].to_list()


def _weeks_sql(metrics: list[str], first: date, last: date) -> str:
    """The weeks that the norms go by; a streak in the first of them began as long before again."""
    normed = max(first, date(1902, 1, 1)) - timedelta(weeks=SPAN_WEEKS)
    earliest = normed - timedelta(weeks=SPAN_WEEKS)
    counted = {STREAKS[metric] for metric in metrics if metric in STREAKS}
    plain = [metric for metric in metrics if metric not in STREAKS]
    columns = [
        f"{metric}::float8"
        if metric in counted
        else f"(case when week_start >= '{normed}' then {metric} end)::float8 as {metric}"
        for metric in sorted({*plain, *counted})
    ]
    return (
        f"select user_id, week_start, {', '.join(columns)} from ris.user_week_metrics"
        f" where week_start between '{earliest}' and '{last}'"
    )
