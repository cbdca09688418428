"""One extraction of one entity: read what is asked for, land it, remember how far it got.

Everything happens in one transaction of the marts database. Whatever interrupts it, nothing of it stays,
and the next attempt starts from the last watermark.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import psycopg

from ris_assets.contracts.entities import ENTITIES, Entity
from ris_assets.contracts.landing import EXTRACTION_LOG, FIELD_PROFILE, REJECTS, WATERMARKS
from ris_assets.errors import RisError
from ris_assets.extract.decode import BatchDecoder
from ris_assets.extract.drift import compared, field_profile
from ris_assets.extract.dump import document_offsets
from ris_assets.extract.exact import documents_of, raw_of_json
from ris_assets.extract.plan import ROW, Decoded
from ris_assets.extract.shape import CHANGED, COVERS_NOTHING, Shaped
from ris_assets.extract.source_map import EntityMap, ParentSpec, SourceMap
from ris_assets.ingest.parts import Part, parts_of, personal_paths, present
from ris_assets.ingest.progress import report
from ris_assets.ingest.refusals import with_documents
from ris_assets.ingest.retries import persistently
from ris_assets.ingest.silence import Told
from ris_assets.partitions import Window
from ris_assets.resources.landing import (
    Landing,
    insert_row,
    parent_index,
    parent_values,
)
from ris_assets.resources.mongo import DocumentSource
from ris_assets.resources.personal import DETAILS, drop_forgotten, keep_details
from ris_assets.resources.postgres import PostgresResource, copy_frame

_SAMPLED_A_BATCH, _SAMPLED, _SAMPLED_BYTES = 64, 512, 1 << 20
_RETRIED_AT_ONCE = 2000
_MANY_DELETED = 100
_HANDOVER_SECONDS = 0.0005


@dataclass(frozen=True)
class Ingestion:
    """What is to be extracted, from where, and into what."""

    entity: Entity
    source_map: SourceMap
    open_source: Callable[[], AbstractContextManager[DocumentSource]]
    postgres: PostgresResource
    zone: ZoneInfo
    """The studio's zone."""
    window: Window | None = None
    first_day: date | None = None
    """The first day whose marts are yet to be made; None before the first. No version counts from an earlier one."""
    reconcile_days: int = 7
    deleted_share: float = 0.5
    """Share of an entity's documents that may vanish at once."""
    warn: Callable[[str], None] = print


@dataclass
class Counts:
    """What one extraction did."""

    read: int = 0
    """Documents."""
    considered: int = 0
    """Rows of the window or changed since the last extraction, fitting or not."""
    written: int = 0
    deleted: int = 0
    rejected: int = 0
    """Rows refused."""
    bare: int = 0
    """Rows kept that do not end after they start."""
    size: int = 0
    """Bytes of BSON."""
    seconds: float = 0.0
    watermark_before: datetime | None = None
    watermark_after: datetime | None = None
    silent_since: datetime | None = None
    """Of passes that renew themselves: the last that the source tells of, where that is long ago."""


@dataclass(frozen=True)
class Mark:
    """How far the extraction of one part had got."""

    fingerprint: str = ""
    changed_until: datetime | None = None
    reconciled_at: datetime | None = None


@dataclass
class _Reading:
    """One part while it is read."""

    part: Part
    mark: Mark
    since: datetime | None
    """From when on changes are read; None: everything."""
    changed_until: datetime | None = None
    sample: list[dict[str, object]] = field(default_factory=list)
    told: Told | None = None
    """Of what repeats."""


def ingest(job: Ingestion) -> Counts | None:
    """Extract one entity, trying again when it is interrupted; None when the source lacks the entity.

    Raises:
        RisError: the source or the database refuses, or stays away.
    """
    with _nimble_threads():
        return persistently(lambda: _attempt(job), job.warn)


