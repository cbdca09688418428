"""What `ris demo`, `ris run` and `ris train` say at the end: sizes, models beside the truth, who is at risk."""

from collections.abc import Mapping
from datetime import date

from rich.console import Console
from rich.table import Table

from ris_assets import tracking
from ris_assets.checks import rows_held
from ris_assets.features.score_rows import SOONEST_LOST
from ris_assets.resources.mlflow import MlflowResource
from ris_assets.resources.postgres import PostgresResource
from ris_assets.settings import get_settings

COUNTED = {
    "members": "ris.core_user",
    "passes": "ris.core_hp_period",
    "member-weeks": "ris.fact_user_week",
    "snapshots": "ris.member_snapshot",
    "scores": "ris.model_scores_daily",
}
METRICS = {
    "test_auc": "AUC, out of time",
    "test_ceiling_auc": "AUC of the simulator's truth",
    "test_share_of_ceiling": "share of the way from 0.5 to the truth",
    "test_log_loss": "log loss, out of time",
    "base_rate_log_loss": "log loss of the base rate",
    "test_calibration_in_the_large": "mean predicted minus observed",
    "test_ece": "expected calibration error",
    "concordance": "concordance, out of time",
    "person_week_log_loss": "log loss a person-week",
    "person_week_base_rate_log_loss": "log loss of the base rate",
    "brier_8w": "Brier score at 8 weeks",
    "brier_8w_base_rate": "Brier score of the base rate",
}
TOP = 10


def print_summary(console: Console, day: date) -> None:
    """Everything worth knowing after a run whose last day was `day`."""
    postgres = PostgresResource()
    print_sizes(console, postgres)
    print_held(console, rows_held(postgres))
    if not told_of_nothing(console, postgres):
        print_models(console)
        print_most_at_risk(console, postgres, day)
    print_where_next(console)


def print_training(console: Console) -> None:
    """What is worth knowing after a training."""
    if not told_of_nothing(console, PostgresResource()):
        print_models(console)


def told_of_nothing(console: Console, postgres: PostgresResource) -> bool:
    """Say so where there is nobody to learn from or to score, and why; whether that is so."""
    found = postgres.read(
        "select exists (select from ris.member_snapshot) as members,"
        " (select count(*) from ris.core_hp_period) as passes"
    ).row(0, named=True)
    if not found["members"]:
        console.print(
            f"No pass covers any day: nothing to score (passes that were read: {found['passes']:,})."
            " `ris check` holds the map against the database, ris_raw.rejects has what was refused.",
            style="yellow",
            highlight=False,
        )
    return not found["members"]


def print_sizes(console: Console, postgres: PostgresResource) -> None:
    """Rows of the main tables."""
    counts = postgres.read(
        "select " + ", ".join(f'(select count(*) from {t}) as "{n}"' for n, t in COUNTED.items())
    ).row(0, named=True)
    console.print("  ".join(f"[bold]{count:,}[/] {name}" for name, count in counts.items()))


def print_held(console: Console, held: Mapping[str, int]) -> None:
    """What no mart has because it does not fit, every day until it does."""
    if held:
        counts = ", ".join(f"{rows:,} of {entity}" for entity, rows in held.items())
        console.print(
            f"Rows held back in ris_raw.rejects, which says why: {counts}. They count as soon as the documents or the"
            " map are mended.",
            style="yellow",
            highlight=False,
        )


def print_models(console: Console) -> None:
    """Metrics of the champions, beside the ceiling where the simulator's truth is known, and why they are."""
    mlflow = MlflowResource().activate()
    table = Table(
        title="Models, on weeks after everything they were fitted on", title_justify="left"
    )
    table.add_column("model")
    table.add_column("metric")
    table.add_column("value", justify="right")
    client, verdicts = mlflow.MlflowClient(), []
    for name in (tracking.RENEWAL, tracking.SURVIVAL):
        champion = client.get_model_version_by_alias(name, tracking.CHAMPION)
        metrics = client.get_run(champion.run_id).data.metrics
        shown = {METRICS[key]: metrics[key] for key in METRICS if key in metrics}
        for row, (metric, value) in enumerate(shown.items()):
            table.add_row(f"{name} v{champion.version}" if row == 0 else "", metric, f"{value:.4f}")
        verdicts.append(f"{name} is {champion.tags.get('family')}. {champion.tags.get('gate')}.")
    console.print(table)
    for verdict in verdicts:
        console.print(verdict, markup=False, highlight=False)


def print_most_at_risk(console: Console, postgres: PostgresResource, day: date) -> None:
    """The ten members of the day likeliest lost within 30 days, by money at risk where they are alike."""
    order = ", ".join(f"{column} desc nulls last" for column in SOONEST_LOST)
    rows = postgres.read(
        "select user_id, risk_band, p_lost_30d::float8 as lost, p_renew_30d::float8 as p,"
        " value_at_risk::float8 as value,"
        " currency, (select string_agg(r ->> 'en', '; ') from jsonb_array_elements(reasons) r) as why"
        f" from ris.model_scores_daily where score_date = '{day}'"
        f" order by {order}, user_id limit {TOP}"
    )
    if not rows.height:
        console.print(f"No pass covers {day}: nobody to score.", style="yellow", highlight=False)
        return
    table = Table(title=f"Most at risk at the end of {day}", title_justify="left")
    for heading in ("member", "band", "P(lost in 30d)", "P(renew 30d)", "at risk", "why"):
        table.add_column(heading, overflow="fold")
    for row in rows.iter_rows(named=True):
        value = money(row["value"], row["currency"])
        chances = f"{row['lost']:.2f}", f"{row['p']:.2f}"
        table.add_row(row["user_id"], row["risk_band"], *chances, value, row["why"])
    console.print(table)


def money(value: float | None, currency: str | None) -> str:
    """An amount: small ones with their hundredths."""
    if value is None:
        return ""
    return f"{value:,.{0 if value >= 100 else 2}f} {currency or ''}".rstrip()


def print_where_next(console: Console) -> None:
    """Commands that lead on."""
    console.print(
        "Next: [bold].venv/bin/ris up[/] opens Dagster and MLflow;"
        ' [bold]psql "$(.venv/bin/ris url postgres)"[/] the tables (schema ris).'
        f" State: {get_settings().home}",
        soft_wrap=True,  # a command that is broken in two cannot be copied
    )
