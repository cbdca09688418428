"""What mongodump wrote is read whole, in bounded batches, or refused in one sentence that names the file."""

import gzip
import itertools
import json
import random
from pathlib import Path

import bson
import pytest

from ris_assets.errors import RisError
from ris_assets.extract.dump import document_offsets, open_dump
from ris_assets.extract.dumps import cutting
from ris_assets.extract.dumps.crc64 import Crc64Check
from ris_assets.extract.dumps.metadata import describe_indexes
from ris_assets.resources.mongo import DumpSource, MongoResource
from tests.dump_files import MAGIC, TERMINATOR, archive, archive_of, crc64, encoded, write_folder

VISITS = [{"_id": n, "text": "é" * (n % 5)} for n in range(23)]
USERS = [{"_id": f"u{n}"} for n in range(4)]
STUDIO = {"visits": VISITS, "users": USERS, "empty": []}
FORMS = ("folder", "folder.gz", "archive", "archive.gz")


def dumped(root: Path, form: str, collections=STUDIO) -> Path:
    if form.startswith("folder"):
        return write_folder(root / "studio", collections, compress=form.endswith("gz"))
    whole = archive(collections)
    place = root / form
    place.write_bytes(gzip.compress(whole) if form.endswith("gz") else whole)
    return place


def read(place: Path, collection: str, database: str | None = None) -> list[dict]:
    return bson.decode_all(b"".join(open_dump(place, database).batches(collection)))


@pytest.mark.parametrize("chunk", [64, 300, cutting.BATCH_BYTES])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_dump_gives_the_same_documents(tmp_path, monkeypatch, form, chunk):
    monkeypatch.setattr(cutting, "BATCH_BYTES", chunk)
    place = dumped(tmp_path, form)
    assert open_dump(place).collections() == ["empty", "users", "visits"]
    assert {name: read(place, name) for name in STUDIO} == STUDIO


@pytest.mark.parametrize("form", FORMS)
def test_batches_stay_small_and_end_between_documents(tmp_path, monkeypatch, form):
    monkeypatch.setattr(cutting, "BATCH_BYTES", 128)
    batches = list(open_dump(dumped(tmp_path, form)).batches("visits"))
    assert len(batches) > 3
    assert max(map(len, batches)) < 256
    assert all(bson.decode_all(raw) for raw in batches)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.999])
def test_a_truncated_dump_never_ends_silently(tmp_path, form, share):
    place = dumped(tmp_path, form, {"visits": [{"n": n, "r": random.random()} for n in range(99)]})
    file = place if place.is_file() else next(place.glob("*.bson*"))
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])
    with pytest.raises(RisError, match=rf"{file.name} (is truncated|cannot be read)"):
        read(place, "visits")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (b"\x00\x00\x00\x00\x00", "is broken at byte 12: a document claims a length of 0"),
        (b"\x04\x00\x00\x00\x00", "claims a length of 4 "),
        (b"\xf0\xff\xff\xff\x00", "claims a length of -16 "),
        (b"\x00\x00\x00\x7f\x00", "claims a length of 2130706432 "),
        (b"\x06\x00\x00\x00\x00\x01", "claims a length of 6 "),
        (TERMINATOR, "end of block"),
        (b"\x07\x00", "truncated"),
        (b"garbage at the end of a file", "is broken at byte 12"),
    ],
)
@pytest.mark.parametrize("compress", [False, True])
def test_what_is_no_document_is_said_with_its_place(tmp_path, damage, words, compress):
    place = write_folder(tmp_path / "db", {"c": [bson.encode({"a": 1}), damage]}, compress=compress)
    with pytest.raises(RisError, match=words):
        read(place, "c")


@pytest.mark.parametrize("lie", [-3, -1, 1, 3, 9])
def test_a_length_that_lies_within_the_file_is_noticed(tmp_path, lie):
    one = bson.encode({"a": "some text"})
    lying = (len(one) + lie).to_bytes(4, "little") + one[4:]
    with pytest.raises(RisError, match=r"c\.bson is (broken at byte \d+|truncated)"):
        read(write_folder(tmp_path, {"c": [lying, one, one]}), "c")


@pytest.mark.parametrize("form", FORMS)
def test_the_largest_documents_pass(tmp_path, form, monkeypatch):
    monkeypatch.setattr(cutting, "BATCH_BYTES", 1 << 20)
    large = bson.encode({"a": b"x" * (16 * 1024 * 1024 - 13)})
    assert len(large) == 16 * 1024 * 1024
    if form.startswith("folder"):
        place = write_folder(tmp_path / "db", {"c": [large, large]}, compress=form.endswith("gz"))
    else:
        place = tmp_path / form
        whole = archive({"c": [large, large]}, crc_of=lambda _: 0).replace(
            b"\x12CRC\0", b"\x12crc\0"
        )
        place.write_bytes(gzip.compress(whole, 1) if form.endswith("gz") else whole)
    assert b"".join(open_dump(place).batches("c")) == large * 2


