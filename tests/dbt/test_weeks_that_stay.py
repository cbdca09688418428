"""A day makes anew the weeks at risk that what it brings can touch, of whichever spell; those before them stay.

Each member was with the studio for eight weeks from Monday 2024-01-01 and is again since Monday 2024-04-29, with two
passes each time. By Saturday 2024-06-15 that makes 8 and 7 weeks at risk; something becomes known on the Sunday. The
week under way is made anew each day, and so is the last of those that stay where later ones do not.
"""

from collections.abc import Callable
from datetime import date
from zoneinfo import ZoneInfo

import pytest

from tests.dbt.marts import Marts
from tests.dbt.raw_rows import RawRows
from tests.dbt.test_growing_intervals import EVERY_GROWING, assert_made_at_once, at, rows

ALMATY = ZoneInfo("Asia/Almaty")
SATURDAY, SUNDAY = date(2024, 6, 15), date(2024, 6, 16)
BEGINNING = date(2024, 1, 31)
NOW = "2024-06-16 12:00"
FIRST, SECOND = ("2024-01-01", "2024-01-28"), ("2024-01-29", "2024-02-25")
THIRD, FOURTH = ("2024-04-29", "2024-05-26"), ("2024-05-27", "2024-07-21")
FROZEN = ("2024-01-28 09:00", "2024-01-29", "2024-03-31")
NEXT = ("2024-07-22", "2024-08-18")


def bought(raw: RawRows, hp_id: str, days: tuple[str, str], on: str = "", **fields: str) -> None:
    """A pass of two days; bought on its first where no other day is named."""
    raw.hero_pass(hp_id, f"{on or days[0]} 10:00", *days, **fields)


def is_as_before(raw: RawRows, name: str) -> None:
    """Nothing becomes known."""


def renews(raw: RawRows, name: str) -> None:
    """Buys the next pass five weeks ahead."""
    bought(raw, f"{name}-5", NEXT, on="2024-06-16")


def upgrades(raw: RawRows, name: str) -> None:
    """A pass of a year takes over from Monday."""
    bought(raw, f"{name}-5", ("2024-06-17", "2025-06-15"), on="2024-06-16", product="year")


def asks_for_a_freeze(raw: RawRows, name: str) -> None:
    """Of next week."""
    raw.freeze(f"{name}-4", "2024-06-16 09:00", "2024-06-17", "2024-06-20")


def pays_for_a_relative(raw: RawRows, name: str) -> None:
    """A pass of somebody else."""
    bought(raw, f"{name}kin-1", NEXT, on="2024-06-16", buyer_id=name)


def has_paid_another_price(raw: RawRows, name: str) -> None:
    """For the first pass: nothing that weeks are made of, but said while the last one runs."""
    bought(raw, f"{name}-1", FIRST, known_at=NOW, price=1.0)


def was_frozen_long_ago(raw: RawRows, name: str) -> None:
    """In the second week of all, as is found out now."""
    raw.freeze(f"{name}-1", "2024-01-09 09:00", "2024-01-10", "2024-01-14", known_at=NOW)


def was_cancelled_long_ago(raw: RawRows, name: str) -> None:
    """In the sixth week, as is found out now."""
    bought(raw, f"{name}-2", SECOND, known_at=NOW, cancelled_at="2024-02-08 12:00")


def was_never_there(raw: RawRows, name: str) -> None:
    """What was cancelled in the fifth week was frozen from its first day on, as is found out now."""
    is_cancelled_at_once(raw, name)
    raw.freeze(f"{name}-2", *FROZEN, freeze_id=name, known_at=NOW)


def was_there_after_all(raw: RawRows, name: str) -> None:
    """That was not so, as is found out now: it was the last week at risk."""
    is_cancelled_at_once(raw, name)
    raw.freeze(f"{name}-2", *FROZEN, freeze_id=name)
    raw.freeze(f"{name}-2", *FROZEN, freeze_id=name, known_at=NOW)
    raw.rows["freezes"][-1]["is_deleted"] = True


def is_cancelled_at_once(raw: RawRows, name: str) -> None:
    """The second pass, on its fourth day."""
    day = "2024-02-01 12:00"
    bought(raw, f"{name}-2", SECOND, known_at=day, cancelled_at=day)


def was_never_away(raw: RawRows, name: str) -> None:
    """There was a pass between the spells, as is found out now."""
    bought(raw, f"{name}-0", ("2024-02-26", "2024-04-28"), known_at=NOW)


