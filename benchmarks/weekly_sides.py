"""The weekly facts, rebuilt by RIS and by pandas, each in a process of its own.

python -m benchmarks.weekly_sides ris|pandas '{"database": "postgresql://...", "folder": "..."}'

pandas does what a user would write: groupby, shifted and weighted sums, rolling quantiles, COPY. What needs the
exposure clock or a lookup as of a day (`GIVEN`) it is given ready-made; it computes the other metrics and all
norms.
"""

import io
import json
import os
import sys
import time
import warnings
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psycopg

GIVEN = (
    "days_since_last_visit", "coach_absent_days", "joint_visit_share", "weight_change_kg",
    "fat_share_change", "muscle_change_kg", "assessment_change", "friends_lost", "freeze_days",
    "freeze_days_left", "price_change", "season_attendance_index", "holiday_days",
)  # fmt: skip
WEEKLY = (
    "int_exposed_weeks", "int_week_visits", "int_week_measured", "int_week_last_visits",
    "user_week_metrics",
)  # fmt: skip
"""The models that make the weekly metrics of what a day's tables hold."""
SPAN, HALF_LIFE, MIN_OBSERVED = 26, 6.0, 4


def ris(options: dict[str, Any]) -> int:
    """user_week_metrics, user_week_norm and the view over both, rebuilt."""
    from ris_assets.assets.norms import write_norms
    from ris_assets.resources.postgres import PostgresResource

    options["marts"].succeed("run", "--full-refresh", "--select", *WEEKLY)
    counts = write_norms(
        PostgresResource(url=options["database"]), date(1900, 1, 1), date(2100, 1, 1)
    )
    options["marts"].succeed("run", "--select", "fact_user_week")
    return counts.written


def by_pandas(options: dict[str, Any]) -> int:
    """The same columns by pandas, into `bench.pandas_week`."""
    import adbc_driver_postgresql.dbapi as adbc

    with adbc.connect(options["database"]) as connection:
        days = pd.read_sql(_days_sql(options["measures"]), connection)
        visits = pd.read_sql(
            "select user_id, activity_date, known_on, change, class_hour, coach_id, class_type"
            " from ris_int.int_booking_changes where what = 'attended'",
            connection,
        )
        weeks = pd.read_sql(
            f"select user_id, week_start, {', '.join(GIVEN)} from ris.user_week_metrics", connection
        )
    facts = _norms(_metrics(weeks, _summed(days), _spreads(visits)))
    _write(options["database"], facts)
    return len(facts)


def _days_sql(measures: list[dict[str, str]]) -> str:
    columns = ", ".join(f"{one}::float8 as {one}" for one in measures)
    return f"select user_id, activity_date, known_on, {columns} from ris_int.int_user_days_measured"


def _in_known_weeks(frame: pd.DataFrame) -> pd.DataFrame:
    day = pd.to_datetime(frame["activity_date"])
    frame["week_start"] = day - pd.to_timedelta(day.dt.weekday, unit="D")
    known = pd.to_datetime(frame["known_on"]) <= frame["week_start"] + pd.Timedelta(days=6)
    return frame[known].drop(columns=["known_on"])


def _summed(days: pd.DataFrame) -> pd.DataFrame:
    known = _in_known_weeks(days).drop(columns=["activity_date"])
    return known.groupby(["user_id", "week_start"]).sum()


def _spreads(visits: pd.DataFrame) -> pd.DataFrame:
    key = ["user_id", "week_start"]
    slots = ["activity_date", "class_hour", "coach_id", "class_type"]
    net = _in_known_weeks(visits).groupby(key + slots, dropna=False)["change"].sum().reset_index()
    net = net[net["change"] > 0]
    found = {}
    for name, slot in (("weekday_entropy", "activity_date"), ("hour_entropy", "class_hour")):
        counts = net.groupby([*key, slot])["change"].sum()
        total = counts.groupby(level=[0, 1]).sum()
        spread = (counts * np.log(counts)).groupby(level=[0, 1]).sum()
        found[name] = np.log(total) - spread / total
    for name, slot in (("coaches", "coach_id"), ("class_types", "class_type")):
        found[name] = net.groupby(key)[slot].nunique().astype(float)
    return pd.DataFrame(found)


