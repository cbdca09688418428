"""What RIS's survival estimators have in common: scikit-learn's conventions, scikit-survival's outcome."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from ris_assets.models.time_grid import Outcomes, StepFunction, TimeGrid

Array = np.ndarray
RandomState = int | np.random.RandomState | None
MAX_TIMES = 1000


def check_outcome(y: ArrayLike) -> tuple[Array, Array]:
    """Event and time of a structured outcome or a frame of two columns: boolean and a number, in this order.

    Raises:
        ValueError: another shape, an event that is no boolean, or a time that is a date, negative or not finite.
    """
    fields = _fields(y)
    if len(fields) != 2:
        raise ValueError(
            "y must be a structured array with two fields, or a frame of two columns: event (bool) and time"
        )
    names = list(fields)
    return _happened(names[0], fields[names[0]]), _lived(names[1], fields[names[1]])


def _happened(name: str, values: Array) -> Array:
    """Booleans, those that stand in a column of objects too."""
    must = f"the first field of y, {name!r}, must be bool"
    if values.dtype == object:
        other = [value for value in values if not isinstance(value, bool | np.bool_)]
        if other:
            raise ValueError(f"{must}, one is {other[0]!r}")
    elif values.dtype != np.bool_:
        raise ValueError(f"{must}, it is {values.dtype}")
    return values.astype(bool)


def _lived(name: str, values: Array) -> Array:
    """Times as numbers: of a date or a duration numpy would count the nanoseconds."""
    if values.dtype.kind in "mM":
        raise ValueError(
            f"times in {name!r} must be numbers, they are {values.dtype}: count them in days, say"
        )
    time = np.asarray(values, dtype=float)
    if not (np.isfinite(time) & (time >= 0)).all():
        raise ValueError(f"times in {name!r} must be finite and not negative")
    return time


def _fields(y: Any) -> dict[str, Array]:
    """Columns of a frame or fields of a structured array, by name."""
    if hasattr(y, "columns"):
        return {name: np.asarray(y[name]) for name in y.columns}
    outcome = np.asarray(y)
    names = outcome.dtype.names if outcome.ndim == 1 else None
    return {name: outcome[name] for name in names or ()}


def check_weight(sample_weight: ArrayLike | None, count: int) -> Array:
    """(count,) weights, 1 each where none are given.

    Raises:
        ValueError: another shape, a weight that is negative or not finite, or all of them 0.
    """
    if sample_weight is None:
        return np.ones(count)
    weight = np.asarray(sample_weight, dtype=float)
    if weight.shape != (count,):
        raise ValueError(f"sample_weight must be ({count},), it is {weight.shape}")
    if not (np.isfinite(weight) & (weight >= 0)).all():
        raise ValueError("sample_weight must be finite and not negative")
    if not weight.any():
        raise ValueError("sample_weight is zero everywhere: no sample to learn from")
    return weight


def check_learnable(event: Array, time: Array) -> None:
    """An event, and a time after 0, or a ValueError."""
    if not event.any():
        raise ValueError("all samples are censored: no event to learn from")
    if not time.any():
        raise ValueError("all samples are at time 0: there is no time at risk")


def check_setting(model: Any, names: str, fits: Callable[[Any], bool], meaning: str) -> None:
    """Or a ValueError that says what it must be; a value that cannot be compared fits nowhere.

    Args:
        names: of settings of the model, a blank between them.
    """
    for name in names.split():
        value = getattr(model, name)
        try:
            is_fit = fits(value)
        except TypeError:
            is_fit = False
        if not is_fit:
            raise ValueError(f"{name} must be {meaning}, not {value!r}")


def optional(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Of a setting that may be None."""
    return lambda value: value is None or fits(value)


def whole(least: int) -> Callable[[Any], bool]:
    """Of a setting that counts."""
    return lambda value: isinstance(value, int | np.integer) and bool(value >= least)


def not_negative(value: float) -> bool:
    """Of a setting that has no upper bound but is finite."""
    return 0 <= value < np.inf


def is_random_state(value: Any) -> bool:
    """Whether scikit-learn could draw from it."""
    try:
        check_random_state(value)
    except ValueError:
        return False
    return True


def seed_of(random_state: RandomState) -> int:
    """The number itself, or one drawn as scikit-learn draws: anew each time from None."""
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def _begin(outcomes: Outcomes) -> float:
    """Half the first later time where events are at 0, else 0.

    They happened before anybody looked: what is recorded at 0, and what is asked of then, counts as of that moment.
    """
    time = outcomes.time
    return float(time[time > 0].min()) / 2 if (time[outcomes.event] == 0).any() else 0.0


def as_outcome(event: Array, time: Array) -> Array:
    """The structured outcome of two arrays."""
    outcome = np.empty(len(time), dtype=[("event", bool), ("time", float)])
    outcome["event"], outcome["time"] = event, time
    return outcome


