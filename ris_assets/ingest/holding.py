"""A source map held against a source: what is missing, what does not convert, what would be refused.

Nothing is written, and no marts database is needed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import polars as pl

from ris_assets.contracts.entities import ENTITIES, FACTORS, Entity
from ris_assets.errors import RisError
from ris_assets.extract.decode import BatchDecoder
from ris_assets.extract.plan import ROW, Decoded
from ris_assets.extract.shape import COVERS_NOTHING, Shaped
from ris_assets.extract.source_map import ParentSpec, SourceMap
from ris_assets.ingest.parts import Part, parts_of, present
from ris_assets.ingest.progress import report
from ris_assets.ingest.silence import EARLIEST, MANY_SPACINGS, Told
from ris_assets.resources.mongo import DocumentSource

Level = Literal["error", "warning"]
_EXAMPLES = 3
_FEWEST_DAYS = 3
"""Times that are all midnight by chance are fewer."""
_REFERENCES = {
    "user_id": "users",
    "target_user_id": "users",
    "hp_id": "hero_passes",
    "booking_id": "bookings",
}
_ALWAYS_RECORDED = {"users", "hero_passes", "freezes"}
"""What a business that sells passes knows from the first on."""
_LONG_WITHOUT = timedelta(weeks=8)
"""Without any event for so long, and for many times what lies between two."""
_MOST_NEVER_BEGAN = 0.5
"""Share of documents that repeat which may end before their first period begins, as after a trial."""


@dataclass(frozen=True)
class Finding:
    """Something to look at: an error will stop the pipeline or empty a column that it needs."""

    level: Level
    place: str
    text: str


@dataclass
class FieldHeld:
    """One mapped field, as found."""

    name: str
    origin: str
    is_required: bool
    filled: int = 0
    misfits: int = 0
    missing: int = 0
    """Rows that cannot do without it and lack it."""
    examples: list[str] = field(default_factory=list)
    first: str | None = None
    last: str | None = None
    days: int = 0
    """Times at midnight UTC that are no midnight of the field's zone: calendar days, if all are."""
    zone: str = ""
    has_fallback: bool = False


@dataclass
class PartHeld:
    """One source of an entity, as found."""

    entity: str
    collection: str
    documents: int = 0
    rows: int = 0
    refused: int = 0
    shared: int = 0
    """Rows whose id another document holds."""
    bare: int = 0
    """Rows that do not end after they start."""
    bare_example: str = ""
    is_repeated: bool = False
    """Each document is as many rows as it has periods."""
    is_exploded: bool = False
    """Each document is as many rows as an array has elements."""
    orphans: dict[str, int] = field(default_factory=dict)
    fields: list[FieldHeld] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def refused_share(self) -> float:
        """Share of rows that would be refused."""
        return self.refused / self.rows if self.rows else 0.0

    @property
    def bare_share(self) -> float:
        """Share of rows that cover nothing; of documents where each is several rows."""
        whole = self.documents if self.is_repeated else self.rows
        return self.bare / whole if whole else 0.0


