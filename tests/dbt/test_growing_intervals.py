"""Passes and intervals that are added to day by day are those that are made at once."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.dbt.marts import Marts
from tests.dbt.test_exposure_oracle import Studio, unique

HORIZONS = [
    date(2024, 1, 31), date(2024, 2, 1), date(2024, 2, 4), date(2024, 2, 5), date(2024, 3, 1),
    date(2024, 3, 2), date(2024, 4, 20), date(2024, 4, 21), date(2024, 4, 22), date(2024, 6, 16),
]  # fmt: skip
"""Days in a row, over a week's end, and after an outage longer than grace."""


@pytest.fixture
def growing(marts: Marts) -> Marts:
    """A studio at random whose horizon a test moves on; what is known later is there but not seen."""
    marts.timezone = "Asia/Almaty"
    studio = Studio(ZoneInfo(marts.timezone), seed=7)
    for number in range(150):
        studio.member(f"m{number}")
    for entity in ("hero_passes", "freezes"):
        studio.raw.rows[entity] = unique(studio.raw.rows[entity])
    marts.reset()
    studio.raw.write(marts.url, HORIZONS[-1].isoformat())
    marts.succeed("seed")
    return marts


def at(marts: Marts, horizon: date, first: date, *options: str) -> None:
    marts.execute(f"update ris_raw.extraction_log set through_day = '{horizon}'")
    window = {"from_date": str(first), "to_date": str(horizon), "history_start": str(HORIZONS[0])}
    marts.succeed("run", *options, variables=window)


GROWING = {
    "ris_int.int_freezes_versioned": ("source_id", "hp_id", "known_from_on"),
    "ris_int.int_hero_passes_versioned": ("source_id", "known_from_on"),
    "ris_int.int_pass_freezes_counted": ("hp_id", "frozen_from_on"),
    "ris.core_hp_period": ("hp_id",),
    "ris.label_hp": ("hp_id",),
    "ris.interval_hp": ("spell_id", "week_start"),
}


UPGRADED = {
    "ris_int.int_freezes_versioned": "document_hash",
    "ris_int.int_hero_passes_versioned": "documents_hash",
    "ris_int.int_pass_freezes_counted": "passes_hash",
    "ris.core_hp_period": "factors",
    "ris.label_hp": "passes_hash",
    "ris.interval_hp": "is_settled",
}
"""The newest column that tells of each whether its rows may stay."""


EVERY_GROWING = ("--select", "+interval_hp", "+label_hp")

IN_JUNE = "timestamptz '2024-06-15 12:00+05'"


def a_pass_of(member: int) -> str:
    """SQL of the first pass of a member."""
    return (
        "(select min(hp_id) from ris_raw.hero_passes"
        f" where user_id = 'm{member}' and is_cancellation is not true)"
    )


def a_freeze(number: int) -> str:
    """SQL of some freeze."""
    return f"(select distinct freeze_id from ris_raw.freezes order by freeze_id offset {number} limit 1)"


def a_frozen_pass(number: int) -> str:
    """SQL of the pass of some freeze."""
    return f"(select min(hp_id) from ris_raw.freezes where freeze_id = {a_freeze(number)})"


def next_version(entity: str, of: str, **values: str) -> str:
    """SQL that adds a version of a pass or freeze as known in June, some of its fields another value."""
    id_field = {"hero_passes": "hp_id", "freezes": "freeze_id"}[entity]
    changed = ", ".join(f"{n} = {v}" for n, v in {"known_at": IN_JUNE, **values}.items())
    return f"""
        create temporary table version on commit drop as
        select * from ris_raw.{entity} where {id_field} = {of} order by known_at desc limit 1;
        update version set {changed};
        insert into ris_raw.{entity} select * from version
    """


NEW = {
    "source_id": "hp_id || '-new'",
    "hp_id": "hp_id || '-new'",
    "event_at": IN_JUNE,
    "purchased_at": IN_JUNE,
}
NEXT_PERIOD = {
    **NEW,
    "source_id": "hp_id || ':2'",
    "hp_id": "hp_id || ':2'",
    "starts_at": "ends_at",
    "ends_at": "ends_at + interval '30 days'",
}
CHANGES = {
    "another price": next_version("hero_passes", a_pass_of(1), price="777"),
    "another member": next_version("hero_passes", a_pass_of(2), user_id="'m3'"),
    "a new member": next_version("hero_passes", a_pass_of(14), user_id="'newcomer'"),
    "to a third": next_version("hero_passes", a_pass_of(2), user_id="'m5'", known_at=f"{IN_JUNE} + interval '1 hour'"),
    "gone": next_version("hero_passes", a_pass_of(6), is_deleted="true"),
    "a new pass": next_version("hero_passes", a_pass_of(7), **NEW),
    "a cancellation": next_version("hero_passes", a_pass_of(8), **NEW, is_cancellation="true", ends_at=IN_JUNE),
    "written over": "update ris_raw.hero_passes set price = 777, ends_at = ends_at + interval '3 days'"
    f" where hp_id = {a_pass_of(9)}",
    "forgotten": "delete from ris_raw.hero_passes where user_id = 'm10'",
    "a freeze that ends later": next_version("freezes", a_freeze(20), ends_at="ends_at + interval '40 days'"),
    "a freeze of another pass": next_version("freezes", a_freeze(45), hp_id=a_pass_of(11)),
    "a freeze that is gone": next_version("freezes", a_freeze(60), is_deleted="true"),
    "its next period": next_version("hero_passes", a_frozen_pass(100), **NEXT_PERIOD),
    "a freeze written over": f"update ris_raw.freezes set hp_id = {a_pass_of(12)} where freeze_id = {a_freeze(80)}",
}  # fmt: skip
ANOTHER_HISTORY = """
    update ris_raw.extraction_log set finished_at = finished_at - interval '90 days'
    where entity in ('hero_passes', 'freezes')
"""


