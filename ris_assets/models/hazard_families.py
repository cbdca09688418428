"""The families of person-week hazards, by name."""

import json
from pathlib import Path

from ris_assets.models.boosted_weeks import LightgbmWeeks, XgboostWeeks
from ris_assets.models.hazard import FILE, HazardModel
from ris_assets.models.linear_weeks import LinearWeeks
from ris_assets.models.rate_weeks import BaseRateWeeks, RuleWeeks

HAZARDS: dict[str, type[HazardModel]] = {
    family.family: family for family in (LinearWeeks, XgboostWeeks, LightgbmWeeks)
}
"""The families that contend."""
RATES: dict[str, type[HazardModel]] = {
    family.family: family for family in (BaseRateWeeks, RuleWeeks)
}
"""Those that score where no family is better."""
STORED: dict[str, type[HazardModel]] = {**HAZARDS, **RATES}


def load_hazard(folder: Path) -> HazardModel:
    """Read a stored hazard of any family."""
    family = json.loads((folder / FILE).read_text(encoding="utf-8"))["family"]
    return STORED[family].load(folder)
