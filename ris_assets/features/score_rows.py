"""From a day's snapshot and a model's probabilities to the rows of `ris.model_scores_daily`."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from ris_assets.evaluation.bands import band_of
from ris_assets.features.reasons import reasons_of
from ris_assets.models.hazard import HazardModel
from ris_assets.models.renewal import PROBABILITIES, RenewalModel, risk_scores

PROBABILITY_DECIMALS = 6
"""Rounded, so that a day scored alone and the same day scored within a range agree to the last digit."""
WEEK_DECIMALS = 2
MONEY_DECIMALS = 2


@dataclass(frozen=True)
class Scorers:
    """The models that score, and how they are called in the registry."""

    renewal: RenewalModel
    survival: HazardModel
    name: str
    version: int
    survival_version: int


def score_rows(snapshot: pl.DataFrame, catalog: pl.DataFrame, scorers: Scorers) -> pl.DataFrame:
    """One score a snapshot row, any number of days at once; the same rows give the same scores.

    A member who has already bought the next pass renews with certainty (`basis` renewed).
    """
    renewed = snapshot["is_already_renewed"].fill_null(False)
    probability = scorers.renewal.predict(snapshot).with_columns(
        pl.when(renewed).then(1.0).otherwise(pl.col(name).round(PROBABILITY_DECIMALS)).alias(name)
        for name in PROBABILITIES
    )
    model = scorers.renewal
    scored = snapshot.hstack(probability).with_columns(
        pl.col("as_of_date").alias("score_date"),
        pl.Series("expected_weeks_left", scorers.survival.expected_weeks(snapshot)).round(
            WEEK_DECIMALS
        ),
        pl.Series("risk_score", risk_scores(probability[PROBABILITIES[0]].to_numpy())),
        reasons_of(snapshot, catalog, model.importance(), model.reference),
        pl.when(renewed).then(pl.lit("renewed")).otherwise(pl.lit(model.basis)).alias("basis"),
        pl.lit(scorers.name).alias("model_name"),
        pl.lit(scorers.version, pl.Int32).alias("model_version"),
        pl.lit(scorers.survival_version, pl.Int32).alias("survival_version"),
    )
    lost = (1 - pl.col(PROBABILITIES[0])) * pl.col("price").cast(pl.Float64)
    return scored.with_columns(
        band_of(pl.col("risk_score"), model.bands).alias("risk_band"),
        lost.round(MONEY_DECIMALS).alias("value_at_risk"),
    )


def band_counts(scores: pl.DataFrame, bands: Mapping[str, float]) -> pl.DataFrame:
    """Members, mean P(renew in 30 days) and value at risk by band, riskiest first."""
    order = {band: place for place, band in enumerate(bands)}
    return (
        scores.group_by("risk_band")
        .agg(
            pl.len().alias("members"),
            pl.col(PROBABILITIES[0]).mean().alias("mean_p_renew_30d"),
            pl.col("value_at_risk").sum(),
        )
        .sort(pl.col("risk_band").replace_strict(order, return_dtype=pl.Int32), descending=True)
    )
