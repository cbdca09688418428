"""The weekly facts, rebuilt by RIS and by pandas, each in a process of its own.

python -m benchmarks.weekly_sides ris|pandas '{"database": "postgresql://...", "folder": "..."}'

pandas does what a user would write: groupby, merge_asof, shifted and weighted sums, rolling quantiles, COPY. What
needs the exposure clock it is given ready-made: which weeks are exposed, friends and freezes in them
(`int_exposed_weeks`, which RIS rebuilds within its time), and the columns `GIVEN`. Both read what a day adds to:
bookings and days as they became known, the changes of body readings and test scores. Where all members would need more
memory than there is, pandas takes them in parts (`parts`), one after the other.
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

GIVEN = ("freeze_days_left", "price_change", "season_attendance_index", "holiday_days")
WEEKLY = (
    "int_exposed_weeks", "int_week_attendance", "int_week_measured", "int_week_last_visits",
    "user_week_metrics",
)  # fmt: skip
"""The models that make the weekly metrics of what a day's tables hold."""
SPAN, HALF_LIFE, MIN_OBSERVED = 26, 6.0, 4
RECENT, RECENT_HALF_LIFE = 8, 2.5
COACH_GONE_DAYS = 60
KEY = ["user_id", "week_start"]


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
    """The same columns by pandas, into `bench.pandas_week`, one part of the members after the other."""
    url, written = options["database"], 0
    with psycopg.connect(url) as connection:
        connection.execute(
            "create schema if not exists bench; drop table if exists bench.pandas_week"
        )
    for members in _parts(url, options["parts"]):
        written += _write(url, _facts(options, members))
    with psycopg.connect(url) as connection:
        connection.execute("alter table bench.pandas_week add primary key (user_id, week_start)")
    return written


def _parts(url: str, parts: int) -> list[str]:
    """Conditions on `user_id` that divide the members into parts of about the same size."""
    shares = [n / parts for n in range(1, parts)]
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "select percentile_disc(%s::float8[]) within group (order by user_id)"
            " from (select distinct user_id from ris_int.int_users_versioned) as users",
            [shares],
        ).fetchone()
    bounds = (found[0] if found else None) or []
    above = ["true", *(f"user_id > '{bound}'" for bound in bounds)]
    below = [*(f"user_id <= '{bound}'" for bound in bounds), "true"]
    return [f"{a} and {b}" for a, b in zip(above, below, strict=True)]


def _facts(options: dict[str, Any], members: str) -> pd.DataFrame:
    import adbc_driver_postgresql.dbapi as adbc

    with adbc.connect(options["database"]) as connection:

        def read(query: str) -> pd.DataFrame:
            return pd.read_sql(query, connection)

        days = read(_days_sql(options["measures"], members))
        visits = read(
            "select user_id, activity_date, known_on, change, class_hour, coach_id, class_type, starts_at"
            f" from ris_int.int_booking_changes where what = 'attended' and {members}"
        )
        classes = read(
            "select coach_id, activity_date, min(known_on) as known_on from ris_int.int_booking_changes"
            " where what = 'attended' and coach_id is not null group by 1, 2"
        )
        weeks = read(
            "select user_id, week_start, window_end, active_friend_count, lost_friend_count, frozen_days,"
            f" {', '.join(GIVEN)} from ris_int.int_exposed_weeks"
            f" join ris.user_week_metrics using (user_id, week_start) where {members}"
        )
        first_passes = read(
            "select user_id, min(starts_on) as first_pass_on from ris_int.int_hero_passes_versioned"
            f" where {members} group by user_id"
        )
        readings = read(
            "select user_id, known_on, weight_change_kg, fat_share_change, muscle_change_kg"
            f" from ris_int.int_body_readings_known where {members} order by known_on"
        )
        scores = read(
            "select user_id, known_on, score_change as assessment_change"
            f" from ris_int.int_scores_known where {members} order by known_on"
        )
    for frame in (days, visits, classes, weeks, first_passes, readings, scores):
        for name in frame.columns.intersection(_DAYS):
            frame[name] = pd.to_datetime(frame[name])
    weeks = weeks.sort_values(KEY, ignore_index=True)
    last = _last_visits(weeks, visits)
    states = pd.concat(
        [
            _absences(weeks, last, classes, first_passes),
            _changes(weeks, readings, scores),
        ],
        axis=1,
    )
    return _norms(_metrics(weeks, states, _summed(days), _spreads(visits)))


