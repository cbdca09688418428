"""One answer from two models: the curve of the hazard passes through what the renewal model says.

The end of a pass is where a spell is decided, and P(renewed within 30 days after it) is what the renewal model was
calibrated for. From that week on the curve is scaled so that it has this value there; before it the curve cannot lie
lower. It stays a survival curve, so what is lost within 7, 30, 60 and 90 days rises.
"""

import numpy as np
import polars as pl

from ris_assets.models.protocol import Array

TINY = 1e-9


def reconciled(curve: Array, frame: pl.DataFrame, p_renew_30d: Array) -> Array:
    """(rows, weeks): the curve of weeks 1, 2, ... made to agree with the renewal model.

    Args:
        curve: P(still in the spell h weeks after the snapshot), not rising along a row.
        frame: the snapshot rows; those who have renewed already keep their curve: the pass that the renewal model
            speaks of has been followed.
        p_renew_30d: of each row.
    """
    end = first_open_end(frame, curve.shape[1])
    rows = np.arange(len(curve))
    at_end = curve[rows, np.maximum(end, 0)]
    factor = np.where(end >= 0, p_renew_30d / np.maximum(at_end, TINY), 1.0)[:, None]
    weeks = np.arange(curve.shape[1])[None, :]
    after = (weeks >= end[:, None]) & (end >= 0)[:, None]
    floor = np.where(end >= 0, p_renew_30d, 0.0)[:, None]
    return np.where(after, np.minimum(curve * factor, floor), np.maximum(curve, floor))


def first_open_end(frame: pl.DataFrame, weeks: int) -> Array:
    """The week (from 0) in which the pass runs out that the renewal model speaks of; -1 if it is renewed already,
    or does not run out within so many weeks."""
    left = frame["days_to_end"].cast(pl.Float64).to_numpy()
    week = np.maximum(np.ceil(left / 7) - 1, 0)
    renewed = frame["is_already_renewed"].cast(pl.Boolean).fill_null(False).to_numpy()
    # Where the end is not known no comparison holds.
    return np.where(~renewed & (week < weeks), week, -1).astype(int)


def survival_at_days(curve: Array, frame: pl.DataFrame, days: tuple[int, ...]) -> Array:
    """(rows, len(days)): the curve so many days after the snapshot.

    Between its weeks the hazard is constant, but for the week in which the pass runs out that the renewal model speaks
    of: what is lost there is lost on the day of the end, not on those before it.
    """
    logs = np.log(np.maximum(np.hstack([np.ones((len(curve), 1)), curve]), 1e-300))
    at = np.asarray(days) / 7
    low = np.minimum(at.astype(int), curve.shape[1] - 1)
    left = frame["days_to_end"].cast(pl.Float64).to_numpy()[:, None]
    is_end = first_open_end(frame, curve.shape[1])[:, None] == low
    part = np.where(is_end, np.asarray(days) >= left, at - low)
    return np.exp(logs[:, low] + (logs[:, low + 1] - logs[:, low]) * part)
