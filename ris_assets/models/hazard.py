"""Discrete-time hazard of the end of a spell on person-weeks (Allison 1982): what every family of it shares.

P(spell ends in the week) = 1 - exp(-exposure * exp(score)). Where the pass ends within the week the renewal is
decided at that end, however few days of the week it covers: exposure counts as 1 there.

What a member will be like in the weeks ahead is not known. The rule for it is part of the model: hold the last week
(`half_life` None), or let the score return to that of the member's own norm, half of the way every `half_life` weeks;
at 0 the norm holds from the second week on.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl

from ris_assets.features.matrix import FeatureSet
from ris_assets.models.end_causes import EndCauses
from ris_assets.models.newest import NEWEST, by_day
from ris_assets.models.next_pass import NextPass
from ris_assets.models.passes_ahead import PassesAhead, weeks_in_spell
from ris_assets.models.protocol import Array
from ris_assets.models.week_clock import (
    clock_columns,
    clock_of_weeks,
    log_exposure,
    probability_of,
)

MAX_WEEKS = 52
"""Expected weeks left are counted over the next 52 weeks (restricted mean survival time)."""
CURVE_DAYS = range(1, 7 * MAX_WEEKS + 1)
HALF_LIVES: tuple[float | None, ...] = (None, 8.0, 4.0, 2.0, 1.0, 0.5, 0.0)
"""Rules for the weeks ahead that a backtest chooses among, from never to at once."""
ENDS = ((False, False), (True, False), (True, True))
"""What a week can be: no pass ends, one does, the first one does; as `PassesAhead.go_on` takes them."""
BLOCK = 4096
"""Rows whose passes ahead are in memory at once."""
FILE = "hazard.json"
Scores = Callable[[Array, int], Array]
"""From the clock columns of the week so many weeks ahead to the log hazards of some members."""


@dataclass
class HazardModel(ABC):
    """A family says what the log hazard is; clock, exposure, curves and ends stand here.

    Attributes:
        half_life: weeks in which half of the distance from the norm is gone; None holds the last week, 0 is at the norm
            from the second week on.
        causes: how a spell ends, given that it does.
        next_pass: which passes follow, by how long they are.
        newest: the same fitted on all that was known by `known_by`; it tells the curves of that day and later ones.
    """

    features: FeatureSet
    half_life: float | None = None
    causes: EndCauses = field(default_factory=EndCauses)
    next_pass: NextPass = field(default_factory=NextPass, kw_only=True)
    newest: "HazardModel | None" = field(default=None, kw_only=True)
    known_by: date | None = field(default=None, kw_only=True)
    family: ClassVar[str]

    @abstractmethod
    def fit(self, training: pl.DataFrame, validation: pl.DataFrame) -> Self:
        """Fit on `training` person-weeks; `validation` sets the level, and what else needs later weeks."""

    @abstractmethod
    def scores(self, frame: pl.DataFrame) -> Scores:
        """Log hazards of members in the state of `frame`, for any clock."""

    @abstractmethod
    def importance(self) -> dict[str, float]:
        """Catalogue feature -> share of importance, the clock apart, largest first."""

    def contributions(self, weeks: pl.DataFrame) -> Array | None:
        """(rows, matrix columns): what each adds to the log hazard of person-weeks; None from rates."""
        return None

    def params(self) -> dict[str, Any]:
        """Settings worth logging."""
        return {
            "future_rule": rule_name(self.half_life),
            "next_pass": self.next_pass.told(),
            "features": len(self.features.columns),
        }

    def predict_hazard(self, weeks: pl.DataFrame) -> Array:
        """P(the spell ends in the week) of person-weeks as `interval_hp` has them."""
        score = self.scores(weeks)(clock_of_weeks(weeks), 0)
        return probability_of(score + log_exposure(weeks))

    def predict_survival(self, frame: pl.DataFrame, horizons: tuple[int, ...]) -> Array:
        """P(still in the spell h weeks after the snapshot), (rows, len(horizons)).

        The clock goes on: spell and tenure age, the pass runs out, and those that `next_pass` knows follow it in
        their shares. The member's state follows `half_life`.
        """
        return self.predict_survival_on(frame, [7 * week for week in horizons])

    def predict_survival_on(self, frame: pl.DataFrame, days: Sequence[int]) -> Array:
        """P(still in the spell at the end of the nth day after the snapshot), (rows, len(days)); days from 1.

        Losses at the ends of passes fall on their days, those between are spread evenly over a week.
        """
        said = self._under((self.half_life,), frame, days)[0]
        if self.newest is None:
            return said
        return by_day(frame, self.known_by, said, self.newest.predict_survival_on(frame, days))

    def survival_under(
        self, rules: Sequence[float | None], frame: pl.DataFrame, horizons: tuple[int, ...]
    ) -> list[Array]:
        """`predict_survival` under each of some rules for the weeks ahead (see `half_life`), states read once."""
        return self._under(rules, frame, [7 * week for week in horizons])

    def _under(
        self, rules: Sequence[float | None], frame: pl.DataFrame, days: Sequence[int]
    ) -> list[Array]:
        blocks = [
            self._block_under(rules, frame[start : start + BLOCK], days)
            for start in range(0, max(frame.height, 1), BLOCK)
        ]
        return [np.concatenate(of_rule) for of_rule in zip(*blocks, strict=True)]

    def _block_under(
        self, rules: Sequence[float | None], frame: pl.DataFrame, days: Sequence[int]
    ) -> list[Array]:
        now = self.scores(frame)
        returns = any(rule is not None for rule in rules)
        normal = self.scores(at_norm(frame, self.features)) if returns else now
        start = frame["spell_weeks"].cast(pl.Float64).fill_null(0.0).to_numpy()
        weeks, silent = -(-max(days) // 7), np.zeros(frame.height)
        passes = [PassesAhead(frame, weeks, self.next_pass) for _ in rules]
        curves: list[list[Array]] = [[] for _ in rules]
        for step in range(weeks):
            clocks = [
                clock_columns(
                    np.full(frame.height, ends),
                    start + step,
                    np.full(frame.height, is_first),
                    silent,
                )
                for ends, is_first in ENDS
            ]
            held = [now(clock, step) for clock in clocks]
            usual = [normal(clock, step) for clock in clocks] if returns else held
            for place, rule in enumerate(rules):
                left = distance_left(rule, step)
                passes[place].go_on(
                    *(
                        probability_of(left * a + (1 - left) * b)
                        for a, b in zip(held, usual, strict=True)
                    )
                )
                curves[place].append(passes[place].by_day)
        return [np.hstack(curve)[:, np.asarray(days) - 1] for curve in curves]

    def expected_weeks(self, frame: pl.DataFrame) -> Array:
        """Weeks expected in the spell, of the next 52: the area under the survival curve."""
        return weeks_in_spell(self.predict_survival_on(frame, CURVE_DAYS), frame)

    def predict_incidence(self, frame: pl.DataFrame, horizons: tuple[int, ...]) -> dict[str, Array]:
        """Cause -> P(the spell has ended by it within h weeks); over the causes they add up to 1 - survival."""
        lost = 1 - self.predict_survival(frame, horizons)
        shares = self.causes.predict(self.features.encode(frame))
        return {name: shares[:, [place]] * lost for place, name in enumerate(self.causes.names)}

    def save(self, folder: Path) -> None:
        """Write native files and one JSON; no pickle."""
        folder.mkdir(parents=True, exist_ok=True)
        data = {
            "family": self.family,
            "features": self.features.to_json(),
            "half_life": self.half_life,
            "causes": self.causes.to_json(),
            "next_pass": self.next_pass.to_json(),
            "known_by": self.known_by.isoformat() if self.known_by else None,
            **self._to_json(folder),
        }
        if self.newest:
            self.newest.save(folder / NEWEST)
        (folder / FILE).write_text(json.dumps(data, indent=1, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` of this family wrote; `hazard_families.load_hazard` reads any."""
        data: Mapping = json.loads((folder / FILE).read_text(encoding="utf-8"))
        found = cls(
            FeatureSet.from_json(data["features"]),
            data["half_life"],
            EndCauses.from_json(data["causes"]),
            next_pass=NextPass.from_json(data["next_pass"]) if "next_pass" in data else NextPass(),
        )
        found._from_json(data, folder)
        if known_by := data.get("known_by"):
            found.newest, found.known_by = cls.load(folder / NEWEST), date.fromisoformat(known_by)
        return found

    @abstractmethod
    def _to_json(self, folder: Path) -> dict[str, Any]:
        """What the family adds; larger parts go into files of their own."""

    @abstractmethod
    def _from_json(self, data: Mapping, folder: Path) -> None:
        """Take back what `_to_json` gave."""


