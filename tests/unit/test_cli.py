"""The command line: what a wrong argument ends in."""

import io
import os
import subprocess
import sys
from time import sleep

import pytest
from click.testing import CliRunner
from rich.console import Console

from ris_assets import cli_runs, launcher
from ris_assets.cli import main
from ris_assets.errors import RisError
from ris_assets.resources.postgres import PostgresResource


@pytest.mark.parametrize(
    "arguments",
    [
        ("up", "--dagster-port", "99999"),
        ("up", "--mlflow-port", "0"),
        ("check", "--sample", "-5"),
        ("train", "--search", "-3"),
        ("train", "--search-seconds", "0"),
        ("run", "--to", "2026-12-31", "--from", "2026-13-01"),
        ("bench", "weekly", "--only", "increment,rebuild_alone"),
        ("bench", "extraction", "--only", ""),
    ],
)
def test_a_wrong_value_names_its_option(arguments):
    found = CliRunner().invoke(main, arguments)
    assert found.exit_code == 2
    assert f"Invalid value for '{arguments[-2]}'" in found.output


def test_both_pages_cannot_have_one_port():
    with pytest.raises(RisError, match="cannot both have port 3998"):
        launcher.serve(3998, 3998, print)


def test_training_without_any_day_says_what_to_run_first(monkeypatch):
    monkeypatch.setattr(launcher, "prepare", lambda: None)
    monkeypatch.setattr(PostgresResource, "row_count", lambda *_: None)
    found = CliRunner().invoke(main, ["train"])
    assert found.exit_code == 1
    assert "There is nothing to learn from yet: run days first" in found.output


def test_without_a_model_a_sentence_stands_in_place_of_an_empty_table(monkeypatch):
    from ris_assets import cli_model, tracking

    monkeypatch.setattr(cli_model, "_activate", lambda: None)
    monkeypatch.setattr(tracking, "versions", lambda _: [])
    found = CliRunner().invoke(main, ["model", "list"])
    assert found.exit_code == 1
    assert found.output.startswith("ris: No model has been trained yet")


def test_a_run_without_a_source_says_so_before_anything_is_loaded_or_made(tmp_path):
    told = "import sys; from ris_assets.cli import main\n"
    told += "try: main(['run', '--from', '2026-01-01', '--to', '2026-01-01'])\n"
    told += "except SystemExit as end: print(end.code, {'dagster', 'dbt', 'psycopg'} & set(sys.modules))"
    nowhere = {name: value for name, value in os.environ.items() if not name.startswith("RIS_")}
    found = subprocess.run(
        [sys.executable, "-c", told], capture_output=True, text=True, timeout=60,
        env=nowhere | {"RIS_HOME": str(tmp_path / "home")},
    )  # fmt: skip
    assert found.stdout == "1 set()\n"
    assert found.stderr.startswith("ris: No document source: set RIS_MONGO_URL")
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("has_none_before", "code", "words"),
    [
        (("ris_renewal",), 0, "ris_survival: version 1 is champion again"),
        (("ris_renewal", "ris_survival"), 1, "of ris_survival"),
    ],
)
def test_all_that_have_a_champion_before_roll_back(monkeypatch, has_none_before, code, words):
    from ris_assets import cli_model, tracking

    def rollback(name: str) -> tuple[int, int]:
        if name in has_none_before:
            raise RisError(f"Version 2 of {name} is the first champion: there is none before it.")
        return 2, 1

    monkeypatch.setattr(cli_model, "_activate", lambda: None)
    monkeypatch.setattr(tracking, "rollback", rollback)
    found = CliRunner().invoke(main, ["model", "rollback", "all"])
    assert found.exit_code == code
    assert "of ris_renewal is the first champion" in found.output
    assert words in found.output


def test_a_file_gets_a_line_of_a_long_stage_now_and_then(monkeypatch):
    monkeypatch.setattr(cli_runs, "LINE_SECONDS", 0.02)
    file = io.StringIO()
    with cli_runs.bar(Console(file=file), "Train the models") as advance:
        advance(1, 3, "renewal_models")
        sleep(0.2)
    lines = file.getvalue().splitlines()
    assert len(lines) > 2
    assert lines[-2] == "Train the models: 1/3 after 0:00:00, renewal_models"
    assert lines[-1] == "Train the models: 3/3 after 0:00:00"
