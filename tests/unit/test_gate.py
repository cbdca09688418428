"""The gate is offered challengers that must not pass, and one that must."""

import re
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from ris_assets.evaluation.calibration import sigmoid
from ris_assets.evaluation.evidence import Evidence
from ris_assets.evaluation.gate import NO_RULE, judge, mean_interval, rule_shares
from ris_assets.evaluation.leaks import ends_of, too_good
from ris_assets.evaluation.probability_scores import BENT_FROM, recalibrated

ROWS = 4000


@pytest.fixture
def window():
    """True probabilities, what happened, and a base rate."""
    rng = np.random.default_rng(1)
    truth = rng.beta(2, 2, ROWS)
    outcome = (rng.random(ROWS) < truth).astype(float)
    return truth, outcome, np.arange(ROWS) // 4


def evidence(window, said, champion=None, members=None):
    _, outcome, fours = window
    rules = {"base rate": np.full(ROWS, 0.5)}
    return Evidence(outcome, fours if members is None else members, said, rules, champion)


def noisy(truth, spread, seed=3):
    logit = np.log(truth / (1 - truth)) + np.random.default_rng(seed).normal(0, spread, ROWS)
    return 1 / (1 + np.exp(-logit))


def test_the_first_good_model_is_promoted_and_says_against_whom(window):
    verdict = judge(evidence(window, window[0]), has_champion=False)
    assert verdict.decision == "Promote"
    assert "beats the base rate" in verdict.reason
    assert "log loss" in verdict.reason


def test_a_better_model_follows_a_worse_champion(window):
    truth = window[0]
    assert judge(evidence(window, truth, noisy(truth, 1.0)), has_champion=True).is_promoted


def test_an_equal_model_does_not(window):
    truth = window[0]
    verdict = judge(evidence(window, noisy(truth, 0.3, 4), noisy(truth, 0.3)), has_champion=True)
    assert not verdict.is_promoted
    assert "does not beat the champion beyond chance" in verdict.reason


def test_pure_chance_leaves_the_base_rate(window):
    said = np.random.default_rng(8).uniform(0.4, 0.6, ROWS)
    verdict = judge(evidence(window, said), has_champion=False)
    assert not verdict.is_promoted
    assert "does not beat the base rate" in verdict.reason


@pytest.mark.parametrize("said", [0.445, 0.475, 0.525])
def test_one_number_said_of_everyone_is_never_better_than_itself(window, said):
    """Its mean is another float: the same loss but for rounding, on the same side in every draw of members."""
    rules = {"base rate": np.full(ROWS, 0.3)}
    one = replace(evidence(window, np.full(ROWS, said)), rules=rules)
    assert "does not beat its own mean" in judge(one, has_champion=False).reason


def test_an_overfitted_model_is_kept_out(window):
    said = 1 / (1 + np.exp(-5 * np.log(noisy(window[0], 1.0) / (1 - noisy(window[0], 1.0)))))
    verdict = judge(evidence(window, said), has_champion=False)
    assert not verdict.is_promoted
    assert "calibration slope" in verdict.reason


def test_a_sharper_but_miscalibrated_model_is_kept_out(window):
    """Lower log loss than the champion, but it says 15 points too much."""
    truth, outcome, _ = window
    tilted = np.clip(truth + 0.16, 0.01, 0.99)
    vague = 0.5 + 0.05 * (truth - 0.5)
    verdict = judge(evidence(window, tilted, vague), has_champion=True)
    assert not verdict.is_promoted
    assert "where" in verdict.reason
    assert f"{outcome.mean():.1%} happened" in verdict.reason


def tempered(said, slope, shift=0.0):
    return 1 / (1 + np.exp(-slope * np.log(said / (1 - said)) - shift))


def two_columns(rows, seed, spread=0.0, season=0.0):
    """What happened, and log odds of a champion that reads one column and of a challenger that reads both."""
    rng = np.random.default_rng(seed)

    def drawn(count, moved=0.0):
        columns = rng.normal(size=(count, 2))
        odds = columns @ [1.0, 1.2] + moved
        return columns, (rng.random(count) < sigmoid(odds)).astype(float)

    (before, known), (columns, outcome) = drawn(2 * rows), drawn(rows, season)
    one, both = (LogisticRegression().fit(before[:, :k], known) for k in (1, 2))
    said = both.decision_function(columns) + rng.normal(0, spread, rows)
    return outcome, known.mean(), one.decision_function(columns[:, :1]), said


