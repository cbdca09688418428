"""A server and a dump are one source; a server's failures end in one sentence, and those that may pass say so."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import bson
import pytest
from bson.raw_bson import RawBSONDocument
from pymongo.errors import ServerSelectionTimeoutError

from ris_assets.errors import Interrupted, RisError
from ris_assets.extract.query import both, filter_query, window_query
from ris_assets.resources import mongo
from ris_assets.resources.mongo import DocumentSource, MongoResource
from tests.dump_files import encoded, write_folder
from tests.wire_server import Fault, WireServer, refusal, wire_server

DOCUMENTS = [
    {"_id": n, "at": datetime(2024, 1, 1, n, tzinfo=UTC), "text": "é" * n} for n in range(8)
]
AWARE = bson.CodecOptions(tz_aware=True)
SECRET = "s3cr%2Fet"
LOGIN = f"ana:{SECRET}@"


@contextmanager
def served(collections: dict, *how, **more) -> Iterator[tuple[DocumentSource, WireServer]]:
    """A source of a server that holds these collections, and the server."""
    with (
        wire_server(collections, *how, **more) as server,
        MongoResource(url=server.url).open() as source,
    ):
        yield source, server


def read(url: str, query: dict | None = None) -> list[dict]:
    with MongoResource(url=url).open() as source:
        raw = b"".join(source.batches("visits", query or {}))
    return bson.decode_all(raw, AWARE)


def test_server_and_dump_give_the_same_documents(tmp_path):
    place = write_folder(tmp_path, {"visits": DOCUMENTS})
    with wire_server({"visits": DOCUMENTS}) as server:
        assert read(server.url) == read(f"file:{place}") == DOCUMENTS


@pytest.mark.parametrize("batch_size", [1, 8, 100_000])
def test_large_replies_are_byte_identical(batch_size):
    documents = encoded([{"_id": n, "x": "x" * (n * 997)} for n in range(200)])
    with served({"visits": documents}, batch_size) as (source, _server):
        batches = list(source.batches("visits", {}))
        assert b"".join(batches) == b"".join(documents)
        assert max(map(len, batches)) <= 16 * 1024 * 1024 + len(documents[-1])
        assert len(batches) >= 200 // batch_size


def test_no_object_is_made_of_a_document(monkeypatch):
    made = []
    whole = RawBSONDocument.__init__
    monkeypatch.setattr(RawBSONDocument, "__init__", lambda *a, **k: made.append(whole(*a, **k)))
    with served({"visits": DOCUMENTS * 100}, 100_000) as (source, _server):
        assert sum(map(len, source.batches("visits", {}))) > 100 * len(DOCUMENTS)
    assert len(made) < 50  # a few for each reply


START, END = datetime(2024, 1, 1, 2, tzinfo=UTC), datetime(2024, 1, 1, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({"at": {"$gte": START, "$lt": END}}, [2, 3, 4]),
        (window_query("at", "date", START, END), [2, 3, 4]),
        (
            both(window_query("at", "date", START, None), filter_query({"text": {"$ne": "ééé"}})),
            [2, 4, 5, 6, 7],
        ),
        ({"_id": {"$in": [1, 3, 99]}}, [1, 3]),
        ({"text": {"$not": {"$type": "string"}}}, []),
    ],
)
def test_the_server_is_asked_once_and_for_what_counts_only(query, ids):
    with wire_server({"visits": DOCUMENTS}) as server:
        assert [d["_id"] for d in read(server.url, query)] == ids
        assert len(server.queries) == 1


def test_collections_are_listed_without_the_servers_own():
    with served({"b": [], "a": [], "system.views": []}) as (source, _server):
        assert source.collections() == ["a", "b"]


@pytest.mark.parametrize("exact", [False, True])
def test_facts_count_measure_and_name_indexes(exact):
    index = {"v": 2, "key": {"at": -1}, "name": "x", "unique": True}
    with served({"visits": DOCUMENTS}, indexes={"visits": [index]}) as (source, _server):
        facts = source.facts("visits", exact=exact)
    size = sum(map(len, encoded(DOCUMENTS)))
    assert facts == mongo.CollectionFacts(8, size, ("at desc (unique)",))


def test_facts_that_a_server_refuses_are_unknown():
    faults = [refusal(13, on=("collStats",)), refusal(166, on=("listIndexes",))]
    with served({"visits": DOCUMENTS}, faults=faults) as (source, _server):
        assert source.facts("visits") == mongo.CollectionFacts(8, None, ())


@pytest.mark.parametrize("faults", [[], [refusal(40324, on=("aggregate",))]])
def test_a_sample_is_drawn_or_else_taken_from_the_beginning(faults):
    with served({"visits": DOCUMENTS}, faults=faults) as (source, _server):
        drawn = bson.decode_all(b"".join(source.sample("visits", 5)), AWARE)
    assert len({d["_id"] for d in drawn}) == 5
    assert all(d in DOCUMENTS for d in drawn)
    assert (drawn == DOCUMENTS[:5]) is bool(faults)


def test_ids_are_looked_for_in_steps(monkeypatch):
    monkeypatch.setattr(mongo, "IDS_A_QUERY", 3)
    documents = [{"_id": n} for n in range(5)] + [{"_id": {"a": 1}}, {"_id": "x"}]
    with served({"visits": documents}) as (source, server):
        there = source.find_ids("visits", [0, 4, 7, 9, "x", {"a": 1}])
        assert there == {0, 4, "x", bson.encode({"a": 1})}
        assert len(server.queries) == 2


def test_a_dump_cannot_tell_ids_and_knows_no_queries(tmp_path):
    with MongoResource(
        url=f"file:{write_folder(tmp_path, {'visits': DOCUMENTS})}"
    ).open() as source:
        assert source.find_ids("visits", [1]) is None
        assert not source.can_query
    assert len(read(f"file:{tmp_path}", {"_id": 1})) == 8


# ---- options


def sent(options: str = "") -> dict:
    """The find command that reaches the server."""
    with wire_server({"visits": DOCUMENTS}, 100) as server:
        read(server.url_with("", options))
        return next(command for command in server.commands if "find" in command)


def test_secondaries_and_what_the_majority_holds_are_read_unless_the_url_says_otherwise():
    assert sent()["readConcern"]["level"] == "majority"
    assert sent()["batchSize"] > 10_000
    assert sent("&readConcernLevel=local")["readConcern"]["level"] == "local"
    # Lower case, as MongoDB's own options are case-insensitive.
    assert sent("&readconcernlevel=available")["readConcern"]["level"] == "available"


@pytest.mark.parametrize("code", [72, 115, 148, 238])
def test_a_server_without_majority_is_asked_without(code):
    with wire_server({"visits": DOCUMENTS}, faults=[refusal(code, on=("find",))]) as server:
        assert read(server.url) == DOCUMENTS
        finds = [command for command in server.commands if "find" in command]
        assert "readConcern" not in finds[-1]


def test_nothing_but_reads_is_sent():
    with served({"visits": DOCUMENTS}) as (source, server):
        source.collections(), source.facts("visits"), source.find_ids("visits", [1])
        list(source.sample("visits", 3)), list(source.batches("visits", {"_id": 3}))
        names = {next(iter(command)) for command in server.commands}
    assert names <= {
        "hello", "ismaster", "isMaster", "find", "getMore", "aggregate", "count", "collStats",
        "listCollections", "listIndexes", "killCursors", "endSessions",
    }  # fmt: skip


# ---- faults

QUICK = "&socketTimeoutMS=300&serverSelectionTimeoutMS=2000&connectTimeoutMS=2000"
# The client itself tries a read again once; an `error` must strike twice to be seen.
TRANSIENT = [
    (Fault("drop", after=0, times=2), "went away while reading collection visits"),
    (Fault("drop", after=1), "went away"),
    (Fault("half", after=1), "went away"),
    (Fault("garbage", after=1), "went away"),
    (Fault("slow", after=1, seconds=0.6), "timed out"),
    (
        refusal(43, on=("getMore",)),
        "went away while reading collection visits: refused with code 43",
    ),
    (refusal(10107, on=("find",), times=2), "code 10107"),
    (refusal(11602, on=("getMore",)), "code 11602"),
    (refusal(189, on=("getMore",)), "code 189"),
    (refusal(91, on=("find",), times=2), "code 91"),
    (refusal(11600, on=("getMore",)), "code 11600"),
    (refusal(13435, on=("find",), times=2), "code 13435"),
    (refusal(262, on=("getMore",)), "code 262"),
]


@pytest.mark.parametrize(
    ("fault", "words"), TRANSIENT, ids=[f"{f.kind}{f.code}-{f.after}" for f, _ in TRANSIENT]
)
def test_a_passing_failure_is_an_interruption_and_the_next_try_succeeds(fault, words):
    fault.seen = 0
    with wire_server({"visits": DOCUMENTS}, faults=[fault]) as server:
        url = server.url_with("", QUICK)
        with pytest.raises(Interrupted, match=words) as caught:
            read(url)
        assert "\n" not in str(caught.value)
        assert read(url) == DOCUMENTS


LASTING = [
    (
        refusal(18, on=("saslStart",), times=9),
        LOGIN,
        "refuses the login of RIS_MONGO_URL: check user",
    ),
    (
        refusal(13, times=9),
        "",
        "does not allow .* reading collection visits: grant the role `read`",
    ),
    (refusal(2, times=9), "", "failed while reading collection visits: refused with code 2"),
    (
        Fault("broken", times=9),
        "",
        "sent something that is no document while reading collection visits",
    ),
]


@pytest.mark.parametrize(("fault", "login", "words"), LASTING)
def test_a_lasting_failure_is_said_at_once(fault, login, words):
    with (
        wire_server({"visits": DOCUMENTS}, faults=[fault]) as server,
        pytest.raises(RisError, match=words) as caught,
    ):
        read(server.url_with(login, QUICK))
    assert not isinstance(caught.value, Interrupted)
    assert SECRET not in str(caught.value) and "s3cr/et" not in str(caught.value)


def test_listing_and_measuring_are_interrupted_alike():
    faults = [Fault("drop", ("listCollections", "count", "aggregate"), times=99)]
    with served({"visits": DOCUMENTS}, faults=faults) as (source, _server):
        for ask in (
            source.collections,
            lambda: source.facts("visits"),
            lambda: list(source.sample("visits", 3)),
        ):
            with pytest.raises(Interrupted, match="went away"):
                ask()


def test_documents_that_change_while_they_are_read_come_as_they_are_then():
    with wire_server({"visits": DOCUMENTS}) as server:
        changed = [*DOCUMENTS[:3], *({**d, "text": "new"} for d in DOCUMENTS[3:]), {"_id": 99}]
        server.faults = [Fault("change", ("getMore",), call=lambda: server.put("visits", changed))]
        assert read(server.url) == changed


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mongodb://127.0.0.1:1/studio?serverSelectionTimeoutMS=200", "cannot be reached"),
        ("mongodb://127.0.0.1:1", "No default database"),
        ("mongodb://127.0.0.1:1/", "No default database"),
        ("mongodb://host:port/studio", "is no MongoDB URL"),
        ("mongodb://", "is no MongoDB URL"),
        ("mongodb://h/studio?tls=true&tlsCAFile=/nowhere", "cannot be used|no MongoDB URL"),
        ("mongodb://h/studio?authMechanism=NONE", "cannot be used|no MongoDB URL"),
        ("mongodb://h/studio?readPreference=fastest", "cannot be used|no MongoDB URL"),
        ("file:/nowhere/at/all", "does not exist"),
    ],
)
def test_a_source_that_is_not_there_ends_in_one_sentence(url, words):
    with pytest.raises(RisError, match=words) as caught:
        read(url)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "mongodb://ana:s3cr/et@127.0.0.1:1/studio",
        "mongodb://ana:s3cr:et@127.0.0.1:1/studio",
        "mongodb://ana:s3cr@et@127.0.0.1:1/studio",
        "mongodb://ana:s3cr%@127.0.0.1:1/studio",
        "mongodb://ana:s3cret@127.0.0.1:1/?authSource=",
        "mongodb://ana:s3cret@127.0.0.1:port/studio",
        "mongodb://ana:s3cret@127.0.0.1:1/studio?authMechanism=s3cret",
        "mongodb://ana:s3cret@127.0.0.1:1/studio?serverSelectionTimeoutMS=100",
        "mongodb+srv://ana:s3cret@127.0.0.1:1/studio",
    ],
)
def test_no_sentence_quotes_a_password(url):
    with pytest.raises(RisError) as caught:
        read(url)
    chain: BaseException | None = caught.value
    while chain is not None:
        assert "s3cr" not in str(chain)
        chain = chain.__cause__


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("bad port in ana", ""),
        ("bad host s3cr/et", ""),
        ("bad host s3cr%2Fet", ""),
        ("bad option k3y", ""),
        ("bad option", " (bad option)"),
    ],
)
def test_a_reason_that_quotes_the_login_is_left_out(text, quoted):
    url = f"mongodb://{LOGIN}host/studio?tlsCertificateKeyFilePassword=k3y"
    assert mongo._unless_secret(ValueError(text + "."), url) == quoted


@pytest.mark.parametrize(
    "text",
    [
        "SSL handshake failed: h:27017: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed",
        "SSL handshake failed: h:27017: [SSL: WRONG_VERSION_NUMBER] wrong version number",
        "SSL handshake failed: h:27017: [SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED]",
    ],
)
def test_a_tls_that_is_set_up_wrongly_is_not_tried_again(text):
    with pytest.raises(RisError, match=r"TLS is refused.*tlsCAFile") as caught, mongo._plainly("x"):
        raise ServerSelectionTimeoutError(text)
    assert not isinstance(caught.value, Interrupted)


def test_the_next_batch_is_on_its_way_while_one_is_worked_on():
    with served({"visits": DOCUMENTS}, 3) as (source, server):
        batches = source.batches("visits", {})
        next(batches)
        until = time.monotonic() + 5
        while (
            "getMore" not in {next(iter(c)) for c in server.commands} and time.monotonic() < until
        ):
            time.sleep(0.01)
        assert time.monotonic() < until


def test_a_read_that_is_given_up_waits_for_nothing():
    slow = Fault("slow", ("getMore",), seconds=3)
    began = time.monotonic()
    with served({"visits": DOCUMENTS}, 3, faults=[slow]) as (source, _server):
        batches = source.batches("visits", {})
        next(batches)
        batches.close()
        assert time.monotonic() - began < 2
