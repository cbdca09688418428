"""A first guess at a source map: which collection is which entity, and where its fields lie.

Only guesses; `draft_yaml.py` writes them down.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ris_assets.contracts.columns import Column
from ris_assets.contracts.entities import ENTITIES, Entity, Keeping
from ris_assets.extract.profiling.fit import (
    Guess,
    entity_name_fit,
    fit,
    instants,
    name_fit,
    read_as,
)
from ris_assets.extract.profiling.frames import Candidate, Frame, frames_of
from ris_assets.extract.profiling.profile import CollectionProfile
from ris_assets.extract.profiling.vocabulary import (
    ATTENDED,
    ENTITY_NAMES,
    SAME_INSTANT,
    field_phrases,
    months_of,
)

LEAST_CONFIDENCE = 0.35
LEAST_FIELD = 0.3
LEAST_INSTANTS = 0.5
"""Share of a path's values that convert, from which on it holds instants."""
MOST_SURE = 0.99
LEAST_LIKENESS = 0.15
"""Below this an entity counts as not found at all."""
_MANY_FRAMES = 60
_REFERS = {
    "user_id": "users",
    "hp_id": "hero_passes",
    "booking_id": "bookings",
    "target_user_id": "users",
    "friend_ids": "users",
}
_BY_REFERENCE = 0.55
_LITERAL = 0.3
_BY_PERIOD = 0.5
ALWAYS_ENDED = 0.95
"""Share of passes with an end below which the others are likely to renew themselves."""
_PARENTS = (("hp_id", "hero_passes"), ("booking_id", "bookings"))
_SINGLE_OBJECTS = frozenset({"hero_passes"})
"""Entities of which a person may hold just one, written into the person's own document."""


@dataclass(frozen=True)
class EntityGuess:
    """Where an entity seems to be, and what of it could not be found."""

    entity: str
    frame: Frame | None
    confidence: float
    fields: tuple[Guess, ...] = ()
    missing: tuple[str, ...] = ()
    changed_at: Guess | None = None
    personal: tuple[tuple[str, str], ...] = ()
    is_distinct: bool = False
    """Whether several documents tell of one id."""
    repeat: dict[str, Any] | None = None
    """How long the periods are that each document stands for."""

    @property
    def is_active(self) -> bool:
        """Whether it is good enough to stand in the map uncommented."""
        if self.frame is None or self.frame.is_nested:
            return False
        return not self.missing and self.confidence >= LEAST_CONFIDENCE

    @property
    def by_name(self) -> dict[str, Guess]:
        """The guesses of its fields."""
        return {guess.name: guess for guess in self.fields}

    def field(self, name: str) -> Guess:
        """The guess of that field; KeyError if there is none."""
        return self.by_name[name]


@dataclass(frozen=True)
class _Known:
    """A decided entity: what others refer to."""

    frame: Frame
    id_path: str


Known = dict[str, _Known]


def draft_map(collections: Sequence[CollectionProfile]) -> list[EntityGuess]:
    """A guess for every entity of the contract, the surest first, each of documents of its own."""
    frames = [frame for one in collections for frame in frames_of(one)]
    referred = _referred(collections)
    known: Known = {}
    users = _best(ENTITIES["users"], frames, known, referred)
    _learn(known, users)
    taken = users.frame if users.confidence >= LEAST_CONFIDENCE else None
    chosen = _chosen([frame for frame in frames if frame is not taken], known, referred)
    for name in ("hero_passes", "bookings"):
        _learn(known, guessed(ENTITIES[name], chosen.get(name), known, referred))
    rest = [guessed(e, chosen.get(n), known, referred) for n, e in ENTITIES.items() if n != "users"]
    active = {guess.entity for guess in rest if guess.is_active}
    return surest_first([users, *(_without_lost_parents(guess, active) for guess in rest)])


def surest_first(guesses: Iterable[EntityGuess]) -> list[EntityGuess]:
    """Guesses in the order in which they are shown."""
    return sorted(guesses, key=lambda guess: (not guess.is_active, -guess.confidence))


def _learn(known: Known, guess: EntityGuess) -> None:
    ids = [g for g in guess.fields if g.name == ENTITIES[guess.entity].id_field]
    if guess.frame and guess.confidence >= LEAST_CONFIDENCE and ids:
        known[guess.entity] = _Known(guess.frame, str(ids[0].spec["path"]))


