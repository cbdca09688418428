"""Training stage: fit the families, judge them out of time, log them, let the gate choose.

What is fitted and how it is judged stands in `models/` and `evaluation/`; here are only reads,
writes and what the UI shows.
"""

from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from ris_assets import tracking
from ris_assets.contracts.columns import Table
from ris_assets.contracts.tables import MODEL_BANDS, MODEL_CALIBRATION, MODEL_IMPORTANCE
from ris_assets.errors import RisError
from ris_assets.evaluation import contest, plots
from ris_assets.evaluation.contest import Contender
from ris_assets.evaluation.gate import Verdict
from ris_assets.evaluation.split import Windows
from ris_assets.models.hazard import HazardModel
from ris_assets.resources.mlflow import MlflowResource
from ris_assets.resources.postgres import PostgresResource
from ris_assets.resources.snapshots import Snapshots
from ris_assets.settings import get_settings
from ris_assets.tracking import Candidate, Logged

HORIZONS = (4, 8, 12, 26, 52)
SURVIVAL_COLUMNS = ("spell_weeks", "pass_days", "is_already_renewed", "days_to_end", "pass_number")
SHOWN = (
    "test_auc",
    "test_ceiling_auc",
    "test_share_of_ceiling",
    "test_log_loss",
    "base_rate_log_loss",
    "test_ceiling_log_loss",
    "test_calibration_in_the_large",
    "test_ece",
    "test_brier",
    "per_pass_auc",
    "per_pass_share_of_ceiling",
    "near_end_auc",
    "near_end_ceiling_auc",
    "near_end_share_of_ceiling",
    "near_end_calibration_in_the_large",
)


STANDS_IN = Verdict(True, "Promote: the base rate stands in until a model is better")


class TrainingConfig(dg.Config):
    """What to train on.

    Attributes:
        as_of: ISO date; labels that are mature by its end are used. Default: the last extracted
            day.
        always_promote: let the winner become champion whatever the gate says.
        max_rows: above this many rows whole passes (spells) are left out, evenly.
    """

    as_of: str | None = None
    always_promote: bool = False
    max_rows: int = 400_000


@dg.asset(
    group_name="training",
    deps=[["ris", "member_snapshot"], ["ris", "label_hp"], ["ris", "meta_feature_catalog"]],
    kinds={"python", "mlflow"},
    description="Renewal models of every family on the same windows; the better becomes champion",
)
def renewal_models(
    config: TrainingConfig, postgres: PostgresResource, mlflow: MlflowResource
) -> dg.MaterializeResult[Any]:
    """Fit, judge and log the renewal models; write what is known of the registered one."""
    snapshots = Snapshots(postgres)
    as_of = training_day(config.as_of, snapshots.horizon())
    catalog = snapshots.catalog()
    windows = contest.renewal_windows(snapshots.labelled(as_of, config.max_rows), as_of)
    contenders = contest.fit_contenders(windows, catalog, simulator_truth())
    winner = contest.winner_of(contenders)
    mlflow.activate()
    champion = tracking.find_champion(tracking.RENEWAL)
    seen = (champion.model, champion.fitted_through) if champion else (None, None)
    verdict = overruled(contest.judge_renewal(winner, windows, *seen), config.always_promote)
    tags = provenance(windows, windows.test)
    experiment = mlflow.ensure_experiment(tracking.EXPERIMENT)
    with tracking.training_run(f"renewal as of {as_of}", experiment, tags):
        logged = {
            name: tracking.log_candidate(renewal_candidate(contender, windows, tags))
            for name, contender in contenders.items()
        }
        version = tracking.register(
            renewal_candidate(winner, windows, tags), logged[winner.model.family], verdict
        )
        if not verdict.is_promoted and champion is None:
            stand_in = contest.base_rate_contender(windows, catalog, simulator_truth())
            candidate = renewal_candidate(stand_in, windows, tags)
            kept = tracking.register(candidate, tracking.log_candidate(candidate), STANDS_IN)
            write_model_tables(postgres, stand_in, kept)
    write_model_tables(postgres, winner, version)
    return dg.MaterializeResult(
        metadata=renewal_metadata(contenders, winner, verdict, version, windows)
    )


