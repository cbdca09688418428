"""Scores of survival curves under right censoring: order, squared error and calibration over time.

Curves are (subjects, times) matrices of S(t); outcomes are `event` (bool) and `time`. Censoring is weighed by the
Kaplan-Meier curve of being still observed, taken from the training outcomes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ris_assets.evaluation.metrics import column, complete, probabilities

Array = np.ndarray
_BLOCK = 512


def flags(event: ArrayLike) -> Array:
    """Events as booleans: of whole numbers 0 and 1 `~` and indexing would make something else.

    Raises:
        ValueError: other values.
    """
    given = np.asarray(event)
    if not np.isin(given, (0, 1)).all():
        raise ValueError("events must be True or False: booleans, or 0 and 1")
    return given.astype(bool)


def outcomes(event: ArrayLike, time: ArrayLike) -> tuple[Array, Array]:
    """Events and times as columns of one length.

    Raises:
        ValueError: they are not, there is none, or a time is missing.
    """
    happened = flags(event)
    if happened.ndim != 1:
        raise ValueError(f"event has shape {happened.shape}, must have (n,)")
    if not len(happened):
        raise ValueError("there is no subject")
    return happened, column(time, "time", len(happened))


def rising(times: ArrayLike) -> Array:
    """Times to score at.

    Raises:
        ValueError: there is none, or one comes before its neighbour: columns would be read at the wrong time.
    """
    at = column(times, "times")
    if not len(at):
        raise ValueError("there is no time to score at")
    if (np.diff(at) < 0).any():
        raise ValueError(f"times must rise: {at[1:][np.diff(at) < 0][0]:g} comes after a later one")
    return at


def _of_shape(values: Array, what: str, time: Array, times: Array) -> Array:
    """The values, if there is one for each subject and time."""
    if values.shape != (len(time), len(times)):
        raise ValueError(
            f"{what} of {len(time)} subjects at {len(times)} times must have shape"
            f" ({len(time)}, {len(times)}), not {values.shape}"
        )
    return values


@dataclass(frozen=True)
class Censoring:
    """P(still observed at t), by Kaplan and Meier (1958) with censoring as the event.

    Attributes:
        times: distinct times, rising.
        observed: the probability from each of them on.
    """

    times: Array
    observed: Array

    @classmethod
    def of(cls, event: ArrayLike, time: ArrayLike) -> "Censoring":
        """From outcomes; at a tie events come before censoring."""
        event, time = outcomes(event, time)
        times, place = np.unique(time, return_inverse=True)
        ended = np.bincount(place, weights=event, minlength=len(times))
        left = np.bincount(place, weights=~event, minlength=len(times))
        at_risk = len(time) - np.concatenate([[0.0], np.cumsum(ended + left)[:-1]]) - ended
        share = np.divide(left, at_risk, out=np.zeros(len(times)), where=at_risk > 0)
        return cls(times, np.cumprod(1 - share))

    def at(self, time: Array) -> Array:
        """G(t): 1 before the first time.

        Raises:
            ValueError: nobody in training was observed for so long, so there is no weight.
        """
        place = np.searchsorted(self.times, time, side="right")
        found = np.concatenate([[1.0], self.observed])[place]
        if (found <= 0).any():
            raise ValueError(
                f"nobody was observed up to {np.max(time):g} in training; score up to an earlier time"
            )
        return found


def antolini_concordance(
    event: ArrayLike, time: ArrayLike, survival: ArrayLike, times: ArrayLike
) -> float:
    """Antolini's time-dependent C (2005): P(S_i(t_i) < S_j(t_i)) of pairs in which i has its event first.

    Args:
        survival: (subjects, times), read at each event's time as of the last column at or before it; 1 before
            the first. A tie counts half.
        times: rising.

    Returns:
        nan without a comparable pair.

    Raises:
        ValueError: shapes do not fit, times fall, or a number is missing or beyond its range.
    """
    (event, time), at = outcomes(event, time), rising(times)
    known = _of_shape(probabilities(survival, "curves"), "curves", time, at)
    curves = np.hstack([np.ones((len(time), 1)), known])
    last = np.searchsorted(at, time, side="right")
    concordant, pairs = 0.0, 0.0
    for start in range(0, int(event.sum()), _BLOCK):
        own = np.flatnonzero(event)[start : start + _BLOCK]
        later = (time[None, :] > time[own, None]) | (
            (time[None, :] == time[own, None]) & ~event[None, :]
        )
        there = curves[:, last[own]].T
        mine = curves[own, last[own]][:, None]
        concordant += float(((mine < there) & later).sum() + 0.5 * ((mine == there) & later).sum())
        pairs += float(later.sum())
    return concordant / pairs if pairs else float("nan")


def brier_scores(
    censoring: Censoring, event: ArrayLike, time: ArrayLike, survival: ArrayLike, times: ArrayLike
) -> Array:
    """Brier score at each time with inverse probability of censoring weights (Graf et al. 1999).

    Args and errors as those of `squared_errors`.
    """
    return np.mean(squared_errors(censoring, event, time, survival, times), axis=0)


def squared_errors(
    censoring: Censoring, event: ArrayLike, time: ArrayLike, survival: ArrayLike, times: ArrayLike
) -> Array:
    """(subjects, times): weighed squared errors, of which Brier scores are the means.

    Args:
        survival: (subjects, times).
        times: rising.

    Raises:
        ValueError: shapes do not fit, times fall, a number is missing or beyond its range, or nobody in training
            was observed for so long.
    """
    (event, time), at = outcomes(event, time), rising(times)
    curves = _of_shape(probabilities(survival, "curves"), "curves", time, at)
    alive = time[:, None] > at[None, :]
    return _weights(censoring, event, time, at) * (curves - alive) ** 2


def integrated_brier_score(
    censoring: Censoring, event: ArrayLike, time: ArrayLike, survival: ArrayLike, times: ArrayLike
) -> float:
    """Brier scores over [times[0], times[-1]], by the trapezoid rule, divided by that span."""
    at = rising(times)
    if at[0] == at[-1]:
        raise ValueError("an integral needs at least two times")
    scores = brier_scores(censoring, event, time, survival, at)
    return float(np.trapezoid(scores, at) / (at[-1] - at[0]))


def _weights(censoring: Censoring, event: Array, time: Array, times: Array) -> Array:
    """(subjects, times): 1 / G where the state is known, 0 where it is not."""
    ended = (time[:, None] <= times[None, :]) & event[:, None]
    alive = time[:, None] > times[None, :]
    own = np.ones(len(time))
    needed = event & (time <= times.max())
    own[needed] = censoring.at(time[needed])
    return ended / own[:, None] + alive / censoring.at(times)[None, :]


def time_dependent_auc(
    censoring: Censoring, event: ArrayLike, time: ArrayLike, risk: ArrayLike, times: ArrayLike
) -> Array:
    """Cumulative/dynamic AUC at each time (Uno et al. 2007): those gone by then against those still there.

    Args:
        risk: (subjects,) or (subjects, times), higher is riskier.
        times: rising.

    Returns:
        (times,), nan where one of the sides is empty.

    Raises:
        ValueError: shapes do not fit, times fall, a number is missing, or nobody in training was observed for so long.
    """
    (event, time), at = outcomes(event, time), rising(times)
    risks = complete(risk, "risks")
    risks = np.repeat(risks[:, None], len(at), axis=1) if risks.ndim == 1 else risks
    scores = _of_shape(risks, "risks", time, at)
    found = np.full(len(at), np.nan)
    weight = np.zeros(len(time))
    needed = event & (time <= at[-1])
    weight[needed] = 1 / censoring.at(time[needed])
    for place, moment in enumerate(at):
        gone, there = event & (time <= moment), time > moment
        if not gone.any() or not there.any():
            continue
        controls = np.sort(scores[there, place])
        below = np.searchsorted(controls, scores[gone, place], side="left")
        equal = np.searchsorted(controls, scores[gone, place], side="right") - below
        won = (below + 0.5 * equal) / len(controls)
        found[place] = np.average(won, weights=weight[gone])
    return found


def kaplan_meier(event: ArrayLike, time: ArrayLike, times: ArrayLike) -> Array:
    """S(t) of all subjects at some times, in any order."""
    event, time = outcomes(event, time)
    moments, place = np.unique(time, return_inverse=True)
    ended = np.bincount(place, weights=event, minlength=len(moments))
    gone = np.bincount(place, minlength=len(moments))
    at_risk = len(time) - np.concatenate([[0], np.cumsum(gone)[:-1]])
    curve = np.concatenate([[1.0], np.cumprod(1 - ended / at_risk)])
    return curve[np.searchsorted(moments, column(times, "times"), side="right")]
