"""The extraction of nested bookings against its peers: from a dump, from a server, in memory, by night.

    ris bench extraction --documents 1000000

Sides alternate, each in a process of its own, against one embedded PostgreSQL; the best and the median of the
rounds are shown, for machines are noisy. The peer dlt is installed into a virtual environment of its own.
"""

import gc
import json
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.documents import changed_bookings, write_bookings
from ris_assets.resources.embedded_postgres import EmbeddedPostgres
from ris_assets.resources.landing import ensure_landing
from ris_assets.resources.personal import ensure_personal
from ris_assets.resources.postgres import PostgresResource
from tests.wire_server import Collection, WireServer

ROOT = Path(__file__).parents[1]
PARTS = ("dump", "server", "dlt", "memory", "increment")
DLT_DOCUMENTS = 30_000
SIDE_LIMIT_SECONDS = 900


@dataclass
class Bench:
    """One run of the benchmark."""

    documents: int
    rounds: int
    folder: Path
    server: EmbeddedPostgres
    results: dict[str, Any] = field(default_factory=dict)

    def fresh_database(self) -> str:
        """An empty landing schema."""
        with psycopg.connect(self.server.url("postgres"), autocommit=True) as connection:
            connection.execute("drop database if exists bench with (force)")
            connection.execute("create database bench")
        postgres = PostgresResource(url=self.server.url("bench"))
        ensure_landing(postgres)
        ensure_personal(postgres)
        with psycopg.connect(self.server.url("bench"), autocommit=True) as connection:
            connection.execute("checkpoint")
        return postgres.libpq_url

    def side(
        self, name: str, source: str, python: str = sys.executable, **options: Any
    ) -> dict[str, Any]:
        """One measurement, on an empty database unless one is given."""
        database = options.pop("database", None) or self.fresh_database()
        given = json.dumps({"database": database, "source": source, **options})
        done = subprocess.run(
            [python, "-m", "benchmarks.sides", name, given],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=SIDE_LIMIT_SECONDS,
        )
        if done.returncode:
            raise RuntimeError(f"{name} failed: {done.stderr[-2000:]}")
        return json.loads(done.stdout.strip().splitlines()[-1])

    def alternate(self, title: str, sides: Mapping[str, Callable[[], dict[str, Any]]]) -> None:
        """Rounds of all sides in turn; keeps the best and the median rate of each."""
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in sides}
        for _ in range(self.rounds):
            for name, run in sides.items():
                runs[name].append(run())
                print(f"  {title}: {name} {rate(runs[name][-1]):,.0f} documents/s", flush=True)
        self.results[title] = {
            name: {
                "best": max(map(rate, found)),
                "median": statistics.median(map(rate, found)),
                "peak_mib": max(one["peak_mib"] for one in found),
                "documents": found[0]["documents"],
            }
            for name, found in runs.items()
        }

    @property
    def bookings(self) -> bytes:
        """The documents, back to back."""
        return (self.folder / "bookings.bson").read_bytes()

    @property
    def dump(self) -> str:
        """Where the documents lie."""
        return f"file:{self.folder}"


def rate(run: dict[str, Any]) -> float:
    """Documents a second."""
    return run["documents"] / run["seconds"]


def from_dump(bench: Bench) -> None:
    """RIS against bare decoding and ingesting, both from the same file."""
    sides = {name: partial(bench.side, name, bench.dump) for name in ("ris", "bare")}
    bench.alternate("dump", sides)


def from_server(bench: Bench) -> None:
    """RIS against decoding alone, both from the same server."""
    with served(bench) as url:
        sides = {name: partial(bench.side, name, url) for name in ("ris", "find_polars_all")}
        bench.alternate("server", sides)


def against_dlt(bench: Bench) -> None:
    """RIS's rate against dlt's, on as many documents as dlt does in a reasonable time."""
    python = _peer_python(bench)
    with served(bench) as url:
        sides = {
            "ris": lambda: bench.side("ris", url),
            "dlt": lambda: bench.side("dlt", url, python, limit=DLT_DOCUMENTS),
        }
        bench.alternate("dlt", sides)


