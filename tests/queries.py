"""MongoDB's query language, as far as sources are asked: filters and projections over decoded documents.

Written from the manual, independently of how RIS filters, so that a server and a dump can be compared.
"""

import re
from datetime import UTC, datetime
from typing import Any

from bson import Binary, Decimal128, Int64, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS

ALIASES = {
    float: "double", str: "string", dict: "object", list: "array", bytes: "binData", Binary: "binData",
    ObjectId: "objectId", bool: "bool", datetime: "date", DatetimeMS: "date", type(None): "null",
    Regex: "regex", re.Pattern: "regex", Int64: "long", Timestamp: "timestamp", Decimal128: "decimal",
}  # fmt: skip
NUMBERS = ("double", "int", "long", "decimal")
TESTS = {
    "$eq": lambda found, wanted: found == wanted,
    "$gt": lambda found, wanted: found > wanted,
    "$gte": lambda found, wanted: found >= wanted,
    "$lt": lambda found, wanted: found < wanted,
    "$lte": lambda found, wanted: found <= wanted,
}


def matches(document: dict[str, Any], query: dict[str, Any]) -> bool:
    """Whether a document is one that the query asks for."""
    return all(_clause(document, key, wanted) for key, wanted in query.items())


def _clause(document: dict[str, Any], key: str, wanted: Any) -> bool:
    if key == "$and":
        return all(matches(document, one) for one in wanted)
    if key == "$or":
        return any(matches(document, one) for one in wanted)
    if key == "$nor":
        return not any(matches(document, one) for one in wanted)
    return _field(found_at(document, key.split(".")), wanted)


def _field(found: list[Any], wanted: Any) -> bool:
    if not (isinstance(wanted, dict) and any(key.startswith("$") for key in wanted)):
        return _any(found, "$eq", wanted)
    return all(_operator(found, operator, value) for operator, value in wanted.items())


def _operator(found: list[Any], operator: str, wanted: Any) -> bool:
    if operator == "$in":
        return any(_any(found, "$eq", value) for value in wanted)
    if operator in ("$ne", "$nin", "$not"):
        return not {
            "$ne": lambda: _any(found, "$eq", wanted),
            "$nin": lambda: _operator(found, "$in", wanted),
            "$not": lambda: _field(found, wanted),
        }[operator]()
    if operator == "$exists":
        return bool(found) == bool(wanted)
    if operator == "$regex":
        texts = (value for value in _with_elements(found) if isinstance(value, str))
        return any(re.search(wanted, text) for text in texts)
    if operator == "$type":
        types = set(wanted) if isinstance(wanted, list) else {wanted}
        types |= set(NUMBERS) if "number" in types else set()
        return any(alias(value) in types for value in _with_elements(found))
    return _any(found, operator, wanted)


def _any(found: list[Any], operator: str, wanted: Any) -> bool:
    if operator == "$eq" and wanted is None and not found:
        return True
    kind, goal = comparable(wanted)
    values = (comparable(value) for value in _with_elements(found))
    return any(theirs == kind and TESTS[operator](value, goal) for theirs, value in values)


def _with_elements(found: list[Any]) -> list[Any]:
    return found + [element for value in found if isinstance(value, list) for element in value]


def found_at(value: Any, path: list[str]) -> list[Any]:
    """The values at a path: none, one, or one per element of the arrays on the way."""
    if not path:
        return [value]
    if isinstance(value, list):
        if path[0].isdigit():
            return found_at(value[int(path[0])], path[1:]) if int(path[0]) < len(value) else []
        return [
            f for element in value if isinstance(element, dict) for f in found_at(element, path)
        ]
    if isinstance(value, dict) and path[0] in value:
        return found_at(value[path[0]], path[1:])
    return []


def alias(value: Any) -> str:
    """A value's BSON type."""
    return ALIASES.get(type(value), "int" if isinstance(value, int) else type(value).__name__)


def comparable(value: Any) -> tuple[str, Any]:
    """A value among those of its kind: comparisons never cross kinds."""
    kind = alias(value)
    if kind == "date":
        return kind, int(value) if isinstance(value, DatetimeMS) else _milliseconds(value)
    if kind == "decimal":
        return "number", value.to_decimal()
    return ("number", value) if kind in NUMBERS else (kind, value)


def _milliseconds(value: datetime) -> int:
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return int(DatetimeMS(aware))


def projected(document: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """A document with the named paths only, and its `_id` unless that is declined."""
    wanted = {path for path, keep in fields.items() if keep} | (
        {"_id"} if fields.get("_id", 1) else set()
    )
    return _kept(document, [path.split(".") for path in wanted])


def _kept(value: Any, paths: list[list[str]]) -> Any:
    if isinstance(value, list):
        return [_kept(one, paths) for one in value if isinstance(one, (dict, list))]
    kept = {}
    for key, inner in value.items():
        below = [path[1:] for path in paths if path[0] == key]
        if [] in below:
            kept[key] = inner
        elif below and isinstance(inner, (dict, list)):
            kept[key] = _kept(inner, below)
    return kept
