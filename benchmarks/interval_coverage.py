"""How often the truth lies in the 80 % interval, with a standard error that knows that one date hits many series at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np

from forecast.core.arrays import BoolArray, FloatArray, IntArray
from forecast.core.forecast_frame import ForecastFrame

NOMINAL, TOLERANCE = 0.8, 0.05


@final
@dataclass(frozen=True, slots=True)
class Coverage:
    """Share of targets inside the interval, its standard error clustered by date, and the number of dates."""

    share: float
    standard_error: float
    dates: int

    @property
    def acceptable(self) -> bool:
        """Whether the share is within 0.05, or two standard errors, of 0.8."""
        return abs(self.share - NOMINAL) <= max(TOLERANCE, 2 * self.standard_error)


def coverage_80(frame: ForecastFrame, truth: FloatArray) -> Coverage:
    """Returns the coverage of [q0.1, q0.9], ends included; missing targets are left out.

    Args:
        frame: R forecasts with the levels 0.1 and 0.9.
        truth: Data units, NaN where missing. Shape [R, H].
    """
    lower, upper = (frame.quantiles[:, :, frame.levels.index(level)] for level in (0.1, 0.9))
    date = frame.cutoffs[:, None] + np.arange(1, frame.horizon + 1)
    observed = ~np.isnan(truth)
    return clustered((truth >= lower)[observed] & (truth <= upper)[observed], date[observed])


def clustered(hits: BoolArray, dates: IntArray) -> Coverage:
    """Returns the share of hits with the standard error of a mean over clusters.

    With G dates and e the hits minus their share: se^2 = G / (G - 1) * sum over dates of (sum of e)^2 / n^2; NaN for one date.
    Source: Liang & Zeger (1986), Biometrika 73(1), for a mean; the factor as in Cameron & Miller (2015), Journal of Human Resources 50(2).

    Args:
        hits: Shape [n].
        dates: Shape [n].
    """
    share, (names, place) = float(hits.mean()), np.unique(dates, return_inverse=True)
    sums = np.bincount(place, weights=hits - share)
    groups = len(names)
    error = math.sqrt(groups / (groups - 1) * float((sums**2).sum())) / len(hits) if groups > 1 else math.nan
    return Coverage(share, error, groups)