_DAYS = ("activity_date", "known_on", "week_start", "window_end", "first_pass_on")


def _last_visits(weeks: pd.DataFrame, visits: pd.DataFrame) -> pd.DataFrame:
    """Last day with a visit and its coach, as known at the end of each week."""
    slots = ["user_id", "activity_date", "coach_id"]
    net = visits.groupby([*slots, "known_on"], dropna=False).agg(
        change=("change", "sum"), starts_at=("starts_at", "max")
    ).reset_index()  # fmt: skip
    # What is true of a day is true until the next thing becomes known about it.
    net = net.sort_values("known_on", kind="stable")
    by_slot = net.groupby(slots, dropna=False)
    net["visits"] = by_slot["change"].cumsum()
    net["until"] = by_slot["known_on"].shift(-1)
    net = net[net["visits"] > 0]
    net = net.sort_values(["activity_date", "starts_at", "coach_id"], ascending=[True, True, False])
    is_late = (net["known_on"] > net["activity_date"]) | net["until"].notna()
    key = weeks[["user_id", "window_end"]].reset_index()
    on_time = pd.merge_asof(
        key.sort_values("window_end", kind="stable"),
        net.loc[~is_late, ["user_id", "activity_date", "starts_at", "coach_id"]],
        left_on="window_end", right_on="activity_date", by="user_id",
    )  # fmt: skip
    late = key.merge(net[is_late], on="user_id")
    late = late[
        (late["known_on"] <= late["window_end"])
        & ~(late["until"] <= late["window_end"])
        & (late["activity_date"] <= late["window_end"])
    ]
    both = pd.concat([on_time, late[on_time.columns]]).sort_values(
        ["activity_date", "starts_at", "coach_id"], ascending=[True, True, False],
        na_position="first", kind="stable",
    )  # fmt: skip
    return both.drop_duplicates("index", keep="last").set_index("index").reindex(weeks.index)


def _absences(
    weeks: pd.DataFrame, last: pd.DataFrame, classes: pd.DataFrame, first_passes: pd.DataFrame
) -> pd.DataFrame:
    """How long the member and the coach of the last visit have been away."""
    first_pass = weeks["user_id"].map(first_passes.set_index("user_id")["first_pass_on"])
    since = last["activity_date"].fillna(first_pass)
    ends = pd.DataFrame({"window_end": weeks["window_end"].unique()})
    taught = classes.merge(ends, how="cross")
    age = (taught["window_end"] - taught["activity_date"]).dt.days
    taught = taught[age.between(0, COACH_GONE_DAYS) & (taught["known_on"] <= taught["window_end"])]
    last_class = (
        taught.groupby(["coach_id", "window_end"])["activity_date"].max().rename("class_on")
    )
    coaches = pd.DataFrame({"coach_id": last["coach_id"], "window_end": weeks["window_end"]})
    coach = coaches.join(last_class, on=["coach_id", "window_end"])
    absent = (coach["window_end"] - coach["class_on"]).dt.days.fillna(COACH_GONE_DAYS)
    return pd.DataFrame(
        {
            "days_since_last_visit": (weeks["window_end"] - since).dt.days,
            "coach_absent_days": absent.where(coach["coach_id"].notna()),
        }
    )


