"""A drafted source map as YAML: what is sure enough stands in it, the rest is commented out."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import yaml

from ris_assets.contracts.entities import ENTITIES, HERO_PASSES, USERS
from ris_assets.extract.profiling.draft import (
    LEAST_CONFIDENCE,
    LEAST_INSTANTS,
    EntityGuess,
    snake,
)
from ris_assets.extract.profiling.fit import Guess, instants
from ris_assets.extract.profiling.frames import Candidate
from ris_assets.extract.profiling.profile import FieldProfile
from ris_assets.extract.profiling.standins import is_tenure
from ris_assets.extract.profiling.values import NUMBER_TYPES
from ris_assets.extract.source_map import FACTOR_NAME
from ris_assets.extract.spans import LONGEST

_FACTORS = "# what else may tell members apart; leave out what says that somebody has left"
_MOST_LEVELS, _LEAST_FILL, _MOST_FACTORS = 12, 0.5, 20
_OF_CODES = frozenset({"id", "code"})
"""What is called so is no number, be it written as one."""
_CODE = "#"
_FLAGS = {0: "no", 1: "yes"}
"""A reason has words: `renews itself: no`."""
_OF_THE_END = frozenset({"churn", "status", "end", "cancel"})
_HEAD = """\
# Drafted by `ris explore`: guesses, each with its confidence (0-1) and why. Read every line, mend it, then hold
# the map against the database with `ris check --map <this file>`. Entities without all that they need, or with a
# confidence below {least}, are commented out.
"""


def draft_yaml(guesses: Sequence[EntityGuess], timezone: str) -> str:
    """The map's text, the surest entities first.

    Args:
        guesses: one an entity, in the order in which they are to stand.
        timezone: zone of date texts that carry none.
    """
    lines = [_HEAD.format(least=LEAST_CONFIDENCE), *_lacking(guesses), "version: 1"]
    lines += [f"timezone: {timezone}", *_legacy(guesses), "entities:"]
    factors = _factors(guesses)
    for guess in guesses:
        lines += _entity(guess, factors.get(guess.entity, {})) if guess.frame else _absent(guess)
    return "\n".join(lines) + "\n"


def _lacking(guesses: Iterable[EntityGuess]) -> list[str]:
    lacking = [g.entity for g in guesses if ENTITIES[g.entity].mandatory and not g.is_active]
    return [f"# Not usable yet: {' and '.join(lacking)} must be mapped.\n"] if lacking else []


def _legacy(guesses: Iterable[EntityGuess]) -> list[str]:
    fields = [f for g in guesses if g.frame for f in g.frame.collection.fields]
    if any("uuid (legacy)" in f.types for f in fields):
        return ["legacy_uuid: standard  # UUIDs of subtype 3 were seen: standard, java or csharp?"]
    return []


def _absent(guess: EntityGuess) -> list[str]:
    return ["", f"  # {guess.entity}: nothing like it was found"]


def _factors(guesses: Sequence[EntityGuess]) -> dict[str, dict[str, Any]]:
    """What of persons and of passes has few values, or measures something, and serves no field, by entity: name to
    path, or to a spec.

    Of a collection that both are read from it is the persons'; a name is given once.
    """
    by_entity = {guess.entity: guess for guess in guesses if guess.frame}
    proposed: dict[str, dict[str, Any]] = {}
    collections: set[str] = set()
    for entity in (USERS.name, HERO_PASSES.name):
        guess = by_entity.get(entity)
        if guess is None or guess.frame is None or guess.frame.collection.name in collections:
            continue
        collections.add(guess.frame.collection.name)
        taken = {name for found in proposed.values() for name in found}
        named = _unread(guess, by_entity.values())
        proposed[entity] = {name: path for name, path in named.items() if name not in taken}
    return proposed


def _unread(guess: EntityGuess, guesses: Iterable[EntityGuess]) -> dict[str, Any]:
    """What of an entity's collection serves no field of any, as `_factors`."""
    frame = guess.frame
    assert frame is not None
    name = frame.collection.name
    read = [
        guess,
        *(g for g in guesses if g.is_active and g.frame and g.frame.collection.name == name),
    ]
    used = {path for one in read for field in one.fields for path in _paths(field.spec)}
    used |= {path for _, path in guess.personal}
    found = [c for c in frame.candidates if c.path not in used and _parts_members(c)]
    named = {snake(c.profile.keys[-1]): _factor(c) for c in reversed(found[:_MOST_FACTORS])}
    return {n: factor for n, factor in reversed(named.items()) if FACTOR_NAME.fullmatch(n)}


