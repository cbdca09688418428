"""Rows from decoded documents: the mapping, its units and filters, and what is set aside."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import bson
import polars as pl
import pytest
from bson.objectid import ObjectId

from ris_assets.contracts.entities import ENTITIES
from ris_assets.extract.decode import BatchDecoder
from ris_assets.extract.plan import FIRST_INSTANT, LAST_INSTANT
from ris_assets.extract.shape import EntityShape, Shaped
from ris_assets.extract.source_map import SourceMap, SourcePart
from ris_assets.ingest.parts import parts_of

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


def shaped(entity: str, documents: list[dict], **options) -> Shaped:
    part = parts_of(ENTITIES[entity], SOURCE_MAP.entities[entity], SOURCE_MAP, ALMATY)[0]
    return cut(part.shape, documents, **options)


def cut(shape: EntityShape, documents: list[dict], **options) -> Shaped:
    decoded = BatchDecoder(shape.plan).decode(b"".join(map(bson.encode, documents)))
    return shape.shape(decoded, **options)


def users(**fields) -> EntityShape:
    return with_part(fields={"user_id": "_id", "registered_at": "at", **fields})


def with_part(**part) -> EntityShape:
    return EntityShape(ENTITIES["users"], SourcePart(collection="u", **part), ALMATY)


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


def passes(**part) -> EntityShape:
    """Passes that begin at `at`, cut at noon of 2024-04-15 in New York's calendar."""
    fields = {"hp_id": "_id", "user_id": "who", "purchased_at": "bought", "starts_at": "at"}
    fields |= part.pop("fields", {})
    source = SourcePart(collection="p", fields=fields, **part)
    now = datetime(2024, 4, 15, 16, tzinfo=UTC)
    return EntityShape(ENTITIES["hero_passes"], source, ZoneInfo("America/New_York"), now=now)


def periods(shape: EntityShape, **document) -> list[tuple]:
    bought = datetime(2024, 1, 28, tzinfo=UTC)
    start = datetime(2024, 1, 31, 6, tzinfo=UTC)
    documents = [{"_id": "s", "who": "a", "bought": bought, "at": start} | document]
    return cut(shape, documents).rows.select("hp_id", "starts_at", "ends_at").rows()


@pytest.mark.parametrize(
    ("written", "span", "moved"),
    [
        ("2024-06-30", {"plus": {"days": 1}}, datetime(2024, 7, 1, 4, tzinfo=UTC)),
        ("2024-03-31T12:00", {"minus": {"months": 1}}, datetime(2024, 2, 29, 17, tzinfo=UTC)),
        ("2024-03-09T02:30", {"plus": {"days": 1}}, datetime(2024, 3, 10, 7, 30, tzinfo=UTC)),
        ("2024-10-27T01:30", {"plus": {"weeks": 1}}, datetime(2024, 11, 3, 5, 30, tzinfo=UTC)),
        ("2024-02-29", {"plus": {"years": "n"}}, datetime(2026, 2, 28, 5, tzinfo=UTC)),
        ("9999-12-31", {"plus": {"days": 1}}, LAST_INSTANT),
        ("9999-12-31T23:59:59", {"plus": {"years": 100}}, LAST_INSTANT),
        ("0001-01-01T00:00Z", {"minus": {"days": 1}}, FIRST_INSTANT),
        (
            "2024-01-31",
            {"plus": {"months": {"path": "kind", "values": {"quarter": 3}}}},
            datetime(2024, 4, 30, 4, tzinfo=UTC),
        ),
    ],
)
def test_an_instant_is_moved_on_the_calendar_of_its_zone(written, span, moved):
    shape = passes(fields={"ends_at": {"path": "to", **span}})
    assert periods(shape, to=written, n=2, kind="quarter")[0][2] == moved


@pytest.mark.parametrize(
    ("amount", "given", "reason"),
    [
        ("n", 1.5, "not a whole number of months within a hundred years"),
        ("n", 10**9, "not a whole number of months within a hundred years"),
        ("n", "many", "a text is not a number"),
        ("n", None, "missing"),
        (
            {"path": "n", "values": {"x": 1}},
            "y",
            "the source map has no translation for this value",
        ),
    ],
)
def test_what_is_no_length_of_time_refuses_the_row_and_says_why(amount, given, reason):
    shape = passes(fields={"ends_at": {"path": "at", "plus": {"months": amount}}})
    result = cut(shape, [{"_id": 1, "who": "a", "bought": NOON, "at": NOON, "n": given}])
    assert result.rows.is_empty()
    assert result.rejects.select("field", "reason").rows() == [("ends_at", reason)]


