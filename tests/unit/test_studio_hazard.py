"""The written-down hazard and the exact forecast of motivation that the truth rests on."""

import numpy as np
import pytest

from ris_assets.studio import hazard, motivation
from ris_assets.studio.arrays import sigmoid


@pytest.mark.parametrize(("mean", "spread"), [(0.0, 0.0), (1.2, 0.7), (-2.0, 1.5), (3.0, 2.0)])
def test_the_quadrature_agrees_with_a_fine_sum(mean: float, spread: float) -> None:
    grid = np.linspace(-9, 9, 20_001)
    density = np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi) * (grid[1] - grid[0])
    fine = (density * (1 - hazard.FAILED) * sigmoid(mean + spread * grid)).sum()
    found = hazard.expected_chance(np.array([mean]), np.array([spread]))[0]
    assert found == pytest.approx(fine, abs=1e-6)


def test_the_forecast_of_a_reading_is_that_of_its_simulation() -> None:
    rng, steps, count = np.random.default_rng(1), 7, 400_000
    x, norm = np.full(count, 0.8), np.full(count, -0.3)
    for _ in range(steps):
        x, norm = (
            motivation.RHO * x + motivation.SIGMA * rng.normal(size=count),
            (1 - motivation.NORM) * norm + motivation.NORM * x,
        )
    reading = 1.5 * x + 0.6 * (x - norm)
    weights = motivation.readings(1.5, 0.6, steps)
    assert weights[steps] @ [0.8, -0.3] == pytest.approx(reading.mean(), abs=0.01)
    assert motivation.reading_spread(weights)[steps] == pytest.approx(reading.std(), rel=0.01)


def test_delays_follow_their_table() -> None:
    delays = hazard.draw_delay(np.random.default_rng(2), 200_000)
    for day in (-11, -4, -1, 0, 3, 29, 30):
        later = hazard.still_to_buy(np.array([day]))[0]
        assert (delays > day).mean() == pytest.approx(later, abs=0.005)


def test_who_has_not_bought_near_the_end_is_less_likely_to() -> None:
    chance, days = np.full(4, 0.7), np.array([-20, -5, -1, 0])
    within_30, within_60, within_90 = hazard.chances_before_end(
        chance, days, 30 + days, np.full(4, 30)
    )
    assert np.all(np.diff(within_30[[1, 2, 3]]) < 0)
    assert np.all(within_30 < within_60) and np.all(within_60 < within_90)
    assert within_30[0] == pytest.approx(0.7 * (1 - hazard.CANCELLED), abs=0.01)


@pytest.mark.parametrize(
    ("change", "sign"),
    [
        ({"discipline": 1.0}, 1),
        ({"wanted": 5.0}, 1),
        ({"is_silent": True}, -1),
        ({"price_worry": 0.12}, -1),
        ({"pass_number": 6}, 1),
        ({"product": 0}, -1),
    ],
)
def test_each_trait_pushes_the_way_it_is_written(change: dict, sign: int) -> None:
    base = {"discipline": 0.0, "wanted": 2.5, "is_silent": False, "price_worry": 0.0,
            "pass_number": 1, "product": 1}  # fmt: skip

    def eta(**values: float) -> float:
        return float(hazard.fixed_part(**{k: np.array([v]) for k, v in values.items()})[0])

    assert sign * (eta(**base | change) - eta(**base)) > 0