def _peer_python(bench: Bench) -> str:
    """A Python with the peers of `requirements.txt`."""
    home = Path(tempfile.gettempdir()) / "ris_bench_peers"
    python = home / "bin" / "python"
    if not (home / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        pip = [
            str(python),
            "-m",
            "pip",
            "install",
            "--quiet",
            "-r",
            str(ROOT / "benchmarks/requirements.txt"),
        ]
        subprocess.run(pip, check=True)
        (home / "complete").touch()
    return str(python)


def memory(bench: Bench) -> None:
    """Peak memory as documents grow fivefold."""
    found = {}
    for factor in (1, 5):
        with tempfile.TemporaryDirectory(dir=bench.folder.parent) as folder:
            write_bookings(Path(folder), factor * bench.documents)
            run = bench.side("ris", f"file:{folder}")
            found[f"{run['documents']:,}"] = {"peak_mib": run["peak_mib"], "best": rate(run)}
            print(
                f"  memory: {run['documents']:,} documents, {run['peak_mib']:.0f} MiB", flush=True
            )
    bench.results["memory"] = found


def increment(bench: Bench) -> None:
    """One percent changed against the full load, both from the server: the newest documents, and any."""
    documents = {"full": bench.documents}
    runs: dict[str, list[float]] = {"full": []}
    for name, is_recent in (("night", True), ("scattered", False)):
        changed = changed_bookings(bench.bookings, datetime.now(UTC), is_recent=is_recent)
        documents[name], runs[name] = len(changed), []
        with served(bench, changed) as url:
            for _ in range(bench.rounds):
                run = bench.side("night", url, full=url)
                runs["full"].append(run["full_seconds"])
                runs[name].append(run["night_seconds"])
                print(
                    f"  increment: full {run['full_seconds']:.2f} s, {name} {run['night_seconds']:.2f} s",
                    flush=True,
                )
    bench.results["increment"] = {
        part: {
            "seconds": min(took),
            "best": documents[part] / min(took),
            "documents": documents[part],
        }
        for part, took in runs.items()
    }


class _Replay(WireServer):
    """Sends documents whole, and answers a query as an index would: with what has changed.

    A real server filters, projects and packs in native code; here that would be measured in Python. What
    was packed once is kept, so that after the first round the server takes little time from its client.
    """

    changed: Collection
    packed: dict[tuple[str, int, int], bytes]

    def _batch(self, namespace: str, start: int, page: list[bytes]) -> bytes:
        place = (namespace, start, len(page))
        if place not in self.packed:
            self.packed[place] = super()._batch(namespace, start, page)
        return self.packed[place]

    def _found(self, name: str, query: dict[str, Any]) -> Collection:
        return self.changed if query else self.collections[name]

    def _do_find(self, command: dict[str, Any]) -> bytes:
        return super()._do_find({k: v for k, v in command.items() if k != "projection"})


@contextmanager
def served(bench: Bench, changed: list[bytes] | None = None) -> Iterator[str]:
    """The URL of a server with the documents, in a process of its own."""
    collections = {"bookings": bench.bookings}
    for name in ("users", "heroPasses"):
        collections[name] = (bench.folder / f"{name}.bson").read_bytes()
    with _Replay(collections, batch_size=100_000) as server:
        server.changed, server.packed = Collection.of(changed or []), {}
        gc.collect()
        gc.freeze()  # A million documents are not to be looked through while a client waits.
        forked = multiprocessing.get_context("fork")
        process = forked.Process(target=server.serve_forever, daemon=True)
        process.start()
        try:
            yield server.url
        finally:
            process.terminate()
            process.join()
            gc.unfreeze()


RUN = dict(zip(PARTS, (from_dump, from_server, against_dlt, memory, increment), strict=True))


@contextmanager
def prepared(documents: int, rounds: int, folder: Path | None) -> Iterator[Bench]:
    """Documents and a server of their own, deleted at the end."""
    with tempfile.TemporaryDirectory(prefix="ris_bench_", dir=folder) as place:
        server = EmbeddedPostgres(Path(place) / "home")
        server.start()
        try:
            dump = Path(place) / "dump"
            write_bookings(dump, documents)
            yield Bench(documents, rounds, dump, server)
        finally:
            server.remove()


def run(documents: int, rounds: int, only: list[str], folder: Path | None = None) -> dict[str, Any]:
    """All parts asked for; their results by name."""
    with prepared(documents, rounds, folder) as bench:
        for part in only:
            print(f"{part} ...", flush=True)
            RUN[part](bench)
        return bench.results
