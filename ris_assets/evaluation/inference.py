"""What goes with leaving, for a person to read: hazard ratios and survival by segment, adjusted and as observed.

Hazard ratios come from a Cox regression with time-varying covariates on the weeks in which a pass runs out: there a
member stays or leaves, and those compared stand at the same week of their spells. In the weeks between nobody can
leave, whatever they are like.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from ris_assets.evaluation.kaplan_meier import LogRank, kaplan_meier_by_segment, log_rank
from ris_assets.features.matrix import FACTOR, FeatureSet
from ris_assets.models.cox import CoxRefusedError, CoxResult, fit_cox, fit_cox_by_segment
from ris_assets.models.week_clock import ends_in_week

COLUMNS = 12
"""Covariates: the most important ones of the hazard model that most members have."""
MOST_LEVELS = 6
"""Of a text that is asked about."""
LEAST_FILLED = 0.6
SEGMENTS = ("city", "club_id", "product", "onboarding", "sex", "work_type", "is_trial")
MOST_SEGMENTS = 8
LEAST_SPELLS, LEAST_EVENTS = 30, 10
"""Of a segment with a curve of its own."""
ATTEMPTS = 8


@dataclass(frozen=True)
class Inference:
    """What was found.

    Attributes:
        ratios: one row a feature of all members (segment ''), and of every city or club; see `RATIO_COLUMNS`.
        refused: column -> why it was left out.
        curves: segment_kind, segment, time (weeks of the spell), at_risk, events, survival, low, high.
        tests: segment kind -> log-rank test.
        notes: what to keep in mind.
    """

    ratios: pl.DataFrame
    refused: dict[str, str] = field(default_factory=dict)
    curves: pl.DataFrame = field(default_factory=pl.DataFrame)
    tests: dict[str, LogRank] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


RATIO_COLUMNS = {
    "segment": pl.String, "feature": pl.String, "hazard_ratio": pl.Float64, "hr_low": pl.Float64,
    "hr_high": pl.Float64, "hazard_ratio_per_sd": pl.Float64, "hr_per_sd_low": pl.Float64,
    "hr_per_sd_high": pl.Float64, "p_value": pl.Float64, "proportionality_p": pl.Float64,
    "events": pl.Int64, "pooled": pl.String,
}  # fmt: skip


def infer(
    weeks: pl.DataFrame,
    features: FeatureSet,
    importance: Sequence[str],
    by: str | None = "city",
    first: pl.DataFrame | None = None,
) -> Inference:
    """Hazard ratios and curves of person-weeks.

    Args:
        weeks: mature person-weeks beside their snapshots.
        features: of the hazard model.
        importance: its catalogue features, the most important first.
        by: text column whose segments get hazard ratios of their own, partially pooled.
        first: see `spells_of`.
    """
    decisions = with_levels(decision_weeks(weeks), [name for name in features.levels if name != by])
    ratios, refused, notes = _ratios(decisions, candidates(decisions, features, importance), by)
    spells = spells_of(weeks, first)
    curves, tests = _curves(spells)
    return Inference(ratios, refused, curves, tests, notes)


def decision_weeks(weeks: pl.DataFrame) -> pl.DataFrame:
    """The weeks in which a pass runs out, with a snapshot: start and stop in weeks of the spell."""
    kept = weeks.filter(pl.Series(ends_in_week(weeks)) & pl.col("as_of_date").is_not_null())
    number = pl.col("week_number").cast(pl.Float64)
    return kept.with_columns(number.alias("start"), (number + 1).alias("stop"))


def candidates(
    decisions: pl.DataFrame, features: FeatureSet, importance: Sequence[str]
) -> list[str]:
    """Columns to ask about: the norm and the difference from it, the value where there is no norm, levels of a text.

    A member's own value is norm plus difference: all three would be one too many.
    """
    found: list[str] = []
    numeric = set(features.numeric)
    for feature in importance:
        pair = [f"{feature}_ewma", f"{feature}_delta"]
        columns = pair if set(pair) <= numeric else [feature]
        if feature in features.levels:
            columns = [name for name in decisions.columns if name.startswith(f"{feature}=")]
            numeric |= set(columns)
        filled = [name for name in columns if name in numeric and _is_filled(decisions, name)]
        if len(found) + len(filled) <= COLUMNS:
            found += filled
    return found


def with_levels(decisions: pl.DataFrame, texts: Sequence[str]) -> pl.DataFrame:
    """Beside texts of few values a column of 0 and 1 for each value, `column=value`, but for the commonest.

    So the hazard ratio of a value is that beside the commonest, others equal.
    """
    added = []
    for name in texts:
        values = decisions[name].drop_nulls()
        levels = values.value_counts().sort(["count", name], descending=[True, False])[name]
        if values.dtype == pl.String and len(levels) <= MOST_LEVELS:
            added += [(pl.col(name) == level).cast(pl.Float64).alias(f"{name}={level}")
                      for level in levels[1:]]  # fmt: skip
    return decisions.with_columns(added)


def _is_filled(rows: pl.DataFrame, column: str) -> bool:
    values = rows[column]
    return values.null_count() <= (1 - LEAST_FILLED) * rows.height and values.n_unique() > 1


def _ratios(
    decisions: pl.DataFrame, columns: list[str], by: str | None
) -> tuple[pl.DataFrame, dict[str, str], tuple[str, ...]]:
    """The table, the columns left out and why, notes. Empty where no fit is sound."""
    empty = pl.DataFrame(schema=RATIO_COLUMNS)
    rows = decisions.with_columns(pl.col(column).cast(pl.Float64) for column in columns)
    result, refused = _sound_fit(rows, columns)
    if result is None:
        return empty, refused, ("no sound fit",)
    kept = [column for column in columns if column not in refused]
    whole = result.table.with_columns(
        pl.lit("").alias("segment"),
        pl.lit(result.events).alias("events"),
        pl.lit("own").alias("pooled"),
    )
    parts = [whole.select(pl.col(name).cast(kind) for name, kind in RATIO_COLUMNS.items())]
    if by is not None and by in rows.columns and rows[by].n_unique() > 1:
        named = rows.filter(pl.col(by).is_not_null())
        try:
            table = fit_cox_by_segment(named, kept, by, impute=True)
        except CoxRefusedError as refusal:
            return pl.concat(parts), refused, (*result.notes, f"not by {by}: {refusal}")
        shown = table.with_columns(pl.lit(None, pl.Float64).alias("proportionality_p"))
        parts.append(shown.select(pl.col(name).cast(kind) for name, kind in RATIO_COLUMNS.items()))
    return pl.concat(parts), refused, result.notes


def _sound_fit(rows: pl.DataFrame, columns: list[str]) -> tuple[CoxResult | None, dict[str, str]]:
    """Fit; of the columns that a refusal names the least important is left out, and it is tried again."""
    kept, refused = list(columns), dict[str, str]()
    for _ in range(ATTEMPTS):
        if not kept:
            break
        try:
            return fit_cox(rows, kept, impute=True), refused
        except CoxRefusedError as refusal:
            blamed = [column for column in kept if column in refusal.columns]
            if not blamed:
                refused |= dict.fromkeys(kept, str(refusal))
                break
            refused[blamed[-1]] = str(refusal)
            kept.remove(blamed[-1])
    return None, refused


def segments_of(rows: pl.DataFrame) -> list[str]:
    """The columns that part members into segments: the known ones, and factors of the business's own that are texts."""
    own = [c for c, kind in rows.schema.items() if c.startswith(FACTOR) and kind == pl.String]
    return [name for name in SEGMENTS if name in rows.columns] + own