@dataclass(frozen=True)
class Holder:
    """Holds a map against a source, looking at no more than `sample` documents a collection (0: all)."""

    source_map: SourceMap
    source: DocumentSource
    zone: ZoneInfo
    sample: int = 20_000
    _seen: dict[str, set[str]] = field(default_factory=dict)
    """Ids of each entity so far, where documents may share them."""
    _kept: dict[tuple[str, tuple[str, ...]], pl.DataFrame] = field(default_factory=dict)

    def hold(self) -> list[PartHeld]:
        """Every source of every mapped entity."""
        found = list(self._parts())
        _tell_of_late_beginnings(found, self.source_map, self.zone)
        return found

    def _parts(self) -> Iterator[PartHeld]:
        """Every source, one after the other."""
        collections = self.source.collections()
        for name, entity_map in self.source_map.entities.items():
            entity = ENTITIES[name]
            parts = parts_of(entity, entity_map, self.source_map, self.zone)
            try:
                there = present(entity, parts, collections)
            except RisError as error:
                yield PartHeld(name, "", findings=[Finding("error", name, str(error))])
                continue
            for part in parts:
                if part in there:
                    yield self._part(part, entity_map.reject_limit)
                else:
                    text = "the collection does not exist: the entity stays without it"
                    missing = Finding("warning", f"{name} ({part.source.collection})", text)
                    yield PartHeld(name, part.source.collection, findings=[missing])

    def _part(self, part: Part, limit: float) -> PartHeld:
        entity, source = part.shape.entity.name, part.source
        is_repeated = source.repeat is not None
        held = PartHeld(
            entity,
            source.collection,
            is_repeated=is_repeated,
            is_exploded=source.explode is not None,
            fields=_fields(part),
        )
        told = Told(part.shape.now)
        for shaped, decoded in self._batches(part):
            held.documents += decoded.documents
            told.add(decoded.frame)
            self._count(held, shaped, decoded.frame)
            self._count_shared(held, shaped, part)
            report(held.entity, held.documents, self.sample or None)
        held.findings = _findings(held, limit)
        if is_repeated and told.silent_since:
            held.findings.append(_silent(held, told.silent_since.astimezone(self.zone).date()))
        return held

    def _batches(self, part: Part) -> Iterator[tuple[Shaped, Decoded]]:
        decoder, collection = BatchDecoder(part.shape.plan), part.source.collection
        batches = self.source.sample(collection, self.sample) if self.sample else self._all(part)
        for raw in batches:
            decoded = decoder.decode(raw)
            yield part.shape.shape(decoded, self._lookup), decoded

    def _all(self, part: Part) -> Iterator[bytes]:
        return self.source.batches(part.source.collection, part.query(None, None))

    def _count(self, held: PartHeld, shaped: Shaped, read: pl.DataFrame) -> None:
        rows = shaped.rows
        is_missing = pl.col("reason") == "missing"
        is_bare = pl.col("reason") == COVERS_NOTHING
        rejects, missing = (
            shaped.rejects.filter(~is_missing & ~is_bare),
            shaped.rejects.filter(is_missing),
        )
        _count_bare(held, shaped.rejects.filter(is_bare))
        held.rows += shaped.identities.len()
        refused = shaped.rejects.filter(~pl.col("is_row_kept"))
        held.refused += refused.select(ROW, "source_id").n_unique()
        for one in held.fields:
            column = rows[one.name] if one.name in rows.columns else read[one.name]
            is_plain = one.name in read.columns and not one.has_fallback
            source = read[one.name] if is_plain else column
            one.filled += source.count()
            one.days += _days(source, one.zone)
            bad = rejects.filter(pl.col("field") == one.name)
            one.misfits += bad.height
            one.missing += missing.filter(pl.col("field") == one.name).height
            if len(one.examples) < _EXAMPLES:
                one.examples += [
                    f"{value} ({reason})" if value is not None else str(reason)
                    for value, reason in bad.select("value", "reason").unique().head(2).iter_rows()
                ]
            _stretch(one, column)
        for name, parent in _REFERENCES.items():
            is_reference = name in rows.columns and parent != held.entity
            if is_reference and parent in self.source_map.entities:
                known = self._ids(parent)
                lost = rows[name].drop_nulls().is_in(known.implode()).not_().sum()
                held.orphans[name] = held.orphans.get(name, 0) + int(lost)

    def _count_shared(self, held: PartHeld, shaped: Shaped, part: Part) -> None:
        """Rows whose id another document holds, be it of another source of the entity."""
        if not part.may_share_ids:
            return
        ids, seen = (
            shaped.rows[ENTITIES[held.entity].id_field],
            self._seen.setdefault(held.entity, set()),
        )
        before = len(seen)
        seen.update(ids)
        if not part.source.distinct:
            held.shared += ids.len() - (len(seen) - before)
            held.refused += ids.len() - (len(seen) - before)

    def _rows(self, entity: str, columns: tuple[str, ...]) -> pl.DataFrame:
        """Some columns of all rows of an entity, read once."""
        if (entity, columns) not in self._kept:
            entity_map = self.source_map.entities[entity]
            parts = parts_of(ENTITIES[entity], entity_map, self.source_map, self.zone)
            frames = [
                part.shape.shape(decoded, self._lookup).rows.select(*dict.fromkeys(columns))
                for part in present(ENTITIES[entity], parts, self.source.collections())
                for decoded in map(BatchDecoder(part.shape.plan).decode, self._all(part))
            ]
            empty = pl.DataFrame(schema={name: pl.String() for name in columns})
            self._kept[entity, columns] = pl.concat(frames) if frames else empty
        return self._kept[entity, columns]

    def _ids(self, entity: str) -> pl.Series:
        name = ENTITIES[entity].id_field
        return self._rows(entity, (name,))[name].cast(pl.String).unique()

    def _lookup(self, parent: ParentSpec, keys: pl.Series) -> pl.DataFrame:
        name = ENTITIES[parent.entity].id_field
        rows = self._rows(parent.entity, (name, parent.field))
        return rows.select(pl.col(name).alias("key"), pl.col(parent.field).alias("value")).unique(
            "key"
        )