def test_a_literal_day_begins_at_midnight_of_the_maps_zone():
    shape = passes(fields={"ends_at": {"value": date(2024, 7, 1)}})
    assert periods(shape)[0][2] == datetime(2024, 7, 1, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("span", "end"),
    [
        ({}, datetime(2024, 3, 10, 5, tzinfo=UTC)),
        ({"plus": {"days": 1}}, datetime(2024, 3, 11, 4, tzinfo=UTC)),
    ],
)
def test_a_translated_day_begins_at_midnight_of_its_zone_before_it_is_moved(span, end):
    left = {"path": "left", "values": {"Yes": date(2024, 3, 10), "No": None}, **span}
    shape = passes(fields={"cancelled_at": left, "ends_at": {"value": date(2024, 7, 1)}})
    documents = [
        {"_id": n, "who": "a", "bought": NOON, "at": NOON, "left": said}
        for n, said in enumerate(["Yes", "No", None, "?"])
    ]
    result = cut(shape, documents)
    assert result.rows["cancelled_at"].to_list() == [end, None, None, None]
    assert result.rejects.select("source_id", "field", "value").rows() == [
        ("3", "cancelled_at", "?")
    ]


JAN, FEB, MAR, MAR_END, APR = (
    datetime(2024, 1, 31, 6, tzinfo=UTC),
    datetime(2024, 2, 29, 6, tzinfo=UTC),
    datetime(2024, 3, 31, 5, tzinfo=UTC),
    datetime(2024, 3, 10, tzinfo=UTC),
    datetime(2024, 4, 30, 5, tzinfo=UTC),
)


def test_a_pass_that_renews_itself_is_one_row_a_period_until_now():
    found = periods(passes(repeat={"months": 1}))
    assert found == [("s", JAN, FEB), ("s:2", FEB, MAR), ("s:3", MAR, APR)]


@pytest.mark.parametrize("end", ["ends_at", "cancelled_at"])
def test_what_repeats_stops_where_it_ends_or_is_cancelled(end):
    found = periods(passes(repeat={"months": 1}, fields={end: "over"}), over=MAR_END)
    assert found == [("s", JAN, FEB), ("s:2", FEB, MAR)]


def test_what_repeats_may_end_where_a_translation_says_so():
    left = {"path": "left", "values": {"Yes": date(2024, 2, 29), "No": None}}
    shape = passes(repeat={"months": 1}, fields={"ends_at": left})
    assert [row[0] for row in periods(shape, left="Yes")] == ["s"]
    assert [row[0] for row in periods(shape, left="No")] == ["s", "s:2", "s:3"]


@pytest.mark.parametrize(
    ("end", "now", "ends_at", "cancelled_at"),
    [
        (MAR_END, APR, MAR, MAR_END - timedelta(milliseconds=1)),
        (MAR, APR, MAR, MAR - timedelta(milliseconds=1)),
        (MAR_END, MAR_END - timedelta(days=1), MAR_END, None),
        (None, MAR_END, MAR, None),
    ],
)
def test_that_what_repeats_has_ended_is_known_from_its_end_on(end, now, ends_at, cancelled_at):
    shape = replace(passes(repeat={"months": 1}, fields={"ends_at": "over"}), now=now)
    document = {"_id": "s", "who": "a", "bought": NOON, "at": JAN, "over": end}
    last = cut(shape, [document]).rows.tail(1)
    assert last.select("ends_at", "cancelled_at").row(0) == (ends_at, cancelled_at)


def test_each_period_is_bought_when_it_begins_and_all_are_cancelled_with_the_whole():
    shape = passes(repeat={"months": 1}, fields={"cancelled_at": "over"})
    document = {"_id": "s", "who": "a", "bought": NOON, "at": JAN, "over": MAR_END}
    rows = cut(shape, [document]).rows
    assert rows["purchased_at"].to_list() == [NOON, FEB]
    assert rows["cancelled_at"].to_list() == [MAR_END, MAR_END]
    assert rows["source_id"].to_list() == ["s", "s:2"]