def distance_left(half_life: float | None, step: int) -> float:
    """Share of the distance from the norm that is left so many weeks after the first."""
    if half_life is None or not step:
        return 1.0
    return 0.5 ** (step / half_life) if half_life else 0.0


def rule_name(half_life: float | None) -> str:
    """The rule for the weeks ahead, in words."""
    if half_life is None:
        return "hold the last week"
    weeks = "week" if half_life == 1 else "weeks"
    return f"half-way to the norm in {half_life:g} {weeks}" if half_life else "at the norm at once"


def at_norm(frame: pl.DataFrame, features: FeatureSet) -> pl.DataFrame:
    """Every member in the state of their own norm: values at the norm, no difference from it.

    Where the norm is not known the member stays as they are.
    """
    columns = set(features.numeric)
    changed = []
    for parent in sorted(set(features.parents.values())):
        norm = f"{parent}_ewma"
        if norm not in columns:
            continue
        known = pl.col(norm).is_not_null()
        targets = {parent: pl.col(norm), f"{parent}_recent": pl.col(norm)}
        targets[f"{parent}_delta"] = pl.lit(0.0)
        changed += [
            pl.when(known).then(value).otherwise(pl.col(name)).alias(name)
            for name, value in targets.items()
            if name in columns
        ]
    return frame.with_columns(changed)
