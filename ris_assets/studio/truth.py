"""The true renewal probabilities of a chunk: every covered Sunday of every pass.

On a Sunday everything latent is known: traits, motivation and its norm, the planned freezes, the
studio's calendar (its price rises, coaches' departures). Unknown are the member's motivation until
the decision, whether the pass will be cancelled, the decision and its day. The first is integrated
exactly (`hazard.expected_chance`), the others by `hazard.chances_before_end`; a renewal already
bought has probability 1. No later realised path is looked at.
"""

from dataclasses import dataclass

import numpy as np

from ris_assets.studio import hazard
from ris_assets.studio.arrays import Floats, Ints
from ris_assets.studio.clock import Clock
from ris_assets.studio.motivation import Motivation, reading_spread, readings
from ris_assets.studio.passes import NEVER, Passes, fixed_reading
from ris_assets.studio.traits import Traits


@dataclass(frozen=True)
class Truth:
    """One row a pass and covered Sunday, ordered so."""

    pass_row: Ints
    week: Ints
    """The Sunday is the last day of this week."""
    within_30: Floats
    within_60: Floats
    within_90: Floats


def true_chances(clock: Clock, traits: Traits, motivation: Motivation, passes: Passes) -> Truth:
    """The truth of a chunk, for Sundays up to the last simulated day."""
    last_week = (clock.last_day + 1) // 7 - 1
    steps = int(max((passes.end // 7).max(initial=0) + 1, 1))
    weights = readings(hazard.ON_MOTIVATION, hazard.ON_DROP, steps)
    spreads = reading_spread(weights)
    fixed = fixed_reading(traits, passes)
    fixed = fixed + hazard.ON_MOTIVATION * motivation.mean[passes.member]
    pushed = np.zeros(len(fixed))
    parts = []
    for ahead in range(steps):
        week = passes.end // 7 - ahead
        rows = np.flatnonzero(_is_covered(passes, week, last_week))
        parts.append(_sundays(motivation, passes, rows, week[rows], weights[ahead],
                              fixed[rows] + pushed[rows], spreads[ahead]))  # fmt: skip
        pushed += weights[ahead, 0] * motivation.push[passes.member, np.maximum(week, 0)]
    return _in_order(parts)


def _is_covered(passes: Passes, week: Ints, last_week: int) -> np.ndarray:
    sunday = 7 * week + 6
    covered = (passes.start <= sunday) & (sunday <= passes.end) & (sunday < passes.cancelled)
    result: np.ndarray = covered & passes.is_paid & (week <= last_week) & (week >= 0)
    return result


def _sundays(
    motivation: Motivation,
    passes: Passes,
    rows: Ints,
    week: Ints,
    weight: Floats,
    known: Floats,
    spread: float,
) -> Truth:
    """The truth of some passes, each on the Sunday of one week."""
    member = passes.member[rows]
    now = weight[0] * motivation.x[member, week] + weight[1] * motivation.norm[member, week]
    chance = hazard.expected_chance(known + now, np.full(len(rows), spread))
    sunday = 7 * week + 6
    start, end = passes.start[rows], passes.end[rows]
    shares = hazard.chances_before_end(chance, sunday - end, sunday - start + 1, end - start + 1)
    is_bought = (passes.next_bought[rows] <= sunday) & (passes.next_bought[rows] < NEVER)
    within_30, within_60, within_90 = (np.where(is_bought, 1.0, share) for share in shares)
    return Truth(rows, week, within_30, within_60, within_90)


def _in_order(parts: list[Truth]) -> Truth:
    columns = [
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("pass_row", "week", "within_30", "within_60", "within_90")
    ]
    order = np.lexsort((columns[1], columns[0]))
    return Truth(*(column[order] for column in columns))