def of_two(rows, seed, slope=1.0, shift=0.0, is_rule=False, **drawn):
    outcome, share, champion, said = two_columns(rows, seed, **drawn)
    rules = {"base rate": np.full(rows, share)}
    said, champion = sigmoid(slope * said + shift), sigmoid(champion)
    return Evidence(outcome, np.arange(rows) // 3, said, rules, champion, None, is_rule)


@pytest.mark.parametrize(("slope", "shift"), [(0.75, 0.0), (1.25, 0.0), (1.0, 0.3), (1.0, -0.3)])
def test_on_many_rows_four_points_too_many_or_odds_stretched_by_a_fourth_are_worse(slope, shift):
    verdict = judge(of_two(20_000, 0, slope, shift), True)
    assert not verdict.is_promoted
    assert "worse calibrated than the champion" in verdict.reason
    assert judge(of_two(20_000, 0), True).is_promoted


@pytest.mark.parametrize(("rows", "seeds"), [(300, 8), (2000, 4), (20_000, 1)])
@pytest.mark.parametrize("drawn", [{}, {"spread": 0.3}, {"season": 0.2}, {"season": -0.2}])
def test_a_sound_challenger_is_not_called_worse_calibrated(rows, seeds, drawn):
    """Fitted before, with noise in what it says, or in a season that moved what all of them say."""
    for seed in range(seeds):
        verdict = judge(of_two(rows, seed, **drawn), True)
        assert verdict.is_promoted or rows == 300, verdict.reason
        assert "calibrated" not in verdict.reason
        assert "too good" not in verdict.reason


@pytest.mark.parametrize(("slope", "shift"), [(1.5, 0.0), (1.0, 0.4), (1.0, -0.4)])
def test_a_first_model_is_held_to_what_happened_where_rules_tell_too_little(slope, shift):
    """Odds off by a half, or stretched by one: of 2,000 rows that much is certain, and more than a base rate errs."""
    for seed in range(4):
        first = replace(of_two(2000, seed, slope, shift), champion=None)
        assert "worse calibrated than the base rate" in judge(first, False).reason
        assert judge(replace(of_two(2000, seed), champion=None), False).is_promoted


def test_a_rule_that_stands_in_is_followed_by_a_model_somewhat_too_bold():
    assert judge(of_two(20_000, 1, 1.25, is_rule=True), True).is_promoted
    assert not judge(of_two(20_000, 1, 1.25), True).is_promoted


@pytest.mark.parametrize("slope", [0.55, 1.5, 2.0])
def test_a_better_model_that_is_over_or_under_confident_does_not_follow_a_sound_champion(slope):
    """It tells members apart that the champion cannot, but its probabilities are not to be relied on."""
    rng = np.random.default_rng(3)
    seen, unseen = rng.normal(size=(2, 6000))
    odds = seen + 1.2 * unseen
    outcome = (rng.random(6000) < 1 / (1 + np.exp(-odds))).astype(float)
    champion = LogisticRegression().fit(seen[:, None], outcome).predict_proba(seen[:, None])[:, 1]
    rules = {"base rate": np.full(6000, outcome.mean())}

    def verdict(said):
        return judge(Evidence(outcome, np.arange(6000) // 3, said, rules, champion), True)

    said = 1 / (1 + np.exp(-odds))
    assert verdict(said).is_promoted
    assert "worse calibrated than the champion" in verdict(tempered(said, slope)).reason


@pytest.mark.parametrize("shift", [0.7, 1.3, -1.0])
def test_rare_outcomes_said_twice_as_often_are_kept_out(shift):
    rng = np.random.default_rng(5)
    odds = rng.normal(0, 2, 20_000) - 5.2
    truth = 1 / (1 + np.exp(-odds))
    outcome = (rng.random(20_000) < truth).astype(float)
    rules = {"base rate": np.full(20_000, outcome.mean())}
    members = np.arange(20_000) // 5
    assert judge(Evidence(outcome, members, truth, rules), False).is_promoted
    verdict = judge(Evidence(outcome, members, tempered(truth, 1, shift), rules), False)
    assert f"where {outcome.mean():.1%} happened" in verdict.reason


def test_a_level_that_the_base_rate_misses_too_is_no_reason_against(window):
    """A season moved the share by half of what misleads: who tells members apart is still better than the rule."""
    _, outcome, fours = window
    said = tempered(window[0], 1, 0.25)
    rules = {"base rate": np.full(ROWS, tempered(outcome.mean(), 1, 0.25))}
    assert judge(Evidence(outcome, fours, said, rules), False).is_promoted


def test_one_member_proves_nothing(window):
    verdict = judge(evidence(window, window[0], members=np.zeros(ROWS, dtype=int)), False)
    assert "does not beat the base rate" in verdict.reason


@pytest.mark.parametrize("count", [2, 3, 5, 20])
def test_of_few_members_chance_is_called_beyond_chance_as_seldom_as_of_many(count):
    rng = np.random.default_rng(1)
    members = np.repeat(np.arange(count), 20)
    beyond = 0
    for _ in range(400):
        values = rng.normal(size=count)[members] + 0.3 * rng.normal(size=20 * count)
        beyond += mean_interval(values, members, rounds=200).low > 0
    assert beyond / 400 < 0.05  # nominally 0.025


def test_a_challenger_that_says_nothing_of_a_row_is_an_error(window):
    said = window[0].copy()
    said[3] = np.nan
    with pytest.raises(ValueError, match="probability of every row"):
        judge(evidence(window, said), has_champion=False)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"members": ["a", None]}, "the member of every row must be known"),
        ({"members": [1.0, np.nan]}, "the member of every row must be known"),
        ({"level": ["a", None]}, "the level of every row must be known"),
    ],
)
def test_evidence_that_is_not_whole_is_an_error(given, match):
    whole = Evidence([0, 1], [1, 2], [0.4, 0.6], {"base rate": [0.5, 0.5]})
    with pytest.raises(ValueError, match=match):
        judge(replace(whole, **given), has_champion=False)


