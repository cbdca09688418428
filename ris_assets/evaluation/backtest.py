"""Rolling-origin backtest: the same training at earlier cut-offs, each judged on the weeks that followed it.

Between what a model is fitted on and what it is judged on lies the time that labels need: a row seen before a cut
and known only after it belongs to neither side, so no label leaks.
"""

from collections.abc import Iterator
from datetime import date

import polars as pl

from ris_assets.errors import RisError
from ris_assets.evaluation.split import Windows, cuts_for, refuse_too_little, split_by_time

ORIGINS = 3
LEAST_DAYS = 90
"""History before a cut-off below which it is no use training."""


def earlier_windows(
    rows: pl.DataFrame,
    latest: date,
    *,
    seen: str,
    matures: str,
    target: str,
    unit: str,
    origins: int = ORIGINS,
) -> Iterator[Windows]:
    """Windows as they would have stood at `latest` and before it, the newest first, as long as they hold enough.

    Args:
        latest: the last day that may be known: the fitting cut of the training that the backtest is for, so that
            its own out-of-time window stays unseen.
        seen, matures: columns with the day of a row and the day its label must be known.
        target, unit: outcome, and what is counted (passes, spells).
        origins: how many at most; each starts where the out-of-time window of the one after it begins.
    """
    first = rows[seen].min()
    as_of = latest
    for _ in range(origins):
        if not isinstance(first, date) or (as_of - first).days < LEAST_DAYS:
            return
        windows = split_by_time(rows, cuts_for(as_of, first), seen, matures)
        try:
            refuse_too_little(windows, target, unit)
        except RisError:
            return
        yield windows
        as_of = windows.cuts.fit
