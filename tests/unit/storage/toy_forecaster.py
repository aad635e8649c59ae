"""A small forecaster of whole contract for tests of what saves and moves forecasters: each series repeats its last value plus a learned bias."""

from __future__ import annotations

from typing import final

import numpy as np

from forecast.core.errors import ModelError
from forecast.core.forecast_frame import ForecastFrame
from forecast.core.forecaster import Forecaster, Recipe, Weights, require
from forecast.core.known_future import KnownFuture
from forecast.core.panel import Panel


@final
class LastPlusBias(Forecaster):
    def __init__(
        self, *, horizon: int = 3, levels: tuple[float, ...] = (0.1, 0.5, 0.9), season_lengths: tuple[int, ...] = (7,)
    ) -> None:
        self.name, self.horizon, self.levels, self.season_lengths = "last_plus_bias", horizon, levels, season_lengths
        self._bias: float | None = None

    def fit(self, panel: Panel) -> None:
        self._bias = float(np.nanmean(panel.y)) / 10

    def predict(self, history: Panel, known_future: KnownFuture | None = None) -> ForecastFrame:
        if self._bias is None:
            raise ModelError("not fitted")
        last = np.array([history.series(i)[~np.isnan(history.series(i))][-1] for i in range(len(history))])
        mean = np.repeat((last + self._bias)[:, None], self.horizon, axis=1)
        if known_future is not None:
            mean = mean + known_future.require(history.ids, history.ends + 1, self.horizon).sum(axis=2)
        quantiles = mean[:, :, None] + np.asarray(self.levels) - 0.5
        return ForecastFrame.build(history.frequency, self.name, self.levels, history.ids, history.ends, mean, quantiles)

    def recipe(self) -> Recipe:
        return {"kind": self.name, "horizon": self.horizon, "levels": self.levels, "season_lengths": self.season_lengths}

    def weights(self) -> Weights:
        require(self._bias is not None, "not fitted")
        return {"bias": np.array(self._bias)}

    def restore(self, weights: Weights) -> None:
        self._bias = float(weights["bias"])


def rebuild_toy(recipe: Recipe, weights: Weights) -> Forecaster:
    """The registry of one model."""
    require(recipe["kind"] == "last_plus_bias", f"unknown model {recipe['kind']!r}")
    forecaster = LastPlusBias(
        horizon=recipe["horizon"], levels=tuple(recipe["levels"]), season_lengths=tuple(recipe["season_lengths"])
    )
    forecaster.restore(weights)
    return forecaster
