"""Reasons: always three, from the member's own norm, never made up."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from ris_assets.features.reasons import adverse_numbers, adverse_texts, printed, reasons_of
from tests.fakes import CATALOG

SEED = Path(__file__).parents[2] / "dbt_project/seeds/meta_feature_catalog.csv"

IMPORTANCE = {"visits": 0.5, "app_minutes": 0.3, "steps": 0.1, "tenure_days": 0.1}
REFERENCE = {
    "visits_delta": {"mean": 0.0, "sd": 1.0},
    "app_minutes_delta": {"mean": 0.0, "sd": 10.0},
    "steps_delta": {"mean": 0.0, "sd": 1000.0},
    "tenure_days": {"mean": 300.0, "sd": 200.0},
}
MEMBER = {
    "visits": 3.0, "visits_ewma": 3.0, "app_minutes": 40.0, "app_minutes_ewma": 40.0,
    "steps": None, "steps_ewma": None, "days_to_end": 12, "pass_number": 3, "tenure_days": 400,
    "is_already_renewed": False,
}  # fmt: skip


def told(others: Sequence[dict] = (), **changes) -> list[dict]:
    """The reasons of one member, beside others."""
    frame = pl.DataFrame([MEMBER | changes, *others], schema_overrides={"steps": pl.Float64,
                         "steps_ewma": pl.Float64, "visits_ewma": pl.Float64})  # fmt: skip
    reasons = json.loads(reasons_of(frame, CATALOG, IMPORTANCE, REFERENCE)[0])
    assert len(reasons) == 3
    assert len({reason["feature"] for reason in reasons}) == 3
    return reasons


def test_the_reason_says_what_is_usual_and_what_is_now():
    first = told(visits=1.0)[0]
    assert first == {
        "feature": "visits", "en": "usually 3 visits a week, now 1",
        "ru": "обычно 3 визита в неделю, сейчас 1", "value": 1.0, "norm": 3.0,
    }  # fmt: skip


def test_numbers_are_printed_as_each_language_writes_them():
    first = told(visits=0.0, visits_ewma=2.46)[0]
    assert "2.5 visits" in first["en"]
    assert "2,5 визита" in first["ru"]


def test_reasons_are_ordered_by_strength_times_importance():
    assert [r["feature"] for r in told(visits=2.0, app_minutes=5.0)][:2] == [
        "app_minutes",
        "visits",
    ]
    assert [r["feature"] for r in told(visits=0.0, app_minutes=30.0)][:2] == [
        "visits",
        "app_minutes",
    ]


def test_a_change_for_the_better_is_no_reason():
    assert "visits" not in [reason["feature"] for reason in told(visits=9.0)]


def test_a_null_norm_makes_no_sentence():
    assert "visits" not in [reason["feature"] for reason in told(visits=0.0, visits_ewma=None)]


def test_a_difference_that_reads_the_same_is_not_told():
    frame = {"app_minutes": 40.4, "app_minutes_ewma": 40.4}
    assert "app_minutes" not in [reason["feature"] for reason in told(**frame)]


CONTRACT = {
    "feature": "factor_contract", "feature_group": "internal", "risk_direction": "none", "is_active": True,
    "reason_en": "contract: {value}", "reason_ru": "contract: {value}", "value_format": None,
}  # fmt: skip


def with_contract(contract: str | None) -> list[dict]:
    """The reasons of a member among whose kind those by the month were lost."""
    lost = {"by the month": 40, "by the year": 10, "{norm} of $1": 2}
    training = pl.DataFrame([
        {"factor_contract": kind, "renewed_30d": n >= of_kind, "weight": 1.0}
        for kind, of_kind in lost.items() for n in range(100)
    ])  # fmt: skip
    adverse = adverse_texts(training, "factor_contract")
    assert list(adverse) == ["by the month"]
    frame = pl.DataFrame([MEMBER | {"factor_contract": contract, "visits": 2.0}],
                         schema_overrides={"steps": pl.Float64, "steps_ewma": pl.Float64})  # fmt: skip
    catalog = pl.concat([CATALOG, pl.DataFrame([CONTRACT], schema=CATALOG.schema)])
    reference = REFERENCE | {"factor_contract": {"adverse": adverse}}
    return json.loads(reasons_of(frame, catalog, IMPORTANCE, reference)[0])


def test_a_text_with_which_more_were_lost_is_told_after_own_norms():
    assert with_contract("by the month")[1] == {
        "feature": "factor_contract", "en": "contract: by the month", "ru": "contract: by the month",
        "value": None, "norm": None,
    }  # fmt: skip
    for other in ("by the year", "{norm} of $1", "a new one", None):
        assert "factor_contract" not in {reason["feature"] for reason in with_contract(other)}


def test_chance_makes_no_text_adverse():
    """Of a hundred each 13 and 7 are lost: one standard error from the 10 of all."""
    goal = ["slim"] * 100 + ["strong"] * 100
    renewed = [n % 100 >= (13 if n < 100 else 7) for n in range(200)]
    training = pl.DataFrame({"goal": goal, "renewed_30d": renewed, "weight": 1.0})
    assert adverse_texts(training, "goal") == {}
    assert adverse_texts(training.clear(), "goal") == {}


CALLS = {
    "feature": "factor_calls", "feature_group": "internal", "risk_direction": "none", "is_active": True,
    "reason_en": "calls: {value}", "reason_ru": "calls: {value}", "value_format": None,
}  # fmt: skip


def with_calls(calls: float | None) -> dict[str, dict]:
    """The reasons of a member among whose kind most were lost who had called four times or more, by feature."""
    training = pl.DataFrame(
        [
            {"factor_calls": n % 8, "renewed_30d": n % 8 < 4 or n % 3 == 0, "weight": 1.0}
            for n in range(400)
        ]
    )
    adverse = adverse_numbers(training, "factor_calls")
    assert [(low, high) for low, high, _ in adverse] == [(4, 4), (5, 5), (6, 6), (7, None)]
    frame = pl.DataFrame([MEMBER | {"factor_calls": calls, "visits": 2.0}],
                         schema_overrides={"steps": pl.Float64, "steps_ewma": pl.Float64})  # fmt: skip
    catalog = pl.concat([CATALOG, pl.DataFrame([CALLS], schema=CATALOG.schema)])
    reference = REFERENCE | {"factor_calls": {"adverse": json.loads(json.dumps(adverse))}}
    told = json.loads(reasons_of(frame, catalog, IMPORTANCE, reference)[0])
    return {reason["feature"]: reason for reason in told}


def test_a_number_with_which_more_were_lost_is_told_and_none_that_is_usual():
    for calls in (4, 7, 12):
        assert with_calls(calls)["factor_calls"] == {
            "feature": "factor_calls", "en": f"calls: {calls}", "ru": f"calls: {calls}",
            "value": float(calls), "norm": None,
        }  # fmt: skip
    for other in (0, 3, 4.5, None):
        assert "factor_calls" not in with_calls(other)


def test_of_many_values_the_quarters_are_told_apart_and_chance_makes_none_adverse():
    """Of a hundred each, 10, 10, 10 and 40 are lost with minutes below 100, 200, 300 and 400."""
    minutes = [n + part * 100 for part in range(4) for n in range(100)]
    renewed = [n >= (40 if part == 3 else 10) for part in range(4) for n in range(100)]
    training = pl.DataFrame({"minutes": minutes, "renewed_30d": renewed, "weight": 1.0})
    ((low, high, strength),) = adverse_numbers(training, "minutes")
    assert low == pytest.approx(300, abs=1)
    assert high is None
    # The share of all is .175; the sd of the four is that of -.075 three times and .225 once.
    assert strength == pytest.approx(0.225 / 0.13, rel=0.03)
    assert adverse_numbers(training.with_columns(renewed_30d=pl.lit(True)), "minutes") == []
    assert adverse_numbers(training.clear(), "minutes") == []
    assert adverse_numbers(training.with_columns(minutes=pl.lit(None, pl.Float64)), "minutes") == []


def test_own_norms_come_before_the_profile_and_the_profile_before_plain_facts():
    others = [MEMBER] * 3
    reasons = told(others, visits=2.0, tenure_days=5)
    assert [reason["feature"] for reason in reasons] == ["visits", "tenure_days", "days_to_end"]
    assert reasons[1]["norm"] is None


def test_a_first_pass_is_called_so():
    english = [reason["en"] for reason in told(pass_number=1)]
    assert "this is the first pass" in english


def test_who_has_renewed_is_told_so_first():
    assert told(is_already_renewed=True, visits=0.0)[0]["en"] == "the next pass is already bought"


def test_who_is_frozen_is_told_so_before_what_follows_from_it():
    reasons = told(is_frozen=True, visits=0.0)
    assert [reason["feature"] for reason in reasons[:2]] == ["is_frozen", "visits"]
    assert reasons[0]["en"] == "the pass is frozen"
    assert "is_frozen" not in [reason["feature"] for reason in told(is_frozen=None, visits=0.0)]


def test_prices_are_held_against_those_of_passes_as_long():
    def is_told(price: float, others: Sequence[float]) -> bool:
        frame = pl.DataFrame(
            {
                "price": [price, *others, *[30.0] * 15],
                "pass_days": [365] * (1 + len(others)) + [30] * 15,
            }
        )
        frame = frame.join(pl.DataFrame([MEMBER]), how="cross")
        entry = pl.read_csv(SEED).filter(feature="price")
        reference = {"price": {"mean": 50.0, "sd": 50.0}}
        return "price" in reasons_of(frame, entry, {"price": 1.0}, reference)[0]

    assert not is_told(300.0, [300.0, 300.0, 300.0])
    assert is_told(400.0, [300.0, 300.0, 300.0])


def test_members_keep_their_own_reasons():
    frame = pl.DataFrame([MEMBER | {"visits": 0.0}, MEMBER, MEMBER | {"app_minutes": 1.0}],
                         schema_overrides={"steps": pl.Float64, "steps_ewma": pl.Float64})  # fmt: skip
    first = [json.loads(r)[0]["feature"] for r in reasons_of(frame, CATALOG, IMPORTANCE, REFERENCE)]
    assert first == ["visits", "days_to_end", "app_minutes"]


def alone(
    feature: str, values: Sequence[float], norm: float | None = None, days: Sequence[int] = ()
) -> list[bool]:
    """Who of members with these values of one feature is told of it, all of them strongly away from its mean."""
    entry = pl.read_csv(SEED).filter(feature=feature)
    external = entry["feature_group"][0] == "external"
    down = entry["risk_direction"][0] == "down"
    frame = pl.DataFrame([MEMBER] * len(values)).with_columns(
        pl.Series(feature, values, pl.Float64), pl.lit(norm, pl.Float64).alias(f"{feature}_ewma"),
        pl.Series("as_of_date", days or [0] * len(values)),
    )  # fmt: skip
    mean = 1e6 if down else -1e6
    reference = {feature + ("_delta" if external else ""): {"mean": mean, "sd": 1e-3}}
    reasons = reasons_of(frame, entry, {feature: 1.0}, reference).to_list()
    facts = ("days to the end of the pass", "passes bought so far", "days since registration")
    return [
        any(r["feature"] == feature and not r["en"].startswith(facts) for r in json.loads(text))
        for text in reasons
    ]


@pytest.mark.parametrize(
    ("feature", "norm", "value", "is_told"),
    [
        ("price_change", -0.089, 0.0, False),
        ("price_change", -0.089, -0.05, False),
        ("price_change", -0.089, 0.004, False),
        ("price_change", -0.089, 0.05, True),
        ("muscle_change_kg", 0.5, 0.2, False),
        ("muscle_change_kg", 0.5, -0.04, False),
        ("muscle_change_kg", 0.5, -0.4, True),
        ("season_attendance_index", 1.3, 1.1, False),
        ("season_attendance_index", 1.3, 0.9, True),
        ("failed_payments", 0.6, 1.0, True),
        ("coach_absent_days", 3.0, 7.0, False),
        ("coach_absent_days", 3.0, 42.0, True),
    ],
)
def test_a_sentence_without_the_norm_is_told_of_values_that_are_adverse_by_themselves(
    feature, norm, value, is_told
):
    assert alone(feature, [value], norm) == [is_told]


def test_what_is_told_without_its_norm_is_large_by_itself():
    entry = pl.read_csv(SEED).filter(feature="muscle_change_kg")
    frame = pl.DataFrame([MEMBER] * 2).with_columns(
        pl.Series("muscle_change_kg", [-0.1, -0.6]), pl.lit(0.9).alias("muscle_change_kg_ewma")
    )
    reference = {"muscle_change_kg_delta": {"mean": 0.0, "sd": 1.0}}
    found = ["muscle" in r for r in reasons_of(frame, entry, {}, reference)]
    assert found == [False, True]


@pytest.mark.parametrize(
    ("feature", "norm", "value", "is_told"),
    [
        ("assessments", 0.1, 0.0, False),
        ("assessments", 1.0, 0.0, True),
        ("visits", 3.6, 3.0, False),
        ("visits", 1.3, 0.0, True),
        ("tickets", 0.1, 1.0, True),
        ("tickets", 0.9, 1.0, False),
        ("attended_share", 0.8, 0.5, True),
    ],
)
def test_a_count_differs_from_its_norm_when_it_does_by_a_whole_one(feature, norm, value, is_told):
    assert alone(feature, [value], norm) == [is_told]


def test_of_a_long_absence_nothing_is_usual():
    entry = pl.read_csv(SEED).filter(feature="days_since_last_visit")
    frame = pl.DataFrame([MEMBER] * 2).with_columns(
        pl.Series("days_since_last_visit", [12, 398]),
        pl.Series("days_since_last_visit_ewma", [2.0, 345.0]),
    )
    reference = {"days_since_last_visit_delta": {"mean": 0.0, "sd": 1.0}}
    first = [json.loads(r)[0] for r in reasons_of(frame, entry, {}, reference)]
    assert [r["en"] for r in first] == [
        "days without a visit: 12, usually 2",
        "days without a visit: 398",
    ]
    assert [r["ru"] for r in first] == ["дней без визита: 12, обычно 2", "дней без визита: 398"]


def test_no_noun_stands_behind_a_number_that_it_would_have_to_agree_with():
    catalog = pl.read_csv(SEED).filter(pl.col("reason_en").is_not_null())
    assert catalog["reason_ru"].null_count() == 0
    counts = catalog.filter(pl.col("value_format") != "percent")
    for sentence in [*counts["reason_en"], *counts["reason_ru"]]:
        assert not re.search(r"\} (?!kg|кг)", sentence), sentence


@pytest.mark.parametrize(
    ("feature", "values", "is_told"),
    [
        ("price", [149, 149, 99, 99], [False] * 4),
        ("price", [149, 129, 99, 99, 99], [True, False, False, False, False]),
        ("tenure_days", [5, 5, 5, 700], [False] * 4),
        ("tenure_days", [5, 400, 500, 600], [True, False, False, False]),
        ("tenure_days", [5, 100, 500, 600, 700], [True, False, False, False, False]),
        ("discount_share", [0.001, 0, 0], [False] * 3),
        ("last_renewal_lead_days", [-2, -9, -9], [False] * 3),
        ("last_renewal_lead_days", [4, -9, -9, -9], [True, False, False, False]),
        ("is_frozen", [1, 1, 1], [True] * 3),
    ],
)
def test_much_and_little_are_beyond_three_quarters_of_the_members(feature, values, is_told):
    assert alone(feature, values) == is_told


def test_members_are_held_against_those_of_the_same_day():
    prices, days = [150, 99, 99, 99, 300, 300, 300, 300, 400], [1] * 4 + [2] * 5
    assert alone("price", prices, days=days) == [True, *[False] * 7, True]


@pytest.mark.parametrize(
    ("form", "value", "text"),
    [("int", 1234.6, "1235"), ("days", 3.0, "3"), ("one", 2.0, "2"), ("one", 2.44, "2.4"),
     ("one", -0.04, "0"), ("percent", -0.004, "0%"),
     ("percent", 0.125, "12%")],
)  # fmt: skip
def test_printed_numbers(form, value, text):
    assert pl.select(printed(pl.lit(value), form)).item() == text
