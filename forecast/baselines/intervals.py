"""From what a local model knows of its errors to quantiles. It must not know models or series ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import NormalDist

import numpy as np

from forecast.core.arrays import FloatArray

ERRORS_WANTED = 60  # errors of each step that a rolling origin collects where the history is long enough
ERRORS_NEEDED = 5  # fewer say nothing about a step's own quantiles

PointForecast = Callable[[FloatArray], FloatArray]
"""The forecast of the H steps after the rows given. Data units, [n] -> [H]."""


def normal_quantiles(mean: FloatArray, spread: FloatArray, levels: Sequence[float]) -> FloatArray:
    """Returns mean + z(level) * spread; the level 0.5 is the mean itself. Shapes [H], [H] -> [H, Q]."""
    z = np.array([NormalDist().inv_cdf(level) for level in levels])
    return np.asarray(mean[:, None] + z * spread[:, None])


def rolling_errors(point: PointForecast, y: FloatArray, horizon: int) -> FloatArray:
    """Errors of a model at the last origins inside a history: each forecast is made from the rows before its targets.

    Origins follow each other step by step, as many as give every step `ERRORS_WANTED` errors, and never before the first row.

    Args:
        point: The model, called with the rows up to each origin.
        y: One series, data units, observed at its first row, NaN where missing. Shape [n].
        horizon: H.

    Returns:
        Observation minus forecast, NaN where the target is missing or after the history. Shape [origins, H].
    """
    rows = np.arange(max(1, len(y) - horizon - ERRORS_WANTED + 1), len(y))
    future = np.concatenate([y, np.full(horizon, np.nan)])
    return np.array([future[n : n + horizon] - point(y[:n]) for n in rows]).reshape(len(rows), horizon)


def empirical_quantiles(mean: FloatArray, errors: FloatArray, levels: Sequence[float]) -> FloatArray:
    """Returns mean + the empirical quantiles of each step's own signed errors: the conformal interval of a local model.

    Of K errors the i-th smallest stands for the level i / (K + 1), the rank at which a split-conformal bound covers exactly. A
    step with fewer than `ERRORS_NEEDED` errors takes those of the step before it; a first step with too few takes all errors
    together; no errors at all give no width.

    Args:
        mean: Shape [H].
        errors: Observation minus forecast, NaN where not known. Shape [K, H].
        levels: Q quantile levels.

    Source: Vovk, Gammerman & Shafer (2005), Algorithmic Learning in a Random World.
    """
    quantiles = np.empty((len(mean), len(levels)))
    usable = errors[np.isfinite(errors)]
    for step in range(len(mean)):
        column = errors[:, step]
        column = column[np.isfinite(column)]
        usable = column if len(column) >= ERRORS_NEEDED else usable
        quantiles[step] = np.quantile(usable, levels, method="weibull") if len(usable) else 0.0
    return np.asarray(mean[:, None] + quantiles)
