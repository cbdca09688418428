"""Which model may score: the better candidate, if it beats the base rate and the champion."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """Whether the candidate becomes champion, and the sentence that says why."""

    is_promoted: bool
    reason: str


def best(log_losses: Mapping[str, float]) -> str:
    """The candidate with the lowest out-of-time log loss, ties by name."""
    return min(sorted(log_losses), key=lambda name: log_losses[name])


def judge(
    candidate: float, base_rate: float, champion: float | None, has_champion: bool
) -> Verdict:
    """Judge out-of-time log losses, all on the same rows.

    Args:
        candidate: of the best candidate.
        base_rate: of the share that renewed before, said of everyone.
        champion: of the champion in office; None when it cannot be compared honestly.
        has_champion: whether one is in office.
    """
    told = f"log loss {candidate:.4f}, base rate {base_rate:.4f}"
    if candidate >= base_rate:
        if has_champion:
            return Verdict(False, f"kept the champion: {told}, no better than the base rate")
        return Verdict(True, f"first model, though no better than the base rate: {told}")
    if champion is None:
        why = (
            "the champion has seen later data and cannot be compared"
            if has_champion
            else "first model"
        )
        return Verdict(not has_champion, f"{why}: {told}")
    told += f", champion {champion:.4f}"
    if candidate > champion:
        return Verdict(False, f"kept the champion: {told}")
    return Verdict(True, f"at least as good as the champion: {told}")
