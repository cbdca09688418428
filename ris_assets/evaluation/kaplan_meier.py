"""Survival by segment as it was observed: curves with intervals, and whether segments differ at all.

What adjusts for other features is `models.cox`.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import polars as pl
from numpy.typing import ArrayLike
from scipy.stats import chi2, norm

from ris_assets.errors import RisError
from ris_assets.evaluation.metrics import column
from ris_assets.evaluation.survival_scores import flags

Array = np.ndarray
_Z = float(norm.ppf(0.975))


@dataclass(frozen=True)
class LogRank:
    """Whether segments share one survival curve (Mantel 1966).

    Attributes:
        statistic: chi-squared.
        degrees: of freedom, one less than the segments at risk at the first event.
        p_value: of the statistic.
        pairs: a row a pair: first, second, statistic, p_value, p_holm (Holm 1979, over all pairs).
    """

    statistic: float
    degrees: int
    p_value: float
    pairs: pl.DataFrame


def kaplan_meier_by_segment(
    duration: ArrayLike, event: ArrayLike, segment: ArrayLike, entry: ArrayLike | None = None
) -> pl.DataFrame:
    """The Kaplan-Meier curve of each segment, with 95 % intervals: log-log, by Greenwood's variance.

    Args:
        duration: (subjects,) time of the event or the last one observed.
        event: (subjects,) whether it is the event: booleans, or 0 and 1.
        segment: (subjects,) labels.
        entry: (subjects,) time from which a subject is observed; at risk over (entry, duration].

    Returns:
        A row a segment and distinct duration: segment, time, at_risk, events, survival, low, high, by segment and
        time. The interval is null from where survival is 0: its variance cannot be told.

    Raises:
        RisError: with entries, a segment's risk set dies out before the last one has come: its curve would
            be 0 for good.
    """
    subjects = _subjects(duration, event, segment)
    if entry is not None:
        begins = column(entry, "entry", subjects.height)
        if (begins >= subjects["duration"].to_numpy()).any():
            raise ValueError("every entry must be before the duration")
        subjects = subjects.with_columns(entry=begins)
    parts = subjects.sort("segment").partition_by("segment", maintain_order=True)
    return pl.concat([_curve(part) for part in parts])


def _curve(subjects: pl.DataFrame) -> pl.DataFrame:
    """One segment's."""
    duration, event = subjects["duration"].to_numpy(), subjects["event"].to_numpy()
    times, place = np.unique(duration, return_inverse=True)
    events = np.bincount(place, event, len(times)).astype(int)
    at_risk = len(duration) - np.searchsorted(np.sort(duration), times)
    if "entry" in subjects.columns:
        begins = np.sort(subjects["entry"].to_numpy())
        at_risk = at_risk - (len(begins) - np.searchsorted(begins, times))
    _refuse_early_end(subjects["segment"][0], times, at_risk, events)
    survival = np.cumprod(1 - events / at_risk)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.cumsum(events / (at_risk * (at_risk - events)))
        reach = _Z * np.sqrt(variance) / np.abs(np.log(survival))
        low, high = survival ** np.exp(reach), survival ** np.exp(-reach)
    low, high = (np.where(survival == 1, 1.0, bound) for bound in (low, high))
    table = pl.DataFrame(
        {"time": times, "at_risk": at_risk, "events": events, "survival": survival}
    )
    known = pl.col("survival") > 0
    return table.select(
        pl.lit(subjects["segment"][0], subjects.schema["segment"]).alias("segment"),
        pl.all(),
        low=pl.when(known).then(pl.Series(low)),
        high=pl.when(known).then(pl.Series(high)),
    )


def _refuse_early_end(segment: object, times: Array, at_risk: Array, events: Array) -> None:
    ended = np.flatnonzero(events == at_risk)
    if len(ended) and ended[0] < len(times) - 1:
        raise RisError(
            f"segment {segment!r}: all {at_risk[ended[0]]} at risk at {times[ended[0]]:g} have the event, while "
            "others enter later, so the curve would stay at 0: merge it with another one, or count time from later"
        )


def log_rank(duration: ArrayLike, event: ArrayLike, segment: ArrayLike) -> LogRank:
    """The log-rank test of all segments, and of each pair.

    Args:
        duration: (subjects,) time of the event or the last one observed.
        event: (subjects,) whether it is the event.
        segment: (subjects,) labels; a pair of which one is never at risk at an event says nothing, and has p 1.

    Raises:
        RisError: fewer than two segments are at risk at the first event, or there is none.
    """
    from lifelines.statistics import multivariate_logrank_test

    subjects = _subjects(duration, event, segment)
    labels = subjects["segment"].unique().sort()
    first = pl.col("duration").filter("event").min()
    observed = subjects.filter(pl.col("duration") >= first)["segment"].n_unique()
    if observed < 2:
        raise RisError(
            f"{observed} of {len(labels)} segments are at risk at an event: two are needed to compare"
        )
    code = subjects["segment"].rank("dense").to_numpy() - 1
    time, ended = subjects["duration"].to_numpy(), subjects["event"].to_numpy()

    def statistic(rows: Array) -> float:
        return float(multivariate_logrank_test(time[rows], code[rows], ended[rows]).test_statistic)

    pairs = [(one, other) for one, other in combinations(range(len(labels)), 2)]
    found = np.array([statistic((code == one) | (code == other)) for one, other in pairs])
    overall = statistic(np.ones(len(code), dtype=bool))
    single = chi2.sf(found, 1)
    return LogRank(
        statistic=overall,
        degrees=observed - 1,
        p_value=float(chi2.sf(overall, observed - 1)),
        pairs=pl.DataFrame(
            {
                "first": labels.gather([one for one, _ in pairs]),
                "second": labels.gather([other for _, other in pairs]),
                "statistic": found,
                "p_value": single,
                "p_holm": _holm(single),
            }
        ),
    )


def _holm(p_values: Array) -> Array:
    """Adjusted for as many tests, step by step from the least."""
    order = np.argsort(p_values)
    steps = p_values[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def _subjects(duration: ArrayLike, event: ArrayLike, segment: ArrayLike) -> pl.DataFrame:
    """Checked columns of one length: duration, event, segment."""
    labels = pl.Series("segment", np.asarray(segment).tolist())
    labels = labels.fill_nan(None) if labels.dtype.is_float() else labels
    if not len(labels):
        raise ValueError("there is no subject")
    if labels.null_count():
        raise ValueError(f"{labels.null_count()} subjects have no segment: give them one")
    time = column(duration, "duration", len(labels))
    ended = flags(column(event, "event", len(labels)))
    if (time < 0).any():
        raise ValueError("durations must not be negative")
    return pl.DataFrame({"duration": time, "event": ended, "segment": labels})
