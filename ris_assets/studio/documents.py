"""Facts of the simulator -> the documents an application would have stored, one function each.

Here stand field names, status words, nesting, nulls and missing fields; `source_map.yaml` beside
this file is the other half of the same agreement. What happened is decided elsewhere.
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from ris_assets.studio import behaviour as facts
from ris_assets.studio import world as studio
from ris_assets.studio.arrays import Bytes, Flags, Floats, Ints, offsets_within, pick, sigmoid
from ris_assets.studio.behaviour import HOUR_MS, Bookings, Moments, Scene
from ris_assets.studio.bson_columns import (
    Column,
    array,
    constant,
    document,
    doubles,
    flags,
    ids,
    instants,
    ints,
    numbers,
    texts,
    words,
)  # fmt: skip
from ris_assets.studio.clock import DAY_MS, MINUTE_MS
from ris_assets.studio.config import StudioConfig
from ris_assets.studio.passes import NEVER

Fields = dict[str, Column]

SEX_WORDS = ("F", "M")
WORK_WORDS = ("OFFICE", "REMOTE", "PHYSICAL", "SHIFTS", "STUDENT")
TRANSPORT_WORDS = ("CAR", "BUS", "WALK", "BIKE", "TAXI")
EXPERIENCE_WORDS = ("NONE", "LT1Y", "1_3Y", "GT3Y")
GOAL_WORDS = ("LOSE_WEIGHT", "STRENGTH", "HEALTH", "COMMUNITY", "COMPETE")
CHANNEL_WORDS = ("FRIEND", "SELF")
FIRST_NAMES = (
    "Aigerim", "Aruzhan", "Dana", "Madina", "Anna", "Kamila", "Aliya", "Elena", "Zarina", "Asel",
    "Arman", "Daniyar", "Timur", "Nurlan", "Ivan", "Ruslan", "Sanzhar", "Dmitriy", "Alikhan",
    "Yerlan",
)  # fmt: skip
CANCEL_WORDS = ("MOVED_CITY", "HEALTH", "SCHEDULE", "UNHAPPY")
BOOKING_WORDS = ("DONE", "MISSED", "LATE_CANCEL", "CANCEL", "ACTIVE")
TEST_WORDS = ("COOPER", "PLANK", "BURPEES")
ACTION_WORDS = ("POST", "LIKE", "COMMENT", "FRIEND_ADD", "CLAN_JOIN", "CLAN_LEAVE")
TOPIC_WORDS = ("PAYMENT", "SCHEDULE", "APP_BUG", "COACH", "FREEZE", "OTHER")
METHOD_WORDS = ("KASPI", "CARD", "CASH")
EVENT_WORDS = (
    "screen_view", "push_opened", "achievement_unlocked", "plans_viewed", "challenge_joined",
)  # fmt: skip
SCREEN_WORDS = ("home", "schedule", "profile", "feed", "leaderboard")
ACHIEVEMENT_WORDS = ("first_10", "early_bird", "streak_4", "heavy_lifter")
VERSION_WORDS = ("2.8.1", "2.9.0", "3.0.2", "3.1.0")
CLANS_A_CLUB = 6


@dataclass(frozen=True)
class Chunk:
    """One chunk of members on the way into documents."""

    config: StudioConfig
    index: int
    scene: Scene
    user_ids: Bytes
    pass_ids: Bytes
    bought_at: Ints
    registered_at: Ints
    friends: tuple[Ints, Ints, Ints]
    clan: Ints
    """Clan within the club, -1 for none."""
    clan_joined: Ints
    clan_left: Ints
    """Day numbers; NEVER where it did not happen."""

    def rng(self, topic: str) -> np.random.Generator:
        """A generator of its own for each topic, so that topics do not disturb each other."""
        return topic_rng(self.config.seed, self.index, topic)

    def new_ids(self, collection: str, at: Ints) -> Bytes:
        """ObjectIds of documents created at these instants."""
        return object_ids(self.config.seed, collection, self.index, at)

    def is_past(self, day: Ints) -> Flags:
        """Which days the simulation has reached."""
        return day <= self.scene.clock.last_day


def topic_rng(seed: int, chunk: int, topic: str) -> np.random.Generator:
    """The generator of one topic of one chunk."""
    digest = blake2b(topic.encode(), digest_size=4).digest()
    return np.random.default_rng([seed, chunk, int.from_bytes(digest, "little")])


def object_ids(seed: int, collection: str, chunk: int, at: Ints) -> Bytes:
    """(n, 12) ObjectIds: seconds of creation, five bytes of the chunk, a counter."""
    result = np.empty((len(at), 12), np.uint8)
    result[:, :4] = (at // 1000).astype(">u4").view(np.uint8).reshape(-1, 4)
    salt = blake2b(f"{seed}/{collection}/{chunk}".encode(), digest_size=5).digest()
    result[:, 4:9] = np.frombuffer(salt, np.uint8)
    counter = np.arange(len(at), dtype=">u4").view(np.uint8).reshape(-1, 4)
    result[:, 9:] = counter[:, 1:]
    return result


def hexes(values: Bytes) -> np.ndarray:
    """ObjectIds as the 24 letters people know them by."""
    return np.frombuffer(values.tobytes().hex().encode(), "S24").astype("U24")


def build_chunk(config: StudioConfig, index: int, scene: Scene) -> Chunk:
    """Identities and ties of a chunk's members."""
    rng = topic_rng(config.seed, index, "identities")
    registered_at = _daytime(rng, scene, scene.traits.registered)
    bought_at = _daytime(rng, scene, scene.passes.bought)
    bought_at = np.maximum(bought_at, registered_at[scene.passes.member] + 20 * MINUTE_MS)
    clan, joined, left = _clans(topic_rng(config.seed, index, "clans"), scene)
    return Chunk(
        config=config,
        index=index,
        scene=scene,
        user_ids=object_ids(config.seed, "users", index, registered_at),
        pass_ids=object_ids(config.seed, "heroPasses", index, bought_at),
        bought_at=bought_at,
        registered_at=registered_at,
        friends=facts.draw_friends(topic_rng(config.seed, index, "friends"), scene),
        clan=clan,
        clan_joined=joined,
        clan_left=left,
    )


