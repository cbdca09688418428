"""dbt inside Dagster: the project's manifest, and dbt runs in this process.

`DbtCliResource` spends eight seconds a step for a third of a second of SQL, so `dbtRunner` is called with
a kept manifest. Its events are translated by dagster-dbt's own message class, whose translation is public
and whose constructor is not promised: the lock pins the version, and the pipeline test counts what arrives.
"""

import hashlib
import json
import os
import queue
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtProject
from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage

from ris_assets.errors import RisError
from ris_assets.partitions import BEGINNING
from ris_assets.settings import get_settings

PROJECT_DIR = Path(__file__).resolve().parent.parent / "dbt_project"
_PARSED_SUFFIXES = {".sql", ".yml", ".yaml", ".csv", ".md", ".py"}
_RESULT_EVENTS = ("LogSeedResult", "LogModelResult", "LogTestResult")
_QUOTES = ("DETAIL:", "CONTEXT:")
_HEADING = re.compile(r"\w+ Error in \w+ ")
_ONE_AT_A_TIME = threading.Lock()
"""dbtRunner is not re-entrant."""


class RisDbtTranslator(DagsterDbtTranslator):
    """Asset keys `ris/<model>`, groups by folder, so that the graph reads like the data's way."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """`ris/<model>` for what dbt builds; sources say their key themselves."""
        if dbt_resource_props["resource_type"] == "source":
            return super().get_asset_key(dbt_resource_props)
        return dg.AssetKey(["ris", dbt_resource_props["name"]])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """The folder below `models/`, or `seeds`."""
        if dbt_resource_props["resource_type"] == "seed":
            return "seeds"
        return str(dbt_resource_props["fqn"][1])

    def get_asset_check_spec(
        self,
        asset_spec: dg.AssetSpec,
        manifest: Mapping[str, Any],
        unique_id: str,
        project: DbtProject | None,
    ) -> dg.AssetCheckSpec | None:
        """A test as a check that says what a failure means: the comment at the head of its query."""
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        query = str(manifest["nodes"][unique_id].get("raw_code", "")).splitlines()
        head = [line.removeprefix("--").strip() for line in takewhile(_is_comment, query)]
        return spec._replace(description=" ".join(head)) if spec and head else spec


def _is_comment(line: str) -> bool:
    return line.startswith("--")


def target_dir() -> Path:
    """Where dbt keeps its manifest and compiled SQL: beneath RIS_HOME, never in the checkout."""
    return get_settings().home / "dbt" / "target"


def manifest_path() -> Path:
    """The manifest of the project as it stands; parsed anew only when a file of it has changed."""
    path, stamp = target_dir() / "manifest.json", target_dir() / "manifest.sha256"
    wanted = _project_hash()
    if not (path.exists() and stamp.exists() and stamp.read_text() == wanted):
        _invoke(["parse"])
        stamp.write_text(wanted)
    return path


def _project_hash() -> str:
    digest = hashlib.sha256()
    for file in sorted(PROJECT_DIR.rglob("*")):
        if file.suffix in _PARSED_SUFFIXES and "target" not in file.parts:
            digest.update(str(file.relative_to(PROJECT_DIR)).encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


def dbt_environment(url: str) -> dict[str, str]:
    """The connection of `profiles.yml` as environment variables, from a libpq URL."""
    from psycopg.conninfo import conninfo_to_dict

    parts = conninfo_to_dict(url)
    return {
        "RIS_DBT_HOST": str(parts.get("host") or "localhost"),
        "RIS_DBT_PORT": str(parts.get("port") or 5432),
        "RIS_DBT_USER": str(parts.get("user") or ""),
        "RIS_DBT_PASSWORD": str(parts.get("password") or ""),
        "RIS_DBT_DBNAME": str(parts.get("dbname") or ""),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def _arguments(command: Sequence[str]) -> list[str]:
    logs = get_settings().home / "dbt" / "logs"
    return [
        *command,
        *("--project-dir", str(PROJECT_DIR), "--profiles-dir", str(PROJECT_DIR)),
        *("--target-path", str(target_dir()), "--log-path", str(logs)),
        *("--quiet", "--no-use-colors"),
    ]


def _invoke(command: Sequence[str]) -> Any:
    from dbt.cli.main import dbtRunner

    with _ONE_AT_A_TIME:
        result = dbtRunner().invoke(_arguments(command))
    if not result.success:
        raise RisError(f"dbt {command[0]} failed: {result.exception}") from result.exception
    return result.result


@cache
def _parsed_manifest(project_hash: str) -> Any:
    """The manifest as dbt's own object; `project_hash` makes an edited project parse again."""
    return _invoke(["parse"])