@dg.asset(
    group_name="training",
    deps=[["ris", "member_snapshot"], ["ris", "interval_hp"], ["ris", "meta_feature_catalog"]],
    kinds={"python", "mlflow"},
    description="Discrete-time hazard of the end of a spell, on person-weeks with partial exposure",
)
def survival_model(
    config: TrainingConfig, postgres: PostgresResource, mlflow: MlflowResource
) -> dg.MaterializeResult[Any]:
    """Fit, judge and log the hazard model."""
    snapshots = Snapshots(postgres)
    as_of = training_day(config.as_of, snapshots.horizon())
    weeks = snapshots.person_weeks(as_of, config.max_rows)
    windows = contest.survival_windows(weeks, as_of)
    model, metrics = contest.fit_survival(weeks, windows, snapshots.catalog())
    mlflow.activate()
    candidate = survival_candidate(model, metrics, windows)
    champion = tracking.find_champion(tracking.SURVIVAL)
    seen = (champion.model, champion.fitted_through) if champion else (None, None)
    verdict = contest.judge_survival(model, windows, *seen)
    # Without any champion nobody could be scored: there is no simpler curve to stand in.
    verdict = overruled(verdict, config.always_promote or champion is None)
    experiment = mlflow.ensure_experiment(tracking.EXPERIMENT)
    with tracking.training_run(f"survival as of {as_of}", experiment, candidate.tags):
        logged: Logged = tracking.log_candidate(candidate)
        version = tracking.register(candidate, logged, verdict)
    return dg.MaterializeResult(metadata=survival_metadata(model, metrics, verdict, version))


def training_run_config(as_of: date, always_promote: bool = False) -> dict[str, Any]:
    """Run configuration of the training job that learns only what was known at the end of a day."""
    config = {"config": {"as_of": as_of.isoformat(), "always_promote": always_promote}}
    return {"ops": {"renewal_models": config, "survival_model": config}}


def training_day(asked: str | None, horizon: date) -> date:
    """The day to train as of.

    Raises:
        RisError: not a date, or later than the last extracted day.
    """
    if asked is None:
        return horizon
    try:
        day = date.fromisoformat(asked)
    except ValueError:
        raise RisError(f"as_of is not a date: {asked!r}; write it like 2026-03-31") from None
    if day > horizon:
        raise RisError(f"cannot train as of {day}: documents are extracted up to {horizon} only")
    return day


def simulator_truth() -> pl.DataFrame | None:
    """What the demo studio's simulator knows; read for the report alone, never for training."""
    path: Path = get_settings().home / "demo" / "truth.parquet"
    return pl.read_parquet(path) if path.is_file() else None


def overruled(verdict: Verdict, always_promote: bool) -> Verdict:
    """The gate's verdict, unless the configuration promotes in any case."""
    if verdict.is_promoted or not always_promote:
        return verdict
    return Verdict(True, f"Promote: on request, or as the first; the gate said: {verdict.reason}")


def provenance(windows: Windows, test: pl.DataFrame) -> dict[str, str]:
    """Tags that say what a model has seen; `fitted_through` is compared before it may score."""
    return {
        "trained_through": str(windows.cuts.as_of),
        "fitted_through": str(windows.cuts.fit),
        "training_cut": str(windows.cuts.train),
        "snapshot_hash": tracking.frame_hash(pl.concat([windows.fitting, test])),
        "code_version": tracking.code_version(),
    }


def renewal_candidate(contender: Contender, windows: Windows, tags: dict[str, str]) -> Candidate:
    """A renewal model as MLflow gets it."""
    model, report = contender.model, contender.report
    importance = model.importance()
    files = {
        "importance.png": plots.importance_plot(importance, f"{model.family}: importance"),
        **{
            f"reliability_{days}d.png": plots.reliability_plot(bins, f"{model.family}, {days} days")
            for days, bins in report.reliability.items()
            if bins.height
        },
        "features.txt": "\n".join(model.features.columns).encode(),
    }
    params = {f"rows_{name}": rows.height for name, rows in windows.parts.items()}
    params |= {"features": len(model.features.columns), "left_out": len(model.features.left_out)}
    return Candidate(
        name=tracking.RENEWAL, family=model.family, model=model, example=windows.test,
        outputs=("p_renew_30d", "p_renew_60d", "p_renew_90d"),
        params=params | model.estimator.params(), metrics=report.metrics, tags=tags, files=files,
    )  # fmt: skip


def survival_candidate(
    model: HazardModel, metrics: dict[str, float], windows: Windows
) -> Candidate:
    """A hazard model as MLflow gets it."""
    seen = windows.test.filter(pl.col("as_of_date").is_not_null())
    params = {f"rows_{name}": rows.height for name, rows in windows.parts.items()}
    return Candidate(
        name=tracking.SURVIVAL, family=model.family, model=model, example=seen,
        outputs=(*(f"survived_{week}w" for week in HORIZONS), "expected_weeks_left"),
        extra_columns=SURVIVAL_COLUMNS,
        params=params | {"penalty": model.penalty, "features": len(model.features.columns)},
        metrics=metrics, tags=provenance(windows, windows.test),
        files={"importance.png": plots.importance_plot(model.importance(), "hazard: importance"),
               "survival.png": survival_plot(metrics)},
    )  # fmt: skip


