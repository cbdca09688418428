"""Search for better settings of a family, inside the time before the fitting cut (Optuna: TPE, successive halving).

Every trial is judged on the same rolling windows, the newest last; a trial that lags behind after the first is
stopped. The defaults are the first trial, and they stay unless the best one is better beyond chance.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ris_assets.evaluation.metrics import log_losses
from ris_assets.models.protocol import Array, Fold, Range, RenewalEstimator

BALANCE = "balance"
"""Setting of every family: how far the outcomes are weighed towards each other (see `RenewalModel.balance`)."""
BETTER_BY = 1.0
"""Standard errors of the mean difference by which the best trial must beat the defaults."""
Losses = Callable[[RenewalEstimator, float, int], tuple[Array, Array]]
"""From an estimator, a balance and the number of a window to losses and members of its held-out rows."""


@dataclass(frozen=True)
class Trial:
    """One set of settings and what it cost: mean log loss of the windows that it was let into."""

    settings: Mapping[str, float]
    log_loss: float
    windows: int
    seconds: float
    is_stopped: bool


@dataclass(frozen=True)
class Found:
    """The settings to take, and all trials in their order, the defaults first.

    Attributes:
        gain: by how much the best trial's log loss is lower than that of the defaults, and its standard error.
    """

    settings: Mapping[str, float]
    trials: tuple[Trial, ...] = ()
    gain: float = 0.0
    gain_error: float = 0.0


def search(
    family: type[RenewalEstimator],
    losses: Losses,
    windows: int,
    trials: int,
    seconds: float,
    seed: int = 7,
) -> Found:
    """Try settings of a family.

    Args:
        losses: of one fit; see `Losses`.
        windows: how many there are to be judged on.
        trials: most sets of settings.
        seconds: after which no new trial begins. It bounds the time; only with time to spare are two searches alike.

    Returns:
        Empty settings (the defaults) where nothing is better, or the family has nothing to search.
    """
    if not getattr(family, "SPACE", None) or trials < 2 or not windows:
        return Found({})
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="minimize",
        sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=max(4, trials // 3)),
        pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=2),
    )
    run = _Run(family, losses, windows)
    until = time.monotonic() + seconds
    run.tried({}, lambda *_: False)
    for _ in range(trials - 1):
        if time.monotonic() > until:
            break
        asked = study.ask()
        settings = {name: _suggest(asked, name, span) for name, span in run.space.items()}
        done = run.tried(settings, _stopper(asked))
        state = optuna.trial.TrialState.PRUNED if done.is_stopped else None
        study.tell(asked, None if done.is_stopped else done.log_loss, state=state)
    return run.best()


def _suggest(trial: Any, name: str, span: Range) -> float:
    if span.is_whole:
        return float(trial.suggest_int(name, int(span.low), int(span.high), log=span.is_log))
    return float(trial.suggest_float(name, span.low, span.high, log=span.is_log))


def _stopper(trial: Any) -> Callable[[int, float], bool]:
    """Report a trial's loss after a window; whether it should stop."""

    def stop(window: int, loss: float) -> bool:
        trial.report(loss, window + 1)
        return bool(trial.should_prune())

    return stop


class _Run:
    """Trials of one family, with the losses by member of the defaults and the best."""

    def __init__(self, family: type[Any], losses: Losses, windows: int) -> None:
        self.family, self.losses, self.windows = family, losses, windows
        self.space = {**family.SPACE, BALANCE: Range(0.0, 1.0)}
        self.trials: list[Trial] = []
        self.held_out: list[tuple[Array, Array]] = []

    def tried(self, settings: Mapping[str, float], stop: Callable[[int, float], bool]) -> Trial:
        """Fit and judge on one window after the other, until told to stop."""
        began, found, members = time.monotonic(), [], []
        own = {name: _plain(value, self.space[name]) for name, value in settings.items()}
        balance = float(own.pop(BALANCE, 0.0))
        is_stopped = False
        for window in range(self.windows):
            loss, who = self.losses(self.family(own), balance, window)
            found.append(loss)
            members.append(who)
            mean = float(np.concatenate(found).mean())
            if window + 1 < self.windows and stop(window, mean):
                is_stopped = True
                break
        trial = Trial(dict(settings), mean, len(found), time.monotonic() - began, is_stopped)
        self.trials.append(trial)
        self.held_out.append((np.concatenate(found), np.concatenate(members)))
        return trial

    def best(self) -> Found:
        """The defaults, unless the best complete trial is better beyond chance."""
        complete = [n for n, trial in enumerate(self.trials) if not trial.is_stopped]
        best = min(complete, key=lambda n: self.trials[n].log_loss)
        gain, error = _mean_and_error(
            self.held_out[0][0] - self.held_out[best][0], self.held_out[0][1]
        )
        is_better = best > 0 and gain > BETTER_BY * error
        chosen = self.trials[best].settings if is_better else {}
        plain = {name: _plain(value, self.space[name]) for name, value in chosen.items()}
        return Found(plain, tuple(self.trials), gain, error)


def _plain(value: float, span: Range) -> float:
    return int(value) if span.is_whole else float(value)


def _mean_and_error(values: Array, members: Array) -> tuple[float, float]:
    """Mean of rows and its standard error, rows of a member taken together."""
    _, place = np.unique(members, return_inverse=True)
    sums = np.bincount(place, weights=values - values.mean())
    return float(values.mean()), float(np.sqrt((sums**2).sum()) / len(values))


def fold_losses(folds: Sequence[tuple[Fold, Fold, Array]], raw: Callable[..., Array]) -> Losses:
    """Losses on (training, held-out, members of the held-out) folds.

    Args:
        raw: (estimator, balance, training, matrix) -> probabilities of a matrix after fitting on training.
    """

    def losses(estimator: RenewalEstimator, balance: float, window: int) -> tuple[Array, Array]:
        training, held_out, members = folds[window]
        said = raw(estimator, balance, training, held_out.matrix)
        return log_losses(held_out.target, said), members

    return losses
