"""The studio itself: clubs, coaches, products, prices, the year's rhythm. Not its members."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ris_assets.studio.arrays import Flags, Floats, Ints
from ris_assets.studio.clock import FUTURE_WEEKS, Clock

CITIES = ("Almaty", "Astana")
CITY_WORDS = ("ALA", "NQZ")
CLUB_NAMES = ("Hero Dostyk", "Hero Abay", "Hero Mega", "Hero Expo", "Hero Turan")
CLUB_CITY = np.array([0, 0, 0, 1, 1])
CLUB_WEIGHTS = np.array([0.28, 0.22, 0.18, 0.2, 0.12])
COACHES_A_CLUB = 4
WEEKS_BETWEEN_DEPARTURES = 24

PRODUCT_WORDS = ("TRIAL7", "HP30", "HP90", "HP180", "HP365")
PRODUCT_DAYS = np.array([7, 30, 90, 180, 365])
PRODUCT_PRICES = np.array([5_000, 42_000, 113_000, 205_000, 365_000])
"""List prices, KZT, before the first price rise."""
TRIAL = 0

PRICE_RISE = 0.12
PRICE_RISE_DAY = (2, 1)
"""Each 1st of February the list prices rise."""

CLASS_WORDS = ("STRENGTH", "HIIT", "CIRCUIT", "RUN", "MOBILITY")
CLASS_WEIGHTS = np.array([0.3, 0.22, 0.3, 0.1, 0.08])
CLASS_MINUTES = np.array([420, 510, 600, 750, 1050, 1110, 1170, 1230])
"""Start of classes, minutes past local midnight: 07:00 .. 20:30."""
MORNING_CLASSES = 3
STATION_WORDS = (
    "DEADLIFT", "BENCH", "SLED_PUSH", "SANDBAG", "KETTLEBELL", "WALL_BALL", "ROW", "SKI",
)  # fmt: skip
STATION_KG = np.array([50.0, 32.0, 70.0, 20.0, 16.0, 7.0, 0.0, 0.0])
"""A middling member's first weight; the last two stations carry none."""
STATIONS_PLANNED = 8

CLOSED_DAYS = ((1, 1), (1, 2), (3, 22), (12, 16))
WEEKLY_MOOD = {1: 0.005, 6: -0.003, 7: -0.003, 8: -0.001, 9: 0.006, 12: -0.002}
"""Weekly push on motivation by month: resolutions, the long summer, September.

Small on purpose: no model learns a year's seasons from a year and a half, so larger ones would only
measure the luck of the calendar."""
HOLIDAY_MOOD = ((1, 1, -0.05), (3, 22, -0.03), (5, 1, -0.02), (7, 6, -0.015))
"""Push in the week that holds the day (month, day)."""


@dataclass(frozen=True)
class World:
    """What happens to everybody, week by week; drawn once for a seed."""

    mood: Floats
    """Push on motivation, per week (weeks + FUTURE_WEEKS)."""
    rises: Ints
    """Weeks in which list prices rise."""
    price_factor: Floats
    """List price of each day against the first day's."""
    closed: Flags
    """Per day: no classes."""
    left_on: Ints
    """(clubs, coaches) day on which a coach leaves; far future where none does."""


def build_world(clock: Clock, seed: int) -> World:
    """The world of one seed."""
    weeks = clock.weeks + FUTURE_WEEKS
    rise_days = np.array([day for day in range(7 * weeks) if _is(clock, day, PRICE_RISE_DAY)], int)
    return World(
        mood=np.array([_mood(clock, week) for week in range(weeks)]),
        rises=rise_days // 7,
        price_factor=(1 + PRICE_RISE)
        ** np.searchsorted(rise_days, np.arange(7 * weeks), side="right").astype(float),
        closed=np.array([_is_closed(clock, day) for day in range(7 * weeks)]),
        left_on=_departures(clock.weeks, seed),
    )


def list_price(world: World, product: Ints, day: Ints) -> Floats:
    """The list price, KZT, of a product on a day (days before the first count as the first)."""
    factor = world.price_factor[np.clip(day, 0, len(world.price_factor) - 1)]
    return np.rint(PRODUCT_PRICES[product] * factor / 500) * 500


def _is(clock: Clock, day: int, month_day: tuple[int, int]) -> bool:
    calendar = clock.calendar(day)
    return (calendar.month, calendar.day) == month_day


def _is_closed(clock: Clock, day: int) -> bool:
    calendar = clock.calendar(day)
    return (calendar.month, calendar.day) in CLOSED_DAYS


def _mood(clock: Clock, week: int) -> float:
    days = list(_days_of(clock, week))
    holidays = sum(push for month, day, push in HOLIDAY_MOOD if (month, day) in days)
    return WEEKLY_MOOD.get(days[3][0], 0.0) + holidays


def _days_of(clock: Clock, week: int) -> Iterator[tuple[int, int]]:
    for day in range(7 * week, 7 * week + 7):
        calendar = clock.calendar(day)
        yield calendar.month, calendar.day


def _departures(weeks: int, seed: int) -> Ints:
    """One coach of the whole chain leaves about every half year, never two of one club."""
    rng = np.random.default_rng([seed, 1_000_003])
    left_on = np.full((len(CLUB_NAMES), COACHES_A_CLUB), 10**6)
    clubs = rng.permutation(len(CLUB_NAMES))
    for turn, club in enumerate(clubs[: weeks // WEEKS_BETWEEN_DEPARTURES]):
        week = 12 + turn * WEEKS_BETWEEN_DEPARTURES + int(rng.integers(-4, 5))
        left_on[club, rng.integers(COACHES_A_CLUB)] = 7 * week
    return left_on
