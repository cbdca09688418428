"""Cox regression for inference: hazard ratios on start-stop rows, refused where they would be silently bad.

lifelines finds the coefficients; here stand the checks before and after, the test of proportionality, and what
segments lend each other. Prediction is the business of `linear_hazard`, curves of `evaluation.kaplan_meier`.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.linalg import LinAlgError
from scipy.stats import chi2, norm, rankdata

from ris_assets.errors import RisError

Array = np.ndarray
Clock = Literal["rank", "log"]

# Of a column as the others tell it among those at risk together. At 100 its standard error is ten times what it
# would be alone; above 10 the result carries a note.
MAX_VIF, SUSPECT_VIF = 100.0, 10.0
# Least share of a column's variance that is between those at risk at one time: the rest is the clock's.
MIN_WITHIN_SHARE = 1e-4
# |coefficient| and standard error for one standard deviation: exp(10) is a hazard 22 000 times as high.
MAX_EFFECT, MAX_ERROR = 10.0, 5.0
# Fewer events a column than this are worth a note (Peduzzi et al. 1995); as many columns as events are refused.
EVENTS_A_COLUMN = 10
# Weight of another column in explaining one, both in standard deviations, from which it is named beside it.
NAMED_WEIGHT = 0.1
# A column that alone ranks so many pairs right, or wrong, is to blame where there is no convergence.
TELLING_CONCORDANCE = 0.99
# A segment's coefficient that keeps so much of itself is called its own.
OWN_SHARE = 0.99
_BLOCK = 64
_Z = float(norm.ppf(0.975))


class CoxRefusedError(RisError):
    """Data that would make a Cox regression silently bad.

    Attributes:
        columns: those to mend or to drop.
    """

    def __init__(self, message: str, columns: Sequence[str] = ()) -> None:
        """A sentence, and the columns that it names."""
        super().__init__(message)
        self.columns = tuple(columns)


@dataclass(frozen=True)
class CoxResult:
    """What a Cox regression says.

    Attributes:
        table: a row a feature: feature, coef, hazard_ratio, hr_low, hr_high for one unit;
            hazard_ratio_per_sd, hr_per_sd_low, hr_per_sd_high for one standard deviation over the rows; z, p_value
            (Wald); proportionality_p, null where it cannot be told. Intervals are of 95 %.
        covariance: (features, features) of the coefficients for one standard deviation, in the table's order.
        scale: (features,) the standard deviations.
        events: rows that end with one.
        rows: all of them.
        log_likelihood: partial, less the penalty if there is one.
        concordance: share of comparable pairs, one of whom has the event while the other is at risk, in which the
            first one's score was the higher; null without a pair.
        notes: what to keep in mind when reading the table.
    """

    table: pl.DataFrame
    covariance: Array
    scale: Array
    events: int
    rows: int
    log_likelihood: float
    concordance: float | None
    notes: tuple[str, ...] = ()


def fit_cox(
    intervals: pl.DataFrame,
    columns: Sequence[str],
    *,
    id_column: str = "spell_id",
    start: str = "start",
    stop: str = "stop",
    event: str = "event",
    penalizer: float = 0.0,
    impute: bool = False,
    clock: Clock = "rank",
) -> CoxResult:
    """Cox regression with time-varying covariates, ties by Efron, errors from the information matrix.

    Args:
        intervals: rows in which a subject is at risk over (start, stop] and may have the event at stop.
        columns: numbers or booleans.
        id_column: whose row it is; rows of one subject must not overlap nor follow its event.
        start: when the row begins, a number.
        stop: when it ends.
        event: whether with the event: a boolean, or 0 and 1.
        penalizer: of lifelines' ridge: rows * penalizer / 2 * the sum of squared coefficients for one sd.
        impute: fill missing values with the column's median, and note it.
        clock: time as the test of proportionality sees it.

    Raises:
        CoxRefusedError: missing, constant, collinear or separating columns; no convergence; absurd estimates.
    """
    names = _Names(id_column, start, stop, event)
    return _fit(_Rows.of(intervals, columns, names, impute), penalizer, clock)


def fit_cox_by_segment(
    intervals: pl.DataFrame,
    columns: Sequence[str],
    segment: str,
    *,
    min_events: int = 50,
    id_column: str = "spell_id",
    start: str = "start",
    stop: str = "stop",
    event: str = "event",
    penalizer: float = 0.0,
    impute: bool = False,
) -> pl.DataFrame:
    """One regression a segment, each drawn towards the overall one as far as chance alone sets it apart.

    The overall regression has a baseline for every segment. The variance of a coefficient between segments is that
    of DerSimonian and Laird (1986), from fits of at least `min_events`; given it, a segment's coefficients are the
    normal posterior mean about the overall ones, all together, with their covariances. A segment with fewer events,
    or whose own fit is refused, has the overall ones, with an interval that covers where the others lie. One own
    fit alone tells nothing of the variance and stays as it is; the variance itself is taken as known, so that
    intervals of few segments are a little narrow.

    Returns:
        A row a segment and feature: segment, feature, events, rows, the columns of `CoxResult.table` but
        proportionality_p, own_coef (before pooling), own_share (1: not drawn at all, 0: overall), pooled ("own",
        "shrunk", "overall") and reason (why it is overall). A standard deviation is that of all rows.

    Raises:
        CoxRefusedError: the overall regression is refused, or a segment is missing.
    """
    rows = _Rows.of(intervals, columns, _Names(id_column, start, stop, event), impute)
    if missing := intervals[segment].null_count():
        raise CoxRefusedError(f"{missing} rows have no {segment!r}: give them one", [segment])
    code = intervals[segment].rank("dense").to_numpy().astype(int) - 1
    labels = intervals[segment].unique().sort()
    parts = [rows.where(code == number) for number in range(len(labels))]
    overall = _fit(rows.apart(code), penalizer)
    fits = [_own(part, penalizer, min_events) for part in parts]
    pool = _Pool.of(overall, [fit for fit in fits if isinstance(fit, CoxResult)])
    found = [
        pool.segment(fit).with_columns(
            events=pl.lit(int(part.event.sum())), rows=pl.lit(len(part.event))
        )
        for part, fit in zip(parts, fits, strict=True)
    ]
    named = pl.DataFrame({"segment": labels}).select(
        pl.col("segment").repeat_by(len(columns)).explode()
    )
    table = pl.concat([named, pl.concat(found)], how="horizontal")
    return table.select(
        "segment", "feature", "events", "rows", pl.exclude("segment", "feature", "events", "rows")
    )


@dataclass(frozen=True)
class _Names:
    """Columns of the timeline."""

    id: str
    start: str
    stop: str
    event: str


@dataclass(frozen=True)
class _Rows:
    """Checked start-stop rows: `matrix` (rows, columns), `start` and `stop` numbers, `event` bool."""

    columns: tuple[str, ...]
    matrix: Array
    start: Array
    stop: Array
    event: Array
    notes: tuple[str, ...]

    @classmethod
    def of(
        cls, intervals: pl.DataFrame, columns: Sequence[str], names: _Names, impute: bool
    ) -> "_Rows":
        """From a frame, or refused."""
        if not columns or len(set(columns)) < len(columns):
            raise ValueError(f"columns must be some names, each once; they are {list(columns)}")
        timeline = [names.start, names.stop, names.event]
        _refuse_other_types(intervals, [*columns, *timeline])
        numbers = intervals.select(
            names.id, pl.col(*columns, *timeline).cast(pl.Float64).fill_nan(None)
        )
        _refuse_gaps(numbers.select(names.id, *timeline), "mend them")
        numbers, notes = _filled(numbers, columns) if impute else (numbers, ())
        _refuse_gaps(numbers.select(*columns), "fill them, drop the rows, or pass impute=True")
        _refuse_broken_timeline(numbers, names)
        matrix = numbers.select(*columns).to_numpy()
        _refuse(columns, ~np.isfinite(matrix).all(axis=0), "infinite values in {}: mend them")
        return cls(
            tuple(columns),
            matrix,
            numbers[names.start].to_numpy(),
            numbers[names.stop].to_numpy(),
            numbers[names.event].to_numpy() == 1,
            notes,
        )

    def where(self, mask: Array) -> "_Rows":
        """Some of the rows."""
        return replace(
            self,
            matrix=self.matrix[mask],
            start=self.start[mask],
            stop=self.stop[mask],
            event=self.event[mask],
        )

    def apart(self, stratum: Array) -> "_Rows":
        """Strata one after the other in time, so that each is compared with itself only."""
        span = 1.0 + np.ceil(self.stop.max() - self.start.min())
        return replace(self, start=self.start + stratum * span, stop=self.stop + stratum * span)


def _refuse(columns: Sequence[str], bad: Array, sentence: str) -> None:
    """Raises when any column is bad; the sentence has a place for their names."""
    named = [name for name, is_bad in zip(columns, bad, strict=True) if is_bad]
    if named:
        raise CoxRefusedError(sentence.format(", ".join(named)), named)


def _refuse_other_types(intervals: pl.DataFrame, columns: Sequence[str]) -> None:
    absent = [name for name in columns if name not in intervals.columns]
    _refuse(columns, np.isin(columns, absent), "there is no column {}: name existing ones")
    types = [intervals.schema[name] for name in columns]
    other = np.array([not (kind.is_numeric() or kind == pl.Boolean) for kind in types])
    _refuse(columns, other, "neither numbers nor booleans: {}; encode them first")


def _refuse_gaps(frame: pl.DataFrame, advice: str) -> None:
    counts = {name: frame[name].null_count() for name in frame.columns}
    gaps = {name: count for name, count in counts.items() if count}
    if gaps:
        listed = ", ".join(f"{name} ({count})" for name, count in gaps.items())
        raise CoxRefusedError(
            f"missing values among {frame.height} rows in {listed}: {advice}", list(gaps)
        )


def _filled(numbers: pl.DataFrame, columns: Sequence[str]) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Missing values at the column's median, and a note of each column."""
    gaps = [name for name in columns if numbers[name].null_count()]
    _refuse(
        gaps,
        np.array([numbers[name].is_null().all() for name in gaps]),
        "no value at all in {}: drop it",
    )
    notes = tuple(
        f"{numbers[name].null_count()} of {numbers.height} values of {name} were missing and stand at the median"
        for name in gaps
    )
    return numbers.with_columns(
        pl.col(name).fill_null(pl.col(name).median()) for name in gaps
    ), notes


