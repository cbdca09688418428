"""Studio days, studio weeks, and the one daily partition set that drives everything time-based.

Partition D means "the world as known at the end of studio day D". The first partition also carries
all history before it, so that a studio can start today and still learn from its past.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import dagster as dg

from ris_assets.settings import get_settings

BEGINNING = date(1900, 1, 1)
"""Stands for "since ever" where SQL wants a date."""

PARTITION = "dagster/partition"
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
"""Tags of a run: its partition, or the first and the last of its range."""


@dataclass(frozen=True)
class Window:
    """A closed range of studio days that one run computes, in the studio's time zone."""

    from_day: date
    through_day: date
    zone: ZoneInfo

    @property
    def starts_at(self) -> datetime:
        """First instant of the window."""
        return start_of_day(self.from_day, self.zone)

    @property
    def ends_at(self) -> datetime:
        """First instant after the window."""
        return start_of_day(self.through_day + timedelta(days=1), self.zone)

    def opened_at(self, day: date) -> "Window":
        """The same with all days before it from this one on."""
        return replace(self, from_day=min(self.from_day, day))

    @property
    def days(self) -> list[date]:
        """Every day of the window, ascending."""
        count = (self.through_day - self.from_day).days + 1
        return [self.from_day + timedelta(days=offset) for offset in range(count)]


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """First instant of a studio day, in UTC (tz database rules, never a fixed offset)."""
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def studio_day(instant: datetime, zone: ZoneInfo) -> date:
    """The studio day an instant belongs to. `instant` must carry a zone."""
    return instant.astimezone(zone).date()


def yesterday(zone: ZoneInfo) -> date:
    """The last studio day that is over."""
    return datetime.now(zone).date() - timedelta(days=1)


def daily_partitions() -> dg.DailyPartitionsDefinition:
    """The daily partitions of the studio in use, from `RIS_START_DATE` to yesterday."""
    settings = get_settings()
    return dg.DailyPartitionsDefinition(
        start_date=settings.start_date.isoformat(), timezone=settings.timezone
    )


def window_of(context: dg.AssetExecutionContext) -> Window:
    """The studio days of this run's partition or partition range.

    The first partition opens at the beginning of time: history belongs to it.
    """
    keys = context.partition_key_range
    return window_of_keys(keys.start, keys.end)


def scored_days(window: Window) -> tuple[date, date]:
    """First and last partition day of a window; history before the partitions is not scored."""
    return max(window.from_day, get_settings().start_date), window.through_day


def window_of_keys(first_key: str, last_key: str) -> Window:
    """The window of a partition key range; both keys are ISO dates."""
    settings = get_settings()
    first = date.fromisoformat(first_key)
    from_day = BEGINNING if first <= settings.start_date else first
    return Window(from_day, date.fromisoformat(last_key), settings.zone)