def test_an_empty_file_is_an_empty_collection(tmp_path):
    (tmp_path / "c.bson").write_bytes(b"")
    assert read(tmp_path, "c") == []


# ---- folders


def test_names_are_decoded_and_what_is_not_the_business_is_left_out(tmp_path):
    write_folder(tmp_path / "db", {"a/b:c": USERS, "system.views": [], "plain": []})
    (tmp_path / "oplog.bson").write_bytes(b"")
    (tmp_path / "prelude.json").write_text("{}")
    (tmp_path / "db" / "._plain.bson").write_bytes(b"an archiver's leftover")
    (tmp_path / "db" / "a%2Fb%3Ac.metadata.json").unlink()
    source = open_dump(tmp_path)
    assert source.collections() == ["a/b:c", "plain"]
    assert list(itertools.chain(*map(bson.decode_all, source.batches("a/b:c")))) == USERS


def test_a_name_too_long_for_a_file_is_read_from_the_metadata(tmp_path):
    (tmp_path / "aaa%24hash.bson").write_bytes(b"")
    (tmp_path / "aaa%24hash.metadata.json").write_text(json.dumps({"collectionName": "a" * 250}))
    assert open_dump(tmp_path).collections() == ["a" * 250]


@pytest.mark.parametrize("asked", [None, "studio"])
def test_of_several_dumps_of_a_database_none_is_chosen(tmp_path, asked):
    for day in range(1, 8):
        write_folder(tmp_path / f"2026-11-0{day}" / "studio", {"users": USERS})
    with pytest.raises(RisError, match=r"'studio' 7 times \(.*11-03/studio.* and 2 more\)"):
        open_dump(tmp_path, asked)
    newest = open_dump(tmp_path / "2026-11-07", asked)
    assert newest.collections() == ["users"]


def test_of_several_databases_one_must_be_named(tmp_path):
    for name in ("one", "two", "admin"):
        write_folder(tmp_path / name, {name: USERS})
    with pytest.raises(RisError, match=r"several databases \(admin, one, two\).*\?db="):
        open_dump(tmp_path)
    with pytest.raises(RisError, match="no database 'three', but admin, one, two"):
        open_dump(tmp_path, "three")
    with MongoResource(url=f"file:{tmp_path}?db=two").open() as source:
        assert source.collections() == ["two"]
    assert open_dump(tmp_path / "one").collections() == ["one"]


def test_a_collection_dumped_twice_is_refused(tmp_path):
    write_folder(tmp_path, {"c": USERS})
    write_folder(tmp_path, {"c": USERS}, compress=True)
    with pytest.raises(RisError, match=r"holds c twice: remove c\.bson or c\.bson\.gz"):
        open_dump(tmp_path)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda place: None, "does not exist"),
        (lambda place: place.mkdir(), r"holds no \.bson file"),
        (lambda place: place.write_bytes(b"no archive"), "is no mongodump archive"),
        (lambda place: place.write_bytes(b""), "is truncated"),
        (lambda place: place.write_bytes(gzip.compress(b"no archive")), "is no mongodump archive"),
        (lambda place: place.write_bytes(archive_of({})), "holds no collection"),
    ],
)
def test_what_is_no_dump_ends_in_one_sentence(tmp_path, make, words):
    place = tmp_path / "place"
    make(place)
    with pytest.raises(RisError, match=words) as caught:
        open_dump(place)
    assert str(place) in str(caught.value)


@pytest.mark.parametrize("text", ["{", "[]", "", '{"indexes": 7}'])
def test_broken_metadata_costs_its_notes_only(tmp_path, text):
    write_folder(tmp_path, {"c": USERS})
    (tmp_path / "c.metadata.json").write_text(text)
    assert read(tmp_path, "c") == USERS
    assert DumpSource(tmp_path).facts("c").indexes == ()


# ---- archives


def test_an_archive_of_several_databases_gives_the_one_named(tmp_path):
    held = {("a", "c"): encoded(USERS), ("b", "c"): encoded(VISITS), ("", "oplog"): []}
    place = tmp_path / "all.archive"
    place.write_bytes(archive_of(held))
    with pytest.raises(RisError, match=r"several databases \(a, b\)"):
        open_dump(place)
    assert (read(place, "c", "a"), read(place, "c", "b")) == (USERS, VISITS)


def test_an_archive_lists_neither_views_nor_the_servers_own(tmp_path):
    place = tmp_path / "dump"
    place.write_bytes(archive({"c": USERS, "system.js": []}, views=["shown"]))
    assert open_dump(place).collections() == ["c"]


@pytest.mark.parametrize("block", [1, 5, 100])
def test_blocks_of_any_length_are_put_together(tmp_path, block):
    place = tmp_path / "dump"
    place.write_bytes(archive(STUDIO, block=block))
    assert {name: read(place, name) for name in STUDIO} == STUDIO


def test_a_changed_byte_breaks_the_checksum(tmp_path):
    whole = archive({"c": [{"text": "honest"}], "d": USERS})
    place = tmp_path / "dump"
    place.write_bytes(whole.replace(b"honest", b"forged"))
    assert read(place, "d") == USERS
    with pytest.raises(RisError, match="checksum of collection c does not fit"):
        read(place, "c")


