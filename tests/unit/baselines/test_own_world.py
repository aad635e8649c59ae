"""Each baseline is exact, or nearly so, on the data that it was made for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast.baselines.registry import BASELINES
from forecast.core.arrays import FloatArray
from forecast.core.forecast_frame import OK, ForecastFrame
from forecast.core.frequency import Frequency
from forecast.core.panel import Panel, Roles

T = np.arange(60.0)
SEASONAL = np.tile([3.0, 9.0, 4.0, 6.0], 15)


def forecast(name: str, y: FloatArray, horizon: int, season: int = 0, **arguments: Any) -> ForecastFrame:
    frame = pd.DataFrame({"unique_id": "s", "ds": np.arange(len(y)), "y": y})
    forecaster = BASELINES[name](horizon=horizon, levels=(0.1, 0.5, 0.9), season_lengths=(season,) if season else (), **arguments)
    panel = Panel.from_frame(frame, Frequency.parse("integer"))
    forecaster.fit(panel)
    result = forecaster.predict(panel)
    assert set(result.status) == {OK}, result.reason
    return result


def test_naive_repeats_the_last_value_of_a_random_walk() -> None:
    walk = np.cumsum(np.random.default_rng(0).normal(size=50))
    assert (forecast("naive", walk, 6).mean == walk[-1]).all()


def test_seasonal_naive_continues_a_periodic_series_without_width() -> None:
    result = forecast("seasonal_naive", SEASONAL[:-1], 6, season=4)
    assert result.mean[0].tolist() == [6, 3, 9, 4, 6, 3]
    assert (result.quantiles == result.mean[:, :, None]).all()


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [("drift", 1e-12), ("holt_winters", 0.05), ("auto_ets", 0.05), ("auto_arima", 1e-6), ("mstl", 0.05), ("ridge", 0.4)],
)
def test_trend_models_continue_a_line(name: str, tolerance: float) -> None:
    line = 2 + 3 * T
    assert forecast(name, line, 6).mean[0] == pytest.approx(2 + 3 * (60 + np.arange(6)), abs=3 * tolerance)


@pytest.mark.parametrize("name", ["auto_theta", "dynamic_optimized_theta"])
def test_theta_continues_a_line_nearly(name: str) -> None:
    assert forecast(name, 2 + 3 * T, 6).mean[0] == pytest.approx(2 + 3 * (60 + np.arange(6)), rel=0.005)


@pytest.mark.parametrize("name", ["holt_winters", "auto_ets", "auto_arima", "mstl", "auto_theta", "dynamic_optimized_theta"])
def test_seasonal_models_continue_a_season(name: str) -> None:
    noise = 0.01 * np.random.default_rng(0).normal(size=60)
    assert forecast(name, SEASONAL + noise, 8, season=4).mean[0] == pytest.approx(np.tile(SEASONAL[:4], 2), abs=0.1)


def test_mstl_takes_out_several_seasons() -> None:
    y = SEASONAL + np.resize([0.0, 5.0, 1.0, 2.0, 8.0, 3.0, 7.0], 60) + 0.01 * np.random.default_rng(0).normal(size=60)
    frame = pd.DataFrame({"unique_id": "s", "ds": np.arange(56), "y": y[:56]})
    forecaster = BASELINES["mstl"](horizon=4, season_lengths=(4, 7))
    errors = forecaster.predict(Panel.from_frame(frame, Frequency.parse("integer"))).mean[0] - y[56:]
    assert np.abs(errors).max() < 0.5


def test_window_average_is_the_mean_of_its_window() -> None:
    assert forecast("window_average", T, 3, window=5).mean[0].tolist() == [57, 57, 57]
    assert forecast("window_average", T, 3, season=4).mean[0].tolist() == [57.5, 57.5, 57.5]


def test_mean_is_the_mean() -> None:
    assert forecast("mean", T, 3).mean[0] == pytest.approx([29.5] * 3)


def test_croston_knows_the_rate_of_a_demand_at_constant_intervals() -> None:
    demand = np.where(np.arange(60) % 5 == 4, 10.0, 0.0)
    assert forecast("croston_sba", demand, 4).mean[0] == pytest.approx([0.95 * 10 / 5] * 4)


def test_croston_forecasts_no_demand_where_there_never_was_any() -> None:
    result = forecast("croston_sba", np.zeros(30), 4)
    assert not result.mean.any()
    assert not result.quantiles.any()


def autoregressive(series: int, rows: int) -> Panel:
    """Stationary AR(2) series: y_t = 1.2 y_{t-1} - 0.5 y_{t-2} + e_t."""
    shocks = np.random.default_rng(0).normal(size=(series, rows + 50))
    y = np.zeros((series, rows + 50))
    for t in range(2, rows + 50):
        y[:, t] = 1.2 * y[:, t - 1] - 0.5 * y[:, t - 2] + shocks[:, t]
    ids = np.repeat([f"s{i:03}" for i in range(series)], rows)
    frame = pd.DataFrame({"unique_id": ids, "ds": np.tile(np.arange(rows), series), "y": y[:, 50:].reshape(-1)})
    return Panel.from_frame(frame, Frequency.parse("integer"))


def test_ridge_finds_the_conditional_mean_of_an_autoregressive_process() -> None:
    panel = autoregressive(60, 200)
    forecaster = BASELINES["ridge"](horizon=2, levels=(0.1, 0.9), season_lengths=(), penalty=1e-6)
    forecaster.fit(panel)
    frame = forecaster.predict(panel)
    last = np.stack([panel.series(i)[-2:] for i in range(60)])
    first = 1.2 * last[:, 1] - 0.5 * last[:, 0]
    truth = np.stack([first, 1.2 * first - 0.5 * last[:, 1]], axis=1)
    assert np.sqrt(np.mean((frame.mean - truth) ** 2)) < 0.2  # the shocks have 1
    width = (frame.quantiles[:, :, 1] - frame.quantiles[:, :, 0]).mean(axis=0)
    assert width == pytest.approx([2 * 1.2816, 2 * 1.2816 * np.sqrt(1 + 1.2**2)], rel=0.2)


@pytest.mark.parametrize("name", ["ridge", "hist_gradient_boosting"])
def test_global_models_learn_what_a_known_covariate_does(name: str) -> None:
    chance = np.random.default_rng(0)
    rows, series = 120, 12
    promotion = (chance.random((series, rows)) < 0.3).astype(float)
    y = 20 + 10 * promotion + chance.normal(size=(series, rows))
    frame = pd.DataFrame({"unique_id": np.repeat([f"s{i:02}" for i in range(series)], rows), "y": y.reshape(-1),
                          "ds": np.tile(np.arange(rows), series), "promotion": promotion.reshape(-1)})  # fmt: skip
    panel = Panel.from_frame(frame, Frequency.parse("integer"), Roles(known=("promotion",)))
    forecaster = BASELINES[name](horizon=5, levels=(0.5,), season_lengths=(7,))
    cutoff = panel.ends - 5
    forecaster.fit(panel.until(cutoff))
    frame_of = forecaster.predict(panel.until(cutoff), panel.known_future(after=cutoff))
    assert np.abs(frame_of.mean - (20 + 10 * promotion[:, -5:])).mean() < 2  # ignoring it costs 4


def test_trees_find_a_season_that_the_base_does_not_know() -> None:
    chance = np.random.default_rng(0)
    day, week = np.tile([0.0, 4.0, 8.0, 2.0], 70), np.repeat(np.resize([0.0, 0.0, 6.0, 1.0, 12.0], 70), 4)
    frames = [
        pd.DataFrame({"unique_id": f"s{i}", "ds": np.arange(280), "y": day + week + 0.1 * chance.normal(size=280)})
        for i in range(8)
    ]
    panel = Panel.from_frame(pd.concat(frames), Frequency.parse("integer"))
    history = panel.until(279 - 20)
    forecaster = BASELINES["hist_gradient_boosting"](horizon=20, levels=(0.1, 0.5, 0.9), season_lengths=(4, 20))
    forecaster.fit(history)
    errors = np.abs(forecaster.predict(history).mean - (day + week)[-20:])
    assert errors.mean() < 0.7  # the base, one short season back, has 4
