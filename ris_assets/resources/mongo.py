"""Where documents come from: a MongoDB server or a mongodump directory, behind one face.

The only module that imports pymongo.
"""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote

import dagster as dg

from ris_assets.errors import RisError
from ris_assets.extract.dump import DumpDirectory, document_offsets
from ris_assets.settings import get_settings

FILE_PREFIX = "file:"
SERVER_TIMEOUT_MS = 10_000
_PATIENCE = "serverSelectionTimeoutMS"
_LOADED = "ris_demo_loaded"
"""Collection that marks a database as loaded with the whole demo."""


class DocumentSource(Protocol):
    """A database whose collections can be read as batches of raw BSON."""

    def collections(self) -> list[str]:
        """Names of the collections."""

    def batches(self, collection: str, query: dict[str, Any]) -> Iterator[bytes]:
        """Raw documents back to back. A dump ignores `query`: the caller filters again."""


class MongoResource(dg.ConfigurableResource[Any]):
    """The business's documents: `mongodb://...`, `mongodb+srv://...` or `file:<dump folder>`.

    Without `url` the settings say where; a URL may hold a password, and what is configured here shows
    in Dagster's pages.
    """

    url: str | None = None

    @contextmanager
    def open(self) -> Iterator[DocumentSource]:
        """The source while the block lasts.

        Raises:
            RisError: no source is configured, the folder is not a dump, or the server refuses.
        """
        url = self.url or get_settings().mongo_url
        if not url:
            raise RisError(
                "No document source: set RIS_MONGO_URL to mongodb://... or file:<dump folder>,"
                " or run `ris demo`."
            )
        if url.startswith(FILE_PREFIX):
            yield DumpSource(_folder(url))
            return
        with _server(url) as source:
            yield source


def _folder(url: str) -> Path:
    return Path(unquote(url.removeprefix(FILE_PREFIX).removeprefix("//"))).expanduser()


class DumpSource:
    """A mongodump directory."""

    def __init__(self, root: Path) -> None:
        """See `DumpDirectory`."""
        self._dump = DumpDirectory(root)

    def collections(self) -> list[str]:
        """Names of the collections."""
        return self._dump.collections()

    def batches(self, collection: str, query: dict[str, Any]) -> Iterator[bytes]:
        """All documents of the collection; files know no queries."""
        return self._dump.batches(collection)


class ServerSource:
    """A database on a MongoDB-protocol server."""

    def __init__(self, database: Any) -> None:
        """`database` is a pymongo Database."""
        self._database = database

    def collections(self) -> list[str]:
        """Names of the collections."""
        return list(self._database.list_collection_names())

    def batches(self, collection: str, query: dict[str, Any]) -> Iterator[bytes]:
        """The documents that match, as the server's raw batches."""
        yield from self._database[collection].find_raw_batches(query)

    def insert(self, collection: str, documents: list[Any]) -> None:
        """Add documents to a collection."""
        if documents:
            self._database[collection].insert_many(documents, ordered=False)


@contextmanager
def _server(url: str) -> Iterator[ServerSource]:
    import pymongo
    from pymongo.errors import ConfigurationError, PyMongoError

    own_patience = "serverselectiontimeoutms" in url.lower()
    options: dict[str, Any] = {} if own_patience else {_PATIENCE: SERVER_TIMEOUT_MS}
    try:
        client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(url, **options)
        with client:
            yield ServerSource(client.get_default_database())
    except ConfigurationError as error:
        raise RisError(f"RIS_MONGO_URL: {error}. Write mongodb://host:port/<database>.") from error
    except PyMongoError as error:
        reason = str(error).split(", Timeout:")[0]
        raise RisError(f"MongoDB cannot be read: {reason}. Check RIS_MONGO_URL.") from error


def load_dump(url: str, dump: Path) -> None:
    """Put a dump's documents into an empty database on a server.

    Raises:
        RisError: the database holds other collections; nothing is ever overwritten.
    """
    from bson.raw_bson import RawBSONDocument

    files = DumpDirectory(dump)
    with _server(url) as server:
        present = set(server.collections())
        if present >= set(files.collections()) | {_LOADED}:
            return
        if present:
            raise RisError(
                "The database of RIS_MONGO_URL is not empty: the demo writes only into an empty one."
            )
        for name in files.collections():
            for raw in files.batches(name):
                cuts = document_offsets(raw)
                documents = [RawBSONDocument(raw[a:b]) for a, b in itertools.pairwise(cuts)]
                server.insert(name, documents)
        server.insert(_LOADED, [{"loaded": True}])
