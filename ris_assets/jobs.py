"""Jobs: which assets run together. What they do stands in `assets/`, when they run in `schedules.py`."""

from typing import Any

import dagster as dg

Job = Any
"""What `define_asset_job` gives back: a class that Dagster does not export."""

TRAINING = dg.AssetSelection.groups("training")
SCORES = dg.AssetSelection.groups("scores", "outcomes")
SOURCE = dg.AssetSelection.groups("source")
"""What is looked at by hand: the profile of the source."""
MARTS = dg.AssetSelection.all() - TRAINING - SCORES - SOURCE


def marts_job() -> Job:
    """Documents to snapshots: everything that a model or a score reads."""
    return dg.define_asset_job("marts", MARTS, description="From documents to member snapshots")


def scores_job() -> Job:
    """Scores of a day from its snapshot, and the ledger of past scores."""
    return dg.define_asset_job("scores", SCORES, description="Scores of a day, and the ledger")


def daily_job() -> Job:
    """What every day needs: all but the training."""
    return dg.define_asset_job(
        "daily", MARTS | SCORES, description="From documents to the scores of a day"
    )


def training_job() -> Job:
    """Train, compare, and let the better model become champion."""
    return dg.define_asset_job("training", TRAINING, description="Train and choose the champion")