def _referred(collections: Iterable[CollectionProfile]) -> Counter[tuple[str, str]]:
    """How many fields refer to each key; one that itself refers to another is no key of its own."""
    fields = [(one.name, field) for one in collections for field in one.fields if field.references]
    foreign = {(name, field.path) for name, field in fields if field.path != "_id"}
    first = [field.references[0] for _, field in fields if field.path != "_id"]
    return Counter(
        (reference.collection, reference.path.replace("[]", ""))
        for reference in first
        if (reference.collection, reference.path) not in foreign
    )


def _best(
    entity: Entity, frames: Iterable[Frame], known: Known, referred: Counter[tuple[str, str]]
) -> EntityGuess:
    guesses = [guessed(entity, f, known, referred) for f in frames if f.within is None]
    return max(guesses, key=lambda g: g.confidence, default=EntityGuess(entity.name, None, 0.0))


def _chosen(
    frames: Sequence[Frame], known: Known, referred: Counter[tuple[str, str]]
) -> dict[str, Frame]:
    """Each entity's frame: the surest pairs first, no frame twice."""
    pairs = [
        guessed(entity, frame, known, referred)
        for entity in ENTITIES.values()
        if entity.name != "users"
        for frame in frames
        if _is_worth_a_look(entity, frame, len(frames))
    ]
    pairs = sorted(
        (p for p in pairs if p.confidence >= LEAST_LIKENESS), key=lambda g: -g.confidence
    )
    passes = (p for p in pairs if p.entity == "hero_passes" and p.is_active)
    first = [*itertools.islice(passes, 1)]  # a map needs passes; it can do without payments
    chosen: dict[str, Frame] = {}
    taken: set[str] = set()
    for guess in first + pairs:
        frame = guess.frame
        if frame and guess.entity not in chosen and frame.place not in taken:
            chosen[guess.entity] = frame
            taken.add(frame.place)
    return chosen


def _is_worth_a_look(entity: Entity, frame: Frame, frames: int) -> bool:
    if frame.within and entity.name not in _SINGLE_OBJECTS:
        return False
    is_named = entity_name_fit(frame.names, ENTITY_NAMES[entity.name]) > 0
    return is_named or (frames <= _MANY_FRAMES and not frame.within)


def guessed(
    entity: Entity, frame: Frame | None, known: Known, referred: Counter[tuple[str, str]]
) -> EntityGuess:
    """The entity read from the frame."""
    if frame is None:
        return EntityGuess(entity.name, None, 0.0, missing=tuple(_needed(entity, None)))
    fields = _fields(entity, frame, known, referred)
    if entity.name == "hero_passes":
        fields |= _told_to_repeat(frame, fields)
        fields = _told_of_cancellations(frame, fields) | _told_of_what_ends(fields)
    if "ends_at" in fields:
        fields["ends_at"] = _told_of_the_last_day(fields["ends_at"])
    missing = tuple(name for name in _needed(entity, frame) if name not in fields)
    is_users = entity.name == "users"
    return EntityGuess(
        entity=entity.name,
        frame=frame,
        confidence=_confidence(entity, frame, fields, referred),
        fields=tuple(fields[c.name] for c in entity.fields if c.name in fields),
        missing=missing,
        changed_at=_changed_at(frame) if entity.keeping is Keeping.VERSIONS else None,
        personal=tuple(_personal(frame).items()) if is_users else (),
    )


def _told_to_repeat(frame: Frame, fields: dict[str, Guess]) -> dict[str, Guess]:
    """The end of passes with a word on what to do where many have none."""
    end = fields.get("ends_at")
    fill = end.candidate.profile.fill if end and end.candidate else 1.0
    if end is None or fill >= ALWAYS_ENDED:
        return {}
    advice = f"add `repeat: {{months: {_written(rhythm_of(frame))}}}` beside `collection`"
    note = f"empty in {1 - fill:.0%}: if these renew themselves, {advice}"
    return {"ends_at": replace(end, notes=(*end.notes, note))}


def rhythm_of(frame: Frame) -> int | dict[str, Any]:
    """How many months a period lasts: what a field says in words, as a map has it, or one."""
    for candidate in frame.candidates:
        months = {value: months_of(value) for value, _ in candidate.profile.values}
        if months and all(months.values()):
            return {"path": candidate.path, "values": months}
    return 1


