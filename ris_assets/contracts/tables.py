"""Tables of schema `ris` that Python builds: scores, and what is known about a model version.

Tables that dbt builds are described in the dbt project. `user_week_norm` follows the feature
catalogue and is described where it is built.
"""

from ris_assets.contracts.columns import Column, Table

RIS_SCHEMA = "ris"

_MODEL = (
    Column("model_name", "text", "Registered model", True),
    Column("model_version", "int4", "Version in the registry", True),
)

MODEL_SCORES_DAILY = Table(
    RIS_SCHEMA, "model_scores_daily",
    "One row is a member active at the end of a studio day: what the champion says of them",
    ("score_date", "user_id"),
    (
        Column("score_date", "date", "Studio day at whose end the score holds", True),
        Column("user_id", "text", "The member", True),
        Column("hp_id", "text", "The pass that covers the day", True),
        Column("p_renew_30d", "float8", "P(renewed within 30 days after the pass ends)", True),
        Column("p_renew_60d", "float8", "The same within 60 days", True),
        Column("p_renew_90d", "float8", "The same within 90 days", True),
        *(Column(f"p_renew_{days}d_{end}", "float8",
                 f"{name} end of the 95% interval of p_renew_{days}d; null where data is not thin")
          for days in (30, 60, 90) for end, name in (("low", "Lower"), ("high", "Upper"))),
        *(Column(f"p_lost_{days}d", "float8",
                 f"P(the spell has ended, not to be renewed in time, {days} days from the score date)", True)
          for days in (7, 30, 60, 90)),
        Column("p_payment_failed_90d", "float8",
               "The part of p_lost_90d in which a payment was tried and failed", True),
        *(Column(f"{name}_{end}", "float8",
                 f"{words} end of the interval of {name}: what it would be at the ends of that of p_renew_30d; null"
                 " where data is not thin, and of who has renewed already")
          for name in (*(f"p_lost_{days}d" for days in (7, 30, 60, 90)), "p_payment_failed_90d")
          for end, words in (("low", "Lower"), ("high", "Upper"))),
        Column("expected_weeks_left", "float8",
               "Expected weeks before the spell ends, counted over the next 52"),
        Column("risk_score", "float8", "100 (1 - p_renew_30d), one decimal", True),
        Column("risk_band", "text", "Band of the risk score", True,
               ("low", "medium", "high", "critical")),
        Column("reasons", "jsonb", "Three reasons: feature, en, ru, value, norm", True),
        Column("basis", "text", "model: predicted; rule: a share by rule of thumb, as no model is better yet;"
               " insufficient: too few known outcomes even for that; renewed: the next pass is already bought",
               True, ("model", "rule", "insufficient", "renewed")),
        Column("value_at_risk", "float8", "(1 - p_renew_30d) times the price of the pass; 0 of a price below 0, and"
               " of a pass that ends more than 52 weeks ahead"),
        Column("currency", "text", "Currency of value_at_risk, ISO 4217"),
        *_MODEL,
        Column("survival_version", "int4", "Version of the model behind expected_weeks_left"),
    ),
)  # fmt: skip

MODEL_IMPORTANCE = Table(
    RIS_SCHEMA, "model_importance",
    "One row is a feature of a model version: how much predictions depend on it",
    ("model_name", "model_version", "feature"),
    (
        *_MODEL,
        Column("feature", "text", "Feature as it stands in the catalogue", True),
        Column("importance", "float8",
               "Share of the model's own total, 0-1: gain of trees, size of scaled coefficients", True),
        Column("importance_rank", "int4", "1 is the most important", True),
        Column("permutation", "float8",
               "Rise of the out-of-time log loss (of a survival model: a person-week) when the feature is shuffled"
               " between members; null if not tried"),
        Column("mean_abs_shap", "float8",
               "Mean size of what the feature adds to the log odds (of a survival model: to the log hazard of a week)"
               " out of time; null from families that cannot tell"),
    ),
)  # fmt: skip

MODEL_CALIBRATION = Table(
    RIS_SCHEMA, "model_calibration",
    "One row is a reliability bin of a model version on its out-of-time window",
    ("model_name", "model_version", "horizon_days", "bin"),
    (
        *_MODEL,
        Column("horizon_days", "int4", "30, 60 or 90 days after the pass ends; of a survival model 28, 56 or 84 from"
               " a Sunday", True),
        Column("bin", "int4", "Bin of equal weight, 1 holds the lowest predictions", True),
        Column("predicted_share", "float8", "Mean predicted probability in the bin", True),
        Column("observed_share", "float8", "Share that renewed; of a survival model, still in their spell", True),
        Column("observed_low", "float8", "Lower end of the 95% Wilson interval of observed_share", True),
        Column("observed_high", "float8", "Upper end of that interval", True),
        Column("passes", "float8", "Weight of the bin, in passes; of a survival model in spells", True),
        Column("rows_count", "int8", "Rows in the bin", True),
    ),
)  # fmt: skip

