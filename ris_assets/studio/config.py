"""What to simulate, and what came out of it. No drawing of random numbers lives here."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ris_assets.errors import RisError

DATABASE = "hero_studio"
MEMBERS_A_CHUNK = 2_500
"""Members simulated and written at once: bounds the memory; part of what a seed means."""


def _studio_yesterday(zone: str) -> date:
    return (datetime.now(ZoneInfo(zone)) - timedelta(days=1)).date()


@dataclass(frozen=True)
class StudioConfig:
    """Size, time and seed of a demo studio. The same config gives the same bytes.

    Attributes:
        members: persons who register, at least 1.
        weeks: simulated weeks, the one of `end_date` included (it may be unfinished).
        seed: seed of every random draw.
        end_date: last simulated studio day; None means yesterday in `timezone`.
        timezone: the studio's zone, a name of the tz database.
    """

    members: int = 1_500
    weeks: int = 78
    seed: int = 7
    end_date: date | None = None
    timezone: str = "Asia/Almaty"

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated."""
        if self.members < 1 or self.weeks < 1:
            raise RisError(
                f"The demo studio needs at least 1 member and 1 week, not {self.members} members "
                f"and {self.weeks} weeks: give larger numbers."
            )
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise RisError(
                f"The demo studio's time zone {self.timezone!r} is unknown: give a name of the tz "
                "database such as Asia/Almaty."
            ) from error

    @property
    def last_day(self) -> date:
        """The last simulated studio day."""
        return self.end_date or _studio_yesterday(self.timezone)

    @property
    def first_day(self) -> date:
        """The Monday on which the simulation starts."""
        monday = self.last_day - timedelta(days=self.last_day.weekday())
        return monday - timedelta(weeks=self.weeks - 1)


@dataclass(frozen=True)
class StudioSummary:
    """Where the demo studio was written and how much of it there is."""

    dump: Path
    truth: Path
    first_day: date
    last_day: date
    documents: dict[str, int] = field(default_factory=dict)
    truth_rows: int = 0
    seconds: float = 0.0
