"""The model card (Mitchell et al. 2019) as markdown: what a model is for, what it saw, how good it is, its limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ris_assets.evaluation.probability_scores import Interval

RENEWAL_USE = (
    "For a retention team: who of today's members is least likely to buy the next pass, why, and what that is worth. "
    "Calls and offers, never the refusal of a service; no decision about a person without a person."
)
SURVIVAL_USE = (
    "How long a member's spell goes on: P(lost) within days, expected weeks left, and what a band of members is worth. "
    "For planning. Scores, and the order of calls by them, take the curve as made to agree with the renewal model."
)
LIMITS = (
    "Says what will happen if nothing changes, not what a call would change.",
    "Learned from this business's own history: prices, places and habits that it has not seen are beyond it.",
    "Members without activity are known by their profile and their passes alone.",
    "Reasons tell how a member differs from their own norm; they are no causes.",
)


@dataclass(frozen=True)
class Card:
    """What a card says.

    Attributes:
        facts: name -> value, in the order to show.
        metrics: name -> value, with its interval where there is one.
        found: headed tables in markdown.
    """

    title: str
    use: str
    facts: Mapping[str, object]
    verdict: str
    metrics: Mapping[str, float | Interval]
    found: Mapping[str, str] = field(default_factory=dict)
    limits: Sequence[str] = LIMITS

    def markdown(self) -> str:
        """The card."""
        parts = [f"# {self.title}", self.use, "## What it is", *_bullets(self.facts)]
        parts += ["## What the gate said", self.verdict, "## How good it is, out of time"]
        parts += _metrics(self.metrics)
        for heading, table in self.found.items():
            parts += [f"## {heading}", table]
        parts += ["## Limits", "\n".join(f"- {limit}" for limit in self.limits)]
        return "\n\n".join(parts) + "\n"


def number(value: float) -> str:
    """A metric as a person reads it: counts whole, all else to four digits."""
    return f"{value:,.0f}" if value > 1 and value == round(value) else f"{value:.4f}"


def _bullets(facts: Mapping[str, object]) -> list[str]:
    return ["\n".join(f"- {name}: {value}" for name, value in facts.items())]


def _metrics(metrics: Mapping[str, float | Interval]) -> list[str]:
    if not metrics:
        return ["Nothing to judge it on yet."]
    lines = ["| metric | value | 95% interval |", "|---|---|---|"]
    for name, found in metrics.items():
        if isinstance(found, Interval):
            lines.append(f"| {name} | {found.value:.4f} | {found.low:.4f} to {found.high:.4f} |")
        else:
            lines.append(f"| {name} | {number(found)} | |")
    return ["\n".join(lines)]
