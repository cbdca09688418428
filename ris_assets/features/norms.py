"""Personal norms: what a member's own last weeks say a metric usually is.

The norm of week W is a function of the calendar weeks W-26 .. W-1 and of nothing else, so any week
can be rebuilt alone. Here lives the arithmetic; reading and storing the weeks is the asset's work.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import numpy as np
import polars as pl

SPAN_WEEKS = 26
HALF_LIFE_WEEKS = 6.0
MIN_OBSERVED_WEEKS = 4
QUARTILES = {"p25": 0.25, "p50": 0.50, "p75": 0.75}
RECENT_WEEKS, RECENT_HALF_LIFE_WEEKS = 8, 2.5
NORM_SUFFIXES = ("ewma", *QUARTILES, "recent")
_AT_ONCE = 8_192
"""Windows whose numbers stay in the processor's cache."""
STREAKS = {"visit_streak_weeks": "visits"}
"""Metrics that count weeks in a row: how many up to a week in which the other metric was above zero."""


def norm_names(metric: str) -> tuple[str, ...]:
    """What is said of a metric: `ewma`, `p25`, ..., and of a streak how long it was a week earlier."""
    return (*NORM_SUFFIXES, "before") if metric in STREAKS else NORM_SUFFIXES


def week_norms(
    weeks: pl.DataFrame,
    metrics: Sequence[str],
    span: int = SPAN_WEEKS,
    half_life: float = HALF_LIFE_WEEKS,
    min_observed: int = MIN_OBSERVED_WEEKS,
    first: date = date.min,
    last: date = date.max,
) -> pl.DataFrame:
    """Norms of the rows of `weeks` from `first` through `last`, from the same member's `span` weeks before each.

    Args:
        weeks: (user_id, week_start: Monday, metrics...), unique by member and week. Null, NaN and a
            week without a row all mean "not observed".
        metrics: columns to norm; one of `STREAKS` is counted here, up to `span` weeks.
        span: length of the window, weeks, counted by calendar.
        half_life: age, weeks, at which a week weighs half of the last one.
        min_observed: with fewer observed weeks in the window every norm is null.
        first: earlier rows are looked back on only.
        last: later rows have no part in it.

    Returns:
        (user_id, week_start, m_ewma, m_p25, m_p50, m_p75, m_recent for each metric m, s_before for each
        streak s: how long it was a week earlier), float64, in the order of `weeks`. The EWMA is
        sum(w_k x_k) / sum(w_k) over observed weeks with w_k = 2 ** (-(k - 1) / half_life) for the k-th week
        back; quartiles interpolate linearly. m_recent, the same mean of the last eight weeks with half the
        weight 2.5 weeks further back, is what the member did lately rather than what is usual: it needs one
        observed week only.

    Raises:
        ValueError: a week that is not a Monday, or the same member and week twice.
    """
    place, length = _grid(weeks, span)
    is_normed = weeks["week_start"].is_between(first, last).to_numpy()
    places = place[is_normed]

    def norms_of(metric: str) -> list[pl.Series]:
        flat = np.full(length, np.nan)
        source = STREAKS.get(metric, metric)
        flat[place] = weeks[source].cast(pl.Float64).fill_null(np.nan).to_numpy()
        norms = {}
        if metric in STREAKS:
            flat = _flat_streaks(flat, span)
            norms["before"] = np.nan_to_num(flat[places - 1])
        norms |= _norms_at(places, flat, span, half_life, min_observed)
        return [
            pl.Series(f"{metric}_{name}", values).fill_nan(None) for name, values in norms.items()
        ]

    with ThreadPoolExecutor(pl.thread_pool_size()) as pool:
        columns = [series for norms in pool.map(norms_of, metrics) for series in norms]
    return weeks.select("user_id", "week_start").filter(is_normed).with_columns(columns)


def with_weeks_before(weeks: pl.DataFrame, span: int = SPAN_WEEKS) -> pl.DataFrame:
    """`weeks`, and behind them the week before each, without metrics, where the member lacks it.

    On a day inside a week a member is held against the norm of the week before: who is back after a gap is one whose
    past is known. Where none of the `span` weeks before that week is there, it has no norm and is left out.

    Args:
        weeks: (user_id, week_start: Monday, metrics...), unique by member and week.
        span: how far a norm looks back, weeks.
    """
    in_order = weeks.select("user_id", "week_start").sort("user_id", "week_start")
    is_same = pl.col("user_id") == pl.col("user_id").shift()
    since = pl.col("week_start").diff().is_between(timedelta(weeks=2), timedelta(weeks=span + 1))
    before = in_order.filter(is_same & since).with_columns(pl.col("week_start").dt.offset_by("-1w"))
    return pl.concat([weeks, before], how="diagonal")


