"""Training and scoring as Dagster runs them, on a small fake studio in a real database."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import dagster as dg
import pandas as pd
import polars as pl
import polars.selectors as cs
import psycopg
import pytest
from mlflow.exceptions import MlflowException
from rich.console import Console

from ris_assets import cli_runs, summary, tracking
from ris_assets.assets import inference, quality, scores, training
from ris_assets.contracts.tables import MODEL_BANDS
from ris_assets.errors import RisError
from ris_assets.evaluation import contest, survival_contest
from ris_assets.evaluation.gate import Verdict
from ris_assets.evaluation.survival import outcomes_after, snapshots_after
from ris_assets.models.hazard_families import HAZARDS
from ris_assets.models.renewal import ESTIMATORS
from ris_assets.resources.mlflow import MlflowResource
from ris_assets.resources.postgres import PostgresResource, copy_frame
from ris_assets.resources.snapshots import Snapshots
from ris_assets.settings import get_settings
from tests.fakes import CATALOG, FakeStudio, fake_studio

TRAINING = [training.renewal_models, training.survival_model]
FAST = ["logistic", "hazard"]
EVERYTHING = [*TRAINING, inference.survival_inference]
SCORING = [scores.model_scores_daily, quality.dq_feature_stats]
TYPES = {
    pl.String: "text",
    pl.Float64: "float8",
    pl.Int64: "int8",
    pl.Boolean: "bool",
    pl.Date: "date",
}


@pytest.fixture(scope="module")
def studio() -> FakeStudio:
    return fake_studio(members=700)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RIS_HOME", str(tmp_path_factory.mktemp("home")))
        get_settings.cache_clear()
        yield
    get_settings.cache_clear()


@pytest.fixture(scope="module")
def database(embedded_postgres, studio) -> str:
    with psycopg.connect(embedded_postgres.url("postgres"), autocommit=True) as connection:
        connection.execute("create database training_and_scores")
    url = embedded_postgres.url("training_and_scores")
    words = ("source_entity", "unit", "label_en", "label_ru")
    catalog = CATALOG.with_columns(pl.lit("").alias(name) for name in words)
    tables = {
        "ris.member_snapshot": studio.snapshot,
        "ris.label_hp": studio.labels,
        "ris.interval_hp": studio.weeks,
        "ris.core_hp_period": periods(studio),
        "ris.meta_feature_catalog": catalog,
        "ris_raw.extraction_log": pl.DataFrame({"through_day": [studio.horizon]}),
    }
    with psycopg.connect(url) as connection:
        connection.execute("create schema ris; create schema ris_raw")
        for name, frame in tables.items():
            columns = ", ".join(f'"{c}" {TYPES[type(t)]}' for c, t in frame.schema.items())
            connection.execute(f"create table {name} ({columns})")
            copy_frame(connection, name, frame)
    return url


def periods(studio: FakeStudio) -> pl.DataFrame:
    """Passes on the exposure clock, those that no Sunday has seen without their days."""
    end = pl.col("hp_end_corrected")
    start = end - pl.duration(days=pl.col("pass_days") - 1)
    seen = studio.snapshot.unique("hp_id").select(
        "hp_id", "user_id", "spell_id", start.alias("starts_on"), "hp_end_corrected",
        start.min().over("spell_id").alias("spell_starts_on"), pl.lit(True).alias("has_coverage"),
    )  # fmt: skip
    return studio.passes.join(seen, "hp_id", "left")


@pytest.fixture(scope="module")
def resources(home, database, tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("mlflow")
    return {
        "postgres": PostgresResource(url=database),
        "mlflow": MlflowResource(
            tracking_uri=f"sqlite:///{folder}/mlflow.db", artifact_root=folder.as_uri()
        ),
    }


@pytest.fixture(scope="module")
def trained(resources) -> dg.ExecuteInProcessResult:
    return dg.materialize(EVERYTHING, resources=resources)


def test_who_is_frozen_all_week_is_asked_the_day_before_it(database, studio):
    """A member's weeks at risk leave out the third: all of it was frozen."""
    snapshots = Snapshots(PostgresResource(url=database))
    of_member = studio.weeks.filter(pl.col("week_start").len().over("spell_id") > 20)
    spell = of_member["spell_id"][0]
    weeks = of_member.filter(spell_id=spell).sort("week_start")
    monday = weeks["week_start"][2]
    row = f"spell_id = '{spell}' and week_start = '{monday}'"
    with psycopg.connect(database) as connection:
        connection.execute(
            f"create temporary table kept as select * from ris.interval_hp where {row}"
        )
        connection.execute(f"delete from ris.interval_hp where {row}")
        connection.commit()
        at_risk = snapshots.person_weeks(studio.horizon, 10**6)
        frozen = snapshots.frozen_weeks(studio.horizon, at_risk["spell_id"].unique())
        connection.execute("insert into ris.interval_hp select * from kept")
    assert frozen.columns == at_risk.columns
    (found,) = frozen.filter(spell_id=spell).iter_rows(named=True)
    eve = monday - timedelta(days=1)
    assert (found["as_of_date"], found["week_start"], found["exposure"]) == (eve, monday, 0.0)
    assert (found["week_number"], found["event"]) == (weeks["week_number"][2], False)
    assert found["matures_on"] == eve + timedelta(days=37)
    everyone = snapshots_after(
        eve - timedelta(days=7), pl.concat([at_risk, frozen], how="vertical_relaxed")
    )
    asked = everyone.filter(spell_id=spell, as_of_date=eve)
    assert asked.height == 1
    later = outcomes_after(asked, at_risk)["last_week"][0]
    assert later > 10


