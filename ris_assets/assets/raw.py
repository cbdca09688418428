"""Raw stage: one asset an entity, from the document source to `ris_raw.<entity>`.

Facts of a day are partitioned by studio day; entities that change are read whole and keep versions.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import holidays as holiday_calendar
import polars as pl

from ris_assets.contracts.entities import ENTITIES, Entity, Keeping
from ris_assets.errors import RisError
from ris_assets.extract.decode import BatchDecoder
from ris_assets.extract.dump import document_offsets
from ris_assets.extract.exact import as_json, documents_of
from ris_assets.extract.plan import ROW
from ris_assets.extract.shape import EntityShape, Shaped
from ris_assets.extract.source_map import EntityMap, SourceMap, load_source_map
from ris_assets.partitions import Window, daily_partitions, window_of
from ris_assets.resources.landing import HOLIDAYS, Counts, Landing, ensure_landing, log_extraction
from ris_assets.resources.mongo import DocumentSource, MongoResource
from ris_assets.resources.postgres import PostgresResource
from ris_assets.settings import get_settings

GROUP = "raw"
DEMO_SOURCE_MAP = Path(__file__).parent.parent / "studio" / "source_map.yaml"
_MANY_ROWS = 10_000


@dataclass(frozen=True)
class Extraction:
    """Everything one extraction of one entity needs."""

    entity: Entity
    source_map: SourceMap
    source: DocumentSource
    window: Window | None

    @property
    def entity_map(self) -> EntityMap | None:
        """Where the entity lives; None when the source does not have it.

        Raises:
            RisError: a mandatory entity's collection does not exist.
        """
        mapped = self.source_map.entities.get(self.entity.name)
        if mapped is None or mapped.collection in self.source.collections():
            return mapped
        if self.entity.mandatory:
            raise RisError(
                f"Collection `{mapped.collection}` of the mandatory entity `{self.entity.name}`"
                " does not exist in the source: correct the source map."
            )
        return None

    def batches(self, shape: EntityShape) -> Iterator[tuple[bytes, Shaped, int]]:
        """Each batch of documents: raw, shaped, and how many documents it held."""
        decoder = BatchDecoder(shape.plan)
        for raw in self.source.batches(shape.source.collection, self._query(shape.source)):
            decoded = decoder.decode(raw)
            yield raw, shape.shape(decoded), decoded.documents

    def _query(self, source: EntityMap) -> dict[str, Any]:
        """Only the window's documents, and those whose event time is no date at all."""
        path = source.fields[self.entity.event_field].path
        inside_array = source.explode is not None and str(path).startswith(f"{source.explode}.")
        if self.window is None or path is None or inside_array:
            return dict(source.filter)
        in_window = {path: {"$gte": self.window.starts_at, "$lt": self.window.ends_at}}
        return {**source.filter, "$or": [in_window, {path: {"$not": {"$type": "date"}}}]}


def extract(extraction: Extraction, postgres: PostgresResource) -> Counts | None:
    """Read, shape and land one entity in one transaction; None when the source lacks it."""
    entity_map = extraction.entity_map
    with postgres.connect() as connection:
        counts = Counts()
        if entity_map is not None:
            zone = get_settings().zone
            shape = EntityShape(extraction.entity, entity_map, zone)
            landing = Landing(connection, extraction.entity)
            counts = _land(extraction, shape, landing)
        log_extraction(
            connection, extraction.entity, extraction.window, counts, entity_map is not None
        )
        if counts.written > _MANY_ROWS:
            connection.execute(f"analyze {extraction.entity.table.qualified}")
    return counts if entity_map is not None else None


def _land(extraction: Extraction, shape: EntityShape, landing: Landing) -> Counts:
    read = rejected = 0
    for raw, shaped, documents in extraction.batches(shape):
        rows = _within(shaped.rows, extraction.window)
        landing.add(rows)
        landing.refuse(_with_documents(shaped.rejects, raw))
        read += documents
        rejected += shaped.rejects.filter(~pl.col("is_row_kept"))["source_id"].n_unique()
    return Counts(read, landing.finish(extraction.window), rejected)


def _within(rows: pl.DataFrame, window: Window | None) -> pl.DataFrame:
    if window is None:
        return rows
    return rows.filter(
        pl.col("event_at").is_between(window.starts_at, window.ends_at, closed="left")
    )


def _with_documents(rejects: pl.DataFrame, raw: bytes) -> pl.DataFrame:
    """Attach the whole document to each reject; decodes only the documents that were refused."""
    if rejects.is_empty():
        return rejects
    offsets = document_offsets(raw)
    rows = rejects[ROW].unique().to_list()
    documents = [as_json(documents_of(raw[offsets[r] : offsets[r + 1]])[0]) for r in rows]
    attached = pl.DataFrame({ROW: rows, "document": documents}, schema_overrides={ROW: pl.Int64})
    return rejects.join(attached, on=ROW, how="left").drop(ROW)


def _entity_asset(entity: Entity) -> dg.AssetsDefinition:
    is_daily = entity.keeping is Keeping.EVENTS

    @dg.asset(
        key=["ris_raw", entity.name],
        description=f"{entity.description}: `ris_raw.{entity.name}`, {entity.keeping.value} kept.",
        group_name=GROUP,
        partitions_def=daily_partitions() if is_daily else None,
        backfill_policy=dg.BackfillPolicy.single_run() if is_daily else None,
        kinds={"mongodb", "postgres"},
    )
    def raw_entity(
        context: dg.AssetExecutionContext, mongo: MongoResource, postgres: PostgresResource
    ) -> dg.MaterializeResult[Any]:
        started = time.monotonic()
        ensure_landing(postgres)
        window = window_of(context) if is_daily else None
        source_map = load_source_map(get_settings().source_map or DEMO_SOURCE_MAP)
        with mongo.open() as source:
            counts = extract(Extraction(entity, source_map, source, window), postgres)
        return dg.MaterializeResult(metadata=_metadata(counts, time.monotonic() - started))

    return raw_entity


def _metadata(counts: Counts | None, seconds: float) -> dict[str, Any]:
    if counts is None:
        return {"is_mapped": False, "dagster/row_count": 0}
    return {
        "is_mapped": True,
        "documents_read": counts.read,
        "dagster/row_count": counts.written,
        "rows_rejected": counts.rejected,
        "seconds": round(seconds, 2),
    }


@dg.asset(key=["ris_raw", "holidays"], group_name=GROUP, kinds={"python", "postgres"})
def holidays(postgres: PostgresResource) -> dg.MaterializeResult[Any]:
    """Public holidays of the studio's country, from ten years back to two years ahead."""
    settings = get_settings()
    year = datetime.now(UTC).year
    found = holiday_calendar.country_holidays(
        settings.country, years=range(year - 10, year + 3), language="en_US"
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
