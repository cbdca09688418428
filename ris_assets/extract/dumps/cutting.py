"""Where BSON documents end: cut a stream between them, thin it out. What is inside them is not looked at."""

import struct
import time
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from ris_assets.errors import RisError

BATCH_BYTES = 16 * 1024 * 1024
SAMPLE_BYTES = 128 * 1024 * 1024
"""A sample never holds more, however large its documents are."""
SAMPLE_SECONDS = 20.0
TERMINATOR = -1
"""What an archive has in place of a length where a block ends."""
_SMALLEST, _LARGEST = 5, 16 * 1024 * 1024 + 16 * 1024
_length_at = struct.Struct("<i").unpack_from


class BrokenBsonError(ValueError):
    """A length that cannot be one; `position` is the document's first byte in the buffer."""

    def __init__(self, position: int, length: int) -> None:
        """Say which length, and where."""
        super().__init__(
            f"a document claims a length of {length} bytes, which is not where it ends"
        )
        self.position = position


def last_boundary(raw: bytes, position: int = 0) -> int:
    """Where walking from document to document stops: at an incomplete one or at a terminator.

    Raises:
        BrokenBsonError: a length is impossible, or does not lead to a document's closing zero.
    """
    size = len(raw) - 3
    while position < size:
        (length,) = _length_at(raw, position)
        end = position + length
        if length < _SMALLEST or end > size + 3 or raw[end - 1]:
            is_incomplete = end > size + 3 and _SMALLEST <= length <= _LARGEST
            if is_incomplete or length == TERMINATOR:
                break
            raise BrokenBsonError(position, length)
        position = end
    return position


def document_offsets(raw: bytes) -> list[int]:
    """Byte offsets of the complete documents in `raw`, and of the end of the last one."""
    offsets = [0]
    position, size, add = 0, len(raw) - 3, offsets.append
    while position < size:
        (length,) = _length_at(raw, position)
        if length < _SMALLEST:
            raise RisError(f"Broken BSON: a document claims a length of {length} bytes.")
        position += length
        if position > size + 3:
            break
        add(position)
    return offsets


def opened(path: Path) -> BinaryIO:
    """A dump's file, unbuffered: it is read in large steps.

    Raises:
        RisError: it cannot be opened.
    """
    try:
        return cast(BinaryIO, path.open("rb", buffering=0))
    except OSError as error:
        raise RisError(f"Dump file {path} cannot be opened: {error.strerror}.") from error


def chunks(stream: BinaryIO, path: Path) -> Iterator[bytes]:
    """A file's bytes in steps of about a batch.

    Raises:
        RisError: the file cannot be read, or its compression is broken or cut off.
    """
    try:
        while chunk := stream.read(BATCH_BYTES):
            yield chunk
    except EOFError as error:
        raise truncated(path) from error
    except (OSError, zlib.error) as error:
        raise RisError(f"Dump file {path} cannot be read: {error}. Take the dump again.") from error


def truncated(path: Path) -> RisError:
    """The failure of a file that ends too early."""
    return RisError(f"Dump file {path} is truncated: it ends too early. Take the dump again.")


def broken(path: Path, offset: int, error: object) -> RisError:
    """The failure of a file that holds something else than documents at `offset`."""
    return RisError(f"Dump file {path} is broken at byte {offset}: {error}. Take the dump again.")


def whole_documents(stream: BinaryIO, path: Path) -> Iterator[bytes]:
    """Cut a stream into batches that end where a document ends.

    Raises:
        RisError: the stream holds a broken document or ends within one.
    """
    rest, read = b"", 0
    for chunk in chunks(stream, path):
        buffer = rest + chunk if rest else chunk
        try:
            cut = last_boundary(buffer)
        except BrokenBsonError as error:
            raise broken(path, read + error.position, error) from error
        if _length_of(buffer, cut) == TERMINATOR:
            raise broken(path, read + cut, "an archive's end of block, where a document should be")
        if cut:
            yield buffer[:cut]
        rest, read = buffer[cut:], read + cut
    if rest:
        raise truncated(path)


def _length_of(buffer: bytes, position: int) -> int | None:
    return _length_at(buffer, position)[0] if position + 4 <= len(buffer) else None


def spread(batches: Iterator[bytes], documents: int) -> Iterator[bytes]:
    """At most `documents` documents, spread evenly over all batches, in one pass of bounded memory.

    Every k-th is kept; whenever too many are, every second goes and k doubles. After `SAMPLE_SECONDS`
    what was seen so far must do.
    """
    sample, until = _Sample(documents), time.monotonic() + SAMPLE_SECONDS
    for raw in batches:
        sample.add(raw)
        if time.monotonic() > until:
            break
    yield from joined(sample.even())


class _Sample:
    """Documents 0, k, 2k, ... of a stream, fewer than twice as many as wanted."""

    def __init__(self, wanted: int) -> None:
        self._wanted, self._step, self._seen = max(wanted, 1), 1, 0
        self._kept: list[bytes] = []

    def add(self, raw: bytes) -> None:
        offsets = document_offsets(raw)
        count = len(offsets) - 1
        while len(self._kept) + count // self._step > 2 * self._wanted:
            self._thin()
        for n in range(-self._seen % self._step, count, self._step):
            self._kept.append(raw[offsets[n] : offsets[n + 1]])
        self._seen += count
        while len(self._kept) > 1 and sum(map(len, self._kept)) > SAMPLE_BYTES:
            self._thin()

    def _thin(self) -> None:
        self._kept = self._kept[::2]
        self._step *= 2

    def even(self) -> list[bytes]:
        """What was kept, evenly cut down to as many as were wanted."""
        kept, wanted = self._kept, self._wanted
        if len(kept) <= wanted:
            return kept
        return [kept[n * len(kept) // wanted] for n in range(wanted)]


def joined(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Pieces put together to batches of about `BATCH_BYTES`."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= BATCH_BYTES:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)
