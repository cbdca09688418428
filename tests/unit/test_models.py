"""Every renewal family, the hazard model, and what they promise."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from sklearn.metrics import roc_auc_score

from ris_assets.evaluation import contest, explain, survival_contest
from ris_assets.evaluation.bands import band_limits
from ris_assets.evaluation.calibration import Platt
from ris_assets.evaluation.contender import winner_of
from ris_assets.evaluation.probability_scores import bootstrap
from ris_assets.evaluation.renewal_report import report_on
from ris_assets.evaluation.survival import concordance, outcomes_after
from ris_assets.features.matrix import FeatureSet
from ris_assets.features.score_rows import Scorers, most_at_risk, score_rows, value_at_risk
from ris_assets.features.training_rows import renewal_rows
from ris_assets.models.hazard import at_norm
from ris_assets.models.hazard_families import HAZARDS, RATES, load_hazard
from ris_assets.models.linear_weeks import LinearWeeks
from ris_assets.models.renewal import ESTIMATORS, PROBABILITIES, RenewalModel, risk_scores
from ris_assets.models.week_clock import CLOCK_FEATURES, clock_columns, ends_in_week
from tests.fakes import CATALOG, FakeStudio, fake_studio, person_weeks

FAMILIES = list(ESTIMATORS)


@pytest.fixture(scope="module")
def studio() -> FakeStudio:
    return fake_studio(members=700)


@pytest.fixture(scope="module")
def windows(studio):
    return contest.renewal_windows(studio.labelled, studio.horizon)


@pytest.fixture(scope="module")
def contenders(studio, windows):
    return contest.fit_contenders(windows, CATALOG, studio.truth)


@pytest.fixture(scope="module")
def hazards(studio):
    weeks = person_weeks(studio)
    windows = survival_contest.survival_windows(weeks, studio.horizon)
    return survival_contest.fit_hazards(weeks, windows, CATALOG), windows


@pytest.fixture(scope="module", params=list(HAZARDS))
def hazard(hazards, request):
    found, windows = hazards
    return (found[request.param].model, found[request.param].metrics), windows


def test_bands_are_cut_on_rows_that_the_model_had_not_learned():
    """A forest tells rows of pure chance apart that it has learned."""
    chance = fake_studio(members=700, chance=0.6, seed=6)
    windows = contest.renewal_windows(chance.labelled, chance.horizon)
    model = contest.fit_one("forest", windows, CATALOG)
    earlier = contest.fit_one("forest", replace(windows, fitting=windows.training), CATALOG)
    rows = earlier.fold(windows.validation)
    risk = risk_scores(earlier.predict(windows.validation)["p_renew_30d"].to_numpy())
    assert model.bands == band_limits(risk, 1 - rows.target, rows.weight)


def test_rows_that_have_renewed_are_no_training_rows_and_weights_ignore_the_outcome(studio):
    rows = renewal_rows(studio.labelled)
    assert not rows["is_already_renewed"].any()
    assert rows.select((pl.col("weight") * pl.col("pass_days") - 7).abs().max()).item() < 1e-9


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_comes_near_the_ceiling_out_of_time(contenders, family):
    metrics = contenders[family].report.metrics
    assert metrics["test_share_of_ceiling"] > 0.85
    assert metrics["test_log_loss"] < metrics["base_rate_log_loss"]
    assert abs(metrics["test_calibration_in_the_large"]) < 0.08


@pytest.mark.parametrize("family", FAMILIES)
def test_horizons_rise_and_stay_probabilities(contenders, windows, family):
    values = contenders[family].model.predict(windows.test).to_numpy()
    assert np.all(np.diff(values, axis=1) >= 0)
    assert values.min() > 0
    assert values.max() < 1


@pytest.mark.parametrize("family", FAMILIES)
def test_a_stored_model_predicts_the_same(contenders, windows, family, tmp_path):
    model = contenders[family].model
    model.save(tmp_path)
    back = RenewalModel.load(tmp_path)
    assert back.predict(windows.test).equals(model.predict(windows.test))
    assert (back.bands, back.reference) == (model.bands, model.reference)
    assert not [path for path in tmp_path.iterdir() if path.suffix in (".pkl", ".pickle")]


def test_who_has_learned_the_window_is_not_promoted_by_it(contenders, hazards, windows):
    seen = "fitted on days of the window"
    winner, whole = winner_of(contenders), replace(windows, fitting=windows.test)
    assert seen not in contest.judge_renewal(winner, windows, None, None).reason
    assert seen in contest.judge_renewal(winner, whole, None, None).reason
    found, weeks = hazards
    model, whole = found["hazard"].model, replace(weeks, validation=weeks.test)
    assert seen not in survival_contest.judge_survival(model, weeks, None, None).reason
    assert seen in survival_contest.judge_survival(model, whole, None, None).reason


def test_a_leaking_column_is_named_and_a_late_horizon_that_is_off(studio):
    """One that knows half of the outcomes, beside models that know what members do."""
    rng = np.random.default_rng(3)
    knows = pl.Series(rng.random(studio.snapshot.height) < 0.5)
    outcome = pl.col("renewed_30d").cast(pl.Float64)
    leaking = studio.labelled.with_columns(price=pl.when(knows).then(outcome))
    windows = contest.renewal_windows(leaking, studio.horizon)
    winner = winner_of(contest.fit_contenders(windows, CATALOG, families=("ridge", "logistic")))
    reason = contest.judge_renewal(winner, windows, None, None).reason
    assert "price alone has AUC 1.0000" in reason
    windows = contest.renewal_windows(studio.labelled, studio.horizon)
    sound = contest.fit_contenders(windows, CATALOG, families=("ridge",))["ridge"]
    assert contest.judge_renewal(sound, windows, None, None).is_promoted
    model = replace(sound.model, late=(Platt(2.0, 0.0), sound.model.late[1]))
    reasons = contest.judge_renewal(replace(sound, model=model), windows, None, None).reasons
    assert "60 days" in {told.split(":")[0] for told in reasons}


def test_a_column_that_knows_who_leaves_is_named_for_hazards_too(studio):
    weeks = person_weeks(studio).with_columns(price=pl.col("event").cast(pl.Float64))
    windows = survival_contest.survival_windows(weeks, studio.horizon)
    (one,) = survival_contest.fit_hazards(weeks, windows, CATALOG, ("hazard",)).values()
    reason = survival_contest.judge_survival(one.model, windows, None, None).reason
    assert "price alone has AUC 1.0000" in reason


@pytest.mark.parametrize("family", FAMILIES)
def test_a_refit_gives_the_same_model(contenders, windows, family):
    features = contest.renewal_features(windows.training, CATALOG)
    again = RenewalModel(features, ESTIMATORS[family]()).fit(windows)
    assert again.predict(windows.test).equals(contenders[family].model.predict(windows.test))


@pytest.mark.parametrize("family", FAMILIES)
def test_prediction_does_not_depend_on_the_other_rows(contenders, windows, family):
    model = contenders[family].model
    whole = model.predict(windows.test)
    # A matrix product may add in another order for one row: equal but for the last bits.
    assert_frame_equal(model.predict(windows.test[5:6]), whole[5:6], abs_tol=1e-12)


@pytest.mark.parametrize("family", FAMILIES)
def test_importance_finds_what_matters(contenders, family):
    importance = contenders[family].model.importance()
    assert next(iter(importance)) == "visits"
    assert sum(importance.values()) == pytest.approx(1)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_takes_its_log_odds_apart(contenders, windows, family):
    model = contenders[family].model
    rows = explain.explained_rows(model, windows.test)
    assert 0 < rows.height <= 1000 or family != "forest"
    names, parts = explain.contributions_by_feature(model, rows.head(200))
    assert names[0] == "visits"
    assert parts.shape == (200, len(names))


def test_a_clock_is_read_where_it_is_more_than_the_day():
    day = [date(2026, 1, 4) + timedelta(days=7 * n) for n in range(50)]
    rows = pl.DataFrame({"as_of_date": day * 2, "tenure_days": 0, "spell_weeks": 0, "price": 1.0})
    since = pl.col("as_of_date").cast(pl.Int32) - pl.lit(day[0]).cast(pl.Int32)
    young = rows.with_columns(tenure_days=since, spell_weeks=pl.lit(None, pl.Float64))
    assert contest.renewal_features(young, CATALOG).columns == ["price"]
    old = pl.Series([0] * 50 + [900] * 50)
    founded = young.with_columns(tenure_days=since + old, spell_weeks=since / 7)
    assert contest.renewal_features(founded, CATALOG).columns == ["price", "tenure_days"]
    assert contest.renewal_features(founded.clear(), CATALOG).columns == []


def test_the_test_window_does_not_touch_the_model(contenders, windows):
    flipped = windows.test.with_columns(~pl.col("renewed_30d"))
    other = replace(windows, test=flipped)
    features = contest.renewal_features(windows.training, CATALOG)
    again = RenewalModel(features, ESTIMATORS["logistic"]()).fit(other)
    assert again.predict(windows.test).equals(contenders["logistic"].model.predict(windows.test))


def test_the_truth_is_the_ceiling_of_its_own_report(contenders, windows, studio):
    perfect = studio.truth.with_columns(p_renew_30d=pl.lit(0.5))
    metrics = report_on(contenders["logistic"].model, windows, perfect).metrics
    assert "test_share_of_ceiling" not in {k for k, v in metrics.items() if np.isfinite(v)}


def test_no_spell_counts_as_older_than_any_that_was_seen(studio, tmp_path):
    """Who leaves has been a member for half a year: two years ahead it is as at the end of what is known."""
    weeks = person_weeks(studio)
    weeks = weeks.with_columns(event=pl.col("event") & (pl.col("week_number") > 26))
    model = LinearWeeks(FeatureSet(())).fit(weeks, weeks.clear())
    model.save(tmp_path)
    ages = np.array([26, weeks["week_number"].max(), 104, 520])
    ones = np.ones(4)
    for one in (model, load_hazard(tmp_path)):
        said = one.scores(weeks[:4])(clock_columns(ones, ages, 0 * ones, 0 * ones), 1)
        assert said[0] < said[1] == said[2] == said[3]


def test_a_hazard_model_beats_the_base_rate_and_orders_members(hazard):
    (_, metrics), _ = hazard
    assert metrics["person_week_log_loss"] < metrics["person_week_base_rate_log_loss"]
    assert metrics["brier_4w"] < metrics["brier_4w_base_rate"]
    assert metrics["concordance"] > 0.6
    assert metrics["antolini"] > 0.6
    assert metrics["ibs"] < metrics["ibs_base_rate"]
    assert metrics["auc_8w"] > 0.6
    assert abs(metrics["person_week_calibration_in_the_large"]) < 0.01


def test_survival_falls_and_expected_weeks_are_the_area_under_it(hazard, studio):
    (model, _), _ = hazard
    day = studio.snapshot.filter(as_of_date=studio.snapshot["as_of_date"].max())
    curve = model.predict_survival_on(day, range(1, 365))
    assert np.all(np.diff(curve, axis=1) <= 1e-12)
    assert curve.max() <= 1
    assert np.array_equal(curve[:, 6::7], model.predict_survival(day, tuple(range(1, 53))))
    under = np.trapezoid(np.hstack([np.ones((len(curve), 1)), curve]), dx=1 / 7, axis=1)
    assert model.expected_weeks(day) == pytest.approx(under, abs=1 / 7)


def test_the_norm_at_once_is_the_norm_from_the_second_week_on(hazard, studio):
    (model, _), _ = hazard
    day = studio.snapshot.filter(as_of_date=studio.snapshot["as_of_date"].max())
    weeks = (1, 2, 4, 12)
    held, halved, once = model.survival_under((None, 1.0, 0.0), day, weeks)
    normal = at_norm(day, model.features)
    (usual,) = model.survival_under((None,), normal, weeks)
    assert np.array_equal(once[:, 0], held[:, 0])
    assert once[:, 1:] / once[:, :1] == pytest.approx(usual[:, 1:] / usual[:, :1])
    assert np.array_equal(halved, replace(model, half_life=1.0).predict_survival(day, weeks))
    assert np.abs(halved - once).max() < np.abs(held - once).max()


def test_nothing_is_lost_before_the_pass_ends(hazard, studio):
    (model, _), _ = hazard
    far = studio.snapshot.filter((pl.col("days_to_end") > 28) & ~pl.col("is_already_renewed"))
    assert model.predict_survival(far, (4,)).min() > 0.9


def test_who_has_renewed_is_at_risk_only_at_the_next_end(hazard, studio):
    (model, _), _ = hazard
    near = studio.snapshot.filter(pl.col("days_to_end") < 7)
    bought = near.with_columns(pl.lit(True).alias("is_already_renewed"))
    open_ = near.with_columns(pl.lit(False).alias("is_already_renewed"))
    assert model.predict_survival(bought, (2,)).min() > 0.9
    assert model.predict_survival(open_, (2,)).mean() < model.predict_survival(bought, (2,)).mean()


def test_partial_exposure_lowers_the_chance_only_before_the_last_week(hazard):
    (model, _), windows = hazard
    weeks = windows.test.with_columns(pl.lit(1.0).alias("exposure"))
    halved = weeks.with_columns(pl.lit(0.5).alias("exposure"))
    whole, half = model.predict_hazard(weeks), model.predict_hazard(halved)
    ends = ends_in_week(weeks)
    assert half[ends] == pytest.approx(whole[ends])
    assert np.log1p(-half[~ends]) == pytest.approx(np.log1p(-whole[~ends]) / 2)


def test_passes_of_a_week_that_begin_on_mondays_run_out_in_every_week():
    left, length = [0, 0, 0, 7, 8, 3], [7, 30, None, 30, 7, 7]
    weeks = pl.DataFrame({"days_to_end_at_start": left, "pass_days": length})
    ends = ends_in_week(weeks.with_columns(pl.lit(False).alias("is_already_renewed")))
    assert ends.tolist() == [True, False, False, True, False, True]


def test_a_stored_hazard_predicts_the_same(hazard, tmp_path):
    (model, _), windows = hazard
    model.save(tmp_path)
    back = load_hazard(tmp_path)
    assert np.array_equal(back.predict_hazard(windows.test), model.predict_hazard(windows.test))
    assert not set(back.features.columns) & set(CLOCK_FEATURES)


def test_first_weeks_without_a_snapshot_are_kept(hazard):
    _, windows = hazard
    silent = windows.training.filter(pl.col("as_of_date").is_null())
    assert silent.height
    assert silent["week_number"].min() == 0


def test_outcomes_are_counted_in_weeks_from_the_snapshot(studio):
    origin = studio.snapshot.filter(as_of_date=studio.snapshot["as_of_date"].min()).head(1)
    sunday, spell = origin["as_of_date"][0], origin["spell_id"][0]
    weeks = pl.DataFrame(
        {"spell_id": [spell] * 3, "event": [False, False, True],
         "week_start": [sunday + timedelta(days=1 + 7 * n) for n in range(3)],
         "matures_on": [sunday + timedelta(days=7 + 7 * n + 30) for n in range(3)]}
    )  # fmt: skip
    assert outcomes_after(origin, weeks).row(0) == (3, 3)
    assert outcomes_after(origin, weeks[:2]).row(0) == (None, 2)
    # The pass goes on frozen for ten days after the last week at risk.
    later = pl.col("matures_on") + pl.when("event").then(pl.duration(days=10)).otherwise(
        pl.duration()
    )
    assert outcomes_after(origin, weeks.with_columns(later)).row(0) == (5, 3)


def test_concordance_of_a_perfect_order_is_one():
    outcomes = pl.DataFrame({"event_week": [1, 3, None], "last_week": [1, 3, 5]})
    assert concordance(np.array([1.0, 2.0, 9.0]), outcomes) == 1.0


def test_concordance_is_unknown_where_nobody_outlived_an_event():
    """A snapshot of customers, all of whom left in the month before it."""
    outcomes = pl.DataFrame({"event_week": [4, 4, None], "last_week": [4, 4, 3]})
    assert np.isnan(concordance(np.ones(3), outcomes))


def test_scores_are_one_a_member_and_the_same_twice(contenders, hazard, studio):
    (survival, _), _ = hazard
    day = studio.snapshot.filter(as_of_date=studio.snapshot["as_of_date"].max())
    scorers = Scorers(contenders["xgboost"].model, survival, "ris_renewal", 3, 4)
    scores = score_rows(day, CATALOG, scorers)
    assert scores["user_id"].to_list() == day["user_id"].to_list()
    assert scores.equals(score_rows(day, CATALOG, scorers))
    renewed = scores.filter(pl.col("is_already_renewed"))
    assert renewed.height
    assert set(renewed["basis"]) == {"renewed"}
    assert renewed.select(PROBABILITIES).to_numpy().min() == 1
    assert renewed["value_at_risk"].to_list() == [0] * renewed.height
    assert set(renewed["risk_band"]) == {"low"}


@pytest.mark.parametrize(
    ("p", "price", "days_to_end", "at_risk"),
    [
        (0.25, 100.0, 20, 75.0),
        (0.25, 100.0, 364, 75.0),
        (0.25, 100.0, 365, 0.0),
        (0.88, 1000.0, 2_912_136, 0.0),
        (0.25, -12.7, 20, 0.0),
        (0.25, None, 20, None),
        (0.25, None, 2_912_136, None),
    ],
)
def test_money_is_at_risk_within_the_weeks_of_the_curve_and_never_below_nothing(
    p, price, days_to_end, at_risk
):
    member = {"p_renew_30d": [p], "price": [price], "days_to_end": [days_to_end]}
    kinds = {"p_renew_30d": pl.Float64, "price": pl.Float64, "days_to_end": pl.Int32}
    assert pl.DataFrame(member, kinds).select(value_at_risk()).item() == at_risk


def test_most_at_risk_are_those_who_are_lost_soon_and_not_those_of_a_pass_without_end():
    scores = pl.DataFrame(
        [("lifetime", 0.001, 0.1, None), ("stays", 0.1, 0.9, 10.0), ("cheap", 0.7, 0.3, 20.0),
         ("dear", 0.7, 0.3, 200.0), ("unpriced", 0.7, 0.3, None)],
        schema={"user_id": pl.String, "p_lost_30d": pl.Float64, "p_renew_30d": pl.Float64,
                "value_at_risk": pl.Float64},
        orient="row",
    )  # fmt: skip
    assert most_at_risk(scores, 4)["user_id"].to_list() == ["dear", "cheap", "unpriced", "stays"]


def test_a_pass_without_end_is_not_lost_soon_and_puts_nothing_at_risk(contenders, hazard, studio):
    (survival, _), _ = hazard
    day = studio.snapshot.filter(as_of_date=studio.snapshot["as_of_date"].max())
    lifetime = pl.col("user_id") == day["user_id"].min()
    endless = day.with_columns(
        pl.when(lifetime).then(2_912_136).otherwise("days_to_end").alias("days_to_end"),
        pl.when(lifetime).then(False).otherwise("is_already_renewed").alias("is_already_renewed"),
    )
    scorers = Scorers(contenders["xgboost"].model, survival, "ris_renewal", 3, 4)
    scores = score_rows(endless, CATALOG, scorers)
    one = scores.filter(lifetime).row(0, named=True)
    assert one["value_at_risk"] == 0
    assert one["p_renew_30d"] < 0.99
    assert most_at_risk(scores, 10).filter(lifetime).is_empty()


def test_a_day_scored_alone_and_within_a_range_agree(contenders, hazard, studio):
    (survival, _), _ = hazard
    days = studio.snapshot["as_of_date"].unique().sort()[-3:].to_list()
    rows = studio.snapshot.filter(pl.col("as_of_date").is_in(days))
    scorers = Scorers(contenders["blend"].model, survival, "ris_renewal", 3, 4)
    within = score_rows(rows, CATALOG, scorers).filter(as_of_date=days[1])
    alone = score_rows(rows.filter(as_of_date=days[1]), CATALOG, scorers)
    assert alone.equals(within)


def coins(labels: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Renewals dealt out at random to passes."""
    heads = pl.Series(np.random.default_rng(seed).random(labels.height) < 0.6)
    return labels.with_columns(
        pl.when(pl.col(f"renewed_{days}d").is_not_null()).then(heads).alias(f"renewed_{days}d")
        for days in (30, 60, 90)
    )


