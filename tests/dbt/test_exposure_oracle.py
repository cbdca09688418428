"""A thousand members at random, in two time zones: the marts say what a day-by-day walk says."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from tests.dbt.exposure_oracle import Oracle, Row
from tests.dbt.marts import Marts
from tests.dbt.raw_rows import RawRows

HORIZON = date(2024, 6, 16)
MEMBERS = 1_000
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
            hp_id, days = f"{name}-{number}", self.pick([1, 2, 7, 7, 14, 30, 30, 30, 60])
            starts_on = end + timedelta(days=1 + self.pick(GAPS))
            end = self.hero_pass(hp_id, starts_on, days)
            if self.chance(0.3):
                self.beside(f"{hp_id}b", starts_on, days)
            if self.chance(0.2):
                self.charges(name, hp_id, end + timedelta(days=int(self.rng.integers(-35, 36))))
            if self.chance(0.1):
                self.cancellation(f"{hp_id}c", end - timedelta(days=int(self.rng.integers(-5, 20))))

    def beside(self, hp_id: str, starts_on: date, days: int) -> None:
        """One more pass for the same days, for some of them, or for days beyond."""
        spans = [(0, days), (days // 3, 1), (days // 2, days - days // 2), (0, 7), (days - 1, 14)]
        after, length = self.pick(spans)
        self.hero_pass(hp_id, starts_on + timedelta(days=after), length)

    def cancellation(self, hp_id: str, ends_on: date) -> None:
        """A document that takes back what its member bought before it, as known that day or earlier or later."""
        asked = ends_on + timedelta(days=self.pick([0, 0, 0, -1, -10, 3]))
        values: Row = {
            "hp_id": hp_id, "user_id": hp_id.split("-")[0], "is_cancellation": True,
            "product": self.pick([None, "month", "year"]), "purchased_at": self.instant(asked),
            "starts_at": self.midnight(asked), "ends_at": self.midnight(ends_on + timedelta(days=1)),
        }  # fmt: skip
        self.versions("hero_passes", values, "purchased_at", "ends_at")

    def charges(self, name: str, hp_id: str, day: date) -> None:
        """One that failed, with or without the name of the pass, and perhaps another."""
        paid_at = self.instant(day)
        values: Row = {"user_id": name, "hp_id": hp_id if self.chance(0.5) else None}
        self.raw.add("payments", paid_at=paid_at, status="failed", **values)
        if self.chance(0.6):
            later = paid_at + timedelta(days=self.pick([-1, 0, 0, 1, 10, 30, 60]))
            status = self.pick(["succeeded", "succeeded", "failed", "refunded"])
            self.raw.add("payments", paid_at=later, status=status, **values)

    def hero_pass(self, hp_id: str, starts_on: date, days: int) -> date:
        """A pass with its freezes and versions; its last nominal day."""
        ends_on = starts_on + timedelta(days=days - 1)
        purchased = starts_on - timedelta(days=self.pick([0, 0, 0, 1, 2, 10, 25, 90, -3, -45]))
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
    charges: dict[str, list[Row]] = defaultdict(list)
    for row in unique(rows["hero_passes"]):
        passes[row["user_id"]][row["hp_id"]].append(row)
    for row in unique(rows["freezes"]):
        freezes[row["hp_id"].split("-")[0]][row["freeze_id"]].append(row)
    for row in rows["payments"]:
        if oracle.day(row["paid_at"]) <= HORIZON:
            charges[row["user_id"]].append(row)
    for name, own in passes.items():
        oracle.member(list(own.values()), list(freezes[name].values()), charges[name])
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
        " stop_day::int4, event, is_matured, matures_on from ris.interval_hp"
    )
    found = {
        (row.pop("spell_id"), row.pop("week_start")): row for row in frame.iter_rows(named=True)
    }
    compare(found, oracle.weeks)


def test_what_the_project_asks_of_its_data_holds_for_all_of_them(both):
    marts, _ = both
    marts.succeed(
        "test", "--select", "no_spell_ends_with_a_renewed_pass", "spells_follow_one_another",
        "at_most_one_event_per_spell", "exposure_is_within_the_week", "labels_are_null_until_known",
        "no_week_matures_before_its_outcome_is_known",
    )  # fmt: skip
