"""The columns that logged models read, from a plain frame of anyone's making. Entry files of MLflow begin here."""

from collections.abc import Sequence

import polars as pl

from ris_assets.features.matrix import FeatureSet

DAYS_TO_END = "days_to_end"
"""What no curve can do without: when the pass runs out."""
CLOCK_COLUMNS = (
    DAYS_TO_END,
    "pass_days",
    "pass_number",
    "is_already_renewed",
    "spell_weeks",
    "tenure_days",
)
"""Snapshot columns that a hazard reads besides its features, to let the clock go on."""
CURVE_WEEKS = (4, 8, 12, 26, 52)
"""Weeks ahead for which a logged hazard tells the share still in their spell."""


def plain_columns(
    frame: pl.DataFrame, features: FeatureSet, numbers: Sequence[str] = ()
) -> pl.DataFrame:
    """The columns of the features and some numbers besides, in a fixed order; other columns are left out.

    Returns:
        Numbers and booleans as float64, text and categories as text; a column that the frame lacks is null.
    """
    kinds: dict[str, type[pl.DataType]] = dict.fromkeys([*features.numeric, *numbers], pl.Float64)
    kinds |= dict.fromkeys(features.levels, pl.String)
    absent = (pl.lit(None).alias(name) for name in kinds if name not in frame.columns)
    return frame.with_columns(absent).select(
        pl.col(name).cast(kind) for name, kind in kinds.items()
    )
