"""Plots and tables of a training: what stands in them."""

import numpy as np
import polars as pl
import pytest

from ris_assets.evaluation import contest, model_plots, survival_contest
from ris_assets.evaluation.bands import BANDS
from ris_assets.evaluation.probability_scores import Interval
from ris_assets.evaluation.tiers import Tier
from ris_assets.features.matrix import FeatureSet
from ris_assets.features.score_rows import renewal_columns
from ris_assets.models.hazard import CURVE_DAYS
from ris_assets.models.hazard_families import RATES
from ris_assets.models.reconcile import reconciled
from ris_assets.reports import renewal as report
from ris_assets.reports import survival
from ris_assets.reports.contenders import with_findings
from ris_assets.reports.renewal import coefficients_of
from ris_assets.tracking import Candidate, model_input
from tests.fakes import CATALOG, fake_studio, person_weeks


@pytest.fixture(scope="module")
def studio():
    return fake_studio(members=500)


@pytest.fixture(scope="module")
def renewal(studio):
    windows = contest.renewal_windows(studio.labelled, studio.horizon)
    return contest.fit_one("logistic", windows, CATALOG)


@pytest.fixture
def drawn(monkeypatch) -> list[tuple]:
    """What `band_curves_plot` was asked to draw."""
    calls: list[tuple] = []

    def draw(*asked) -> bytes:
        calls.append(asked)
        return b""

    monkeypatch.setattr(model_plots, "band_curves_plot", draw)
    return calls


def test_curves_are_drawn_by_the_bands_that_are_scored(studio, renewal, drawn):
    weeks = person_weeks(studio)
    windows = survival_contest.survival_windows(weeks, studio.horizon)
    found = survival_contest.fit_hazards(weeks, windows, CATALOG, families=("hazard",))
    model = found["hazard"].model
    seen = windows.test.filter(pl.col("as_of_date").is_not_null())
    day = seen.filter(pl.col("as_of_date") == seen["as_of_date"].min())
    survival.curves_plot(model, day, renewal)
    survival.curves_plot(model, day, None)
    (curves, sizes, title), (_, quantiles, without) = drawn
    assert "risk band" in title
    assert "weeks expected" in without
    assert sum(sizes.values()) == sum(quantiles.values()) == day.height
    agreed = reconciled(
        model.predict_survival_on(day, CURVE_DAYS), day,
        renewal_columns(day, renewal)["p_renew_30d"].to_numpy(),
    )  # fmt: skip
    of_all = sum(sizes[band] * curve for band, curve in curves.items()) / day.height
    assert of_all == pytest.approx(agreed.mean(axis=0)[6::7])
    open_ = day.filter(~pl.col("is_already_renewed"))
    risk = 100 * (1 - renewal.predict(open_)["p_renew_30d"])
    assert sizes["high"] == risk.round(1).is_between(
        renewal.bands["high"], renewal.bands["critical"], closed="left"
    ).sum()  # fmt: skip
    at_twelve = [curves[band][11] for band in BANDS if band in curves]
    assert at_twelve == sorted(at_twelve, reverse=True)


def test_only_the_baseline_has_coefficients_to_read(studio, renewal):
    assert coefficients_of(renewal).height
    windows = contest.renewal_windows(studio.labelled, studio.horizon)
    assert coefficients_of(contest.stand_in(windows, CATALOG).model).is_empty()


def test_what_a_signature_requires_is_one_column_at_least_where_a_rule_reads_no_more(
    studio,
):
    catalog = CATALOG.with_columns(pl.col("feature").replace("pass_number", "visit_streak_weeks"))
    labelled = studio.labelled.rename({"pass_number": "visit_streak_weeks"})
    windows = contest.renewal_windows(labelled, studio.horizon)
    required = {}
    for tier in (Tier.INSUFFICIENT, Tier.RULE, Tier.SMALL):
        (contender,) = contest.fit_contenders(windows, catalog, tier=tier).values()
        found = report.candidate(contender, windows, {})
        required[contender.model.family] = found.required
        assert set(found.required) <= set(model_input(found).columns)
    assert required == {"base_rate": ("days_to_end",), "rule": ("visit_streak_weeks",), "ridge": ()}


def test_findings_are_files_and_metrics_and_an_end_that_is_not_known_is_none(renewal):
    candidate = Candidate(
        "ris_renewal", "logistic", renewal, pl.DataFrame(), (), metrics={"auc": 0.7}
    )
    bounds = {"auc": Interval(0.7, 0.6, 0.8), "brier": Interval(0.2, -np.inf, np.inf)}
    found = with_findings(candidate, {"a.png": b"a"}, bounds)
    assert found.metrics == {"auc": 0.7, "auc_low": 0.6, "auc_high": 0.8}
    assert found.files == {"a.png": b"a"}


def test_rules_for_the_weeks_ahead_are_metrics_by_their_names(studio):
    windows = survival_contest.survival_windows(person_weeks(studio), studio.horizon)
    rate = RATES["hazard_base_rate"](FeatureSet(())).fit(windows.fitting, windows.validation)
    contender = survival_contest.SurvivalContender(rate, {}, rules={None: 0.1, 0.5: 0.2})
    found = survival.candidate(contender, survival.Background(windows, person_weeks(studio)), {})
    assert found.metrics == {
        "future_brier_hold_the_last_week": 0.1,
        "future_brier_half-way_to_the_norm_in_0.5_weeks": 0.2,
    }
