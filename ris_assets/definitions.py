"""The one place where everything meets: assets, checks, jobs, schedules, resources.

Imported by Dagster and by tests only. Nothing connects anywhere at import.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from ris_assets import jobs
from ris_assets.assets import explore, inference, norms, quality, raw, scores, training
from ris_assets.assets.marts import marts_assets
from ris_assets.checks import checks
from ris_assets.resources.mlflow import MlflowResource
from ris_assets.resources.mongo import MongoResource
from ris_assets.resources.postgres import PostgresResource
from ris_assets.schedules import schedules


def build_defs(resources: Mapping[str, Any] | None = None) -> dg.Definitions:
    """RIS as Dagster sees it; `resources` replaces the default ones by name."""
    daily, training_job = jobs.daily_job(), jobs.training_job()
    defaults = {
        "mongo": MongoResource(),
        "postgres": PostgresResource(),
        "mlflow": MlflowResource(),
    }
    return dg.Definitions(
        assets=[
            *raw.raw_assets,
            *marts_assets(),
            *dg.load_assets_from_modules([explore, norms, training, inference, quality, scores]),
        ],
        asset_checks=checks(),
        jobs=[daily, jobs.marts_job(), jobs.scores_job(), training_job],
        schedules=schedules(daily, training_job),
        resources={**defaults, **(resources or {})},
        executor=dg.in_process_executor,
    )


defs = build_defs()
