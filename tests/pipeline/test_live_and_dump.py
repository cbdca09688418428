"""The same documents from a server and from a dump are the same rows: at first, and after they change."""

import random
from datetime import timedelta

from ris_assets.resources.mongo import MongoResource
from tests.pipeline.landing_case import DAY, NOON, Case, fresh_database
from tests.pipeline.test_fuzzed_documents import EVENTS
from tests.pipeline.test_fuzzed_documents import USERS as ODD_USERS
from tests.pipeline.test_landing import BOOKINGS, SETS, source_map, visit
from tests.unit.bson_values import ZOO
from tests.wire_server import wire_server

ENTITIES = ("users", "bookings", "station_results", "daily_steps", "app_events")
TABLE = (
    "select coalesce(string_agg(r, e'\\n' order by r), '') from"
    " (select (to_jsonb(t) - 'known_at' - 'rejected_at')::text as r from ris_raw.{} t) x"
)


def studio() -> dict[str, list[dict]]:
    """Persons with odd values, visits of several kinds, events whose time is written in many ways."""
    chance = random.Random(11)
    users = [
        {
            "_id": n,
            "createdAt": NOON,
            "updatedAt": NOON + timedelta(days=n % 5),
            "city": chance.choice(ZOO),
        }
        for n in range(60)
    ]
    visits = [
        visit(n, day=n % 4, kind=chance.choice([7, "7", 7.0, "x", None, True])) for n in range(80)
    ]
    steps = [
        {"_id": n, "visit": f"v{n}", "at": NOON + timedelta(hours=5 * n), "n": n} for n in range(90)
    ]
    instants = [NOON, "2024-01-01T23:59:00-05:00", "2024-01-02T00:30:00+06:00", "soon", None, 5]
    events = [
        {"_id": n, "user": "u", "at": chance.choice(instants), "type": "t", "meta": {"n": n}}
        for n in range(60)
    ]
    return {"users": users, "passes": [], "visits": visits, "steps": steps, "events": events}


def changed(collections: dict[str, list[dict]]) -> dict[str, list[dict]]:
    later = NOON + timedelta(days=9)
    users = [
        {**user, "city": "new", "updatedAt": later} if user["_id"] % 6 == 0 else user
        for user in collections["users"]
        if user["_id"] % 10 != 3
    ]
    return {**collections, "users": users, "visits": collections["visits"][:70]}


def a_map():
    sets = {**SETS, "filter": {"status": "done", "kind": {"$in": [7, None]}}}
    return source_map(users=ODD_USERS, bookings=BOOKINGS, station_results=sets, app_events=EVENTS)


def land_all(case: Case, source=None) -> list[str]:
    for entity in ENTITIES:
        days = () if entity in ("users", "bookings") else (DAY, DAY + timedelta(days=1))
        case.land(entity, *days, source=source, reconcile_days=0)
    return [case.rows(TABLE.format(table))[0][0] for table in (*ENTITIES, "rejects")]


def test_a_server_and_a_dump_give_the_same_rows(embedded_postgres, tmp_path):
    dumped = Case(fresh_database(embedded_postgres, "dumped"), tmp_path, a_map())
    live = Case(fresh_database(embedded_postgres, "live"), tmp_path, a_map())
    collections = studio()
    with wire_server(collections) as server:
        for _ in range(2):
            dumped.dump(**collections)
            for name, documents in collections.items():
                server.put(name, documents)
            from_dump = land_all(dumped)
            from_server = land_all(live, MongoResource(url=server.url).open)
            for entity, one, other in zip(
                (*ENTITIES, "rejects"), from_dump, from_server, strict=True
            ):
                assert one.split("\n") == other.split("\n"), entity
            assert all(from_dump)
            collections = changed(collections)
        assert any("$or" in str(query) for query in server.queries)
