"""The search for settings: bounded, seeded, and no better than chance allows."""

from typing import ClassVar

import numpy as np
import pytest

from ris_assets.models.protocol import Range
from ris_assets.models.search import search

MEMBERS = np.arange(400) // 4


class Parabola:
    """A family whose losses depend on one setting, lowest at 3; `rounds` is a whole number without effect."""

    SPACE: ClassVar = {"x": Range(0.1, 10, is_log=True), "rounds": Range(1, 5, is_whole=True)}

    def __init__(self, settings):
        self.x = settings.get("x", 0.2)
        assert isinstance(settings.get("rounds", 1), int)


def losses(noise):
    def of(estimator, balance, window):
        rng = np.random.default_rng(window)
        return (np.log(estimator.x / 3) ** 2) * 0.1 + noise * rng.normal(size=400), MEMBERS

    return of


def test_better_settings_are_found_and_the_defaults_tried_first():
    found = search(Parabola, losses(0.01), windows=2, trials=25, seconds=60)
    assert found.settings["x"] == pytest.approx(3, rel=0.5)
    assert dict(found.trials[0].settings) == {}
    assert len(found.trials) == 25
    assert found.gain > found.gain_error
    assert any(trial.is_stopped and trial.windows == 1 for trial in found.trials)


def test_the_same_search_finds_the_same():
    one, two = (search(Parabola, losses(0.01), 2, 10, 60) for _ in range(2))
    assert one.settings == two.settings
    assert [t.log_loss for t in one.trials] == [t.log_loss for t in two.trials]


def test_what_may_be_chance_leaves_the_defaults():
    def chance(estimator, balance, window):
        seed = abs(hash((estimator.x, balance, window))) % 2**32
        return np.random.default_rng(seed).normal(0, 1, 400), MEMBERS

    found = search(Parabola, chance, 2, 4, 60)
    best = min(trial.log_loss for trial in found.trials if not trial.is_stopped)
    assert not found.settings or found.gain > found.gain_error
    assert best <= found.trials[0].log_loss


@pytest.mark.parametrize(("trials", "windows"), [(1, 2), (10, 0)])
def test_nothing_to_search_or_nothing_to_judge_by(trials, windows):
    assert search(Parabola, losses(0.1), windows, trials, 60).trials == ()


def test_time_is_up_after_the_defaults():
    assert len(search(Parabola, losses(0.1), 2, 50, seconds=-1).trials) == 1
