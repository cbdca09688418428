"""Source maps and dumps: what is refused, and in which words."""

import gzip
from pathlib import Path

import bson
import pytest

from ris_assets.errors import RisError
from ris_assets.extract import dump
from ris_assets.extract.dump import DumpDirectory, document_offsets
from ris_assets.extract.source_map import load_source_map

PASSES = (
    "{collection: p, fields: {hp_id: a, user_id: b, purchased_at: c, starts_at: d, ends_at: e}}"
)
USERS = "{collection: u, fields: {user_id: _id, registered_at: createdAt}}"


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_the_smallest_map_has_users_and_passes(tmp_path):
    text = f"entities: {{users: {USERS}, hero_passes: {PASSES}}}"
    assert set(load_source_map(write(tmp_path / "m.yaml", text)).entities) == {
        "users",
        "hero_passes",
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"entities: {{users: {USERS}}}", "mandatory entities are not mapped: hero_passes"),
        (
            f"entities: {{users: {USERS}, hero_passes: {PASSES}, pets: {USERS}}}",
            "unknown entity `pets`",
        ),
        ("entities: {users: {collection: u, fields: {user_id: _id}}}", "needs registered_at"),
        ("entities: {users: {collection: u, fields: {shoe_size: s}}}", "has no field shoe_size"),
        ("entities: {users: {fields: {}}}", "entities.users.collection"),
        ("entities: [", "is not YAML"),
    ],
)
def test_a_wrong_map_ends_in_one_sentence_that_names_the_place(tmp_path, text, words):
    with pytest.raises(RisError, match=words):
        load_source_map(write(tmp_path / "m.yaml", text))


def test_an_unreadable_map_names_its_path(tmp_path):
    with pytest.raises(RisError, match=r"absent\.yaml cannot be read"):
        load_source_map(tmp_path / "absent.yaml")


def test_batches_end_between_documents(tmp_path, monkeypatch):
    documents = [{"n": n, "pad": "x" * n} for n in range(50)]
    (tmp_path / "c.bson").write_bytes(b"".join(map(bson.encode, documents)))
    monkeypatch.setattr(dump, "BATCH_BYTES", 256)
    batches = list(DumpDirectory(tmp_path).batches("c"))
    assert len(batches) > 5
    assert [d for raw in batches for d in bson.decode_all(raw)] == documents


def test_a_gzipped_collection_reads_like_a_plain_one(tmp_path):
    (tmp_path / "db").mkdir()
    with gzip.open(tmp_path / "db" / "c.bson.gz", "wb") as stream:
        stream.write(bson.encode({"a": 1}))
    source = DumpDirectory(tmp_path)
    assert source.collections() == ["c"]
    assert [bson.decode_all(raw) for raw in source.batches("c")] == [[{"a": 1}]]


def test_a_truncated_dump_is_said_so(tmp_path):
    (tmp_path / "c.bson").write_bytes(bson.encode({"a": 1}) + bson.encode({"b": 2})[:-3])
    with pytest.raises(RisError, match="truncated"):
        list(DumpDirectory(tmp_path).batches("c"))


def test_a_folder_without_bson_is_no_dump(tmp_path):
    with pytest.raises(RisError, match=r"no \.bson file"):
        DumpDirectory(tmp_path)


def test_offsets_end_after_the_last_whole_document():
    one, two = bson.encode({"a": 1}), bson.encode({"b": "text"})
    assert document_offsets(one + two + b"\x20\x00\x00\x00") == [0, len(one), len(one) + len(two)]
