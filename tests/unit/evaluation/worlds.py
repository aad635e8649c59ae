"""Small panels and forecasters for the tests of evaluation and reporting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import final

import numpy as np
import pandas as pd

from forecast.core.arrays import IntArray
from forecast.core.forecast_frame import ForecastFrame
from forecast.core.forecaster import Forecaster, Recipe, Weights
from forecast.core.frequency import Frequency
from forecast.core.known_future import KnownFuture
from forecast.core.panel import Panel

LEVELS = (0.1, 0.5, 0.9)
DAILY = Frequency.parse("D")


def panel_of(series: dict[str, list[float]], starts: dict[str, str] | None = None) -> Panel:
    """A daily panel of the given values; NaN is missing."""
    frames = [
        pd.DataFrame({"unique_id": name, "ds": pd.date_range((starts or {}).get(name, "2024-01-01"), periods=len(y)), "y": y})
        for name, y in series.items()
    ]
    return Panel.from_frame(pd.concat(frames), DAILY)


def random_panel(seed: int, count: int = 7, shortest: int = 3, longest: int = 60) -> Panel:
    """Ragged series of very different size, with gaps, on different days."""
    chance = np.random.default_rng(seed)
    series, starts = {}, {}
    for number in range(count):
        length = int(chance.integers(shortest, longest))
        y = chance.normal(10, 3, length) * 10.0 ** chance.integers(-3, 7)
        y[chance.random(length) < 0.15] = np.nan
        y[[0, -1]] = 1.0, 2.0
        series[f"s{number}"] = list(y)
        starts[f"s{number}"] = str(np.datetime64("2024-01-01") + int(chance.integers(0, 20)))
    return panel_of(series, starts)


@final
class Repeat(Forecaster):
    """Forecasts the value `season` steps before, with an interval of fixed width; `shift` makes it worse."""

    def __init__(
        self, horizon: int, season: int = 1, shift: float = 0.0, name: str = "repeat", levels: tuple[float, ...] = LEVELS
    ) -> None:
        self.name, self.horizon, self.levels = name, horizon, levels
        self.season, self.shift = season, shift
        self.fitted: list[Panel] = []

    def fit(self, panel: Panel) -> None:
        self.fitted.append(panel)

    def predict(self, history: Panel, known_future: KnownFuture | None = None) -> ForecastFrame:
        paths = []
        for position in range(len(history)):
            y = pd.Series(history.series(position)).ffill().fillna(0.0).to_numpy()
            last = y[-self.season :] if len(y) >= self.season else y[-1:]
            paths.append(np.resize(last, self.horizon) + self.shift)
        mean = np.array(paths)
        spread = np.array([2 * (q - 0.5) for q in self.levels])
        return ForecastFrame.build(
            history.frequency, self.name, self.levels, history.ids, history.ends, mean, mean[:, :, None] + spread
        )

    def recipe(self) -> Recipe:
        return {"kind": "repeat"}

    def weights(self) -> Weights:
        return {}

    def restore(self, weights: Weights) -> None:
        pass


@final
class Peeking(Forecaster):
    """A dishonest model: it forecasts the future that its backtest was handed."""

    def __init__(self, horizon: int) -> None:
        self.name, self.horizon, self.levels = "peeking", horizon, LEVELS

    def fit(self, panel: Panel) -> None:
        pass

    def predict(self, history: Panel, known_future: KnownFuture | None = None) -> ForecastFrame:
        raise NotImplementedError

    def backtest(self, panel: Panel, cutoffs: IntArray) -> Iterator[ForecastFrame]:
        for column in cutoffs.T:
            inside = np.flatnonzero(column >= panel.starts)
            chosen = panel.take(inside)
            row = chosen.offsets[:-1] + column[inside] - chosen.starts
            future = chosen.y[np.minimum(row[:, None] + np.arange(1, self.horizon + 1), (chosen.offsets[1:] - 1)[:, None])]
            mean = np.nan_to_num(future)
            quantiles = np.repeat(mean[:, :, None], 3, axis=2)
            yield ForecastFrame.build(panel.frequency, self.name, LEVELS, chosen.ids, column[inside], mean, quantiles)

    def recipe(self) -> Recipe:
        return {"kind": "peeking"}

    def weights(self) -> Weights:
        return {}

    def restore(self, weights: Weights) -> None:
        pass


@final
class Spoiled(Forecaster):
    """Passes every block of an honest backtest through a function that may drop, repeat or change it."""

    def __init__(self, honest: Forecaster, change: Callable[[ForecastFrame], list[ForecastFrame]]) -> None:
        self.name, self.horizon, self.levels = "spoiled", honest.horizon, honest.levels
        self.honest, self.change = honest, change

    def fit(self, panel: Panel) -> None:
        self.honest.fit(panel)

    def predict(self, history: Panel, known_future: KnownFuture | None = None) -> ForecastFrame:
        return self.honest.predict(history, known_future)

    def backtest(self, panel: Panel, cutoffs: IntArray) -> Iterator[ForecastFrame]:
        for frame in self.honest.backtest(panel, cutoffs):
            yield from self.change(frame)

    def recipe(self) -> Recipe:
        return {"kind": "spoiled"}

    def weights(self) -> Weights:
        return {}

    def restore(self, weights: Weights) -> None:
        pass
