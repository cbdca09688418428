"""The truth of single passes against a brute-force simulation of what may follow a Sunday."""

from datetime import date

import numpy as np
import pytest

from ris_assets.studio import hazard, motivation
from ris_assets.studio.behaviour import Scene
from ris_assets.studio.clock import clock
from ris_assets.studio.config import StudioConfig
from ris_assets.studio.passes import NEVER, fixed_reading
from ris_assets.studio.simulate import draw_scene
from ris_assets.studio.truth import Truth, true_chances
from ris_assets.studio.world import build_world

PATHS = 200_000


@pytest.fixture(scope="module")
def scene() -> Scene:
    config = StudioConfig(members=800, weeks=60, seed=8, end_date=date(2024, 6, 30))
    tick = clock(config)
    return draw_scene(config, tick, build_world(tick, config.seed), 0, config.members)


@pytest.fixture(scope="module")
def truth(scene: Scene) -> Truth:
    return true_chances(scene.clock, scene.traits, scene.motivation, scene.passes)


def brute_force(scene: Scene, row: int, week: int, rng: np.random.Generator) -> float:
    """P(renew within 30 days | neither bought nor cancelled by that Sunday), by simulation."""
    passes, paths = scene.passes, scene.motivation
    member, end = passes.member[row], passes.end[row]
    x, norm = np.full(PATHS, paths.x[member, week]), np.full(PATHS, paths.norm[member, week])
    for later in range(week + 1, end // 7 + 1):
        x, norm = (
            motivation.RHO * x
            + paths.push[member, later]
            + motivation.SIGMA * rng.normal(size=PATHS),
            (1 - motivation.NORM) * norm + motivation.NORM * x,
        )
    eta = fixed_reading(scene.traits, passes)[row]
    eta = eta + hazard.ON_MOTIVATION * (paths.mean[member] + x) + hazard.ON_DROP * (x - norm)
    sunday = 7 * week + 6
    cancelled = np.where(
        rng.random(PATHS) < hazard.CANCELLED,
        rng.integers(passes.start[row], end + 1, PATHS),
        NEVER,
    )
    renews = (rng.random(PATHS) < hazard.renewal_chance(eta)) & (cancelled == NEVER)
    bought = end + hazard.draw_delay(rng, PATHS)
    possible = (cancelled > sunday) & ~(renews & (bought <= sunday))
    return float(renews[possible].mean())


@pytest.mark.parametrize("kind", ["a coach leaves", "near the end", "long before the end"])
def test_the_truth_is_what_brute_force_finds(scene: Scene, truth: Truth, kind: str) -> None:
    passes = scene.passes
    end = passes.end[truth.pass_row]
    ahead = end // 7 - truth.week
    unbought = truth.within_30 < 1
    traits = scene.traits
    left = scene.world.left_on[traits.club, traits.coach][passes.member[truth.pass_row]] // 7
    chosen = {
        "a coach leaves": (left > truth.week) & (left <= end // 7) & (ahead < 6),
        "near the end": end - (7 * truth.week + 6) < 5,
        "long before the end": ahead > 12,
    }[kind]
    rows = np.flatnonzero(chosen & unbought)
    rng = np.random.default_rng(11)
    for row in rng.choice(rows, 4, replace=False):
        found = brute_force(scene, truth.pass_row[row], truth.week[row], rng)
        assert truth.within_30[row] == pytest.approx(found, abs=0.006)
