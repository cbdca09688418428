"""Profiles of fields against documents counted by hand, and of documents that nobody would write."""

import re
import time
import tracemalloc
import uuid
from datetime import UTC, datetime
from typing import Any

import bson
import pytest
from bson.binary import Binary
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.dbref import DBRef
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.max_key import MaxKey
from bson.min_key import MinKey
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.timestamp import Timestamp

from ris_assets.errors import Interrupted, RisError
from ris_assets.extract.plan import path_parts
from ris_assets.extract.profiling import tree
from ris_assets.extract.profiling.explore import Bounds, explore_source
from ris_assets.extract.profiling.profile import CollectionProfile, profile_fields
from ris_assets.extract.profiling.sketch import Sketch, digest
from ris_assets.extract.profiling.values import mask_text
from ris_assets.extract.profiling.words import words_of
from tests.unit.explore_case import START, Database, explored, oid
from tests.unit.explore_case import uuid as own_uuid

MEMBERS = [
    {"_id": 1, "sex": "m", "body": {"kg": 70, "fat": 0.2}, "tags": ["a", "b"],
     "seen": datetime(2024, 1, 2, tzinfo=UTC)},
    {"_id": 2, "sex": "f", "body": {"kg": 60.5, "fat": None}, "tags": [], "seen": datetime(2024, 3, 4, tzinfo=UTC)},
    {"_id": 3, "sex": None, "body": {"kg": "sixty"}, "tags": ["a"]},
    {"_id": 4, "sex": "m"},
]  # fmt: skip
EVERY_TYPE = {
    "double": 1.5, "string": "text", "object": {"a": 1}, "array": [1], "binData": Binary(b"\x00\xff", 0),
    "uuid": Binary(b"u" * 16, 4), "uuid (legacy)": Binary(b"u" * 16, 3), "objectId": oid(1, 1), "bool": True,
    "date": START, "null": None, "regex": Regex("^a", "i"), "dbRef": DBRef("users", oid(1, 1)),
    "javascript": Code("f()"), "int": 7, "timestamp": Timestamp(1_700_000_000, 2), "long": Int64(2**60),
    "decimal": Decimal128("1.25"), "minKey": MinKey(), "maxKey": MaxKey(),
}  # fmt: skip
ODD_VALUES = [
    float("nan"), float("inf"), float("-inf"), Decimal128("NaN"), Decimal128("-Infinity"), Decimal128("1E+6000"),
    Decimal128("sNaN"), DatetimeMS(-(2**62)), DatetimeMS(2**62), datetime(1, 1, 1, tzinfo=UTC), "", "\x00", {}, [],
    [[], [None]], [[[1]]], Binary(b"short", 4), Binary(b"short", 3), Binary(b"", 128), Code("f()", {"x": 1}),
    DBRef("users", None), Int64(-(2**63)), Regex("(", 0), "\U0001f600",
]  # fmt: skip


def profiled(*documents: dict[str, Any], name: str = "things") -> CollectionProfile:
    return profile_fields(name, [b"".join(map(bson.encode, documents))], 10**6, 60)


def nested(depth: int) -> dict[str, Any]:
    return {"a": nested(depth - 1)} if depth else {}


@pytest.mark.parametrize(
    "path, fill, nulls, missing, distinct",
    [("_id", 1, 0, 0, 4), ("sex", 0.75, 1, 0, 2), ("body", 0.75, 0, 1, 0), ("body.kg", 1, 0, 0, 3),
     ("body.fat", 1 / 3, 1, 1, 1), ("tags", 0.75, 0, 1, 0), ("tags[]", 1, 0, 0, 2), ("seen", 0.5, 0, 2, 2)],
)  # fmt: skip
def test_fill_nulls_missing_and_distinct_are_counted_of_what_lies_above(
    path, fill, nulls, missing, distinct
):
    field = profiled(*MEMBERS).field(path)
    assert (field.fill, field.nulls, field.missing, field.distinct) == (
        fill,
        nulls,
        missing,
        distinct,
    )


