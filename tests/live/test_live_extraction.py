"""The whole extraction from a real server: the same rows as from a dump of the same documents."""

import pytest
from bson.errors import InvalidDocument
from pymongo.errors import AutoReconnect, OperationFailure

from ris_assets.resources.mongo import MongoResource
from tests.pipeline.landing_case import Case, fresh_database
from tests.pipeline.test_live_and_dump import ENTITIES, a_map, changed, land_all, studio


def fill(database, collections: dict[str, list[dict]]) -> dict[str, list[dict]]:
    """Write the documents; those that this server refuses are left out, and what is left is returned."""
    kept: dict[str, list[dict]] = {}
    for name, documents in collections.items():
        database.drop_collection(name)
        database.create_collection(name)
        kept[name] = []
        for document in documents:
            try:
                database[name].insert_one(dict(document))
                kept[name].append(document)
            except (OperationFailure, AutoReconnect, InvalidDocument, OverflowError):
                continue
    return kept


@pytest.fixture
def emptied(live_database):
    """The database, left without the collections of this test."""
    yield live_database
    for name in studio():
        live_database.drop_collection(name)


def test_a_real_server_gives_the_rows_that_a_dump_gives(
    embedded_postgres, tmp_path, live_url, emptied
):
    dumped = Case(fresh_database(embedded_postgres, "dumped"), tmp_path, a_map())
    live = Case(fresh_database(embedded_postgres, "live"), tmp_path, a_map())
    collections = studio()
    for _ in range(2):
        collections = fill(emptied, collections)
        assert len(collections["visits"]) >= 70
        dumped.dump(**collections)
        from_dump = land_all(dumped)
        from_server = land_all(live, MongoResource(url=live_url).open)
        for entity, one, other in zip((*ENTITIES, "rejects"), from_dump, from_server, strict=True):
            assert one.split("\n") == other.split("\n"), entity
        collections = changed(collections)
