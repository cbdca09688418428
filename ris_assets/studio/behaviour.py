"""What members do week by week: bookings, lifts, app, steps, social acts, tickets, measurements.

Everything observable follows motivation and traits here, and nothing of it feeds back into the
hazard. Rows are facts as arrays; how they look as documents is the matter of `documents`.
"""

from dataclasses import dataclass

import numpy as np

from ris_assets.studio import world as studio
from ris_assets.studio.arrays import Flags, Floats, Ints, pick, sigmoid
from ris_assets.studio.clock import DAY_MS, MINUTE_MS, Clock
from ris_assets.studio.motivation import Motivation
from ris_assets.studio.passes import Cover, Passes
from ris_assets.studio.traits import Traits
from ris_assets.studio.world import World

HOUR_MS = 60 * MINUTE_MS
ATTENDED, NO_SHOW, LATE_CANCELLED, CANCELLED, BOOKED = range(5)
STATIONS_A_CLASS = 4
"""Sets recorded at most; about three on average."""


@dataclass(frozen=True)
class Scene:
    """All that the behaviour of a chunk depends on."""

    clock: Clock
    world: World
    traits: Traits
    motivation: Motivation
    passes: Passes
    cover: Cover

    @property
    def weeks(self) -> int:
        """Weeks that are looked at: one beyond the end, for classes booked ahead."""
        return self.cover.pass_row.shape[1] // 7

    @property
    def level(self) -> Floats:
        """Motivation, (members, weeks)."""
        return self.motivation.level[:, : self.weeks]

    def training_days(self) -> Flags:
        """Covered, not frozen: (members, weeks, 7)."""
        is_open = (self.cover.pass_row >= 0) & ~self.cover.is_frozen
        return is_open.reshape(len(is_open), self.weeks, 7)


@dataclass(frozen=True)
class Bookings:
    """One row a booking."""

    member: Ints
    pass_row: Ints
    day: Ints
    class_kind: Ints
    coach: Ints
    booked_at: Ints
    starts_at: Ints
    cancelled_at: Ints
    status: Ints
    station_count: Ints
    """Sets recorded; 0 unless attended."""
    stations: Ints
    """(bookings, STATIONS_A_CLASS) station codes."""
    kilograms: Floats
    reps: Ints
    heart_mean: Ints
    heart_max: Ints
    stations_done: Ints


def draw_bookings(rng: np.random.Generator, scene: Scene) -> Bookings:
    """Bookings of a chunk, those of the coming days included as far as made by the end."""
    member, day = _class_days(rng, scene)
    starts_at = scene.clock.instant(day, _class_minutes(rng, scene, member) * MINUTE_MS)
    pass_row = scene.cover.pass_row[member, day]
    booked_at = _booked_at(rng, scene, pass_row, starts_at)
    status, cancelled_at = _outcomes(rng, scene, member, day, booked_at, starts_at)
    status = np.where(starts_at < scene.clock.end, status, _ahead(scene, status, cancelled_at))
    kept = booked_at < scene.clock.end
    member, day, pass_row, status = member[kept], day[kept], pass_row[kept], status[kept]
    is_done = status == ATTENDED
    count = np.where(is_done, 2 + rng.integers(0, 3, len(member)), 0)
    stations = _stations(rng, len(member))
    kilograms, reps = _lifts(rng, scene, member, day, is_done, stations)
    mean, peak = _heart(rng, scene, member, day)
    return Bookings(
        member=member,
        pass_row=pass_row,
        day=day,
        class_kind=pick(rng, studio.CLASS_WEIGHTS, len(member)),
        coach=_coaches(rng, scene, member, day),
        booked_at=booked_at[kept],
        starts_at=starts_at[kept],
        cancelled_at=cancelled_at[kept],
        status=status,
        station_count=count,
        stations=stations,
        kilograms=kilograms,
        reps=reps,
        heart_mean=mean,
        heart_max=peak,
        stations_done=_stations_done(rng, scene, member, day, is_done),
    )


