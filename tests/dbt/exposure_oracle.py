"""The rules of the exposure clock walked day by day for one member at a time: slow, plain, and nothing of the SQL.

Days and passes are looked at one after the other, so that a reader can check each line against the rules in
`macros/exposure_clock.sql`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

GRACE = timedelta(days=30)
DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)
Row = dict[str, Any]


@dataclass
class Pass:
    """A covering pass, walked through."""

    row: Row
    starts_on: date
    purchased_on: date
    cancelled_on: date | None
    end: date
    frozen: set[date]
    spell: int = 0
    spell_starts_on: date = date.max
    number: int = 0
    before: "Pass | None" = None
    after: "Pass | None" = None
    renewed_on: date | None = None

    @property
    def hp_id(self) -> str:
        return self.row["hp_id"]

    @property
    def days(self) -> set[date]:
        """Days that it covers."""
        count = (self.end - self.starts_on).days + 1
        return {self.starts_on + n * DAY for n in range(count)}

    @property
    def at_risk(self) -> set[date]:
        """Those of them that are not frozen."""
        return self.days - self.frozen


@dataclass
class Oracle:
    """What becomes of each member's documents, as known at the end of the horizon."""

    zone: ZoneInfo
    horizon: date
    periods: dict[str, Row] = field(default_factory=dict)
    labels: dict[str, Row] = field(default_factory=dict)
    weeks: dict[tuple[str, date], Row] = field(default_factory=dict)

    def day(self, instant: datetime) -> date:
        """The studio day of an instant."""
        return instant.astimezone(self.zone).date()

    def known(self, versions: Iterable[Row]) -> Row | None:
        """The version that is known at the horizon: None if there is none, or it is a tombstone."""
        told = [one for one in self.dated(versions) if one["known_on"] <= self.horizon]
        return None if not told or told[-1]["is_deleted"] else told[-1]

    def dated(self, versions: Iterable[Row]) -> list[Row]:
        """Versions in order, each with the day from which it counts; none that was another by the end of that day."""
        first, *others = sorted(versions, key=lambda row: row["known_at"])
        told = [
            {**first, "known_on": self.day(first["event_at"])},
            *(
                {**one, "known_on": self.day(max(one["event_at"], one["known_at"]))}
                for one in others
            ),
        ]
        until = [
            min((one["known_on"] for one in told[n:]), default=date.max)
            for n in range(1, len(told) + 1)
        ]
        return [one for one, end in zip(told, until, strict=True) if one["known_on"] < end]

    def member(self, passes: list[list[Row]], freezes: list[list[Row]], charges: list[Row]) -> None:
        """Work out one member: the versions of each pass and freeze, the charges."""
        known = [row for versions in passes if (row := self.known(versions))]
        rows = [row for row in known if not row.get("is_cancellation")]
        taken_back = [row for row in known if row.get("is_cancellation")]
        pauses = [row for versions in freezes if (row := self.known(versions))]
        unpaid = [
            self.day(row["purchased_at"]) for row in rows if row.get("payment_status") == "failed"
        ]
        nameable = {None, *(row["hp_id"] for row in rows)}
        charges = [charge for charge in charges if charge.get("hp_id") in nameable]
        chain = []
        for row in rows:
            called_off = [
                *self.own_cancellation(row),
                *(day for one in taken_back for day in self.taken_back(row, one, freezes)),
            ]
            own = [one for one in pauses if one["hp_id"] == row["hp_id"]]
            covering = self.walked(row, min(called_off, default=None), own)
            if covering is None:
                status = row.get("payment_status")
                ended = {"failed": "payment_failed", "pending": "open"}.get(status, "cancelled")
                self.periods[row["hp_id"]] = {"has_coverage": False, "how_ended": ended}
            else:
                chain.append(covering)
        chain.sort(key=lambda one: (one.starts_on, one.row["purchased_at"], one.end, one.hp_id))
        self.link(chain)
        for one in chain:
            failed = unpaid + self.failures(charges, until=one.end + GRACE)
            self.tell(one, failed, is_unpaid=self.never_paid(one, charges))
        for spell in sorted({one.spell for one in chain}):
            self.tell_weeks([one for one in chain if one.spell == spell])

    def reach(self, row: Row, freezes: list[list[Row]], known_on: date) -> date:
        """The last day that a pass could cover with everything that was said of its freezes until a day."""
        end = self.day(row["ends_at"] - INSTANT)
        for versions in freezes:
            said = [
                one
                for one in self.dated(versions)
                if one["hp_id"] == row["hp_id"] and one["known_on"] <= known_on
            ]
            if any(one.get("ends_at") is None for one in said):
                return date.max
            lengths = [
                (self.day(one["ends_at"] - INSTANT) - self.day(one["starts_at"])).days + 1
                for one in said
                if not one["is_deleted"]
            ]
            end += max([0, *lengths]) * DAY
        return end

    def own_cancellation(self, row: Row) -> list[date]:
        """The day that stands in the pass itself."""
        return [self.day(row["cancelled_at"])] if row.get("cancelled_at") else []

    def taken_back(self, row: Row, cancelling: Row, freezes: list[list[Row]]) -> list[date]:
        """The last day that is left of it by a cancellation that came after it; none where it is over by then."""
        last_day = self.day(cancelling["ends_at"] - INSTANT)
        product, bought_at = cancelling.get("product"), row["purchased_at"]
        is_later = cancelling["purchased_at"] > bought_at
        is_alike = product is not None and cancelling["purchased_at"] == bought_at
        is_of_it = (is_later or is_alike) and product in (None, row["product"])
        known_on = max(row["known_on"], cancelling["known_on"])
        return [last_day] if is_of_it and last_day <= self.reach(row, freezes, known_on) else []

    def walked(self, row: Row, called_off: date | None, pauses: list[Row]) -> Pass | None:
        """The pass day by day; None if it covers nothing."""
        starts_on, ends_on = self.day(row["starts_at"]), self.day(row["ends_at"] - INSTANT)
        if starts_on > ends_on:
            return None
        cancelled_on = called_off if called_off and called_off <= self.horizon else None
        if cancelled_on and cancelled_on < starts_on:
            return None
        status = row.get("payment_status") or "paid"
        if status in ("failed", "pending") or (status == "refunded" and called_off is None):
            return None
        bought = (ends_on - starts_on).days + 1
        paused = set().union(*(self.paused(one) for one in pauses)) if pauses else set()
        day, frozen = starts_on, set()
        while bought:
            if day in paused:
                frozen.add(day)
            else:
                bought -= 1
            end, day = day, day + DAY
        if cancelled_on:
            end = min(end, cancelled_on)
            frozen = {one for one in frozen if one <= cancelled_on}
        return Pass(row, starts_on, self.day(row["purchased_at"]), cancelled_on, end, frozen)

    def paused(self, freeze: Row) -> set[date]:
        """The days of a freeze."""
        first = self.day(freeze["starts_at"])
        last = self.day(freeze["ends_at"] - INSTANT) if freeze.get("ends_at") else self.horizon
        if freeze.get("cancelled_at") and self.day(freeze["cancelled_at"]) <= self.horizon:
            if freeze["cancelled_at"] <= freeze["starts_at"]:
                return set()
            last = min(last, self.day(freeze["cancelled_at"] - INSTANT))
        return {first + n * DAY for n in range((last - first).days + 1)}

    def failures(self, charges: list[Row], until: date) -> list[date]:
        """Days on which a charge failed that did not succeed when it was tried again until a day."""
        paid = [one for one in charges if one["status"] == "succeeded"]
        days = []
        for charge in charges:
            again = [
                one
                for one in paid
                if one.get("hp_id") == charge.get("hp_id")
                and one["paid_at"] >= charge["paid_at"]
                and self.day(one["paid_at"]) <= until
            ]
            if charge["status"] == "failed" and not again:
                days.append(self.day(charge["paid_at"]))
        return days

    def never_paid(self, one: Pass, charges: list[Row]) -> bool:
        """Whether a charge of the first day of a short pass failed, and none succeeded from then on."""
        days = {
            status: [self.day(row["paid_at"]) for row in charges if row["status"] == status]
            for status in ("failed", "succeeded")
        }
        is_short = one.end <= one.starts_on + GRACE
        is_paid = any(one.starts_on <= day <= one.end + GRACE for day in days["succeeded"])
        return is_short and one.starts_on in days["failed"] and not is_paid

    def link(self, chain: list[Pass]) -> None:
        """What comes before and after, and the spells; the passes in the order in which they start."""
        spell, covered = 0, set[date]()
        for number, one in enumerate(chain):
            self.look_ahead(one, chain)
            bought = min(other.purchased_on for other in chain[number:])
            in_time = covered and bought <= max(covered) + GRACE
            if not (in_time or (covered and one.starts_on <= max(covered))):
                spell += 1
            one.spell, one.number = spell, number + 1
            one.before = chain[number - 1] if number else None
            covered |= one.days
        for one in chain:
            one.spell_starts_on = min(p.starts_on for p in chain if p.spell == one.spell)

    def look_ahead(self, one: Pass, chain: list[Pass]) -> None:
        """What covers a day after its last one renews it, and whichever of these stops first follows it."""
        ahead = [other for other in chain if any(day > one.end for day in other.days)]
        one.renewed_on = min((other.purchased_on for other in ahead), default=None)
        day = one.end
        while ahead and one.after is None:
            day += DAY
            one.after = next((other for other in ahead if max(other.days) == day), None)

    def tell(self, one: Pass, failed: list[date], is_unpaid: bool) -> None:
        """The rows of core_hp_period and label_hp."""
        renewed = one.renewed_on
        in_grace = renewed is not None and renewed <= one.end + GRACE
        is_other = one.after is not None and one.after.row["product"] != one.row["product"]
        near = [day for day in failed if one.end - GRACE <= day <= one.end + GRACE]
        if in_grace:
            ended = "moved" if is_other and not one.row.get("is_trial") else "renewed"
        elif self.horizon < one.end + GRACE:
            ended = "open"
        else:
            has_failed = is_unpaid or any(day > one.starts_on for day in near)
            ended = "payment_failed" if has_failed else "lapsed"
        self.periods[one.hp_id] = {
            "has_coverage": True,
            "how_ended": ended,
            "hp_end_corrected": one.end,
            "freeze_days": len(one.frozen),
            "previous_hp_id": one.before.hp_id if one.before else None,
            "next_hp_id": one.after.hp_id if one.after else None,
            "gap_days": (one.after.starts_on - one.end).days - 1 if one.after else None,
            "spell_id": f"{one.row['user_id']}:{one.spell}",
            "spell_starts_on": one.spell_starts_on,
            "return_count": one.spell - 1,
            "pass_number": one.number,
            "renewed_on": renewed,
        }
        label: Row = {"days_to_renewal": (renewed - one.end).days if renewed else None}
        for days in (30, 60, 90):
            limit = one.end + timedelta(days=days)
            is_over = self.horizon >= limit
            in_time = renewed is not None and renewed <= limit
            label[f"renewed_{days}d"] = True if in_time else (False if is_over else None)
            label[f"matured_{days}d"] = is_over
        self.labels[one.hp_id] = label

    def tell_weeks(self, spell: list[Pass]) -> None:
        """The rows of interval_hp of one spell."""
        at_risk = sorted(
            day for day in set().union(*(one.at_risk for one in spell)) if day <= self.horizon
        )
        end = max(one.end for one in spell)
        mondays = sorted({day - timedelta(days=day.weekday()) for day in at_risk})
        for monday in mondays:
            days = [day for day in at_risk if monday <= day < monday + timedelta(days=7)]
            last_on = max(days[-1], end if monday == mondays[-1] else date.min)
            covering = max(
                (one for one in spell if days[-1] in one.days),
                key=lambda one: (one.end, one.starts_on),
            )
            event: bool | None = False
            if monday == mondays[-1] and end <= self.horizon:
                event = True if end + GRACE <= self.horizon else None
            self.weeks[(f"{spell[0].row['user_id']}:{spell[0].spell}", monday)] = {
                "days": len(days),
                "start_day": (days[0] - spell[0].spell_starts_on).days,
                "stop_day": (days[-1] - spell[0].spell_starts_on).days + 1,
                "event": event,
                "is_matured": last_on + GRACE <= self.horizon
                or (covering.renewed_on is not None and event is not None),
                "matures_on": last_on + GRACE,
            }