def test_a_rhythm_may_stand_in_the_document_and_a_start_before_all_time_makes_no_rows():
    shape = passes(repeat={"months": {"path": "plan", "values": {"monthly": 1, "yearly": 12}}})
    assert [row[0] for row in periods(shape, plan="yearly")] == ["s"]
    assert periods(shape, plan="monthly", at=datetime(1, 1, 2, tzinfo=UTC)) == []


@pytest.mark.parametrize(
    ("days", "is_cancelling", "notes"),
    [
        (-30, False, ["2024-01-31T06:00:00Z to 2024-01-01T06:00:00Z"]),
        (0, None, ["2024-01-31T06:00:00Z to 2024-01-31T06:00:00Z"]),
        (1, None, []),
        (-30, True, []),
    ],
)
def test_a_pass_that_does_not_end_after_it_starts_is_noted_and_kept(days, is_cancelling, notes):
    shape = passes(fields={"ends_at": "to", "is_cancellation": "off"})
    document = {"_id": 1, "who": "a", "bought": NOON, "at": JAN, "to": JAN + timedelta(days=days)}
    result = cut(shape, [document | {"off": is_cancelling}])
    assert result.rows["ends_at"].to_list() == [document["to"]]
    assert result.rejects["value"].to_list() == notes
    whole = result.rejects.select("source_id", "field", "is_row_kept", "user_id").rows()
    assert whole == [("1", "ends_at", True, "a")] * len(notes)


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


def test_a_blank_is_no_value_unless_the_map_translates_it():
    fields = {"sex": {"path": "s", "values": {"": "other", "F": "female"}}, "city": "c"}
    fields |= {"club_id": "c", "onboarding": {"path": "c", "values": {"x": "referral"}}}
    documents = [
        {"_id": 1, "at": NOON, "s": "", "c": " "},
        {"_id": 2, "at": "", "s": "F", "c": "x"},
    ]
    result = cut(users(**fields), documents)
    names = ("user_id", "sex", "city", "club_id", "onboarding")
    assert result.rows.select(names).rows() == [("1", "other", None, None, None)]
    assert result.rejects.select("field", "reason").rows() == [("registered_at", "missing")]


def test_a_second_path_is_read_where_the_first_has_no_value():
    at = {"path": "paid", "fallback": "made", "format": "iso"}
    pairs = [("2024-01-01T12:00Z", "junk"), (None, "2024-01-01T12:00Z"), ("", None), (None, "junk")]
    documents = [{"_id": n, "paid": paid, "made": made} for n, (paid, made) in enumerate(pairs)]
    result = cut(users(registered_at=at), documents)
    assert result.rows.select("user_id", "registered_at").rows() == [("0", NOON), ("1", NOON)]
    refused = result.rejects.filter(~pl.col("is_row_kept")).select("source_id", "field", "reason")
    assert sorted(refused.rows()) == [
        ("2", "registered_at", "missing"),
        ("3", "registered_at", "a text is not a date"),
    ]


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


@pytest.mark.parametrize(
    ("field", "spec", "value", "reason"),
    [
        ("height_cm", {"unit": "m"}, 180, "more than 260, the most possible"),
        ("height_cm", {}, 1.8, "less than 50, the least possible"),
        ("height_cm", {}, 260, None),
        ("weight_kg", {"unit": "g"}, 61.5, "less than 10, the least possible"),
        ("fat_share", {}, 25, "more than 1, the most possible"),
        ("fat_share", {"unit": "percent"}, 25, None),
        ("weight_kg", {}, float("nan"), "not a finite number"),
    ],
)
def test_a_number_that_cannot_be_is_null_and_noted(field, spec, value, reason):
    result = cut(users(**{field: {"path": "x", **spec}}), [{"_id": 1, "at": NOON, "x": value}])
    assert result.rows[field].is_null().to_list() == [reason is not None]
    noted = result.rejects.select("field", "reason", "is_row_kept").rows()
    assert noted == ([(field, reason, True)] if reason else [])


