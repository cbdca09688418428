"""Weekly facts with norms against pandas, and a day's increment against the rebuild of everything.

Memory of a side is that of its own process and of PostgreSQL's processes (anonymous memory, sampled), since RIS
does half of its work there.
"""

import importlib
import json
import math
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import psutil
import psycopg

from benchmarks.studio import BETWEEN, RAW, ZONE, load_studio, repeat_members
from ris_assets.resources.embedded_postgres import EmbeddedPostgres
from ris_assets.resources.postgres import PostgresResource

ROOT = Path(__file__).resolve().parent.parent
COMPARED_MEMBERS = 500
TOLERANCE = 1e-6
DAYS = 7
"""Each weekday once: on Mondays all norms are new."""
_QUIET_SECONDS = 5
_KNOWN_ON = f"(known_at at time zone '{ZONE}')::date"


def run(
    members: int, weeks: int, only: list[str], pandas_members: int, folder: Path | None = None
) -> dict[str, dict[str, Any]]:
    """The parts asked for: `rebuild` against pandas, `rebuild-alone`, `increment`, `increment-alone`.

    pandas takes so many members at once as `pandas_members` says.
    """
    results: dict[str, dict[str, Any]] = {}
    for part in only:
        print(f"{part} ...", flush=True)
        if part.startswith("increment"):
            histories = [weeks] if part.endswith("-alone") else [weeks // 2, weeks]
            results[part] = _increment(members, histories, folder)
        else:
            sides = ("ris", "pandas") if part == "rebuild" else ("ris",)
            results[part] = _rebuild(members, weeks, sides, pandas_members, folder)
    return results


@contextmanager
def _database(folder: Path | None) -> Iterator[tuple[str, EmbeddedPostgres, Path]]:
    with tempfile.TemporaryDirectory(prefix="ris_bench_", dir=folder) as place:
        # Closed to others, as it is made, the server's user could not enter: then it lies elsewhere.
        Path(place).chmod(0o711)
        server = EmbeddedPostgres(Path(place) / "home")
        server.start()
        try:
            with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
                connection.execute("create database bench")
            yield server.url("bench"), server, Path(place)
        finally:
            server.remove()


def _marts(url: str, folder: Path) -> Any:
    sys.path.insert(0, str(ROOT))
    return importlib.import_module("tests.dbt.marts").Marts(url, folder, ZONE)


def _rebuild(
    members: int, weeks: int, sides: tuple[str, ...], pandas_members: int, folder: Path | None
) -> dict[str, Any]:
    parts = math.ceil(members / pandas_members)
    found: dict[str, Any] = {}
    with _database(folder) as (url, _server, place):
        load_studio(url, weeks)
        marts = _marts(url, place / "dbt")
        marts.build()
        repeat_members(url, members, BETWEEN)
        for side in sides:
            options = {
                "database": url, "folder": str(place / side), "measures": _measures(url), "parts": parts,
            }  # fmt: skip
            found[side] = _measured(side, options)
            print(
                f"  {side}: {found[side]['seconds']:.0f} s, {found[side]['peak_mib']:,.0f} MiB",
                flush=True,
            )
        if "pandas" in sides:
            _refuse_other_results(url)
    return found


def _measures(url: str) -> list[str]:
    columns = PostgresResource(url=url).read(
        "select attname::text as name from pg_attribute where attnum > 3 and not attisdropped"
        " and attrelid = 'ris_int.int_user_days_measured'::regclass order by attnum"
    )
    return columns["name"].to_list()


def _measured(side: str, options: dict[str, Any]) -> dict[str, Any]:
    with _postgres_memory() as peaks:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.weekly_sides", side, json.dumps(options)],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        return {"seconds": float("nan"), "peak_mib": float("nan"), "failed": done.stderr[-500:]}
    found = json.loads(done.stdout.strip().splitlines()[-1])
    return found | {"peak_mib": found["peak_mib"] + max(peaks, default=0.0)}


@contextmanager
def _postgres_memory() -> Iterator[list[float]]:
    """Anonymous memory of all of PostgreSQL's processes, MiB, every 0.2 s while the block lasts."""
    peaks: list[float] = []
    is_over = threading.Event()

    def sample() -> None:
        while not is_over.wait(0.2):
            peaks.append(sum(_anonymous_mib(path) for path in Path("/proc").glob("[0-9]*")))

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield peaks
    finally:
        is_over.set()
        thread.join()


def _anonymous_mib(process: Path) -> float:
    try:
        if not (process / "comm").read_text().startswith("postgres"):
            return 0.0
        lines = (process / "status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


def _refuse_other_results(url: str) -> None:
    """RuntimeError unless both sides hold the same numbers for some members."""
    postgres = PostgresResource(url=url)
    members = postgres.read(
        "select user_id from (select distinct user_id from ris.user_week_metrics) as members"
        f" order by md5(user_id) limit {COMPARED_MEMBERS}"
    )["user_id"]
    # Named one by one they are looked up by key: of many members a join would sort all.
    some = ", ".join(f"'{member}'" for member in members)
    pandas, ris = (
        postgres.read(
            f"select * from {table} where user_id in ({some}) order by user_id, week_start"
        ).drop("season", strict=False)
        for table in ("bench.pandas_week", "ris.fact_user_week")
    )
    numbers = [name for name in ris.columns if name not in ("user_id", "week_start")]
    wrong = []
    for name in numbers:
        a, b = pandas[name].cast(pl.Float64), ris[name].cast(pl.Float64)
        apart = max(
            ((a - b).abs() / b.abs().clip(lower_bound=1.0)).drop_nulls().to_list(), default=0.0
        )
        if apart > TOLERANCE or (a.is_null() != b.is_null()).any():
            wrong.append(f"{name} ({apart:.1e}, nulls {a.null_count()} and {b.null_count()})")
    if wrong or set(pandas.columns) != set(ris.columns):
        raise RuntimeError(f"pandas and RIS differ: {', '.join(wrong)}")
    print(
        f"  same results to {TOLERANCE}: {ris.height:,} weeks of {len(numbers)} numbers", flush=True
    )


@dataclass
class _History:
    """A studio on a server of its own, whose last week has not landed yet."""

    weeks: int
    marts: Any
    last: date
    full: float
    """Seconds from landing tables to snapshots, of all history."""
    days: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    """Seconds of processor time of each day, RIS's and the server's together: a busy machine adds less to it."""

    @property
    def day(self) -> float:
        return sum(self.days) / len(self.days)

    @property
    def processor_day(self) -> float:
        return sum(self.processor) / len(self.processor)


def _increment(members: int, weeks: list[int], folder: Path | None) -> dict[str, Any]:
    """Everything from landing tables to snapshots, and each day of the week after it, by weeks of history.

    Documents of that week land day by day, as they became known. A day is run on all histories before the next,
    since a shared machine is faster in one hour than in another.
    """
    with ExitStack() as stack:
        histories = [_history(stack.enter_context(_database(folder)), members, n) for n in weeks]
        for n in range(DAYS - 1, -1, -1):
            for history in histories:
                for other in histories:
                    _rest(other.marts.url)
                _add_day(history, n)
            seconds = ", ".join(
                f"{h.days[-1]:.1f} s ({h.processor[-1]:.1f} of processor) on {h.weeks} weeks"
                for h in histories
            )
            print(f"  {histories[0].last - timedelta(days=n):%A}: {seconds}", flush=True)
    found: dict[str, Any] = {
        f"{h.weeks} weeks": {
            "full": h.full, "day": h.day, "longest_day": max(h.days), "share": h.day / h.full, "days": h.days,
            "processor": h.processor,
        }
        for h in histories
    }  # fmt: skip
    return found | (_growth(*histories) if len(histories) > 1 else {})


def _growth(half: _History, whole: _History) -> dict[str, float]:
    """What twice the history adds to a day, and to its processor time."""
    growth = whole.day / half.day - 1
    processor_growth = whole.processor_day / half.processor_day - 1
    print(
        f"  twice the history adds {growth:.1%} to a day, {processor_growth:.1%} to its processor time",
        flush=True,
    )
    return {"growth": growth, "processor_growth": processor_growth}


def _history(database: tuple[str, EmbeddedPostgres, Path], members: int, weeks: int) -> _History:
    url, _server, place = database
    load_studio(url, weeks)
    repeat_members(url, members, RAW)
    marts = _marts(url, place / "dbt")
    marts.succeed("seed")
    last = PostgresResource(url=url).read(
        "select max(through_day) as day from ris_raw.extraction_log"
    )["day"][0]
    _set_aside(url, last - timedelta(days=DAYS + 1))
    full = _seconds(lambda: marts.run("1900-01-01", "2100-01-01"))
    _settle(url)
    print(f"  {weeks} weeks: all {full:.0f} s", flush=True)
    history = _History(weeks, marts, last, full)
    # The first day afterwards makes norms anew of whom the run of everything has not hashed.
    _day(history, DAYS)
    return history


def _add_day(history: _History, days_before_last: int) -> None:
    before = _processor_seconds(history.marts.url)
    history.days.append(_day(history, days_before_last))
    history.processor.append(_processor_seconds(history.marts.url) - before)


def _processor_seconds(url: str) -> float:
    """Of this process and of a server with all that it has started, since each began."""
    with psycopg.connect(url) as connection:
        server = psutil.Process(connection.info.backend_pid).parent()
        if server is None:
            raise RuntimeError("a backend of PostgreSQL has no server")
        times = [server.cpu_times(), *(child.cpu_times() for child in server.children())]
        ended = times[0].children_user + times[0].children_system
    return time.process_time() + ended + sum(one.user + one.system for one in times)


def _day(history: _History, days_before_last: int) -> float:
    day = history.last - timedelta(days=days_before_last)
    _land(history.marts.url, day)
    return _seconds(lambda: history.marts.run(str(day), str(day)))


def _set_aside(url: str, day: date) -> None:
    """Move the horizon back to a day, and out of the way what became known later."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create schema later")
        for table in RAW:
            aside, is_later = table.replace("ris_raw", "later"), f"{_KNOWN_ON} > '{day}'"
            connection.execute(f"create table {aside} as select * from {table} where {is_later}")
            connection.execute(f"delete from {table} where {is_later}")
            connection.execute(f"vacuum (analyze) {table}")
    _move_horizon(url, day)


def _land(url: str, day: date) -> None:
    """Move the horizon on to a day, with what became known on it."""
    with psycopg.connect(url) as connection:
        for table in RAW:
            aside = table.replace("ris_raw", "later")
            connection.execute(
                f"insert into {table} select * from {aside} where {_KNOWN_ON} = '{day}'"
            )
    _move_horizon(url, day)


def _settle(url: str) -> None:
    """What autovacuum does to new tables within the hour: days come later."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("vacuum (analyze)")
        connection.execute("checkpoint")


def _rest(url: str) -> None:
    """Wait for what autovacuum does in the night between two days, and have it begin at once."""
    quiet_seconds = 0
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("alter system set autovacuum_naptime = '1s'")
        connection.execute("select pg_reload_conf()")
        while quiet_seconds < _QUIET_SECONDS:
            time.sleep(1)
            busy = connection.execute(
                "select count(*) from pg_stat_activity where backend_type = 'autovacuum worker'"
            ).fetchone()
            quiet_seconds = quiet_seconds + 1 if busy == (0,) else 0
        connection.execute("alter system reset autovacuum_naptime")
        connection.execute("select pg_reload_conf()")


def _move_horizon(url: str, day: date) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("update ris_raw.extraction_log set through_day = %s", [day])


def _seconds(work: Any) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
