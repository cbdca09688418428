"""The exact way: document by document, converting what converts and naming what does not.

Slower than Arrow by an order of magnitude, so it runs only for the batches that need it.
"""

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import bson
import polars as pl
from bson import json_util
from bson.binary import Binary
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.objectid import ObjectId

from ris_assets.contracts.columns import SqlType
from ris_assets.extract.plan import ELEMENT, ROW, Decoded, Misfit, PathPlan

CODEC: CodecOptions[dict[str, Any]] = CodecOptions(
    tz_aware=True,
    tzinfo=UTC,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    unicode_decode_error_handler="replace",
)


def documents_of(raw: bytes) -> list[dict[str, Any]]:
    """Decode a batch whole; dates beyond Python's range stay as milliseconds."""
    return bson.decode_all(raw, CODEC)


def as_json(document: Any) -> str:
    """A document as MongoDB extended JSON, nothing lost."""
    return json_util.dumps(document, json_options=json_util.CANONICAL_JSON_OPTIONS)


def decode_exactly(raw: bytes, plan: PathPlan) -> Decoded:
    """Decode a batch value by value; a value that does not convert is null and a `Misfit`."""
    documents = documents_of(raw)
    rows: list[dict[str, Any]] = []
    misfits: list[Misfit] = []
    for row, document in enumerate(documents):
        for element, part in _elements(document, plan.explode):
            record: dict[str, Any] = {ROW: row, ELEMENT: element}
            for path, kind in plan.paths.items():
                inner = plan.element_path(path)
                value = value_at(document, path) if inner is None else value_at(part, inner)
                try:
                    record[path] = _convert(value, kind, plan.zone)
                except (ValueError, TypeError, OverflowError) as error:
                    record[path] = None
                    misfits.append(Misfit(row, element, path, as_json(value)[:500], str(error)))
            rows.append(record)
    return Decoded(pl.DataFrame(rows, schema=plan.frame_schema), misfits, len(documents))


def value_at(document: Any, path: str) -> Any:
    """The value at a dotted path, None where any part of the way is missing."""
    for part in path.split("."):
        if isinstance(document, list) and part.isdigit():
            document = document[int(part)] if int(part) < len(document) else None
        elif isinstance(document, dict):
            document = document.get(part)
        else:
            return None
    return document


def _elements(document: dict[str, Any], explode: str | None) -> Iterator[tuple[int | None, Any]]:
    if explode is None:
        yield None, document
        return
    array = value_at(document, explode)
    if isinstance(array, list):
        yield from enumerate(array)


def _convert(value: Any, kind: SqlType, zone: ZoneInfo) -> Any:
    return None if value is None else _CONVERTERS[kind](value, zone)


def _text(value: Any, _zone: ZoneInfo) -> str:
    if isinstance(value, (str, ObjectId, UUID)):
        return str(value).replace("\x00", "")
    if isinstance(value, Binary) and value.subtype in (3, 4):
        return str(value.as_uuid(value.subtype))
    if isinstance(value, (bool, int, Decimal128)):
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    raise TypeError(f"{type(value).__name__} is not a text or an id")


def _texts(value: Any, zone: ZoneInfo) -> list[str]:
    if not isinstance(value, list):
        raise TypeError(f"{type(value).__name__} is not an array")
    return [_text(element, zone) for element in value if element is not None]


def _number(value: Any, _zone: ZoneInfo) -> float | None:
    if isinstance(value, Decimal128):
        value = value.to_decimal()
    if isinstance(value, bool | str):
        raise TypeError(f"{type(value).__name__} is not a number")
    number = float(value)
    if math.isinf(number):
        raise ValueError(f"{number} is not a finite number")
    return None if math.isnan(number) else number  # NaN is how some applications write "missing"


def _bool(value: Any, _zone: ZoneInfo) -> bool:
    if isinstance(value, bool) or value in (0, 1):
        return bool(value)
    raise TypeError(f"{type(value).__name__} is not true or false")


def _instant(value: Any, zone: ZoneInfo) -> datetime:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
        value = value if value.tzinfo else value.replace(tzinfo=zone)
    if isinstance(value, DatetimeMS) or not isinstance(value, datetime):
        raise TypeError(f"{type(value).__name__} is not a date within the years 1-9999")
    return value.astimezone(UTC)


def _json(value: Any, _zone: ZoneInfo) -> str:
    return json_util.dumps(value, json_options=json_util.RELAXED_JSON_OPTIONS)


_CONVERTERS: dict[SqlType, Callable[[Any, ZoneInfo], Any]] = {
    "text": _text,
    "text[]": _texts,
    "float8": _number,
    "int4": _number,
    "int8": _number,
    "bool": _bool,
    "timestamptz": _instant,
    "date": _instant,
    "jsonb": _json,
}
