"""What is said at the end of a run."""

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
    for name in ("print_sizes", "print_models", "print_most_at_risk", "print_where_next"):
        monkeypatch.setattr(summary, name, lambda *_, name=name: shown.append(name))
    tables = cast(PostgresResource, Tables(members=members, passes=passes))
    monkeypatch.setattr(summary, "PostgresResource", lambda: tables)
    console = Console(record=True, width=200)
    getattr(summary, printed)(console, *(["2026-11-21"] if printed == "print_summary" else []))
    said = console.export_text()
    assert ("No pass covers any day: nothing to score" in said) is not members
    assert (f"passes that were read: {passes}" in said) is not members
    assert ("print_models" in shown) is members
