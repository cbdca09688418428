"""What a run says when the database of Dagster goes away from under it, or when it is asked to end."""

import signal
import sys
from types import SimpleNamespace

import dagster as dg
import pytest
from dagster_postgres.utils import DagsterPostgresException
from sqlalchemy.exc import OperationalError

from ris_assets import runs
from ris_assets.errors import RisError


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("select secret from runs", {}, Exception("server closed")),
        DagsterPostgresException("too many retries for DB connection"),  # gone when the run begins
    ],
)
def test_a_lost_database_ends_in_one_sentence(monkeypatch, error):
    def lost(**_):
        raise error

    job = SimpleNamespace(execute_in_process=lost)
    defs = SimpleNamespace(resolve_job_def=lambda _: job)
    monkeypatch.setitem(sys.modules, "ris_assets.definitions", SimpleNamespace(defs=defs))
    monkeypatch.setattr(dg.DagsterInstance, "get", dg.DagsterInstance.ephemeral)
    with pytest.raises(RisError, match=r"lost PostgreSQL.* run it again") as failure:
        runs.run_job("daily")
    assert "secret" not in str(failure.value)


def test_an_interrupted_run_says_so_and_where(monkeypatch):
    @dg.op
    def asked_to_end():
        signal.raise_signal(signal.SIGINT)

    @dg.job(executor_def=dg.in_process_executor)
    def daily():
        asked_to_end()

    defs = SimpleNamespace(resolve_job_def=lambda _: daily)
    monkeypatch.setitem(sys.modules, "ris_assets.definitions", SimpleNamespace(defs=defs))
    monkeypatch.setattr(dg.DagsterInstance, "get", dg.DagsterInstance.ephemeral)
    with pytest.raises(RisError, match=r"^Job `daily` was interrupted at asked_to_end: run it"):
        runs.run_job("daily")
