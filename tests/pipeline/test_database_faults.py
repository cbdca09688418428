"""PostgreSQL goes away in the middle of a COPY, or its disk is full: nothing is lost, nothing is doubled."""

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from ris_assets.errors import RisError
from ris_assets.extract.dump import document_offsets
from ris_assets.ingest import retries
from ris_assets.resources.embedded_postgres import EmbeddedPostgres
from ris_assets.resources.mongo import DumpSource
from tests.pipeline.landing_case import NOON, Case, fresh_database
from tests.pipeline.test_landing import source_map, visit

DOCUMENTS = 3_000
PIECE = 200
"""Documents a batch."""
KEYS = "select count(*), count(distinct source_id), min(booking_id), max(booking_id) from ris_raw.bookings"


class Faulty(DumpSource):
    """A dump in small batches, with something done before one of them."""

    def __init__(self, root: Path, fault: Callable[[int], None]) -> None:
        super().__init__(root)
        self._fault = fault

    def batches(self, collection, query) -> Iterator[bytes]:
        whole = b"".join(super().batches(collection, query))
        offsets = document_offsets(whole)
        for number, start in enumerate(range(0, len(offsets) - 1, PIECE)):
            self._fault(number)
            end = min(start + PIECE, len(offsets) - 1)
            yield whole[offsets[start] : offsets[end]]


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    with tempfile.TemporaryDirectory(prefix="ris_faults_") as home:
        made = EmbeddedPostgres(Path(home))
        made.start()
        yield made
        made.remove()


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    monkeypatch.setattr(retries, "WAITS", (0.1, 0.1))


def faulty(case: Case, fault: Callable[[int], None]):
    @contextmanager
    def opened():
        yield Faulty(case.folder, fault)

    return opened


def full(case: Case) -> tuple:
    return case.rows(KEYS)[0]


def once(action: Callable[[], None], at: int) -> Callable[[int], None]:
    """Do something before batch `at`, the first time only."""
    done: list[int] = []

    def fault(number: int) -> None:
        if number == at and not done:
            done.append(1)
            action()

    return fault


def visits() -> list[dict]:
    return [{**visit(n), "_id": n, "at": NOON + timedelta(seconds=n)} for n in range(DOCUMENTS)]


@pytest.mark.parametrize("is_first", [True, False], ids=["first load", "changes"])
@pytest.mark.parametrize("what", ["stopped", "cut off"])
def test_a_database_that_goes_away_in_the_middle_is_tried_again(server, tmp_path, is_first, what):
    case = Case(fresh_database(server), tmp_path, source_map())
    documents = visits()
    case.dump(users=[], passes=[], visits=documents[: 0 if is_first else DOCUMENTS // 2])
    case.land("bookings")
    case.dump(visits=documents)

    def stop() -> None:
        if what == "stopped":
            server.stop()
            server.start()
        else:
            with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
                connection.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity where datname = 'landing'"
                )

    case.land("bookings", source=faulty(case, once(stop, 7)), reconcile_days=0)
    assert full(case) == (DOCUMENTS, DOCUMENTS, "v0", "v999")
    assert len(case.warnings) == 1 and "PostgreSQL" in case.warnings[0]


def test_a_database_that_stays_away_ends_in_one_sentence(server, tmp_path):
    case = Case(fresh_database(server), tmp_path, source_map())
    case.dump(users=[], passes=[], visits=visits())
    with pytest.raises(
        RisError, match=r"PostgreSQL cannot be reached: .* Given up after 3 attempts"
    ):
        case.land("bookings", source=faulty(case, once(server.stop, 5)))
    server.start()
    assert case.rows("select count(*) from ris_raw.bookings") == [(0,)]
    case.land("bookings")
    assert full(case)[0] == DOCUMENTS


def _mounted(folder: Path) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", "size=24m,mode=0777", "tmpfs", str(folder)]
    return os.geteuid() == 0 and subprocess.run(command, capture_output=True).returncode == 0


@pytest.fixture
def small_disk() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="ris_disk_"))
    if not _mounted(folder):
        folder.rmdir()
        pytest.skip("a small disk can be mounted by root only")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
    folder.rmdir()


def test_a_full_disk_ends_in_one_sentence_and_changes_nothing(server, tmp_path, small_disk):
    case = Case(fresh_database(server), tmp_path, source_map())
    space = small_disk / "space"
    space.mkdir()
    subprocess.run(["chmod", "777", str(space)], check=True)
    owner = server._place().data.stat()
    os.chown(space, owner.st_uid, owner.st_gid)
    with psycopg.connect(case.postgres.libpq_url, autocommit=True) as connection:
        connection.execute(f"create tablespace small location '{space}'")
        connection.execute("alter table ris_raw.bookings set tablespace small")
    case.dump(users=[], passes=[], visits=visits())
    filler = small_disk / "filler"
    filler.write_bytes(bytes(24 * 2**20 - 200_000))
    with pytest.raises(RisError, match="no room left"):
        case.land("bookings")
    assert case.rows("select count(*) from ris_raw.bookings") == [(0,)]
    filler.unlink()
    case.land("bookings")
    assert full(case)[0] == DOCUMENTS
    with psycopg.connect(case.postgres.libpq_url, autocommit=True) as connection:
        connection.execute("alter table ris_raw.bookings set tablespace pg_default")
        connection.execute("drop tablespace small")
