"""Reading entities as if for the first time, where what was read before came of a map that was wrong."""

from collections.abc import Sequence

from ris_assets.contracts.entities import ENTITIES
from ris_assets.contracts.landing import EXTRACTION_LOG, FIELD_PROFILE, REJECTS, WATERMARKS
from ris_assets.extract.source_map import SourceMap
from ris_assets.resources.landing import ensure_landing
from ris_assets.resources.postgres import PostgresResource


def read_with_another_map(postgres: PostgresResource, source_map: SourceMap) -> list[str]:
    """Entities that keep versions and were last read with a map that was not this one.

    What the two maps read differently counts from the day of the second: as-of honesty cannot tell a map
    that was mended from a document that has changed.
    """
    postgres.ensure_table(WATERMARKS)
    with postgres.connect() as connection:
        rows = connection.execute(
            f"select distinct entity, map_fingerprint from {WATERMARKS.qualified} order by entity"
        ).fetchall()
    mapped = source_map.entities
    changed = (name for name, used in rows if name in mapped and mapped[name].fingerprint != used)
    return list(dict.fromkeys(changed))


def forget_extractions(postgres: PostgresResource, names: Sequence[str]) -> dict[str, int]:
    """Drop all that was ever read of entities, with what is remembered of reading it; rows dropped by entity."""
    ensure_landing(postgres)
    dropped = {}
    with postgres.connect() as connection:
        for name in names:
            tables = [table.qualified for table in ENTITIES[name].tables]
            counted = connection.execute(f"select count(*) from {tables[0]}").fetchone()
            dropped[name] = int(counted[0]) if counted else 0
            connection.execute(f"truncate {', '.join(tables)}")
            for kept in (EXTRACTION_LOG, REJECTS, WATERMARKS, FIELD_PROFILE):
                connection.execute(f"delete from {kept.qualified} where entity = %s", [name])
    return dropped
