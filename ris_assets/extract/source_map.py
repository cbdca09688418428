"""The source map: where each field of each entity lives in a business's MongoDB (YAML, validated).

Only the shape of the map is checked here; `extract/holding.py` holds it against documents.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from ris_assets.contracts.entities import ENTITIES, FACTORS, HERO_PASSES, USERS, Entity, Keeping
from ris_assets.errors import RisError
from ris_assets.extract.exact import literal
from ris_assets.extract.plan import (
    TIME_FORMATS,
    DecimalMark,
    Reading,
    TimeFormat,
    UuidOrder,
    is_pattern,
)
from ris_assets.extract.spans import LONGEST, SpanUnit

UNITS = {
    "g": 0.001,
    "lb": 0.45359237,
    "percent": 0.01,
    "minor": 0.01,
    "m": 100.0,
    "inch": 2.54,
    "seconds": 1 / 60,
    "milliseconds": 1 / 60_000,
}
"""Factor from a source's unit to the contract's: kg, share 0-1, whole currency, cm, minutes."""
Unit = Literal["g", "lb", "percent", "minor", "m", "inch", "seconds", "milliseconds"]
OPERATORS = {"$in", "$nin", "$ne", "$exists"}
FACTOR_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def _known_zone(name: str | None) -> str | None:
    if name is not None and name not in available_timezones():
        raise ValueError(f"unknown time zone {name!r}; write a tz name such as Asia/Almaty")
    return name


ZoneName = Annotated[str | None, AfterValidator(_known_zone)]


def _known_format(time: TimeFormat) -> TimeFormat:
    if time not in TIME_FORMATS and not is_pattern(time):
        known = ", ".join(TIME_FORMATS)
        raise ValueError(f"unknown format {time!r}; write {known}, or a pattern such as %d.%m.%Y")
    return time


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _spec(raw: Any) -> Any:
    return {"path": raw} if isinstance(raw, str) else raw


class AmountSpec(_Strict):
    """A whole number that stands in the document."""

    path: str = Field(description="Dotted path in the document")
    values: dict[Any, int] | None = Field(None, description="Translation of source values")


Amount = int | Annotated[AmountSpec, BeforeValidator(_spec)] | None


class Span(_Strict):
    """A length of time on the calendar: so many of one unit."""

    days: Amount = None
    weeks: Amount = None
    months: Amount = None
    years: Amount = None

    @model_validator(mode="after")
    def _one_unit(self) -> "Span":
        if sum(getattr(self, unit) is not None for unit in LONGEST) != 1:
            raise ValueError("give exactly one of days, weeks, months and years")
        return self

    @property
    def unit(self) -> SpanUnit:
        """What is counted."""
        return next(unit for unit in LONGEST if getattr(self, unit) is not None)

    @property
    def amount(self) -> int | AmountSpec:
        """How many."""
        found: int | AmountSpec = getattr(self, self.unit)
        return found


class ParentSpec(_Strict):
    """A field taken from another entity's row, found by its identity."""

    entity: str = Field(description="The parent entity, mapped in this file")
    key: str = Field(description="Path of the parent's identity in this document")
    field: str = Field(description="The parent's field to take")


