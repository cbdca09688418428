"""Hand-written members, one case each. What becomes of them is worked out in the tests.

The last extracted day is Sunday 2024-05-12. Classes are at 19:00 unless said otherwise.
"""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

from tests.dbt.marts import Marts
from tests.dbt.raw_rows import RawRows

HORIZON = "2024-05-12"


def hand_written(zone: ZoneInfo) -> RawRows:
    """All members, in a studio of that zone."""
    raw = RawRows(zone)
    for write in (
        anna, boris, clara, dmitri, elena, farid, galina, hasan, irina, jan, kira, lena, max_,
        mira, nina, oleg,
    ):  # fmt: skip
        write(raw)
    return raw


def build_hand_written(marts: Marts, zone: str) -> Marts:
    """The marts of these members and of nobody else, in a studio of that zone."""
    write_hand_written(marts, zone)
    marts.build()
    return marts


def make_hand_written(marts: Marts) -> Marts:
    """The same in Almaty, for tests of something else."""
    write_hand_written(marts, "Asia/Almaty")
    marts.make()
    return marts


def write_hand_written(marts: Marts, zone: str) -> None:
    """Their documents."""
    marts.timezone = zone
    marts.reset()
    hand_written(ZoneInfo(zone)).write(marts.url, HORIZON)


def days_of(first: str, last: str, weekdays: tuple[int, ...]) -> list[str]:
    """Days from first through last that fall on these weekdays (0 is Monday)."""
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    days = [start + timedelta(days=n) for n in range((end - start).days + 1)]
    return [day.isoformat() for day in days if day.weekday() in weekdays]


def anna(raw: RawRows) -> None:
    """Renews a day before each end; three visits a week but for the last one."""
    raw.member("anna", birth_date=date(1990, 5, 13), height_cm=170.0, weight_kg=70.0,
               clan_id="bears", friend_ids=["boris", "clara"], sex="female")  # fmt: skip
    raw.hero_pass("anna-1", "2024-01-06 20:00", "2024-01-08", "2024-02-04")
    raw.hero_pass("anna-2", "2024-02-03 20:00", "2024-02-05", "2024-03-03")
    raw.hero_pass("anna-3", "2024-03-02 20:00", "2024-03-04", "2024-03-31")
    raw.hero_pass("anna-4", "2024-03-30 20:00", "2024-04-01", "2024-04-28")
    raw.hero_pass("anna-5", "2024-04-27 20:00", "2024-04-29", "2024-05-26")
    for day in days_of("2024-01-08", "2024-05-05", (0, 2, 4)):
        raw.booking("anna", f"{day} 19:00")
    raw.booking("anna", "2024-05-06 19:00")
    raw.booking("anna", "2024-05-08 19:00", "no_show")
    raw.booking("anna", "2024-05-09 19:00", "late_cancelled")
    raw.booking("anna", "2024-05-10 19:00", "cancelled")
    raw.booking("anna", "2024-05-14 19:00", "booked")
    for performed_at, weight in (("2024-01-08 19:20", 40.0), ("2024-05-06 19:20", 44.0),
                                 ("2024-05-06 19:25", 50.0)):  # fmt: skip
        raw.add("station_results", user_id="anna", booking_id="any", performed_at=performed_at,
                station="row", weight_kg=weight)  # fmt: skip
    for started_at, minutes in (("2024-05-07 08:00", 10.5), ("2024-05-12 23:59", 4.25)):
        raw.add("app_sessions", user_id="anna", started_at=started_at, duration_minutes=minutes)
    for counted_at, steps in (("2024-05-07 12:00", 8_000), ("2024-05-08 12:00", 10_000)):
        raw.add("daily_steps", user_id="anna", counted_at=counted_at, steps=steps)
    raw.add("social_actions", user_id="anna", acted_at="2024-05-11 21:00", kind="like")
    raw.add("social_actions", user_id="anna", acted_at="2024-05-05 21:00", kind="post")
    raw.add("support_tickets", user_id="anna", opened_at="2024-05-06 00:00", topic="billing")
    raw.add("body_measurements", user_id="anna", measured_at="2024-04-20 18:00", weight_kg=68.0,
            fat_share=0.25)  # fmt: skip


def boris(raw: RawRows) -> None:
    """A freeze of seven days inside the pass; renews two days after the corrected end."""
    raw.member("boris")
    raw.hero_pass("boris-1", "2024-01-31 10:00", "2024-02-01", "2024-03-01")
    raw.freeze("boris-1", "2024-02-08 10:00", "2024-02-10", "2024-02-16")
    raw.hero_pass("boris-2", "2024-03-10 10:00", "2024-03-11", "2024-04-09")


def clara(raw: RawRows) -> None:
    """Two freezes that overlap, eleven days together; lapses."""
    raw.member("clara")
    raw.hero_pass("clara-1", "2024-01-31 10:00", "2024-02-01", "2024-03-01")
    raw.freeze("clara-1", "2024-02-08 10:00", "2024-02-10", "2024-02-16")
    raw.freeze("clara-1", "2024-02-12 10:00", "2024-02-14", "2024-02-20")


def dmitri(raw: RawRows) -> None:
    """A freeze that began before the pass; renews on day 30."""
    raw.member("dmitri")
    raw.hero_pass("dmitri-1", "2024-02-15 10:00", "2024-03-01", "2024-03-30")
    raw.freeze("dmitri-1", "2024-02-19 10:00", "2024-02-20", "2024-03-05")
    raw.hero_pass("dmitri-2", "2024-05-04 23:30", "2024-05-05", "2024-06-03")


