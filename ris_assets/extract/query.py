"""What a server is asked for: the documents that count, of a window of time or changed since an instant.

A query only spares reading: whoever reads filters again, so that a dump, which knows no queries, gives
the same rows.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from bson.objectid import ObjectId

from ris_assets.extract.plan import TimeFormat

Query = dict[str, Any]
_NUMERIC = ["double", "int", "long", "decimal"]
_NO_TIME = ["object", "array", "binData", "objectId", "bool", "regex", "timestamp"]
_EPOCHS = {"epoch_s": 1, "epoch_ms": 1000}
_LIKE_A_DATE = r"^\d{4}-\d\d-\d\d"
_FIRST = datetime(1, 1, 1, tzinfo=UTC)
_LAST = datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
_ZONE_SLACK = timedelta(hours=15)
"""What a clock shows, on its own or in an ISO text with any offset, lies at most this far from its instant."""


def filter_query(wanted: dict[str, Any]) -> Query:
    """The map's filter as a query; a value is looked for in every type that writes it alike."""
    return {path: _condition(value) for path, value in wanted.items()}


def window_query(
    path: str, time: TimeFormat, starts_at: datetime | None, ends_at: datetime | None
) -> Query:
    """Documents whose time lies in [starts_at, ends_at), and those whose time is no time at all.

    A comparison never crosses BSON types, so there is one range a type.
    """
    within = within_query(path, time, starts_at, ends_at)
    return either(within, {"$or": [{path: None}, *_odd(path, time)]})


def within_query(
    path: str, time: TimeFormat, starts_at: datetime | None, ends_at: datetime | None
) -> Query:
    """Documents whose time lies in [starts_at, ends_at)."""
    if time == "local":
        starts_at, ends_at = (
            starts_at and starts_at - _ZONE_SLACK,
            ends_at and ends_at + _ZONE_SLACK,
        )
    ranges = [_range(path, starts_at, ends_at), _written_range(path, time, starts_at, ends_at)]
    return {"$or": [r for r in ranges if r]}


def either(*queries: Query) -> Query:
    """Documents that fit one of several alternatives."""
    return {"$or": [clause for query in queries for clause in query["$or"]]}


def both(*queries: Query) -> Query:
    """Documents that fit all of the queries."""
    parts = [query for query in queries if query]
    if len(parts) < 2:
        return parts[0] if parts else {}
    return {"$and": parts}


def _condition(wanted: Any) -> Any:
    if not isinstance(wanted, dict):
        return _in([wanted])
    condition: dict[str, Any] = {}
    for operator, value in wanted.items():
        if operator == "$exists":
            condition |= {"$ne": None} if value else {"$eq": None}
        elif operator in ("$in", "$nin"):
            condition[operator] = [form for one in value for form in _forms(one)]
        else:
            condition["$nin"] = _forms(value)
    return condition


def _in(values: list[Any]) -> Any:
    forms = [form for value in values for form in _forms(value)]
    return forms[0] if len(forms) == 1 else {"$in": forms}


def _forms(value: Any) -> list[Any]:
    """The value, and what else has the same canonical text."""
    if value is None:
        return [None]
    if isinstance(value, bool):
        return [value, "true" if value else "false"]
    if isinstance(value, (int, float)):
        return [value, str(int(value)) if float(value).is_integer() else str(value)]
    if isinstance(value, str):
        return [value, *_other_readings(value)]
    return [value]


def _other_readings(text: str) -> list[Any]:
    if text in ("true", "false"):
        return [text == "true"]
    if text.removeprefix("-").isdigit() and len(text) < 16 and str(int(text)) == text:
        return [int(text)]
    return [ObjectId(text)] if ObjectId.is_valid(text) and text == text.lower() else []


def _written_range(
    path: str, time: TimeFormat, starts_at: datetime | None, ends_at: datetime | None
) -> Query:
    """The window as the source writes instants where it does not use dates."""
    if time in _EPOCHS:
        unit = _EPOCHS[time]
        first = starts_at and starts_at.timestamp() * unit
        return _range(path, first, ends_at and ends_at.timestamp() * unit)
    first_day = starts_at and (starts_at - _ZONE_SLACK).strftime("%Y-%m-%d")
    after = ends_at and (ends_at + _ZONE_SLACK + timedelta(days=1)).strftime("%Y-%m-%d")
    return _range(path, first_day, after)


def _range(path: str, first: Any, end: Any) -> Query:
    bounds = {"$gte": first, "$lt": end}
    given = {operator: bound for operator, bound in bounds.items() if bound is not None}
    return {path: given} if given else {}


def _odd(path: str, time: TimeFormat) -> list[Query]:
    """What is of a type, or beyond all years, that makes it no time; timestamps are too rare to range over."""
    beyond: list[Query] = [{path: {"$gte": _LAST}}, {path: {"$lt": _FIRST}}]
    if time in _EPOCHS:
        unit = _EPOCHS[time]
        beyond += [
            {path: {"$gte": _LAST.timestamp() * unit}},
            {path: {"$lt": _FIRST.timestamp() * unit}},
            {path: {"$in": [0, float("nan")]}},
        ]
        return [*beyond, {path: {"$type": [*_NO_TIME, "string"]}}]
    no_date = {path: {"$type": "string", "$not": {"$regex": _LIKE_A_DATE}}}
    return [*beyond, no_date, {path: {"$type": [*_NO_TIME, *_NUMERIC]}}]
