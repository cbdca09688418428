"""Marts stage: the dbt models, cut in three by what stands between them.

weeks (staging, days, week metrics) -> week norms (polars) -> marts (core, labels, week facts, snapshots)
-> scores (Python) -> outcomes (the ledger of past scores and what became of them).
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg
from dagster_dbt import dbt_assets

from ris_assets.dbt import RisDbtTranslator, manifest_path, run_dbt
from ris_assets.partitions import Window, daily_partitions
from ris_assets.resources.postgres import PostgresResource
from ris_assets.settings import get_settings
from ris_assets.windows import window_to_build

_UP_TO_WEEKS = "+user_week_metrics"
_OUTCOMES = "fqn:ris.outcomes"


def dbt_variables(window: Window) -> dict[str, Any]:
    """What the project needs to know of this run."""
    settings = get_settings()
    return {
        "timezone": settings.timezone,
        "from_date": window.from_day.isoformat(),
        "to_date": window.through_day.isoformat(),
        "history_start": settings.start_date.isoformat(),
    }


def _stage(name: str, select: str, exclude: str = "") -> dg.AssetsDefinition:
    translator = RisDbtTranslator()

    @dbt_assets(
        manifest=manifest_path(),
        name=name,
        select=select,
        exclude=exclude or None,
        partitions_def=daily_partitions(),
        backfill_policy=dg.BackfillPolicy.single_run(),
        dagster_dbt_translator=translator,
        pool="dbt",
    )
    def stage(context: dg.AssetExecutionContext, postgres: PostgresResource) -> Iterator[Any]:
        variables = dbt_variables(window_to_build(context, postgres))
        for event in run_dbt(context, postgres.libpq_url, variables, translator):
            yield _with_row_count(event, postgres)

    return stage


def _with_row_count(event: Any, postgres: PostgresResource) -> Any:
    """Add the number of rows to the event of a model or seed."""
    if not isinstance(event, dg.Output):
        return event
    name = str(event.metadata["unique_id"].value).split(".")[-1]
    count = postgres.row_count("ris", name)
    metadata = {**event.metadata} | ({} if count is None else {"dagster/row_count": count})
    return dg.Output(value=None, output_name=event.output_name, metadata=metadata)


def marts_assets() -> list[dg.AssetsDefinition]:
    """The three dbt stages."""
    return [
        _stage("dbt_weeks", _UP_TO_WEEKS),
        _stage("dbt_marts", "fqn:*", f"{_UP_TO_WEEKS} {_OUTCOMES}"),
        _stage("dbt_outcomes", _OUTCOMES),
    ]
