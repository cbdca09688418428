"""One answer from two models: the curve of the hazard passes through what the renewal model says.

The end of a pass is where a spell is decided, and P(renewed within 30 days after it) is what the renewal model was
calibrated for. From that day on the curve is scaled so that it has this value there; before it the curve cannot lie
lower. It stays a survival curve, so what is lost within 7, 30, 60 and 90 days rises.
"""

import numpy as np
import polars as pl

from ris_assets.models.protocol import Array

TINY = 1e-9


def reconciled(curve: Array, frame: pl.DataFrame, p_renew_30d: Array) -> Array:
    """(rows, days): the curve of days 1, 2, ... made to agree with the renewal model.

    Args:
        curve: P(still in the spell at the end of the nth day after the snapshot), not rising along a row.
        frame: the snapshot rows; those who have renewed already keep their curve: the pass that the renewal model
            speaks of has been followed.
        p_renew_30d: of each row.
    """
    end = first_open_end(frame, curve.shape[1])
    rows = np.arange(len(curve))
    at_end = curve[rows, np.maximum(end, 0)]
    factor = np.where(end >= 0, p_renew_30d / np.maximum(at_end, TINY), 1.0)[:, None]
    days = np.arange(curve.shape[1])[None, :]
    after = (days >= end[:, None]) & (end >= 0)[:, None]
    floor = np.where(end >= 0, p_renew_30d, 0.0)[:, None]
    return np.where(after, np.minimum(curve * factor, floor), np.maximum(curve, floor))


def first_open_end(frame: pl.DataFrame, days: int) -> Array:
    """The day (from 0, tomorrow) on which the pass runs out that the renewal model speaks of; -1 if it is renewed
    already, or does not run out within so many days. What runs out today is lost by tomorrow."""
    left = frame["days_to_end"].cast(pl.Float64).to_numpy()
    renewed = frame["is_already_renewed"].cast(pl.Boolean).fill_null(False).to_numpy()
    # Where the end is not known no comparison holds.
    return np.where(~renewed & (left <= days), np.maximum(left, 1) - 1, -1).astype(int)
