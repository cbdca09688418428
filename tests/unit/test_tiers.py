"""Studios of every size get something honest: never worse than the base rate, sure of what they say."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from ris_assets.evaluation import contest, survival_contest
from ris_assets.evaluation.backtest import earlier_windows
from ris_assets.evaluation.contender import winner_of
from ris_assets.evaluation.gate import mean_interval
from ris_assets.evaluation.metrics import log_loss
from ris_assets.evaluation.split import Cuts, Windows
from ris_assets.evaluation.tiers import Tier, tier_of, told
from ris_assets.features.score_rows import BOUNDS, LOST_DAYS, Scorers, score_rows
from ris_assets.models.base_rate import BaseRateRenewal
from ris_assets.models.hazard_families import load_hazard
from ris_assets.models.protocol import Fold
from ris_assets.models.renewal import PROBABILITIES, RenewalModel
from ris_assets.models.rule_renewal import RuleRenewal
from ris_assets.reports.contenders import newest_told
from tests.fakes import CATALOG, FakeStudio, fake_studio, person_weeks

SIZES = (50, 150, 300, 1000, 5000)


@pytest.fixture(scope="module")
def large() -> FakeStudio:
    return fake_studio(members=5000, weeks=70, seed=11)


def of_members(studio: FakeStudio, members: int) -> FakeStudio:
    """The studio with its first members only."""
    kept = [f"u{number:04d}" for number in range(members)]
    rows = studio.snapshot.filter(pl.col("user_id").is_in(kept))
    passes = studio.labels.filter(pl.col("hp_id").str.slice(0, 5).is_in(kept))
    weeks = studio.weeks.filter(pl.col("user_id").is_in(kept))
    return FakeStudio(rows, passes, weeks, studio.truth, studio.horizon)


def scoring_model(studio: FakeStudio) -> tuple[RenewalModel, object]:
    """What would score: the winner if it passes the gate, else what stands in."""
    windows = contest.renewal_windows(studio.labelled, studio.horizon)
    families = ("ridge", "xgboost")
    winner = winner_of(contest.fit_contenders(windows, CATALOG, families=families))
    verdict = contest.judge_renewal(winner, windows, None, None)
    return (winner if verdict.is_promoted else contest.stand_in(windows, CATALOG)).model, windows


@pytest.mark.parametrize("members", SIZES)
def test_no_size_of_studio_is_scored_worse_than_by_the_base_rate(large, members):
    """Judged on the weeks after the cut of all members, whom the small studio has not seen."""
    model, windows = scoring_model(of_members(large, members))
    rows = contest.renewal_windows(large.labelled, large.horizon).test
    rows = rows.filter(pl.col("as_of_date") > windows.cuts.fit)
    outcome = rows["renewed_30d"].cast(pl.Float64).to_numpy()
    base = np.full(rows.height, windows.fitting["renewed_30d"].mean())
    said = model.predict(rows)["p_renew_30d"].to_numpy()
    ones = np.ones(rows.height)
    assert log_loss(outcome, said, ones) <= log_loss(outcome, base, ones) + 0.005


def losses_of_late(studio: FakeStudio, days: int = 100) -> FakeStudio:
    """The studio as a source tells it that says who was lost only of the last days: all others have renewed."""
    last = pl.col("matures_30d_on") > studio.horizon - timedelta(days=days)
    kept = [
        pl.when(last).then(f"renewed_{d}d").otherwise(pl.lit(True)).alias(f"renewed_{d}d")
        for d in (30, 60, 90)
    ]
    return replace(studio, labels=studio.labels.with_columns(kept))


@pytest.fixture(scope="module")
def unjudged(large) -> tuple[RenewalModel, Windows]:
    """What scores where the fitting cut knows no loss, and hundreds are known by the last day."""
    windows = contest.renewal_windows(
        losses_of_late(of_members(large, 1000)).labelled, large.horizon
    )
    (contender,) = contest.fit_contenders(windows, CATALOG).values()
    assert contender.model.basis == "insufficient"
    return contender.model, windows


def said_of(model: RenewalModel, day: date | None) -> tuple[float, float, float]:
    """P(30) with its bounds, of a row of a day or of none."""
    row = pl.DataFrame({"user_id": ["a"]} | ({"as_of_date": [day]} if day else {}))
    low, high = model.predict_interval(row)
    return tuple(frame["p_renew_30d"][0] for frame in (model.predict(row), low, high))


def test_what_nothing_has_judged_goes_by_all_that_is_known_on_the_last_day(unjudged):
    model, windows = unjudged
    known, cuts = windows.known, windows.cuts
    straddling = (pl.col("as_of_date") <= cuts.fit) & (pl.col("matures_30d_on") > cuts.fit)
    assert known.filter(straddling).height
    assert known.height > windows.fitting.height + windows.test.height
    share = np.average(known["renewed_30d"], weights=known["weight"])
    assert known.filter(~pl.col("renewed_30d"))["hp_id"].n_unique() > 100
    assert str(cuts.as_of) in newest_told(model, windows)["newest"]
    for day in (cuts.as_of, cuts.as_of + timedelta(days=9), None):
        assert said_of(model, day)[0] == pytest.approx(share, abs=0.002)


def test_what_is_said_of_a_day_before_knows_nothing_of_what_came_after_the_fitting_cut(unjudged):
    model, windows = unjudged
    day_before = windows.cuts.as_of - timedelta(days=1)
    assert said_of(model, day_before)[0] > 0.99
    assert model.predict(windows.test)["p_renew_30d"].min() > 0.99
    again = replace(windows, test=windows.test.clear(), known=windows.fitting)
    (blind,) = contest.fit_contenders(again, CATALOG).values()
    assert said_of(blind.model, day_before) == said_of(model, day_before)


def test_the_interval_of_a_share_is_as_wide_as_so_few_members_ask(unjudged):
    """Of 38,225 passes of 1,355 members the bounds lay as near as if each pass were somebody else's."""
    model, windows = unjudged
    p, low, high = said_of(model, windows.cuts.as_of)
    members = windows.known["user_id"].n_unique()
    assert members < 0.5 * windows.known["weight"].sum()
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(p * (1 - p) / members), rel=0.05)


