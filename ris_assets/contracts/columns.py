"""The vocabulary of contracts: a column, and a table made of columns."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

SqlType = Literal[
    "text", "text[]", "float8", "int4", "int8", "bool", "timestamptz", "date", "json", "jsonb"
]
STORED_AS: Mapping[SqlType, str] = {kind: kind for kind in get_args(SqlType)} | {
    "float8": "double precision",
    "int4": "integer",
    "int8": "bigint",
    "bool": "boolean",
    "timestamptz": "timestamp with time zone",
}
"""How PostgreSQL's `format_type` names the types."""
WIDENED_FROM: Mapping[SqlType, tuple[str, ...]] = {
    "text": ("character varying",),
    "text[]": ("character varying[]",),
    "float8": ("real", "integer", "smallint"),
    "int8": ("integer", "smallint"),
    "int4": ("smallint",),
    "json": ("jsonb",),
}
"""Types of earlier versions, lengths left out, every value of which the type holds as it is."""


@dataclass(frozen=True)
class Column:
    """One column: its PostgreSQL type, its unit and what it means."""

    name: str
    type: SqlType
    description: str
    required: bool = False
    allowed: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    """Bounds of a number, both possible themselves: what lies beyond is a mistake or another unit."""

    @property
    def ddl(self) -> str:
        """The column as it stands in `create table`."""
        return f'"{self.name}" {self.type}' + (" not null" if self.required else "")


@dataclass(frozen=True)
class Table:
    """A table that Python writes: name, grain, key and columns."""

    schema: str
    name: str
    description: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def qualified(self) -> str:
        """The name with its schema, as SQL writes it."""
        return f"{self.schema}.{self.name}"

    @property
    def column_names(self) -> list[str]:
        """Column names in order."""
        return [column.name for column in self.columns]
