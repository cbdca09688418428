"""Who the members are: latent traits (never written to the dump) and what a profile states."""

from dataclasses import dataclass

import numpy as np

from ris_assets.studio import world as studio
from ris_assets.studio.arrays import Flags, Floats, Ints, pick
from ris_assets.studio.clock import Clock

FOUNDER_SHARE = 0.72
FOUNDING_DAYS = 30
"""Founders buy their first pass within these first days; everybody else joins over the rest."""
SILENT_SHARE = 0.03
LEAD_SHARE = 0.01
"""Registered, never bought."""
TRIAL_SHARE = 0.35
TRACKER_SHARE = 0.5
HEART_RATE_SHARE = 0.35


@dataclass(frozen=True)
class Traits:
    """One row a member of the chunk. Latent scores have mean 0 and variance about 1."""

    discipline: Floats
    sociability: Floats
    wanted: Floats
    """Classes a week that the member would like to do."""
    price_sensitivity: Floats
    """0 (indifferent) and up, mean 1."""
    motivation_mean: Floats
    is_founder: Flags
    is_silent: Flags
    is_lead: Flags
    has_trial: Flags
    has_tracker: Flags
    has_heart_rate: Flags
    first_purchase: Ints
    """Day number of the first purchase."""
    registered: Ints
    club: Ints
    coach: Ints
    """Favourite coach within the club."""
    early_bird: Floats
    """Share of classes taken in the morning."""
    is_male: Flags
    age: Floats
    height: Floats
    weight: Floats
    fat: Floats
    strength: Floats
    """Own first weights against a middling member's."""

    @property
    def count(self) -> int:
        """Members in the chunk."""
        return len(self.discipline)


def draw_traits(rng: np.random.Generator, clock: Clock, count: int) -> Traits:
    """The members of one chunk."""
    is_founder = rng.random(count) < FOUNDER_SHARE
    discipline = rng.normal(np.where(is_founder, 0.2, 0.0), 1.0)
    first_purchase = _first_purchases(rng, clock, is_founder)
    is_male = rng.random(count) < 0.42
    height = rng.normal(np.where(is_male, 177, 164), 6.5)
    mass_index = np.clip(rng.normal(24.5, 3.3, count), 17, 40)
    return Traits(
        discipline=discipline,
        sociability=rng.normal(size=count),
        wanted=np.clip(np.exp(rng.normal(0.90 + 0.08 * discipline, 0.14)), 0.8, 6.0),
        price_sensitivity=np.exp(rng.normal(-0.1, 0.45, count)),
        motivation_mean=rng.normal(0.15 * discipline + 0.1 * is_founder, 0.65),
        is_founder=is_founder,
        is_silent=rng.random(count) < SILENT_SHARE,
        is_lead=rng.random(count) < LEAD_SHARE,
        has_trial=(rng.random(count) < TRIAL_SHARE) & ~is_founder,
        has_tracker=rng.random(count) < TRACKER_SHARE,
        has_heart_rate=rng.random(count) < HEART_RATE_SHARE,
        first_purchase=first_purchase,
        registered=first_purchase - rng.integers(0, 20, count),
        club=pick(rng, studio.CLUB_WEIGHTS, count),
        coach=rng.integers(0, studio.COACHES_A_CLUB, count),
        early_bird=rng.beta(0.7, 1.4, count),
        is_male=is_male,
        age=np.clip(18 + rng.gamma(3.2, 4.6, count), 18, 66),
        height=height,
        weight=mass_index * (height / 100) ** 2,
        fat=np.clip(rng.normal(0.26, 0.05, count) - 0.07 * is_male, 0.07, 0.48),
        strength=np.exp(rng.normal(np.where(is_male, 0.25, -0.2), 0.2)),
    )


def _first_purchases(rng: np.random.Generator, clock: Clock, is_founder: Flags) -> Ints:
    """Founders in the first month, the others evenly until the last day."""
    count = len(is_founder)
    founding = min(FOUNDING_DAYS, clock.last_day)
    founders = rng.integers(0, founding + 1, count)
    later = rng.integers(min(7, clock.last_day), clock.last_day + 1, count)
    return np.where(is_founder, founders, later)