def test_a_stored_model_knows_by_which_day_it_knew_more(unjudged, tmp_path):
    model, windows = unjudged
    model.save(tmp_path)
    back = RenewalModel.load(tmp_path)
    for day in (windows.cuts.fit, windows.cuts.as_of, None):
        assert said_of(back, day) == said_of(model, day)
    assert model.unfitted().newest is None


def test_curves_that_nothing_has_judged_go_by_all_that_is_known_on_the_last_day(large, tmp_path):
    studio = of_members(large, 300)
    weeks = person_weeks(studio)
    early = pl.col("matures_on") < studio.horizon - timedelta(days=100)
    weeks = weeks.with_columns(pl.when(early).then(False).otherwise("event").alias("event"))
    windows = survival_contest.survival_windows(weeks, studio.horizon)
    (contender,) = survival_contest.fit_hazards(weeks, windows, CATALOG).values()
    contender.model.save(tmp_path)
    model = load_hazard(tmp_path)
    day = studio.snapshot.filter(as_of_date=studio.snapshot["as_of_date"].max())
    kept = {}
    for name, on in (
        ("before", windows.cuts.as_of - timedelta(days=1)),
        ("on", windows.cuts.as_of),
    ):
        rows = day.with_columns(pl.lit(on).alias("as_of_date"))
        kept[name] = model.predict_survival(rows, (12,)).mean()
        assert kept[name] == contender.model.predict_survival(rows, (12,)).mean()
    assert model.predict_survival(day.drop("as_of_date"), (12,)).mean() == kept["on"]
    assert kept["on"] < kept["before"] - 0.02
    again = replace(windows, test=windows.test.clear(), known=windows.fitting)
    (blind,) = survival_contest.fit_hazards(weeks, again, CATALOG).values()
    rows = day.with_columns(pl.lit(windows.cuts.as_of - timedelta(days=1)).alias("as_of_date"))
    assert blind.model.predict_survival(rows, (12,)).mean() == kept["before"]