def _daytime(rng: np.random.Generator, scene: Scene, day: Ints) -> Ints:
    """A moment between 8:00 and 21:30 of each day."""
    seconds = 8 * 3600 + (rng.random(len(day)) * 13.5 * 3600).astype(np.int64)
    return scene.clock.instant(day, seconds * 1000)


def _clans(rng: np.random.Generator, scene: Scene) -> tuple[Ints, Ints, Ints]:
    """Clan and the days of joining and leaving; both independent of how long a member stays."""
    traits = scene.traits
    joined = traits.registered + rng.integers(2, 26, traits.count)
    left = joined + rng.integers(20, 200, traits.count)
    joins = rng.random(traits.count) < sigmoid(1.2 * traits.sociability - 0.4)
    joins &= joined <= scene.clock.last_day
    leaves = joins & (rng.random(traits.count) < 0.08) & (left <= scene.clock.last_day)
    clan = np.where(joins & ~leaves, rng.integers(0, CLANS_A_CLUB, traits.count), -1)
    return clan, np.where(joins, joined, NEVER), np.where(leaves, left, NEVER)


def _fixed_ids(config: StudioConfig, collection: str, scene_start: int, count: int) -> Bytes:
    """ObjectIds of what was there before the first day: clubs, coaches, clans."""
    return object_ids(config.seed, collection, 0, np.full(count, scene_start - 90 * DAY_MS))


def _opening(chunk: Chunk) -> int:
    return int(chunk.scene.clock.midnight(np.zeros(1, np.int64))[0])


def club_ids(chunk: Chunk) -> Bytes:
    """ObjectIds of the clubs."""
    return _fixed_ids(chunk.config, "clubs", _opening(chunk), len(studio.CLUB_NAMES))


def coach_ids(chunk: Chunk) -> Bytes:
    """ObjectIds of the coaches, club by club."""
    count = len(studio.CLUB_NAMES) * studio.COACHES_A_CLUB
    return _fixed_ids(chunk.config, "coaches", _opening(chunk), count)


def clan_ids(chunk: Chunk) -> Bytes:
    """ObjectIds of the clans, club by club."""
    count = len(studio.CLUB_NAMES) * CLANS_A_CLUB
    return _fixed_ids(chunk.config, "clans", _opening(chunk), count)


