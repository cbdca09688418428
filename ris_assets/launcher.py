"""Getting ready to run, and keeping the two user interfaces running: what `ris up` and every run need."""

import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from ris_assets.errors import RisError
from ris_assets.resources.databases import databases, sqlalchemy_url
from ris_assets.resources.embedded_postgres import make_home
from ris_assets.resources.mlflow import artifact_folder, mlflow_environment
from ris_assets.settings import REPO_ROOT, Settings, get_settings

HOST = "127.0.0.1"
READY_SECONDS = 120.0
STOP_SECONDS = 15.0


def prepare() -> Settings:
    """Make this process ready to run jobs: home, databases, Dagster's instance, nothing sent anywhere."""
    settings = get_settings()
    make_home(settings.home)
    dagster_home = settings.home / "dagster"
    dagster_home.mkdir(exist_ok=True)
    shutil.copyfile(REPO_ROOT / "dagster.yaml", dagster_home / "dagster.yaml")
    os.environ.update(
        {
            "DAGSTER_HOME": str(dagster_home),
            "RIS_HOME": str(settings.home),
            "DAGSTER_DISABLE_TELEMETRY": "yes",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "PYTHONWARNINGS": "ignore",
            **mlflow_environment(),
        }
    )
    # The pages run in the checkout: a path that was written for this folder must not depend on it.
    read = {"RIS_SOURCE_MAP": settings.source_map, "RIS_MONGO_URL": settings.mongo_url}
    os.environ.update(
        {name: str(value) for name, value in read.items() if value and name in os.environ}
    )
    warnings.simplefilter("ignore")  # beta notices of Dagster and MLflow; the child processes' too
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    databases(settings)
    return settings


@dataclass
class Service:
    """One user interface: its command, its page, its log."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    port: int
    log: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def page(self) -> str:
        """Where it answers."""
        return f"http://{HOST}:{self.port}"

    def start(self) -> None:
        """Start it in a process group of its own, its output in its log."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self.command,
                env={**os.environ, **self.environment},
                cwd=REPO_ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def require_alive(self) -> None:
        """Raise RisError if the process has ended."""
        if self.process is not None and self.process.poll() is not None:
            raise RisError(f"{self.name} stopped unexpectedly; its log is {self.log}.")

    def answers(self) -> bool:
        """Whether its page can be fetched."""
        try:
            with urllib.request.urlopen(self.page, timeout=5) as reply:
                return bool(reply.status < 500)
        except (urllib.error.URLError, OSError):
            return False

    def stop(self) -> None:
        """End the whole process group: politely, then not."""
        if self.process is None:
            return
        for sign in (signal.SIGINT, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, sign)
                self.process.wait(STOP_SECONDS)
            except ProcessLookupError:
                return
            except subprocess.TimeoutExpired:
                continue


def serve(dagster_port: int, mlflow_port: int, tell: Callable[[str], None]) -> None:
    """Run the Dagster and MLflow pages on loopback until interrupted.

    Raises:
        RisError: a port is taken, both are the same, or a service ends by itself.
    """
    if dagster_port == mlflow_port:
        raise RisError(
            f"Dagster and MLflow cannot both have port {dagster_port}: choose another with"
            " --dagster-port or --mlflow-port."
        )
    settings = prepare()
    services = [_dagster(settings, dagster_port), _mlflow(settings, mlflow_port)]
    for service in services:
        _require_free(service)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        for service in services:
            service.start()
        for service in services:
            _await(service)
            tell(f"{service.name:<8} {service.page}")
        tell("In MLflow choose Model training, at the top left. Ctrl-C stops both.")
        while True:
            time.sleep(1.0)
            for service in services:
                service.require_alive()
    except KeyboardInterrupt:
        tell("Stopping.")
    finally:
        for service in services:
            service.stop()


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _await(service: Service) -> None:
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        service.require_alive()
        if service.answers():
            return
        time.sleep(0.5)
    raise RisError(
        f"{service.name} does not answer after {READY_SECONDS:.0f} s; see {service.log}."
    )


def _require_free(service: Service) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, service.port))
        except OSError:
            raise RisError(
                f"Port {service.port} for {service.name} is taken: choose another with"
                f" --{service.name.lower()}-port."
            ) from None


def _dagster(settings: Settings, port: int) -> Service:
    command = [
        *(sys.executable, "-m", "dagster", "dev"),
        *("-w", str(REPO_ROOT / "workspace.yaml"), "-h", HOST, "-p", str(port)),
    ]
    return Service("Dagster", command, {}, port, settings.home / "logs" / "dagster.log")


def _mlflow(settings: Settings, port: int) -> Service:
    command = [
        *(sys.executable, "-m", "mlflow", "server"),
        *("--host", HOST, "--port", str(port), "--workers", "1"),
    ]
    environment = {  # in the environment, not on the command line: the URL holds a password
        "MLFLOW_BACKEND_STORE_URI": sqlalchemy_url(databases(settings).mlflow),
        "MLFLOW_DEFAULT_ARTIFACT_ROOT": artifact_folder().as_uri(),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    return Service("MLflow", command, environment, port, settings.home / "logs" / "mlflow.log")
