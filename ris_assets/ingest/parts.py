"""The sources of an entity as one extraction sees them: which documents to ask for, and which count."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from ris_assets.contracts.entities import Entity, Keeping
from ris_assets.errors import RisError
from ris_assets.extract.plan import TimeFormat
from ris_assets.extract.query import (
    Query,
    both,
    either,
    filter_query,
    window_query,
    within_query,
)
from ris_assets.extract.shape import CHANGED, EntityShape
from ris_assets.extract.source_map import EntityMap, FieldSpec, SourceMap, SourcePart
from ris_assets.partitions import Window


@dataclass(frozen=True)
class Part:
    """One source of an entity."""

    name: str
    source: SourcePart
    shape: EntityShape

    @property
    def may_share_ids(self) -> bool:
        """Whether two documents may claim the same business id: it is not the document's own, or several collections
        feed the entity."""
        spec = self.source.fields.get(self.shape.entity.id_field)
        return spec is not None and (spec.path != "_id" or bool(self.shape.prefix))

    @property
    def is_exploded_from_inside(self) -> bool:
        """Whether the event time lies in the array's elements, where no query finds it."""
        path = self.shape.entity_event_path
        return path is not None and self.shape.plan.inside(path) is not None

    @property
    def can_be_incremental(self) -> bool:
        """Whether changes can be asked for. An element that is gone leaves no trace in its document, what repeats
        goes on without a change, and one of several documents may have to step in: all are read whole."""
        is_row = not (self.source.explode or self.source.repeat or self.source.distinct)
        return self.source.changed_at is not None and is_row

    @property
    def notices_gone_elements(self) -> bool:
        """Whether a document that has changed says which elements it has no longer."""
        changed = self.asked_changed_at
        is_whole = changed is not None and self.shape.plan.inside(str(changed.path)) is None
        return self.source.explode is not None and is_whole

    @property
    def asked_changed_at(self) -> FieldSpec | None:
        """The change time, where a source can be asked for what has changed in some span of it."""
        changed = self.source.changed_at
        return changed if changed is not None and changed.is_comparable else None

    def query(self, window: Window | None, since: datetime | None) -> Query:
        """What to ask a server for; a superset of what counts."""
        asked = filter_query(self.source.filter)
        path = self.shape.entity_event_path
        event_spec = self.source.fields[self.shape.entity.event_field]
        is_asked = event_spec.is_comparable and not self.is_exploded_from_inside
        changed = self.asked_changed_at
        if window is not None and path and is_asked:
            reach = _reach(window, self.source)
            event = window_query(path, self._event_format, *reach)
            if changed:
                event = either(event, within_query(str(changed.path), changed.format, *reach))
            return both(asked, event)
        if since is not None and changed:
            return both(asked, window_query(str(changed.path), changed.format, since, None))
        return asked

    def counts(self, window: Window | None, since: datetime | None) -> pl.Expr | None:
        """Which decoded rows count: that happened or changed in the window, or changed since; without a time all do."""
        spec = self.source.fields[self.shape.entity.event_field]
        if window is not None and spec.value is not None and spec.span is None:
            return None  # the map says when: the same for every row
        if window is not None:
            event = pl.col(self.shape.entity.event_field)
            starts_at, ends_at = _reach(window, self.source)
            happened = event.is_between(starts_at, ends_at, closed="left") | event.is_null()
            if self.asked_changed_at is None:
                return happened
            return happened | self.changed(window) & (event < ends_at)
        if since is not None:
            return (pl.col(CHANGED) >= since) | pl.col(CHANGED).is_null()
        return None

    def changed(self, window: Window) -> pl.Expr:
        """Which documents have changed in the window."""
        return pl.col(CHANGED).is_between(*_reach(window, self.source), closed="left")

    @property
    def _event_format(self) -> TimeFormat:
        return self.source.fields[self.shape.entity.event_field].format


def _reach(window: Window, source: SourcePart) -> tuple[datetime, datetime]:
    """The window, reaching back over the days in which events may still arrive."""
    return window.starts_at - timedelta(days=source.late_days), window.ends_at


def parts_of(
    entity: Entity, entity_map: EntityMap, source_map: SourceMap, studio_zone: ZoneInfo
) -> list[Part]:
    """The sources of an entity; ids of several collections are kept apart by a prefix."""
    collections = [part.collection for part in entity_map.sources]
    several = len(collections) > 1
    parts = []
    for number, source in enumerate(entity_map.sources, start=1):
        alone = collections.count(source.collection) == 1
        name = source.collection if alone else f"{source.collection}#{number}"
        shape = EntityShape(
            entity,
            source,
            source_map.zone(studio_zone),
            f"{name}/" if several else "",
            source_map.legacy_uuid,
            personal_paths=tuple(personal_paths(source_map, source.collection)),
        )
        parts.append(Part(name, source, shape))
    return parts


def present(entity: Entity, parts: list[Part], collections: list[str]) -> list[Part]:
    """The parts whose collection exists.

    Raises:
        RisError: none of a mandatory entity's collections does.
    """
    found = [part for part in parts if part.source.collection in set(collections)]
    if not found and entity.mandatory:
        wanted = ", ".join(f"`{part.source.collection}`" for part in parts)
        raise RisError(
            f"Collection {wanted} of the mandatory entity `{entity.name}` does not exist in the"
            " source: correct the source map."
        )
    return found


def personal_paths(source_map: SourceMap, collection: str) -> list[str]:
    """Paths of personal details in a collection, whichever entity's map marks them."""
    parts = [part for entity in source_map.entities.values() for part in entity.sources]
    marked = [path for p in parts if p.collection == collection for path in p.personal.values()]
    return sorted(set(marked))


def is_by_day(entity: Entity) -> bool:
    """Whether an entity is extracted a window of days at a time."""
    return entity.keeping is Keeping.EVENTS