def spells_of(weeks: pl.DataFrame, first: pl.DataFrame | None = None) -> pl.DataFrame:
    """One row a spell: weeks lived (duration), whether it ended (event), segments as they were known first.

    Spells whose beginning is not among the weeks are left out: nothing is known of those that ended before.

    Args:
        first: spell_id and segments on the first Sunday of a spell, for those that no later week has a snapshot of:
            who leaves in the first week would be missing, and who stays would not.
    """
    segments = segments_of(weeks)
    begun = weeks.filter(pl.col("week_number") == 0)["spell_id"].unique()
    spells = (
        weeks.filter(pl.col("spell_id").is_in(begun.implode()))
        .sort("week_start")
        .group_by("spell_id")
        .agg(
            (pl.col("week_number").max() + 1).cast(pl.Float64).alias("duration"),
            pl.col("event").any(),
            *(pl.col(name).drop_nulls().first().cast(pl.String) for name in segments),
        )
        .sort("spell_id")
    )
    if first is None:
        return spells
    seen = first.select("spell_id", *(pl.col(name).cast(pl.String) for name in segments))
    return (
        spells.join(seen, "spell_id", "left", suffix="_first", maintain_order="left")
        .with_columns(pl.coalesce(name, f"{name}_first").alias(name) for name in segments)
        .select(spells.columns)
    )


def _curves(spells: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, LogRank]]:
    """Kaplan-Meier curves and log-rank tests of every kind of segment that has two large enough."""
    parts, tests = [], {}
    for kind in segments_of(spells):
        rows = large_segments(spells, kind)
        if rows[kind].n_unique() < 2:
            continue
        arguments = (rows["duration"].to_numpy(), rows["event"].to_numpy(), rows[kind].to_numpy())
        curve = kaplan_meier_by_segment(*arguments)
        parts.append(curve.with_columns(pl.lit(kind).alias("segment_kind")))
        tests[kind] = log_rank(*arguments)
    return (pl.concat(parts) if parts else pl.DataFrame()), tests


def large_segments(spells: pl.DataFrame, kind: str) -> pl.DataFrame:
    """The spells of the largest segments of a kind, each with enough spells and ends."""
    counts = (
        spells.drop_nulls(kind)
        .group_by(kind)
        .agg(pl.len().alias("spells"), pl.col("event").sum().alias("ended"))
        .filter((pl.col("spells") >= LEAST_SPELLS) & (pl.col("ended") >= LEAST_EVENTS))
        .sort("spells", kind, descending=[True, False])
        .head(MOST_SEGMENTS)
    )
    return spells.filter(pl.col(kind).is_in(counts[kind].implode()))