def test_where_nothing_judges_curves_and_renewals_tell_the_same(large):
    """All spells begin with the history, losses are told of its last weeks only: so old nobody was before."""
    studio = losses_of_late(of_members(large, 1000))
    late = pl.col("matures_on") > studio.horizon - timedelta(days=100)
    weeks = person_weeks(studio).with_columns(
        event=pl.col("event") & late,
        week_number=(pl.col("week_start") - pl.col("week_start").min()).dt.total_days() // 7,
    )
    day = studio.snapshot.filter(as_of_date=studio.snapshot["as_of_date"].max())
    day = day.with_columns(
        spell_weeks=weeks["week_number"].max() + 1, as_of_date=pl.lit(studio.horizon)
    )
    (renewal,) = contest.fit_contenders(
        contest.renewal_windows(studio.labelled, studio.horizon), CATALOG
    ).values()
    windows = survival_contest.survival_windows(weeks, studio.horizon)
    (hazard,) = survival_contest.fit_hazards(weeks, windows, CATALOG).values()
    scores = score_rows(day, CATALOG, Scorers(renewal.model, hazard.model, "ris_renewal", 1, 1))
    open_ = scores.filter((pl.col("basis") == "insufficient") & (pl.col("pass_days") == 28))
    lost = (1 - open_["p_renew_30d"]).mean()
    assert 0.05 < lost < 0.2
    # Of passes of four weeks three or four end in 90 days, of those bought already at most one in 30.
    assert lost <= open_["p_lost_90d"].mean() < 1 - (1 - lost) ** 4
    renewed = scores.filter((pl.col("basis") == "renewed") & (pl.col("pass_days") == 28))
    assert renewed.height
    assert renewed["p_lost_30d"].max() < 1 - (1 - lost) ** 2


@pytest.mark.parametrize("estimator", [BaseRateRenewal, RuleRenewal])
def test_passes_of_the_same_members_make_no_share_surer(estimator, tmp_path):
    """Forty passes of ten members are bounded as ten are; of forty members more narrowly."""
    target, ones = np.tile([0.0, 1.0, 1.0, 1.0], 10), np.ones(40)
    widths = []
    for members in (np.repeat(np.arange(10), 4), np.arange(40), None):
        fold = Fold(np.full((40, 1), 5.0), target, ones, members)
        estimator().fit(fold).save(tmp_path)
        low, high = estimator.load(tmp_path).interval(fold.matrix)
        widths.append(high[0] - low[0])
    assert widths[0] > 1.3 * widths[1]
    assert widths[1] == widths[2]


def test_too_little_data_does_not_replace_a_champion_that_learned_from_more(large):
    champion = scoring_model(of_members(large, 300))[0]
    assert champion.basis == "model"
    windows = contest.renewal_windows(of_members(large, 4).labelled, large.horizon)
    winner = winner_of(contest.fit_contenders(windows, CATALOG))
    verdict = contest.judge_renewal(winner, windows, champion, windows.cuts.fit)
    assert (winner.model.basis, verdict.is_promoted) == ("insufficient", False)
    assert "learned from more" in verdict.reason
    assert contest.judge_renewal(winner, windows, winner.model, windows.cuts.fit).is_promoted


@pytest.mark.parametrize(
    ("members", "tier"), [(4, Tier.INSUFFICIENT), (150, Tier.SMALL), (1000, Tier.FULL)]
)
def test_the_tier_follows_what_is_known(large, members, tier):
    studio = of_members(large, members)
    assert tier_of(contest.renewal_windows(studio.labelled, studio.horizon)) is tier


def outcomes(passes: int, lost: int) -> pl.DataFrame:
    """A row a pass, the first ones lost."""
    lives = {
        "hp_id": [f"p{n}" for n in range(passes)],
        "renewed_30d": [n >= lost for n in range(passes)],
    }
    return pl.DataFrame(lives, schema={"hp_id": pl.String, "renewed_30d": pl.Boolean})