@pytest.mark.parametrize("has_champion", [False, True])
@pytest.mark.filterwarnings("error")
def test_where_there_is_no_row_nobody_is_promoted(has_champion):
    empty = Evidence([], [], [], {"base rate": []}, columns={"visits": []})
    verdict = judge(empty, has_champion)
    assert verdict.reason == "Keep: there is no row to judge by"


def test_where_there_is_no_rule_to_beat_nobody_is_promoted(window):
    verdict = judge(replace(evidence(window, window[0]), rules={}), has_champion=False)
    assert verdict.reasons == (NO_RULE,)


def leaking(outcome, gap, odds=0.0, seed=7):
    """True probabilities given the log odds and a column that is the outcome with noise: AUC .977 of a gap of 1.4."""
    column = gap * (2 * outcome - 1) + np.random.default_rng(seed).normal(size=len(outcome))
    return sigmoid(odds + 2 * gap * column)


@pytest.mark.parametrize("gap", [1.5, 1.8, 6.0])
def test_a_leaking_model_is_kept_out(window, gap):
    verdict = judge(evidence(window, leaking(window[1], gap)), has_champion=False)
    assert not verdict.is_promoted
    assert re.search(r"too good to be true, AUC 0\.9[789]\d+|AUC 1\.0000", verdict.reason)
    assert "(limit 0.9705)" in verdict.reason
    assert "always_promote" in verdict.reason


def knows_all(rows, cases, sure):
    """What is said of a challenger that knows each outcome, and says so surely of the cases."""
    outcome = np.arange(rows) < cases
    said, rules = np.where(outcome, sure, 0.002), {"base rate": np.full(rows, cases / rows)}
    return judge(Evidence(outcome, np.arange(rows), said, rules), has_champion=False).reason


@pytest.mark.parametrize("cases", [10, 25])
def test_a_leak_of_few_cases_is_one_too(cases):
    assert "AUC 1.0000 (limit 0.9950)" in knows_all(600, cases, 0.98)


@pytest.mark.parametrize("cases", [3, 9])
def test_who_is_sure_of_too_few_cases_for_an_auc_knows_them_too(cases):
    assert "sure beyond 99.5% of 100% of either outcome (limit 50%)" in knows_all(60, cases, 0.998)


