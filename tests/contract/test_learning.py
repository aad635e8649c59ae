"""Every named network learns what can be learned: a sine that it never saw, how fast an AR(1) forgets, and a copy of 24 steps ago."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.core.arrays import FloatArray
from forecast.core.frequency import Frequency
from forecast.core.panel import Panel
from forecast.neural.forecaster import NeuralForecaster
from forecast.neural.registry import NEURAL
from tests.unit.neural.worlds import HORIZON, LEVELS, quick

# What walks through the horizon learns the steps one after the other, and sooner where it hears no true values.
WALKING: dict[str, object] = {"max_steps": 600, "forced_steps": 0}
# State spaces start out slowly; attention has to learn where to look before it can learn what to make of it.
STEPS = {"s4d": 160, "mamba": 160, "seq2seq_attention": 240}
every_network = pytest.mark.parametrize("name", sorted(NEURAL))


def panel_of(values: FloatArray) -> Panel:
    """Returns rows of values as series on a grid of integers."""
    frames = [pd.DataFrame({"unique_id": f"s{n:02d}", "ds": np.arange(len(y)), "y": y}) for n, y in enumerate(values)]
    return Panel.from_frame(pd.concat(frames), Frequency.parse("integer"))


def trained(name: str, values: FloatArray, **changes: object) -> NeuralForecaster:
    """Returns a small network that knows of no season, trained on all columns but the last H."""
    settings: dict[str, object] = {
        "season_lengths": (), "hidden_size": 24, "max_steps": STEPS.get(name, 80), "validate_every": 0, "batch_size": 16, "segment": 48, "stride": 6,
        "learning_rate": 1e-2, "dropout": 0.0,
    }  # fmt: skip
    forecaster = quick(name, **(settings | changes))
    forecaster.fit(panel_of(values[:, :-HORIZON]))
    return forecaster


def median_after(forecaster: NeuralForecaster, values: FloatArray) -> FloatArray:
    """Returns the median forecasts of the last H columns from those before them."""
    median: FloatArray = forecaster.predict(panel_of(values[:, :-HORIZON])).quantiles[:, :, LEVELS.index(0.5)]
    return median


def sines(count: int, seed: int) -> FloatArray:
    """Returns sines of period 9 with their own phases, sizes and levels. Shape [count, 80]."""
    rng = np.random.default_rng(seed)
    phase, size, level = rng.uniform(0, 9, (count, 1)), rng.uniform(1, 5, (count, 1)), rng.uniform(5, 50, (count, 1))
    wave: FloatArray = level + size * np.sin(2 * np.pi * (np.arange(80) + phase) / 9)
    return wave


@every_network
def test_it_learns_to_continue_sines_that_it_has_never_seen(name: str) -> None:
    strangers = sines(12, seed=1)
    truth, last = strangers[:, -HORIZON:], strangers[:, -HORIZON - 1 : -HORIZON]
    forecast = median_after(trained(name, sines(24, seed=0)), strangers)
    assert np.abs(forecast - truth).mean() < 0.25 * np.abs(last - truth).mean()


@every_network
def test_it_learns_how_fast_an_autoregression_forgets(name: str) -> None:
    rng = np.random.default_rng(2)
    noise, y = rng.normal(size=(64, 160)), np.zeros((64, 160))
    for t in range(1, 160):
        y[:, t] = 0.6 * y[:, t - 1] + noise[:, t]
    y = y[:, 20:]
    last, weights = y[:, -HORIZON - 1 : -HORIZON], 0.6 ** np.arange(1, HORIZON + 1)
    forecast = median_after(trained(name, y), y)
    assert np.abs(forecast - weights * last).mean() < 0.5 * np.abs(last - weights * last).mean()


@every_network
def test_it_learns_to_copy_what_was_there_24_steps_ago(name: str) -> None:
    """Every series repeats 24 random numbers of its own, and no path of a season says so."""
    rng = np.random.default_rng(3)
    patterns = 20 + 5 * rng.normal(size=(160, 24))
    y = np.tile(patterns, 4)
    settings: dict[str, object] = {"lags": 24, "max_steps": 300, "hidden_size": 48, "batch_size": 32}
    forecaster = trained(name, y[:128], **(settings | (WALKING if name.startswith("seq2seq") else {})))
    strangers = y[128:]
    truth, level = strangers[:, -HORIZON:], strangers.mean(axis=1, keepdims=True)
    forecast = median_after(forecaster, strangers)
    assert np.abs(forecast - truth).mean() < 0.5 * np.abs(level - truth).mean()