def _class_days(rng: np.random.Generator, scene: Scene) -> tuple[Ints, Ints]:
    """Member and day of every booked class: a number a week, on the days the member likes."""
    closed = scene.world.closed[: 7 * scene.weeks].reshape(scene.weeks, 7)
    is_open = scene.training_days() & ~closed
    wish = scene.traits.wanted[:, None] * np.exp(0.55 * scene.level)
    wish = wish * np.where(scene.motivation.is_setback[:, : scene.weeks], 0.35, 1.0)
    wish = np.minimum(wish, 6.3) * is_open.sum(axis=2) / 7
    number = np.rint(wish + rng.normal(0, 0.45, wish.shape)).astype(np.int64)
    number[scene.traits.is_silent] = 0
    liking = rng.normal(0, 1.2, (len(wish), 1, 7)) + rng.normal(size=is_open.shape)
    liking[:, :, 6] -= 1.5
    order = np.where(is_open, -liking, np.inf).argsort(axis=2).argsort(axis=2)
    member, week, weekday = np.nonzero((order < number[:, :, None]) & is_open)
    return member, 7 * week + weekday


def _class_minutes(rng: np.random.Generator, scene: Scene, member: Ints) -> Ints:
    """Minute of the day at which each booked class starts."""
    is_early = rng.random(len(member)) < scene.traits.early_bird[member]
    early = rng.integers(0, studio.MORNING_CLASSES, len(member))
    late = rng.integers(studio.MORNING_CLASSES, len(studio.CLASS_MINUTES), len(member))
    return studio.CLASS_MINUTES[np.where(is_early, early, late)]


def _booked_at(rng: np.random.Generator, scene: Scene, pass_row: Ints, starts_at: Ints) -> Ints:
    """Hours to days ahead, but not before the pass was bought."""
    ahead = (rng.gamma(1.3, 22.0, len(starts_at)) + 1) * HOUR_MS
    wanted: Ints = starts_at - np.minimum(ahead, 6.5 * DAY_MS).astype(np.int64)
    bought = scene.clock.midnight(scene.passes.bought[pass_row] + 1) - HOUR_MS
    return np.maximum(wanted, np.minimum(bought, starts_at - HOUR_MS))


