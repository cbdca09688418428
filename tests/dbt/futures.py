"""Everything that can become known later: a change of every column of every entity, what is gone, what comes back.

The crowd are members of their own, with traces of every kind over a year, so that the futures touch nobody else.
"""

import random
from datetime import date, timedelta
from typing import Any

from ris_assets.contracts.columns import Column
from ris_assets.contracts.entities import ENTITIES, Entity, Keeping
from tests.dbt.raw_rows import RawRows, Row

GO_LIVE = "2023-01-01 02:00+05"
"""The first extraction ended before all of it: what arrives later is known from then on."""
CROWD = [f"crowd{number:02}" for number in range(12)]
VERSIONED = [entity for entity in ENTITIES.values() if entity.keeping is Keeping.VERSIONS]
BORN_ON = date(1990, 5, 13)
GONE_AT = "2024-05-03 12:00"


def crowd(raw: RawRows) -> None:
    """A dozen members since July 2023, friends of the next two, each with a pass a quarter."""
    for number, name in enumerate(CROWD):
        raw.member(
            name, registered_at="2023-07-01 12:00", birth_date=BORN_ON, sex="female", height_cm=170.0,
            weight_kg=70.0, fat_share=0.3, city="Almaty", club_id="k1", work_type="office", transport="bus",
            fitness_experience="some", goal="strength", onboarding="referral", has_trial=False,
            clan_id="lynx", friend_ids=[CROWD[(number + step) % len(CROWD)] for step in (1, 2)],
        )  # fmt: skip
        for quarter, starts_on in enumerate(
            ("2023-07-03", "2023-10-02", "2024-01-01", "2024-04-01")
        ):
            begins = date.fromisoformat(starts_on)
            raw.hero_pass(
                f"{name}-{quarter}", f"{begins - timedelta(days=2)} 10:00", starts_on,
                f"{begins + timedelta(days=90)}", product="season", price=50_000.0, currency="KZT",
                club_id="k1", discount_share=0.1, is_trial=False, freeze_days_allowed=20,
            )  # fmt: skip
            asked = begins + timedelta(days=12 + number)
            raw.freeze(f"{name}-{quarter}", f"{asked} 10:00", f"{asked + timedelta(days=1)}",
                       f"{asked + timedelta(days=4)}")  # fmt: skip
        for day in range(number % 3, 303, 7):
            _traces(raw, name, date(2023, 7, 3) + timedelta(days=day), day)
    for entity in ENTITIES.values():
        last, clock = _last_versions(raw, entity), Clock(raw, GONE_AT)
        _told(raw, entity, {**last[-1], "is_deleted": True}, clock)
        if entity not in VERSIONED:
            _told(raw, entity, {**last[-2], **_other_numbers(entity, last[-2])}, clock)


def _traces(raw: RawRows, name: str, day: date, number: int) -> None:
    """A visit with a coach, and one trace of every other kind."""
    coach = f"crowd coach {number % 2}"
    raw.booking(name, f"{day} 18:00", club_id="k1", coach_id=coach, class_type="circuit",
                stations_done=8, stations_planned=10, booking_id=f"{name} {day}")  # fmt: skip
    at = {"user_id": name}
    raw.add("station_results", **at, booking_id="any", performed_at=f"{day} 18:10", station="row",
            weight_kg=30.0 + number / 10, reps=10, has_heart_rate=True, heart_rate_mean=120.0,
            heart_rate_max=150.0)  # fmt: skip
    raw.add("body_measurements", **at, measured_at=f"{day} 17:00", weight_kg=70 - number / 50,
            fat_share=0.3, muscle_kg=30.0)  # fmt: skip
    raw.add("assessments", **at, assessed_at=f"{day} 17:30", kind="plank", score=50.0 + number % 5)
    raw.add("app_sessions", **at, started_at=f"{day} 08:00", duration_minutes=5.0, has_opened_feed=True,
            has_opened_leaderboard=False, has_opened_achievements=True)  # fmt: skip
    raw.add("daily_steps", **at, counted_at=f"{day} 12:00", steps=7_000 + number)
    raw.add("social_actions", **at, acted_at=f"{day} 21:00", kind="like", target_user_id=CROWD[0])
    raw.add(
        "support_tickets", **at, opened_at=f"{day} 09:00", topic="billing", tone=0.1, rating=4.0
    )
    raw.add("payments", **at, hp_id=f"{name}-0", paid_at=f"{day} 09:30", amount=1.0, currency="KZT",
            status="failed", method="card")  # fmt: skip
    raw.add("app_events", **at, occurred_at=f"{day} 08:01", type="opened", metadata=None)


