"""Motivation, week by week: a mean-reverting Gaussian path with shocks, and its exact forecast.

For each member a deviation x from the own mean follows, with independent standard normal e,

    x[w+1] = RHO x[w] + push[w+1] + SIGMA e[w+1]          motivation m[w] = mean + x[w]
    n[w+1] = (1 - NORM) n[w] + NORM x[w]                  what the member has got used to

`push` holds what the studio's calendar does to the member: the mood of the season and holidays, a
price rise (the harder, the more price sensitive), the favourite coach leaving. Illness and travel
are no extra draw: they are the far lower tail of e, so the path stays exactly Gaussian and a linear
reading a m + b (m - n) of a future week has a mean and a variance in closed form.
"""

from dataclasses import dataclass

import numpy as np

from ris_assets.studio.arrays import Flags, Floats
from ris_assets.studio.clock import FUTURE_WEEKS, Clock
from ris_assets.studio.traits import Traits
from ris_assets.studio.world import World

RHO = 0.96
SIGMA = 0.22
NORM = 0.10
SETBACK = -1.9
"""A week whose draw lies below this is a week of illness or travel."""
PRICE_PUSH = -0.10
COACH_PUSH = -0.35
JOINING_LIFT = 0.2
"""People join when they feel like it."""


@dataclass(frozen=True)
class Motivation:
    """Paths of one chunk: matrices (members, weeks)."""

    mean: Floats
    x: Floats
    norm: Floats
    push: Floats
    """(members, weeks + FUTURE_WEEKS): known of the calendar beyond the simulated weeks too."""
    is_setback: Flags

    @property
    def level(self) -> Floats:
        """Motivation m, (members, weeks)."""
        return self.mean[:, None] + self.x


def draw_motivation(
    rng: np.random.Generator, clock: Clock, world: World, traits: Traits
) -> Motivation:
    """Simulate the paths of a chunk, four weeks past the end: renewals may be bought early."""
    weeks = clock.weeks + 4
    push = _push(clock, world, traits)
    draws = rng.normal(size=(traits.count, weeks))
    start = np.clip(traits.first_purchase // 7, 0, weeks - 1)
    lift = np.where(traits.is_founder, 0.0, JOINING_LIFT)
    x, norm = np.zeros((2, traits.count, weeks))
    spread = SIGMA / np.sqrt(1 - RHO**2)
    for week in range(weeks):
        if week:
            x[:, week] = RHO * x[:, week - 1] + push[:, week] + SIGMA * draws[:, week]
            norm[:, week] = (1 - NORM) * norm[:, week - 1] + NORM * x[:, week - 1]
        fresh = week <= start
        x[fresh, week] = lift[fresh] + spread * draws[fresh, week]
        norm[fresh, week] = x[fresh, week]
    is_setback = (draws < SETBACK) & (np.arange(weeks) > start[:, None])
    return Motivation(traits.motivation_mean, x, norm, push, is_setback)


def _push(clock: Clock, world: World, traits: Traits) -> Floats:
    push = np.tile(world.mood, (traits.count, 1))
    push[:, world.rises] += PRICE_PUSH * traits.price_sensitivity[:, None]
    left_week = world.left_on[traits.club, traits.coach] // 7
    rows = np.flatnonzero(left_week < clock.weeks + FUTURE_WEEKS)
    push[rows, left_week[rows]] += COACH_PUSH
    return push


def readings(on_level: float, on_drop: float, steps: int) -> Floats:
    """Weights (steps + 1, 2) of (x, n) now in the expected reading k = 0..steps weeks ahead.

    The reading of a week is on_level * x + on_drop * (x - n); row k is row 0 sent back k times
    through the transition of (x, n).
    """
    rows = [np.array([on_level + on_drop, -on_drop])]
    for _ in range(steps):
        to_x, to_norm = rows[-1]
        rows.append(np.array([RHO * to_x + NORM * to_norm, (1 - NORM) * to_norm]))
    return np.array(rows)


def reading_spread(weights: Floats) -> Floats:
    """Standard deviation of the reading k weeks ahead, for the weights of `readings`."""
    variance = SIGMA**2 * np.cumsum(weights[:, 0] ** 2)
    return np.sqrt(np.concatenate([[0.0], variance[:-1]]))
