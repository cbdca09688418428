"""Cox regression: by hand, against lifelines and R on shipped data, what is refused, what segments lend each other."""

import numpy as np
import polars as pl
import pytest
from lifelines import CoxPHFitter, CoxTimeVaryingFitter
from lifelines.datasets import load_gbsg2, load_rossi, load_stanford_heart_transplants
from lifelines.statistics import proportional_hazard_test
from scipy.stats import norm

from ris_assets.models.cox import CoxRefusedError, RiskSets, fit_cox, fit_cox_by_segment

ROSSI = ["fin", "age", "prio", "mar"]
GBSG = ["age", "tsize", "pnodes", "progrec"]


def whole_lives(frame, duration, event):
    """One row a subject, from 0."""
    return pl.from_pandas(frame).with_columns(
        spell_id=pl.int_range(pl.len()), start=0.0, stop=pl.col(duration), event=pl.col(event)
    )


def rossi():
    return whole_lives(load_rossi(), "week", "arrest")


def simulated(count=1500, seed=0, effects=(0.8, -0.5), rate=0.05):
    """Exponential lives, censored at random."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(count, len(effects)))
    life = rng.exponential(1 / (rate * np.exp(matrix @ np.array(effects))))
    until = rng.exponential(30, size=count)
    columns = {name: matrix[:, place] for place, name in enumerate("abcdef"[: len(effects)])}
    return pl.DataFrame(
        {
            "spell_id": np.arange(count),
            "start": np.zeros(count),
            "stop": np.minimum(life, until),
            "event": life <= until,
            **columns,
        }
    )


def split(intervals, at):
    """The same lives in two rows each."""
    early = intervals.with_columns(
        stop=pl.min_horizontal("stop", pl.lit(at)), event=pl.col("event") & (pl.col("stop") <= at)
    )
    late = intervals.filter(pl.col("stop") > at).with_columns(start=pl.lit(at))
    return pl.concat([early, late])


def test_four_lives_by_hand():
    """r / (2r + 2) * 1 / (r + 2) is greatest at r = sqrt(2)."""
    lives = pl.DataFrame(
        {
            "spell_id": [1, 2, 3, 4],
            "start": [0, 0, 0, 0],
            "stop": [1, 2, 3, 4],
            "event": [1, 1, 0, 0],
            "treated": [True, False, True, False],
        }
    )
    found = fit_cox(lives, ["treated"])
    ratio = np.sqrt(2)
    first, second = ratio / (ratio + 1), ratio / (ratio + 2)
    error = (first * (1 - first) + second * (1 - second)) ** -0.5
    row = found.table.row(0, named=True)
    assert row["hazard_ratio"] == pytest.approx(ratio, abs=1e-3)
    assert row["hr_high"] == pytest.approx(ratio * np.exp(1.959964 * error), rel=1e-3)
    assert row["hazard_ratio_per_sd"] == pytest.approx(ratio**0.5, abs=1e-3)
    assert row["z"] == pytest.approx(np.log(ratio) / error, abs=1e-3)
    assert found.log_likelihood == pytest.approx(np.log(ratio / (2 * ratio + 2) / (ratio + 2)))
    assert found.concordance == pytest.approx((2.5 + 0.5) / 5)
    assert (found.events, found.rows) == (2, 4)


def test_lives_in_pieces_are_the_same_lives():
    lives = simulated(400)
    whole, pieces = fit_cox(lives, ["a", "b"]), fit_cox(split(lives, 3.0), ["a", "b"])
    for column in ("coef", "hr_low", "z", "proportionality_p"):
        assert pieces.table[column].to_list() == pytest.approx(
            whole.table[column].to_list(), rel=1e-4
        )
    assert pieces.log_likelihood == pytest.approx(whole.log_likelihood)
    assert pieces.concordance == pytest.approx(whole.concordance)
    assert pieces.rows > whole.rows


@pytest.mark.parametrize(
    ("lives", "columns"),
    [(rossi(), ROSSI), (whole_lives(load_gbsg2(), "time", "cens"), GBSG)],
    ids=["rossi", "gbsg2"],
)
def test_whole_lives_are_those_of_lifelines(lives, columns):
    found = fit_cox(lives, columns)
    peer = CoxPHFitter().fit(lives.select(*columns, "stop", "event").to_pandas(), "stop", "event")
    table = found.table
    assert table["feature"].to_list() == columns
    for ours, theirs in {
        "coef": "coef",
        "hazard_ratio": "exp(coef)",
        "hr_low": "exp(coef) lower 95%",
        "hr_high": "exp(coef) upper 95%",
        "z": "z",
    }.items():
        assert table[ours].to_numpy() == pytest.approx(peer.summary[theirs].to_numpy(), rel=1e-3)
    assert table["p_value"].to_numpy() == pytest.approx(peer.summary["p"].to_numpy(), rel=0.01)
    assert found.log_likelihood == pytest.approx(peer.log_likelihood_)
    assert found.concordance == pytest.approx(peer.concordance_index_, abs=1e-3)


def test_changing_covariates_are_those_of_r():
    """The Stanford heart transplants of the R package survival, its coefficients and errors."""
    data = pl.from_pandas(load_stanford_heart_transplants())
    columns = ["age", "year", "surgery", "transplant"]
    found = fit_cox(data, columns, id_column="id").table
    assert found["coef"].to_list() == pytest.approx([0.0272, -0.1463, -0.6372, -0.0103], abs=1e-4)
    error = found["coef"] / found["z"]
    assert error.to_list() == pytest.approx([0.0137, 0.0705, 0.3672, 0.3138], abs=1e-4)


@pytest.mark.parametrize(
    ("lives", "columns"),
    [(rossi(), ROSSI), (whole_lives(load_gbsg2(), "time", "cens"), GBSG)],
    ids=["rossi", "gbsg2"],
)
def test_averaged_proportionality_is_that_of_lifelines(lives, columns):
    frame = lives.sort("stop").select(*columns, "stop", "event").to_pandas()
    peer = CoxPHFitter().fit(frame, "stop", "event")
    theirs = proportional_hazard_test(peer, frame, time_transform="log").p_value
    matrix = frame[columns].to_numpy(dtype=float)
    stop, event = frame["stop"].to_numpy(), frame["event"].to_numpy(dtype=bool)
    sets = RiskSets.of(matrix - matrix.mean(axis=0), np.zeros(len(stop)), stop, event)
    ours = sets.proportionality(peer.params_.to_numpy(), sets.clock("log"), averaged=True)
    assert ours == pytest.approx(theirs, abs=1e-3)


def wandering(seed, count=400, weeks=30):
    """Weeks of lives of which `a` spreads with time while its effect fades."""
    rng = np.random.default_rng(seed)
    a = np.cumsum(rng.normal(size=(count, weeks)), axis=1) / 4
    b = rng.normal(size=(count, 1)) + 0.5 * a
    effect = np.linspace(0.84, 0.12, weeks)
    died = rng.random((count, weeks)) < 0.03 * np.exp(effect * a + 0.4 * b)
    last = np.where(died.any(axis=1), died.argmax(axis=1), weeks - 1)
    who, week = np.nonzero(np.arange(weeks) <= last[:, None])
    columns = {"a": a[who, week], "b": b[who, week], "event": died[who, week]}
    return pl.DataFrame({"spell_id": who, "start": week, "stop": week + 1, **columns})


@pytest.mark.parametrize("seed", [0, 2])
def test_proportionality_is_wald_s_test_of_a_trend(seed):
    """Each covariate beside itself times the clock, as lifelines fits them; one average covariance would not do."""
    lives = wandering(seed)
    found = fit_cox(lives, ["a", "b"], clock="log").table
    clock = np.log(lives["stop"]) - np.log(lives.filter("event")["stop"]).mean()
    trends = lives.select(
        "start", "stop", "event", "a", "b", at=pl.col("a") * clock, bt=pl.col("b") * clock
    )
    peer = CoxTimeVaryingFitter().fit(trends.to_pandas(), event_col="event")
    wald = peer.summary["z"].loc[["at", "bt"]].abs().to_numpy()
    assert norm.isf(found["proportionality_p"].to_numpy() / 2) == pytest.approx(wald, abs=0.02)
    matrix = lives.select("a", "b").to_numpy()
    sets = RiskSets.of(matrix, *lives.select("start", "stop", "event").to_numpy().T)
    averaged = sets.proportionality(found["coef"].to_numpy(), sets.clock("log"), averaged=True)
    assert norm.isf(averaged[0] / 2) < wald[0] - 0.15


def test_proportionality_finds_an_effect_that_fades():
    rng = np.random.default_rng(4)
    early, late = simulated(2000, 1, (1.0, 0.3)), simulated(2000, 2, (0.0, 0.3))
    renewed = early["stop"] > 5
    stop = np.where(renewed, 5 + late["stop"], early["stop"])
    fading = early.with_columns(
        stop=pl.Series(stop), event=pl.Series(np.where(renewed, late["event"], early["event"]))
    )
    shuffled = fading.with_columns(a=pl.Series(rng.permutation(fading["a"])))
    assert fit_cox(fading, ["a", "b"]).table["proportionality_p"][0] < 1e-6
    assert fit_cox(shuffled, ["a", "b"]).table["proportionality_p"][0] > 0.01


def test_a_unit_and_a_deviation():
    lives = simulated(600)
    hundredfold = fit_cox(lives.with_columns(pl.col("a") * 100), ["a", "b"]).table
    found = fit_cox(lives, ["a", "b"]).table
    assert hundredfold["coef"][0] * 100 == pytest.approx(found["coef"][0])
    assert hundredfold["hazard_ratio_per_sd"][0] == pytest.approx(found["hazard_ratio_per_sd"][0])
    deviation = lives["a"].std(ddof=0)
    assert found["hr_per_sd_low"][0] == pytest.approx(found["hr_low"][0] ** deviation)


def test_ridge_shrinks():
    lives = simulated(300)
    free, held = fit_cox(lives, ["a", "b"]), fit_cox(lives, ["a", "b"], penalizer=1.0)
    assert (held.table["coef"].abs() < 0.7 * free.table["coef"].abs()).all()


LIVES = simulated(300)


@pytest.mark.parametrize(
    ("expression", "columns", "named", "said"),
    [
        (pl.lit(3.0), ["a", "x"], ("x",), "constant: x"),
        (pl.lit(1e9) + pl.col("a") * 1e-6, ["b", "x"], ("x",), "constant: x"),
        (2 * pl.col("a") + 1, ["a", "b", "x"], ("a", "x"), r"above 100\): a \+ x"),
        (pl.col("a") - pl.col("b"), ["a", "b", "x"], ("a", "b", "x"), r"a \+ b \+ x"),
        (pl.col("a") + 0.03 * pl.col("b").shuffle(1), ["a", "b", "x"], ("a", "x"), r"a \+ x"),
        (~pl.col("event") & (pl.col("a") > 0), ["a", "x"], ("x",), "no event where x > 0"),
        (pl.col("event") | (pl.col("a") > 0), ["a", "x"], ("x",), "no event where x < 1"),
        (1 - pl.col("stop"), ["a", "x"], ("x",), "x know the events beforehand"),
        (pl.col("stop") / 2, ["a", "x"], ("x",), "x know the events beforehand"),
        (pl.col("stop").log() + 0.1 * pl.col("b"), ["a", "x"], ("x",), "absurd estimates for x"),
        (pl.lit("kz"), ["a", "x"], ("x",), "neither numbers nor booleans: x"),
        (pl.when(pl.col("a") < 0).then(pl.col("a")), ["a", "x"], ("x",), r"x \(1\d\d\): fill them"),
        (1 / pl.col("a").clip(0), ["a", "x"], ("x",), "infinite values in x"),
        (pl.col("a"), ["a", "absent"], ("absent",), "no column absent"),
    ],
)
def test_bad_columns_are_refused_by_name(expression, columns, named, said):
    with pytest.raises(CoxRefusedError, match=said) as caught:
        fit_cox(LIVES.with_columns(x=expression), columns)
    assert caught.value.columns == named


def test_what_only_the_clock_tells_is_refused():
    """A tenure beside a baseline hazard over tenure: almost nothing is left to compare."""
    weeks = split(split(LIVES, 2.0), 6.0).with_columns(tenure=pl.col("start") + 0.01 * pl.col("b"))
    with pytest.raises(CoxRefusedError, match="tenure: the same for everyone at risk"):
        fit_cox(weeks, ["a", "tenure"])


def test_columns_that_separate_together_are_refused():
    corner = (pl.col("a") > 0) & (pl.col("b") > 0)
    lives = LIVES.with_columns(
        pl.col("event") & ~corner, x=pl.col("a") > 0, y=pl.col("b") > 0, both=corner.cast(pl.Int8)
    )
    with pytest.raises(CoxRefusedError, match="no event where both > 0") as caught:
        fit_cox(lives, ["x", "y", "both"])
    assert caught.value.columns == ("both",)
    rest = lives.with_columns(x_only=pl.col("x") & ~pl.col("y"), y_only=pl.col("y") & ~pl.col("x"))
    with pytest.raises(CoxRefusedError, match="absurd estimates"):
        fit_cox(rest, ["x", "x_only", "y_only"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"stop": pl.col("start")}, "start is not before stop"),
        ({"spell_id": pl.lit(1)}, "overlaps with another of the same spell_id"),
        ({"event": pl.lit(2)}, "event is neither 0 nor 1"),
        ({"event": pl.lit(False)}, "no row ends with the event"),
        ({"event": pl.col("spell_id") == 5}, "1 events are too few for 2 columns"),
        ({"stop": pl.lit(None, pl.Float64)}, r"stop \(300\)"),
    ],
)
def test_broken_rows_are_refused(change, said):
    with pytest.raises(CoxRefusedError, match=said):
        fit_cox(LIVES.with_columns(**change), ["a", "b"])


def test_rows_after_the_event_are_refused():
    after = (
        LIVES.filter("event")
        .head(3)
        .with_columns(start=pl.col("stop"), stop=pl.col("stop") + 1, event=pl.lit(False))
    )
    with pytest.raises(CoxRefusedError, match="in 3 of 303 rows it comes after the event"):
        fit_cox(pl.concat([LIVES, after]), ["a", "b"])


def test_columns_are_needed_once_each():
    for columns in ([], ["a", "a"]):
        with pytest.raises(ValueError, match="each once"):
            fit_cox(LIVES, columns)


def test_missing_values_stand_at_the_median_when_asked_to():
    gaps = LIVES.with_columns(a=pl.when(pl.col("spell_id") >= 20).then(pl.col("a")))
    filled = gaps.with_columns(pl.col("a").fill_null(pl.col("a").median()))
    found = fit_cox(gaps, ["a", "b"], impute=True)
    assert found.table.equals(fit_cox(filled, ["a", "b"]).table)
    assert found.notes == ("20 of 300 values of a were missing and stand at the median",)
    with pytest.raises(CoxRefusedError, match="no value at all in a"):
        fit_cox(LIVES.with_columns(a=pl.lit(None, pl.Float64)), ["a", "b"], impute=True)


def test_what_is_shaky_is_noted():
    alike = LIVES.with_columns(x=pl.col("a") + 0.2 * pl.col("b").shuffle(1))
    notes = fit_cox(alike, ["a", "b", "x"]).notes
    assert notes == ("hard to tell apart (variance inflation above 10): a + x",)
    assert fit_cox(LIVES.head(20), ["a", "b"]).notes == (
        f"{LIVES.head(20)['event'].sum()} events for 2 columns are few: intervals are rough",
    )


def segments(effects, counts):
    """Segments named A, B, ..., with an effect of `a` and a level of their own."""
    parts = [
        simulated(count, seed, (effect, -0.5), rate=0.03 * (1 + seed)).with_columns(
            segment=pl.lit("ABCDEFGH"[seed]), spell_id=pl.col("spell_id") + 100_000 * seed
        )
        for seed, (effect, count) in enumerate(zip(effects, counts, strict=True))
    ]
    return pl.concat(parts)


def test_segments_that_differ_are_drawn_together_a_little():
    effects, counts = (0.2, 0.6, 1.0, 1.4, 0.8), (300, 300, 300, 300, 60)
    lives = segments(effects, counts)
    found = fit_cox_by_segment(lives, ["a", "b"], "segment")
    assert found.select("segment", "feature").rows() == [(s, f) for s in "ABCDE" for f in "ab"]
    own = found.filter(pl.col("feature") == "a", pl.col("segment") != "E")
    assert own["pooled"].unique().to_list() == ["shrunk"]
    assert own["own_share"].is_between(0.5, 0.99).all()
    alone = fit_cox(lives.filter(pl.col("segment") == "D"), ["a", "b"]).table
    assert own["own_coef"][3] == pytest.approx(alone["coef"][0])
    overall = found.filter(segment="E", feature="a").row(0, named=True)
    drawn = (own["own_coef"] - own["coef"]) / (own["own_coef"] - overall["coef"])
    assert drawn.is_between(0, 0.5).all()
    assert overall["pooled"] == "overall"
    assert overall["own_coef"] is None
    assert overall["reason"].endswith("events, fewer than 50")
    width = np.log(found["hr_high"] / found["hr_low"]).to_numpy()
    assert width[8] > 2 * width[0], "a segment without its own fit may lie where any other does"


def test_segments_that_do_not_differ_share_the_overall_coefficients():
    lives = segments((0.7,) * 6, (120,) * 6)
    found = fit_cox_by_segment(lives, ["a", "b"], "segment", min_events=30)
    spread = found.group_by("feature").agg(pl.col("coef").std(), pl.col("own_coef").std())
    assert (spread["coef"] < 0.5 * spread["own_coef"]).all()
    exact = found.filter(pl.col("own_share") == 0)
    width = np.log(exact["hr_high"] / exact["hr_low"]).to_numpy()
    error = (lives.height / 2) ** -0.5
    assert (width > 2 * error).all()
    assert exact["reason"].unique().to_list() == ["segments differ by no more than chance"]
    assert exact.group_by("feature").agg(pl.col("coef").n_unique())["coef"].to_list() == [1]


def test_the_overall_fit_compares_within_segments():
    """Segments differ in both level and `a`: pooled as one, the level would pass for an effect."""
    lives = segments((0.0, 0.0, 0.0), (400, 400, 400))
    level = pl.col("segment").replace_strict({"A": 0.0, "B": 1.0, "C": 2.0})
    lives = lives.with_columns(a=pl.col("a") * 0.5 + level)
    found = fit_cox_by_segment(lives, ["a"], "segment", min_events=10_000)
    assert found["coef"].n_unique() == 1
    assert abs(found["z"][0]) < 3 < 5 < fit_cox(lives, ["a"]).table["z"][0]


def test_between_segments_by_hand():
    """Two segments of equal variance v: tau2 = (d^2 / 2 - v), the pull is towards the stratified fit."""
    lives = segments((0.1, 1.1), (400, 400))
    found = fit_cox_by_segment(lives, ["a"], "segment")
    alone = [fit_cox(lives.filter(segment=name), ["a"]).table.row(0, named=True) for name in "AB"]
    theta = np.array([row["coef"] for row in alone])
    variance = (theta / np.array([row["z"] for row in alone])) ** 2
    weight = 1 / variance
    mean = weight @ theta / weight.sum()
    tau2 = (weight @ (theta - mean) ** 2 - 1) / (weight.sum() - (weight**2).sum() / weight.sum())
    share = tau2 / (tau2 + variance)
    assert found["own_share"].to_numpy() == pytest.approx(share)
    centre = (found["coef"].to_numpy() - share * theta) / (1 - share)
    assert centre[0] == pytest.approx(centre[1])
    assert centre[0] == pytest.approx(mean, abs=0.02)


def test_a_segment_that_is_refused_has_the_overall_coefficients_and_says_why():
    lives = segments((0.2, 0.9, 0.5), (300, 300, 300))
    silent = pl.when(pl.col("segment") == "C").then(0.0).otherwise(pl.col("b"))
    found = fit_cox_by_segment(lives.with_columns(b=silent), ["a", "b"], "segment")
    refused = found.filter(segment="C")
    assert refused["pooled"].to_list() == ["overall"] * 2
    assert refused["reason"][0].startswith("constant: b")


def test_one_segment_with_its_own_fit_keeps_it():
    lives = segments((0.5, 0.9), (400, 60))
    found = fit_cox_by_segment(lives, ["a", "b"], "segment")
    assert found["pooled"].to_list() == ["own"] * 2 + ["overall"] * 2
    assert found["coef"][:2].to_list() == pytest.approx(found["own_coef"][:2].to_list())


def test_rows_without_a_segment_are_refused():
    lives = segments((0.5, 0.9), (60, 60)).with_columns(
        segment=pl.when(pl.col("spell_id") != 3).then("segment")
    )
    with pytest.raises(CoxRefusedError, match="1 rows have no 'segment'"):
        fit_cox_by_segment(lives, ["a"], "segment")
