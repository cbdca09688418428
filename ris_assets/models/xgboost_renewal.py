"""XGBoost for renewal: shallow trees."""

from collections.abc import Mapping
from typing import ClassVar

from ris_assets.models.boosted_renewal import BoostedRenewal
from ris_assets.models.boosting import EngineName
from ris_assets.models.protocol import Range


class XgboostRenewal(BoostedRenewal):
    """Trees by XGBoost."""

    family: ClassVar[str] = "xgboost"
    engine: ClassVar[EngineName] = "xgboost"
    FILE: ClassVar[str] = "xgboost.ubj"
    PARAMS: ClassVar[Mapping[str, float | int | str]] = {
        "objective": "binary:logistic",
        "eval_metric": "logloss",
        "tree_method": "hist",
        "max_depth": 3,
        "eta": 0.03,
        "subsample": 0.7,
        "colsample_bytree": 0.5,
        "min_child_weight": 4,
        "lambda": 10.0,
        "max_bin": 128,
        "seed": 7,
    }
    SPACE: ClassVar[Mapping[str, Range]] = {
        "max_depth": Range(2, 5, is_whole=True),
        "eta": Range(0.01, 0.1, is_log=True),
        "rounds": Range(100, 600, is_whole=True),
        "colsample_bytree": Range(0.2, 0.8),
        "min_child_weight": Range(1, 30, is_log=True),
        "lambda": Range(1, 100, is_log=True),
    }
