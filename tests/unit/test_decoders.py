"""Two ways of decoding, one result: for every BSON type in every kind of field, and whatever surrounds it."""

import random
import struct
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import bson
import polars as pl
import pytest
from bson import DBRef, Decimal128, Int64, ObjectId, Regex, Timestamp
from bson.binary import Binary
from bson.datetime_ms import DatetimeMS
from polars.testing import assert_frame_equal

from ris_assets.extract.arrow import ArrowDecoder, NotArrowError
from ris_assets.extract.decode import BatchDecoder
from ris_assets.extract.exact import (
    decode_exactly,
    document_json,
    documents_of,
    id_text,
    raw_of_json,
)
from ris_assets.extract.plan import FIRST_INSTANT, LAST_INSTANT, Reading, ReadingPlan
from tests.unit.bson_values import UUID_ONE, ZOO

KINDS = ("id", "text", "text[]", "float8", "int4", "bool", "timestamptz", "date")
CLEAN = {
    "id": ["a", "b"], "text": ["x", "y"], "text[]": [["a"], []], "float8": [1.5, 2], "int4": [3, 4],
    "bool": [True, False], "timestamptz": [datetime(2024, 1, 1, tzinfo=UTC)],
    "date": [datetime(1990, 5, 1, tzinfo=UTC)], "jsonb": [{"a": 1}],
}  # fmt: skip
ID = Reading("_id", "_id", "id")
ALMATY, BERLIN = ZoneInfo("Asia/Almaty"), ZoneInfo("Europe/Berlin")
LOS_ANGELES = ZoneInfo("America/Los_Angeles")


def encoded(documents: list[dict]) -> bytes:
    return b"".join(map(bson.encode, documents))


def fast(plan: ReadingPlan, documents: list[dict], learnt: list[dict] | None = None):
    decoder = ArrowDecoder(plan, documents_of(encoded(documents if learnt is None else learnt)))
    return decoder.decode(encoded(documents), len(documents))


def one(kind, value, path: str = "x", **options):
    """The converted value and the reason why not."""
    reading = Reading("x", path, kind, **options)
    decoded = decode_exactly(bson.encode({"x": value}), ReadingPlan((reading,)))
    return decoded.frame["x"].to_list()[0], [m.reason for m in decoded.misfits]


@pytest.mark.parametrize(
    ("kind", "time", "value"),
    [
        *((kind, "date", "N/A") for kind in ("float8", "int4", "bool", "timestamptz", "date")),
        ("timestamptz", "%d.%m.%Y", " - "),
        ("timestamptz", "iso", "0000-00-00"),
        ("timestamptz", "epoch_s", 0),
        ("timestamptz", "epoch_ms", Int64(0)),
    ],
)
def test_what_stands_for_no_value_is_none(kind, time, value):
    assert one(kind, value, time=time) == (None, [])


def test_where_words_stand_and_in_days_of_birth_nothing_stands_for_no_value():
    assert one("text", "N/A") == ("N/A", [])
    assert one("date", 0, time="epoch_s") == (datetime(1970, 1, 1, tzinfo=UTC), [])
    assert one("timestamptz", False, time="epoch_s")[1] == ["true or false is not a number"]


@pytest.mark.parametrize("time", ["epoch_s", "epoch_ms"])
@pytest.mark.parametrize("kind", ["timestamptz", "date"])
def test_the_fast_way_takes_the_first_second_of_1970_as_the_exact_way_does(kind, time):
    plan = ReadingPlan((ID, Reading("x", "x", kind, time=time)))
    documents = [{"_id": "a", "x": 0}, {"_id": "b", "x": 86_400_000}]
    exact = decode_exactly(encoded(documents), plan)
    assert_frame_equal(fast(plan, documents).frame, exact.frame)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", ["x", "p.x", "list.x"])
