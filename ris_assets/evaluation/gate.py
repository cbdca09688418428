"""Which model may score: a challenger that is better than everything simple and than the champion, beyond chance.

All are judged on the same out-of-time rows; intervals come from drawing members, not rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ris_assets.evaluation.evidence import Evidence
from ris_assets.evaluation.leaks import too_good
from ris_assets.evaluation.metrics import ROUNDING, log_losses, reliability
from ris_assets.evaluation.probability_scores import Interval, calibration_line, recalibrated

Array = np.ndarray
ROUNDS = 1000
MISLEADING = 0.05
"""Miscalibration, beyond its interval, from which probabilities mislead: a slope of 0.6 or 1.8, odds off by a factor
of 1.8."""
WORSE, WORSE_THAN_A_RULE = 0.0025, 0.01
"""By how much more than a rival's it counts as worse, beyond the interval: than a model's a slope of 0.88 or odds off
by a seventh, than a rule's a slope of 0.8 or odds off by a fourth. A rule tells members apart too little for a wrong
slope to cost it anything, and a season that moves all alike costs the more the more one tells apart. Where it is
wrong beyond its own interval, the second counts as found: the difference has twice the noise. Of 600 sound challengers
on 300 and 2,000 rows none is kept out; of those with odds off by a third, or a slope of 1.4, one in twelve to one in
three on 300 rows, five in six and more on 2,000."""
LATER_MEMBERS = 30
"""Of either outcome, from which the calibration of a further horizon is judged: a window holds few whose is known."""
THIRDS = ("lowest", "middle", "highest")
OWN_MEAN = "its own mean said of everyone"
NO_ROW = "there is no row to judge by"
NO_RULE = "there is no rule to beat: not even a base rate was known before these rows"


@dataclass(frozen=True)
class Verdict:
    """Whether the candidate becomes champion, and the sentences that say why."""

    is_promoted: bool
    reason: str
    reasons: tuple[str, ...] = field(default=())

    @property
    def decision(self) -> str:
        """Promote or Keep."""
        return "Promote" if self.is_promoted else "Keep"


def judge(
    evidence: Evidence,
    has_champion: bool,
    has_seen_these: bool = False,
    later: Mapping[str, Evidence] | None = None,
) -> Verdict:
    """Judge a challenger.

    Args:
        evidence: out-of-time rows and what each side said.
        has_champion: whether one is in office, comparable or not.
        has_seen_these: the challenger was fitted on what tells of these rows, so nothing here counts.
        later: what was said of further horizons, by their names: its calibration has to be sound there too.

    Returns:
        Promote if it beats every rule, its own mean and the champion in log loss beyond the interval of the
        difference, its calibration is sound and no worse than that of the rules and the champion, and it is not
        too good to be true. A champion that cannot be compared stays, and so does any where there is no row or rule.

    Raises:
        ValueError: one side says of a row nothing, or no probability, a row is nobody's, or the columns are not of one
            length.
    """
    evidence = evidence.as_columns()
    if not len(evidence.outcome):
        return Verdict(False, f"Keep: {NO_ROW}", (NO_ROW,))
    rivals = {**evidence.rules, OWN_MEAN: evidence.own_mean}
    if evidence.champion is not None:
        rivals["champion"] = evidence.champion
    compared = {_named(name): _compared(evidence, rival) for name, rival in rivals.items()}
    against = [
        f"does not beat {name} beyond chance: {told}"
        for name, (gain, told) in compared.items()
        if not gain.low > ROUNDING
    ]
    if not evidence.rules:
        against.insert(0, NO_RULE)
    if has_seen_these:
        against.insert(0, "was fitted on days of the window that it is judged on")
    against += _miscalibrated(evidence) + too_good(evidence)
    for horizon, one in (later or {}).items():
        columns = one.as_columns()
        wrong = _miscalibrated(columns) if _tells_of_calibration(columns) else []
        against += [f"{horizon}: {told}" for told in wrong]
    if has_champion and evidence.champion is None:
        against.append("the champion has seen later data and cannot be compared")
    if against:
        return Verdict(False, "Keep: " + "; ".join(against), tuple(against))
    beaten = tuple(f"beats {name}: {told}" for name, (_, told) in compared.items())
    return Verdict(True, "Promote: " + "; ".join(beaten), beaten)


def _named(name: str) -> str:
    return name if name == OWN_MEAN else f"the {name}"


def _compared(evidence: Evidence, rival: Array) -> tuple[Interval, str]:
    """How much lower the challenger's log loss is, with its interval, and the sentence."""
    own, other = (log_losses(evidence.outcome, said) for said in (evidence.challenger, rival))
    gain = mean_interval(other - own, evidence.members)
    told = (
        f"log loss {own.mean():.4f} against {other.mean():.4f},"
        f" better by {gain.value:.4f} ({gain.low:.4f} to {gain.high:.4f})"
    )
    return gain, told


