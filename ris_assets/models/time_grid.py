"""Ordinary survival data on a grid of time: who was exposed how long in which interval.

With a hazard that is constant within each interval (Holford 1980, Friedman 1982) the likelihood of right-censored
data is that of Poisson counts with exposure, the unfinished interval of a censored subject included.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

Array = np.ndarray


@dataclass(frozen=True)
class TimeGrid:
    """Intervals (edges[k], edges[k + 1]], edges[0] = 0, the last edge at the last event.

    Attributes:
        edges: (intervals + 1,) rising, in the units of the outcome's time.
    """

    edges: Array

    @classmethod
    def of_events(cls, event: Array, time: Array, intervals: int) -> "TimeGrid":
        """At most so many intervals with about as many events each."""
        happened = time[event]
        quantiles = np.linspace(0, 1, intervals + 1)[1:]
        cuts = np.unique(np.quantile(happened, quantiles, method="inverted_cdf"))
        return cls(np.concatenate([[0.0], cuts[cuts > 0]]))

    @property
    def count(self) -> int:
        """How many intervals."""
        return len(self.edges) - 1

    def interval_of(self, time: Array) -> Array:
        """The interval that each time lies in; times after the last edge in the last."""
        return np.clip(np.searchsorted(self.edges, time, side="left") - 1, 0, self.count - 1)

    def exposure(self, time: Array) -> Array:
        """(subjects, intervals): time spent at risk in each interval."""
        return np.clip(time[:, None] - self.edges[:-1], 0.0, np.diff(self.edges))

    def at_risk(self, event: Array, time: Array) -> Array:
        """(subjects, intervals): time at risk of outcomes, of which some may share a recorded moment.

        Of events at one moment all but one are taken to have come halfway since the moment before (the actuarial
        half): where times are recorded by the month, a whole month at risk for each would make hazards too low.
        """
        moments, place = np.unique(time, return_inverse=True)
        together = np.maximum(np.bincount(place, weights=event), 1)[place]
        before = np.concatenate([[0.0], moments[:-1]])[place]
        since = np.maximum(before, self.edges[self.interval_of(time)])
        earlier = (time - since) / 2 * (1 - 1 / together)
        return self.exposure(np.where(event, time - earlier, time))

    def cumulative(self, hazard: Array, times: Array) -> Array:
        """(subjects, times): cumulative hazard of (subjects, intervals) rates, flat after the last edge."""
        steps = np.cumsum(hazard * np.diff(self.edges), axis=1)
        steps = np.hstack([np.zeros((len(steps), 1)), steps])
        place = np.clip(np.searchsorted(self.edges, times, side="right") - 1, 0, self.count - 1)
        inside = np.clip(times, 0.0, self.edges[-1]) - self.edges[place]
        return steps[:, place] + hazard[:, place] * inside


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
