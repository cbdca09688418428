"""The fast way: BSON straight into Arrow, strictly. Any surprise raises, and the exact way takes over."""

import warnings
from typing import Any

import bson
import polars as pl
import pyarrow as pa
from bson.codec_options import CodecOptions
from bson.objectid import ObjectId

from ris_assets.contracts.columns import SqlType
from ris_assets.extract.plan import CANONICAL, ELEMENT, ROW, Decoded, PathPlan

_ARRAY = "_array"
_ARROW: dict[SqlType, pa.DataType] = {
    "float8": pa.float64(),
    "int4": pa.float64(),
    "int8": pa.float64(),
    "bool": pa.bool_(),
    "timestamptz": pa.timestamp("ms", tz="UTC"),
    "date": pa.timestamp("ms", tz="UTC"),
}


def _bindings() -> Any:
    """The pymongoarrow package. It is built against an older pyarrow; its size warnings are harmless."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pymongoarrow.context
        import pymongoarrow.schema
        import pymongoarrow.types
    return pymongoarrow


class NotArrowError(Exception):
    """These documents do not have the one type per path that Arrow needs."""


def decode_with_arrow(raw: bytes, plan: PathPlan, schema: dict[str, Any]) -> Decoded:
    """Decode a batch with a schema from `arrow_schema`.

    Raises:
        NotArrowError: a value has another type than the schema says.
    """
    bindings = _bindings()
    try:
        context = bindings.context.PyMongoArrowContext(
            bindings.schema.Schema(schema), codec_options=CodecOptions(tz_aware=True)
        )
        context.process_bson_stream(raw)
        table = context.finish()
        return Decoded(_flatten(_plain(table), plan), [], table.num_rows)
    except (
        TypeError,
        ValueError,
        OverflowError,
        pa.ArrowException,
        pl.exceptions.PolarsError,
    ) as e:
        raise NotArrowError(str(e)) from e


def arrow_schema(plan: PathPlan, documents: list[dict[str, Any]]) -> dict[str, Any]:
    """One Arrow type a path; the types of ids are learnt from the first documents.

    Raises:
        NotArrowError: a path has no single Arrow type.
    """
    tree: dict[str, Any] = {}
    for path, kind in plan.paths.items():
        inner = plan.element_path(path)
        sample = [value for doc in documents for value in _values(doc, path, plan.explode)]
        parts = path.split(".")
        if inner is not None and plan.explode is not None:
            parts = [*plan.explode.split("."), "[]", *inner.split(".")]
        _grow(tree, parts, _leaf_type(kind, sample))
    if plan.explode:
        _require_array(tree, plan.explode)
    return {name: _as_type(node) for name, node in tree.items()}


def _require_array(tree: dict[str, Any], explode: str) -> None:
    node: Any = tree
    for part in explode.split("."):
        node = node.get(part) if isinstance(node, dict) else None
    if not (isinstance(node, dict) and "[]" in node):
        raise NotArrowError("no path of the exploded array is read")


def _grow(tree: dict[str, Any], parts: list[str], leaf: Any) -> None:
    for part in parts[:-1]:
        below = tree.setdefault(part, {})
        if not isinstance(below, dict):
            raise NotArrowError(f"{part} is both a value and a document")
        tree = below
    tree[parts[-1]] = leaf


def _as_type(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    if "[]" in node:
        return pa.list_(_as_type(node["[]"]))
    return pa.struct([(name, _as_type(below)) for name, below in node.items()])


def _values(document: Any, path: str, explode: str | None) -> list[Any]:
    """All values at a path, looking into every element of arrays on the way."""
    found = [document]
    for part in path.split("."):
        spread = [e for v in found for e in (v if isinstance(v, list) else [v])]
        found = [v[part] for v in spread if isinstance(v, dict) and part in v]
    return [v for v in found if v is not None]


def _leaf_type(kind: SqlType, sample: list[Any]) -> Any:
    if kind == "text[]":
        return pa.list_(_text_type([e for v in sample if isinstance(v, list) for e in v]))
    if kind == "text":
        return _text_type(sample)
    if kind not in _ARROW:
        raise NotArrowError(f"{kind} has no Arrow type here")
    return _ARROW[kind]


def _text_type(sample: list[Any]) -> Any:
    kinds = {type(value) for value in sample}
    if kinds <= {str}:
        return pa.string()
    if kinds == {ObjectId}:
        return _bindings().types.ObjectIdType()
    if kinds <= {int, bson.Int64}:
        return pa.int64()
    raise NotArrowError(f"texts or ids of several types: {sorted(k.__name__ for k in kinds)}")


def _plain(table: pa.Table) -> pa.Table:
    """Replace extension types (ObjectId) by their storage, at any depth."""
    columns = [column.cast(_storage(column.type)) for column in table.columns]
    return pa.table(columns, names=table.column_names)


def _storage(kind: pa.DataType) -> pa.DataType:
    if isinstance(kind, pa.BaseExtensionType):
        return kind.storage_type
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _storage(field.type)) for field in kind])
    if pa.types.is_list(kind):
        return pa.list_(_storage(kind.value_type))
    return kind


def _flatten(table: pa.Table, plan: PathPlan) -> pl.DataFrame:
    """Nested columns to one column a path; the exploded array becomes rows."""
    frame = pl.DataFrame(pl.from_arrow(table)).with_row_index(ROW)
    if plan.explode:
        frame = _explode(frame, plan.explode)
    columns = [_path_column(frame.schema, path, kind, plan) for path, kind in plan.paths.items()]
    keep = [pl.col(name).cast(pl.Int64) for name in (ROW, ELEMENT) if name in frame.columns]
    return frame.select(*keep, *columns)


def _explode(frame: pl.DataFrame, path: str) -> pl.DataFrame:
    """One row an array element, numbered from 0; a document without elements gives no row."""
    head, *rest = path.split(".")
    array = pl.col(head)
    for part in rest:
        array = array.struct.field(part)
    filled = frame.with_columns(array.alias(_ARRAY)).filter(pl.col(_ARRAY).list.len() > 0)
    numbers = pl.int_ranges(pl.col(_ARRAY).list.len()).alias(ELEMENT)
    return filled.with_columns(numbers).explode(_ARRAY, ELEMENT)


def _path_column(schema: pl.Schema, path: str, kind: SqlType, plan: PathPlan) -> pl.Expr:
    inner = plan.element_path(path)
    head, *rest = path.split(".") if inner is None else [_ARRAY, *inner.split(".")]
    column, source = pl.col(head), schema[head]
    for part in rest:
        column = column.struct.field(part)
        source = dict(source)[part]  # type: ignore[call-overload]
    return _canonical(column, source, kind).alias(path)


def _canonical(column: pl.Expr, source: Any, kind: SqlType) -> pl.Expr:
    return _as_text(column, source) if kind in ("text", "text[]") else column.cast(CANONICAL[kind])


def _as_text(column: pl.Expr, source: Any) -> pl.Expr:
    """Texts as they are; ObjectIds (12 bytes) as hexadecimal; whole numbers as digits."""
    if isinstance(source, pl.List):
        return column.list.eval(_as_text(pl.element(), source.inner))
    return column.bin.encode("hex") if source == pl.Binary else column.cast(pl.String)
