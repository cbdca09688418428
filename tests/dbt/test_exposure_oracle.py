"""Three hundred members at random, in two time zones: the marts say what a day-by-day walk says."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from tests.dbt.exposure_oracle import Oracle, Row
from tests.dbt.marts import Marts
from tests.dbt.raw_rows import RawRows

HORIZON = date(2024, 6, 16)
MEMBERS = 300
GAPS = (0, 0, 0, 1, 3, 10, 29, 30, 31, 32, 45, 90, -1, -5, -20)
STATUSES = ("paid", "paid", "paid", "paid", "paid", "paid", None, "failed", "pending", "refunded")


class Studio:
    """Documents at random, with a liking for edges."""

    def __init__(self, zone: ZoneInfo, seed: int) -> None:
        self.raw, self.zone = RawRows(zone), zone
        self.rng = np.random.default_rng(seed)

    def pick(self, values):
        return values[int(self.rng.integers(len(values)))]

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def instant(self, day: date) -> datetime:
        """Any time of the day, often its first or last instant."""
        local = datetime(day.year, day.month, day.day, tzinfo=self.zone)
        minutes = self.pick([0, 0, 1, 719, 1439, int(self.rng.integers(1440))])
        return (local + timedelta(minutes=minutes)).astimezone(UTC)

    def midnight(self, day: date) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=self.zone).astimezone(UTC)

    def member(self, name: str) -> None:
        self.raw.member(name, registered_at="2023-12-01 12:00")
        end = date(2024, 1, 1) + timedelta(days=int(self.rng.integers(90)))
        for number in range(int(self.rng.integers(1, 6))):
            starts_on = end + timedelta(days=1 + self.pick(GAPS))
            end = self.hero_pass(f"{name}-{number}", starts_on)
            if self.chance(0.15):
                day = end + timedelta(days=int(self.rng.integers(-35, 36)))
                self.raw.add("payments", user_id=name, paid_at=self.instant(day), status="failed")

    def hero_pass(self, hp_id: str, starts_on: date) -> date:
        """A pass with its freezes and versions; its last nominal day."""
        days = self.pick([1, 2, 7, 7, 14, 30, 30, 30, 60])
        ends_on = starts_on + timedelta(days=days - 1)
        purchased = starts_on - timedelta(days=self.pick([0, 0, 0, 1, 2, 10, 25, 90]))
        values: Row = {
            "hp_id": hp_id, "user_id": hp_id.split("-")[0], "product": self.pick(["month", "year"]),
            "purchased_at": self.instant(purchased), "starts_at": self.midnight(starts_on),
            "ends_at": self.midnight(ends_on + timedelta(days=1)), "is_trial": self.chance(0.1),
            "payment_status": self.pick(STATUSES),
        }  # fmt: skip
        if self.chance(0.2):
            day = starts_on + timedelta(days=int(self.rng.integers(-3, days + 5)))
            values["cancelled_at"] = max(self.instant(day), values["purchased_at"])
        self.versions("hero_passes", values, "purchased_at", "ends_at")
        for number in range(self.pick([0, 0, 1, 1, 2, 4])):
            self.freeze(hp_id, f"{hp_id}/{number}", starts_on, days)
        return ends_on

    def freeze(self, hp_id: str, freeze_id: str, starts_on: date, days: int) -> None:
        first = starts_on + timedelta(days=int(self.rng.integers(-5, days + 10)))
        length = self.pick([0, 1, 2, 3, 7, 14, 70])
        asked = first - timedelta(days=self.pick([0, 1, 5]))
        values: Row = {
            "freeze_id": freeze_id, "hp_id": hp_id, "requested_at": self.instant(asked),
            "starts_at": self.midnight(first),
            "ends_at": None if self.chance(0.15) else self.midnight(first + timedelta(days=length)),
        }  # fmt: skip
        if self.chance(0.25):
            day = first + timedelta(days=int(self.rng.integers(-2, length + 3)))
            values["cancelled_at"] = max(self.instant(day), values["requested_at"])
        self.versions("freezes", values, "requested_at", "ends_at")

    def versions(self, entity: str, values: Row, event: str, changing: str) -> None:
        """The document as it was at first, and perhaps as it became, before or after the horizon."""
        first = dict(values)
        later = [self.pick([0, 1, 5, 40, 120]) for _ in range(self.pick([0, 0, 1, 2]))]
        for days in sorted(later):
            earlier = dict(first)
            if earlier[changing] is not None:
                earlier[changing] += timedelta(days=self.pick([-1, 1, 3]))
            earlier.pop("cancelled_at", None)
            known_at = values[event] + timedelta(days=days, minutes=int(self.rng.integers(1, 60)))
            self.add(entity, first if days == later[0] else earlier, known_at)
        if not later or self.chance(0.5):
            self.add(entity, values, values[event])
        if self.chance(0.03):
            self.add(entity, {**values, "is_deleted": True}, values[event] + timedelta(days=150))

    def add(self, entity: str, values: Row, known_at: datetime) -> None:
        row = self.raw.add(entity, **values)
        row["known_at"] = known_at


def oracle_of(studio: Studio) -> Oracle:
    """The oracle's word on every member."""
    oracle = Oracle(studio.zone, HORIZON)
    rows = studio.raw.rows
    passes: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    freezes: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    failed: dict[str, list[date]] = defaultdict(list)
    for row in unique(rows["hero_passes"]):
        passes[row["user_id"]][row["hp_id"]].append(row)
    for row in unique(rows["freezes"]):
        freezes[row["hp_id"].split("-")[0]][row["freeze_id"]].append(row)
    for row in rows["payments"]:
        if oracle.day(row["paid_at"]) <= HORIZON:
            failed[row["user_id"]].append(oracle.day(row["paid_at"]))
    for name, own in passes.items():
        oracle.member(list(own.values()), list(freezes[name].values()), failed[name])
    return oracle