def test_types_ranges_and_lengths_are_told():
    found = profiled(*MEMBERS)
    assert found.field("body.kg").type_shares == {"int": 1 / 3, "double": 1 / 3, "string": 1 / 3}
    assert (found.field("body.kg").minimum, found.field("body.kg").maximum) == (60.5, 70)
    assert (found.field("seen").minimum, found.field("seen").maximum) == (
        "2024-01-02T00:00:00Z", "2024-03-04T00:00:00Z")  # fmt: skip
    tags = found.field("tags").array_lengths
    assert tags and (tags.minimum, tags.mean, tags.maximum) == (0, 1.0, 2)
    assert found.field("sex").values == (("m", 2), ("f", 1))
    assert found.field("_id").is_unique and not found.field("sex").is_unique


@pytest.mark.parametrize("name", EVERY_TYPE)
def test_every_bson_type_is_told_by_its_name(name):
    assert profiled({"field": EVERY_TYPE[name]}, {}).field("field").types == {name: 1}


@pytest.mark.parametrize("value", ODD_VALUES, ids=repr)
def test_odd_values_are_profiled_like_any_other(value):
    found = profiled({"field": value}, {"field": 1})
    assert found.sampled == 2 and sum(found.field("field").types.values()) == 2


def test_invalid_utf8_does_not_hide_a_document():
    raw = bson.encode({"field": "abc"}).replace(b"abc", b"a\xffc")
    assert profile_fields("things", [raw], 10, 60).field("field").types == {"string": 1}


def test_a_document_that_is_no_bson_is_counted_and_the_others_are_read():
    broken = bytearray(bson.encode({"field": 1.5}))
    broken[4] = 0x77
    raw = bson.encode({"field": 1}) + bytes(broken) + bson.encode({}) + bson.encode({"field": 2})
    found = profile_fields("things", [raw], 10, 60)
    assert (found.sampled, found.unreadable) == (3, 1)


@pytest.mark.parametrize(
    "keys",
    [["2024-01-01", "2024-01-02"], [str(oid(1, n)) for n in range(2)], ["1", "22"], [str(uuid.UUID(int=5))],
     ["ann@mail.kz", "bob@mail.kz"], [f"word{n}x" for n in range(5000)]],
    ids=["dates", "ids", "numbers", "uuids", "e-mails", "very many"],
)  # fmt: skip
def test_keys_that_are_data_become_one_branch(keys):
    found = profiled({"by": {key: {"n": 1} for key in keys}})
    assert [field.path for field in found.fields] == ["by", "by.*", "by.*.n"]
    assert found.field("by.*").types == {"object": len(keys)}


def test_keys_that_differ_between_objects_become_one_branch_beside_the_common_ones():
    documents = [{"by": {"total": 1, **{f"k{n}x{i}y": i for i in range(20)}}} for n in range(60)]
    paths = {field.path: field for field in profiled(*documents).fields}
    assert set(paths) == {"by", "by.total", "by.*"}
    assert paths["by.*"].types == {"int": 60 * 20}


def test_a_wide_document_that_is_always_the_same_keeps_its_keys():
    found = profiled(*[{f"answer{n}x": n for n in range(300)}] * 20)
    assert len(found.fields) == 300


@pytest.mark.parametrize("key", ["a.b", "$price", "$a.b", "", "with space", "a..b"])
def test_keys_with_dots_and_dollars_can_be_found_again_by_their_path(key):
    (field,) = profiled({key: 1}).fields
    assert path_parts(field.path) == (key,)


