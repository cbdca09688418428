"""A real server, whichever it is, gives the same bytes as a dump of the same documents."""

import re
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import bson
import pytest
from bson import DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.binary import Binary, UuidRepresentation
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.errors import InvalidDocument
from bson.raw_bson import DEFAULT_RAW_BSON_OPTIONS
from pymongo.errors import OperationFailure

from ris_assets.errors import RisError
from ris_assets.extract.query import both, filter_query, window_query
from ris_assets.resources.mongo import DumpSource, MongoResource, load_dump
from tests.dump_files import encoded, write_folder
from tests.queries import matches

PLACE = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")
VALUES = {
    "double": 1.5,
    "not a number": float("nan"),
    "infinity": float("-inf"),
    "text": "Ж\u0000é",
    "document": {"a": {"b": 1}, "": 2},
    "array": [1, None, "x", [2, {"c": 3}]],
    "binary": Binary(b"\x00\x01", 128),
    "uuid": Binary.from_uuid(PLACE),
    "legacy uuid": Binary.from_uuid(PLACE, UuidRepresentation.JAVA_LEGACY),
    "object id": ObjectId("0123456789abcdef01234567"),
    "true": True,
    "date": datetime(2024, 2, 29, 23, 59, 59, 999000, tzinfo=UTC),
    "date before 1970": datetime(1901, 1, 1, tzinfo=UTC),
    "date after 9999": DatetimeMS(2**48),
    "null": None,
    "regex": Regex("^a.*z$", re.IGNORECASE),
    "reference": DBRef("users", 7, "studio"),
    "code": Code("return 1"),
    "int": 7,
    "timestamp": Timestamp(1_700_000_000, 3),
    "long": Int64(2**53 + 1),
    "decimal": Decimal128("12345678901234567890.1234"),
    "decimal not a number": Decimal128("NaN"),
    "least": MinKey(),
    "greatest": MaxKey(),
    "dotted keys": {"a.b": 1, "$c": 2},
    "15 MB": "x" * (15 * 1024 * 1024),
}
AWARE = bson.CodecOptions(tz_aware=True)
START = datetime(2024, 1, 1, tzinfo=UTC)
VISITS = [
    {
        "_id": n,
        "at": START + timedelta(hours=n) if n % 10 else [None, "2024-01-01T05:00:00Z", 17][n % 3],
        "user": {"id": n % 5, "name": f"user {n % 5}"},
        "marks": [n % 3, n % 7],
    }
    for n in range(300)
]


def read(url: str, collection: str, query: dict | None = None) -> bytes:
    with MongoResource(url=url).open() as source:
        return b"".join(source.batches(collection, query or {}))


@pytest.mark.parametrize("kind", VALUES)
def test_every_type_comes_as_the_bytes_that_a_dump_holds(live_url, live_database, tmp_path, kind):
    name, document = "one_" + kind.replace(" ", "_"), {"_id": 1, "value": VALUES[kind]}
    try:
        live_database[name].insert_one(document)
        kept = live_database.get_collection(name, DEFAULT_RAW_BSON_OPTIONS).find_one()
    except (OperationFailure, InvalidDocument) as error:
        pytest.skip(f"this server takes no {kind}: {str(error)[:80]}")
    if kept is None or bytes(kept.raw) != bson.encode(document):
        pytest.skip(f"this server keeps {kind} in another form")
    dump = write_folder(tmp_path / "db", {name: [document]})
    assert read(live_url, name) == read(f"file:{dump}", name) == bson.encode(document)


@pytest.fixture(scope="module")
def visits(live_url):
    import pymongo

    with pymongo.MongoClient(live_url) as client:
        collection = client.get_default_database()["visits"]
        collection.insert_many(VISITS)
        collection.create_index([("user.id", 1), ("at", -1)])
    return live_url


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"at": {"$gte": START + timedelta(hours=40), "$lt": START + timedelta(hours=90)}},
        {"user.id": {"$in": [1, 3]}},
        {"_id": {"$ne": 7}, "marks": 2},
        {"at": None},
        window_query("at", "date", START + timedelta(hours=40), START + timedelta(hours=90)),
        both(window_query("at", "date", START, None), filter_query({"user.id": {"$in": [2]}})),
        filter_query({"user.name": {"$exists": True}, "missing": {"$exists": False}}),
    ],
    ids=str,
)
def test_a_query_gives_what_a_filter_over_the_dump_gives(visits, query):
    found = bson.decode_all(read(visits, "visits", query), AWARE)
    assert sorted(d["_id"] for d in found) == [d["_id"] for d in VISITS if matches(d, query)]


def test_facts_name_count_and_index(visits):
    with MongoResource(url=visits).open() as source:
        assert "visits" in source.collections()
        for exact in (False, True):
            facts = source.facts("visits", exact=exact)
            assert (facts.documents, facts.indexes) == (300, ("user.id, at desc",))
            assert facts.bytes is None or facts.bytes > 1000


def test_a_sample_has_documents_of_the_collection(visits):
    with MongoResource(url=visits).open() as source:
        drawn = bson.decode_all(b"".join(source.sample("visits", 40)), AWARE)
    assert 0 < len(drawn) <= 40
    assert all(document in VISITS for document in drawn)


def test_ids_are_found(visits):
    with MongoResource(url=visits).open() as source:
        assert source.find_ids("visits", [0, 299, 300, "0"]) == {0, 299}


def test_an_absent_collection_is_empty(live_url):
    assert read(live_url, "nothing_here") == b""


def test_many_documents_come_in_bounded_batches(live_url, live_database):
    documents = encoded({"_id": n, "pad": "x" * 9_000} for n in range(4_000))
    for start in range(0, 4_000, 1_000):
        raw = [bson.raw_bson.RawBSONDocument(one) for one in documents[start : start + 1_000]]
        live_database["many"].insert_many(raw)
    with MongoResource(url=live_url).open() as source:
        batches = list(source.batches("many", {}))
    assert b"".join(batches) == b"".join(documents)
    assert max(map(len, batches)) < 48_000_000


def test_a_demo_is_loaded_once_and_into_an_empty_database_only(live_url, tmp_path: Path):
    import pymongo

    url = live_url + "_demo"
    dump = write_folder(tmp_path / "db", {"visits": VISITS, "empty": []})
    try:
        load_dump(url, dump)
        assert read(url, "visits") == b"".join(DumpSource(dump).batches("visits", {}))
        with pytest.raises(RisError, match="is not empty"):
            load_dump(live_url, dump)
    finally:
        with pymongo.MongoClient(url) as client:
            client.drop_database(client.get_default_database().name)