def survival_plot(metrics: dict[str, float]) -> bytes:
    """Predicted and observed share still in their spell, by horizon."""
    sides = {
        side: {week: metrics[f"survived_{week}w_{side}"] for week in HORIZONS
               if f"survived_{week}w_{side}" in metrics}
        for side in ("predicted", "observed")
    }  # fmt: skip
    return plots.horizon_plot(sides["predicted"], sides["observed"], "Spells still going on")


def write_model_tables(postgres: PostgresResource, winner: Contender, version: int) -> None:
    """Importances, reliability bins and bands of the registered version."""
    importance = pl.DataFrame(
        list(winner.model.importance().items()), schema=["feature", "importance"], orient="row"
    ).with_columns(pl.int_range(1, pl.len() + 1, dtype=pl.Int32).alias("importance_rank"))
    bins = pl.concat(
        frame.with_columns(pl.lit(days, pl.Int32).alias("horizon_days"))
        for days, frame in winner.report.reliability.items()
    )
    tables: dict[str, tuple[Table, pl.DataFrame]] = {
        "importance": (MODEL_IMPORTANCE, importance),
        "calibration": (MODEL_CALIBRATION, bins),
        "bands": (MODEL_BANDS, winner.report.bands),
    }
    for table, frame in tables.values():
        named = frame.with_columns(
            pl.lit(tracking.RENEWAL).alias("model_name"),
            pl.lit(version, pl.Int32).alias("model_version"),
        ).select(table.column_names)
        postgres.ensure_table(table)
        of_version = "model_name = %s and model_version = %s"
        postgres.replace(table, named, of_version, [tracking.RENEWAL, version])


def renewal_metadata(
    contenders: dict[str, Contender],
    winner: Contender,
    verdict: Verdict,
    version: int,
    windows: Windows,
) -> dict[str, Any]:
    """What the UI shows of the renewal models."""
    model, report = winner.model, winner.report
    reliability = plots.reliability_plot(report.reliability[30], f"{model.family}, out of time")
    importance = plots.importance_plot(model.importance(), f"{model.family}: importance")
    rows = {name: frame.height for name, frame in windows.parts.items()}
    return {
        "dagster/row_count": sum(rows.values()),
        "winner": model.family,
        "model_version": version,
        "gate": verdict.reason,
        "is_champion": verdict.is_promoted,
        "windows": f"{rows}, cuts {windows.cuts.train}, {windows.cuts.fit}, {windows.cuts.as_of}",
        "metrics": dg.MetadataValue.md(metrics_table(contenders)),
        "bands": dg.MetadataValue.md(plots.as_table(report.bands)),
        "reliability": dg.MetadataValue.md(plots.as_markdown(reliability, "reliability")),
        "importance": dg.MetadataValue.md(plots.as_markdown(importance, "importance")),
        "features_left_out": ", ".join(model.features.left_out) or "none",
    }


def survival_metadata(
    model: HazardModel, metrics: dict[str, float], verdict: Verdict, version: int
) -> dict[str, Any]:
    """What the UI shows of the hazard model."""
    lines = [f"| {name} | {value:.4f} |" for name, value in metrics.items()]
    importance = plots.importance_plot(model.importance(), "hazard: importance")
    return {
        "model_version": version,
        "gate": verdict.reason,
        "is_champion": verdict.is_promoted,
        "metrics": dg.MetadataValue.md("\n".join(["| metric | value |", "|---|---|", *lines])),
        "survival": dg.MetadataValue.md(plots.as_markdown(survival_plot(metrics), "survival")),
        "importance": dg.MetadataValue.md(plots.as_markdown(importance, "importance")),
    }


def metrics_table(contenders: dict[str, Contender]) -> str:
    """Metrics of all contenders side by side, as markdown."""
    shown = [name for name in SHOWN if all(name in c.report.metrics for c in contenders.values())]
    heads = f"| metric | {' | '.join(contenders)} |"
    rows = [
        f"| {name} | {' | '.join(f'{c.report.metrics[name]:.4f}' for c in contenders.values())} |"
        for name in shown
    ]
    return "\n".join([heads, "|---" * (len(contenders) + 1) + "|", *rows])