@contextmanager
def _nimble_threads() -> Iterator[None]:
    """Let reading, decoding and copying hand over more often: measured 5 % faster from a server."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(_HANDOVER_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _attempt(job: Ingestion) -> Counts | None:
    entity_map = job.source_map.entities.get(job.entity.name)
    with job.open_source() as source, job.postgres.connect() as connection:
        parts: list[Part] = []
        if entity_map is not None:
            parts = parts_of(job.entity, entity_map, job.source_map, job.zone)
            parts = present(job.entity, parts, source.collections())
        if entity_map is None or not parts:
            _log(connection, job, Counts())
            return None
        with (
            job.postgres.connect() as looking,
            Landing(connection, job.entity, job.zone, job.first_day) as landing,
        ):
            return _Extraction(job, entity_map, source, connection, looking, landing).run(parts)


@dataclass
class _Extraction:
    """The work of one attempt."""

    job: Ingestion
    entity_map: EntityMap
    source: DocumentSource
    connection: psycopg.Connection
    looking: psycopg.Connection
    """Reads what is committed while the other connection is writing."""
    landing: Landing
    counts: Counts = field(default_factory=Counts)

    @property
    def entity(self) -> Entity:
        return self.job.entity

    def run(self, parts: list[Part]) -> Counts:
        """Read all parts, land them, and note how far it got."""
        started = time.monotonic()
        parent_index(self.connection, self.entity_map.parents)
        marks = self._marks()
        readings = [self._begun(part, marks.get(part.name, Mark())) for part in parts]
        is_whole = self.job.window is None and all(r.since is None for r in readings)
        if any(part.may_share_ids for part in parts):
            self.landing.index_ids()
        if any(self._looks_for_gone_elements(part) for part in parts):
            self.landing.index_elements()
        if not is_whole:
            self._retry(parts)
        for reading in readings:
            self._read(reading)
        self._finish(readings, is_whole)
        if self.counts.bare:
            self.job.warn(self._told_of_bare())
        self.counts.seconds = time.monotonic() - started
        _log(self.connection, self.job, self.counts, self.entity_map, parts)
        return self.counts

    def _told_of_bare(self) -> str:
        of = f"{self.counts.bare:,} of {self.counts.considered:,} rows of `{self.entity.name}`"
        return f"{of} do not end after they start and cover nothing: `ris_raw.rejects` lists them."

    def _begun(self, part: Part, mark: Mark) -> _Reading:
        """What is to be read of a part."""
        told = Told(part.shape.now) if part.source.repeat else None
        return _Reading(part, mark, self._since(part, mark), mark.changed_until, told=told)

    def _since(self, part: Part, mark: Mark) -> datetime | None:
        """From when on to read what has changed; None where everything is read."""
        same_map = mark.fingerprint == self.entity_map.fingerprint
        is_changes = self.job.window is None and part.can_be_incremental and same_map
        if not is_changes or mark.changed_until is None:
            return None
        age = self.landing.started_at - (mark.reconciled_at or mark.changed_until)
        is_due = age >= timedelta(days=self.job.reconcile_days)
        overlap = timedelta(minutes=part.source.overlap_minutes)
        return None if is_due else mark.changed_until - overlap

    def _read(self, reading: _Reading) -> None:
        """All batches of one part."""
        part = reading.part
        decoder, whole = BatchDecoder(part.shape.plan), BatchDecoder(part.shape.documents_plan)
        counts = part.counts(self.job.window, reading.since)
        personal = personal_paths(self.job.source_map, part.source.collection)
        total = self.source.facts(part.source.collection).documents if counts is None else None
        query = part.query(self.job.window, reading.since)
        for raw in self.source.batches(part.source.collection, query):
            decoded = decoder.decode(raw)
            self._note(reading, raw, decoded.frame)
            self._note_elements(part, raw, decoded, whole)
            self.counts.read += decoded.documents
            self.counts.size += len(raw)
            shaped = part.shape.shape(decoded, self._lookup, counts)
            self.counts.considered += shaped.identities.len()
            self.counts.rejected += self._land(part, shaped, raw, personal)
            self._keep_personal(shaped.personal)
            report(self.entity.name, self.counts.read, total)

    def _land(self, part: Part, shaped: Shaped, raw: bytes, personal: list[str]) -> int:
        """Hand rows and refusals to the landing; the number of rows refused."""
        rows, rejects = shaped.rows, shaped.rejects
        if part.may_share_ids:
            rows, refused = self._without_duplicates(rows, rejects, part)
            rejects = rejects if part.source.distinct else refused
        self.landing.add(rows.drop(ROW))
        if rejects.is_empty():
            return 0
        self.counts.bare += int((rejects["reason"] == COVERS_NOTHING).sum())
        kept = with_documents(rejects, raw, personal)
        self.landing.refuse(kept.with_columns(pl.lit(part.name).alias("part")))
        return rejects.filter(~pl.col("is_row_kept")).select(ROW, "source_id").n_unique()

    def _without_duplicates(
        self, rows: pl.DataFrame, rejects: pl.DataFrame, part: Part
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Set aside rows whose business id another document holds; the first one keeps it, of a batch the first
        to have happened."""
        name = self.entity.id_field
        rows = rows.sort("event_at", maintain_order=True)
        first = pl.col("source_id").first().over(name)
        own = self.landing.claimed(rows[name].unique()).rename({"source_id": "holder"})
        if self._is_the_earliest_to_stand(part):
            own = own.filter(~pl.col("holder").str.starts_with(part.shape.prefix))
        held = (
            rows.select(ROW, "source_id", name, first.alias("first"))
            .join(own, left_on=name, right_on="id", how="left")
            .group_by(ROW, "source_id", name, maintain_order=True)
            .agg(
                pl.col("first").first(),
                pl.col("holder").drop_nulls(),
            )
        )
        by_others = (pl.col("holder").list.len() > 0) & ~pl.col("holder").list.contains(
            pl.col("source_id")
        )
        taken = held.filter(by_others | (pl.col("first") != pl.col("source_id")))
        if taken.is_empty():
            return rows, rejects
        noted = taken.select(
            "source_id",
            pl.lit(name).alias("field"),
            (pl.lit(None, pl.String()) if name in part.shape.hidden else pl.col(name)).alias(
                "value"
            ),
            pl.lit("another document has this id already").alias("reason"),
            pl.lit(False).alias("is_row_kept"),
            pl.lit(True).alias("is_waiting"),
            pl.lit(None, pl.String()).alias("user_id"),
            ROW,
        )
        keys = taken.select(ROW, "source_id")
        return rows.join(keys, [ROW, "source_id"], "anti"), pl.concat(
            [rejects, noted.select(rejects.columns)]
        )

    def _is_the_earliest_to_stand(self, part: Part) -> bool:
        """Whether all documents of an id are read before one of them is chosen; days are read one after the other."""
        return part.source.distinct and self.job.window is None

    def _note(self, reading: _Reading, raw: bytes, frame: pl.DataFrame) -> None:
        """The latest change seen, until when is told, and a few documents to know the source's looks by."""
        if CHANGED in frame.columns:
            latest = frame[CHANGED].max()
            if isinstance(latest, datetime):
                # A clock that runs ahead must not make the next extraction skip what lies between.
                seen = min(latest, self.landing.started_at)
                reading.changed_until = max(seen, reading.changed_until or seen)
        if reading.told:
            reading.told.add(frame)
        if len(reading.sample) < _SAMPLED:
            reading.sample += documents_of(_first(raw, _SAMPLED_A_BATCH))

    def _note_elements(self, part: Part, raw: bytes, decoded: Decoded, whole: BatchDecoder) -> None:
        """What documents that have changed still hold, whenever it happened; `whole` reads them without the array."""
        if self.job.window is not None and self._looks_for_gone_elements(part):
            changed = part.changed(self.job.window)
            held = part.shape.changed_documents(decoded, whole.decode(raw), changed)
            self.landing.note_elements(held)

    def _looks_for_gone_elements(self, part: Part) -> bool:
        """Whether there may be some: entities that keep versions are read whole, and the first load finds none."""
        is_of_days = self.job.window is not None and not self.landing.is_direct
        return is_of_days and part.notices_gone_elements

    def _lookup(self, parent: ParentSpec, keys: pl.Series) -> pl.DataFrame:
        return parent_values(self.looking, ENTITIES[parent.entity], parent.field, keys)

    def _retry(self, parts: list[Part]) -> None:
        """Documents refused before, once more: their parent may have come, or the map has changed."""
        by_name = {part.name: part for part in parts}
        for name, raw in self._refused_before():
            if name not in by_name:
                continue
            part = by_name[name]
            decoded = BatchDecoder(part.shape.plan).decode(raw)
            personal = personal_paths(self.job.source_map, part.source.collection)
            self._land(part, part.shape.shape(decoded, self._lookup), raw, personal)

    def _refused_before(self) -> Iterator[tuple[str, bytes]]:
        """Parts and their refused documents, some at a time."""
        condition = (
            "is_waiting" if self.job.window is None else "(is_waiting or map_fingerprint <> %s)"
        )
        values = [self.entity.name] + ([self.entity_map.fingerprint] if self.job.window else [])
        query = (
            f"select distinct on (part, document::text) part, document::text from {REJECTS.qualified}"
            f" where entity = %s and document is not null and part is not null and {condition}"
            " order by part, document::text"
        )
        with self.looking.cursor(name="refused_before") as cursor:
            cursor.execute(query, values)
            while page := cursor.fetchmany(_RETRIED_AT_ONCE):
                for name in sorted({name for name, _ in page}):
                    yield name, b"".join(raw_of_json(text) for part, text in page if part == name)

    def _keep_personal(self, details: pl.DataFrame) -> None:
        if not details.is_empty():
            self.landing.drain()
            keep_details(self.connection, details.with_columns(entity=pl.lit(self.entity.name)))

    def _finish(self, readings: list[_Reading], is_whole: bool) -> None:
        """Move what was collected into the landing table, and remember where to go on."""
        self._drop_forgotten()
        for reading in readings:
            if self._is_the_earliest_to_stand(reading.part):
                self.landing.keep_earliest(reading.part.shape.prefix)
        fingerprint = self.entity_map.fingerprint
        if self.job.window is not None:
            self.counts.written = self.landing.finish_days(self.job.window, fingerprint)
        else:
            for reading in readings:
                if reading.since is None and not self.landing.is_direct:
                    self.counts.deleted += self._bury(reading.part)
            self.counts.written = self.landing.finish_versions()
        self.landing.store_rejects(fingerprint, is_whole)
        self.landing.analyze(self.counts.written)
        for reading in readings:
            self._remember(reading)
            self._profile(reading)
        self.counts.silent_since = _latest([r.told.silent_since for r in readings if r.told])
        self.counts.watermark_before = _latest([r.mark.changed_until for r in readings])
        self.counts.watermark_after = _latest([r.changed_until for r in readings])

    def _bury(self, part: Part) -> int:
        """Tombstones for what the source no longer has; a source that is nearly empty is no proof."""
        deleted, living = self.landing.bury(part.shape.prefix)
        if deleted > max(_MANY_DELETED, self.job.deleted_share * living):
            raise RisError(
                f"{deleted:,} of {living:,} documents of `{self.entity.name}` are gone from"
                f" `{part.source.collection}`: nothing was changed. If that is right, run it once with"
                " RIS_DELETED_SHARE=1."
            )
        return deleted

    def _drop_forgotten(self) -> None:
        """Persons who were forgotten do not come back with the next extraction."""
        self.landing.drain()
        names = {column.name for column in self.entity.fields}
        for column in ("user_id", "hp_id"):
            if column in names:
                self.landing.drop_forgotten(column)
        drop_forgotten(self.connection, "pg_temp.refused", "user_id")
        drop_forgotten(self.connection, DETAILS.qualified, "user_id")

    def _marks(self) -> dict[str, Mark]:
        rows = self.connection.execute(
            "select part, map_fingerprint, changed_until, reconciled_at"
            f" from {WATERMARKS.qualified} where entity = %s",
            [self.entity.name],
        ).fetchall()
        return {part: Mark(*rest) for part, *rest in rows}

    def _remember(self, reading: _Reading) -> None:
        if self.job.window is not None:
            return
        now = self.landing.started_at
        insert_row(
            self.connection,
            WATERMARKS,
            {
                "entity": self.entity.name,
                "part": reading.part.name,
                "map_fingerprint": self.entity_map.fingerprint,
                "changed_until": reading.changed_until,
                "reconciled_at": now if reading.since is None else reading.mark.reconciled_at,
                "updated_at": now,
            },
            replace=True,
        )

    def _profile(self, reading: _Reading) -> None:
        """Compare the looks of the documents with the time before."""
        if not reading.sample:
            return
        where = "entity = %s and part = %s"
        key = [self.entity.name, reading.part.name]
        rows = self.connection.execute(
            f"select path, types, fill_share, first_seen_at from {FIELD_PROFILE.qualified}"
            f" where {where}",
            key,
        ).fetchall()
        before = pl.DataFrame(rows, schema=_PROFILE_BEFORE, orient="row")
        now = pl.lit(self.landing.started_at, pl.Datetime("us", "UTC"))
        profile = compared(before, field_profile(reading.sample), len(reading.sample))
        kept = (
            profile.join(before.select("path", "first_seen_at"), "path", "left")
            .with_columns(
                entity=pl.lit(key[0]),
                part=pl.lit(key[1]),
                documents=pl.lit(len(reading.sample)),
                first_seen_at=pl.coalesce("first_seen_at", now),
                last_seen_at=now,
            )
            .select(FIELD_PROFILE.column_names)
        )
        self.connection.execute(f"delete from {FIELD_PROFILE.qualified} where {where}", key)
        copy_frame(self.connection, FIELD_PROFILE.qualified, kept)


