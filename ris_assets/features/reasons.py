"""Three reasons in words for every scored member: first how they differ from their own norm.

Before all stands what explains the rest: that the next pass is bought, that the pass is frozen.

A reason is never made up: a norm that is null makes no sentence, a sentence without the norm needs a
value that is adverse by itself, and one that compares members holds against those of the day. Members
without three adverse differences get plain facts instead (what their profile says, then how their pass
stands).
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

REASONS = 3
LEAST_STRENGTH = 0.5
"""A difference under half of its standard deviation is nothing to speak of."""
SURE = 3.0
"""Standard errors by which more are lost with a text that is told than of all."""
QUARTERS = (0.25, 0.5, 0.75)
FEW = 12
"""Values of a number up to which each speaks for itself."""
LEAST_WEIGHT = 1e-4
"""Of a feature that the model does not read: where a rule scores, the largest differences are told."""
DIRECTIONS = {"up": 1.0, "down": -1.0}
NEUTRAL = {"ratio": 1.0, "days, at most 60": 7.0}
"""Unit -> the value that is neither good nor bad; 0 of any other."""
A_WEEK = " a week"
"""End of the unit of what is counted in a week, in whole numbers."""
LEAST_STEP = {"up": 0.5, "down": 1.0}
"""By how much such a count must differ from its norm: of what is usually rarer than weekly, none in a week is usual."""
OWN_ABSENCE = 42
"""Days from which on half of the norm of an absence, or more, is this absence: what its sentence has in brackets is
left out."""
OUTER = 0.75
"""Of the members of the day whom "few" or "more than most" leaves out."""
MOST = "than most"
"""Words of a sentence that compares with those whose pass is as long."""
LENGTH = "pass_days"
DAY = "as_of_date"
FIRST, OWN_NORM, PROFILE, PLAIN = 3, 2, 1, 0
"""Ranks of reasons: a higher one always comes before a lower one."""

PLAIN_FACTS = {
    "days_to_end": ("days to the end of the pass: {value}", "до конца абонемента дней: {value}"),
    "pass_number": ("passes bought so far: {value}", "куплено абонементов: {value}"),
    "tenure_days": ("days since registration: {value}", "дней с регистрации: {value}"),
}
"""Facts that every snapshot row holds, in the order in which they fill up."""
RENEWED_FACT = ("the next pass is already bought", "следующий абонемент уже куплен")
FROZEN_FACT = ("the pass is frozen", "абонемент заморожен")
FIRST_PASS_FACT = ("this is the first pass", "это первый абонемент")


def reasons_of(
    frame: pl.DataFrame,
    catalog: pl.DataFrame,
    importance: Mapping[str, float],
    reference: Mapping[str, Mapping],
) -> pl.Series:
    """Reasons as JSON text: a list of exactly three {feature, en, ru, value, norm} for every row.

    Args:
        frame: snapshot rows.
        catalog: active rows name features, direction of risk and sentences with {value} and {norm}.
        importance: catalogue feature -> share of the model's importance.
        reference: snapshot column -> mean and sd in training, which give deltas their scale; of a text or of a factor
            that is a number what is `adverse` in it (`adverse_texts`, `adverse_numbers`).
    """
    rows = frame.with_row_index("row")
    found = [
        *_plain(rows),
        *(
            candidate
            for entry in catalog.filter(pl.col("is_active")).iter_rows(named=True)
            if (candidate := _candidate(rows, entry, importance, reference)) is not None
        ),
    ]
    best = (
        pl.concat(found)
        .sort(["row", "rank", "score", "feature"], descending=[False, True, True, False])
        .unique(["row", "feature"], keep="first", maintain_order=True)
        .group_by("row", maintain_order=True)
        .head(REASONS)
    )
    told = pl.struct("feature", "en", "ru", "value", "norm").struct.json_encode().alias("reason")
    listed = best.select("row", told).group_by("row", maintain_order=True).agg(pl.col("reason"))
    joined = pl.concat_str(pl.lit("["), pl.col("reason").list.join(", "), pl.lit("]"))
    return rows.select("row").join(listed, "row", "left", maintain_order="left").select(
        joined.alias("reasons")
    ).to_series()  # fmt: skip


def _candidate(
    rows: pl.DataFrame,
    entry: Mapping,
    importance: Mapping[str, float],
    reference: Mapping[str, Mapping],
) -> pl.DataFrame | None:
    """Rows for which a catalogue feature is adverse; None for a feature that can give no reason."""
    feature, direction = entry["feature"], DIRECTIONS.get(entry["risk_direction"] or "")
    is_external = entry["feature_group"] == "external"
    scale = reference.get(f"{feature}_delta" if is_external else feature, {})
    told = bool(entry["reason_en"]) and feature in rows.columns
    weight = importance.get(feature, 0.0) + LEAST_WEIGHT
    if told and (adverse := scale.get("adverse")):
        by_itself = _of_text if isinstance(adverse, Mapping) else _of_number
        return by_itself(rows, entry, weight, adverse)
    if direction is None or not told or not scale.get("sd"):
        return None
    value = pl.col(feature).cast(pl.Float64)
    norm = pl.col(f"{feature}_ewma").cast(pl.Float64) if is_external else pl.lit(None, pl.Float64)
    away = value - norm if is_external else value - scale["mean"]
    strength = direction * away / scale["sd"]
    kept = rows.filter(_holds(rows, entry, direction, scale["sd"])).select(
        "row",
        value.alias("value"),
        norm.alias("norm"),
        (strength * weight).alias("score"),
        strength.alias("strength"),
    ).filter(pl.col("strength") >= LEAST_STRENGTH)  # fmt: skip
    spoken = _speak(kept, feature, (entry["reason_en"], entry["reason_ru"]), entry["value_format"])
    rank = OWN_NORM if is_external else PROFILE
    return _shaped(spoken.filter(pl.col("is_told")), rank)


def _of_text(
    rows: pl.DataFrame, entry: Mapping, weight: float, adverse: Mapping[str, float]
) -> pl.DataFrame:
    """Rows whose text is one of those with which more were lost in training."""
    text = pl.col(entry["feature"]).cast(pl.String)
    strength = text.replace_strict(adverse, default=None, return_dtype=pl.Float64)
    return _as_it_stands(rows, entry, text, pl.lit(None, pl.Float64), strength * weight)


def _of_number(
    rows: pl.DataFrame, entry: Mapping, weight: float, adverse: Sequence[Sequence[float | None]]
) -> pl.DataFrame:
    """Rows whose number lies where more were lost in training."""
    value, strength = (
        pl.col(entry["feature"]).cast(pl.Float64, strict=False),
        pl.lit(None, pl.Float64),
    )
    for low, high, told in adverse:
        is_within = value.is_between(
            pl.lit(-np.inf if low is None else low), pl.lit(np.inf if high is None else high)
        )
        strength = pl.when(is_within).then(pl.lit(told)).otherwise(strength)
    return _as_it_stands(rows, entry, printed(value, "one"), value, strength * weight)


def _as_it_stands(
    rows: pl.DataFrame, entry: Mapping, text: pl.Expr, value: pl.Expr, score: pl.Expr
) -> pl.DataFrame:
    """Rows of which a text is told, where it has a score."""
    kept = rows.select(
        "row",
        text.alias("text"),
        score.alias("score"),
        pl.lit(entry["feature"]).alias("feature"),
        value.alias("value"),
        pl.lit(None, pl.Float64).alias("norm"),
    ).filter(pl.col("score").is_not_null())
    sentences = {"en": entry["reason_en"], "ru": entry["reason_ru"] or entry["reason_en"]}
    return _shaped(
        kept.with_columns(
            _filled(sentence, pl.col("text"), pl.lit(""), pl.lit(False)).alias(language)
            for language, sentence in sentences.items()
        ),
        PROFILE,
    )


def adverse_texts(training: pl.DataFrame, column: str) -> dict[str, float]:
    """Texts with which more passes were not renewed than of all, beyond chance: text -> how far beyond.

    Args:
        training: rows with `renewed_30d` and `weight`, which is about 1 over a pass.
        column: a text.

    Returns:
        In standard deviations of such shares between members, those from `LEAST_STRENGTH` on.
    """
    found = _adverse(training, pl.col(column).cast(pl.String))
    return dict(sorted(zip(found["told"], found["strength"], strict=True)))


def adverse_numbers(
    training: pl.DataFrame, column: str
) -> list[tuple[float | None, float | None, float]]:
    """Quarters of a feature's values, or few values each, with which more passes were not renewed, beyond chance.

    Arguments and measure are those of `adverse_texts`.

    Returns:
        Least and most value, None where nothing is beyond, and how far beyond.
    """
    number = training[column].cast(pl.Float64)
    values = number.drop_nulls()
    is_few = values.n_unique() <= FEW
    inner = values.to_list() if is_few else [values.quantile(q, "nearest") for q in QUARTERS]
    breaks = sorted({cut for cut in inner if cut is not None})
    quarter = pl.Series("told", np.searchsorted(breaks, number.fill_null(0.0).to_numpy()))
    quarter = quarter.set(number.is_null(), None)
    edges = (
        pl.DataFrame({"told": quarter, "number": number})
        .group_by("told")
        .agg(pl.col("number").min().alias("low"), pl.col("number").max().alias("high"))
    )
    found = _adverse(training, quarter).join(edges, "told").sort("low")
    least, most = values.min(), values.max()
    return [
        (None if low == least else low, None if high == most else high, strength)
        for low, high, strength in found.select("low", "high", "strength").iter_rows()
    ]


def _adverse(training: pl.DataFrame, told: pl.Series | pl.Expr) -> pl.DataFrame:
    """What is told of rows of which more were lost than of all, beyond chance, and its strength."""
    weight, lost = pl.col("weight"), (~pl.col("renewed_30d")).cast(pl.Float64)
    texts = (
        training.with_columns(told.alias("told"))
        .filter(pl.col("told").is_not_null() & pl.col("renewed_30d").is_not_null())
        .group_by("told")
        .agg(weight.sum().alias("passes"), ((lost * weight).sum() / weight.sum()).alias("share"))
    )
    passes, share = texts["passes"].to_numpy(), texts["share"].to_numpy()
    whole = max(float(passes.sum()), 1e-9)
    of_all = float(share @ passes) / whole
    away = share - of_all
    strength = away / (float(np.sqrt(away**2 @ passes / whole)) or 1.0)
    error = np.sqrt(of_all * (1 - of_all) / passes)
    is_told = (away > SURE * error) & (strength >= LEAST_STRENGTH)
    return texts.select("told", pl.Series("strength", strength)).filter(pl.Series(is_told))


def _holds(rows: pl.DataFrame, entry: Mapping, direction: float, sd: float) -> pl.Expr:
    """Whether a sentence that names the norm tells a change, and one that does not is true of the value alone.

    A value that goes up is adverse above its neutral value; so is a change that goes down, below it; of a weekly metric
    by as much as a difference from the norm has to be. An internal feature is little or much beside other members only,
    so it is held against those of the day.
    """
    sentence, value = entry["reason_en"], pl.col(entry["feature"]).cast(pl.Float64)
    unit, form = entry.get("unit") or "", entry["value_format"]
    if "{norm}" in sentence and unit.endswith(A_WEEK):
        away = value - pl.col(f"{entry['feature']}_ewma").cast(pl.Float64)
        return direction * away >= LEAST_STEP[entry["risk_direction"]]
    if "{norm}" in sentence or "{value}" not in sentence:
        return pl.lit(True)
    neutral = NEUTRAL.get(unit, 0.0)
    is_adverse = direction * (value - neutral) > 0
    is_adverse &= printed(value, form) != printed(pl.lit(neutral), form)
    if entry["feature_group"] == "external":
        return is_adverse & (direction * (value - neutral) >= LEAST_STRENGTH * sd)
    among = [DAY, LENGTH] if MOST in sentence else [DAY]
    is_beyond = _is_beyond(rows, direction * value, OUTER, among)
    return is_adverse & is_beyond if direction > 0 else is_beyond


def _is_beyond(rows: pl.DataFrame, adverse: pl.Expr, share: float, among: list[str]) -> pl.Expr:
    """Whether a value that is the worse the higher it is lies above that of a share of those alike in `among`."""
    bound, alike = adverse.quantile(share, "equiprobable"), [n for n in among if n in rows.columns]
    return adverse > (bound.over(alike) if alike else bound)


def _plain(rows: pl.DataFrame) -> list[pl.DataFrame]:
    """The facts that fill up, for every row; what explains the rest comes before everything."""
    facts = []
    for place, (feature, sentences) in enumerate(PLAIN_FACTS.items()):
        values = rows.select(
            "row",
            pl.col(feature).cast(pl.Float64).alias("value"),
            pl.lit(None, pl.Float64).alias("norm"),
            pl.lit(-float(place)).alias("score"),
        )
        facts.append(_shaped(_speak(values, feature, sentences, "int"), PLAIN))
    told = [("is_already_renewed", pl.col("is_already_renewed"), RENEWED_FACT, FIRST),
            ("is_frozen", pl.col("is_frozen").cast(pl.Boolean), FROZEN_FACT, FIRST),
            ("pass_number", pl.col("pass_number") == 1, FIRST_PASS_FACT, PLAIN)]  # fmt: skip
    return [*facts, *(_fixed(rows, *fact) for fact in told if fact[0] in rows.columns)]


def _fixed(
    rows: pl.DataFrame, feature: str, condition: pl.Expr, sentences: tuple[str, str], rank: int
) -> pl.DataFrame:
    """A sentence without numbers, for the rows where the condition holds."""
    kept = rows.filter(condition).select(
        "row",
        pl.col(feature).cast(pl.Float64).alias("value"),
        pl.lit(None, pl.Float64).alias("norm"),
        pl.lit(-0.5).alias("score"),
    )
    return _shaped(_speak(kept, feature, sentences, "int"), rank)


def _speak(rows: pl.DataFrame, feature: str, sentences: tuple[str, str], form: str) -> pl.DataFrame:
    """Add feature, en and ru; `is_told` is false where the sentence names value and norm and they read the same."""
    value, norm = printed(pl.col("value"), form), printed(pl.col("norm"), form)
    is_short = pl.col("value") > OWN_ABSENCE
    english, russian = sentences
    return rows.with_columns(
        pl.lit(feature).alias("feature"),
        _filled(english, value, norm, is_short).alias("en"),
        _filled(russian or english, _in_russian(value), _in_russian(norm), is_short).alias("ru"),
        (pl.lit("{norm}" not in english) | pl.col("norm").is_null() | (value != norm)).alias(
            "is_told"
        ),
    )


def _shaped(rows: pl.DataFrame, rank: int) -> pl.DataFrame:
    """The columns that candidates share."""
    return rows.select(
        "row",
        pl.lit(rank).alias("rank"),
        "score",
        "feature",
        pl.col("en", "ru"),
        pl.col("value", "norm").round(4),
    )


def printed(value: pl.Expr, form: str) -> pl.Expr:
    """A number as a person reads it: `int` and `days` 12, `one` 2.5, `percent` 40%."""
    if form == "one":
        # The zero that is added leaves of -0.04 no "-0".
        return (value.round(1) + 0.0).cast(pl.String).str.strip_suffix(".0")
    if form == "percent":
        return (value * 100).round(0).cast(pl.Int64).cast(pl.String) + "%"
    return value.round(0).cast(pl.Int64).cast(pl.String)


def _in_russian(number: pl.Expr) -> pl.Expr:
    """A printed number with a decimal comma."""
    return number.str.replace(".", ",", literal=True)


def _filled(template: str, value: pl.Expr, norm: pl.Expr, is_short: pl.Expr) -> pl.Expr:
    """The template with its {value} and {norm} filled in; it may hold each any number of times."""
    if "[" in template:
        short, whole = (re.sub(gone, "", template) for gone in (r"\[.*?\]", r"[\[\]]"))
        texts = (_filled(one, value, norm, is_short) for one in (short, whole))
        return pl.when(is_short).then(next(texts)).otherwise(next(texts))
    text = template.replace("{value}", "\0value\0").replace("{norm}", "\0norm\0")
    places = {"value": value, "norm": norm}
    pieces = [places.get(piece, pl.lit(piece)) for piece in text.split("\0") if piece]
    return pl.concat_str(pieces, ignore_nulls=False)
