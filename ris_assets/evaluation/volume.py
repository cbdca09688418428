"""Whether as much happened on a day as on the same weekday of the weeks before, and whether anything still does."""

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise
from statistics import median

WEEKS = 8
MIN_WEEKS = 4
SIGMAS = 4.0
SILENT_FROM = 20
SILENT_DAYS, LONGEST_GAPS = 7, 3
"""Days without anything that are a silence: more than a week, and than three times the longest gap before."""
_MAD_TO_SIGMA = 1.4826


def judge_days(counts: Sequence[int], last: date) -> tuple[str, str]:
    """Status (ok, warn, fail) of the last day of some, and the rule that decided.

    Args:
        counts: of each day, oldest first, from nine weeks before the last day with anything.
        last: the day of the last count.

    What has fallen silent stays a warning, and a failure where it was 20 a day or more, for as long as it is silent:
    the weekdays of the weeks before would soon be silent, too.
    """
    return _silence(counts, last) or judge_volume(counts[-8::-7][::-1], counts[-1])


def _silence(counts: Sequence[int], last: date) -> tuple[str, str] | None:
    """Status and rule, where there has been nothing for too long; None too of what was seen for less than 4 weeks."""
    seen = [day for day, count in enumerate(counts) if count]
    if not seen or (before := seen[-1] - seen[0] + 1) < MIN_WEEKS * 7:
        return None
    silent = len(counts) - 1 - seen[-1]
    gap = max(later - earlier for earlier, later in pairwise(seen))
    if silent <= max(SILENT_DAYS, LONGEST_GAPS * gap):
        return None
    usual = sum(counts) / before
    rule = f"nothing since {last - timedelta(days=silent)}, before that {usual:.3g} a day"
    return "fail" if usual >= SILENT_FROM else "warn", rule


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
