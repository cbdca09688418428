"""Who buys which pass when: the chain of passes of every member of a chunk, freezes included.

Decisions follow `hazard`; documents are made of this in `documents`, the truth in `truth`.
"""

from dataclasses import dataclass, fields

import numpy as np

from ris_assets.studio import hazard
from ris_assets.studio import world as studio
from ris_assets.studio.arrays import Flags, Floats, Ints, offsets_within, pick, pick_rows
from ris_assets.studio.clock import Clock
from ris_assets.studio.motivation import Motivation
from ris_assets.studio.traits import Traits
from ris_assets.studio.world import World

NEVER = 10**7
"""A day beyond every horizon."""
DISCOUNTS = np.array([0.0, 0.05, 0.1, 0.15, 0.2, 0.3])
FIRST_DISCOUNTS = np.array([0.35, 0.05, 0.25, 0.15, 0.12, 0.08])
LATER_DISCOUNTS = np.array([0.62, 0.14, 0.14, 0.06, 0.04, 0.0])
FREEZE_WEIGHTS = np.array([0.0, 0.12, 0.3, 0.35, 0.4])
"""Chance, by product, that a freeze is planned when the pass is bought."""


@dataclass(frozen=True)
class Passes:
    """One row a pass document, in order of member and purchase. Days are day numbers."""

    member: Ints
    number: Ints
    """1 for the first pass that was paid, also on an unpaid row: the number it would have had."""
    product: Ints
    discount: Floats
    bought: Ints
    start: Ints
    nominal_days: Ints
    end: Ints
    """Last covered day, freezes added, as if the pass were not cancelled."""
    cancelled: Ints
    """Day of the cancellation, NEVER if none."""
    is_paid: Flags
    freeze_start: Ints
    """(passes, 2): first frozen day; length 0 means no freeze."""
    freeze_days: Ints
    price_worry: Floats
    next_bought: Ints
    """Day on which the next paid pass is bought, NEVER if not within the horizon."""

    @property
    def last_covered(self) -> Ints:
        """The last covered day, freezes and cancellation taken into account."""
        return np.minimum(self.end, self.cancelled)


@dataclass
class _State:
    """Where every member of the chunk stands between two passes."""

    bought: Ints
    previous_end: Ints
    number: Ints


def draw_passes(
    rng: np.random.Generator, clock: Clock, world: World, traits: Traits, motivation: Motivation
) -> Passes:
    """The chains of passes of a chunk, until nobody buys within the horizon."""
    state = _State(
        bought=np.where(traits.is_lead, NEVER, traits.first_purchase),
        previous_end=np.full(traits.count, -NEVER),
        number=np.zeros(traits.count, np.int64),
    )
    rounds: list[Passes] = []
    while (members := np.flatnonzero(state.bought <= clock.last_day)).size:
        sold = _sell(rng, world, traits, state, members)
        failed = _decide(rng, clock, traits, motivation, state, sold)
        rounds += [sold, failed]
    return _in_order(rounds)


def _sell(
    rng: np.random.Generator, world: World, traits: Traits, state: _State, members: Ints
) -> Passes:
    bought = state.bought[members]
    state.number[members] += 1
    number = state.number[members]
    product = _products(rng, traits, members, number)
    start = np.maximum(bought, state.previous_end[members]) + 1
    nominal = studio.PRODUCT_DAYS[product]
    freeze_start, freeze_days = _freezes(rng, product, start, nominal)
    end = start + nominal - 1 + freeze_days.sum(axis=1)
    span = end - start + 1
    cancelled = start + (rng.random(len(members)) * span).astype(np.int64)
    is_cancelled = rng.random(len(members)) < hazard.CANCELLED
    rise = world.price_factor[np.minimum(end, len(world.price_factor) - 1)]
    rise = rise / world.price_factor[bought] - 1
    return Passes(
        member=members,
        number=number,
        product=product,
        discount=_discounts(rng, number, product),
        bought=bought,
        start=start,
        nominal_days=nominal,
        end=end,
        cancelled=np.where(is_cancelled, cancelled, NEVER),
        is_paid=np.ones(len(members), bool),
        freeze_start=freeze_start,
        freeze_days=freeze_days,
        price_worry=traits.price_sensitivity[members] * rise,
        next_bought=np.full(len(members), NEVER),
    )


