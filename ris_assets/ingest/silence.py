"""Until when a source tells of passes that renew themselves: they go on until now, and a dump ends before."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from ris_assets.extract.plan import INSTANT
from ris_assets.extract.shape import CHANGED

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
"""Times before computers are none."""
MANY_SPACINGS = 20
"""So many times what lies between two documents without any: by chance in 2 of a billion."""
_LONG = timedelta(days=7)
_PAST = ("purchased_at", CHANGED)
"""What is told once it has happened; ends are told beforehand."""


@dataclass
class Told:
    """The first and last instants that documents tell of, up to now, and how many documents there are."""

    now: datetime
    documents: int = 0
    first: datetime | None = None
    last: datetime | None = None

    def add(self, frame: pl.DataFrame) -> None:
        """Take in what was read of some documents."""
        self.documents += frame.height
        times = [name for name in _PAST if frame.schema.get(name) == INSTANT]
        if not times or frame.is_empty():
            return
        flat = frame.select(pl.concat_list(times).explode().alias("at")).drop_nulls()
        come = flat.filter(pl.col("at").is_between(EARLIEST, self.now))["at"]
        ends = [
            at for at in (self.first, self.last, come.min(), come.max()) if isinstance(at, datetime)
        ]
        self.first, self.last = min(ends, default=None), max(ends, default=None)

    @property
    def silent_since(self) -> datetime | None:
        """The last instant, where it lies too long ago for chance."""
        if self.first is None or self.last is None:
            return None
        spacing = (self.last - self.first) / self.documents
        is_silent = self.now - self.last > max(_LONG, MANY_SPACINGS * spacing)
        return self.last if is_silent else None