def test_a_table_of_an_earlier_version_lets_in_nulls_that_may_be(database):
    older = replace(
        MODEL_BANDS, name="older_bands",
        columns=tuple(replace(column, required=True, description="?") for column in MODEL_BANDS.columns),
    )  # fmt: skip
    postgres = PostgresResource(url=database)
    postgres.ensure_table(older)
    postgres.ensure_table(replace(MODEL_BANDS, name="older_bands"))
    null_or_not = (
        "select attname, attnotnull from pg_attribute"
        " where attrelid = 'ris.older_bands'::regclass and attnum > 0"
    )
    required = {column.name for column in MODEL_BANDS.columns if column.required}
    assert {name for name, is_required in rows(database, null_or_not) if is_required} == required


def score(
    resources: dict, day: date, hindsight: bool = False, raise_on_error: bool = True
) -> dg.ExecuteInProcessResult:
    config = {"ops": {"model_scores_daily": {"config": {"allow_hindsight": hindsight}}}}
    key = day.isoformat()
    return dg.materialize(
        SCORING,
        resources=resources,
        partition_key=key,
        run_config=config,
        raise_on_error=raise_on_error,
    )


def rows(database: str, query: str) -> list[tuple]:
    with psycopg.connect(database) as connection:
        return connection.execute(query).fetchall()


def test_scoring_before_training_says_what_to_do(resources, studio):
    with pytest.raises(RisError, match="ris train"):
        score(resources, studio.horizon)


def test_the_better_family_becomes_champion_and_its_provenance_is_told(trained, resources):
    mlflow = resources["mlflow"].activate()
    client = mlflow.MlflowClient()
    renewal = client.get_model_version_by_alias("ris_renewal", "champion")
    survival = client.get_model_version_by_alias("ris_survival", "champion")
    for found in (renewal, survival):
        assert {
            "fitted_through",
            "trained_through",
            "snapshot_hash",
            "code_version",
            "gate",
        } <= set(found.tags)
    steps = {f"backtest_{name}" for name in ("log_loss", "auc", "brier")}
    for task, families in (("ris_renewal", ESTIMATORS), ("ris_survival", HAZARDS)):
        runs = mlflow.search_runs(experiment_names=[task], output_format="list")
        names = {r.data.tags["mlflow.runName"]: r for r in runs}
        assert set(families) <= set(names)
        assert all(steps <= set(names[family].data.metrics) for family in families)
        assert (
            tracking.ABOUT[task] == mlflow.get_experiment_by_name(task).tags["mlflow.note.content"]
        )
    assert renewal.tags["family"] in ESTIMATORS
    assert renewal.tags["decision"] == "Promote"


def test_a_rollback_brings_the_champion_before_back(trained, resources):
    resources["mlflow"].activate()
    first = tracking.champion_version("ris_renewal")
    with pytest.raises(RisError, match="none before it"):
        tracking.rollback("ris_renewal")
    config = training.training_run_config(None, always_promote=True, families=FAST)
    assert dg.materialize(TRAINING, resources=resources, run_config=config).success
    second = tracking.champion_version("ris_renewal")
    assert second != first
    assert tracking.rollback("ris_renewal") == (second, first)
    assert tracking.load_champion("ris_renewal").version == first
    assert tracking.rollback("ris_survival")[1] == 1