def test_the_fast_way_gives_what_the_exact_way_gives_or_gives_up(kind, path):
    explode = "list" if path.startswith("list") else None
    plan = ReadingPlan((ID, Reading("x", path, kind)), explode)
    wrap = {
        "x": lambda v: {"x": v},
        "p.x": lambda v: {"p": {"x": v}},
        "list.x": lambda v: {"list": [{"x": v}, {"x": v}]},
    }[path]
    clean = [{"_id": n, **wrap(CLEAN[kind][n % len(CLEAN[kind])])} for n in range(4)]
    gone_fast = 0
    for value in [*ZOO, *CLEAN[kind]]:
        documents = [clean[0], {"_id": 9, **wrap(value)}, clean[1]]
        for learnt in (clean, documents):
            exact = decode_exactly(encoded(documents), plan)
            try:
                found = fast(plan, documents, learnt)
            except NotArrowError:
                continue
            gone_fast += 1
            assert_frame_equal(found.frame, exact.frame)
            assert exact.misfits == [], value
    assert gone_fast > 3


def test_random_documents_decode_alike_both_ways():
    chance = random.Random(4)
    readings = (
        ID, Reading("a", "a", "float8"), Reading("b", "p.b", "timestamptz"), Reading("c", "p.q.c", "text"),
        Reading("d", "d", "text[]"), Reading("e", "e", "bool"),
    )  # fmt: skip
    plan = ReadingPlan(readings)
    gone_fast = 0
    for _ in range(300):
        documents = []
        for number in range(4):
            document = {"_id": number, "a": 1, "p": {"b": datetime(2024, 1, 1), "q": {"c": "t"}}}
            document |= {"d": ["x"], "e": True}
            for key in chance.sample(["a", "p", "d", "e", "z"], chance.choice([0, 0, 1])):
                document[key] = chance.choice(ZOO)
            documents.append(document)
        try:
            found = fast(plan, documents)
        except NotArrowError:
            continue
        gone_fast += 1
        exact = decode_exactly(encoded(documents), plan)
        assert_frame_equal(found.frame, exact.frame)
        assert exact.misfits == []
    assert gone_fast > 60


@pytest.mark.parametrize("values", [ZOO, [{"a": 1, "b": [True, None, 2.5]}, {}, "é", 7]])
def test_embedded_documents_are_read_beside_what_goes_the_fast_way(values):
    plan = ReadingPlan((ID, Reading("meta", "m", "jsonb"), Reading("n", "n", "float8")))
    raw = encoded([{"_id": n, "m": value, "n": n} for n, value in enumerate(values)])
    found, exact = BatchDecoder(plan).decode(raw), decode_exactly(raw, plan)
    assert_frame_equal(found.frame, exact.frame)
    assert found.misfits == exact.misfits


@pytest.mark.parametrize("strays", [0, 1, 40, 3000])
def test_strays_in_a_large_batch_change_nothing(strays):
    chance = random.Random(strays)
    documents = [{"_id": n, "a": n, "t": datetime(2024, 1, 1)} for n in range(4000)]
    for number in chance.sample(range(4000), strays):
        documents[number]["a"] = chance.choice(ZOO)
    plan = ReadingPlan((ID, Reading("a", "a", "float8"), Reading("t", "t", "timestamptz")))
    raw, decoder = encoded(documents), BatchDecoder(plan)
    exact = decode_exactly(raw, plan)
    for _ in range(2):
        found = decoder.decode(raw)
        assert_frame_equal(found.frame, exact.frame)
        assert (found.misfits, found.documents) == (exact.misfits, 4000)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (ObjectId("0123456789abcdef01234567"), "0123456789abcdef01234567"),
        (12, "12"), (12.0, "12"), (Int64(2**60), str(2**60)), (Decimal128("12"), "12"),
        (Decimal128("1.5"), "1.5"), (True, "true"), ("nul\x00", "nul"),
        (Binary(UUID_ONE.bytes, 4), str(UUID_ONE)), (Binary(UUID_ONE.bytes, 3), str(UUID_ONE)),
        (Binary(b"\x01\xff"), "01ff"), (DBRef("users", 5), "5"), (Regex("a", "i"), "/a/i"),
        (datetime(2024, 3, 1), "2024-03-01T00:00:00.000Z"), (Timestamp(0, 2), "1970-01-01T00:00:00.000Z:2"),
        ({"b": 1, "a": "x"}, '{"b":{"$numberInt":"1"},"a":"x"}'),
    ],
)  # fmt: skip
def test_an_id_of_any_type_has_one_text(value, text):
    assert one("id", value) == (text, [])