@pytest.mark.parametrize(
    ("tail", "words"),
    [
        (TERMINATOR * 2, "does not begin with its collection"),
        (b"\x00\x10\x00\x00", "is truncated"),
        (b"\x08\x00\x00\x00\x7fxx\x00", "header is no document"),
        (b"", "is truncated"),
    ],
)
def test_a_broken_block_is_said_with_its_place(tmp_path, tail, words):
    place = tmp_path / "dump"
    whole = archive({"c": []})
    place.write_bytes(whole[: whole.index(TERMINATOR) + 4] + tail)
    with pytest.raises(RisError, match=words):
        read(place, "c")


def test_the_prelude_is_verified_too(tmp_path):
    place = tmp_path / "dump"
    place.write_bytes(MAGIC + b"\x02\x00\x00\x00")
    with pytest.raises(RisError, match="is broken at byte 4"):
        open_dump(place)


@pytest.mark.parametrize("step", [1, 4, 100])
def test_checksums_are_those_of_the_published_check_value(step):
    data = b"123456789"
    assert crc64(data) & (2**64 - 1) == 0x995DC9BBDF1939FA
    for value, is_right in ((crc64(data), True), (crc64(data) ^ 1, False)):
        check = Crc64Check()
        for start in range(0, len(data), step):
            check.add(data[start : start + step])
        assert check.holds(value) is is_right


def test_checksums_hold_over_many_chunks():
    data = random.Random(1).randbytes(70_000)
    check = Crc64Check()
    check.add(data)
    assert check.holds(crc64(data))


# ---- facts and samples


@pytest.mark.parametrize("form", FORMS)
def test_a_dump_counts_exactly_when_asked(tmp_path, form):
    facts = DumpSource(dumped(tmp_path, form)).facts("visits", exact=True)
    assert (facts.documents, facts.bytes) == (23, sum(map(len, encoded(VISITS))))


def test_a_plain_file_is_estimated_at_once_and_a_compressed_one_is_not(tmp_path):
    plain = DumpSource(write_folder(tmp_path / "a", STUDIO))
    packed = DumpSource(write_folder(tmp_path / "b", STUDIO, compress=True))
    assert plain.facts("visits").documents == 23
    assert plain.facts("empty").documents == 0
    assert (packed.facts("visits").documents, packed.facts("visits").bytes) == (None, None)


def test_indexes_read_as_words(tmp_path):
    indexes = [
        {"key": {"email": {"$numberInt": "1"}}, "unique": True},
        {"key": {"user": 1, "at": {"$numberDouble": "-1.0"}}},
        {"key": {"place": "2dsphere"}},
    ]
    source = DumpSource(write_folder(tmp_path, {"c": []}, indexes={"c": indexes}))
    assert source.facts("c").indexes == ("email (unique)", "place 2dsphere", "user, at desc")
    assert describe_indexes([{"key": {"_id": 1}, "unique": True}]) == ()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("wanted", "given"), [(1, 1), (7, 7), (23, 23), (500, 23)])
def test_a_sample_is_spread_over_the_whole_collection(tmp_path, monkeypatch, form, wanted, given):
    monkeypatch.setattr(cutting, "BATCH_BYTES", 100)
    source = DumpSource(dumped(tmp_path, form))
    drawn = [d["_id"] for raw in source.sample("visits", wanted) for d in bson.decode_all(raw)]
    assert len(drawn) == len(set(drawn)) == given
    gaps = [b - a for a, b in itertools.pairwise([*drawn, len(VISITS)])]
    assert max(gaps) <= 2 * len(VISITS) / given + 2


def test_a_sample_of_large_documents_stays_within_its_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(cutting, "SAMPLE_BYTES", 1000)
    source = DumpSource(write_folder(tmp_path, {"c": [{"x": "x" * 300}] * 40}))
    assert 0 < sum(map(len, source.sample("c", 30))) <= 1000


def test_a_sample_ends_when_its_time_is_up(tmp_path, monkeypatch):
    monkeypatch.setattr(cutting, "BATCH_BYTES", 100)
    monkeypatch.setattr(cutting, "SAMPLE_SECONDS", -1.0)
    source = DumpSource(write_folder(tmp_path, STUDIO))
    drawn = bson.decode_all(b"".join(source.sample("visits", 23)))
    assert 0 < len(drawn) < 23


def test_a_collection_that_a_dump_lacks_is_named(tmp_path):
    source = DumpSource(write_folder(tmp_path, STUDIO))
    for read_it in (source.facts, lambda c: source.batches(c, {}), lambda c: source.sample(c, 5)):
        with pytest.raises(RisError, match="no collection pets, but empty, users, visits"):
            read_it("pets")


def test_offsets_end_after_the_last_whole_document():
    one, two = bson.encode({"a": 1}), bson.encode({"b": "text"})
    assert document_offsets(one + two + b"\x20\x00\x00\x00") == [0, len(one), len(one) + len(two)]
