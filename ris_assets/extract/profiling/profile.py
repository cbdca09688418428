"""The profile of a collection: what each field holds, how full it is, and examples that name nobody.

Reads raw BSON; knows nothing of where it comes from, nor of what RIS would do with it.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from statistics import median
from typing import Any

from ris_assets.extract.dump import document_offsets
from ris_assets.extract.exact import documents_of
from ris_assets.extract.profiling.tally import Range
from ris_assets.extract.profiling.tree import ANY_KEY, ELEMENT, Node, Tree
from ris_assets.extract.profiling.values import (
    ID_TYPES,
    as_number,
    id_text,
    instant_text,
    personal_kind,
    shown,
)
from ris_assets.extract.profiling.vocabulary import flags_of
from ris_assets.extract.profiling.words import words_of

EXAMPLES = 5
IDS_KEPT = 500
_NEVER_PERSONAL = frozenset({"bool", "date", "object", "array", "null"})
_LONGEST_ID = 64
_MOST_FLAGS = 4
"""Yes and no, each written in two ways."""
_FEWEST_DAYS = 3
"""Dates that are all midnight by chance are fewer."""
_EMPTY_BYTES = 5
"""Size of a document without fields."""


@dataclass(frozen=True)
class Lengths:
    """How long texts are, or how many elements arrays hold."""

    minimum: int
    mean: float
    maximum: int


@dataclass(frozen=True)
class Reference:
    """Values of a field that are keys of another collection."""

    collection: str
    path: str
    share: float
    checked: int


@dataclass(frozen=True)
class FieldProfile:
    """One path. Shares are of `parents`: documents, objects above, or the array's elements."""

    path: str
    keys: tuple[str, ...]
    types: dict[str, int]
    parents: int
    missing: int
    nulls: int
    distinct: int
    distinct_is_exact: bool
    is_unique: bool
    is_personal: bool
    is_id_like: bool
    is_midnight_utc: bool = False
    """Whether all dates are: days rather than instants."""
    minimum: int | float | str | None = None
    maximum: int | float | str | None = None
    median: float | None = None
    text_lengths: Lengths | None = None
    array_lengths: Lengths | None = None
    text_kinds: dict[str, int] = field(default_factory=dict)
    values: tuple[tuple[Any, int], ...] = ()
    """Every value with its count, where they are few and nobody's own."""
    examples: tuple[str, ...] = ()
    references: tuple[Reference, ...] = ()
    ids: tuple[Any, ...] = field(default=(), repr=False)
    """Values to look up in other collections; never written anywhere."""

    @property
    def fill(self) -> float:
        """Share in which the field is there and not null."""
        return (self.parents - self.missing - self.nulls) / self.parents if self.parents else 0.0

    @property
    def type_shares(self) -> dict[str, float]:
        """Share of each type among the values that are not null."""
        known = {name: n for name, n in self.types.items() if name != "null"}
        total = sum(known.values())
        return {name: n / total for name, n in sorted(known.items(), key=lambda t: -t[1])}


@dataclass(frozen=True)
class CollectionProfile:
    """One collection: its size, and a profile of every path of the documents looked at."""

    name: str
    documents: int | None
    size_bytes: int | None
    indexes: tuple[str, ...]
    sampled: int
    unreadable: int
    further_paths: int
    seconds: float
    fields: tuple[FieldProfile, ...]
    problem: str | None = None

    def field(self, path: str) -> FieldProfile:
        """The field of that path; KeyError if there is none."""
        for one in self.fields:
            if one.path == path:
                return one
        raise KeyError(path)

    def with_fields(self, fields: Iterable[FieldProfile]) -> "CollectionProfile":
        """The same collection with other fields."""
        return replace(self, fields=tuple(fields))


def profile_fields(
    name: str, batches: Iterable[bytes], most_documents: int, seconds: float
) -> CollectionProfile:
    """Profile raw BSON documents until there are enough, or time is up.

    Args:
        name: the collection's name; says whose `name` a field is.
        batches: documents back to back.
        most_documents: how many to look at.
        seconds: after how long to stop.
    """
    began = time.monotonic()
    tree, sampled, unreadable = Tree(), 0, 0
    for document in _documents(batches):
        if document is None:
            unreadable += 1
        else:
            tree.add(document)
            sampled += 1
        if sampled + unreadable >= most_documents or time.monotonic() - began > seconds:
            break
    fields = tuple(_field(name, way, node, parent) for way, node, parent in tree.paths())
    spent = round(time.monotonic() - began, 3)
    return CollectionProfile(
        name, None, None, (), sampled, unreadable, tree.further_paths, spent, fields
    )


def _documents(batches: Iterable[bytes]) -> Iterator[dict[str, Any] | None]:
    """The documents; None for each that is broken inside."""
    for raw in batches:
        documents = documents_of(raw)
        if all(documents):
            yield from documents
            continue
        for document, (start, end) in zip(documents, pairwise(document_offsets(raw)), strict=True):
            yield document if document or end - start == _EMPTY_BYTES else None


def path_text(way: tuple[str, ...]) -> str:
    r"""A way through documents as one text: `stations[].hr\.max`."""
    text = ""
    for key in way:
        if key == ELEMENT:
            text += ELEMENT
        else:
            text += ("." if text else "") + key.replace(".", "\\.")
    return text


