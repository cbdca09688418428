"""Studio days: zones, the Almaty shift of 2024-03-01, and the first partition that carries history."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from ris_assets.assets.norms import touched_weeks
from ris_assets.partitions import BEGINNING, Window, start_of_day, studio_day, window_of_keys
from ris_assets.settings import get_settings

ALMATY, NEW_YORK = ZoneInfo("Asia/Almaty"), ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("instant", "zone", "day"),
    [
        # Almaty was UTC+6 up to and including 2024-02-29 and is UTC+5 since 2024-03-01.
        (datetime(2024, 2, 28, 17, 59, tzinfo=UTC), ALMATY, date(2024, 2, 28)),
        (datetime(2024, 2, 28, 18, 0, tzinfo=UTC), ALMATY, date(2024, 2, 29)),
        (datetime(2024, 3, 1, 18, 30, tzinfo=UTC), ALMATY, date(2024, 3, 1)),
        (datetime(2024, 3, 1, 19, 0, tzinfo=UTC), ALMATY, date(2024, 3, 2)),
        (datetime(2024, 3, 10, 4, 59, tzinfo=UTC), NEW_YORK, date(2024, 3, 9)),
        (datetime(2024, 3, 11, 4, 0, tzinfo=UTC), NEW_YORK, date(2024, 3, 11)),
    ],
)
def test_an_instant_belongs_to_its_local_day(instant, zone, day):
    assert studio_day(instant, zone) == day


def test_the_day_of_the_shift_is_twenty_five_hours_long():
    length = start_of_day(date(2024, 3, 1), ALMATY) - start_of_day(date(2024, 2, 29), ALMATY)
    assert length.total_seconds() / 3600 == 25


def test_the_first_partition_opens_at_the_beginning_of_time():
    first = get_settings().start_date.isoformat()
    assert window_of_keys(first, first).from_day == BEGINNING
    assert window_of_keys("2026-02-02", "2026-02-03").from_day == date(2026, 2, 2)


@pytest.mark.parametrize(
    ("day", "first", "last"),
    [
        (date(2024, 3, 3), date(2024, 2, 26), date(2024, 2, 26)),  # a Sunday needs its own week
        (date(2024, 3, 4), date(2024, 2, 26), date(2024, 3, 4)),  # a Monday the week before too
    ],
)
def test_a_window_touches_the_weeks_that_its_snapshots_read(day, first, last):
    assert touched_weeks(Window(day, day, ALMATY)) == (first, last)
