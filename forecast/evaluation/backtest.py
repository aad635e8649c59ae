"""The rolling-origin backtest of any forecaster: the place where a model and the truth meet, in this order.

A forecaster is fitted on the rows up to the first cutoff (or, with `refit: each`, up to each one). For its forecasts it gets the panel
with every target after the last cutoff blanked: what is scored there was not in its hands. Every series with a target must come back
with exactly one forecast per cutoff; nothing is averaged over the series that happened to work.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from forecast.core.arrays import IntArray
from forecast.core.errors import DataError, ModelError, UsageError
from forecast.core.forecast_frame import ForecastFrame
from forecast.core.forecaster import Forecaster
from forecast.core.panel import Panel
from forecast.evaluation.evaluation import Costs, Evaluation
from forecast.evaluation.tally import Tally, in_order
from forecast.evaluation.task import Task

_PLANTED = 1e9


def evaluate(forecaster: Forecaster, panel: Panel, task: Task, *, keep_forecasts: bool = True) -> Evaluation:
    """Returns the scores of a forecaster on a task; the forecaster is left as its last fit made it.

    Args:
        forecaster: Of the task's horizon and levels.
        panel: The whole panel, targets included.
        task: The experiment.
        keep_forecasts: False leaves the forecasts out of the result; scores are taken block by block either way.

    Raises:
        UsageError: a forecaster of another horizon or other levels than the task.
        DataError: no series has both a row up to a cutoff and a target after it.
        ModelError: a forecast is missing, is there twice, or is of a series and cutoff that were not asked for.
    """
    _require_match(forecaster, task)
    tally = Tally(panel, task, keep_forecasts)
    if not tally.expected.any():
        raise DataError(f"no series has rows up to a cutoff and targets in the {task.horizon} steps after it ({len(panel)} series, the "
                        f"longest has {int(panel.lengths.max(initial=0))} rows): use fewer windows or a shorter horizon")  # fmt: skip
    fit_seconds = predict_seconds = 0.0
    for cutoffs in _windows(tally.cutoffs, task):
        started = time.perf_counter()
        forecaster.fit(panel.until(cutoffs[:, 0]))
        fit_seconds += time.perf_counter() - started
        for seconds, frame in _timed(blind_backtest(forecaster, panel, cutoffs, task.horizon)):
            predict_seconds += seconds
            tally.enter(frame)
    return tally.close(forecaster.name, Costs(fit_seconds, predict_seconds, peak_memory_mb()))


def blind_backtest(forecaster: Forecaster, panel: Panel, cutoffs: IntArray, horizon: int) -> Iterator[ForecastFrame]:
    """Yields the backtest on a panel whose targets and past covariates after each series' last cutoff are blanked.

    Known covariates of the horizon stay: they are known when the forecast is made. Series that begin after their last cutoff are left
    out.

    Args:
        forecaster: Fitted.
        panel: The whole panel.
        cutoffs: Ascending along W. Shape [N, W].
        horizon: H.
    """
    there = np.flatnonzero(panel.starts <= cutoffs[:, -1])
    last = cutoffs[there, -1]
    yield from forecaster.backtest(_after(panel.take(there).until(last + horizon), last, np.nan), cutoffs[there])


def refuse_look_ahead(forecaster: Forecaster, panel: Panel, task: Task) -> None:
    """Raises unless the forecasts at each cutoff stay bitwise the same when every value after that cutoff is replaced by 1e9.

    A backtest over several windows must hand a model the rows of the later ones; this is the proof that it does not read them early.

    Args:
        forecaster: Fitted.
        panel: The whole panel.
        task: Its cutoffs are the ones that are tried; it takes one more backtest for each window.

    Raises:
        ModelError: a forecast that changed.
    """
    cutoffs = task.cutoffs(panel)
    honest = list(blind_backtest(forecaster, panel, cutoffs, task.horizon))
    for window, column in enumerate(cutoffs.T):
        planted = list(forecaster.backtest(_after(panel, column, _PLANTED), cutoffs))
        before = [f.take(np.flatnonzero(f.cutoffs <= column[np.searchsorted(panel.ids, f.ids)])) for f in (*honest, *planted)]
        expected, found = (in_order(ForecastFrame.concatenate(part)) for part in (before[: len(honest)], before[len(honest) :]))
        _require_same(forecaster.name, window, expected, found)


def peak_memory_mb() -> float:
    """Returns the most memory that this process has held at once, in MB; 0.0 where the system does not say.

    It belongs to one model only in a process that ran nothing else.
    """
    if sys.platform == "win32":
        return 0.0
    import resource  # not on Windows

    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def _require_match(forecaster: Forecaster, task: Task) -> None:
    if (forecaster.horizon, tuple(forecaster.levels)) != (task.horizon, task.levels):
        raise UsageError(f"{forecaster.name} forecasts {forecaster.horizon} steps at levels {list(forecaster.levels)}, the task asks for "
                         f"{task.horizon} at {list(task.levels)}: build it for the task")  # fmt: skip


def _windows(cutoffs: IntArray, task: Task) -> list[IntArray]:
    """The cutoffs that share one fit."""
    return [cutoffs] if task.refit == "never" else [cutoffs[:, [w]] for w in range(cutoffs.shape[1])]


def _timed(blocks: Iterator[ForecastFrame]) -> Iterator[tuple[float, ForecastFrame]]:
    """Each block with the seconds that it took to come; scoring it is not the model's time."""
    while True:
        started = time.perf_counter()
        frame = next(blocks, None)
        if frame is None:
            return
        yield time.perf_counter() - started, frame


def _after(panel: Panel, cutoffs: IntArray, value: float) -> Panel:
    """The panel with the targets and past covariates after each series' cutoff [N] replaced."""
    row = np.arange(panel.rows) - np.repeat(panel.offsets[:-1] - panel.starts, panel.lengths)
    later = row > np.repeat(cutoffs, panel.lengths)
    return replace(panel, y=np.where(later, value, panel.y), past=np.where(later[:, None], value, panel.past))


def _require_same(model: str, window: int, expected: ForecastFrame, found: ForecastFrame) -> None:
    changed = (expected.mean != found.mean).any(axis=1) | (expected.quantiles != found.quantiles).any(axis=(1, 2))
    if changed.any():
        raise ModelError(f"{model} reads ahead: {int(changed.sum())} forecasts changed when the values after cutoff {window + 1} were "
                         f"replaced, among them {[str(i) for i in expected.ids[changed][:5]]}; a forecast may use rows up to its cutoff only")  # fmt: skip
