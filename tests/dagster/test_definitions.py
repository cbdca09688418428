"""The graph as Dagster loads it: keys, groups, partitions, jobs and schedules."""

import json
import subprocess
import sys

import pytest

GRAPH = """
import json
import dagster as dg
from ris_assets.definitions import defs

dg.Definitions.validate_loadable(defs)
specs = [s for s in defs.resolve_all_asset_specs()]
graph = defs.resolve_asset_graph()
schedules = {n: defs.resolve_schedule_def(n) for n in ("daily_schedule", "weekly_training_schedule")}
print(json.dumps({
    "groups": {s.key.to_user_string(): s.group_name for s in specs},
    "daily": sorted(s.key.to_user_string() for s in specs if s.partitions_def is not None),
    "zones": sorted({s.partitions_def.timezone for s in specs if s.partitions_def is not None}),
    "told": {spec.name: spec.description for key in graph.asset_check_keys
             if (spec := graph.get_check_spec(key)).name in ("spells_follow_one_another", "passed_the_gate")},
    "steps": {name: len(defs.resolve_job_def(name).asset_layer.executable_asset_keys)
              for name in ("daily", "marts", "scores", "training")},
    "schedules": {n: [s.default_status.value, s.execution_timezone] for n, s in schedules.items()},
}))
"""


@pytest.fixture(scope="module")
def graph(tmp_path_factory) -> dict:
    """What a fresh process sees; settings are read once a process."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "RIS_HOME": str(tmp_path_factory.mktemp("home")),
        "RIS_TIMEZONE": "America/New_York",
        "RIS_POSTGRES_URL": "postgresql://nobody@127.0.0.1:1/nothing",
        "PYTHONWARNINGS": "ignore",
    }
    done = subprocess.run(
        [sys.executable, "-c", GRAPH], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_check_says_what_its_failure_means(graph):
    assert graph["told"]["spells_follow_one_another"].startswith("A row is a spell of which a pass")
    assert graph["told"]["passed_the_gate"].startswith("The best of those trained")


def test_it_loads_without_a_database(graph):
    assert len(graph["groups"]) > 40


def test_groups_read_like_the_data_flow(graph):
    assert set(graph["groups"].values()) == {
        "source", "raw", "seeds", "staging", "intermediate", "marts", "norms", "weekly", "training", "scores",
        "outcomes",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("key", "group"),
    [
        ("ris_raw/bookings", "raw"),
        ("ris/core_hp_period", "marts"),
        ("user_week_norm", "norms"),
        ("ris/member_snapshot", "weekly"),
        ("renewal_models", "training"),
        ("model_scores_daily", "scores"),
        ("ris/model_outcomes", "outcomes"),
    ],
)
def test_each_stage_stands_in_its_group(graph, key, group):
    assert graph["groups"][key] == group


def test_streams_marts_and_scores_are_daily_in_the_studios_zone(graph):
    assert graph["zones"] == ["America/New_York"]
    assert {"ris_raw/app_sessions", "ris/fact_user_week", "model_scores_daily"} <= set(
        graph["daily"]
    )
    assert not {"ris_raw/users", "renewal_models"} & set(graph["daily"])


def test_the_daily_job_is_everything_but_training(graph):
    steps = graph["steps"]
    assert steps["daily"] == steps["marts"] + steps["scores"]
    assert steps["training"] == 3


def test_schedules_are_stopped_and_in_the_studios_zone(graph):
    assert set(graph["schedules"]) == {"daily_schedule", "weekly_training_schedule"}
    assert all(how == ["STOPPED", "America/New_York"] for how in graph["schedules"].values())
