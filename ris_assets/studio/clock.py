"""The studio's clock: day numbers, weeks and local hours turned into UTC instants.

Inside the simulator a day is a number, 0 for the first Monday; week w holds days 7w .. 7w+6.
Only this module knows the time zone, and it asks the tz database, never a fixed offset.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from ris_assets.studio.arrays import Ints
from ris_assets.studio.config import StudioConfig

MINUTE_MS = 60_000
DAY_MS = 86_400_000
PAST_DAYS = 200
"""Days before the first Monday on which something may still have happened (registrations)."""
FUTURE_WEEKS = 66
"""Weeks after the last one: a pass bought on the last day may run for a year and its freezes."""
MORNING_MS = 6 * 60 * MINUTE_MS
"""Clocks are moved at night: before this hour the day's first offset holds, after it noon's."""


@dataclass(frozen=True)
class Clock:
    """Turns day numbers and local times into instants (milliseconds since 1970, UTC)."""

    first_date: date
    weeks: int
    last_day: int
    night_offsets: Ints
    day_offsets: Ints

    @property
    def epoch_day(self) -> int:
        """Days from 1970-01-01 to the first Monday."""
        return (self.first_date - date(1970, 1, 1)).days

    @property
    def end(self) -> int:
        """The first instant after the last simulated day."""
        return int(self.instant(np.array([self.last_day + 1]), np.array([0]))[0])

    def instant(self, day: Ints, local_ms: Ints) -> Ints:
        """The instant at which the clocks of `day` show `local_ms` past midnight."""
        row = np.clip(day + PAST_DAYS, 0, len(self.day_offsets) - 1)
        offset = np.where(local_ms < MORNING_MS, self.night_offsets[row], self.day_offsets[row])
        result: Ints = (day + self.epoch_day) * DAY_MS + local_ms - offset * MINUTE_MS
        return result

    def midnight(self, day: Ints) -> Ints:
        """The first instant of each day."""
        return self.instant(day, np.zeros_like(day))

    def dates(self, day: Ints) -> np.ndarray:
        """Calendar dates (datetime64[D]) of day numbers."""
        result: np.ndarray = (day + self.epoch_day).astype("datetime64[D]")
        return result

    def calendar(self, day: int) -> date:
        """The calendar date of one day number."""
        return self.first_date + timedelta(days=day)


def _offsets(first: date, days: int, zone: ZoneInfo, at: time) -> Ints:
    """Minutes east of UTC at that local time of each of `days` days."""
    moments = (
        datetime.combine(first + timedelta(days=day), at, tzinfo=zone) for day in range(days)
    )
    return np.array([_minutes(moment.utcoffset()) for moment in moments], dtype=np.int64)


def _minutes(offset: timedelta | None) -> int:
    return int((offset or timedelta(0)).total_seconds() // 60)


def clock(config: StudioConfig) -> Clock:
    """The clock of a config."""
    zone = ZoneInfo(config.timezone)
    first = config.first_day - timedelta(days=PAST_DAYS)
    days = PAST_DAYS + 7 * (config.weeks + FUTURE_WEEKS)
    return Clock(
        first_date=config.first_day,
        weeks=config.weeks,
        last_day=(config.last_day - config.first_day).days,
        night_offsets=_offsets(first, days, zone, time(0)),
        day_offsets=_offsets(first, days, zone, time(12)),
    )