@pytest.mark.parametrize(
    ("known", "tested", "tier", "sentence"),
    [
        ((600, 50), (99, 5), Tier.FULL, "600 outcomes known by 2026-03-02, 50 of the rarer kind: every"
         " family contends"),
        ((600, 50), (99, 4), Tier.SMALL, "but only 4 of the rarer kind in the out-of-time window: one model held"
         " strongly, clubs pooled (5 needed there to judge every family)"),
        ((415, 50), (99, 1), Tier.RULE, "415 outcomes known by 2026-03-02, 50 of the rarer kind, but only 1"
         " of the rarer kind in the out-of-time window: a rule scores (3 needed there to judge a small model)"),
        ((415, 9), (99, 1), Tier.RULE, "9 of the rarer kind: a rule scores (a small model from 40 with 10"),
        ((0, 0), (0, 0), Tier.INSUFFICIENT, "no outcome known by the fitting cut: too few to learn from (a rule"),
        ((99, 99), (99, 5), Tier.INSUFFICIENT, "0 of the rarer kind: too few to learn from (a rule from 15 with 3"),
    ],
)  # fmt: skip
def test_the_sentence_of_a_tier_names_what_the_next_one_lacks(known, tested, tier, sentence):
    cuts = Cuts(*(date(2026, 1, 1) + timedelta(days=n) for n in (0, 60, 165)))
    fitting, test = outcomes(*known), outcomes(*tested)
    windows = Windows(cuts, fitting, fitting, test, fitting)
    assert tier_of(windows) is tier
    assert sentence in told(tier, windows)


def test_before_the_first_outcome_is_known_any_day_may_be_scored(large):
    """A studio in its first month: whoever has seen no outcome has no hindsight."""
    day = large.snapshot["as_of_date"].max()
    windows = contest.renewal_windows(large.labelled.clear(), day)
    (contender,) = contest.fit_contenders(windows, CATALOG).values()
    assert contest.judge_renewal(contender, windows, None, None).is_promoted
    weeks = person_weeks(large).clear()
    parts = survival_contest.survival_windows(weeks, day)
    (hazard,) = survival_contest.fit_hazards(weeks, parts, CATALOG).values()
    assert windows.cuts.fit == parts.cuts.fit < large.snapshot["as_of_date"].min()
    scorers = Scorers(contender.model, hazard.model, "ris_renewal", 1, 1)
    scores = score_rows(large.snapshot.filter(as_of_date=day), CATALOG, scorers)
    assert set(scores["basis"]) == {"insufficient", "renewed"}


def test_a_studio_of_four_gets_shares_with_wide_intervals_and_says_so(large):
    studio = of_members(large, 4)
    windows = contest.renewal_windows(studio.labelled, studio.horizon)
    (contender,) = contest.fit_contenders(windows, CATALOG).values()
    assert contest.judge_renewal(contender, windows, None, None).is_promoted
    weeks = person_weeks(studio)
    parts = survival_contest.survival_windows(weeks, studio.horizon)
    (hazard,) = survival_contest.fit_hazards(weeks, parts, CATALOG).values()
    day = large.snapshot.filter(as_of_date=large.snapshot["as_of_date"].max())
    scores = score_rows(day, CATALOG, Scorers(contender.model, hazard.model, "ris_renewal", 1, 1))
    assert set(scores["basis"]) == {"insufficient", "renewed"}
    open_ = scores.filter(pl.col("basis") == "insufficient")
    assert (open_["p_renew_30d_high"] - open_["p_renew_30d_low"]).min() > 0.2
    check_scores(scores)


def scores_of(studio: FakeStudio, family: str | None = None) -> pl.DataFrame:
    """The last day's scores by what would score, or by one family of renewal models."""
    windows = contest.renewal_windows(studio.labelled, studio.horizon)
    model = contest.fit_one(family, windows, CATALOG) if family else scoring_model(studio)[0]
    weeks = person_weeks(studio)
    parts = survival_contest.survival_windows(weeks, studio.horizon)
    hazard = survival_contest.fit_hazards(weeks, parts, CATALOG, families=("hazard",))["hazard"]
    day = studio.snapshot.filter(as_of_date=studio.snapshot["as_of_date"].max())
    return score_rows(day, CATALOG, Scorers(model, hazard.model, "ris_renewal", 1, 1))


@pytest.mark.parametrize("members", [150, 1000])
def test_whatever_scores_the_probabilities_are_in_order(large, members):
    scores = scores_of(of_members(large, members))
    check_scores(scores)
    failed = scores["p_payment_failed_90d"] / scores["p_lost_90d"]
    assert 0.02 < failed.drop_nans().mean() < 0.5


