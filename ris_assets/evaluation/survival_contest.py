"""A survival training from person-weeks to judged hazards: tier, split, backtest, rule for the weeks ahead, fit."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, ClassVar

import numpy as np
import polars as pl

from ris_assets.evaluation.backtest import earlier_windows
from ris_assets.evaluation.contender import (
    loss_of,
    said_by,
    strongest_columns,
    unjudged,
    winner_of,
)
from ris_assets.evaluation.evidence import Evidence
from ris_assets.evaluation.gate import Verdict, judge
from ris_assets.evaluation.metrics import binary_metrics
from ris_assets.evaluation.split import Cuts, Windows, cuts_for, known_by, split_by_time
from ris_assets.evaluation.survival import future_scores, survival_metrics
from ris_assets.evaluation.tiers import Tier, tier_of, told
from ris_assets.features.matrix import FeatureSet, choose_features
from ris_assets.models.end_causes import LAPSED, EndCauses
from ris_assets.models.hazard import HALF_LIVES, HazardModel, rule_name
from ris_assets.models.hazard_families import HAZARDS, RATES
from ris_assets.models.linear_weeks import LinearWeeks
from ris_assets.models.next_pass import NextPass
from ris_assets.models.rate_weeks import BaseRateWeeks, RuleWeeks
from ris_assets.models.rule_renewal import FEATURE as STREAK
from ris_assets.models.week_clock import CLOCK_FEATURES, ends_in_week

TARGET, UNIT = "event", "spell_id"
PRIOR_WEEKS = {Tier.FULL: 0.0, Tier.SMALL: 2.0, Tier.RULE: 5.0, Tier.INSUFFICIENT: 5.0}
CAUSES = ("lapsed", "payment_failed")
Array = np.ndarray


@dataclass(frozen=True)
class SurvivalContender:
    """A fitted hazard and what it did.

    Attributes:
        metrics: on the out-of-time window.
        backtest: a row for each earlier window: its cuts, weeks, log loss a person-week.
        rules: half-life (None holds the last week) -> mean Brier score of 4, 8 and 12 weeks in the backtest.
    """

    model: HazardModel
    metrics: Mapping[str, float]
    backtest: pl.DataFrame = field(default_factory=pl.DataFrame)
    rules: Mapping[float | None, float] = field(default_factory=dict)
    LOSS: ClassVar[str] = "person_week_log_loss"


def survival_windows(weeks: pl.DataFrame, as_of: date) -> Windows:
    """Person-weeks parted by time."""
    first = weeks["week_start"].min()
    cuts = cuts_for(as_of, first if isinstance(first, date) else None)
    return split_by_time(weeks, cuts, start="week_start", matures="matures_on")


def fit_hazards(
    weeks: pl.DataFrame,
    windows: Windows,
    catalog: pl.DataFrame,
    families: Sequence[str] = (),
    said: Callable[[str], object] = lambda _: None,
) -> dict[str, SurvivalContender]:
    """One contender a family; where data is thin the linear one alone, at last with the clock alone."""
    tier = tier_of(windows, TARGET, UNIT)
    features = choose_features(windows.fitting, catalog, exclude=CLOCK_FEATURES)
    if tier is not Tier.FULL:
        features = features if tier is Tier.SMALL else features.only(())
        families = (LinearWeeks.family,)
    families = [family for family in families if family in HAZARDS] or tuple(HAZARDS)
    before = _earlier(windows) if tier in (Tier.FULL, Tier.SMALL) else []
    contenders, starts = {}, _Starts(features, tier)
    for name in families:
        contenders[name] = _contender(name, starts, windows, before, weeks)
        if tier not in (Tier.FULL, Tier.SMALL):
            _add_newest(contenders[name].model, starts, windows)
        said(f"{name}: log loss a person-week {loss_of(contenders[name]):.5f}")
    return contenders


def _contender(
    family: str,
    starts: "_Starts",
    windows: Windows,
    before: Sequence[Windows],
    weeks: pl.DataFrame,
) -> SurvivalContender:
    """A family through its backtest, fitted, and judged on the out-of-time window."""
    backtest, rules = _backtest(family, starts, before, weeks)
    model = starts.fitted(family, windows)
    model.half_life = _chosen(rules)
    model.causes = end_causes(windows.fitting, model.features)
    return SurvivalContender(model, survival_metrics(model, windows, weeks), backtest, rules)


def _add_newest(model: HazardModel, starts: "_Starts", windows: Windows) -> None:
    """What nothing has judged tells the days from `as_of` on by everything that is known by then."""
    everything = windows.undivided()
    newest = starts.fitted(model.family, everything)
    newest.causes = end_causes(everything.fitting, newest.features)
    model.newest, model.known_by = newest, windows.cuts.as_of


@dataclass
class _Starts:
    """Fits of the families on windows; what all hold, the linear hazard and the passes that follow, is fitted once."""

    features: FeatureSet
    tier: Tier
    known: dict[Cuts, LinearWeeks] = field(default_factory=dict)
    following: dict[Cuts, NextPass] = field(default_factory=dict)

    def fitted(self, family: str, windows: Windows) -> HazardModel:
        """A family on the fitting rows of some windows."""
        model = self._fitted(family, windows)
        if windows.cuts not in self.following:
            self.following[windows.cuts] = NextPass.fit(windows.fitting)
        model.next_pass = self.following[windows.cuts]
        return model

    def _fitted(self, family: str, windows: Windows) -> HazardModel:
        if family == LinearWeeks.family:
            return replace(self._linear(windows))
        if family in RATES:
            read = self.features.only((STREAK,) if family == RuleWeeks.family else ())
            return RATES[family](read).fit(windows.fitting, windows.validation)
        model: Any = HAZARDS[family]
        found: HazardModel = model(self.features, linear=self._linear(windows))
        return found.fit(windows.fitting, windows.validation)

    def _linear(self, windows: Windows) -> LinearWeeks:
        if windows.cuts not in self.known:
            model = LinearWeeks(self.features, prior_weeks=PRIOR_WEEKS[self.tier])
            if self.tier not in (Tier.FULL, Tier.SMALL):
                # Nothing judges it, and in a short history the age of a spell is the day: whoever has left of late
                # would have left of age, and everybody would be as old soon.
                model.oldest = 0.0
            self.known[windows.cuts] = model.fit(windows.fitting, windows.validation)
        return self.known[windows.cuts]


def _earlier(windows: Windows) -> list[Windows]:
    return list(
        earlier_windows(
            windows.fitting,
            windows.cuts.fit,
            seen="week_start",
            matures="matures_on",
            target=TARGET,
            unit=UNIT,
        )
    )


def _backtest(
    family: str, starts: _Starts, before: Sequence[Windows], weeks: pl.DataFrame
) -> tuple[pl.DataFrame, dict[float | None, float]]:
    """Metrics of a person-week on every earlier window, and Brier scores of the rules for the weeks ahead."""
    found, scores = [], []
    for one in before:
        model = starts.fitted(family, one)
        event = one.test["event"].cast(pl.Float64).to_numpy()
        window = {"fitted_through": one.cuts.fit, "judged_through": one.cuts.as_of}
        found.append(window | binary_metrics(event, model.predict_hazard(one.test)))
        known = known_by(weeks, one.cuts.as_of, "matures_on")
        scores.append(future_scores(model, one.cuts, known, HALF_LIVES))
    rules = {
        rule: float(np.mean([score[rule] for score in scores if rule in score]))
        for rule in HALF_LIVES
        if any(rule in score for score in scores)
    }
    return pl.DataFrame(found, infer_schema_length=None), rules


def _chosen(rules: Mapping[float | None, float]) -> float | None:
    """The rule with the lowest Brier score; to hold the last week where nothing is better."""
    if not rules:
        return None
    return min(HALF_LIVES, key=lambda rule: rules.get(rule, float("inf")))


def rules_told(rules: Mapping[float | None, float]) -> dict[str, float]:
    """The backtest of the rules, by their names."""
    return {rule_name(rule): score for rule, score in rules.items()}


def end_causes(weeks: pl.DataFrame, features: FeatureSet) -> EndCauses:
    """How spells end, from the weeks in which they did; `lapsed` alone where the source does not say."""
    if "ended_by" not in weeks.columns:
        return EndCauses()
    ended = weeks.filter(pl.col("event"))
    said = pl.when(pl.col("ended_by").is_in(CAUSES)).then("ended_by").otherwise(pl.lit(LAPSED))
    return EndCauses.fit(features.encode(ended), ended.select(said).to_series().to_numpy())


def judge_survival(
    model: HazardModel, windows: Windows, champion: HazardModel | None, fitted_through: date | None
) -> Verdict:
    """The gate on the test window's person-weeks: against simple rules, and the champion where it has not seen them.

    Below the tiers of models there is nothing to judge: the clock alone promises no more than it knows.
    """
    tier, test = tier_of(windows, TARGET, UNIT), windows.test
    if tier not in (Tier.FULL, Tier.SMALL):
        return unjudged(told(tier, windows, TARGET, UNIT), model, champion, windows)
    has_champion, said = said_by(
        champion, fitted_through, windows, lambda one: one.predict_hazard(test)
    )
    evidence = Evidence(
        outcome=test["event"].cast(pl.Float64).to_numpy(),
        # A week without a snapshot names no member but its spell, whose id is the member's with a number.
        members=test["spell_id"].str.replace(r":\d+$", "").to_numpy(),
        challenger=model.predict_hazard(test),
        rules=survival_rules(windows),
        champion=said,
        level=ends_in_week(test).astype(int),
        champion_is_rule=isinstance(champion, BaseRateWeeks),
        columns=strongest_columns(model, test),
    )
    return judge(evidence, has_champion, windows.tell_of_test("week_start", "matures_on"))


def survival_rules(windows: Windows) -> dict[str, Array]:
    """What anyone would say: the share lost before where a pass ran out, of all and by weeks in a row."""
    rates: dict[str, HazardModel] = {"base rate": BaseRateWeeks(FeatureSet(()))}
    if STREAK in windows.fitting.columns and not windows.fitting[STREAK].is_null().all():
        rates["last streak"] = RuleWeeks(FeatureSet((STREAK,)))
    fitted = {name: rate.fit(windows.fitting, windows.validation) for name, rate in rates.items()}
    return {name: rate.predict_hazard(windows.test) for name, rate in fitted.items()}


def stand_in(weeks: pl.DataFrame, windows: Windows, catalog: pl.DataFrame) -> SurvivalContender:
    """What gives curves as long as no family passes the gate: the better of base rate and rule in the backtest."""
    features = choose_features(windows.fitting, catalog, exclude=CLOCK_FEATURES)
    starts, before = _Starts(features, tier_of(windows, TARGET, UNIT)), _earlier(windows)
    families = [name for name in RATES if name != RuleWeeks.family or STREAK in features.numeric]
    return winner_of({name: _contender(name, starts, windows, before, weeks) for name in families})
