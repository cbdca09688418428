"""What to read of every document, and what decoding gives back."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

import polars as pl

from ris_assets.contracts.columns import SqlType

ROW = "_row"
"""Index of the source document within its batch."""
ELEMENT = "_element"
"""Index of the array element, where an array is exploded."""
ID = "_id"
"""The reading that every plan begins with: the document's own identity."""

Kind = SqlType | Literal["id"]
"""What a value is read as. `id` is the canonical text of any BSON type that can identify something."""
TimeFormat = str
"""How a source writes instants: one of `TIME_FORMATS`, or a strptime pattern such as `%d.%m.%Y`."""
TIME_FORMATS = ("date", "iso", "epoch_s", "epoch_ms", "local")
"""`date` takes BSON dates and timestamps, and ISO texts among them. `local` takes the same, but what they show is the
clock of the reading's zone, whatever zone they claim: days stored as midnight in UTC, for one."""
EPOCHS = ("epoch_s", "epoch_ms")
"""Seconds and milliseconds since 1970, where 0 is what programs write for no time at all."""
DecimalMark = Literal[".", ","]
UuidOrder = Literal["standard", "java", "csharp"]
"""Byte order of legacy UUIDs (binary subtype 3), as the driver that wrote them had it."""

UTC = ZoneInfo("UTC")
INSTANT = pl.Datetime("ms", "UTC")
FIRST_INSTANT = datetime(1, 1, 1, tzinfo=UTC)
LAST_INSTANT = datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
"""The years 1 to 9999. What a zone or a length of time carries beyond them stays at their edge: far off is far off."""
CANONICAL: dict[Kind, pl.DataType] = {
    "id": pl.String(),
    "text": pl.String(),
    "text[]": pl.List(pl.String()),
    "float8": pl.Float64(),
    "int4": pl.Float64(),
    "int8": pl.Float64(),
    "bool": pl.Boolean(),
    "timestamptz": INSTANT,
    "date": INSTANT,
    "jsonb": pl.String(),
}
"""The polars type of a decoded column. A `date` is an instant until its zone is applied."""


@dataclass(frozen=True)
class Reading:
    """One column to be read: its name, where it lies, and what it is to be."""

    name: str
    path: str
    kind: Kind
    time: TimeFormat = "date"
    zone: ZoneInfo = UTC
    """Assumed for texts that carry no zone."""
    decimal: DecimalMark | None = None
    """What stands before the decimals in texts; None: a point, and nothing between thousands."""


@dataclass(frozen=True)
class ReadingPlan:
    """The readings, the array to explode (if any), and how legacy UUIDs are written."""

    readings: tuple[Reading, ...]
    explode: str | None = None
    uuid_order: UuidOrder = "standard"

    def inside(self, path: str) -> tuple[str, ...] | None:
        """The way within the exploded element, or None for a path of the document itself."""
        if self.explode is None:
            return None
        array, way = path_parts(self.explode), path_parts(path)
        return way[len(array) :] if way[: len(array)] == array and way != array else None

    @property
    def frame_schema(self) -> dict[str, pl.DataType]:
        """Columns of a decoded frame."""
        head: dict[str, pl.DataType] = {ROW: pl.Int64()}
        if self.explode:
            head[ELEMENT] = pl.Int64()
        return head | {reading.name: CANONICAL[reading.kind] for reading in self.readings}


@dataclass(frozen=True)
class Misfit:
    """A value that does not convert: which row, which reading, and why."""

    row: int
    element: int | None
    name: str
    value: str
    reason: str
    found_at: tuple[str, ...] = ()
    """The keys that lead to the value: not all of the reading's where the value lies on its way."""


@dataclass(frozen=True)
class Decoded:
    """One column a reading (plus `_row`, `_element`), and what did not fit."""

    frame: pl.DataFrame
    misfits: list[Misfit]
    documents: int


def is_pattern(time: TimeFormat) -> bool:
    """Whether instants are written in a pattern of the source's own."""
    return "%" in time


def path_parts(path: str) -> tuple[str, ...]:
    r"""The keys of a dotted path; `\.` is a dot within a key."""
    return tuple(part.replace("\\.", ".") for part in re.split(r"(?<!\\)\.", path))