def clubs(chunk: Chunk) -> Fields:
    """The clubs: not an entity of the system, but in every such database."""
    count = len(studio.CLUB_NAMES)
    return {
        "_id": ids(club_ids(chunk)),
        "name": words(np.arange(count), studio.CLUB_NAMES),
        "city": words(studio.CLUB_CITY, studio.CITY_WORDS),
        "timezone": constant(chunk.config.timezone, count),
    }


def coaches(chunk: Chunk) -> Fields:
    """The coaches; who has left carries the day."""
    left = chunk.scene.world.left_on.ravel()
    club = np.repeat(np.arange(len(studio.CLUB_NAMES)), studio.COACHES_A_CLUB)
    is_gone = chunk.is_past(left)
    left_at = chunk.scene.clock.midnight(np.where(is_gone, left, 0))
    return {
        "_id": ids(coach_ids(chunk)),
        "clubId": ids(club_ids(chunk)[club]),
        "firstName": words(np.arange(len(left)) % len(FIRST_NAMES), FIRST_NAMES),
        "leftAt": instants(left_at).nulls(~is_gone),
    }


def users(chunk: Chunk) -> Fields:
    """A person: nested profile in app units, arrays of friends, much of it optional."""
    rng, traits = chunk.rng("users"), chunk.scene.traits
    count = traits.count
    updated = np.maximum(chunk.registered_at, _last_tie(chunk))
    asked = rng.random(count) < 0.9
    return {
        "_id": ids(chunk.user_ids),
        "createdAt": instants(chunk.registered_at),
        "updatedAt": instants(updated),
        "profile": _profile(rng, chunk),
        "city": words(studio.CLUB_CITY[traits.club], studio.CITY_WORDS),
        "homeClubId": ids(club_ids(chunk)[traits.club]).nulls(rng.random(count) < 0.01),
        "questionnaire": _questionnaire(rng, count).where(asked),
        "acquisition": document({"channel": words(_channel(rng, chunk), CHANNEL_WORDS)}),
        "trialTaken": flags(traits.has_trial),
        "clanId": ids(_clan_id(chunk)).nulls(chunk.clan < 0),
        "friends": _friends(chunk),
        "devices": document({
            "tracker": flags(traits.has_tracker), "heartRate": flags(traits.has_heart_rate),
        }),
    }  # fmt: skip


def _last_tie(chunk: Chunk) -> Ints:
    """When friends or clan of each member last changed; 0 where never."""
    one, other, day = chunk.friends
    last = np.full(len(chunk.user_ids), -NEVER)
    np.maximum.at(last, one, day)
    np.maximum.at(last, other, day)
    for change in (chunk.clan_joined, chunk.clan_left):
        last = np.maximum(last, np.where(change < NEVER, change, -NEVER))
    known = last > -NEVER
    at = chunk.scene.clock.instant(np.where(known, last, 0), np.full(len(last), 22 * HOUR_MS))
    return np.where(known, at, 0)


def _profile(rng: np.random.Generator, chunk: Chunk) -> Column:
    traits = chunk.scene.traits
    count = traits.count
    male_name = rng.integers(10, 20, count)
    age_days = (traits.age * 365.25 + rng.integers(0, 365, count)).astype(np.int64)
    born = chunk.scene.clock.dates(traits.registered - age_days)
    has_scan = rng.random(count) < 0.7
    sex = words(traits.is_male.astype(np.int64), SEX_WORDS)
    return document({
        "firstName": words(np.where(traits.is_male, male_name, male_name - 10), FIRST_NAMES),
        "sex": sex.where(rng.random(count) < 0.98, rng.random(count) < 0.02),
        "birthDate": texts(born.astype("S10")).nulls(rng.random(count) < 0.03),
        "heightCm": ints(np.rint(traits.height).astype(np.int64)).where(rng.random(count) < 0.94),
        "weightGrams": ints(np.rint(traits.weight * 10).astype(np.int64) * 100)
        .nulls(rng.random(count) < 0.05),
        "bodyFatPercent": numbers(np.rint(traits.fat * 1000) / 10).where(has_scan),
    })  # fmt: skip


