"""Days of events that are read: their rows are replaced, and what they said before stays known as it was.

A document that says something else than when its day was read, or is gone, was known as it was until then: that
version goes to the `superseded` table. So does an element that a document lacks which has changed. The new one counts
from the day after the last that had been read, whose run has yet to come; where the window holds the last one, from
that.
"""

from datetime import datetime, timedelta

import psycopg

from ris_assets.contracts.entities import Entity
from ris_assets.contracts.landing import EXTRACTION_LOG
from ris_assets.partitions import Window

DOCUMENT_OF = "(regexp_replace(source_id, ':[^:]*$', ''))"
"""The document that an element stands in. An element whose own id has a colon is of no document that there is."""


def replace_days(
    connection: psycopg.Connection,
    entity: Entity,
    window: Window,
    fingerprint: str,
    started_at: datetime,
) -> int:
    """Replace the rows of a window's days by those of `pg_temp.incoming`, and add the late ones of days before.

    Days that were read with another map, or never, are mended: what they hold counts as known when it was.

    Args:
        connection: in a transaction, with the columns of the landing table in `pg_temp.incoming`, and in
            `pg_temp.read_again` documents that have changed, with the elements that they hold.
        entity: what the rows are of.
        window: the days that were read.
        fingerprint: of the map that they were read with.
        started_at: when reading began; nothing was known later.

    Returns:
        Rows written.
    """
    values = {
        "entity": entity.name,
        "fingerprint": fingerprint,
        "zone": window.zone.key,
        "started_at": started_at,
        "opens_at": window.starts_at,
        "closes_at": window.ends_at,
        "through_day": window.through_day,
        "last_instant": min(window.ends_at, started_at) - timedelta(microseconds=1),
    }
    statements = [
        *_note_what_arrived(entity),
        *_note_what_is_gone(entity),
        *_keep_what_was_known(entity),
        *_replace(entity),
    ]
    return [connection.execute(statement, values).rowcount for statement in statements][-1]


def _note_what_arrived(entity: Entity) -> list[str]:
    """Rows of `incoming`, each once, beside what stands of the same document: the temporary table `arrived`.

    What arrives late was not known on its own day; what is the same stays known as it was.
    """
    fields = ["event_at", *(f'"{column.name}"' for column in entity.fields)]
    new, old = (", ".join(f"{alias}.{name}" for name in fields) for alias in "it")
    return [
        "drop table if exists pg_temp.days_read, pg_temp.arrived",
        f"""
        create temp table days_read on commit drop as
        select
            range_agg(tstzrange(
                from_day::timestamp at time zone %(zone)s, (through_day + 1)::timestamp at time zone %(zone)s
            )) as spans,
            least(
                case when max(through_day) > %(through_day)s
                    then (max(through_day) + 1)::timestamp at time zone %(zone)s
                    else %(last_instant)s
                end,
                %(started_at)s
            ) as until
        from {EXTRACTION_LOG.qualified}
        where entity = %(entity)s and map_fingerprint = %(fingerprint)s and from_day is not null
        """,
        f"""
        create temp table arrived on commit drop as
        with latest as (
            select distinct on (source_id) * from pg_temp.incoming order by source_id, ctid desc
        ),
        compared as (
            select
                i.*,
                greatest(
                    i.known_at,
                    case when i.event_at < %(opens_at)s then %(last_instant)s end,
                    case when i.event_at <@ days_read.spans then days_read.until end
                ) as is_so_since,
                t.event_at as was_at,
                t.known_at as stood_since,
                t.event_at <@ days_read.spans and row({new}) is distinct from row({old}) as is_other
            from latest i
            cross join days_read
            left join {entity.table.qualified} t on t.source_id = i.source_id
        )
        -- What was so at the end of no day was never known.
        select *, is_other and {_day("is_so_since")} > {_day("greatest(was_at, stood_since)")} as is_news
        from compared
        """,
    ]


def _note_what_is_gone(entity: Entity) -> list[str]:
    """Rows that the window's days or the changed documents have no longer: the temporary table `gone`."""
    table = entity.table.qualified
    return [
        "analyze pg_temp.read_again",
        "drop table if exists pg_temp.gone",
        f"""
        create temp table gone on commit drop as
        select t.source_id
        from {table} t
        where t.event_at >= %(opens_at)s and t.event_at < %(closes_at)s
          and not exists (select from pg_temp.arrived i where i.source_id = t.source_id)
        union
        select t.source_id
        from pg_temp.read_again d
        join {table} t on {DOCUMENT_OF} = d.document
        where t.source_id <> all (d.elements)
        """,
    ]


def _keep_what_was_known(entity: Entity) -> list[str]:
    """Versions that are no longer so, of days that were read with this map."""
    table, kept = entity.table, entity.superseded.qualified
    names = [f'"{name}"' for name in table.column_names]
    insert = f"insert into {kept} ({', '.join(names)}, known_until)"
    old = ", ".join(f"t.{name}" for name in names)
    return [
        f"""
        {insert}
        select {old}, i.is_so_since
        from {table.qualified} t
        join pg_temp.arrived i on i.source_id = t.source_id
        where i.is_news
        """,
        f"""
        {insert}
        select {old}, days_read.until
        from {table.qualified} t
        join pg_temp.gone on gone.source_id = t.source_id
        cross join pg_temp.days_read
        where t.event_at <@ days_read.spans
          and {_day("days_read.until")} > {_day("greatest(t.event_at, t.known_at)")}
        """,
        f"""
        delete from {kept} t
        using pg_temp.days_read
        where t.event_at >= %(opens_at)s and t.event_at < %(closes_at)s
          and (t.event_at <@ days_read.spans) is not true
        """,
    ]


def _replace(entity: Entity) -> list[str]:
    """Delete and insert; a document whose event has moved to another day moves with it."""
    table, columns = entity.table.qualified, ", ".join(f'"{c}"' for c in entity.table.column_names)
    selected = columns.replace(
        '"known_at"',
        "case when is_news then is_so_since else coalesce(stood_since, is_so_since) end",
    )
    return [
        f"delete from {table} where event_at >= %(opens_at)s and event_at < %(closes_at)s",
        f"delete from {table} t using pg_temp.arrived i where t.source_id = i.source_id",
        f"delete from {table} t using pg_temp.gone where t.source_id = gone.source_id",
        f"insert into {table} ({columns}) select {selected} from pg_temp.arrived",
    ]


def _day(instant: str) -> str:
    return f"({instant} at time zone %(zone)s)::date"
