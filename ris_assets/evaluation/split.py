"""Splits by time. A row enters a window by the day its label *must* be known.

A renewal becomes known the day it happens, a loss only when the grace has passed: choosing rows
whose label is known already would fill the newest weeks with renewals alone.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta

import polars as pl

from ris_assets.errors import RisError

TEST_DAYS = 105
VALIDATION_DAYS = 63
FULL_HISTORY_DAYS = 420
MAX_ROWS = 200_000
"""Rows to learn from, which training holds in 8 GiB; of more whole passes (spells) are left out, evenly."""
MIN_PASSES = {"training": 100, "validation": 30, "test": 30}
BEGINNING = date(1900, 1, 1)
UNITS = {"hp_id": "passes", "spell_id": "spells"}
OUTCOMES = {"renewed_30d": "renewed", "event": "ended"}
MIN_OF_EACH_OUTCOME = {"training": 20, "validation": 5, "test": 5}


@dataclass(frozen=True)
class Cuts:
    """The days that part training, validation and test: (.., train], (train, fit], (fit, as_of].

    Attributes:
        train: labels of training rows are mature by the end of this day.
        fit: labels of validation rows are; nothing later has touched a coefficient.
        as_of: labels of test rows are.
    """

    train: date
    fit: date
    as_of: date


def cuts_for(as_of: date, first_day: date | None) -> Cuts:
    """Cuts of a history that starts on `first_day`; windows shrink in proportion if it is short.

    Where no label is known yet (None), nothing has been fitted on, so any day may be scored.
    """
    if first_day is None:
        return Cuts(BEGINNING, BEGINNING, as_of)
    share = min(1.0, (as_of - first_day).days / FULL_HISTORY_DAYS)
    fit = as_of - timedelta(days=round(TEST_DAYS * share))
    return Cuts(fit - timedelta(days=round(VALIDATION_DAYS * share)), fit, as_of)


@dataclass(frozen=True)
class Windows:
    """The three parts of a training set, with the cuts that made them.

    Attributes:
        fitting: all rows whose label is mature by the fitting cut: training, validation, and the
            rows that straddle the cut between these.
        known: all rows whose label is mature by `as_of`: those, the test rows, and what straddles the cut between.
    """

    cuts: Cuts
    training: pl.DataFrame
    validation: pl.DataFrame
    test: pl.DataFrame
    fitting: pl.DataFrame
    known: pl.DataFrame = field(default_factory=pl.DataFrame)

    @property
    def parts(self) -> dict[str, pl.DataFrame]:
        """Name -> rows."""
        return {"training": self.training, "validation": self.validation, "test": self.test}

    def undivided(self) -> "Windows":
        """Everything that is known by `as_of` to fit on, and nothing to judge by."""
        day, none = self.cuts.as_of, self.known.clear()
        return Windows(Cuts(day, day, day), self.known, none, none, self.known, self.known)

    def tell_of_test(self, start: str = "as_of_date", matures: str = "matures_30d_on") -> bool:
        """Whether a row to fit on became known only once a test row had been seen: then nothing is out of time."""
        learned = (self.training, self.validation, self.fitting)
        known = [day for rows in learned if isinstance(day := rows[matures].max(), date)]
        first = self.test[start].min()
        return isinstance(first, date) and max(known, default=BEGINNING) >= first


def split_by_time(
    rows: pl.DataFrame, cuts: Cuts, start: str = "as_of_date", matures: str = "matures_30d_on"
) -> Windows:
    """Part rows by when they were seen (`start`) and when their label must be known (`matures`), never before.

    A row that straddles a cut, seen before it and known only after it, belongs to no part. Rows are in the order in
    which labels must be known: what begins with the first of them is a view, and so are windows of windows.
    """
    judged = known_by(rows, cuts.as_of, matures)
    fitting = known_by(judged, cuts.fit, matures)
    training = known_by(fitting, cuts.train, matures)
    validation = fitting[training.height :].filter(pl.col(start) > cuts.train)
    test = judged[fitting.height :].filter(pl.col(start) > cuts.fit)
    return Windows(cuts, training, validation, test, fitting, judged)


def known_by(rows: pl.DataFrame, day: date, matures: str) -> pl.DataFrame:
    """The rows whose label must be known by the end of a day, in that order; a view of rows that are in it already."""
    if not rows[matures].is_sorted(nulls_last=True):
        rows = rows.sort(matures, nulls_last=True, maintain_order=True)
    return rows[: int((rows[matures] <= day).sum())]


def refuse_too_little(windows: Windows, target: str = "renewed_30d", unit: str = "hp_id") -> None:
    """Raise RisError unless every window has enough units (passes, spells) with either outcome."""
    for name, rows in windows.parts.items():
        units = rows.group_by(unit).agg(pl.col(target).any())
        seen = int(units[target].sum() or 0)
        fewest = min(seen, units.height - seen)
        if units.height < MIN_PASSES[name] or fewest < MIN_OF_EACH_OUTCOME[name]:
            raise RisError(
                f"too little data to train as of {windows.cuts.as_of}: the {name} window holds "
                f"{units.height} {UNITS[unit]} with a known outcome ({seen} {OUTCOMES[target]}), at"
                f" least {MIN_PASSES[name]} with {MIN_OF_EACH_OUTCOME[name]} of each are needed;"
                " load a longer history or train as of a later day"
            )
