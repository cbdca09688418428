"""What mongodump notes beside a collection's documents: its name, its indexes, whether it is a view."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bson import json_util
from bson.errors import BSONError


@dataclass(frozen=True)
class Metadata:
    """Notes on one collection; empty where a dump has none."""

    collection: str | None = None
    indexes: tuple[str, ...] = ()
    is_view: bool = False


def parse_metadata(text: str | bytes) -> Metadata:
    """Read a `metadata.json`, which is MongoDB extended JSON.

    Raises:
        ValueError: it is no JSON object, or one of another make.
    """
    try:
        noted = json_util.loads(text or b"{}")
        options = noted.get("options") or {}
        is_view = noted.get("type") == "view" or "viewOn" in options
        indexes = describe_indexes(noted.get("indexes") or [])
        return Metadata(noted.get("collectionName"), indexes, is_view)
    except (TypeError, AttributeError, BSONError) as error:
        raise ValueError("not what mongodump notes on a collection") from error


def describe_indexes(indexes: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Indexes in words, as `user, at desc (unique)`; that of `_id`, which all have, left out."""
    described = (
        _describe(dict(index.get("key", {})), bool(index.get("unique"))) for index in indexes
    )
    return tuple(sorted(text for text in described if text != "_id"))


def _describe(key: dict[str, Any], is_unique: bool) -> str:
    parts = [_part(path, direction) for path, direction in key.items()]
    return ", ".join(parts) + (" (unique)" if is_unique and list(key) != ["_id"] else "")


def _part(path: str, direction: Any) -> str:
    if isinstance(direction, str):
        return f"{path} {direction}"
    return f"{path} desc" if direction < 0 else path