def test_a_number_that_cannot_be_refuses_the_row_where_the_entity_needs_it():
    fields = {"steps_id": "_id", "user_id": "u", "counted_at": "at", "steps": "n"}
    part = SourcePart(collection="s", fields=fields)
    shape = EntityShape(ENTITIES["daily_steps"], part, ALMATY)
    documents = [{"_id": n, "u": "a", "at": NOON, "n": n} for n in (-1, 0)]
    result = cut(shape, documents)
    assert result.rows["steps"].to_list() == [0]
    assert result.rejects.select("source_id", "is_row_kept").rows() == [("-1", False)]


def test_rows_and_refusals_add_up_to_the_documents():
    users = [{"_id": n, **({"createdAt": NOON} if n % 3 else {})} for n in range(30)]
    result = shaped("users", users)
    refused = result.rejects.filter(~pl.col("is_row_kept"))["source_id"].n_unique()
    assert (result.rows.height, refused) == (20, 10)


@pytest.mark.parametrize(
    ("spec", "value", "found"),
    [
        ({"unit": "g"}, 61_500, 61.5),
        ({"unit": "lb"}, 100, 45.359237),
        ({"scale": 2.0}, 10, 20.0),
        ({}, 70, 70.0),
    ],
)
def test_units_become_the_contracts(spec, value, found):
    rows = cut(users(weight_kg={"path": "w", **spec}), [{"_id": 1, "at": NOON, "w": value}]).rows
    assert rows["weight_kg"].to_list() == [pytest.approx(found)]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("a", [1]),
        (7, [2, 3]),
        (True, [4]),
        (None, [5, 6]),
        ({"$ne": "a"}, [2, 3, 4, 5, 6]),
        ({"$in": ["a", True]}, [1, 4]),
        ({"$nin": ["a", 7, None]}, [4]),
        ({"$exists": True}, [1, 2, 3, 4]),
        ({"$exists": False}, [5, 6]),
    ],
)
def test_a_filter_compares_canonical_texts(wanted, found):
    kinds = ["a", 7, "7", True, None]
    documents = [{"_id": n, "at": NOON, "kind": kind} for n, kind in enumerate(kinds, start=1)]
    shape = with_part(filter={"kind": wanted}, fields={"user_id": "_id", "registered_at": "at"})
    rows = cut(shape, [*documents, {"_id": 6, "at": NOON}]).rows
    assert rows["user_id"].to_list() == [str(n) for n in found]


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ("epoch_s", 1_704_110_400),
        ("epoch_ms", 1_704_110_400_000),
        ("iso", "2024-01-01T12:00:00Z"),
        ("iso", "2024-01-01 18:00"),
        ("date", NOON),
    ],
)
def test_instants_are_read_as_the_source_writes_them(form, value):
    shape = users(registered_at={"path": "at", "format": form})
    assert cut(shape, [{"_id": 1, "at": value}]).rows["registered_at"].to_list() == [NOON]


def test_a_text_without_zone_is_of_the_fields_own_zone_if_it_has_one():
    at = {"path": "at", "format": "iso", "zone": "America/New_York"}
    rows = cut(users(registered_at=at), [{"_id": 1, "at": "2024-01-01T07:00:00"}]).rows
    assert rows["registered_at"].to_list() == [NOON]


def test_values_without_a_translation_become_what_the_map_says():
    values = {"path": "s", "values": {"M": "male", 0: "female"}, "otherwise": "other"}
    documents = [{"_id": n, "at": NOON, "s": s} for n, s in enumerate(["M", 0, "x", None])]
    result = cut(users(sex=values), documents)
    assert result.rows["sex"].to_list() == ["male", "female", "other", None]
    assert result.rejects.is_empty()


@pytest.mark.parametrize("repeat", [None, {"months": 1}])
def test_a_prefix_keeps_apart_what_has_one_id(repeat):
    fields = {"hp_id": {"path": "_id", "prefix": "trial-"}, "ends_at": "to"}
    assert periods(passes(fields=fields, repeat=repeat), to=FEB)[0][0] == "trial-s"


