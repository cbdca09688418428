"""Where documents come from: a MongoDB server or what mongodump wrote, behind one face.

The only module that imports pymongo. Which failures are worth another try is decided here, too.
"""

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import parse_qs, unquote, unquote_plus

import bson
import dagster as dg
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError
from bson.raw_bson import DEFAULT_RAW_BSON_OPTIONS, RawBSONDocument

from ris_assets.errors import Interrupted, RisError
from ris_assets.extract.dump import document_offsets, open_dump
from ris_assets.extract.dumps.cutting import joined, spread
from ris_assets.extract.dumps.metadata import describe_indexes
from ris_assets.settings import get_settings

FILE_PREFIX = "file:"
T = TypeVar("T")
OPTIONS: dict[str, Any] = {
    "appname": "ris",
    "serverSelectionTimeoutMS": 10_000,
    "connectTimeoutMS": 10_000,
    # A window without an index may scan for minutes before its first document; a dead line is noticed
    # earlier, by TCP keepalive.
    "socketTimeoutMS": 600_000,
    "readPreference": "secondaryPreferred",
    "readConcernLevel": "majority",
}
"""What holds unless the URL says otherwise."""
BATCH_DOCUMENTS = 100_000
"""More than fit into a reply, so that its 16 MB are the limit even of the first."""
IDS_A_QUERY = 10_000
SAMPLE_TIMEOUT_MS = 60_000
_SECRET = re.compile("password|properties", re.IGNORECASE)
_CODEC: CodecOptions[dict[str, Any]] = CodecOptions(
    tz_aware=True,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    unicode_decode_error_handler="replace",
)
_LOADED = "ris_demo_loaded"
"""Collection that marks a database as loaded with the whole demo."""
_UNAUTHENTICATED, _UNAUTHORIZED = {11, 18, 8000}, {13}
_TRANSIENT = {
    6, 7, 43, 89, 91, 112, 133, 134, 175, 189, 202, 237, 262, 317, 358, 384, 9001, 10058, 10107, 11600,
    11601, 11602, 13388, 13435, 13436,
}  # fmt: skip
"""Host gone, network, cursor gone, shutdown, step-down, interruption: MongoDB's error_codes.yml."""
_TLS_REFUSED = ("CERTIFICATE", "WRONG_VERSION_NUMBER", "ertificate", "SSL alert", "_ALERT_")
_DNS_SILENT = "resolution lifetime expired"
_NO_READ_CONCERN = {72, 115, 148, 238}


@dataclass(frozen=True)
class CollectionFacts:
    """How large a collection is and what it is indexed by; what is not known is None."""

    documents: int | None
    bytes: int | None
    indexes: tuple[str, ...]


class DocumentSource(Protocol):
    """A database whose collections can be read as batches of raw BSON."""

    can_query: bool
    """Whether a query spares reading; a dump is always read whole."""

    def collections(self) -> list[str]:
        """Names of the collections, and of views where they can be read; the server's own left out."""

    def batches(self, collection: str, query: dict[str, Any]) -> Iterator[bytes]:
        """Raw documents back to back, about 16 MB at most a batch.

        A dump ignores `query`: the caller filters again.

        Raises:
            Interrupted: the source went away; what was read so far is not all.
            RisError: it refuses, or holds something else than documents.
        """

    def facts(self, collection: str, *, exact: bool = False) -> CollectionFacts:
        """Size and indexes; `exact` counts even where that needs reading everything."""

    def sample(self, collection: str, documents: int) -> Iterator[bytes]:
        """About so many documents from all over the collection, in batches."""

    def find_ids(self, collection: str, ids: Sequence[Any]) -> set[Any] | None:
        """Which of these `_id`s are there; None where only reading everything would tell."""


