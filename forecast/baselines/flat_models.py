"""Models whose forecast is one number for every step: the average of a window, Croston for intermittent demand.

They have no interval of their own, so they get the conformal one: errors at rolling origins inside the history. Missing rows are
not filled, they are left out: they are no demand of zero, and they add nothing to an average.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from forecast.baselines.intervals import empirical_quantiles, rolling_errors
from forecast.baselines.local_model import LocalForecast, LocalModel, Question, TooShort
from forecast.core.arrays import FloatArray
from forecast.core.errors import UsageError

SBA_FACTOR = 0.95  # 1 - alpha / 2 at alpha 0.1


@final
@dataclass(frozen=True, slots=True)
class WindowAverageModel(LocalModel):
    """The mean of the last `window` observed values; None takes the shortest season, and 7 where there is none."""

    window: int | None = None

    kind = "window_average"
    cost = "a millisecond per series"

    def __post_init__(self) -> None:
        if self.window is not None and self.window < 1:
            raise UsageError(f"window is {self.window}: an average needs at least 1 value")

    def forecast(self, y: FloatArray, question: Question) -> LocalForecast:
        """Returns the average, and the empirical quantiles of its own rolling-origin errors."""
        from statsforecast.models import WindowAverage

        window = self.window or (question.season_length if question.season_lengths else 7)

        def point(rows: FloatArray) -> FloatArray:
            observed = rows[np.isfinite(rows)]
            model = WindowAverage(min(window, len(observed)))
            return np.asarray(model.forecast(y=observed, h=question.horizon)["mean"], dtype=np.float64)

        return _conformal(point(y), rolling_errors(point, y, question.horizon), question)

    def options(self) -> Mapping[str, Any]:
        """Returns the window."""
        return {"window": self.window}


@final
@dataclass(frozen=True, slots=True)
class CrostonSbaModel(LocalModel):
    """Croston's size over interval, with the bias correction of Syntetos & Boylan (2005)."""

    kind = "croston_sba"
    cost = "a few milliseconds per series"

    def forecast(self, y: FloatArray, question: Question) -> LocalForecast:
        """Returns the demand rate, and the empirical quantiles of its own rolling-origin errors.

        Without any demand the rate is 0.

        Raises:
            TooShort: one observation, or negative values, which are no demand.
        """
        from statsforecast.models import CrostonSBA

        observed = y[np.isfinite(y)]
        if len(observed) < 2:
            raise TooShort("one observed value, two are needed")
        if observed.min() < 0:
            raise TooShort(f"negative value {observed.min():g}: Croston's method is for demand")
        model = CrostonSBA()

        def point(rows: FloatArray) -> FloatArray:
            values = rows[np.isfinite(rows)]
            rate = model.forecast(y=values, h=question.horizon)["mean"] if values.any() else np.zeros(question.horizon)
            return np.asarray(rate, dtype=np.float64)

        return _conformal(point(y), rolling_errors(point, y, question.horizon), question)


def _conformal(mean: FloatArray, errors: FloatArray, question: Question) -> LocalForecast:
    return LocalForecast(mean, empirical_quantiles(mean, errors, question.levels))
