"""Where members will be in their passes in the weeks ahead, and how many are still in their spell."""

import numpy as np
import polars as pl

from ris_assets.features.training_rows import NOMINAL_DAYS
from ris_assets.models.next_pass import SHORTEST, NextPass
from ris_assets.models.protocol import Array

DAYS = np.arange(1, 8)
"""Of a week."""


class PassesAhead:
    """Shares of some members' futures, week by week: in the pass they have, or in one that followed it.

    Nobody knows which pass will follow, so all do, in the shares of `NextPass`; whether a pass ends in a week is a
    matter of the days, the same for all who began it on one day. What has followed is kept by the day on which it
    ends, divided by what is left of everybody since its beginning, so that a week without an end costs nothing.

    Attributes:
        alive: (rows,): share still in the spell.
        by_day: (rows, 7): the same at the end of each day of the week that has passed last. Who is lost at the end of
            a pass is lost on its day; between ends the hazard is constant.
    """

    def __init__(self, frame: pl.DataFrame, weeks: int, following: NextPass) -> None:
        """Everybody of a snapshot, in the pass of its day, followed for so many weeks."""
        days = frame["pass_days"].cast(pl.Float64).fill_null(NOMINAL_DAYS).to_numpy()
        self.week = 0
        self.is_first = frame["pass_number"].cast(pl.Float64).fill_null(1.0).to_numpy() <= 1
        self.is_renewed = frame["is_already_renewed"].cast(pl.Boolean).fill_null(False).to_numpy()
        self._length = np.maximum(days, SHORTEST)
        self._ends_on = frame["days_to_end"].cast(pl.Float64).to_numpy()
        self._lengths, self._next = following.lengths, following.of(days)
        self._is_alike = ~self._next.any(axis=1)
        self._own = np.ones(frame.height)
        self._later = np.zeros(frame.height)
        self._left = np.ones(frame.height)
        self._ending = np.zeros((frame.height, 7 * weeks, len(following.lengths)))
        self._again = following.again()
        self.by_day = np.ones((frame.height, 7))

    @property
    def alive(self) -> Array:
        """(rows,): share still in the spell."""
        return self._own + self._later

    def own_ends(self) -> Array:
        """(rows,): whether the pass that they have ends in the week to come."""
        return (self._own > 0) & (self._ends_on <= 7 * (self.week + 1))

    def go_on(self, between: Array, at_end: Array, at_first_end: Array) -> None:
        """A week passes.

        Args:
            between, at_end, at_first_end: (rows,): P(lost in the week) where no pass ends, where one does, and where
                the first one does.
        """
        ends, days = self.own_ends(), slice(7 * self.week, 7 * self.week + 7)
        lost_at_end = np.where(self.is_first, at_first_end, at_end)
        # The pass after one that is renewed already is known to follow.
        lost = np.where(ends & ~self.is_renewed, lost_at_end, between)
        ending = self._ending[:, days] * self._left[:, None, None]
        staying = np.maximum(self._later - ending.sum(axis=(1, 2)), 0.0)
        went_on = ending * (1 - at_end)[:, None, None]
        between_ends = (1 - between)[:, None] ** (DAYS / 7)
        is_over = self._end_day()[:, None] <= DAYS
        own = np.where(
            (ends & ~self.is_renewed)[:, None], 1 - lost[:, None] * is_over, between_ends
        )
        ended = ending.sum(axis=2).cumsum(axis=1)
        later = staying[:, None] * between_ends + ended[:, -1:] - at_end[:, None] * ended
        self.by_day = self._own[:, None] * own + later
        self._own = self._own * (1 - lost)
        self._later = staying * (1 - between) + went_on.sum(axis=(1, 2))
        self._left = self._left * (1 - between)
        self._follow(ends, went_on)
        self.week += 1

    def _end_day(self) -> Array:
        """(rows,): the day of the week to come, from 1, on which the pass that they have ends, where it does."""
        return np.clip(self._ends_on - 7 * self.week, 1, 7)

    def _follow(self, ends: Array, went_on: Array) -> None:
        """Passes that have ended, and were not the last, are followed."""
        begun = np.tensordot(went_on, self._again, axes=1)
        moved = ends & ~self._is_alike
        day = self._end_day()[moved].astype(int) - 1
        begun[moved, day] += self._own[moved, None] * self._next[moved]
        self._later = self._later + np.where(moved, self._own, 0.0)
        self._own = np.where(moved, 0.0, self._own)
        left = np.maximum(self._left, np.finfo(float).tiny)[:, None]
        for place, length in enumerate(self._lengths):
            first = 7 * self.week + length
            room = self._ending[:, first : first + 7, place]
            room += begun[:, : room.shape[1], place] / left
        self._ends_on = np.where(ends, self._ends_on + self._length, self._ends_on)
        self.is_first, self.is_renewed = self.is_first & ~ends, self.is_renewed & ~ends


def weeks_in_spell(curve: Array, frame: pl.DataFrame) -> Array:
    """(rows,): expected weeks in the spell over the days of the curve, the area under it.

    Who is lost on a day has had it; whose pass runs out on the day of the snapshot has none after it.

    Args:
        curve: (rows, days): P(still in the spell) at the end of days 1, 2, ... after the snapshot.
        frame: the snapshot rows.
    """
    renewed = frame["is_already_renewed"].cast(pl.Boolean).fill_null(False)
    is_last_day = ((frame["days_to_end"] <= 0) & ~renewed).fill_null(False).to_numpy()
    return (np.where(is_last_day, curve[:, 0], 1.0) + curve[:, :-1].sum(axis=1)) / 7
