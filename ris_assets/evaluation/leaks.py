"""What is too good to be true: a challenger, or a column that it goes by, that knows outcomes. Nothing else is judged.

An AUC beyond what behaviour tells, a log loss far below a champion's, probabilities sure of too many, and the two ends
of an order: a column that knows the outcome of some members alone leaves everything else as it should be.
"""

from dataclasses import dataclass

import numpy as np

from ris_assets.evaluation.evidence import Evidence
from ris_assets.evaluation.metrics import log_losses

Array = np.ndarray
TOO_GOOD_AUC, MOST_AUC = 0.97, 0.995
"""No behaviour tells so much: a column knows the outcome. Of few cases it takes more, 0.98 of a hundred: where 0.93 is
the truth, 1 in 10 of ten of either kind is refused, of more none."""
AS_GOOD = 0.01
"""How much more AUC than a champion has is no news."""
TOO_GOOD_SHARE = 0.5
"""Of a champion's log loss: from one model of a studio to the next no more than that is gained."""
ENOUGH_CASES = 10
SURE, SURE_SHARE = 0.995, 0.25
"""A column that knows the outcome of some members alone leaves the AUC below its limit, but a model sure of them: of a
fourth of those with one outcome and of those with the other no model is that stays below it, where log odds are spread
as behaviour spreads them (normally: 0.965 goes with a fifth, 0.93 with a fifteenth)."""
FEWEST_SURE, SURE_HALF = 3, 0.5
"""Of three to nine cases it takes half: of 8,000 windows told truly, AUC up to 0.94, none is refused."""
WRONG, CASES_BETWEEN = 0.002, 20
"""Share of errors up to which an end of an order goes on: at 0.005 a twentieth of honest models among many announced
leavings is refused, at 0 a leak with 3 wrong in a thousand gets by on many rows. And the cases that a line needs."""
OF_A_MODEL, OF_A_COLUMN = (0.05, 6.0), (0.03, 8.0)
"""Share of its outcome that either end must hold, and how many of the expected errors it must lack. Of trees and ridges
that know the outcome of 10, 20, 30 % and tell the others apart with an AUC of 0.70, 77, 99, 100 % are refused on
3,000 rows and 20, 78, 98 % on 1,500; with 0.78 18, 82, 95 % and 3, 24, 60 %; with 0.85 0, 14, 38 % and 1, 0, 9 %. Of
honest ones (0.70 to 0.95, shares of 0.5 to 0.95, heavy tails, segments, announcements by one side) 1 in 1,000 is; where
a fifth is all but certain to stay and a fifth to go, 1 in 80. A column of noise that knows 5 % is refused on 1,000 rows
in 70 %, on 3,000 always, one that knows 10 % always; 2 in 1,000 honest ones are, most where log odds follow a column of
very heavy tails (Student's t of 2 degrees)."""


def too_good(evidence: Evidence) -> list[str]:
    """What no behaviour explains, in sentences: a column may know the outcome."""
    named = _known_to_a_column(evidence)
    signs = [
        *_tells_too_much(evidence), *_gains_too_much(evidence), *_is_too_sure(evidence),
        *_orders_its_ends(evidence), *named,
    ]  # fmt: skip
    if not signs:
        return []
    where = "look at it" if named else "look at the most important one"
    return [
        f"too good to be true, {' and '.join(signs)}: a column may know the outcome, {where};"
        " if it is known beforehand, train with always_promote"
    ]


@dataclass(frozen=True)
class Ends:
    """The rows at both ends of an order that leave almost no outcome in doubt, whatever lies between.

    Attributes:
        rows: which they are, of all of the evidence.
        share: of those without the outcome at the low end, of those with it at the high end: the smaller.
        wrong: how many at either end, low and high, had the other outcome.
        expected: how many would have had, if the line through the rows between went on.
    """

    rows: Array
    share: float
    wrong: tuple[int, int]
    expected: tuple[float, float]

    def are_known(self, share: float, unexpected: float) -> bool:
        """Whether both are long, and lack so many of the errors that the rows between let expect."""
        lacking = min(line - seen for line, seen in zip(self.expected, self.wrong, strict=True))
        return self.share >= share and lacking >= unexpected

    @property
    def told(self) -> str:
        """How many are ordered how well, and what was to be expected."""
        low, high = self.expected
        return (
            f"{self.share:.0%} of either outcome in order with {sum(self.wrong)} errors"
            f" where the others let expect {low:.0f} and {high:.0f}"
        )


