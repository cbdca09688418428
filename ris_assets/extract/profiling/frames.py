"""Where rows can come from: the documents of a collection, an array in them, or an object in them."""

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property

from ris_assets.extract.profiling.profile import CollectionProfile, FieldProfile
from ris_assets.extract.profiling.tree import ANY_KEY
from ris_assets.extract.profiling.words import words_of

_MOST_FIELDS = 400
_MOST_INNER = 40
_LEAST_OWN_FIELDS = 2
_DOT = re.compile(r"(?<!\\)\.")


@dataclass(frozen=True)
class Candidate:
    """A path that a field of the frame's rows may be read from."""

    profile: FieldProfile
    path: str
    """As a source map writes it."""
    is_own: bool
    """Whether it lies in the row itself, not in the document around an exploded element or in an array of one."""
    words: frozenset[str]
    """Concepts of the last key."""
    around: frozenset[str]
    """Concepts of the keys above, within the row."""
    is_list: bool = False
    """Whether it is an array of plain values."""


@dataclass(frozen=True)
class Frame:
    """Rows to be: documents, the elements of the array `explode`, or the one object `within` each."""

    collection: CollectionProfile
    explode: str | None
    within: str | None
    names: tuple[frozenset[str], ...]
    candidates: tuple[Candidate, ...]
    is_nested: bool = False
    """Whether the array lies within another one, which a source map cannot explode."""

    @cached_property
    def by_word(self) -> dict[str, list[Candidate]]:
        """Candidates by each concept in their path."""
        found: dict[str, list[Candidate]] = defaultdict(list)
        for candidate in self.candidates:
            for word in candidate.words | candidate.around:
                found[word].append(candidate)
        return found

    @property
    def context(self) -> frozenset[str]:
        """Concepts that every field of the frame is about anyway."""
        return frozenset().union(*self.names)

    @property
    def place(self) -> str:
        """Collection and array in one text."""
        inner = self.explode or self.within
        return f"{self.collection.name}.{inner}" if inner else self.collection.name


def frames_of(collection: CollectionProfile) -> list[Frame]:
    """The collection's documents, each array of documents in them, and each object at their top."""
    usable = [f for f in collection.fields if ANY_KEY not in _parts(f.path) and f.fill > 0]
    usable = usable[: 10 * _MOST_FIELDS]
    frames = [_frame(collection, usable, None)]
    inner = [f.path for f in usable if "object" in f.types and _may_be_rows(f.path)]
    for path in inner[:_MOST_INNER]:
        frame = _frame(collection, usable, path)
        if sum(c.is_own for c in frame.candidates) >= _LEAST_OWN_FIELDS:
            frames.append(frame)
    return frames


def _may_be_rows(path: str) -> bool:
    return path.endswith("[]") or len(_parts(path)) == 1


def _frame(collection: CollectionProfile, fields: list[FieldProfile], inner: str | None) -> Frame:
    around = frozenset(words_of(collection.name))
    alone = _alone(fields) if inner is None else frozenset()
    candidates = [c for c in (_candidate(field, inner, alone) for field in fields) if c]
    kept = tuple(candidates[:_MOST_FIELDS])
    if inner is None:
        return Frame(collection, None, None, (around,), kept)
    place = inner.replace("[]", "")
    last = frozenset(words_of(_parts(place)[-1]))
    is_array = inner.endswith("[]")
    explode, within = (place, None) if is_array else (None, place)
    is_nested = inner.count("[]") > 1
    return Frame(collection, explode, within, (last, last | around), kept, is_nested)


def _alone(fields: list[FieldProfile]) -> frozenset[str]:
    """Arrays of documents that never hold more than one, which is then as good as a part of the row."""
    lengths = {f"{f.path}[]": f.array_lengths for f in fields if f.array_lengths}
    objects = {f.path for f in fields if "object" in f.types}
    return frozenset(path for path, one in lengths.items() if one.maximum == 1 and path in objects)


def _candidate(field: FieldProfile, inner: str | None, alone: frozenset[str]) -> Candidate | None:
    """The field as seen from the frame; None if it is many values to one row."""
    if array := next((path for path in alone if field.path.startswith(f"{path}.")), None):
        return _first_of(field, array)
    is_inside = inner is not None and field.path.startswith(f"{inner}.")
    rest = field.path.removeprefix(inner or "") if is_inside else field.path
    is_list = rest.endswith("[]") and rest.count("[]") == 1 and "object" not in field.types
    if "[]" in rest.removesuffix("[]" if is_list else "") and not _is_above(field.path, inner):
        return None
    keys = [key for key in _parts(rest.replace("[]", "")) if key]
    if not keys:
        return None
    # What extended JSON wraps a value in, such as $date, says no more than its name.
    named = [key for key in keys if not key.startswith("$")] or keys
    return Candidate(
        profile=field,
        path=field.path.replace("[]", ""),
        is_own=is_inside or inner is None,
        words=frozenset(words_of(named[-1])),
        around=frozenset(word for key in named[:-1] for word in words_of(key)),
        is_list=is_list,
    )


def _first_of(field: FieldProfile, array: str) -> Candidate | None:
    """The field of the only element of an array; None if it is many values even so."""
    rest = field.path.removeprefix(array)
    if "[]" in rest:
        return None
    keys = [key for key in _parts(f"{array.removesuffix('[]')}{rest}") if key]
    return Candidate(
        profile=field,
        path=f"{array.removesuffix('[]')}.0{rest}",
        is_own=False,
        words=frozenset(words_of(keys[-1])),
        around=frozenset(word for key in keys[:-1] for word in words_of(key)),
    )


def _is_above(path: str, inner: str | None) -> bool:
    """Whether every array on the path is also on the way to the exploded one."""
    return inner is not None and inner.startswith(f"{path[: path.rfind('[]') + 2]}.")


def _parts(path: str) -> list[str]:
    return _DOT.split(path)