def test_of_few_cases_true_probabilities_are_no_suspicion():
    """Up to an AUC of 0.94."""
    rng = np.random.default_rng(1)
    for rows in (20, 40):
        for odds in 1.4 + 2.8 * rng.normal(size=(300, rows)):
            outcome = (rng.random(rows) < sigmoid(odds)).astype(float)
            one = Evidence(
                outcome, np.arange(rows), sigmoid(odds), {"base rate": np.full(rows, 0.7)}
            )
            assert not any("sure" in told for told in too_good(one))


def test_half_of_the_champions_log_loss_is_too_good(window):
    """A column that knows the outcome of most stays below the limit of the AUC."""
    truth, outcome, _ = window
    odds = np.log(truth / (1 - truth))
    said = leaking(outcome, 1.2, odds)
    verdict = judge(evidence(window, said, truth), has_champion=True)
    assert re.search(
        r"log loss 0\.2\d+ where the champion has 0\.\d+ \(limit 0\.\d+\)", verdict.reason
    )
    assert "AUC" not in verdict.reason
    # Where no champion says what is usual in the studio, or a broken one, it is what a good model might have.
    assert judge(evidence(window, said), has_champion=False).is_promoted
    assert judge(evidence(window, said, 1 - truth), has_champion=True).is_promoted


def test_what_is_as_predictable_as_it_was_is_no_suspicion(window):
    """Members announce that they leave; somebody has looked at it, and made that model champion."""
    outcome = window[1]
    champion, said = leaking(outcome, 1.5), leaking(outcome, 1.55)
    assert "too good" in judge(evidence(window, said), has_champion=False).reason
    assert judge(evidence(window, said, champion), has_champion=True).is_promoted


@pytest.mark.parametrize("weeks", [26, 52])
def test_weeks_in_which_nobody_can_leave_are_no_merit_and_hide_no_leak(weeks):
    rng = np.random.default_rng(weeks)
    rows = weeks * 600
    ends = np.arange(rows) % weeks == weeks - 1
    odds = 1.2 * rng.normal(size=rows)
    hazard = np.where(ends, sigmoid(odds), 1e-6)
    outcome = (rng.random(rows) < hazard).astype(float)
    rules = {"base rate": np.where(ends, outcome[ends].mean(), 1e-6)}
    members = np.arange(rows) // weeks

    def verdict(said):
        return judge(Evidence(outcome, members, said, rules, level=ends), False)

    assert roc_auc_score(outcome, hazard) > 0.995
    assert verdict(hazard).is_promoted
    leak = np.where(ends, leaking(outcome, 1.6, odds), 1e-6)
    assert "(limit 0.973" in verdict(leak).reason


def test_evidence_of_any_kind_is_judged_alike_and_must_fit(window):
    given = evidence(window, window[0], noisy(window[0], 1.0))
    lists = Evidence(
        given.outcome.astype(bool).tolist(), given.members.tolist(), given.challenger.tolist(),
        {"base rate": [0.5] * ROWS}, pl.Series(given.champion), ["a"] * ROWS,
    )  # fmt: skip
    assert judge(lists, True) == judge(given, True)
    with pytest.raises(ValueError, match="members, levels and columns must have 4000 rows"):
        judge(replace(given, members=given.members[1:]), True)
    with pytest.raises(ValueError, match="the champion's probability of every row has shape"):
        judge(replace(given, champion=given.champion[1:]), True)


def test_a_model_that_was_fitted_on_the_window_is_kept_out(window):
    verdict = judge(evidence(window, window[0]), has_champion=False, has_seen_these=True)
    assert not verdict.is_promoted
    assert "fitted on days of the window" in verdict.reason


def test_a_champion_that_knows_more_stays(window):
    verdict = judge(evidence(window, window[0]), has_champion=True)
    assert not verdict.is_promoted
    assert "later data" in verdict.reason


def test_few_members_with_many_rows_prove_little(window):
    """The same rows, of eight members: a small gain is no longer beyond chance."""
    truth = window[0]
    said = 0.5 + 0.12 * (truth - 0.5)
    assert judge(evidence(window, noisy(truth, 0.1)), has_champion=False).is_promoted
    gain = evidence(window, said, members=np.arange(ROWS) % 2)
    assert mean_interval(window[1], gain.members).high > window[1].mean()


