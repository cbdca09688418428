"""Adding a metric is one row in the catalogue and one SQL expression: it appears everywhere by itself."""

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from ris_assets.dbt import PROJECT_DIR
from ris_assets.features.matrix import choose_features
from tests.dbt.marts import Marts
from tests.dbt.members import HORIZON, make_hand_written

ROW = {
    "feature": "minutes_a_session", "feature_group": "external", "source_entity": "app_sessions",
    "source_metric": "app_minutes / app_session_count", "unit": "minutes", "risk_direction": "down",
    "label_en": "Minutes a session", "label_ru": "Минут за сеанс",
    "reason_en": "stays {value} minutes in the app, usually {norm}",
    "reason_ru": "проводит в приложении минут: {value}, обычно {norm}", "value_format": "one",
    "default_window": "7 days", "is_active": "true", "since_version": "9.9.9",
}  # fmt: skip
EXPRESSION = (
    "        'minutes_a_session':\n            'app_minutes / nullif(app_session_count, 0)',\n"
)


@pytest.fixture(scope="module")
def extended(marts: Marts, tmp_path_factory: pytest.TempPathFactory) -> Marts:
    """Marts that were built without the metric, and then run for their last day with it."""
    make_hand_written(marts)
    project = tmp_path_factory.mktemp("extended") / "dbt_project"
    shutil.copytree(PROJECT_DIR, project, ignore=shutil.ignore_patterns("target", "logs"))
    add_the_metric(project)
    folder = tmp_path_factory.mktemp("extended_target")
    more = replace(marts, project=project, folder=folder, manifest=None)
    more.build(HORIZON, HORIZON)
    return more


def add_the_metric(project: Path) -> None:
    """One row and one expression."""
    catalog = project / "seeds" / "meta_feature_catalog.csv"
    with catalog.open("r+", encoding="utf-8", newline="") as file:
        columns = next(csv.reader([file.readline()]))
        file.seek(0, 2)
        csv.DictWriter(file, columns, lineterminator="\n").writerow(ROW)
    macro = project / "macros" / "metrics.sql"
    text = macro.read_text(encoding="utf-8")
    start = text.index("{% macro metric_expressions() %}")
    place = text.index("({\n", start) + len("({\n")
    macro.write_text(text[:place] + EXPRESSION + text[place:], encoding="utf-8")


def test_it_is_in_the_weekly_facts_of_the_weeks_that_were_run(extended: Marts):
    week = extended.week("anna", "2024-05-06")
    assert week["minutes_a_session"] == pytest.approx((10.5 + 4.25) / 2)
    assert {"minutes_a_session_ewma", "minutes_a_session_delta"} <= set(week)
    # A week that was built before and not run since has no value, and keeps its others.
    before = extended.week("anna", "2024-04-15")
    assert (before["minutes_a_session"], before["visits"]) == (None, 3.0)


def test_it_is_in_the_snapshot(extended: Marts):
    row = extended.snapshot("anna", HORIZON)
    assert row is not None
    assert row["minutes_a_session"] == pytest.approx((10.5 + 4.25) / 2)
    assert "minutes_a_session_p50" in row


def test_it_is_in_the_matrices(extended: Marts):
    catalog = extended.read("select * from ris.meta_feature_catalog")
    snapshot = extended.read("select * from ris.member_snapshot")
    # With so little history its norms are null and left out.
    assert "minutes_a_session" in choose_features(snapshot, catalog).names
    filled = snapshot.with_columns(pl.lit(1.0).alias("minutes_a_session_ewma"))
    assert "minutes_a_session_ewma" in choose_features(filled, catalog).names


@pytest.mark.parametrize("table", ["user_week_metrics", "fact_user_week", "member_snapshot"])
def test_it_is_documented_in_the_database(extended: Marts, table: str):
    found = extended.row(
        f"select col_description('ris.{table}'::regclass, attnum) as comment from pg_attribute"
        f" where attrelid = 'ris.{table}'::regclass and attname = 'minutes_a_session'"
    )
    assert found["comment"].startswith("Minutes a session, minutes")