def shuffled(labels: pl.DataFrame, seed: int) -> pl.DataFrame:
    """The outcomes of other passes, of those that end in the same month."""
    month = pl.col("matures_30d_on").dt.truncate("1mo")
    dealt = labels.filter(pl.col("renewed_30d").is_not_null()).with_columns(
        pl.col("renewed_30d").shuffle(seed=seed).over(month)
    )
    return dealt.with_columns(
        pl.when(pl.col(name).is_not_null()).then("renewed_30d").alias(name)
        for name in ("renewed_60d", "renewed_90d")
    )


@pytest.mark.parametrize("deal", [coins, shuffled])
@pytest.mark.parametrize("seed", [1, 2])
def test_pure_chance_is_no_model(studio, deal, seed):
    """The out-of-time AUC is a coin's, and no model passes the gate."""
    chance = deal(studio.labels, seed)
    windows = contest.renewal_windows(studio.snapshot.join(chance, "hp_id"), studio.horizon)
    contenders = contest.fit_contenders(windows, CATALOG, families=("logistic", "xgboost"))
    winner = winner_of(contenders)
    outcome = windows.test["renewed_30d"].cast(pl.Float64).to_numpy()
    said = winner.model.predict(windows.test)["p_renew_30d"].to_numpy()
    auc = bootstrap(_auc, outcome, said, groups=windows.test["user_id"].to_numpy(), rounds=200)
    assert auc.low < 0.5 < auc.high
    verdict = contest.judge_renewal(winner, windows, None, None)
    assert verdict.decision == "Keep"
    assert "does not beat" in verdict.reason


