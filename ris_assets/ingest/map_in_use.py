"""Which source map is in force."""

from pathlib import Path

from ris_assets.extract.source_map import SourceMap, load_source_map
from ris_assets.settings import get_settings

DEMO_SOURCE_MAP = Path(__file__).parent.parent / "studio" / "source_map.yaml"


def source_map_in_use() -> SourceMap:
    """The source map of the settings, or the demo studio's.

    Raises:
        RisError: it cannot be read or does not fit.
    """
    return load_source_map(get_settings().source_map or DEMO_SOURCE_MAP)
