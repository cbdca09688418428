"""Reasons: always three, from the member's own norm, never made up."""

import json

import polars as pl
import pytest

from ris_assets.features.reasons import printed, reasons_of
from tests.fakes import CATALOG

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


def told(**changes) -> list[dict]:
    """The reasons of one member."""
    frame = pl.DataFrame([MEMBER | changes], schema_overrides={"steps": pl.Float64,
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


def test_own_norms_come_before_the_profile_and_the_profile_before_plain_facts():
    reasons = told(visits=2.0, tenure_days=5)
    assert [reason["feature"] for reason in reasons] == ["visits", "tenure_days", "days_to_end"]
    assert reasons[1]["norm"] is None


def test_a_first_pass_is_called_so():
    english = [reason["en"] for reason in told(pass_number=1)]
    assert "this is the first pass" in english


def test_who_has_renewed_is_told_so_first():
    assert told(is_already_renewed=True, visits=0.0)[0]["en"] == "the next pass is already bought"


def test_members_keep_their_own_reasons():
    frame = pl.DataFrame([MEMBER | {"visits": 0.0}, MEMBER, MEMBER | {"app_minutes": 1.0}],
                         schema_overrides={"steps": pl.Float64, "steps_ewma": pl.Float64})  # fmt: skip
    first = [json.loads(r)[0]["feature"] for r in reasons_of(frame, CATALOG, IMPORTANCE, REFERENCE)]
    assert first == ["visits", "days_to_end", "app_minutes"]


@pytest.mark.parametrize(
    ("form", "value", "text"),
    [("int", 1234.6, "1235"), ("days", 3.0, "3"), ("one", 2.0, "2"), ("one", 2.44, "2.4"),
     ("percent", 0.125, "12%")],
)  # fmt: skip
def test_printed_numbers(form, value, text):
    assert pl.select(printed(pl.lit(value), form)).item() == text