def _factor(candidate: Candidate) -> Any:
    are_numbers = _are_numbers(candidate.profile)
    if are_numbers and {value for value, _ in candidate.profile.values} == set(_FLAGS):
        return {"path": candidate.path, "values": _FLAGS}
    is_code = are_numbers and candidate.words & _OF_CODES
    return {"path": candidate.path, "prefix": _CODE} if is_code else candidate.path


def _parts_members(candidate: Candidate) -> bool:
    profile = candidate.profile
    is_plain = not candidate.is_list and "[]" not in profile.path and not profile.is_personal
    is_told_apart = 1 < len(profile.values) <= _MOST_LEVELS or _measures(candidate)
    is_told = is_told_apart and profile.fill >= _LEAST_FILL
    return is_plain and is_told and not (candidate.words & _OF_THE_END or is_tenure(candidate))


def _measures(candidate: Candidate) -> bool:
    """Whether it is numbers of many values, and neither codes nor instants; whole ones that all differ are codes."""
    profile = candidate.profile
    is_code = candidate.words & _OF_CODES or (profile.is_unique and "double" not in profile.types)
    is_instant = instants(profile).share >= LEAST_INSTANTS
    is_few = 0 < len(profile.values) <= _MOST_LEVELS
    return _are_numbers(profile) and not (is_few or is_code or is_instant)


def _are_numbers(profile: FieldProfile) -> bool:
    return profile.types.keys() <= NUMBER_TYPES | {"null"}


def _paths(spec: Any) -> Iterator[str]:
    """The paths that a spec speaks of, those of lengths of time among them."""
    if isinstance(spec, dict):
        for key, value in spec.items():
            is_path = isinstance(value, str) and key in {"path", "fallback", "key", *LONGEST}
            yield from [value] if is_path else _paths(value)


def _entity(guess: EntityGuess, factors: dict[str, Any]) -> list[str]:
    frame = guess.frame
    assert frame is not None
    lines = [f"  {guess.entity}:", f"    collection: {_flow(frame.collection.name)}"]
    if frame.within:
        lines.append(f"    filter: {_flow({frame.within: {'$exists': True}})}")
    if frame.explode:
        lines.append(f"    explode: {_flow(frame.explode)}")
    if guess.repeat:
        lines.append(f"    repeat: {_flow(guess.repeat)}")
    if guess.is_distinct:
        lines.append("    distinct: true")
    if guess.changed_at:
        lines.append(f"    changed_at: {_spec(guess.changed_at)}{_why(guess.changed_at)}")
    lines += _of_one_s_own(guess, factors)
    lines.append("    fields:")
    for field in guess.fields:
        lines += [f"      {field.name}: {_spec(field)}{_why(field)}"]
        lines += [f"        # {_one_line(note)}" for note in field.notes]
    head = f"  # {guess.entity}: confidence {guess.confidence:.2f}"
    if guess.missing:
        head += f"; not found, and needed: {', '.join(guess.missing)}"
    if frame.is_nested:
        head += "; its array lies within another one: only one can be exploded"
    return ["", head, *(lines if guess.is_active else _commented(lines))]


def _of_one_s_own(guess: EntityGuess, factors: dict[str, Any]) -> list[str]:
    """Names of the business's own: personal details, and proposed factors."""
    personal = [f"    personal: {_flow(dict(guess.personal))}"] if guess.personal else []
    return personal + ([f"    # factors: {_flow(factors)}  {_FACTORS}"] if factors else [])


def _commented(lines: Iterable[str]) -> list[str]:
    return [f"  # {line[2:]}" for line in lines]


def _why(guess: Guess) -> str:
    reasons = [f"{guess.confidence:.2f}", *(e for e in guess.evidence if e)]
    return f"  # {_one_line(', '.join(reasons))}"


def _spec(guess: Guess) -> str:
    return _flow(guess.spec["path"] if set(guess.spec) == {"path"} else guess.spec)


def _flow(value: Any) -> str:
    """A value in one line of YAML."""
    text = yaml.safe_dump(
        value, default_flow_style=True, width=10**9, allow_unicode=True, sort_keys=False
    )
    return text.removesuffix("...\n").strip()


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
