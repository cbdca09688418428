"""Profile every collection of a document source, whatever it is, within bounds of size and time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from ris_assets.errors import Interrupted, RisError
from ris_assets.extract.profiling.lookup import ids_by_reading
from ris_assets.extract.profiling.profile import CollectionProfile, profile_fields
from ris_assets.extract.profiling.references import with_references

OnProgress = Callable[[int, int, str], None]


class Facts(Protocol):
    """What a source knows of a collection without reading it."""

    @property
    def documents(self) -> int | None:
        """How many there are."""

    @property
    def bytes(self) -> int | None:
        """How large they are together."""

    @property
    def indexes(self) -> tuple[str, ...]:
        """Its indexes, readable."""


class Explorable(Protocol):
    """The part of a document source that exploring needs."""

    def collections(self) -> list[str]:
        """Names of the collections."""

    def batches(self, collection: str, query: dict[str, Any]) -> Iterator[bytes]:
        """All documents that match, as raw BSON."""

    def facts(self, collection: str, *, exact: bool = False) -> Facts:
        """Size and indexes; `exact` counts even where that needs reading everything."""

    def sample(self, collection: str, documents: int) -> Iterator[bytes]:
        """About that many documents from all over the collection, as raw BSON."""

    def find_ids(self, collection: str, ids: list[Any]) -> set[Any] | None:
        """Which of these `_id`s exist; None where the source cannot tell."""


_COUNTED_BYTES = 2**30
"""Up to this size documents are counted one by one (half a second) rather than estimated."""


@dataclass(frozen=True)
class Bounds:
    """How much of each collection is looked at, and for how long."""

    documents: int = 2_000
    seconds: float = 20.0


@dataclass(frozen=True)
class SourceProfile:
    """Everything found in a source."""

    profiled_at: datetime
    bounds: Bounds
    collections: tuple[CollectionProfile, ...]

    def collection(self, name: str) -> CollectionProfile:
        """The collection of that name; KeyError if there is none."""
        for one in self.collections:
            if one.name == name:
                return one
        raise KeyError(name)


def explore_source(source: Explorable, bounds: Bounds, progress: OnProgress) -> SourceProfile:
    """Profile all collections, and find what refers to what.

    A collection that cannot be read is kept with the reason; the others are not held up by it.

    Raises:
        RisError: there are no collections, none can be read, or the connection was lost.
    """
    names = sorted(source.collections())
    if not names:
        raise RisError(
            "The document source holds no collections: does RIS_MONGO_URL name the database?"
        )
    found = []
    for done, name in enumerate(names):
        progress(done, len(names) + 1, name)
        found.append(_profiled(source, name, bounds))
    if problems := [one.problem for one in found if one.problem]:
        _some_readable(problems, len(found))
    progress(len(names), len(names) + 1, "references")
    whole = with_references(found, lambda name, ids: _there(source, name, ids, bounds.seconds))
    progress(len(names) + 1, len(names) + 1, "")
    return SourceProfile(datetime.now(UTC).replace(microsecond=0), bounds, tuple(whole))


def _there(source: Explorable, name: str, ids: list[Any], seconds: float) -> set[Any]:
    """Which of the ids a collection has: by asking, or else by reading for as long as is allowed."""
    try:
        found = source.find_ids(name, ids)
        if found is None:
            return ids_by_reading(source.batches(name, {}), ids, seconds)
    except Interrupted:
        raise
    except RisError:
        return set()
    return found


def _some_readable(problems: list[str], collections: int) -> None:
    if len(problems) == collections:
        raise RisError(problems[0])


def _profiled(source: Explorable, name: str, bounds: Bounds) -> CollectionProfile:
    try:
        facts = source.facts(name)
        if (facts.bytes or 0) <= _COUNTED_BYTES:
            facts = source.facts(name, exact=True)
        batches = source.sample(name, bounds.documents)
        profile = profile_fields(name, batches, bounds.documents, bounds.seconds)
    except Interrupted:
        raise
    except RisError as error:
        return CollectionProfile(name, None, None, (), 0, 0, 0, 0.0, (), str(error))
    return replace(
        profile, documents=facts.documents, size_bytes=facts.bytes, indexes=facts.indexes
    )
