"""What to read of every document, and what decoding gives back."""

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from ris_assets.contracts.columns import SqlType

ROW = "_row"
"""Index of the source document within its batch."""
ELEMENT = "_element"
"""Index of the array element, where an array is exploded."""

CANONICAL: dict[SqlType, Any] = {
    "text": pl.String(),
    "text[]": pl.List(pl.String()),
    "float8": pl.Float64(),
    "int4": pl.Float64(),
    "int8": pl.Float64(),
    "bool": pl.Boolean(),
    "timestamptz": pl.Datetime("ms", "UTC"),
    "date": pl.Datetime("ms", "UTC"),
    "jsonb": pl.String(),
}
"""The polars type a path is decoded to, before mapping. Dates are instants until the zone is applied."""


@dataclass(frozen=True)
class PathPlan:
    """Typed paths, and the array to explode, if any."""

    paths: dict[str, SqlType]
    explode: str | None
    zone: ZoneInfo

    def element_path(self, path: str) -> str | None:
        """The path within the exploded element, or None for a path of the document itself."""
        prefix = f"{self.explode}."
        return path.removeprefix(prefix) if self.explode and path.startswith(prefix) else None

    @property
    def frame_schema(self) -> dict[str, Any]:
        """Columns of a decoded frame."""
        head: dict[str, Any] = {ROW: pl.Int64()}
        if self.explode:
            head[ELEMENT] = pl.Int64()
        return head | {path: CANONICAL[kind] for path, kind in self.paths.items()}


@dataclass(frozen=True)
class Misfit:
    """A value that does not convert: which row, which path, and why."""

    row: int
    element: int | None
    path: str
    value: str
    reason: str


@dataclass(frozen=True)
class Decoded:
    """Paths as columns (plus `_row`, `_element`), and what did not fit."""

    frame: pl.DataFrame
    misfits: list[Misfit]
    documents: int