BARE = """
import json
import sys

import mlflow
import pandas as pd

address, folder = sys.argv[1:]
mlflow.set_tracking_uri(address)
frame = pd.read_parquet(folder + "/frame.parquet")
shapes = {
    "as it is": frame,
    "categories": frame.assign(city=frame["city"].astype("category")),
    "nullable": frame.convert_dtypes(),
    "an optional column left out": frame.drop(columns="visits"),
    "an optional column empty": frame.assign(visits=None),
}
for name in ("ris_renewal", "ris_survival"):
    model = mlflow.pyfunc.load_model(f"models:/{name}@champion")
    for shape, given in shapes.items():
        said = model.predict(given)
        assert (said.index == frame.index).all()
        said.to_parquet(f"{folder}/{name} {shape}.parquet")
kinds = model.metadata.metadata["columns"]
print(json.dumps([kinds, sys.modules["ris_assets"].__file__]))
"""


def test_champions_load_in_a_bare_process_and_read_a_plain_frame_as_it_comes(
    trained, resources, studio, tmp_path
):
    frame = studio.snapshot.tail(50).to_pandas().set_index(pd.RangeIndex(100, 150))
    assert {"int64", "float64", "bool"} <= {str(kind) for kind in frame.dtypes}
    frame.to_parquet(tmp_path / "frame.parquet")
    address = resources["mlflow"].tracking_uri
    environment = {"PATH": "/usr/bin:/bin", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-c", BARE, address, str(tmp_path)],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    kinds, code = json.loads(done.stdout.splitlines()[-1])
    assert (kinds["city"], kinds["visits"], kinds["is_already_renewed"]) == (
        "text",
        "number",
        "number",
    )
    assert "/artifacts/code/ris_assets/" in code, "the code that was logged with the model is read"

    def said(name: str, shape: str) -> pl.DataFrame:
        return pl.read_parquet(tmp_path / f"{name} {shape}.parquet")

    for name in ("ris_renewal", "ris_survival"):
        plain = said(name, "as it is")
        shares = plain.select(cs.starts_with("p_renew", "survived")).to_numpy()
        assert (shares > 0).all()
        assert (shares <= 1).all()
        for shape in ("categories", "nullable"):
            assert said(name, shape).equals(plain)
        absent = said(name, "an optional column left out")
        assert absent.equals(said(name, "an optional column empty"))
        assert not absent.equals(plain)


def test_a_curve_without_the_end_of_the_pass_is_refused(trained, resources, studio):
    mlflow = resources["mlflow"].activate()
    before = list(sys.path)
    model = tracking.load_champion("ris_survival")
    assert sys.path == before
    logged = mlflow.pyfunc.load_model(f"models:/ris_survival/{model.version}")
    frame = studio.snapshot.tail(4).to_pandas()
    with pytest.raises(MlflowException, match="days_to_end"):
        logged.predict(frame.drop(columns="days_to_end"))
    unknown = logged.predict(frame.assign(days_to_end=[3, None, 9, None]))
    assert unknown["survived_4w"].isna().tolist() == [False, True, False, True]


def test_the_first_hazard_has_to_beat_the_base_rate_and_else_that_gives_the_curves(
    resources, tmp_path, monkeypatch
):
    kept = Verdict(False, "Keep: does not beat the base rate", ("does not beat the base rate",))
    monkeypatch.setattr(survival_contest, "judge_survival", lambda *_: kept)
    folder = MlflowResource(
        tracking_uri=f"sqlite:///{tmp_path}/mlflow.db", artifact_root=tmp_path.as_uri()
    )
    config = {"ops": {"survival_model": {"config": {"families": FAST}}}}
    found = dg.materialize(
        [training.survival_model, inference.survival_inference],
        resources=resources | {"mlflow": folder}, run_config=config,
    )  # fmt: skip
    assert found.success
    assert not found.get_asset_check_evaluations()[0].passed
    champion = tracking.load_champion("ris_survival")
    assert (champion.version, champion.model.family) == (2, "hazard_base_rate")
    assert "does not beat the base rate" in champion.tags["gate"]
    client = folder.activate().MlflowClient()
    assert "stands in" in client.get_model_version("ris_survival", "2").description
    resources["mlflow"].activate()


@pytest.mark.parametrize(
    ("asset", "name", "judge"),
    [
        (training.renewal_models, "ris_renewal", (contest, "judge_renewal")),
        (training.survival_model, "ris_survival", (survival_contest, "judge_survival")),
    ],
    ids=["renewal", "survival"],
)
def test_a_rule_that_stands_in_is_learned_anew_when_more_is_known(
    resources, studio, tmp_path, monkeypatch, asset, name, judge
):
    kept = Verdict(False, "Keep: does not beat the base rate", ("does not beat the base rate",))
    monkeypatch.setattr(*judge, lambda *_: kept)
    folder = MlflowResource(
        tracking_uri=f"sqlite:///{tmp_path}/mlflow.db", artifact_root=tmp_path.as_uri()
    )

    def champion_after(day: date) -> tracking.Champion:
        shared = {"families": FAST, "as_of": day.isoformat()}
        config = {"ops": {asset.key.to_user_string(): {"config": shared}}}
        assert dg.materialize(
            [asset], resources=resources | {"mlflow": folder}, run_config=config
        ).success
        folder.activate()
        return tracking.load_champion(name)

    first = champion_after(studio.horizon - timedelta(days=28))
    assert first.model.family in training.STAND_INS
    later = champion_after(studio.horizon)
    assert later.model.family in training.STAND_INS
    assert later.fitted_through > first.fitted_through
    assert champion_after(studio.horizon - timedelta(days=28)).version == later.version
    resources["mlflow"].activate()


def test_what_is_known_of_the_version_is_written(trained, database):
    shares = (
        "select model_name, sum(importance)::float4 from ris.model_importance"
        " group by model_name, model_version"
    )
    assert set(rows(database, shares)) == {("ris_renewal", 1.0), ("ris_survival", 1.0)}
    for name in ("ris_renewal", "ris_survival"):
        of_first = f"where model_name = '{name}' and model_version = 1 order by from_score"
        bands = [
            band for (band,) in rows(database, f"select risk_band from ris.model_bands {of_first}")
        ]
        assert bands[0] == "low", name
        assert sorted(bands) == ["critical", "high", "low", "medium"], name
    bins = (
        "select model_name, horizon_days, count(*) from ris.model_calibration"
        " where model_version = 1 and observed_low <= observed_share"
        " and observed_share <= observed_high group by model_name, horizon_days"
    )
    found = {(name, days): count for name, days, count in rows(database, bins)}
    assert set(found) >= {("ris_renewal", 30), ("ris_survival", 28), ("ris_survival", 56)}
    assert min(found.values()) > 3


def test_the_gate_is_a_check_and_the_version_has_a_card(trained, resources):
    checks = {
        (e.asset_check_key.asset_key.to_user_string(), e.asset_check_key.name): e.passed
        for e in trained.get_asset_check_evaluations()
    }
    assert checks["renewal_models", "passed_the_gate"]
    assert ("survival_model", "passed_the_gate") in checks
    mlflow = resources["mlflow"].activate()
    client = mlflow.MlflowClient()
    version = client.get_model_version("ris_renewal", "1")
    assert "## Limits" in version.description
    files = {file.path for file in client.list_artifacts(version.run_id)}
    wanted = {
        "model_card.md",
        "roc_pr.png",
        "lift.png",
        "reliability_30d.png",
        "learning_curve.png",
    }
    assert wanted <= files
    assert client.get_run(version.run_id).inputs.dataset_inputs


def test_the_ends_of_intervals_are_metrics_of_the_chosen_run(trained, resources):
    client = resources["mlflow"].activate().MlflowClient()
    for name, metrics in {
        "ris_renewal": ("test_auc", "test_log_loss", "test_ece", "test_calibration_slope"),
        "ris_survival": ("person_week_log_loss", "brier_4w", "ibs", "antolini"),
    }.items():
        version = client.get_model_version(name, "1")
        found = client.get_run(version.run_id).data.metrics
        for metric in metrics:
            assert found[f"{metric}_low"] <= found[metric] <= found[f"{metric}_high"], metric
            assert f"| {metric} | {found[metric]:.4f} | {found[f'{metric}_low']:.4f} to" in (
                version.description
            )


def test_the_baseline_says_what_each_column_adds(trained, resources):
    mlflow = resources["mlflow"].activate()
    runs = mlflow.search_runs(
        experiment_names=["ris_renewal"],
        filter_string="tags.mlflow.runName = 'logistic'",
        output_format="list",
    )
    text = mlflow.artifacts.load_text(f"{runs[-1].info.artifact_uri}/coefficients.csv")
    table = pl.read_csv(text.encode())
    assert table.columns == ["column", "reading", "coefficient", "odds_ratio", "sign"]
    signs = table.group_by("column").agg(pl.col("coefficient").sum().sign())
    assert dict(signs.rows())["visits"] == 1.0


def test_the_page_of_an_asset_shows_what_was_looked_into(trained):
    shown = {
        name: trained.asset_materializations_for_node(name)[0].metadata
        for name in ("renewal_models", "survival_model")
    }
    wanted = {"reliability", "reliability_60d", "reliability_90d", "shap_dependence"}
    assert wanted <= set(shown["renewal_models"])
    wanted = {"brier", "survival_by_band", "reliability_4w", "shap_summary", "shap_dependence"}
    assert wanted <= set(shown["survival_model"])


def test_hazard_ratios_and_curves_are_written(trained, database):
    told = "select feature, hr_high from ris.model_hazard_ratios where segment = ''"
    ratios = dict(rows(database, told))
    assert ratios["visits_ewma"] < 1
    kinds = rows(database, "select distinct segment_kind from ris.survival_by_segment")
    assert ("city",) in kinds


def test_importances_are_told_in_three_ways(trained, database):
    found = rows(
        database,
        "select permutation, mean_abs_shap from ris.model_importance"
        " where feature = 'visits' and model_version = 1 order by model_name",
    )
    assert [permutation > 0 and added > 0 for permutation, added in found] == [True, True]


def test_a_day_has_one_score_a_member_and_a_rerun_changes_nothing(
    trained, resources, database, studio
):
    day, other = studio.horizon, studio.horizon - timedelta(days=7)
    everything = "select * from ris.model_scores_daily order by score_date, user_id"
    score(resources, other)
    score(resources, day)
    first = rows(database, everything)
    score(resources, day)
    assert rows(database, everything) == first
    active = studio.snapshot.filter(pl.col("as_of_date").is_in([day, other]))
    assert len(first) == active.height
    lengths = rows(
        database, "select distinct jsonb_array_length(reasons) from ris.model_scores_daily"
    )
    assert lengths == [(3,)]
    stats = rows(database, "select count(distinct as_of_date) from ris.dq_feature_stats")
    assert stats == [(2,)]


def test_a_table_of_before_gets_the_bounds_of_losses(trained, resources, database, studio):
    assert score(resources, studio.horizon).success
    bounds = [f"p_lost_{days}d_{end}" for days in (7, 30, 60, 90) for end in ("low", "high")]
    dropped = ", ".join(f"drop column {name}" for name in bounds)
    with psycopg.connect(database) as connection:
        connection.execute(f"alter table ris.model_scores_daily {dropped}")
    assert score(resources, studio.horizon).success
    assert rows(database, f"select {', '.join(bounds)} from ris.model_scores_daily")


def test_a_broken_feature_stops_the_scores_and_keeps_those_before(
    trained, resources, database, studio
):
    everything = "select * from ris.model_scores_daily order by score_date, user_id"
    assert score(resources, studio.horizon).success
    before = rows(database, everything)
    column = rows(
        database,
        "select feature from ris.dq_feature_stats where psi is not null and mean is not null"
        " and distinct_count > 1 order by fill_share desc, feature limit 1",
    )[0][0]
    keep = (
        f"create table kept as select user_id, as_of_date, {column} as was from ris.member_snapshot"
    )
    back = (
        f"update ris.member_snapshot m set {column} = was from kept k"
        " where k.user_id = m.user_id and k.as_of_date = m.as_of_date"
    )
    with psycopg.connect(database) as connection:
        connection.execute(keep)
        connection.execute(f"update ris.member_snapshot set {column} = null")
    try:
        result = score(resources, studio.horizon, raise_on_error=False)
    finally:
        with psycopg.connect(database) as connection:
            connection.execute(f"{back}; drop table kept")
    assert not result.success
    check = result.get_asset_check_evaluations()[0]
    assert (check.check_name, check.passed) == (quality.TRUSTED, False)
    assert "the scores of the days before stay in place" in (check.description or "")
    assert column in str(check.metadata["broken"].value)
    assert not result.asset_materializations_for_node("model_scores_daily")
    assert rows(database, everything) == before
    assert score(resources, studio.horizon).success


def test_a_day_without_members_after_a_week_without_has_no_scores(trained, resources, studio):
    result = score(resources, studio.horizon + timedelta(days=20))
    metadata = result.asset_materializations_for_node("model_scores_daily")[0].metadata
    assert metadata["dagster/row_count"].value == 0


def test_the_summary_lists_first_who_is_likeliest_lost_soon(trained, resources, database, studio):
    assert score(resources, studio.horizon).success
    found = rows(database, "select user_id, p_lost_30d, value_at_risk from ris.model_scores_daily"
                 f" where score_date = '{studio.horizon}'")  # fmt: skip
    console = Console(record=True, width=200)
    summary.print_most_at_risk(console, resources["postgres"], studio.horizon)
    listed = re.findall(r"u\d{4}", console.export_text())
    ordered = sorted(found, key=lambda row: (-row[1], -(row[2] or 0), row[0]))
    assert listed == [member for member, *_ in ordered[: summary.TOP]]
    summary.print_most_at_risk(console, resources["postgres"], studio.horizon + timedelta(days=20))
    assert "nobody to score" in console.export_text()


def test_scores_of_a_range_begin_after_what_the_models_were_fitted_on(
    trained, resources, studio, monkeypatch
):
    mlflow = resources["mlflow"].activate()
    monkeypatch.setattr(MlflowResource, "activate", lambda self: mlflow)
    client = mlflow.MlflowClient()
    champions = [
        client.get_model_version_by_alias(n, "champion") for n in ("ris_renewal", "ris_survival")
    ]
    fitted = max(date.fromisoformat(one.tags["fitted_through"]) for one in champions)
    day, console = timedelta(days=1), Console(record=True, width=200)
    last = studio.horizon
    assert cli_runs._after_training(console, (fitted + day, last)) == (fitted + day, last)
    assert cli_runs._after_training(console, (fitted, fitted)) == (fitted, fitted)
    assert console.export_text() == ""
    assert cli_runs._after_training(console, (fitted - 9 * day, last)) == (fitted + day, last)
    assert f"Scores begin after {fitted}" in console.export_text()


def test_a_day_that_the_champion_was_fitted_on_is_refused(trained, resources):
    with pytest.raises(RisError, match="was fitted on what was known"):
        score(resources, date(2026, 1, 11))
    assert score(resources, date(2026, 1, 11), hindsight=True).success


def test_training_as_of_an_earlier_day_keeps_a_champion_that_knows_more(trained, resources, studio):
    earlier = studio.horizon - timedelta(days=28)
    config = training.training_run_config(earlier, families=FAST)
    result = dg.materialize(TRAINING, resources=resources, run_config=config)
    metadata = result.asset_materializations_for_node("renewal_models")[0].metadata
    assert metadata["is_champion"].value is False
    assert "later data" in str(metadata["gate"].value)


@pytest.mark.parametrize(("as_of", "sentence"), [("soon", "not a date"), ("2030-01-01", "up to")])
def test_a_day_that_cannot_be_trained_on_is_refused(as_of, sentence):
    with pytest.raises(RisError, match=sentence):
        training.training_day(as_of, date(2024, 6, 30))


@pytest.mark.parametrize("wrong", [KeyError("family"), FileNotFoundError("start/hazard.json")])
def test_a_champion_of_another_version_of_ris_is_named_and_does_not_stop_the_training(
    trained, resources, monkeypatch, wrong
):
    mlflow = resources["mlflow"].activate()

    def broken(uri: str) -> None:
        raise wrong

    monkeypatch.setattr(mlflow.pyfunc, "load_model", broken)
    with pytest.raises(RisError, match="train again"):
        tracking.load_champion("ris_survival")
    assert tracking.comparable_champion("ris_survival") is None


def test_a_day_that_has_lost_its_members_keeps_the_scores_before(
    trained, resources, database, studio
):
    everything = "select * from ris.model_scores_daily order by score_date, user_id"
    assert score(resources, studio.horizon).success
    before = rows(database, everything)
    there = f"from ris.member_snapshot where as_of_date = '{studio.horizon}'"
    with psycopg.connect(database) as connection:
        connection.execute(f"create table kept as select * {there}")
        connection.execute(f"delete {there}")
    try:
        result = score(resources, studio.horizon, raise_on_error=False)
    finally:
        with psycopg.connect(database) as connection:
            connection.execute(
                "insert into ris.member_snapshot select * from kept; drop table kept"
            )
    assert not result.success
    check = result.get_asset_check_evaluations()[0]
    assert (check.check_name, check.passed) == (quality.TRUSTED, False)
    assert f"{studio.horizon} (no member, some in the week before)" in (check.description or "")
    assert rows(database, everything) == before
