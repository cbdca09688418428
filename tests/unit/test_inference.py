"""What is told of who leaves: effects that are there, none that are not, columns refused by name."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from lifelines import CoxTimeVaryingFitter

from ris_assets.evaluation.inference import decision_weeks, infer, segments_of, spells_of
from ris_assets.features.matrix import choose_features
from ris_assets.models.week_clock import CLOCK_FEATURES
from tests.fakes import CATALOG, fake_studio, person_weeks


@pytest.fixture(scope="module")
def weeks() -> pl.DataFrame:
    return person_weeks(fake_studio(members=900, seed=3))


@pytest.fixture(scope="module")
def found(weeks):
    features = choose_features(weeks, CATALOG, exclude=CLOCK_FEATURES)
    return infer(weeks, features, ["visits", "app_minutes", "price", "pass_days"])


def test_only_weeks_in_which_a_pass_runs_out_are_asked(weeks):
    rows = decision_weeks(weeks)
    assert rows["days_to_end_at_start"].is_between(1, 7).all()
    assert rows["as_of_date"].null_count() == 0
    # Whoever left did so in such a week, but for those whose last week had no snapshot before it.
    seen = weeks.filter(pl.col("event") & pl.col("as_of_date").is_not_null())
    assert rows["event"].sum() == seen.height


def test_effects_have_the_sign_that_they_were_made_with(found):
    whole = {row["feature"]: row for row in found.ratios.filter(segment="").iter_rows(named=True)}
    assert whole["visits_ewma"]["hr_high"] < 1
    assert whole["price"]["hr_low"] > 1
    # The app says nothing in this studio.
    assert whole["app_minutes"]["p_value"] > 0.01 if "app_minutes" in whole else True


def test_the_values_of_a_text_are_asked_beside_its_commonest(weeks):
    city = weeks["city"].drop_nulls().value_counts().sort("count")["city"].to_list()
    features = choose_features(weeks, CATALOG, exclude=CLOCK_FEATURES)
    rows = infer(weeks, features, ["city", "visits"], by=None).ratios
    ratios = dict(rows.select("feature", "hazard_ratio").iter_rows())
    assert set(ratios) == {f"city={city[0]}", "visits_ewma", "visits_delta"}
    assert (ratios[f"city={city[0]}"] < 1) == (city[0] == "Almaty")
    seen = decision_weeks(weeks)
    cox = CoxTimeVaryingFitter().fit(
        seen.select(
            "spell_id", "start", "stop", "event", a=(pl.col("city") == city[0]).cast(pl.Float64),
            **{name: pl.col(name).fill_null(pl.col(name).median())
               for name in ("visits_ewma", "visits_delta")},
        ).to_pandas(),
        event_col="event", start_col="start", stop_col="stop", id_col="spell_id",
    )  # fmt: skip
    assert ratios[f"city={city[0]}"] == pytest.approx(np.exp(cox.params_["a"]), rel=0.01)


def test_cities_have_ratios_of_their_own(found):
    by_city = found.ratios.filter(pl.col("segment") != "")
    assert set(by_city["segment"]) == {"Almaty", "Astana"}
    assert set(by_city["pooled"]) <= {"own", "shrunk", "overall"}
    assert by_city["proportionality_p"].null_count() == by_city.height


def test_curves_differ_by_city_as_members_do(found):
    curves = found.curves.filter(segment_kind="city")
    assert found.tests["city"].p_value < 0.05
    at = curves.filter(pl.col("time") == 30).select("segment", "survival")
    shares = dict(at.iter_rows())
    assert shares["Almaty"] > shares["Astana"]
    assert (
        curves.filter(pl.col("low").is_not_null())
        .select((pl.col("low") <= pl.col("survival")).all())
        .item()
    )


def test_factors_of_the_business_that_are_texts_are_segments(weeks):
    owned = weeks.with_columns(
        pl.col("city").alias("factor_place"),
        pl.lit(1.5).alias("factor_number"),
    )
    assert segments_of(owned)[-1] == "factor_place"
    assert "factor_number" not in segments_of(owned)
    found = infer(owned, choose_features(owned, CATALOG, exclude=CLOCK_FEATURES), ["visits"])
    assert found.tests["factor_place"].p_value == found.tests["city"].p_value


def test_a_column_that_gives_itself_away_is_left_out_by_name(weeks):
    leaking = weeks.with_columns(
        pl.when("event").then(5.0).otherwise(0.0).alias("app_minutes_delta"),
        pl.col("visits_ewma").alias("steps"),
    )
    features = choose_features(leaking, CATALOG, exclude=CLOCK_FEATURES)
    found = infer(leaking, features, ["visits", "app_minutes", "steps", "price"], by=None)
    assert "app_minutes_delta" in found.refused
    kept = set(found.ratios["feature"])
    assert "app_minutes_delta" not in kept
    assert not {"steps", "visits_ewma"} <= kept
    assert "price" in kept


def test_spells_whose_beginning_is_unknown_are_left_out(weeks):
    late = weeks.filter(pl.col("week_number") > 0)
    assert spells_of(late).height == 0
    spells = spells_of(weeks)
    assert spells["event"].sum() == weeks["event"].sum()
    assert np.all(spells["duration"].to_numpy() >= 1)


def test_who_leaves_in_the_first_week_of_a_spell_is_of_a_segment_too():
    # The snapshots beside weeks are those of their eves, and nobody has one of the eve of a spell.
    weeks = pl.DataFrame(
        {
            "spell_id": ["gone:1", "stays:1", "stays:1"],
            "week_start": [date(2026, 3, 2), date(2026, 3, 2), date(2026, 3, 9)],
            "week_number": [0, 0, 1],
            "event": [True, False, False],
            "city": [None, None, "Astana"],
        }
    )
    first = pl.DataFrame({"spell_id": ["gone:1", "stays:1"], "city": ["Almaty", "Almaty"]})
    found = spells_of(weeks, first)
    assert found.select("spell_id", "event", "city").rows() == [
        ("gone:1", True, "Almaty"),
        ("stays:1", False, "Astana"),
    ]
    assert spells_of(weeks)["city"].to_list() == [None, "Astana"]
