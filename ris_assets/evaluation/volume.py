"""Whether as much happened on a day as on the same weekday of the weeks before."""

from collections.abc import Sequence
from statistics import median

WEEKS = 8
MIN_WEEKS = 4
SIGMAS = 4.0
SILENT_FROM = 20
_MAD_TO_SIGMA = 1.4826


def judge_volume(counts: Sequence[int], today: int) -> tuple[str, str]:
    """Status (ok, warn, fail) of a day's count and the rule that decided.

    Args:
        counts: what was counted on the same weekday of the weeks before, oldest first. Weeks of nothing before
            the first of something are no past: the studio had not begun, or did not open on that weekday.
        today: the count of the day.

    A silent day fails where the median was 20 or more; a warning is a distance of more than four robust
    standard deviations from the median of the last eight weeks (at least those of a Poisson count).
    """
    begun = next((week for week, count in enumerate(counts) if count), 0)
    past = list(counts)[begun:][-WEEKS:]
    if len(past) < MIN_WEEKS:
        return "ok", f"fewer than {MIN_WEEKS} weeks to compare with"
    usual = median(past)
    if today == 0 and usual >= SILENT_FROM:
        return "fail", f"nothing, usually {usual:g}"
    spread = _MAD_TO_SIGMA * median(abs(count - usual) for count in past)
    sigma = max(spread, usual**0.5, 1.0)
    if abs(today - usual) > SIGMAS * sigma:
        return "warn", f"{today} is {abs(today - usual) / sigma:.1f} sigmas from {usual:g}"
    return "ok", f"{today}, usually {usual:g}"
