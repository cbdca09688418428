"""The source map: where each field of each entity lives in a business's MongoDB (YAML, validated).

Only the shape of the map is checked here; holding it against a database is another matter.
"""

from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from ris_assets.contracts.entities import ENTITIES
from ris_assets.errors import RisError


class FieldSpec(BaseModel):
    """Where one field comes from, and how its value is translated."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str | None = Field(None, description="Dotted path in the document")
    value: Any = Field(None, description="A literal, the same for every row")
    values: dict[Any, Any] | None = Field(None, description="Translation of source values")
    scale: float | None = Field(None, description="Factor, e.g. 0.001 from grams to kilograms")

    @model_validator(mode="after")
    def _path_or_literal(self) -> "FieldSpec":
        if (self.path is None) == (self.value is None):
            raise ValueError("give either `path` or `value`")
        return self


def _spec(raw: Any) -> Any:
    return {"path": raw} if isinstance(raw, str) else raw


class EntityMap(BaseModel):
    """Where one entity comes from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    collection: str = Field(description="MongoDB collection")
    filter: dict[str, Any] = Field(default_factory=dict, description="Equality filter on documents")
    explode: str | None = Field(None, description="Array path: one row per element")
    changed_at: str | None = Field(None, description="Path of the last-change time")
    fields: dict[str, Annotated[FieldSpec, BeforeValidator(_spec)]]


class SourceMap(BaseModel):
    """The whole map: entities by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int = Field(1, ge=1, le=1)
    timezone: str = Field("UTC", description="Zone assumed for date texts that carry none")
    entities: dict[str, EntityMap]

    @model_validator(mode="after")
    def _known_names(self) -> "SourceMap":
        ZoneInfo(self.timezone)
        for name, entity_map in self.entities.items():
            _check_entity(name, entity_map)
        missing = [n for n, e in ENTITIES.items() if e.mandatory and n not in self.entities]
        if missing:
            raise ValueError(f"mandatory entities are not mapped: {', '.join(missing)}")
        return self


def _check_entity(name: str, entity_map: EntityMap) -> None:
    """Refuse unknown entities and fields, and mandatory fields that are not mapped."""
    if name not in ENTITIES:
        raise ValueError(f"unknown entity `{name}`; known are {', '.join(ENTITIES)}")
    entity = ENTITIES[name]
    known = {column.name for column in entity.fields}
    if unknown := sorted(set(entity_map.fields) - known):
        raise ValueError(f"`{name}` has no field {', '.join(unknown)}; it has {sorted(known)}")
    needed = {c.name for c in entity.fields if c.required}
    if entity_map.explode:
        needed.discard(entity.id_field)
    if absent := sorted(needed - set(entity_map.fields)):
        raise ValueError(f"`{name}` needs {', '.join(absent)}")


def load_source_map(path: Path) -> SourceMap:
    """Read and validate a source map.

    Raises:
        RisError: the file cannot be read, is not YAML, or does not fit; the message names the place.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        return SourceMap.model_validate(raw)
    except OSError as error:
        raise RisError(f"Source map {path} cannot be read: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise RisError(f"Source map {path} is not YAML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "top level"
        raise RisError(f"Source map {path}, {place}: {first['msg']}.") from error