class FieldSpec(_Strict):
    """Where one field comes from, and how its value is translated."""

    path: str | None = Field(None, description=r"Dotted path in the document; `\.` within a key")
    fallback: str | None = Field(None, description="Path to read where the first has no value")
    value: Any = Field(None, description="A literal, the same for every row")
    parent: ParentSpec | None = Field(None, description="Taken from a parent entity's row")
    values: dict[Any, Any] | None = Field(None, description="Translation of source values")
    otherwise: Any = Field(None, description="What values without a translation become")
    prefix: str | None = Field(
        None, description="Put before a text, e.g. to keep ids of two kinds of documents apart"
    )
    scale: float | None = Field(None, description="Factor, e.g. 0.001 from grams to kilograms")
    unit: Unit | None = Field(None, description="The source's unit, instead of a factor")
    decimal: DecimalMark | None = Field(
        None, description="Decimal mark of numbers in texts; the other one may part thousands"
    )
    format: Annotated[TimeFormat, AfterValidator(_known_format)] = Field(
        "date",
        description="How the source writes instants: date, iso, epoch_s, epoch_ms, local or a strptime pattern",
    )
    plus: Span | None = Field(None, description="The instant is so much later than what is written")
    minus: Span | None = Field(None, description="The instant is so much earlier")
    zone: ZoneName = Field(None, description="Zone of texts that carry none; default: the map's")

    @model_validator(mode="after")
    def _one_origin(self) -> "FieldSpec":
        if sum(x is not None for x in (self.path, self.value, self.parent)) != 1:
            raise ValueError("give exactly one of `path`, `value` and `parent`")
        if self.fallback is not None and self.path is None:
            raise ValueError("`fallback` needs `path`")
        if self.scale is not None and self.unit is not None:
            raise ValueError("give either `scale` or `unit`")
        if self.otherwise is not None and self.values is None:
            raise ValueError("`otherwise` needs `values`")
        if self.plus is not None and self.minus is not None:
            raise ValueError("give either `plus` or `minus`")
        return self

    @property
    def span(self) -> Span | None:
        """How far the instant lies from what is written."""
        return self.plus or self.minus

    @property
    def is_reworded(self) -> bool:
        """Whether the row says something else than the document."""
        return self.values is not None or self.prefix is not None

    @property
    def is_comparable(self) -> bool:
        """Whether a source can be asked for the documents of some span of this time."""
        is_written = self.path is not None and self.values is None
        return is_written and self.span is None and not is_pattern(self.format)

    @property
    def factor(self) -> float | None:
        """What numbers are multiplied by."""
        return UNITS[self.unit] if self.unit else self.scale


Spec = Annotated[FieldSpec, BeforeValidator(_spec)]


class FactorSpec(_Strict):
    """Where a factor of the business's own comes from; it is kept as a text."""

    path: str = Field(description=r"Dotted path in the document; `\.` within a key")
    values: dict[Any, str] | None = Field(
        None, description="Names of source values; those without one stay as they are"
    )
    prefix: str | None = Field(
        None, description="Put before what has no name, so that codes are no numbers"
    )


class SourcePart(_Strict):
    """One collection that feeds an entity."""

    collection: str = Field(description="MongoDB collection")
    filter: dict[str, Any] = Field(
        default_factory=dict,
        description="Documents that count: path to value, or to one of $in, $nin, $ne, $exists",
    )
    explode: str | None = Field(None, description="Array path: one row per element")
    repeat: Span | None = Field(
        None, description="Passes that renew themselves: one row a period of this length"
    )
    distinct: bool = Field(
        False,
        description="Several documents tell of one id: the earliest stands, the others are not refused",
    )
    changed_at: Spec | None = Field(None, description="Path of the last-change time")
    overlap_minutes: int = Field(
        60, ge=0, description="How far behind the last change seen each extraction reads again"
    )
    late_days: int = Field(
        2, ge=0, description="Days for which an event may still arrive after its own (streams)"
    )
    fields: dict[str, Spec] = Field(description="Field of the entity to its place")
    personal: dict[str, str] = Field(
        default_factory=dict, description="Personal details: a name of your own to a path"
    )
    factors: dict[str, Annotated[FactorSpec, BeforeValidator(_spec)]] = Field(
        default_factory=dict,
        description="Of users and hero_passes: what else may tell members apart, a name of your own to a path",
    )

    @property
    def mapped(self) -> list[str]:
        """The entity's fields that it gives."""
        return [*self.fields, *([FACTORS] if self.factors else [])]

    @model_validator(mode="after")
    def _sound(self) -> "SourcePart":
        for path, wanted in self.filter.items():
            if isinstance(wanted, dict) and not set(wanted) <= OPERATORS:
                raise ValueError(f"filter on {path}: only {', '.join(sorted(OPERATORS))} are known")
        if self.changed_at is not None and self.changed_at.path is None:
            raise ValueError("`changed_at` must be a path")
        if self.changed_at is not None and self.changed_at.span is not None:
            raise ValueError("`changed_at` takes neither `plus` nor `minus`")
        return self


