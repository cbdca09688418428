"""Explore a source and write down what was found: the one call behind the command and the asset."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ris_assets.extract.profiling.draft import EntityGuess, draft_map
from ris_assets.extract.profiling.draft_yaml import draft_yaml
from ris_assets.extract.profiling.explore import (
    Bounds,
    Explorable,
    OnProgress,
    SourceProfile,
    explore_source,
)
from ris_assets.extract.profiling.report import profile_json, profile_markdown, write_reports
from ris_assets.extract.profiling.report_html import profile_html
from ris_assets.extract.profiling.standins import with_standins

DRAFT = "source_map.draft.yaml"
_GRACE = timedelta(days=31)
"""So long after a table was made it is known of all in it whether they came back in time."""


@dataclass(frozen=True)
class Explored:
    """What was found, what was guessed from it, and where that is written."""

    profile: SourceProfile
    guesses: list[EntityGuess]
    paths: list[Path]

    @property
    def mapped(self) -> list[EntityGuess]:
        """Entities that the draft maps uncommented."""
        return [guess for guess in self.guesses if guess.is_active]


def explore_and_write(
    source: Explorable,
    out: Path,
    timezone: str,
    draft: Path | None = None,
    bounds: Bounds | None = None,
    progress: OnProgress = lambda *_: None,
) -> Explored:
    """Profile a source, draft a map, and write `profile.json`, `.md`, `.html` and the draft.

    Args:
        source: the documents.
        out: folder of the reports.
        timezone: zone of date texts that carry none, for the draft.
        draft: where the drafted map goes; default: into the folder.
        bounds: how much of each collection is looked at.
        progress: told of steps done, steps in all, and the collection at hand.

    Raises:
        RisError: the source cannot be read, or the reports cannot be written.
    """
    profile = explore_source(source, bounds or Bounds(), progress)
    made_on = (datetime.now(UTC) - _GRACE).date()
    guesses = with_standins(draft_map(profile.collections), profile.collections, made_on)
    texts = {
        Path("profile.json"): profile_json(profile),
        Path("profile.md"): profile_markdown(profile),
        Path("profile.html"): profile_html(profile, guesses),
        (draft.absolute() if draft else Path(DRAFT)): draft_yaml(guesses, timezone),
    }
    return Explored(profile, guesses, write_reports(out, texts))
