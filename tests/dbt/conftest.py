"""Fixtures of the dbt tier: the marts of the hand-written members, built once a zone."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.dbt.marts import Marts
from tests.dbt.members import build_hand_written


@pytest.fixture(scope="session")
def marts(embedded_postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Marts]:
    """The dbt project on a database of its own, parsed once."""
    name = "ris_dbt_tests"
    with psycopg.connect(embedded_postgres.url("postgres"), autocommit=True) as connection:
        connection.execute(f"create database {name}")
    folder: Path = tmp_path_factory.mktemp("dbt")
    yield Marts(embedded_postgres.url(name), folder, "Asia/Almaty")


@pytest.fixture(scope="module", params=["Asia/Almaty", "America/New_York"])
def members(request: pytest.FixtureRequest, marts: Marts) -> Marts:
    """The marts of the hand-written members, in two zones: their local times are the same."""
    return build_hand_written(marts, request.param)
