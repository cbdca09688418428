"""A dump that mongodump made, be it a folder or an archive: which of the two, and what both can do."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from ris_assets.errors import RisError
from ris_assets.extract.dumps.archive import DumpArchive
from ris_assets.extract.dumps.cutting import document_offsets
from ris_assets.extract.dumps.folder import DumpFolder
from ris_assets.extract.dumps.metadata import Metadata

__all__ = ["Dump", "document_offsets", "open_dump"]


class Dump(Protocol):
    """The collections of one database in files."""

    def collections(self) -> list[str]:
        """Names of the collections, the server's own left out."""

    def batches(self, collection: str) -> Iterator[bytes]:
        """Raw BSON documents, back to back, in batches of about 16 MB cut between documents."""

    def bytes_of(self, collection: str) -> int | None:
        """BSON bytes of a collection, where that is known without reading it."""

    def metadata(self, collection: str) -> Metadata:
        """What mongodump noted beside the documents."""


def open_dump(path: Path, database: str | None = None) -> Dump:
    """The dump at `path`: a folder, or an archive file.

    Raises:
        RisError: there is none, or it holds several databases and none is named.
    """
    if path.is_dir():
        return DumpFolder(path, database)
    if path.is_file():
        return DumpArchive(path, database)
    raise RisError(
        f"Dump {path} does not exist: set RIS_MONGO_URL to file:<dump folder or archive>."
    )
