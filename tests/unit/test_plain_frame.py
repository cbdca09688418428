"""Whatever a plain frame brings, a logged model reads numbers, text and nulls."""

from decimal import Decimal

import polars as pl

from ris_assets.features.matrix import FeatureSet
from ris_assets.models.plain_frame import plain_columns

FEATURES = FeatureSet(("visits", "is_frozen"), {"city": ("Almaty",)})


def test_numbers_become_float64_text_becomes_text_and_what_is_absent_is_null():
    frame = pl.DataFrame(
        {
            "city": pl.Series(["Almaty", None], dtype=pl.Categorical),
            "is_frozen": [True, None],
            "price": [Decimal("5.5"), Decimal(7)],
            "unread": ["a", "b"],
        }
    )
    found = plain_columns(frame, FEATURES, ("price",))
    assert found.schema == {
        "visits": pl.Float64,
        "is_frozen": pl.Float64,
        "price": pl.Float64,
        "city": pl.String,
    }
    assert found.to_dict(as_series=False) == {
        "visits": [None, None],
        "is_frozen": [1.0, None],
        "price": [5.5, 7.0],
        "city": ["Almaty", None],
    }
