"""Trying again: what went away may come back, and nothing was kept of the attempt before."""

import time
from collections.abc import Callable
from typing import TypeVar

from ris_assets.errors import Interrupted, RisError

WAITS = (1.0, 3.0, 9.0, 20.0)
"""Seconds before each further attempt."""
T = TypeVar("T")


def persistently(attempt: Callable[[], T], warn: Callable[[str], None]) -> T:
    """Call `attempt` until it succeeds, at most once more than there are `WAITS`.

    Raises:
        RisError: it was interrupted every time; the sentence is that of the last interruption.
    """
    for number, wait in enumerate(WAITS, start=1):
        try:
            return attempt()
        except Interrupted as error:
            warn(f"{error} Attempt {number} of {len(WAITS) + 1} failed; the next is in {wait:g} s.")
            time.sleep(wait)
    try:
        return attempt()
    except Interrupted as error:
        raise RisError(
            f"{error} Given up after {len(WAITS) + 1} attempts; what was there before is whole, and the"
            " run can be repeated."
        ) from error
