"""SIGKILL at random points: whatever was being done, the next run ends where an undisturbed one does."""

import os
import random
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import bson
import pytest

from ris_assets.extract.source_map import SourceMap
from tests.pipeline.landing_case import DAY, NOON, Case, fresh_database
from tests.pipeline.test_landing import BOOKINGS, PASSES, SETS, USERS, user

KILLS = 20
DOCUMENTS = 6_000
MAP = SourceMap.model_validate(
    {
        "entities": {
            "users": USERS,
            "hero_passes": PASSES,
            "bookings": {**BOOKINGS, "fields": {**BOOKINGS["fields"], "booking_id": "_id"}},
            "station_results": SETS,
        }
    }
)
WORKER = """
import sys
from pathlib import Path
from ris_assets.resources.postgres import PostgresResource
from tests.pipeline.landing_case import DAY, Case
from tests.pipeline.test_killed import MAP
case = Case(PostgresResource(url=sys.argv[1]), Path(sys.argv[2]), MAP)
print("ready", flush=True)
case.land("bookings", reconcile_days=0)
case.land("station_results", DAY)
"""
WHOLE = (
    "select coalesce(string_agg(r, e'\\n' order by r), '') from (select (t.source_id, t.event_at,"
    " t.is_deleted, t.user_id, t.{field})::text as r from ris_raw.{table} t) x"
)


def visits(changed: bool) -> bytes:
    """Documents, of which some change, vanish, appear and do not fit the second time."""
    found = []
    for number in range(DOCUMENTS):
        if changed and number % 97 == 0:
            continue
        at = NOON + timedelta(seconds=number)
        fits = number % 53 != 0
        updated = at + timedelta(days=2) if changed and number % 7 == 0 else at
        found.append(
            {
                "_id": number, "no": f"v{number}", "userId": f"u{updated.day}", "at": at if fits else "?",
                "updatedAt": updated, "status": "done", "stations": [{"code": "row"}] * 2,
            }
        )  # fmt: skip
    return b"".join(map(bson.encode, found))


def state(case: Case) -> list[str]:
    rows = [
        case.rows(WHOLE.format(table=table, field=field))[0][0]
        for table, field in (("bookings", "booking_id"), ("station_results", "result_id"))
    ]
    rejects = "select count(*), count(distinct (entity, source_id, field)) from ris_raw.rejects"
    return [*rows, str(case.rows(rejects))]


def prepared(embedded_postgres, name: str, folder: Path) -> Case:
    case = Case(fresh_database(embedded_postgres, name), folder, MAP)
    folder.mkdir(exist_ok=True)
    (folder / "users.bson").write_bytes(bson.encode(user("u1")))
    (folder / "passes.bson").write_bytes(b"")
    return case


def work(case: Case, kill_after: float | None) -> None:
    """Extract in a process of its own, killed some time after it begins."""
    command = [sys.executable, "-c", WORKER, case.postgres.libpq_url, str(case.folder)]
    root = str(Path(__file__).parents[2])
    with subprocess.Popen(
        command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ}
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        if kill_after is not None:
            time.sleep(kill_after)
            process.send_signal(signal.SIGKILL)
        process.wait()
    if kill_after is None:
        assert process.returncode == 0


@pytest.mark.parametrize("again", [False, True], ids=["first load", "changes"])
def test_killed_anywhere_the_next_run_ends_where_an_undisturbed_one_does(
    embedded_postgres, tmp_path, again
):
    calm = prepared(embedded_postgres, "calm", tmp_path / "calm")
    torn = prepared(embedded_postgres, "torn", tmp_path / "torn")
    for case in (calm, torn):
        (case.folder / "visits.bson").write_bytes(visits(False))
        if again:
            case.land("bookings")
            case.land("station_results", DAY)
            (case.folder / "visits.bson").write_bytes(visits(True))
    started = time.monotonic()
    calm.land("bookings", reconcile_days=0)
    calm.land("station_results", DAY)
    takes = time.monotonic() - started
    chance = random.Random(3)
    for _ in range(KILLS // 2):
        work(torn, chance.uniform(0, takes))
    torn.land("bookings", reconcile_days=0)
    torn.land("station_results", DAY)
    assert state(torn) == state(calm)
    assert state(calm)[0].count("\n") > DOCUMENTS / 2