class SurvivalEstimator(BaseEstimator):
    """Base: outcome checks, curves from hazards, C-index as the score.

    A family says what the hazard is: `_fit(X, outcomes)` sets `grid_`, `_hazard(X)` gives (rows, intervals)
    rates, `_risk(X)` one number a row that rises with the risk.

    Attributes:
        grid_: the intervals in which the hazard is constant.
        begin_: the moment up to which curves are as they are at 0; above 0 where events in training are at 0.
        unique_times_: distinct times in training, at which curves are given; where they are more than `MAX_TIMES`,
            so many with about as many events between them, those around moments that many share, and the last.
        event_times_: distinct times of events.
    """

    grid_: TimeGrid
    begin_: float
    n_features_in_: int
    unique_times_: Array
    event_times_: Array

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit on (samples, features) numbers, missing as NaN, and an outcome (event, time).

        A sample of weight 2 counts as two of the kind, one of weight 0 not at all.
        """
        self._check_settings()
        matrix = self._matrix(X, reset=True)
        event, time = check_outcome(y)
        if len(time) != len(matrix):
            raise ValueError(f"X has {len(matrix)} samples, y has {len(time)}")
        weight = check_weight(sample_weight, len(time))
        outcomes = Outcomes(event, time, weight)
        if not weight.all():
            matrix, outcomes = matrix[weight > 0], outcomes.those(weight > 0)
        check_learnable(outcomes.event, outcomes.time)
        self.begin_ = _begin(outcomes)
        self._fit(matrix, replace(outcomes, time=np.maximum(outcomes.time, self.begin_)))
        self.unique_times_ = _curve_times(outcomes)
        self.event_times_ = np.unique(outcomes.time[outcomes.event])
        return self

    def predict(self, X: ArrayLike) -> Array:
        """Risk scores: the higher, the earlier the event."""
        return self._risk(self._checked(X))

    def predict_survival(self, X: ArrayLike, times: ArrayLike) -> Array:
        """(samples, times): S(t | x), between the grid's times too; as at the last event after it."""
        return np.exp(-self._cumulative(X, times))

    def predict_survival_function(self, X: ArrayLike, return_array: bool = False) -> Any:
        """S(t | x) at `unique_times_`: an array of step functions, or the values as one matrix."""
        check_is_fitted(self, "grid_")
        curves = self.predict_survival(X, self.unique_times_)
        return curves if return_array else _functions(self.unique_times_, curves, 1.0)

    def predict_cumulative_hazard_function(self, X: ArrayLike, return_array: bool = False) -> Any:
        """-log S(t | x), in the same two forms."""
        check_is_fitted(self, "grid_")
        hazard = self._cumulative(X, self.unique_times_)
        return hazard if return_array else _functions(self.unique_times_, hazard, 0.0)

    def score(self, X: ArrayLike, y: ArrayLike) -> float:
        """Harrell's C of the risk scores.

        Raises:
            ValueError: no subject is known to have outlived another.
        """
        from lifelines.utils import concordance_index

        event, time = check_outcome(y)
        try:
            return float(concordance_index(time, -self.predict(X), event))
        except ZeroDivisionError:
            raise ValueError("no comparable pair: nobody outlived anyone's event") from None

    def _checked(self, X: ArrayLike) -> Array:
        check_is_fitted(self, "grid_")
        return self._matrix(X, reset=False)

    def _matrix(self, X: ArrayLike, reset: bool) -> Array:
        """(samples, features), dense; sparse indicators of an encoder are welcome.

        Missing values are numpy's own: R's is a signalling NaN, beside which a least value is not found.
        """
        with np.errstate(invalid="ignore"):
            found = validate_data(
                self,
                X,
                dtype=np.float64,
                ensure_all_finite="allow-nan",
                accept_sparse=True,
                reset=reset,
            )
        dense = found.toarray() if issparse(found) else found
        missing = np.isnan(dense)
        return np.where(missing, np.nan, dense) if missing.any() else dense

    def _cumulative(self, X: ArrayLike, times: ArrayLike) -> Array:
        matrix = self._checked(X)
        asked = np.atleast_1d(np.asarray(times, dtype=float))
        if np.isnan(asked).any() or asked.ndim > 1:
            raise ValueError("times must be one row of numbers, none of them NaN")
        since_start = np.where(asked >= 0, np.maximum(asked, self.begin_), asked)
        return self.grid_.cumulative(self._hazard(matrix), since_start)

    def _check_settings(self) -> None:
        """A ValueError where one is out of range."""

    def _fit(self, matrix: Array, outcomes: Outcomes) -> None:
        raise NotImplementedError

    def _hazard(self, matrix: Array) -> Array:
        raise NotImplementedError

    def _risk(self, matrix: Array) -> Array:
        raise NotImplementedError

    def __sklearn_tags__(self) -> Any:
        """Missing values and sparse columns are welcome; an outcome is needed."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        tags.target_tags.required = True
        return tags


def _curve_times(outcomes: Outcomes) -> Array:
    distinct = np.unique(outcomes.time)
    if len(distinct) <= MAX_TIMES:
        return distinct
    grid = TimeGrid.of_events(outcomes, MAX_TIMES).parted(outcomes)
    fallen_at_0 = (outcomes.time[outcomes.event] == 0).any()
    return np.union1d(grid.edges[0 if fallen_at_0 else 1 :], distinct[-1:])


def _functions(times: Array, values: Array, before: float) -> Array:
    found = np.empty(len(values), dtype=object)
    for row, value in enumerate(values):
        found[row] = StepFunction(times, value, before)
    return found


def folds_by_event(event: Array, count: int, seed: int) -> Iterator[tuple[Array, Array]]:
    """(training, held-out) masks with as many events in every fold, at most one fold an event."""
    order = np.random.default_rng(seed).permutation(len(event))
    ranked = order[np.argsort(~event[order], kind="stable")]
    fold = np.empty(len(event), dtype=int)
    fold[ranked] = np.arange(len(event)) % min(count, int(event.sum()))
    for number in range(fold.max() + 1):
        yield fold != number, fold == number
