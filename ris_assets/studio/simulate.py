"""Simulate a demo studio and write it: the way from a config to the files, chunk by chunk."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from ris_assets.studio import documents
from ris_assets.studio.behaviour import Scene, draw_bookings
from ris_assets.studio.bson_columns import encode
from ris_assets.studio.clock import Clock, clock
from ris_assets.studio.config import DATABASE, MEMBERS_A_CHUNK, StudioConfig, StudioSummary
from ris_assets.studio.documents import Chunk, Fields, build_chunk, hexes, topic_rng
from ris_assets.studio.motivation import draw_motivation
from ris_assets.studio.passes import cover, draw_passes
from ris_assets.studio.traits import draw_traits
from ris_assets.studio.truth import Truth, true_chances
from ris_assets.studio.world import World, build_world
from ris_assets.studio.writer import StudioWriter, in_place_when_complete

Progress = Callable[[int, int, str], None]
"""Called with steps done, steps in all, and what has just been done."""

_STEPS_A_CHUNK = 1 + len(documents.OF_MEMBERS) + len(documents.OF_CLASSES)


def simulate(config: StudioConfig, out: Path, progress: Progress | None = None) -> StudioSummary:
    """Write the demo studio of `config` to the folder `out`, replacing an earlier one.

    Leaves `out/dump/hero_studio/*.bson` (what the pipeline reads), `out/truth.parquet` (true
    renewal probabilities, which it must not read) and `out/studio.json`.

    Raises:
        RisError: `out` holds something that is not a demo studio.
    """
    began = time.monotonic()
    config = replace(config, end_date=config.last_day)
    tick = clock(config)
    world = build_world(tick, config.seed)
    sizes = _chunk_sizes(config.members)
    total = len(sizes) * _STEPS_A_CHUNK
    done = 0
    with in_place_when_complete(out) as folder:
        writer = StudioWriter(folder)
        for index, size in enumerate(sizes):
            for text in _write_chunk(config, tick, world, index, size, writer):
                done += 1
                if progress:
                    progress(done, total, text)
        writer.close(_about(config, writer))
    return StudioSummary(
        dump=out / "dump",
        truth=out / "truth.parquet",
        first_day=config.first_day,
        last_day=config.last_day,
        documents=dict(writer.documents),
        truth_rows=writer.truth_rows,
        seconds=time.monotonic() - began,
    )


def _chunk_sizes(members: int) -> list[int]:
    full, rest = divmod(members, MEMBERS_A_CHUNK)
    return [MEMBERS_A_CHUNK] * full + ([rest] if rest else [])


def draw_scene(config: StudioConfig, tick: Clock, world: World, index: int, size: int) -> Scene:
    """Everything latent and every pass of one chunk of members."""
    rng = topic_rng(config.seed, index, "members")
    traits = draw_traits(rng, tick, size)
    motivation = draw_motivation(rng, tick, world, traits)
    passes = draw_passes(rng, tick, world, traits, motivation)
    covered = cover(passes, size, 7 * (tick.weeks + 2))
    return Scene(tick, world, traits, motivation, passes, covered)


def _write_chunk(
    config: StudioConfig, tick: Clock, world: World, index: int, size: int, writer: StudioWriter
) -> Iterator[str]:
    """Write one chunk, yielding the name of each step done."""
    scene = draw_scene(config, tick, world, index, size)
    chunk = build_chunk(config, index, scene)
    if index == 0:
        for name, build_shared in documents.SHARED.items():
            _append(writer, name, build_shared(chunk))
    truth = true_chances(tick, scene.traits, scene.motivation, scene.passes)
    writer.append_truth(_truth_columns(chunk, truth))
    yield "truth"
    for name, build in documents.OF_MEMBERS.items():
        _append(writer, name, build(chunk))
        yield name
    booked = draw_bookings(chunk.rng("bookings"), scene)
    for name, build_from_classes in documents.OF_CLASSES.items():
        _append(writer, name, build_from_classes(chunk, booked))
        yield name


def _append(writer: StudioWriter, name: str, fields: Fields) -> None:
    writer.append(name, encode(fields), fields["_id"].count)


def _truth_columns(chunk: Chunk, truth: Truth) -> dict[str, np.ndarray]:
    passes = chunk.scene.passes
    return {
        "hp_id": hexes(chunk.pass_ids)[truth.pass_row],
        "user_id": hexes(chunk.user_ids)[passes.member[truth.pass_row]],
        "as_of_date": chunk.scene.clock.dates(7 * truth.week + 6),
        "p_renew_30d": truth.within_30,
        "p_renew_60d": truth.within_60,
        "p_renew_90d": truth.within_90,
    }


def _about(config: StudioConfig, writer: StudioWriter) -> dict[str, object]:
    return {
        "database": DATABASE,
        "members": config.members,
        "weeks": config.weeks,
        "seed": config.seed,
        "timezone": config.timezone,
        "first_day": config.first_day.isoformat(),
        "last_day": config.last_day.isoformat(),
        "documents": writer.documents,
        "truth_rows": writer.truth_rows,
    }