def _auc(outcome: np.ndarray, said: np.ndarray) -> float:
    return float(roc_auc_score(outcome, said)) if 0 < outcome.sum() < len(outcome) else np.nan


@pytest.fixture(scope="module", params=[1, 2])
def dice(request) -> tuple[FakeStudio, pl.DataFrame]:
    """A studio in which every pass is renewed with the same probability, and its person-weeks."""
    studio = fake_studio(members=500, seed=request.param, chance=0.6)
    streak = np.random.default_rng(request.param).integers(0, 12, studio.snapshot.height)
    snapshot = studio.snapshot.with_columns(pl.Series("visit_streak_weeks", streak))
    studio = replace(studio, snapshot=snapshot)
    return studio, person_weeks(studio)


def with_streak(catalog: pl.DataFrame) -> pl.DataFrame:
    row = catalog.filter(feature="pass_number").with_columns(feature=pl.lit("visit_streak_weeks"))
    return pl.concat([catalog, row])


def test_pure_chance_is_no_hazard(dice):
    """No family passes the gate, the first one neither: what is usual at the end of a pass gives the curves."""
    studio, weeks = dice
    windows = survival_contest.survival_windows(weeks, studio.horizon)
    contenders = survival_contest.fit_hazards(weeks, windows, with_streak(CATALOG))
    for contender in contenders.values():
        verdict = survival_contest.judge_survival(contender.model, windows, None, None)
        assert verdict.decision == "Keep"
        assert "does not beat the base rate" in verdict.reason
        assert "does not beat the last streak" in verdict.reason
    chosen = survival_contest.stand_in(weeks, windows, with_streak(CATALOG))
    assert chosen.model.family in RATES
    assert chosen.metrics["ibs"] <= 1.03 * min(c.metrics["ibs"] for c in contenders.values())


