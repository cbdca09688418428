"""Schedules: yesterday's partition every morning, training once a week. Both stopped until switched on."""

from typing import Any

import dagster as dg

from ris_assets.jobs import Job
from ris_assets.settings import get_settings

DAILY_HOUR = 4
TRAINING_CRON = "0 6 * * 1"


def schedules(daily: Job, training: Job) -> list[Any]:
    """The daily and the weekly schedule, in the studio's time zone."""
    return [
        dg.build_schedule_from_partitioned_job(
            daily,
            name="daily_schedule",
            hour_of_day=DAILY_HOUR,
            description="Runs the partition of the day that has just ended",
        ),
        dg.ScheduleDefinition(
            name="weekly_training_schedule",
            job=training,
            cron_schedule=TRAINING_CRON,
            execution_timezone=get_settings().timezone,
            description="Trains on Monday morning, after the daily run",
        ),
    ]