def test_what_many_fields_take_grows_with_their_number_alone():
    def taken(fields: int) -> tuple[float, int]:
        raw = bson.encode({"_id": 1, **{f"field{n}x": n for n in range(fields)}})
        tracemalloc.start()
        began = time.process_time()
        found = profile_fields("things", [raw], 10, 60)
        seconds, (_, peak) = time.process_time() - began, tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(found.fields) == 2 and found.field("*").types == {"int": fields}
        return seconds, peak

    (few, _), (many, peak) = taken(10_000), taken(100_000)
    assert many < 40 * few and peak < 150e6


def test_paths_beyond_the_limit_are_counted_not_kept(monkeypatch):
    monkeypatch.setattr(tree, "MOST_PATHS", 50)
    document = {f"p{i}x": {f"q{j}x": 1 for j in range(10)} for i in range(20)}
    found = profiled(document, document)
    assert len(found.fields) == 50 and len(found.fields) + found.further_paths >= 70


def test_documents_nested_very_deeply_do_not_overflow():
    assert profiled(nested(150)).further_paths == 1


@pytest.mark.parametrize("documents, seconds, sampled", [(10, 60, 10), (10**6, 0, 1)])
def test_the_bounds_of_documents_and_time_hold(documents, seconds, sampled):
    raw = bson.encode({"a": 1}) * 1000
    assert profile_fields("things", [raw], documents, seconds).sampled == sampled


@pytest.mark.parametrize("differing", [5, 1000, 30_000])
def test_differing_values_are_counted_exactly_when_few_and_nearly_when_many(differing):
    sketch = Sketch(1024)
    for n in range(differing):
        sketch.add(digest(n))
        sketch.add(digest(n))
    assert sketch.is_exact == (differing <= 2048)
    assert sketch.distinct == pytest.approx(differing, rel=0 if sketch.is_exact else 0.12)


def test_merged_sketches_know_what_one_sketch_of_all_would():
    one, other, both = Sketch(64), Sketch(64), Sketch(64)
    for n in range(3000):
        (one if n % 2 else other).add(digest(n))
        both.add(digest(n))
    one.merge(other)
    assert one.distinct == pytest.approx(3000, rel=0.35)
    assert set(one.values(30)) == set(both.values(30))


@pytest.mark.parametrize(
    "name, value",
    [("email", "a"), ("eMail", "a"), ("phone", "a"), ("phoneNumber", 77011234567), ("telefon", "a"), ("firstName", "A"),
     ("last_name", "A"), ("fio", "A"), ("familiya", "A"), ("otchestvo", "A"), ("name", "Ann"), ("fullName", "A"),
     ("iin", "a"), ("IIN", 12), ("address", "a"), ("street", "a"), ("chatId", 123456), ("telegram_id", 1),
     ("tgChatId", Int64(5)), ("password", "a"), ("passwordHash", "a"), ("accessToken", "a"), ("parol", "a"),
     ("Телефон", "a"), ("имя", "A"), ("отчество", "A"), ("username", "a"), ("comment", "a@b.kz"),
     ("number", "+7 (701) 123-45-67"), ("number", "8 701 123 45 67"), ("n", 77011234567), ("x", "930517300123")],
)  # fmt: skip
def test_personal_fields_show_no_value(name, value):
    field = profiled({name: value}, {name: value}, name="clients").field(name)
    assert field.is_personal and not field.values
    assert (field.minimum, field.maximum, field.median) == (None, None, None)
    assert all(re.fullmatch(r"<[a-z-]+>", example) for example in field.examples)


def test_words_for_yes_and_no_are_nobodys_phone():
    field = profiled(*({"PhoneService": word} for word in ("Yes", "No", "Yes"))).field(
        "PhoneService"
    )
    assert not field.is_personal and dict(field.values) == {"Yes": 2, "No": 1}