def _field(collection: str, way: tuple[str, ...], node: Node, parent: Node) -> FieldProfile:
    tally = node.tally
    nulls = tally.types.get("null", 0)
    is_branch = node.key in (ANY_KEY, ELEMENT)
    parents = node.seen if is_branch else parent.objects
    scalars = sum(n for t, n in tally.types.items() if t not in ("null", "object", "array", "bool"))
    distinct = min(tally.sketch.distinct, scalars) + len(_bools(node))
    keys = tuple(key for key in way if key not in (ELEMENT, ANY_KEY))
    personal = _is_personal(collection, keys, node)
    profile = FieldProfile(
        path=path_text(way),
        keys=keys,
        types=dict(tally.types),
        parents=parents,
        missing=max(0, parents - node.seen),
        nulls=nulls,
        distinct=distinct,
        distinct_is_exact=tally.sketch.is_exact,
        is_unique=scalars > 1 and scalars == node.seen - nulls and _all_differ(node, scalars),
        is_personal=personal is not None,
        is_id_like=_is_id_like(keys, node),
        is_midnight_utc=bool(tally.dates and tally.days == tally.dates.count >= _FEWEST_DAYS),
        text_lengths=_lengths(tally.lengths),
        array_lengths=_lengths(tally.sizes),
        text_kinds=dict(tally.kinds),
        ids=_ids(node),
    )
    if personal:
        return replace(profile, examples=(f"<{personal}>",))
    low, high, middle = _ranges(node)
    return replace(
        profile, minimum=low, maximum=high, median=middle, values=_values(node),
        examples=tuple(dict.fromkeys(shown(value) for value in _examples(node))),
    )  # fmt: skip


def _bools(node: Node) -> set[bool]:
    return {value for value in node.tally.values or () if isinstance(value, bool)}


def _all_differ(node: Node, values: int) -> bool:
    """Exactly where that is known, and within the error of the estimate where not."""
    sketch = node.tally.sketch
    return sketch.distinct == values if sketch.is_exact else sketch.distinct > 0.9 * values


def _is_personal(collection: str, keys: tuple[str, ...], node: Node) -> str | None:
    """The kind of personal detail a field holds, by its name or by what most of its texts look like."""
    tally = node.tally
    if set(tally.types) <= _NEVER_PERSONAL or _is_flag(node):
        return None
    if kind := personal_kind(collection, keys):
        return kind
    for kind, count in tally.kinds.items():
        if kind not in ("iso", "text") and count >= max(1, tally.texts / 2):
            return kind
    return _numeric_kind(node)


def _is_flag(node: Node) -> bool:
    """Whether a field says yes or no in words: whose phone is insured is no phone."""
    values = list(node.tally.sketch.values(_MOST_FLAGS + 1))
    return 1 < len(values) <= _MOST_FLAGS and all(map(flags_of, values))


def _numeric_kind(node: Node) -> str | None:
    """Whether most of a field's numbers are written like phones or cards."""
    numbers = [n for n in map(as_number, node.tally.sketch.values(50)) if n is not None]
    masked = [shown(n) for n in numbers if isinstance(n, int)]
    kinds = [text[1:-1] for text in masked if text.startswith("<")]
    return max(set(kinds), key=kinds.count) if len(kinds) > len(masked) / 2 else None


def _is_id_like(keys: tuple[str, ...], node: Node) -> bool:
    types = set(node.tally.types) - {"null", "object", "array"}
    if types & ID_TYPES:
        return True
    named = bool(keys) and "id" in words_of(keys[-1])
    return named and bool(types) and not types & {"bool", "date"}


def _lengths(seen: Range | None) -> Lengths | None:
    if seen is None or seen.minimum is None or seen.maximum is None:
        return None
    return Lengths(int(seen.minimum), round(seen.mean or 0, 2), int(seen.maximum))


def _ids(node: Node) -> tuple[Any, ...]:
    longest = node.tally.lengths.maximum if node.tally.lengths else 0
    if (longest or 0) > _LONGEST_ID:
        return ()
    return tuple(v for v in node.tally.sketch.values(IDS_KEPT) if id_text(v) is not None)


def _ranges(node: Node) -> tuple[int | float | str | None, int | float | str | None, float | None]:
    """Least, greatest and median of numbers; of dates where there are no numbers."""
    numbers, dates = node.tally.numbers, node.tally.dates
    if numbers and numbers.minimum is not None and numbers.maximum is not None:
        kept = [n for n in map(as_number, node.tally.sketch.values(IDS_KEPT)) if n is not None]
        return numbers.minimum, numbers.maximum, float(median(kept)) if kept else None
    if dates and dates.minimum is not None and dates.maximum is not None:
        return instant_text(int(dates.minimum)), instant_text(int(dates.maximum)), None
    return None, None, None


def _values(node: Node) -> tuple[tuple[Any, int], ...]:
    """Every value, where they are few; texts that would be masked are left out."""
    counted = node.tally.values
    if not counted or (node.tally.dates and not _bools(node)):
        return ()
    shown_ones = (
        one for one in counted.items() if isinstance(one[0], bool) or shown(one[0]) == str(one[0])
    )
    return tuple(sorted(shown_ones, key=lambda one: (-one[1], str(one[0]))))


def _examples(node: Node) -> list[Any]:
    found = list(_bools(node)) + list(node.tally.sketch.values(EXAMPLES))
    return [value for value in found if value is not None][:EXAMPLES]
