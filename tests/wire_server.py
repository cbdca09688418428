"""A server that speaks enough of MongoDB's wire protocol (OP_MSG) to be read by the real client, and misbehaves.

It serves documents from memory, given as dicts or as BSON bytes back to back, evaluates simple queries, and
shows the faults that it was given, each a number of times, after which it is well again.
"""

import itertools
import random
import socket
import socketserver
import struct
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import bson
from bson.codec_options import CodecOptions, DatetimeConversion

from ris_assets.extract.dump import document_offsets
from tests.queries import comparable, found_at, matches, projected

OP_QUERY, OP_REPLY, OP_MSG = 2004, 1, 2013
REPLY_BYTES = 16 * 1024 * 1024
HELLO = {
    "ismaster": True,
    "isWritablePrimary": True,
    "maxBsonObjectSize": 16 * 1024 * 1024,
    "maxMessageSizeBytes": 48_000_000,
    "maxWriteBatchSize": 100_000,
    "minWireVersion": 0,
    "maxWireVersion": 21,
    "readOnly": True,
    "ok": 1.0,
}
CODEC: CodecOptions[dict[str, Any]] = CodecOptions(
    tz_aware=True,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    unicode_decode_error_handler="replace",
)
Documents = bytes | Iterable[Mapping[str, Any] | bytes]


@dataclass
class Fault:
    """What goes wrong at a command: after it was answered `after` times, `times` times.

    `kind` is drop (the connection is closed), half (a reply is cut in the middle), garbage (bytes that are no
    message), broken (a document that is no BSON), slow (`seconds` late), change (`call` is invoked before the
    answer), or error (the server's `code`).
    """

    kind: str
    on: tuple[str, ...] = ("find", "getMore")
    after: int = 0
    times: int = 1
    code: int = 0
    seconds: float = 0.0
    call: Callable[[], Any] = lambda: None
    seen: int = field(default=0, init=False)

    def strikes(self, command: str) -> bool:
        """Whether it is its turn at this command."""
        if command not in self.on:
            return False
        self.seen += 1
        return self.after < self.seen <= self.after + self.times


def refusal(code: int, **how: Any) -> Fault:
    """A command refused with one of MongoDB's error codes."""
    return Fault("error", code=code, **how)


@dataclass
class Collection:
    """Encoded documents, and where each would end if they lay back to back."""

    documents: list[bytes]
    ends: list[int]

    @classmethod
    def of(cls, documents: Documents) -> "Collection":
        """Encode what is not encoded yet."""
        if isinstance(documents, bytes):
            cuts = document_offsets(documents)
            return cls([documents[a:b] for a, b in itertools.pairwise(cuts)], cuts[1:])
        encoded = [one if isinstance(one, bytes) else bson.encode(one) for one in documents]
        return cls(encoded, list(itertools.accumulate(map(len, encoded))))

    def page(self, start: int, limit: int) -> list[bytes]:
        """The documents from `start`, at most `limit` and about 16 MB, but one at least."""
        before = self.ends[start - 1] if start else 0
        full = bisect_right(self.ends, before + REPLY_BYTES, lo=start)
        return self.documents[start : min(max(full, start + 1), start + limit)]


@dataclass
class Cursor:
    """How far one reader has got; one of a whole collection sees what changes ahead of it."""

    read: Callable[[], Collection]
    namespace: str
    position: int = 0

    def next_page(self, limit: int) -> tuple[list[bytes], bool]:
        """Further documents, and whether they were the last."""
        collection = self.read()
        page = collection.page(self.position, limit)
        self.position += len(page)
        return page, self.position >= len(collection.documents)