def _grid(weeks: pl.DataFrame, span: int) -> tuple[np.ndarray, int]:
    """Where each row stands in one long line of weeks, and how long that line is.

    Members stand one behind the other, each led by `span` empty weeks: a window that looks back
    from a member's first week sees only these, so the whole line can be rolled over at once.
    """
    _refuse_bad_weeks(weeks)
    ordinal = pl.col("week_start").cast(pl.Date).to_physical() // 7
    placed = weeks.select("user_id", ordinal.alias("week")).with_row_index("row")
    blocks = (
        placed.group_by("user_id", maintain_order=True)
        .agg(pl.col("week").min().alias("first"), pl.col("week").max().alias("last"))
        .with_columns((pl.col("last") - pl.col("first") + 1 + span).alias("size").cast(pl.Int64))
        .with_columns((pl.col("size").cum_sum() - pl.col("size") + span).alias("offset"))
    )
    place = placed.join(blocks, on="user_id", how="left", maintain_order="left").select(
        pl.col("offset") + pl.col("week") - pl.col("first")
    )
    return place.to_series().cast(pl.Int64).to_numpy(), int(blocks["size"].sum())


def _refuse_bad_weeks(weeks: pl.DataFrame) -> None:
    """ValueError unless every week is a Monday and appears once a member."""
    stray = weeks.filter(pl.col("week_start").dt.weekday() != 1)
    if stray.height:
        raise ValueError(f"week_start must be a Monday, got {stray['week_start'][0]}")
    if weeks.select("user_id", "week_start").is_duplicated().any():
        raise ValueError("the same user_id and week_start appear twice")


def _flat_streaks(flat: np.ndarray, span: int) -> np.ndarray:
    """At every place, how many in a row up to it are above zero, at most `span`; NaN where not observed."""
    here = np.arange(len(flat))
    last_without = np.maximum.accumulate(np.where(flat > 0, -1, here))
    return np.where(np.isnan(flat), np.nan, np.minimum(here - last_without, span))


def _norms_at(
    places: np.ndarray, flat: np.ndarray, span: int, half_life: float, min_observed: int
) -> dict[str, np.ndarray]:
    """Norms at some places of the line of weeks, each from the `span` places before it.

    Each from its own window by the same steps, so that one that is made alone has the same last bit.
    """
    norms = {name: np.full(len(places), np.nan) for name in NORM_SUFFIXES}
    windows = np.lib.stride_tricks.sliding_window_view(flat, span) if len(places) else flat
    usual = _weights(span, half_life)
    recent = min(RECENT_WEEKS, span)
    lately = _weights(recent, RECENT_HALF_LIFE_WEEKS)
    for start in range(0, len(places), _AT_ONCE):
        here = slice(start, start + _AT_ONCE)
        window = windows[places[here] - span]  # a copy
        seen = ~np.isnan(window)
        observed = seen.sum(axis=1)
        enough = observed >= min_observed
        norms["ewma"][here] = np.where(enough, _weighted_mean(window, seen, usual), np.nan)
        norms["recent"][here] = _weighted_mean(window[:, -recent:], seen[:, -recent:], lately)
        for name, quartile in _quartiles(window, observed).items():
            norms[name][here] = np.where(enough, quartile, np.nan)
    return norms


def _weights(span: int, half_life: float) -> np.ndarray:
    """Weight of each week of a window, the last week's 1."""
    return 0.5 ** (np.arange(span - 1, -1, -1) / half_life)


def _weighted_mean(window: np.ndarray, seen: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean of the observed weeks of each row, weights renormalised over these; NaN where there is none."""
    total = np.einsum("ij,j->i", np.where(seen, window, 0.0), weights)
    weight = np.einsum("ij,j->i", seen.astype(float), weights)
    return np.divide(total, weight, out=np.full(len(window), np.nan), where=weight > 0)


def _quartiles(window: np.ndarray, observed: np.ndarray) -> dict[str, np.ndarray]:
    """Quartiles of the observed weeks of each row, NaN without one; sorts the windows, once for all three."""
    window.sort(axis=1)  # NaN last
    row, last = np.arange(len(window)), np.maximum(observed - 1, 0)
    quartiles = {}
    for name, quantile in QUARTILES.items():
        rank = last * quantile
        low = rank.astype(int)
        below, above = window[row, low], window[row, np.minimum(low + 1, last)]
        quartiles[name] = below + (above - below) * (rank - low)
    return quartiles
