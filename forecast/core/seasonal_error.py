"""The errors of the seasonal naive inside the history of each cutoff: the denominators of MASE and RMSSE.

They are computed for all cutoffs in one pass over the flat array of the panel. This module must not read a row after its cutoff.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from forecast.core.arrays import FloatArray, IntArray
from forecast.core.errors import UsageError
from forecast.core.panel import Panel


class SeasonalErrors(NamedTuple):
    """Mean absolute and mean squared seasonal difference, data units; NaN without a pair of observations. Shapes [N, W]."""

    absolute: FloatArray
    squared: FloatArray


def seasonal_errors(panel: Panel, cutoffs: IntArray, season_length: int) -> SeasonalErrors:
    """Returns the errors of the seasonal naive in the rows of each series up to each cutoff.

    For one series and cutoff: mean of |y[t] - y[t - m]| (and of its square) over the t <= cutoff where both are observed. A series
    without such a pair, as one shorter than the season, is measured with m = 1.

    Args:
        panel: N series.
        cutoffs: Ordinal of the last row to read, ascending along W. Shape [N, W].
        season_length: m, in steps. 1 gives the error of the naive forecast.

    Raises:
        UsageError: season_length is below 1.

    Source: Hyndman & Koehler (2006), International Journal of Forecasting 22(4).
    """
    if season_length < 1:
        raise UsageError(f"season length {season_length}: must be at least 1 step")
    absolute, squared = _means(panel, cutoffs, season_length)
    if season_length > 1 and np.isnan(absolute).any():
        nearest = _means(panel, cutoffs, 1)
        absolute, squared = (np.where(np.isnan(own), one, own) for own, one in zip((absolute, squared), nearest, strict=True))
    return SeasonalErrors(absolute, squared)


def _means(panel: Panel, cutoffs: IntArray, m: int) -> tuple[FloatArray, FloatArray]:
    difference = np.full(panel.rows, np.nan)
    if panel.rows > m:
        difference[m:] = panel.y[m:] - panel.y[:-m]
    first = (panel.offsets[:-1, None] + np.arange(m))[np.arange(m) < panel.lengths[:, None]]
    difference[first] = np.nan  # the first season of a series has the season of its neighbour before it
    observed = ~np.isnan(difference)
    size = np.abs(np.where(observed, difference, 0.0))
    count, absolute, squared = (_sums_until(panel, cutoffs, v) for v in (observed.astype(np.float64), size, size**2))
    return _ratio(absolute, count), _ratio(squared, count)


def _sums_until(panel: Panel, cutoffs: IntArray, values: FloatArray) -> FloatArray:
    """Sum of the values of each series up to each cutoff. Shape [N, W].

    Sums are taken per series between neighbouring cutoffs and then added up: one running sum over the whole panel would lose the
    small series that come after a large one.
    """
    start = panel.offsets[:-1, None]
    stop = start + np.clip(cutoffs - panel.starts[:, None] + 1, 0, panel.lengths[:, None])  # [N, W]
    edges = np.concatenate([start, stop], axis=1)
    pieces = np.add.reduceat(np.append(values, 0.0), edges.reshape(-1)).reshape(edges.shape)[:, :-1]
    pieces = np.where(np.diff(edges, axis=1) > 0, pieces, 0.0)  # reduceat gives the element itself for an empty piece
    return np.asarray(np.cumsum(pieces, axis=1))


def _ratio(total: FloatArray, count: FloatArray) -> FloatArray:
    return np.asarray(np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0))
