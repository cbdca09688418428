"""How spells end: shares that add up, and follow what the member is like."""

import numpy as np
import pytest

from ris_assets.models.end_causes import EndCauses

RNG = np.random.default_rng(4)


def ends(count: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    failed_before = RNG.poisson(1.0, count).astype(float)
    noise = RNG.normal(size=count)
    chance = np.where(failed_before > 1, 0.7, 0.1)
    cause = np.where(RNG.random(count) < chance, "payment_failed", "lapsed")
    return np.column_stack([failed_before, noise]).astype(np.float32), cause


def test_shares_follow_the_member_and_add_up():
    matrix, cause = ends()
    found = EndCauses.fit(matrix, cause)
    shares = found.predict(np.array([[0, 0], [4, 0], [np.nan, np.nan]], dtype=np.float32))
    assert found.names == ("lapsed", "payment_failed")
    assert shares.sum(axis=1) == pytest.approx(1)
    assert shares[0, 1] < 0.25 < 0.5 < shares[1, 1]
    assert shares[2, 1] == pytest.approx((cause == "payment_failed").mean(), abs=0.1)


def test_of_a_rare_cause_only_the_share_is_known():
    matrix, _ = ends(40)
    cause = np.array(["lapsed"] * 37 + ["payment_failed"] * 3)
    shares = EndCauses.fit(matrix, cause).predict(matrix)
    assert np.ptp(shares, axis=0) == pytest.approx(0)
    assert shares[0, 1] == pytest.approx(4 / 42)


@pytest.mark.parametrize("causes", [[], ["lapsed"] * 5])
def test_one_cause_or_none_is_certain(causes):
    matrix = np.zeros((len(causes), 2), dtype=np.float32)
    found = EndCauses.fit(matrix, np.array(causes))
    assert found.names == ("lapsed",)
    assert found.predict(np.zeros((3, 2))).tolist() == [[1.0]] * 3


def test_three_causes_too():
    matrix, cause = ends()
    cause = np.where(np.arange(len(cause)) % 5 == 0, "moved away", cause)
    shares = EndCauses.fit(matrix, cause).predict(matrix)
    assert shares.shape[1] == 3
    seen = [(cause == name).mean() for name in ("lapsed", "moved away", "payment_failed")]
    assert shares.mean(axis=0) == pytest.approx(seen, abs=0.03)


def test_what_is_stored_says_the_same():
    matrix, cause = ends()
    found = EndCauses.fit(matrix, cause)
    assert np.array_equal(
        EndCauses.from_json(found.to_json()).predict(matrix), found.predict(matrix)
    )
