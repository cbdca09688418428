"""Columns of numpy arrays -> concatenated BSON documents, without a Python loop over documents.

A document's bytes are its fields' headers (type byte, name, zero) and values laid end to end, so
sizes and positions are sums, and each field is one scatter of equally long byte strings. Measured
at 1-2 million documents a second, against 0.2-0.3 million for building and encoding dicts.
Format: https://bsonspec.org/spec.html. What the documents mean lives in `documents`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ris_assets.studio.arrays import Bytes, Flags, Floats, Ints

DOUBLE, TEXT, DOCUMENT, ARRAY, OBJECT_ID, BOOL, INSTANT, NULL, INT32, INT64 = (
    0x01, 0x02, 0x03, 0x04, 0x07, 0x08, 0x09, 0x0A, 0x10, 0x12,
)  # fmt: skip


@dataclass(frozen=True)
class Variant:
    """Rows that share one BSON type and one width of value."""

    rows: Ints
    tag: int
    values: Bytes
    """(len(rows), width)"""


@dataclass(frozen=True)
class Column:
    """One field of every document; a row that no variant names lacks the field."""

    count: int
    variants: tuple[Variant, ...] = ()
    children: "Mapping[str, Column]" = field(default_factory=dict)
    tag: int = 0
    present: Flags | None = None

    def where(self, present: Flags, null: Flags | None = None) -> "Column":
        """The same field, missing where `present` is false and null where `null` is true."""
        if self.children:
            return Column(self.count, children=self.children, tag=self.tag, present=present)
        real = present if null is None else present & ~null
        kept = tuple(_restrict(variant, real) for variant in self.variants)
        if null is not None:
            rows = np.flatnonzero(present & null)
            kept += (Variant(rows, NULL, np.empty((len(rows), 0), np.uint8)),)
        return Column(self.count, kept)

    def nulls(self, null: Flags) -> "Column":
        """The same field, present everywhere, null where told."""
        return self.where(np.ones(self.count, bool), null)


def _restrict(variant: Variant, keep: Flags) -> Variant:
    chosen = keep[variant.rows]
    return Variant(variant.rows[chosen], variant.tag, variant.values[chosen])


def _fixed(tag: int, values: np.ndarray) -> Column:
    count = len(values)
    width = values[:1].nbytes if count else 0
    body = np.ascontiguousarray(values).view(np.uint8).reshape(count, width)
    return Column(count, (Variant(np.arange(count), tag, body),))


def ids(values: Bytes) -> Column:
    """ObjectIds from an (n, 12) matrix."""
    return _fixed(OBJECT_ID, values)


def instants(values: Ints) -> Column:
    """UTC dates from milliseconds since 1970."""
    return _fixed(INSTANT, values.astype("<i8"))


def doubles(values: Floats) -> Column:
    """Doubles."""
    return _fixed(DOUBLE, values.astype("<f8"))


def ints(values: Ints) -> Column:
    """32-bit integers."""
    return _fixed(INT32, values.astype("<i4"))


def flags(values: Flags) -> Column:
    """Booleans."""
    return _fixed(BOOL, values.astype(np.uint8))


def numbers(values: Floats) -> Column:
    """Numbers as a JavaScript driver writes them: int32 where whole, else double."""
    whole = values == np.rint(values)
    as_ints, as_doubles = ints(np.rint(values).astype(np.int64)), doubles(values)
    parts = (_restrict(as_ints.variants[0], whole), _restrict(as_doubles.variants[0], ~whole))
    return Column(len(values), parts)


def words(codes: Ints, vocabulary: Sequence[str]) -> Column:
    """Texts chosen from a short vocabulary."""
    parts = []
    for code, word in enumerate(vocabulary):
        rows = np.flatnonzero(codes == code)
        body = np.broadcast_to(_text(word), (len(rows), len(_text(word))))
        parts.append(Variant(rows, TEXT, body))
    return Column(len(codes), tuple(parts))


def constant(word: str, count: int) -> Column:
    """The same text everywhere."""
    return words(np.zeros(count, np.int64), (word,))


def texts(values: np.ndarray) -> Column:
    """Texts of one common length, given as an array of dtype S<length>."""
    length = np.array([values.dtype.itemsize + 1], "<i4").view(np.uint8)
    count = len(values)
    body = np.zeros((count, values.dtype.itemsize + 5), np.uint8)
    body[:, :4] = length
    body[:, 4:-1] = np.ascontiguousarray(values).view(np.uint8).reshape(count, body.shape[1] - 5)
    return Column(count, (Variant(np.arange(count), TEXT, body),))


def _text(word: str) -> Bytes:
    raw = word.encode() + b"\0"
    return np.frombuffer(len(raw).to_bytes(4, "little") + raw, np.uint8)


def document(children: Mapping[str, Column]) -> Column:
    """A nested document."""
    return Column(next(iter(children.values())).count, children=children, tag=DOCUMENT)


def array(elements: Sequence[Column]) -> Column:
    """An array; element i must be missing wherever element i-1 is."""
    children = {str(index): element for index, element in enumerate(elements)}
    return Column(elements[0].count, children=children, tag=ARRAY)


def encode(fields: Mapping[str, Column]) -> Bytes:
    """All documents, end to end."""
    body = document(fields)
    sizes = _body_sizes(body)
    ends = np.cumsum(sizes)
    out = np.zeros(int(ends[-1]) if len(ends) else 0, np.uint8)
    _write_body(out, ends - sizes, body, sizes, np.ones(body.count, bool))
    return out


def _body_sizes(column: Column) -> Ints:
    sizes = np.full(column.count, 5, np.int64)
    for name, child in column.children.items():
        sizes += _sizes(name, child)
    return sizes


def _sizes(name: str, column: Column) -> Ints:
    header = len(name.encode()) + 2
    if column.children:
        sizes = _body_sizes(column) + header
        return sizes if column.present is None else np.where(column.present, sizes, 0)
    sizes = np.zeros(column.count, np.int64)
    for variant in column.variants:
        sizes[variant.rows] = header + variant.values.shape[1]
    return sizes


def _write_body(out: Bytes, position: Ints, column: Column, sizes: Ints, keep: Flags) -> None:
    """Write length and fields at `position`; the closing zero is there already."""
    rows = np.flatnonzero(keep)
    _scatter(out, position[rows], sizes[rows].astype("<i4").view(np.uint8).reshape(-1, 4))
    position = position + 4
    for name, child in column.children.items():
        _write(out, position, name, child, keep)
        position = position + _sizes(name, child)


def _write(out: Bytes, position: Ints, name: str, column: Column, keep: Flags) -> None:
    raw = name.encode() + b"\0"
    if column.children:
        keep = keep if column.present is None else keep & column.present
        rows = np.flatnonzero(keep)
        _scatter(out, position[rows], _headed(column.tag, raw, np.empty((len(rows), 0), np.uint8)))
        _write_body(out, position + len(raw) + 1, column, _body_sizes(column), keep)
    for variant in column.variants:
        part = _restrict(variant, keep)
        _scatter(out, position[part.rows], _headed(part.tag, raw, part.values))


def _headed(tag: int, name: bytes, values: Bytes) -> Bytes:
    start = np.frombuffer(bytes([tag]) + name, np.uint8)
    body = np.empty((len(values), len(start) + values.shape[1]), np.uint8)
    body[:, : len(start)] = start
    body[:, len(start) :] = values
    return body


def _scatter(out: Bytes, position: Ints, values: Bytes) -> None:
    """Copy row i of `values` to `out` at `position[i]`: one item of the row's width each."""
    if not len(position):
        return
    width = values.shape[1]
    slots = np.ndarray((len(out) - width + 1,), f"V{width}", out, strides=(1,))
    slots[position] = np.ascontiguousarray(values).view(f"V{width}").ravel()
