"""A server that speaks enough of MongoDB's wire protocol (OP_MSG) to be read by the real client.

It serves documents from memory: hello, listCollections, find, getMore, killCursors, endSessions. It does
not evaluate queries: it records them, and the code under test must filter again as it does for a dump.
"""

import itertools
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bson

OP_QUERY, OP_REPLY, OP_MSG = 2004, 1, 2013
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


class WireServer(socketserver.ThreadingTCPServer):
    """Collections by name, each a list of documents; `queries` keeps the filters it was asked."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, collections: dict[str, list[dict[str, Any]]], batch_size: int = 3) -> None:
        """Listen on a free loopback port."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.collections, self.batch_size = collections, batch_size
        self.queries: list[dict[str, Any]] = []
        self.cursors: dict[int, Iterator[dict[str, Any]]] = {}
        self.numbers = itertools.count(1)

    @property
    def url(self) -> str:
        """Where it listens, as a MongoDB URL."""
        return f"mongodb://127.0.0.1:{self.server_address[1]}/studio?directConnection=true"

    def answer(self, command: dict[str, Any]) -> dict[str, Any]:
        """The reply to one command."""
        name = next(iter(command))
        if name in ("hello", "ismaster", "isMaster"):
            return HELLO
        if name == "listCollections":
            listed = [{"name": n, "type": "collection"} for n in self.collections]
            return _page("firstBatch", listed, 0, "studio.$cmd.listCollections")
        if name == "find":
            self.queries.append(command.get("filter", {}))
            number = next(self.numbers)
            self.cursors[number] = iter(self.collections.get(command["find"], []))
            return self._next("firstBatch", number, command["find"])
        if name == "getMore":
            return self._next("nextBatch", command["getMore"], command["collection"])
        return {"ok": 1.0}

    def _next(self, key: str, number: int, collection: str) -> dict[str, Any]:
        batch = list(itertools.islice(self.cursors[number], self.batch_size))
        over = len(batch) < self.batch_size
        return _page(key, batch, 0 if over else number, f"studio.{collection}")


def _page(key: str, batch: list[dict[str, Any]], number: int, namespace: str) -> dict[str, Any]:
    return {"cursor": {key: batch, "id": bson.Int64(number), "ns": namespace}, "ok": 1.0}


class _Handler(socketserver.BaseRequestHandler):
    server: WireServer

    def handle(self) -> None:
        while head := self._exactly(16):
            length, request, _, opcode = struct.unpack("<iiii", head)
            body = self._exactly(length - 16)
            if opcode == OP_MSG:
                reply = bson.encode(self.server.answer(bson.decode(body[5:])))
                self._send(request, OP_MSG, struct.pack("<I", 0) + b"\x00" + reply)
            elif opcode == OP_QUERY:
                command = bson.decode(body[body.index(b"\x00", 4) + 9 :])
                reply = bson.encode(self.server.answer(command))
                self._send(request, OP_REPLY, struct.pack("<iqii", 8, 0, 0, 1) + reply)

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self.request.recv(size - len(data))
            if not part:
                return b""
            data += part
        return data

    def _send(self, request: int, opcode: int, body: bytes) -> None:
        self.request.sendall(struct.pack("<iiii", 16 + len(body), 1, request, opcode) + body)


@contextmanager
def wire_server(collections: dict[str, list[dict[str, Any]]]) -> Iterator[WireServer]:
    """A running server for the block."""
    with WireServer(collections) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
