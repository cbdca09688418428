"""From snapshots joined with labels to training rows: who counts, and how much."""

import polars as pl

KEYS = ("as_of_date", "user_id", "hp_id")
LABELS = tuple(f"{name}_{days}d{end}" for days in (30, 60, 90)
               for name, end in (("renewed", ""), ("matures", "_on")))  # fmt: skip
NOMINAL_DAYS = 28.0
GRACE_DAYS = 30
"""After the end of a pass, within which buying the next one renews it."""


def renewal_rows(labelled: pl.DataFrame) -> pl.DataFrame:
    """Rows of members who have not renewed yet, weighted by 7 / length of the pass in days.

    A pass has as many Sundays as weeks, so it weighs about 1 altogether. The weight must not depend
    on how many rows the pass turned out to have: early renewals leave fewer, and dividing by that
    number would lift the share of renewals at every day before the end.
    """
    length = pl.col("pass_days").cast(pl.Float64).fill_null(NOMINAL_DAYS)
    return (
        labelled.filter(~pl.col("is_already_renewed"))
        .with_columns((7.0 / length.clip(lower_bound=7.0)).alias("weight"))
        .sort("matures_30d_on", "as_of_date", "user_id")
    )
