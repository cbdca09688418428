"""Read a mongodump directory: one `<collection>.bson` (or `.bson.gz`) per collection."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from ris_assets.errors import RisError

BATCH_BYTES = 16 * 1024 * 1024
_SMALLEST_DOCUMENT = 5


class DumpDirectory:
    """The collections of a mongodump directory, read as batches of raw BSON."""

    def __init__(self, root: Path) -> None:
        """Look for collections beneath `root`; it may hold one database folder or the files."""
        if not root.is_dir():
            raise RisError(
                f"Dump folder {root} does not exist: set RIS_MONGO_URL to file:<folder>."
            )
        self._files = {_collection_name(path): path for path in sorted(root.rglob("*.bson*"))}
        if not self._files:
            raise RisError(f"Dump folder {root} holds no .bson file: is it a mongodump directory?")

    def collections(self) -> list[str]:
        """Names of the collections."""
        return list(self._files)

    def batches(self, collection: str) -> Iterator[bytes]:
        """Raw BSON documents, back to back, in batches of about 16 MB cut between documents."""
        path = self._files[collection]
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            yield from _whole_documents(cast(BinaryIO, stream), path)


def _collection_name(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".bson")


def _whole_documents(stream: BinaryIO, path: Path) -> Iterator[bytes]:
    """Cut a stream into batches that end where a document ends."""
    rest = b""
    while chunk := stream.read(BATCH_BYTES):
        buffer = rest + chunk
        cut = document_offsets(buffer)[-1]
        if cut:
            yield buffer[:cut]
        rest = buffer[cut:]
    if rest:
        raise RisError(
            f"Dump file {path} is truncated: its last document is incomplete. Take the dump again."
        )


def document_offsets(raw: bytes) -> list[int]:
    """Byte offsets of the complete documents in `raw`, and of the end of the last one."""
    offsets = [0]
    position, size = 0, len(raw)
    while position + _SMALLEST_DOCUMENT <= size:
        length = int.from_bytes(raw[position : position + 4], "little")
        if length < _SMALLEST_DOCUMENT:
            raise RisError(f"Broken BSON: a document claims a length of {length} bytes.")
        if position + length > size:
            break
        position += length
        offsets.append(position)
    return offsets
