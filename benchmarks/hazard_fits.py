"""How long RIS's hazards take to fit, and in how much memory, beside lifelines' CoxTimeVaryingFitter and a forest.

    python -m benchmarks.hazard_fits --person-weeks 100000

Simulated subjects, followed for ten weeks on average, in whole weeks: a hazard that is not linear in the covariates,
with interactions. The estimators are given one row a subject, lifelines one row a week. Each side fits in a fresh
process; held-out subjects are followed to the end, so that their integrated Brier score needs no weights of censoring.
"""

import importlib
import json
import os
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

Array = np.ndarray
ROOT = Path(__file__).parents[1]
SEED, COLUMNS, LONGEST, HELD_OUT, TREES, THREADS = 0, 20, 30, 5000, 100, 2
WEEKS = np.arange(1.0, 27.0)
"""At which curves are scored."""
FIRST = "ris boosted (xgboost)"
"""What the ratios are to."""


@dataclass(frozen=True)
class Subjects:
    """Covariates and outcomes in whole weeks: censored after `time` weeks, or gone in the last of them."""

    matrix: Array
    event: Array
    time: Array

    @classmethod
    def of(cls, person_weeks: int) -> "Subjects":
        """As many as have so many weeks together; the last one is cut there."""
        drawn = cls._drawn(person_weeks // 8 + 100, np.random.default_rng(SEED), dropout=True)
        total = np.cumsum(drawn.time)
        count = int(np.searchsorted(total, person_weeks)) + 1
        event, moment = drawn.event[:count], drawn.time[:count]
        if over := total[count - 1] - person_weeks:
            event[-1], moment[-1] = False, moment[-1] - over
        return cls(drawn.matrix[:count], event, moment)

    @classmethod
    def held_out(cls) -> "Subjects":
        """Others, followed to the end."""
        return cls._drawn(HELD_OUT, np.random.default_rng(SEED + 1), dropout=False)

    @classmethod
    def _drawn(cls, count: int, rng: np.random.Generator, dropout: bool) -> "Subjects":
        matrix = rng.standard_normal((count, COLUMNS))
        gone = np.ceil(30 * (rng.exponential(size=count) / np.exp(log_hazard(matrix))) ** 1.25)
        left = rng.integers(1, LONGEST + 1, count) if dropout else np.full(count, LONGEST)
        return cls(matrix, gone <= left, np.minimum(gone, left))

    @property
    def outcome(self) -> Array:
        """As the estimators want it."""
        from ris_assets.models.survival_api import as_outcome

        return as_outcome(self.event, self.time)

    def weekly(self) -> Any:
        """A frame of one row a week: id, start, stop, event, covariates."""
        import pandas as pd

        weeks = self.time.astype(int)
        subject = np.repeat(np.arange(len(weeks)), weeks)
        stop = np.arange(len(subject)) - np.repeat(np.cumsum(weeks) - weeks, weeks) + 1.0
        ends = stop == self.time[subject]
        frame = pd.DataFrame(self.matrix[subject])
        return frame.assign(id=subject, start=stop - 1, stop=stop, event=ends & self.event[subject])


def log_hazard(matrix: Array) -> Array:
    """Relative to the baseline, of which ten columns know nothing."""
    x = matrix.T
    return (
        0.5 * x[0] + 0.3 * x[1] + 1.0 * (x[2] > 0) * (x[3] > 0) + 0.5 * x[4] * x[5]
        + 0.4 * (x[6] ** 2 - 1) - 0.6 * np.maximum(x[7], 0) + 0.2 * x[8] - 0.2 * x[9]
    )  # fmt: skip


class TimeVaryingCox:
    """lifelines' fitter, and curves from its baseline."""

    def fit(self, weekly: Any) -> None:
        """On start-stop rows; without a penalty, its default."""
        from lifelines import CoxTimeVaryingFitter

        self.model = CoxTimeVaryingFitter()
        self.model.fit(weekly, event_col="event", id_col="id")

    def predict_survival(self, matrix: Array, times: Array) -> Array:
        """(subjects, times)."""
        hazard = self.model.predict_partial_hazard(matrix).to_numpy()
        baseline = self.model.baseline_cumulative_hazard_.iloc[:, 0]
        place = np.searchsorted(baseline.index.to_numpy(float), times, side="right")
        return np.exp(-np.outer(hazard, np.concatenate([[0.0], baseline.to_numpy()])[place]))


class Forest:
    """scikit-survival's forest, and its curves at any time."""

    def fit(self, matrix: Array, outcome: Array) -> None:
        """Leaves as in the other benchmark, its default number of trees."""
        from sksurv.ensemble import RandomSurvivalForest

        self.model = RandomSurvivalForest(
            TREES, min_samples_leaf=10, n_jobs=THREADS, random_state=SEED
        )
        self.model.fit(matrix, outcome)

    def predict_survival(self, matrix: Array, times: Array) -> Array:
        """(subjects, times)."""
        found = self.model.predict_survival_function(matrix, return_array=True)
        place = np.searchsorted(self.model.unique_times_, times, side="right")
        return np.hstack([np.ones((len(found), 1)), found])[:, place]


def _boosted(engine: Any) -> Any:
    from ris_assets.models import BoostedHazard

    return BoostedHazard(engine, n_jobs=THREADS)


def _linear() -> Any:
    from ris_assets.models import LinearHazard

    return LinearHazard()


SIDES: dict[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
    "ris boosted (xgboost)": (lambda: _boosted("xgboost"), ("ris_assets.models", "xgboost")),
    "ris boosted (lightgbm)": (lambda: _boosted("lightgbm"), ("ris_assets.models", "lightgbm")),
    "ris linear": (_linear, ("ris_assets.models",)),
    "lifelines time-varying cox": (TimeVaryingCox, ("lifelines",)),
    "sksurv forest": (Forest, ("sksurv.ensemble",)),
}
"""What is fitted, and what is imported before the clock starts."""


def run(person_weeks: Sequence[int], limit_seconds: float = 900) -> dict[str, Any]:
    """Person-weeks -> side -> seconds, CPU seconds and peak MiB of the fit, and the score.

    A side that is not done in time is ended: `seconds` is the limit then, `more_than` true.
    """
    results: dict[str, Any] = {}
    for size in person_weeks:
        known = _bounds(size)
        print(
            f"{size:,} person-weeks, {known['subjects']:,} subjects, {known['events']:,} events;"
            f" IBS {known['truth']:.4f} with the true curves, {known['same']:.4f} with one for all",
            flush=True,
        )
        sides: dict[str, dict[str, Any]] = {}
        for side in SIDES:
            sides[side] = _measured(side, size, limit_seconds)
            print(_line(sides[side], sides[FIRST], side), flush=True)
        results[str(size)] = {**known, "sides": sides}
    return results


def _line(found: dict[str, Any], first: dict[str, Any], side: str) -> str:
    """A row of the table."""
    if "failed" in found:
        return f"  {side:27} failed: {found['failed'].strip().splitlines()[-1]}"
    more = ">" if found["more_than"] else ""
    score = f"{found['ibs']:.4f}" if "ibs" in found else "-"
    seconds, peak = (_ratio(found, first, name) for name in ("seconds", "peak_mib"))
    return (
        f"  {side:27} {more + format(found['seconds'], ',.1f'):>8} s {more + seconds:>8}"
        f"  cpu {found['cpu_seconds']:8,.1f} s  {more + format(found['peak_mib'], ',.0f'):>7} MiB"
        f" {more + peak:>6}  ({found['before_mib']:,.0f} before)  IBS {score}"
    )


def _ratio(found: dict[str, Any], first: dict[str, Any], name: str) -> str:
    return f"{found[name] / first[name]:.2f}x" if name in first else "-"


def _measured(side: str, person_weeks: int, limit_seconds: float) -> dict[str, Any]:
    """One side in a process of its own."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.hazard_fits", "--person-weeks", str(person_weeks), "--side", side],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        more_than, reached = False, {}
        try:
            said, complaint = process.communicate(timeout=limit_seconds)
        except subprocess.TimeoutExpired:
            more_than, reached = True, _so_far(process.pid)
            process.kill()
            said, complaint = process.communicate()
    found: dict[str, Any] = {}
    for line in said.splitlines():
        found |= json.loads(line)
    if process.returncode and not more_than:
        return {"failed": complaint[-2000:] or f"ended with {process.returncode}"}
    if "seconds" in found:  # the fit was done, its score perhaps not
        return found | {"more_than": False}
    return reached | found | {"seconds": limit_seconds, "more_than": True}


def _so_far(pid: int) -> dict[str, float]:
    """Memory and CPU seconds of a process that still runs."""
    used = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    ticks = sum(map(int, used))
    return {
        "peak_mib": _peak_mib(pid), "before_mib": float("nan"),
        "cpu_seconds": ticks / os.sysconf("SC_CLK_TCK"),
    }  # fmt: skip


def _bounds(person_weeks: int) -> dict[str, Any]:
    """Scores of the true curves and of one curve for all."""
    from ris_assets.evaluation.survival_scores import kaplan_meier

    seen, unseen = Subjects.of(person_weeks), Subjects.held_out()
    cumulative = np.outer(np.exp(log_hazard(unseen.matrix)), (WEEKS / 30) ** 0.8)
    same = np.tile(kaplan_meier(seen.event, seen.time, WEEKS), (len(unseen.time), 1))
    return {
        "subjects": len(seen.time), "events": int(seen.event.sum()),
        "truth": _score(unseen, np.exp(-cumulative)), "same": _score(unseen, same),
    }  # fmt: skip


def _score(unseen: Subjects, survival: Array) -> float:
    from ris_assets.evaluation.survival_scores import Censoring, integrated_brier_score

    outcome = unseen.event, unseen.time
    return integrated_brier_score(Censoring.of(*outcome), *outcome, survival, WEEKS)


def _fit(side: str, person_weeks: int) -> None:
    """What a process does: fit, say how long it took, score."""
    warnings.simplefilter("ignore")
    make, modules = SIDES[side]
    for name in modules:
        importlib.import_module(name)
    model, seen = make(), Subjects.of(person_weeks)
    weekly = isinstance(model, TimeVaryingCox)
    given = (seen.weekly(),) if weekly else (seen.matrix, seen.outcome)
    _say(before_mib=_peak_mib())
    cpu, started = _cpu_seconds(), time.perf_counter()
    model.fit(*given)
    seconds = time.perf_counter() - started
    _say(seconds=seconds, cpu_seconds=_cpu_seconds() - cpu, peak_mib=_peak_mib())
    unseen = Subjects.held_out()
    _say(ibs=_score(unseen, model.predict_survival(unseen.matrix, WEEKS)))


def _say(**numbers: float) -> None:
    print(json.dumps(numbers), flush=True)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _peak_mib(process: int | str = "self") -> float:
    """Highest resident memory of the program: ru_maxrss without what it takes over from the parent."""
    status = Path(f"/proc/{process}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


@click.command()
@click.option("--person-weeks", multiple=True, type=int, default=[100_000], show_default=True)
@click.option("--limit-seconds", default=900.0, show_default=True, help="Of each side.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the results as JSON.")
@click.option("--side", type=click.Choice(list(SIDES)), hidden=True)
def main(
    person_weeks: tuple[int, ...], limit_seconds: float, out: Path | None, side: str | None
) -> None:
    """Fit all sides in turn, or (hidden) one in this process."""
    if side:
        _fit(side, person_weeks[0])
        return
    results = run(person_weeks, limit_seconds)
    if out:
        out.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
