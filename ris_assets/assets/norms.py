"""Norm stage: what each member usually does, week by week, between the week metrics and the week facts."""

import hashlib
import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, TypeVar

import dagster as dg
import polars as pl
import psycopg
import yaml

from ris_assets.contracts.columns import Column, Table
from ris_assets.dbt import PROJECT_DIR
from ris_assets.features.norms import (
    HALF_LIFE_WEEKS,
    MIN_OBSERVED_WEEKS,
    NORM_SUFFIXES,
    QUARTILES,
    RECENT_HALF_LIFE_WEEKS,
    RECENT_WEEKS,
    SPAN_WEEKS,
    STREAKS,
    norm_names,
    week_norms,
    with_weeks_before,
)
from ris_assets.partitions import BEGINNING, Window, daily_partitions
from ris_assets.resources.postgres import PostgresResource, copy_typed
from ris_assets.windows import window_to_build

T = TypeVar("T")
BLOCK_ROWS = 100_000
"""Member-weeks held at once: about 250 MB with their norms."""
NORMS_A_METRIC = len(NORM_SUFFIXES)
"""What a week with its norms holds beside one that is looked back on only."""
_COMPARED_WEEKS = 8
"""Windows of at most so many weeks leave alone whose weeks before are as they were; to compare all takes longer."""
_MEMBERS_AT_ONCE = 5_000
_KEYS = (
    Column("user_id", "text", "The member", True),
    Column("week_start", "date", "Monday of the week that the norm is for", True),
)
INPUTS = Table(
    "ris_int",
    "user_week_norm_inputs",
    "One row is a norm that a run of few weeks made or left alone",
    ("week_start", "user_id"),
    (
        *_KEYS,
        Column(
            "weeks_hash", "text", "Hash of the weeks that the norms are made of, and of how", True
        ),
    ),
)


def norm_table(metrics: Mapping[str, str]) -> Table:
    """`ris.user_week_norm`: the norms of each metric, given with what it is and its unit."""
    texts = _norm_texts()
    norms = tuple(
        Column(f"{metric}_{name}", "float8", f"{description}: {texts[name]}")
        for metric, description in metrics.items()
        for name in norm_names(metric)
    )
    return Table(
        "ris",
        "user_week_norm",
        "One row is a member and a week: what the member usually does, from the 26 weeks before. Weeks with metrics,"
        " and the week before one where it has none",
        ("week_start", "user_id"),
        _KEYS + norms,
    )


@dg.asset(
    group_name="norms",
    deps=[["ris", "user_week_metrics"], ["ris", "meta_feature_catalog"]],
    partitions_def=daily_partitions(),
    backfill_policy=dg.BackfillPolicy.single_run(),
    kinds={"polars", "postgres"},
)
def user_week_norm(
    context: dg.AssetExecutionContext, postgres: PostgresResource
) -> dg.MaterializeResult[Any]:
    """EWMA and quartiles of each weekly metric over the 26 weeks before, for the window's weeks."""
    started = time.monotonic()
    first, last = touched_weeks(window_to_build(context, postgres))
    counts = write_norms(postgres, first, last, progress=context.log.info)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": counts.written,
            "weeks_read": counts.read,
            "rows_left_alone": counts.left_alone,
            "metrics": counts.metrics,
            "seconds": round(time.monotonic() - started, 2),
        }
    )


@dataclass
class Counts:
    """What `write_norms` read and wrote."""

    read: int = 0
    written: int = 0
    left_alone: int = 0
    metrics: int = 0


