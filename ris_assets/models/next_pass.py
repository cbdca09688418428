"""How long the pass is that follows: after a trial of a week usually one of a month, after a month another."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from ris_assets.models.protocol import Array

MIN_FOLLOWED = 20
"""A length that fewer passes were followed from counts as followed by its own."""
SHORTEST = 7.0
"""Days: curves go by weeks, and a pass ends in each at most once."""


@dataclass(frozen=True)
class NextPass:
    """Days of a pass -> days of the one that usually follows it; of any other length another as long.

    Attributes:
        days: only lengths whose usual follower has another one.
    """

    days: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def fit(cls, weeks: pl.DataFrame) -> "NextPass":
        """The median of what followed within a spell, from its person-weeks in any order."""
        of_spell = {"partition_by": "spell_id", "order_by": "week_start"}
        number, length = pl.col("pass_number"), pl.col("pass_days").cast(pl.Int64)
        passes = weeks.filter(number.is_not_null() & length.is_not_null()).select(
            length.alias("days"),
            length.shift(-1).over(**of_spell).alias("next_days"),
            (number.shift(-1).over(**of_spell) - number).alias("passes_on"),
        )
        usual = (
            passes.filter(pl.col("passes_on") == 1)
            .group_by("days")
            .agg(
                pl.len().alias("followed"),
                pl.col("next_days").quantile(0.5, interpolation="lower").cast(pl.Int64),
            )
            .filter(pl.col("followed") >= MIN_FOLLOWED, pl.col("next_days") != pl.col("days"))
            .sort("days")
        )
        return cls(dict(usual.select("days", "next_days").iter_rows()))

    def after(self, length: Array) -> Array:
        """Days of the passes that follow passes of so many days."""
        found = length.astype(float)
        for days, following in self.days.items():
            found[length == days] = following
        return np.maximum(found, SHORTEST)

    def to_json(self) -> list[tuple[int, int]]:
        """Plain data: JSON would make text of the lengths."""
        return list(self.days.items())

    @classmethod
    def from_json(cls, data: list[tuple[int, int]]) -> "NextPass":
        """What `to_json` gave."""
        return cls({days: following for days, following in data})