def test_legacy_uuids_are_read_in_the_order_of_the_driver_that_wrote_them():
    binary = Binary(bytes(range(16)), 3)
    assert id_text(binary, "java") == "07060504-0302-0100-0f0e-0d0c0b0a0908"
    assert id_text(binary, "csharp") == "03020100-0504-0706-0809-0a0b0c0d0e0f"
    assert id_text(binary) == "00010203-0405-0607-0809-0a0b0c0d0e0f"


@pytest.mark.parametrize(
    ("kind", "value", "found", "reason"),
    [
        ("float8", Int64(2**53), 2.0**53, None),
        ("float8", Int64(2**53 + 1), None, "too large to be held exactly"),
        ("float8", "12.5", 12.5, None),
        ("float8", "12,5", None, "a text is not a number: `decimal` reads marks and currencies"),
        ("float8", "soon", None, "a text is not a number"),
        ("float8", " ", None, None),
        ("bool", "", None, None),
        ("timestamptz", "", None, None),
        ("text", "", "", None),
        ("float8", True, None, "true or false is not a number"),
        ("float8", float("nan"), None, "not a finite number"),
        ("float8", Decimal128("0.1"), 0.1, None),
        ("bool", 1, True, None),
        ("bool", "TRUE", True, None),
        ("bool", 2, None, "a number is not true or false"),
        ("text[]", "a", None, "a text is not an array"),
        ("text[]", ["a", None, 7], ["a", "7"], None),
        ("timestamptz", 5, None, "a number is not a date"),
        ("timestamptz", DatetimeMS(2**60), None, "it lies outside the years 1-9999"),
        ("timestamptz", Timestamp(1704110400, 9), datetime(2024, 1, 1, 12, tzinfo=UTC), None),
        ("timestamptz", datetime(1850, 1, 1), datetime(1850, 1, 1, tzinfo=UTC), None),
        ("timestamptz", "soon", None, "a text is not a date"),
        ("jsonb", {"a": "\x00", "b": 1}, '{"a": "\u2400", "b": 1}', None),
    ],
)  # fmt: skip
def test_values_convert_or_say_why_not(kind, value, found, reason):
    assert one(kind, value) == (found, [reason] if reason else [])


@pytest.mark.parametrize(
    ("text", "zone", "utc"),
    [
        ("2024-02-29T23:30:00", ALMATY, datetime(2024, 2, 29, 17, 30, tzinfo=UTC)),
        ("2024-03-01T23:30:00", ALMATY, datetime(2024, 3, 1, 18, 30, tzinfo=UTC)),
        ("2024-03-31 02:30", BERLIN, datetime(2024, 3, 31, 1, 30, tzinfo=UTC)),
        ("2024-10-27 02:30", BERLIN, datetime(2024, 10, 27, 0, 30, tzinfo=UTC)),
        (
            "2024-01-01T10:00:00.123456789+0500",
            BERLIN,
            datetime(2024, 1, 1, 5, 0, 0, 123000, tzinfo=UTC),
        ),
        ("2024-01-01", ALMATY, datetime(2023, 12, 31, 18, tzinfo=UTC)),
        ("2024-01-01T10:00Z", ALMATY, datetime(2024, 1, 1, 10, tzinfo=UTC)),
    ],
)
def test_written_instants_follow_the_zones_own_rules(text, zone, utc):
    assert one("timestamptz", text, zone=zone, time="iso") == (utc, [])
    plan = ReadingPlan((Reading("x", "x", "timestamptz", "iso", zone),))
    frame = BatchDecoder(plan).decode(encoded([{"x": text}] * 400)).frame
    assert frame["x"].unique().to_list() == [utc]


