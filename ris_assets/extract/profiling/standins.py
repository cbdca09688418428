"""What stands in for collections that a business lacks.

Persons are told of by their passes; passes by a tenure, or by when a person's subscription began and ended.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from ris_assets.contracts.columns import Column
from ris_assets.contracts.entities import ENTITIES
from ris_assets.extract.profiling.draft import (
    ALWAYS_ENDED,
    LEAST_CONFIDENCE,
    EntityGuess,
    guessed,
    rhythm_of,
    surest_first,
)
from ris_assets.extract.profiling.fit import Guess, read_as
from ris_assets.extract.profiling.frames import Candidate, Frame, frames_of
from ris_assets.extract.profiling.profile import CollectionProfile

_STANDING_IN = 0.5
_MOST_MONTHS = 600
_OF_A_TENURE = frozenset({"user", "profile", "pass"})
"""Whose length is a tenure, as in account_length."""


def with_standins(
    guesses: Sequence[EntityGuess], collections: Sequence[CollectionProfile], made_on: date
) -> list[EntityGuess]:
    """The guesses, with persons and passes found elsewhere where they have no collection of their own.

    Args:
        guesses: of what has a collection of its own.
        collections: all that there is.
        made_on: a day to stand for that of tables that do not say when they were made.
    """
    found = {guess.entity: guess for guess in guesses}
    users, passes = found["users"], found["hero_passes"]
    if users.is_active and passes.is_active:
        return list(guesses)
    frames = [frame for one in collections for frame in frames_of(one)]
    if passes.is_active and (persons := _persons_of(passes, users, frames)):
        found["users"] = persons
    elif subscribers := _subscribers_of(users, passes):
        found["users"], found["hero_passes"] = subscribers
    elif not passes.is_active and (tables := [f for f in frames if _tenure_of(f)]):
        found["users"], found["hero_passes"] = _members_of(tables[0], users, made_on)
    return surest_first(found.values())


def _persons_of(
    passes: EntityGuess, users: EntityGuess, frames: Sequence[Frame]
) -> EntityGuess | None:
    """Persons who stand only in what they bought; None where a pass does not say whose it is, or names one of the
    guessed collection of persons, be that incomplete."""
    whose = passes.field("user_id")
    bought = passes.frame
    if bought is None or "path" not in whose.spec:
        return None
    others = users.frame.collection.name if users.frame else None
    references = whose.candidate.profile.references if whose.candidate else ()
    if others != bought.collection.name and any(r.collection == others for r in references):
        return None
    around = next(
        f for f in frames if f.collection is bought.collection and f.place == f.collection.name
    )
    guess = _read_alone("users", around)
    fields = guess.by_name
    is_inside = bought.explode is not None and f"{whose.spec['path']}.".startswith(
        f"{bought.explode}."
    )
    if is_inside or "registered_at" not in fields:
        first = passes.field("purchased_at")
        fields = {"registered_at": replace(first, name="registered_at", notes=())}
        guess = replace(guess, frame=bought, changed_at=None)
    note = "no collection of persons was found: of the documents of one the earliest stands"
    fields["user_id"] = replace(whose, notes=(note,))
    named = (fields[column.name] for column in ENTITIES["users"].fields if column.name in fields)
    return replace(
        guess, fields=tuple(named), missing=(), changed_at=None, is_distinct=True,
        confidence=max(guess.confidence, _STANDING_IN),
    )  # fmt: skip


def _subscribers_of(
    users: EntityGuess, passes: EntityGuess
) -> tuple[EntityGuess, EntityGuess] | None:
    """Persons and passes of a table with a row a member: since when somebody has been there, and until when."""
    table, sold = users.frame, passes.frame
    if passes.is_active or table is None or table.explode or table.within:
        return None
    is_sold_elsewhere = sold is not None and sold.collection is not table.collection
    if is_sold_elsewhere and passes.confidence >= LEAST_CONFIDENCE:
        return None
    persons = users.by_name
    own = _read_alone("hero_passes", table).by_name
    begun = persons.get("registered_at") or own.get("starts_at")
    end = own.get("ends_at") or own.get("cancelled_at")
    if begun is None or end is None or not _is_open(end) or end.spec == begun.spec:
        return None
    told = "a row a member: from then on a pass a period of `repeat`, until it ends; is the period right?"
    persons["registered_at"] = replace(begun, name="registered_at")
    since = replace(begun, notes=(told,))
    own |= {name: replace(since, name=name) for name in ("purchased_at", "starts_at")}
    own |= {"user_id": persons["user_id"], "ends_at": replace(end, name="ends_at", notes=())}
    for name in ("cancelled_at", "is_cancellation"):
        own.pop(name, None)
    return (
        _complete(users, table, persons),
        replace(_complete(passes, table, own), repeat={"months": rhythm_of(table)}),
    )


def _read_alone(entity: str, frame: Frame) -> EntityGuess:
    """The entity read from a frame that refers to no other, and that none refers to."""
    return guessed(ENTITIES[entity], frame, {}, Counter())


def _is_open(end: Guess) -> bool:
    """Whether many have no end yet."""
    return end.candidate is not None and end.candidate.profile.fill < ALWAYS_ENDED


def _complete(guess: EntityGuess, table: Frame, fields: dict[str, Guess]) -> EntityGuess:
    """The guess with these fields of a table, which are all that is needed."""
    columns = [column.name for column in ENTITIES[guess.entity].fields]
    return replace(
        guess, frame=table, missing=(), changed_at=None,
        confidence=max(guess.confidence, _STANDING_IN),
        fields=tuple(fields[name] for name in columns if name in fields),
    )  # fmt: skip


def _members_of(table: Frame, users: EntityGuess, made_on: date) -> tuple[EntityGuess, EntityGuess]:
    """Persons and passes of a table with a row a member: for so many months, and whether they have left."""
    months, left = _tenure_of(table) or ("", None)
    told = "the day on which the table was made, here and wherever it stands; who has left is known 31 days later"
    unit = "if the number is one of weeks or days, write that instead of months"
    since = {"value": made_on, "minus": {"months": months}}
    begun = Guess("", since, _STANDING_IN, ("months of tenure",), (told, unit))
    if users.frame is None or users.frame.place != table.place:
        users = _read_alone("users", table)
    passes = _read_alone("hero_passes", table)
    persons, own = users.by_name, passes.by_name
    persons["registered_at"] = replace(begun, name="registered_at")
    own |= {name: replace(begun, name=name) for name in ("purchased_at", "starts_at")}
    own["user_id"] = persons["user_id"]
    own.pop("cancelled_at", None)
    own.pop("price", None)  # such as the total of all months
    own |= {price.name: price for price in _prices_of_a_month(table)}
    own |= {kind.name: kind for kind in _kinds_of_contract(table)}
    if left:
        ends = {flag: made_on if is_gone else None for flag, is_gone in left[1].items()}
        spec = {"path": left[0], "values": ends}
        own["ends_at"] = Guess("ends_at", spec, _STANDING_IN, ("has left",), (told,))
    bought = replace(_complete(passes, table, own), repeat={"months": 1})
    return _complete(users, table, persons), bought


def _tenure_of(frame: Frame) -> tuple[str, tuple[str, dict[Any, bool]] | None] | None:
    """Where documents say for how many months somebody has been there, and where, and how, that they have left."""
    if frame.explode or frame.within:
        return None
    told = [c for word in ("tenure", "duration") for c in frame.by_word.get(word, ())]
    months = [c for c in told if is_tenure(c) and _counts_months(c)]
    left = [(c.path, flags) for c in frame.by_word.get("churn", ()) if (flags := _flags_of(c))]
    return (months[0].path, left[0] if left else None) if months else None


def is_tenure(candidate: Candidate) -> bool:
    """Whether a field is called like how long somebody has been there."""
    words = candidate.words
    is_length = "duration" in words and words <= _OF_A_TENURE | {"duration", "months"}
    return "tenure" in words or (is_length and bool(words & _OF_A_TENURE))


def _prices_of_a_month(table: Frame) -> list[Guess]:
    candidates = [
        c for c in table.by_word.get("monthly", ()) if c.words & {"payment", "price", "amount"}
    ]
    shares = [(read_as(Column("", "float8", ""), c), c) for c in candidates]
    return [
        Guess("price", {"path": c.path, **reading.spec}, _STANDING_IN, (reading.evidence,))
        for reading, c in shares
        if reading.share > _STANDING_IN
    ]


def _kinds_of_contract(table: Frame) -> list[Guess]:
    """What a contract is called, where the table says it in few words."""
    named = [c for c in table.by_word.get("pass", ()) if c.profile.values and not _flags_of(c)]
    return [
        Guess("product", {"path": c.path}, _STANDING_IN, ("kind of contract",)) for c in named[:1]
    ]


def _counts_months(candidate: Candidate) -> bool:
    middle = candidate.profile.median
    is_number = read_as(Column("", "int4", ""), candidate).share > _STANDING_IN
    return is_number and middle is not None and 0 <= middle <= _MOST_MONTHS


def _flags_of(candidate: Candidate) -> dict[Any, bool]:
    """The values of a flag, and what each says."""
    reading = read_as(Column("", "bool", ""), candidate)
    if reading.share < _STANDING_IN:
        return {}
    table: dict[Any, bool] = reading.spec.get("values", {})
    return table or {value: bool(value) for value, _ in candidate.profile.values}