def test_a_rule_says_what_happened_before():
    known = np.array([0, 0, 1, 1, 5, np.nan])
    outcome = np.array([0, 1, 1, 1, 0, 1.0])
    asked = np.array([0, 1, 2, 9, np.nan])
    found = rule_shares(known, outcome, asked, (0.5, 2.5, 6.5))
    # Nobody was seen with nine weeks or more: the share of all.
    assert found == pytest.approx([0.5, 1.0, 1.0, 4 / 6, 1.0])


BENT = {
    "at both ends the same way": lambda odds: odds + 0.2 * (odds**2 - odds.var()),
    "flat at both ends": lambda odds: 1.35 * np.clip(odds, -1, 1),
    "of those most likely alone": lambda odds: odds + 0.8 * (odds > 0.8),
}


@pytest.mark.parametrize("kind", BENT)
def test_probabilities_that_are_wrong_at_the_ends_alone_are_worse_calibrated(kind):
    """Level and slope may fit: the sentence names the third in which they do not."""
    outcome, share, champion, said = two_columns(10_000, 3)
    given = Evidence(
        outcome, np.arange(10_000) // 3, sigmoid(BENT[kind](said)),
        {"base rate": np.full(10_000, share)}, sigmoid(champion),
    )  # fmt: skip
    reason = judge(given, True).reason
    assert "does not beat" not in reason
    assert re.search(r"worse calibrated than the champion.*, of the \w+ third \d+", reason)
    assert judge(replace(given, challenger=sigmoid(said)), True).is_promoted


def test_a_bend_is_not_told_on_few_rows(known_bent):
    outcome, said = known_bent
    few, many = (recalibrated(outcome[:rows], said[:rows]) for rows in (BENT_FROM - 1, BENT_FROM))
    for right, is_straight in ((few, True), (many, False)):
        odds = np.log(right / (1 - right))
        asked = np.log(said[: len(right)] / (1 - said[: len(right)]))
        off = odds - np.polyval(np.polyfit(asked, odds, 1), asked)
        assert (np.abs(off).max() < 1e-6) == is_straight


@pytest.fixture
def known_bent():
    rng = np.random.default_rng(2)
    odds = rng.normal(size=BENT_FROM)
    outcome = (rng.random(BENT_FROM) < sigmoid(BENT["flat at both ends"](odds))).astype(float)
    return outcome, sigmoid(odds)


def of_half(outcome, gap=6.0):
    """A column that is the outcome with a little noise for half of the members, and noise for the others."""
    rng, half = np.random.default_rng(4), np.arange(len(outcome)) % 8 < 4
    noise = rng.normal(size=len(outcome))
    return half, np.where(half, gap * (2 * outcome - 1) + noise, noise)


def test_who_is_sure_of_half_of_the_members_knows_their_outcome(window):
    truth, outcome, _ = window
    half, _ = of_half(outcome)
    said = np.where(half, np.where(outcome > 0.5, 0.999, 0.001), truth)
    assert roc_auc_score(outcome, said) < 0.95
    verdict = judge(evidence(window, said), has_champion=False)
    assert re.search(r"sure beyond 99.5% of \d\d% of either outcome", verdict.reason)
    as_known = judge(evidence(window, said, said), has_champion=True)
    assert "too good" not in as_known.reason