def run_options(variables: Mapping[str, Any]) -> list[str]:
    """How dbt runs models: what it would write down and print beside its events takes half of its own time.

    The queries of a day are small and wait for dbt and for each other: four at a time keep two cores at work. Those of
    all history fill cores and memory two at a time.
    """
    is_history = str(variables["from_date"]) <= str(variables.get("history_start", BEGINNING))
    return [
        *("--no-write-json", "--log-level", "none", "--log-level-file", "none"),
        *("--threads", "2" if is_history else "4"),
    ]


def build_arguments(
    names: Sequence[str], variables: Mapping[str, Any], resource_types: Sequence[str] = ()
) -> list[str]:
    """The dbt command line for a set of models: build and test them, unit tests left out."""
    return [
        *("build", "--select", *sorted(names)),
        *("--exclude-resource-type", "unit_test", "--indirect-selection", "buildable"),
        *("--vars", json.dumps(dict(variables), sort_keys=True)),
        *run_options(variables),
    ]


def run_dbt(
    context: dg.AssetExecutionContext,
    url: str,
    variables: Mapping[str, Any],
    translator: DagsterDbtTranslator,
) -> Iterator[Any]:
    """Build the selected models and yield Dagster's events as dbt reports them.

    Raises:
        dg.Failure: a model or a test of severity error failed; the message names it.
    """
    manifest = json.loads(manifest_path().read_text())
    names = sorted(key.path[-1] for key in context.selected_asset_keys)
    os.environ.update(dbt_environment(url))
    errors: list[str] = []
    for raw in _stream(build_arguments(names, variables)):
        info, data = raw["info"], raw["data"]
        if info["name"] in _RESULT_EVENTS:
            message = DbtCoreCliEventMessage(raw_event=raw, event_history_metadata={})
            yield from message.to_default_asset_events(manifest, translator, context)
        elif info["level"] == "error":
            errors.append(without_rows(str(data.get("msg") or info["msg"])))
            context.log.error(errors[-1])
    if errors:
        raise dg.Failure(f"dbt failed: {first_failure(errors)}", allow_retries=False)


def without_rows(message: str) -> str:
    """What dbt says of an error, without the lines in which the database quotes a row: they name members."""
    lines = message.strip().splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith(_QUOTES))


def first_failure(errors: Sequence[str]) -> str:
    """What failed first and why, in one line. dbt names the model or test, then says its error, headed like it."""
    named, *details = errors
    lines = [line.strip() for text in details[:1] for line in text.splitlines()]
    reasons = [line for line in lines if not _HEADING.match(line)]
    return ": ".join([named.splitlines()[0], *reasons[:1]])


def _stream(command: list[str]) -> Iterator[dict[str, Any]]:
    """Run dbt in a thread and yield results and errors as they come; of thousands of events it says no more."""
    from dbt.cli.main import dbtRunner
    from google.protobuf.json_format import MessageToDict

    events: queue.Queue[Any] = queue.Queue()
    manifest = _parsed_manifest(_project_hash())

    def work() -> None:
        try:
            with _ONE_AT_A_TIME:
                runner = dbtRunner(manifest=manifest, callbacks=[events.put])
                result = runner.invoke(_arguments(command))
            if result.exception is not None:
                events.put(result.exception)
        finally:
            events.put(None)

    thread = threading.Thread(target=work, name="dbt", daemon=True)
    thread.start()
    while (event := events.get()) is not None:
        if isinstance(event, BaseException):
            raise dg.Failure(f"dbt stopped: {event}", allow_retries=False) from event
        if event.info.name in _RESULT_EVENTS or event.info.level == "error":
            yield MessageToDict(event, preserving_proto_field_name=True)
    thread.join()
