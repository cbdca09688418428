"""What is looked into for one hazard, out of time: calibration, bands, intervals, scores by week, shuffled features.

The metrics themselves stand in `survival.py`.
"""

from collections.abc import Callable

import numpy as np
import polars as pl

from ris_assets.evaluation.bands import band_limits, band_table
from ris_assets.evaluation.explain import sample, shuffled
from ris_assets.evaluation.gate import mean_interval
from ris_assets.evaluation.metrics import log_losses, reliability
from ris_assets.evaluation.probability_scores import Interval, bootstrap
from ris_assets.evaluation.renewal_report import with_bounds
from ris_assets.evaluation.split import Windows
from ris_assets.evaluation.survival import (
    HORIZON_WEEKS,
    Sunday,
    origins_in,
    outcomes_after,
    snapshots_after,
)
from ris_assets.evaluation.survival_scores import (
    Censoring,
    antolini_concordance,
    brier_scores,
    squared_errors,
    time_dependent_auc,
)
from ris_assets.models.hazard import HazardModel
from ris_assets.models.renewal import risk_scores

MOST_DRAWN = 1_000
"""Members of a Sunday up to which pairs of them are counted again in every draw."""
ROUNDS = 200
Array = np.ndarray


def said_ahead(
    model: HazardModel, windows: Windows, weeks: pl.DataFrame
) -> dict[int, pl.DataFrame]:
    """Weeks ahead -> what was said on every fourth Sunday from which it is known, and what happened.

    Args:
        weeks: all mature person-weeks: they tell what became of a member.

    Returns:
        Frames of spell_id, said (P still in the spell), alive (0 or 1), weight (a spell counts as one).
    """
    snapshots = snapshots_after(windows.cuts.fit, weeks)
    found = {}
    for horizon in HORIZON_WEEKS:
        origins = origins_in(snapshots["as_of_date"], windows.cuts.fit, windows.cuts.as_of, horizon)
        rows = snapshots.filter(pl.col("as_of_date").is_in(origins))
        if not rows.height:
            continue
        event = outcomes_after(rows, weeks)["event_week"]
        found[horizon] = rows.select(
            "spell_id",
            pl.Series("said", model.predict_survival(rows, (horizon,))[:, 0]),
            (event.is_null() | (event > horizon)).cast(pl.Float64).alias("alive"),
            (1 / pl.len().over("spell_id")).alias("weight"),
        )
    return found


def calibration(ahead: dict[int, pl.DataFrame]) -> dict[int, pl.DataFrame]:
    """Weeks ahead -> reliability bins with intervals, weighed in spells."""
    found = {}
    for horizon, rows in ahead.items():
        alive, said, weight = (rows[name].to_numpy() for name in ("alive", "said", "weight"))
        found[horizon] = with_bounds(reliability(alive, said, weight))
    return found


def bands(ahead: dict[int, pl.DataFrame]) -> pl.DataFrame:
    """Risk bands of P(still there) at the nearest horizon, as `band_table`.

    They are cut on every other member and judged on the rest: nothing is told of those by whom they were cut.
    """
    rows = ahead.get(HORIZON_WEEKS[0])
    if rows is None:
        return pl.DataFrame()
    is_cut_by = np.unique(members_of(rows), return_inverse=True)[1] % 2 == 0
    alive, said, weight = (rows[name].to_numpy() for name in ("alive", "said", "weight"))
    risk = risk_scores(said)
    limits = band_limits(risk[is_cut_by], 1 - alive[is_cut_by], weight[is_cut_by])
    judged = (column[~is_cut_by] for column in (risk, said, alive, weight))
    return band_table(limits, *judged)


def brier_by_week(sunday: Sunday) -> pl.DataFrame:
    """weeks, model, base_rate: Brier scores, censoring weighed, beside those of one curve for everyone."""
    sides = {"model": sunday.curve, "base_rate": sunday.base_rate}
    scores = {
        side: brier_scores(sunday.censoring, sunday.event, sunday.time, curve, sunday.weeks)
        for side, curve in sides.items()
    }
    return pl.DataFrame({"weeks": sunday.weeks, **scores})


def intervals(
    model: HazardModel,
    windows: Windows,
    ahead: dict[int, pl.DataFrame],
    sunday: Sunday | None,
) -> dict[str, Interval]:
    """95% intervals of the metrics of `survival.survival_metrics`, members drawn whole."""
    test = windows.test
    if not test.height:
        return {}
    event = test["event"].cast(pl.Float64).to_numpy()
    losses = log_losses(event, model.predict_hazard(test))
    found = {"person_week_log_loss": mean_interval(losses, members_of(test))}
    for horizon, rows in ahead.items():
        members, alive = members_of(rows), rows["alive"].to_numpy()
        squares = (rows["said"].to_numpy() - alive) ** 2
        found[f"brier_{horizon}w"] = mean_interval(squares, members)
        found[f"survived_{horizon}w_observed"] = mean_interval(alive, members)
    return found | (_of_curves(sunday) if sunday else {})


def members_of(rows: pl.DataFrame) -> Array:
    """Whose each row is: the id of a spell is the member's with a number."""
    return rows["spell_id"].str.replace(r":\d+$", "").to_numpy()


def _of_curves(sunday: Sunday) -> dict[str, Interval]:
    """Of what is scored on one Sunday, every row a member; weights of censoring are those of all.

    Order is drawn up to `MOST_DRAWN` members: it takes all pairs of them every time.
    """
    censoring, at = sunday.censoring, sunday.weeks
    errors = squared_errors(censoring, sunday.event, sunday.time, sunday.curve, at)
    integrated = np.trapezoid(errors, at, axis=1) / (at[-1] - at[0])
    found = {"ibs": mean_interval(integrated, np.arange(len(sunday.time)))}
    if len(sunday.time) > MOST_DRAWN:
        return found
    statistics: dict[str, Callable[..., float]] = {
        "antolini": lambda event, time, curve: antolini_concordance(event, time, curve, at)
    }
    statistics |= {f"auc_{week}w": _auc_at(week, censoring) for week in sunday.horizons}
    arrays = sunday.event, sunday.time, sunday.curve
    drawn = {name: bootstrap(one, *arrays, rounds=ROUNDS) for name, one in statistics.items()}
    return found | {name: one for name, one in drawn.items() if np.isfinite(one.low)}


def _auc_at(week: int, censoring: Censoring) -> Callable[..., float]:
    at = np.array([float(week)])

    def auc(event: Array, time: Array, curve: Array) -> float:
        return float(time_dependent_auc(censoring, event, time, 1 - curve[:, week - 1], at)[0])

    return auc


def explained_weeks(windows: Windows) -> pl.DataFrame:
    """Person-weeks of the test window that have a snapshot, so many as are looked into."""
    known = windows.test.filter(pl.col("as_of_date").is_not_null())
    return sample(known.sort("week_start", "spell_id"))


def permutation(model: HazardModel, rows: pl.DataFrame) -> dict[str, float]:
    """Catalogue feature -> rise of the log loss when it is shuffled between person-weeks."""
    if not rows.height:
        return {}
    event = rows["event"].cast(pl.Float64).to_numpy()

    def loss(weeks: pl.DataFrame) -> float:
        return float(log_losses(event, model.predict_hazard(weeks)).mean())

    return shuffled(model, rows, loss)
