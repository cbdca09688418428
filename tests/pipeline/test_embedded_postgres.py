"""The embedded server: password, restart, a killed postmaster, a path with a space."""

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from ris_assets.resources.databases import databases, sqlalchemy_url
from ris_assets.resources.embedded_postgres import EmbeddedPostgres
from ris_assets.settings import parse_settings


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    # Closed to others, as mktemp makes it: under root the server's user cannot enter.
    with tempfile.TemporaryDirectory(prefix="ris home ") as folder:
        made = EmbeddedPostgres(Path(folder) / "state")
        made.start()
        yield made
        made.remove()


def one(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()
    assert row
    return row[0]


def test_it_listens_on_loopback_only(server):
    assert one(server.url("postgres"), "show listen_addresses") == "127.0.0.1"
    assert one(server.url("postgres"), "show unix_socket_directories") == ""


def test_nobody_enters_without_the_password(server):
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.url("postgres").replace("ris:", "ris:wrong"))


def test_it_survives_a_killed_postmaster(server):
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("create table kept (n int); insert into kept values (7)")
        folder = connection.execute("show data_directory").fetchone()
    assert folder
    process = int((Path(folder[0]) / "postmaster.pid").read_text().splitlines()[0])
    os.kill(process, signal.SIGKILL)
    server.start()
    assert one(server.url("postgres"), "select n from kept") == 7


def test_starting_twice_is_starting_once(server):
    before = server.url("postgres")
    server.start()
    assert server.url("postgres") == before


def test_databases_beside_the_users_own_are_created_and_no_server_is_started(server, tmp_path):
    url = server.url("postgres")
    found = databases(parse_settings({"RIS_HOME": str(tmp_path), "RIS_POSTGRES_URL": url}))
    assert found.marts == url
    assert one(found.dagster, "select current_database()") == "postgres_dagster"
    assert one(found.mlflow, "select current_database()") == "postgres_mlflow"
    assert not list(tmp_path.iterdir())


def test_the_driver_is_named_for_sqlalchemy():
    assert sqlalchemy_url("postgresql://u@h/d") == "postgresql+psycopg2://u@h/d"
