"""Write dumps as mongodump does, from its formats: folders with metadata, and archives of interleaved blocks."""

import gzip
import json
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import bson

TERMINATOR = b"\xff\xff\xff\xff"
MAGIC = struct.pack("<I", 0x8199E26D)
POLYNOMIAL = 0xC96C5795D7870F42


def crc64(data: bytes) -> int:
    """CRC-64 (ECMA, reflected), signed as Go writes it into BSON; bit by bit, for small data."""
    crc = 0xFFFFFFFFFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (POLYNOMIAL if crc & 1 else 0)
    return struct.unpack("<q", struct.pack("<Q", crc ^ 0xFFFFFFFFFFFFFFFF))[0]


def encoded(documents: Iterable[Mapping[str, Any] | bytes]) -> list[bytes]:
    """Documents as BSON; bytes stay as they are."""
    return [one if isinstance(one, bytes) else bson.encode(one) for one in documents]


def write_folder(
    root: Path,
    collections: Mapping[str, Iterable[Mapping[str, Any] | bytes]],
    *,
    compress: bool = False,
    indexes: Mapping[str, list[dict[str, Any]]] | None = None,
) -> Path:
    """One database's folder: a file of documents and one of metadata per collection."""
    root.mkdir(parents=True, exist_ok=True)
    opened, suffix = (gzip.open, ".gz") if compress else (open, "")
    for name, documents in collections.items():
        stem = name.replace("/", "%2F").replace(":", "%3A")
        with opened(root / f"{stem}.bson{suffix}", "wb") as file:
            file.write(b"".join(encoded(documents)))
        with opened(root / f"{stem}.metadata.json{suffix}", "wt") as file:
            file.write(json.dumps(metadata(name, (indexes or {}).get(name, []))))
    return root


def metadata(name: str, indexes: list[dict[str, Any]]) -> dict[str, Any]:
    """What mongodump notes on a collection, in extended JSON."""
    own = {"v": {"$numberInt": "2"}, "key": {"_id": {"$numberInt": "1"}}, "name": "_id_"}
    return {"indexes": [own, *indexes], "uuid": "0", "collectionName": name, "type": "collection"}


def archive(
    collections: Mapping[str, Iterable[Mapping[str, Any] | bytes]],
    *,
    database: str = "studio",
    block: int = 2,
    views: Iterable[str] = (),
    crc_of: Any = crc64,
) -> bytes:
    """An archive of one database, whose collections' blocks take turns, `block` documents each."""
    named = {(database, name): encoded(held) for name, held in collections.items()}
    return archive_of(named, block=block, views=views, crc_of=crc_of)


def archive_of(
    collections: Mapping[tuple[str, str], list[bytes]],
    *,
    block: int = 2,
    views: Iterable[str] = (),
    crc_of: Any = crc64,
) -> bytes:
    """An archive of several databases."""
    header = {
        "concurrent_collections": 4,
        "version": "0.1",
        "server_version": "7.0.0",
        "tool_version": "100.9",
    }
    parts = [MAGIC, bson.encode(header)]
    for (database, name), documents in collections.items():
        noted = {"db": database, "collection": name, "metadata": json.dumps(metadata(name, []))}
        size = sum(map(len, documents))
        parts.append(bson.encode({**noted, "size": bson.Int64(size), "type": "collection"}))
    for view in views:
        database = next(iter(collections))[0]
        noted = {"db": database, "collection": view, "metadata": '{"options": {"viewOn": "x"}}'}
        parts.append(bson.encode({**noted, "size": 0, "type": "view"}))
    parts += [TERMINATOR, *_blocks(collections, block), *_ends(collections, crc_of)]
    return b"".join(parts)


def _blocks(collections: Mapping[tuple[str, str], list[bytes]], block: int) -> Iterable[bytes]:
    longest = max(map(len, collections.values()), default=0)
    for start in range(0, longest, block):
        for key, documents in collections.items():
            if held := documents[start : start + block]:
                yield from (_header(key, is_end=False, crc=0), *held, TERMINATOR)


def _ends(collections: Mapping[tuple[str, str], list[bytes]], crc_of: Any) -> Iterable[bytes]:
    for key, documents in collections.items():
        yield _header(key, is_end=True, crc=crc_of(b"".join(documents))) + TERMINATOR


def _header(key: tuple[str, str], *, is_end: bool, crc: int) -> bytes:
    return bson.encode({"db": key[0], "collection": key[1], "EOF": is_end, "CRC": bson.Int64(crc)})