def _metrics(weeks: pd.DataFrame, sums: pd.DataFrame, spreads: pd.DataFrame) -> pd.DataFrame:
    weeks["week_start"] = pd.to_datetime(weeks["week_start"])
    weeks = weeks.set_index(["user_id", "week_start"]).sort_index()
    s = sums.reindex(weeks.index).fillna(0.0)
    spread = spreads.reindex(weeks.index)

    def share(of: str, whole: str) -> pd.Series:
        return s[of] / s[whole].replace(0, np.nan)

    closed = "closed_booking_count"
    return weeks.assign(
        bookings=s["booked_count"], visits=s["visit_count"],
        attended_share=share("visit_count", closed),
        completion_share=share("stations_done", "stations_planned"),
        cancelled_share=share("cancelled_count", closed),
        late_cancelled_share=share("late_cancelled_count", closed),
        no_show_share=share("no_show_count", closed),
        booking_lead_hours=share("lead_hours_sum", "booked_count"),
        hour_entropy=spread["hour_entropy"], weekday_entropy=spread["weekday_entropy"],
        coaches=spread["coaches"].fillna(0), class_types=spread["class_types"].fillna(0),
        set_weight_kg=share("weight_sum_kg", "weight_set_count"),
        station_weight_progress=share("weight_progress_sum", "weight_set_count"),
        weight_entries=s["weight_set_count"],
        heart_rate_share=share("heart_rate_set_count", "set_count"),
        effort=share("heart_rate_sum", "heart_rate_count"), assessments=s["assessment_count"],
        app_sessions=s["app_session_count"], app_minutes=s["app_minutes"],
        feed_opens=s["feed_count"], leaderboard_opens=s["leaderboard_count"],
        achievement_opens=s["achievement_count"], steps=share("steps", "step_day_count"),
        social_actions=s["social_action_count"], social_posts=s["post_count"],
        social_reactions=s["reaction_count"], new_friends=s["friend_added_count"],
        tickets=s["ticket_count"], ticket_tone=share("tone_sum", "tone_count"),
        failed_payments=s["failed_payment_count"],
    ).astype(float)  # fmt: skip


def _norms(metrics: pd.DataFrame) -> pd.DataFrame:
    # Every calendar week of a member from the first to the last, so that a window counts weeks, not rows.
    first = metrics.reset_index().groupby("user_id")["week_start"].agg(["min", "max"])
    calendar = [
        (user, week)
        for user, low, high in first.itertuples()
        for week in pd.date_range(low, high, freq="7D")
    ]
    whole = metrics.reindex(pd.MultiIndex.from_tuples(calendar, names=["user_id", "week_start"]))
    came = whole["visits"] > 0
    runs = (~came).groupby(level=0).cumsum()
    streak = came.groupby([came.index.get_level_values(0), runs]).cumsum().clip(upper=SPAN)
    whole["visit_streak_weeks"] = streak.where(whole["visits"].notna()).astype(float)
    by_member = whole.groupby(level=0, sort=False)
    total = weight = 0.0
    for back in range(1, SPAN + 1):
        shifted = by_member.shift(back)
        share = 0.5 ** ((back - 1) / HALF_LIFE)
        total = total + shifted.fillna(0.0) * share
        weight = weight + shifted.notna() * share
    before = by_member.shift(1)
    last = before.groupby(level=0, sort=False)
    observed = last.rolling(SPAN, min_periods=0).count().droplevel(0)
    enough = observed >= MIN_OBSERVED
    norms = {"ewma": (total / weight.replace(0, np.nan)).where(enough)}
    for name, quantile in (("p25", 0.25), ("p50", 0.5), ("p75", 0.75)):
        rolled = last.rolling(SPAN, min_periods=MIN_OBSERVED).quantile(quantile)
        norms[name] = rolled.droplevel(0)
    norms["recent"] = last.rolling(4, min_periods=1).mean().droplevel(0)
    parts = [whole, *(frame.add_suffix(f"_{name}") for name, frame in norms.items())]
    parts.append((whole - norms["ewma"]).add_suffix("_delta"))
    return pd.concat(parts, axis=1).reindex(metrics.index)


def _write(url: str, facts: pd.DataFrame) -> None:
    columns = ", ".join(f'"{name}" float8' for name in facts.columns)
    with psycopg.connect(url) as connection:
        connection.execute(
            "create schema if not exists bench; drop table if exists bench.pandas_week"
        )
        connection.execute(
            f"create table bench.pandas_week (user_id text, week_start date, {columns})"
        )
        with (
            connection.cursor() as cursor,
            cursor.copy("copy bench.pandas_week from stdin (format csv)") as copy,
        ):
            for start in range(0, len(facts), 20_000):
                text = io.StringIO()
                facts.iloc[start : start + 20_000].to_csv(text, header=False)
                copy.write(text.getvalue())
        connection.execute("alter table bench.pandas_week add primary key (user_id, week_start)")


def main() -> None:
    """Run one side; imports and dbt's parsing are not measured."""
    warnings.simplefilter("ignore")
    name, options = sys.argv[1], json.loads(sys.argv[2])
    if name == "ris":
        from tests.dbt.marts import Marts

        options["marts"] = Marts(options["database"], Path(options["folder"]), "Asia/Almaty")
        import ris_assets.assets.norms  # noqa: F401
    started = time.perf_counter()
    weeks = {"ris": ris, "pandas": by_pandas}[name](options)
    seconds = time.perf_counter() - started
    status = Path(f"/proc/{os.getpid()}/status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    print(json.dumps({"seconds": seconds, "weeks": weeks, "peak_mib": int(peak.split()[1]) / 1024}))


if __name__ == "__main__":
    main()
