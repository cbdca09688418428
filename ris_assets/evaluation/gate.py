"""Which model may score: a challenger that is better than everything simple and than the champion, beyond chance.

All are judged on the same out-of-time rows; intervals come from drawing members, not rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ris_assets.evaluation.calibration import Platt
from ris_assets.evaluation.metrics import log_losses
from ris_assets.evaluation.probability_scores import CalibrationLine, Interval, calibration_line

Array = np.ndarray
ROUNDS = 1000
MISLEADING, WORSE = 0.05, 0.01
"""Miscalibration, beyond its interval, from which probabilities mislead, and by how much more than a rival's counts as
worse. 0.05 is a slope of 0.6 or 1.8, or odds off by a factor of 1.8; 0.01 a slope of 0.8 or odds off by a fourth."""
TOO_GOOD_AUC = 0.995
"""No behaviour tells so much: a column knows the outcome."""
ENOUGH_CASES = 30
OWN_MEAN = "its own mean said of everyone"


@dataclass(frozen=True)
class Evidence:
    """The gate's rows: outcome 0/1, who they belong to, and what each side said of them.

    Attributes:
        rules: simple rules by name, the base rate at least; a challenger has to beat each.
        champion: what the champion says; None when there is none, or when it has seen these rows.
        level: whole numbers that part rows which anyone can tell apart (does a pass end in the week?).
    """

    outcome: Array
    members: Array
    challenger: Array
    rules: Mapping[str, Array]
    champion: Array | None = None
    level: Array | None = None

    @property
    def own_mean(self) -> Array:
        """The challenger's mean said of everyone: a level that fits by luck is beaten by no order of members."""
        level = np.zeros(len(self.outcome), dtype=int) if self.level is None else self.level
        counts = np.maximum(np.bincount(level), 1)
        return (np.bincount(level, weights=self.challenger) / counts)[level]


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


def judge(evidence: Evidence, has_champion: bool, has_seen_these: bool = False) -> Verdict:
    """Judge a challenger.

    Args:
        evidence: out-of-time rows and what each side said.
        has_champion: whether one is in office, comparable or not.
        has_seen_these: the challenger was fitted on some of these rows, so nothing here counts.

    Returns:
        Promote if it beats every rule, its own mean and the champion in log loss beyond the interval of the
        difference, and its calibration is sound and no worse than that of the rules and the champion. A champion
        that cannot be compared stays.

    Raises:
        ValueError: the challenger says of a row nothing, or no probability.
    """
    if not ((evidence.challenger >= 0) & (evidence.challenger <= 1)).all():
        raise ValueError("the challenger does not give a probability of every row")
    rivals = {**evidence.rules, OWN_MEAN: evidence.own_mean}
    if evidence.champion is not None:
        rivals["champion"] = evidence.champion
    compared = {_named(name): _compared(evidence, rival) for name, rival in rivals.items()}
    against = [
        f"does not beat {name} beyond chance: {told}"
        for name, (gain, told) in compared.items()
        if not gain.low > 0
    ]
    if has_seen_these:
        against.insert(0, "was fitted on days of the window that it is judged on")
    against += _miscalibrated(evidence) + _too_good(evidence)
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
    own, line = _miscalibration(evidence, evidence.challenger)
    told = (
        f"predicts {evidence.challenger.mean():.1%} where {evidence.outcome.mean():.1%} happened,"
        f" calibration slope {line.slope:.2f}"
    )
    wrong = []
    if mean_interval(own, evidence.members).low > MISLEADING:
        wrong.append(told)
    rivals = dict(evidence.rules)
    if evidence.champion is not None:
        rivals["champion"] = evidence.champion
    for name, said in rivals.items():
        theirs, _ = _miscalibration(evidence, said)
        if mean_interval(own - theirs, evidence.members).low > WORSE:
            wrong.append(
                f"worse calibrated than the {name}, {own.mean():.1%} of the log loss against"
                f" {theirs.mean():.1%}: {told}"
            )
    return wrong


def _miscalibration(evidence: Evidence, said: Array) -> tuple[Array, CalibrationLine]:
    """The log loss of each row that the right level and slope would save, as a share of what there is to know.

    The mean is 0 where probabilities are right, whatever they tell apart; 1 is the entropy of the share that
    happened, so that rare and common outcomes are held to the same.
    """
    outcome, line = evidence.outcome, calibration_line(evidence.outcome, said)
    if np.isnan(line.in_the_large):
        return np.zeros(len(outcome)), line
    is_flat = np.isnan(line.slope)
    right = Platt(line.in_the_large, 1.0) if is_flat else Platt(line.intercept, line.slope)
    saved = log_losses(outcome, said) - log_losses(outcome, right.apply(said))
    share = outcome.mean()
    return saved / log_losses(share, share), line


def _too_good(evidence: Evidence) -> list[str]:
    """A leak gives itself away by being right about nearly everyone."""
    from sklearn.metrics import roc_auc_score

    cases = evidence.outcome.sum()
    if min(cases, len(evidence.outcome) - cases) < ENOUGH_CASES:
        return []
    auc = float(roc_auc_score(evidence.outcome, evidence.challenger))
    if auc < TOO_GOOD_AUC:
        return []
    return [f"too good to be true, AUC {auc:.4f}: a column may know the outcome"]


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