def mean_interval(
    values: Array, members: Array, rounds: int = ROUNDS, level: float = 0.95, seed: int = 0
) -> Interval:
    """Mean of rows and its percentile interval, members drawn whole.

    Of few members it is wider, by what Student's t and the lost degree of freedom ask for: draws from few alone
    would call a difference that is none beyond chance three times too often. One member has no bounds.
    """
    from scipy.stats import norm, t

    _, place = np.unique(members, return_inverse=True)
    sums = np.bincount(place, weights=values)
    counts = np.bincount(place).astype(float)
    mean, count = float(values.mean()), len(sums)
    if count < 2:
        return Interval(mean, -np.inf, np.inf)
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(rounds):
        picked = rng.integers(count, size=count)
        drawn.append(sums[picked].sum() / counts[picked].sum())
    tail = (1 - level) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    wider = t.isf(tail, count - 1) / norm.isf(tail) * np.sqrt(count / (count - 1))
    return Interval(mean, float(mean - wider * (mean - low)), float(mean + wider * (high - mean)))


def _miscalibrated(evidence: Evidence) -> list[str]:
    """What is wrong with the challenger's probabilities, in sentences."""
    own = _miscalibration(evidence, evidence.challenger)
    surely = mean_interval(own, evidence.members).low
    wrong = []
    if surely > MISLEADING:
        wrong.append("its probabilities mislead")
    for name, (said, worse) in _held_against(evidence).items():
        theirs = _miscalibration(evidence, said)
        more = mean_interval(own - theirs, evidence.members)
        if more.low > worse or (surely > 0 and more.value > WORSE_THAN_A_RULE):
            wrong.append(
                f"worse calibrated than the {name}, {own.mean():.1%} of the log loss against"
                f" {theirs.mean():.1%}"
            )
    return [f"{told}: {_calibration_told(evidence)}" for told in wrong]


def _tells_of_calibration(evidence: Evidence) -> bool:
    """Whether enough members have either outcome: of a dozen rows any line saves half of the log loss."""
    happened = evidence.outcome > 0.5
    sides = evidence.members[happened], evidence.members[~happened]
    return min(len(np.unique(side)) for side in sides) >= LATER_MEMBERS


def _calibration_told(evidence: Evidence) -> str:
    """Level, slope, and where the challenger's probabilities are farthest from what happened."""
    outcome, said = evidence.outcome, evidence.challenger
    told = (
        f"predicts {said.mean():.1%} where {outcome.mean():.1%} happened,"
        f" calibration slope {calibration_line(outcome, said).slope:.2f}"
    )
    thirds = reliability(outcome, said, bins=len(THIRDS)).select(
        "predicted_share", "observed_share"
    )
    if thirds.height < len(THIRDS):
        return told
    gaps = [abs(predicted - observed) for predicted, observed in thirds.iter_rows()]
    worst = int(np.argmax(gaps))
    predicted, observed = thirds.row(worst)
    return f"{told}, of the {THIRDS[worst]} third {predicted:.1%} where {observed:.1%} happened"


def _held_against(evidence: Evidence) -> dict[str, tuple[Array, float]]:
    """Whose calibration the challenger's is compared with, and how much worse it may be."""
    rivals = {name: (said, WORSE_THAN_A_RULE) for name, said in evidence.rules.items()}
    if evidence.champion is not None:
        worse = WORSE_THAN_A_RULE if evidence.champion_is_rule else WORSE
        rivals["champion"] = (evidence.champion, worse)
    return rivals


def _miscalibration(evidence: Evidence, said: Array) -> Array:
    """The log loss of each row that the right bent line would save, as a share of what there is to know.

    The mean is 0 where probabilities are right, whatever they tell apart; 1 is the entropy of the share that
    happened, so that rare and common outcomes are held to the same.
    """
    outcome, share = evidence.outcome, evidence.outcome.mean()
    if share in (0, 1):
        return np.zeros(len(outcome))
    saved = log_losses(outcome, said) - log_losses(outcome, recalibrated(outcome, said))
    return saved / log_losses(share, share)


def rule_shares(
    fitted: Sequence[float] | Array, outcome: Array, asked: Array, edges: Sequence[float]
) -> Array:
    """A rule of one number: the share seen before in its bin; the share of all where the bin was empty.

    Args:
        fitted: the number in rows whose outcome is known; NaN is a bin of its own.
        asked: the number in the rows to say it of.
        edges: inner bounds of the bins, rising.
    """
    bounds = np.asarray(edges, dtype=float)

    def bins(values: Array) -> Array:
        return np.where(np.isnan(values), len(bounds) + 1, np.searchsorted(bounds, values, "right"))

    before = bins(np.asarray(fitted, dtype=float))
    hits = np.bincount(before, weights=outcome, minlength=len(bounds) + 2)
    seen = np.bincount(before, minlength=len(bounds) + 2)
    shares = np.where(seen > 0, hits / np.maximum(seen, 1), outcome.mean())
    return shares[bins(np.asarray(asked, dtype=float))]
