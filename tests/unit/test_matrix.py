"""Which columns a model reads, and how they are encoded."""

import json

import numpy as np
import polars as pl
import pytest

from ris_assets.features.matrix import FeatureSet, catalog_columns, choose_features
from tests.fakes import CATALOG

ROWS = pl.DataFrame(
    {
        "visits": [1.0, None, 3.0],
        "visits_ewma": [2.0, 2.0, None],
        "visits_delta": [-1.0, None, None],
        "steps": pl.Series([None, None, None], dtype=pl.Float64),
        "price": [10, 20, 30],
        "is_frozen": [True, False, None],
        "city": ["Almaty", None, "Astana"],
        "mood": [1.0, 2.0, 3.0],
    }
)


@pytest.fixture
def features() -> FeatureSet:
    return choose_features(ROWS, CATALOG)


def test_an_external_feature_is_read_with_its_norm_and_an_internal_one_as_itself():
    columns = catalog_columns(CATALOG)
    assert columns["visits_delta"] == columns["visits_ewma"] == columns["visits"] == "visits"
    assert columns["price"] == "price"
    assert "price_delta" not in columns


def test_a_feature_out_of_use_is_not_read(features):
    assert "mood" not in features.columns


def test_columns_without_a_value_in_training_are_left_out_and_remembered(features):
    assert "steps" in features.left_out
    assert "steps" not in features.columns


def test_missing_stays_missing_and_unknown_text_is_no_level(features):
    later = ROWS.with_columns(city=pl.Series(["Almaty", "Oral", None]))
    matrix = dict(zip(features.names, features.encode(later).T, strict=True))
    assert np.isnan(matrix["visits"]).tolist() == [False, True, False]
    assert np.isnan(matrix["is_frozen"]).tolist() == [False, False, True]
    assert matrix["city=Almaty"].tolist() == [1, 0, 0]
    assert matrix["city=Astana"].tolist() == [0, 0, 0]


OWN = FeatureSet(("price", "factor_floor"), {"factor_door": ("2", "blue")})


def test_a_factor_that_the_map_no_longer_has_counts_as_missing():
    price = pl.DataFrame({"price": [10.0, 20.0]})
    matrix = OWN.encode(price)
    assert matrix[:, 0].tolist() == [10, 20]
    assert np.isnan(matrix[:, 1]).all()
    assert not matrix[:, 2:].any()
    assert OWN.missing_in(price.columns) == []
    assert OWN.missing_in(["factor_floor"]) == ["price"]


def test_a_factor_is_read_as_it_was_learned_whatever_members_have_by_now():
    price = pl.DataFrame({"price": [1.0, 2.0, 3.0]})
    texts = price.with_columns(
        factor_floor=pl.Series(["3", "cellar", None]), factor_door=pl.Series(["2", "blue", None])
    )
    assert np.isnan(OWN.encode(texts)[:, 1]).tolist() == [False, True, True]
    assert OWN.encode(texts)[0].tolist() == [1, 3, 1, 0]
    numbers = price.with_columns(factor_floor=pl.lit(3.0), factor_door=pl.Series([2.0, 4.0, None]))
    assert OWN.encode(numbers)[:, 2:].tolist() == [[1, 0], [0, 0], [0, 0]]


def test_a_frame_without_a_feature_is_refused(features):
    with pytest.raises(KeyError, match="visits_ewma"):
        features.encode(ROWS.drop("visits_ewma"))


def test_weights_of_columns_add_up_to_shares_of_features(features):
    weights = [4.0 if name.startswith("city=") else -1.0 for name in features.names]
    shares = features.by_feature(weights)
    assert sum(shares.values()) == pytest.approx(1)
    assert next(iter(shares)) == "city"
    assert shares["visits"] == pytest.approx(3 * shares["price"])


def test_a_feature_set_survives_json(features):
    assert FeatureSet.from_json(json.loads(json.dumps(features.to_json()))) == features
