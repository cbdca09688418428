"""How linear models see a column: on a signed logarithmic scale, in standard deviations from its mean."""

import numpy as np

from ris_assets.models.protocol import Array

LEAST_SPREAD = 1e-9


def signed_log(matrix: Array) -> Array:
    """sign(x) log(1 + |x|): of counts and money the ratio tells."""
    return np.sign(matrix) * np.log1p(np.abs(matrix))


def centre_and_scale(matrix: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of the filled values of each column; 0 and 1 of an empty or constant one."""
    count = np.maximum((~np.isnan(matrix)).sum(axis=0), 1)
    centre = np.nansum(matrix, axis=0, dtype=float) / count
    spread = np.sqrt(np.nansum((matrix - centre) ** 2, axis=0) / count)
    return centre, np.where(spread > LEAST_SPREAD, spread, 1.0)