class MongoResource(dg.ConfigurableResource[Any]):
    """The business's documents: `mongodb://...`, `mongodb+srv://...` or `file:<dump folder or archive>`.

    Without `url` the settings say where; a URL may hold a password, and what is configured here shows
    in Dagster's pages.
    """

    url: str | None = None

    @contextmanager
    def open(self) -> Iterator[DocumentSource]:
        """The source while the block lasts.

        Raises:
            RisError: no source is configured, the files are not a dump, or the server refuses.
        """
        url = self.url or get_settings().source_url
        if url.startswith(FILE_PREFIX):
            yield DumpSource(*_place(url))
            return
        with _server(url) as source:
            yield source


def _place(url: str) -> tuple[Path, str | None]:
    """Path and database of `file:<path>?db=<name>`."""
    path, _, options = url.removeprefix(FILE_PREFIX).removeprefix("//").partition("?")
    return Path(unquote(path)).expanduser(), parse_qs(options).get("db", [None])[0]


class DumpSource:
    """What mongodump wrote: a folder or an archive."""

    can_query = False

    def __init__(self, root: Path, database: str | None = None) -> None:
        """See `open_dump`."""
        self._root = root
        self._dump = open_dump(root, database)

    def collections(self) -> list[str]:
        """Names of the collections."""
        return self._dump.collections()

    def batches(self, collection: str, query: dict[str, Any]) -> Iterator[bytes]:
        """All documents of the collection, whole; files know no queries."""
        return self._dump.batches(self._known(collection))

    def facts(self, collection: str, *, exact: bool = False) -> CollectionFacts:
        """Size and indexes; a count that was not asked for is estimated from the first batch."""
        indexes = self._dump.metadata(self._known(collection)).indexes
        if exact:
            sizes = [
                (len(document_offsets(raw)) - 1, len(raw)) for raw in self._dump.batches(collection)
            ]
            return CollectionFacts(
                sum(n for n, _ in sizes), sum(size for _, size in sizes), indexes
            )
        size = self._dump.bytes_of(collection)
        return CollectionFacts(self._estimate(collection, size), size, indexes)

    def _estimate(self, collection: str, size: int | None) -> int | None:
        if not size:
            return size
        first = next(self._dump.batches(collection))
        return size * (len(document_offsets(first)) - 1) // len(first)

    def sample(self, collection: str, documents: int) -> Iterator[bytes]:
        """Every so many-th document."""
        return spread(self._dump.batches(self._known(collection)), documents)

    def find_ids(self, collection: str, ids: Sequence[Any]) -> set[Any] | None:
        """Files have no index: None."""
        return None

    def _known(self, collection: str) -> str:
        if collection not in (known := self._dump.collections()):
            raise RisError(
                f"Dump {self._root} holds no collection {collection}, but {', '.join(known)}."
            )
        return collection