def _written(rhythm: int | dict[str, Any]) -> str:
    if isinstance(rhythm, int):
        return str(rhythm)
    table = ", ".join(f"{value}: {n}" for value, n in rhythm["values"].items())
    return f"{{path: {rhythm['path']}, values: {{{table}}}}}"


def _sells_periods(frame: Frame, fields: dict[str, Guess]) -> bool:
    """Whether payments say until when they pay: then each is a pass."""
    return "payment" in frame.context and "ends_at" in fields


def _told_of_cancellations(frame: Frame, fields: dict[str, Guess]) -> dict[str, Guess]:
    """The fields without the flag of a cancellation, where it says that the pass itself was cancelled."""
    flag = fields.get("is_cancellation")
    if flag is None:
        return fields
    note = "if it says that the pass of the row was cancelled, leave it out"
    told = {"is_cancellation": replace(flag, notes=(*flag.notes, note))}
    others = {name: guess for name, guess in fields.items() if name != flag.name}
    return others | told if _sells_periods(frame, fields) else others


def _told_of_what_ends(fields: dict[str, Guess]) -> dict[str, Guess]:
    """When a pass was cancelled with a word on what that means."""
    found = fields.get("cancelled_at")
    note = "the pass ends on that day: leave it out if only the renewal is called off"
    return {"cancelled_at": replace(found, notes=(*found.notes, note))} if found else {}


def _told_of_the_last_day(end: Guess) -> Guess:
    """The end of a period with a word on what to do where it is a day."""
    form, profile = str(end.spec.get("format", "")), end.candidate and end.candidate.profile
    lengths = profile.text_lengths if profile else None
    is_written = form == "iso" and lengths and lengths.maximum == len("2024-01-31")
    is_day = form == "local" or is_written or ("%d" in form and "%H" not in form)
    note = "a day: if it is the last that is covered, add `plus: {days: 1}`"
    return replace(end, notes=(*end.notes, note)) if is_day else end


def _needed(entity: Entity, frame: Frame | None) -> list[str]:
    needed = [column.name for column in entity.fields if column.required]
    if frame is not None and frame.explode:
        needed.remove(entity.id_field)
    return needed


def _confidence(
    entity: Entity, frame: Frame, fields: dict[str, Guess], referred: Counter[tuple[str, str]]
) -> float:
    """Name, required fields, optional fields; for persons also what is personal and referred to."""
    name = entity_name_fit(frame.names, ENTITY_NAMES[entity.name])
    if entity.name == "hero_passes" and not name and _sells_periods(frame, fields):
        name = _BY_PERIOD
    needed = [n for n in _needed(entity, frame) if n != entity.id_field]
    required = sum(fields[n].confidence for n in needed if n in fields) / len(needed)
    others = [c.name for c in entity.fields if not c.required]
    filled = sum(fields[n].confidence for n in others if n in fields)
    optional = min(1.0, 2 * filled / len(others)) if others else required
    score = 0.4 * name + 0.45 * required + 0.15 * optional
    score *= 0.5 + 0.5 * sum(n in fields for n in needed) / len(needed)
    if entity.name == "users":
        asked_for = min(
            1.0, sum(n for (c, _), n in referred.items() if c == frame.collection.name) / 3
        )
        score = 0.8 * score + 0.1 * bool(_personal(frame)) + 0.1 * asked_for
    return round(min(MOST_SURE, score * (1.0 if name else 0.6)), 4)


def _fields(
    entity: Entity, frame: Frame, known: Known, referred: Counter[tuple[str, str]]
) -> dict[str, Guess]:
    """The best place of each field; a path serves only one, the surest first."""
    fixed = _identity(entity, frame, referred)
    fixed |= _inherited(entity, frame, known)
    options = [
        guess
        for column in entity.fields
        if column.name not in fixed and column.name != entity.id_field
        for guess in _options(entity, column, frame, known)
    ]
    options.sort(key=lambda guess: (-guess.confidence, str(guess.spec["path"]).count(".")))
    found = dict(fixed)
    taken: set[str] = {str(guess.spec.get("path")) for guess in fixed.values()}
    for guess in options:
        if (
            guess.name not in found
            and guess.spec["path"] not in taken
            and guess.confidence >= LEAST_FIELD
        ):
            found[guess.name] = _rounded(guess)
            taken.add(guess.spec["path"])
    return found | _last_resorts(entity, frame, found, known)


