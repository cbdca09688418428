"""Values of every BSON type, and the hard ones among them."""

import re
from datetime import UTC, datetime
from uuid import UUID

from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS

UUID_ONE = UUID("01234567-89ab-cdef-0123-456789abcdef")
ZOO = [
    None, True, False, 0, 1, -5, 2**31, Int64(2**53 + 1), Int64(-(2**62)), 0.5, -0.0, 1e300,
    float("nan"), float("inf"), Decimal128("1.50"), Decimal128("NaN"), Decimal128("1E+6000"),
    "", "text", "12.5", "2024-01-01", "2024-01-01T10:00:00+05:00", "nul\x00inside", "é" * 300, "\ud7ff",
    '"quoted", {braces} \\ and\nlines', ObjectId("0123456789abcdef01234567"),
    datetime(1850, 3, 1, tzinfo=UTC), datetime(2250, 1, 1, tzinfo=UTC), DatetimeMS(-(2**60)),
    DatetimeMS(2**60), Timestamp(1704110400, 3), Timestamp(4294967295, 1), Binary(b"\x00\xff", 0),
    Binary(UUID_ONE.bytes, 3), Binary(UUID_ONE.bytes, 4), Binary(b"short", 4), Regex("^a.*", "i"),
    re.compile("b+"), DBRef("users", 5), DBRef("users", ObjectId()), MinKey(), MaxKey(),
    Code("return 1"), Code("x", {"y": 1}), {}, {"a": {"b": [1, {"c": None}]}}, {"$set": 1, "a.b": 2},
    {"": 1}, [], [None], [1, "x", None, {}], [[1], [2]], ["a", ObjectId()], [{"code": 7}, None, 3],
]  # fmt: skip
