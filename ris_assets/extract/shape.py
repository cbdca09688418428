"""From decoded paths to rows of a landing table: translate, scale, check, and set aside what does not fit.

A misfit in a field that the entity cannot do without rejects the row. A misfit in an optional field
keeps the row with that field null. Either way it is noted, with the whole document.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import time
from zoneinfo import ZoneInfo

import polars as pl

from ris_assets.contracts.columns import Column
from ris_assets.contracts.entities import Entity
from ris_assets.extract.plan import CANONICAL, ELEMENT, ROW, Decoded, Misfit, PathPlan
from ris_assets.extract.source_map import EntityMap, FieldSpec

REJECT_SCHEMA = {
    "source_id": pl.String(),
    "field": pl.String(),
    "value": pl.String(),
    "reason": pl.String(),
    "is_row_kept": pl.Boolean(),
    ROW: pl.Int64(),
}
_ID = "_id"
_LANDING = {
    "text": pl.String(),
    "text[]": pl.List(pl.String()),
    "float8": pl.Float64(),
    "int4": pl.Int32(),
    "int8": pl.Int64(),
    "bool": pl.Boolean(),
    "timestamptz": pl.Datetime("ms", "UTC"),
    "date": pl.Date(),
    "jsonb": pl.String(),
}


@dataclass(frozen=True)
class Shaped:
    """Rows for the landing table, and misfits (`REJECT_SCHEMA`; `_row` finds the document)."""

    rows: pl.DataFrame
    rejects: pl.DataFrame


@dataclass(frozen=True)
class EntityShape:
    """How one entity is cut from the documents of its collection."""

    entity: Entity
    source: EntityMap
    zone: ZoneInfo

    @property
    def plan(self) -> PathPlan:
        """The paths to read, typed by the entity's contract."""
        paths = {_ID: "text"} | {
            spec.path: "text" if spec.values else self.entity.field(name).type
            for name, spec in self.source.fields.items()
            if spec.path is not None and spec.path != _ID
        }
        paths |= {path: "text" for path in self.source.filter}
        if self.source.changed_at:
            paths[self.source.changed_at] = "timestamptz"
        return PathPlan(paths, self.source.explode, self.zone)  # type: ignore[arg-type]

    def shape(self, decoded: Decoded) -> Shaped:
        """Rows and rejects of one decoded batch."""
        frame = self._filtered(decoded.frame).with_columns(self._source_id().alias("source_id"))
        named = frame.select(
            ROW,
            "source_id",
            self._changed_at(),
            *(self._column(column) for column in self.entity.fields),
        )
        misfits = [self._decoding_misfits(named, decoded.misfits, frame)]
        for column in self.entity.fields:
            misfits += [self._found(named, column, *rule) for rule in _rules(column)]
            spec = self.source.fields.get(column.name)
            if spec and spec.values:
                misfits.append(self._untranslated(frame, named, column, spec))
        rejects = pl.concat(misfits).unique(
            ["source_id", "field"], keep="first", maintain_order=True
        )
        return Shaped(self._landing(named, rejects), rejects)

    def _filtered(self, frame: pl.DataFrame) -> pl.DataFrame:
        wanted = [pl.col(path) == str(value) for path, value in self.source.filter.items()]
        return frame.filter(*wanted) if wanted else frame

    def _source_id(self) -> pl.Expr:
        if self.source.explode is None:
            return pl.col(_ID)
        return pl.format("{}:{}", pl.col(_ID), pl.col(ELEMENT))

    def _changed_at(self) -> pl.Expr:
        empty = pl.lit(None, dtype=pl.Datetime("ms", "UTC"))
        return (pl.col(self.source.changed_at) if self.source.changed_at else empty).alias(
            "changed_at"
        )

    def _column(self, column: Column) -> pl.Expr:
        spec = self.source.fields.get(column.name)
        if spec is None:
            is_element_id = self.source.explode and column.name == self.entity.id_field
            absent = pl.lit(None, dtype=_decoded_type(column))
            return (pl.col("source_id") if is_element_id else absent).alias(column.name)
        return _mapped(spec, column).alias(column.name)

    def _found(
        self, named: pl.DataFrame, column: Column, reason: str, bad: Callable[[pl.Expr], pl.Expr]
    ) -> pl.DataFrame:
        """Rows of `named` in which the column breaks one rule."""
        value = pl.col(column.name)
        shown = value.cast(pl.String) if column.type != "text[]" else pl.lit(None, pl.String())
        return named.filter(bad(value)).select(
            "source_id",
            pl.lit(column.name).alias("field"),
            shown.alias("value"),
            pl.lit(reason).alias("reason"),
            pl.lit(not column.required).alias("is_row_kept"),
            ROW,
        )

    def _untranslated(
        self, frame: pl.DataFrame, named: pl.DataFrame, column: Column, spec: FieldSpec
    ) -> pl.DataFrame:
        """Values that the map's translation does not know."""
        lost = pl.Series(frame[str(spec.path)]).is_not_null() & named[column.name].is_null()
        return frame.filter(lost).select(
            "source_id",
            pl.lit(column.name).alias("field"),
            pl.col(str(spec.path)).alias("value"),
            pl.lit("the source map has no translation for this value").alias("reason"),
            pl.lit(not column.required).alias("is_row_kept"),
            ROW,
        )

    def _decoding_misfits(
        self, named: pl.DataFrame, misfits: list[Misfit], frame: pl.DataFrame
    ) -> pl.DataFrame:
        """What the exact decoder could not convert, by field instead of path."""
        fields = {spec.path: name for name, spec in self.source.fields.items() if spec.path}
        required = {column.name for column in self.entity.fields if column.required}
        records = [
            {
                ROW: m.row,
                ELEMENT: m.element,
                "field": fields.get(m.path, m.path),
                "value": m.value,
                "reason": m.reason,
                "is_row_kept": fields.get(m.path) not in required,
            }
            for m in misfits
        ]
        keys = [ROW, ELEMENT] if self.source.explode else [ROW]
        schema = {**REJECT_SCHEMA, ELEMENT: pl.Int64()}
        schema.pop("source_id")
        found = pl.DataFrame(records, schema=schema)
        return found.join(frame.select(*keys, "source_id"), on=keys).select(*REJECT_SCHEMA)

    def _landing(self, named: pl.DataFrame, rejects: pl.DataFrame) -> pl.DataFrame:
        """The rows that stay, every column in its landing type."""
        refused = rejects.filter(~pl.col("is_row_kept")).select("source_id")
        kept = named.join(refused, on="source_id", how="anti")
        nulled = [_without_misfits(column, rejects) for column in self.entity.fields]
        return kept.select(
            "source_id",
            pl.col(self.entity.event_field).alias("event_at"),
            "changed_at",
            *(
                _landed(expr, column, self.zone)
                for expr, column in zip(nulled, self.entity.fields, strict=True)
            ),
        )


def _mapped(spec: FieldSpec, column: Column) -> pl.Expr:
    """A field as its spec says: literal, or path with translation and scale."""
    if spec.path is None:
        return pl.lit(spec.value, dtype=_decoded_type(column))
    value = pl.col(spec.path)
    if spec.values:
        table = {str(key): target for key, target in spec.values.items()}
        value = value.replace_strict(
            list(table), list(table.values()), default=None, return_dtype=_decoded_type(column)
        )
    return value * spec.scale if spec.scale else value


def _decoded_type(column: Column) -> pl.DataType:
    return CANONICAL[column.type]


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
        rules.append(("not a whole number", lambda value: value != value.round()))
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
    return value.cast(_LANDING[column.type]).alias(column.name)