def _outcomes(
    rng: np.random.Generator,
    scene: Scene,
    member: Ints,
    day: Ints,
    booked_at: Ints,
    starts_at: Ints,
) -> tuple[Ints, Ints]:
    """Status of each booking once its class is over, and when it was cancelled (else 0)."""
    level = scene.level[member, day // 7]
    steady = -0.75 * level - 0.45 * scene.traits.discipline[member]
    draw = rng.random(len(member))
    no_show = 0.06 * np.exp(steady)
    late = no_show + 0.06 * np.exp(steady)
    cancelled = late + 0.11 * np.exp(steady)
    scale = np.maximum(cancelled / 0.9, 1.0)
    limits = np.stack([cancelled, late, no_show]) / scale
    status = (draw < limits).sum(axis=0)
    status = np.array([ATTENDED, CANCELLED, LATE_CANCELLED, NO_SHOW])[status]
    share = rng.random(len(member))
    ahead = np.where(status == LATE_CANCELLED, 3 * HOUR_MS, starts_at - booked_at) * share
    cancelled_at = np.maximum(starts_at - ahead.astype(np.int64), booked_at + 1000)
    is_called_off = (status == CANCELLED) | (status == LATE_CANCELLED)
    return status, np.where(is_called_off, cancelled_at, 0)


def _ahead(scene: Scene, status: Ints, cancelled_at: Ints) -> Ints:
    """Status, at the end of the simulation, of a class still to come."""
    is_known = (cancelled_at > 0) & (cancelled_at < scene.clock.end)
    return np.where(is_known, status, BOOKED)


def _coaches(rng: np.random.Generator, scene: Scene, member: Ints, day: Ints) -> Ints:
    """Coach of each class: often the favourite, never one who has left."""
    club = scene.traits.club[member]
    own = scene.traits.coach[member]
    other = rng.integers(0, studio.COACHES_A_CLUB, len(member))
    coach = np.where(rng.random(len(member)) < 0.55, own, other)
    is_gone = scene.world.left_on[club, coach] <= day
    return np.where(is_gone, (coach + 1) % studio.COACHES_A_CLUB, coach)


def _stations(rng: np.random.Generator, count: int) -> Ints:
    """Different stations of each circuit."""
    start = rng.integers(0, len(studio.STATION_WORDS), count)[:, None]
    stride = 1 + 2 * rng.integers(0, 2, count)[:, None]
    codes: Ints = (start + stride * np.arange(STATIONS_A_CLASS)) % len(studio.STATION_WORDS)
    return codes


def _lifts(
    rng: np.random.Generator,
    scene: Scene,
    member: Ints,
    day: Ints,
    is_done: Flags,
    stations: Ints,
) -> tuple[Floats, Ints]:
    """Weights grow with the classes done, and are heavier in motivated weeks."""
    done = np.zeros((scene.traits.count, 7 * scene.weeks))
    done[member[is_done], day[is_done]] = 1
    so_far = np.cumsum(done, axis=1)[member, day]
    level = scene.level[member, day // 7]
    gain = 0.20 * (1 - np.exp(-so_far / 40)) * (1 + 0.15 * scene.traits.discipline[member])
    factor = scene.traits.strength[member] * (1 + gain) * np.exp(0.10 * level)
    noise = np.exp(rng.normal(0, 0.04, stations.shape))
    kilograms = np.rint(2 * studio.STATION_KG[stations] * factor[:, None] * noise) / 2
    return kilograms, rng.integers(8, 16, stations.shape)


def _heart(rng: np.random.Generator, scene: Scene, member: Ints, day: Ints) -> tuple[Ints, Ints]:
    """Mean and highest heart rate of each set."""
    level = scene.level[member, day // 7]
    base = 0.72 * (208 - 0.7 * scene.traits.age[member]) + 2.5 * level
    mean = base[:, None] + rng.normal(0, 6, (len(member), STATIONS_A_CLASS))
    peak = mean + rng.gamma(4, 4, mean.shape)
    return np.rint(mean).astype(np.int64), np.rint(peak).astype(np.int64)


def _stations_done(
    rng: np.random.Generator, scene: Scene, member: Ints, day: Ints, is_done: Flags
) -> Ints:
    """Stations finished of the planned circuit; 0 where the class was missed."""
    will = sigmoid(1.9 + 0.6 * scene.level[member, day // 7])
    done = np.maximum(rng.binomial(studio.STATIONS_PLANNED, will), STATIONS_A_CLASS)
    return np.where(is_done, done, 0)


@dataclass(frozen=True)
class Moments:
    """Something a member does at an instant; what exactly is drawn by the documents."""

    member: Ints
    day: Ints
    at: Ints
    level: Floats
    """Motivation of the week."""

    @property
    def count(self) -> int:
        """Rows."""
        return len(self.member)


def habit(rng: np.random.Generator, rate: Floats) -> Ints:
    """Counts of something done by habit: mean about `rate`, spread less than chance alone."""
    level = rate * np.exp(rng.normal(0, 0.2, rate.shape))
    return np.floor(level + rng.random(rate.shape)).astype(np.int64)


def draw_moments(
    rng: np.random.Generator, scene: Scene, number: Ints, first_hour: int = 7
) -> Moments:
    """`number` (members, weeks) of moments, on any day of the week at waking hours."""
    member, week = np.nonzero(number)
    repeats = number[member, week]
    member, week = np.repeat(member, repeats), np.repeat(week, repeats)
    day = 7 * week + rng.integers(0, 7, len(week))
    hour = first_hour + (23.5 - first_hour) * rng.beta(2.2, 1.6, len(day))
    at = scene.clock.instant(day, (hour * HOUR_MS).astype(np.int64))
    kept = (at < scene.clock.end) & (day > scene.traits.registered[member])
    member, day, at = member[kept], day[kept], at[kept]
    return Moments(member, day, at, scene.level[member, day // 7])


def weekly_cover(scene: Scene, outside: float = 0.0) -> Floats:
    """Share of each week covered by a pass (frozen days too), at least `outside`."""
    covered = (scene.cover.pass_row >= 0).reshape(-1, scene.weeks, 7).mean(axis=2)
    known = np.arange(scene.weeks) >= (scene.traits.registered // 7)[:, None]
    return np.maximum(covered, outside) * known


def app_rate(scene: Scene) -> Floats:
    """Mean number of visits to the app, (members, weeks)."""
    level = 0.5 * scene.level + 0.10 * scene.traits.sociability[:, None]
    quiet = np.where(scene.traits.is_silent, 0.25, 1.0)[:, None]
    return 2.6 * np.exp(level) * quiet * weekly_cover(scene, 0.04)


def event_rate(scene: Scene) -> Floats:
    """Mean number of product events, (members, weeks)."""
    quiet = np.where(scene.traits.is_silent, 0.3, 1.0)[:, None]
    return 1.9 * np.exp(0.35 * scene.level) * quiet * weekly_cover(scene, 0.05)


def social_rate(scene: Scene) -> Floats:
    """Mean number of posts, likes and comments, (members, weeks)."""
    level = 0.5 * scene.level + 0.5 * scene.traits.sociability[:, None]
    return 0.95 * np.exp(level) * weekly_cover(scene) * ~scene.traits.is_silent[:, None]


def ticket_rate(scene: Scene) -> Floats:
    """Mean number of contacts with support, (members, weeks)."""
    return 0.022 * np.exp(-0.35 * scene.level) * weekly_cover(scene, 0.02)


def visit_days(bookings: Bookings, scene: Scene, gap: int) -> tuple[Ints, Ints]:
    """Member and day of attended classes, thinned to one in each `gap`-day stretch."""
    done = bookings.status == ATTENDED
    key = bookings.member[done] * 10_000 + bookings.day[done] // gap
    _, first = np.unique(key, return_index=True)
    return bookings.member[done][first], bookings.day[done][first]


def draw_steps(rng: np.random.Generator, scene: Scene) -> tuple[Ints, Ints, Ints]:
    """Member, day and steps of every day that a tracker counted on."""
    covered = scene.cover.pass_row[:, : scene.clock.last_day + 1] >= 0
    counted = covered & scene.traits.has_tracker[:, None]
    counted &= rng.random(covered.shape) < 0.9
    member, day = np.nonzero(counted)
    own = rng.normal(8.85, 0.18, scene.traits.count)
    level = scene.level[member, day // 7]
    weekend = np.where(day % 7 >= 5, -0.12, 0.0)
    log_steps = own[member] + 0.17 * level + weekend + rng.normal(0, 0.3, len(day))
    return member, day, np.exp(log_steps).astype(np.int64)


def draw_friends(rng: np.random.Generator, scene: Scene) -> tuple[Ints, Ints, Ints]:
    """Friendships within clubs: one, the other, the day; each pair once.

    Made within a month of both being registered, whatever becomes of them later: the final list of
    friends says nothing about how long somebody stayed.
    """
    traits = scene.traits
    wish = rng.poisson(1.6 * np.exp(0.5 * traits.sociability))
    order = np.argsort(traits.club, kind="stable")
    sizes = np.bincount(traits.club, minlength=len(studio.CLUB_NAMES))
    starts = np.cumsum(sizes) - sizes
    one = np.repeat(np.arange(traits.count), wish)
    club = traits.club[one]
    other = order[starts[club] + (rng.random(len(one)) * sizes[club]).astype(np.int64)]
    pairs = np.unique(np.sort(np.stack([one, other]), axis=0), axis=1)
    one, other = pairs[:, pairs[0] != pairs[1]]
    day = np.maximum(traits.registered[one], traits.registered[other])
    day = day + rng.integers(1, 29, len(one))
    made = day <= scene.clock.last_day
    return one[made], other[made], day[made]
