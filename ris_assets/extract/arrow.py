"""The fast way: BSON straight into Arrow, strictly. Any surprise raises, and the exact way takes over.

pymongoarrow changes some values in silence: NaN becomes null in every type, true becomes 1.0 and a double is
cut in integer columns, what is no document becomes a struct of nulls, what is no array an empty list, and a
key that comes twice two rows. Each of these is looked for, and none gets through (`tests/unit/test_decoders.py`).
"""

import struct
import warnings
from typing import Any

import bson
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from bson.binary import Binary
from bson.codec_options import CodecOptions
from bson.errors import InvalidBSON
from bson.objectid import ObjectId

from ris_assets.extract.exact import EXACT_LIMIT
from ris_assets.extract.plan import (
    CANONICAL,
    ELEMENT,
    EPOCHS,
    INSTANT,
    ROW,
    Decoded,
    Reading,
    ReadingPlan,
    is_pattern,
    path_parts,
)
from ris_assets.extract.spans import on_clock

_ARRAY, _ELEMENTS = "_array", "[]"
_NULL, _DOUBLE, _TEXT, _DOCUMENT, _LIST, _BINARY, _OBJECT_ID, _BOOL, _DATE, _INT32, _INT64 = (
    0x0A, 0x01, 0x02, 0x03, 0x04, 0x05, 0x07, 0x08, 0x09, 0x10, 0x12,
)  # fmt: skip
_TAGS = frozenset({*range(1, 0x14), 0x7F, 0xFF})
_NUMBERS = frozenset({_DOUBLE, _INT32, _INT64})
_ISO_WITH_ZONE = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$"
_UUID = r"^(.{8})(.{4})(.{4})(.{4})(.{12})$"
_YEARS = (-62_135_596_800_000, 253_402_300_799_999)
"""The years 1 to 9999, milliseconds since 1970."""


class NotArrowError(Exception):
    """These documents do not have the one type per path that Arrow needs."""


class ArrowDecoder:
    """Decodes batches whose readings have the types that the first documents had."""

    def __init__(self, plan: ReadingPlan, documents: list[dict[str, Any]]) -> None:
        """Learn one Arrow type a path.

        Raises:
            NotArrowError: a path has no single Arrow type.
        """
        self._plan = plan
        tree: dict[str, Any] = {}
        allowed: dict[bytes, frozenset[int]] = {}
        for reading in plan.readings:
            keys = path_parts(reading.path)
            kind, tags = _leaf(reading, _values(documents, keys), plan)
            _grow(tree, _way(plan, keys), kind)
            _allow(allowed, plan, keys, tags)
        if plan.explode:
            _require_array(tree, path_parts(plan.explode))
        bindings = _bindings()
        self._schema = bindings.schema.Schema({name: _as_type(node) for name, node in tree.items()})
        self._surprise = _surprise(allowed)

    def decode(self, raw: bytes, documents: int) -> Decoded:
        """Decode a batch of that many documents.

        Raises:
            NotArrowError: something in it is not as the types say, or cannot be told apart.
        """
        if _matches(raw, self._surprise):
            raise NotArrowError("a value of another type")
        try:
            context = _bindings().context.PyMongoArrowContext(
                self._schema, codec_options=CodecOptions(tz_aware=True)
            )
            context.process_bson_stream(raw)
            table = context.finish()
            if table.num_rows != documents:
                raise NotArrowError("a key that comes twice")
            plain = _plain(table)
            plain.validate(full=True)  # texts that are no UTF-8, among others
            return Decoded(_flatten(plain, self._plan), [], documents)
        except (
            TypeError,
            ValueError,
            OverflowError,
            InvalidBSON,
            pa.ArrowException,
            pl.exceptions.PolarsError,
        ) as error:
            raise NotArrowError(str(error)) from error


def _bindings() -> Any:
    """The pymongoarrow package. It is built against an older pyarrow; its size warnings are harmless."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pymongoarrow.context
        import pymongoarrow.schema
        import pymongoarrow.types
    return pymongoarrow


def _way(plan: ReadingPlan, keys: tuple[str, ...]) -> tuple[str, ...]:
    """The keys of a path in the tree of types, where an array's elements are a level of their own."""
    array = path_parts(plan.explode) if plan.explode else ()
    if array and keys[: len(array)] == array:
        return (*array, _ELEMENTS, *keys[len(array) :])
    return keys