def _refuse_broken_timeline(numbers: pl.DataFrame, names: _Names) -> None:
    """Rows must last, be parted by subject, and stop at the event; some must end with one."""
    start, stop, event = pl.col(names.start), pl.col(names.stop), pl.col(names.event)
    before = numbers.sort(names.id, names.start).with_columns(
        ended=stop.shift(1).over(names.id), gone=event.shift(1).over(names.id)
    )
    faults = before.select(
        (~event.is_in([0.0, 1.0])).sum().alias(f"{names.event} is neither 0 nor 1"),
        ((start >= stop) | ~start.is_finite() | ~stop.is_finite())
        .sum()
        .alias(f"{names.start} is not before {names.stop}"),
        (start < pl.col("ended")).sum().alias(f"it overlaps with another of the same {names.id}"),
        (pl.col("gone") == 1).sum().alias(f"it comes after the event of its {names.id}"),
    ).row(0, named=True)
    for fault, count in faults.items():
        if count:
            raise CoxRefusedError(f"in {count} of {numbers.height} rows {fault}: mend the rows")
    if not (numbers[names.event] == 1).any():
        raise CoxRefusedError(
            "no row ends with the event: there is nothing to learn from", [names.event]
        )


@dataclass(frozen=True)
class RiskSets:
    """Who is at risk when somebody has the event; ties share theirs as in Efron (1977).

    Attributes:
        design: (rows, columns).
        first: (rows,) place of the first event time within (start, stop].
        after: (rows,) place after the last one.
        died: (events,) rows that end with the event.
        place: (events,) event time of each.
        share: (events,) of its tied events that do not count as at risk any more.
        times: (event times,) distinct ones, rising.
    """

    design: Array
    first: Array
    after: Array
    died: Array
    place: Array
    share: Array
    times: Array

    @classmethod
    def of(cls, design: Array, start: Array, stop: Array, event: Array) -> "RiskSets":
        """From start-stop rows."""
        died = np.flatnonzero(event)
        died = died[np.argsort(stop[died], kind="stable")]
        times, begins, place, tied = np.unique(
            stop[died], return_index=True, return_inverse=True, return_counts=True
        )
        share = (np.arange(len(died)) - begins[place]) / tied[place]
        first, after = (np.searchsorted(times, moment, side="right") for moment in (start, stop))
        return cls(design, first, after, died, place, share, times)

    def clock(self, kind: Clock) -> Array:
        """(events,) their times as ranks, or as logarithms."""
        moments = self.times[self.place]
        if kind == "log" and moments[0] <= 0:
            raise ValueError("a logarithmic clock needs event times above 0")
        return np.log(moments) if kind == "log" else rankdata(moments)

    def moments(self, weights: Array, clock: Array) -> tuple[Array, Array]:
        """Means of the design at risk, by hazard; covariances, summed with powers of the clock.

        Returns:
            (events, columns), and (3, columns, columns): sums over the events of the covariance times the clock to
            the power of 0, 1 and 2. The first one is the information on the weights.
        """
        score = self.design @ weights
        risk = np.exp(score - score.max())
        total = self._at_risk(risk)
        weighted = risk[:, None] * self.design
        means = np.column_stack([self._at_risk(column) for column in weighted.T]) / total[:, None]
        count = self.design.shape[1]
        powers, sums = clock ** np.arange(3)[:, None], np.zeros((3, count, count))
        for one, other in zip(*np.tril_indices(count), strict=True):
            product = self._at_risk(weighted[:, one] * self.design[:, other]) / total
            sums[:, one, other] = powers @ (product - means[:, one] * means[:, other])
            sums[:, other, one] = sums[:, one, other]
        return means, sums

    def _at_risk(self, values: Array) -> Array:
        """(events,): sum over those at risk at each; from the end, where the low risks are left among themselves."""
        size = len(self.times)
        left = np.bincount(self.after, values, size + 1) - np.bincount(self.first, values, size + 1)
        tied = np.bincount(self.place, values[self.died], size)
        return np.cumsum(left[:0:-1])[::-1][self.place] - self.share * tied[self.place]

    def proportionality(self, weights: Array, clock: Array, averaged: bool = False) -> Array:
        """P-value of every coefficient's linear trend over the clock, by Schoenfeld residuals.

        The score test of Grambsch and Therneau (1994), with the covariances of each risk set. Scaled residuals come
        of one average covariance in their place: quicker, and wrong when a covariate spreads over time.

        Args:
            weights: (columns,) the coefficients.
            clock: (events,).
            averaged: take the average covariance, as lifelines and R before 3.0 do.

        Returns:
            (columns,), nan where no trend can be told.
        """
        clock = clock - clock.mean()
        means, (plain, once, twice) = self.moments(weights, clock)
        score = clock @ (self.design[self.died] - means)
        if averaged:
            spread = plain * (clock @ clock) / len(clock)
        else:
            spread = twice - once @ np.linalg.pinv(plain, hermitian=True) @ once
        inverse = np.linalg.pinv(spread, hermitian=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            return chi2.sf((inverse @ score) ** 2 / np.diag(inverse), 1)

    def concordance(self, score: Array) -> float | None:
        """Share of pairs, an event and another at risk, that the score has right; a tie is half right."""
        right, pairs, score = 0.0, 0, np.round(score, 9)
        ends_now = np.full(len(score), -1)
        ends_now[self.died] = self.place
        for begin in range(0, len(self.died), _BLOCK):
            place = self.place[begin : begin + _BLOCK, None]
            mine = score[self.died[begin : begin + _BLOCK], None]
            there = (self.first <= place) & (place < self.after) & (ends_now != place)
            right += float((there & (score < mine)).sum() + 0.5 * (there & (score == mine)).sum())
            pairs += int(there.sum())
        return right / pairs if pairs else None


def _fit(rows: _Rows, penalizer: float, clock: Clock = "rank") -> CoxResult:
    events, count = int(rows.event.sum()), len(rows.columns)
    if events <= count:
        raise CoxRefusedError(
            f"{events} events are too few for {count} columns: drop some of {', '.join(rows.columns)}",
            rows.columns,
        )
    scale = rows.matrix.std(axis=0)
    flat = (np.ptp(rows.matrix, axis=0) == 0) | (scale <= 1e-9 * np.abs(rows.matrix).max(axis=0))
    _refuse(rows.columns, flat, "constant: {}; drop what does not vary")
    design = (rows.matrix - rows.matrix.mean(axis=0)) / scale
    sets = RiskSets.of(design, rows.start, rows.stop, rows.event)
    notes = (*rows.notes, *_few_events(events, count), *_refuse_unidentified(rows.columns, sets))
    _refuse_separated(rows, sets)
    fitter = _lifelines(rows, sets, penalizer)
    weights, covariance = fitter.params_.to_numpy(), fitter.variance_matrix_.to_numpy()
    trend = sets.proportionality(weights, sets.clock(clock))
    table = _table(rows.columns, weights, covariance, scale).with_columns(
        proportionality_p=pl.Series(trend).fill_nan(None)
    )
    return CoxResult(
        table=table,
        covariance=covariance,
        scale=scale,
        events=events,
        rows=len(rows.event),
        log_likelihood=float(fitter.log_likelihood_),
        concordance=sets.concordance(design @ weights),
        notes=notes,
    )


def _few_events(events: int, count: int) -> list[str]:
    if events >= EVENTS_A_COLUMN * count:
        return []
    return [f"{events} events for {count} columns are few: intervals are rough"]


def _refuse_unidentified(columns: Sequence[str], sets: RiskSets) -> list[str]:
    """Refuses what the clock or the other columns tell already, as those at risk together show it.

    Returns:
        Notes on what is hard to tell apart.
    """
    _, (information, _, _) = sets.moments(np.zeros(len(columns)), np.zeros(len(sets.died)))
    within = np.diag(information) / len(sets.died)
    _refuse(
        columns,
        within < MIN_WITHIN_SHARE,
        "{}: the same for everyone at risk at one time, the baseline hazard tells it already; drop it",
    )
    deviation = np.sqrt(np.diag(information))
    correlation = information / np.outer(deviation, deviation)
    precision = np.linalg.inv(correlation + 1e-9 * np.eye(len(columns)))
    groups = _groups(columns, precision, MAX_VIF)
    if groups:
        listed = "; ".join(" + ".join(group) for group in groups)
        raise CoxRefusedError(
            f"nearly linear combinations of each other (variance inflation above {MAX_VIF:g}): {listed}; "
            "drop or merge some",
            sorted({name for group in groups for name in group}, key=list(columns).index),
        )
    return [
        f"hard to tell apart (variance inflation above {SUSPECT_VIF:g}): {' + '.join(group)}"
        for group in _groups(columns, precision, SUSPECT_VIF)
    ]


def _groups(columns: Sequence[str], precision: Array, limit: float) -> list[list[str]]:
    """Columns whose variance inflation is above the limit, each beside those that explain it."""
    inflation = np.diag(precision)
    groups: list[list[str]] = []
    named: set[str] = set()
    for worst in np.argsort(-inflation, kind="stable"):
        if inflation[worst] <= limit or columns[worst] in named:
            continue
        weight = np.abs(precision[worst] / inflation[worst])
        groups.append([columns[int(other)] for other in np.flatnonzero(weight >= NAMED_WEIGHT)])
        named.update(groups[-1])
    return groups


def _refuse_separated(rows: _Rows, sets: RiskSets) -> None:
    """Refuses columns that have their least or greatest value at every event: of a binary one, one value has none."""
    at_risk = rows.matrix[sets.first < sets.after]
    ended = rows.matrix[rows.event]
    low, high = ended.min(axis=0), ended.max(axis=0)
    lowest = (low == high) & (low == at_risk.min(axis=0))
    highest = (low == high) & (high == at_risk.max(axis=0))
    faults = [
        f"{name} {'>' if lowest[place] else '<'} {low[place]:g}"
        for place, name in enumerate(rows.columns)
        if lowest[place] or highest[place]
    ]
    _refuse(
        rows.columns,
        lowest | highest,
        f"no event where {', '.join(faults)}: the hazard ratio would be infinite; drop or merge {{}}",
    )


def _lifelines(rows: _Rows, sets: RiskSets, penalizer: float) -> Any:
    """A fitter on scaled columns, that has converged to something credible."""
    import pandas as pd
    from lifelines import CoxTimeVaryingFitter
    from lifelines.exceptions import ConvergenceError, ConvergenceWarning
    from threadpoolctl import threadpool_limits

    frame = pd.DataFrame(sets.design, columns=[f"x{place}" for place in range(len(rows.columns))])
    frame = frame.assign(start=rows.start, stop=rows.stop, event=rows.event)
    fitter = CoxTimeVaryingFitter(penalizer=penalizer)
    with warnings.catch_warnings(record=True) as caught, np.errstate(all="ignore"):
        warnings.simplefilter("always")
        try:
            # Thousands of products of small matrices: BLAS threads wait for each other longer than they work.
            with threadpool_limits(1, user_api="blas"):
                fitter.fit(frame, event_col="event", start_col="start", stop_col="stop")
        except (ConvergenceError, LinAlgError) as error:
            raise _not_converged(rows.columns, sets, str(error.args[0])) from error
    _refuse_absurd(rows.columns, fitter)
    said = [str(item.message) for item in caught if issubclass(item.category, ConvergenceWarning)]
    # What it says of variances before it starts is checked above, by name.
    if failed := [sentence for sentence in said if "low variance" not in sentence]:
        raise _not_converged(rows.columns, sets, failed[0])
    return fitter


def _not_converged(columns: Sequence[str], sets: RiskSets, said: str) -> CoxRefusedError:
    """Names the columns that alone tell who is next, or else all."""
    order = np.array([sets.concordance(column) for column in sets.design.T], dtype=float)
    telling = np.abs(order - 0.5) > TELLING_CONCORDANCE - 0.5
    named = [name for name, tells in zip(columns, telling, strict=True) if tells] or columns
    why = "know the events beforehand" if telling.any() else "lead nowhere together"
    reason = " ".join(said.split()).partition(". ")[0].rstrip(".")
    return CoxRefusedError(
        f"no convergence: {', '.join(named)} {why}; drop some (lifelines: {reason})", named
    )


def _refuse_absurd(columns: Sequence[str], fitter: Any) -> None:
    effect = np.abs(fitter.params_.to_numpy())
    error = fitter.standard_errors_.to_numpy()
    _refuse(
        columns,
        ~((effect <= MAX_EFFECT) & (error > 0) & (error <= MAX_ERROR)),
        f"absurd estimates for {{}}: a coefficient above {MAX_EFFECT:g} for one standard deviation, or its "
        f"standard error above {MAX_ERROR:g}; they separate the events from the rest, drop or merge them",
    )


def _table(columns: Sequence[str], weights: Array, covariance: Array, scale: Array) -> pl.DataFrame:
    """Ratios, their intervals and Wald's test, from coefficients for one standard deviation."""
    error = np.sqrt(np.diag(covariance))
    low, high = weights - _Z * error, weights + _Z * error
    with np.errstate(over="ignore"):
        return pl.DataFrame(
            {
                "feature": list(columns),
                "coef": weights / scale,
                "hazard_ratio": np.exp(weights / scale),
                "hr_low": np.exp(low / scale),
                "hr_high": np.exp(high / scale),
                "hazard_ratio_per_sd": np.exp(weights),
                "hr_per_sd_low": np.exp(low),
                "hr_per_sd_high": np.exp(high),
                "z": weights / error,
                "p_value": 2 * norm.sf(np.abs(weights / error)),
            }
        )


def _own(rows: _Rows, penalizer: float, min_events: int) -> CoxResult | str:
    """A segment's own fit, or why there is none."""
    events = int(rows.event.sum())
    if events < min_events:
        return f"{events} events, fewer than {min_events}"
    try:
        return _fit(rows, penalizer)
    except CoxRefusedError as refused:
        return str(refused)


@dataclass(frozen=True)
class _Pool:
    """What segments have in common: coefficients for one standard deviation, and their spread.

    Attributes:
        columns: features.
        scale: (features,) standard deviations.
        centre: (features,) overall coefficients.
        covariance: (features, features) of the centre.
        between: (features,) variance of the segments' own about it, nan when fewer than two segments tell.
    """

    columns: tuple[str, ...]
    scale: Array
    centre: Array
    covariance: Array
    between: Array

    @classmethod
    def of(cls, overall: CoxResult, fits: Sequence[CoxResult]) -> "_Pool":
        """From the overall fit and those of segments."""
        scale = overall.scale
        centre = overall.table["coef"].to_numpy() * scale
        between = np.full(len(scale), np.nan)
        if len(fits) > 1:
            own = [_rescaled(fit, scale) for fit in fits]
            variances = np.array([np.diag(covariance) for _, covariance in own])
            between = _between(np.array([weights for weights, _ in own]), variances)
        return cls(tuple(overall.table["feature"]), scale, centre, overall.covariance, between)

    def segment(self, fit: CoxResult | str) -> pl.DataFrame:
        """The rows of a segment, from its own fit or why there is none."""
        spread = np.diag(np.nan_to_num(self.between))
        if isinstance(fit, str):
            table = _table(self.columns, self.centre, self.covariance + spread, self.scale)
            return _pooled(
                table, np.full(len(self.columns), np.nan), np.zeros(len(self.columns)), fit
            )
        weights, covariance = own, error = _rescaled(fit, self.scale)
        share = np.ones(len(own))
        if not np.isnan(self.between).any():
            gain = spread @ np.linalg.inv(spread + error)
            rest = np.eye(len(own)) - gain
            weights = self.centre + gain @ (own - self.centre)
            covariance = gain @ error + rest @ self.covariance @ rest.T
            share = self.between / (self.between + np.diag(error))
        table = _table(self.columns, weights, covariance, self.scale)
        return _pooled(table, own / self.scale, share, "segments differ by no more than chance")


def _rescaled(fit: CoxResult, scale: Array) -> tuple[Array, Array]:
    """Coefficients and covariance for one standard deviation of all rows, not of the segment's."""
    ratio = scale / fit.scale
    return fit.table["coef"].to_numpy() * scale, fit.covariance * np.outer(ratio, ratio)


def _between(estimates: Array, variances: Array) -> Array:
    """Variance between segments (DerSimonian and Laird 1986); (segments, features) to (features,)."""
    weight = 1 / variances
    total = weight.sum(axis=0)
    mean = (weight * estimates).sum(axis=0) / total
    scatter = (weight * (estimates - mean) ** 2).sum(axis=0) - (len(estimates) - 1)
    return np.maximum(scatter / (total - (weight**2).sum(axis=0) / total), 0.0)


def _pooled(table: pl.DataFrame, own_coef: Array, share: Array, reason: str) -> pl.DataFrame:
    """The table beside what was the segment's own."""
    kept = pl.col("own_share")
    return table.with_columns(
        own_coef=pl.Series(own_coef).fill_nan(None), own_share=pl.Series(share)
    ).with_columns(
        pooled=pl.when(kept == 0)
        .then(pl.lit("overall"))
        .when(kept >= OWN_SHARE)
        .then(pl.lit("own"))
        .otherwise(pl.lit("shrunk")),
        reason=pl.when(kept == 0).then(pl.lit(reason)),
    )