def write_norms(
    postgres: PostgresResource,
    first: date,
    last: date,
    progress: Callable[[str], object] = lambda _: None,
) -> Counts:
    """Replace the norms of the weeks from `first` through `last`, in one transaction.

    In a window of few weeks only of members whose weeks before are others than they were. Members are taken in blocks,
    so that memory does not grow with the studio: one is read and one is written while another is worked out.
    """
    described = active_metrics(postgres)
    metrics, table = list(described), norm_table(described)
    postgres.ensure_tables([table, INPUTS])
    counts = Counts(metrics=len(metrics))
    inputs = _inputs(postgres, metrics, first, last)
    changed = _changed_members(inputs)
    blocks = _blocks(postgres, first, last) if changed is None else _lists_of(changed)
    if changed is not None:
        counts.left_alone = inputs.filter(~pl.col("user_id").is_in(changed)).height
        inputs = inputs.filter(pl.col("user_id").is_in(changed))

    def read(members: str) -> tuple[pl.DataFrame, pl.DataFrame]:
        return _read_block(postgres, metrics, first, last, members)

    with (
        postgres.connect() as connection,
        ThreadPoolExecutor(1, "norms-copy") as writer,
        ThreadPoolExecutor(1, "norms-read") as reader,
    ):
        cleared = writer.submit(_clear, connection, table, first, last, changed)
        copying: Future[int] | None = None
        for number, (weeks, longer) in enumerate(_one_ahead(reader, read, blocks), 1):
            norms = _norms_of(weeks, longer, metrics, first, last).select(table.column_names)
            # What a day reads and replaces is of one week and should lie together.
            norms = norms.sort("week_start", maintain_order=True)
            counts.read += weeks.height
            counts.written += copying.result() if copying else 0
            copying = writer.submit(copy_typed, connection, table.qualified, norms)
            if len(blocks) > 1:
                progress(f"norms of block {number} of {len(blocks)}: {counts.read:,} weeks read")
        counts.written += copying.result() if copying else 0
        made_of = inputs.select(INPUTS.column_names).drop_nulls()
        copy_typed(connection, INPUTS.qualified, made_of)
        if cleared.result():
            connection.execute(f"analyze {table.qualified} ({', '.join(table.key)})")
    return counts


