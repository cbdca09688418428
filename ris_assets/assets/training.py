"""Training stage: fit the families, judge them out of time, log them, let the gate choose.

What is fitted and how it is judged stands in `models/` and `evaluation/`, what is shown of it in `reports/`; here are
only reads, writes and the order of things.
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from ris_assets import tracking
from ris_assets.contracts.columns import Table
from ris_assets.errors import RisError
from ris_assets.evaluation import contest, survival_contest
from ris_assets.evaluation.contender import in_office, winner_of
from ris_assets.evaluation.contest import Budget, RenewalContender
from ris_assets.evaluation.gate import Verdict
from ris_assets.evaluation.probability_scores import Costs
from ris_assets.evaluation.split import MAX_ROWS, Windows
from ris_assets.evaluation.survival_contest import SurvivalContender
from ris_assets.evaluation.tiers import Tier, tier_of
from ris_assets.models.hazard_families import RATES
from ris_assets.models.renewal import THIN, RenewalModel
from ris_assets.reports import renewal as renewal_report
from ris_assets.reports import survival as survival_report
from ris_assets.reports.contenders import with_findings
from ris_assets.resources.mlflow import MlflowResource
from ris_assets.resources.postgres import PostgresResource
from ris_assets.resources.snapshots import Snapshots
from ris_assets.settings import get_settings
from ris_assets.tracking import Candidate, Champion

GATE = "passed_the_gate"
GATE_TELLS = (
    "The best of those trained has become champion. If not, that is no error: the champion in office scores on, and the"
    " sentence says what was wanting."
)
STAND_INS = (*THIN, *RATES)
"""Families that score while no model is better."""


class TrainingConfig(dg.Config):
    """What to train on.

    Attributes:
        as_of: ISO date; labels that are mature by its end are used. Default: the last extracted
            day.
        always_promote: let the winner become champion whatever the gate says.
        max_rows: see `MAX_ROWS`.
        families: those that contend, renewal and hazard ones in one list; empty lets all of a kind contend.
        search_trials: sets of settings to try for every family of renewal models, the defaults among them; below 2
            the defaults are taken.
        search_seconds: for each family, after which no new set is begun.
    """

    as_of: str | None = None
    always_promote: bool = False
    max_rows: int = MAX_ROWS
    families: list[str] = []  # noqa: RUF012 - Dagster makes a copy for each run
    search_trials: int = 0
    search_seconds: float = 120.0


@dg.asset(
    group_name="training",
    deps=[
        ["ris", "member_snapshot"],
        ["ris", "label_hp"],
        ["ris", "meta_feature_catalog"],
        ["ris", "meta_factor"],
    ],
    check_specs=[dg.AssetCheckSpec(GATE, asset="renewal_models", description=GATE_TELLS)],
    kinds={"python", "mlflow"},
    description="Renewal models of every family on the same windows; the better becomes champion",
)
def renewal_models(
    context: dg.AssetExecutionContext,
    config: TrainingConfig,
    postgres: PostgresResource,
    mlflow: MlflowResource,
) -> dg.MaterializeResult:
    """Fit, judge and log the renewal models; write what is known of the registered one."""
    snapshots = Snapshots(postgres)
    as_of = training_day(config.as_of, snapshots.horizon())
    catalog, truth = snapshots.catalog(), simulator_truth()
    windows = contest.renewal_windows(snapshots.labelled(as_of, config.max_rows), as_of)
    tier = tier_of(windows)
    contenders = contest.fit_contenders(
        windows, catalog, truth, config.families, tier=tier, costs=call_costs(),
        budget=Budget(config.search_trials, config.search_seconds), said=context.log.info,
    )  # fmt: skip
    winner = winner_of(contenders)
    mlflow.activate()
    champion = tracking.comparable_champion(tracking.RENEWAL)
    seen = (champion.model, champion.fitted_through) if champion else (None, None)
    gate = contest.judge_renewal(winner, windows, *seen)
    verdict = overruled(gate, config.always_promote)
    explanation = renewal_report.explained(winner, windows)
    tags = provenance(windows) | {"tier": tier.value}
    experiment = mlflow.ensure_experiment(tracking.RENEWAL, tracking.ABOUT[tracking.RENEWAL])
    with tracking.training_run(f"renewal as of {as_of}", experiment, tags):
        candidates = {
            name: renewal_report.candidate(one, windows, tags) for name, one in contenders.items()
        }
        family = winner.model.family
        candidates[family] = with_findings(
            candidates[family], explanation.files, explanation.intervals
        )
        logged = {name: tracking.log_candidate(one) for name, one in candidates.items()}
        chosen = logged[family]
        version = tracking.register(candidates[family], chosen, verdict)
        told = renewal_report.card(winner, explanation, verdict, windows, tier, tags)
        tracking.log_card(tracking.RENEWAL, version, chosen.run_id, told)
        if needs_stand_in(verdict, champion, windows, tier):
            stand_in = contest.stand_in(windows, catalog, truth)
            register_renewal_stand_in(postgres, stand_in, gate, windows, tier, tags)
    tables = renewal_report.tables(winner, explanation)
    write_model_tables(postgres, tracking.RENEWAL, version, tables)
    return dg.MaterializeResult(
        metadata=renewal_report.metadata(
            contenders, winner, candidates[family].files, verdict, version, windows
        ),
        check_results=[gate_check(gate)],
    )


@dg.asset(
    group_name="training",
    deps=[
        ["ris", "member_snapshot"],
        ["ris", "interval_hp"],
        ["ris", "core_hp_period"],
        ["ris", "meta_feature_catalog"],
        ["ris", "meta_factor"],
    ],
    check_specs=[dg.AssetCheckSpec(GATE, asset="survival_model", description=GATE_TELLS)],
    kinds={"python", "mlflow"},
    description="Discrete-time hazards of the end of a spell, on person-weeks with partial exposure",
)
def survival_model(
    context: dg.AssetExecutionContext,
    config: TrainingConfig,
    postgres: PostgresResource,
    mlflow: MlflowResource,
) -> dg.MaterializeResult:
    """Fit, judge and log the hazard models."""
    snapshots = Snapshots(postgres)
    as_of = training_day(config.as_of, snapshots.horizon())
    weeks = snapshots.person_weeks(as_of, config.max_rows)
    catalog, windows = snapshots.catalog(), survival_contest.survival_windows(weeks, as_of)
    frozen = snapshots.frozen_weeks(as_of, weeks["spell_id"].unique())
    weeks = pl.concat([weeks, frozen], how="vertical_relaxed")
    contenders = survival_contest.fit_hazards(
        weeks, windows, catalog, config.families, said=context.log.info
    )
    winner = winner_of(contenders)
    mlflow.activate()
    champion = tracking.comparable_champion(tracking.SURVIVAL)
    seen = (champion.model, champion.fitted_through) if champion else (None, None)
    gate = survival_contest.judge_survival(winner.model, windows, *seen)
    verdict = overruled(gate, config.always_promote)
    background = survival_report.Background(windows, weeks, renewal_in_office(windows))
    explanation = survival_report.explained(winner, background)
    tags = provenance(windows)
    experiment = mlflow.ensure_experiment(tracking.SURVIVAL, tracking.ABOUT[tracking.SURVIVAL])
    with tracking.training_run(f"survival as of {as_of}", experiment, tags):
        candidates = {
            name: survival_report.candidate(one, background, tags)
            for name, one in contenders.items()
        }
        family = winner.model.family
        candidates[family] = with_findings(
            candidates[family], explanation.files, explanation.intervals
        )
        logged = {name: tracking.log_candidate(one) for name, one in candidates.items()}
        version = tracking.register(candidates[family], logged[family], verdict)
        told = survival_report.card(winner, explanation, verdict, windows, tags)
        tracking.log_card(tracking.SURVIVAL, version, logged[family].run_id, told)
        tier = tier_of(windows, survival_contest.TARGET, survival_contest.UNIT)
        if needs_stand_in(verdict, champion, windows, tier):
            stand_in = survival_contest.stand_in(weeks, windows, catalog)
            register_survival_stand_in(postgres, stand_in, gate, background, tags)
    tables = survival_report.tables(winner, explanation)
    write_model_tables(postgres, tracking.SURVIVAL, version, tables)
    return dg.MaterializeResult(
        metadata=survival_report.metadata(
            contenders, winner, candidates[family].files, verdict, version
        ),
        check_results=[gate_check(gate)],
    )


def needs_stand_in(
    verdict: Verdict, champion: Champion | None, windows: Windows, tier: Tier
) -> bool:
    """Whether a rule has to score from here on: nobody passed, and nobody can score but a rule that knows less.

    Where too little is known to judge by, who is in office has learned from more.
    """
    if verdict.is_promoted or tier not in (Tier.FULL, Tier.SMALL):
        return False
    if champion is None or not in_office(champion.model, windows):
        return True
    return champion.model.family in STAND_INS and champion.fitted_through < windows.cuts.fit


def register_renewal_stand_in(
    postgres: PostgresResource,
    chosen: RenewalContender,
    gate: Verdict,
    windows: Windows,
    tier: Tier,
    tags: dict[str, str],
) -> None:
    """Where the gate lets nobody pass: a rule scores until then, learned anew with every training."""
    verdict = standing_in(chosen.model.family, gate)
    explanation = renewal_report.explained(chosen, windows)
    candidate = with_findings(
        renewal_report.candidate(chosen, windows, tags), explanation.files, explanation.intervals
    )
    told = renewal_report.card(chosen, explanation, verdict, windows, tier, tags)
    version = register_with_card(candidate, verdict, told)
    tables = renewal_report.tables(chosen, explanation)
    write_model_tables(postgres, tracking.RENEWAL, version, tables)


def register_survival_stand_in(
    postgres: PostgresResource,
    chosen: SurvivalContender,
    gate: Verdict,
    background: survival_report.Background,
    tags: dict[str, str],
) -> None:
    """The same for curves: what is usual at this point of a pass, until a hazard is better."""
    verdict = standing_in(chosen.model.family, gate)
    explanation = survival_report.explained(chosen, background)
    candidate = with_findings(
        survival_report.candidate(chosen, background, tags),
        explanation.files,
        explanation.intervals,
    )
    told = survival_report.card(chosen, explanation, verdict, background.windows, tags)
    version = register_with_card(candidate, verdict, told)
    tables = survival_report.tables(chosen, explanation)
    write_model_tables(postgres, tracking.SURVIVAL, version, tables)


def renewal_in_office(windows: Windows) -> RenewalModel | None:
    """The renewal model that scores, None where there is none that could."""
    champion = tracking.comparable_champion(tracking.RENEWAL)
    return champion.model if champion and in_office(champion.model, windows) else None


def standing_in(family: str, gate: Verdict) -> Verdict:
    """What makes a rule champion, and why no model is."""
    return Verdict(
        True,
        f"Promote: {family} stands in until a model is better; of the model the gate said: {gate.reason}",
        gate.reasons,
    )


def register_with_card(candidate: Candidate, verdict: Verdict, told: str) -> int:
    """Log and register a candidate; its version."""
    logged = tracking.log_candidate(candidate)
    version = tracking.register(candidate, logged, verdict)
    tracking.log_card(candidate.name, version, logged.run_id, told)
    return version


def gate_check(gate: Verdict) -> dg.AssetCheckResult:
    """What the gate said, as a check; it stops nobody: the champion before goes on scoring."""
    return dg.AssetCheckResult(
        check_name=GATE, passed=gate.is_promoted, severity=dg.AssetCheckSeverity.WARN,
        description=gate.reason, metadata={"decision": gate.decision},
    )  # fmt: skip


def call_costs() -> Costs:
    """What a call costs and brings, as the settings say."""
    settings = get_settings()
    return Costs(settings.call_cost, settings.kept_value, settings.call_success)


def training_run_config(
    as_of: date | None,
    always_promote: bool = False,
    search_trials: int = 0,
    search_seconds: float = 120.0,
    families: Sequence[str] = (),
) -> dict[str, Any]:
    """Run configuration of the training job; with a day it learns only what was known at its end."""
    shared = {
        "as_of": as_of.isoformat() if as_of else None,
        "always_promote": always_promote,
        "families": list(families),
        "search_trials": search_trials,
        "search_seconds": search_seconds,
    }
    return {"ops": {name: {"config": shared} for name in ("renewal_models", "survival_model")}}


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
    return Verdict(True, f"Promote: on request; the gate said: {verdict.reason}")


def provenance(windows: Windows) -> dict[str, str]:
    """Tags that say what a model has seen; `fitted_through` is compared before it may score."""
    return {
        "trained_through": str(windows.cuts.as_of),
        "fitted_through": str(windows.cuts.fit),
        "training_cut": str(windows.cuts.train),
        "snapshot_hash": tracking.frame_hash(windows.known),
        "code_version": tracking.code_version(),
    }


def write_model_tables(
    postgres: PostgresResource,
    name: str,
    version: int,
    tables: Sequence[tuple[Table, pl.DataFrame | None]],
) -> None:
    """What is known of a registered version, in place of what was written of it before."""
    for table, frame in tables:
        postgres.ensure_table(table)
        if frame is None:
            continue
        named = frame.with_columns(
            pl.lit(name).alias("model_name"),
            pl.lit(version, pl.Int32).alias("model_version"),
        ).select(table.column_names)
        of_version = "model_name = %s and model_version = %s"
        postgres.replace(table, named, of_version, [name, version])