def _fields(part: Part) -> list[FieldHeld]:
    entity: Entity = part.shape.entity
    found = []
    for name, spec in part.source.fields.items():
        if spec.path is not None:
            origin = spec.path
        elif spec.parent is not None:
            origin = f"{spec.parent.entity}.{spec.parent.field}"
        else:
            origin = repr(spec.value)
        zone = spec.zone or part.shape.zone.key
        required, spare = entity.field(name).required, spec.fallback is not None
        found.append(FieldHeld(name, origin, required, zone=zone, has_fallback=spare))
    for name, factor in part.source.factors.items():
        found.append(FieldHeld(f"{FACTORS}.{name}", factor.path, False, zone=part.shape.zone.key))
    if part.source.repeat and "ends_at" not in part.source.fields:
        found.append(FieldHeld("ends_at", "repeat", True))
    return found


def _days(column: pl.Series, zone: str) -> int:
    """How many instants are midnight in UTC and not in the zone."""
    if not isinstance(column.dtype, pl.Datetime):
        return 0
    local = column.dt.convert_time_zone(zone or "UTC").dt.time()
    return int(((column.dt.time() == time(0)) & (local != time(0))).sum())


def _count_bare(held: PartHeld, notes: pl.DataFrame) -> None:
    """Rows that cover nothing, and one of them."""
    held.bare += notes.height
    held.bare_example = held.bare_example or next(iter(notes["value"].drop_nulls()), "")


def _stretch(held: FieldHeld, column: pl.Series) -> None:
    """Widen the range of an instant, a date or a number."""
    if not (column.dtype.is_temporal() or column.dtype.is_numeric()) or column.count() == 0:
        return
    low, high = str(column.min()), str(column.max())
    if column.dtype.is_numeric():
        values = [float(v) for v in (held.first, held.last, low, high) if v is not None]
        held.first, held.last = f"{min(values):g}", f"{max(values):g}"
    else:
        held.first = min(filter(None, (held.first, low)))
        held.last = max(filter(None, (held.last, high)))


Rule = Callable[[PartHeld, FieldHeld], tuple[Level, str] | None]


def _missing(part: PartHeld, one: FieldHeld) -> tuple[Level, str] | None:
    if part.rows == 0 or one.filled or one.misfits > part.rows / 2:
        return None
    return ("error" if one.is_required else "warning"), f"no document has a value at `{one.origin}`"


def _sometimes_missing(part: PartHeld, one: FieldHeld) -> tuple[Level, str] | None:
    if not one.missing or not one.filled:
        return None
    lacking = f"{one.missing:,} of {part.rows:,} rows have no value at `{one.origin}`"
    return "warning", f"{lacking} and would be refused"


def _misfits(part: PartHeld, one: FieldHeld) -> tuple[Level, str] | None:
    if not one.misfits:
        return None
    examples = "; ".join(one.examples[:_EXAMPLES])
    return "warning", f"{one.misfits:,} of {part.rows:,} values do not fit, such as {examples}"


def _negative_price(part: PartHeld, one: FieldHeld) -> tuple[Level, str] | None:
    if one.name != "price" or one.first is None or float(one.first) >= 0:
        return None
    return "warning", f"prices go down to {one.first}, and are kept as they are"


def _times(part: PartHeld, one: FieldHeld) -> tuple[Level, str] | None:
    if not one.name.endswith("_at") or one.first is None or one.last is None:
        return None
    late = str(datetime.now(UTC) + timedelta(days=2 * 366))
    if one.last[:10] > late[:10] or one.first[:10] < str(EARLIEST)[:10]:
        return "warning", f"times range from {one.first} to {one.last}: is the format right?"
    return None