_PROFILE_BEFORE = {
    "path": pl.String(),
    "types": pl.List(pl.String()),
    "fill_share": pl.Float64(),
    "first_seen_at": pl.Datetime("us", "UTC"),
}


def _first(raw: bytes, documents: int) -> bytes:
    """The first documents of a batch, without walking all of it."""
    offsets = document_offsets(raw[:_SAMPLED_BYTES])[: documents + 1]
    return raw[: offsets[-1]]


def _latest(instants: list[datetime | None]) -> datetime | None:
    return max((i for i in instants if i is not None), default=None)


def _log(
    connection: psycopg.Connection,
    job: Ingestion,
    counts: Counts,
    entity_map: EntityMap | None = None,
    parts: Sequence[Part] = (),
) -> None:
    """Note the extraction, in the transaction of its rows; without a map, that the source lacks the entity."""
    mapped: dict[str, object] = {}
    if entity_map is not None:
        mapped = {
            "reject_limit": entity_map.reject_limit,
            "mapped_fields": sorted({name for part in parts for name in part.source.mapped}),
            "map_fingerprint": entity_map.fingerprint,
            "recorded_since": entity_map.since,
        }
    row = connection.execute("select clock_timestamp()").fetchone()
    insert_row(
        connection,
        EXTRACTION_LOG,
        {
            "entity": job.entity.name,
            "from_day": job.window.from_day if job.window else None,
            "through_day": job.window.through_day if job.window else None,
            "rows_read": counts.read,
            "rows_written": counts.written,
            "rows_rejected": counts.rejected,
            "is_mapped": entity_map is not None,
            "finished_at": row[0] if row else None,
            "rows_considered": counts.considered,
            "rows_deleted": counts.deleted,
            "bytes_read": counts.size,
            "seconds": counts.seconds,
            "watermark_before": counts.watermark_before,
            "watermark_after": counts.watermark_after,
            **mapped,
        },
    )
