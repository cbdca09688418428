"""The clock of person-weeks: whether a pass runs out in the week, how old the spell is, how long it was at risk."""

import numpy as np
import polars as pl

from ris_assets.features.training_rows import NOMINAL_DAYS
from ris_assets.models.protocol import Array

CLOCK_FEATURES = ("days_to_end", "spell_weeks", "is_frozen")
"""Snapshot features that the week itself says better; they are not read from the snapshot."""
CLOCK = ("ends_this_week", "log_week", "is_first_pass_end", "has_no_snapshot")
MAX_LOG_HAZARD = 3.0


def blind(weeks: pl.DataFrame) -> pl.DataFrame:
    """Person-weeks as if it were not known who has renewed already."""
    return weeks.with_columns(pl.lit(False).alias("is_already_renewed"))


def clock_of_weeks(weeks: pl.DataFrame) -> Array:
    """The clock columns of person-weeks."""
    ends = ends_in_week(weeks)
    first = weeks["pass_number"].fill_null(1).to_numpy() <= 1
    silent = weeks["as_of_date"].is_null().to_numpy()
    return clock_columns(
        ends, weeks["week_number"].cast(pl.Float64).to_numpy(), ends & first, silent
    )


def ends_in_week(weeks: pl.DataFrame) -> Array:
    """Whether, as known at its start, the pass runs out in the week and none follows.

    A pass that ran out on the eve of a week at risk has been followed, taken to be by one of its length: passes of a
    week that begin on Mondays run out in every week.
    """
    left = weeks["days_to_end_at_start"].to_numpy()
    length = weeks["pass_days"].cast(pl.Float64).fill_null(NOMINAL_DAYS).to_numpy()
    left = np.where(left == 0, length, left)
    renewed = weeks["is_already_renewed"].fill_null(False).to_numpy()
    return (left >= 1) & (left <= 7) & ~renewed


def clock_columns(ends: Array, week: Array, first_end: Array, silent: Array) -> Array:
    """Clock columns in the order of `CLOCK`."""
    return np.column_stack([ends, np.log1p(np.maximum(week, 0)), first_end, silent]).astype(float)


def log_exposure(weeks: pl.DataFrame) -> Array:
    """log(exposure), but 0 where the end of the pass lies in the week."""
    exposure = weeks["exposure"].to_numpy()
    return np.where(ends_in_week(weeks), 0.0, np.log(np.maximum(exposure, 1e-3)))


def probability_of(log_hazard: Array) -> Array:
    """1 - exp(-exp(log hazard)), kept finite."""
    return -np.expm1(-np.exp(np.minimum(log_hazard, MAX_LOG_HAZARD)))
