"""How good survival curves are, out of time: by person-week, by horizon, by order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from ris_assets.evaluation.metrics import binary_metrics, log_loss
from ris_assets.evaluation.split import Cuts, Windows
from ris_assets.evaluation.survival_scores import (
    Censoring,
    antolini_concordance,
    integrated_brier_score,
    kaplan_meier,
    time_dependent_auc,
)
from ris_assets.features.matrix import FeatureSet
from ris_assets.features.training_rows import GRACE_DAYS
from ris_assets.models.hazard import MAX_WEEKS, HazardModel
from ris_assets.models.rate_weeks import BaseRateWeeks

HORIZON_WEEKS = (4, 8, 12)
Array = np.ndarray


def survival_metrics(model: HazardModel, windows: Windows, weeks: pl.DataFrame) -> dict[str, float]:
    """Everything that is said of a hazard model, flat, on weeks that it has not seen.

    Args:
        windows: person-weeks beside their snapshots, parted by time.
        weeks: all mature person-weeks, the straddling and the frozen ones too: they tell what became of a member.
    """
    if not windows.test.height:
        return {}
    metrics = _person_week_metrics(model, windows)
    snapshots = snapshots_after(windows.cuts.fit, weeks)
    for horizon in HORIZON_WEEKS:
        origins = origins_in(snapshots["as_of_date"], windows.cuts.fit, windows.cuts.as_of, horizon)
        rows = snapshots.filter(pl.col("as_of_date").is_in(origins))
        if rows.height:
            survival = model.predict_survival(rows, (horizon,))[:, 0]
            metrics |= horizon_metrics(survival, outcomes_after(rows, weeks), horizon)
    first = snapshots.filter(pl.col("as_of_date") == snapshots["as_of_date"].min())
    if first.height:
        metrics["concordance"] = concordance(
            model.expected_weeks(first), outcomes_after(first, weeks)
        )
    if sunday := first_sunday(model, windows, weeks):
        metrics |= curve_metrics(sunday)
    return {name: value for name, value in metrics.items() if not np.isnan(value)}


def future_scores(
    model: HazardModel, cuts: Cuts, weeks: pl.DataFrame, half_lives: Sequence[float | None]
) -> dict[float | None, float]:
    """Mean Brier score of 4, 8 and 12 weeks ahead under each rule for the weeks ahead.

    Args:
        model: fitted on what was known by `cuts.fit`.
        weeks: all that is known by `cuts.as_of`.

    Returns:
        Empty where no horizon has passed yet.
    """
    snapshots = snapshots_after(cuts.fit, weeks)
    found: dict[float | None, list[float]] = {rule: [] for rule in half_lives}
    for horizon in HORIZON_WEEKS:
        origins = origins_in(snapshots["as_of_date"], cuts.fit, cuts.as_of, horizon)
        rows = snapshots.filter(pl.col("as_of_date").is_in(origins))
        if not rows.height:
            continue
        event = outcomes_after(rows, weeks)["event_week"]
        alive = (event.is_null() | (event > horizon)).to_numpy().astype(float)
        for rule, said in zip(
            half_lives, model.survival_under(half_lives, rows, (horizon,)), strict=True
        ):
            found[rule].append(float(np.mean((said[:, 0] - alive) ** 2)))
    return {rule: float(np.mean(scores)) for rule, scores in found.items() if scores}


def _person_week_metrics(model: HazardModel, windows: Windows) -> dict[str, float]:
    """Log loss and the like by person-week, beside the share lost in such weeks before."""
    event = windows.test["event"].cast(pl.Float64).to_numpy()
    metrics = binary_metrics(event, model.predict_hazard(windows.test))
    rate = BaseRateWeeks(FeatureSet(())).fit(windows.fitting, windows.validation)
    base = rate.predict_hazard(windows.test)
    named = {f"person_week_{name}": value for name, value in metrics.items()}
    named["person_week_base_rate_log_loss"] = log_loss(event, base, np.ones(len(event)))
    return named


def outcomes_after(origin: pl.DataFrame, weeks: pl.DataFrame) -> pl.DataFrame:
    """What became of the members of a Sunday's snapshot: event_week and last_week, counted from it.

    Args:
        origin: rows with as_of_date (a Sunday) and spell_id.
        weeks: person-weeks of `interval_hp` whose outcome is mature, frozen ones beside them.

    Returns:
        Rows and order of `origin`; event_week is null while the spell goes on, last_week is the
        last week that is known. A spell that ends frozen does so later than its last week at risk.
    """
    ended_on = pl.col("matures_on") - pl.duration(days=GRACE_DAYS)
    spells = weeks.group_by("spell_id").agg(
        ended_on.filter(pl.col("event")).max().alias("ended_on"),
        pl.col("week_start").max().alias("last_start"),
    )
    joined = origin.select("as_of_date", "spell_id").join(
        spells, "spell_id", "left", maintain_order="left"
    )

    def step(start: str) -> pl.Expr:
        return ((pl.col(start) - pl.col("as_of_date")).dt.total_days() + 6) // 7

    return joined.select(
        step("ended_on").clip(lower_bound=1).alias("event_week"),
        step("last_start").clip(lower_bound=0).fill_null(0).alias("last_week"),
    )


def horizon_metrics(survival: Array, outcomes: pl.DataFrame, weeks: int) -> dict[str, float]:
    """Brier score at a horizon, beside that of the best constant; every row is known by then."""
    event = outcomes["event_week"]
    alive = (event.is_null() | (event > weeks)).to_numpy().astype(float)
    return {
        f"brier_{weeks}w": float(np.mean((survival - alive) ** 2)),
        f"brier_{weeks}w_base_rate": float(np.mean((alive.mean() - alive) ** 2)),
        f"survived_{weeks}w_predicted": float(survival.mean()),
        f"survived_{weeks}w_observed": float(alive.mean()),
    }


def concordance(expected_weeks: Array, outcomes: pl.DataFrame) -> float:
    """Harrell's C of expected weeks left against what is known; nan where nobody outlived anyone's event."""
    from lifelines.utils import concordance_index

    event = outcomes["event_week"].is_not_null().to_numpy()
    known = outcomes.select(pl.coalesce("event_week", "last_week")).to_series().to_numpy()
    try:
        return float(concordance_index(known, expected_weeks, event))
    except ZeroDivisionError:
        return float("nan")


@dataclass(frozen=True)
class Sunday:
    """The members of one Sunday: what became of them, and their curves.

    Attributes:
        event, time: whether the end was seen, and the last week known.
        weeks: those that can be scored, see `scored_through`.
        curve: (members, weeks).
    """

    event: Array
    time: Array
    weeks: Array
    curve: Array

    @property
    def censoring(self) -> Censoring:
        """How long members were seen."""
        return Censoring.of(self.event, self.time)

    @property
    def horizons(self) -> list[int]:
        """The horizons that can be scored."""
        return [week for week in HORIZON_WEEKS if week <= self.weeks[-1]]

    @property
    def base_rate(self) -> Array:
        """One curve for everyone."""
        return np.broadcast_to(kaplan_meier(self.event, self.time, self.weeks), self.curve.shape)


def first_sunday(model: HazardModel, windows: Windows, weeks: pl.DataFrame) -> Sunday | None:
    """What a model says on the first Sunday after the fitting cut, and what became of it.

    None where too little is known.

    Args:
        weeks: all mature person-weeks: they tell what became of a member.
    """
    snapshots = snapshots_after(windows.cuts.fit, weeks)
    origin = snapshots.filter(pl.col("as_of_date") == pl.col("as_of_date").min())
    outcomes = outcomes_after(origin, weeks)
    event = outcomes["event_week"].is_not_null().to_numpy()
    time = (
        outcomes.select(pl.coalesce("event_week", "last_week")).to_series().to_numpy().astype(float)
    )
    last = scored_through(event, time)
    if last < 2:
        return None
    at = np.arange(1, last + 1)
    curve = model.predict_survival(origin, tuple(int(week) for week in at))
    return Sunday(event, time, at.astype(float), curve)


def scored_through(event: Array, time: Array) -> int:
    """The last week that can be scored: somebody had left by then, and half of those who stayed are seen beyond.

    Known for longer than the others is who has renewed early: weights of censoring would let them stand for all.
    """
    if event.all() or not event.any():
        return 0
    return min(int(time[event].max()), int(np.median(time[~event])) - 1, MAX_WEEKS)


def snapshots_after(cut: date, weeks: pl.DataFrame) -> pl.DataFrame:
    """Person-weeks that have a snapshot, of later days.

    Those of a pass that runs out on the day of the snapshot are left out: a week after it has who stays alone.
    """
    stays = (pl.col("days_to_end") == 0) & ~pl.col("is_already_renewed")
    later = pl.col("as_of_date").is_not_null() & (pl.col("as_of_date") > cut)
    return weeks.filter(later & ~stays.fill_null(False))


def curve_metrics(sunday: Sunday) -> dict[str, float]:
    """Scores of whole curves, censoring weighed: antolini, ibs, ibs_base_rate, auc_4w, auc_8w, auc_12w."""
    event, time, at, censoring = sunday.event, sunday.time, sunday.weeks, sunday.censoring
    found = {
        "antolini": antolini_concordance(event, time, sunday.curve, at),
        "ibs": integrated_brier_score(censoring, event, time, sunday.curve, at),
        "ibs_base_rate": integrated_brier_score(censoring, event, time, sunday.base_rate, at),
    }
    if horizons := sunday.horizons:
        risk = np.column_stack([1 - sunday.curve[:, week - 1] for week in horizons])
        aucs = time_dependent_auc(censoring, event, time, risk, np.array(horizons, dtype=float))
        found |= {f"auc_{week}w": float(auc) for week, auc in zip(horizons, aucs, strict=True)}
    return found


def origins_in(days: pl.Series, after: date, as_of: date, weeks: int) -> list[date]:
    """Sundays, every fourth, from which `weeks` ahead is known by `as_of`."""
    last = as_of - timedelta(days=7 * weeks + GRACE_DAYS)
    usable = days.unique().sort().to_list()
    return [day for day in usable if after < day <= last][::4]
