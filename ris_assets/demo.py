"""The demo: a simulated studio's documents, put where the pipeline will read them. What `ris demo` begins with."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from ris_assets.errors import RisError
from ris_assets.settings import Settings, remember
from ris_assets.studio.config import DATABASE, StudioConfig

PARTITIONED_DAYS = 105
"""Days before the studio's last that get a partition of their own; earlier ones are history.

Fifteen weeks: the out-of-time window of the default training, so that its days can be scored honestly."""


@dataclass(frozen=True)
class Demo:
    """A demo studio on disk."""

    folder: Path
    first_partition: date
    last_day: date

    @property
    def dump(self) -> Path:
        """The documents, as mongodump writes them."""
        return self.folder / "dump" / DATABASE

    @property
    def truth(self) -> Path:
        """The true renewal probabilities, which the pipeline never reads."""
        return self.folder / "truth.parquet"


def demo_folder(settings: Settings) -> Path:
    """Where the demo studio lives."""
    return settings.home / "demo"


def prepare_demo(
    settings: Settings, config: StudioConfig, progress: Callable[[int, int, str], None] | None
) -> Demo:
    """Simulate the studio unless it is there already, and point the settings at it.

    Raises:
        RisError: a demo studio of another size or seed is there, with its tables.
    """
    folder = demo_folder(settings)
    wanted = {"members": config.members, "weeks": config.weeks, "seed": config.seed}
    stamp = folder / "demo.json"
    if stamp.exists():
        kept = json.loads(stamp.read_text())
        if kept["size"] != wanted:
            raise RisError(
                f"A demo studio of another size is in {folder}: {kept['size']}. Keep its size, or use"
                " another RIS_HOME."
            )
        last_day = date.fromisoformat(kept["last_day"])
    else:
        from ris_assets.studio.simulate import simulate

        shutil.rmtree(folder, ignore_errors=True)
        last_day = simulate(config, folder, progress).last_day
        stamp.write_text(json.dumps({"size": wanted, "last_day": last_day.isoformat()}))
    demo = Demo(folder, first_partition(last_day, config.weeks), last_day)
    _point_settings_at(demo, settings)
    return demo


def first_partition(last_day: date, weeks: int) -> date:
    """The first day with a partition of its own: fifteen weeks back, or a fifth of a short history."""
    days = min(PARTITIONED_DAYS, weeks * 7 // 5)
    return last_day - timedelta(days=days - 1)


def _point_settings_at(demo: Demo, settings: Settings) -> None:
    """Remember in RIS_HOME that this studio is the source, unless the environment names another."""
    if settings.mongo_url and settings.mongo_url.startswith("mongodb"):
        from ris_assets.resources.mongo import load_dump

        load_dump(settings.mongo_url, demo.dump)
        source = {}
    else:
        source = {"RIS_MONGO_URL": f"file:{demo.dump}"}
    remember(settings.home, {**source, "RIS_START_DATE": demo.first_partition.isoformat()})