def _days_in_utc(part: PartHeld, one: FieldHeld) -> tuple[Level, str] | None:
    if not one.name.endswith("_at") or one.days < max(_FEWEST_DAYS, one.filled):
        return None
    told = f"all times at `{one.origin}` are midnight UTC, which is another hour in {one.zone}"
    return "warning", f"{told}: if they are days of the studio, add `format: local`"


_FIELD_RULES: tuple[Rule, ...] = (
    _missing,
    _sometimes_missing,
    _misfits,
    _negative_price,
    _times,
    _days_in_utc,
)


def _tell_of_late_beginnings(found: list[PartHeld], source_map: SourceMap, zone: ZoneInfo) -> None:
    """Warn of events that begin long after passes do, too long for chance: were they recorded before?"""
    begun = _times_of(found, "hero_passes", "starts_at")
    late = [n for n, one in source_map.entities.items() if one.since is None]
    for name in set(late) - _ALWAYS_RECORDED:
        times = _times_of(found, name, ENTITIES[name].event_field)
        if not begun or not times:
            continue
        own = [part for part in found if part.entity == name]
        spacing = (max(times) - min(times)) / sum(part.rows for part in own)
        if min(times) - min(begun) > max(_LONG_WITHOUT, MANY_SPACINGS * spacing):
            day, before = (min(each).astimezone(zone).date() for each in (times, begun))
            told = f"begins on {day}, passes on {before}: the weeks between count as 0"
            advice = f"if they were not recorded, add `since: {day}` to the entity"
            own[0].findings.append(Finding("warning", name, f"{told}; {advice}"))


def _times_of(found: list[PartHeld], entity: str, name: str) -> list[datetime]:
    """The first and last instants of an entity's field, of all its sources; times before computers are none."""
    fields = [one for part in found if part.entity == entity for one in part.fields]
    ends = [at for one in fields if one.name == name for at in (one.first, one.last) if at]
    return [at for at in map(datetime.fromisoformat, ends) if at >= EARLIEST]


def _bare(held: PartHeld, limit: float) -> Finding:
    example = f", such as {held.bare_example}" if held.bare_example else ""
    told = f"{held.bare:,} of {held.rows:,} rows do not end after they start and cover nothing{example}"
    place = f"{held.entity} ({held.collection}).ends_at"
    limit = max(limit, _MOST_NEVER_BEGAN) if held.is_repeated else limit
    if held.bare_share <= limit:
        return Finding("warning", place, told)
    advice = f"the map allows {limit:.1%}: are `starts_at` and `ends_at` swapped?"
    return Finding("error", place, f"{told}; {advice}")


def _silent(held: PartHeld, last: date) -> Finding:
    text = f"nothing later than {last} is told, but what repeats goes on until now: run no day after that"
    return Finding("warning", f"{held.entity} ({held.collection})", text)


def _findings(held: PartHeld, limit: float) -> list[Finding]:
    place = f"{held.entity} ({held.collection})"
    if held.rows == 0:
        return [Finding("warning", place, "no document of the collection counts")]
    found = [
        Finding(verdict[0], f"{place}.{one.name}", verdict[1])
        for one in held.fields
        for rule in _FIELD_RULES
        if (verdict := rule(held, one))
    ]
    if held.refused_share > limit:
        share = (
            f"{held.refused:,} of {held.rows:,} rows would be refused ({held.refused_share:.1%})"
        )
        found.append(Finding("error", place, f"{share}; the map allows {limit:.1%}"))
    if held.bare:
        found.append(_bare(held, limit))
    if held.shared:
        told = f"{held.shared:,} of {held.rows:,} rows have an id that another document has and would be refused"
        advice = (
            "add `distinct: true` if documents of one id tell the same, `prefix` to the id if not"
        )
        if held.is_exploded:
            advice = (
                f"leave `{ENTITIES[held.entity].id_field}` out if it counts within its document"
            )
        found.append(Finding("warning", place, f"{told}: {advice}"))
    found += [
        Finding("warning", f"{place}.{name}", f"{count:,} of {held.rows:,} rows refer to nobody")
        for name, count in held.orphans.items()
        if count
    ]
    return found
