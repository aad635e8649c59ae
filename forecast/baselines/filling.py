"""Missing values for models that cannot take any: filled from the series' own rows, never with zero.

A fill looks at both sides of a gap, which is no look-ahead: all rows it sees are at or before the cutoff.
"""

from __future__ import annotations

import numpy as np

from forecast.core.arrays import FloatArray


def trimmed(y: FloatArray) -> FloatArray:
    """Returns the series from its first observed value on, as a view. Shape [n] -> [<= n]."""
    observed = np.flatnonzero(np.isfinite(y))
    return y[observed[0] :] if len(observed) else y[:0]


def linear_fill(y: FloatArray) -> FloatArray:
    """Returns the series with straight lines across its gaps; before the first and after the last observation it is held.

    Needs one observed value. Shape as given.
    """
    observed = np.flatnonzero(np.isfinite(y))
    return y if len(observed) == len(y) else np.interp(np.arange(len(y)), observed, y[observed])


def seasonal_fill(y: FloatArray, season_length: int) -> FloatArray:
    """Returns the series with each gap filled along its own phase of the season, by `linear_fill` of that phase's values.

    So a missing Monday lies between the Mondays around it, and after the last observation each phase is held. A phase that was
    never observed is filled along time. Needs one observed value. Shape as given.
    """
    if season_length < 2 or np.isfinite(y).all():
        return linear_fill(y)
    filled = y.copy()
    for phase in range(min(season_length, len(y))):
        values = filled[phase::season_length]
        if np.isfinite(values).any():
            filled[phase::season_length] = linear_fill(values)
    return linear_fill(filled)
