"""`ris forget`: the person is gone from every table and file, the others are untouched, and nobody comes back."""

import time
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from threading import Thread

import polars as pl
import psycopg
import pytest
from click.testing import CliRunner

from ris_assets.errors import RisError
from ris_assets.forget import forget
from ris_assets.resources.personal import READER
from ris_assets.settings import forget_settings
from tests.pipeline.landing_case import DAY, NOON, Case, fresh_database
from tests.pipeline.test_landing import USERS, source_map, user

AIGERIM, BOLAT = "6745f0c2a1b2c3d4e5f60001", "6745f0c2a1b2c3d4e5f60002"
FREEZES = {
    "collection": "pauses",
    "fields": {"freeze_id": "_id", "hp_id": "pass", "requested_at": "at", "starts_at": "at"},
}
MARTS = """
    create schema ris;
    create table ris.member_snapshot (as_of_date date, user_id text, hp_id text);
    create table ris.label_hp (hp_id text, renewed_30d bool);
    create table ris.model_scores_daily (score_date date, user_id text, reasons jsonb);
    create table ris.interval_hp (spell_id text, user_id text);
    create table ris.notes (note jsonb);
    insert into ris.member_snapshot select '2024-01-01', u, 'pass-' || u from unnest(%(users)s::text[]) u;
    insert into ris.label_hp select 'pass-' || u, true from unnest(%(users)s::text[]) u;
    insert into ris.model_scores_daily select '2024-01-01', u, '[]' from unnest(%(users)s::text[]) u;
    insert into ris.interval_hp select u || ':1', u from unnest(%(users)s::text[]) u;
    insert into ris.notes select jsonb_build_object('about', u) from unnest(%(users)s::text[]) u;
"""


@pytest.fixture
def case(embedded_postgres, tmp_path) -> Case:
    users = {**USERS, "personal": {"name": "fio"}}
    found = Case(
        fresh_database(embedded_postgres, "forgetting"),
        tmp_path / "dump",
        source_map(users=users, freezes=FREEZES),
    )
    fill(found)
    with psycopg.connect(found.postgres.libpq_url) as connection:
        for statement in MARTS.strip().split(";")[:-1]:
            connection.execute(statement, {"users": [AIGERIM, BOLAT]})
    return found


def fill(case: Case) -> None:
    people = [user(AIGERIM, fio="Aigerim"), user(BOLAT, fio="Bolat", friends=[AIGERIM, "x"])]
    people.append({**user("other"), "sex": "?", "bestFriend": AIGERIM})
    passes, visits, pauses = [], [], []
    for who in (AIGERIM, BOLAT):
        passes.append(
            {"_id": f"pass-{who}", "user": who, "at": NOON, "to": NOON + timedelta(days=9)}
        )
        pauses.append({"_id": f"pause-{who}", "pass": f"pass-{who}", "at": NOON})
        visits.append(
            {"_id": f"d-{who}", "no": f"visit-{who}", "userId": who, "at": NOON, "updatedAt": NOON,
             "status": "done", "stations": [{"code": "row"}]}
        )  # fmt: skip
    case.dump(users=people, passes=passes, pauses=pauses, visits=visits, steps=[])
    extract(case)


def extract(case: Case) -> None:
    for entity in ("users", "hero_passes", "freezes", "bookings"):
        case.land(entity, reconcile_days=0)
    case.land("station_results", DAY)


def everything(case: Case) -> str:
    """All rows of all tables of RIS, as text: an independent search."""
    tables = case.rows(
        "select table_schema || '.' || table_name from information_schema.tables"
        " where table_schema like 'ris%' and table_type = 'BASE TABLE' order by 1"
    )
    return "\n".join(
        text for (table,) in tables for (text,) in case.rows(f"select t::text from {table} t")
    )


def others(case: Case) -> list[str]:
    """Rows that say nothing of Aigerim, her friend's list of friends apart."""
    return sorted(
        line
        for line in everything(case).splitlines()
        if AIGERIM not in line and "extraction" not in line
    )


def home_with_files(folder: Path) -> Path:
    home = folder / "home"
    (home / "schemas").mkdir(parents=True)
    (home / "schemas" / "profile.json").write_text(f'{{"example": "{AIGERIM}"}}')
    (home / "schemas" / "profile.md").write_text("nobody")
    pl.DataFrame({"user_id": [AIGERIM, BOLAT], "p": [0.1, 0.2]}).write_parquet(
        home / "rows.parquet"
    )
    pl.DataFrame({"feature": ["visits"]}).write_parquet(home / "features.parquet")
    return home


def test_nothing_of_the_person_is_left_and_the_others_are_untouched(case, tmp_path):
    home = home_with_files(tmp_path)
    before = others(case)
    assert AIGERIM in everything(case) and "Aigerim" in everything(case)
    erased = forget(case.postgres, home, AIGERIM)
    left = everything(case)
    assert AIGERIM not in left and "Aigerim" not in left
    assert set(before) <= set(left.splitlines())
    assert "{x}" in left  # Bolat's other friend
    assert erased.rows["ris_raw.freezes"] == erased.rows["ris.label_hp"] == 1
    assert not (home / "schemas" / "profile.json").exists()
    assert (home / "schemas" / "profile.md").exists()
    assert pl.read_parquet(home / "rows.parquet")["user_id"].to_list() == [BOLAT]
    assert forget(case.postgres, home, AIGERIM).is_nothing


