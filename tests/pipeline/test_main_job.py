"""The main job as a user runs it: `ris demo` on a small studio, then days run again, on real servers."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

import psycopg
import pytest

from ris_assets.contracts.entities import ENTITIES
from ris_assets.ingest.parts import is_by_day

ZONE = "Asia/Almaty"
LEDGERS = (
    "int_booking_changes", "int_user_days_measured", "int_clan_joins", "int_friends_added",
    "int_daily_visits", "int_first_lifts",
)  # fmt: skip
KEYS = {
    "core_user": ("user_id",),
    "core_hp_period": ("hp_id",),
    "fact_user_day": ("user_id", "activity_date"),
    "fact_user_week": ("user_id", "week_start"),
    "label_hp": ("hp_id",),
    "interval_hp": ("spell_id", "week_start"),
    "ref_calendar": ("calendar_date",),
    "meta_feature_catalog": ("feature",),
    "member_snapshot": ("as_of_date", "user_id"),
    "user_week_norm": ("user_id", "week_start"),
    "model_scores_daily": ("score_date", "user_id"),
    "model_outcomes": ("score_date", "user_id"),
    "model_importance": ("model_name", "model_version", "feature"),
    "model_bands": ("model_name", "model_version", "risk_band"),
    "dq_feature_stats": ("as_of_date", "feature"),
}


@dataclass(frozen=True)
class Home:
    """One RIS_HOME that a demo was run in."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)

    def ris(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        ours = {name: value for name, value in os.environ.items() if not name.startswith("RIS_")}
        return subprocess.run(
            [sys.executable, "-m", "ris_assets.cli", *arguments],
            env={**ours, "RIS_HOME": str(self.folder), "COLUMNS": "200", **self.settings},
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
        )

    @cached_property
    def url(self) -> str:
        """The database of the marts; its server stays up between commands."""
        return self.ris("url", "postgres").stdout.strip()

    def rows(self, query: str, database: str = "postgres") -> list[tuple]:
        url = self.url if database == "postgres" else f"{self.url}_{database}"
        with psycopg.connect(url) as connection:
            return connection.execute(query).fetchall()

    def execute(self, *statements: str) -> None:
        with psycopg.connect(self.url) as connection:
            for statement in statements:
                connection.execute(statement)

    @property
    def last_day(self) -> date:
        return date.fromisoformat(
            json.loads((self.folder / "demo/demo.json").read_text())["last_day"]
        )

    def fingerprints(self) -> dict[str, str]:
        """A hash of the content of every table, and of the ledgers that the next run adds to."""
        tables = [*(f"ris.{table}" for table in KEYS), *(f"ris_int.{table}" for table in LEDGERS)]
        selects = [
            f"select '{table}', md5(coalesce(string_agg(t::text, '|' order by t::text), ''))"
            f" from {table} t"
            for table in tables
        ]
        return dict(self.rows(" union all ".join(selects)))


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with tempfile.TemporaryDirectory(prefix="ris demo ") as folder:
        ran = Home(Path(folder))
        done = ran.ris("demo", "--members", "400", "--weeks", "60")
        assert done.returncode == 0, done.stdout + done.stderr
        (ran.folder / "demo.out").write_text(done.stdout)
        yield ran
        ran.ris("down", "--delete")


@pytest.mark.parametrize("table", KEYS)
def test_every_table_is_there_with_its_key_unique(home, table):
    key = ", ".join(KEYS[table])
    rows, keys = home.rows(f"select count(*), count(distinct ({key})) from ris.{table}")[0]
    assert rows > 0
    assert rows == keys


def test_every_active_member_is_scored_once_and_nobody_else(home):
    active, scored, both = home.rows(
        f"""
        with active as (
            select distinct p.user_id from ris.core_hp_period p
            where '{home.last_day}' between p.starts_on and p.hp_end_corrected
        ), scored as (
            select user_id from ris.model_scores_daily where score_date = '{home.last_day}'
        )
        select (select count(*) from active), (select count(*) from scored),
               (select count(*) from active join scored using (user_id))
        """
    )[0]
    assert active == scored == both > 100


def test_probabilities_are_monotone_and_each_score_has_three_reasons(home):
    wrong = home.rows(
        """
        select count(*) from ris.model_scores_daily
        where not (p_renew_30d between 0 and p_renew_60d and p_renew_60d <= p_renew_90d
                   and p_renew_90d <= 1 and risk_score between 0 and 100
                   and jsonb_array_length(reasons) = 3)
        """
    )
    assert wrong == [(0,)]


def test_past_scores_are_near_what_happened(home):
    predicted, observed, rows = home.rows(
        "select avg(p_renew_30d), avg(renewed_30d::int)::float8, count(*) from ris.model_outcomes"
        " where renewed_30d is not null"
    )[0]
    assert rows > 200
    assert abs(predicted - observed) < 0.15  # a small studio: some 200 passes


def test_members_who_never_came_stay_in_every_table(home):
    silent, in_weeks, in_snapshots = home.rows(
        """
        with silent as (
            select user_id from ris.core_hp_period p where starts_on <= hp_end_corrected
            except select user_id from ris_raw.bookings where status = 'attended'
        )
        select count(distinct s.user_id), count(distinct w.user_id), count(distinct m.user_id)
        from silent s left join ris.fact_user_week w using (user_id)
        left join ris.member_snapshot m using (user_id)
        """
    )[0]
    assert silent > 0
    assert in_weeks >= 0.8 * silent  # passes bought today have not begun a week yet
    assert in_snapshots > 0


def test_three_days_run_again_change_nothing(home):
    before = home.fingerprints()
    first = home.last_day - timedelta(days=2)
    done = home.ris("run", "--from", str(first), "--to", str(home.last_day))
    assert done.returncode == 0, done.stdout + done.stderr
    assert home.fingerprints() == before


def test_a_day_that_was_left_out_is_made_up_for_by_the_next(home):
    before = home.fingerprints()
    done = home.last_day - timedelta(days=3)
    by_day = [entity.table.qualified for entity in ENTITIES.values() if is_by_day(entity)]
    home.execute(
        f"update ris_raw.extraction_log set through_day = '{done}' where through_day > '{done}'",
        *(f"delete from {table} where (event_at at time zone '{ZONE}')::date > '{done}'" for table in by_day),
        *(f"delete from ris_int.{ledger} where known_on > '{done}'" for ledger in LEDGERS),
        f"delete from ris.member_snapshot where as_of_date > '{done}'",
    )  # fmt: skip
    ran = home.ris("run", "--from", str(home.last_day), "--to", str(home.last_day))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert home.fingerprints() == before


def test_the_summary_names_sizes_models_members_and_the_next_command(home):
    text = (home.folder / "demo.out").read_text()
    for words in ("400 members", "AUC of the simulator's truth", "Most at risk", "ris up"):
        assert words in text


def test_no_password_and_no_member_reaches_dagster(home):
    password = json.loads((home.folder / "postgres.json").read_text())["password"]
    member = home.rows(
        "select user_id from ris.model_scores_daily order by risk_score desc limit 1"
    )
    for secret in (password, member[0][0]):
        for table, column in (("event_logs", "event"), ("runs", "run_body")):
            query = f"select count(*) from {table} where position('{secret}' in {column}) > 0"
            assert home.rows(query, "dagster") == [(0,)], f"{secret} is in {table}"


def test_dbt_reports_every_model_and_test_to_dagster(home):
    models = home.rows(
        "select distinct asset_key from event_logs where dagster_event_type = 'ASSET_MATERIALIZATION'"
        """ and asset_key like '["ris", %'""",
        "dagster",
    )
    checks = home.rows(
        # Whether a model of 400 members passes the gate is not for dbt to say.
        "select execution_status, count(distinct check_name) from asset_check_executions"
        " where execution_status <> 'PLANNED' and check_name <> 'passed_the_gate' group by 1 order by 1",
        "dagster",
    )
    assert len(models) > 25
    assert [status for status, _ in checks] == ["SUCCEEDED"]
    assert checks[0][1] > 30


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "--from", "2020-01-01", "--to", "2020-01-02"), "before the first partition"),
        (("run", "--from", "2999-01-01", "--to", "2999-01-02"), "is not over yet"),
        (("demo", "--members", "7"), "of another size"),
    ],
)
def test_a_mistake_ends_in_one_sentence(home, arguments, words):
    done = home.ris(*arguments)
    assert done.returncode == 1
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


