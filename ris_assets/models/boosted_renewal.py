"""Boosted trees for renewal, whichever engine grows them: native missing values, a fixed number of rounds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from ris_assets.models.boosting import ENGINES, THREADS, Engine, EngineName, Rows, threads_for
from ris_assets.models.protocol import Array, Fold, Range

ROUNDS = 350
"""Stopping by a validation window of a few hundred passes stops by chance: it cost 1.5 points of the way to
the demo studio's ceiling against this number, which is flat between 200 and 500."""


class BoostedRenewal:
    """Boosted trees on the encoded matrix.

    Attributes:
        FILE: name of the stored booster.
        PARAMS: settings under the engine's names.
    """

    family: ClassVar[str]
    engine: ClassVar[EngineName]
    FILE: ClassVar[str]
    PARAMS: ClassVar[Mapping[str, float | int | str]]
    SPACE: ClassVar[Mapping[str, Range]]

    def __init__(self, settings: Mapping[str, float] | None = None, booster: Any = None) -> None:
        """Settings other than `PARAMS` and `ROUNDS`; a booster that was read back."""
        self.settings = dict(settings or {})
        self.booster = booster

    def fit(self, training: Fold) -> Self:
        """Boost."""
        own = {"nthread": threads_for(len(training.matrix)), **self.PARAMS, **self.settings}
        rounds = int(own.pop("rounds", ROUNDS))
        rows = Rows(training.matrix, training.target, weight=training.weight)
        self.booster = self._engine().boost(own, rows, rounds)
        return self

    def predict(self, matrix: Array) -> Array:
        """Probabilities, one a row."""
        return self._engine().said(self._fitted, matrix, threads_for(len(matrix)))

    def importance(self) -> Array:
        """Total gain of each matrix column."""
        return self._engine().gain(self._fitted)

    def contributions(self, matrix: Array) -> Array:
        """(rows, columns): what each column adds to the log odds (TreeSHAP)."""
        return self._engine().contributions(self._fitted, matrix)

    def params(self) -> dict[str, float | int | str]:
        """Settings worth logging."""
        return {**self.PARAMS, **self.settings, "rounds": self._engine().rounds(self._fitted)}

    def save(self, folder: Path) -> None:
        """Write the booster in its engine's format."""
        self._engine().save(self._fitted, folder / self.FILE)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the booster."""
        return cls(booster=cls._engine().load(folder / cls.FILE, THREADS))

    @classmethod
    def _engine(cls) -> Engine:
        return ENGINES[cls.engine]

    @property
    def _fitted(self) -> Any:
        if self.booster is None:
            raise ValueError(f"the {self.family} model is not fitted yet")
        return self.booster