def was_another(raw: RawRows, name: str) -> None:
    """The second pass was somebody else's, as is found out now."""
    bought(raw, f"{name}-2", SECOND, known_at=NOW, user_id=f"{name}kin")


def begins_earlier(raw: RawRows, name: str) -> None:
    """The third pass began two weeks before, and had ended then, as is found out now."""
    bought(raw, f"{name}-3", ("2024-04-15", "2024-05-12"), on=THIRD[0], known_at=NOW)


def was_a_guest(raw: RawRows, name: str) -> None:
    """In the days left of the week in which the first pass ended, as is found out now; the next was bought before."""
    bought(raw, f"{name}-1", ("2024-01-01", "2024-01-24"), known_at="2024-01-02 12:00")
    bought(
        raw, f"{name}-2", ("2024-02-05", "2024-02-25"), on="2024-01-20", known_at="2024-01-30 12:00"
    )
    bought(raw, f"{name}-0", ("2024-01-26", "2024-01-28"), known_at=NOW)


def takes_back_an_early_renewal(raw: RawRows, name: str) -> None:
    """What was bought ahead on 1 June is gone."""
    bought(raw, f"{name}-5", NEXT, on="2024-06-01")
    bought(raw, f"{name}-5", NEXT, on="2024-06-01", known_at=NOW)
    raw.rows["hero_passes"][-1]["is_deleted"] = True


def is_forgotten(raw: RawRows, name: str) -> None:
    """All documents go: see become_known."""


CASES: list[tuple[Callable[[RawRows, str], None], int]] = [
    (is_as_before, 8 + 6),
    (pays_for_a_relative, 8 + 6),
    (renews, 8 + 3),
    (upgrades, 8 + 3),
    (asks_for_a_freeze, 8 + 3),
    (takes_back_an_early_renewal, 8 + 3),
    (has_paid_another_price, 8 + 3),
    (begins_earlier, 8),
    (was_cancelled_long_ago, 3),
    (was_never_there, 3),
    (was_never_away, 3),
    (was_a_guest, 3),
    (was_there_after_all, 2),
    (was_frozen_long_ago, 0),
    (was_another, 0),
    (is_forgotten, 0),
]
"""What becomes known of a member, and how many of the weeks before stay."""


def name_of(case: Callable[[RawRows, str], None]) -> str:
    return case.__name__.replace("_", "")


@pytest.fixture
def until_saturday(marts: Marts) -> tuple[Marts, RawRows]:
    """The marts up to Saturday, and the documents as they are on Sunday."""
    raw = RawRows(ALMATY)
    for case, _ in CASES:
        name = name_of(case)
        raw.member(name)
        for number, days in enumerate((FIRST, SECOND, THIRD, FOURTH), start=1):
            bought(raw, f"{name}-{number}", days)
        case(raw, name)
    sunday = raw.at(str(SUNDAY))
    before = RawRows(ALMATY)
    for entity, documents in raw.rows.items():
        before.rows[entity] = [row for row in documents if row["known_at"] < sunday]
    marts.timezone = str(ALMATY)
    marts.reset()
    become_known(marts, before)
    marts.succeed("seed")
    at(marts, SATURDAY, BEGINNING, *EVERY_GROWING)
    return marts, raw


def become_known(marts: Marts, raw: RawRows) -> None:
    """Land these documents instead of those before; RIS went live long before them."""
    raw.write(marts.url, str(SUNDAY))
    marts.execute("update ris_raw.extraction_log set finished_at = '2023-01-01 02:00+06'")


def add_sunday(marts: Marts, raw: RawRows) -> None:
    """What becomes known on Sunday, and its run."""
    become_known(marts, raw)
    marts.execute(f"delete from ris_raw.hero_passes where user_id = '{name_of(is_forgotten)}'")
    at(marts, SUNDAY, SUNDAY, *EVERY_GROWING)


def test_weeks_come_out_as_if_all_were_made_at_once(until_saturday: tuple[Marts, RawRows]):
    marts, raw = until_saturday
    add_sunday(marts, raw)
    assert_made_at_once(marts, rows(marts))


def test_weeks_that_nothing_touches_stay(until_saturday: tuple[Marts, RawRows]):
    marts, raw = until_saturday
    marts.execute("update ris.interval_hp set exposure = -1")
    add_sunday(marts, raw)
    stayed = marts.read(
        "select user_id, count(*) from ris.interval_hp where exposure = -1 group by 1"
    )
    assert dict(stayed.iter_rows()) == {name_of(case): weeks for case, weeks in CASES if weeks}
