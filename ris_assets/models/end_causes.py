"""How spells end: the share of each cause among those that end, by what the member is like.

The cause-specific hazard is the hazard times that share (Prentice et al. 1978), so the cumulative incidences of all
causes add up to what the survival curve has lost.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ris_assets.models.protocol import Array
from ris_assets.models.scaling import centre_and_scale, signed_log

LAPSED = "lapsed"
MIN_ENDS = 20
"""With fewer ends of a cause its share is the same for everybody."""
PRIOR_ENDS = 1.0
PENALTY = 100.0


@dataclass
class EndCauses:
    """Multinomial logistic shares of causes.

    Attributes:
        names: the causes seen.
        centre, scale: per matrix column, on a signed logarithmic scale.
        weights: (causes, 1 + columns): intercept first.
    """

    names: tuple[str, ...] = (LAPSED,)
    centre: Array = field(default_factory=lambda: np.empty(0))
    scale: Array = field(default_factory=lambda: np.empty(0))
    weights: Array = field(default_factory=lambda: np.zeros((1, 1)))

    @classmethod
    def fit(cls, matrix: Array, causes: Array) -> "EndCauses":
        """From the encoded rows of weeks in which a spell ended, and how it did (text)."""
        names, place = np.unique(np.asarray(causes, dtype=str), return_inverse=True)
        if len(names) < 2:
            return cls((str(names[0]),) if len(names) else (LAPSED,))
        counts = np.bincount(place)
        shares = (counts + PRIOR_ENDS) / (counts + PRIOR_ENDS).sum()
        constant = np.hstack([np.log(shares)[:, None], np.zeros((len(names), matrix.shape[1]))])
        found = cls(
            tuple(map(str, names)), *centre_and_scale(signed_log(matrix.astype(float))), constant
        )
        if counts.min() >= MIN_ENDS and matrix.shape[1]:
            found.weights = _fitted(found._scaled(matrix), place, len(names))
        return found

    def predict(self, matrix: Array) -> Array:
        """(rows, causes): shares that add up to 1."""
        if len(self.names) == 1:
            return np.ones((len(matrix), 1))
        score = self.weights[:, 0] + self._scaled(matrix) @ self.weights[:, 1:].T
        share = np.exp(score - score.max(axis=1, keepdims=True))
        return share / share.sum(axis=1, keepdims=True)

    def _scaled(self, matrix: Array) -> Array:
        scaled = (signed_log(matrix.astype(float)) - self.centre) / self.scale
        return np.clip(np.nan_to_num(scaled), -4, 4)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        arrays = {name: getattr(self, name).tolist() for name in ("centre", "scale", "weights")}
        return {"names": list(self.names), **arrays}

    @classmethod
    def from_json(cls, data: Mapping) -> "EndCauses":
        """What `to_json` gave."""
        arrays = (np.array(data[name], dtype=float) for name in ("centre", "scale", "weights"))
        return cls(tuple(data["names"]), *arrays)


def _fitted(scaled: Array, place: Array, causes: int) -> Array:
    """(causes, 1 + columns), held by a ridge; of two causes the first stands at zero."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1 / PENALTY, max_iter=500).fit(scaled, place)
    weights = np.hstack([model.intercept_[:, None], model.coef_])
    return weights if causes > 2 else np.vstack([np.zeros_like(weights), weights])
