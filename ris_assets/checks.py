"""Asset checks that are RIS's own. dbt's tests become checks by themselves."""

import dagster as dg
import polars as pl

from ris_assets.contracts.entities import ENTITIES, Entity
from ris_assets.evaluation.plots import as_markdown, volume_plot
from ris_assets.evaluation.volume import judge_days
from ris_assets.extract.shape import COVERS_NOTHING
from ris_assets.resources.postgres import PostgresResource
from ris_assets.settings import get_settings

DEFAULT_REJECT_LIMIT = 0.01
_SHOWN = 30
VOLUME_DAYS = 64
"""The last day, and the same weekday of nine weeks before."""


def _rejects_check(entity: Entity) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=dg.AssetKey(["ris_raw", entity.name]),
        name="rejected_share",
        description="Rows refused by the day's extractions are within the limit that the map allows",
        blocking=True,
    )
    def rejected_share(postgres: PostgresResource) -> dg.AssetCheckResult:
        refused = _refused_today(postgres, entity)
        rejected, rows, limit = refused.row(0) if refused.height else (0.0, 0.0, 0.0)
        share = rejected / rows if rows else 0.0
        held = rows_held(postgres).get(entity.name, 0)
        told = f"{rejected:,.0f} of {rows:,.0f} rows were refused, the map allows {limit:.1%}"
        where = f"select * from ris_raw.rejects where entity = '{entity.name}' says why. Mend the documents or the map"
        stops = "or raise reject_limit in it, then run the day again; until then the scores of the days before stay in"
        standing = f"{held:,} rows are held back, of whatever day; {where}." if held else None
        return dg.AssetCheckResult(
            passed=share <= limit,
            description=f"{told}; {where}, {stops} place." if share > limit else standing,
            metadata={
                "rows_held": held,
                "rows_rejected": int(rejected),
                "rows_considered": int(rows),
                "share": share,
                "limit": limit,
                "reasons": dg.MetadataValue.md(_reasons(postgres, entity)),
            },
        )

    return rejected_share


def rows_held(postgres: PostgresResource) -> dict[str, int]:
    """Rows by entity that stand refused, whenever that was: no later day is stopped by them, nor has them."""
    found = postgres.read(
        "select entity, count(distinct source_id)::int8 as held from ris_raw.rejects"
        " where not is_row_kept group by 1 order by 1"
    )
    return dict(found.iter_rows())


def _refused_today(postgres: PostgresResource, entity: Entity) -> pl.DataFrame:
    """Rows refused and considered by the worst extraction of the studio day of the last, and the map's limit.

    Of those before the last, rows that are still refused: an extraction that finds nothing new mends nothing.
    """
    zone = get_settings().timezone
    return postgres.read(
        f"""
        with log as (
            select *, max(finished_at) over () as last_at, lag(finished_at) over (order by finished_at) as before_at,
                   (finished_at at time zone '{zone}')::date as day
            from ris_raw.extraction_log where entity = '{entity.name}'
        ),
        last as (select day, coalesce(reject_limit, {DEFAULT_REJECT_LIMIT})::float8 as share_limit
                 from log where finished_at = last_at),
        standing as (
            select rejected_at, count(distinct source_id) as documents from ris_raw.rejects
            where entity = '{entity.name}' and not is_row_kept group by 1
        ),
        refused as (
            select case when finished_at = last_at then rows_rejected else coalesce(documents, 0) end::float8
                   as rejected, coalesce(rows_considered, rows_read)::float8 as considered
            from log
            join last using (day)
            left join standing
              on rejected_at > coalesce(before_at, '-infinity') and rejected_at <= finished_at
        )
        select rejected, considered, share_limit from refused cross join last
        order by rejected / nullif(considered, 0) desc nulls last, considered desc limit 1
        """
    )


def _reasons(postgres: PostgresResource, entity: Entity) -> str:
    """Why documents are refused, without any value of theirs."""
    found = postgres.read(
        "select field, reason, is_row_kept, count(*)::int8 as documents from ris_raw.rejects"
        f" where entity = '{entity.name}' group by 1, 2, 3 order by 4 desc limit {_SHOWN}"
    )
    rows = [
        f"| {field} | {reason} | {_fate(reason, kept)} | {documents} |"
        for field, reason, kept, documents in found.iter_rows()
    ]
    head = "| field | reason | what became of it | documents |\n|---|---|---|---:|"
    return "\n".join([head, *rows]) if rows else "Nothing is refused."


def _fate(reason: str, is_row_kept: bool) -> str:
    if not is_row_kept:
        return "row refused"
    return "kept as it is" if reason == COVERS_NOTHING else "null"


def _drift_check(entity: Entity) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=dg.AssetKey(["ris_raw", entity.name]),
        name="schema_drift",
        description="The source's documents look as they did: no field is new, gone or of another type",
    )
    def schema_drift(postgres: PostgresResource) -> dg.AssetCheckResult:
        changed = postgres.read(
            "select part, path, status, change from ris_raw.field_profile"
            f" where entity = '{entity.name}' and status <> 'same' order by status, part, path"
        )
        rows = [f"| {part} | `{path}` | {s} | {c} |" for part, path, s, c in changed.iter_rows()]
        head = "| collection | field | status | change |\n|---|---|---|---|"
        table = "\n".join([head, *rows[:_SHOWN]]) if rows else "Nothing has changed."
        return dg.AssetCheckResult(
            passed=not rows,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"fields_changed": len(rows), "changes": dg.MetadataValue.md(table)},
        )

    return schema_drift