class ServerSource:
    """A database on a MongoDB-protocol server. Nothing but reads is sent, save by `insert`."""

    can_query = True

    def __init__(self, database: Any) -> None:
        """`database` is a pymongo Database."""
        self._database = database

    def collections(self) -> list[str]:
        """Names of the collections and views that the user may read."""
        with _plainly("listing the collections"):
            names = self._database.list_collection_names(authorizedCollections=True)
        return sorted(name for name in names if not name.startswith("system."))

    def batches(self, collection: str, query: dict[str, Any]) -> Iterator[bytes]:
        """The documents that match, as the server's raw batches."""
        with _plainly(f"reading collection {collection}"):
            yield from _ahead(self._asked(lambda database: _found(database[collection], query)))

    def facts(self, collection: str, *, exact: bool = False) -> CollectionFacts:
        """What the server's bookkeeping says; a view has none and is counted by reading it."""
        from pymongo.errors import OperationFailure

        size: int | None = None
        indexes: tuple[str, ...] = ()
        with _plainly(f"measuring collection {collection}"):
            documents = self._asked(lambda database: _count(database[collection], exact))
            with suppress(OperationFailure):
                size = int(self._database.command("collStats", collection)["size"])
            with suppress(OperationFailure):
                indexes = describe_indexes(self._database[collection].list_indexes())
        return CollectionFacts(documents, size, indexes)

    def sample(self, collection: str, documents: int) -> Iterator[bytes]:
        """A random sample; the first documents where the server cannot draw one in time."""
        from pymongo.errors import OperationFailure

        with _plainly(f"sampling collection {collection}"):
            try:
                drawn = self._asked(lambda database: _drawn(database[collection], documents))
            except OperationFailure as error:
                if _is_transient(error):
                    raise
                drawn = self._asked(
                    lambda database: _found(database[collection], {}, limit=documents)
                )
            yield from drawn

    def find_ids(self, collection: str, ids: Sequence[Any]) -> set[Any] | None:
        """Which of these `_id`s are there; one that is a document is named by its BSON bytes."""
        steps = (ids[start : start + IDS_A_QUERY] for start in range(0, len(ids), IDS_A_QUERY))
        with _plainly(f"looking for documents of collection {collection}"):
            return {found for step in steps for found in self._ids(collection, step)}

    def _ids(self, collection: str, ids: Sequence[Any]) -> Iterator[Any]:
        query = {"_id": {"$in": list(ids)}}
        for raw in self._asked(lambda database: _found(database[collection], query, {"_id": 1})):
            yield from (_hashable(one["_id"]) for one in bson.decode_all(raw, _CODEC))

    def insert(self, collection: str, documents: list[Any]) -> None:
        """Add documents to a collection."""
        if documents:
            with _plainly(f"filling collection {collection}"):
                self._database[collection].insert_many(documents, ordered=False)

    def _asked(self, ask: Callable[[Any], T]) -> T:
        """What the database answers; a server that knows no majority is asked without."""
        from pymongo.errors import OperationFailure
        from pymongo.read_concern import ReadConcern

        try:
            return ask(self._database)
        except OperationFailure as error:
            if error.code not in _NO_READ_CONCERN or not self._database.read_concern.level:
                raise
        self._database = self._database.with_options(read_concern=ReadConcern())
        return ask(self._database)


def _found(
    collection: Any,
    query: dict[str, Any],
    projection: dict[str, int] | None = None,
    limit: int = 0,
) -> Iterator[bytes]:
    """Raw batches whose first has arrived: a refusal shows at once."""
    from ris_assets.resources.raw_batches import RawBatches

    batches: Any = RawBatches(
        collection, query, projection, batch_size=BATCH_DOCUMENTS, limit=limit
    )
    return filter(None, itertools.chain([next(batches, b"")], batches))


def _drawn(collection: Any, documents: int) -> Iterator[bytes]:
    # Not by raw batches, which need a server that honours an empty first one.
    raw = collection.with_options(codec_options=DEFAULT_RAW_BSON_OPTIONS)
    pipeline = [{"$sample": {"size": documents}}]
    drawn = raw.aggregate(pipeline, maxTimeMS=SAMPLE_TIMEOUT_MS, allowDiskUse=True)
    return joined(bytes(document.raw) for document in drawn)


def _count(collection: Any, exact: bool) -> int:
    return int(collection.count_documents({}) if exact else collection.estimated_document_count())


def _ahead(batches: Iterator[bytes]) -> Iterator[bytes]:
    """The same batches, the next one on its way while one is being worked on."""
    reader = ThreadPoolExecutor(1, "read-ahead")
    try:
        coming = reader.submit(next, batches, b"")
        while batch := coming.result():
            coming = reader.submit(next, batches, b"")
            yield batch
    finally:
        reader.shutdown(wait=False, cancel_futures=True)


def _hashable(value: Any) -> Any:
    return bson.encode(value) if isinstance(value, dict) else value


@contextmanager
def _server(url: str) -> Iterator[ServerSource]:
    client = _client(url)
    with client:
        yield ServerSource(client.get_default_database())