class Refused(Exception):  # noqa: N818
    """A command that is answered with an error code."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class WireServer(socketserver.ThreadingTCPServer):
    """Collections by name; `queries` keeps the filters it was asked, `commands` all commands' names."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(
        self,
        collections: Mapping[str, Documents],
        batch_size: int = 3,
        faults: Sequence[Fault] = (),
        indexes: Mapping[str, list[dict[str, Any]]] | None = None,
    ) -> None:
        """Listen on a free loopback port."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.collections = {name: Collection.of(held) for name, held in collections.items()}
        self.batch_size, self.faults, self.indexes = batch_size, faults, indexes or {}
        self.queries: list[dict[str, Any]] = []
        self.commands: list[dict[str, Any]] = []
        self.cursors: dict[int, Cursor] = {}
        self._numbers, self._lock = itertools.count(1), threading.Lock()

    @property
    def url(self) -> str:
        """Where it listens, as a MongoDB URL."""
        return self.url_with("")

    def url_with(self, login: str, options: str = "") -> str:
        """The same with `user:password@` and further options."""
        address = f"{login}127.0.0.1:{self.server_address[1]}"
        return f"mongodb://{address}/studio?directConnection=true{options}"

    def put(self, collection: str, documents: Documents) -> None:
        """Replace what a collection holds; cursors see it."""
        self.collections[collection] = Collection.of(documents)

    def fault(self, command: str) -> Fault | None:
        """What goes wrong at this command, if anything."""
        with self._lock:
            striking = [fault for fault in self.faults if fault.strikes(command)]
        return striking[0] if striking else None

    def answer(self, command: dict[str, Any]) -> bytes:
        """The reply to one command, encoded."""
        name = next(iter(command))
        self.commands.append(command)
        handler = getattr(self, f"_do_{name.lower()}", None)
        if handler is None:
            return refused(59, f"no such command: {name}")
        try:
            reply = handler(command)
        except Refused as error:
            return refused(error.code, str(error))
        return reply if isinstance(reply, bytes) else bson.encode({**reply, "ok": 1.0})

    def _do_hello(self, command: dict[str, Any]) -> dict[str, Any]:
        return HELLO

    _do_ismaster = _do_hello

    def _do_ping(self, command: dict[str, Any]) -> dict[str, Any]:
        return {}

    _do_killcursors = _do_endsessions = _do_ping

    def _do_buildinfo(self, command: dict[str, Any]) -> dict[str, Any]:
        return {"version": "7.0.0", "versionArray": [7, 0, 0, 0]}

    def _do_saslstart(self, command: dict[str, Any]) -> dict[str, Any]:
        raise Refused(18, "Authentication failed.")

    def _do_listcollections(self, command: dict[str, Any]) -> bytes:
        listed = [{"name": name, "type": "collection"} for name in self.collections]
        return self._all_of(listed, "$cmd.listCollections")

    def _do_listindexes(self, command: dict[str, Any]) -> bytes:
        name = command["listIndexes"]
        own = {"v": 2, "key": {"_id": 1}, "name": "_id_"}
        return self._all_of([own, *self.indexes.get(name, [])], name)

    def _do_collstats(self, command: dict[str, Any]) -> dict[str, Any]:
        return self._sizes(command["collStats"])

    def _do_count(self, command: dict[str, Any]) -> dict[str, Any]:
        return {"n": len(self._found(command["count"], command.get("query", {})).documents)}

    def _do_find(self, command: dict[str, Any]) -> bytes:
        name, query = command["find"], command.get("filter", {})
        self.queries.append(query)
        if not query and not _SHAPES & set(command):
            return self._open(Cursor(lambda: self._held(name), f"studio.{name}"), command)
        found = _shaped(self._found(name, query), command)
        return self._open(Cursor(lambda: found, f"studio.{name}"), command)

    def _do_aggregate(self, command: dict[str, Any]) -> bytes:
        name = command["aggregate"]
        held = self._held(name)
        for stage in command["pipeline"]:
            held = self._stage(held, name, *next(iter(stage.items())))
        return self._open(Cursor(lambda: held, f"studio.{name}"), command.get("cursor", {}))

    def _do_getmore(self, command: dict[str, Any]) -> bytes:
        number = command["getMore"]
        if number not in self.cursors:
            raise Refused(43, f"cursor id {number} not found")
        return self._page("nextBatch", number, command)

    def _stage(self, held: Collection, name: str, operator: str, how: Any) -> Collection:
        if operator == "$match":
            return _matching(held, how)
        if operator in ("$sample", "$limit"):
            count = how["size"] if operator == "$sample" else how
            count = min(count, len(held.documents))
            if operator == "$limit":
                return Collection.of(held.documents[:count])
            return Collection.of(random.Random(7).sample(held.documents, count))
        if operator == "$group":
            counted = {key: len(held.documents) for key in how if key != "_id"}
            return Collection.of([{"_id": how["_id"], **counted}] if held.documents else [])
        if operator == "$collStats":
            return Collection.of([{"storageStats": self._sizes(name)}])
        raise Refused(40324, f"Unrecognized pipeline stage name: '{operator}'")

    def _held(self, name: str) -> Collection:
        return self.collections.get(name) or Collection([], [])

    def _found(self, name: str, query: dict[str, Any]) -> Collection:
        held = self._held(name)
        return _matching(held, query) if query else held

    def _sizes(self, name: str) -> dict[str, Any]:
        held = self._held(name)
        return {"count": len(held.documents), "size": held.ends[-1] if held.ends else 0}

    def _all_of(self, documents: list[dict[str, Any]], namespace: str) -> bytes:
        encoded = [bson.encode(one) for one in documents]
        return _cursor_reply("firstBatch", _array(encoded), 0, f"studio.{namespace}")

    def _open(self, cursor: Cursor, command: dict[str, Any]) -> bytes:
        number = next(self._numbers)
        self.cursors[number] = cursor
        return self._page("firstBatch", number, command)

    def _page(self, key: str, number: int, command: dict[str, Any]) -> bytes:
        cursor = self.cursors[number]
        start = cursor.position
        page, is_last = cursor.next_page(
            min(command.get("batchSize", 101 if "find" in command else 10**9), self.batch_size)
        )
        if is_last:
            del self.cursors[number]
        batch = self._batch(cursor.namespace, start, page)
        return _cursor_reply(key, batch, 0 if is_last else number, cursor.namespace)

    def _batch(self, namespace: str, start: int, page: list[bytes]) -> bytes:
        """Documents as the array of a reply; they begin at `start` of their collection."""
        return _array(page)


def _matching(held: Collection, query: dict[str, Any]) -> Collection:
    return Collection.of([one for one in held.documents if matches(bson.decode(one, CODEC), query)])


_SHAPES = {"sort", "skip", "limit", "projection"}


def _shaped(found: Collection, command: dict[str, Any]) -> Collection:
    """Sorted, cut and projected as a find asks."""
    documents = found.documents
    for path, direction in reversed((command.get("sort") or {}).items()):
        documents = sorted(documents, key=lambda one: _order(one, path), reverse=direction < 0)
    documents = documents[command.get("skip") or 0 :]
    if limit := abs(command.get("limit") or 0):
        documents = documents[:limit]
    if fields := command.get("projection"):
        documents = [bson.encode(projected(bson.decode(one, CODEC), fields)) for one in documents]
    return Collection.of(documents)


def _order(document: bytes, path: str) -> Any:
    return [comparable(value) for value in found_at(bson.decode(document, CODEC), path.split("."))]


_KEYS = [b"\x03" + str(n).encode() + b"\x00" for n in range(1000)]


def _array(page: list[bytes]) -> bytes:
    """An array put together from documents that are encoded already."""
    while len(_KEYS) < len(page):
        _KEYS.append(b"\x03" + str(len(_KEYS)).encode() + b"\x00")
    return _document(b"".join(itertools.chain.from_iterable(zip(_KEYS, page, strict=False))))


def _cursor_reply(key: str, batch: bytes, number: int, namespace: str) -> bytes:
    """A reply with a batch."""
    rest = bson.encode({"id": bson.Int64(number), "ns": namespace})[4:-1]
    cursor = _document(b"\x04" + key.encode() + b"\x00" + batch + rest)
    return _document(b"\x03cursor\x00" + cursor + bson.encode({"ok": 1.0})[4:-1])


def _document(elements: bytes) -> bytes:
    return struct.pack("<i", len(elements) + 5) + elements + b"\x00"


def refused(code: int, text: str) -> bytes:
    """A reply that says no."""
    return bson.encode({"ok": 0.0, "errmsg": text, "code": code, "codeName": f"Code{code}"})


class _Handler(socketserver.BaseRequestHandler):
    server: WireServer

    def setup(self) -> None:
        """Answer at once, as servers do: a short reply must not wait for the one before to be confirmed."""
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)

    def handle(self) -> None:
        with suppress(ConnectionError):
            while head := self._exactly(16):
                length, request, _, opcode = struct.unpack("<iiii", head)
                if not self._serve(request, opcode, self._exactly(length - 16)):
                    return

    def _serve(self, request: int, opcode: int, body: bytes) -> bool:
        """Answer one message; False: the connection is to be closed."""
        is_message = opcode == OP_MSG
        start = 5 if is_message else body.index(b"\x00", 4) + 9
        end = start + int.from_bytes(body[start : start + 4], "little")
        command = bson.decode(body[start:end], CODEC)
        fault = self.server.fault(next(iter(command)))
        reply = self._misbehaving(fault, command) if fault else self.server.answer(command)
        if reply is None:
            return False
        prefix = struct.pack("<IB", 0, 0) if is_message else struct.pack("<iqii", 8, 0, 0, 1)
        size = 16 + len(prefix) + len(reply)
        head = struct.pack("<iiii", size, 1, request, OP_MSG if is_message else OP_REPLY)
        whole = b"".join((head, prefix, reply))
        is_half = fault is not None and fault.kind == "half"
        self.request.sendall(whole[: len(whole) // 2] if is_half else whole)
        return not is_half

    def _misbehaving(self, fault: Fault, command: dict[str, Any]) -> bytes | None:
        """The reply in spite of a fault; None where the line is cut."""
        if fault.kind == "drop":
            return None
        if fault.kind == "garbage":
            self.request.sendall(b"HTTP/1.1 400 Bad Request\r\n" * 4)
            return None
        if fault.kind == "error":
            return refused(fault.code, f"refused with code {fault.code}")
        if fault.kind == "broken":
            nonsense = _array([b"\xff\x00\x00\x00nonsense"])
            return _cursor_reply("firstBatch", nonsense, 0, "studio.x")
        time.sleep(fault.seconds)
        fault.call()
        return self.server.answer(command)

    def _exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            part = self.request.recv(size - len(data))
            if not part:
                return b""
            data += part
        return bytes(data)


@contextmanager
def wire_server(
    collections: Mapping[str, Documents],
    batch_size: int = 3,
    faults: Sequence[Fault] = (),
    **how: Any,
) -> Iterator[WireServer]:
    """A running server for the block."""
    with WireServer(collections, batch_size, faults, **how) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
