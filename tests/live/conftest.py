"""A database of its own on the server of `RIS_TEST_MONGO_URL`, dropped at the end; without one, a reason."""

import os
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pymongo
import pytest


@pytest.fixture(scope="session")
def live_url() -> Iterator[str]:
    """The URL of a fresh database."""
    given = os.environ.get("RIS_TEST_MONGO_URL")
    if not given:
        pytest.skip("RIS_TEST_MONGO_URL is not set: no MongoDB server to test against")
    name = f"ris_test_{uuid.uuid4().hex[:12]}"
    url = urlunsplit(urlsplit(given)._replace(path=f"/{name}"))
    yield url
    with pymongo.MongoClient(url) as client:
        client.drop_database(name)


@pytest.fixture
def live_database(live_url: str) -> Iterator[Any]:
    """That database, for writing what is then read."""
    with pymongo.MongoClient[dict[str, Any]](live_url) as client:
        yield client.get_default_database()