def test_looking_changes_nothing(case, tmp_path):
    home = home_with_files(tmp_path)
    before = everything(case)
    found = forget(case.postgres, home, AIGERIM, only_look=True)
    assert not found.is_nothing
    assert everything(case) == before
    assert (home / "schemas" / "profile.json").exists()


def test_the_next_extraction_does_not_bring_the_person_back(case, tmp_path):
    forget(case.postgres, tmp_path, AIGERIM)
    with psycopg.connect(case.postgres.libpq_url) as connection:
        connection.execute("truncate ris_raw.watermarks")
    fill(case)
    left = everything(case)
    assert f"pass-{AIGERIM}" not in left and "Aigerim" not in left
    living = case.rows("select distinct user_id from ris_raw.users order by 1")
    assert living == [(BOLAT,), ("other",)]


def test_a_short_id_is_not_searched_within_texts(case, tmp_path):
    with psycopg.connect(case.postgres.libpq_url) as connection:
        connection.execute('insert into ris.notes values (\'{"visits": "7"}\')')
        connection.execute("insert into ris.interval_hp values ('7:1', '7')")
    assert forget(case.postgres, tmp_path, "7").rows == {"ris.interval_hp": 1}
    assert case.rows("select count(*) from ris.notes") == [(3,)]


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ('{"user": 483920}', True),
        ("of 483920.", True),
        ("pass-483920:1", True),
        ("x=0.483920, 1483920, 483920.5, 483920e-2", False),
    ],
)
def test_an_id_is_no_part_of_a_number_nor_are_models_and_code_data(case, tmp_path, text, is_found):
    texts = ("schemas/profile.json", "dbt/target/manifest.json",
             "mlflow/artifacts/ris_renewal/models/m-1/artifacts/artifacts/model/lightgbm.txt")  # fmt: skip
    for name in texts:
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    assert forget(case.postgres, tmp_path, "483920").files == list(texts[:1] if is_found else [])
    assert all((tmp_path / name).exists() for name in texts[1:])


def test_a_word_that_is_nobodys_id_is_not_looked_for_in_texts(case, tmp_path):
    home = home_with_files(tmp_path)
    with psycopg.connect(case.postgres.libpq_url) as connection:
        connection.execute("create table ris.words as select 'nobody'::text as word")
    assert forget(case.postgres, home, "nobody").is_nothing
    with psycopg.connect(case.postgres.libpq_url) as connection:
        connection.execute("insert into ris.interval_hp values ('nobody:1', 'nobody')")
        connection.execute("drop table ris.words")
    report = home / "schemas" / "profile.md"
    for _ in range(2):  # what was written of a person who is forgotten goes, too
        assert forget(case.postgres, home, "nobody").files == ["schemas/profile.md"]
        report.write_text("of nobody")


def test_a_trace_in_an_unknown_column_undoes_everything(case, tmp_path):
    with psycopg.connect(case.postgres.libpq_url) as connection:
        connection.execute(f"create table ris.coach_notes as select '{AIGERIM}'::text as about")
    before = everything(case)
    with pytest.raises(RisError, match=r"ris\.coach_notes still name the person in `about`"):
        forget(case.postgres, tmp_path, AIGERIM)
    assert everything(case) == before


def close_when_waited_for(case: Case, run: ExitStack) -> None:
    waiting = "select 1 from pg_locks where locktype = 'advisory' and not granted"
    with run:
        for _ in range(600):
            if case.rows(waiting):
                return
            time.sleep(0.1)


def test_the_command_asks_first_and_knows_nobody_unknown(case, tmp_path, monkeypatch):
    from ris_assets.cli import main

    monkeypatch.setenv("RIS_POSTGRES_URL", case.postgres.libpq_url)
    monkeypatch.setenv("RIS_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    forget_settings()
    monkeypatch.setattr(
        "ris_assets.resources.postgres.PostgresResource.libpq_url", case.postgres.libpq_url
    )
    asked = CliRunner().invoke(main, ["forget", AIGERIM], input="n\n")
    assert asked.exit_code == 1 and "ris_raw.users" in asked.output
    assert AIGERIM in everything(case)
    run = ExitStack()
    run.enter_context(case.postgres.alone(lambda: None))
    Thread(target=close_when_waited_for, args=(case, run)).start()
    done = CliRunner().invoke(main, ["forget", AIGERIM, "--yes"])
    assert done.exit_code == 0, done.output
    assert "another run is writing" in done.output  # it would write of the person afterwards
    unknown = CliRunner().invoke(main, ["forget", AIGERIM, "--yes"])
    assert unknown.exit_code == 1 and "Nothing is known" in unknown.output
    forget_settings()


def test_personal_details_are_for_their_readers_only(case):
    url = case.postgres.libpq_url
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("drop role if exists passer_by")
        connection.execute("create role passer_by nologin")
        connection.execute("set role passer_by")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select * from ris_personal.details")
        connection.execute("reset role")
        connection.execute(f"set role {READER}")
        assert connection.execute("select count(*) from ris_personal.details").fetchone() == (2,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select * from ris_personal.salt")
        connection.execute("reset role")
        connection.execute("drop role passer_by")
