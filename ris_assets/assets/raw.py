"""Raw stage: one asset an entity, from the document source to `ris_raw.<entity>`.

Facts of a day are partitioned by studio day; entities that change keep versions. How an entity is read
and landed stands in `ingest/`.
"""

from datetime import UTC, datetime
from typing import Any

import dagster as dg
import holidays as holiday_calendar
import polars as pl

from ris_assets.contracts.entities import ENTITIES, HERO_PASSES, Entity
from ris_assets.contracts.landing import HOLIDAYS
from ris_assets.errors import RisError
from ris_assets.ingest.entity import Counts, Ingestion, ingest
from ris_assets.ingest.map_in_use import source_map_in_use
from ris_assets.ingest.parts import is_by_day
from ris_assets.partitions import daily_partitions, studio_day, yesterday
from ris_assets.resources.landing import ensure_landing
from ris_assets.resources.mongo import MongoResource
from ris_assets.resources.personal import ensure_personal
from ris_assets.resources.postgres import PostgresResource
from ris_assets.settings import get_settings
from ris_assets.windows import first_day_to_make, last_day_of, window_to_extract

GROUP = "raw"
TOLD = "tells_of_the_days"
_TOLD = "Where passes renew themselves, the source tells of something up to the days of the run"
_HOLIDAY_YEARS = 40
"""Years back of which holidays are kept: beyond what any studio has data of, in a hundredth of a second."""


def _entity_asset(entity: Entity) -> dg.AssetsDefinition:
    is_daily = is_by_day(entity)

    @dg.asset(
        key=["ris_raw", entity.name],
        description=f"{entity.description}: `ris_raw.{entity.name}`, {entity.keeping.value} kept.",
        group_name=GROUP,
        deps=[["ris_raw", parent] for parent in sorted(_parents(entity))],
        partitions_def=daily_partitions() if is_daily else None,
        backfill_policy=dg.BackfillPolicy.single_run() if is_daily else None,
        kinds={"mongodb", "postgres"},
        check_specs=[dg.AssetCheckSpec(TOLD, asset=["ris_raw", entity.name], description=_TOLD)]
        if entity.name == HERO_PASSES.name
        else None,
    )
    def raw_entity(
        context: dg.AssetExecutionContext, mongo: MongoResource, postgres: PostgresResource
    ) -> dg.MaterializeResult:
        ensure_landing(postgres)
        ensure_personal(postgres)
        settings = get_settings()
        job = Ingestion(
            entity=entity,
            source_map=source_map_in_use(),
            open_source=mongo.open,
            postgres=postgres,
            zone=settings.zone,
            window=window_to_extract(context, postgres, entity) if is_daily else None,
            first_day=None if is_daily else first_day_to_make(context, postgres),
            reconcile_days=settings.reconcile_days,
            deleted_share=settings.deleted_share,
            warn=context.log.warning,
        )
        counts = ingest(job)
        told = [_is_told(context, counts)] if entity.name == HERO_PASSES.name else []
        return dg.MaterializeResult(metadata=_metadata(counts), check_results=told)

    return raw_entity


def _is_told(context: dg.AssetExecutionContext, counts: Counts | None) -> dg.AssetCheckResult:
    """Whether the source tells of the days of the run: what renews itself does so without a word."""
    zone = get_settings().zone
    last = last_day_of(context) or yesterday(zone)
    since = studio_day(counts.silent_since, zone) if counts and counts.silent_since else None
    is_told = since is None or last <= since
    words = (
        f"The source tells of nothing later than {since}: all passes that renew themselves and had not ended by then"
        f" are taken for renewed up to {last}. Run no day after that, or read the source as it is today."
    )
    if not is_told:
        context.log.warning(words)
    return dg.AssetCheckResult(
        check_name=TOLD,
        passed=is_told,
        severity=dg.AssetCheckSeverity.WARN,
        description=None if is_told else words,
    )


def _parents(entity: Entity) -> set[str]:
    """Entities whose rows the map in use looks up for this one; a map that is wrong fails the run."""
    try:
        mapped = source_map_in_use().entities.get(entity.name)
    except RisError:
        return set()
    return mapped.parents if mapped else set()


def _metadata(counts: Counts | None) -> dict[str, Any]:
    """What a person wants to see of an extraction; nothing about a person."""
    if counts is None:
        return {"is_mapped": False, "dagster/row_count": 0}
    shown = {
        "is_mapped": True,
        "documents_read": counts.read,
        "rows_considered": counts.considered,
        "dagster/row_count": counts.written,
        "rows_rejected": counts.rejected,
        "rows_deleted": counts.deleted,
        "bytes_read": counts.size,
        "seconds": round(counts.seconds, 2),
        "documents_per_second": round(counts.read / counts.seconds) if counts.seconds else None,
        "watermark_before": _timestamp(counts.watermark_before),
        "watermark_after": _timestamp(counts.watermark_after),
    }
    return {name: value for name, value in shown.items() if value is not None}


def _timestamp(instant: datetime | None) -> dg.TimestampMetadataValue | None:
    return dg.MetadataValue.timestamp(instant) if instant else None


@dg.asset(key=["ris_raw", "holidays"], group_name=GROUP, kinds={"python", "postgres"})
def holidays(postgres: PostgresResource) -> dg.MaterializeResult[Any]:
    """Public holidays of the studio's country, from forty years back to two years ahead."""
    settings = get_settings()
    year = datetime.now(UTC).year
    found = holiday_calendar.country_holidays(
        settings.country, years=range(year - _HOLIDAY_YEARS, year + 3), language="en_US"
    )
    rows = sorted((day, name) for day, name in found.items())
    frame = pl.DataFrame(rows, schema={"calendar_date": pl.Date, "name": pl.String}, orient="row")
    ensure_landing(postgres)
    postgres.replace(HOLIDAYS, frame, "true")
    return dg.MaterializeResult(metadata={"dagster/row_count": frame.height})


extraction_log = dg.AssetSpec(
    ["ris_raw", "extraction_log"],
    group_name=GROUP,
    deps=[["ris_raw", name] for name in ENTITIES],
    description="One row an extraction, written by every raw asset in the transaction of its rows",
)

raw_assets: list[dg.AssetsDefinition | dg.AssetSpec] = [
    *map(_entity_asset, ENTITIES.values()),
    holidays,
    extraction_log,
]