def check_scores(scores: pl.DataFrame) -> None:
    """Renewal probabilities and losses rise with the days, bounds lie around what they bound."""
    renewal = scores.select(PROBABILITIES).to_numpy()
    lost = scores.select("p_lost_7d", "p_lost_30d", "p_lost_60d", "p_lost_90d").to_numpy()
    ends = [
        scores.drop_nulls(f"p_lost_30d{side}").select(f"p_lost_{days}d{side}" for days in LOST_DAYS)
        for side in ("_low", "_high")
    ]
    for values in (renewal, lost, *(end.to_numpy() for end in ends if end.height)):
        assert (np.diff(values, axis=1) >= 0).all()
        assert values.min() >= 0
        assert values.max() <= 1
    losses = (f"p_lost_{days}d" for days in LOST_DAYS)
    for name in (*PROBABILITIES, *losses, "p_payment_failed_90d"):
        known = scores.drop_nulls(f"{name}_low")
        assert (known[f"{name}_low"] <= known[name] + 1e-6).all()
        assert (known[name] <= known[f"{name}_high"] + 1e-6).all()
    assert (scores["p_payment_failed_90d"] <= scores["p_lost_90d"]).all()


def test_losses_of_a_small_studio_have_bounds_that_come_from_the_renewal(large):
    studio = of_members(large, 150)
    scores = scores_of(studio)
    open_ = scores.filter(pl.col("basis") != "renewed")
    assert open_["p_lost_90d_low"].null_count() == 0
    assert (open_["p_lost_90d_high"] - open_["p_lost_90d_low"]).max() > 0.1
    ending = open_.filter(pl.col("days_to_end") == 7)
    assert ending.height
    for lost, renewed in BOUNDS.items():
        at_end = 1 - ending["p_renew_30d" + renewed]
        assert ending["p_lost_7d" + lost].to_numpy() == pytest.approx(at_end.to_numpy(), abs=2e-6)
    renewed = scores.filter(pl.col("basis") == "renewed")
    assert renewed["p_lost_90d_low"].null_count() == renewed.height > 0


def test_losses_of_many_passes_have_no_bounds(large):
    scores = scores_of(of_members(large, 1000), family="xgboost")
    assert scores["p_lost_90d_high"].null_count() == scores.height


def test_intervals_of_a_small_studio_hold_what_happens(large):
    """Of those for whom 60-70% is said, the share that renews lies within the bounds they were given."""
    studio = of_members(large, 150)
    windows = contest.renewal_windows(studio.labelled, studio.horizon)
    model = contest.fit_contenders(windows, CATALOG)["ridge"].model
    rows = contest.renewal_windows(large.labelled, large.horizon).test
    said = model.predict(rows)["p_renew_30d"]
    low, high = model.predict_interval(rows)
    inside = rows.with_columns(
        said, low["p_renew_30d"].alias("low"), high["p_renew_30d"].alias("high")
    ).filter(pl.col("p_renew_30d").is_between(0.6, 0.7))
    seen = mean_interval(
        inside["renewed_30d"].cast(pl.Float64).to_numpy(), inside["user_id"].to_numpy()
    )
    assert inside["low"].mean() < seen.value < inside["high"].mean()


def test_no_label_of_an_earlier_window_is_known_after_its_cut(large):
    rows = contest.renewal_windows(large.labelled, large.horizon)
    found = list(
        earlier_windows(rows.fitting, rows.cuts.fit, seen="as_of_date", matures="matures_30d_on",
                        target="renewed_30d", unit="hp_id")
    )  # fmt: skip
    assert found
    for one in found:
        assert one.fitting["matures_30d_on"].max() <= one.cuts.fit < one.test["as_of_date"].min()
        assert one.test["matures_30d_on"].max() <= one.cuts.as_of <= rows.cuts.fit
        # Between the two lies what a label needs to mature.
        gap = one.test["as_of_date"].min() - one.fitting["as_of_date"].max()
        assert gap > timedelta(days=30)


def test_two_years_are_rolled_back_three_times():
    """Each window ends where the one after it had been fitted."""
    studio = fake_studio(members=700, weeks=110)
    rows = contest.renewal_windows(studio.labelled, studio.horizon)
    found = list(
        earlier_windows(rows.fitting, rows.cuts.fit, seen="as_of_date", matures="matures_30d_on",
                        target="renewed_30d", unit="hp_id")
    )  # fmt: skip
    assert [one.cuts.as_of for one in found] == [
        rows.cuts.fit,
        *(one.cuts.fit for one in found[:-1]),
    ]
    assert len(found) == 3
