"""How well a path fits a field of an entity: by name, type, values, references and size of numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ris_assets.contracts.columns import Column
from ris_assets.extract.exact import literal, says_nothing
from ris_assets.extract.plan import DecimalMark, Reading
from ris_assets.extract.profiling.frames import Candidate, Frame
from ris_assets.extract.profiling.profile import FieldProfile
from ris_assets.extract.profiling.values import DATE_TYPES, ID_TYPES, NUMBER_TYPES
from ris_assets.extract.profiling.vocabulary import (
    DATE_PATTERNS,
    NEUTRAL,
    Phrase,
    flags_of,
    value_words,
)

_UNITS = ("kg", "g", "gr", "gram", "grams", "lb", "lbs", "cm", "m", "min", "bpm", "kzt", "utc")
_WEAK = {
    "at": 0.3,
    "id": 0.4,
    "reason": 0.4,
    "is": 0.1,
    "has": 0.1,
    "of": 0.1,
    **dict.fromkeys(_UNITS, 0.1),
}
"""Words that say little by themselves."""
_LATER_PHRASE = 0.03
_EPOCHS = (("epoch_s", 3e8, 4e9), ("epoch_ms", 3e11, 4e12))
"""Numbers that are instants between 1979 and 2096."""
_MONEY = ("price", "amount")
_TRIED_FIRST = 20
_LIKELY_YEARS = range(1900, 2101)


@dataclass(frozen=True)
class Guess:
    """A field's drafted place, how sure that is (0-1), and why."""

    name: str
    spec: dict[str, Any]
    confidence: float
    evidence: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    candidate: Candidate | None = field(default=None, repr=False)


@dataclass(frozen=True)
class _Reading:
    """What a path gives when read as a type: how much of it converts, and how."""

    share: float
    spec: dict[str, Any] = field(default_factory=dict)
    evidence: str = ""


def fit(
    entity: str, column: Column, phrases: tuple[Phrase, ...], candidate: Candidate, frame: Frame
) -> Guess | None:
    """The guess that the column lies at the candidate's path; None if it cannot."""
    named, phrase = name_fit(phrases, candidate, frame)
    is_time = column.name in _MONEY and "duration" in candidate.words  # such as total_secs
    is_flag = column.name == "product" and bool(_booleans(candidate.profile).share)
    if not named or is_time or is_flag:
        return None
    reading = read_as(column, candidate)
    if reading.share < 0.5:
        return None
    profile = candidate.profile
    confidence = named * (0.4 + 0.6 * reading.share) * (1.0 if candidate.is_own else 0.85)
    if column.required:
        confidence *= 0.5 + 0.5 * min(1.0, profile.fill)
    guess = Guess(
        column.name,
        {"path": candidate.path, **reading.spec},
        confidence,
        (f"reads as “{phrase}”", reading.evidence, f"filled {profile.fill:.0%}"),
        candidate=candidate,
    )
    if column.allowed:
        return _with_values(guess, entity, column, profile)
    return _with_unit(guess, column, profile)


def name_fit(phrases: tuple[Phrase, ...], candidate: Candidate, frame: Frame) -> tuple[float, str]:
    """How well a path's words match the best of the phrases (0-1), and that phrase."""
    best, which = 0.0, ""
    for place, phrase in enumerate(phrases):
        score = _overlap(phrase.words, candidate, frame) - _LATER_PHRASE * place
        if score > best:
            best, which = score, phrase.text
    return best, which


def _overlap(phrase: frozenset[str], candidate: Candidate, frame: Frame) -> float:
    """Weighted share of the phrase that the path says, less what else the path says."""
    said = candidate.words | candidate.around
    if not phrase & candidate.words:
        return 0.0
    recall = _weight(phrase & said) / _weight(phrase)
    own = candidate.words - (frame.context - phrase) or candidate.words
    precision = _weight(phrase & own) / _weight(own)
    others = candidate.around - phrase - NEUTRAL - frame.context
    return recall * (0.4 + 0.6 * precision) * (0.75 if others else 1.0)


def _weight(words: frozenset[str]) -> float:
    return sum(_WEAK.get(word, 1.0) for word in words)


def read_as(column: Column, candidate: Candidate) -> _Reading:
    """How much of the path's values convert to the column's type, and how."""
    if column.type == "text[]":
        return _Reading(1.0, evidence="array of ids") if candidate.is_list else _Reading(0.0)
    shares = candidate.profile.type_shares
    if candidate.is_list or not shares:
        return _Reading(0.0)
    if column.type == "date":
        reading = instants(candidate.profile)
        return replace(reading, spec={k: v for k, v in reading.spec.items() if v != "local"})
    if column.type == "timestamptz":
        return instants(candidate.profile)
    if column.type == "jsonb":
        return _Reading(shares.get("object", 0.0), evidence="objects")
    if column.type == "text":
        return _told_in_words(column, candidate)
    if column.type == "bool":
        return _booleans(candidate.profile)
    return _numbers(candidate.profile)