def test_elements_with_an_id_of_their_own_keep_it_when_others_go():
    freezes = SourcePart(
        collection="p",
        explode="pauses",
        fields={
            "freeze_id": "pauses.no", "hp_id": "_id", "requested_at": "pauses.at",
            "starts_at": "pauses.at",
        },
    )  # fmt: skip
    shape = EntityShape(ENTITIES["freezes"], freezes, ALMATY)
    pauses = [{"no": "x", "at": NOON}, {"no": "y", "at": NOON}]
    both = cut(shape, [{"_id": 1, "pauses": pauses}]).rows["source_id"].to_list()
    later = cut(shape, [{"_id": 1, "pauses": pauses[1:]}]).rows["source_id"].to_list()
    assert (both, later) == (["1:x", "1:y"], ["1:y"])


def test_rows_that_do_not_count_leave_no_refusals_either():
    documents = [{"_id": 1, "at": NOON}, {"_id": 2}]
    counts = pl.col("registered_at").is_not_null()
    result = cut(users(), documents, counts=counts)
    assert (result.rows.height, result.rejects.height, result.identities.len()) == (1, 0, 1)


def test_a_parents_value_is_found_by_its_key_and_an_orphan_waits():
    fields = {"user_id": "_id", "registered_at": "at"}
    fields["city"] = {"parent": {"entity": "hero_passes", "key": "pass", "field": "club_id"}}
    shape = with_part(fields=fields)
    documents = [{"_id": n, "at": NOON, "pass": n} for n in (1, 2)] + [{"_id": 3, "at": NOON}]
    found = pl.DataFrame({"key": ["1"], "value": ["north"]})
    result = cut(shape, documents, lookup=lambda parent, keys: found)
    assert result.rows["city"].to_list() == ["north", None, None]
    assert result.rejects.select("source_id", "field", "is_row_kept", "is_waiting").rows() == [
        ("2", "city", True, True)
    ]


def test_personal_details_come_apart_from_the_rows():
    shape = with_part(
        fields={"user_id": "_id", "registered_at": "at"},
        personal={"name": "fio", "phone": "contacts.phone"},
    )
    person = {"_id": 1, "at": NOON, "fio": "A. B.", "contacts": {"phone": 77010000000}}
    result = cut(shape, [person, {"_id": 2, "at": NOON}])
    assert result.personal.sort("field").rows() == [
        ("1", "1", "name", "A. B."), ("1", "1", "phone", "77010000000")
    ]  # fmt: skip
    assert "A. B." not in str(result.rows.rows())


@pytest.mark.parametrize(
    ("path", "found", "value"),
    [
        ("body.weight", {"body": "heavy"}, '"heavy"'),
        ("body.weight", {"body": [7]}, '[{"$numberInt": "7"}]'),
        ("profile", {}, None),
        ("profile.name.kg", {}, None),
        ("profile.kg", {"profile": "Anna"}, None),
        ("mail.kg", {"mail": "anna@x.org"}, None),
        ("notes.kg", {"notes": "Anna"}, '"Anna"'),
        ("past.kg", {"past": [{"kg": "heavy"}]}, None),
        ("past.1.kg", {"past": [{}, {"kg": "heavy"}]}, '"heavy"'),
    ],
)
def test_a_refusal_shows_what_did_not_fit_and_never_a_personal_detail(path, found, value):
    personal = {"name": "profile.name", "street": "past.0.street"}
    part = with_part(
        fields={"user_id": "_id", "registered_at": "at", "weight_kg": path}, personal=personal
    )
    shape = replace(part, personal_paths=("mail",))
    document = {"_id": 1, "at": NOON, "profile": {"name": "Anna"}, "mail": "anna@x.org"} | found
    rejects = cut(shape, [document]).rejects.filter(pl.col("field") == "weight_kg")
    assert rejects["value"].to_list() == [value]


@pytest.mark.parametrize(
    ("personal", "metadata", "landed"),
    [
        ("meta.mail", {"mail": "a@x", "n": 1.5}, {"mail": "<personal>", "n": 1.5}),
        ("meta.who.mail", {"who": [{"mail": "a@x"}, {"n": 1}]},
         {"who": [{"mail": "<personal>"}, {"n": 1}]}),
        ("meta.who.0.mail", {"who": [{"mail": "a@x"}, {"mail": "b"}]},
         {"who": [{"mail": "<personal>"}, {"mail": "b"}]}),
        ("meta", {"mail": "a@x"}, "<personal>"),
        ("mail", {"mail": "shown"}, {"mail": "shown"}),
        ("meta.mail", None, None),
    ],
)  # fmt: skip
def test_an_object_mapped_whole_lands_without_the_personal_details_in_it(
    personal, metadata, landed
):
    fields = {
        "event_id": "_id",
        "user_id": "u",
        "occurred_at": "at",
        "type": "t",
        "metadata": "meta",
    }
    part = SourcePart(collection="e", fields=fields, personal={"mail": personal})
    shape = EntityShape(ENTITIES["app_events"], part, ALMATY)
    document = {"_id": 1, "u": "u1", "at": NOON, "t": "open", "meta": metadata}
    (text,) = cut(shape, [document]).rows["metadata"]
    assert (text and json.loads(text)) == landed


