"""What is said at the end of a run."""

from types import SimpleNamespace
from typing import Any, cast

import polars as pl
import pytest
from rich.console import Console

from ris_assets import summary
from ris_assets.resources.postgres import PostgresResource


class Tables:
    """Answers every query with one row."""

    def __init__(self, **row: Any) -> None:
        self.row = row

    def read(self, query: str) -> pl.DataFrame:
        return pl.DataFrame([self.row])


@pytest.mark.parametrize("printed", ["print_summary", "print_training"])
@pytest.mark.parametrize(("members", "passes"), [(False, 0), (False, 12), (True, 12)])
def test_where_no_pass_covers_any_day_a_sentence_stands_in_place_of_empty_tables(
    monkeypatch, printed, members, passes
):
    shown: list[str] = []
    for name in (
        "print_sizes",
        "print_held",
        "print_models",
        "print_most_at_risk",
        "print_where_next",
    ):
        monkeypatch.setattr(summary, name, lambda *_, name=name: shown.append(name))
    tables = cast(PostgresResource, Tables(members=members, passes=passes))
    monkeypatch.setattr(summary, "PostgresResource", lambda: tables)
    console = Console(record=True, width=200)
    getattr(summary, printed)(console, *(["2026-11-21"] if printed == "print_summary" else []))
    said = console.export_text()
    assert ("No pass covers any day: nothing to score" in said) is not members
    assert (f"passes that were read: {passes}" in said) is not members
    assert ("print_models" in shown) is members


class Registry:
    """A registry of which every champion is a rule."""

    def activate(self) -> "Registry":
        return self

    def MlflowClient(self) -> "Registry":  # noqa: N802 (the library's own name)
        return self

    def get_model_version_by_alias(self, name: str, alias: str) -> SimpleNamespace:
        tags = {"family": "base_rate", "gate": f"Promote: too few outcomes of {name}"}
        return SimpleNamespace(version="3", run_id="r", tags=tags)

    def get_run(self, run_id: str) -> SimpleNamespace:
        return SimpleNamespace(data=SimpleNamespace(metrics={"test_auc": 0.5}))


def test_beside_the_metrics_stands_what_scores_and_why(monkeypatch):
    monkeypatch.setattr(summary, "MlflowResource", Registry)
    console = Console(record=True, width=200)
    summary.print_models(console)
    said = console.export_text()
    assert "0.5000" in said
    for name in ("ris_renewal", "ris_survival"):
        assert f"{name} is base_rate. Promote: too few outcomes of {name}." in said


def test_what_is_held_back_is_told_after_every_run():
    console = Console(record=True, width=200)
    summary.print_held(console, {})
    assert console.export_text() == ""
    summary.print_held(console, {"bookings": 1200, "users": 3})
    assert "1,200 of bookings, 3 of users" in console.export_text()
