"""What every contender of a training has in common, and which of them is put before the gate."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import ClassVar, Protocol, TypeVar

import numpy as np
import polars as pl

from ris_assets.evaluation.gate import Verdict
from ris_assets.evaluation.split import Windows
from ris_assets.features.matrix import FeatureSet

Array = np.ndarray
STRONGEST = 10
"""Features that are looked at one by one."""


class Contender(Protocol):
    """A fitted model and what it did.

    Attributes:
        LOSS: the metric that families are compared by where there is no backtest.
        metrics: on the out-of-time window.
        backtest: a row for each earlier window, with `rows` and `log_loss` among its columns.
    """

    LOSS: ClassVar[str]

    @property
    def metrics(self) -> Mapping[str, float]: ...  # noqa: D102

    @property
    def backtest(self) -> pl.DataFrame: ...  # noqa: D102


class Readable(Protocol):
    """A model that says which columns it reads, and which most."""

    features: FeatureSet

    def importance(self) -> dict[str, float]: ...  # noqa: D102


Either = TypeVar("Either", bound=Contender)
Model = TypeVar("Model", bound=Readable)


def loss_of(contender: Contender) -> float:
    """The log loss that families are compared by: of the backtest, or where there is none of the out-of-time window."""
    backtest = contender.backtest
    if backtest.height:
        return float(np.average(backtest["log_loss"], weights=backtest["rows"]))
    return contender.metrics.get(contender.LOSS, float("inf"))


def winner_of(contenders: Mapping[str, Either]) -> Either:
    """The contender with the lowest loss, ties by name."""
    return contenders[min(sorted(contenders), key=lambda name: loss_of(contenders[name]))]


def said_by(
    champion: Model | None,
    fitted_through: date | None,
    windows: Windows,
    says: Callable[[Model], Array],
) -> tuple[bool, Array | None]:
    """Whether a champion is in office, and what it says of the test window; None if it has seen that window.

    One that cannot score is in office no more.
    """
    if champion is None or not in_office(champion, windows):
        return False, None
    if fitted_through is None or fitted_through > windows.cuts.fit:
        return True, None
    said = says(champion)
    return (True, said) if np.isfinite(said).all() else (False, None)


def strongest_columns(model: Readable, rows: pl.DataFrame) -> dict[str, Array]:
    """Matrix columns of the features that a model goes by most: the gate asks each whether it knows the outcome."""
    shares = model.importance()
    strongest = [feature for feature, share in shares.items() if share > 0][:STRONGEST]
    matrix = model.features.encode(rows)
    return {
        name: matrix[:, place]
        for place, name in enumerate(model.features.names)
        if model.features.feature_of(name) in strongest
    }


def unjudged(
    why: str, challenger: Readable, champion: Readable | None, windows: Windows
) -> Verdict:
    """The verdict where there is too little to judge by: who promises no more than it knows may score.

    A champion that knows more stays.
    """
    reads = len(champion.features.columns) if champion and in_office(champion, windows) else 0
    if reads > len(challenger.features.columns):
        return Verdict(False, f"Keep: {why}; the champion has learned from more", (why,))
    return Verdict(True, f"Promote: {why}", (why,))


def in_office(champion: Readable, windows: Windows) -> bool:
    """Whether the snapshot has all columns that the champion reads: without them it cannot score."""
    return not champion.features.missing_in(windows.test.columns)