def _client(url: str) -> Any:
    """A client that has not connected yet.

    Raises:
        RisError: the URL is wrong. The sentence quotes nothing that could be its password.
    """
    import pymongo
    from pymongo.errors import ConfigurationError, InvalidURI, PyMongoError
    from pymongo.uri_parser import split_options

    written = url.partition("?")[2]
    given = {option.lower() for option in parse_qs(written)}
    options = {name: value for name, value in OPTIONS.items() if name.lower() not in given}
    try:
        if written:  # The client only warns of an option that it does not understand.
            split_options(written)
        client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(url, **options)
        client.get_default_database()
    except (InvalidURI, ValueError, TypeError) as error:
        raise RisError(
            f"RIS_MONGO_URL is no MongoDB URL{_unless_secret(error, url)}: write"
            " mongodb://user:password@host:port/<database>, special characters in user and password"
            " percent-encoded."
        ) from None
    except ConfigurationError as error:
        kind = Interrupted if _is_transient(error) else RisError
        raise kind(
            f"RIS_MONGO_URL cannot be used{_unless_secret(error, url)}. Write"
            " mongodb://host:port/<database>."
        ) from None
    except (OSError, PyMongoError) as error:
        raise RisError(
            f"RIS_MONGO_URL cannot be used{_unless_secret(error, url)}. Check its TLS options and files."
        ) from None
    return client


def _unless_secret(error: Exception, url: str) -> str:
    """The reason, unless the URL has a user and a password that it might quote."""
    text = str(error).rstrip(".")
    login = re.split("[:/@?]", url.partition("://")[2].rpartition("@")[0])
    options = parse_qs(url.partition("?")[2]).items()
    hidden = [value for name, values in options if _SECRET.search(name) for value in values]
    secrets = {*login, *map(unquote_plus, login), *hidden} - {""}
    return "" if any(secret in text for secret in secrets) else f" ({text})"


@contextmanager
def _plainly(doing: str) -> Iterator[None]:
    """Turn the client's failures into sentences, and tell those apart that may pass."""
    from pymongo.errors import PyMongoError

    try:
        yield
    except PyMongoError as error:
        raise _sentence(error, doing) from error
    except BSONError as error:
        raise RisError(
            f"MongoDB sent something that is no document while {doing} ({error}): run validate() on it,"
            " or repair it."
        ) from error


def _sentence(error: Any, doing: str) -> RisError:
    from pymongo.errors import ServerSelectionTimeoutError

    code = getattr(error, "code", None)
    reason = _reason(error)
    if code in _UNAUTHENTICATED:
        return RisError(
            "MongoDB refuses the login of RIS_MONGO_URL: check user, password (percent-encoded) and"
            " authSource."
        )
    if code in _UNAUTHORIZED:
        return RisError(
            f"MongoDB does not allow the user of RIS_MONGO_URL {doing}: grant the role `read` on the"
            " database."
        )
    if any(sign in reason for sign in _TLS_REFUSED):
        return RisError(
            f"MongoDB's TLS is refused ({reason}): check tls, tlsCAFile and tlsCertificateKeyFile in"
            " RIS_MONGO_URL."
        )
    if _is_transient(error):
        what = (
            "cannot be reached" if isinstance(error, ServerSelectionTimeoutError) else "went away"
        )
        return Interrupted(f"MongoDB {what} while {doing}: {reason}. Check RIS_MONGO_URL.")
    return RisError(f"MongoDB failed while {doing}: {reason}. Check RIS_MONGO_URL.")


def _is_transient(error: Any) -> bool:
    from pymongo.errors import ConnectionFailure, ProtocolError

    if isinstance(error, (ConnectionFailure, ProtocolError)) or _DNS_SILENT in str(error):
        return True
    return getattr(error, "code", None) in _TRANSIENT


def _reason(error: Any) -> str:
    """The first sentence of what the client says: the server's words, or who cannot be reached."""
    details = getattr(error, "details", None)
    told = details.get("errmsg") if isinstance(details, dict) else None
    text = str(told or error) or type(error).__name__
    return re.split(r",? \(configured timeouts|, Timeout:|, full error:", text)[0].rstrip(".")


def load_dump(url: str, dump: Path) -> None:
    """Put a dump's documents into an empty database on a server.

    Raises:
        RisError: the database holds other collections; nothing is ever overwritten.
    """
    files = open_dump(dump)
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