def elena(raw: RawRows) -> None:
    """A freeze in the extension counts, one after it does not; renews on day 31."""
    raw.member("elena")
    raw.hero_pass("elena-1", "2024-01-31 10:00", "2024-02-01", "2024-03-01")
    raw.freeze("elena-1", "2024-02-08 10:00", "2024-02-10", "2024-02-16")
    raw.freeze("elena-1", "2024-03-04 10:00", "2024-03-05", "2024-03-07")
    raw.freeze("elena-1", "2024-03-05 10:00", "2024-03-20", "2024-03-25")
    raw.hero_pass("elena-2", "2024-04-11 00:30", "2024-04-11", "2024-05-10")


def farid(raw: RawRows) -> None:
    """Frozen since 6 May, no end in sight: 21 of 30 days used."""
    raw.member("farid")
    raw.hero_pass("farid-1", "2024-04-14 10:00", "2024-04-15", "2024-05-14")
    raw.freeze("farid-1", "2024-05-05 10:00", "2024-05-06", None, freeze_id="farid-open")
    for day, minutes in (("2024-04-16", None), ("2024-04-23", 0.0), ("2024-04-24", None)):
        raw.add(
            "app_sessions", user_id="farid", started_at=f"{day} 08:00", duration_minutes=minutes
        )


def galina(raw: RawRows) -> None:
    """A freeze that was called off before it began; nobody knows yet whether she renews."""
    raw.member("galina")
    raw.hero_pass("galina-1", "2024-03-31 10:00", "2024-04-01", "2024-04-30")
    raw.freeze("galina-1", "2024-04-05 10:00", "2024-04-10", "2024-04-20",
               cancelled_at="2024-04-09 18:00")  # fmt: skip


def hasan(raw: RawRows) -> None:
    """Never came once."""
    raw.member("hasan")
    raw.hero_pass("hasan-1", "2024-03-31 10:00", "2024-04-01", "2024-05-30")


def irina(raw: RawRows) -> None:
    """Buys the next pass twenty days early."""
    raw.member("irina")
    raw.hero_pass("irina-1", "2024-02-29 10:00", "2024-03-01", "2024-03-30")
    raw.hero_pass("irina-2", "2024-03-10 10:00", "2024-03-31", "2024-04-29")
    raw.hero_pass("irina-3", "2024-04-09 10:00", "2024-04-30", "2024-05-29")


def jan(raw: RawRows) -> None:
    """Moves away and cancels on 20 March."""
    raw.member("jan")
    raw.hero_pass("jan-1", "2024-03-03 10:00", "2024-03-04", "2024-04-02",
                  cancelled_at="2024-03-20 12:00", cancel_reason="moved away")  # fmt: skip


def kira(raw: RawRows) -> None:
    """Wants to renew, but the payment fails."""
    raw.member("kira")
    raw.hero_pass("kira-1", "2024-02-29 10:00", "2024-03-01", "2024-03-30")
    raw.hero_pass("kira-2", "2024-03-31 10:00", "2024-03-31", "2024-04-29", payment_status="failed")


def lena(raw: RawRows) -> None:
    """A trial, a paid pass, and after fifty days another: two spells."""
    raw.member("lena")
    raw.hero_pass("lena-1", "2024-02-05 10:00", "2024-02-05", "2024-02-11", is_trial=True)
    raw.hero_pass("lena-2", "2024-02-12 10:00", "2024-02-12", "2024-03-12")
    raw.hero_pass("lena-3", "2024-05-01 10:00", "2024-05-01", "2024-05-30")


def max_(raw: RawRows) -> None:
    """Trains around midnight of 29 February, when Almaty's clocks went back an hour."""
    raw.member("max")
    raw.hero_pass("max-1", "2024-02-14 10:00", "2024-02-15", "2024-03-15")
    raw.booking("max", raw.at("2024-02-29 23:30", fold=1))
    raw.booking("max", "2024-03-01 00:30")


def mira(raw: RawRows) -> None:
    """Two visits a week and four in the last one; back on Tuesday 7 May after five weeks without a pass."""
    raw.member("mira")
    raw.hero_pass("mira-1", "2024-01-08 08:00", "2024-01-08", "2024-03-31")
    for day in days_of("2024-01-08", "2024-03-31", (0, 2)):
        raw.booking("mira", f"{day} 18:00")
    for day in ("2024-03-26", "2024-03-28"):
        raw.booking("mira", f"{day} 18:00")
    raw.hero_pass("mira-2", "2024-05-07 08:00", "2024-05-07", "2024-06-05")
    raw.booking("mira", "2024-05-08 18:00")


def nina(raw: RawRows) -> None:
    """A guest day within a half-year."""
    raw.member("nina")
    raw.hero_pass("nina-1", "2024-01-15 08:00", "2024-01-15", "2024-07-14")
    raw.hero_pass("nina-2", "2024-02-10 08:00", "2024-02-10", "2024-02-10")


def oleg(raw: RawRows) -> None:
    """A guest week within the only pass; gone at its end."""
    raw.member("oleg")
    raw.hero_pass("oleg-1", "2024-01-15 08:00", "2024-01-15", "2024-03-31")
    raw.hero_pass("oleg-2", "2024-02-12 08:00", "2024-02-12", "2024-02-18")
