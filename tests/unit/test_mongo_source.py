"""A server and a dump are one source: the real client reads both alike."""

from datetime import UTC, datetime

import bson
import pytest

from ris_assets.errors import RisError
from ris_assets.resources.mongo import MongoResource
from tests.wire_server import wire_server

DOCUMENTS = [{"_id": n, "at": datetime(2024, 1, 1, tzinfo=UTC), "text": "é" * n} for n in range(8)]


def read(url: str, query: dict | None = None) -> list[dict]:
    with MongoResource(url=url).open() as source:
        raw = b"".join(source.batches("visits", query or {}))
    return bson.decode_all(raw, bson.CodecOptions(tz_aware=True))


def test_server_and_dump_give_the_same_documents(tmp_path):
    (tmp_path / "visits.bson").write_bytes(b"".join(map(bson.encode, DOCUMENTS)))
    with wire_server({"visits": DOCUMENTS}) as server:
        assert read(server.url) == read(f"file:{tmp_path}") == DOCUMENTS


def test_the_server_is_asked_for_the_window_only():
    query = {"at": {"$gte": datetime(2024, 1, 1, tzinfo=UTC)}}
    with wire_server({"visits": DOCUMENTS}) as server:
        read(server.url, query)
        assert [set(asked) for asked in server.queries] == [{"at"}]


def test_collections_are_listed():
    with wire_server({"a": [], "b": []}) as server, MongoResource(url=server.url).open() as source:
        assert source.collections() == ["a", "b"]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mongodb://127.0.0.1:1/studio?serverSelectionTimeoutMS=200", "cannot be read"),
        ("mongodb://127.0.0.1:1", "No default database"),
        ("file:/nowhere/at/all", "does not exist"),
    ],
)
def test_a_source_that_is_not_there_ends_in_one_sentence(url, words):
    with pytest.raises(RisError, match=words):
        read(url)
