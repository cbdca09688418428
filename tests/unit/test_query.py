"""What a server is asked for is never less than what counts."""

from datetime import UTC, datetime, timedelta

import pytest
from bson.objectid import ObjectId

from ris_assets.extract.query import both, filter_query, window_query

START, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC)
HEX = "0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("wanted", "asked"),
    [
        ("done", "done"),
        (7, {"$in": [7, "7"]}),
        ("7", {"$in": ["7", 7]}),
        (True, {"$in": [True, "true"]}),
        (HEX, {"$in": [HEX, ObjectId(HEX)]}),
        (None, None),
        ({"$ne": "x"}, {"$nin": ["x"]}),
        ({"$in": ["a", None]}, {"$in": ["a", None]}),
        ({"$exists": True}, {"$ne": None}),
        ({"$exists": False}, {"$eq": None}),
    ],
)
def test_a_filter_looks_for_every_type_that_is_written_alike(wanted, asked):
    assert filter_query({"a.b": wanted}) == {"a.b": asked}


def test_a_window_of_dates_takes_texts_with_any_offset_and_whatever_is_no_time():
    ranges = window_query("at", "date", START, END)["$or"]
    assert {"at": {"$gte": START, "$lt": END}} in ranges
    assert {"at": {"$gte": "2023-12-31", "$lt": "2024-01-03"}} in ranges
    assert {"at": None} in ranges
    assert {"at": {"$type": "string", "$not": {"$regex": r"^\d{4}-\d\d-\d\d"}}} in ranges
    odd = types_of(ranges)
    assert "double" in odd and "date" not in odd and "string" not in odd


def test_a_window_of_local_times_allows_for_any_zone():
    ranges = window_query("at", "local", START, END)["$or"]
    assert {"at": {"$gte": START - timedelta(hours=15), "$lt": END + timedelta(hours=15)}} in ranges


@pytest.mark.parametrize(("time", "unit"), [("epoch_s", 1), ("epoch_ms", 1000)])
def test_a_window_of_epochs_is_a_range_of_numbers(time, unit):
    ranges = window_query("at", time, START, None)["$or"]
    assert {"at": {"$gte": START.timestamp() * unit}} in ranges
    odd = types_of(ranges)
    assert "double" not in odd and "string" in odd


def types_of(ranges: list[dict]) -> list[str]:
    """The types that are no time whatever their value."""
    held = [r["at"] for r in ranges if isinstance(r["at"], dict)]
    return next(one["$type"] for one in held if isinstance(one.get("$type"), list))


def test_queries_join_only_where_there_are_two():
    assert both({}, {"a": 1}) == {"a": 1}
    assert both({}, {}) == {}
    assert both({"a": 1}, {"b": 2}) == {"$and": [{"a": 1}, {"b": 2}]}
