"""Estimators, one family a file: what they fit, what they predict, how they are stored.

`LinearHazard` and `BoostedHazard` work on any right-censored data: scikit-learn's conventions, scikit-survival's
structured outcome.
"""

from ris_assets.models.boosted_hazard import BoostedHazard
from ris_assets.models.linear_hazard import LinearHazard

__all__ = ["BoostedHazard", "LinearHazard"]
