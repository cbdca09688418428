"""Ordinary survival data on a grid of time: who was exposed how long in which interval.

With a hazard that is constant within each interval (Holford 1980, Friedman 1982) the likelihood of right-censored
data is that of Poisson counts with exposure, the unfinished interval of a censored subject included.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array

Array = np.ndarray
LEAST_SHARED, SHARED = 5, 0.01
"""Events that share a moment from which on it has an interval of its own: so many, and this share of all."""


@dataclass(frozen=True)
class Outcomes:
    """What became of subjects.

    Attributes:
        event: (subjects,) whether it happened; else censored.
        time: (subjects,) of the event or of the last look.
        weight: (subjects,) above 0; one of 2 is the subject twice.
    """

    event: Array
    time: Array
    weight: Array

    def those(self, kept: Array) -> "Outcomes":
        """Of some subjects."""
        return Outcomes(self.event[kept], self.time[kept], self.weight[kept])

    @cached_property
    def moments(self) -> tuple[Array, Array, Array]:
        """Distinct times, which of them each subject has, and how many events each of them."""
        moments, place = np.unique(self.time, return_inverse=True)
        return moments, place, np.bincount(place, weights=self.weight * self.event)


@dataclass(frozen=True)
class TimeGrid:
    """Intervals (edges[k], edges[k + 1]], edges[0] = 0, the last edge at the last event.

    Attributes:
        edges: (intervals + 1,) rising, in the units of the outcome's time.
        shared: those of them that many events share: curves fall there at once, not on the way.
    """

    edges: Array
    shared: Array = field(default_factory=lambda: np.zeros(0))

    @classmethod
    def of_events(cls, outcomes: Outcomes, intervals: int) -> "TimeGrid":
        """At most so many intervals with about as many events each."""
        happened, weight = outcomes.time[outcomes.event], outcomes.weight[outcomes.event]
        quantiles = np.linspace(0, 1, intervals + 1)[1:]
        cuts = np.quantile(happened, quantiles, method="inverted_cdf", weights=weight)
        return cls(np.concatenate([[0.0], np.unique(cuts[cuts > 0])]))

    def parted(self, outcomes: Outcomes) -> "TimeGrid":
        """With an interval of its own for each moment that many events share.

        It begins at the last time recorded before, censored ones included: contracts that end on day 30 end on no day
        before, though the event before them may lie weeks back. Where all times are recorded by the month that is the
        month before.
        """
        moments, _, events = outcomes.moments
        many = np.flatnonzero(events >= max(LEAST_SHARED, SHARED * events.sum()))
        shared, before = moments[many], moments[many[many > 0] - 1]
        return TimeGrid(np.unique(np.concatenate([self.edges, shared, before])), shared)

    @property
    def count(self) -> int:
        """How many intervals."""
        return len(self.edges) - 1

    def interval_of(self, time: Array) -> Array:
        """The interval that each time lies in; times after the last edge in the last."""
        return np.clip(np.searchsorted(self.edges, time, side="left") - 1, 0, self.count - 1)

    def events(self, outcomes: Outcomes) -> Array:
        """(intervals,): how many happened in each, none after the last edge."""
        counted = outcomes.event & (outcomes.time <= self.edges[-1])
        interval = self.interval_of(outcomes.time[counted])
        return np.bincount(interval, weights=outcomes.weight[counted], minlength=self.count)

    def at_risk(self, outcomes: Outcomes) -> Array:
        """(subjects,): time at risk of outcomes, of which some may share a recorded moment.

        Of events at one moment all but one are taken to have come halfway since the moment before (the actuarial
        half): where times are recorded by the month, a whole month at risk for each would make hazards too low.
        """
        moments, place, events = outcomes.moments
        event, time = outcomes.event, outcomes.time
        together = np.maximum(events, 1)[place]
        before = np.concatenate([[0.0], moments[:-1]])[place]
        since = np.maximum(before, self.edges[self.interval_of(time)])
        return np.where(event, time - (time - since) / 2 * (1 - 1 / together), time)

    def exposure(self, time: Array) -> Array:
        """(subjects, intervals): the part of a time at risk that lies in each interval."""
        return np.clip(time[:, None] - self.edges[:-1], 0.0, np.diff(self.edges))

    def cumulative(self, hazard: Array, times: Array) -> Array:
        """(subjects, times): cumulative hazard of (subjects, intervals) rates, flat after the last edge."""
        steps = np.cumsum(hazard * np.diff(self.edges), axis=1)
        steps = np.hstack([np.zeros((len(steps), 1)), steps])
        times = np.clip(times, 0.0, self.edges[-1])
        place = np.clip(np.searchsorted(self.edges, times, side="right") - 1, 0, self.count - 1)
        end = self.edges[place + 1]
        on_the_way = ~np.isin(end, self.shared) | (times == end)
        return steps[:, place] + hazard[:, place] * (times - self.edges[place]) * on_the_way


class Exposure:
    """`TimeGrid.exposure` as a matrix to multiply with, never written out.

    Everyone is at risk through whole intervals and a part of the last: products cost as much as there are subjects.

    Args:
        grid: of the intervals.
        time: (subjects,) at risk.
    """

    def __init__(self, grid: TimeGrid, time: Array) -> None:
        """Where each time ends."""
        self.width = np.diff(grid.edges)
        self.last = grid.interval_of(time)
        self.part = np.clip(time - grid.edges[self.last], 0.0, self.width[self.last])
        subjects, shape = np.arange(len(time)), (grid.count, len(time))
        self._ends = csr_array((np.ones(len(time)), (self.last, subjects)), shape)
        self._parts = csr_array((self.part, (self.last, subjects)), shape)

    def along(self, rates: Array) -> Array:
        """(subjects,): sum of (intervals,) rates over the time at risk of each."""
        steps = np.concatenate([[0.0], np.cumsum(rates * self.width)])
        return steps[self.last] + self.part * rates[self.last]

    def totals(self, values: Array) -> Array:
        """(intervals, ...): sum over the subjects of their (subjects, ...) values times the time at risk."""
        ending = self._ends @ values
        later = np.zeros_like(ending)
        later[:-1] = np.cumsum(ending[:0:-1], axis=0)[::-1]
        return self._parts @ values + (self.width * later.T).T


@dataclass(frozen=True, eq=False)
class StepFunction:
    """A curve as scikit-survival gives one: `x` times, `y` values, callable within the domain.

    Attributes:
        before: value until the first of the times.
    """

    x: Array
    y: Array
    before: float = 1.0

    @property
    def domain(self) -> tuple[float, float]:
        """First and last time that may be asked for."""
        return 0.0, float(self.x[-1])

    def __call__(self, times: ArrayLike) -> Array:
        """Values at times, as of the last grid time at or before each.

        Raises:
            ValueError: a time outside the domain.
        """
        asked = np.atleast_1d(np.asarray(times, dtype=float))
        low, high = self.domain
        if not ((asked >= low) & (asked <= high)).all():
            raise ValueError(f"times must be within [{low:g}, {high:g}]")
        found = np.concatenate([[self.before], self.y])[
            np.searchsorted(self.x, asked, side="right")
        ]
        return found if np.ndim(times) else found[0]