def _questionnaire(rng: np.random.Generator, count: int) -> Column:
    def draw(*weights: float) -> Ints:
        return pick(rng, np.array(weights), count)

    return document({
        "work": words(draw(5, 2, 1, 1, 1.5), WORK_WORDS),
        "transport": words(draw(5, 3, 2, 0.5, 1), TRANSPORT_WORDS).where(rng.random(count) < 0.9),
        "experience": words(draw(3, 3, 2, 1), EXPERIENCE_WORDS),
        "goal": words(draw(4, 2, 3, 1, 0.6), GOAL_WORDS).nulls(rng.random(count) < 0.06),
    })  # fmt: skip


def _channel(rng: np.random.Generator, chunk: Chunk) -> Ints:
    """0 for those a friend brought: the sociable more often."""
    by_friend = rng.random(len(chunk.user_ids)) < sigmoid(
        0.5 * chunk.scene.traits.sociability - 0.5
    )
    return (~by_friend).astype(np.int64)


def _clan_id(chunk: Chunk) -> Bytes:
    row = chunk.scene.traits.club * CLANS_A_CLUB + np.maximum(chunk.clan, 0)
    return clan_ids(chunk)[row]


def _friends(chunk: Chunk) -> Column:
    """Arrays of user ids, both ways round."""
    one, other, _ = chunk.friends
    member, friend = np.concatenate([one, other]), np.concatenate([other, one])
    order = np.argsort(member, kind="stable")
    member, friend = member[order], friend[order]
    number = np.bincount(member, minlength=len(chunk.user_ids))
    most = max(int(number.max(initial=0)), 1)
    table = np.zeros((len(number), most), np.int64)
    table[member, offsets_within(number)] = friend
    return array([ids(chunk.user_ids[table[:, slot]]).where(slot < number) for slot in range(most)])


def hero_passes(chunk: Chunk) -> Fields:
    """A bought pass: nominal dates, price in tiyn, cancellation nested where there is one."""
    rng, passes, clock = chunk.rng("hero_passes"), chunk.scene.passes, chunk.scene.clock
    count = len(passes.member)
    is_cancelled = _is_cancelled(chunk)
    cancelled_at = _cancelled_at(chunk)
    club = chunk.scene.traits.club[passes.member]
    return {
        "_id": ids(chunk.pass_ids),
        "userId": ids(chunk.user_ids[passes.member]),
        "clubId": ids(club_ids(chunk)[club]).where(rng.random(count) < 0.97),
        "product": document({
            "code": words(passes.product, studio.PRODUCT_WORDS),
            "days": ints(passes.nominal_days),
        }),
        "price": document({
            "amount": ints(_tiyn(chunk)),
            "currency": constant("KZT", count),
            "discountPercent": ints(np.rint(passes.discount * 100).astype(np.int64)),
        }),
        "isTrial": flags(passes.product == studio.TRIAL),
        "purchasedAt": instants(chunk.bought_at),
        "startsAt": instants(clock.midnight(passes.start)),
        "endsAt": instants(clock.midnight(passes.start + passes.nominal_days)),
        "payment": document({"state": words(_payment_state(chunk), PAYMENT_STATE_WORDS)}),
        "cancellation": document({
            "at": instants(cancelled_at),
            "reason": words(pick(rng, np.array([4, 2, 2, 1.0]), count), CANCEL_WORDS),
        }).where(is_cancelled),
        "createdAt": instants(chunk.bought_at),
        "updatedAt": instants(np.where(is_cancelled, cancelled_at, chunk.bought_at + MINUTE_MS)),
    }  # fmt: skip


PAYMENT_STATE_WORDS = ("PAID", "DECLINED", "REFUNDED")


def _is_cancelled(chunk: Chunk) -> Flags:
    return chunk.is_past(chunk.scene.passes.cancelled)


def _cancelled_at(chunk: Chunk) -> Ints:
    """The instant of each cancellation; anything where there is none."""
    rng, passes = chunk.rng("cancellations"), chunk.scene.passes
    return _daytime(rng, chunk.scene, np.where(_is_cancelled(chunk), passes.cancelled, 0))


def _payment_state(chunk: Chunk) -> Ints:
    """0 paid, 1 never paid, 2 paid and given back on cancelling."""
    is_refunded = _is_cancelled(chunk) & (chunk.rng("refunds").random(len(chunk.pass_ids)) < 0.55)
    return np.where(chunk.scene.passes.is_paid, np.where(is_refunded, 2, 0), 1)