def _grow(tree: dict[str, Any], keys: tuple[str, ...], leaf: Any) -> None:
    for key in keys[:-1]:
        below = tree.setdefault(key, {})
        if not isinstance(below, dict):
            raise NotArrowError(f"{key} is both a value and a document")
        tree = below
    if keys[-1] == _ELEMENTS or tree.setdefault(keys[-1], leaf) != leaf:
        raise NotArrowError(f"{keys[-1]} is read in two ways")


def _require_array(tree: dict[str, Any], keys: tuple[str, ...]) -> None:
    node: Any = tree
    for key in keys:
        node = node.get(key) if isinstance(node, dict) else None
    if not (isinstance(node, dict) and set(node) == {_ELEMENTS}):
        raise NotArrowError("no path of the exploded array is read")


def _as_type(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    if _ELEMENTS in node:
        return pa.list_(_as_type(node[_ELEMENTS]))
    return pa.struct([(name, _as_type(below)) for name, below in node.items()])


def _values(documents: list[dict[str, Any]], keys: tuple[str, ...]) -> list[Any]:
    """All values at a path, looking into every element of arrays on the way."""
    found: list[Any] = list(documents)
    for key in keys:
        spread = [e for v in found for e in (v if isinstance(v, list) else [v])]
        found = [v[key] for v in spread if isinstance(v, dict) and key in v]
    return [value for value in found if value is not None]


def _leaf(reading: Reading, sample: list[Any], plan: ReadingPlan) -> tuple[Any, frozenset[int]]:
    """The Arrow type of a reading and the BSON types that it takes."""
    kind = reading.kind
    if kind == "text[]":
        inner, tags = _text([e for v in sample if isinstance(v, list) for e in v], plan)
        if tags & _NUMBERS:
            raise NotArrowError("an array of numbers")  # true and doubles would pass for them
        return pa.list_(inner), frozenset({_LIST})
    if kind in ("text", "id"):
        return _text(sample, plan)
    if kind in ("timestamptz", "date"):
        return _instant(reading, sample)
    if kind == "bool":
        return pa.bool_(), frozenset({_BOOL})
    if kind in ("float8", "int4", "int8"):
        return pa.float64(), _NUMBERS
    raise NotArrowError(f"{kind} has no Arrow type here")


def _text(sample: list[Any], plan: ReadingPlan) -> tuple[Any, frozenset[int]]:
    kinds = {type(value) for value in sample}
    if kinds <= {str}:
        return pa.string(), frozenset({_TEXT})
    if kinds == {ObjectId}:
        return _bindings().types.ObjectIdType(), frozenset({_OBJECT_ID})
    if kinds <= {int, bson.Int64}:
        return pa.int64(), frozenset({_INT32, _INT64})
    subtypes = {value.subtype for value in sample if isinstance(value, Binary)}
    is_uuid = kinds == {Binary} and all(len(value) == 16 for value in sample)
    if is_uuid and (subtypes == {4} or (subtypes == {3} and plan.uuid_order == "standard")):
        return _bindings().types.BinaryType(subtypes.pop()), frozenset({_BINARY})
    raise NotArrowError(f"texts or ids of several types: {sorted(k.__name__ for k in kinds)}")


def _instant(reading: Reading, sample: list[Any]) -> tuple[Any, frozenset[int]]:
    kinds = {type(value) for value in sample}
    if is_pattern(reading.time):
        raise NotArrowError("instants in a pattern of their own")
    if reading.time in EPOCHS:
        return pa.float64(), _NUMBERS
    if reading.time == "local" and str in kinds:
        raise NotArrowError("texts whose zone does not count")
    if kinds == {str} or (not kinds and reading.time == "iso"):
        return pa.string(), frozenset({_TEXT})
    return pa.timestamp("ms", tz="UTC"), frozenset({_DATE})


def _allow(
    allowed: dict[bytes, frozenset[int]],
    plan: ReadingPlan,
    keys: tuple[str, ...],
    tags: frozenset[int],
) -> None:
    """Note which BSON types a reading's keys may have; a key is looked for at every level at once."""
    array = path_parts(plan.explode) if plan.explode else ()
    for depth, key in enumerate(keys, start=1):
        is_array = bool(array) and keys[:depth] == array
        wanted = tags if depth == len(keys) else frozenset({_LIST if is_array else _DOCUMENT})
        name = key.encode()
        if allowed.setdefault(name, wanted) != wanted:
            raise NotArrowError(f"{key} is read as several types")


def _surprise(allowed: dict[bytes, frozenset[int]]) -> str:
    """A pattern that finds any of the keys with another type, and any NaN or infinity beneath them.

    A BSON element is its type's byte, its key and a zero byte. What looks like one within a text costs
    only speed: the exact way is right, too.
    """
    by_tags: dict[frozenset[int], list[str]] = {}
    for key, tags in allowed.items():
        by_tags.setdefault(tags, []).append(_escaped(key))
    wrong = [
        f"{_class(_TAGS - tags - {_NULL})}(?:{'|'.join(keys)})\\x00"
        for tags, keys in by_tags.items()
    ]
    names = "|".join([*map(_escaped, allowed), "[0-9]+"])
    return "|".join([*wrong, f"\\x01(?:{names})\\x00(?s:.{{6}})[\\xf0-\\xff][\\x7f\\xff]"])


def _escaped(key: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in key)


def _class(tags: frozenset[int]) -> str:
    return "[" + "".join(f"\\x{tag:02x}" for tag in sorted(tags)) + "]"


def _matches(raw: bytes, pattern: str) -> bool:
    """Search bytes by RE2, at 0.8 GB/s and without holding the interpreter's lock."""
    ends = pa.py_buffer(struct.pack("<qq", 0, len(raw)))
    held = pa.Array.from_buffers(pa.large_binary(), 1, [None, ends, pa.py_buffer(raw)])
    return bool(pc.match_substring_regex(held, pattern=pattern)[0].as_py())


def _plain(table: pa.Table) -> pa.Table:
    """Replace extension types (ObjectId, UUID) by their storage, at any depth."""
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


def _flatten(table: pa.Table, plan: ReadingPlan) -> pl.DataFrame:
    """Nested columns to one column a reading; the exploded array becomes rows."""
    frame = pl.DataFrame(pl.from_arrow(table)).with_row_index(ROW)
    if plan.explode:
        frame = _explode(frame, plan)
    sources = [(reading, *_source(frame.schema, reading, plan)) for reading in plan.readings]
    columns = [_canonical(*source).alias(source[0].name) for source in sources]
    keep = [pl.col(name).cast(pl.Int64) for name in (ROW, ELEMENT) if name in frame.columns]
    found = frame.select(*keep, *columns)
    _check(found, plan)
    for reading, column, kind in sources:
        # What is written in a form that is not parsed here must not become null.
        is_written = CANONICAL[reading.kind] == INSTANT and kind == pl.String
        if is_written and frame.select(column.count()).item() != found[reading.name].count():
            raise NotArrowError("a text that only the exact way can read")
    return found


def _explode(frame: pl.DataFrame, plan: ReadingPlan) -> pl.DataFrame:
    """One row an array element, numbered from 0; a document without elements gives no row."""
    head, *rest = path_parts(str(plan.explode))
    array = pl.col(head)
    for part in rest:
        array = array.struct.field(part)
    filled = frame.with_columns(array.alias(_ARRAY)).filter(pl.col(_ARRAY).list.len() > 0)
    numbers = pl.int_ranges(pl.col(_ARRAY).list.len()).alias(ELEMENT)
    return filled.with_columns(numbers).explode(_ARRAY, ELEMENT)


def _source(schema: pl.Schema, reading: Reading, plan: ReadingPlan) -> tuple[pl.Expr, Any]:
    """Where a reading lies in the decoded frame, and of what type it is there."""
    inner = plan.inside(reading.path)
    head, *rest = path_parts(reading.path) if inner is None else (_ARRAY, *inner)
    column, source = pl.col(head), schema[head]
    for part in rest:
        column = column.struct.field(part)
        source = dict(source)[part]  # type: ignore[call-overload]
    return column, source


def _canonical(reading: Reading, column: pl.Expr, source: Any) -> pl.Expr:
    if reading.kind in ("id", "text", "text[]"):
        return _as_text(column, source)
    if reading.kind in ("timestamptz", "date") and source == pl.Float64:
        if reading.kind == "timestamptz":
            column = pl.when(column != 0).then(column)
        milliseconds = column * 1000 if reading.time == "epoch_s" else column
        return milliseconds.round().cast(pl.Int64).cast(INSTANT)
    if reading.kind in ("timestamptz", "date") and source == pl.String:
        return _parsed(column, reading)
    if reading.time == "local":
        shown = column.dt.replace_time_zone(None)
        is_day = reading.kind == "date"
        return (
            shown.dt.truncate("1d").dt.replace_time_zone("UTC")
            if is_day
            else on_clock(shown, reading.zone)
        )
    return column.cast(CANONICAL[reading.kind])


def _parsed(column: pl.Expr, reading: Reading) -> pl.Expr:
    """ISO texts of the commonest form of each kind; others stay null, which `_check` notices."""
    if reading.kind == "date":
        bare = pl.when(column.str.contains(r"^\d{4}-\d\d-\d\d$")).then(column)
        return bare.str.to_datetime("%Y-%m-%d", time_unit="ms", strict=False).dt.replace_time_zone(
            "UTC"
        )
    full = pl.when(column.str.contains(_ISO_WITH_ZONE)).then(column.str.replace("Z$", "+00:00"))
    seconds = full.str.replace(r"\.\d+", "")
    instant = seconds.str.to_datetime("%Y-%m-%dT%H:%M:%S%:z", time_unit="ms", strict=False)
    fraction = full.str.extract(r"\.(\d+)").str.pad_end(3, "0").str.slice(0, 3).cast(pl.Int64)
    return instant + pl.duration(milliseconds=fraction.fill_null(0))


def _as_text(column: pl.Expr, source: Any) -> pl.Expr:
    """Texts as they are; ObjectIds as hexadecimal, UUIDs with dashes; whole numbers as digits."""
    if isinstance(source, pl.List):
        texts = column.list.eval(_as_text(pl.element(), source.inner))
        return texts.list.drop_nulls()
    if source != pl.Binary:
        return column.cast(pl.String)
    hexadecimal = column.bin.encode("hex")
    is_uuid = column.bin.size() == 16
    return (
        pl.when(is_uuid)
        .then(hexadecimal.str.replace(_UUID, "$1-$2-$3-$4-$5"))
        .otherwise(hexadecimal)
    )


def _check(found: pl.DataFrame, plan: ReadingPlan) -> None:
    """Raise where a value is not what the exact way would give."""
    doubts = [doubt for reading in plan.readings for doubt in _doubts(reading)]
    inside = [r.name for r in plan.readings if plan.inside(r.path) is not None]
    if plan.explode and inside:
        # An element that is no document looks like one without values.
        doubts.append(pl.all_horizontal(pl.col(name).is_null() for name in inside))
    if doubts and found.select(pl.any_horizontal(d.any() for d in doubts)).item():
        raise NotArrowError("values that only the exact way can judge")


def _doubts(reading: Reading) -> list[pl.Expr]:
    value = pl.col(reading.name)
    if reading.kind in ("id", "text"):
        return [value.str.contains("\x00", literal=True)]
    if reading.kind == "text[]":
        return [value.list.join("").str.contains("\x00", literal=True)]
    if reading.kind in ("float8", "int4", "int8"):
        return [value.abs() >= EXACT_LIMIT]
    if reading.kind in ("timestamptz", "date"):
        milliseconds = value.dt.epoch("ms")
        return [(milliseconds < _YEARS[0]) | (milliseconds > _YEARS[1])]
    return []