def _told_in_words(column: Column, candidate: Candidate) -> _Reading:
    """The path read as ids or as texts; a number of calls, which is one of few, is neither."""
    profile, shares = candidate.profile, candidate.profile.type_shares
    if "count" in candidate.words and profile.values and shares.keys() <= NUMBER_TYPES:
        return _Reading(0.0)
    if not column.name.endswith("_id"):
        return _texts(profile, bool(column.allowed))
    if "at" in candidate.words and "id" not in candidate.words:
        return _Reading(0.0)
    return _of(shares, ID_TYPES | NUMBER_TYPES | {"string"})


def instants(profile: FieldProfile) -> _Reading:
    """The path read as instants: dates, ISO texts, seconds or milliseconds since 1970, or a pattern."""
    shares = profile.type_shares
    if (dates := sum(shares.get(t, 0.0) for t in DATE_TYPES)) >= 0.5:
        days = {"format": "local"} if profile.is_midnight_utc else {}
        return _Reading(dates, days, f"date in {dates:.0%}")
    texts = sum(profile.text_kinds.values())
    iso = profile.text_kinds.get("iso", 0) / texts if texts else 0.0
    if iso >= 0.5 and shares.get("string", 0) >= 0.5:
        return _Reading(0.95 * iso, {"format": "iso"}, f"ISO text in {iso:.0%}")
    numbers = sum(shares.get(t, 0.0) for t in NUMBER_TYPES)
    for form, least, most in _EPOCHS:
        if numbers >= 0.5 and profile.median and least <= profile.median <= most:
            return _Reading(
                0.95 * numbers, {"format": form}, f"{form.replace('_', ' ')} in {numbers:.0%}"
            )
    return _patterned(profile)


def _patterned(profile: FieldProfile) -> _Reading:
    """The path read by the pattern that fits most of its values; where several do, the day stands first."""
    share, which = _best(profile, [Reading("", "", "timestamptz", p) for p in DATE_PATTERNS])
    evidence = " or ".join(reading.time for reading in which)
    return _Reading(0.9 * share, {"format": which[0].time}, f"{evidence} in {share:.0%}")


def _numbers(profile: FieldProfile) -> _Reading:
    """The path read as numbers, be they written in texts."""
    shares = profile.type_shares
    if shares.get("string", 0.0) < 0.5:
        return _of(shares, NUMBER_TYPES)
    marks: tuple[DecimalMark | None, ...] = (None, ".", ",")
    share, which = _best(profile, [Reading("", "", "float8", decimal=mark) for mark in marks])
    spec = {"decimal": which[0].decimal} if which[0].decimal else {}
    return _Reading(0.95 * share, spec, f"numbers in {share:.0%} of texts")


def _best(profile: FieldProfile, readings: Sequence[Reading]) -> tuple[float, list[Reading]]:
    """The largest share of the values kept that convert by any of the readings, and those that reach it."""
    ids = [value for value in profile.ids if isinstance(value, (str, int))]
    values = [value for value in ids if not says_nothing(value, readings[0])]
    if not values:
        return 0.0, list(readings[:1])
    hopeful = [r for r in readings if any(_converts(v, r) for v in values[:_TRIED_FIRST])]
    if not hopeful:
        return 0.0, list(readings[:1])
    shares = [sum(_converts(value, reading) for value in values) for reading in hopeful]
    best = [r for r, share in zip(hopeful, shares, strict=True) if share == max(shares)]
    return max(shares) / len(values), best


def _converts(value: Any, reading: Reading) -> bool:
    try:
        found = literal(value, reading)
    except ValueError:
        return False
    return not isinstance(found, datetime) or found.year in _LIKELY_YEARS


def _of(shares: dict[str, float], types: frozenset[str]) -> _Reading:
    share = sum(shares.get(t, 0.0) for t in types)
    main = max(shares, key=lambda t: shares[t])
    return _Reading(share, evidence=f"{main} in {shares[main]:.0%}")


