"""Which source map is in force. It is read once and again when its file changes."""

from functools import lru_cache
from pathlib import Path

from ris_assets.errors import RisError
from ris_assets.extract.source_map import SourceMap, load_source_map
from ris_assets.settings import get_settings

DEMO_SOURCE_MAP = Path(__file__).parent.parent / "studio" / "source_map.yaml"


def source_map_in_use() -> SourceMap:
    """The source map of the settings, or the demo studio's.

    Raises:
        RisError: it cannot be read or does not fit.
    """
    return source_map_at(get_settings().source_map or DEMO_SOURCE_MAP)


def source_map_at(path: Path) -> SourceMap:
    """The source map of a file.

    Raises:
        RisError: it cannot be read or does not fit.
    """
    try:
        state = path.stat()
    except OSError as error:
        raise RisError(f"Source map {path} cannot be read: {error.strerror}.") from error
    return _loaded(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=8)
def _loaded(path: Path, _modified: int, _size: int) -> SourceMap:
    return load_source_map(path)
