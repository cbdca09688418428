"""A small studio in frames: snapshots, labels and person-weeks with a known renewal probability."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

FIRST_SUNDAY = date(2025, 1, 5)
GRACE = 30

CATALOG = pl.DataFrame(
    [
        ("visits", "external", "down", "usually {norm} visits a week, now {value}",
         "обычно {norm} визита в неделю, сейчас {value}", "one", True),
        ("app_minutes", "external", "down", "usually {norm} minutes in the app a week, now {value}",
         "обычно {norm} минут в приложении, сейчас {value}", "int", True),
        ("steps", "external", "down", "usually {norm} steps a day, now {value}",
         "обычно {norm} шагов в день, сейчас {value}", "int", True),
        ("days_to_end", "internal", "none", "the pass ends in {value} days",
         "до конца абонемента {value} дн.", "days", True),
        ("pass_number", "internal", "down", "pass number {value}", "абонемент № {value}",
         "int", True),
        ("pass_days", "internal", "none", "", "", "days", True),
        ("price", "internal", "up", "", "", "int", True),
        ("city", "internal", "none", "", "", "int", True),
        ("tenure_days", "internal", "down", "with us for {value} days", "с нами {value} дн.",
         "days", True),
        ("spell_weeks", "internal", "down", "", "", "int", True),
        ("is_frozen", "internal", "up", "", "", "int", True),
        ("mood", "internal", "down", "", "", "one", False),
    ],
    schema=["feature", "feature_group", "risk_direction", "reason_en", "reason_ru", "value_format",
            "is_active"],
    orient="row",
)  # fmt: skip


@dataclass(frozen=True)
class FakeStudio:
    """Frames as the marts have them, and the probability behind every row."""

    snapshot: pl.DataFrame
    labels: pl.DataFrame
    weeks: pl.DataFrame
    truth: pl.DataFrame
    horizon: date

    @property
    def passes(self) -> pl.DataFrame:
        """How each pass ended, one in five of the lapses with a payment that failed."""
        lapse = (
            pl.when(pl.col("hp_id").hash(1) % 5 == 0)
            .then(pl.lit("payment_failed"))
            .otherwise(pl.lit("lapsed"))
        )
        ended = pl.when(pl.col("renewed_30d")).then(pl.lit("renewed")).otherwise(lapse)
        return self.labels.select("hp_id", ended.alias("how_ended"))

    @property
    def labelled(self) -> pl.DataFrame:
        """Snapshots joined with labels."""
        return self.snapshot.join(self.labels, "hp_id")


def fake_studio(
    members: int = 300, weeks: int = 78, seed: int = 5, chance: float | None = None
) -> FakeStudio:
    """Members whose renewal depends on visits, price and city, told pass by pass; or on pure chance."""
    rng = np.random.default_rng(seed)
    horizon = FIRST_SUNDAY + timedelta(weeks=weeks)
    snapshots: list[dict] = []
    labels: list[dict] = []
    person_weeks: list[dict] = []
    for member in range(members):
        _live(member, rng, horizon, chance, snapshots, labels, person_weeks)
    snapshot = pl.DataFrame(snapshots, infer_schema_length=None).with_columns(
        pl.lit(None, pl.Float64).alias("steps"),
        pl.lit(None, pl.Float64).alias("steps_ewma"),
        pl.lit(None, pl.Float64).alias("steps_delta"),
    )
    truth = snapshot.select("hp_id", "user_id", "as_of_date", pl.col("p_true").alias("p_renew_30d"))
    return FakeStudio(
        snapshot.drop("p_true"), pl.DataFrame(labels, infer_schema_length=None),
        pl.DataFrame(person_weeks, infer_schema_length=None), truth, horizon,
    )  # fmt: skip


def _live(member, rng, horizon, chance, snapshots, labels, person_weeks) -> None:
    """One member's passes until they stop renewing or the horizon comes."""
    start = FIRST_SUNDAY + timedelta(days=int(rng.integers(-60, 400)))
    joined, taste, city = start, rng.normal(), str(rng.choice(["Almaty", "Astana"]))
    spell, number, decided = f"u{member:04d}:1", 1, False
    first_monday = start - timedelta(days=start.weekday())
    while start < horizon:
        days, price = int(rng.choice([28, 84])), float(rng.choice([20000.0, 30000.0]))
        end = start + timedelta(days=days - 1)
        score = 0.6 + 1.3 * taste - 0.00006 * (price - 25000) + (0.4 if city == "Almaty" else -0.4)
        probability = 1 / (1 + np.exp(-score)) if chance is None else chance
        renews = bool(rng.random() < probability)
        early = int(rng.integers(0, 10)) if renews else 0
        hp_id = f"{spell}:{number}"
        labels.append(_label(hp_id, end, renews, early, horizon))
        for week in range((days + 6) // 7 + 1):
            day = start + timedelta(days=(6 - start.weekday()) % 7 + 7 * week)
            if day > min(end, horizon):
                break
            snapshots.append(_row(locals()))
        _weeks(locals(), person_weeks)
        if not renews:
            return
        start, number, decided = end + timedelta(days=1), number + 1, True


def _label(hp_id: str, end: date, renews: bool, early: int, horizon: date) -> dict:
    """A label row; a loss is known only once mature."""
    row = {"hp_id": hp_id}
    for days in (30, 60, 90):
        matures = end + timedelta(days=days)
        known = True if renews and end - timedelta(days=early) <= horizon else None
        row[f"renewed_{days}d"] = known if known or matures > horizon else False
        row[f"matures_{days}d_on"] = matures
        row[f"matured_{days}d"] = matures <= horizon
    return row


def _row(now: dict) -> dict:
    """A snapshot row; visits follow taste."""
    rng, day, end = now["rng"], now["day"], now["end"]
    norm = max(0.0, 2 + now["taste"] + 0.2 * rng.normal())
    visits = float(rng.poisson(norm))
    has_norm = (day - now["joined"]).days >= 28
    return {
        "as_of_date": day, "user_id": f"u{now['member']:04d}", "hp_id": now["hp_id"],
        "spell_id": now["spell"],
        "is_already_renewed": now["renews"] and (end - day).days < now["early"],
        "visits": visits, "visits_ewma": norm if has_norm else None,
        "visits_delta": visits - norm if has_norm else None,
        "app_minutes": float(rng.gamma(2, 20)), "app_minutes_ewma": 40.0 if has_norm else None,
        "app_minutes_delta": 1.0 if has_norm else None,
        "days_to_end": (end - day).days, "hp_end_corrected": end, "pass_number": now["number"],
        "pass_days": now["days"], "price": now["price"], "currency": "KZT", "city": now["city"],
        "tenure_days": (day - now["joined"]).days, "spell_weeks": (day - now["joined"]).days // 7,
        "is_frozen": False, "p_true": float(now["probability"]),
    }  # fmt: skip


def _weeks(now: dict, person_weeks: list[dict]) -> None:
    """Person-weeks of a pass: those whose last covered day lies in it."""
    start, end, horizon = now["start"], now["end"], now["horizon"]
    monday = start - timedelta(days=start.weekday())
    while monday <= min(end, horizon):
        last = min(end, monday + timedelta(days=6))
        follows = now["renews"] and last == end and end < monday + timedelta(days=6)
        if not follows:
            seen = max(monday, start if now["number"] == 1 else monday)
            known_end = end if seen >= start else start - timedelta(days=1)
            person_weeks.append({
                "spell_id": now["spell"], "week_start": monday, "user_id": f"u{now['member']:04d}",
                "hp_id": now["hp_id"], "week_number": (monday - now["first_monday"]).days // 7,
                "exposure": ((last - seen).days + 1) / 7,
                "event": last == end and not now["renews"],
                "days_to_end_at_start": (known_end - seen).days + 1,
                "matures_on": last + timedelta(days=GRACE),
            })  # fmt: skip
        monday += timedelta(days=7)


def person_weeks(studio: FakeStudio) -> pl.DataFrame:
    """Person-weeks beside the snapshot of the day before each, as training reads them."""
    snapshot = studio.snapshot.drop("hp_id", "spell_id")
    seen = snapshot.with_columns((pl.col("as_of_date") + pl.duration(days=1)).alias("week_start"))
    ended_by = pl.when("event").then("how_ended").alias("ended_by")
    return (
        studio.weeks.join(seen, ["user_id", "week_start"], "left")
        .join(studio.passes, "hp_id", "left")
        .with_columns(ended_by)
        .drop("how_ended")
        .sort("week_start", "spell_id")
    )