def _texts(profile: FieldProfile, has_values: bool) -> _Reading:
    shares = profile.type_shares
    text = shares.get("string", 0.0)
    coded = sum(shares.get(t, 0.0) for t in NUMBER_TYPES | {"bool"})
    if profile.text_kinds.get("iso") or instants(profile).share >= 0.5:
        return _Reading(0.0)
    share = text + coded * (0.8 if has_values else 0.5)
    return _Reading(share, evidence=_of(shares, frozenset()).evidence)


def _booleans(profile: FieldProfile) -> _Reading:
    share = profile.type_shares.get("bool", 0.0)
    if share >= 0.5:
        return _Reading(share, evidence=f"bool in {share:.0%}")
    values = {value for value, _ in profile.values}
    if values and values <= {0, 1}:
        return _Reading(0.8, evidence="0 and 1")
    table = {value: flag for value in values for flag in flags_of(value)}
    if values and len(table) == len(values):
        return _Reading(0.8, {"values": table}, "yes and no")
    return _Reading(0.0)


def _with_values(guess: Guess, entity: str, column: Column, profile: FieldProfile) -> Guess | None:
    """The guess with the source's values translated to the contract's; None if most are unknown."""
    if not profile.values:
        return replace(
            guess, confidence=guess.confidence * 0.4, notes=("too many values to translate",)
        )
    words = value_words(entity, column.name)
    table: dict[Any, str | None] = {}
    unknown: list[Any] = []
    known = 0
    for value, count in profile.values:
        target = _translated(value, column, words)
        if target is None and not says_nothing(value, Reading("", "", "bool")):
            unknown.append(value)
        else:
            known += count
            table[value] = target
    share = known / sum(count for _, count in profile.values)
    if share < 0.5 and not column.required:
        return None
    spec = dict(guess.spec)
    if any(value != target for value, target in table.items()):
        spec["values"] = table
    notes: tuple[str, ...] = ()
    if unknown:
        notes += (f"say what these mean: {', '.join(map(str, unknown[:12]))}",)
    if any(isinstance(value, int) for value in table):
        notes += ("coded values: check the translation",)
    confidence = guess.confidence * (0.55 + 0.45 * share)
    return replace(guess, spec=spec, confidence=confidence, notes=notes,
                   evidence=(*guess.evidence, f"{share:.0%} of values known"))  # fmt: skip


def _translated(value: Any, column: Column, words: dict[str, frozenset[str]]) -> str | None:
    """The allowed value that a source's value stands for."""
    text = str(value).strip().lower().replace("-", "_").replace(" ", "_")
    if text in column.allowed:
        return text
    return next((target for target, said in words.items() if text in said), None)


def _with_unit(guess: Guess, column: Column, profile: FieldProfile) -> Guess:
    """The guess with the unit that the name or the size of the numbers tells."""
    if column.type not in ("float8", "int4") or profile.median is None or guess.candidate is None:
        return guess
    last = guess.candidate.profile.keys[-1].lower()
    unit = _unit(column.name, profile.median, last, guess.candidate.words)
    notes = guess.notes
    if column.name in _MONEY and unit is None:
        notes += ("if these are hundredths, add `unit: minor`",)
    if unit is None:
        return replace(guess, notes=notes)
    evidence = (*guess.evidence, f"median {profile.median:g}")
    return replace(guess, spec={**guess.spec, "unit": unit}, evidence=evidence, notes=notes)


def _unit(column: str, middle: float, last: str, words: frozenset[str]) -> str | None:
    if column.endswith("_kg"):
        return "g" if middle > 1000 else ("lb" if last.endswith(("lb", "lbs")) else None)
    if column.endswith("_share"):
        return "percent" if middle > 1 or "percent" in words else None
    if column == "height_cm":
        return "m" if middle < 3 else ("inch" if middle < 90 else None)
    if column == "duration_minutes":
        return _unit_of_duration(last)
    return "minor" if column in _MONEY and "minor" in words else None


def _unit_of_duration(last: str) -> str | None:
    if last.endswith(("ms", "millis", "milliseconds")):
        return "milliseconds"
    return "seconds" if last.endswith(("sec", "secs", "seconds", "_s")) else None


def entity_name_fit(names: tuple[frozenset[str], ...], phrases: tuple[Phrase, ...]) -> float:
    """How well the words of a collection or array say an entity's name (0-1); not without what all its names say."""
    best = 0.0
    core = frozenset.intersection(*(phrase.words for phrase in phrases))
    for place, phrase in enumerate(phrases):
        for name in (one for one in names if not core or core & one):
            common = _weight(phrase.words & name)
            if common:
                score = common / _weight(phrase.words) * (0.4 + 0.6 * common / _weight(name))
                best = max(best, score - _LATER_PHRASE * place)
    return best