def _tiyn(chunk: Chunk) -> Ints:
    """Price paid, in hundredths of a tenge."""
    passes = chunk.scene.passes
    price = studio.list_price(chunk.scene.world, passes.product, passes.bought)
    return np.rint(price * (1 - passes.discount)).astype(np.int64) * 100


@dataclass(frozen=True)
class _Freezes:
    """Rows of freeze requests: real ones and those called off before they began."""

    pass_row: Ints
    first: Ints
    days: Ints
    requested_at: Ints
    cancelled_at: Ints
    """0 where the freeze took place."""


def _real_freezes(rng: np.random.Generator, chunk: Chunk) -> _Freezes:
    passes = chunk.scene.passes
    row, slot = np.nonzero(passes.freeze_days)
    first, days = passes.freeze_start[row, slot], passes.freeze_days[row, slot]
    asked = np.maximum(first - rng.integers(1, 8, len(row)), passes.start[row])
    kept = chunk.is_past(asked) & (asked < passes.cancelled[row])
    row, first, days, asked = row[kept], first[kept], days[kept], asked[kept]
    requested = _daytime(rng, chunk.scene, asked)
    return _Freezes(row, first, days, requested, np.zeros_like(row))


def _called_off_freezes(rng: np.random.Generator, chunk: Chunk) -> _Freezes:
    passes = chunk.scene.passes
    chance = 0.025 * np.minimum(passes.nominal_days / 30, 3) * (passes.nominal_days >= 30)
    row = np.flatnonzero(passes.is_paid & (rng.random(len(chance)) < chance))
    first = passes.start[row] + 5 + rng.integers(0, 10, len(row))
    requested = _daytime(rng, chunk.scene, first - 3)
    kept = chunk.is_past(first - 2) & (first < passes.cancelled[row])
    row, first, requested = row[kept], first[kept], requested[kept]
    called_off = _daytime(rng, chunk.scene, first - 2)
    return _Freezes(row, first, rng.integers(4, 15, len(row)), requested, called_off)


def freezes(chunk: Chunk) -> Fields:
    """A request to pause: some open until ended by hand, some called off."""
    rng, clock = chunk.rng("freezes"), chunk.scene.clock
    real, off = _real_freezes(rng, chunk), _called_off_freezes(rng, chunk)
    row, first, days, requested, called_off = (
        np.concatenate([getattr(real, name), getattr(off, name)])
        for name in ("pass_row", "first", "days", "requested_at", "cancelled_at")
    )
    ends_at = clock.midnight(first + days)
    by_hand = rng.random(len(row)) < 0.35
    is_open = by_hand & (ends_at >= clock.end) & (called_off == 0)
    is_off = called_off > 0
    updated = np.where(by_hand & ~is_open & (ends_at < clock.end), ends_at, requested)
    return {
        "_id": ids(chunk.new_ids("freezes", requested)),
        "passId": ids(chunk.pass_ids[row]),
        "userId": ids(chunk.user_ids[chunk.scene.passes.member[row]]),
        "requestedAt": instants(requested),
        "from": instants(clock.midnight(first)),
        "to": instants(ends_at).nulls(is_open),
        "calledOffAt": instants(called_off).where(is_off),
        "reason": words(rng.integers(0, 3, len(row)), ("TRIP", "ILLNESS", "OTHER"))
        .where(rng.random(len(row)) < 0.8),
        "updatedAt": instants(np.where(is_off, called_off, updated)),
    }  # fmt: skip


def bookings(chunk: Chunk, booked: Bookings) -> Fields:
    """A booked class with the sets done at its stations."""
    rng, traits = chunk.rng("booking documents"), chunk.scene.traits
    count = len(booked.member)
    club = traits.club[booked.member]
    is_called_off = np.isin(booked.status, (facts.CANCELLED, facts.LATE_CANCELLED))
    is_done = booked.status == facts.ATTENDED
    coach = club * studio.COACHES_A_CLUB + booked.coach
    return {
        "_id": ids(chunk.new_ids("bookings", booked.booked_at)),
        "userId": ids(chunk.user_ids[booked.member]),
        "passId": ids(chunk.pass_ids[booked.pass_row]),
        "clubId": ids(club_ids(chunk)[club]),
        "classType": words(booked.class_kind, studio.CLASS_WORDS),
        "coachId": ids(coach_ids(chunk)[coach]).nulls(rng.random(count) < 0.01),
        "bookedAt": instants(booked.booked_at),
        "startsAt": instants(booked.starts_at),
        "status": words(booked.status, BOOKING_WORDS),
        "cancelledAt": instants(booked.cancelled_at).where(is_called_off),
        "stationsPlanned": ints(np.full(count, studio.STATIONS_PLANNED)),
        "stationsDone": ints(booked.stations_done).where(is_done),
        "stations": _station_array(rng, chunk, booked).where(is_done),
        "updatedAt": instants(_booking_updated(booked)),
    }


