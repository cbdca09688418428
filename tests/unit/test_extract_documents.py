"""Documents to rows: both ways of decoding, the mapping, and what is set aside."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import bson
import polars as pl
import pytest
from bson.decimal128 import Decimal128
from bson.objectid import ObjectId

from ris_assets.contracts.entities import ENTITIES
from ris_assets.extract.arrow import NotArrowError, arrow_schema, decode_with_arrow
from ris_assets.extract.decode import BatchDecoder
from ris_assets.extract.exact import decode_exactly
from ris_assets.extract.shape import EntityShape, Shaped
from ris_assets.extract.source_map import SourceMap

ALMATY = ZoneInfo("Asia/Almaty")
NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
A, B, C = (ObjectId(f"{n:024x}") for n in (1, 2, 3))

SOURCE_MAP = SourceMap.model_validate(
    {
        "version": 1,
        "timezone": "Asia/Almaty",
        "entities": {
            "users": {
                "collection": "users",
                "changed_at": "updatedAt",
                "fields": {
                    "user_id": "_id",
                    "registered_at": "createdAt",
                    "birth_date": "profile.birthDate",
                    "sex": {"path": "profile.sex", "values": {"M": "male", "F": "female"}},
                    "weight_kg": {"path": "profile.weightGrams", "scale": 0.001},
                    "city": {"value": "Almaty"},
                    "friend_ids": "friends",
                },
            },
            "hero_passes": {
                "collection": "passes",
                "fields": {
                    name: name
                    for name in ("hp_id", "user_id", "purchased_at", "starts_at", "ends_at")
                },
            },
            "station_results": {
                "collection": "bookings",
                "explode": "stations",
                "filter": {"status": "done"},
                "fields": {
                    "booking_id": "_id",
                    "user_id": "userId",
                    "performed_at": "startsAt",
                    "station": "stations.code",
                    "weight_kg": "stations.weightKg",
                    "reps": "stations.reps",
                    "heart_rate_max": "stations.hr.max",
                },
            },
        },
    }
)


def shape_of(entity: str) -> EntityShape:
    return EntityShape(ENTITIES[entity], SOURCE_MAP.entities[entity], ALMATY)


def shaped(entity: str, documents: list[dict]) -> Shaped:
    shape = shape_of(entity)
    return shape.shape(BatchDecoder(shape.plan).decode(b"".join(map(bson.encode, documents))))


def test_a_nested_profile_becomes_typed_columns():
    user = {
        "_id": A,
        "createdAt": NOON,
        "updatedAt": NOON,
        "profile": {"sex": "F", "weightGrams": 61500, "birthDate": datetime(1990, 5, 1)},
        "friends": [B, C],
    }
    row = shaped("users", [user]).rows.row(0, named=True)
    assert row["user_id"] == str(A)
    assert row["sex"] == "female"
    assert row["weight_kg"] == pytest.approx(61.5)
    assert row["birth_date"] == date(1990, 5, 1)
    assert row["city"] == "Almaty"
    assert row["friend_ids"] == [str(B), str(C)]
    assert row["event_at"] == row["changed_at"] == NOON


def test_a_birth_date_stored_as_local_midnight_is_that_local_day():
    midnight_in_almaty = datetime(1990, 4, 30, 18, tzinfo=UTC)
    user = {"_id": A, "createdAt": NOON, "profile": {"birthDate": midnight_in_almaty}}
    assert shaped("users", [user]).rows["birth_date"].to_list() == [date(1990, 5, 1)]


def test_array_elements_become_rows_and_documents_outside_the_filter_none():
    done = {
        "_id": A,
        "userId": B,
        "startsAt": NOON,
        "status": "done",
        "stations": [
            {"code": "row", "weightKg": 10, "reps": 5},
            {"code": "ski", "hr": {"max": 170}},
        ],
    }
    other = done | {"_id": C, "status": "booked"}
    rows = shaped("station_results", [done, other, {**done, "_id": B, "stations": []}]).rows
    assert rows["result_id"].to_list() == [f"{A}:0", f"{A}:1"]
    assert rows["station"].to_list() == ["row", "ski"]
    assert rows["heart_rate_max"].to_list() == [None, 170.0]
    assert rows["user_id"].to_list() == [str(B), str(B)]


def test_a_row_without_a_required_field_is_refused_and_named():
    result = shaped("users", [{"_id": A, "createdAt": NOON}, {"_id": B, "profile": None}])
    assert result.rows["source_id"].to_list() == [str(A)]
    refused = result.rejects.row(0, named=True)
    assert (refused["source_id"], refused["field"]) == (str(B), "registered_at")
    assert not refused["is_row_kept"]


@pytest.mark.parametrize(
    ("profile", "field"),
    [
        ({"sex": "unknown"}, "sex"),
        ({"weightGrams": "heavy"}, "weight_kg"),
        ({"weightGrams": float("inf")}, "weight_kg"),
        ({"birthDate": 5}, "birth_date"),
    ],
)
def test_an_optional_misfit_keeps_the_row_and_is_noted(profile, field):
    result = shaped("users", [{"_id": A, "createdAt": NOON, "profile": profile}])
    assert result.rows[field].to_list() == [None]
    assert result.rejects.select("field", "is_row_kept").rows() == [(field, True)]


def test_numbers_that_are_not_whole_are_no_counts():
    booking = {
        "_id": A,
        "userId": B,
        "startsAt": NOON,
        "status": "done",
        "stations": [{"reps": 2.5}],
    }
    result = shaped("station_results", [booking])
    assert result.rows["reps"].to_list() == [None]
    assert result.rejects["reason"].to_list() == ["not a whole number"]


def test_ids_of_several_types_and_texts_for_dates_go_the_exact_way():
    users = [
        {"_id": A, "createdAt": NOON},
        {"_id": 7, "createdAt": "2024-01-01T17:00:00"},
        {
            "_id": "x",
            "createdAt": "2024-01-01T12:00:00+00:00",
            "profile": {"weightGrams": Decimal128("70500")},
        },
    ]
    rows = shaped("users", users).rows
    assert rows["user_id"].to_list() == [str(A), "7", "x"]
    # Almaty was six hours ahead of UTC on 2024-01-01, five from 2024-03-01 on.
    assert rows["registered_at"].to_list()[1] == datetime(2024, 1, 1, 11, tzinfo=UTC)
    assert rows["registered_at"].to_list()[2] == NOON
    assert rows["weight_kg"].to_list()[2] == pytest.approx(70.5)


def test_both_ways_of_decoding_agree():
    plan = shape_of("users").plan
    users = [
        {"_id": A, "createdAt": NOON, "profile": {"sex": "M", "weightGrams": 1}, "friends": [B]},
        {"_id": B, "createdAt": NOON, "profile": None, "friends": []},
        {"_id": C, "createdAt": NOON},
    ]
    raw = b"".join(map(bson.encode, users))
    fast = decode_with_arrow(raw, plan, arrow_schema(plan, users))
    assert fast.frame.equals(decode_exactly(raw, plan).frame.select(fast.frame.columns))


def test_the_fast_way_refuses_a_surprise_rather_than_guess():
    plan = shape_of("users").plan
    schema = arrow_schema(plan, [{"_id": A, "createdAt": NOON}])
    with pytest.raises(NotArrowError):
        decode_with_arrow(bson.encode({"_id": "text", "createdAt": NOON}), plan, schema)


def test_rows_and_refusals_add_up_to_the_documents():
    users = [{"_id": n, **({"createdAt": NOON} if n % 3 else {})} for n in range(30)]
    result = shaped("users", users)
    refused = result.rejects.filter(~pl.col("is_row_kept"))["source_id"].n_unique()
    assert (result.rows.height, refused) == (20, 10)