def _products(rng: np.random.Generator, traits: Traits, members: Ints, number: Ints) -> Ints:
    """Mostly 30 days; the disciplined and the experienced also buy longer ones."""
    keen = traits.discipline[members] + 0.3 * np.log(number)
    weights = np.stack(
        [np.zeros(len(members)), np.ones(len(members)), 0.22 * np.exp(0.3 * keen),
         0.075 * np.exp(0.4 * keen), 0.04 * np.exp(0.5 * keen)], axis=1,
    )  # fmt: skip
    product = pick_rows(rng, weights)
    return np.where(traits.has_trial[members] & (number == 1), studio.TRIAL, product)


def _discounts(rng: np.random.Generator, number: Ints, product: Ints) -> Floats:
    first = pick(rng, FIRST_DISCOUNTS, len(number))
    later = pick(rng, LATER_DISCOUNTS, len(number))
    share = DISCOUNTS[np.where(number == 1, first, later)]
    return np.where(product == studio.TRIAL, 0.0, share)


def _freezes(
    rng: np.random.Generator, product: Ints, start: Ints, nominal: Ints
) -> tuple[Ints, Ints]:
    """Up to one freeze, on passes of half a year and more up to two; all over well before the end.

    They are planned with the pass, so that the true renewal probability knows the corrected end.
    """
    count = len(product)
    is_long = nominal >= 180
    chance = FREEZE_WEIGHTS[product][:, None]
    room = np.where(is_long, nominal // 2 - 30, np.maximum(nominal - 18, 1))[:, None]
    offset = 3 + (rng.random((count, 2)) * room).astype(np.int64)
    offset[:, 1] += nominal // 2
    days = rng.integers(4, 15, (count, 2)) + np.where(is_long, 7, 0)[:, None]
    happens = rng.random((count, 2)) < chance
    happens[:, 1] &= is_long
    days = np.where(happens, days, 0)
    first = start[:, None] + offset
    first[:, 1] += days[:, 0]
    return first, days


def _decide(
    rng: np.random.Generator,
    clock: Clock,
    traits: Traits,
    motivation: Motivation,
    state: _State,
    sold: Passes,
) -> Passes:
    """Set each member's next purchase; return the passes whose payment never succeeded."""
    eta = decision_reading(traits, motivation, sold, clock.weeks + 3)
    wants = rng.random(len(eta)) < hazard.sigmoid(eta)
    fails = rng.random(len(eta)) < hazard.FAILED
    stays = sold.cancelled == NEVER
    delay = hazard.draw_delay(rng, len(eta))
    later = _comeback(rng, motivation, sold)
    late = np.where(stays, _late(rng, len(eta), later - sold.end) + sold.end, later)
    in_time = np.maximum(sold.end + delay, sold.start)
    bought = np.where(wants & ~fails & stays, in_time, late)
    bought = np.where(bought <= clock.last_day, bought, NEVER)
    state.bought[sold.member] = bought
    state.previous_end[sold.member] = sold.last_covered
    sold.next_bought[:] = bought
    attempt = sold.end + np.maximum(delay, 0)
    return _failed(rng, traits, sold, attempt, wants & fails & stays & (attempt <= clock.last_day))


def decision_reading(
    traits: Traits, motivation: Motivation, passes: Passes, last_week: int
) -> Floats:
    """Eta of each pass in the week of its last covered day (or `last_week`, if that is later)."""
    week = np.clip(passes.end // 7, 0, last_week)
    x = motivation.x[passes.member, week]
    drop = x - motivation.norm[passes.member, week]
    level = motivation.mean[passes.member] + x
    fixed = fixed_reading(traits, passes)
    return fixed + hazard.ON_MOTIVATION * level + hazard.ON_DROP * drop


def fixed_reading(traits: Traits, passes: Passes) -> Floats:
    """The part of eta that holds no motivation."""
    member = passes.member
    return hazard.fixed_part(
        traits.discipline[member],
        traits.wanted[member],
        traits.is_silent[member],
        passes.price_worry,
        passes.number,
        passes.product,
    )


def _late(rng: np.random.Generator, count: int, otherwise: Ints) -> Ints:
    """Days after the end of members who do not renew in time: 31-90, else `otherwise`."""
    in_60 = rng.random(count) < hazard.LATE_60
    in_90 = rng.random(count) < hazard.LATE_90
    late = np.where(in_90, rng.integers(61, 91, count), otherwise)
    return np.where(in_60, rng.integers(31, 61, count), late)


def _comeback(rng: np.random.Generator, motivation: Motivation, sold: Passes) -> Ints:
    """The day of a return later than 90 days after the end, NEVER if none within the horizon."""
    weeks = motivation.x.shape[1]
    level = motivation.mean[sold.member, None] + motivation.x[sold.member]
    chance = np.minimum(hazard.RETURN * np.exp(0.4 * level), hazard.RETURN_CAP)
    returns = rng.random(chance.shape) < chance
    returns &= np.arange(weeks) > ((sold.last_covered + 91) // 7)[:, None]
    day = 7 * returns.argmax(axis=1) + rng.integers(0, 7, len(level))
    return np.where(returns.any(axis=1), day, NEVER)


def _failed(
    rng: np.random.Generator, traits: Traits, sold: Passes, attempt: Ints, chosen: Flags
) -> Passes:
    """The pass that a member wanted to buy and could not pay for."""
    rows = np.flatnonzero(chosen)
    product = _products(rng, traits, sold.member[rows], sold.number[rows] + 1)
    start = attempt[rows] + 1
    nominal = studio.PRODUCT_DAYS[product]
    none = np.zeros((len(rows), 2), np.int64)
    return Passes(
        member=sold.member[rows],
        number=sold.number[rows] + 1,
        product=product,
        discount=_discounts(rng, sold.number[rows] + 1, product),
        bought=attempt[rows],
        start=start,
        nominal_days=nominal,
        end=start + nominal - 1,
        cancelled=np.full(len(rows), NEVER),
        is_paid=np.zeros(len(rows), bool),
        freeze_start=none,
        freeze_days=none,
        price_worry=np.zeros(len(rows)),
        next_bought=np.full(len(rows), NEVER),
    )


def _in_order(rounds: list[Passes]) -> Passes:
    """All rounds as one table, by member and purchase."""
    names = [field.name for field in fields(Passes)]
    columns = {name: np.concatenate([getattr(part, name) for part in rounds]) for name in names}
    order = np.lexsort((columns["bought"], columns["member"]))
    return Passes(**{name: column[order] for name, column in columns.items()})


@dataclass(frozen=True)
class Cover:
    """Which pass covers which day: matrices (members, days)."""

    pass_row: Ints
    """Row of the covering pass, -1 where none does."""
    is_frozen: Flags


def cover(passes: Passes, members: int, days: int) -> Cover:
    """The covered and the frozen days of a chunk, days 0 .. days - 1."""
    pass_row = np.full((members, days), -1, np.int64)
    rows = np.flatnonzero(passes.is_paid)
    last = passes.last_covered[rows]
    _fill(pass_row, passes.member[rows], passes.start[rows], last, rows)
    is_frozen = np.zeros((members, days), bool)
    for slot in range(2):
        frozen = rows[passes.freeze_days[rows, slot] > 0]
        start = passes.freeze_start[frozen, slot]
        end = start + passes.freeze_days[frozen, slot] - 1
        end = np.minimum(end, passes.last_covered[frozen])
        _fill(is_frozen, passes.member[frozen], start, end, np.ones(len(frozen), bool))
    return Cover(pass_row, is_frozen)


def _fill(matrix: np.ndarray, row: Ints, first: Ints, last: Ints, value: np.ndarray) -> None:
    """matrix[row, first..last] = value, for each run, cut at the matrix's edge."""
    lengths = np.maximum(np.minimum(last, matrix.shape[1] - 1) - first + 1, 0)
    day = np.repeat(first, lengths) + offsets_within(lengths)
    matrix[np.repeat(row, lengths), day] = np.repeat(value, lengths)
