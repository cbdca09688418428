"""The gate is offered challengers that must not pass, and one that must."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from ris_assets.evaluation.gate import Evidence, judge, mean_interval, rule_shares

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


def test_a_leaking_model_is_kept_out(window):
    verdict = judge(evidence(window, np.clip(window[1], 0.02, 0.98)), has_champion=False)
    assert not verdict.is_promoted
    assert "too good to be true" in verdict.reason


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
