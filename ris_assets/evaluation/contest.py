"""A renewal training from rows to judged models: tier, split, search, backtest, fit, report, choose. No I/O.

Families are compared by a rolling backtest inside the time before the fitting cut. The out-of-time window is for
judging the one that is chosen: choosing by it as well would flatter.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date
from typing import ClassVar

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from ris_assets.evaluation.backtest import earlier_windows
from ris_assets.evaluation.contender import (
    loss_of,
    said_by,
    strongest_columns,
    unjudged,
    winner_of,
)
from ris_assets.evaluation.evidence import Evidence
from ris_assets.evaluation.gate import Verdict, judge, rule_shares
from ris_assets.evaluation.metrics import binary_metrics
from ris_assets.evaluation.probability_scores import DEFAULT_COSTS, Costs
from ris_assets.evaluation.renewal_report import RenewalReport, report_on
from ris_assets.evaluation.split import Windows, cuts_for, split_by_time
from ris_assets.evaluation.tiers import Tier, tier_of, told
from ris_assets.features.matrix import FeatureSet, choose_features
from ris_assets.features.training_rows import renewal_rows
from ris_assets.models.base_rate import BaseRateRenewal
from ris_assets.models.protocol import RENEWAL_HORIZONS, Fold, RenewalEstimator
from ris_assets.models.renewal import ESTIMATORS, RenewalModel, balanced, new_estimator
from ris_assets.models.ridge_renewal import RidgeRenewal
from ris_assets.models.rule_renewal import EDGES as STREAK_WEEKS
from ris_assets.models.rule_renewal import FEATURE as STREAK
from ris_assets.models.rule_renewal import RuleRenewal
from ris_assets.models.search import BALANCE, Found, fold_losses, search

CLOCKS = ("tenure_days", "spell_weeks")
BY_THE_DAY = 0.5
"""Share of a clock's variance that the day tells, from which on it is no feature of members. Tenure goes by the day
in a young studio (0.79 of the demo's), and tells much of who leaves an old business (of IBM's telephone customers, next
to none of it the day's, the AUC out of time is 0.82 without it instead of 0.86); so do weeks in the spell, where all
spells begin with the history (0.78 of the same; of the demo's 0.34)."""
CALENDAR_FEATURES = (
    "pass_number",
    "renewals_so_far",
    "days_between_purchases_mean",
    "season_attendance_index",
    "holiday_days",
    "spent_so_far",
    "clan_days",
)
"""Counted from the beginning of the history, they grow with the calendar, so a model extrapolates along them. Without
them and tenure the demo's log loss falls from 0.4820 to 0.4812 and the mean score comes 0.3 points nearer to what
happened."""
AT_ONCE = 2
"""Families that are fitted side by side."""
Array = np.ndarray


@dataclass(frozen=True)
class RenewalContender:
    """A fitted renewal model and what it did.

    Attributes:
        backtest: a row for each earlier window: its cuts, rows, metrics.
        found: what the search for settings tried.
    """

    model: RenewalModel
    report: RenewalReport
    backtest: pl.DataFrame = field(default_factory=pl.DataFrame)
    found: Found = field(default_factory=lambda: Found({}))
    LOSS: ClassVar[str] = "test_log_loss"

    @property
    def metrics(self) -> Mapping[str, float]:
        """On the out-of-time window."""
        return self.report.metrics


@dataclass(frozen=True)
class Budget:
    """How much may be searched: sets of settings a family, and seconds a family."""

    trials: int = 0
    seconds: float = 60.0


NO_SEARCH = Budget()


def renewal_windows(labelled: pl.DataFrame, as_of: date) -> Windows:
    """Weighted training rows, parted by time."""
    rows = renewal_rows(labelled)
    first = rows["as_of_date"].min()
    return split_by_time(rows, cuts_for(as_of, first if isinstance(first, date) else None))


def renewal_features(training: pl.DataFrame, catalog: pl.DataFrame) -> FeatureSet:
    """What renewal models read: the catalogue without `CALENDAR_FEATURES`, and without `CLOCKS` that go by the day."""
    clocks = [name for name in CLOCKS if name in training.columns]
    day = pl.col("as_of_date").cast(pl.Int32)
    found = training.select(
        pl.corr(pl.col(name).cast(pl.Float64), day).alias(name) for name in clocks
    )
    by_day = [name for name in clocks if (found[name][0] or 0.0) ** 2 > BY_THE_DAY]
    return choose_features(training, catalog, exclude=(*CALENDAR_FEATURES, *by_day))


def families_of(tier: Tier, features: FeatureSet) -> dict[str, FeatureSet]:
    """The families that a tier lets contend, with what each reads."""
    if tier is Tier.FULL:
        return dict.fromkeys(ESTIMATORS, features)
    if tier is Tier.SMALL:
        return {RidgeRenewal.family: features}
    if tier is Tier.RULE and STREAK in features.numeric:
        return {RuleRenewal.family: features.only((STREAK,))}
    return {BaseRateRenewal.family: features.only(())}


def fit_contenders(
    windows: Windows,
    catalog: pl.DataFrame,
    truth: pl.DataFrame | None = None,
    families: Sequence[str] = (),
    *,
    tier: Tier | None = None,
    budget: Budget = NO_SEARCH,
    costs: Costs = DEFAULT_COSTS,
    said: Callable[[str], object] = lambda _: None,
) -> dict[str, RenewalContender]:
    """One contender a family, on the same windows.

    Args:
        families: those of the tier to fit; all of them where none is named.
        tier: by default what the rows carry.
        truth: the simulator's probabilities, for the report.
        budget: of the search for settings.
        said: hears of the progress.
    """
    tier = tier or tier_of(windows)
    everything = renewal_features(windows.fitting, catalog)
    read = families_of(tier, everything)
    before = _earlier(windows) if tier in (Tier.FULL, Tier.SMALL) else []
    names = [family for family in families if family in read] or list(read)

    def contend(name: str) -> RenewalContender:
        features = read[name]
        found = _searched(name, features, before, budget)
        model = _model(name, features, found.settings, tier).fit(windows)
        model.with_reference(windows.fitting, everything)
        if model.basis != "model":
            model.with_newest(windows)
        backtest = _backtest(name, features, found.settings, before, tier)
        report = report_on(model, windows, truth, costs)
        one = RenewalContender(model, report, backtest, found)
        said(f"{name}: log loss {loss_of(one):.4f}, {len(backtest)} backtest windows")
        return one

    # Most families fit on one thread, and so does linear algebra: with more it would wait for its neighbour.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(AT_ONCE, "contender") as pool:
        return dict(zip(names, pool.map(contend, names), strict=True))


def fit_one(
    family: str, windows: Windows, catalog: pl.DataFrame, tier: Tier = Tier.FULL
) -> RenewalModel:
    """One family by itself, reading what a tier lets it read."""
    read = families_of(tier, renewal_features(windows.fitting, catalog))
    return _model(family, read.get(family) or next(iter(read.values())), {}, tier).fit(windows)


def _model(
    family: str, features: FeatureSet, settings: Mapping[str, float], tier: Tier
) -> RenewalModel:
    own = dict(settings)
    balance = float(own.pop(BALANCE, 0.0))
    estimator = new_estimator(family, own)
    is_insufficient = tier is Tier.INSUFFICIENT
    return RenewalModel(features, estimator, balance=balance, is_insufficient=is_insufficient)


def _earlier(windows: Windows) -> list[Windows]:
    """The windows of the backtest, newest first; nothing in them is known after the fitting cut."""
    return list(
        earlier_windows(
            windows.fitting, windows.cuts.fit, seen="as_of_date", matures="matures_30d_on",
            target="renewed_30d", unit="hp_id",
        )
    )  # fmt: skip


def _searched(
    family: str, features: FeatureSet, before: Sequence[Windows], budget: Budget
) -> Found:
    """Search on the backtest's windows, the oldest first."""
    if family not in ESTIMATORS or budget.trials < 2 or not before:
        return Found({})
    model = RenewalModel(features, ESTIMATORS[family]())
    folds = [
        (model.fold(one.fitting), model.fold(one.test), one.test["user_id"].to_numpy())
        for one in reversed(before)
    ]
    losses = fold_losses(folds, _raw)
    return search(ESTIMATORS[family], losses, len(folds), budget.trials, budget.seconds)


def _raw(estimator: RenewalEstimator, balance: float, training: Fold, matrix: Array) -> Array:
    """What an estimator says after fitting on a fold, its balance set right."""
    model = RenewalModel(FeatureSet(()), estimator)
    fold, model.shift = balanced(training, balance)
    estimator.fit(fold)
    return model.raw(matrix)


def _backtest(
    family: str,
    features: FeatureSet,
    settings: Mapping[str, float],
    before: Sequence[Windows],
    tier: Tier,
) -> pl.DataFrame:
    """Metrics of the family on every earlier window, fitted anew before each."""
    found = []
    for one in before:
        model = _model(family, features, settings, tier).fit(one)
        outcome = one.test["renewed_30d"].cast(pl.Float64).to_numpy()
        metrics = binary_metrics(outcome, model.predict(one.test)["p_renew_30d"].to_numpy())
        cuts = {"fitted_through": one.cuts.fit, "judged_through": one.cuts.as_of}
        found.append(cuts | metrics)
    return pl.DataFrame(found, infer_schema_length=None)


def judge_renewal(
    winner: RenewalContender,
    windows: Windows,
    champion: RenewalModel | None,
    fitted_through: date | None,
) -> Verdict:
    """The gate on the test window: against simple rules, and the champion where it has not seen that window.

    Below the tiers of models there is nothing to judge: what stands there promises no more than it knows.
    """
    tier = tier_of(windows)
    if winner.model.basis != "model":
        return unjudged(told(tier, windows), winner.model, champion, windows)
    test = windows.test

    def says(model: RenewalModel) -> Array:
        return model.predict(test).to_numpy()

    has_champion, known = said_by(champion, fitted_through, windows, says)
    said = says(winner.model)

    def at(days: int) -> Evidence:
        rows, place = known_after(test, days, windows.cuts.as_of), RENEWAL_HORIZONS.index(days)
        mature = test.filter(rows)
        return Evidence(
            outcome=mature[f"renewed_{days}d"].cast(pl.Float64).to_numpy(),
            members=mature["user_id"].to_numpy(),
            challenger=said[rows, place],
            rules=renewal_rules(windows, mature, days),
            champion=None if known is None else known[rows, place],
            champion_is_rule=champion is not None and champion.basis != "model",
        )

    first, *further = RENEWAL_HORIZONS
    later = {f"{days} days": at(days) for days in further}
    later = {name: evidence for name, evidence in later.items() if len(evidence.outcome)}
    evidence = replace(at(first), columns=strongest_columns(winner.model, test))
    return judge(evidence, has_champion, windows.tell_of_test(), later)


def known_after(rows: pl.DataFrame, days: int, by: date) -> Array:
    """Which rows' renewal within so many days is known by a day, whatever came of it."""
    return (
        rows.select((pl.col(f"matures_{days}d_on") <= by).fill_null(False)).to_series().to_numpy()
    )


def renewal_rules(windows: Windows, test: pl.DataFrame, days: int = 30) -> dict[str, Array]:
    """What anyone would say: the share that renewed before, of all and by how long members have come in a row."""
    fitting = windows.fitting.filter(known_after(windows.fitting, days, windows.cuts.fit))
    if not fitting.height:
        return {}
    before = fitting[f"renewed_{days}d"].cast(pl.Float64).to_numpy()
    rules = {"base rate": np.full(test.height, before.mean())}
    if STREAK in fitting.columns and fitting[STREAK].null_count() < fitting.height:
        known, asked = (
            frame[STREAK].cast(pl.Float64).fill_null(np.nan).to_numpy() for frame in (fitting, test)
        )
        rules["last streak"] = rule_shares(known, before, asked, STREAK_WEEKS)
    return rules


def stand_in(
    windows: Windows, catalog: pl.DataFrame, truth: pl.DataFrame | None = None
) -> RenewalContender:
    """What scores as long as no family passes the gate: the better of base rate and rule in the backtest."""
    features = renewal_features(windows.fitting, catalog)
    read = families_of(Tier.RULE, features) | families_of(Tier.INSUFFICIENT, features)
    before = _earlier(windows)
    contenders = {}
    for name, columns in read.items():
        model = _model(name, columns, {}, Tier.RULE).fit(windows)
        model.with_reference(windows.fitting, features)
        backtest = _backtest(name, columns, {}, before, Tier.RULE)
        contenders[name] = RenewalContender(model, report_on(model, windows, truth), backtest)
    return winner_of(contenders)