MODEL_BANDS = Table(
    RIS_SCHEMA, "model_bands",
    "One row is a risk band of a model version: its limits, cut where the shares lost separate, and what"
    " happened in it out of time",
    ("model_name", "model_version", "risk_band"),
    (
        *_MODEL,
        Column("risk_band", "text", "The band", True, ("low", "medium", "high", "critical")),
        Column("from_score", "float8", "Lowest risk score of the band; null if nobody can be in it"),
        Column("to_score", "float8", "Risk score at which the next band begins; null if nobody can be in it"),
        Column("expected_share", "float8",
               "Mean predicted P(renew in 30 days), of a survival model P(still in their spell in 28); null if empty"),
        Column("observed_share", "float8", "Share that did; null if empty"),
        Column("observed_low", "float8", "Lower end of the 95% Wilson interval of observed_share"),
        Column("observed_high", "float8", "Upper end of that interval"),
        Column("passes", "float8", "Weight of the band out of time, in passes; of a survival model in spells", True),
        Column("lift", "float8", "Share lost in the band against the share lost of all; null if empty"),
    ),
)  # fmt: skip

MODEL_HAZARD_RATIOS = Table(
    RIS_SCHEMA, "model_hazard_ratios",
    "One row is a feature and a segment: how it goes with leaving when a pass runs out (Cox regression)",
    ("segment", "feature"),
    (
        Column("segment", "text", "City; empty for all members", True),
        Column("feature", "text", "Snapshot column; of a text column=value, beside its commonest value", True),
        Column("hazard_ratio", "float8", "Hazard of leaving when the feature is one unit higher, others equal", True),
        Column("hr_low", "float8", "Lower end of its 95% interval"),
        Column("hr_high", "float8", "Upper end of that interval"),
        Column("hazard_ratio_per_sd", "float8", "The same for one standard deviation", True),
        Column("hr_per_sd_low", "float8", "Lower end of its 95% interval"),
        Column("hr_per_sd_high", "float8", "Upper end of that interval"),
        Column("p_value", "float8", "Wald test of no effect"),
        Column("proportionality_p", "float8",
               "Test that the ratio does not change with the age of the spell; null for segments"),
        Column("events", "int8", "Ends of spells behind it"),
        Column("pooled", "text", "own: the segment's own; shrunk: drawn towards all; overall: that of all", True,
               ("own", "shrunk", "overall")),
        Column("as_of_date", "date", "Outcomes known by the end of this day", True),
    ),
)  # fmt: skip

SURVIVAL_BY_SEGMENT = Table(
    RIS_SCHEMA, "survival_by_segment",
    "One row is a segment and a week of the spell: the share still in their spell (Kaplan and Meier)",
    ("segment_kind", "segment", "time"),
    (
        Column("segment_kind", "text", "What parts members: city, club_id, product, ...", True),
        Column("segment", "text", "The segment, as it was first known in the spell", True),
        Column("time", "float8", "Weeks since the spell began", True),
        Column("at_risk", "int8", "Spells seen so long", True),
        Column("events", "int8", "Those that ended in the week", True),
        Column("survival", "float8", "Share still going on", True),
        Column("low", "float8", "Lower end of its 95% interval; null where it cannot be told"),
        Column("high", "float8", "Upper end of that interval"),
        Column("log_rank_p", "float8", "p-value of the test that all segments of the kind are alike"),
        Column("as_of_date", "date", "Outcomes known by the end of this day", True),
    ),
)  # fmt: skip

DQ_FEATURE_STATS = Table(
    RIS_SCHEMA, "dq_feature_stats",
    "One row is a feature on a studio day: how it is filled, how far it has drifted from training",
    ("as_of_date", "feature"),
    (
        Column("as_of_date", "date", "Studio day of the snapshot", True),
        Column("feature", "text",
               "Column of the snapshot that models may read: a feature of the catalogue, or a norm of one", True),
        Column("members", "int8", "Rows of the snapshot", True),
        Column("fill_share", "float8", "Share 0-1 of rows that are not null", True),
        Column("distinct_count", "int8", "Different values, null not counted"),
        Column("mean", "float8", "Mean, in the unit of the feature; null for text"),
        Column("sd", "float8", "Standard deviation, in that unit; null for text"),
        Column("p25", "float8", "First quartile, in that unit; null for text"),
        Column("p50", "float8", "Median, in that unit; null for text"),
        Column("p75", "float8", "Third quartile, in that unit; null for text"),
        Column("psi", "float8",
               "Population stability index against the training window, an empty bin counted as 0.0001; null"
               " without a reference"),
        Column("ks", "float8",
               "Kolmogorov-Smirnov distance from the training window, 0-1, at its percentiles; null for text"),
        Column("status", "text", "What to make of it", True, ("ok", "warn", "fail")),
        Column("rule", "text", "The rule that decided the status"),
    ),
)  # fmt: skip

MODEL_TABLES = (
    MODEL_IMPORTANCE,
    MODEL_CALIBRATION,
    MODEL_BANDS,
    MODEL_HAZARD_RATIOS,
    SURVIVAL_BY_SEGMENT,
)
