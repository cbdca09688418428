"""Which fields are keys of which collections, found by looking their values up.

A sample of a large collection misses most of its ids, so the source is asked where it can answer.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from bson.binary import Binary, UuidRepresentation
from bson.dbref import DBRef
from bson.objectid import ObjectId

from ris_assets.extract.profiling.profile import (
    CollectionProfile,
    FieldProfile,
    Reference,
)
from ris_assets.extract.profiling.values import (
    ID_TYPES,
    NUMBER_TYPES,
    id_text,
    is_date_like,
    type_name,
)
from ris_assets.extract.profiling.words import words_of

FindIds = Callable[[str, list[Any]], set[Any]]
LEAST_SHARE = 0.05
_FEWEST_HITS = 2
_SURE_SHARE, _SURE_HITS = 0.9, 20
"""Texts of so many documents do not meet another collection's ids by chance."""
_MOST_LOOKED_UP = 20_000
"""Values looked up in one collection; the more fields there are, the fewer each may bring."""
_FEWEST_A_FIELD = 20
_MOST_REFERENCES = 3


@dataclass(frozen=True, eq=False)
class _Key:
    """A field by which a collection's documents can be named."""

    collection: str
    path: str
    types: frozenset[str]
    values: frozenset[str]


def with_references(
    collections: Sequence[CollectionProfile], find_ids: FindIds
) -> list[CollectionProfile]:
    """The collections with what their id-like fields refer to."""
    paths = Counter(field.path for one in collections for field in one.fields)
    shared = frozenset(path for path, count in paths.items() if count > 1)
    keys = [key for one in collections for key in _keys(one, shared)]
    fields = sum(bool(f.is_id_like and f.ids) for one in collections for f in one.fields)
    most = max(_FEWEST_A_FIELD, _MOST_LOOKED_UP // max(1, fields))
    keys = [_asked(key, collections, find_ids, most) for key in keys]
    owners: dict[str, list[_Key]] = defaultdict(list)
    for key in keys:
        for value in key.values:
            owners[value].append(key)
    return [
        one.with_fields(
            replace(f, references=_references(one, f, owners, most)) for f in one.fields
        )
        for one in collections
    ]


def _keys(collection: CollectionProfile, shared: frozenset[str]) -> Iterable[_Key]:
    """The `_id`, and other fields unique in the sample that are id-like or texts that others have, too."""
    for field in collection.fields:
        is_own = field.path == "_id"
        if is_own or (field.is_unique and (field.is_id_like or _is_word_for(field, shared))):
            values = frozenset(text for text in map(id_text, field.ids) if text)
            yield _Key(collection.name, field.path, frozenset(field.types) - {"null"}, values)


def _is_word_for(field: FieldProfile, shared: frozenset[str]) -> bool:
    """Whether a field holds words that others have under the same name: no dates, and nobody's own."""
    is_word = set(field.types) == {"string"} and not field.is_personal
    return is_word and field.path in shared and not any(map(is_date_like, field.ids))


def _asks(collection: CollectionProfile, field: FieldProfile, key: _Key) -> bool:
    """Whether it makes sense to look the field's values up among the keys."""
    is_named = _is_named_after(field, key)
    is_alike = field.path == key.path != "_id" and key.types == {"string"}
    if not field.ids or _is_itself(collection, field, key) or _is_own_number(field):
        return False
    if is_alike or not (field.is_id_like or is_named):
        return is_alike
    if set(field.types) & ID_TYPES or key.types & ID_TYPES:
        return True
    return is_named or bool(key.types - NUMBER_TYPES)


def _is_itself(collection: CollectionProfile, field: FieldProfile, key: _Key) -> bool:
    return collection.name == key.collection and field.path == key.path


def _is_own_number(field: FieldProfile) -> bool:
    """Whether it is the number that a table had for its rows: nothing else, though every table counts alike."""
    return field.path != "_id" and field.is_unique and words_of(field.path) == ("id",)


def _is_named_after(field: FieldProfile, key: _Key) -> bool:
    """Running numbers are alike in every collection: only the name tells them apart."""
    last = field.keys[-1] if field.keys else ""
    return bool((set(words_of(last)) - {"id"}) & set(words_of(key.collection)))


def _asked(
    key: _Key, collections: Sequence[CollectionProfile], find_ids: FindIds, most: int
) -> _Key:
    """The key with those of the values that may refer to it which the source knows: one question."""
    if key.path != "_id":
        return key
    wanted: dict[Any, None] = {}
    for one in collections:
        for field in one.fields:
            if _asks(one, field, key):
                looked_up = (v for value in field.ids[:most] for v in _as_key(value, key.types))
                wanted |= dict.fromkeys(v for v in looked_up if id_text(v) not in key.values)
    found = find_ids(key.collection, list(wanted)) if wanted else set()
    return replace(key, values=key.values | {text for text in map(id_text, found) if text})


def _tells_by_values(
    collection: CollectionProfile, field: FieldProfile, key: _Key, share: float, count: int
) -> bool:
    """Whether texts that nothing in their name makes an id are all another collection's `_id`."""
    if key.path != "_id" or key.types != {"string"} or _is_itself(collection, field, key):
        return False
    return share >= _SURE_SHARE and count >= _SURE_HITS


def _as_key(value: Any, types: frozenset[str]) -> list[Any]:
    """The value as the types of a key write it; nothing where it cannot be one."""
    if isinstance(value, DBRef):
        value = value.id
    if type_name(value) in types or {type_name(value), *types} <= NUMBER_TYPES:
        return [value]
    if isinstance(value, str) and "objectId" in types and ObjectId.is_valid(value):
        return [ObjectId(value)]
    if isinstance(value, str) and "uuid" in types and len(value) == 36:
        try:
            return [Binary.from_uuid(UUID(value), UuidRepresentation.STANDARD)]
        except ValueError:
            return []
    if isinstance(value, (ObjectId, UUID)) and "string" in types:
        return [str(value)]
    return []


def _references(
    collection: CollectionProfile, field: FieldProfile, owners: dict[str, list[_Key]], most: int
) -> tuple[Reference, ...]:
    """What a field refers to, the likeliest first: names decide between equal shares."""
    values = {text for text in map(id_text, field.ids[:most]) if text}
    hits = Counter(key for value in values for key in owners.get(value, ()))
    found: dict[str, tuple[float, Reference]] = {}
    for key, count in hits.items():
        share = round(count / len(values), 4)
        if share < LEAST_SHARE or count < min(_FEWEST_HITS, len(values)):
            continue
        if _asks(collection, field, key) or _tells_by_values(collection, field, key, share, count):
            rank = share + 0.3 * _is_named_after(field, key) + 0.01 * (key.path == "_id")
            reference = Reference(key.collection, key.path, share, len(values))
            found[key.collection] = max(found.get(key.collection, (0.0, reference)), (rank, reference),
                                        key=lambda each: each[0])  # fmt: skip
    best = sorted(found.values(), key=lambda each: -each[0])[:_MOST_REFERENCES]
    return tuple(reference for _, reference in best)
