"""What the documents of a source look like, and how that differs from the time before."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

import polars as pl

MAX_PATHS = 2000
"""Paths looked at per source; documents keyed by dates or ids would have no end."""
_EXPECTED = 20
"""A field has vanished when this many documents of the sample should have had it and none does."""
PROFILE_SCHEMA = {
    "path": pl.String(),
    "types": pl.List(pl.String()),
    "fill_share": pl.Float64(),
}


def field_profile(documents: Iterable[dict[str, Any]]) -> pl.DataFrame:
    """Path, BSON types and share of documents with a value: `PROFILE_SCHEMA`."""
    filled: Counter[str] = Counter()
    types: defaultdict[str, set[str]] = defaultdict(set)
    count = 0
    for document in documents:
        count += 1
        seen: dict[str, set[str]] = {}
        _walk(document, "", seen)
        for path, kinds in seen.items():
            if path in types or len(types) < MAX_PATHS:
                types[path] |= kinds
                filled[path] += 1
    rows = [(path, sorted(types[path]), filled[path] / count) for path in sorted(types)]
    return pl.DataFrame(rows, schema=PROFILE_SCHEMA, orient="row")


def _walk(value: Any, path: str, seen: dict[str, set[str]]) -> None:
    if len(seen) > MAX_PATHS:
        return
    if isinstance(value, dict):
        for key, below in value.items():
            name = str(key).replace(".", "\\.")
            _walk(below, f"{path}.{name}" if path else name, seen)
    elif isinstance(value, list):
        for element in value[:20]:
            _walk(element, f"{path}[]", seen)
    elif value is not None:
        seen.setdefault(path, set()).add(_type_name(value))


def _type_name(value: Any) -> str:
    kind = type(value).__name__
    return "number" if kind in ("int", "float", "Int64") else kind


def compared(before: pl.DataFrame, now: pl.DataFrame, documents: int) -> pl.DataFrame:
    """The profile to keep: what is new, vanished or retyped against `before`, and in words how.

    Columns: `path, types, fill_share, status, change`. Types add up; a path that has vanished stays.
    """
    both = before.select("path", "types", "fill_share").join(
        now.rename({"types": "new_types", "fill_share": "new_fill"}), "path", "full", coalesce=True
    )
    added = pl.col("new_types").list.set_difference(pl.col("types"))
    is_known, is_seen = pl.col("types").is_not_null(), pl.col("new_types").is_not_null()
    vanished = ~is_seen & (pl.col("fill_share") * documents >= _EXPECTED)
    status = (
        pl.when(before.height == 0)
        .then(pl.lit("same"))
        .when(~is_known)
        .then(pl.lit("new"))
        .when(is_seen & (added.list.len() > 0))
        .then(pl.lit("retyped"))
        .when(vanished)
        .then(pl.lit("vanished"))
        .otherwise(pl.lit("same"))
    )
    kept = pl.when(is_known & is_seen).then(pl.col("types").list.set_union(pl.col("new_types")))
    return (
        both.with_columns(status.alias("status"), added.list.sort().list.join(", ").alias("added"))
        .with_columns(_words().alias("change"))
        .select(
            "path",
            kept.otherwise(pl.coalesce("types", "new_types")).list.sort().alias("types"),
            pl.coalesce("new_fill", "fill_share").alias("fill_share"),
            "status",
            "change",
        )
        .sort("path")
    )


def _words() -> pl.Expr:
    return (
        pl.when(pl.col("status") == "new")
        .then(pl.format("not there before: {}", pl.col("new_types").list.join(", ")))
        .when(pl.col("status") == "retyped")
        .then(
            pl.format("{} until now, now also {}", pl.col("types").list.join(", "), pl.col("added"))
        )
        .when(pl.col("status") == "vanished")
        .then(pl.format("had a value in {} % of documents", (pl.col("fill_share") * 100).round(0)))
    )