def _rounded(guess: Guess) -> Guess:
    return replace(guess, confidence=round(min(guess.confidence, MOST_SURE), 2))


def _options(entity: Entity, column: Column, frame: Frame, known: Known) -> Iterable[Guess]:
    """Every path that might hold the column."""
    phrases = field_phrases(entity.name, column.name)
    target = known.get(_REFERS.get(column.name, ""))
    words = frozenset[str]().union(*(phrase.words for phrase in phrases))
    named = {
        c.path: c
        for word in words
        for c in frame.by_word.get(word, ())
        if not c.profile.is_personal
    }
    if target:
        named |= {c.path: c for c in frame.candidates if _refers(c, target) is not None}
    is_event = column.name == entity.event_field
    for candidate in named.values():
        if is_event and not candidate.is_own and _has_own_instants(frame):
            continue  # such as the day on which the document around was created
        guess = fit(entity.name, column, phrases, candidate, frame)
        if column.name in _REFERS:
            guess = _with_reference(column, candidate, target, guess)
        if guess:
            yield guess


def _has_own_instants(frame: Frame) -> bool:
    """Whether the elements of the exploded array say when they happened."""
    own = (c for c in frame.candidates if frame.explode and c.is_own)
    return any(instants(c.profile).share >= LEAST_INSTANTS for c in own)


def _refers(candidate: Candidate, target: _Known) -> float | None:
    """The share of the path's values that are the target's ids; None if none is known to be."""
    for reference in candidate.profile.references:
        is_same = reference.path.replace("[]", "") == target.id_path
        if reference.collection == target.frame.collection.name and is_same:
            return reference.share
    return None


def _with_reference(
    column: Column, candidate: Candidate, target: _Known | None, guess: Guess | None
) -> Guess | None:
    """The guess, surer where the values are the target's ids, and none where they are another's."""
    if target is None:
        return guess
    share = _refers(candidate, target)
    if share is None:
        others = [r for r in candidate.profile.references if r.share > 0.5]
        return replace(guess, confidence=guess.confidence * 0.6) if guess and not others else None
    is_only_told_by_name = column.name == "target_user_id" and guess is None
    if is_only_told_by_name or candidate.is_list != (column.type == "text[]"):
        return None
    evidence = f"{share:.0%} of the values are ids of {target.frame.place}"
    if guess is None:
        return Guess(column.name, {"path": candidate.path}, _BY_REFERENCE * share, (evidence,),
                     candidate=candidate)  # fmt: skip
    sure = guess.confidence + (1 - guess.confidence) * 0.6 * share
    return replace(guess, confidence=sure, evidence=(*guess.evidence, evidence))


def _identity(entity: Entity, frame: Frame, referred: Counter[tuple[str, str]]) -> dict[str, Guess]:
    """The field that names the row: what others refer to, else `_id`."""
    name = entity.id_field
    if frame.explode:
        own = [c for c in frame.candidates if c.is_own and not c.around and _names_rows(c, frame)]
        return (
            {name: Guess(name, {"path": own[0].path}, 0.8, ("unique in its array",))} if own else {}
        )
    collection = frame.collection.name
    keys = {path: n for (one, path), n in referred.items() if one == collection and "[" not in path}
    best = max(keys, key=lambda path: (keys[path], path == "_id"), default="_id")
    if not any(c.path == best for c in frame.candidates):
        best = "_id"
    why = f"{keys[best]} fields refer to it" if best in keys else "every document has one"
    return {name: Guess(name, {"path": best}, 0.95, (why,))}


def _names_rows(candidate: Candidate, frame: Frame) -> bool:
    is_named = "id" in candidate.words and candidate.words <= {"id"} | frame.context
    return is_named and candidate.profile.is_unique and candidate.profile.fill > 0.99


def _inherited(entity: Entity, frame: Frame, known: Known) -> dict[str, Guess]:
    """Ids of the document around an embedded row."""
    found = {}
    for column in entity.fields:
        target = known.get(_REFERS.get(column.name, ""))
        if target and column.required and _lies_in(frame, target.frame):
            why = f"lies within {target.frame.place}"
            found[column.name] = Guess(column.name, {"path": target.id_path}, 0.95, (why,))
    return found