POOR = """
entities:
  users:
    collection: users
    fields: {user_id: _id, registered_at: createdAt}
  hero_passes:
    collection: heroPasses
    changed_at: updatedAt
    fields:
      hp_id: _id
      user_id: userId
      price: {path: price.amount, scale: 0.01}
      purchased_at: purchasedAt
      starts_at: startsAt
      ends_at: endsAt
      cancelled_at: cancellation.at
"""


def test_a_business_with_users_and_passes_only_gets_scores(home, tmp_path):
    """Two entities, few fields, another map: the whole graph, from documents to reasons."""
    (tmp_path / "map.yaml").write_text(POOR, encoding="utf-8")
    dump = next((home.folder / "demo" / "dump").iterdir())
    first = home.last_day - timedelta(days=20)
    poor = Home(
        tmp_path / "home",
        {
            "RIS_MONGO_URL": f"file:{dump}",
            "RIS_SOURCE_MAP": str(tmp_path / "map.yaml"),
            "RIS_START_DATE": first.isoformat(),
        },
    )
    try:
        later = str(first + timedelta(days=1))
        refused = poor.ris("run", "--from", later, "--to", str(home.last_day))
        assert f"Begin with --from {first}" in " ".join(refused.stderr.split())
        done = poor.ris("run", "--from", str(first), "--to", str(home.last_day), "--train")
        assert done.returncode == 0, done.stdout + done.stderr
        active, scored, visits, norms = poor.rows(
            f"""
            select count(*), count(s.user_id), count(m.visits), count(m.visits_ewma)
            from ris.member_snapshot m
            left join ris.model_scores_daily s on s.score_date = m.as_of_date and s.user_id = m.user_id
            where m.as_of_date = '{home.last_day}'
            """
        )[0]
        assert active > 100
        assert (scored, visits, norms) == (active, 0, 0)
        known = poor.rows("select count(*), count(renewed_30d) from ris.label_hp")[0]
        assert known[1] > 200
    finally:
        poor.ris("down", "--delete")
