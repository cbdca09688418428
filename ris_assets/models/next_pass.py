"""Which pass follows: after a trial of a week one of a month or of a year, in the shares in which they did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from ris_assets.models.protocol import Array

MIN_FOLLOWED = 5
"""Of a length that fewer passes were followed from, the next is taken to be as long, of trials a bad guess."""
MOST_LENGTHS = 8
"""Lengths of followers that are told apart, the most frequent first."""
MOST_TOLD = 12
SHORTEST = 7
"""Days: curves go by weeks, and a pass ends in each at most once."""


@dataclass(frozen=True)
class NextPass:
    """Shares of the lengths of passes that follow, by the length of the pass before.

    Attributes:
        lengths: days of followers, rising.
        shares: days of a pass -> shares of `lengths` that add up to 1; of others the next is as long.
    """

    lengths: Sequence[int] = ()
    shares: Mapping[int, Sequence[float]] = field(default_factory=dict)

    @classmethod
    def fit(cls, weeks: pl.DataFrame) -> "NextPass":
        """From what followed within spells; person-weeks may come in any order."""
        of_spell: dict[str, Any] = {"partition_by": "spell_id", "order_by": "week_start"}
        number, length = pl.col("pass_number"), pl.col("pass_days").cast(pl.Int64)
        followed = (
            weeks.filter(number.is_not_null() & length.is_not_null())
            .select(
                length.alias("days"),
                length.shift(-1).over(**of_spell).clip(lower_bound=SHORTEST).alias("next_days"),
                (number.shift(-1).over(**of_spell) - number).alias("passes_on"),
            )
            .filter(pl.col("passes_on") == 1)
            .group_by("days", "next_days")
            .agg(pl.len().alias("passes"))
            .filter(pl.col("passes").sum().over("days") >= MIN_FOLLOWED)
        )
        most = followed.group_by("next_days").agg(pl.col("passes").sum())
        lengths = sorted(most.sort("passes", "next_days").tail(MOST_LENGTHS)["next_days"])
        kept = followed.filter(pl.col("next_days").is_in(lengths)).sort("days", "next_days")
        share = pl.col("passes") / pl.col("passes").sum().over("days")
        shares: dict[int, list[float]] = {}
        for days, next_days, part in kept.select("days", "next_days", share).iter_rows():
            shares.setdefault(days, [0.0] * len(lengths))[lengths.index(next_days)] = part
        return cls(lengths, shares)

    def of(self, days: Array) -> Array:
        """(rows, lengths): shares of what follows passes of so many days; none where it is as long."""
        found = np.zeros((len(days), len(self.lengths)))
        for length, shares in self.shares.items():
            found[days == length] = shares
        return found

    def again(self) -> Array:
        """(lengths, lengths): shares of what follows each of `lengths`."""
        found = self.of(np.asarray(self.lengths))
        return np.where(found.any(axis=1, keepdims=True), found, np.eye(len(self.lengths)))

    def told(self) -> str:
        """In words: "after 7 days: 75% 30, 25% 90"; of many lengths the shortest."""
        parts = [
            f"after {days} days: "
            + ", ".join(
                f"{part:.0%} {n}" for n, part in zip(self.lengths, shares, strict=True) if part
            )
            for days, shares in self.shares.items()
        ]
        more = ["..."] if len(parts) > MOST_TOLD else []
        return "; ".join(parts[:MOST_TOLD] + more) or "as long as the one before"

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "lengths": list(self.lengths),
            "shares": [[k, list(v)] for k, v in self.shares.items()],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "NextPass":
        """What `to_json` gave."""
        return cls(data["lengths"], dict(data["shares"]))
