"""What the logistic baseline says of each column."""

import numpy as np
import polars as pl
import pytest

from ris_assets.evaluation.calibration import sigmoid
from ris_assets.models import logistic
from ris_assets.models.logistic import LogisticRenewal
from ris_assets.models.protocol import Fold


def test_coefficients_of_the_baseline_tell_direction_and_size():
    rng = np.random.default_rng(3)
    matrix = rng.normal(size=(2000, 3)).astype(np.float32)
    chance = sigmoid(1.5 * matrix[:, 0] - 0.7 * matrix[:, 1])
    target = (rng.random(2000) < chance).astype(float)
    matrix[rng.random(2000) < 0.1, 1] = np.nan
    model = LogisticRenewal().fit(Fold(matrix, target, np.ones(2000)))
    table = model.coefficients(["up", "down", "nothing"])
    assert table["column"][0] == "up"
    assert set(table["reading"]) <= {"value", "log", "missing"}
    signs = dict(table.unique("column", keep="first", maintain_order=True)["column", "sign"].rows())
    assert (signs["up"], signs["down"]) == ("+", "-")
    assert table["odds_ratio"].to_numpy() == pytest.approx(np.exp(table["coefficient"].to_numpy()))
    by_column = table.group_by("column").agg(pl.col("coefficient").abs().sum())
    sizes = dict(by_column.rows())
    assert [sizes.get(name, 0.0) for name in ("up", "down", "nothing")] == pytest.approx(
        model.importance().tolist()
    )
    assert sizes.get("nothing", 0.0) < 0.1 < sizes["down"] < sizes["up"]


def test_of_more_rows_than_the_solver_holds_an_even_choice_is_learned(monkeypatch):
    rng = np.random.default_rng(3)
    matrix = np.sort(rng.normal(size=(4000, 1)), axis=0).astype(np.float32)
    target = (rng.random(4000) < sigmoid(1.5 * matrix[:, 0])).astype(float)
    rows = Fold(matrix, target, np.ones(4000))
    whole = LogisticRenewal().fit(rows).predict(matrix)
    monkeypatch.setattr(logistic, "MOST_ROWS", 1000)
    chosen = LogisticRenewal().fit(rows)
    assert chosen.predict(matrix) == pytest.approx(whole, abs=0.1)
    assert (chosen.predict(matrix) != whole).any()
