"""What a model that nothing judges says of a day: by its fit up to the cut, or from some day on by all known then."""

from datetime import date

import numpy as np
import polars as pl

Array = np.ndarray
NEWEST = "newest"
"""Folder of the fit on everything, beside the files of the model."""
DAY = "as_of_date"


def by_day(frame: pl.DataFrame, known_by: date | None, before: Array, later: Array) -> Array:
    """Of each row what was known on its day says; a row without a day is of today.

    Args:
        frame: rows, with their `as_of_date` where they are of a day.
        known_by: the first day that `later` may tell.
        before, later: (rows, horizons), what either fit says of every row.
    """
    if DAY not in frame.columns:
        return later
    is_later = (frame[DAY] >= known_by).fill_null(True).to_numpy()
    return np.where(is_later[:, None], later, before)