def _lies_in(inner: Frame, outer: Frame) -> bool:
    """Whether the inner frame's rows are parts of the outer's."""
    if inner.collection.name != outer.collection.name or inner.place == outer.place or outer.within:
        return False
    return outer.explode is None or bool(
        inner.explode and inner.explode.startswith(f"{outer.explode}.")
    )


def _last_resorts(
    entity: Entity, frame: Frame, found: dict[str, Guess], known: Known
) -> dict[str, Guess]:
    """Stand-ins for required fields that no path gives."""
    extra: dict[str, Guess] = {}
    for column in entity.fields:
        name = column.name
        if not column.required or name in found:
            continue
        other = found.get(SAME_INSTANT.get(f"{entity.name}.{name}", ""))
        if other is not None:
            extra[name] = replace(other, name=name, confidence=round(0.5 * other.confidence, 2),
                                  notes=("no instant of its own was found",))  # fmt: skip
        elif name == "user_id":
            extra |= _by_parent(entity, found, known)
        elif literal := _literal(entity, name, frame):
            note = "no such field was found: every row gets this"
            extra[name] = Guess(name, {"value": literal}, _LITERAL, (), (note,))
    return extra


def _by_parent(entity: Entity, found: dict[str, Guess], known: Known) -> dict[str, Guess]:
    for key, parent in _PARENTS:
        guess = found.get(key)
        if guess and parent != entity.name and parent in known and guess.confidence >= 0.5:
            parent_spec = {"entity": parent, "key": guess.spec["path"], "field": "user_id"}
            why = f"taken from the {parent} row"
            return {"user_id": Guess("user_id", {"parent": parent_spec}, 0.6, (why,))}
    return {}


def _literal(entity: Entity, field: str, frame: Frame) -> str | None:
    """What the name of the collection says of all its rows."""
    if (entity.name, field) == ("bookings", "status"):
        return "attended" if frame.context & ATTENDED else None
    if (entity.name, field) == ("social_actions", "kind"):
        return next((kind for kind in ("like", "comment", "post") if kind in frame.context), None)
    return None


def _without_lost_parents(guess: EntityGuess, active: set[str]) -> EntityGuess:
    """The guess with fields that lean on an entity that is not in the map counted as missing."""
    lost = {g.name for g in guess.fields if _parent_of(g) and _parent_of(g) not in active}
    if not lost:
        return guess
    kept = tuple(g for g in guess.fields if g.name not in lost)
    return replace(guess, fields=kept, missing=(*guess.missing, *sorted(lost)))


def _parent_of(guess: Guess) -> str | None:
    parent = guess.spec.get("parent")
    return str(parent["entity"]) if parent else None


def _changed_at(frame: Frame) -> Guess | None:
    """The path of the last change, outside of any array."""
    best: Guess | None = None
    column = Column("changed_at", "timestamptz", "")
    for candidate in frame.by_word.get("update", ()):
        if "[]" in candidate.profile.path or candidate.around:
            continue
        named, _ = name_fit(field_phrases("", "changed_at"), candidate, frame)
        reading = read_as(column, candidate)
        score = named * reading.share * candidate.profile.fill
        if score > max(LEAST_FIELD, best.confidence if best else 0):
            spec = {"path": candidate.path, **instants(candidate.profile).spec}
            best = Guess("changed_at", spec, round(min(score, MOST_SURE), 2), (reading.evidence,))
    return best


def _personal(frame: Frame) -> dict[str, str]:
    """Personal details in plain paths, by a name of their own."""
    found: dict[str, str] = {}
    for candidate in frame.candidates:
        if (
            candidate.profile.is_personal
            and not candidate.is_list
            and "[]" not in candidate.profile.path
        ):
            name = snake(candidate.profile.keys[-1])
            found.setdefault(
                name if name not in found else snake("_".join(candidate.profile.keys)),
                candidate.path,
            )
    return found


def snake(key: str) -> str:
    """A key of a document as a name of the map's."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", key).lower()
    clean = "".join(c if c.isalnum() else "_" for c in words)
    return "_".join(part for part in clean.split("_") if part) or "detail"