def test_of_events_that_are_elements_each_is_masked():
    fields = {"user_id": "u", "occurred_at": "at", "type": "es.t", "metadata": "es.m"}
    part = SourcePart(collection="e", explode="es", fields=fields, personal={"mail": "es.m.mail"})
    shape = EntityShape(ENTITIES["app_events"], part, ALMATY)
    elements = [{"t": "open", "m": {"mail": f"{n}@x", "n": n}} for n in range(2)]
    rows = cut(shape, [{"_id": 1, "u": "u1", "at": NOON, "es": elements}]).rows
    assert [json.loads(text) for text in rows["metadata"]] == [
        {"mail": "<personal>", "n": n} for n in range(2)
    ]


def test_an_element_that_is_no_document_is_shown_alone():
    part = SourcePart(
        collection="p",
        explode="pauses",
        fields={"hp_id": "_id", "requested_at": "at", "starts_at": "at", "ends_at": "pauses.to"},
    )
    shape = EntityShape(ENTITIES["freezes"], part, ALMATY)
    rejects = cut(shape, [{"_id": 1, "at": NOON, "name": "Anna", "pauses": ["long"]}]).rejects
    assert rejects["value"].to_list() == ['"long"']


def test_codes_of_a_factor_have_names_or_something_before_them_that_is_no_number():
    part = SourcePart.model_validate({
        "collection": "passes", "fields": {"hp_id": "_id", "user_id": "u", "purchased_at": "at",
                                           "starts_at": "at", "ends_at": "to"},
        "factors": {
            "method": {"path": "pay.method", "values": {41: "card", 38: "kiosk"}, "prefix": "#"},
            "via": {"path": "via", "prefix": "#"},
            "renews": {"path": "auto", "values": {1: "by itself"}},
        },
    })  # fmt: skip
    shape = EntityShape(ENTITIES["hero_passes"], part, ALMATY)
    period = {"u": 1, "at": NOON, "to": NOON + timedelta(days=30)}
    documents = [
        {"_id": 1, **period, "pay": {"method": 41}, "via": 7, "auto": 1},
        {"_id": 2, **period, "pay": {"method": 40}, "auto": 0},
    ]
    assert [json.loads(text) for text in cut(shape, documents).rows["factors"]] == [
        {"method": "card", "via": "#7", "renews": "by itself"},
        {"method": "#40", "via": None, "renews": "0"},
    ]


def test_a_masked_detail_that_is_read_again_is_no_value():
    rows = cut(users(city="c"), [{"_id": 1, "at": NOON, "c": "<personal>"}]).rows
    assert rows["city"].to_list() == [None]


def test_factors_of_the_business_are_texts_by_a_name_of_its_own():
    part = SourcePart.model_validate({
        "collection": "users", "fields": {"user_id": "_id", "registered_at": "at"},
        "factors": {"payment": "billing.method", "senior": "senior", "user_id": "n"},
    })  # fmt: skip
    shape = EntityShape(ENTITIES["users"], part, ALMATY)
    documents = [
        {"_id": 1, "at": NOON, "billing": {"method": "card"}, "senior": True, "n": 2.5},
        {"_id": 2, "at": NOON, "billing": {"method": " "}, "n": [1]},
    ]
    found = cut(shape, documents)
    assert [json.loads(text) for text in found.rows["factors"]] == [
        {"payment": "card", "senior": "true", "user_id": "2.5"},
        {"payment": None, "senior": None, "user_id": None},
    ]
    assert found.rejects.select("field", "is_row_kept").rows() == [("factors.user_id", True)]
