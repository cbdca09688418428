"""From a snapshot frame to the numbers a model reads: which columns, in which order, how encoded.

The choice is made once, on training rows, and travels with the model as plain JSON. Imputation and
scaling belong to the models that need them; missing stays missing here.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
import polars as pl

EXTERNAL_SUFFIXES = ("", "_ewma", "_delta", "_recent")
MAX_LEVELS = 20
FACTOR = "factor_"
"""What columns of factors of the business's own begin with."""


@dataclass(frozen=True)
class FeatureSet:
    """The features of one model: how catalogue features become matrix columns.

    Attributes:
        numeric: snapshot columns that are numbers or booleans.
        levels: text column -> the values seen in training, each a 0/1 matrix column.
        parents: snapshot column -> the catalogue feature it belongs to.
        left_out: columns that the catalogue names and training never saw filled.
    """

    numeric: tuple[str, ...]
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    parents: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    @property
    def columns(self) -> list[str]:
        """Snapshot columns read, numbers first."""
        return [*self.numeric, *self.levels]

    @property
    def names(self) -> list[str]:
        """Matrix columns in order; a text level is written `column=level`."""
        return [*self.numeric, *(f"{c}={v}" for c, values in self.levels.items() for v in values)]

    def only(self, columns: Sequence[str]) -> "FeatureSet":
        """Of these columns the ones that are here."""
        levels = {name: values for name, values in self.levels.items() if name in columns}
        numeric = tuple(name for name in self.numeric if name in columns)
        parents = {c: f for c, f in self.parents.items() if c in numeric or c in levels}
        return FeatureSet(numeric, levels, parents, self.left_out)

    def missing_in(self, columns: Collection[str]) -> list[str]:
        """What is read and is not there; a factor may be gone from the map, nobody has one then."""
        return [c for c in self.columns if c not in columns and not c.startswith(FACTOR)]

    def encode(self, frame: pl.DataFrame) -> np.ndarray:
        """The matrix, (rows, len(names)) float32: null is NaN, an unknown level is all zeros.

        A factor is read as the model learned it, whatever members have by now: a text where it learned numbers is
        NaN, a number is the level that reads so.

        Raises:
            KeyError: the frame lacks a column that the model was fitted on.
        """
        missing = self.missing_in(frame.columns)
        if missing:
            raise KeyError(f"the frame lacks model features: {', '.join(missing)}")
        if not self.columns:
            return np.empty((frame.height, 0), dtype=np.float32)
        gone = [pl.lit(None, pl.String).alias(c) for c in self.columns if c not in frame.columns]
        frame = frame.with_columns(gone)
        numbers = [pl.col(column).cast(pl.Float32, strict=False) for column in self.numeric]
        levels = [
            _is_level(frame[column], value).fill_null(False).cast(pl.Float32).alias(
                f"{column}={value}"
            )
            for column, values in self.levels.items()
            for value in values
        ]  # fmt: skip
        encoded = frame.select(*numbers, *levels)
        return encoded.fill_null(float("nan")).to_numpy().astype(np.float32, copy=False)

    def feature_of(self, name: str) -> str:
        """The catalogue feature that a matrix column belongs to."""
        column = name if name in self.parents else name.split("=", 1)[0]
        return self.parents.get(column, column)

    def by_feature(self, weights: Sequence[float] | np.ndarray) -> dict[str, float]:
        """Weights of matrix columns added up to catalogue features, as shares, largest first."""
        totals: dict[str, float] = {}
        for name, weight in zip(self.names, weights, strict=True):
            feature = self.feature_of(name)
            totals[feature] = totals.get(feature, 0.0) + abs(float(weight))
        whole = sum(totals.values()) or 1.0
        ordered = sorted(totals.items(), key=lambda item: (-item[1], item[0]))
        return {feature: total / whole for feature, total in ordered}

    def to_json(self) -> dict:
        """Plain data, read back by `from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping) -> "FeatureSet":
        """The feature set that `to_json` wrote."""
        return cls(
            tuple(data["numeric"]),
            {column: tuple(values) for column, values in data["levels"].items()},
            dict(data["parents"]),
            tuple(data["left_out"]),
        )


def catalog_columns(catalog: pl.DataFrame) -> dict[str, str]:
    """Snapshot columns that models may read -> their catalogue feature, active features only.

    An external feature f is read as f, f_ewma, f_delta and f_recent; an internal one as itself.
    """
    columns: dict[str, str] = {}
    for row in catalog.filter(pl.col("is_active")).sort("feature").iter_rows(named=True):
        suffixes = EXTERNAL_SUFFIXES if row["feature_group"] == "external" else ("",)
        columns |= {row["feature"] + suffix: row["feature"] for suffix in suffixes}
    return columns


def choose_features(
    training: pl.DataFrame, catalog: pl.DataFrame, exclude: Sequence[str] = ()
) -> FeatureSet:
    """The feature set of a training frame: what the catalogue names and the rows actually hold."""
    parents = {c: f for c, f in catalog_columns(catalog).items() if f not in exclude}
    filled = {
        c for c in parents if c in training.columns and training[c].null_count() < training.height
    }
    text = [c for c in parents if c in filled and training.schema[c] in (pl.String, pl.Categorical)]
    return FeatureSet(
        numeric=tuple(c for c in parents if c in filled and c not in text),
        levels={column: _levels(training[column]) for column in text},
        parents={c: f for c, f in parents.items() if c in filled},
        left_out=tuple(c for c in parents if c not in filled),
    )


def _is_level(values: pl.Series, level: str) -> pl.Series:
    """Whether each value is the level; numbers are it by what they are worth, 2.0 is "2"."""
    if not values.dtype.is_numeric():
        return values.cast(pl.String) == level
    return values == pl.Series([level]).cast(pl.Float64, strict=False)


def _levels(values: pl.Series) -> tuple[str, ...]:
    """The commonest values, ties by name; a rare or later one counts as unknown."""
    name = values.name
    counts = values.cast(pl.String).drop_nulls().value_counts()
    return tuple(sorted(counts.sort(["count", name], descending=[True, False])[name][:MAX_LEVELS]))
