"""From decoded paths to rows of a landing table: translate, scale, check, and set aside what does not fit.

A misfit in a field that the entity cannot do without rejects the row. A misfit in an optional field
keeps the row with that field null. Either way it is noted, and the whole document is kept with it. A span that does
not end after it starts is noted, too, and its row kept as it is.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time
from functools import cached_property, partial
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from ris_assets.contracts.columns import Column
from ris_assets.contracts.entities import FACTORS, Entity
from ris_assets.extract.exact import id_text, literal
from ris_assets.extract.plan import (
    CANONICAL,
    ELEMENT,
    ID,
    INSTANT,
    ROW,
    Decoded,
    Kind,
    Misfit,
    Reading,
    ReadingPlan,
    UuidOrder,
    path_parts,
)
from ris_assets.extract.redact import MASK, masked, overlap, way_below
from ris_assets.extract.source_map import AmountSpec, FieldSpec, ParentSpec, SourcePart, Span
from ris_assets.extract.spans import LONGEST, shifted, unrolled

REJECT_SCHEMA = {
    "source_id": pl.String(),
    "field": pl.String(),
    "value": pl.String(),
    "reason": pl.String(),
    "is_row_kept": pl.Boolean(),
    "is_waiting": pl.Boolean(),
    "user_id": pl.String(),
    ROW: pl.Int64(),
}
PERSONAL_SCHEMA = {
    "source_id": pl.String(),
    "user_id": pl.String(),
    "field": pl.String(),
    "value": pl.String(),
}
LANDING: dict[str, pl.DataType] = {
    "text": pl.String(),
    "text[]": pl.List(pl.String()),
    "float8": pl.Float64(),
    "int4": pl.Int32(),
    "int8": pl.Int64(),
    "bool": pl.Boolean(),
    "timestamptz": INSTANT,
    "date": pl.Date(),
    "jsonb": pl.String(),
}
"""The polars type that a landing column of each SQL type is written from."""
_NOTED = [name for name in REJECT_SCHEMA if name != "user_id"]
COVERS_NOTHING = "it does not end after it starts: it covers nothing"
"""Why a row is noted although all of it is kept."""
ParentLookup = Callable[[ParentSpec, pl.Series], pl.DataFrame]
"""Parent rows by their keys: a frame of `key` (text) and `value`."""
CHANGED = "_changed_at"
_FILTER, _PARENT, _PERSONAL = "_filter:", "_parent:", "_personal:"
_SPAN, _REPEAT, _ELSE = "_span:", "_repeat:", "_else:"
_FACTOR = f"{FACTORS}."
"""What is noted of a factor bears this before its name, which may be that of a field."""
_REPEATED = f"{_REPEAT}ends_at"
_AMOUNT, _RAW = "_amount:", "_raw:"
_SHOWN_TIME = "%Y-%m-%dT%H:%M:%SZ"
_PERIOD = ("hp_id", "purchased_at", "starts_at", "ends_at", "cancelled_at")
"""What the periods of one document differ in."""


@dataclass(frozen=True)
class Shaped:
    """Rows for the landing table, misfits (`_row` finds the document), and personal details."""

    rows: pl.DataFrame
    rejects: pl.DataFrame
    personal: pl.DataFrame
    identities: pl.Series
    """Source ids of all rows that count, fitting or not; null where a document has none."""


@dataclass(frozen=True)
class EntityShape:
    """How one entity is cut from the documents of one collection."""

    entity: Entity
    part: SourcePart
    zone: ZoneInfo
    """Zone of texts that carry none, and of instants that stand for calendar dates."""
    prefix: str = ""
    """Keeps the ids of several collections apart."""
    uuid_order: UuidOrder = "standard"
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    """Until when what repeats has been repeated."""
    personal_paths: tuple[str, ...] = ()
    """Of personal details in the collection that the maps of other entities mark."""

    @cached_property
    def plan(self) -> ReadingPlan:
        """The paths to read, typed by the entity's contract."""
        readings = [Reading(ID, ID, "id")]
        readings += [Reading(f"{_FILTER}{path}", path, "id") for path in self.part.filter]
        if self.part.changed_at:
            readings.append(self._reading(CHANGED, self.part.changed_at, "timestamptz"))
        for name, spec in self.part.fields.items():
            if spec.path is not None:
                first = self._reading(name, spec, self._kind(name, spec))
                readings.append(first)
                if spec.fallback is not None:
                    readings.append(replace(first, name=f"{_ELSE}{name}", path=spec.fallback))
            elif spec.parent is not None:
                readings.append(Reading(f"{_PARENT}{name}", spec.parent.key, "id"))
        readings += [
            Reading(f"{_PERSONAL}{n}", path, "id") for n, path in self.part.personal.items()
        ]
        readings += [
            Reading(f"{_FACTOR}{n}", spec.path, "id") for n, spec in self.part.factors.items()
        ]
        readings += [
            Reading(name, amount.path, "id" if amount.values else "int4")
            for name, span in self._spans.items()
            if isinstance(amount := span.amount, AmountSpec)
        ]
        return ReadingPlan(tuple(readings), self.part.explode, self.uuid_order)

    @cached_property
    def documents_plan(self) -> ReadingPlan:
        """What of the plan says which documents there are, without the array that is exploded."""
        readings = [r for r in self.plan.readings if self.plan.inside(r.path) is None]
        named = [r for r in readings if r.name in (ID, CHANGED) or r.name.startswith(_FILTER)]
        return ReadingPlan(tuple(named), uuid_order=self.uuid_order)

    @cached_property
    def hidden(self) -> list[str]:
        """Fields whose values are not shown: what is read for them may hold a personal detail, or be part of one."""
        readings = [r for r in self.plan.readings if not r.name.startswith(_PERSONAL)]
        return [_field_of(r.name) for r in readings if self._is_personal(path_parts(r.path))]

    @cached_property
    def _personal_keys(self) -> list[tuple[str, ...]]:
        return [path_parts(p) for p in {*self.part.personal.values(), *self.personal_paths}]

    def _is_personal(self, keys: tuple[str, ...]) -> bool:
        return any(overlap(keys, personal) for personal in self._personal_keys)

    @cached_property
    def _spans(self) -> dict[str, Span]:
        """Lengths of time that the map speaks of, by the reading that gives them."""
        spans = {f"{_SPAN}{n}": spec.span for n, spec in self.part.fields.items() if spec.span}
        return spans | ({_REPEATED: self.part.repeat} if self.part.repeat else {})

    @property
    def _spare(self) -> list[str]:
        """Fields with a second path."""
        return [name for name, spec in self.part.fields.items() if spec.fallback is not None]

    def _reading(self, name: str, spec: FieldSpec, kind: Kind) -> Reading:
        zone = ZoneInfo(spec.zone) if spec.zone else self.zone
        return Reading(name, str(spec.path), kind, spec.format, zone, spec.decimal)

    def _kind(self, name: str, spec: FieldSpec) -> Kind:
        kind = self.entity.field(name).type
        return "id" if spec.values or (kind == "text" and name.endswith("_id")) else kind

    @property
    def entity_event_path(self) -> str | None:
        """Where the documents say when it happened; None where a parent or the map does."""
        spec = self.part.fields.get(self.entity.event_field)
        return spec.path if spec else None

    def shape(
        self,
        decoded: Decoded,
        lookup: ParentLookup | None = None,
        counts: pl.Expr | None = None,
    ) -> Shaped:
        """Rows, rejects and personal details of one decoded batch.

        Args:
            decoded: the batch.
            lookup: finds parents' rows, where the map takes fields from them.
            counts: which rows count; the others are as if they had not been read.
        """
        frame = self._with_spans(self._with_parents(self._identified(decoded.frame), lookup))
        frame = frame if counts is None else frame.filter(counts)
        named = frame.select(
            ROW,
            "source_id",
            self._changed_at(),
            *(self._column(column) for column in self.entity.fields),
        )
        rejects = self._rejects(frame, named, decoded.misfits)
        rows = self._landing(named, rejects)
        return Shaped(
            rows,
            pl.concat([rejects, self._covering_nothing(rows).select(rejects.columns)]),
            self._personal(frame, named),
            named["source_id"],
        )

    def changed_documents(
        self, decoded: Decoded, documents: Decoded, changed: pl.Expr
    ) -> pl.DataFrame:
        """Documents that have changed, with the elements that they still hold: `document`, `elements`.

        Not those in which something does not convert: it may be the array that they lack.

        Args:
            decoded: a batch, the array exploded.
            documents: the same batch, read by `documents_plan`.
            changed: which documents count.
        """
        strange = [misfit.row for misfit in decoded.misfits + documents.misfits]
        identity = (pl.lit(self.prefix) + pl.col(ID)).alias("document")
        found = self._filtered(documents.frame).filter(changed & ~pl.col(ROW).is_in(strange))
        held = (
            self._identified(decoded.frame).group_by(ROW).agg(pl.col("source_id").alias("elements"))
        )
        none = pl.lit([], pl.List(pl.String()))
        return (
            found.select(ROW, identity)
            .join(held, on=ROW, how="left")
            .select("document", pl.col("elements").fill_null(none))
        )

    def _identified(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Rows that the filter lets through, under their names."""
        counted = self._without_blanks(self._without_personal(self._filtered(frame)))
        counted = counted.with_columns(pl.coalesce(n, f"{_ELSE}{n}").alias(n) for n in self._spare)
        return counted.with_columns(self._source_id().alias("source_id"))

    def _filtered(self, frame: pl.DataFrame) -> pl.DataFrame:
        wanted = [
            _fits(pl.col(f"{_FILTER}{path}"), value, self.uuid_order)
            for path, value in self.part.filter.items()
            if f"{_FILTER}{path}" in frame.columns
        ]
        return frame.filter(*wanted) if wanted else frame

    def _without_personal(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Objects that are mapped whole, with the personal details in them masked."""
        masking = [
            pl.col(name).map_elements(partial(_masked_json, ways=ways), pl.String())
            for name, ways in self._personal_in_objects.items()
        ]
        return frame.with_columns(masking) if masking else frame

    @cached_property
    def _personal_in_objects(self) -> dict[str, list[tuple[str, ...]]]:
        """Objects that are mapped whole and hold personal details, with the ways to these."""
        objects = (reading for reading in self.plan.readings if reading.kind == "jsonb")
        return {r.name: ways for r in objects if (ways := self._personal_within(r))}

    def _personal_within(self, reading: Reading) -> list[tuple[str, ...]]:
        """The ways to personal details from what is read on."""
        keys = path_parts(reading.path)
        ways = [way for p in self._personal_keys if (way := way_below(keys, p)) is not None]
        is_element = keys == path_parts(self.part.explode or "")
        # What is read is an element itself: its place in the array is no part of it.
        return [way[1:] if is_element and way and way[0].isdigit() else way for way in ways]

    def _without_blanks(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Blank texts as null, but where the map translates them: exports of tables know no other null."""
        told = {n for n, spec in self.part.fields.items() if "" in (spec.values or {})}
        told |= {f"{_ELSE}{name}" for name in told}
        names = [r.name for r in self.plan.readings if r.kind in ("id", "text")]
        names = [n for n in names if n != ID and not n.startswith(_FILTER) and n not in told]
        # Documents that were set aside come back with their personal details masked.
        is_said = ~pl.col(names).str.strip_chars().is_in(["", MASK])
        return frame.with_columns(pl.when(is_said).then(pl.col(names))) if names else frame

    def _source_id(self) -> pl.Expr:
        identity = pl.lit(self.prefix) + pl.col(ID) if self.prefix else pl.col(ID)
        if self.part.explode is None:
            return identity
        element = pl.col(ELEMENT).cast(pl.String)
        own = self.part.fields.get(self.entity.id_field)
        if own and own.path and self.plan.inside(own.path):
            element = pl.coalesce(pl.col(self.entity.id_field), element)
        return pl.concat_str(identity, pl.lit(":"), element)

    def _with_parents(self, frame: pl.DataFrame, lookup: ParentLookup | None) -> pl.DataFrame:
        """Fields that stand in a parent's row, joined by the parent's identity."""
        for name, spec in self.part.fields.items():
            if spec.parent is None:
                continue
            if lookup is None:
                raise ValueError(f"{self.entity.name}.{name} needs its parent's rows")
            key = f"{_PARENT}{name}"
            found = lookup(spec.parent, frame[key].drop_nulls().unique())
            column = pl.col("value").cast(CANONICAL[self.entity.field(name).type]).alias(name)
            frame = frame.join(
                found.select(pl.col("key").alias(key), column),
                on=key,
                how="left",
                maintain_order="left",
            )
        return frame

    def _with_spans(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Fields translated and instants moved as the map says; of what renews itself one row a period."""
        frame = self._translated(frame)
        if not self._spans:
            return frame
        frame = frame.with_columns(
            _amount(name, span, self.uuid_order).alias(f"{_AMOUNT}{name}")
            for name, span in self._spans.items()
        )
        frame = frame.with_columns(
            shifted(
                self._unmoved(name),
                pl.col(f"{_AMOUNT}{_SPAN}{name}") * (1 if spec.plus else -1),
                spec.span.unit,
                self._zone_of(name),
            ).alias(name)
            for name, spec in self.part.fields.items()
            if spec.span
        )
        if self.part.repeat is None:
            return frame
        literals = (n for n in _PERIOD if n in self.part.fields and n not in frame.columns)
        frame = frame.with_columns(self._unmoved(name).alias(name) for name in literals)
        return unrolled(frame, f"{_AMOUNT}{_REPEATED}", self.part.repeat.unit, self.zone, self.now)

    @cached_property
    def _translated_first(self) -> list[str]:
        """Fields of the document that are moved, repeated or asked for by time: all of it goes by what they mean."""
        return [
            name
            for name, spec in self.part.fields.items()
            if (spec.values and self.entity.field(name).type == "timestamptz")
            or (spec.is_reworded and self.part.repeat and name in _PERIOD)
        ]

    def _translated(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Fields translated before anything is done with them; what the documents say stays beside them."""
        names = self._translated_first
        raw = [pl.col(name).alias(f"{_RAW}{name}") for name in names]
        told = [self._mapped(self.entity.field(name)).alias(name) for name in names]
        return frame.with_columns(*raw, *told)

    def _unmoved(self, name: str) -> pl.Expr:
        """A field as it stands in the document, or the map's literal."""
        spec = self.part.fields[name]
        return pl.col(name) if spec.value is None else self._literal(name, spec.value)

    def _literal(self, name: str, value: Any) -> pl.Expr:
        """What the map itself says, read as if it stood in a document."""
        spec, kind = self.part.fields[name], self.entity.field(name).type
        reading = Reading(name, "", kind, spec.format, self._zone_of(name), spec.decimal)
        return pl.lit(None if value is None else literal(value, reading), CANONICAL[kind])

    @cached_property
    def _translations(self) -> dict[str, tuple[list[str], pl.Series]]:
        """By field: the source's values as texts, and what each becomes."""
        found = {}
        for name, spec in self.part.fields.items():
            if table := self._by_text(spec.values):
                targets = pl.concat([self._literal(name, to) for to in table.values()])
                found[name] = list(table), pl.select(targets).to_series()
        return found

    def _mapped(self, column: Column) -> pl.Expr:
        """A field as its spec says: a path with translation and scale."""
        spec, value = self.part.fields[column.name], pl.col(column.name)
        if spec.values:
            written, targets = self._translations[column.name]
            otherwise = self._literal(column.name, spec.otherwise)
            value = value.replace_strict(
                written,
                targets,
                default=pl.when(value.is_not_null()).then(otherwise),
                return_dtype=CANONICAL[column.type],
            )
        if spec.prefix is not None:
            value = pl.lit(spec.prefix) + value
        return value * spec.factor if spec.factor else value

    def _by_text(self, values: Mapping[Any, Any] | None) -> dict[str, Any]:
        """A table of translations by the texts that source values are read as."""
        return {id_text(key, self.uuid_order): to for key, to in (values or {}).items()}

    def _factor(self, name: str) -> pl.Expr:
        """A factor as its spec says: names of codes, and what stands before those without one."""
        spec, value = self.part.factors[name], pl.col(f"{_FACTOR}{name}")
        unnamed = value if spec.prefix is None else pl.lit(spec.prefix) + value
        names = self._by_text(spec.values)
        if not names:
            return unnamed
        return value.replace_strict(list(names), list(names.values()), default=unnamed)

    def _changed_at(self) -> pl.Expr:
        empty = pl.lit(None, dtype=INSTANT)
        return (pl.col(CHANGED) if self.part.changed_at else empty).alias("changed_at")

    def _column(self, column: Column) -> pl.Expr:
        if column.name == FACTORS and self.part.factors:
            told = [self._factor(name).alias(name) for name in self.part.factors]
            return pl.struct(told).struct.json_encode().alias(FACTORS)
        spec = self.part.fields.get(column.name)
        is_done = column.name in self._translated_first or (spec and spec.span)
        if is_done or (self.part.repeat and column.name in _PERIOD):
            return pl.col(column.name)
        if spec is None:
            is_element_id = self.part.explode and column.name == self.entity.id_field
            absent = pl.lit(None, dtype=CANONICAL[column.type])
            return (pl.col("source_id") if is_element_id else absent).alias(column.name)
        if spec.value is not None:
            return self._literal(column.name, spec.value).alias(column.name)
        return self._mapped(column).alias(column.name)

    def _rejects(
        self, frame: pl.DataFrame, named: pl.DataFrame, misfits: list[Misfit]
    ) -> pl.DataFrame:
        """All misfits of a batch, one a row and field: the first reason stands."""
        found = [
            self._decoding_misfits(frame, misfits),
            self._nameless(frame),
            *self._orphans(frame),
        ]
        found += self._untranslated(frame)
        found += self._broken_spans(frame)
        found += self._broken_rules(named)
        rejects = pl.concat(found).unique([ROW, "source_id", "field"], maintain_order=True)
        if self.hidden:
            shown = pl.when(~pl.col("field").is_in(self.hidden)).then(pl.col("value"))
            rejects = rejects.with_columns(shown.alias("value"))
        if rejects.is_empty() or "user_id" not in named.columns:
            return rejects.with_columns(pl.lit(None, pl.String()).alias("user_id"))
        whose = named.select(ROW, "source_id", "user_id")
        return rejects.join(whose, [ROW, "source_id"], "left", nulls_equal=True)

    def _nameless(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Documents without an identity; the caller gives them one from their content."""
        return _noted(frame.filter(pl.col("source_id").is_null()), ID, None, "missing", False)

    def _orphans(self, frame: pl.DataFrame) -> list[pl.DataFrame]:
        """Rows whose parent is not there (yet)."""
        return [
            _noted(
                frame.filter(pl.col(name).is_null() & pl.col(f"{_PARENT}{name}").is_not_null()),
                name,
                pl.col(f"{_PARENT}{name}"),
                f"no row of `{spec.parent.entity}` with this id gives it",
                not self.entity.field(name).required,
                waiting=True,
            )
            for name, spec in self.part.fields.items()
            if spec.parent
        ]

    def _untranslated(self, frame: pl.DataFrame) -> list[pl.DataFrame]:
        """Values that the map's translation does not know."""
        found = []
        for name, spec in self.part.fields.items():
            if not spec.values or not spec.path or spec.otherwise is not None:
                continue
            written = pl.col(f"{_RAW}{name}" if name in self._translated_first else name)
            is_told = written.is_in(self._translations[name][0])
            text = "the source map has no translation for this value"
            is_kept = not self.entity.field(name).required
            unknown = frame.filter(written.is_not_null() & ~is_told)
            found.append(_noted(unknown, name, written, text, is_kept))
        return found

    def _broken_spans(self, frame: pl.DataFrame) -> list[pl.DataFrame]:
        """Numbers in the document that are no length of time."""
        return [
            _noted(
                frame.filter(pl.col(name).is_not_null() & pl.col(f"{_AMOUNT}{name}").is_null()),
                _field_of(name),
                pl.col(name).cast(pl.String),
                "the source map has no translation for this value"
                if span.amount.values
                else f"not a whole number of {span.unit} within a hundred years",
                not self.entity.field(_field_of(name)).required,
            )
            for name, span in self._spans.items()
            if isinstance(span.amount, AmountSpec)
        ]

    def _broken_rules(self, named: pl.DataFrame) -> list[pl.DataFrame]:
        """Values that a field must not have. Most batches have none, so one look at all comes first."""
        rules = [(column, *rule) for column in self.entity.fields for rule in _rules(column)]
        if not rules:
            return []
        suspects = named.filter(pl.any_horizontal(bad(pl.col(c.name)) for c, _, bad in rules))
        if suspects.is_empty():
            return []
        return [
            _noted(
                suspects.filter(bad(pl.col(column.name))),
                column.name,
                pl.col(column.name).cast(pl.String) if column.type != "text[]" else None,
                reason,
                not column.required,
            )
            for column, reason, bad in rules
        ]

    def _decoding_misfits(self, frame: pl.DataFrame, misfits: list[Misfit]) -> pl.DataFrame:
        """What the decoder could not convert, by field."""
        required = {column.name for column in self.entity.fields if column.required} | {ID}
        keys = [ROW, ELEMENT] if self.part.explode else [ROW]
        told = {
            n: set(frame.filter(pl.col(n).is_not_null()).select(keys).rows()) for n in self._spare
        }
        records = [
            {
                ROW: m.row,
                ELEMENT: m.element,
                "field": _field_of(m.name),
                "value": None if self._is_personal(m.found_at) else m.value,
                "reason": m.reason,
                "is_row_kept": _field_of(m.name) not in required,
                "is_waiting": False,
            }
            for m in misfits
            if (m.row, m.element)[: len(keys)] not in told.get(m.name.removeprefix(_ELSE), ())
            or not m.name.startswith(_ELSE)
        ]
        schema: dict[str, Any] = {**REJECT_SCHEMA, ELEMENT: pl.Int64()}
        schema = {n: t for n, t in schema.items() if n not in ("source_id", "user_id")}
        found = pl.DataFrame(records, schema=schema)
        identities = frame.select(*keys, "source_id")
        return found.join(identities, on=keys, nulls_equal=True).select(*_NOTED)

    def _landing(self, named: pl.DataFrame, rejects: pl.DataFrame) -> pl.DataFrame:
        """The rows that stay, every column in its landing type."""
        kept = named
        if not rejects.is_empty():
            refused = rejects.filter(~pl.col("is_row_kept")).select(ROW, "source_id")
            kept = named.join(refused, on=[ROW, "source_id"], how="anti", nulls_equal=True)
        nulled = [_without_misfits(column, rejects) for column in self.entity.fields]
        return kept.select(
            ROW,
            "source_id",
            pl.col(self.entity.event_field).alias("event_at"),
            "changed_at",
            *(
                _landed(expr, column, self._zone_of(column.name))
                for expr, column in zip(nulled, self.entity.fields, strict=True)
            ),
        )

    def _covering_nothing(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows that do not end after they start, as notes; a cancellation of its own covers nothing anyway."""
        if not {"starts_at", "ends_at"} <= set(rows.columns):
            return pl.DataFrame(schema=REJECT_SCHEMA)
        bare = rows.filter(pl.col("ends_at") <= pl.col("starts_at"))
        if "is_cancellation" in rows.columns:
            bare = bare.filter(~pl.col("is_cancellation").fill_null(False))
        ends = [pl.col(name).dt.strftime(_SHOWN_TIME) for name in ("starts_at", "ends_at")]
        shown = (
            None if {"starts_at", "ends_at"} & set(self.hidden) else pl.format("{} to {}", *ends)
        )
        notes = _noted(bare, "ends_at", shown, COVERS_NOTHING, True)
        is_named = "user_id" in rows.columns
        whose = bare["user_id"] if is_named else pl.lit(None, pl.String()).alias("user_id")
        return notes.with_columns(whose)

    def _zone_of(self, name: str) -> ZoneInfo:
        spec = self.part.fields.get(name)
        return ZoneInfo(spec.zone) if spec and spec.zone else self.zone

    def _personal(self, frame: pl.DataFrame, named: pl.DataFrame) -> pl.DataFrame:
        """Personal details, one a row: `PERSONAL_SCHEMA`."""
        if not self.part.personal:
            return pl.DataFrame(schema=PERSONAL_SCHEMA)
        has_user = "user_id" in named.columns
        user_id = named["user_id"] if has_user else pl.Series("user_id", [None], pl.String())
        details = {f"{_PERSONAL}{name}": name for name in self.part.personal}
        wide = frame.select("source_id", user_id.alias("user_id"), *details).rename(details)
        long = wide.unpivot(
            list(self.part.personal),
            index=["source_id", "user_id"],
            variable_name="field",
            value_name="value",
        )
        return long.drop_nulls(["source_id", "value"]).select(*PERSONAL_SCHEMA)


def _masked_json(text: str, ways: list[tuple[str, ...]]) -> str:
    return json.dumps(masked(json.loads(text), ways))


def _noted(
    rows: pl.DataFrame,
    field: str,
    value: pl.Expr | None,
    reason: str,
    row_kept: bool,
    waiting: bool = False,
) -> pl.DataFrame:
    """Rows as rejects of one field."""
    return rows.select(
        "source_id",
        pl.lit(field).alias("field"),
        (pl.lit(None, pl.String()) if value is None else value).alias("value"),
        pl.lit(reason).alias("reason"),
        pl.lit(row_kept).alias("is_row_kept"),
        pl.lit(waiting).alias("is_waiting"),
        ROW,
    )


def _field_of(reading: str) -> str:
    """The field that a reading serves."""
    for prefix in (_FILTER, _PARENT, _PERSONAL, _SPAN, _REPEAT, _ELSE):
        reading = reading.removeprefix(prefix)
    return reading


def _fits(value: pl.Expr, wanted: Any, order: UuidOrder) -> pl.Expr:
    """Whether a canonical text is what a filter wants; the same as the query sent to a server."""
    if not isinstance(wanted, dict):
        return value.is_null() if wanted is None else (value == id_text(wanted, order))
    fits = pl.lit(True)
    for operator, operand in wanted.items():
        if operator == "$exists":
            fits &= value.is_not_null() if operand else value.is_null()
        elif operator == "$ne":
            fits &= (
                value.is_not_null()
                if operand is None
                else value.ne_missing(id_text(operand, order))
            )
        else:
            texts = [id_text(one, order) for one in operand if one is not None]
            listed = value.is_in(texts).fill_null(None in operand)
            fits &= listed if operator == "$in" else ~listed
    return fits


def _amount(name: str, span: Span, order: UuidOrder) -> pl.Expr:
    """How many units, as far as it is a whole number of not more than a hundred years."""
    if isinstance(span.amount, int):
        return pl.lit(float(span.amount))
    value = pl.col(name)
    if span.amount.values:
        table = {id_text(key, order): target for key, target in span.amount.values.items()}
        value = value.replace_strict(table, default=None, return_dtype=pl.Float64())
    return pl.when((value == value.round()) & (value.abs() <= LONGEST[span.unit])).then(value)


Rule = tuple[str, Callable[[pl.Expr], pl.Expr]]


def _rules(column: Column) -> list[Rule]:
    """What a value of this column must not be."""
    rules: list[Rule] = []
    if column.required:
        rules.append(("missing", lambda value: value.is_null()))
    if column.allowed:
        listed = list(column.allowed)
        reason = f"not one of {', '.join(listed)}"
        rules.append((reason, lambda value: value.is_not_null() & ~value.is_in(listed)))
    if column.type in ("float8", "int4", "int8"):
        rules.append(("not a finite number", lambda value: ~value.is_finite().fill_null(True)))
    if column.type in ("int4", "int8"):
        limit = 2**31 if column.type == "int4" else 2**53
        rules.append(("not a whole number", lambda value: value != value.round()))
        rules.append(("too large for a count", lambda value: value.abs() >= limit))
    return rules + _bounds(column)


def _bounds(column: Column) -> list[Rule]:
    """How small and how large a number of this column may be."""
    rules: list[Rule] = []
    if (least := column.least) is not None:
        rules.append((f"less than {least:g}, the least possible", lambda value: value < least))
    if (most := column.most) is not None:
        rules.append((f"more than {most:g}, the most possible", lambda value: value > most))
    return rules


def _without_misfits(column: Column, rejects: pl.DataFrame) -> pl.Expr:
    """The column with its misfits made null (they are noted)."""
    bad = rejects.filter(pl.col("field") == column.name)["source_id"]
    if bad.is_empty():
        return pl.col(column.name)
    return pl.when(~pl.col("source_id").is_in(bad.implode())).then(pl.col(column.name))


def _landed(value: pl.Expr, column: Column, zone: ZoneInfo) -> pl.Expr:
    if column.type == "date":
        # A calendar date is stored either as midnight UTC or as midnight of the source's own zone.
        is_utc_midnight = value.dt.time() == time(0)
        local = value.dt.convert_time_zone(zone.key).dt.date()
        value = pl.when(is_utc_midnight).then(value.dt.date()).otherwise(local)
    return value.cast(LANDING[column.type]).alias(column.name)