def _booking_updated(booked: Bookings) -> Ints:
    """A class is closed a quarter of an hour after its end; a no-show half an hour after start."""
    changes = [
        booked.starts_at + 75 * MINUTE_MS, booked.starts_at + 30 * MINUTE_MS,
        booked.cancelled_at, booked.cancelled_at, booked.booked_at,
    ]  # fmt: skip
    return np.choose(booked.status, changes)


def _station_array(rng: np.random.Generator, chunk: Chunk, booked: Bookings) -> Column:
    worn = chunk.scene.traits.has_heart_rate[booked.member] & (rng.random(len(booked.member)) < 0.9)
    bare = studio.STATION_KG[booked.stations] == 0
    return array([
        document({
            "code": words(booked.stations[:, slot], studio.STATION_WORDS),
            "weightKg": numbers(booked.kilograms[:, slot]).nulls(bare[:, slot]),
            "reps": ints(booked.reps[:, slot]),
            "hrUsed": flags(worn),
            "hr": document({
                "avg": ints(booked.heart_mean[:, slot]), "max": ints(booked.heart_max[:, slot]),
            }).where(worn),
        }).where(slot < booked.station_count)
        for slot in range(facts.STATIONS_A_CLASS)
    ])  # fmt: skip


def body_scans(chunk: Chunk, booked: Bookings) -> Fields:
    """InBody readings: about one in five weeks of training, after a class."""
    rng, scene = chunk.rng("body scans"), chunk.scene
    member, day = facts.visit_days(booked, scene, 35)
    kept = rng.random(len(member)) < 0.75
    member, day = member[kept], day[kept]
    traits, clock = scene.traits, scene.clock
    months = (day - traits.first_purchase[member]) / 30
    change = 1 - 0.004 * months * np.tanh(1 + traits.discipline[member] / 2)
    weight = traits.weight[member] * np.maximum(change, 0.85) + rng.normal(0, 0.5, len(day))
    fat = np.clip(traits.fat[member] * change**2 + rng.normal(0, 0.006, len(day)), 0.05, 0.5)
    at = clock.instant(day, rng.integers(9 * 60, 22 * 60, len(day)) * MINUTE_MS)
    return {
        "_id": ids(chunk.new_ids("bodyScans", at)),
        "userId": ids(chunk.user_ids[member]),
        "measuredAt": instants(at),
        "weightGrams": ints(np.rint(weight * 10).astype(np.int64) * 100),
        "fatPercent": numbers(np.rint(fat * 1000) / 10).nulls(rng.random(len(day)) < 0.02),
        "muscleKg": doubles(np.rint(weight * (1 - fat) * 5.6) / 10),
        "device": constant("InBody 570", len(day)),
    }


