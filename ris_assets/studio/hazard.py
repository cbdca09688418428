"""The written-down hazard: the one place that says how likely a member is to renew.

At the end of each pass (corrected for freezes), in the week T of its last covered day, a member
whose pass was not cancelled decides:

    P(renew within 30 days) = (1 - FAILED) * sigmoid(eta)
    eta = INTERCEPT + ON_MOTIVATION * m[T] + ON_DROP * (m[T] - n[T]) + ON_DISCIPLINE * discipline
        + ON_WANTED * log(wanted / 2.5) + ON_PASS_NUMBER * log(min(pass number, 12))
        + ON_PRICE * price sensitivity * (list price at the end / at the purchase - 1)
        + ON_PRODUCT[product] + ON_SILENT * is silent

with motivation m and its norm n as in `motivation`. Who renews buys on a day drawn from
`DELAYS` (days after the last covered day; negative is early). Of those who do not, LATE_60 buy on
days 31-60 and of the rest LATE_90 on days 61-90, evenly. A share CANCELLED of passes is called
off on a day spread evenly over the pass, and nobody returns within 90 days of that. FAILED is the
share of decided renewals whose payment never succeeds. After day 90 a former member comes back in
a week with probability RETURN * exp(0.4 m), capped at RETURN_CAP; no label looks that far.
"""

import numpy as np

from ris_assets.studio.arrays import Flags, Floats, Ints, sigmoid

INTERCEPT = 1.25
ON_MOTIVATION = 1.75
ON_DROP = 0.6
ON_DISCIPLINE = 0.2
ON_WANTED = 2.0
ON_PASS_NUMBER = 0.08
ON_PRICE = -2.0
ON_PRODUCT = np.array([-0.4, 0.0, 0.1, 0.15, 0.2])
ON_SILENT = -1.2
FAILED = 0.012
CANCELLED = 0.012
LATE_60 = 0.18
LATE_90 = 0.14
RETURN = 0.10
RETURN_CAP = 0.2

_EARLY = dict(zip(range(-10, 0), (1, 1, 2, 3, 3, 4, 4, 5, 6, 7), strict=True))
_AFTER = {0: 22, 1: 10, 2: 7, 3: 5, 4: 3, 5: 3, 6: 2, 7: 2}
_SLOW = {day: 10 / 23 for day in range(8, 31)}
DELAYS = {**_EARLY, **_AFTER, **_SLOW}
"""Relative frequency of the day of purchase, days after the last covered day."""

_DAYS = np.array(list(DELAYS))
_SHARES = np.array(list(DELAYS.values())) / sum(DELAYS.values())
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(24)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


def fixed_part(
    discipline: Floats,
    wanted: Floats,
    is_silent: Flags,
    price_worry: Floats,
    pass_number: Ints,
    product: Ints,
) -> Floats:
    """The terms of eta that hold no motivation; `price_worry` is sensitivity times the rise."""
    return (
        INTERCEPT
        + ON_DISCIPLINE * discipline
        + ON_WANTED * np.log(wanted / 2.5)
        + ON_PASS_NUMBER * np.log(np.minimum(pass_number, 12))
        + ON_PRICE * price_worry
        + ON_PRODUCT[product]
        + ON_SILENT * is_silent
    )


def renewal_chance(eta: Floats) -> Floats:
    """P(renew within 30 days) of a pass that was not cancelled, at the decision."""
    return (1 - FAILED) * sigmoid(eta)


def expected_chance(mean: Floats, spread: Floats) -> Floats:
    """E renewal_chance(eta) for a Gaussian eta, by 24-point Gauss-Hermite quadrature."""
    total = np.zeros_like(mean)
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        total += weight * renewal_chance(mean + spread * node)
    return total


def draw_delay(rng: np.random.Generator, count: int) -> Ints:
    """Days from the last covered day to the purchase, of members who renew."""
    return rng.choice(_DAYS, size=count, p=_SHARES)


def still_to_buy(days_after_end: Ints) -> Floats:
    """P(purchase later than that day | renews within 30 days)."""
    later = 1.0 - np.concatenate([[0.0], np.cumsum(_SHARES)])
    return later[np.searchsorted(_DAYS, days_after_end, side="right")]


def chances_before_end(
    chance: Floats, days_after_end: Ints, days_run: Ints, days_total: Ints
) -> tuple[Floats, Floats, Floats]:
    """P(renew within 30, 60, 90 days) of a pass neither renewed nor cancelled so far.

    Args:
        chance: expected P(renew within 30 days) at the decision.
        days_after_end: as-of day minus last covered day (0 or negative).
        days_run: covered days so far, the as-of day included.
        days_total: covered days of the whole pass, frozen ones included.
    """
    stays = (1 - CANCELLED) / (1 - CANCELLED * days_run / days_total)
    unbought = still_to_buy(days_after_end)
    seen = stays * (1 - chance * (1 - unbought)) + (1 - stays)
    within_30 = stays * chance * unbought / seen
    refuses = stays * (1 - chance) / seen
    within_60 = within_30 + refuses * LATE_60
    within_90 = within_60 + refuses * (1 - LATE_60) * LATE_90
    return within_30, within_60, within_90