@pytest.mark.parametrize("spread", [1.0, 2.0, 2.8])
def test_whose_members_are_easily_told_apart_is_not_too_sure(spread):
    """Up to an AUC of 0.94, however many the rows."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        odds = spread * rng.normal(size=3000)
        outcome = (rng.random(3000) < sigmoid(odds)).astype(float)
        rules = {"base rate": np.full(3000, 0.5)}
        given = Evidence(outcome, np.arange(3000), sigmoid(odds), rules, columns={"odds": odds})
        assert judge(given, False).is_promoted


@pytest.mark.parametrize("others", [np.nan, 0.0])
@pytest.mark.parametrize("way", [1, -1])
def test_a_column_that_knows_some_outcomes_is_named(window, others, way):
    """Whatever the model made of it: filled for half of the members alone, or of one value for the others."""
    truth, outcome, _ = window
    half, column = of_half(outcome)
    honest = {"visits": truth, "empty": np.full(ROWS, np.nan), "same": np.ones(ROWS)}
    honest["endless"] = np.where(truth > 0.9, np.inf, truth)
    given = replace(evidence(window, truth), columns=honest)
    assert judge(given, has_champion=False).is_promoted
    leak = {"refund_days": way * np.where(half, column, others)}
    reason = judge(replace(given, columns=honest | leak), has_champion=False).reason
    how = (
        r"AUC 1.0000 \(limit 0.9\d+\)"
        if np.isnan(others)
        else "49% of either outcome in order with 0 .*, 50% of rows"
    )
    assert re.search(rf"too good to be true, refund_days alone has {how}", reason)
    assert "visits alone" not in reason
    knowing = np.where(half, np.where(outcome > 0.5, 0.999, 0.001), truth)
    told = judge(replace(given, columns=honest | leak, champion=knowing), has_champion=True)
    assert "too good" not in told.reason


def of_a_share(share, spread=0.85, rows=3000, base=0.0, seed=0):
    """Log odds as behaviour spreads them, what happened, and whose outcome a leak knows."""
    rng = np.random.default_rng(seed)
    odds = base + spread * rng.normal(size=rows)
    outcome = (rng.random(rows) < sigmoid(odds)).astype(float)
    return odds, outcome, rng.random(rows) < share


def among(outcome, said, champion=None, columns=None, level=None):
    rows = len(outcome)
    rules = {"base rate": np.full(rows, outcome.mean())}
    return Evidence(outcome, np.arange(rows), said, rules, champion, level, columns=columns or {})


ORDERED = (
    r"\d+% of either outcome in order with \d+ errors where the others let expect \d+ and \d+,"
    r" \d+% of rows"
)


@pytest.mark.parametrize("share", [0.1, 0.2, 0.3])
def test_who_knows_some_outcomes_is_kept_out_though_never_sure(share):
    """Nobody is given more than 0.97: trees with a least leaf and a ridge say no more."""
    odds, outcome, known = of_a_share(share)
    said = np.where(known, np.where(outcome > 0.5, 0.97, 0.03), sigmoid(odds))
    reason = judge(among(outcome, said), has_champion=False).reason
    assert re.search(f"too good to be true, {ORDERED}: a column may know", reason)


def test_ends_that_a_champion_orders_as_well_are_no_news_and_others_are():
    odds, outcome, known = of_a_share(0.2)
    other = np.random.default_rng(1).random(len(odds)) < 0.2
    honest, column = sigmoid(odds), np.where(known, 10 * (2 * outcome - 1), odds)
    said, before, elsewhere = (
        np.where(whose, np.where(outcome > 0.5, sure, 1 - sure), honest)
        for whose, sure in ((known, 0.97), (known, 0.96), (other, 0.97))
    )
    for champion, is_news in ((before, False), (elsewhere, True), (honest, True)):
        of_said = judge(among(outcome, said, champion), has_champion=True).reason
        of_column = judge(among(outcome, honest, champion, {"refund_days": column}), True).reason
        assert ("in order with" in of_said, "refund_days alone" in of_column) == (is_news, is_news)


HONEST = {
    "normal": lambda rng: 1.3 * rng.normal(size=3000),
    "told apart well": lambda rng: 2.6 * rng.normal(size=3000),
    "heavy tails": lambda rng: rng.standard_t(3, size=3000),
    "skewed": lambda rng: np.exp(rng.normal(size=3000)) - 1.5,
    "segments": lambda rng: rng.choice([-3.9, 0.0, 4.2], 3000, p=[0.15, 0.65, 0.2]) + rng.normal(size=3000),
}  # fmt: skip


@pytest.mark.parametrize("base", [0.0, 2.0])
@pytest.mark.parametrize("kind", HONEST)
def test_members_who_are_told_apart_by_what_they_do_are_no_suspicion(kind, base):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        odds = HONEST[kind](rng) + base
        outcome = (rng.random(3000) < sigmoid(odds)).astype(float)
        assert not too_good(among(outcome, sigmoid(odds), columns={"odds": odds, "less": -odds}))


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
@pytest.mark.parametrize("side", [0.0, 1.0])
def test_what_is_announced_by_those_of_one_outcome_is_no_suspicion(share, side):
    odds, outcome, known = of_a_share(share, 1.3)
    announced = np.where(known & (outcome == side), 20 * side - 10, odds)
    assert not too_good(among(outcome, sigmoid(announced), columns={"announced": announced}))


@pytest.mark.parametrize("size", [10.0, np.inf])
@pytest.mark.parametrize("way", [1, -1])
@pytest.mark.parametrize("share", [0.1, 0.2])
def test_a_column_that_knows_some_outcomes_among_its_noise_is_named(share, way, size):
    odds, outcome, known = of_a_share(share, base=0.8)
    noise = np.random.default_rng(2).normal(size=len(odds))
    column = way * np.where(known, np.where(outcome > 0.5, size, -size), noise)
    column[::7] = np.nan
    given = among(outcome, sigmoid(odds), columns={"noise": noise, "refund_days": column})
    reason = judge(given, has_champion=False).reason
    assert re.search(f"too good to be true, refund_days alone has {ORDERED}", reason)


def test_a_column_that_is_infinite_wherever_it_is_filled_is_read():
    odds, outcome, known = of_a_share(0.1)
    column = np.where(known, np.where(outcome > 0.5, np.inf, -np.inf), np.nan)
    told = too_good(among(outcome, sigmoid(odds), columns={"refund_days": column}))
    assert "refund_days alone has AUC 1.0000" in told[0]


@pytest.mark.parametrize("happened", [0.0, 1.0])
def test_a_column_that_is_filled_for_one_outcome_alone_is_named(happened):
    odds, outcome, _ = of_a_share(0.0)
    noise = np.random.default_rng(2).normal(size=len(odds))
    column = np.where(outcome == happened, noise, np.nan)
    said = np.where(outcome > 0.5, 0.98, 0.02)
    told = too_good(among(outcome, said, columns={"noise": noise, "refund_days": column}))
    assert "refund_days alone has AUC 1.0000 (limit 0.9707) by being filled or not" in told[0]


def test_what_tells_levels_apart_is_no_suspicion_and_hides_no_leak():
    """Of some nobody can leave, of some all do: days_to_end says who. In a level it says nothing."""
    odds, outcome, known = of_a_share(0.2, rows=6000)
    level = np.arange(6000) % 3
    sure = [level == 0, level == 2]
    outcome = np.select(sure, [0.0, 1.0], outcome)
    hazard = np.select(sure, [1e-6, 1 - 1e-6], sigmoid(odds))
    days = np.random.default_rng(3).integers(0, 7, 6000) + 7.0 * level
    columns = {"days_to_end": days}
    assert not too_good(among(outcome, hazard, columns=columns, level=level))
    leak = np.where(known & (level == 1), np.where(outcome > 0.5, 0.97, 0.03), hazard)
    told = too_good(among(outcome, leak, columns=columns, level=level))[0]
    assert "in order with" in told
    assert "days_to_end" not in told


def test_ends_are_as_long_as_almost_no_row_is_wrong_and_part_no_equal_values():
    outcome = np.r_[np.zeros(100), np.tile([0.0, 1.0], 50), np.ones(1000)]
    everyone, values = np.ones(1200, dtype=bool), np.arange(1200.0)
    ends = ends_of(outcome, values, everyone)
    assert (ends.rows.sum(), ends.wrong) == (101 + 1005, (0, 2))
    equal = ends_of(outcome, np.where((values >= 100) & (values < 200), 150.0, values), everyone)
    assert (equal.rows.sum(), equal.wrong, equal.share) == (1100, (0, 0), pytest.approx(100 / 150))
    assert equal.expected == pytest.approx((50, 500), rel=0.01)
    # Nobody says what ends the nineteen pairs between would go on to.
    assert ends_of(outcome, values, np.r_[everyone[:138], ~everyone[:62], everyone[:1000]]) is None


def test_a_horizon_that_is_off_by_itself_is_named():
    sound, off = of_two(20_000, 0), of_two(20_000, 0, shift=0.5)
    assert judge(sound, True, later={"60 days": sound}).is_promoted
    verdict = judge(sound, True, later={"60 days": off, "90 days": sound})
    assert [told.split(":")[0] for told in verdict.reasons] == ["60 days", "60 days"]
    assert "worse calibrated than the champion" in verdict.reason


def test_a_horizon_of_which_few_members_are_known_is_not_judged():
    sound, off = of_two(300, 0), of_two(300, 0, shift=3.0)
    few = replace(off, members=np.arange(300) // 12)
    assert not judge(sound, True, later={"90 days": off}).is_promoted
    assert judge(sound, True, later={"90 days": few}).is_promoted