def test_a_hazard_that_knows_something_passes_the_gate(hazard):
    (model, _), windows = hazard
    verdict = survival_contest.judge_survival(model, windows, None, None)
    assert verdict.decision == "Promote"
    assert "beats the base rate" in verdict.reason


@pytest.mark.parametrize("family", list(RATES))
def test_curves_of_rates_by_hand(dice, family, tmp_path):
    """Between ends nobody leaves; at the first end 40% of those who have not renewed, then a bin's share."""
    studio, weeks = dice
    model = RATES[family](FeatureSet(("visit_streak_weeks",) if family == "hazard_rule" else ()))
    model.fit(weeks, weeks.clear()).save(tmp_path)
    day = studio.snapshot.filter(as_of_date=studio.horizon).filter(~pl.col("is_already_renewed"))
    near = day.filter(pl.col("days_to_end") <= 7)
    back = load_hazard(tmp_path)
    assert np.array_equal(back.predict_survival(near, (3,)), model.predict_survival(near, (3,)))
    left = model.predict_survival(near, (1, 3))
    ended = weeks.filter(pl.Series(ends_in_week(weeks)))
    share = (ended["event"].sum() + 0.5) / (ended.height + 1)
    if family == "hazard_base_rate":
        assert left[:, 0] == pytest.approx(1 - share, abs=1e-3)
    assert left[:, 0].mean() == pytest.approx(1 - share, abs=0.05)
    assert left[:, 1] == pytest.approx(left[:, 0], abs=0.01)
    assert model.half_life is None


