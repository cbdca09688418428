"""How far the extraction in progress is, told to whoever listens in this process."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Listener = Callable[[str], None]
_listeners: list[Listener] = []


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Hear short sentences such as "bookings: 120,000 of 845,000 documents" while the block lasts."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def report(entity: str, documents: int, total: int | None) -> None:
    """Tell listeners how many documents have been read, of how many if that is known."""
    of = f" of {total:,}" if total else ""
    for listener in _listeners:
        listener(f"{entity}: {documents:,}{of} documents")