def ends_of(outcome: Array, values: Array, rows: Array) -> Ends | None:
    """The ends of an order of some rows, of which the low is to be without the outcome and the high with it.

    By ranks alone: whatever has the same order has the same ends. Rows of one value are not parted.

    Args:
        outcome: 0/1 of all rows.
        values: what orders them; infinite at will, NaN in rows that are not asked.
        rows: which are asked, a mask.

    Returns:
        None where too few rows of one outcome lie between to draw a line through.
    """
    from scipy.stats import norm, rankdata

    places = np.flatnonzero(rows)
    order = places[np.argsort(values[places], kind="stable")]
    happened, ranks = outcome[order], rankdata(values[order])
    low = _length_of_end(happened, ranks)
    top = len(order) - _length_of_end(1 - happened[::-1], ranks[::-1])
    between = happened[low:top]
    if min(between.sum(), len(between) - between.sum()) < CASES_BETWEEN:
        return None
    scores = norm.ppf((ranks - 0.5) / len(order))
    expected = _continued(scores, happened, slice(low, top))
    found = np.zeros(len(outcome), dtype=bool)
    found[np.r_[order[:low], order[top:]]] = True
    lost, kept = happened[:low] < 0.5, happened[top:] > 0.5
    share = min(lost.sum() / (1 - happened).sum(), kept.sum() / happened.sum())
    return Ends(
        rows=found,
        share=float(share),
        wrong=(int((~lost).sum()), int((~kept).sum())),
        expected=(float(expected[:low].sum()), float((1 - expected[top:]).sum())),
    )


def _length_of_end(wrong: Array, ranks: Array) -> int:
    """How many rows from the first on hold almost no error."""
    closes = np.append(ranks[1:] != ranks[:-1], True)
    counts = np.arange(1, len(wrong) + 1)
    fits = np.flatnonzero(closes & (np.cumsum(wrong) <= WRONG * counts))
    return int(fits[-1]) + 1 if len(fits) else 0


def _continued(scores: Array, outcome: Array, known: slice) -> Array:
    """The probability of every row by the logistic line through the known ones."""
    from sklearn.linear_model import LogisticRegression

    line = LogisticRegression(C=1e4).fit(scores[known, None], outcome[known])
    return line.predict_proba(scores[:, None])[:, 1]


def _tells_too_much(evidence: Evidence) -> list[str]:
    """The AUC, where it is beyond its limit.

    That nobody leaves while a pass lasts is no merit: each level is asked for itself.
    """
    told = []
    for rows in _by_level(evidence):
        limit, auc = _limit(evidence, rows), _auc(evidence, evidence.challenger, rows)
        if auc >= limit and _is_news(evidence, rows, auc):
            told.append(f"AUC {auc:.4f} (limit {limit:.4f})")
    return sorted(told)[-1:]


def _by_level(evidence: Evidence) -> list[Array]:
    """The rows of each level."""
    return [evidence.levels == level for level in np.unique(evidence.levels)]


def _auc(evidence: Evidence, said: Array, rows: Array) -> float:
    """Of some rows; nan where they have one outcome alone."""
    from scipy.stats import rankdata
    from sklearn.metrics import roc_auc_score

    outcome = evidence.outcome[rows]
    # Ranks: a column may be infinite.
    ranks = rankdata(said[rows])
    return float(roc_auc_score(outcome, ranks)) if 0 < outcome.sum() < len(outcome) else np.nan


def _cases(evidence: Evidence, rows: Array) -> int:
    """How many rows have the rarer outcome."""
    happened = int(evidence.outcome[rows].sum())
    return min(happened, int(rows.sum()) - happened)


def _limit(evidence: Evidence, rows: Array) -> float:
    """The AUC that no behaviour reaches on some rows; infinite of too few cases."""
    cases = _cases(evidence, rows)
    return min(TOO_GOOD_AUC + 1 / cases, MOST_AUC) if cases >= ENOUGH_CASES else np.inf


