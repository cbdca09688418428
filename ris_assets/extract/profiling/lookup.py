"""Look ids up by reading on, where a source (a dump) cannot be asked for them."""

import time
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import bson

from ris_assets.extract.dump import document_offsets

_HEAD = 4
"""Bytes of a document before its first element."""


def ids_by_reading(batches: Iterable[bytes], ids: Iterable[Any], seconds: float) -> set[Any]:
    """Which of the ids documents begin with: all that there are, or those found until time is up.

    Compares bytes without decoding. A server stores `_id` first; documents that do not are passed over.
    """
    wanted = {bson.encode({"_id": value})[_HEAD:-1]: value for value in ids}
    sizes = sorted({len(element) for element in wanted})
    found: set[Any] = set()
    deadline = time.monotonic() + seconds
    for raw in batches:
        for start, _ in pairwise(document_offsets(raw)):
            head = start + _HEAD
            for size in sizes:
                element = raw[head : head + size]
                if element in wanted:
                    found.add(wanted[element])
        if len(found) == len(wanted) or time.monotonic() > deadline:
            break
    return found