def test_the_rule_of_thumb_parts_those_who_come(dice):
    """A hazard by weeks in a row, where it matters."""
    _, weeks = dice
    rare = pl.col("visit_streak_weeks").fill_null(0) < 3
    told = weeks.with_columns((pl.col("event") & rare).alias("event"))
    model = RATES["hazard_rule"](FeatureSet(("visit_streak_weeks",))).fit(told, told.clear())
    ended = told.filter(pl.Series(ends_in_week(told)) & pl.col("visit_streak_weeks").is_not_null())
    said = ended.with_columns(pl.Series("p", model.predict_hazard(ended)))
    shares = said.group_by(rare.alias("rare")).agg(pl.col("p", "event").mean()).sort("rare")
    assert shares["p"].to_numpy() == pytest.approx(shares["event"].to_numpy(), abs=0.06)
    assert model.importance() == {"visit_streak_weeks": 1.0}


def test_a_model_that_knows_something_passes_the_gate(contenders, windows):
    verdict = contest.judge_renewal(winner_of(contenders), windows, None, None)
    assert verdict.decision == "Promote"
    assert "beats the base rate" in verdict.reason


def test_the_base_rate_scores_by_a_rule(windows, hazard, studio, tmp_path):
    """It stands in where no family is better: one probability for all, said to be a rule."""
    contest.stand_in(windows, CATALOG).model.save(tmp_path)
    model = RenewalModel.load(tmp_path)
    predicted = model.predict(windows.test)
    assert predicted["p_renew_30d"].n_unique() == 1
    assert (predicted["p_renew_30d"] <= predicted["p_renew_60d"]).all()
    before = windows.fitting["renewed_30d"].mean()
    assert predicted["p_renew_30d"][0] == pytest.approx(before, abs=0.1)
    scorers = Scorers(model, hazard[0][0], "ris_renewal", 1, 1)
    rows = score_rows(studio.snapshot.tail(20), CATALOG, scorers)
    assert set(rows["basis"]) <= {"rule", "renewed"}