@pytest.mark.parametrize(
    "collection, name, value",
    [("clubs", "name", "Dostyk"), ("products", "name", "Gold"), ("clients", "passId", "1"), ("clients", "city", "ALA"),
     ("clients", "emailConfirmed", True), ("clients", "passwordChangedAt", START), ("payments", "amount", 77011),
     ("clients", "at", "2024-01-01 10:20:30"), ("clients", "at", 1_700_000_000_000), ("clients", "born", "17.05.1990"),
     ("clients", "membership", "gold"), ("visits", "_id", str(oid(1, 2)))],
)  # fmt: skip
def test_other_fields_show_examples(collection, name, value):
    field = profiled({name: value}, name=collection).field(name)
    assert not field.is_personal and field.examples and "<" not in field.examples[0]


@pytest.mark.parametrize(
    "text, masked",
    [("write to ann.lee@mail.kz please", "write to <e-mail> please"), ("call +77011234567 now", "call <phone> now"),
     ("call 8 (701) 123-45-67", "call <phone>"), ("87011234567", "<phone>"), ("iin 930517300123", "iin <iin>"),
     ("card 4400 4301 2345 6789", "card <card>"), ("2024-01-01T10:20:30Z", "2024-01-01T10:20:30Z"),
     ("order 123456", "order 123456"), ("6520071f0fb2dad0ca000029", "6520071f0fb2dad0ca000029"),
     ("$2b$12$abcdefghijklmnopqrstuv", "<secret>")],
)  # fmt: skip
def test_what_looks_like_somebodys_own_is_masked_within_texts(text, masked):
    assert mask_text(text) == masked


def test_long_examples_are_cut():
    assert len(profiled({"story": "word " * 50}).field("story").examples[0]) == 40


@pytest.mark.parametrize(
    "name, words",
    [("clientIds", ("user", "id")), ("klient_id", ("user", "id")), ("userid", ("user", "id")),
     ("клиент", ("user",)), ("heroPasses", ("user", "pass")), ("abonementy", ("pass",)),
     ("createdAt", ("create", "at")),
     ("createdat", ("create", "at")), ("password", ("password",)), ("zamorozki", ("freeze",)), ("posts", ("post",)),
     ("membership", ("pass",)), ("member", ("user",)), ("setup", ("setup",)), ("reservations", ("book",))],
)  # fmt: skip
def test_names_are_read_in_both_languages_and_every_case(name, words):
    assert words_of(name) == words


USERS = [{"_id": oid(1, n)} for n in range(3000)]


@pytest.mark.parametrize(
    "field, users",
    [(lambda n: oid(1, n), USERS), (lambda n: str(oid(1, n)), USERS), (lambda n: DBRef("users", oid(1, n)), USERS),
     (own_uuid, [{"_id": own_uuid(n)} for n in range(3000)]),
     (lambda n: str(uuid.UUID(bytes=bytes(own_uuid(n)))), [{"_id": own_uuid(n)} for n in range(3000)]),
     (lambda n: Binary(bytes(own_uuid(n)), 3), [{"_id": Binary(bytes(own_uuid(n)), 3)} for n in range(3000)]),
     (lambda n: oid(1, n), [{"_id": str(oid(1, n))} for n in range(3000)]),
     (lambda n: n, [{"_id": n} for n in range(3000)])],
    ids=["objectId", "text of one", "dbRef", "uuid", "text of a uuid", "legacy uuid", "objectId of a text", "number"],
)  # fmt: skip
@pytest.mark.parametrize("knows_ids", [True, False], ids=["asked", "read on"])
def test_references_are_found_though_a_sample_misses_most_ids(field, users, knows_ids):
    visits = [{"_id": oid(9, n), "userId": field(2999 - n)} for n in range(200)]
    source = Database(
        {"users": users, "visits": visits, "logs": [{"_id": n} for n in range(50)]}, knows_ids
    )
    found = (
        explore_source(source, Bounds(100), lambda *_: None).collection("visits").field("userId")
    )
    assert [(r.collection, r.path, r.share) for r in found.references] == [("users", "_id", 1.0)]


