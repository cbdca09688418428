"""The studio days that a stage works on: those that a run was asked for, and those before them that no run has done.

A day whose run has failed, or was never started, is made up for by the next one: what comes after it would be worked
out without it. So partitions may be run in any order.
"""

from datetime import date, timedelta

import dagster as dg

from ris_assets.contracts.entities import Entity
from ris_assets.partitions import BEGINNING, PARTITION, RANGE_END, RANGE_START, Window, window_of
from ris_assets.resources.postgres import PostgresResource
from ris_assets.resources.snapshots import Snapshots


def window_to_extract(
    context: dg.AssetExecutionContext, postgres: PostgresResource, entity: Entity
) -> Window:
    """What to read of an entity. One that is new to a studio in use is read by the days asked for."""
    read = postgres.read(
        "select max(through_day) as day from ris_raw.extraction_log"
        f" where is_mapped and entity = '{entity.name}'"
    )["day"][0]
    if read is None and Snapshots(postgres).built_through() is not None:
        return window_of(context)
    return _opened_after(read, context)


def window_to_build(context: dg.AssetExecutionContext, postgres: PostgresResource) -> Window:
    """What to build of the marts; what was extracted for it is there."""
    return _opened_after(Snapshots(postgres).built_through(), context)


def first_day_to_make(context: dg.AssetExecutionContext, postgres: PostgresResource) -> date | None:
    """The first day that no run has built, or that this run builds once more; None before the first.

    What is found of days before it counts from then on at the earliest: else no run would see it.
    """
    built = Snapshots(postgres).built_through()
    if built is None:
        return None
    first, last = (_asked(context, tag) for tag in (RANGE_START, RANGE_END))
    is_built_again = first and last and first <= built.isoformat() <= last
    return built if is_built_again else built + timedelta(days=1)


def last_day_of(context: dg.AssetExecutionContext) -> date | None:
    """The last day that the run was asked for; None where it was asked for none."""
    last = _asked(context, RANGE_END)
    return date.fromisoformat(last) if last else None


def _asked(context: dg.AssetExecutionContext, end: str) -> str | None:
    """The day at an end of what the run was asked for, as its tags have it."""
    return context.run.tags.get(end) or context.run.tags.get(PARTITION)


def _opened_after(done: date | None, context: dg.AssetExecutionContext) -> Window:
    asked = window_of(context)
    window = asked.opened_at(BEGINNING if done is None else done + timedelta(days=1))
    if window != asked:
        context.log.info(f"from {window.from_day} on, which no run has done yet")
    return window