@pytest.mark.parametrize(
    ("value", "pattern", "utc"),
    [
        ("31.03.2024 02:30", "%d.%m.%Y %H:%M", datetime(2024, 3, 31, 1, 30, tzinfo=UTC)),
        ("12/31/2024", "%m/%d/%Y", datetime(2024, 12, 30, 23, tzinfo=UTC)),
        (20240702, "%Y%m%d", datetime(2024, 7, 1, 22, tzinfo=UTC)),
        ("2024-07-02 +0500", "%Y-%d-%m %z", datetime(2024, 2, 6, 19, tzinfo=UTC)),
        (datetime(2024, 7, 1, tzinfo=UTC), "%Y%m%d", datetime(2024, 7, 1, tzinfo=UTC)),
    ],
)
def test_instants_in_a_pattern_of_the_sources_own(value, pattern, utc):
    assert one("timestamptz", value, zone=BERLIN, time=pattern) == (utc, [])
    plan = ReadingPlan((Reading("x", "x", "timestamptz", pattern, BERLIN),))
    frame = BatchDecoder(plan).decode(encoded([{"x": value}] * 400)).frame
    assert frame["x"].unique().to_list() == [utc]


@pytest.mark.parametrize(
    ("value", "form", "zone", "utc"),
    [
        ("9999-12-31T23:59:59", "iso", LOS_ANGELES, LAST_INSTANT),
        ("9999-12-31T23:59:59-08:00", "iso", BERLIN, LAST_INSTANT),
        ("31.12.9999 23:59", "%d.%m.%Y %H:%M", LOS_ANGELES, LAST_INSTANT),
        (datetime(9999, 12, 31, 23), "local", LOS_ANGELES, LAST_INSTANT),
        ("01.01.0001", "%d.%m.%Y", BERLIN, FIRST_INSTANT),
        ("9999-12-31", "iso", BERLIN, datetime(9999, 12, 30, 23, tzinfo=UTC)),
    ],
)
def test_the_edges_of_time_stay_there_whatever_the_zone(value, form, zone, utc):
    assert one("timestamptz", value, zone=zone, time=form) == (utc, [])
    plan = ReadingPlan((Reading("x", "x", "timestamptz", form, zone),))
    frame = BatchDecoder(plan).decode(encoded([{"x": value}] * 400)).frame
    assert frame["x"].unique().to_list() == [utc]


@pytest.mark.parametrize(
    ("value", "zone", "utc"),
    [
        (datetime(2024, 3, 1), ALMATY, datetime(2024, 2, 29, 19, tzinfo=UTC)),
        (datetime(2024, 3, 31, 2, 30), BERLIN, datetime(2024, 3, 31, 1, 30, tzinfo=UTC)),
        (datetime(2024, 10, 27, 2, 30), BERLIN, datetime(2024, 10, 27, 0, 30, tzinfo=UTC)),
        ("2024-03-01T00:00:00.000Z", ALMATY, datetime(2024, 2, 29, 19, tzinfo=UTC)),
        (Timestamp(1704110400, 9), ALMATY, datetime(2024, 1, 1, 6, tzinfo=UTC)),
    ],
)
def test_a_local_time_is_the_clock_of_its_zone_whatever_zone_it_claims(value, zone, utc):
    assert one("timestamptz", value, zone=zone, time="local") == (utc, [])
    plan = ReadingPlan((Reading("x", "x", "timestamptz", "local", zone),))
    frame = BatchDecoder(plan).decode(encoded([{"x": value}] * 400)).frame
    assert frame["x"].unique().to_list() == [utc]
    assert one("date", value, zone=zone, time="local")[0].hour == 0


