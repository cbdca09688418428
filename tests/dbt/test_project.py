"""The dbt project itself: its own unit tests, poor sources, the catalogue, descriptions."""

from zoneinfo import ZoneInfo

import polars as pl
import pytest

from ris_assets.contracts.entities import ENTITIES
from tests.dbt.marts import Marts, failures
from tests.dbt.members import HORIZON, hand_written
from tests.dbt.raw_rows import RawRows

ALMATY = ZoneInfo("Asia/Almaty")


@pytest.fixture(scope="module")
def poor(marts: Marts) -> Marts:
    """The marts of a studio that has only users and passes."""
    marts.timezone = str(ALMATY)
    marts.reset()
    hand_written(ALMATY).write(marts.url, HORIZON, entities=("users", "hero_passes"))
    marts.build()
    return marts


def test_everything_builds_from_nothing(marts: Marts):
    marts.timezone = str(ALMATY)
    marts.reset()
    RawRows(ALMATY).write(marts.url, HORIZON)
    marts.build()
    assert marts.read("select * from ris.member_snapshot").is_empty()


def test_only_users_and_passes_are_needed(poor: Marts):
    row = poor.snapshot("anna", HORIZON)
    assert row is not None
    absent = ("visits", "attended_share", "days_since_last_visit", "app_minutes", "steps",
              "visits_ewma", "tickets_delta", "is_frozen", "freeze_days_used",
              "season_attendance_index", "hour_entropy", "joint_visit_share", "freeze_days",
              "failed_payments", "visit_streak_weeks", "holiday_days")  # fmt: skip
    assert {name: row[name] for name in absent} == dict.fromkeys(absent)
    assert (row["days_to_end"], row["pass_number"]) == (14, 5)


def test_the_unit_tests_of_the_project_pass(poor: Marts):
    result = poor.dbt("test", "--select", "test_type:unit")
    assert result.success, failures(result)
    assert len(result.result.results) >= 8


def test_a_metric_without_an_expression_is_named(poor: Marts):
    poor.execute(
        "insert into ris.meta_feature_catalog (feature, feature_group, source_entity, is_active)"
        " values ('laughter', 'external', 'bookings', true)"
    )
    result = poor.dbt("run", "--select", "user_week_metrics")
    poor.execute("delete from ris.meta_feature_catalog where feature = 'laughter'")
    assert not result.success
    assert "laughter" in failures(result)
    assert "metrics.sql" in failures(result)


def test_the_fields_that_a_feature_needs_are_fields_of_its_entity(poor: Marts):
    catalog = poor.read(
        "select source_entity, source_field from ris.meta_feature_catalog"
        " where source_field is not null"
    )
    fields = {(entity.name, field.name) for entity in ENTITIES.values() for field in entity.fields}
    assert set(catalog.rows()) <= fields
    assert catalog.height > 15


def test_every_column_in_the_database_says_what_it_is(poor: Marts):
    silent = poor.read(
        """
        select c.relname || '.' || a.attname as name
        from pg_attribute a
        join pg_class c on c.oid = a.attrelid
        join pg_namespace n on n.oid = c.relnamespace
        where n.nspname in ('ris', 'ris_int', 'ris_stg') and c.relkind in ('r', 'v')
          and a.attnum > 0 and not a.attisdropped
          and col_description(c.oid, a.attnum) is null
        """
    )
    assert silent["name"].to_list() == []


def test_a_norm_is_described_alike_where_it_is_kept_and_where_it_is_read(poor: Marts):
    described = poor.read(
        """
        select kept.attname as name, col_description(kept.attrelid, kept.attnum) as where_kept,
            col_description(facts.attrelid, facts.attnum) as where_read
        from pg_attribute kept
        left join pg_attribute facts
            on facts.attrelid = 'ris.fact_user_week'::regclass and facts.attname = kept.attname
        where kept.attrelid = 'ris.user_week_norm'::regclass and kept.atttypid = 'float8'::regtype
        """
    )
    differing = described.filter(pl.col("where_kept") != pl.col("where_read"))
    assert differing.rows() == []
    texts = dict(zip(described["name"], described["where_kept"], strict=True))
    assert len(texts) > 200
    assert (
        texts["visits_recent"]
        == "Visits, visits a week: mean of the last eight complete weeks, halving in 2.5"
    )
    # Weekly facts use it and do not show it.
    assert texts.pop("visit_streak_weeks_before").endswith(": how many up to the week before")
    assert described["where_read"].null_count() == 1


def test_what_readers_join_by_is_a_primary_key(poor: Marts):
    keyed = poor.read(
        """
        select c.relname as name, exists (
            select from pg_constraint k where k.conrelid = c.oid and k.contype = 'p'
        ) as has_key
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = 'ris' and c.relkind = 'r'
        """
    )
    assert keyed.filter(~keyed["has_key"])["name"].to_list() == []
    assert keyed.height >= 10


def test_the_documentation_builds_and_its_lineage_has_no_gap(poor: Marts):
    result = poor.dbt("docs", "generate")
    assert result.success, failures(result)
    nodes = poor.manifest.nodes
    rootless = [
        n.name for n in nodes.values() if n.resource_type == "model" and not n.depends_on_nodes
    ]
    assert rootless == []
    read = {parent for node in nodes.values() for parent in node.depends_on_nodes}
    idle = {s.name for s in poor.manifest.sources.values() if s.unique_id not in read}
    # Product events are landed for areas that are still to come.
    assert idle == set()


def test_the_snapshot_of_a_day_is_written_after_all_that_goes_by_the_window(poor: Marts):
    """It tells the next run that the day is done: what had failed beside it would lack the day for good."""
    nodes = poor.manifest.nodes
    by_hash = {
        "member_snapshot",
        "label_hp",
        "interval_hp",
    }  # find out by themselves what has changed
    by_window = {
        name for name, node in nodes.items()
        if node.resource_type == "model" and node.config.materialized == "incremental"
        and node.name not in by_hash
    }  # fmt: skip
    before, found = {"model.ris.member_snapshot"}, set[str]()
    while before - found:
        found |= before
        before = {
            parent for name in found if name in nodes for parent in nodes[name].depends_on_nodes
        }
    assert len(by_window) > 10
    assert by_window - found == set()


def test_sources_say_when_they_were_last_extracted(poor: Marts):
    result = poor.dbt("source", "freshness")
    assert result.success, failures(result)
    assert {one.status for one in result.result.results} == {"pass"}
    poor.execute("update ris_raw.extraction_log set finished_at = now() - interval '4 days'")
    result = poor.dbt("source", "freshness")
    poor.execute("update ris_raw.extraction_log set finished_at = now()")
    assert not result.success
