"""How much of the attainable skill models have, on a demo studio whose true probabilities are known.

Run `ris demo --members 10000` first (any RIS_HOME): its snapshots are read, smaller studios are members drawn from it.
Skill: (base rate - model) / (base rate - truth), in log loss and Brier score, out of time.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from ris_assets.evaluation import contest
from ris_assets.evaluation.split import Windows
from ris_assets.evaluation.tiers import Tier, tier_of
from ris_assets.models.renewal import ESTIMATORS

EVERYTHING = 10**9
SHOWN = ("test_share_of_skill", "test_share_of_skill_brier", "test_log_loss", "base_rate_log_loss",
         "test_ceiling_log_loss", "test_auc", "test_ceiling_auc")  # fmt: skip
THIN = {"base_rate": Tier.INSUFFICIENT, "rule": Tier.RULE, "ridge": Tier.SMALL, "logistic": Tier.FULL,
        "blend": Tier.FULL}  # fmt: skip


def read() -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, date]:
    """Labelled snapshots, catalogue, truth and last day of the demo in RIS_HOME."""
    from ris_assets.launcher import prepare
    from ris_assets.resources.postgres import PostgresResource
    from ris_assets.resources.snapshots import Snapshots
    from ris_assets.settings import get_settings

    prepare()
    snapshots = Snapshots(PostgresResource())
    truth = pl.read_parquet(get_settings().home / "demo" / "truth.parquet")
    horizon = snapshots.horizon()
    return snapshots.labelled(horizon, EVERYTHING), snapshots.catalog(), truth, horizon


def drawn(rows: pl.DataFrame, members: int, seed: int) -> pl.DataFrame:
    """The rows of so many members."""
    everyone = rows["user_id"].unique().sort()
    kept = everyone.sample(min(members, len(everyone)), seed=seed)
    return rows.filter(pl.col("user_id").is_in(kept.implode()))


def run(
    members: Sequence[int], families: Sequence[str] = tuple(ESTIMATORS)
) -> list[dict[str, Any]]:
    """Every family at every size; prints a line each."""
    labelled, catalog, truth, horizon = read()
    whole, found = contest.renewal_windows(labelled, horizon), []
    for size in members:
        rows = drawn(labelled, size, seed=0)
        windows = contest.renewal_windows(rows, horizon)
        windows = replace(windows, test=everybodys_test(whole, windows))
        for family in families:
            began = time.perf_counter()
            model = contest.fit_one(family, windows, catalog)
            seconds = time.perf_counter() - began
            metrics = contest.report_on(model, windows, truth).metrics
            line = {"members": size, "family": family, "fit_seconds": round(seconds, 1),
                    "passes": windows.fitting["hp_id"].n_unique()}  # fmt: skip
            line |= {name: round(metrics[name], 4) for name in SHOWN if name in metrics}
            found.append(line)
            print(line, flush=True)
    return found


def everybodys_test(whole: Windows, windows: Windows) -> pl.DataFrame:
    """The out-of-time rows of all members: a small studio is judged as precisely as a large one."""
    assert abs((whole.cuts.fit - windows.cuts.fit).days) < 14, "the small studio began much later"
    return whole.test.filter(pl.col("as_of_date") > windows.cuts.fit)


def learning_curve(
    sizes: Sequence[int] = (30, 50, 100, 150, 300, 600, 1000, 2000, 5000), draws: int = 8
) -> list[dict[str, Any]]:
    """Log loss of the thin families and of full ones by number of members, over several draws of them."""
    labelled, catalog, truth, horizon = read()
    whole, found = contest.renewal_windows(labelled, horizon), []
    for size in sizes:
        lines = []
        for seed in range(max(1, min(draws, 6000 // size))):
            windows = contest.renewal_windows(drawn(labelled, size, seed), horizon)
            test = everybodys_test(whole, windows).sample(10_000, seed=1)
            lines.append(_thin(replace(windows, test=test), windows, catalog, truth))
        table = pl.DataFrame(lines, infer_schema_length=None)
        numbers = [name for name in table.columns if table[name].dtype.is_numeric()]
        mean: dict[str, Any] = {"members": size, "draws": len(lines)}
        mean |= {name: table[name].mean() for name in numbers}
        mean["tiers"] = dict(table["tier"].value_counts().iter_rows())
        found.append(mean)
        print({k: round(v, 4) if isinstance(v, float) else v for k, v in mean.items()}, flush=True)
    return found


def _thin(
    windows: Windows, own: Windows, catalog: pl.DataFrame, truth: pl.DataFrame
) -> dict[str, Any]:
    line: dict[str, Any] = {"tier": tier_of(own).value, "passes": own.fitting["hp_id"].n_unique()}
    known = windows.test.join(
        truth.select("hp_id", "as_of_date", pl.col("p_renew_30d").alias("p")),
        ["hp_id", "as_of_date"],
    )
    y, p = (
        known["renewed_30d"].cast(pl.Float64).to_numpy(),
        known["p"].clip(1e-6, 1 - 1e-6).to_numpy(),
    )
    line["truth"] = float(-np.mean(y * np.log(p) + (1 - y) * np.log1p(-p)))
    for family, tier in THIN.items():
        try:
            model = contest.fit_one(family, windows, catalog, tier)
            line[family] = contest.report_on(model, windows).metrics["test_log_loss"]
        except ValueError:  # one class only
            line[family] = None
    return line
