"""How views and growing tables come about: what says the same stays, what does not is made anew."""

import pytest

from tests.dbt.marts import EVER, Marts
from tests.dbt.members import HORIZON, make_hand_written

VIEW, TABLE = "ris_stg.stg_app_events", "ris.core_hp_period"
COMMENT = "select obj_description('{0}'::regclass, 'pg_class') as told"
COLUMN_COMMENT = "select col_description('{0}'::regclass, 1) as told"


@pytest.fixture(scope="module")
def built(marts: Marts) -> Marts:
    """The marts of the hand-written members."""
    return make_hand_written(marts)


def oids(marts: Marts) -> dict[str, int]:
    """Every view by what the database knows it as."""
    rows = marts.read(
        "select viewname, format('%I.%I', schemaname, viewname)::regclass::oid::int8 as oid from pg_views"
        " where schemaname in ('ris', 'ris_stg')"
    )
    return dict(rows.iter_rows())


def told(marts: Marts, relation: str) -> list[str]:
    """What the comments on a relation and on its first column say."""
    return [marts.row(q.format(relation))["told"] for q in (COMMENT, COLUMN_COMMENT)]


def test_views_that_say_the_same_stay(built: Marts):
    before = oids(built)
    built.run(HORIZON, HORIZON)
    assert len(before) > 10
    assert oids(built) == before


def test_a_view_that_says_something_else_is_made_anew(built: Marts):
    definition = f"select pg_get_viewdef('{VIEW}'::regclass) as told"
    before = built.row(definition)
    built.execute(f"drop view {VIEW} cascade; create view {VIEW} as select 1 as changed")
    built.run_only("stg_app_events", HORIZON, HORIZON)
    assert built.row(definition) == before


@pytest.mark.parametrize("relation", [VIEW, TABLE])
def test_comments_are_put_back_on_what_stays(built: Marts, relation: str):
    before = told(built, relation)
    kind = "view" if relation == VIEW else "table"
    first = built.row(
        f"select attname::text as name from pg_attribute where attrelid = '{relation}'::regclass and attnum = 1"
    )["name"]
    built.execute(
        f"comment on {kind} {relation} is 'else'; comment on column {relation}.{first} is null"
    )
    built.run_only(relation.split(".")[1], HORIZON, HORIZON)
    assert all(before)
    assert told(built, relation) == before


def test_a_table_that_is_added_to_takes_in_a_column_it_lacks(built: Marts):
    columns = built.read(f"select * from {TABLE}").columns
    built.execute(f"alter table {TABLE} drop column gap_days")
    built.run_only("core_hp_period", HORIZON, HORIZON)
    assert set(built.read(f"select * from {TABLE}").columns) == set(columns)
    built.run_only("core_hp_period", *EVER)
    gaps = built.read(f"select hp_id from {TABLE} where gap_days is not null")
    assert not gaps.is_empty()


def test_a_run_that_fails_leaves_a_growing_table_as_it_was(built: Marts):
    rows = f"select * from {TABLE} order by hp_id"
    before = built.read(rows)
    # Nothing may be added, so all that the run deletes must come back.
    built.execute(f"update {TABLE} set passes_hash = 'else'")
    marked = built.read(rows)
    built.execute(f"alter table {TABLE} add constraint nothing check (passes_hash = 'else')")
    result = built.dbt("run", "--select", "core_hp_period", variables={"from_date": HORIZON})
    assert not result.success
    assert built.read(rows).rows() == marked.rows()
    built.execute(f"alter table {TABLE} drop constraint nothing")
    built.run_only("core_hp_period", HORIZON, HORIZON)
    assert built.read(rows).rows() == before.rows()