@pytest.mark.parametrize(
    ("documents", "collections"), [(40, ["accounts"]), (10, [])], ids=["many", "few"]
)
def test_texts_that_are_all_ids_of_others_refer_to_them_whatever_their_name(documents, collections):
    accounts = [{"_id": f"a-{n}"} for n in range(50)]
    bills = [{"_id": n, "acct": f"a-{n}", "sku": f"s-{n}"} for n in range(documents)]
    found = explored({"accounts": accounts, "bills": bills}).collection("bills")
    assert [r.collection for r in found.field("acct").references] == collections
    assert found.field("sku").references == ()


def test_a_dangling_share_is_told():
    users = [{"_id": oid(1, n)} for n in range(75)]
    visits = [{"_id": n, "who": oid(1, n)} for n in range(100)]
    (reference,) = (
        explored({"users": users, "visits": visits}).collection("visits").field("who").references
    )
    assert (reference.share, reference.checked) == (0.75, 100)


def test_running_numbers_refer_only_to_what_they_are_named_after():
    numbered = [{"_id": n} for n in range(50)]
    visits = [{"_id": n, "club_id": n % 7, "legacy_id": n} for n in range(50)]
    found = explored({"clubs": numbered, "coaches": numbered, "visits": visits}).collection(
        "visits"
    )
    assert [r.collection for r in found.field("club_id").references] == ["clubs"]
    assert found.field("legacy_id").references == ()


def test_of_collections_that_share_their_ids_the_one_named_comes_first():
    people = [{"_id": oid(1, n)} for n in range(50)]
    visits = [{"_id": oid(2, n), "clientId": oid(1, n)} for n in range(50)]
    found = (
        explored({"avatars": people, "clients": people, "visits": visits})
        .collection("visits")
        .field("clientId")
    )
    assert [r.collection for r in found.references] == ["clients", "avatars"]


def test_keys_other_than_the_id_are_found():
    users = [{"_id": oid(1, n), "customerId": f"C-{n}"} for n in range(50)]
    sales = [{"_id": oid(2, n), "customerId": f"C-{n % 20}"} for n in range(60)]
    (reference,) = (
        explored({"users": users, "sales": sales})
        .collection("sales")
        .field("customerId")
        .references
    )
    assert (reference.collection, reference.path) == ("users", "customerId")


class _Failing(Database):
    def __init__(self, collections: Any, error: Exception) -> None:
        super().__init__(collections)
        self.error = error

    def facts(self, collection: str, *, exact: bool = False) -> Any:
        if collection == "broken":
            raise self.error
        return super().facts(collection)


def test_a_collection_that_cannot_be_read_is_told_and_does_not_hold_up_the_others():
    source = _Failing({"broken": [], "users": [{"_id": 1}]}, RisError("It is truncated."))
    found = explore_source(source, Bounds(), lambda *_: None)
    assert found.collection("broken").problem == "It is truncated."
    assert found.collection("users").sampled == 1


@pytest.mark.parametrize(
    "collections, error, sentence",
    [({}, RisError("no"), "no collections"), ({"broken": []}, RisError("Truncated."), "Truncated"),
     ({"broken": [], "users": [{}]}, Interrupted("It went away."), "went away")],
    ids=["empty", "nothing readable", "connection lost"],
)  # fmt: skip
def test_a_source_of_which_nothing_can_be_told_is_an_error(collections, error, sentence):
    with pytest.raises(RisError, match=sentence):
        explore_source(_Failing(collections, error), Bounds(), lambda *_: None)


def test_progress_is_told_by_collection():
    told: list[tuple[int, int, str]] = []
    explore_source(Database({"b": [], "a": []}), Bounds(), lambda *step: told.append(step))
    assert told == [(0, 3, "a"), (1, 3, "b"), (2, 3, "references"), (3, 3, "")]


def test_object_ids_are_told_as_they_are_written():
    assert profiled({"_id": ObjectId("65a0abee72cb22cbe2001958")}).field("_id").examples == (
        "65a0abee72cb22cbe2001958",
    )