def test_local_times_are_read_alike_both_ways():
    times = [datetime(1890, 1, 1) + timedelta(hours=613.5 * n) for n in range(2_000)]
    for kind in ("timestamptz", "date"):
        plan = ReadingPlan((ID, Reading("x", "x", kind, "local", BERLIN)))
        documents = [{"_id": n, "x": at} for n, at in enumerate(times)]
        exact = decode_exactly(encoded(documents), plan).frame
        assert_frame_equal(fast(plan, documents).frame, exact)


def test_a_text_outside_its_pattern_says_so_and_a_date_in_it_is_that_date():
    reasons = ["it is not written as %d.%m.%Y"]
    assert one("timestamptz", "2024-07-01", time="%d.%m.%Y") == (None, reasons)
    found = one("date", "03.05.1990", zone=ALMATY, time="%d.%m.%Y")
    assert found == (datetime(1990, 5, 3, tzinfo=UTC), [])


@pytest.mark.parametrize(
    ("text", "mark", "number"),
    [
        ("12,50", ",", 12.5),
        ("-1.234.567,5", ",", -1234567.5),
        ("1 234,50", ",", 1234.5),
        ("1'234.50", ".", 1234.5),
        ("1,234,567", ".", 1234567.0),
        ("7", ",", 7.0),
        (Decimal128("12.50"), ",", 12.5),
        ("12.50", ",", None),
        ("1,23,4", ",", None),
        ("12,50 EUR", ",", 12.5),
        ("1.499,90\u00a0€", ",", 1499.9),
        ("R$ 1.280,00", ",", 1280.0),
        ("-$1,029.85", ".", -1029.85),
        ("Rs. 149", ".", 149.0),
        ("5k", ".", None),
        ("12 kg", ".", None),
        ("2 x $5", ".", None),
    ],
)
def test_numbers_in_texts_follow_the_maps_decimal_mark(text, mark, number):
    reasons = [] if number is not None else ["a text is not a number"]
    assert one("float8", text, decimal=mark) == (number, reasons)


def test_a_bare_date_is_that_date_in_any_zone():
    assert one("date", "1990-05-03", zone=ALMATY) == (datetime(1990, 5, 3, tzinfo=UTC), [])


@pytest.mark.parametrize(
    ("array", "rows", "reasons"),
    [
        ([{"c": 1}, {"c": 2}], [(0, 1.0), (1, 2.0)], []),
        ([{"c": 1}, None, {"c": 3}], [(0, 1.0), (2, 3.0)], []),
        ([], [], []),
        (None, [], []),
        ({"c": 5}, [(0, 5.0)], []),
        ("x", [(0, None)], ["s is a text, not an array"]),
        ([7], [(0, None)], ["a number lies on the way to c"]),
    ],
)
def test_arrays_with_holes_and_what_is_no_array(array, rows, reasons):
    plan = ReadingPlan((ID, Reading("c", "s.c", "float8")), "s")
    decoded = BatchDecoder(plan).decode(bson.encode({"_id": 1, "s": array}))
    assert decoded.frame.select("_element", "c").rows() == rows
    assert [m.reason for m in decoded.misfits] == reasons


@pytest.mark.parametrize(
    ("explode", "reasons"),
    [
        (None, ["an array lies on the way: explode it or give an index"]),
        (
            "a.b",
            ["another array lies on the way, and only one can be exploded: give an index of it"],
        ),
        ("a.1.b", []),
    ],
)
def test_an_array_within_an_array_says_that_only_one_can_be_exploded(explode, reasons):
    path = f"{explode}.c" if explode else "a.b.c"
    plan = ReadingPlan((ID, Reading("c", path, "float8")), explode)
    inner = [{"b": [{"c": 1}]}, {"b": [{"c": 2}]}]
    decoded = BatchDecoder(plan).decode(bson.encode({"_id": 1, "a": inner}))
    assert [m.reason for m in decoded.misfits] == reasons
    assert decoded.frame["c"].to_list() == [None if reasons else 2.0]


