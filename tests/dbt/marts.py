"""Builds the marts as a run of RIS does: dbt, norms, dbt again. One parse for all runs."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import psycopg
from dbt.cli.main import dbtRunner, dbtRunnerResult

from ris_assets.assets.norms import touched_weeks, write_norms
from ris_assets.dbt import PROJECT_DIR, dbt_environment, run_options
from ris_assets.partitions import Window
from ris_assets.resources.postgres import PostgresResource

BEFORE_NORMS = ("--select", "+user_week_metrics")
AFTER_NORMS = ("--exclude", "+user_week_metrics", "path:models/outcomes")
WITH_TESTS = ("--exclude-resource-type", "unit_test", "--indirect-selection", "buildable")
WITHOUT_TESTS = ("--exclude-resource-type", "unit_test", "--exclude-resource-type", "test")
EVER = ("1900-01-01", "2100-01-01")
SCHEMAS = ("ris_raw", "ris_stg", "ris_int", "ris")


@dataclass
class Marts:
    """The dbt project on one database."""

    url: str
    folder: Path
    timezone: str
    manifest: Any = None
    project: Path = PROJECT_DIR

    def __post_init__(self) -> None:
        parsed = self.dbt("parse")
        self.manifest = parsed.result

    def dbt(self, *arguments: str, variables: Mapping[str, Any] | None = None) -> dbtRunnerResult:
        """One dbt command in this process, whichever database it was used for before."""
        os.environ.update(dbt_environment(self.url))
        given = {"timezone": self.timezone, **(variables or {})}
        return dbtRunner(manifest=self.manifest).invoke(
            [
                *arguments,
                *("--project-dir", str(self.project), "--profiles-dir", str(self.project)),
                *("--target-path", str(self.folder / "target")),
                *("--log-path", str(self.folder / "logs")),
                *("--vars", json.dumps(given), "--quiet", "--no-use-colors"),
                *("--no-write-json", "--log-level-file", "none"),
            ]
        )

    def reset(self) -> None:
        """Drop everything."""
        with psycopg.connect(self.url) as connection:
            for schema in SCHEMAS:
                connection.execute(f"drop schema if exists {schema} cascade")

    def build(self, from_date: str = EVER[0], to_date: str = EVER[1], **extra: Any) -> None:
        """Everything but outcomes, for the window of a run, and the project's tests of the data."""
        self._build(("build", *WITH_TESTS), from_date, to_date, extra)

    def make(self) -> None:
        """The same for all days without the tests: of data that they were asked of elsewhere."""
        self._build(("build", *WITHOUT_TESTS), *EVER, {})

    def run(self, from_date: str, to_date: str, **extra: Any) -> None:
        """The same for the window of a run, and the seed as it is."""
        self._build(("run",), from_date, to_date, extra)

    def run_only(self, models: str, from_date: str, to_date: str, **extra: Any) -> None:
        """Some models of such a run: those that a test looks at, and that read nothing made for the window."""
        variables = {"from_date": from_date, "to_date": to_date, **extra}
        selected = ("--select", *models.split(), *run_options(variables))
        self.succeed("run", *selected, variables=variables)

    def _build(
        self, command: Sequence[str], from_date: str, to_date: str, extra: Mapping[str, Any]
    ) -> None:
        variables = {"from_date": from_date, "to_date": to_date, **extra}
        options = run_options(variables)
        self.succeed(*command, *BEFORE_NORMS, *options, variables=variables)
        self.write_norms(from_date, to_date)
        self.succeed(*command, *AFTER_NORMS, *options, variables=variables)

    def succeed(self, *arguments: str, variables: Mapping[str, Any] | None = None) -> None:
        """A dbt command that must not fail."""
        result = self.dbt(*arguments, variables=variables)
        assert result.success, failures(result)

    def write_norms(self, from_date: str = EVER[0], to_date: str = EVER[1]) -> None:
        """What the asset `user_week_norm` does for the window of a run."""
        days = (date.fromisoformat(from_date), date.fromisoformat(to_date))
        window = Window(*days, ZoneInfo(self.timezone))
        write_norms(PostgresResource(url=self.url), *touched_weeks(window))

    def execute(self, statement: str) -> None:
        """A statement that changes something."""
        with psycopg.connect(self.url) as connection:
            connection.execute(statement)

    def read(self, query: str) -> pl.DataFrame:
        """The result of a query."""
        return PostgresResource(url=self.url).read(query)

    def row(self, query: str) -> dict[str, Any]:
        """The one row of a query."""
        frame = self.read(query)
        assert frame.height == 1, f"{frame.height} rows: {query}"
        return frame.row(0, named=True)

    def snapshot(self, user_id: str, day: str) -> dict[str, Any] | None:
        """A member's snapshot row, None if there is none."""
        frame = self.read(
            "select * from ris.member_snapshot"
            f" where user_id = '{user_id}' and as_of_date = '{day}'"
        )
        return frame.row(0, named=True) if frame.height else None

    def week(self, user_id: str, monday: str) -> dict[str, Any]:
        """A member's week."""
        assert date.fromisoformat(monday).weekday() == 0
        return self.row(
            "select * from ris.fact_user_week"
            f" where user_id = '{user_id}' and week_start = '{monday}'"
        )


def failures(result: dbtRunnerResult) -> str:
    """What went wrong, one line a node."""
    if result.exception is not None:
        return str(result.exception)
    wrong = [r for r in result.result if r.status not in ("success", "pass", "skipped")]
    return "\n".join(f"{r.node.name}: {r.message}" for r in wrong)
