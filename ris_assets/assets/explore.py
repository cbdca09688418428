"""Source stage: the profile of the document source and a drafted map, as `ris explore` makes them."""

from typing import Any

import dagster as dg

from ris_assets.extract.profiling.explore import Bounds
from ris_assets.extract.profiling.report import collections_table
from ris_assets.extract.profiling.write import Explored, explore_and_write
from ris_assets.resources.mongo import MongoResource
from ris_assets.settings import get_settings

GROUP = "source"


class ExploreConfig(dg.Config):
    """How much of each collection is looked at."""

    sample_documents: int = Bounds.documents
    sample_seconds: float = Bounds.seconds


@dg.asset(
    group_name=GROUP,
    description="What is in the document source: collections, fields, types, fill, references; written to"
    " RIS_HOME/schemas with a drafted source map.",
    kinds={"mongodb", "json"},
)
def source_profile(
    context: dg.AssetExecutionContext, config: ExploreConfig, mongo: MongoResource
) -> dg.MaterializeResult[Any]:
    """Profile every collection and write the reports."""
    settings = get_settings()
    with mongo.open() as source:
        found = explore_and_write(
            source,
            settings.home / "schemas",
            settings.timezone,
            bounds=Bounds(config.sample_documents, config.sample_seconds),
            progress=lambda done, total, name: context.log.info(f"{done}/{total} {name}"),
        )
    return dg.MaterializeResult(metadata=_metadata(found))


def _metadata(found: Explored) -> dict[str, Any]:
    """Counts, guesses and paths; never a value of any document."""
    collections = found.profile.collections
    return {
        "collections": dg.MetadataValue.md("\n".join(collections_table(found.profile))),
        "collection_count": len(collections),
        "path_count": sum(len(one.fields) + one.further_paths for one in collections),
        "unreadable_collections": sum(one.problem is not None for one in collections),
        "drafted": dg.MetadataValue.md("\n".join(_drafted(found))),
        "entities_drafted": len(found.mapped),
    } | {path.name: dg.MetadataValue.path(path) for path in found.paths}


def _drafted(found: Explored) -> list[str]:
    lines = ["| entity | where | confidence |", "|---|---|--:|"]
    for guess in found.mapped:
        where = guess.frame.place if guess.frame else ""
        lines.append(f"| {guess.entity} | `{where}` | {guess.confidence:.2f} |")
    return lines
