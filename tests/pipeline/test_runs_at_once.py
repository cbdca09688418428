"""Two runs of one day at once: a ledger that both empty and fill would hold every row twice."""

from concurrent.futures import ThreadPoolExecutor
from time import sleep

import dagster as dg
import psycopg

from ris_assets.resources.postgres import WAITING, PostgresResource

LEDGER = "runs_at_once"


@dg.asset
def day_of_ledger(postgres: PostgresResource) -> None:
    """Replaces its rows as dbt does: delete, then a query that takes its time."""
    with postgres.connect() as connection:
        connection.execute(f"delete from {LEDGER}")
        sleep(0.5)
        connection.execute(f"insert into {LEDGER} values (1)")


def test_the_second_waits_for_the_first_and_both_leave_the_same_rows(postgres_url, capfd):
    resource = PostgresResource(url=postgres_url)
    with psycopg.connect(postgres_url) as connection:
        connection.execute(f"create table {LEDGER} (day int4); insert into {LEDGER} values (1)")
    assert not resource.is_busy()
    with ThreadPoolExecutor(2) as threads:
        runs = [
            threads.submit(dg.materialize, [day_of_ledger], resources={"postgres": resource})
            for _ in range(2)
        ]
        sleep(0.3)
        assert all(run.result().success for run in runs)
    assert capfd.readouterr().err.count(WAITING) == 1
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute(f"table {LEDGER}").fetchall() == [(1,)]
        connection.execute(f"drop table {LEDGER}")
    assert not resource.is_busy()


def test_what_is_called_outside_a_run_waits_for_nobody(postgres_url):
    resource, found = PostgresResource(url=postgres_url), []

    @dg.asset
    def looked_at(postgres: PostgresResource) -> None:
        found.append(postgres.is_busy())

    kept = [looked_at(postgres=resource) for _ in range(2)]
    with resource.alone(lambda: None):
        kept.append(looked_at(postgres=resource))
    assert (kept, found) == ([None] * 3, [False, False, True])


def test_a_run_without_a_server_is_for_its_first_step_to_tell():
    nowhere = PostgresResource(url="postgresql://nobody@127.0.0.1:1/nothing")
    with nowhere.alone(lambda: None):
        pass


def test_a_run_ends_well_where_the_server_went_away_from_under_it(postgres_url):
    resource = PostgresResource(url=postgres_url)
    with resource.alone(lambda: None), psycopg.connect(postgres_url) as connection:
        assert resource.is_busy()
        connection.execute(
            "select pg_terminate_backend(pid, 5000) from pg_locks where locktype = 'advisory'"
        )
    assert not resource.is_busy()