def _is_news(evidence: Evidence, rows: Array, auc: float) -> bool:
    """Whether no champion tells nearly as much: then nobody has found it true before."""
    known = evidence.champion
    return known is None or auc >= _auc(evidence, known, rows) + AS_GOOD


def _orders_its_ends(evidence: Evidence) -> list[str]:
    """The ends of the challenger's order, where they know more than the rows between."""
    found = [
        (count / level.sum(), told)
        for level in _by_level(evidence)
        for count, told in _known_at_ends(evidence, evidence.challenger, level, OF_A_MODEL)
    ]
    return [f"{told}, {share:.0%} of rows" for share, told in sorted(found)[-1:]]


def _known_at_ends(
    evidence: Evidence, values: Array, rows: Array, limits: tuple[float, float]
) -> list[tuple[int, str]]:
    """How many rows the ends hold, and the sentence, if they know outcomes and no champion orders them as well."""
    ends = ends_of(evidence.outcome, values, rows)
    if ends is None or not ends.are_known(*limits):
        return []
    if not _is_news(evidence, ends.rows, _auc(evidence, values, ends.rows)):
        return []
    return [(int(ends.rows.sum()), ends.told)]


def _known_to_a_column(evidence: Evidence) -> list[str]:
    """The column that by itself orders outcomes as no behaviour does: where or as it is filled, or at its two ends."""
    found = []
    for name, values in evidence.columns.items():
        for level in _by_level(evidence):
            filled = level & ~np.isnan(values)
            signs = [
                *_known_where_filled(evidence, values, filled, "where it is filled"),
                *_known_where_filled(evidence, filled * 1.0, level, "by being filled or not"),
                *_known_at_ends(evidence, values, filled, OF_A_COLUMN),
                *_known_at_ends(evidence, -values, filled, OF_A_COLUMN),
            ]
            found += [(count / level.sum(), f"{name} alone has {told}") for count, told in signs]
    return [f"{told}, {share:.0%} of rows" for share, told in sorted(found)[-1:]]


def _known_where_filled(
    evidence: Evidence, values: Array, filled: Array, which: str
) -> list[tuple[int, str]]:
    """How many rows a column orders beyond the limit of the AUC, and the sentence."""
    limit, auc = _limit(evidence, filled), abs(_auc(evidence, values, filled) - 0.5) + 0.5
    if not (auc >= limit and _is_news(evidence, filled, auc)):
        return []
    return [(int(filled.sum()), f"AUC {auc:.4f} (limit {limit:.4f}) {which}")]


def _is_too_sure(evidence: Evidence) -> list[str]:
    """The share of either outcome that is said for certain, where it is too large."""

    def sure_of(said: Array, rows: Array) -> float:
        """Of the outcome of which it is smaller."""
        outcome = evidence.outcome[rows]
        right = np.where(outcome > 0.5, said[rows], 1 - said[rows]) > SURE
        return min(float(right[outcome > 0.5].mean()), float(right[outcome <= 0.5].mean()))

    for rows in _by_level(evidence):
        if (cases := _cases(evidence, rows)) < FEWEST_SURE:
            continue
        limit = SURE_SHARE if cases >= ENOUGH_CASES else SURE_HALF
        share, known = sure_of(evidence.challenger, rows), evidence.champion
        if share >= limit and (known is None or sure_of(known, rows) < limit):
            return [f"sure beyond {SURE:.1%} of {share:.0%} of either outcome (limit {limit:.0%})"]
    return []


def _gains_too_much(evidence: Evidence) -> list[str]:
    """The log loss, where it is a small share of a champion's that is a model better than every rule."""
    if evidence.champion is None or evidence.champion_is_rule:
        return []
    own, known, *rules = (
        float(log_losses(evidence.outcome, said).mean())
        for said in (evidence.challenger, evidence.champion, *evidence.rules.values())
    )
    if own >= TOO_GOOD_SHARE * known or known >= min(rules, default=np.inf):
        return []
    return [
        f"log loss {own:.4f} where the champion has {known:.4f} (limit {TOO_GOOD_SHARE * known:.4f})"
    ]
