"""Verify a CRC-64 (ECMA, reflected: what Go's `crc64.ECMA` and the xz format compute) at a gigabyte a second.

No library at hand computes it, but liblzma verifies it: the bytes are wrapped, uncompressed, into an xz
stream whose check is the value in question, and the decoder says whether it holds.
"""

import lzma
import struct
import zlib

_CHUNK = 65536
_UNCOMPRESSED = 1
_FLAGS = b"\x00\x04"
_FILTERS = b"\x02\x00\x21\x01\x00\x00\x00\x00"
_OPENING = (
    b"\xfd7zXZ\x00" + _FLAGS + struct.pack("<I", zlib.crc32(_FLAGS))
    + _FILTERS + struct.pack("<I", zlib.crc32(_FILTERS))
)  # fmt: skip
"""The xz stream's header with CRC-64 as its check, and the header of a block of LZMA2."""


class Crc64Check:
    """Fed with bytes, it tells whether a value is their CRC-64."""

    def __init__(self) -> None:
        """Begin with no bytes."""
        self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ)
        self._decoder.decompress(_OPENING)
        self._wrapped = 0

    def add(self, data: bytes) -> None:
        """Take further bytes."""
        view, parts = memoryview(data), []
        for start in range(0, len(view), _CHUNK):
            chunk = view[start : start + _CHUNK]
            parts += [struct.pack(">BH", _UNCOMPRESSED, len(chunk) - 1), chunk]
            self._wrapped += len(chunk) + 3
        self._decoder.decompress(b"".join(parts))

    def holds(self, value: int) -> bool:
        """Whether `value`, signed or not, is the CRC-64 of all bytes so far; asked once."""
        end = b"\x00" + b"\x00" * (-(self._wrapped + 1) % 4)
        try:
            self._decoder.decompress(end + struct.pack("<Q", value & 0xFFFFFFFFFFFFFFFF))
        except lzma.LZMAError:
            return False
        return True
