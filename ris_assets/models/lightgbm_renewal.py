"""LightGBM for renewal: few leaves."""

from collections.abc import Mapping
from typing import ClassVar

from ris_assets.models.boosted_renewal import BoostedRenewal
from ris_assets.models.boosting import EngineName
from ris_assets.models.protocol import Range


class LightgbmRenewal(BoostedRenewal):
    """Trees by LightGBM."""

    family: ClassVar[str] = "lightgbm"
    engine: ClassVar[EngineName] = "lightgbm"
    FILE: ClassVar[str] = "lightgbm.txt"
    PARAMS: ClassVar[Mapping[str, float | int | str]] = {
        "objective": "binary",
        "learning_rate": 0.03,
        "num_leaves": 8,
        "max_depth": 3,
        "min_sum_hessian_in_leaf": 4.0,
        "min_data_in_leaf": 20,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "feature_fraction": 0.5,
        "lambda_l2": 10.0,
        "max_bin": 127,
        "seed": 7,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    SPACE: ClassVar[Mapping[str, Range]] = {
        "num_leaves": Range(4, 24, is_whole=True),
        "max_depth": Range(2, 5, is_whole=True),
        "learning_rate": Range(0.01, 0.1, is_log=True),
        "rounds": Range(100, 600, is_whole=True),
        "feature_fraction": Range(0.2, 0.8),
        "min_sum_hessian_in_leaf": Range(1, 30, is_log=True),
        "lambda_l2": Range(1, 100, is_log=True),
    }