def _changes(weeks: pd.DataFrame, readings: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """The last change of each body reading and test score, as known at the end of each week."""
    found = []
    for changes in (readings, scores):
        key = (
            weeks[["user_id", "window_end"]].reset_index().sort_values("window_end", kind="stable")
        )
        as_of = pd.merge_asof(
            key, changes, left_on="window_end", right_on="known_on", by="user_id"
        ).set_index("index")
        found.append(as_of.drop(columns=["user_id", "window_end", "known_on"]))
    return pd.concat(found, axis=1).reindex(weeks.index)


def _days_sql(measures: list[str], members: str) -> str:
    columns = ", ".join(f"{one}::float8 as {one}" for one in measures)
    return (
        f"select user_id, activity_date, known_on, {columns} from ris_int.int_user_days_measured"
        f" where {members}"
    )


def _in_known_weeks(frame: pd.DataFrame) -> pd.DataFrame:
    day = frame["activity_date"]
    frame["week_start"] = day - pd.to_timedelta(day.dt.weekday, unit="D")
    known = frame["known_on"] <= frame["week_start"] + pd.Timedelta(days=6)
    return frame[known].drop(columns=["known_on"])


def _summed(days: pd.DataFrame) -> pd.DataFrame:
    known = _in_known_weeks(days).drop(columns=["activity_date"])
    return known.groupby(KEY).sum()


def _spreads(visits: pd.DataFrame) -> pd.DataFrame:
    slots = ["activity_date", "class_hour", "coach_id", "class_type"]
    net = _in_known_weeks(visits).groupby(KEY + slots, dropna=False)["change"].sum().reset_index()
    net = net[net["change"] > 0]
    found = {}
    for name, slot in (("weekday_entropy", "activity_date"), ("hour_entropy", "class_hour")):
        counts = net.groupby([*KEY, slot])["change"].sum()
        total = counts.groupby(level=[0, 1]).sum()
        spread = (counts * np.log(counts)).groupby(level=[0, 1]).sum()
        found[name] = np.log(total) - spread / total
    for name, slot in (("coaches", "coach_id"), ("class_types", "class_type")):
        found[name] = net.groupby(KEY)[slot].nunique().astype(float)
    return pd.DataFrame(found)


def _metrics(
    weeks: pd.DataFrame, states: pd.DataFrame, sums: pd.DataFrame, spreads: pd.DataFrame
) -> pd.DataFrame:
    weeks = pd.concat([weeks, states], axis=1).set_index(KEY).drop(columns=["window_end"])
    weeks = weeks.rename(
        columns={"lost_friend_count": "friends_lost", "frozen_days": "freeze_days"}
    )
    friends_known = weeks.pop("active_friend_count").notna()
    weeks["freeze_days"] = weeks["freeze_days"].fillna(0)
    s = sums.reindex(weeks.index).fillna(0.0)
    spread = spreads.reindex(weeks.index)

    def share(of: str, whole: str) -> pd.Series:
        return s[of] / s[whole].replace(0, np.nan)

    closed = "closed_booking_count"
    return weeks.assign(
        bookings=s["booked_count"], visits=s["visit_count"],
        joint_visit_share=share("joint_visit_count", "visit_count").where(friends_known),
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
        app_sessions=s["app_session_count"],
        app_minutes=s["app_minutes"].where((s["app_session_count"] == 0) | (s["app_timed_count"] > 0)),
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
    whole = metrics.reindex(pd.MultiIndex.from_tuples(calendar, names=KEY))
    came = whole["visits"] > 0
    runs = (~came).groupby(level=0).cumsum()
    streak = came.groupby([came.index.get_level_values(0), runs]).cumsum().clip(upper=SPAN)
    whole["visit_streak_weeks"] = streak.where(whole["visits"].notna()).astype(float)
    by_member = whole.groupby(level=0, sort=False)

    def weighted(span: int, half_life: float) -> pd.DataFrame:
        total = weight = 0.0
        for back in range(1, span + 1):
            shifted = by_member.shift(back)
            share = 0.5 ** ((back - 1) / half_life)
            total = total + shifted.fillna(0.0) * share
            weight = weight + shifted.notna() * share
        return total / weight.replace(0, np.nan)

    before = by_member.shift(1)
    last = before.groupby(level=0, sort=False)
    observed = last.rolling(SPAN, min_periods=0).count().droplevel(0)
    enough = observed >= MIN_OBSERVED
    norms = {"ewma": weighted(SPAN, HALF_LIFE).where(enough)}
    for name, quantile in (("p25", 0.25), ("p50", 0.5), ("p75", 0.75)):
        rolled = last.rolling(SPAN, min_periods=MIN_OBSERVED).quantile(quantile)
        norms[name] = rolled.droplevel(0)
    norms["recent"] = weighted(RECENT, RECENT_HALF_LIFE)
    parts = [whole, *(frame.add_suffix(f"_{name}") for name, frame in norms.items())]
    parts.append((whole - norms["ewma"]).add_suffix("_delta"))
    return pd.concat(parts, axis=1).reindex(metrics.index)


def _write(url: str, facts: pd.DataFrame) -> int:
    """Add the facts to the table, which they say the columns of; how many there are."""
    columns = ", ".join(f'"{name}" float8' for name in facts.columns)
    with psycopg.connect(url) as connection:
        connection.execute(
            f"create table if not exists bench.pandas_week (user_id text, week_start date, {columns})"
        )
        with (
            connection.cursor() as cursor,
            cursor.copy("copy bench.pandas_week from stdin (format csv)") as copy,
        ):
            for start in range(0, len(facts), 20_000):
                text = io.StringIO()
                facts.iloc[start : start + 20_000].to_csv(text, header=False)
                copy.write(text.getvalue())
    return len(facts)


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
