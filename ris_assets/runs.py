"""Running jobs in this process, with progress: what `ris run`, `ris train` and `ris demo` share."""

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from threading import Event, Thread
from typing import Any

import dagster as dg
from dagster_postgres.utils import DagsterPostgresException
from sqlalchemy.exc import InterfaceError, OperationalError

from ris_assets.errors import RisError
from ris_assets.ingest.progress import listening
from ris_assets.partitions import RANGE_END, RANGE_START
from ris_assets.resources.postgres import WAITING, PostgresResource

Progress = Callable[[int, int, str], None]
"""Called with steps done, steps in all, and the step that has just ended or what it is reading."""
POLL_SECONDS = 0.5
_AWAY = (OperationalError, InterfaceError, DagsterPostgresException)
_OURS = ("ris_assets.errors.RisError: ", "dagster._core.definitions.events.Failure: ")
"""What says in a sentence what is wrong needs no name of its class before it."""
_FEWER_EVENTS = {
    # One planned event an asset instead of one a partition: two minutes saved on 105 days.
    "DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS": "true",
    # The materializations of a range are stored together: 0.2 s an asset instead of 1.5 s.
    "DAGSTER_EVENT_BATCH_SIZE": "500",
}
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""The console shows progress; the log is kept with the run."""


def run_job(
    name: str,
    days: tuple[date, date] | None = None,
    progress: Progress | None = None,
    run_config: dict[str, Any] | None = None,
) -> None:
    """Run a job of the definitions to its end, for a closed range of studio days if it is daily.

    Raises:
        RisError: a step failed; the sentence is the step's own where it was a user's to mend.
    """
    from ris_assets.definitions import defs

    job = defs.resolve_job_def(name)
    tags = {} if days is None else {RANGE_START: str(days[0]), RANGE_END: str(days[1])}
    run_id = str(uuid.uuid4())
    os.environ.update(_FEWER_EVENTS)
    if progress and PostgresResource().is_busy():
        progress(0, 1, WAITING)
    try:
        with dg.DagsterInstance.get() as instance, _watched(instance, run_id, job, progress):
            _keep_connections(instance)
            result = job.execute_in_process(
                instance=instance,
                tags=tags,
                run_id=run_id,
                run_config={**_QUIET, **(run_config or {})},
                raise_on_error=False,
            )
    except _AWAY as error:
        raise RisError(
            f"Job `{name}` lost PostgreSQL, where Dagster notes what is done: look at the server, then run it"
            " again. No step has left half of its work."
        ) from error
    if not result.success:
        raise RisError(_what_failed(name, result))


def _keep_connections(instance: dg.DagsterInstance) -> None:
    """Let the event log reuse connections: Dagster opens two for every event otherwise."""
    instance.optimize_for_webserver(statement_timeout=600_000, pool_recycle=3600, max_overflow=8)


def _what_failed(name: str, result: dg.ExecuteInProcessResult) -> str:
    for check in result.get_asset_check_evaluations():
        if not check.passed and check.blocking and check.severity is dg.AssetCheckSeverity.ERROR:
            asset = check.asset_key.to_user_string()
            why = check.description or "look at it in the Dagster UI."
            return f"Job `{name}` stopped at the check {check.check_name} of {asset}: {why}"
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            message = error.message.strip() if error else "no reason given"
            if dg.DagsterExecutionInterruptedError.__name__ in message:
                return f"Job `{name}` was interrupted at {event.step_key}: run it again."
            for prefix in _OURS:
                message = message.removeprefix(prefix)
            return f"Job `{name}` stopped at {event.step_key}: {message}"
    return f"Job `{name}` failed; see its run in the Dagster UI."


@contextmanager
def _watched(
    instance: dg.DagsterInstance, run_id: str, job: dg.JobDefinition, progress: Progress | None
) -> Iterator[None]:
    """Report finished steps from the event log while the block runs."""
    if progress is None:
        yield
        return
    over, steps = Event(), _Steps(progress, len(job.graph.node_dict))
    thread = Thread(target=_follow, args=(instance, run_id, steps, over), daemon=True)
    thread.start()
    try:
        with listening(steps.tell):
            yield
    finally:
        over.set()
        thread.join()


@dataclass
class _Steps:
    """Steps done of how many, and what is going on within the one that runs."""

    progress: Progress
    total: int
    done: int = 0

    def finish(self, step: str) -> None:
        self.done += 1
        self.tell(step)

    def tell(self, text: str) -> None:
        self.progress(self.done, self.total, text)


def _follow(instance: dg.DagsterInstance, run_id: str, steps: _Steps, over: Event) -> None:
    cursor, last = None, False
    wanted = {dg.DagsterEventType.STEP_SUCCESS, dg.DagsterEventType.STEP_FAILURE}
    while not last:
        last = over.wait(POLL_SECONDS)
        try:
            page = instance.get_records_for_run(run_id, cursor=cursor, of_type=wanted, limit=1000)
        except _AWAY:
            continue  # for the run itself to tell
        cursor = page.cursor
        for record in page.records:
            steps.finish(str(record.event_log_entry.step_key))
