"""A folder that mongodump wrote: one `<collection>.bson` (or `.bson.gz`) per collection."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import unquote

from ris_assets.errors import RisError
from ris_assets.extract.dumps.cutting import opened, whole_documents
from ris_assets.extract.dumps.metadata import Metadata, parse_metadata

_OPLOG = "oplog"
_LISTED = 5
_SERVERS_OWN = {"admin", "config", "local"}


class DumpFolder:
    """The collections of one database in a dump folder, read as batches of raw BSON."""

    def __init__(self, root: Path, database: str | None = None) -> None:
        """Look beneath `root`, which may be one database's folder or hold several.

        Raises:
            RisError: there is no dump, several databases and none named, or several dumps of the one.
        """
        folders = _databases(root)
        if not folders:
            raise RisError(f"Dump folder {root} holds no .bson file: is it a mongodump folder?")
        name = which_database(sorted({folder.name for folder in folders}), database, root)
        self._files = _collections(_only([f for f in folders if f.name == name], name, root))

    def collections(self) -> list[str]:
        """Names of the collections, the server's own left out."""
        return sorted(self._files)

    def batches(self, collection: str) -> Iterator[bytes]:
        """Raw BSON documents, back to back, in batches of about 16 MB cut between documents."""
        path = self._files[collection]
        with opened(path) as file:
            stream = gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file
            yield from whole_documents(cast(BinaryIO, stream), path)

    def bytes_of(self, collection: str) -> int | None:
        """BSON bytes of the collection; not known of compressed files."""
        path = self._files[collection]
        return None if path.suffix == ".gz" else path.stat().st_size

    def metadata(self, collection: str) -> Metadata:
        """What mongodump noted beside the documents."""
        return _metadata_beside(self._files[collection])


def which_database(found: list[str], wanted: str | None, place: Path) -> str:
    """The database to read: the one wanted, or the only one.

    Raises:
        RisError: it is not there, or there are several and none is wanted.
    """
    listed = ", ".join(sorted(found))
    if wanted is not None and wanted not in found:
        raise RisError(
            f"Dump {place} holds no database {wanted!r}, but {listed}: mend ?db= in RIS_MONGO_URL."
        )
    own = [name for name in found if name not in _SERVERS_OWN] or found
    if wanted is None and len(own) > 1:
        raise RisError(
            f"Dump {place} holds several databases ({listed}): write RIS_MONGO_URL=file:{place}?db=<one of them>."
        )
    return wanted or own[0]


def is_users_own(collection: str) -> bool:
    """Whether a collection is the business's, not the server's."""
    return not collection.startswith("system.")


def _databases(root: Path) -> list[Path]:
    files = [*root.rglob("[!.]*.bson"), *root.rglob("[!.]*.bson.gz")]
    return sorted({path.parent for path in files if path.parent != root or _stem(path) != _OPLOG})


def _only(folders: list[Path], name: str, root: Path) -> Path:
    """The one folder of the database: of several dumps, as of several days, none is the right one by itself."""
    if len(folders) > 1:
        hidden = len(folders) - _LISTED
        listed = ", ".join(map(str, folders[-_LISTED:])) + (f" and {hidden} more" * (hidden > 0))
        raise RisError(
            f"Dump folder {root} holds database {name!r} {len(folders)} times ({listed}): write"
            " RIS_MONGO_URL=file:<one of them>."
        )
    return folders[0]


def _collections(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    files = [*folder.glob("[!.]*.bson"), *folder.glob("[!.]*.bson.gz")]
    for path in sorted(files):
        name = _metadata_beside(path).collection or unquote(_stem(path))
        if name in found:
            raise RisError(
                f"Dump folder {folder} holds {name} twice: remove {found[name].name} or {path.name}."
            )
        if is_users_own(name):
            found[name] = path
    return found


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".bson")


def _metadata_beside(path: Path) -> Metadata:
    """The file beside the documents; an unreadable one costs its notes, never the documents."""
    for suffix in (".metadata.json", ".metadata.json.gz"):
        file = path.with_name(_stem(path) + suffix)
        if file.is_file():
            try:
                text = file.read_bytes()
                return parse_metadata(gzip.decompress(text) if suffix.endswith(".gz") else text)
            except (OSError, EOFError, ValueError, zlib.error):
                return Metadata()
    return Metadata()
