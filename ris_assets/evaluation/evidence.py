"""What the gate judges by: the rows of the out-of-time window and what each side said of them. No judgement here."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ris_assets.evaluation.metrics import column, count_missing, probabilities

Array = np.ndarray


@dataclass(frozen=True)
class Evidence:
    """The gate's rows: outcome 0/1, who they belong to, and what each side said of them.

    Attributes:
        rules: simple rules by name, the base rate at least; a challenger has to beat each.
        champion: what the champion says; None when there is none, or when it has seen these rows.
        level: what parts rows which anyone can tell apart (does a pass end in the week?).
        champion_is_rule: the champion is a rule that stands in until a model is better.
        columns: what the challenger goes by most, name -> numbers, NaN where missing.
    """

    outcome: Array
    members: Array
    challenger: Array
    rules: Mapping[str, Array]
    champion: Array | None = None
    level: Array | None = None
    champion_is_rule: bool = False
    columns: Mapping[str, Array] = field(default_factory=dict)

    @property
    def levels(self) -> Array:
        """The level of each row, counted from 0; one for all where none is known."""
        if self.level is None:
            return np.zeros(len(self.outcome), dtype=int)
        return np.unique(self.level, return_inverse=True)[1]

    def as_columns(self) -> "Evidence":
        """The same as columns of one length.

        Raises:
            ValueError: they are not, one side says of a row nothing, or no probability, or whose row it is is unknown.
        """
        rows = len(self.outcome)
        for what, named in (("member", self.members), ("level", self.level)):
            if named is not None and count_missing(named):
                raise ValueError(f"the {what} of every row must be known")

        def of(side: str, said: Array) -> Array:
            what = f"the {side}'s probability of every row"
            return column(probabilities(said, what), what, rows)

        sides = (self.members, self.levels, *self.columns.values())
        if any(len(one) != rows for one in sides):
            raise ValueError(
                f"members, levels and columns must have {rows} rows, as the outcome has"
            )
        return replace(
            self,
            outcome=column(probabilities(self.outcome, "outcome"), "outcome", rows),
            members=np.asarray(self.members),
            challenger=of("challenger", self.challenger),
            rules={name: of(name, said) for name, said in self.rules.items()},
            champion=None if self.champion is None else of("champion", self.champion),
            columns={name: np.asarray(one, dtype=float) for name, one in self.columns.items()},
        )

    @property
    def own_mean(self) -> Array:
        """The challenger's mean said of everyone: a level that fits by luck is beaten by no order of members."""
        level = self.levels
        counts = np.maximum(np.bincount(level), 1)
        return (np.bincount(level, weights=self.challenger) / counts)[level]
