"""The renewal model that is logged: an estimator, its calibration, the late renewals, the bands.

P(30) comes from the calibrated estimator. Later horizons add what comes late to those who did not
renew before: P(60) = P(30) + (1 - P(30)) q60, P(90) = P(60) + (1 - P(60)) q90, so that P(30) <=
P(60) <= P(90) holds by construction.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from ris_assets.evaluation.bands import band_limits
from ris_assets.evaluation.calibration import (
    Calibrator,
    Platt,
    calibrator_from_json,
    fit_calibrator,
    fit_platt,
    logit,
    sigmoid,
)
from ris_assets.evaluation.drift import reference_of
from ris_assets.evaluation.split import Windows
from ris_assets.features.matrix import FACTOR, FeatureSet
from ris_assets.features.reasons import adverse_numbers, adverse_texts
from ris_assets.models.base_rate import BaseRateRenewal
from ris_assets.models.blend import BlendRenewal
from ris_assets.models.forest_renewal import ForestRenewal
from ris_assets.models.lightgbm_renewal import LightgbmRenewal
from ris_assets.models.logistic import LogisticRenewal
from ris_assets.models.newest import NEWEST, by_day
from ris_assets.models.protocol import (
    RENEWAL_HORIZONS,
    Array,
    Explained,
    Fold,
    RenewalEstimator,
    WithInterval,
)
from ris_assets.models.ridge_renewal import RidgeRenewal
from ris_assets.models.rule_renewal import RuleRenewal
from ris_assets.models.xgboost_renewal import XgboostRenewal

ESTIMATORS: dict[str, type[RenewalEstimator]] = {
    family.family: family
    for family in (
        LogisticRenewal,
        RidgeRenewal,
        ForestRenewal,
        XgboostRenewal,
        LightgbmRenewal,
        BlendRenewal,
    )
}
"""The families that contend."""
THIN: dict[str, type[RenewalEstimator]] = {
    family.family: family for family in (RuleRenewal, BaseRateRenewal)
}
"""Those that score where there is too little for a model, or where no family is better."""
STORED: dict[str, type[RenewalEstimator]] = {**ESTIMATORS, **THIN}
PROBABILITIES = tuple(f"p_renew_{days}d" for days in RENEWAL_HORIZONS)
LATE_PRIOR_PASSES = 10.0
LATE_PRIOR_SHARE = 0.05
LATE_PENALTY = 5.0
FILE = "renewal.json"


@dataclass
class RenewalModel:
    """From snapshot rows to P(renew) within 30, 60 and 90 days.

    Attributes:
        late: for 60 and 90 days, P(renews by then | has not by the horizon before), a map of P(30).
        bands: band name -> risk score at which it begins.
        reference: what training rows looked like, for drift and for reasons.
        balance: 1 lets both outcomes weigh the same in fitting, 0 leaves them as they are; the log odds are set
            right again afterwards.
        shift: by which log odds are set right.
        is_insufficient: too little is known for any rule.
        newest: the same fitted on all that was known by `known_by`; it tells the rows of that day and later ones.
    """

    features: FeatureSet
    estimator: RenewalEstimator
    calibrator: Calibrator = field(default_factory=Platt)
    late: tuple[Platt, ...] = (Platt(), Platt())
    bands: dict[str, float] = field(default_factory=dict)
    reference: dict[str, dict] = field(default_factory=dict)
    balance: float = 0.0
    shift: float = 0.0
    is_insufficient: bool = False
    newest: "RenewalModel | None" = None
    known_by: date | None = None

    @property
    def family(self) -> str:
        """The estimator's family."""
        return self.estimator.family

    @property
    def basis(self) -> str:
        """What a score rests on: a model, a rule that holds while no model is better, or next to nothing."""
        if self.is_insufficient:
            return "insufficient"
        return "rule" if self.family in (BaseRateRenewal.family, RuleRenewal.family) else "model"

    def fit(self, windows: Windows) -> "RenewalModel":
        """Fit and calibrate on everything known by the fitting cut; the test window is not read.

        The calibration is learned by a model of the training window on the validation window, the bands are cut
        on what it says there; then the estimator is fitted again on both, for the newest weeks are the ones most
        like the next.
        """
        validation = self.fold(windows.validation)
        is_validated = len(validation.target) > 0 and windows.training.height > 0
        if is_validated:
            self._fit_estimator(windows.training)
            raw = self.raw(validation.matrix)
            self.calibrator = fit_calibrator(validation.target, raw, validation.weight)
            self.bands = self._bands(validation)
        self._fit_estimator(windows.fitting)
        if not is_validated:
            self.bands = self._bands(self.fold(windows.fitting))
        self.late = self._fit_late(windows)
        return self

    def with_reference(self, rows: pl.DataFrame, features: FeatureSet) -> "RenewalModel":
        """Remember what rows looked like, as a model needs that is to score: reasons and drift go by all features."""
        self.reference = reference_of(rows, features)
        for column in features.levels:
            self.reference[column]["adverse"] = adverse_texts(rows, column)
        for column in features.numeric:
            if column.startswith(FACTOR):
                self.reference[column]["adverse"] = adverse_numbers(rows, column)
        return self

    def with_newest(self, windows: Windows) -> "RenewalModel":
        """Fit once more on everything known by `as_of`, as what nothing has judged may: it tells rows from then on.

        Rows before that day, those of the out-of-time window among them, are told by what was known by the fitting
        cut, and bands stay where those rows were told of: what is said of a day never knows what came after it.
        """
        self.newest, self.known_by = self.unfitted().fit(windows.undivided()), windows.cuts.as_of
        return self

    def _fit_estimator(self, rows: pl.DataFrame) -> None:
        fold, self.shift = balanced(self.fold(rows), self.balance)
        # The last bit of linear algebra depends on its threads.
        with threadpool_limits(1, "blas"):
            self.estimator.fit(fold)

    def _bands(self, fold: Fold) -> dict[str, float]:
        """Cut by what is said now of the fold's rows: on rows that it has learned, a forest tells chance apart."""
        risk = risk_scores(self.calibrator.apply(self.raw(fold.matrix)))
        return band_limits(risk, 1 - fold.target, fold.weight)

    def raw(self, matrix: Array) -> Array:
        """Probabilities before calibration, balance set right."""
        if not len(matrix):
            return np.empty(0)
        said = self.estimator.predict(matrix)
        return sigmoid(logit(said) + self.shift) if self.shift else said

    def predict(self, frame: pl.DataFrame) -> pl.DataFrame:
        """(p_renew_30d, p_renew_60d, p_renew_90d), rows of `frame`, rising along a row."""
        said = self._horizons(self.calibrator.apply(self.raw(self.features.encode(frame))))
        return self._by_day(frame, said, self.newest.predict(frame)) if self.newest else said

    def predict_interval(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame] | None:
        """95% bounds of `predict`, where data is thin; None from models of many passes."""
        if not isinstance(self.estimator, WithInterval):
            return None
        if not frame.height:
            return self.predict(frame), self.predict(frame)
        low, high = (
            self._horizons(self.calibrator.apply(bound))
            for bound in self.estimator.interval(self.features.encode(frame))
        )
        if self.newest is None:
            return low, high
        later = self.newest.predict_interval(frame) or (low, high)
        return self._by_day(frame, low, later[0]), self._by_day(frame, high, later[1])

    def _by_day(
        self, frame: pl.DataFrame, before: pl.DataFrame, later: pl.DataFrame
    ) -> pl.DataFrame:
        said = by_day(frame, self.known_by, before.to_numpy(), later.to_numpy())
        return pl.DataFrame(said, schema=dict.fromkeys(PROBABILITIES, pl.Float64))

    def _horizons(self, probability: Array) -> pl.DataFrame:
        """P(30) and what comes late to those who did not renew before."""
        columns, score = {PROBABILITIES[0]: probability}, probability
        for name, late in zip(PROBABILITIES[1:], self.late, strict=True):
            probability = probability + (1 - probability) * late.apply(score)
            columns[name] = probability
        return pl.DataFrame(columns)

    def contributions(self, frame: pl.DataFrame) -> Array | None:
        """(rows, matrix columns): what each adds to the log odds; None from families that cannot tell."""
        if not isinstance(self.estimator, Explained):
            return None
        return self.estimator.contributions(self.features.encode(frame))

    def unfitted(self) -> "RenewalModel":
        """The same family with the same settings, still to be fitted."""
        estimator = new_estimator(self.family, getattr(self.estimator, "settings", {}))
        return RenewalModel(
            self.features, estimator, balance=self.balance, is_insufficient=self.is_insufficient
        )

    def importance(self) -> dict[str, float]:
        """Catalogue feature -> share of importance, largest first."""
        return self.features.by_feature(self.estimator.importance())

    def fold(self, rows: pl.DataFrame) -> Fold:
        """Encoded rows with their 30-day label and weight."""
        target = rows["renewed_30d"].cast(pl.Float64).to_numpy()
        members = rows["user_id"].rank("dense").to_numpy()
        return Fold(self.features.encode(rows), target, rows["weight"].to_numpy(), members)

    def _fit_late(self, windows: Windows) -> tuple[Platt, ...]:
        """Maps for 60 and 90 days, from passes whose longer labels are mature by the cut."""
        rows = windows.fitting
        score = self.calibrator.apply(self.raw(self.features.encode(rows)))
        scored = rows.with_columns(pl.Series("p", score))
        return tuple(
            fit_late(
                scored.filter(
                    (pl.col(f"matures_{days}d_on") <= windows.cuts.fit)
                    & ~pl.col(f"renewed_{before}d")
                ),
                f"renewed_{days}d",
            )
            for before, days in pairwise(RENEWAL_HORIZONS)
        )

    def save(self, folder: Path) -> None:
        """Write native files and one JSON; no pickle."""
        folder.mkdir(parents=True, exist_ok=True)
        self.estimator.save(folder)
        data = {
            "family": self.family,
            "features": self.features.to_json(),
            "calibrator": self.calibrator.to_json(),
            "late": [late.to_json() for late in self.late],
            "bands": self.bands,
            "reference": self.reference,
            "shift": self.shift,
            "is_insufficient": self.is_insufficient,
            "known_by": self.known_by.isoformat() if self.known_by else None,
        }
        if self.newest:
            self.newest.save(folder / NEWEST)
        (folder / FILE).write_text(json.dumps(data, indent=1, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "RenewalModel":
        """Read what `save` wrote."""
        data: Mapping = json.loads((folder / FILE).read_text(encoding="utf-8"))
        late = tuple(Platt(item["intercept"], item["slope"]) for item in data["late"])
        known_by = data.get("known_by")
        return cls(
            FeatureSet.from_json(data["features"]),
            STORED[data["family"]].load(folder),
            calibrator_from_json(data["calibrator"]),
            late,
            data["bands"],
            data["reference"],
            shift=data.get("shift", 0.0),
            is_insufficient=data.get("is_insufficient", False),
            newest=cls.load(folder / NEWEST) if known_by else None,
            known_by=date.fromisoformat(known_by) if known_by else None,
        )


def new_estimator(family: str, settings: Mapping[str, float]) -> RenewalEstimator:
    """An unfitted estimator of a family, with settings other than its defaults where it takes any."""
    found: Any = STORED[family]
    return found(settings) if settings else found()


def balanced(fold: Fold, balance: float) -> tuple[Fold, float]:
    """The fold with its outcomes weighed towards each other, and what sets log odds right again."""
    hits = float(fold.target @ fold.weight)
    misses = float(fold.weight.sum()) - hits
    if not balance or hits <= 0 or misses <= 0:
        return fold, 0.0
    odds = hits / misses
    weight = fold.weight * np.where(
        fold.target > 0.5, odds ** (-balance / 2), odds ** (balance / 2)
    )
    return replace(fold, weight=weight), float(balance * np.log(odds))


def fit_late(rows: pl.DataFrame, target: str) -> Platt:
    """P(late renewal) as a map of P(30), drawn towards one pooled share for everyone."""
    weight = rows["weight"].to_numpy()
    outcome = rows[target].cast(pl.Float64).to_numpy()
    late = float((outcome * weight).sum()) + LATE_PRIOR_PASSES * LATE_PRIOR_SHARE
    share = late / (float(weight.sum()) + LATE_PRIOR_PASSES)
    pooled = Platt(float(logit(np.array([share]))[0]), 0.0)
    if not rows.height:
        return pooled
    return fit_platt(outcome, rows["p"].to_numpy(), weight, pooled, LATE_PENALTY)


def risk_scores(p_renew_30d: Array) -> Array:
    """Risk score 0-100: how likely the member is lost, one decimal."""
    return np.round(100 * (1 - np.asarray(p_renew_30d)), 1)
