"""Booking documents in any number: those of a simulated studio, repeated under ids of their own."""

import shutil
import struct
import tempfile
from datetime import datetime
from pathlib import Path

import numpy as np

from ris_assets.extract.dump import document_offsets
from ris_assets.studio.config import StudioConfig
from ris_assets.studio.simulate import simulate

_ID = 4 + 1 + len(b"_id\x00")
"""Where the ObjectId of a document begins."""
_COPY = 4
"""The byte of the ObjectId that tells the copies apart; the studio's own differ in others."""
ONE_IN = 100
CHANGED_AT, DONE = b"\x09updatedAt\x00", b"\x10stationsDone\x00"


def write_bookings(folder: Path, documents: int) -> Path:
    """A dump folder with about so many bookings (nested, 430 bytes each) and the two mandatory collections."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as studio:
        simulate(StudioConfig(members=1500, weeks=78), Path(studio))
        bookings = next(Path(studio).rglob("bookings.bson")).read_bytes()
        for name in ("users", "heroPasses"):
            shutil.copy(next(Path(studio).rglob(f"{name}.bson")), folder / f"{name}.bson")
    starts = np.array(document_offsets(bookings)[:-1])
    once = np.frombuffer(bookings, np.uint8)
    left = documents
    with (folder / "bookings.bson").open("wb") as file:
        for copy in range(256):
            if left <= 0:
                break
            end = int(starts[left]) if left < len(starts) else len(once)
            some = once[:end].copy()
            some[starts[starts < end] + _ID + _COPY] = copy
            file.write(some.tobytes())
            left -= len(starts)
    return folder / "bookings.bson"


def changed_bookings(bookings: bytes, at: datetime, *, is_recent: bool) -> list[bytes]:
    """One percent of the documents with another count of stations done, changed at that time.

    The newest ones, as in a night (a booking changes in the days around its class), or every hundredth.
    """
    offsets = np.array(document_offsets(bookings))
    starts, ends = offsets[:-1], offsets[1:]
    chosen = np.arange(0, len(starts), ONE_IN)
    if is_recent:
        content = np.frombuffer(bookings, np.uint8)
        seconds = sum(content[starts + _ID + k].astype(np.int64) << 8 * (3 - k) for k in range(4))
        chosen = np.argsort(seconds, kind="stable")[-len(chosen) :]
    documents = (bytearray(bookings[starts[n] : ends[n]]) for n in chosen)
    return [_changed(document, at) for document in documents]


def _changed(document: bytearray, at: datetime) -> bytes:
    place = document.find(CHANGED_AT) + len(CHANGED_AT)
    document[place : place + 8] = struct.pack("<q", int(at.timestamp() * 1000))
    done = document.find(DONE)
    if done >= 0:
        done += len(DONE)
        document[done : done + 4] = struct.pack("<i", 11)
    return bytes(document)
