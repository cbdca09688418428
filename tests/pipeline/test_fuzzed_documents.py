"""Every BSON type in every field: no document crashes the extraction, none vanishes from rows + refusals."""

import random
from datetime import timedelta

import bson
import pytest

from tests.pipeline.landing_case import DAY, NOON, Case, fresh_database
from tests.pipeline.test_landing import source_map
from tests.unit.bson_values import UUID_ONE, ZOO

USER_PATHS = ("createdAt", "updatedAt", "friends", "city", "sex", "extra", "name", "body")
USERS = {
    "collection": "users",
    "changed_at": "updatedAt",
    "personal": {"name": "name"},
    "fields": {
        "user_id": "_id", "registered_at": "createdAt", "friend_ids": "friends", "city": "city",
        "club_id": "city", "birth_date": "body.born", "weight_kg": {"path": "body.weight", "unit": "g"},
        "has_trial": "body.trial", "sex": {"path": "sex", "values": {"M": "male", 1: "female"}},
    },
}  # fmt: skip
EVENTS = {
    "collection": "events",
    "fields": {
        "event_id": "_id", "user_id": "user", "occurred_at": "at", "type": "type", "metadata": "meta",
    },
}  # fmt: skip


def users(chance: random.Random, count: int) -> list[dict]:
    found = []
    for number in range(count):
        document: dict = {"_id": number, "createdAt": NOON, "updatedAt": NOON, "friends": ["x"]}
        for path in chance.sample(USER_PATHS, 3):
            document[path] = chance.choice(ZOO)
        if chance.random() < 0.5:
            inside = {key: chance.choice(ZOO) for key in ("born", "weight", "trial")}
            document["body"] = inside
        found.append(document)
    return found


def every_type_as_an_id() -> list[dict]:
    usable = [value for value in ZOO if not isinstance(value, (list, type(None)))]
    return [{"_id": value, "createdAt": NOON, "n": n} for n, value in enumerate(usable)]


def visits(chance: random.Random, count: int) -> list[dict]:
    found = []
    for number in range(count):
        document = {"_id": number, "no": f"v{number}", "userId": "u", "at": NOON, "status": "done"}
        document["stations"] = [{"code": "row"}, chance.choice(ZOO)]
        document[chance.choice(("no", "userId", "at", "stations"))] = chance.choice(ZOO)
        found.append(document)
    return found


@pytest.fixture
def case(embedded_postgres, tmp_path) -> Case:
    return Case(
        fresh_database(embedded_postgres), tmp_path, source_map(users=USERS, app_events=EVENTS)
    )


def sums(case: Case, entity: str, counts) -> tuple[int, int]:
    """Rows considered, and rows landed plus rows refused."""
    landed = case.rows(f"select count(*) from ris_raw.{entity}")[0][0]
    refused = case.rows(
        "select count(distinct source_id) from ris_raw.rejects"
        f" where entity = '{entity}' and not is_row_kept"
    )[0][0]
    assert counts.rejected >= refused
    return counts.considered, landed + refused


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_of_fuzzed_persons_none_vanishes(case, seed):
    documents = users(random.Random(seed), 400)
    case.dump(users=documents, passes=[])
    considered, kept = sums(case, "users", case.land("users"))
    assert considered == kept == len(documents)
    whole = case.rows("select count(*) from ris_raw.rejects where document is null")
    assert whole == [(0,)]


def test_ids_of_every_type_are_told_apart(case):
    documents = every_type_as_an_id()
    raw = b"".join(bson.encode(document) for document in documents)
    (case.folder / "users.bson").write_bytes(raw)
    (case.folder / "passes.bson").write_bytes(b"")
    counts = case.land("users")
    assert counts.read == len(documents)
    ids = case.rows("select user_id from ris_raw.users")
    assert len(set(ids)) == len(ids)
    assert (str(UUID_ONE),) in ids and ("0123456789abcdef01234567",) in ids and ("true",) in ids


def test_of_fuzzed_events_none_of_the_day_vanishes(case):
    chance = random.Random(5)
    documents = [
        {
            "_id": n,
            "user": "u",
            "at": NOON + timedelta(seconds=n),
            "type": "t",
            "meta": chance.choice(ZOO),
        }
        for n in range(200)
    ]
    for document in documents[::3]:
        document[chance.choice(("user", "at", "type"))] = chance.choice(ZOO)
    case.dump(users=[], passes=[], events=documents)
    considered, kept = sums(case, "app_events", case.land("app_events", DAY))
    assert considered == kept


def test_of_fuzzed_arrays_no_element_vanishes(case):
    case.dump(users=[], passes=[], visits=visits(random.Random(6), 300))
    considered, kept = sums(case, "station_results", case.land("station_results", DAY))
    assert considered == kept > 200
