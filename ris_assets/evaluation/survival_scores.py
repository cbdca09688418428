"""Scores of survival curves under right censoring: order, squared error and calibration over time.

Curves are (subjects, times) matrices of S(t); outcomes are `event` (bool) and `time`. Censoring is weighed by the
Kaplan-Meier curve of being still observed, taken from the training outcomes.
"""

from dataclasses import dataclass

import numpy as np

from ris_assets.evaluation.metrics import complete

Array = np.ndarray
_BLOCK = 512


def flags(event: Array) -> Array:
    """Events as booleans: of whole numbers 0 and 1 `~` and indexing would make something else.

    Raises:
        ValueError: other values.
    """
    given = np.asarray(event)
    if not np.isin(given, (0, 1)).all():
        raise ValueError("events must be True or False: booleans, or 0 and 1")
    return given.astype(bool)


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
    def of(cls, event: Array, time: Array) -> "Censoring":
        """From outcomes; at a tie events come before censoring."""
        event = flags(event)
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


def antolini_concordance(event: Array, time: Array, survival: Array, times: Array) -> float:
    """Antolini's time-dependent C (2005): P(S_i(t_i) < S_j(t_i)) of pairs in which i has its event first.

    Args:
        survival: (subjects, times), read at each event's time as of the last column at or before it; 1 before
            the first. A tie counts half.

    Returns:
        nan without a comparable pair.
    """
    event = flags(event)
    curves = np.hstack([np.ones((len(time), 1)), complete(survival, "curves")])
    column = np.searchsorted(times, time, side="right")
    concordant, pairs = 0.0, 0.0
    for start in range(0, int(event.sum()), _BLOCK):
        own = np.flatnonzero(event)[start : start + _BLOCK]
        later = (time[None, :] > time[own, None]) | (
            (time[None, :] == time[own, None]) & ~event[None, :]
        )
        there = curves[:, column[own]].T
        mine = curves[own, column[own]][:, None]
        concordant += float(((mine < there) & later).sum() + 0.5 * ((mine == there) & later).sum())
        pairs += float(later.sum())
    return concordant / pairs if pairs else float("nan")


def brier_scores(
    censoring: Censoring, event: Array, time: Array, survival: Array, times: Array
) -> Array:
    """Brier score at each time with inverse probability of censoring weights (Graf et al. 1999)."""
    survival = complete(survival, "curves")
    weights = _weights(censoring, flags(event), time, times)
    alive = time[:, None] > times[None, :]
    return np.mean(weights * (survival - alive) ** 2, axis=0)


def integrated_brier_score(
    censoring: Censoring, event: Array, time: Array, survival: Array, times: Array
) -> float:
    """Brier scores over [times[0], times[-1]], by the trapezoid rule, divided by that span."""
    if len(times) < 2:
        raise ValueError("an integral needs at least two times")
    scores = brier_scores(censoring, event, time, survival, times)
    return float(np.trapezoid(scores, times) / (times[-1] - times[0]))


def _weights(censoring: Censoring, event: Array, time: Array, times: Array) -> Array:
    """(subjects, times): 1 / G where the state is known, 0 where it is not."""
    ended = (time[:, None] <= times[None, :]) & event[:, None]
    alive = time[:, None] > times[None, :]
    own = np.ones(len(time))
    needed = event & (time <= times.max())
    own[needed] = censoring.at(time[needed])
    return ended / own[:, None] + alive / censoring.at(times)[None, :]


def time_dependent_auc(
    censoring: Censoring, event: Array, time: Array, risk: Array, times: Array
) -> Array:
    """Cumulative/dynamic AUC at each time (Uno et al. 2007): those gone by then against those still there.

    Args:
        risk: (subjects,) or (subjects, times), higher is riskier.

    Returns:
        (times,), nan where one of the sides is empty.
    """
    event = flags(event)
    risk = complete(risk, "risks")
    scores = np.broadcast_to(risk[:, None] if risk.ndim == 1 else risk, (len(time), len(times)))
    found = np.full(len(times), np.nan)
    weight = np.zeros(len(time))
    needed = event & (time <= times.max())
    weight[needed] = 1 / censoring.at(time[needed])
    for column, moment in enumerate(times):
        gone, there = event & (time <= moment), time > moment
        if not gone.any() or not there.any():
            continue
        controls = np.sort(scores[there, column])
        below = np.searchsorted(controls, scores[gone, column], side="left")
        equal = np.searchsorted(controls, scores[gone, column], side="right") - below
        won = (below + 0.5 * equal) / len(controls)
        found[column] = np.average(won, weights=weight[gone])
    return found


def kaplan_meier(event: Array, time: Array, times: Array) -> Array:
    """S(t) of all subjects at some times."""
    moments, place = np.unique(time, return_inverse=True)
    ended = np.bincount(place, weights=flags(event), minlength=len(moments))
    gone = np.bincount(place, minlength=len(moments))
    at_risk = len(time) - np.concatenate([[0], np.cumsum(gone)[:-1]])
    curve = np.concatenate([[1.0], np.cumprod(1 - ended / at_risk)])
    return curve[np.searchsorted(moments, times, side="right")]
