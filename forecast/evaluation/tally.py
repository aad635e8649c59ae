"""Keeps the books of a backtest: which forecasts came, what they scored, and whether all of them came exactly once.

Forecasts are scored block by block as they come, so that a backtest needs no more memory than its scores. It must not run a model.
"""

from __future__ import annotations

from typing import final

import numpy as np
import pandas as pd

from forecast.core.arrays import BoolArray, FloatArray, IntArray
from forecast.core.errors import ModelError
from forecast.core.forecast_frame import FALLBACK, ForecastFrame
from forecast.core.panel import Panel
from forecast.core.seasonal_error import seasonal_errors
from forecast.core.series_ids import coded_ids
from forecast.evaluation.evaluation import Costs, Evaluation
from forecast.evaluation.metrics import Outcome, score
from forecast.evaluation.task import Task

_EXAMPLES = 5


def truth_after(panel: Panel, positions: IntArray, cutoffs: IntArray, horizon: int) -> FloatArray:
    """Returns the targets of the H steps after each cutoff by one gather, NaN where the panel has no row.

    Args:
        panel: The whole panel.
        positions: Series of each forecast. Shape [R].
        cutoffs: Ordinal of the last known step of each forecast. Shape [R].
        horizon: H.

    Returns:
        Data units. Shape [R, H].
    """
    if not panel.rows:
        return np.full((len(positions), horizon), np.nan)
    step = (cutoffs - panel.starts[positions])[:, None] + np.arange(1, horizon + 1)
    there = (step >= 0) & (step < panel.lengths[positions][:, None])
    row = np.where(there, panel.offsets[positions][:, None] + step, 0)
    return np.asarray(np.where(there, panel.y[row], np.nan))


def in_order(frame: ForecastFrame) -> ForecastFrame:
    """Returns the forecasts ordered by series and cutoff."""
    codes, _ = coded_ids(pd.Series(frame.ids))
    return frame.take(np.lexsort((frame.cutoffs, codes)))


