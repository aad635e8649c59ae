"""The protocol of the long-horizon literature: every window of a stretch of rows is forecast, values standardised, no window dropped.

ETTh1: 12 months of training, 4 of validation, 4 of test (Zhou et al. 2021, "Informer", AAAI). Errors are averaged over windows, steps
and series, on values minus the mean over the deviation of each series' first 12 months; the mean cancels in an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import final

import numpy as np

from forecast.core.arrays import FloatArray, IntArray
from forecast.core.errors import ModelError, UsageError
from forecast.core.forecast_frame import ForecastFrame
from forecast.core.panel import Panel
from forecast.evaluation.tally import truth_after


@final
@dataclass(frozen=True, slots=True)
class Protocol:
    """How a set is judged.

    horizons: one model each. scale_rows: rows that the deviation is taken from. validation_rows, test_rows: of the stretches that are
    judged; the model learns from everything before.
    """

    horizons: tuple[int, ...]
    scale_rows: int
    validation_rows: int
    test_rows: int


PROTOCOLS: Mapping[str, Protocol] = {"etth1": Protocol((96, 192, 336, 720), 8640, 2880, 2880)}


@final
@dataclass(frozen=True, slots=True)
class WindowScores:
    """Errors in standardised units, of the mean and of the median, and the number of windows of each series."""

    windows: int
    mse: float
    mae: float
    mse_median: float
    mae_median: float


def window_cutoffs(panel: Panel, first: int, rows: int, horizon: int) -> IntArray:
    """Returns the cutoffs of all windows whose targets lie in a stretch of rows: rows - H + 1 of them. Shape [N, W].

    Args:
        panel: All series have the stretch.
        first: Row of each series that the stretch begins with: step 1 of the first window.
        rows: Of the stretch.
        horizon: H.

    Raises:
        UsageError: a stretch shorter than the horizon, or a series that ends before it does.
    """
    if rows < horizon or (panel.lengths < first + rows).any():
        raise UsageError(
            f"{rows} rows from row {first} on: the horizon is {horizon}, the shortest series has {panel.lengths.min()} rows"
        )
    return np.asarray(panel.starts[:, None] + first - 1 + np.arange(rows - horizon + 1))


def score_windows(frames: Iterable[ForecastFrame], panel: Panel, cutoffs: IntArray, horizon: int, scale_rows: int) -> WindowScores:
    """Returns the errors over all windows, adding up the forecasts block by block.

    Args:
        frames: The forecasts, each series and cutoff exactly once, in any grouping; with the level 0.5.
        panel: The whole panel without missing values.
        cutoffs: Neighbouring ones. Shape [N, W].
        horizon: H.
        scale_rows: Rows of each series that its deviation (of a population, as in the literature) is taken from.

    Raises:
        ModelError: a forecast that is missing, came twice or was not asked for.
    """
    deviation = np.array([panel.series(i)[:scale_rows].std() for i in range(len(panel))])
    seen, sums = np.zeros(cutoffs.shape, dtype=np.int64), np.zeros(4)
    for frame in frames:
        series = np.minimum(np.searchsorted(panel.ids, frame.ids), len(panel) - 1)
        window = frame.cutoffs - cutoffs[series, 0]
        if (panel.ids[series] != frame.ids).any() or (window < 0).any() or (window >= cutoffs.shape[1]).any():
            raise ModelError(f"{frame.model} forecast series and cutoffs that it was not asked for")
        np.add.at(seen, (series, window), 1)
        truth, unit = truth_after(panel, series, frame.cutoffs, horizon), deviation[series, None]
        sums += _sums(frame, truth, unit)
    if (seen != 1).any():
        raise ModelError(
            f"{int((seen == 0).sum())} of {seen.size} forecasts are missing, {int((seen > 1).sum())} came more than once"
        )
    mse, mae, mse_median, mae_median = (float(total) for total in sums / (seen.size * horizon))
    return WindowScores(cutoffs.shape[1], mse, mae, mse_median, mae_median)


def _sums(frame: ForecastFrame, truth: FloatArray, unit: FloatArray) -> FloatArray:
    """Squared and absolute errors of the mean, then of the median."""
    median = frame.quantiles[:, :, frame.levels.index(0.5)]
    of_mean, of_median = ((forecast - truth) / unit for forecast in (frame.mean, median))
    return np.array([(of_mean**2).sum(), np.abs(of_mean).sum(), (of_median**2).sum(), np.abs(of_median).sum()])
