"""How much a studio's history can carry: a full model, a small one, a rule, or nothing but a share with its interval.

The numbers come from the learning curve in docs/models.md (members drawn from the demo studio).
"""

from enum import StrEnum

import polars as pl

from ris_assets.evaluation.split import Windows

FULL_PASSES = 500
SMALL_PASSES = 40
RULE_PASSES = 15
FEWEST = {"full": 50, "small": 10, "rule": 3}
"""Passes of the rarer outcome that a tier needs."""
FEWEST_TESTED = {"full": 5, "small": 3, "rule": 0}
"""Passes of the rarer outcome in the out-of-time window without which no model can be judged."""


class Tier(StrEnum):
    """What can be learned, from most to least."""

    FULL = "full"
    SMALL = "small"
    RULE = "rule"
    INSUFFICIENT = "insufficient"


NEEDED = {
    Tier.FULL: (FULL_PASSES, FEWEST["full"]),
    Tier.SMALL: (SMALL_PASSES, FEWEST["small"]),
    Tier.RULE: (RULE_PASSES, FEWEST["rule"]),
}
ABOVE = {
    Tier.SMALL: (Tier.FULL, "every family"),
    Tier.RULE: (Tier.SMALL, "a small model"),
    Tier.INSUFFICIENT: (Tier.RULE, "a rule"),
}
"""Tier -> the next one up, and what contends there."""


def outcomes_by_unit(rows: pl.DataFrame, target: str, unit: str) -> tuple[int, int]:
    """How many passes (spells) there are, and how many have the rarer outcome."""
    if not rows.height:
        return 0, 0
    hit = int(rows.group_by(unit).agg(pl.col(target).any())[target].sum() or 0)
    units = rows[unit].n_unique()
    return units, min(hit, units - hit)


def tier_of(windows: Windows, target: str = "renewed_30d", unit: str = "hp_id") -> Tier:
    """The tier that the rows known by the fitting cut carry; models need a window to be judged on as well."""
    known = outcomes_by_unit(windows.fitting, target, unit)
    _, tested = outcomes_by_unit(windows.test, target, unit)
    for tier in NEEDED:
        if _is_carried(tier, known) and tested >= FEWEST_TESTED[tier.value]:
            return tier
    return Tier.INSUFFICIENT


def _is_carried(tier: Tier, known: tuple[int, int]) -> bool:
    """Whether so many passes, of the rarer outcome so many, are enough to learn a tier's model from."""
    return all(has >= least for has, least in zip(known, NEEDED[tier], strict=True))


def told(tier: Tier, windows: Windows, target: str = "renewed_30d", unit: str = "hp_id") -> str:
    """Why a tier was taken, and what the next one would need, in one sentence."""
    units, fewest = outcomes_by_unit(windows.fitting, target, unit)
    taken = {
        Tier.FULL: "every family contends",
        Tier.SMALL: "one model held strongly, clubs pooled",
        Tier.RULE: "a rule scores",
        Tier.INSUFFICIENT: "too few to learn from",
    }[tier]
    known = "no outcome known by the fitting cut"
    if units:
        known = f"{units} outcomes known by {windows.cuts.fit}, {fewest} of the rarer kind"
    if tier not in ABOVE:
        return f"{known}: {taken}"
    above, whom = ABOVE[tier]
    if not _is_carried(above, (units, fewest)):
        passes, rarer = NEEDED[above]
        return f"{known}: {taken} ({whom} from {passes} with {rarer} of the rarer kind)"
    _, tested = outcomes_by_unit(windows.test, target, unit)
    return (
        f"{known}, but only {tested} of the rarer kind in the out-of-time window: {taken}"
        f" ({FEWEST_TESTED[above.value]} needed there to judge {whom})"
    )