def rows(marts: Marts) -> dict[str, set[tuple]]:
    found = {}
    for table, key in GROWING.items():
        frame = marts.read(f"select * from {table}")
        frame = frame.select(sorted(frame.columns))
        assert not frame.select(key).is_duplicated().any(), table
        found[table] = set(frame.rows())
    return found


def assert_made_at_once(marts: Marts, added: dict[str, set[tuple]]) -> None:
    """Tables that were added to hold what one run over all makes by the last day."""
    at(marts, HORIZONS[-1], HORIZONS[0], "--full-refresh", *EVERY_GROWING)
    whole = rows(marts)
    for table in GROWING:
        assert added[table] ^ whole[table] == set(), table


def test_days_added_one_by_one_are_the_days_made_at_once(growing: Marts):
    first = HORIZONS[0]
    for horizon in HORIZONS:
        at(growing, horizon, first, *EVERY_GROWING)
        added = rows(growing)
        models = [table.split(".")[1] for table in GROWING]
        at(growing, horizon, first, "--full-refresh", "--select", *models)
        whole = rows(growing)
        for table in GROWING:
            assert added[table], table
            assert added[table] ^ whole[table] == set(), (table, horizon)
        first = horizon + timedelta(days=1)
    assert min(map(len, added.values())) > 100


def test_documents_that_are_others_now_are_read_anew(growing: Marts):
    before, after = HORIZONS[-1] - timedelta(days=1), HORIZONS[-1]
    at(growing, before, HORIZONS[0], *EVERY_GROWING)
    versions = rows(growing)["ris_int.int_hero_passes_versioned"]
    for change in CHANGES.values():
        growing.execute(change)
    at(growing, after, after, *EVERY_GROWING)
    added = rows(growing)
    changed = added["ris_int.int_hero_passes_versioned"] ^ versions
    assert len({user_id for *_, user_id in changed}) >= len(CHANGES)
    growing.execute(ANOTHER_HISTORY)
    at(growing, after, after, *EVERY_GROWING)
    assert_made_at_once(growing, rows(growing))
    growing.execute(ANOTHER_HISTORY.replace("- interval", "+ interval"))
    assert_made_at_once(growing, added)


def test_a_pass_is_its_first_owners_again_once_the_second_is_forgotten(growing: Marts):
    before, after = HORIZONS[-1] - timedelta(days=1), HORIZONS[-1]
    growing.execute(CHANGES["another member"])
    at(growing, before, HORIZONS[0], *EVERY_GROWING)
    growing.execute("delete from ris_raw.hero_passes where user_id = 'm3'")
    at(growing, after, after, *EVERY_GROWING)
    assert_made_at_once(growing, rows(growing))


def test_tables_of_a_version_without_hashes_are_made_anew(growing: Marts):
    before, after = HORIZONS[-1] - timedelta(days=1), HORIZONS[-1]
    at(growing, before, HORIZONS[0], *EVERY_GROWING)
    for table in GROWING:
        column = UPGRADED[table]
        growing.execute(f"alter table {table} drop column {column}")
    at(growing, after, after, *EVERY_GROWING)
    upgraded = rows(growing)
    at(growing, after, HORIZONS[0], "--full-refresh", *EVERY_GROWING)
    assert upgraded == rows(growing)


def test_what_is_settled_is_left_alone(growing: Marts):
    before, after = HORIZONS[-1] - timedelta(days=1), HORIZONS[-1]
    at(growing, before, HORIZONS[0], *EVERY_GROWING)
    growing.execute("update ris.interval_hp set start_day = -1")
    at(growing, after, after, *EVERY_GROWING)
    shares = growing.row(
        "select avg((start_day = -1)::int)::float8 as kept from ris.interval_hp"
        " where matures_on < '2024-06-01'"
    )
    assert shares["kept"] > 0.5


@pytest.mark.parametrize("payer", ["itself", "a relative"])
def test_a_charge_that_lands_late_is_looked_at(growing: Marts, payer: str):
    before, after = HORIZONS[-1] - timedelta(days=1), HORIZONS[-1]
    at(growing, before, HORIZONS[0], "--select", "+core_hp_period")
    lapsed = growing.read(
        "select hp_id, user_id, hp_end_corrected from ris.core_hp_period"
        " where how_ended = 'lapsed' and hp_end_corrected > starts_on order by hp_id"
    ).row(0, named=True)
    payer_id = lapsed["user_id"]
    if payer == "a relative":
        payer_id = "relative"
        growing.execute(
            f"update ris_raw.hero_passes set buyer_id = 'relative' where hp_id = '{lapsed['hp_id']}'"
        )
        at(growing, before, before, "--select", "+core_hp_period")
    growing.execute(
        "insert into ris_raw.payments (source_id, payment_id, user_id, paid_at, event_at, known_at,"
        f" is_deleted, status) values ('late', 'late', '{payer_id}', '{lapsed['hp_end_corrected']}',"
        f" '{lapsed['hp_end_corrected']}', '{after}', false, 'failed')"
    )
    at(growing, after, after, "--select", "+core_hp_period")
    ended = growing.row(
        f"select how_ended from ris.core_hp_period where hp_id = '{lapsed['hp_id']}'"
    )
    assert ended["how_ended"] == "payment_failed"