def fitness_tests(chunk: Chunk, booked: Bookings) -> Fields:
    """Fitness tests: one a quarter, scores that grow with training."""
    rng, scene = chunk.rng("fitness tests"), chunk.scene
    member, day = facts.visit_days(booked, scene, 91)
    months = (day - scene.traits.first_purchase[member]) / 30
    score = 48 + 6 * scene.traits.discipline[member] + 1.2 * np.minimum(months, 18)
    score = np.clip(score + 3 * scene.level[member, day // 7] + rng.normal(0, 7, len(day)), 0, 100)
    at = scene.clock.instant(day, rng.integers(9 * 60, 22 * 60, len(day)) * MINUTE_MS)
    return {
        "_id": ids(chunk.new_ids("fitnessTests", at)),
        "userId": ids(chunk.user_ids[member]),
        "takenAt": instants(at),
        "kind": words(rng.integers(0, len(TEST_WORDS), len(day)), TEST_WORDS),
        "result": document({"score": numbers(np.rint(score * 2) / 2)}),
    }


def app_sessions(chunk: Chunk) -> Fields:
    """Visits to the app, with what was opened; old versions do not tell."""
    rng = chunk.rng("app sessions")
    opened = facts.draw_moments(rng, chunk.scene, facts.habit(rng, facts.app_rate(chunk.scene)))
    sociable = chunk.scene.traits.sociability[opened.member]
    seconds = 60 * np.exp(1.5 + 0.32 * opened.level + rng.normal(0, 0.5, opened.count))
    version = rng.integers(0, len(VERSION_WORDS), opened.count)

    def share(chance: Floats) -> Column:
        return flags(rng.random(opened.count) < chance)

    return {
        "_id": ids(chunk.new_ids("appSessions", opened.at)),
        "userId": ids(chunk.user_ids[opened.member]),
        "startedAt": instants(opened.at),
        "durationSec": numbers(np.rint(np.minimum(seconds, 5400))),
        "opened": document({
            "feed": share(sigmoid(0.6 * sociable + 0.3 * opened.level - 0.2)),
            "leaderboard": share(sigmoid(0.5 * opened.level - 0.9)),
            "achievements": share(sigmoid(0.3 * opened.level - 1.5)),
        }).where((version > 0) | (rng.random(opened.count) < 0.8)),
        "app": document({"version": words(version, VERSION_WORDS)}),
    }  # fmt: skip


def daily_steps(chunk: Chunk) -> Fields:
    """Steps a day from a tracker; the day is its local midnight, as health kits store it."""
    rng = chunk.rng("steps")
    member, day, steps = facts.draw_steps(rng, chunk.scene)
    at = chunk.scene.clock.midnight(day)
    is_phone = chunk.scene.traits.has_heart_rate[member]
    return {
        "_id": ids(chunk.new_ids("dailySteps", at + 20 * HOUR_MS)),
        "userId": ids(chunk.user_ids[member]),
        "day": instants(at),
        "steps": ints(steps),
        "source": words(is_phone.astype(np.int64), ("googleFit", "healthKit")),
    }


def feed_actions(chunk: Chunk) -> Fields:
    """Posts, likes, comments, friends added, clans joined and left."""
    rng = chunk.rng("feed")
    said = facts.draw_moments(rng, chunk.scene, rng.poisson(facts.social_rate(chunk.scene)))
    kind = pick(rng, np.array([0.12, 0.6, 0.28]), said.count)
    someone = rng.integers(0, len(chunk.user_ids), said.count)
    ties = [_tie_rows(rng, chunk, *rows) for rows in _ties(chunk)]
    member = np.concatenate([said.member, *(tie[0] for tie in ties)])
    at = np.concatenate([said.at, *(tie[1] for tie in ties)])
    action = np.concatenate([kind, *(tie[2] for tie in ties)])
    target = np.concatenate([np.where(kind == 0, -1, someone), *(tie[3] for tie in ties)])
    return {
        "_id": ids(chunk.new_ids("feedActions", at)),
        "userId": ids(chunk.user_ids[member]),
        "at": instants(at),
        "type": words(action, ACTION_WORDS),
        "targetUserId": ids(chunk.user_ids[np.maximum(target, 0)]).where(target >= 0),
    }


def _ties(chunk: Chunk) -> list[tuple[Ints, Ints, int, Ints]]:
    """Member, day, code of ACTION_WORDS and target of every tie made or broken."""
    one, other, day = chunk.friends
    joined = np.flatnonzero(chunk.clan_joined < NEVER)
    left = np.flatnonzero(chunk.clan_left < NEVER)
    return [
        (one, day, 3, other),
        (joined, chunk.clan_joined[joined], 4, np.full(len(joined), -1)),
        (left, chunk.clan_left[left], 5, np.full(len(left), -1)),
    ]


def _tie_rows(
    rng: np.random.Generator, chunk: Chunk, member: Ints, day: Ints, code: int, target: Ints
) -> tuple[Ints, Ints, Ints, Ints]:
    return member, _daytime(rng, chunk.scene, day), np.full(len(member), code), target


def support_tickets(chunk: Chunk) -> Fields:
    """Contacts with support; the tone follows the mood, the rating is rarely given."""
    rng = chunk.rng("tickets")
    number = rng.poisson(facts.ticket_rate(chunk.scene))
    asked = facts.draw_moments(rng, chunk.scene, number, first_hour=9)
    tone = np.tanh(-0.1 + 0.35 * asked.level + rng.normal(0, 0.45, asked.count))
    rating = np.clip(np.rint(3.4 + 1.6 * tone + rng.normal(0, 0.6, asked.count)), 1, 5)
    is_unrated = rng.random(asked.count) < 0.55
    return {
        "_id": ids(chunk.new_ids("supportTickets", asked.at)),
        "userId": ids(chunk.user_ids[asked.member]),
        "openedAt": instants(asked.at),
        "topic": words(rng.integers(0, len(TOPIC_WORDS), asked.count), TOPIC_WORDS),
        "sentiment": doubles(np.rint(tone * 100) / 100).where(rng.random(asked.count) < 0.9),
        "rating": ints(rating.astype(np.int64)).nulls(is_unrated),
    }


def payments(chunk: Chunk) -> Fields:
    """Charges: declined tries, the one that went through, money given back."""
    rng, passes = chunk.rng("payments"), chunk.scene.passes
    worry = chunk.scene.traits.price_sensitivity[passes.member]
    state = _payment_state(chunk)
    tries = (rng.random(len(state)) < 0.03 * worry) | (state == 1)
    parts = [
        (np.flatnonzero(tries), chunk.bought_at - 4 * MINUTE_MS, 1),
        (np.flatnonzero(state != 1), chunk.bought_at + MINUTE_MS // 2, 0),
        (np.flatnonzero(state == 2), _cancelled_at(chunk), 2),
    ]
    row = np.concatenate([rows for rows, _, _ in parts])
    at = np.concatenate([moment[rows] for rows, moment, _ in parts])
    status = np.concatenate([np.full(len(rows), code) for rows, _, code in parts])
    method = pick(rng, np.array([6, 3, 1.0]), len(row))
    return {
        "_id": ids(chunk.new_ids("payments", at)),
        "userId": ids(chunk.user_ids[passes.member[row]]),
        "passId": ids(chunk.pass_ids[row]),
        "at": instants(at),
        "amount": ints(_tiyn(chunk)[row]),
        "currency": constant("KZT", len(row)),
        "status": words(status, ("OK", "DECLINED", "REFUND")),
        "method": words(method, METHOD_WORDS).where(rng.random(len(row)) < 0.97),
    }


def app_events(chunk: Chunk) -> Fields:
    """Product events with metadata of their own by type."""
    rng = chunk.rng("app events")
    sent = facts.draw_moments(rng, chunk.scene, rng.poisson(facts.event_rate(chunk.scene)))
    kind = pick(rng, np.array([0.55, 0.2, 0.12, 0.06, 0.07]), sent.count)
    return {
        "_id": ids(chunk.new_ids("appEvents", sent.at)),
        "userId": ids(chunk.user_ids[sent.member]),
        "at": instants(sent.at),
        "type": words(kind, EVENT_WORDS),
        "meta": _metadata(rng, sent, kind).where(kind != 3),
    }


def _metadata(rng: np.random.Generator, sent: Moments, kind: Ints) -> Column:
    screen = rng.integers(0, len(SCREEN_WORDS), sent.count)
    badge = rng.integers(0, len(ACHIEVEMENT_WORDS), sent.count)
    return document({
        "screen": words(screen, SCREEN_WORDS).where(kind == 0),
        "campaign": ints(rng.integers(1, 40, sent.count)).where(kind == 1),
        "code": words(badge, ACHIEVEMENT_WORDS).where(kind == 2),
        "clan": flags(rng.random(sent.count) < 0.3).where(kind == 4),
    })  # fmt: skip


SHARED: dict[str, Callable[[Chunk], Fields]] = {"clubs": clubs, "coaches": coaches}
"""Collections written once."""

OF_MEMBERS: dict[str, Callable[[Chunk], Fields]] = {
    "users": users,
    "heroPasses": hero_passes,
    "freezes": freezes,
    "appSessions": app_sessions,
    "dailySteps": daily_steps,
    "feedActions": feed_actions,
    "supportTickets": support_tickets,
    "payments": payments,
    "appEvents": app_events,
}
"""Collections written chunk by chunk."""

OF_CLASSES: dict[str, Callable[[Chunk, Bookings], Fields]] = {
    "bookings": bookings,
    "bodyScans": body_scans,
    "fitnessTests": fitness_tests,
}
"""Collections written chunk by chunk that follow from the booked classes."""
