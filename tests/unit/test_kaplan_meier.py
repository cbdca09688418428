"""Curves by segment and the log-rank test: by hand, and what lifelines says on its data sets."""

import numpy as np
import polars as pl
import pytest
from lifelines import KaplanMeierFitter
from lifelines.datasets import load_gbsg2, load_waltons
from lifelines.statistics import logrank_test, multivariate_logrank_test
from scipy.stats import chi2

from ris_assets.errors import RisError
from ris_assets.evaluation.kaplan_meier import kaplan_meier_by_segment, log_rank


def test_a_curve_by_hand():
    found = kaplan_meier_by_segment([2, 3, 3, 5], [1, 1, 0, 1], ["a"] * 4)
    assert found["time"].to_list() == [2, 3, 5]
    assert found["at_risk"].to_list() == [4, 3, 1]
    assert found["events"].to_list() == [1, 1, 1]
    assert found["survival"].to_list() == pytest.approx([3 / 4, 1 / 2, 0])
    spread = 1.959964 * np.sqrt(1 / 12 + 1 / 6) / np.log(2)
    assert found["low"][1] == pytest.approx(0.5 ** np.exp(spread), abs=1e-6)
    assert found["high"][1] == pytest.approx(0.5 ** np.exp(-spread), abs=1e-6)
    assert found["low"][2] is found["high"][2] is None


def test_before_the_first_event_all_are_there():
    found = kaplan_meier_by_segment([1, 2], [False, True], [7, 7])
    assert found.row(0) == (7, 1.0, 2, 0, 1.0, 1.0, 1.0)


def test_who_enters_late_is_at_risk_from_then_on():
    """The third enters when the first leaves, the fourth when the second does: neither is beside them."""
    found = kaplan_meier_by_segment(
        [2, 3, 3, 4, 5], [1, 1, 0, 0, 1], ["a"] * 5, entry=[0, 0, 2, 2, 3]
    )
    assert found["at_risk"].to_list() == [2, 3, 2, 1]
    assert found["survival"].to_list() == pytest.approx([1 / 2, 1 / 3, 1 / 3, 0])


@pytest.mark.parametrize("late", [False, True])
def test_curves_are_those_of_lifelines(late):
    data = load_gbsg2()
    entry = (
        np.random.default_rng(0).uniform(0, data["time"] / 2) * (data.index > 300) if late else None
    )
    found = kaplan_meier_by_segment(data["time"], data["cens"], data["tgrade"], entry)
    assert found["segment"].unique(maintain_order=True).to_list() == ["I", "II", "III"]
    for grade, part in found.group_by("segment"):
        own = (data["tgrade"] == grade[0]).to_numpy()
        peer = KaplanMeierFitter().fit(
            data["time"][own], data["cens"][own], entry=None if entry is None else entry[own]
        )
        alive = part.filter(pl.col("survival") > 0)
        assert alive.height > 50
        theirs = peer.survival_function_.loc[alive["time"].to_numpy()].to_numpy()[:, 0]
        bounds = peer.confidence_interval_.loc[alive["time"].to_numpy()].to_numpy()
        assert alive["survival"].to_numpy() == pytest.approx(theirs)
        assert alive.select("low", "high").to_numpy() == pytest.approx(bounds)


def test_a_risk_set_that_dies_out_too_early_is_named():
    with pytest.raises(RisError, match="segment 'b': all 1 at risk at 2 have the event"):
        kaplan_meier_by_segment(
            [5, 6, 2, 9], [1, 1, 1, 1], ["a", "a", "b", "b"], entry=[0, 0, 1, 3]
        )


def test_log_rank_by_hand():
    """One event at 1 among two and two, one at 2 among one and two: expected in a 1/2 + 1/3."""
    found = log_rank([1, 3, 2, 4], [1, 0, 1, 0], ["a", "a", "b", "b"])
    assert found.statistic == pytest.approx((1 - 5 / 6) ** 2 / (1 / 4 + 2 / 9))
    assert found.degrees == 1
    assert found.p_value == pytest.approx(chi2.sf(found.statistic, 1))
    assert found.pairs.select("first", "second").rows() == [("a", "b")]
    assert found.pairs["p_holm"].to_list() == found.pairs["p_value"].to_list() == [found.p_value]


def test_log_rank_is_that_of_lifelines():
    data = load_gbsg2()
    found = log_rank(data["time"], data["cens"], data["tgrade"])
    peer = multivariate_logrank_test(data["time"], data["tgrade"], data["cens"])
    assert (found.statistic, found.p_value) == pytest.approx((peer.test_statistic, peer.p_value))
    assert found.degrees == 2
    parts = {grade: data[data["tgrade"] == grade] for grade in ("I", "II", "III")}
    theirs = [
        logrank_test(
            parts[one]["time"], parts[other]["time"], parts[one]["cens"], parts[other]["cens"]
        ).p_value
        for one, other in found.pairs.select("first", "second").rows()
    ]
    assert found.pairs["p_value"].to_list() == pytest.approx(theirs)
    least, middle, most = sorted(theirs)
    holm = [3 * least, max(3 * least, 2 * middle), max(3 * least, 2 * middle, most)]
    assert sorted(found.pairs["p_holm"]) == pytest.approx(holm)


def test_equal_p_values_are_adjusted_alike():
    """The first pair counts for three, the second for two, yet never for less than the first."""
    duration = [1, 2, 3, 4, 5, 6, 5, 7, 8, 9, 10, 11, 5, 7, 8, 9, 10, 12]
    pairs = log_rank(duration, [1] * 18, ["a"] * 6 + ["b"] * 6 + ["c"] * 6).pairs
    assert pairs["p_value"][0] == pytest.approx(pairs["p_value"][1])
    expected = [3 * pairs["p_value"][0], 3 * pairs["p_value"][1], pairs["p_value"][2]]
    assert pairs["p_holm"].to_list() == pytest.approx(expected)


def test_segments_that_differ_are_told_apart():
    data = load_waltons()
    assert log_rank(data["T"], data["E"], data["group"]).p_value < 1e-20
    shuffled = np.random.default_rng(0).permutation(data["group"])
    assert log_rank(data["T"], data["E"], shuffled).p_value > 0.01


def test_a_segment_never_at_risk_says_nothing():
    found = log_rank([2, 4, 3, 5, 1], [1, 0, 1, 0, 0], [1, 1, 2, 2, 3])
    assert found.degrees == 1
    assert found.pairs.filter(second=3)["p_value"].to_list() == [1, 1]


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (([1, 2], [0, 0], ["a", "b"]), RisError, "0 of 2 segments"),
        (([1, 2], [1, 1], ["a", "a"]), RisError, "1 of 1 segments"),
        (([1, 2], [1, 1], ["a", None]), ValueError, "1 subjects have no segment"),
        (([1, -2], [1, 1], ["a", "b"]), ValueError, "not be negative"),
        (([1, np.nan], [1, 1], ["a", "b"]), ValueError, "duration must be finite"),
        (([1, 2], [1, 2], ["a", "b"]), ValueError, "0 and 1"),
        (([1, 2, 3], [1, 1], ["a", "b"]), ValueError, "duration has shape"),
        (([], [], []), ValueError, "no subject"),
    ],
)
def test_bad_input_is_named(arguments, error, said):
    with pytest.raises(error, match=said):
        log_rank(*arguments)


def test_an_entry_after_the_end_is_named():
    with pytest.raises(ValueError, match="before the duration"):
        kaplan_meier_by_segment([1, 2], [1, 1], ["a", "a"], entry=[0, 2])