def _inputs(
    postgres: PostgresResource, metrics: list[str], first: date, last: date
) -> pl.DataFrame:
    """(user_id, week_start, weeks_hash, is_as_it_was) of the norms that a short window is to hold, or holds.

    The hash is null where there is to be no norm any more. For a long window no row: nothing is compared.
    """
    if last - first >= timedelta(weeks=_COMPARED_WEEKS):
        schema = {"user_id": pl.String, "week_start": pl.Date, "weeks_hash": pl.String}
        return pl.DataFrame(schema={**schema, "is_as_it_was": pl.Boolean})
    weeks = [first + timedelta(weeks=n) for n in range((last - first).days // 7 + 1)]
    asked = ", ".join(f"{_made_of(week)} as made_of_{n}" for n, week in enumerate(weeks))
    answers = ", ".join(f"(date '{week}', made_of_{n})" for n, week in enumerate(weeks))
    return postgres.read(
        f"""
        with members as (
            select user_id, {asked}
            from ris.user_week_metrics
            where week_start between '{_earliest(first)}' and '{last + timedelta(weeks=1)}'
            group by user_id
        ),
        wanted as (
            select members.user_id, weeks.week_start, weeks.made_of || '/{_rules(metrics)}' as weeks_hash
            from members
            cross join lateral (values {answers}) as weeks (week_start, made_of)
            where weeks.made_of is not null
        )
        select
            user_id,
            week_start,
            wanted.weeks_hash,
            coalesce(wanted.weeks_hash = kept.weeks_hash, false) as is_as_it_was
        from wanted
        full join (
            select norms.user_id, norms.week_start, inputs.weeks_hash
            from ris.user_week_norm as norms
            left join {INPUTS.qualified} as inputs
                on norms.week_start = inputs.week_start and norms.user_id = inputs.user_id
            where norms.week_start between '{first}' and '{last}'
        ) as kept using (user_id, week_start)
        """
    )


def _made_of(week: date) -> str:
    """How many weeks the norm of a member's week is made of, and their hashes; null where there is to be none.

    There is one of a week with metrics, and of the week before one where something was before.
    """
    normed, longest = (week - timedelta(weeks=n * SPAN_WEEKS) for n in (1, 2))
    before = f"filter (where week_start >= '{longest}' and week_start < '{week}')"
    return (
        f"case when bool_or(week_start = '{week}') or bool_or(week_start = '{week + timedelta(weeks=1)}')"
        f" and bool_or(week_start >= '{normed}' and week_start < '{week}')"
        f" then count(*) {before} || '/' || coalesce(sum(week_hash) {before}, 0) end"
    )


def _rules(metrics: list[str]) -> str:
    """Of which metrics norms are made, and how: one that is asked for anew changes no week."""
    told = (metrics, STREAKS, SPAN_WEEKS, HALF_LIFE_WEEKS, MIN_OBSERVED_WEEKS, QUARTILES,
            RECENT_WEEKS, RECENT_HALF_LIFE_WEEKS)  # fmt: skip
    return hashlib.sha256(repr(told).encode()).hexdigest()[:8]


def _changed_members(inputs: pl.DataFrame) -> list[str] | None:
    """Whose norms are to be made anew; None for everybody's, also where most are: to look up each takes longer."""
    if inputs.is_empty():
        return None
    changed = inputs.filter(~pl.col("is_as_it_was"))["user_id"].unique().sort()
    return changed.to_list() if 2 * changed.len() < inputs["user_id"].n_unique() else None


def _lists_of(members: list[str]) -> list[str]:
    """Conditions that name the members, some in each."""
    return [
        f"user_id in ({', '.join(map(_quoted, members[start : start + _MEMBERS_AT_ONCE]))})"
        for start in range(0, len(members), _MEMBERS_AT_ONCE)
    ]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _one_ahead(pool: Executor, work: Callable[[str], T], items: Sequence[str]) -> Iterator[T]:
    """What `work` makes of each item, the next under way while one is used."""
    coming: Future[T] | None = None
    for item in items:
        following = pool.submit(work, item)
        if coming:
            yield coming.result()
        coming = following
    if coming:
        yield coming.result()


def _read_block(
    postgres: PostgresResource, metrics: list[str], first: date, last: date, members: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Some members' weeks, and what streaks are counted of, which looks back twice as far."""
    plain = [metric for metric in metrics if metric not in STREAKS]
    counted = sorted({STREAKS[metric] for metric in metrics if metric in STREAKS})
    of_weeks = _weeks_sql(plain, _first_normed(first), first, last, members)
    if set(counted) <= set(plain) and _earliest(first) == _first_normed(first):
        weeks = postgres.read(of_weeks)
        return weeks, weeks
    with ThreadPoolExecutor(1, "norms-read-longer") as beside:
        longer = beside.submit(
            postgres.read, _weeks_sql(counted, _earliest(first), first, last, members)
        )
        return postgres.read(of_weeks), longer.result()


def _norms_of(
    weeks: pl.DataFrame, longer: pl.DataFrame, metrics: list[str], first: date, last: date
) -> pl.DataFrame:
    def norms(of: pl.DataFrame, names: list[str]) -> pl.DataFrame:
        return week_norms(with_weeks_before(of), names, first=first, last=last)

    usual = norms(weeks, [metric for metric in metrics if metric not in STREAKS])
    streaks = [metric for metric in metrics if metric in STREAKS]
    if not streaks:
        return usual
    key = ["user_id", "week_start"]
    return usual.join(norms(longer, streaks), on=key, how="left", validate="1:1")


def _clear(
    connection: psycopg.Connection, table: Table, first: date, last: date, members: list[str] | None
) -> bool:
    """Delete the members' weeks; a table that is to hold no others is emptied at once. Whether it was."""
    of_window = "where week_start between %s and %s"
    if members is not None:
        for cleared in (table, INPUTS):
            connection.execute(
                f"delete from {cleared.qualified} {of_window} and user_id = any(%s)",
                [first, last, members],
            )
        return False
    connection.execute(f"delete from {INPUTS.qualified} {of_window}", [first, last])
    others = connection.execute(
        f"select from {table.qualified} where week_start not between %s and %s limit 1",
        [first, last],
    ).fetchone()
    if others is None:
        connection.execute(f"truncate {table.qualified}")
    else:
        connection.execute(f"delete from {table.qualified} {of_window}", [first, last])
    return others is None


def _blocks(postgres: PostgresResource, first: date, last: date) -> list[str]:
    """Conditions that part the members into blocks of about `BLOCK_ROWS` weeks with their norms."""
    read, normed = postgres.read(
        f"select count(*)::int8 as read, count(*) filter (where week_start >= '{first}')::int8 as normed"
        " from ris.user_week_metrics"
        f" where week_start between '{_first_normed(first)}' and '{last}'"
    ).row(0)
    count = -(-max(normed, read // NORMS_A_METRIC) // BLOCK_ROWS)
    cuts = _cuts(postgres, count) if count > 1 else []
    if not cuts:
        return ["true"]
    quoted = [_quoted(cut) for cut in cuts]
    between = [f"user_id >= {a} and user_id < {b}" for a, b in itertools.pairwise(quoted)]
    return [f"user_id < {quoted[0]}", *between, f"user_id >= {quoted[-1]}"]


def _cuts(postgres: PostgresResource, count: int) -> list[str]:
    """Members, in the database's own order, that part the weeks into about `count` alike."""
    shares = ", ".join(str(n / count) for n in range(1, count))
    cuts = postgres.read(
        f"select unnest(percentile_disc(array[{shares}]) within group (order by user_id)) as user_id"
        " from ris.user_week_metrics tablesample system (1) repeatable (0)"
    )
    return cuts["user_id"].drop_nulls().unique(maintain_order=True).to_list()


def touched_weeks(window: Window) -> tuple[date, date]:
    """First and last Monday whose norms a window needs.

    The snapshot of a day reads the norm of the week that holds the day six days before it, so the
    week before the window's first belongs to it too.
    """
    first = window.from_day - timedelta(days=6)
    return first - timedelta(days=first.weekday()), _monday(window.through_day)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def active_metrics(postgres: PostgresResource) -> dict[str, str]:
    """The weekly metrics in use, from the catalogue: names with what each is, and its unit."""
    rows = postgres.read(
        "select feature, label_en || ', ' || unit as description from ris.meta_feature_catalog"
        " where feature_group = 'external' and is_active order by feature"
    )
    return dict(rows.iter_rows())


def _norm_texts() -> dict[str, str]:
    """What each norm of a metric says, in the words that dbt describes weekly facts and snapshots in."""
    project = yaml.safe_load((PROJECT_DIR / "dbt_project.yml").read_text(encoding="utf-8"))
    return {**project["vars"]["norm_texts"], "before": "how many up to the week before"}


def _earliest(first: date) -> date:
    """First week that is read: a streak in the first week of the norms began as long before again."""
    return max(_first_normed(first) - timedelta(weeks=SPAN_WEEKS), BEGINNING)


def _first_normed(first: date) -> date:
    return max(first - timedelta(weeks=SPAN_WEEKS), BEGINNING)


def _weeks_sql(columns: list[str], earliest: date, first: date, last: date, members: str) -> str:
    """The weeks that the norms go by, of members who have a week to be normed, and the week after them."""
    after = last + timedelta(weeks=1)
    of_members = (
        "user_id in (select user_id from ris.user_week_metrics"
        f" where week_start between '{first}' and '{after}')"
    )
    return (
        f"select user_id, week_start, {', '.join(columns)} from ris.user_week_metrics"
        f" where week_start between '{earliest}' and '{after}' and {members}"
        + (f" and {of_members}" if earliest > BEGINNING else "")
    )