def unique(rows: list[Row]) -> list[Row]:
    """One version a document and instant, as the landing table's key demands."""
    return list({(row["source_id"], row["known_at"]): row for row in rows}.values())


@pytest.fixture(scope="module", params=["Asia/Almaty", "America/New_York"])
def both(request: pytest.FixtureRequest, marts: Marts) -> tuple[Marts, Oracle]:
    """The marts of a random studio, and the oracle's word on it."""
    marts.timezone = request.param
    studio = Studio(ZoneInfo(request.param), seed=20240301)
    for number in range(MEMBERS):
        studio.member(f"m{number}")
    for entity in ("hero_passes", "freezes"):
        studio.raw.rows[entity] = unique(studio.raw.rows[entity])
    marts.reset()
    studio.raw.write(marts.url, HORIZON.isoformat())
    marts.succeed("seed")
    marts.succeed("run", "--select", "+label_hp", "+interval_hp")
    return marts, oracle_of(studio)


def compare(found: dict, expected: dict) -> None:
    """Fails with the first differences."""
    wrong = [
        f"{key}: {found.get(key)} instead of {expected.get(key)}"
        for key in sorted({*found, *expected}, key=str)
        if found.get(key) != expected.get(key)
    ]
    assert not wrong, f"{len(wrong)} of {len(expected)} differ:\n" + "\n".join(wrong[:10])


def test_every_pass_is_as_walked_through(both):
    marts, oracle = both
    columns = list(max(oracle.periods.values(), key=len))
    frame = marts.read(f"select hp_id, {', '.join(columns)} from ris.core_hp_period")
    found = {row.pop("hp_id"): row for row in frame.iter_rows(named=True)}
    for row in found.values():
        if not row["has_coverage"]:
            for name in set(row) - {"has_coverage", "how_ended"}:
                row.pop(name)
    compare(found, oracle.periods)
    ends = {row["how_ended"] for row in found.values()}
    assert ends == {"renewed", "moved", "lapsed", "payment_failed", "open", "cancelled"}


def test_every_label_is_as_walked_through(both):
    marts, oracle = both
    columns = list(next(iter(oracle.labels.values())))
    frame = marts.read(f"select hp_id, {', '.join(columns)} from ris.label_hp")
    compare({row.pop("hp_id"): row for row in frame.iter_rows(named=True)}, oracle.labels)


def test_every_week_at_risk_is_as_walked_through(both):
    marts, oracle = both
    frame = marts.read(
        "select spell_id, week_start, round(exposure * 7)::int4 as days, start_day::int4,"
        " stop_day::int4, event from ris.interval_hp"
    )
    found = {
        (row.pop("spell_id"), row.pop("week_start")): row for row in frame.iter_rows(named=True)
    }
    compare(found, oracle.weeks)
