"""The source misbehaves while it is read: tried again, the tables equal those of an undisturbed run."""

from contextlib import contextmanager
from datetime import timedelta

import pytest

from ris_assets.errors import RisError
from ris_assets.ingest import retries
from ris_assets.resources.mongo import MongoResource
from tests.pipeline.landing_case import DAY, NOON, Case, fresh_database
from tests.pipeline.test_landing import source_map, visit
from tests.wire_server import Fault, refusal, wire_server

TABLES = (
    "select (select count(*) from ris_raw.bookings), (select count(distinct source_id) from"
    " ris_raw.bookings), (select count(*) from ris_raw.station_results), (select count(*) from"
    " ris_raw.rejects)"
)
CURSOR_NOT_FOUND, NOT_PRIMARY, STEPPED_DOWN, UNAUTHORIZED, UNAUTHENTICATED = (
    43,
    10107,
    11602,
    13,
    18,
)
COUNT = 40


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    monkeypatch.setattr(retries, "WAITS", (0.05, 0.05))


@pytest.fixture
def case(embedded_postgres, tmp_path) -> Case:
    return Case(fresh_database(embedded_postgres), tmp_path, source_map())


def visits() -> list[dict]:
    fits = [visit(n, day=0) for n in range(COUNT)]
    return [*fits, {**visit(COUNT), "at": "soon"}]


@contextmanager
def served(*faults: Fault, login: str = ""):
    with wire_server({"users": [], "passes": [], "visits": visits()}, 5, faults) as server:
        options = "&socketTimeoutMS=400&connectTimeoutMS=400&serverSelectionTimeoutMS=800"
        yield server, MongoResource(url=server.url_with(login, options)).open


def land(case: Case, source) -> tuple:
    case.land("bookings", source=source)
    case.land("station_results", DAY, source=source)
    return case.rows(TABLES)[0]


@pytest.mark.parametrize(
    "fault",
    [
        Fault("drop", on=("getMore",), after=2),
        Fault("half", on=("getMore",), after=2),
        Fault("garbage", on=("getMore",), after=1),
        Fault("slow", on=("getMore",), after=1, seconds=1.0),
        refusal(CURSOR_NOT_FOUND, on=("getMore",), after=3),
        refusal(NOT_PRIMARY, on=("find",), times=2),
        refusal(STEPPED_DOWN, on=("getMore",), after=1),
        Fault("drop", on=("find",), times=2),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.code}-{fault.on[0]}",
)
def test_after_a_fault_the_tables_are_those_of_an_undisturbed_run(case, fault):
    fault.seen = 0
    with served(fault) as (_, source):
        assert land(case, source) == (COUNT, COUNT, 2 * COUNT, 2 + 2)
        assert fault.seen > fault.after


@pytest.mark.parametrize("code", [UNAUTHORIZED, UNAUTHENTICATED])
def test_a_refusal_is_final_and_names_no_password(case, code):
    with served(refusal(code, on=("find",), times=99)) as (server, source):
        with pytest.raises(RisError) as refused:
            case.land("bookings", source=source)
        assert "secret" not in str(refused.value)
        assert sum(1 for asked in server.commands if "find" in asked) <= 2
    assert case.warnings == []


def test_a_source_that_stays_away_ends_in_one_sentence(case):
    with (
        served(refusal(STEPPED_DOWN, on=("find",), times=99)) as (_, source),
        pytest.raises(RisError, match="Given up after 3 attempts"),
    ):
        case.land("bookings", source=source)
    assert len(case.warnings) == 2
    assert case.rows("select count(*) from ris_raw.extraction_log") == [(0,)]


def test_documents_that_change_while_they_are_read_are_there_once(case):
    with served() as (server, source):
        later = [{**v, "updatedAt": NOON + timedelta(days=1)} for v in visits()]

        def change() -> None:
            server.put("visits", [*later[7:], *later[:7], visit(99)])

        server.faults = [Fault("change", on=("getMore",), after=2, call=change)]
        case.land("bookings", source=source)
        held = case.rows("select count(*), count(distinct source_id) from ris_raw.bookings")
        assert held[0][0] >= held[0][1]
        case.land("bookings", source=source, reconcile_days=0)
        living = case.rows(
            "select count(*) from (select distinct on (source_id) is_deleted from ris_raw.bookings"
            " order by source_id, known_at desc) x where not is_deleted"
        )
        assert living == [(COUNT + 1,)]