class EntityMap(_Strict):
    """Where one entity comes from: one collection, or several."""

    sources: tuple[SourcePart, ...] = Field(min_length=1)
    reject_limit: float = Field(
        0.01, ge=0, le=1, description="Share of refused rows above which the asset check fails"
    )
    since: date | None = Field(
        None, description="First day from which on all was recorded: weeks before are null, not 0"
    )

    @property
    def fingerprint(self) -> str:
        """Changes when the map of this entity does."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def parents(self) -> set[str]:
        """Entities whose rows this one reads."""
        specs = [spec for part in self.sources for spec in part.fields.values()]
        return {spec.parent.entity for spec in specs if spec.parent}


_OF_THE_ENTITY = ("reject_limit", "since")
"""What is said of an entity, be it written beside the collection."""


def _entity(raw: Any) -> Any:
    """One collection may be written without the list around it."""
    if isinstance(raw, list):
        return {"sources": raw}
    if isinstance(raw, dict) and "sources" not in raw:
        part = dict(raw)
        own = {name: part.pop(name) for name in _OF_THE_ENTITY if name in part}
        return {"sources": [part], **own}
    return raw


class SourceMap(_Strict):
    """The whole map: entities by name."""

    version: int = Field(1, ge=1, le=1)
    timezone: ZoneName = Field(
        None, description="Zone of date texts that carry none; default: the studio's"
    )
    legacy_uuid: UuidOrder = Field(
        "standard",
        description="Byte order of UUIDs of binary subtype 3: the driver that wrote them",
    )
    entities: dict[str, Annotated[EntityMap, BeforeValidator(_entity)]]

    @model_validator(mode="after")
    def _known_names(self) -> "SourceMap":
        for name, entity_map in self.entities.items():
            _check_entity(name, entity_map, set(self.entities))
        _check_factors_apart(self.entities)
        missing = [n for n, e in ENTITIES.items() if e.mandatory and n not in self.entities]
        if missing:
            raise ValueError(f"mandatory entities are not mapped: {', '.join(missing)}")
        return self

    def zone(self, studio: ZoneInfo) -> ZoneInfo:
        """The zone of texts that carry none."""
        return ZoneInfo(self.timezone) if self.timezone else studio


def _check_entity(name: str, entity_map: EntityMap, mapped: set[str]) -> None:
    """Refuse unknown entities and fields, and required fields that are not mapped."""
    if name not in ENTITIES:
        raise ValueError(f"unknown entity `{name}`; known are {', '.join(ENTITIES)}")
    if entity_map.since is not None and ENTITIES[name].mandatory:
        raise ValueError(f"`since` is for what a business may lack, not for `{name}`")
    for part in entity_map.sources:
        _check_fields(ENTITIES[name], part)
        for field, spec in part.fields.items():
            if spec.parent:
                _check_parent(f"{name}.{field}", name, spec.parent, mapped)


def _check_fields(entity: Entity, part: SourcePart) -> None:
    known = {column.name for column in entity.fields} - {FACTORS}
    _check_factors(entity, part)
    if unknown := sorted(set(part.fields) - known):
        raise ValueError(
            f"`{entity.name}` has no field {', '.join(unknown)}; it has {', '.join(sorted(known))}"
        )
    needed = {column.name for column in entity.fields if column.required}
    if part.explode:
        needed.discard(entity.id_field)
    if part.repeat:
        _check_repeat(entity, part)
        needed.discard("ends_at")
    for field, spec in part.fields.items():
        for written in (spec.value, spec.otherwise, *(spec.values or {}).values()):
            if written is not None:
                _check_literal(entity, field, spec, written)
        if spec.prefix is not None and entity.field(field).type != "text":
            raise ValueError(f"`{entity.name}.{field}` is no text: it takes no prefix")
        if spec.span and entity.field(field).type != "timestamptz":
            raise ValueError(
                f"`{entity.name}.{field}` is no instant: it takes neither plus nor minus"
            )
    if absent := sorted(needed - set(part.fields)):
        raise ValueError(f"`{entity.name}` needs {', '.join(absent)}")


def _check_literal(entity: Entity, field: str, spec: FieldSpec, written: Any) -> None:
    reading = Reading(field, "", entity.field(field).type, spec.format, decimal=spec.decimal)
    try:
        literal(written, reading)
    except ValueError as error:
        raise ValueError(f"`{entity.name}.{field}` cannot be {written!r}: {error}") from None


def _check_factors(entity: Entity, part: SourcePart) -> None:
    if part.factors and FACTORS not in {column.name for column in entity.fields}:
        raise ValueError(f"`factors` are of users and hero_passes, not of `{entity.name}`")
    if strange := [name for name in part.factors if not FACTOR_NAME.fullmatch(name)]:
        raise ValueError(
            f"`{entity.name}.factors`: {', '.join(strange)}: write names of at most 40 small letters, digits and _"
        )


def _check_factors_apart(entities: Mapping[str, EntityMap]) -> None:
    """One name is one feature: a pass's factor may not be called like one of its member's."""
    named = {
        name: {factor for part in entity.sources for factor in part.factors}
        for name, entity in entities.items()
    }
    twice = sorted(named.get(USERS.name, set()) & named.get(HERO_PASSES.name, set()))
    if twice:
        raise ValueError(
            f"`factors` of users and of hero_passes have the same name: {', '.join(twice)}; call one of them otherwise"
        )


def _check_repeat(entity: Entity, part: SourcePart) -> None:
    if entity.name != "hero_passes" or part.explode:
        raise ValueError("`repeat` is for hero_passes that are documents of their own")


def _check_parent(place: str, child: str, parent: ParentSpec, mapped: set[str]) -> None:
    others = mapped - {child}
    versioned = [n for n, e in ENTITIES.items() if e.keeping is Keeping.VERSIONS and n in others]
    if parent.entity not in versioned:
        raise ValueError(f"`{place}`: the parent must be one of {', '.join(versioned)}")
    known = [column.name for column in ENTITIES[parent.entity].fields]
    if parent.field not in known:
        raise ValueError(
            f"`{place}`: `{parent.entity}` has no field {parent.field}; it has {', '.join(known)}"
        )


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML in which only true and false are booleans: NO, ON and Y are codes that sources use."""

    yaml_implicit_resolvers = {  # noqa: RUF012 (the library's own attribute)
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def load_source_map(path: Path) -> SourceMap:
    """Read and validate a source map.

    Raises:
        RisError: the file cannot be read, is not YAML, or does not fit; the message names the place.
    """
    try:
        return SourceMap.model_validate(yaml.load(path.read_text(encoding="utf-8"), _Loader))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise RisError(f"Source map {path} cannot be read: {reason}.") from error
    except yaml.YAMLError as error:
        reason = re.sub(r"\s+", " ", str(error).replace('in "<unicode string>", ', "at "))
        raise RisError(f"Source map {path} is not YAML: {reason}.") from error
    except ValidationError as error:
        raise RisError(f"Source map {path}, {_said_of(error.errors()[0])}.") from error


def _said_of(error: ErrorDetails) -> str:
    """Where the map is wrong, in the words of its writer, and how."""
    place, kind = error["loc"], error["type"]
    # A collection that is written without a list around it is the first and only one.
    parts = [str(part) for n, part in enumerate(place) if (place[n - 1 : n + 1] != ("sources", 0))]
    where = ".".join(part for part in parts if part != "sources") or "top level"
    if kind == "extra_forbidden":
        return f"{where}: there is no such key; `ris check --schema` has those that there are"
    if kind in ("model_type", "dict_type"):
        is_spec = {"fields", "factors"} & set(place)
        what = "a path, or keys with values" if is_spec else "keys with values"
        return f"{where}: must be {what}"
    if kind == "missing":
        return f"{where}: is needed"
    return f"{where}: {error['msg'].removeprefix('Value error, ')}"


def source_map_schema() -> dict[str, Any]:
    """JSON Schema of a source map as people write it, for editors."""
    schema = SourceMap.model_json_schema()
    part = {"$ref": "#/$defs/SourcePart"}
    written = {**schema["$defs"]["SourcePart"]}
    written["properties"] = {
        **written["properties"],
        **{name: schema["$defs"]["EntityMap"]["properties"][name] for name in _OF_THE_ENTITY},
    }
    text = {"type": "string", "description": "Dotted path in the document"}
    for spec in ("FieldSpec", "FactorSpec", "AmountSpec"):
        schema["$defs"][spec] = {"anyOf": [text, schema["$defs"][spec]]}
    whole = schema["$defs"]["EntityMap"]
    schema["$defs"]["EntityMap"] = {"anyOf": [written, {"type": "array", "items": part}, whole]}
    entities = schema["properties"]["entities"]
    entities["properties"] = {
        name: {"$ref": "#/$defs/EntityMap", "description": entity.description}
        for name, entity in ENTITIES.items()
    }
    entities["additionalProperties"] = False
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
