"""How many differing values there are, and a fair few of them, in bounded memory."""

import heapq
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

_SPACE = float(2**64)


def digest(value: Any) -> int:
    """A 64-bit hash that is the same in every process."""
    if isinstance(value, str):
        raw = value.encode("utf-8", "surrogatepass")
    elif isinstance(value, bytes):
        raw = bytes(value)
    else:
        raw = f"{type(value).__name__}:{value!r}".encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(raw, digest_size=8).digest(), "little")


class Sketch:
    """The values with the smallest hashes: exact up to a size, then a KMV estimate.

    Which values are kept depends on the values alone, so they are a uniform sample of the distinct ones
    (Bar-Yossef et al., 2002: k minimum values).
    """

    __slots__ = ("_kept", "_limit", "_size")

    def __init__(self, size: int) -> None:
        """Between `size` and twice as many values are kept."""
        self._size = size
        self._kept: dict[int, Any] = {}
        self._limit: int | None = None

    def add(self, key: int, value: Any = None) -> None:
        """See a value, by its hash."""
        if self._limit is not None and key >= self._limit:
            return
        self._kept[key] = value
        if len(self._kept) > 2 * self._size:
            self._prune()

    def merge(self, other: "Sketch") -> None:
        """See all that another sketch has seen."""
        limits = [limit for limit in (self._limit, other._limit) if limit is not None]
        self._kept |= other._kept
        if limits:
            self._limit = min(limits)
            self._kept = {key: value for key, value in self._kept.items() if key < self._limit}
        if len(self._kept) > 2 * self._size:
            self._prune()

    def _prune(self) -> None:
        smallest = heapq.nsmallest(self._size, self._kept)
        self._limit = smallest[-1] + 1
        self._kept = {key: self._kept[key] for key in smallest}

    @property
    def is_exact(self) -> bool:
        """Whether no value had to be dropped."""
        return self._limit is None

    @property
    def distinct(self) -> int:
        """Differing values seen, exactly or estimated."""
        if self._limit is None:
            return len(self._kept)
        return round(len(self._kept) * _SPACE / self._limit)

    def values(self, most: int) -> Iterable[Any]:
        """Up to that many of the kept values, those of the smallest hashes."""
        return [self._kept[key] for key in heapq.nsmallest(most, self._kept)]
