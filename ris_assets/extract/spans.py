"""Calendar arithmetic on instants: so many days or months later, and one row a period of what repeats."""

from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

import polars as pl

from ris_assets.extract.plan import FIRST_INSTANT, INSTANT, LAST_INSTANT

SpanUnit = Literal["days", "weeks", "months", "years"]
LONGEST: dict[SpanUnit, int] = {"days": 36_525, "weeks": 5_218, "months": 1_200, "years": 100}
"""A hundred years: beyond it a number counts something else."""
_SUFFIXES: dict[SpanUnit, str] = {"days": "d", "weeks": "w", "months": "mo", "years": "y"}
_FEWEST_DAYS: dict[SpanUnit, int] = {"days": 1, "weeks": 7, "months": 28, "years": 365}
_MOST_PERIODS = 4_000
"""Of one document; a start in the year 1 stands for none at all."""
_NUMBER = "_period"


def shifted(instant: pl.Expr, amount: pl.Expr, unit: SpanUnit, zone: ZoneInfo) -> pl.Expr:
    """Instants moved by a whole number of units on the clocks of a zone, the hour kept.

    A month later than the 31st is the last day of a shorter month. An hour that the clocks skip is read
    as if they had not been set forward; of one that comes twice the first is taken. What would leave the
    years 1 to 9999 stays at their edge: an end in 9999 stands for none, and a day later it still does.
    """
    local = instant.dt.convert_time_zone(zone.key).dt.replace_time_zone(None)
    later = local.dt.offset_by(pl.format(f"{{}}{_SUFFIXES[unit]}", amount.cast(pl.Int64)))
    return on_clock(later, zone).clip(*(pl.lit(i, INSTANT) for i in (FIRST_INSTANT, LAST_INSTANT)))


def on_clock(local: pl.Expr, zone: ZoneInfo) -> pl.Expr:
    """The instants at which the clocks of a zone show these times; skipped and doubled hours as in `shifted`."""
    skipped = _placed(local.dt.offset_by("-1d"), zone) + pl.duration(days=1)
    return pl.coalesce(_placed(local, zone), skipped)


def _placed(local: pl.Expr, zone: ZoneInfo) -> pl.Expr:
    placed = local.dt.replace_time_zone(zone.key, ambiguous="earliest", non_existent="null")
    return placed.dt.convert_time_zone("UTC").cast(INSTANT)


def unrolled(
    frame: pl.DataFrame, amount: str, unit: SpanUnit, zone: ZoneInfo, now: datetime
) -> pl.DataFrame:
    """One row a period of what repeats, from `starts_at` until it ends, was cancelled, or `now`.

    Args:
        frame: `source_id`, `hp_id`, `starts_at`, `purchased_at` and, where mapped, `ends_at` (of the
            whole; null while it goes on) and `cancelled_at`.
        amount: the column that holds the length of a period; where it is null there is one row.
        unit: what the length is counted in.
        zone: whose calendar counts.
        now: periods that begin later are not there yet.

    Returns:
        The same columns. The first period keeps the ids, the following add their number; each is bought
        when it begins and ends when the next one begins. All are cancelled with the whole, should a freeze
        have moved an earlier one beyond; that it has ended cancels it, too: nobody knew before that it would.
    """
    absent = [n for n in ("ends_at", "cancelled_at") if n not in frame.columns]
    frame = frame.with_columns(pl.lit(None, INSTANT).alias(name) for name in absent)
    today = pl.lit(now).cast(INSTANT)
    over = pl.min_horizontal("ends_at", "cancelled_at", today)
    given = pl.when(pl.col(amount) > 0).then(pl.col(amount))
    most = (over - pl.col("starts_at")).dt.total_days() // (given * _FEWEST_DAYS[unit])
    is_sane = most.fill_null(0) < _MOST_PERIODS
    following = pl.when(is_sane).then(most).fill_null(0).clip(0)
    numbers = pl.int_ranges(following.cast(pl.Int64) + 1)
    length = pl.when(is_sane).then(given)
    frame = frame.with_columns(over.alias("_over"), length.alias("_length"))
    rows = frame.with_columns(numbers.alias(_NUMBER)).explode(_NUMBER)
    number, each = pl.col(_NUMBER), pl.col("_length")
    begins = shifted(pl.col("starts_at"), number * each.fill_null(0), unit, zone)
    next_begins = shifted(pl.col("starts_at"), (number + 1) * each, unit, zone)
    rows = rows.with_columns(begins.alias("_begins"), next_begins.alias("_next"))
    rows = rows.filter((number == 0) | (pl.col("_begins") < pl.col("_over")))
    # The end of the whole is the first instant that is no longer in it; a cancelled day still is.
    has_ended = pl.col("_next").is_not_null() & pl.col("ends_at").is_between(
        "starts_at", today, "right"
    )
    ended_at = pl.when(has_ended).then(pl.col("ends_at") - pl.duration(milliseconds=1))
    planned = pl.when(~has_ended).then("ends_at")
    return rows.with_columns(
        _numbered("source_id"),
        _numbered("hp_id"),
        pl.when(number == 0).then("purchased_at").otherwise("_begins").alias("purchased_at"),
        pl.when(number == 0).then("starts_at").otherwise("_begins").alias("starts_at"),
        pl.min_horizontal("_next", planned).alias("ends_at"),
        pl.min_horizontal("cancelled_at", ended_at).alias("cancelled_at"),
    ).drop("_over", "_length", "_begins", "_next", _NUMBER)


def _numbered(name: str) -> pl.Expr:
    later = pl.concat_str(name, pl.lit(":"), pl.col(_NUMBER) + 1)
    return pl.when(pl.col(_NUMBER) == 0).then(name).otherwise(later).alias(name)