def test_an_array_of_ids_is_exploded_into_its_elements():
    plan = ReadingPlan((ID, Reading("friend", "friends", "id")), "friends")
    frame = BatchDecoder(plan).decode(encoded([{"_id": 1, "friends": ["a", None, 7]}])).frame
    assert frame.select("_element", "friend").rows() == [(0, "a"), (2, "7")]


def test_keys_with_dots_and_dollars_are_reached():
    plan = ReadingPlan((Reading("x", r"a\.b.$c", "float8"), Reading("y", "l.1", "id")))
    documents = [{"a.b": {"$c": 5}, "l": ["p", "q"]}]
    frame = BatchDecoder(plan).decode(encoded(documents)).frame
    assert frame.select("x", "y").rows() == [(5.0, "q")]


def test_a_key_that_comes_twice_makes_no_second_row():
    raw = b"\x13\x00\x00\x00\x10x\x00\x01\x00\x00\x00\x10x\x00\x02\x00\x00\x00\x00"
    frame = BatchDecoder(ReadingPlan((Reading("x", "x", "float8"),))).decode(raw * 3).frame
    assert frame["x"].to_list() == [2.0] * 3


def test_invalid_utf8_is_replaced_and_a_broken_document_harms_no_other():
    odd = b"\x0f\x00\x00\x00\x02_id\x00\x02\x00\x00\x00\xff\x00\x00"
    odd = struct.pack("<i", len(odd)) + odd[4:]
    broken = b"\x0c\x00\x00\x00\x99bad\x00zz\x00"
    raw = bson.encode({"_id": "a"}) + odd + broken + bson.encode({"_id": "b"})
    decoded = BatchDecoder(ReadingPlan((ID,))).decode(raw)
    assert decoded.frame["_id"].to_list() == ["a", "\ufffd", None, "b"]
    assert [(m.row, m.name) for m in decoded.misfits] == [(2, "_id")]
    assert raw_of_json(document_json(broken)) == broken


@pytest.mark.parametrize("value", ZOO, ids=range(len(ZOO)))
def test_a_document_survives_its_way_through_json(value):
    raw = bson.encode({"_id": 1, "v": value, "nested": [{"v": value}]})
    text = document_json(raw)
    assert "\\u0000" not in text
    back = raw_of_json(text)
    if not (isinstance(value, str) and "\x00" in value):
        assert back == raw or repr(documents_of(back)) == repr(documents_of(raw))


def test_half_a_million_fields_and_a_document_of_sixteen_megabytes():
    wide = [{"_id": n, **{f"k{n}_{i}": i for i in range(500)}} for n in range(1000)]
    large = {"_id": 1, "blob": "x" * (16 * 1024 * 1024 - 100), "a": 7}
    plan = ReadingPlan((ID, Reading("a", "a", "float8")))
    assert BatchDecoder(plan).decode(encoded(wide)).frame.height == 1000
    assert BatchDecoder(plan).decode(bson.encode(large)).frame["a"].to_list() == [7.0]


def test_a_hundred_levels_deep():
    document: dict = {"x": 5}
    for _ in range(90):
        document = {"d": document}
    path = ".".join(["d"] * 90 + ["x"])
    frame = (
        BatchDecoder(ReadingPlan((Reading("x", path, "float8"),)))
        .decode(bson.encode(document))
        .frame
    )
    assert frame["x"].to_list() == [5.0]


def test_empty_documents_and_an_empty_batch():
    plan = ReadingPlan((ID, Reading("a", "a", "float8")))
    assert BatchDecoder(plan).decode(bson.encode({}) * 2).frame.rows() == [
        (0, None, None),
        (1, None, None),
    ]
    assert BatchDecoder(plan).decode(b"").frame.schema == pl.Schema(plan.frame_schema)
