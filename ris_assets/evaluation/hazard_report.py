"""What is looked into for one hazard, out of time: calibration, intervals, Brier score by week, shuffled features.

The metrics themselves stand in `survival.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from ris_assets.evaluation.explain import SHUFFLED, sample
from ris_assets.evaluation.gate import mean_interval
from ris_assets.evaluation.metrics import log_losses, reliability
from ris_assets.evaluation.probability_scores import Interval, bootstrap
from ris_assets.evaluation.renewal_report import with_bounds
from ris_assets.evaluation.split import Windows
from ris_assets.evaluation.survival import HORIZON_WEEKS, origins_in, outcomes_after
from ris_assets.evaluation.survival_scores import (
    Censoring,
    antolini_concordance,
    brier_scores,
    kaplan_meier,
    time_dependent_auc,
)
from ris_assets.models.hazard import MAX_WEEKS, HazardModel

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
    snapshots = _snapshots(windows, weeks)
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


@dataclass(frozen=True)
class Sunday:
    """The members of one Sunday: what became of them, and their curves.

    Attributes:
        event, time: whether the end was seen, and the last week known.
        weeks: those that can be scored: somebody had left by then, and somebody was still seen.
        curve: (members, weeks).
    """

    event: Array
    time: Array
    weeks: Array
    curve: Array


def first_sunday(model: HazardModel, windows: Windows, weeks: pl.DataFrame) -> Sunday | None:
    """The first one after the fitting cut, as `survival.curve_metrics` scores it; None where there is too little."""
    snapshots = _snapshots(windows, weeks)
    origin = snapshots.filter(pl.col("as_of_date") == pl.col("as_of_date").min())
    outcomes = outcomes_after(origin, weeks)
    event = outcomes["event_week"].is_not_null().to_numpy()
    known = outcomes.select(pl.coalesce("event_week", "last_week")).to_series()
    time = known.cast(pl.Float64).to_numpy()
    last = min(int(time[event].max(initial=0)), int(time[~event].max(initial=0)) - 1, MAX_WEEKS)
    if last < 2:
        return None
    at = np.arange(1, last + 1)
    curve = model.predict_survival(origin, tuple(int(week) for week in at))
    return Sunday(event, time, at.astype(float), curve)


def _snapshots(windows: Windows, weeks: pl.DataFrame) -> pl.DataFrame:
    seen = pl.col("as_of_date")
    return weeks.filter(seen.is_not_null() & (seen > windows.cuts.fit))


def brier_by_week(sunday: Sunday) -> pl.DataFrame:
    """weeks, model, base_rate: Brier scores, censoring weighed, beside those of one curve for everyone."""
    event, time, at = sunday.event, sunday.time, sunday.weeks
    censoring = Censoring.of(event, time)
    base = np.broadcast_to(kaplan_meier(event, time, at), sunday.curve.shape)
    sides = {"model": sunday.curve, "base_rate": base}
    scores = {
        side: brier_scores(censoring, event, time, curve, at) for side, curve in sides.items()
    }
    return pl.DataFrame({"weeks": at, **scores})


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
    censoring = Censoring.of(sunday.event, sunday.time)
    found = {"ibs": mean_interval(_squares(sunday, censoring), np.arange(len(sunday.time)))}
    if len(sunday.time) > MOST_DRAWN:
        return found
    at, horizons = sunday.weeks, [week for week in HORIZON_WEEKS if week <= sunday.weeks[-1]]
    statistics: dict[str, Callable[..., float]] = {
        "antolini": lambda event, time, curve: antolini_concordance(event, time, curve, at)
    }
    statistics |= {f"auc_{week}w": _auc_at(week, censoring) for week in horizons}
    arrays = sunday.event, sunday.time, sunday.curve
    drawn = {name: bootstrap(one, *arrays, rounds=ROUNDS) for name, one in statistics.items()}
    return found | {name: one for name, one in drawn.items() if np.isfinite(one.low)}


def _squares(sunday: Sunday, censoring: Censoring) -> Array:
    """(members,): weighed squared error integrated over the weeks, the mean of which is the integrated Brier score."""
    time, at = sunday.time[:, None], sunday.weeks[None, :]
    ended, alive = (time <= at) & sunday.event[:, None], time > at
    counts = sunday.event & (sunday.time <= at.max())
    own = np.ones(len(sunday.time))
    own[counts] = censoring.at(sunday.time[counts])
    weight = ended / own[:, None] + alive / censoring.at(sunday.weeks)
    span = sunday.weeks[-1] - sunday.weeks[0]
    return np.trapezoid(weight * (sunday.curve - alive) ** 2, sunday.weeks, axis=1) / span


def _auc_at(week: int, censoring: Censoring) -> Callable[..., float]:
    at = np.array([float(week)])

    def auc(event: Array, time: Array, curve: Array) -> float:
        return float(time_dependent_auc(censoring, event, time, 1 - curve[:, week - 1], at)[0])

    return auc


def permutation(model: HazardModel, windows: Windows) -> dict[str, float]:
    """Catalogue feature -> rise of the log loss when it is shuffled between person-weeks that have a snapshot."""
    known = windows.test.filter(pl.col("as_of_date").is_not_null()).sort("week_start", "spell_id")
    rows = sample(known)
    if not rows.height:
        return {}
    event = rows["event"].cast(pl.Float64).to_numpy()

    def loss(weeks: pl.DataFrame) -> float:
        return float(log_losses(event, model.predict_hazard(weeks)).mean())

    base, order = loss(rows), np.random.default_rng(7).permutation(rows.height)
    asked = [name for name, share in model.importance().items() if share > 0][:SHUFFLED]
    found = {}
    for feature in asked:
        columns = [c for c in model.features.columns if model.features.parents.get(c, c) == feature]
        shuffled = rows.with_columns(rows[column].gather(order) for column in columns)
        found[feature] = loss(shuffled) - base
    return found
