"""Fixtures of every tier: one embedded PostgreSQL a session, started when first asked for."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

# Whatever the user has set or a demo has remembered is not what the tests are about. Settings are read
# when asset modules are imported, hence before any of them is.
for _name in {name for name in os.environ if name.startswith("RIS_")} - {"RIS_TEST_MONGO_URL"}:
    del os.environ[_name]
os.environ["RIS_HOME"] = tempfile.mkdtemp(prefix="ris_unused_")
# Two files at a time keep two cores at work. Threads beside theirs wait for them, and burn what they wait: linear
# algebra does as it finds this before it is first imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from ris_assets.resources.embedded_postgres import EmbeddedPostgres  # noqa: E402


def pytest_unconfigure() -> None:
    """What tests have left in the home that none of them should use."""
    shutil.rmtree(os.environ["RIS_HOME"], ignore_errors=True)


@pytest.fixture(scope="session")
def embedded_postgres() -> Iterator[EmbeddedPostgres]:
    """A running server in a folder of its own, stopped at the end.

    Not beneath pytest's own folder, which is closed to the user that the server runs as under root.
    """
    with tempfile.TemporaryDirectory(prefix="ris_tests_") as home:
        server = EmbeddedPostgres(Path(home))
        server.start()
        yield server
        server.remove()


@pytest.fixture(scope="session")
def postgres_url(embedded_postgres: EmbeddedPostgres) -> str:
    """A database of that server for tests that make their own schemas."""
    return embedded_postgres.url("postgres")