@final
class Tally:
    """The forecasts that a task asks for, ticked off as they come."""

    def __init__(self, panel: Panel, task: Task, keep_frames: bool) -> None:
        """Lists what is asked for: every series and cutoff with a row up to the cutoff and an observed target after it."""
        self.cutoffs = task.cutoffs(panel)
        self._panel, self._task, self._keep = panel, task, keep_frames
        self.expected = self._with_targets()
        self._scales = seasonal_errors(panel, self.cutoffs, task.scale_season)
        self._seen = np.zeros(self.cutoffs.shape, dtype=np.int64)
        self._totals = {name: np.full(self.cutoffs.shape, np.nan) for name in task.metrics}
        self._weights = {name: np.zeros(self.cutoffs.shape) for name in task.metrics}
        self._steps = np.zeros((5, task.horizon))
        self._below = np.zeros(len(task.levels))
        self._fallbacks = 0
        self._frames: list[ForecastFrame] = []

    def enter(self, frame: ForecastFrame) -> None:
        """Scores a block of forecasts; those without any observed target are passed over.

        Raises:
            ModelError: a series and cutoff that the task does not have, or other levels or steps than asked for.
        """
        if (frame.horizon, tuple(frame.levels)) != (self._task.horizon, self._task.levels):
            raise ModelError(f"{frame.model} gave {frame.horizon} steps at levels {list(frame.levels)}; the task asks for "
                             f"{self._task.horizon} at {list(self._task.levels)}")  # fmt: skip
        series, window = self._places(frame)
        asked = self.expected[series, window]
        frame, series, window = frame.take(np.flatnonzero(asked)), series[asked], window[asked]
        np.add.at(self._seen, (series, window), 1)
        truth = truth_after(self._panel, series, frame.cutoffs, frame.horizon)
        scale, square = (errors[series, window] for errors in self._scales)
        outcome = Outcome.build(frame, truth, scale, square)
        for name, (total, weight) in score(outcome, self._task.metrics).items():
            self._totals[name][series, window], self._weights[name][series, window] = total, weight
        self._describe(frame, truth, scale)
        self._fallbacks += int((frame.status == FALLBACK).sum())
        if self._keep:
            self._frames.append(frame)

    def close(self, model: str, costs: Costs) -> Evaluation:
        """Returns the evaluation.

        Raises:
            ModelError: a forecast that was asked for is missing or came twice.
        """
        self._refuse(
            model, self.expected & (self._seen == 0), "are missing: it must forecast every series and cutoff that has targets"
        )
        self._refuse(model, self._seen > 1, "came more than once")
        frames = (in_order(ForecastFrame.concatenate(self._frames)),) if self._frames else ()
        return Evaluation(model, self._task, self._panel.fingerprint(), self._scores(), self._step_table(), self._calibration(), costs,
                          self._fallbacks, frames)  # fmt: skip

    def _with_targets(self) -> BoolArray:
        panel, cutoffs = self._panel, self.cutoffs
        observed = np.zeros(cutoffs.shape, dtype=np.bool_)
        every = np.arange(len(panel))
        for window, column in enumerate(cutoffs.T):
            observed[:, window] = (~np.isnan(truth_after(panel, every, column, self._task.horizon))).any(axis=1)
        return np.asarray(observed & (cutoffs >= panel.starts[:, None]), dtype=np.bool_)

    def _places(self, frame: ForecastFrame) -> tuple[IntArray, IntArray]:
        """Series and window of each forecast."""
        ids = self._panel.ids
        series = np.minimum(np.searchsorted(ids, frame.ids), len(ids) - 1)
        hit = self.cutoffs[series] == frame.cutoffs[:, None]  # [R, W]
        strange = (ids[series] != frame.ids) | ~hit.any(axis=1)
        if strange.any():
            raise ModelError(f"{frame.model} forecast {int(strange.sum())} series and cutoffs that it was not asked for, among them "
                             f"{[(str(i), int(c)) for i, c in zip(frame.ids[strange][:_EXAMPLES], frame.cutoffs[strange], strict=False)]}")  # fmt: skip
        return series.astype(np.int64), hit.argmax(axis=1).astype(np.int64)

    def _describe(self, frame: ForecastFrame, truth: FloatArray, scale: FloatArray) -> None:
        """Adds up the errors by step and the share of targets below each quantile."""
        levels = list(frame.levels)
        median = frame.quantiles[:, :, levels.index(0.5)] if 0.5 in levels else frame.mean
        error = np.abs(truth - median)
        scaled = error / np.where(scale > 0, scale, np.nan)[:, None]
        self._steps[0] += np.nansum(error, axis=0)
        self._steps[1] += np.nansum(scaled, axis=0)
        self._steps[2] += np.isfinite(scaled).sum(axis=0)
        if {0.1, 0.9} <= set(levels):
            lower, upper = frame.quantiles[:, :, levels.index(0.1)], frame.quantiles[:, :, levels.index(0.9)]
            self._steps[3] += ((truth >= lower) & (truth <= upper)).sum(axis=0)  # a missing target compares false
        self._steps[4] += (~np.isnan(truth)).sum(axis=0)
        self._below += (truth[:, :, None] <= frame.quantiles).sum(axis=(0, 1))

    def _refuse(self, model: str, cells: BoolArray, what: str) -> None:
        if cells.any():
            stamps = self._panel.frequency.stamps(self.cutoffs)
            shown = [f"{self._panel.ids[i]} at {stamps[i, w]}" for i, w in np.argwhere(cells)[:_EXAMPLES]]
            raise ModelError(f"{model}: {int(cells.sum())} of {int(self.expected.sum())} forecasts {what}; among them {shown}")

    def _scores(self) -> pd.DataFrame:
        series, window = np.nonzero(self.expected)
        ids, stamps = self._panel.ids[series], self._panel.frequency.stamps(self.cutoffs[series, window])
        blocks = []
        for name in self._task.metrics:
            total, weight = self._totals[name][series, window], self._weights[name][series, window]
            value = np.divide(total, weight, out=np.full(len(total), np.nan), where=weight > 0)
            blocks.append(pd.DataFrame({"unique_id": ids, "cutoff": stamps, "metric": name, "value": value, "total": total,
                                        "weight": weight}))  # fmt: skip
        return pd.concat(blocks, ignore_index=True)

    def _step_table(self) -> pd.DataFrame:
        error, scaled, scaled_count, hits, targets = self._steps
        known = {0.1, 0.9} <= set(self._task.levels)
        return pd.DataFrame({"step": np.arange(1, self._task.horizon + 1), "mae": _ratio(error, targets), "mase": _ratio(scaled, scaled_count),
                             "coverage_80": _ratio(hits, targets) if known else np.nan, "targets": targets})  # fmt: skip

    def _calibration(self) -> pd.DataFrame:
        targets = np.full(len(self._below), self._steps[4].sum())
        return pd.DataFrame({"level": np.array(self._task.levels, dtype=np.float64), "share": _ratio(self._below, targets)})


def _ratio(total: FloatArray, count: FloatArray) -> FloatArray:
    return np.asarray(np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0))
