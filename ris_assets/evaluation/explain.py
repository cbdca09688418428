"""What a renewal model's predictions depend on: shuffled features, contributions to the log odds, learning curve."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from ris_assets.evaluation.metrics import log_loss
from ris_assets.evaluation.split import Windows
from ris_assets.models.hazard import HazardModel
from ris_assets.models.renewal import RenewalModel

Array = np.ndarray
MAX_ROWS = 20_000
SHUFFLED = 30
"""Features that are shuffled: the most important ones, in use at all."""
SHARES = (0.1, 0.25, 0.5, 1.0)


def sample(rows: pl.DataFrame, most: int = MAX_ROWS) -> pl.DataFrame:
    """At most so many rows, the same every time."""
    return rows if rows.height <= most else rows.sample(most, seed=7).sort("as_of_date", "user_id")


def explained_rows(model: RenewalModel, rows: pl.DataFrame) -> pl.DataFrame:
    """As many of the rows as a family takes apart in reasonable time."""
    return sample(rows, getattr(model.estimator, "MOST_EXPLAINED", MAX_ROWS))


def permutation(model: RenewalModel, rows: pl.DataFrame) -> dict[str, float]:
    """Catalogue feature -> rise of the log loss when it is shuffled between rows."""
    rows = sample(rows)
    outcome = rows["renewed_30d"].cast(pl.Float64).to_numpy()
    return shuffled(model, rows, lambda seen: _loss(model, seen, outcome))


def shuffled(
    model: RenewalModel | HazardModel, rows: pl.DataFrame, loss: Callable[[pl.DataFrame], float]
) -> dict[str, float]:
    """Catalogue feature -> rise of a loss of the rows when all its columns are shuffled together between them."""
    base, order = loss(rows), np.random.default_rng(7).permutation(rows.height)
    asked = [name for name, share in model.importance().items() if share > 0][:SHUFFLED]
    parents, found = model.features.parents, {}
    for feature in asked:
        columns = [name for name in model.features.columns if parents.get(name, name) == feature]
        found[feature] = (
            loss(rows.with_columns(rows[column].gather(order) for column in columns)) - base
        )
    return found


def _loss(model: RenewalModel, rows: pl.DataFrame, outcome: Array) -> float:
    said = model.predict(rows)["p_renew_30d"].to_numpy()
    return log_loss(outcome, said, np.ones(len(outcome)))


def contributions_by_feature(
    model: RenewalModel | HazardModel, rows: pl.DataFrame
) -> tuple[list[str], Array] | None:
    """Catalogue features, the strongest first, and (rows, features) what each adds to the log odds or log hazard.

    None from families that cannot tell, or without rows.
    """
    parts = model.contributions(rows) if rows.height else None
    if parts is None or not parts.size:
        return None
    parents = [model.features.feature_of(name) for name in model.features.names]
    names = sorted(set(parents))
    place = np.array([names.index(parent) for parent in parents])
    summed = np.zeros((len(parts), len(names)))
    np.add.at(summed.T, place, parts.T)
    order = np.argsort(-np.abs(summed).mean(axis=0), kind="stable")
    return [names[i] for i in order], summed[:, order]


def learning_curve(
    model: RenewalModel, windows: Windows, shares: Sequence[float] = SHARES
) -> pl.DataFrame:
    """(members, passes, log_loss) on the out-of-time window of the same family fitted on a part of the members."""
    members = windows.fitting["user_id"].unique().sort()
    shuffled = members.sample(fraction=1.0, shuffle=True, seed=7)
    outcome = windows.test["renewed_30d"].cast(pl.Float64).to_numpy()
    found = []
    for share in shares:
        kept = shuffled.head(max(1, round(share * len(shuffled))))
        part = replace(
            windows,
            training=windows.training.filter(pl.col("user_id").is_in(kept.implode())),
            validation=windows.validation.filter(pl.col("user_id").is_in(kept.implode())),
            fitting=windows.fitting.filter(pl.col("user_id").is_in(kept.implode())),
        )
        if (
            part.fitting["renewed_30d"].n_unique() < 2
            or part.training["renewed_30d"].n_unique() < 2
        ):
            continue
        anew = model.unfitted() if share < 1 else model
        fitted = anew.fit(part) if share < 1 else model
        passes = part.fitting["hp_id"].n_unique()
        found.append((len(kept), passes, _loss(fitted, windows.test, outcome)))
    schema = {"members": pl.Int64, "passes": pl.Int64, "log_loss": pl.Float64}
    return pl.DataFrame(found, schema=schema, orient="row")