def every_future(raw: RawRows, since: str) -> None:
    """Of each entity: every column of some documents changed, one gone, one back again, some told too late."""
    for entity in ENTITIES.values():
        last, clock = _last_versions(raw, entity), Clock(raw, since)
        pick = random.Random(entity.name)
        for column in entity.fields:
            if column.name == entity.id_field:
                continue
            for step in range(3):
                row = pick.choice(last)
                row[column.name] = changed(row.get(column.name), column, step)
                _told(raw, entity, row, clock)
                if entity not in VERSIONED:
                    _told_too_late(raw, entity, row, clock)
        _told(raw, entity, {**last[-2], "is_deleted": True}, clock)
        _told(raw, entity, {**last[-1], "is_deleted": False}, clock)
        for row in (last[0], last[len(last) // 2], last[-3]):
            _told_too_late(raw, entity, {**row, **_other_numbers(entity, row)}, clock)


class Clock:
    """Instants one after the other, so that no two versions of a document share one."""

    def __init__(self, raw: RawRows, since: str) -> None:
        self.now = raw.at(since)

    def tick(self) -> Any:
        self.now += timedelta(minutes=1)
        return self.now


def _last_versions(raw: RawRows, entity: Entity) -> list[Row]:
    """The last version of each document of the crowd, oldest first, in a fixed order."""
    mine = [
        row
        for row in raw.rows[entity.name]
        if (row.get("user_id") or row["hp_id"].split("-")[0]) in CROWD
    ]
    documents = {row["source_id"]: dict(row) for row in sorted(mine, key=lambda r: r["known_at"])}
    return sorted(documents.values(), key=lambda row: (row["event_at"], row["source_id"]))


def _told(raw: RawRows, entity: Entity, row: Row, clock: Clock) -> None:
    """A later version of a document."""
    raw.rows[entity.name].append(
        {**row, "event_at": row[entity.event_field], "known_at": clock.tick()}
    )


def _other_numbers(entity: Entity, row: Row) -> Row:
    """All its measures, prices and weights changed."""
    numbers = [column for column in entity.fields if column.type in ("float8", "int4")]
    return {column.name: changed(row.get(column.name), column, 0) for column in numbers}


def _told_too_late(raw: RawRows, entity: Entity, row: Row, clock: Clock) -> None:
    """The same once more as a document of its own: entered late, for a day a hundred days before."""
    earlier = {
        column.name: row[column.name] - timedelta(days=100)
        for column in entity.fields
        if column.type == "timestamptz" and row.get(column.name) is not None
    }
    told_at = clock.tick()
    new_id = f"late {told_at:%d%H%M} {row['source_id']}"
    late = {**row, **earlier, "source_id": new_id, entity.id_field: new_id, "known_at": told_at}
    raw.rows[entity.name].append({**late, "event_at": late[entity.event_field]})


def changed(value: Any, column: Column, step: int) -> Any:
    """Another value of the column's type; whose a document is, somebody else's."""
    if column.name in ("user_id", "hp_id"):
        return CROWD[step] if column.name == "user_id" else f"{CROWD[step]}-3"
    if column.allowed:
        others = [one for one in column.allowed if one != value]
        return others[step % len(others)]
    if column.type == "timestamptz":
        return None if value is None else value + timedelta(days=(-40, 40, 1)[step])
    steps = {
        "text": lambda: f"{value} {step}",
        "float8": lambda: (value or 0.0) * 1.5 + 1 + step,
        "int4": lambda: (value or 0) + 3 + step,
        "bool": lambda: not value,
        "date": lambda: BORN_ON - timedelta(days=1000 * (step + 1)),
        "text[]": lambda: CROWD[step : 5 + step],
        "jsonb": lambda: None,
    }
    return steps[column.type]()
