"""A `mongodump --archive` file, plain or gzip: many collections' blocks in one stream, interleaved.

The format is that of mongo-tools' `common/archive`: a magic number; a prelude of a header document and one
document per collection, closed by a terminator; then blocks, each a header naming its collection, documents
and a terminator. A header with `EOF` ends its collection and carries the CRC-64 of all its documents.
"""

import gzip
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, Self, cast

import bson
from bson.errors import BSONError

from ris_assets.errors import RisError
from ris_assets.extract.dumps.crc64 import Crc64Check
from ris_assets.extract.dumps.cutting import (
    TERMINATOR,
    BrokenBsonError,
    broken,
    chunks,
    document_offsets,
    joined,
    last_boundary,
    opened,
    truncated,
)
from ris_assets.extract.dumps.folder import is_users_own, which_database
from ris_assets.extract.dumps.metadata import Metadata, parse_metadata

MAGIC = (0x8199E26D).to_bytes(4, "little")
_GZIP = b"\x1f\x8b"
_LARGEST_HEADER = 4096
_MARK = TERMINATOR.to_bytes(4, "little", signed=True)


class DumpArchive:
    """The collections of one database in an archive, read as batches of raw BSON."""

    def __init__(self, path: Path, database: str | None = None) -> None:
        """Read the prelude.

        Raises:
            RisError: the file is no archive, or holds several databases and none is named.
        """
        self._path = path
        with _Walk(path) as walk:
            prelude = walk.prelude()
        noted = [document for document in prelude[1:] if document.get("db")]
        if not noted:
            raise RisError(f"Dump archive {path} holds no collection. Take the dump again.")
        self._database = which_database(sorted({one["db"] for one in noted}), database, path)
        self._notes = {
            one["collection"]: _notes(one) for one in noted if one["db"] == self._database
        }

    def collections(self) -> list[str]:
        """Names of the collections, the server's own and views left out."""
        return sorted(
            name for name, notes in self._notes.items() if is_users_own(name) and not notes.is_view
        )

    def batches(self, collection: str) -> Iterator[bytes]:
        """Raw BSON documents, back to back, in batches of about 16 MB cut between documents."""
        with _Walk(self._path) as walk:
            yield from joined(walk.documents(self._database, collection))

    def bytes_of(self, collection: str) -> int | None:
        """Not known before the archive is read."""
        return None

    def metadata(self, collection: str) -> Metadata:
        """What mongodump noted beside the documents."""
        return self._notes[collection]


def _notes(prelude: dict[str, Any]) -> Metadata:
    try:
        notes = parse_metadata(prelude.get("metadata") or "{}")
    except ValueError:
        notes = Metadata()
    return Metadata(notes.collection, notes.indexes, notes.is_view or prelude.get("type") == "view")


class _Walk:
    """One pass over an archive, holding a batch at most."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream = _opened(path)
        self._chunks = chunks(self._stream, path)
        self._buffer, self._position, self._passed = b"", 0, 0

    def __enter__(self) -> Self:
        if self._peek(len(MAGIC)) != MAGIC:
            raise RisError(
                f"{self._path} is no mongodump archive: name a dump folder, or a file that"
                " mongodump --archive wrote."
            )
        self._position += len(MAGIC)
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def prelude(self) -> list[dict[str, Any]]:
        """The header document and one document per collection."""
        return [bson.decode(raw) for piece in self._block(True) for raw in _each(piece)]

    def documents(self, database: str, collection: str) -> Iterator[bytes]:
        """The documents of one collection, verified at its end; others' are stepped over."""
        self.prelude()
        check, is_over = Crc64Check(), False
        while not is_over:
            header = self._header()
            is_wanted = (header.get("db"), header.get("collection")) == (database, collection)
            for piece in self._block(is_wanted):
                check.add(piece)
                yield piece
            is_over = is_wanted and bool(header.get("EOF"))
        if "CRC" in header and not check.holds(header["CRC"]):
            raise self._broken(f"the checksum of collection {collection} does not fit")

    def _header(self) -> dict[str, Any]:
        """The document that opens a block."""
        length = int.from_bytes(self._peek(4), "little", signed=True)
        if not 5 <= length <= _LARGEST_HEADER:
            raise self._broken("a block does not begin with its collection's name")
        raw = self._peek(length)
        self._position += length
        try:
            return bson.decode(raw)
        except BSONError as error:
            raise self._broken("a block's header is no document") from error

    def _block(self, is_wanted: bool) -> Iterator[bytes]:
        """Documents, back to back, up to the terminator, which is consumed."""
        while True:
            try:
                stop = last_boundary(self._buffer, self._position)
            except BrokenBsonError as error:
                self._position = error.position
                raise self._broken(error) from error
            if is_wanted and stop > self._position:
                yield self._buffer[self._position : stop]
            self._position = stop
            if self._buffer[stop : stop + 4] == _MARK:
                self._position += len(_MARK)
                return
            self._read_on()

    def _peek(self, size: int) -> bytes:
        while len(self._buffer) - self._position < size:
            self._read_on()
        return self._buffer[self._position : self._position + size]

    def _read_on(self) -> None:
        chunk = next(self._chunks, b"")
        if not chunk:
            raise truncated(self._path)
        self._passed += self._position
        self._buffer, self._position = self._buffer[self._position :] + chunk, 0

    def _broken(self, error: object) -> RisError:
        return broken(self._path, self._passed + self._position, error)


def _each(raw: bytes) -> Iterator[bytes]:
    return (raw[start:end] for start, end in pairwise(document_offsets(raw)))


def _opened(path: Path) -> BinaryIO:
    stream = opened(path)
    is_gzip = stream.read(2) == _GZIP
    stream.seek(0)
    return cast(BinaryIO, gzip.GzipFile(fileobj=stream)) if is_gzip else stream
