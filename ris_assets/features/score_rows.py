"""From a day's snapshot and the models' probabilities to the rows of `ris.model_scores_daily`."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from ris_assets.evaluation.bands import band_of
from ris_assets.features.reasons import reasons_of
from ris_assets.models.hazard import CURVE_DAYS, MAX_WEEKS, HazardModel
from ris_assets.models.passes_ahead import weeks_in_spell
from ris_assets.models.protocol import Array
from ris_assets.models.reconcile import first_open_end, reconciled
from ris_assets.models.renewal import PROBABILITIES, RenewalModel, risk_scores

PROBABILITY_DECIMALS = 6
"""Rounded, so that a day scored alone and the same day scored within a range agree to the last digit."""
WEEK_DECIMALS = 2
MONEY_DECIMALS = 2
LOST_DAYS = (7, 30, 60, 90)
SOONEST_LOST = ("p_lost_30d", "value_at_risk")
"""Columns that members are ordered by, the highest first, where people look for those most at risk."""
PAYMENT_FAILED = "payment_failed"
BOUNDS = {"_low": "_high", "_high": "_low"}
"""End of the interval of a loss -> that of the renewal it comes from: the likelier a renewal, the less is lost."""
BLOCK = 8_192
"""Rows whose curves are in memory at once."""


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
    model = scorers.renewal
    probability = renewal_columns(snapshot, model)
    scored = snapshot.hstack(probability).with_columns(
        pl.col("as_of_date").alias("score_date"),
        pl.Series("risk_score", risk_scores(probability[PROBABILITIES[0]].to_numpy())),
        reasons_of(snapshot, catalog, model.importance(), model.reference),
        pl.when(renewed).then(pl.lit("renewed")).otherwise(pl.lit(model.basis)).alias("basis"),
        pl.lit(scorers.name).alias("model_name"),
        pl.lit(scorers.version, pl.Int32).alias("model_version"),
        pl.lit(scorers.survival_version, pl.Int32).alias("survival_version"),
    )
    return scored.hstack(curve_columns(snapshot, probability, scorers.survival)).with_columns(
        band_of(pl.col("risk_score"), model.bands).alias("risk_band"),
        value_at_risk().round(MONEY_DECIMALS),
    )


def value_at_risk() -> pl.Expr:
    """What the member may not pay again: (1 - p_renew_30d) times the price, none where that is below 0.

    None either of a pass that ends beyond the weeks that curves are told for: it is not up for renewal now.
    """
    lost = (1 - pl.col(PROBABILITIES[0])) * pl.col("price").cast(pl.Float64).clip(lower_bound=0)
    is_far = pl.col("days_to_end") > 7 * MAX_WEEKS
    return pl.when(is_far).then(0.0 * lost).otherwise(lost).alias("value_at_risk")


def most_at_risk(scores: pl.DataFrame, count: int) -> pl.DataFrame:
    """The members likeliest lost within 30 days, of those alike who has more money at risk first.

    P(renew) alone would not do: a pass that ends in years may be unlikely to be renewed, and is not lost soon.
    """
    return scores.sort(
        *SOONEST_LOST, "user_id", descending=[True, True, False], nulls_last=True
    ).head(count)


def renewal_columns(snapshot: pl.DataFrame, model: RenewalModel) -> pl.DataFrame:
    """p_renew_30d/60d/90d with their bounds, null from models of many passes; all 1 for who has renewed."""
    renewed = snapshot["is_already_renewed"].fill_null(False)
    bounds = model.predict_interval(snapshot)
    sides = {"": model.predict(snapshot)}
    if bounds is not None:
        sides |= {"_low": bounds[0], "_high": bounds[1]}
    columns = [
        pl.when(renewed)
        .then(1.0)
        .otherwise(frame[name].round(PROBABILITY_DECIMALS))
        .alias(name + side)
        for side, frame in sides.items()
        for name in PROBABILITIES
    ]
    unknown = (
        [] if bounds is not None else [f"{n}{s}" for n in PROBABILITIES for s in ("_low", "_high")]
    )
    return snapshot.select(*columns, *(pl.lit(None, pl.Float64).alias(n) for n in unknown))


def curve_columns(
    snapshot: pl.DataFrame, probability: pl.DataFrame, model: HazardModel
) -> pl.DataFrame:
    """The curve, made to agree with the renewal model: p_lost_*, p_payment_failed_90d, expected_weeks_left.

    The losses have bounds where the renewal (`probability`, see `renewal_columns`) has: what the curve would be at
    its ends.
    """
    parts = [
        _curve_block(snapshot[start : start + BLOCK], probability[start : start + BLOCK], model)
        for start in range(0, max(snapshot.height, 1), BLOCK)
    ]
    return pl.concat(parts)


def _curve_block(
    snapshot: pl.DataFrame, probability: pl.DataFrame, model: HazardModel
) -> pl.DataFrame:
    curve = model.predict_survival_on(snapshot, CURVE_DAYS)
    failed = _failed_share(snapshot, model)
    agreed = reconciled(curve, snapshot, probability[PROBABILITIES[0]].to_numpy())
    columns = [_losses(agreed, failed)]
    # Of a pass that has been followed, or ends beyond the curve, the renewal model says nothing here.
    is_told = pl.Series(first_open_end(snapshot, len(CURVE_DAYS)) >= 0)
    for side, other in BOUNDS.items():
        renewing = probability[PROBABILITIES[0] + other]
        if renewing.null_count() == renewing.len():
            bound = columns[0].clear(snapshot.height)
        else:
            bound = _losses(reconciled(curve, snapshot, renewing.to_numpy()), failed)
        known = pl.when(is_told & renewing.is_not_null()).then(pl.all())
        columns.append(bound.select(known.name.suffix(side)))
    weeks_left = pl.Series("expected_weeks_left", weeks_in_spell(agreed, snapshot))
    return pl.concat([*columns, weeks_left.round(WEEK_DECIMALS).to_frame()], how="horizontal")


def _failed_share(snapshot: pl.DataFrame, model: HazardModel) -> Array:
    """(rows,): of the losses the share in which a payment was tried and failed."""
    if PAYMENT_FAILED not in model.causes.names:
        return np.zeros(snapshot.height)
    shares = model.causes.predict(model.features.encode(snapshot))
    return shares[:, model.causes.names.index(PAYMENT_FAILED)]


def _losses(curve: Array, failed: Array) -> pl.DataFrame:
    """p_lost_* and p_payment_failed_90d as a curve of days 1, 2, ... has them."""
    lost = 1 - curve[:, np.array(LOST_DAYS) - 1]
    columns = {f"p_lost_{days}d": lost[:, place] for place, days in enumerate(LOST_DAYS)}
    columns["p_payment_failed_90d"] = failed * lost[:, -1]
    return pl.DataFrame(columns).select(pl.all().round(PROBABILITY_DECIMALS))


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