def _volume_check(entity: Entity) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=dg.AssetKey(["ris_raw", entity.name]),
        name="volume",
        description="As much happened on the last day as on the same weekday of the eight weeks before, and nothing"
        " that the map has is silent for weeks",
    )
    def volume(postgres: PostgresResource) -> dg.AssetCheckResult:
        off, silent = _silent_days(postgres, entity)
        if off:
            return dg.AssetCheckResult(passed=True, metadata={"rule": "the map does not have it"})
        days = _counted_days(postgres, entity, VOLUME_DAYS + silent)
        if days.is_empty() or not days["count"].sum():
            return dg.AssetCheckResult(passed=True, metadata={"rule": "nothing to compare with"})
        counts = days["count"].to_list()
        status, rule = judge_days(counts, days["day"][-1])
        plot = volume_plot(days, f"{entity.name}: {rule}")
        return dg.AssetCheckResult(
            passed=status == "ok",
            severity=dg.AssetCheckSeverity.WARN,
            description=None if status == "ok" else _volume_told(entity, rule),
            metadata={
                "day": str(days["day"][-1]),
                "documents": counts[-1],
                "status": status,
                "rule": rule,
                "days": dg.MetadataValue.md(as_markdown(plot, f"{entity.name} a day")),
            },
        )

    return volume


def _volume_told(entity: Entity, rule: str) -> str:
    return (
        f"{entity.name}: {rule}. Look at the source and at its map; what is no longer recorded is best taken out of"
        " the map, for its features would count as nothing done."
    )


def _silent_days(postgres: PostgresResource, entity: Entity) -> tuple[bool, int]:
    """Whether the map in force lacks the entity, and how many days up to the last that was extracted are without it."""
    zone, table = get_settings().timezone, entity.table.qualified
    found = postgres.read(
        f"""
        with last as (
            select max(through_day) as day, (max(through_day) + 1)::timestamp at time zone '{zone}' as over
            from ris_raw.extraction_log
        ),
        recent as (
            select max(event_at) as event_at from {table}, last
            where event_at < over and event_at >= over - interval '{VOLUME_DAYS} days' and not is_deleted
        ),
        seen as (
            select coalesce(event_at, (select max(event_at) from {table}, last
                                       where event_at < over and not is_deleted)) as event_at from recent
        )
        select coalesce((select not is_mapped from ris_raw.extraction_log where entity = '{entity.name}'
                         order by finished_at desc limit 1), false) as is_off,
               coalesce(last.day - (seen.event_at at time zone '{zone}')::date, 0)::int4 as days
        from last, seen
        """
    )
    is_off, days = found.row(0)
    return is_off, days


def _counted_days(postgres: PostgresResource, entity: Entity, count: int) -> pl.DataFrame:
    """Documents by the studio day of their event, so many days up to the last that was extracted.

    Not those that the source has taken back, and no day before the entity's first.
    """
    zone, table = get_settings().timezone, entity.table.qualified
    return postgres.read(
        f"""
        with last as (
            select day, day - {count - 1} as first_day,
                   (day - {count - 1})::timestamp at time zone '{zone}' as since
            from (select max(through_day) as day from ris_raw.extraction_log) as log
        ),
        latest as (
            select distinct on (source_id) (event_at at time zone '{zone}')::date as day, is_deleted
            from {table}, last
            where event_at >= since
            order by source_id, known_at desc
        ),
        counted as (select day, count(*) as documents from latest where not is_deleted group by 1),
        begun as (
            select case when exists (select 1 from {table} where event_at < since) then first_day
                        else (select min(day) from latest) end as day
            from last
        )
        select days.day::date as day, coalesce(counted.documents, 0)::int8 as count
        from last
        cross join begun
        cross join generate_series(begun.day, last.day, interval '1 day') as days (day)
        left join counted on days.day::date = counted.day
        order by 1
        """
    )


def scores_cover_active_members() -> dg.AssetChecksDefinition:
    """One score for each active member of the last scored day: none lost, none twice."""

    @dg.asset_check(asset="model_scores_daily", description="One score an active member")
    def one_score_per_active_member(postgres: PostgresResource) -> dg.AssetCheckResult:
        counts = postgres.read(
            """
            with latest as (select max(score_date) as day from ris.model_scores_daily)
            select count(*)::float8 as members,
                   count(s.user_id)::float8 as scored
            from ris.member_snapshot m
            join latest on m.as_of_date = latest.day
            left join ris.model_scores_daily s
              on s.score_date = m.as_of_date and s.user_id = m.user_id
            """
        )
        members, scored = counts.row(0)
        return dg.AssetCheckResult(
            passed=members == scored,
            metadata={"active_members": int(members), "scored": int(scored)},
        )

    return one_score_per_active_member


def checks() -> list[dg.AssetChecksDefinition]:
    """All of RIS's own asset checks."""
    return [
        *map(_rejects_check, ENTITIES.values()),
        *map(_drift_check, ENTITIES.values()),
        *map(_volume_check, ENTITIES.values()),
        scores_cover_active_members(),
    ]
