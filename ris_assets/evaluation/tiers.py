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
"""Passes of either outcome in the out-of-time window without which no model can be judged."""


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


def outcomes_by_unit(rows: pl.DataFrame, target: str, unit: str) -> tuple[int, int]:
    """How many passes (spells) there are, and how many have the rarer outcome."""
    if not rows.height:
        return 0, 0
    hit = int(rows.group_by(unit).agg(pl.col(target).any())[target].sum() or 0)
    units = rows[unit].n_unique()
    return units, min(hit, units - hit)


def tier_of(windows: Windows, target: str = "renewed_30d", unit: str = "hp_id") -> Tier:
    """The tier that the rows known by the fitting cut carry; models need a window to be judged on as well."""
    units, fewest = outcomes_by_unit(windows.fitting, target, unit)
    _, tested = outcomes_by_unit(windows.test, target, unit)
    for tier, (least_units, least_of_each) in NEEDED.items():
        is_judged = tested >= FEWEST_TESTED[tier.value]
        if units >= least_units and fewest >= least_of_each and is_judged:
            return tier
    return Tier.INSUFFICIENT


def told(tier: Tier, windows: Windows, target: str = "renewed_30d", unit: str = "hp_id") -> str:
    """Why a tier was taken, in one sentence."""
    units, fewest = outcomes_by_unit(windows.fitting, target, unit)
    known = f"{units} known outcomes, {fewest} of the rarer kind"
    rule = f"from {RULE_PASSES} with {FEWEST['rule']} of the rarer kind"
    return {
        Tier.FULL: f"{known}: every family contends",
        Tier.SMALL: f"{known}: one model held strongly, clubs pooled (every family from {FULL_PASSES})",
        Tier.RULE: f"{known}: a rule scores (a small model from {SMALL_PASSES})",
        Tier.INSUFFICIENT: f"{known}: too few to learn from (a rule {rule})",
    }[tier]
